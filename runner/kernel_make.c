// SPDX-License-Identifier: GPL-2.0-or-later
/* make in a tree of our own: nothing of the caller's environment may reach the kernel. */
#include "kernel_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES_FILE "kernel-lines"

void build_report(const struct build *b, const char *stage, unsigned long done, unsigned long total)
{
	if (b->progress)
		b->progress(b->progress_arg, stage, done, total);
}

static char *first_line(const char *const argv[])
{
	struct buf out = {};

	if (run_capture(argv, NULL, &out, NULL) || !out.data) {
		buf_free(&out);
		return NULL;
	}
	out.data[strcspn(out.data, "\n")] = '\0';
	return out.data;
}

char *toolchain_version(struct error *err)
{
	static const char *const gcc[] = {"gcc", "--version", NULL}, *const ld[] = {"ld",
									     "--version", NULL};
	__free_char char *compiler = first_line(gcc), *linker = first_line(ld);

	if (compiler && linker)
		return xasprintf("%s; %s", compiler, linker);
	error_set(err, KAB_ENVIRONMENT, "%s does not run; 'make deps' installs it",
		compiler ? "ld" : "gcc");
	return NULL;
}

static unsigned usable_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
}

/*
 * "env -i ... make", with everything fixed that kbuild would put into the image: the same inputs
 * give the same bytes. The key stands in for the host's name, so that /proc/version tells which
 * kernel is running.
 *
 * No ccache: where sources differ in a header that all include it finds nothing and makes 0.8 s of
 * gcc's 0.55 s an object, and where they do not, a kept tree has the objects (kernel_tree.c).
 */
static struct strings make_command(const struct build *b)
{
	static const char *const kept[] = {"PATH", "HOME", "TMPDIR"};
	struct strings argv = {};

	strings_addf(&argv, "env");
	strings_addf(&argv, "-i");
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (getenv(kept[i]))
			strings_addf(&argv, "%s=%s", kept[i], getenv(kept[i]));
	strings_addf(&argv, "LC_ALL=C");
	strings_addf(&argv, "KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970");
	strings_addf(&argv, "KBUILD_BUILD_VERSION=1");
	strings_addf(&argv, "KBUILD_BUILD_USER=kab");
	strings_addf(&argv, "KBUILD_BUILD_HOST=%.12s", b->key);
	strings_addf(&argv, "make");
	strings_addf(&argv, "-j%u", usable_cpus());
	/* Plain nm loads each linker plugin there is: with LLVM's, three times the time an object.
	 */
	strings_addf(&argv, "NM=gcc-nm");
	if (b->recipe->align)
		strings_addf(&argv, "KCFLAGS=-falign-functions=%u", b->recipe->align);
	return argv;
}

/* The line of @log that says most about why make gave up. Caller frees. */
static char *telling_line(const char *log)
{
	static const char *const signs[] = {
		" error: ", "fatal error", "undefined reference", "No space left", "***"};
	__free_char char *text = file_read(log, NULL, NULL);

	for (size_t i = 0; text && i < ARRAY_SIZE(signs); i++) {
		char *hit = strstr(text, signs[i]);

		if (!hit)
			continue;
		while (hit > text && hit[-1] != '\n')
			hit--;
		return xstrndup(hit, strcspn(hit, "\n"));
	}
	return xstrdup("no error in its log");
}

static int run_make(
	const struct build *b, struct strings *argv, const char *what, struct error *err)
{
	int status = run_command((const char *const *)argv->v, b->tree, b->log, err);
	__free_char char *line = NULL;

	strings_clear(argv);
	if (status <= 0)
		return status;
	line = telling_line(b->log);
	return error_set(err, KAB_ENVIRONMENT, "%s failed: %s", what, line);
}

int build_copy(struct build *b, const char *source, struct error *err)
{
	const char *const argv[] = {"cp", "--archive", "--link", source, b->tree, NULL};
	int status = run_command(argv, NULL, b->log, err);

	if (status < 0)
		return -1;
	return status ? error_set(err, KAB_ENVIRONMENT, "copying the sources to %s failed", b->tree)
		      : 0;
}

int build_configure(struct build *b, struct error *err)
{
	__free_char char *wanted = xasprintf("%s/wanted.config", b->dir);
	__free_char char *result = xasprintf("%s/.config", b->tree);
	__free_char char *config = NULL;
	struct strings argv = make_command(b);
	struct buf text = {};
	int ret;

	settings_text(&b->recipe->settings, &text);
	ret = file_write_atomic(wanted, text.data ? text.data : "", text.len, err);
	buf_free(&text);
	if (ret) {
		strings_clear(&argv);
		return -1;
	}
	strings_addf(&argv, "KCONFIG_ALLCONFIG=%s", wanted);
	strings_addf(&argv, "allnoconfig");
	if (run_make(b, &argv, "configuration", err))
		return -1;
	config = file_read(result, NULL, err);
	return config ? settings_check(&b->recipe->settings, config, b->tree, err) : -1;
}

/* ---- progress: the lines that make writes, counted by a thread ---- */

struct watch {
	struct build *b;
	off_t from; /* of the log: what was there before */
	unsigned long expected;
	atomic_bool stop;
};

static unsigned long count_lines(const char *log, off_t *at)
{
	__close_fd int fd = open(log, O_RDONLY | O_CLOEXEC);
	unsigned long lines = 0;
	char chunk[16384];
	ssize_t n;

	while (fd >= 0 && (n = pread(fd, chunk, sizeof(chunk), *at)) > 0) {
		*at += n;
		for (ssize_t i = 0; i < n; i++)
			lines += chunk[i] == '\n';
	}
	return lines;
}

static void *watch_log(void *arg)
{
	struct watch *w = arg;

	for (;;) {
		bool last = w->stop;

		w->b->lines += count_lines(w->b->log, &w->from);
		/* The estimate is never quite right: the end is reached when make is done. */
		if (w->expected)
			build_report(w->b, "build",
				w->b->lines < w->expected ? w->b->lines : w->expected - 1,
				w->expected);
		else
			build_report(w->b, "build", w->b->lines, 0);
		if (last)
			return NULL;
		usleep(200000);
	}
}

/* Lines of the last build that ended well; 1650 is what the base configuration takes. */
static unsigned long expected_lines(void)
{
	__free_char char *path = xasprintf("%s/" LINES_FILE, kab_cache());
	__free_char char *text = file_read(path, NULL, NULL);
	unsigned long n = text ? strtoul(text, NULL, 10) : 0;

	return n ? n : 1650;
}

static void remember_lines(unsigned long lines)
{
	__free_char char *path = xasprintf("%s/" LINES_FILE, kab_cache());
	__free_char char *text = xasprintf("%lu\n", lines);

	file_write_atomic(path, text, strlen(text), NULL);
}

static int collect(const struct build *b, const char *from, const char *to, struct error *err)
{
	__free_char char *source = xasprintf("%s/%s", b->tree, from);
	__free_char char *target = xasprintf("%s/%s", b->out, to);

	/* No link: the next kernel of this tree is written over it, by boot/tools/build in place.
	 */
	return build_copy_file(source, target, err);
}

int build_kernel(struct build *b, struct error *err)
{
	static const char *const kept[][2] = {{"arch/x86/boot/bzImage", "bzImage"},
		{"vmlinux", "vmlinux"}, {".config", "config"}};
	/* How much of a tree is compiled again cannot be told beforehand. */
	struct watch w = {.b = b, .expected = b->reused ? 0 : expected_lines()};
	struct strings argv = make_command(b);
	struct stat st;
	pthread_t thread;
	bool watching;
	int ret;

	if (!stat(b->log, &st))
		w.from = st.st_size;
	b->lines = 0;
	strings_addf(&argv, "bzImage");
	watching = !pthread_create(&thread, NULL, watch_log, &w);
	ret = run_make(b, &argv, "make", err);
	w.stop = true;
	if (watching)
		pthread_join(thread, NULL);
	if (ret)
		return -1;
	if (!b->reused)
		remember_lines(b->lines);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (collect(b, kept[i][0], kept[i][1], err))
			return -1;
	return 0;
}

/*
 * Against the patched tree's own headers, statically linked where a test's Makefile lets that
 * through, so that they run in a guest without a root file system too.
 */
int build_selftests(struct build *b, struct error *err)
{
	struct strings argv = make_command(b);
	struct buf targets = {};

	strings_addf(&argv, "headers");
	if (run_make(b, &argv, "make headers", err))
		return -1;
	for (size_t i = 0; i < b->recipe->selftests.n; i++)
		buf_addf(&targets, "%s%s", i ? " " : "", b->recipe->selftests.v[i]);
	argv = make_command(b);
	strings_addf(&argv, "--directory=tools/testing/selftests");
	strings_addf(&argv, "TARGETS=%s", targets.data);
	strings_addf(&argv, "KSFT_INSTALL_PATH=%s/selftests", b->out);
	strings_addf(&argv, "USERLDFLAGS=-static");
	strings_addf(&argv, "FORCE_TARGETS=1");
	strings_addf(&argv, "install");
	buf_free(&targets);
	return run_make(b, &argv, "building the self-tests", err);
}
