// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * git takes mails apart: mailsplit knows where one ends, mailinfo knows encodings. What is added
 * here is the order of a thread, which mail clients save as they like.
 */
#include "series_import.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_MAILS 9999
#define MAX_NAME 24
/* With more to it than this a tree made for one revision is of little use to the other. */
#define MAX_DIFFERENCE 20000000

struct mail {
	char *subject;			 /* as written, "[PATCH v2 3/7] mm: ..." */
	char *title;			 /* without what is in brackets */
	unsigned version, number, total; /* of "v2 3/7"; 1, 0, 0 if not told */
	char *text;			 /* the mail as a patch file */
};

static void mail_clear(struct mail *m)
{
	free(m->subject);
	free(m->title);
	free(m->text);
}

/* Letters and digits of @text, all else as one '-'. Caller frees. */
static char *as_name(const char *text, size_t max)
{
	struct buf b = {};

	for (; *text && b.len < max; text++) {
		if (isalnum((unsigned char)*text) || (b.len && strchr("._+", *text)))
			buf_add(&b, text, 1);
		else if (b.len && b.data[b.len - 1] != '-')
			buf_addstr(&b, "-");
	}
	while (b.len && strchr("-._+", b.data[b.len - 1]))
		b.data[--b.len] = '\0';
	return b.len ? b.data : (buf_free(&b), xstrdup("series"));
}

/* "[RFC PATCH v2 3/7] title": what the brackets say. */
static void read_subject(struct mail *m)
{
	const char *p = m->subject;

	m->version = 1;
	while (*p == '[') {
		const char *end = strchr(p, ']');

		if (!end)
			break;
		for (const char *word = p + 1; word < end; word += strcspn(word, " ,]") + 1) {
			unsigned a, b;

			if (sscanf(word, "%u/%u", &a, &b) == 2) {
				m->number = a;
				m->total = b;
			} else if (tolower((unsigned char)*word) == 'v' &&
				   sscanf(word + 1, "%u", &a) == 1) {
				m->version = a;
			} else if (!strncasecmp(word, "PATCHv", 6) &&
				   sscanf(word + 6, "%u", &a) == 1) {
				m->version = a;
			}
		}
		p = end + 1;
		p += strspn(p, " \t");
	}
	m->title = xstrdup(p);
}

static bool is_reply(const char *subject)
{
	static const char *const marks[] = {"re:", "aw:", "fwd:", "fw:"};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (!strncasecmp(subject, marks[i], strlen(marks[i])))
			return true;
	return false;
}

/* The value of line "@key: value" of what mailinfo told. Caller frees; NULL: none. */
static char *info_value(const char *info, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = info; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : p)
		if (!strncmp(p, key, n) && !strncmp(p + n, ": ", 2))
			return xstrndup(p + n + 2, strcspn(p + n + 2, "\n"));
	return NULL;
}

static int no_git(struct error *err)
{
	return error_set(err, KAB_ENVIRONMENT, "git does not run; 'make deps' installs it");
}

/* One mail, at @path, by mailinfo. 0; 1: no patch in it; -1. */
static int read_mail(const char *path, const char *dir, struct mail *m, struct error *err)
{
	__free_char char *message = xasprintf("%s/message", dir), *diff = xasprintf("%s/diff", dir);
	const char *const argv[] = {"sh", "-c",
		"exec git mailinfo -k -u \"$1\" \"$2\" <\"$3\" 2>/dev/null", "sh", message, diff,
		path, NULL};
	__free_char char *words = NULL, *patch = NULL, *author = NULL, *email = NULL, *date = NULL;
	struct buf info = {};
	int status = run_capture(argv, NULL, &info, err);

	*m = (struct mail){};
	if (status < 0 || status >> 8 == 127) {
		buf_free(&info);
		return status < 0 ? -1 : no_git(err);
	}
	words = file_read(message, NULL, NULL);
	patch = file_read(diff, NULL, NULL);
	m->subject = info.data ? info_value(info.data, "Subject") : NULL;
	author = info.data ? info_value(info.data, "Author") : NULL;
	email = info.data ? info_value(info.data, "Email") : NULL;
	date = info.data ? info_value(info.data, "Date") : NULL;
	buf_free(&info);
	if (!m->subject)
		m->subject = xstrdup("without a subject");
	read_subject(m);
	if (status || !patch || !strstr(patch, "\n+++ ") || is_reply(m->subject))
		return 1;
	m->text = xasprintf("From: %s <%s>\nDate: %s\nSubject: %s\n\n%s%s%s", author ? author : "",
		email ? email : "", date ? date : "", m->subject, words ? words : "",
		strncmp(patch, "---\n", 4) ? "---\n" : "", patch);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct mail *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* Leaves out versions before the last, sorts by number, and finds what is missing or there twice.
 */
static int order_mails(struct mail *v, size_t *n, struct buf *notes, struct error *err)
{
	unsigned last = 0, total = 0;
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++)
		last = v[i].version > last ? v[i].version : last;
	for (size_t i = 0; i < *n; i++) {
		if (v[i].version == last) {
			total = v[i].total > total ? v[i].total : total;
			v[kept++] = v[i];
			continue;
		}
		buf_addf(notes, "left out, there is a version %u: %s\n", last, v[i].subject);
		mail_clear(&v[i]);
	}
	*n = kept;
	if (!total)
		return 0;
	qsort(v, *n, sizeof(*v), by_number);
	for (size_t i = 0; i < *n; i++) {
		if (i && v[i].number == v[i - 1].number)
			return error_set(err, KAB_USAGE, "two patches have one number: %s, and %s",
				v[i - 1].subject, v[i].subject);
		if (v[i].number != i + 1)
			return error_set(err, KAB_USAGE, "patch %zu/%u is missing; there is: %s",
				i + 1, total, v[i].subject);
	}
	return *n == total
		       ? 0
		       : error_set(err, KAB_USAGE, "%zu of %u patches are there; %zu/%u is missing",
				 *n, total, *n + 1, total);
}

static int write_mails(const struct mail *v, size_t n, const char *folder, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		__free_char char *name = as_name(v[i].title, 52);
		__free_char char *path = xasprintf("%s/%04zu-%s.patch", folder, i + 1, name);

		if (file_write_atomic(path, v[i].text, strlen(v[i].text), err))
			return -1;
	}
	return 0;
}

/* The mails that mailsplit left in @dir, as patches in @folder. */
static int import_mails(
	const char *dir, const char *what, const char *folder, struct buf *notes, struct error *err)
{
	struct strings names = folder_names(dir, "");
	struct mail *v = xcalloc(names.n + 1, sizeof(*v));
	size_t n = 0;
	int ret = 0;

	for (size_t i = 0; !ret && i < names.n; i++) {
		__free_char char *path = xasprintf("%s/%s", dir, names.v[i]);
		int kind;

		if (!isdigit((unsigned char)names.v[i][0]))
			continue;
		kind = read_mail(path, dir, &v[n], err);
		if (kind > 0)
			buf_addf(notes, "left out, %s: %s\n",
				is_reply(v[n].subject) ? "a reply" : "no patch in it",
				v[n].subject);
		if (kind)
			mail_clear(&v[n]);
		else
			n++;
		ret = kind < 0 ? -1 : 0;
	}
	if (!ret && !n)
		ret = error_set(err, KAB_USAGE, "%s: no patch in it", what);
	if (!ret && (order_mails(v, &n, notes, err) || write_mails(v, n, folder, err)))
		ret = error_prefix(err, "%s", what);
	for (size_t i = 0; i < n; i++)
		mail_clear(&v[i]);
	free(v);
	strings_clear(&names);
	return ret;
}

/* ---- what mail clients and archives leave ---- */

static bool is_empty_line(const char *p)
{
	return *p == '\n' || !strncmp(p, "\r\n", 2);
}

static const char *next_line(const char *p)
{
	p += strcspn(p, "\n");
	return p + (*p == '\n');
}

/*
 * Lines "Name: value" up to an empty one, and among them what each mail has, but not the few such
 * lines that a patch may have at its head.
 */
static bool is_mail_head(const char *p)
{
	bool id = false, subject = false;

	for (const char *line = p; *line && !is_empty_line(line); line = next_line(line)) {
		size_t name = strcspn(line, ": \t\r\n");

		if (line > p && (*line == ' ' || *line == '\t'))
			continue;
		if (!name || line[name] != ':')
			return false;
		id |= !strncasecmp(line, "Message-ID:", 11);
		subject |= !strncasecmp(line, "Subject:", 8);
	}
	return id && subject;
}

/* Mails one behind the other, as an mbox. */
static void add_separators(const char *text, struct buf *out)
{
	bool start = true;

	for (const char *p = text, *next; *p; p = next) {
		next = next_line(p);
		if (start && is_mail_head(p))
			buf_addstr(out, "From mail Mon Sep 17 00:00:00 2001\n");
		buf_add(out, p, next - p);
		start = is_empty_line(p);
	}
}

/* The mails at @path, unpacked if an archive sent them packed, as an mbox at @mbox. */
static int make_mbox(const char *path, const char *mbox, struct error *err)
{
	const char *const unpack[] = {"gzip", "-dc", "--", path, NULL};
	size_t len = 0;
	__free_char char *text = file_read(path, &len, err);
	struct buf unpacked = {}, out = {};
	int ret = 0;

	if (!text)
		return -1;
	if (len > 2 && !memcmp(text, "\x1f\x8b", 2))
		ret = run_capture(unpack, NULL, &unpacked, err);
	else
		buf_add(&unpacked, text, len);
	if (ret > 0)
		ret = error_set(err, KAB_USAGE, "%s: gzip cannot unpack it", path);
	if (!ret && unpacked.len && strncmp(unpacked.data, "From ", 5))
		add_separators(unpacked.data, &out);
	else if (!ret && unpacked.len)
		buf_add(&out, unpacked.data, unpacked.len);
	if (!ret)
		ret = file_write_atomic(mbox, out.len ? out.data : "", out.len, err);
	buf_free(&unpacked);
	buf_free(&out);
	return ret;
}

static int import_mbox(const char *path, const char *folder, struct buf *notes, struct error *err)
{
	__free_char char *dir = xasprintf("%s/mails", folder), *mbox = xasprintf("%s/mbox", folder);
	__free_char char *to = xasprintf("-o%s", dir);
	const char *const argv[] = {"git", "mailsplit", "-b", to, "--", mbox, NULL};
	struct buf out = {};
	int ret;

	if (dir_make(dir, err) || make_mbox(path, mbox, err))
		return -1;
	ret = run_capture(argv, NULL, &out, err);
	buf_free(&out);
	if (ret > 0)
		ret = ret >> 8 == 127 ? no_git(err)
				      : error_set(err, KAB_USAGE,
						"%s: neither a mail nor a folder of them", path);
	if (!ret)
		ret = import_mails(dir, path, folder, notes, err);
	dir_remove(dir, NULL);
	unlink(mbox);
	return ret;
}

static int import_git(const char *tree, const char *range, const char *folder, struct error *err)
{
	__free_char char *log = xasprintf("%s/git.log", folder);
	const char *const argv[] = {"git", "-C", tree, "format-patch", "--quiet", "--no-signature",
		"--no-numbered", "--no-cover-letter", "--full-index", "-o", folder, range, "--",
		NULL};
	int status = run_command(argv, NULL, log, err);
	__free_char char *text = file_read(log, NULL, NULL);

	unlink(log);
	if (!status)
		return 0;
	if (status < 0)
		return -1;
	if (text)
		text[strcspn(text, "\n")] = '\0';
	return error_set(err, KAB_USAGE, "git:%s:%s: %s", tree, range,
		text && *text ? text : "git refused it");
}

/* ---- where it goes ---- */

static int list_patches(struct series_import *s, const char *what, struct error *err)
{
	struct series_ref ref = {.name = s->folder};
	struct arm a = {
		.label = (char *)"try", .cmdline = (char *)"", .series = &ref, .nseries = 1};
	struct recipe r = {};
	int ret = recipe_read(&a, &r, err);

	for (size_t i = 0; !ret && i < r.npatches; i++)
		strings_addf(&s->patches, "%s", r.patches[i].name);
	recipe_clear(&r);
	return ret ? error_prefix(err, "%s", what) : 0;
}

static int import_folder(const char *what, struct series_import *s, struct error *err)
{
	s->folder = realpath(what, NULL);
	if (!s->folder)
		return error_set(err, KAB_USAGE, "%s: %s", what, strerror(errno));
	s->name = as_name(strrchr(s->folder, '/') + 1, MAX_NAME);
	return 0;
}

/* Names the folder after its content, so that the same mails are the same arm, and a run of them
 * goes on. */
static int settle_folder(struct series_import *s, const char *tmp, struct error *err)
{
	struct strings names = folder_names(tmp, ".patch");
	struct buf all = {};
	char sum[65];

	for (size_t i = 0; i < names.n; i++) {
		__free_char char *path = xasprintf("%s/%s", tmp, names.v[i]);
		__free_char char *text = file_read(path, NULL, NULL);

		buf_addf(&all, "%s\n%s\n", names.v[i], text ? text : "");
	}
	sha256_hex(all.data, all.len, sum);
	buf_free(&all);
	strings_clear(&names);
	s->folder = xasprintf("%s/tries/%s-%.12s", kab_cache(), s->name, sum);
	if (!access(s->folder, F_OK) || !rename(tmp, s->folder) || errno == EEXIST ||
		errno == ENOTEMPTY)
		return 0;
	return error_set(err, KAB_ENVIRONMENT, "%s: %s", s->folder, strerror(errno));
}

/* A folder beside those of other series, to be moved into place; caller frees. NULL: an error. */
static char *new_folder(struct error *err)
{
	__free_char char *root = xasprintf("%s/tries", kab_cache());
	char *tmp = xasprintf("%s/.new.XXXXXX", root);

	if (dir_make(root, err)) {
		free(tmp);
		return NULL;
	}
	if (mkdtemp(tmp))
		return tmp;
	error_set(err, KAB_ENVIRONMENT, "%s: %s", tmp, strerror(errno));
	free(tmp);
	return NULL;
}

static int import_elsewhere(const char *what, struct series_import *s, struct error *err)
{
	__free_char char *tmp = new_folder(err);
	int ret;

	if (!tmp)
		return -1;
	if (!strncmp(what, "git:", 4)) {
		const char *range = strrchr(what, ':') + 1;
		__free_char char *tree = NULL;

		if (range == what + 4) {
			ret = error_set(err, KAB_USAGE, "'%s': expected git:TREE:RANGE", what);
		} else {
			tree = xstrndup(what + 4, range - 1 - (what + 4));
			s->name = as_name(range, MAX_NAME);
			ret = import_git(tree, range, tmp, err);
		}
	} else {
		const char *slash = strrchr(what, '/'), *file = slash ? slash + 1 : what;
		__free_char char *stem = xstrndup(file, strcspn(file, "."));

		s->name = as_name(stem, MAX_NAME);
		ret = import_mbox(what, tmp, &s->notes, err);
	}
	if (!ret)
		ret = settle_folder(s, tmp, err);
	dir_remove(tmp, NULL);
	return ret;
}

int series_import(const char *what, struct series_import *s, struct error *err)
{
	struct stat st;
	int ret;

	*s = (struct series_import){};
	if (!strncmp(what, "git:", 4))
		ret = import_elsewhere(what, s, err);
	else if (stat(what, &st))
		ret = error_set(err, KAB_USAGE,
			"%s: %s; expected a folder of patches, a file of mails or git:TREE:RANGE",
			what, strerror(errno));
	else
		ret = S_ISDIR(st.st_mode) ? import_folder(what, s, err)
					  : import_elsewhere(what, s, err);
	if (!ret)
		ret = list_patches(s, what, err);
	if (ret)
		series_import_clear(s);
	return ret;
}

/* Lines of @diff between files tell of what patch(1) cannot make: those of hunks begin otherwise.
 */
static bool is_for_patch(const char *diff)
{
	static const char *const no[] = {"Binary files ", "GIT binary patch"};
	static const char *const modes[] = {
		"new file mode ", "deleted file mode ", "old mode ", "new mode ", "index "};

	for (const char *p = diff; *p; p = next_line(p)) {
		__free_char char *line = xstrndup(p, strcspn(p, "\n"));

		for (size_t i = 0; i < ARRAY_SIZE(no); i++)
			if (!strncmp(line, no[i], strlen(no[i])))
				return false;
		/* A symbolic link, or a tree of another's. */
		for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
			if (!strncmp(line, modes[i], strlen(modes[i])) &&
				(strstr(line, " 120000") || strstr(line, " 160000")))
				return false;
	}
	return true;
}

int series_between(const char *tree, const char *from, const char *to, struct series_import *s,
	struct error *err)
{
	const char *const argv[] = {"git", "-C", tree, "diff", "--no-color", "--no-ext-diff",
		"--no-textconv", "--no-renames", "--full-index", "--src-prefix=a/",
		"--dst-prefix=b/", from, to, "--", NULL};
	__free_char char *tmp = NULL, *path = NULL;
	struct buf diff = {};
	int ret = run_capture(argv, NULL, &diff, err);

	*s = (struct series_import){};
	if (ret > 0)
		ret = error_set(
			err, KAB_USAGE, "%s: git finds no difference of %s and %s", tree, from, to);
	else if (!ret && (!diff.len || diff.len > MAX_DIFFERENCE || !is_for_patch(diff.data)))
		ret = 1;
	tmp = ret ? NULL : new_folder(err);
	if (!ret && !tmp)
		ret = -1;
	if (!ret) {
		s->name = xasprintf("%.12s", to);
		path = xasprintf("%s/0001-difference.patch", tmp);
		ret = file_write_atomic(path, diff.data, diff.len, err);
	}
	if (!ret)
		ret = settle_folder(s, tmp, err);
	if (!ret)
		ret = list_patches(s, tree, err);
	if (tmp)
		dir_remove(tmp, NULL);
	if (ret)
		series_import_clear(s);
	buf_free(&diff);
	return ret;
}

void series_import_clear(struct series_import *s)
{
	free(s->name);
	free(s->folder);
	strings_clear(&s->patches);
	buf_free(&s->notes);
	*s = (struct series_import){};
}
