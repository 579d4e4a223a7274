// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The local executor: jobs on the kernel that runs now. The agent is a child process that takes in
 * every orphan a job leaves, so that a job ends as cleanly here as it does in a guest.
 */
#include "executor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "console.h"
#include "link.h"
#include "sysinfo.h"

#define SLOWDOWN 1
#define STOP_MS 5000 /* for the agent to end a job */

struct executor {
	struct agent_link link;
	json_t *env;
	pid_t pid; /* of the agent; 0: reaped */
};

/* Ends the job that runs, and the agent after it. */
static void on_term(int sig)
{
	(void)sig;
	kab_interrupted = 1;
}

/* The agent's process; never returns. */
static void agent_child(int fd, const char *workload, pid_t parent)
{
	const char *tmp = getenv("TMPDIR");
	struct jobrun_place place = {
		.workload = workload,
		.root_workload = workload,
		.tmp = tmp && *tmp ? tmp : "/tmp",
	};
	struct sigaction term = {.sa_handler = on_term};
	json_t *env;

	/* Not SIGKILL: what a job has started must be ended first. */
	sigaction(SIGTERM, &term, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (getppid() != parent)
		_exit(1);
	/* Ctrl-C is for kab, which then ends us; and what kab has open is none of a job's business.
	 */
	signal(SIGINT, SIG_IGN);
	setpgid(0, 0);
	dup2(fd, 3);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	syscall(SYS_close_range, 4, ~0u, 0);
	env = sysinfo_read();
	_exit(agent_serve(3, &place, env, NULL) ? 1 : 0);
}

static int start(struct executor *ex, struct error *err)
{
	__free_char char *workload = kab_program("kab-workload");
	pid_t parent = getpid();
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		return error_set(err, KAB_ENVIRONMENT, "socketpair: %s", strerror(errno));
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	ex->link.in.fd = fd[0];
	ex->pid = fork();
	if (!ex->pid)
		agent_child(fd[1], workload, parent);
	close(fd[1]);
	if (ex->pid > 0)
		return 0;
	ex->pid = 0;
	return error_set(err, KAB_ENVIRONMENT, "fork: %s", strerror(errno));
}

/* Ends the agent, which first ends the processes of its job. Returns its wait status. */
static int stop(struct executor *ex)
{
	struct pollfd p = {.fd = -1, .events = POLLIN};
	int status = 0;

	if (!ex->pid)
		return 0;
	kill(ex->pid, SIGTERM);
	p.fd = syscall(SYS_pidfd_open, ex->pid, 0);
	poll(&p, 1, STOP_MS);
	kill(ex->pid, SIGKILL);
	while (waitpid(ex->pid, &status, 0) < 0 && errno == EINTR)
		;
	close_fdp(&p.fd);
	ex->pid = 0;
	return status;
}

static void shutdown_local(struct executor *ex)
{
	if (!ex)
		return;
	stop(ex);
	if (ex->link.in.fd >= 0)
		close(ex->link.in.fd);
	proto_reader_clear(&ex->link.in);
	json_decref(ex->env);
	free(ex);
}

static struct executor *boot(const struct boot_request *req, struct error *err)
{
	struct executor *ex = xcalloc(1, sizeof(*ex));

	ex->link.in.fd = -1;
	ex->link.limits = link_limits(SLOWDOWN);
	ex->link.limits.slowdown = SLOWDOWN;
	if (start(ex, err) || link_ready(&ex->link, &ex->env, err) != LINK_OK) {
		shutdown_local(ex);
		return NULL;
	}
	/* How long this machine has been up says nothing of a measurement, and differs each time.
	 */
	json_object_del(ex->env, "uptime_ms");
	json_object_set_new(ex->env, "accelerator", json_string("none"));
	if (req->label)
		json_object_set_new(ex->env, "label", json_string(req->label));
	return ex;
}

/* The agent did not answer: what became of it. */
static void lost(
	struct executor *ex, enum link_end end, const struct error *why, struct job_result *res)
{
	int status = stop(ex);

	res->status = end == LINK_SILENT || end == LINK_OVERDUE ? SAMPLE_HANG : SAMPLE_FAILED;
	res->machine_lost = true;
	if (end == LINK_CLOSED && WIFSIGNALED(status))
		res->reason = xasprintf("the agent was killed by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		res->reason = xstrdup(why->text);
}

/* Did the kernel complain while the job ran? */
static void judge(const char *klog, struct job_result *res)
{
	char *line = NULL;
	const struct console_pattern *p = klog ? console_find(klog, &line) : NULL;

	if (!p)
		return;
	free(res->reason);
	res->status = SAMPLE_OOPS;
	res->reason = xasprintf("%s: %s", p->kind, line);
	free(line);
}

static int run(
	struct executor *ex, const struct job *job, struct job_result *res, struct error *err)
{
	struct error why = {0};
	enum link_end end;
	char *klog;

	*res = (struct job_result){0};
	if (!ex->pid) {
		res->status = SAMPLE_FAILED;
		res->reason = xstrdup("the agent is gone");
		res->machine_lost = true;
		return 0;
	}
	end = link_job(&ex->link, job, res, &klog, &why);
	if (end == LINK_INTERRUPTED)
		return error_set(err, KAB_INTERRUPTED, "%s", why.text);
	if (end == LINK_OK)
		judge(klog, res);
	else
		lost(ex, end, &why, res);
	free(klog);
	return 0;
}

static json_t *env(struct executor *ex)
{
	return ex->env;
}

const struct executor_ops local_executor = {
	.name = "local",
	.boot = boot,
	.run = run,
	.env = env,
	.shutdown = shutdown_local,
};
