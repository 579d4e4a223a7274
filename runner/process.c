// SPDX-License-Identifier: GPL-2.0-or-later
/* Child processes of the host side: compilers, gnuplot, patch. */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What @child does between fork and exec; never returns. */
static void child_exec(const char *const argv[], const char *cwd, int out, int both, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY);

	/* TERM, not KILL: a make passes it on to the makes and compilers below it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	setpgid(0, 0);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, STDIN_FILENO);
	if (out >= 0) {
		dup2(out, STDOUT_FILENO);
		if (both)
			dup2(out, STDERR_FILENO);
	}
	if (cwd && chdir(cwd)) {
		dprintf(STDERR_FILENO, "%s: %s\n", cwd, strerror(errno));
		_exit(127);
	}
	execvp(argv[0], (char *const *)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static pid_t spawn(const char *const argv[], const char *cwd, int out, int both, struct error *err)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return error_set(err, KAB_ENVIRONMENT, "fork for %s: %s", argv[0], strerror(errno));
	if (!pid)
		child_exec(argv, cwd, out, both, parent);
	/* Both sides set the group, so that whoever comes first, kill(-pid) reaches it. */
	setpgid(pid, pid);
	return pid;
}

/*
 * Waits for @pid; kills its group when the user interrupts. The pidfd is polled with a time limit because a
 * signal that arrives just before a plain waitpid() would go unnoticed until the child ends.
 */
static int wait_for(pid_t pid, struct error *err)
{
	__close_fd int pidfd = syscall(SYS_pidfd_open, pid, 0);
	int status;

	for (;;) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };

		if (kab_interrupted)
			kill(-pid, SIGKILL);
		else if (pidfd >= 0 && poll(&p, 1, 200) <= 0)
			continue;
		if (waitpid(pid, &status, 0) == pid)
			break;
		if (errno != EINTR)
			return error_set(err, KAB_ENVIRONMENT, "waitpid: %s", strerror(errno));
	}
	if (kab_interrupted)
		return error_set(err, KAB_INTERRUPTED, "interrupted");
	return status;
}

int run_command(const char *const argv[], const char *cwd, const char *log, struct error *err)
{
	__close_fd int fd = -1;
	pid_t pid;

	if (log) {
		fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (fd < 0)
			return error_set(err, KAB_ENVIRONMENT, "%s: %s", log, strerror(errno));
	}
	pid = spawn(argv, cwd, fd, 1, err);
	return pid < 0 ? -1 : wait_for(pid, err);
}

int run_capture(const char *const argv[], const char *cwd, struct buf *out, struct error *err)
{
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC))
		return error_set(err, KAB_ENVIRONMENT, "pipe: %s", strerror(errno));
	pid = spawn(argv, cwd, p[1], 0, err);
	close(p[1]);
	if (pid < 0) {
		close(p[0]);
		return -1;
	}
	for (;;) {
		char chunk[16384];
		ssize_t n = read(p[0], chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR && !kab_interrupted)
			continue;
		if (n <= 0)
			break;
		buf_add(out, chunk, n);
	}
	close(p[0]);
	if (kab_interrupted)
		kill(-pid, SIGKILL);
	return wait_for(pid, err);
}
