// SPDX-License-Identifier: GPL-2.0-or-later
/* One job: captures, process, output, time limit, clean end. */
#include "jobrun.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto.h"

#define BEAT_NS 1000000000ull
#define ARGV_MAX 256
#define DRAIN_MS 1000 /* for output that is still in a pipe when every writer is dead */

/* A job while it runs. */
struct run {
	const struct job *job;
	const struct jobrun_place *place;
	const char *argv[ARGV_MAX]; /* as executed, perf's own words first */
	char *perf_file;	    /* as the job sees it; NULL: no perf */
	bool in_root;
	pid_t pid;
	int pidfd, fd[2]; /* output and error pipes; -1: at its end */
	struct buf out[2];
};

static const char *const stream_name[2] = {"standard output", "standard error"};

/* Sets why the job failed; the first reason stays. */
static void __attribute__((format(printf, 3, 4)))
fail(struct job_result *res, enum sample_status status, const char *fmt, ...)
{
	va_list ap;

	if (res->status != SAMPLE_OK)
		return;
	va_start(ap, fmt);
	res->reason = xvasprintf(fmt, ap);
	va_end(ap);
	res->status = status;
}

/* The captured files that are there, as {path: text}. */
static json_t *capture(const char *const *paths)
{
	json_t *o = json_object();

	for (; paths && *paths; paths++) {
		size_t len;
		__free_char char *text = file_read(*paths, &len, NULL);

		if (text)
			json_object_set_new(o, *paths, proto_text(text, len));
	}
	return o;
}

/* Is there an executable @name in the usual folders below @root ("" for none)? */
static bool have_program(const char *root, const char *name)
{
	static const char *const folders[] = {
		"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		__free_char char *path = xasprintf("%s%s/%s", root, folders[i], name);

		if (!access(path, X_OK))
			return true;
	}
	return false;
}

#define PERF_WORDS 20

/* perf's own words before the job's, in @words; how many. */
static size_t perf_words(const struct job *job, const char *file, const char *words[PERF_WORDS])
{
	const char *const stat[] = {"perf", "stat", "-j", "-o", file, "--"};
	/*
	 * System-wide, since what a patch changes may run in other tasks and in interrupts. No
	 * build ids: to read them off every mapped file would take seconds over 9p.
	 */
	const char *const profile[] = {"perf", "record", "-q", "-a", "-B", "-N", "-F", "997", "-g",
		"-e", job->record, "-o", file, "--"};
	const char *const trace[] = {"perf", "record", "-q", "-a", "-B", "-N", "-c", "1", "-e",
		job->record, "-o", file, "--"};

	if (job->perf_stat) {
		memcpy(words, stat, sizeof(stat));
		return ARRAY_SIZE(stat);
	}
	if (!strcmp(job->record, JOB_PROFILE)) {
		memcpy(words, profile, sizeof(profile));
		return ARRAY_SIZE(profile);
	}
	memcpy(words, trace, sizeof(trace));
	return ARRAY_SIZE(trace);
}

/* Fills in r->argv. */
static int build_argv(struct run *r, struct job_result *res)
{
	const struct jobrun_place *place = r->place;
	const char *root = place->root ? place->root : "";
	/* perf lives in the shared root. Where there is none, the job runs without and has no
	 * figures. */
	bool perf = (r->job->perf_stat || r->job->record) && !place->root_lack &&
		    have_program(root, "perf");
	size_t n = 0, k = 0;

	r->in_root = r->job->host_root || perf;
	if (r->job->host_root && place->root_lack) {
		fail(res, SAMPLE_FAILED, "%s: %s", r->job->argv[0], place->root_lack);
		return -1;
	}
	/* What is run for perf's sake alone has no sense without. */
	if (r->job->record && !perf) {
		fail(res, SAMPLE_SKIPPED, "no perf where jobs run%s%s",
			place->root_lack ? ": " : "", place->root_lack ? place->root_lack : "");
		return -1;
	}
	if (perf) {
		r->perf_file = xasprintf("%s/kab-perf.%d", place->tmp, (int)getpid());
		n = perf_words(r->job, r->perf_file, r->argv);
	}
	if (!strcmp(r->job->argv[0], "kab-workload")) {
		if (!place->workload) {
			fail(res, SAMPLE_FAILED, "kab-workload is not there: it has to be built");
			return -1;
		}
		r->argv[n++] = r->in_root ? place->root_workload : place->workload;
		k = 1;
	}
	for (; r->job->argv[k]; k++) {
		if (n + 1 == ARGV_MAX) {
			fail(res, SAMPLE_FAILED, "%s: more than %d arguments", r->job->argv[0],
				ARGV_MAX - 8);
			return -1;
		}
		r->argv[n++] = r->job->argv[k];
	}
	return 0;
}

/* The child's side; tells the parent by @failed (close-on-exec) which call failed. Never returns.
 */
static void child(const struct run *r, int out, int err_out, int failed, pid_t parent)
{
	const char *step = r->argv[0];
	char text[256];
	int null;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	/*
	 * Below init a process group counts as orphaned: if one process of it is stopped and another one's end is
	 * told to init, all of it is hung up. The job's group is not, in a session that init is not of.
	 */
	if (parent == 1)
		setsid();
	else
		setpgid(0, 0);
	for (int s = 1; s < 32; s++)
		signal(s, SIG_DFL);
	if (r->in_root && r->place->root) {
		step = r->place->root;
		if (chroot(r->place->root))
			goto fail;
	}
	step = r->place->tmp;
	if (chdir(r->place->tmp))
		goto fail;
	null = open("/dev/null", O_RDONLY);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err_out, STDERR_FILENO);
	step = r->argv[0];
	execvp(r->argv[0], (char *const *)r->argv);
fail:
	snprintf(text, sizeof(text), "cannot run %s: %s", step, strerror(errno));
	if (write(failed, text, strlen(text)) < 0)
		_exit(126);
	_exit(127);
}

/* Forks and waits until the program is really executing. -1 with res filled in where it is not. */
static int start(struct run *r, struct job_result *res)
{
	int out[2] = {-1, -1}, err_out[2] = {-1, -1}, failed[2] = {-1, -1};
	pid_t parent = getpid();
	char text[257];
	ssize_t n = 0;

	r->pid = -1;
	if (!pipe2(out, O_CLOEXEC) && !pipe2(err_out, O_CLOEXEC) && !pipe2(failed, O_CLOEXEC))
		r->pid = fork();
	if (r->pid < 0)
		fail(res, SAMPLE_FAILED, "cannot start %s: %s", r->argv[0], strerror(errno));
	if (!r->pid)
		child(r, out[1], err_out[1], failed[1], parent);
	close(out[1]);
	close(err_out[1]);
	close(failed[1]);
	r->fd[0] = out[0];
	r->fd[1] = err_out[0];
	if (r->pid > 0) {
		r->pidfd = syscall(SYS_pidfd_open, r->pid, 0);
		n = read(failed[0], text, sizeof(text) - 1);
	}
	close(failed[0]);
	if (n > 0) {
		text[n] = '\0';
		fail(res, SAMPLE_FAILED, "%s", text);
	}
	return res->status == SAMPLE_OK ? 0 : -1;
}

/* Reads what stream @i has; at its end the descriptor is closed. */
static void read_stream(struct run *r, int i, struct job_result *res)
{
	char chunk[65536];
	ssize_t n = read(r->fd[i], chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close(r->fd[i]);
		r->fd[i] = -1;
		return;
	}
	if (r->out[i].len + n > PROTO_OUTPUT_MAX) {
		fail(res, SAMPLE_FAILED, "%s exceeded %u MiB", stream_name[i],
			PROTO_OUTPUT_MAX >> 20);
		n = PROTO_OUTPUT_MAX - r->out[i].len;
	}
	buf_add(&r->out[i], chunk, n);
}

/* Waits at most @ms for output or for the end of the process. True: it ended. */
static bool wait_event(struct run *r, int ms, struct job_result *res)
{
	struct pollfd p[3] = {
		{.fd = r->fd[0], .events = POLLIN},
		{.fd = r->fd[1], .events = POLLIN},
		{.fd = r->pidfd, .events = POLLIN},
	};

	if (poll(p, ARRAY_SIZE(p), ms) <= 0)
		return false;
	for (int i = 0; i < 2; i++)
		if (p[i].revents)
			read_stream(r, i, res);
	return p[2].revents != 0;
}

/* Until the process ends, its time is up or its output is too much; beats each second. */
static void watch(struct run *r, jobrun_beat *beat, void *arg, struct job_result *res)
{
	uint64_t begin = now_ns(), next = begin + BEAT_NS;
	uint64_t deadline = begin + r->job->timeout_s * 1000000000ull;

	while (res->status == SAMPLE_OK) {
		uint64_t now = now_ns();

		if (now >= deadline) {
			fail(res, SAMPLE_TIMEOUT, "%s ran longer than %u s", r->argv[0],
				r->job->timeout_s);
			return;
		}
		if (kab_interrupted) {
			fail(res, SAMPLE_FAILED, "interrupted");
			return;
		}
		if (now >= next) {
			beat(arg);
			next = now + BEAT_NS;
		}
		if (wait_event(r, ((next < deadline ? next : deadline) - now) / 1000000 + 1, res))
			return;
	}
}

/* Sends SIGKILL to each child of this process; children of those become ours when they die. */
static void kill_children(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	while (proc && (d = readdir(proc))) {
		__free_char char *path = xasprintf("/proc/%s/stat", d->d_name);
		__free_char char *stat = NULL;
		const char *after;
		int ppid;

		if (d->d_name[0] < '0' || d->d_name[0] > '9')
			continue;
		stat = file_read(path, NULL, NULL);
		/* "pid (name) state ppid": the name may hold anything, its last bracket ends it. */
		after = stat ? strrchr(stat, ')') : NULL;
		if (after && sscanf(after, ") %*c %d", &ppid) == 1 && ppid == getpid())
			kill(atoi(d->d_name), SIGKILL);
	}
	if (proc)
		closedir(proc);
}

/*
 * Kills and reaps the job's processes until none is left. Orphans come to us: we are PID 1 or a
 * child subreaper. Returns the wait status of the job's own process.
 */
static int reap_all(struct run *r)
{
	int job_status = 0, status;
	pid_t pid;

	/* Let the job's own process report its status if it has ended by itself. */
	if (waitpid(r->pid, &job_status, WNOHANG) != r->pid)
		kill(r->pid, SIGKILL);
	kill(-r->pid, SIGKILL);
	for (;;) {
		if (getpid() == 1)
			kill(-1, SIGKILL);
		else
			kill_children();
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == r->pid)
				job_status = status;
		if (pid < 0 && errno == ECHILD)
			return job_status;
		/* A process in the middle of its exit, or in an uninterruptible call. */
		usleep(1000);
	}
}

/* What the dead left in the pipes. */
static void drain(struct run *r, struct job_result *res)
{
	for (int i = 0; i < 2; i++) {
		while (r->fd[i] >= 0 && r->out[i].len < PROTO_OUTPUT_MAX) {
			struct pollfd p = {.fd = r->fd[i], .events = POLLIN};

			if (poll(&p, 1, DRAIN_MS) <= 0)
				break;
			read_stream(r, i, res);
		}
		if (r->fd[i] >= 0)
			close(r->fd[i]);
		r->fd[i] = -1;
	}
}

/* perf's output file, which is removed. What is too long to be handed over fails the job. */
static char *take_perf(const struct run *r, struct job_result *res)
{
	const char *root = r->place->root ? r->place->root : "";
	__free_char char *path = xasprintf("%s%s", root, r->perf_file);
	size_t len;
	char *text = file_read(path, &len, NULL);

	unlink(path);
	if (text && r->job->record) {
		char *bytes = len <= PROTO_OUTPUT_MAX ? proto_bytes(text, len) : NULL;

		if (!bytes)
			fail(res, SAMPLE_FAILED,
				"perf record wrote %zu MiB, more than the %u MiB that can be taken over: fewer events, or less of them",
				len >> 20, PROTO_OUTPUT_MAX >> 20);
		free(text);
		return bytes;
	}
	return text;
}

static char *take_text(struct buf *b)
{
	char *text = proto_clean(b->data, b->len);

	buf_free(b);
	return text;
}

void jobrun(const struct job *job, const struct jobrun_place *place, jobrun_beat *beat, void *arg,
	struct job_result *res)
{
	struct run r = {.job = job, .place = place, .pidfd = -1, .fd = {-1, -1}};
	uint64_t begin;
	int status;

	*res = (struct job_result){.status = SAMPLE_OK};
	if (build_argv(&r, res))
		goto out;
	res->before = capture(job->capture);
	begin = now_ns();
	if (!start(&r, res))
		watch(&r, beat, arg, res);
	res->elapsed_ns = now_ns() - begin;
	res->after = capture(job->capture);
	if (r.pid > 0) {
		status = reap_all(&r);
		res->exit_status =
			WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	drain(&r, res);
	if (r.perf_file)
		res->perf = take_perf(&r, res);
out:
	if (r.pidfd >= 0)
		close(r.pidfd);
	free(r.perf_file);
	res->out = take_text(&r.out[0]);
	res->err_out = take_text(&r.out[1]);
}

void job_result_clear(struct job_result *r)
{
	free(r->reason);
	free(r->out);
	free(r->err_out);
	free(r->perf);
	free(r->functions);
	json_decref(r->before);
	json_decref(r->after);
	*r = (struct job_result){0};
}
