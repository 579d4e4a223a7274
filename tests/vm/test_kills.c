// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kills at random moments: of kab, of its agent or its QEMU and of a workload's process, in the midst of runs on this
 * machine and in guests that are then continued by the same command. After each: what was in samples.jsonl is still
 * there, byte for byte; at most the sample in flight has no line; no process is left. At the end of each run: every
 * planned sample exactly once, and no more failed ones than machines or workloads were killed.
 *
 * $KAB_KILLS says how many of each kind of run (else 200 in make test-full and 4 in make test), $KAB_KILLS_SEED which.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "run.h"
#include "util.h"

enum victim { KAB_KILLED, KAB_STOPPED, MACHINE, WORKLOAD, VICTIMS };

static const struct {
	const char *name;
	int signal;
	unsigned depth; /* below kab: 0 itself, 1 the agent or QEMU, 2 the agent's child */
} victims[VICTIMS] = {
	[KAB_KILLED] = {"kab, SIGKILL", SIGKILL, 0},
	[KAB_STOPPED] = {"kab, SIGINT", SIGINT, 0},
	[MACHINE] = {"agent or QEMU", SIGKILL, 1},
	[WORKLOAD] = {"workload", SIGKILL, 2},
};

/* What came of the kills of one kind. */
struct count {
	unsigned kills, missed; /* missed: the victim was not there, or had just gone */
	unsigned lines;		/* samples that were on disk at those moments */
	unsigned lost;		/* samples that had begun and have no line: known with a marker */
};

struct campaign {
	const char *name, *matrix;
	const char *marker; /* a file that each execution of a workload adds a line to; or NULL */
	unsigned planned;   /* samples of the matrix */
	unsigned most_ms;   /* between two kills */
	unsigned depth;	    /* of the deepest victim */
	char *results;
	struct count counts[VICTIMS];
	unsigned left, runs, sessions, failed;
};

/* One run folder through all its sessions. */
struct trial {
	char *path, *kept; /* its folder; what its samples.jsonl is known to have held */
	unsigned executed; /* lines of the marker before it began */
	int lost;	   /* lines of the marker so far less those of samples.jsonl */
	unsigned kab_kills, other_kills;
};

static uint64_t state_of_dice;

static unsigned roll(unsigned n)
{
	state_of_dice ^= state_of_dice << 13;
	state_of_dice ^= state_of_dice >> 7;
	state_of_dice ^= state_of_dice << 17;
	return (state_of_dice >> 11) % n;
}

static unsigned number_from(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 10) : otherwise;
}

static unsigned count_lines(const char *text)
{
	unsigned n = 0;

	for (; text && (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

static unsigned lines_of(const char *path)
{
	__free_char char *text = path ? file_read(path, NULL, NULL) : NULL;

	return count_lines(text);
}

/*
 * The run in @dir, or NULL. A kab that was killed before run.json was there leaves an empty folder,
 * which the next one passes over.
 */
static char *find_run(const char *dir)
{
	DIR *d = opendir(dir);
	char *found = NULL;

	for (struct dirent *e; d && (e = readdir(d));) {
		__free_char char *file = xasprintf("%s/%s/run.json", dir, e->d_name);

		if (e->d_name[0] == '.' || access(file, F_OK))
			continue;
		assert_null(found); /* continued, not begun anew */
		found = xasprintf("%s/%s", dir, e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

static unsigned count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

/* Processes whose command line holds @word. */
static unsigned processes_with(const char *word)
{
	DIR *proc = opendir("/proc");
	unsigned found = 0;

	for (struct dirent *e; (e = readdir(proc));) {
		__free_char char *path = xasprintf("/proc/%s/cmdline", e->d_name);
		__free_char char *text = NULL;
		size_t len = 0;

		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		text = file_read(path, &len, NULL);
		found += text && len && memmem(text, len, word, strlen(word));
	}
	closedir(proc);
	return found;
}

/* Waits until nothing of this campaign runs any more. */
static void assert_nothing_left(const struct campaign *c)
{
	for (int tries = 0; processes_with(c->results); tries++) {
		if (tries == 200)
			fail_msg("%s: a process is left 10 s after kab was killed", c->name);
		usleep(50000);
	}
}

static pid_t first_child(pid_t pid)
{
	__free_char char *path = xasprintf("/proc/%d/task/%d/children", (int)pid, (int)pid);
	__free_char char *text = file_read(path, NULL, NULL);

	return text ? atoi(text) : 0;
}

/* The agent or QEMU: its command line names the folder of the run, those of helpers do not. */
static pid_t machine_of(const struct campaign *c, pid_t kab)
{
	pid_t pid = first_child(kab);
	__free_char char *path = xasprintf("/proc/%d/cmdline", (int)pid), *text = NULL;
	size_t len = 0;

	text = pid ? file_read(path, &len, NULL) : NULL;
	return text && memmem(text, len, c->results, strlen(c->results)) ? pid : 0;
}

/* ---- one run ----------------------------------------------------------------------------------
 */

/* The whole lines of the run's samples.jsonl; NULL: there is none. Caller frees. */
static char *whole_lines(const struct trial *t)
{
	__free_char char *path = t->path ? xasprintf("%s/samples.jsonl", t->path) : NULL;
	char *text = path ? file_read(path, NULL, NULL) : NULL;
	char *end = text ? strrchr(text, '\n') : NULL;

	if (text)
		text[end ? end + 1 - text : 0] = '\0';
	return text;
}

/* Nothing that was there is lost or changed. */
static void assert_kept(struct campaign *c, struct trial *t)
{
	__free_char char *raw = NULL;
	char *text;

	if (!t->path)
		t->path = find_run(c->results);
	text = whole_lines(t);
	if (!text)
		return;
	if (t->kept && strncmp(text, t->kept, strlen(t->kept)))
		fail_msg("%s: %s/samples.jsonl no longer begins with what it held", c->name,
			t->path);
	/* Captures are written first: one sample at most may have them and no line. */
	raw = xasprintf("%s/raw", t->path);
	assert_true(count_entries(raw) <= count_lines(text) + 1 + t->kab_kills);
	free(t->kept);
	t->kept = text;
}

static void assert_sample(const struct campaign *c, const json_t *s, unsigned *failed)
{
	const char *status = json_string_value(json_object_get(s, "status"));
	const char *reason = json_string_value(json_object_get(s, "reason"));

	assert_non_null(status);
	if (!strcmp(status, "ok"))
		return;
	(*failed)++;
	if (!reason || (!strstr(reason, "killed") && !strstr(reason, "signal 9")))
		fail_msg("%s: a sample is %s for another reason: %s", c->name, status, reason);
}

/* Every planned sample exactly once; bad ones are those that were killed. */
static void assert_complete(struct campaign *c, struct trial *t)
{
	__free_char char *text = whole_lines(t), *run_json = NULL, *path = NULL;
	json_t *seen = json_object();
	char *save = NULL;
	unsigned failed = 0;

	assert_non_null(text);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		json_t *s = json_loads(line, 0, NULL);
		const char *id = json_string_value(json_object_get(s, "id"));

		assert_non_null(id);
		if (json_object_get(seen, id))
			fail_msg("%s: sample %s twice", c->name, id);
		json_object_set_new(seen, id, json_true());
		assert_sample(c, s, &failed);
		json_decref(s);
	}
	assert_int_equal(json_object_size(seen), c->planned);
	if (failed > t->other_kills)
		fail_msg("%s: %u failed samples of %u kills", c->name, failed, t->other_kills);
	json_decref(seen);
	path = xasprintf("%s/run.json", t->path);
	run_json = file_read(path, NULL, NULL);
	assert_non_null(run_json);
	assert_non_null(strstr(run_json, "\"finished\""));
	c->failed += failed;
	c->runs++;
	/* What ran and has no line was in flight when kab was killed; a killed one may not have come to its mark. */
	if (c->marker)
		assert_in_range(lines_of(c->marker) - t->executed, c->planned - failed, c->planned + t->kab_kills);
}

/* ---- sessions ---------------------------------------------------------------------------------
 */

static pid_t start_kab(const struct campaign *c)
{
	const char *kab = getenv("KAB");
	__free_char char *log = xasprintf("%s/.log", c->results);
	pid_t pid = fork();

	if (!pid) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

		dup2(fd, 1);
		dup2(fd, 2);
		setpgid(0, 0);
		execl(kab ? kab : "build/kab", "kab", "run", "-q", "--yes", "--results", c->results,
			c->matrix, (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	return pid;
}

/* Waits at most @ms for the end of @pid. True: it ended, with *@status. */
static bool wait_ms(pid_t pid, unsigned ms, int *status)
{
	for (uint64_t end = now_ns() + ms * 1000000ull;; usleep(2000)) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		if (now_ns() >= end)
			return false;
	}
}

static void note_kill(struct campaign *c, struct trial *t, enum victim v, unsigned lines)
{
	struct count *n = &c->counts[v];

	n->kills++;
	n->lines += lines;
	t->kab_kills += victims[v].depth == 0;
	t->other_kills += victims[v].depth > 0;
	c->left--;
}

/* kab is gone: no more than the sample in flight is. */
static void note_loss(struct campaign *c, struct trial *t, enum victim v)
{
	int lost;

	if (!c->marker)
		return;
	lost = (int)(lines_of(c->marker) - t->executed) - (int)count_lines(t->kept);
	if (lost > t->lost + 1)
		fail_msg("%s: %d samples lost by one kill", c->name, lost - t->lost);
	c->counts[v].lost += lost > t->lost;
	t->lost = lost;
}

/*
 * Kills one of what runs. A boot that is lost three times in one session is given up by design, so
 * machines are killed twice a session at most. Returns
 * who was it; VICTIMS: nobody.
 */
static enum victim strike(struct campaign *c, struct trial *t, pid_t kab, unsigned *machines)
{
	enum victim v = roll(VICTIMS);
	__free_char char *before = NULL;
	pid_t pid = kab;

	if (victims[v].depth > c->depth || (v == MACHINE && *machines == RUN_EXTRA_LIVES))
		v = KAB_KILLED;
	for (unsigned i = 0; i < victims[v].depth && pid; i++)
		pid = i ? first_child(pid) : machine_of(c, pid);
	if (!pid) {
		c->counts[v].missed++;
		return VICTIMS;
	}
	if (!t->path)
		t->path = find_run(c->results);
	before = whole_lines(t);
	if (kill(pid, victims[v].signal)) {
		c->counts[v].missed++;
		return VICTIMS;
	}
	*machines += v == MACHINE;
	note_kill(c, t, v, count_lines(before));
	return v;
}

static size_t log_length(const struct campaign *c)
{
	__free_char char *path = xasprintf("%s/.log", c->results);
	struct stat st;

	return stat(path, &st) ? 0 : (size_t)st.st_size;
}

/* One life of kab. True: it came to the end of the run by itself. */
static bool session(struct campaign *c, struct trial *t)
{
	size_t before = log_length(c);
	pid_t kab = start_kab(c);
	unsigned machines = 0;
	int status;

	c->sessions++;
	while (c->left && !wait_ms(kab, roll(c->most_ms), &status)) {
		enum victim v = strike(c, t, kab, &machines);

		if (v == VICTIMS || victims[v].depth)
			continue;
		if (!wait_ms(kab, 30000, &status))
			fail_msg("%s: kab does not end", c->name);
		assert_nothing_left(c);
		assert_kept(c, t);
		note_loss(c, t, v);
		if (WIFEXITED(status) && WEXITSTATUS(status) <= 1)
			return true; /* it was at its end when Ctrl-C came */
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 130);
		return false;
	}
	if (!c->left && !wait_ms(kab, 300000, &status))
		fail_msg("%s: kab does not end", c->name);
	assert_kept(c, t);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) {
		__free_char char *path = xasprintf("%s/.log", c->results);
		__free_char char *log = file_read(path, NULL, NULL);
		size_t len = log ? strlen(log) : 0;

		/* A kernel whose first boot fails stops the run, to be gone on with when that is mended. */
		if (machines && WIFEXITED(status) && WEXITSTATUS(status) == KAB_ENVIRONMENT && len > before &&
			strstr(log + before, "signal 9"))
			return false;
		fail_msg("%s: kab ended with wait status %#x: %s", c->name, status,
			len > 2000 ? log + len - 2000 : log);
	}
	return true;
}

static void print_table(const struct campaign *c)
{
	unsigned kills = 0;

	for (enum victim v = 0; v < VICTIMS; v++) {
		const struct count *n = &c->counts[v];

		kills += n->kills;
		if (!n->kills)
			continue;
		print_message("# %-6s %-14s %3u kills (%u more hit nothing), %4u lines on disk "
			      "then, all kept",
			c->name, victims[v].name, n->kills, n->missed, n->lines);
		if (c->marker && !victims[v].depth)
			print_message(", %u samples in flight lost", n->lost);
		print_message("\n");
	}
	print_message(
		"# %-6s %u kills, %u sessions, %u runs of %u samples each, %u of them failed\n",
		c->name, kills, c->sessions, c->runs, c->planned, c->failed);
}

static void carry_out(struct campaign *c)
{
	char dir[] = "/tmp/kab-kills-XXXXXX";

	assert_non_null(mkdtemp(dir));
	c->results = dir;
	while (c->left) {
		struct trial t = {.executed = c->marker ? lines_of(c->marker) : 0};

		while (!session(c, &t))
			;
		assert_nothing_left(c);
		assert_complete(c, &t);
		dir_remove(dir, NULL);
		assert_int_equal(mkdir(dir, 0700), 0);
		free(t.path);
		free(t.kept);
	}
	print_table(c);
	dir_remove(dir, NULL);
}

/* ---- the campaign
 * --------------------------------------------------------------------------------
 */

static void throw_dice(void)
{
	unsigned seed = number_from("KAB_KILLS_SEED", 1);

	state_of_dice = (seed + 1) * 0x9e3779b97f4a7c15ull;
	print_message("# seed %u\n", seed);
}

/* Each execution leaves a line in a file before its workload begins. */
static char *write_matrix(const char *dir)
{
	char *path = xasprintf("%s/local.yaml", dir);
	__free_char char *text = xasprintf(
		"baseline: here\narms: {here: {}}\nexecutor: {local: {label: kills}}\n"
		"blocks: 1\nsamples: 10\nwarmup: 0\nobservers: none\nseed: 7\nworkloads:\n"
		"  - {name: one, command: \"echo x >>%s/marker; sleep 0.03; echo 42\","
		" figure: {regex: \"([0-9]+)\", name: marks, unit: 1/s, better: more}}\n"
		"  - {name: two, command: \"echo x >>%s/marker; sleep 0.03; echo 43\","
		" figure: {regex: \"([0-9]+)\", name: marks, unit: 1/s, better: more}}\n",
		dir, dir);

	assert_int_equal(file_write_atomic(path, text, strlen(text), NULL), 0);
	return path;
}

static void test_this_machine(void **state)
{
	char dir[] = "/tmp/kab-marker-XXXXXX";
	__free_char char *matrix = mkdtemp(dir) ? write_matrix(dir) : NULL;
	__free_char char *marker = xasprintf("%s/marker", dir);
	struct campaign c = {
		.name = "local",
		.matrix = matrix,
		.marker = marker,
		.planned = 2 * 10,
		.most_ms = 1500,
		.depth = 2,
		.left = number_from("KAB_KILLS", getenv("KAB_TEST_FULL") ? 200 : 4),
	};

	(void)state;
	assert_non_null(matrix);
	throw_dice();
	carry_out(&c);
	dir_remove(dir, NULL);
}

static void test_guests(void **state)
{
	struct campaign c = {
		.name = "guests",
		.matrix = "tests/vm/kills.yaml",
		.planned = 2 * 2 * 10,
		.most_ms = 4000,
		.depth = 1,
		.left = number_from("KAB_KILLS", getenv("KAB_TEST_FULL") ? 200 : 4),
	};

	(void)state;
	throw_dice();
	carry_out(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_this_machine),
		cmocka_unit_test(test_guests),
	};

	cmocka_set_test_filter(getenv("KAB_TEST_ONLY"));
	return cmocka_run_group_tests_name("kills", tests, NULL, NULL);
}
