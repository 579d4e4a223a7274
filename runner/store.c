// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The run folder. Invariant: samples.jsonl holds whole lines up to s->length, each synced before
 * store_append() returned; whatever lies behind is a line that a crash or a full disk tore, and is
 * cut off. Only the holder of the flock on "lock" writes.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "figures.h"
#include "util.h"

struct store {
	char *path;
	json_t *run;
	struct matrix *matrix;
	int lock, lines; /* file descriptors; -1 where opened for reading */
	off_t length;	 /* bytes of whole lines in samples.jsonl */
	struct sample *samples;
	size_t nsamples;
	json_t *index; /* sample id -> true */
};

/* What a write that failed means to the person who waits for the run. */
static int write_error(struct error *err, const char *path, int number)
{
	if (number == ENOSPC || number == EDQUOT)
		return error_set(err, KAB_ENVIRONMENT,
			"%s: no space left on the device. Nothing recorded so far is lost: make "
			"room there (\"kab kernel clean\" or old runs), then run the same "
			"command again to continue",
			path);
	return error_set(err, KAB_ENVIRONMENT, "%s: cannot write: %s", path, strerror(number));
}

/* @err of a util function that just failed with @number in errno: the same words for a full disk.
 */
static int explain(struct error *err, const char *path, int number)
{
	if (number == ENOSPC || number == EDQUOT)
		return write_error(err, path, number);
	if (err)
		err->status = KAB_ENVIRONMENT;
	return -1;
}

static int sync_dir(const char *path, struct error *err)
{
	__close_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd))
		return write_error(err, path, errno);
	return 0;
}

static int take_lock(struct store *s, struct error *err)
{
	__free_char char *path = xasprintf("%s/lock", s->path);
	char holder[32] = "";

	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (s->lock < 0)
		return write_error(err, path, errno);
	if (flock(s->lock, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK)
			return write_error(err, path, errno);
		if (read(s->lock, holder, sizeof(holder) - 1) <= 0)
			strcpy(holder, "unknown");
		holder[strcspn(holder, "\n")] = '\0';
		return error_set(err, KAB_ENVIRONMENT,
			"%s: held by process %s; wait for it, or start a run of its own with "
			"--new",
			s->path, holder);
	}
	/* A full disk must not keep anybody from reading or continuing: the id is for the message
	 * alone. */
	if (ftruncate(s->lock, 0) == 0)
		dprintf(s->lock, "%d\n", (int)getpid());
	return 0;
}

static int write_run(struct store *s, struct error *err)
{
	__free_char char *path = xasprintf("%s/run.json", s->path);
	__free_char char *text = json_dumps(s->run, JSON_INDENT(1) | JSON_SORT_KEYS);

	if (!text)
		return error_set(err, KAB_ENVIRONMENT, "%s: not valid UTF-8", path);
	errno = 0;
	if (file_write_atomic(path, text, strlen(text), err))
		return explain(err, path, errno);
	return 0;
}

static void set_time(json_t *run, const char *key)
{
	__free_char char *ns_key = xasprintf("%s_ns", key);
	struct timespec now;
	char iso[32];

	time_iso(iso, sizeof(iso));
	clock_gettime(CLOCK_REALTIME, &now);
	json_object_set_new(run, key, json_string(iso));
	json_object_set_new(
		run, ns_key, json_integer((json_int_t)now.tv_sec * 1000000000 + now.tv_nsec));
}

/* What follows folder @dir (any, as realpath() takes it) in @path; NULL: it does not lie there. */
static const char *below(const char *dir, const char *path)
{
	__free_char char *real = realpath(dir, NULL);
	size_t len = real ? strlen(real) : 0;

	return len && !strncmp(path, real, len) && path[len] == '/' ? path + len + 1 : NULL;
}

/*
 * A run may be read on another machine, so no path of this one goes into it: a matrix goes by its
 * place in kab, by that in the folder that kab was started in, or by its name.
 */
static json_t *matrix_record(const struct matrix *m)
{
	__free_char char *path = realpath(m->path, NULL);
	const char *full = path ? path : m->path, *slash = strrchr(full, '/');
	const char *name = below(kab_home(), full);

	if (!name)
		name = below(".", full);
	if (!name)
		name = slash ? slash + 1 : full;
	return json_pack("{s:s,s:s,s:o}", "path", name, "text", m->text, "json", matrix_to_json(m));
}

static json_t *plan_record(const struct plan *p)
{
	unsigned blocks = p->nboots ? p->boots[p->nboots - 1].block + 1 : 0;
	__free_char char *seed = xasprintf("%llu", (unsigned long long)p->seed);

	return json_pack("{s:s,s:s,s:i,s:I,s:I}", "seed", seed, "hash", p->hash, "blocks",
		(int)blocks, "cells", (json_int_t)p->ncells, "boots", (json_int_t)p->nboots);
}

/* <results>/<date>-<matrix>-<id>, a folder that was not there before. */
static char *make_folder(const char *results, const char *name, struct error *err)
{
	time_t now = time(NULL);
	struct tm utc;
	char date[16];
	unsigned id;

	if (dir_make(results, err))
		return NULL;
	strftime(date, sizeof(date), "%Y%m%d-%H%M", gmtime_r(&now, &utc));
	for (;;) {
		char *path;

		if (getrandom(&id, sizeof(id), 0) != sizeof(id))
			id = (unsigned)now_ns();
		path = xasprintf("%s/%s-%s-%04x", results, date, name, id & 0xffff);
		if (!mkdir(path, 0755))
			return path;
		if (errno != EEXIST) {
			write_error(err, path, errno);
			free(path);
			return NULL;
		}
		free(path);
	}
}

static struct store *store_alloc(const char *path)
{
	struct store *s = xcalloc(1, sizeof(*s));

	s->path = xstrdup(path);
	s->lock = s->lines = -1;
	s->index = json_object();
	return s;
}

static int open_lines(struct store *s, struct error *err)
{
	__free_char char *path = xasprintf("%s/samples.jsonl", s->path);

	s->lines = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	return s->lines < 0 ? write_error(err, path, errno) : 0;
}

static int reparse_matrix(struct store *s, struct error *err)
{
	const json_t *m = json_object_get(s->run, "matrix");
	const char *path = json_string_value(json_object_get(m, "path"));
	const char *text = json_string_value(json_object_get(m, "text"));

	if (!path || !text)
		return error_set(err, KAB_USAGE,
			"%s/run.json: key 'matrix': expected {path, text, json}", s->path);
	s->matrix = matrix_parse(path, text, err);
	if (!s->matrix)
		return error_prefix(err, "%s/run.json: matrix", s->path);
	figures_define(s->matrix);
	return 0;
}

struct store *store_create(const char *results, const struct plan *plan, json_t *options,
	json_t *arms, json_t *env, struct error *err)
{
	__free_char char *path = make_folder(results, plan->matrix->name, err);
	__free_char char *parent = path ? realpath(results, NULL) : NULL;
	struct store *s;

	if (!path)
		return NULL;
	s = store_alloc(path);
	s->run = json_pack("{s:i,s:s,s:s,s:o,s:o}", "schema", STORE_SCHEMA, "name",
		plan->matrix->name, "state", "running", "matrix", matrix_record(plan->matrix),
		"plan", plan_record(plan));
	set_time(s->run, "created");
	json_object_set_new(s->run, "options", options ? json_deep_copy(options) : json_object());
	json_object_set_new(s->run, "arms", arms ? json_deep_copy(arms) : json_array());
	json_object_set_new(s->run, "env", env ? json_deep_copy(env) : json_object());
	if (take_lock(s, err) || open_lines(s, err) || write_run(s, err) ||
		sync_dir(s->path, err) || sync_dir(parent ? parent : results, err) ||
		reparse_matrix(s, err)) {
		store_close(s);
		dir_remove(path, NULL);
		return NULL;
	}
	return s;
}

/* @o's sample joins the list, unless its id is there already. */
static int take_sample(struct store *s, const json_t *o, struct error *err)
{
	struct sample smp;

	if (sample_from_json(o, &smp, err))
		return -1;
	if (json_object_get(s->index, smp.id)) {
		sample_clear(&smp);
		return 0;
	}
	json_object_set_new(s->index, smp.id, json_true());
	/* Grows in powers of two: a run has thousands of lines. */
	if (!(s->nsamples & (s->nsamples - 1)))
		s->samples = xrealloc_array(
			s->samples, s->nsamples ? s->nsamples * 2 : 1, sizeof(*s->samples));
	s->samples[s->nsamples++] = smp;
	return 0;
}

static int take_line(struct store *s, const char *path, unsigned line, const char *text, size_t len,
	struct error *err)
{
	json_error_t je;
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	int ret;

	if (!o)
		return error_set(err, KAB_USAGE, "%s:%u: malformed JSON: %s", path, line, je.text);
	ret = take_sample(s, o, err);
	json_decref(o);
	return ret ? error_prefix(err, "%s:%u", path, line) : 0;
}

static int read_lines(struct store *s, size_t *torn, struct error *err)
{
	__free_char char *path = xasprintf("%s/samples.jsonl", s->path);
	__free_char char *text = NULL;
	const char *line, *end;
	size_t size;
	unsigned number = 0;

	if (access(path, F_OK)) /* killed between the folder and its first file */
		return 0;
	text = file_read(path, &size, err);
	if (!text)
		return -1;
	for (line = text; (end = memchr(line, '\n', size - (size_t)(line - text))); line = end + 1)
		if (take_line(s, path, ++number, line, (size_t)(end - line), err))
			return -1;
	s->length = line - text;
	if (torn)
		*torn = size - (size_t)s->length;
	return 0;
}

static int check_is_run(const struct store *s, struct error *err)
{
	__free_char char *path = xasprintf("%s/run.json", s->path);

	return access(path, F_OK)
		       ? error_set(err, KAB_USAGE, "%s: not a run folder (no run.json in it)", s->path)
		       : 0;
}

static int read_run(struct store *s, struct error *err)
{
	__free_char char *path = xasprintf("%s/run.json", s->path);
	const json_t *schema;
	json_error_t je;

	s->run = json_load_file(path, 0, &je);
	if (!s->run)
		return error_set(err, KAB_USAGE, "%s:%d:%d: %s", path, je.line, je.column, je.text);
	schema = json_object_get(s->run, "schema");
	if (!json_is_integer(schema))
		return error_set(err, KAB_USAGE, "%s: key 'schema': expected an integer", path);
	if (json_integer_value(schema) != STORE_SCHEMA)
		return error_set(err, KAB_USAGE,
			"%s: schema version %lld; this kab reads version %d", path,
			(long long)json_integer_value(schema), STORE_SCHEMA);
	return 0;
}

/* The lock comes first: a line that another kab is writing is not torn, and what it writes to run.json is not lost. */
static int open_for_writing(struct store *s, struct error *err)
{
	return take_lock(s, err) || open_lines(s, err) ? -1 : 0;
}

static int cut_torn(struct store *s, struct error *err)
{
	if (ftruncate(s->lines, s->length) || fsync(s->lines))
		return write_error(err, s->path, errno);
	return 0;
}

struct store *store_open(const char *path, bool write, size_t *torn, struct error *err)
{
	struct store *s = store_alloc(path);

	if (torn)
		*torn = 0;
	/* Without its slashes, so that names made from it read well. */
	while (strlen(s->path) > 1 && s->path[strlen(s->path) - 1] == '/')
		s->path[strlen(s->path) - 1] = '\0';
	if (check_is_run(s, err) || (write && open_for_writing(s, err)) || read_run(s, err) || read_lines(s, torn, err) ||
		(write && cut_torn(s, err)) || reparse_matrix(s, err)) {
		store_close(s);
		return NULL;
	}
	return s;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->nsamples; i++)
		sample_clear(&s->samples[i]);
	free(s->samples);
	json_decref(s->index);
	json_decref(s->run);
	if (s->matrix)
		matrix_free(s->matrix);
	if (s->lines >= 0)
		close(s->lines);
	if (s->lock >= 0)
		close(s->lock);
	free(s->path);
	free(s);
}

const char *store_path(const struct store *s)
{
	return s->path;
}

json_t *store_run(const struct store *s)
{
	return s->run;
}

const json_t *store_arm(const struct store *s, const char *label)
{
	const json_t *arms = json_object_get(store_run(s), "arms");

	for (size_t i = 0; i < json_array_size(arms); i++) {
		const json_t *arm = json_array_get(arms, i);
		const char *name = json_string_value(json_object_get(arm, "label"));

		if (name && !strcmp(name, label))
			return arm;
	}
	return NULL;
}

const struct matrix *store_matrix(const struct store *s)
{
	return s->matrix;
}

const struct sample *store_samples(const struct store *s, size_t *n)
{
	*n = s->nsamples;
	return s->samples;
}

bool store_has(const struct store *s, const char *sample_id)
{
	return json_object_get(s->index, sample_id);
}

static int write_all(int fd, const char *data, size_t len, off_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int store_append(struct store *s, const struct sample *smp, struct error *err)
{
	json_t *o = sample_to_json(smp);
	char *text = json_dumps(o, JSON_COMPACT);
	__free_char char *line = NULL;
	size_t len;
	int ret = -1;

	if (!text) {
		error_set(err, KAB_ENVIRONMENT, "sample %s: not valid UTF-8", smp->id);
		goto out;
	}
	line = xasprintf("%s\n", text);
	len = strlen(line);
	if (write_all(s->lines, line, len, s->length) || fdatasync(s->lines)) {
		int number = errno;

		/* If even this fails, the next store_open() cuts the rest off. */
		if (ftruncate(s->lines, s->length) == 0)
			fdatasync(s->lines);
		write_error(err, s->path, number);
		goto out;
	}
	s->length += (off_t)len;
	ret = take_sample(s, o, err);
out:
	free(text);
	json_decref(o);
	return ret;
}

int store_raw(struct store *s, const char *sample_id, const char *name, const void *data,
	size_t len, struct error *err)
{
	__free_char char *dir = xasprintf("%s/raw/%s", s->path, sample_id);
	__free_char char *path = xasprintf("%s/%s", dir, name);
	__close_fd int fd = -1;

	/* All but the first capture find the folder above it there. */
	if (mkdir(dir, 0755) && errno != EEXIST && dir_make(dir, err))
		return explain(err, dir, errno);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write_all(fd, data, len, 0))
		return write_error(err, path, errno);
	return 0;
}

char *store_boot_path(const struct store *s, unsigned number, unsigned life)
{
	return life ? xasprintf("%s/boots/%u/life%u", s->path, number, life)
		    : xasprintf("%s/boots/%u", s->path, number);
}

char *store_boot_dir(struct store *s, unsigned number, unsigned life, struct error *err)
{
	char *dir = store_boot_path(s, number, life);

	errno = 0;
	if (!dir_make(dir, err))
		return dir;
	explain(err, dir, errno);
	free(dir);
	return NULL;
}

int store_update(struct store *s, json_t *patch, struct error *err)
{
	const char *state = json_string_value(json_object_get(patch, "state"));

	json_object_update_recursive(s->run, patch);
	if (state && !strcmp(state, "finished"))
		set_time(s->run, "finished");
	return write_run(s, err);
}
