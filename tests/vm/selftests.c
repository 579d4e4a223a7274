// SPDX-License-Identifier: GPL-2.0-or-later
#include "selftests.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guests.h"
#include "kernel.h"
#include "util.h"

/*
 * Counts the TAP lines of one self-test program. One that has come to its end, @whole, has told one
 * plan and as many results as that says. Others have children that print what was in their parent's
 * buffer, or begin anew.
 */
static void count_tap(const char *name, const char *text, bool whole, struct results *r)
{
	__free_char char *copy = xstrdup(text);
	unsigned plans = 0, planned = 0, told = 0;
	char *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		bool ok = !strncmp(line, "ok ", 3);

		plans += sscanf(line, "1..%u", &planned) == 1;
		if (!ok && strncmp(line, "not ok ", 7))
			continue;
		told++;
		if (strstr(line, "# SKIP"))
			r->skipped++;
		else if (ok)
			r->passed++;
		else
			r->failed++;
		if (!ok || strstr(line, "# SKIP"))
			print_message("# %s: %s\n", name, line);
	}
	if (whole && (plans != 1 || told != planned)) {
		print_message("# %s: %u results, %u plans, the last one of %u\n", name, told, plans,
			planned);
		r->failed++;
	}
}

/* All of the tests, and fewer turns of each than they take by themselves, as they do with KAB_TEST_FULL. */
static const char *const fewer_turns[] = { "VM_LOCAL_CPU_REMAPS=300000", "RSEQ_VCPU_SECONDS=4",
	"PER_VMA_LOCK_SECONDS=1", "LAZY_MM_PROCESSES=50", "TASK_PAIR_SECONDS=5", NULL };

#define MAX_SETTINGS 8
#define TIMEOUT_S 1500
#define FULL_TIMEOUT_S 7200 /* whole turns on a kernel that checks itself; a guest that hangs is noticed by its silence */
#define LINES_TOLD 20

/* The last lines of @text, each as a comment. */
static void tell_end(const char *text)
{
	const char *from = text + strlen(text);

	for (unsigned lines = 0; from > text && (from[-1] != '\n' || ++lines <= LINES_TOLD); from--)
		;
	while (*from) {
		size_t n = strcspn(from, "\n");

		print_message("#   %.*s\n", (int)n, from);
		from += n + (from[n] == '\n');
	}
}

/* -1: it could not be run. 0; 1: and its guest is gone. */
static int run_selftest(struct guests *g, const char *path, const struct selection *selected, struct results *r)
{
	const char *const *settings = selected->settings;
	const char *argv[MAX_SETTINGS + 3] = { "/usr/bin/env" };
	const char *name = strrchr(path, '/') + 1;
	struct job job = { .id = name, .argv = argv, .host_root = true,
		.timeout_s = selected->timeout_s ? selected->timeout_s : getenv("KAB_TEST_FULL") ? FULL_TIMEOUT_S : TIMEOUT_S };
	size_t n = 1;
	struct job_result res = {};
	unsigned failed = r->failed;
	uint64_t began = now_ns();
	bool gone;

	if (!settings && !getenv("KAB_TEST_FULL"))
		settings = fewer_turns;
	while (settings && settings[n - 1] && n <= MAX_SETTINGS) {
		argv[n] = settings[n - 1];
		n++;
	}
	argv[n] = path;
	if (guests_run(g, &job, &res))
		return -1;
	if (res.out && *res.out)
		count_tap(name, res.out, res.status == SAMPLE_OK, r);
	if (res.status != SAMPLE_OK) {
		print_message("# %s: %s: %s\n", name, sample_status_name(res.status),
			res.reason ? res.reason : "");
		r->oops |= res.status == SAMPLE_OOPS;
		r->not_started +=
			res.status == SAMPLE_FAILED && !res.machine_lost && !(res.out && *res.out);
		r->failed++;
	} else if (res.exit_status == 4) { /* kselftest's KSFT_SKIP */
		r->skipped++;
	} else if (res.exit_status) {
		print_message("# %s: exit status %d\n", name, res.exit_status);
		r->failed += r->failed == failed;
	}
	if (r->failed != failed) {
		tell_end(res.out ? res.out : "");
		tell_end(res.err_out ? res.err_out : "");
	}
	print_message("# %s: %.1f s\n", name, (now_ns() - began) / 1e9);
	gone = res.machine_lost;
	job_result_clear(&res);
	return gone;
}

/*
 * Runs what kselftest's own list in @folder names, "target:program" a line, and what of it is @selected, until the
 * guest is gone. -1: it could not be done.
 */
static int run_selftests(struct guests *g, const char *folder, const struct selection *selected, struct results *r)
{
	__free_char char *path = xasprintf("%s/kselftest-list.txt", folder);
	__free_char char *list = file_read(path, NULL, NULL);
	char *save = NULL;
	int ret = list ? 0 : -1;

	if (!list)
		print_error("%s cannot be read\n", path);
	for (char *line = list ? strtok_r(list, "\n", &save) : NULL; line && !ret;
		line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line, ':');
		__free_char char *program = NULL;

		if (selected->first_failure && r->failed)
			break;
		if (selected->program && strcmp(line, selected->program))
			continue;
		if (!colon) {
			print_error("%s: \"%s\" has no colon\n", path, line);
			return -1;
		}
		program = xasprintf("%s/%.*s/%s", folder, (int)(colon - line), line, colon + 1);
		ret = run_selftest(g, program, selected, r);
	}
	return ret < 0 ? -1 : 0;
}

int selftests_run(const struct arm *arm, const struct machine *machine, const struct selection *selected,
	struct results *r)
{
	char dir[] = "/tmp/kab-test-XXXXXX";
	struct guests g = { .req = { .arm = arm, .machine = machine, .need_root = true } };
	struct kernel k = {};
	const struct selection all = {};
	const char *folder;
	struct error err;
	int ret = -1;

	*r = (struct results){};
	selected = selected ? selected : &all;
	if (kernel_build(arm, &k, NULL, NULL, &err)) {
		print_error("%s: %s\n", arm->label, err.text);
		return -1;
	}
	folder = selected->folder ? selected->folder : k.selftests;
	if (!folder) {
		print_error("%s: it has no self-tests\n", arm->label);
	} else if (mkdtemp(dir)) {
		g.req.kernel = k.image;
		g.req.kernel_dir = k.dir;
		g.req.dir = dir;
		g.req.debug_kernel = k.debug;
		ret = guests_boot(&g) || run_selftests(&g, folder, selected, r) ? -1 : 0;
		guests_shutdown(&g);
		dir_remove(dir, NULL);
		print_message("# %s: %u passed, %u failed, %u skipped\n", arm->label, r->passed, r->failed,
			r->skipped);
	}
	kernel_clear(&k);
	return ret;
}

void selftests_write(const char *folder, const char *name, const char *text, mode_t mode)
{
	__free_char char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(file_write_atomic(path, text, strlen(text), NULL), 0);
	assert_int_equal(chmod(path, mode), 0);
}
