// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs test programs one after another and sums up what they said: "N passed, N failed, N skipped" is the last
 * line. A program speaks TAP (cmocka does when asked); one that prints no TAP counts as one test by its exit
 * status. What a program leaves out is a failure: fewer results than its plan, a signal, a time-out,
 * a status other than 0 with no failed test to show for it.
 *
 * usage: driver [-t SECONDS] [-l LABEL] PROGRAM... [-l LABEL PROGRAM...]
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct tally {
	unsigned passed, failed, skipped, planned;
	unsigned reasons; /* "# SKIP: " lines */
	bool has_plan;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static bool starts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* One line of TAP. cmocka marks a skipped test "not ok N # SKIP name" in some versions: a skip all the same. */
static void read_line(const char *line, struct tally *t)
{
	const char *hash = strstr(line, "# ");
	bool skip = hash && starts(hash + 2, "SKIP");

	if (starts(line, "# SKIP: ")) {
		t->reasons++;
		printf("    %s\n", line);
	} else if (starts(line, "1..") && isdigit((unsigned char)line[3])) {
		t->planned += strtoul(line + 3, NULL, 10);
		t->has_plan = true;
	} else if (starts(line, "ok ") || starts(line, "not ok ")) {
		bool ok = line[0] == 'o';

		if (skip)
			t->skipped++;
		else if (ok)
			t->passed++;
		else
			t->failed++;
		if (skip || !ok)
			printf("    %s\n", line);
	}
}

static void read_output(char *text, struct tally *t)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		read_line(line, t);
}

static pid_t start(const char *program, int *out)
{
	int p[2];
	pid_t pid;

	if (pipe(p))
		return -1;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(p[1], 1);
		dup2(p[1], 2);
		close(p[0]);
		close(p[1]);
		execl("/bin/sh", "sh", "-c", program, (char *)NULL);
		_exit(127);
	}
	setpgid(pid, pid);
	close(p[1]);
	*out = p[0];
	return pid;
}

/* Reads until the program closes its output or @limit seconds are over; then its whole group is killed. */
static char *collect(pid_t pid, int fd, double limit, bool *late, size_t *len)
{
	double end = now() + limit;
	size_t size = 0;
	char *text = NULL;

	*len = 0;
	*late = false;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		double left = end - now();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, left * 1000 + 1) == 0) {
			*late = true;
			kill(-pid, SIGKILL);
			break;
		}
		if (size - *len < 65536) {
			size = 2 * size + 131072;
			text = realloc(text, size);
			if (!text)
				abort();
		}
		n = read(fd, text + *len, size - *len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		*len += n;
	}
	close(fd);
	if (text)
		text[*len] = '\0';
	return text;
}

/* What @program leaves out is a failure too; says why. */
static void judge(int status, bool late, double limit, struct tally *t)
{
	unsigned seen = t->passed + t->failed + t->skipped;
	const char *why = NULL;
	char text[64];

	if (late) {
		snprintf(text, sizeof(text), "killed after %.0f s", limit);
		why = text;
	} else if (WIFSIGNALED(status)) {
		snprintf(text, sizeof(text), "killed by signal %d", WTERMSIG(status));
		why = text;
	} else if (t->has_plan && seen < t->planned) {
		snprintf(text, sizeof(text), "%u of %u tests said nothing", t->planned - seen, t->planned);
		why = text;
	} else if (WEXITSTATUS(status) && !t->failed) {
		snprintf(text, sizeof(text), "exit status %d", WEXITSTATUS(status));
		why = text;
	} else if (t->skipped > t->reasons) {
		snprintf(text, sizeof(text), "%u tests skipped without saying why", t->skipped - t->reasons);
		why = text;
	} else if (!seen) {
		t->passed++;
	}
	if (why) {
		t->failed++;
		printf("    not ok: %s\n", why);
	}
}

static void run(const char *label, const char *program, double limit, struct tally *sum)
{
	struct tally t = {};
	double began = now();
	size_t len;
	char *text, *copy;
	bool late;
	int fd, status = 0;
	pid_t pid;

	printf("%s%s%s\n", label, *label ? ": " : "", program);
	fflush(stdout);
	pid = start(program, &fd);
	if (pid < 0) {
		sum->failed++;
		return;
	}
	text = collect(pid, fd, limit, &late, &len);
	waitpid(pid, &status, 0);
	kill(-pid, SIGKILL); /* whatever it left behind */
	copy = strdup(text ? text : "");
	read_output(copy, &t);
	judge(status, late, limit, &t);
	if (t.failed && text)
		printf("---- output of %s\n%s%s----\n", program, text, len && text[len - 1] != '\n' ? "\n" : "");
	printf("    %u passed, %u failed, %u skipped in %.1f s\n", t.passed, t.failed, t.skipped,
		now() - began);
	fflush(stdout);
	sum->passed += t.passed;
	sum->failed += t.failed;
	sum->skipped += t.skipped;
	free(text);
	free(copy);
}

int main(int argc, char **argv)
{
	struct tally sum = {};
	const char *label = "";
	double limit = 300;

	setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-t") && i + 1 < argc)
			limit = atof(argv[++i]);
		else if (!strcmp(argv[i], "-l") && i + 1 < argc)
			label = argv[++i];
		else
			run(label, argv[i], limit, &sum);
	}
	printf("%u passed, %u failed, %u skipped\n", sum.passed, sum.failed, sum.skipped);
	return sum.failed || !sum.passed;
}
