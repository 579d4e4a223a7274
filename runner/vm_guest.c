// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's life: boot, jobs, end; and what it died of. */
#include "vm_guest.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"
#include "functions.h"
#include "initramfs.h"
#include "link.h"

#define EXIT_MS 1000 /* for QEMU to go once its sockets are closed */
#define POWEROFF_MS 5000
#define QUOTE_MAX 400	 /* bytes of QEMU's own words in a reason */
#define DEBUG_SLOWDOWN 5 /* lockdep and KASAN take workloads down by 4 to 10 */

struct executor {
	struct qemu qemu;
	struct agent_link link;
	struct console console;
	json_t *env;
	char *dir, *log;
	char *counter, *counts;	     /* NULL: functions are not counted */
	struct functions *functions; /* NULL as well */
	enum qemu_accel accel;
	bool lost;
};

/* What a guest died of. */
struct fate {
	enum sample_status status;
	char *reason; /* owned */
};

/* "reason" of the SHUTDOWN event in what the monitor said ("guest-reset", "guest-shutdown" ...); ""
 * if none. */
static void shutdown_reason(int qmp, char *out, size_t size)
{
	struct buf b = {0};
	char chunk[4096];
	ssize_t n;

	out[0] = '\0';
	while ((n = read(qmp, chunk, sizeof(chunk))) > 0)
		buf_add(&b, chunk, n);
	for (char *save = NULL, *line = b.data ? strtok_r(b.data, "\r\n", &save) : NULL; line;
		line = strtok_r(NULL, "\r\n", &save)) {
		json_t *o = json_loads(line, 0, NULL);
		const char *event = json_string_value(json_object_get(o, "event"));
		json_t *reason = json_object_get(json_object_get(o, "data"), "reason");

		if (event && !strcmp(event, "SHUTDOWN") && json_is_string(reason))
			snprintf(out, size, "%s", json_string_value(reason));
		json_decref(o);
	}
	buf_free(&b);
}

/* The end of QEMU's log on one line, for a reason. Caller frees. */
static char *qemu_words(const struct executor *ex)
{
	size_t len = 0;
	__free_char char *text = file_read(ex->log, &len, NULL);
	const char *from = text && len > QUOTE_MAX ? text + len - QUOTE_MAX : text;
	char *words = xstrdup(from ? from : "");

	for (len = strlen(words); len && words[len - 1] == '\n'; len--)
		words[len - 1] = '\0';
	for (char *p = words; *p; p++)
		if (*p == '\n')
			*p = ' ';
	return words;
}

static bool console_is_full(const struct executor *ex)
{
	struct stat st;

	return !stat(ex->console.path, &st) && st.st_size >= (off_t)qemu_file_limit_kib() * 1024;
}

/* QEMU is gone, and the console holds no complaint: its exit status and its last event tell the
 * rest. */
static struct fate fate_of_exit(struct executor *ex)
{
	int status = ex->qemu.wait_status;
	__free_char char *words = qemu_words(ex);
	char reason[64];

	if (WIFSIGNALED(status))
		return (struct fate){SAMPLE_FAILED,
			xasprintf("QEMU was killed by signal %d (%s)%s%s", WTERMSIG(status),
				strsignal(WTERMSIG(status)), *words ? ": " : "", words)};
	if (WEXITSTATUS(status))
		return (struct fate){SAMPLE_FAILED,
			xasprintf("QEMU exited with status %d: %s", WEXITSTATUS(status), words)};
	shutdown_reason(ex->qemu.qmp, reason, sizeof(reason));
	if (!strcmp(reason, "guest-shutdown"))
		return (struct fate){
			SAMPLE_FAILED, xstrdup("the guest was powered off from inside")};
	if (!strcmp(reason, "guest-reset"))
		return (struct fate){
			SAMPLE_OOPS, xstrdup(VM_RESET_SILENTLY
					     " (a triple fault, or a reboot from inside)")};
	return (struct fate){SAMPLE_FAILED,
		xasprintf("QEMU ended%s%s", *reason ? ": " : " without a reason", reason)};
}

/*
 * Why the wait for the agent ended as @end with the words @why. QEMU is dead afterwards. The
 * kernel's own complaint goes before anything that followed from it.
 */
static struct fate fate_of(struct executor *ex, enum link_end end, const struct error *why)
{
	bool exited = qemu_wait(&ex->qemu, end == LINK_CLOSED ? EXIT_MS : 0);
	const struct console_pattern *p;
	struct fate fate;
	char *report, *told;

	if (!exited)
		kill(ex->qemu.pid, SIGKILL);
	qemu_wait(&ex->qemu, POWEROFF_MS);
	report = console_take(&ex->console, &p);
	if (report) {
		fate.status = SAMPLE_OOPS;
		fate.reason = xasprintf("%s: %s", p->kind, report);
		free(report);
	} else if (exited) {
		fate = fate_of_exit(ex);
	} else {
		fate.status =
			end == LINK_SILENT || end == LINK_OVERDUE ? SAMPLE_HANG : SAMPLE_FAILED;
		fate.reason = xstrdup(why->text);
	}
	if (console_is_full(ex)) {
		told = fate.reason;
		fate.reason = xasprintf("%s; its console is full, %u KiB, and takes no last words", told, qemu_file_limit_kib());
		free(told);
	}
	qemu_stop(&ex->qemu);
	ex->lost = true;
	return fate;
}

/* The last lines of the console, for the error of a boot that failed. Caller frees. */
static char *console_tail(const struct executor *ex)
{
	size_t len = 0;
	__free_char char *text = file_read(ex->console.path, &len, NULL);
	const char *from = text;

	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	if (!len)
		return xstrdup("the console is empty");
	for (unsigned lines = 0; lines < 3 && (from = memrchr(text, '\n', len)); lines++)
		len = from - text;
	return xasprintf("the console ends with:\n%s", from ? from + 1 : text);
}

/* Fills in @err, whose first line is what the guest died of. */
static void boot_failed(
	struct executor *ex, const char *kernel, enum link_end end, struct error *err)
{
	struct fate fate;
	char *tail;

	if (end == LINK_INTERRUPTED)
		return;
	fate = fate_of(ex, end, err);
	tail = console_tail(ex);
	error_set(err, KAB_ENVIRONMENT, "the guest did not boot: %s\nkernel %s, console %s\n%s",
		fate.reason, kernel, ex->console.path, tail);
	free(fate.reason);
	free(tail);
}

/* The guest must be what was asked for: a machine that differs in silence measures something else.
 */
static int check_machine(const struct machine *m, const json_t *env, struct error *err)
{
	long long cpus = json_integer_value(json_object_get(env, "cpus"));
	long long nodes = json_integer_value(json_object_get(env, "nodes"));

	if (cpus != m->cpus || nodes != m->nodes)
		return error_set(err, KAB_ENVIRONMENT,
			"asked for %u CPUs on %u nodes, the guest has %lld on %lld (is its kernel "
			"built with SMP, NUMA and enough NR_CPUS?)",
			m->cpus, m->nodes, cpus, nodes);
	return 0;
}

/* Renames @from of @o to @to. */
static void rename_key(json_t *o, const char *from, const char *to)
{
	json_t *v = json_object_get(o, from);

	if (v)
		json_object_set(o, to, v);
	json_object_del(o, from);
}

/* Adds what the host knows to what the guest said of itself. */
static void complete_env(struct executor *ex, const struct boot_request *req)
{
	json_t *env = ex->env;
	char *report;

	rename_key(env, "uptime_ms", "boot_ms");
	rename_key(env, "memory_bytes", "memory_seen_bytes");
	json_object_set_new(env, "memory_bytes", json_integer(req->machine->memory));
	json_object_set_new(env, "accelerator", json_string(qemu_accel_name(ex->accel)));
	json_object_set_new(env, "qemu_version", json_string(qemu_version(NULL)));
	json_object_set_new(
		env, "qemu_to_ready_ms", json_integer((now_ns() - ex->qemu.started_ns) / 1000000));
	if (req->need_root)
		json_object_set_new(env, "share", json_string(req->share ? req->share : "/"));
	/* A complaint before the first job is no sample's fault, but nobody should miss it. */
	report = console_take(&ex->console, NULL);
	if (report)
		json_object_set_new(env, "boot_report", json_string(report));
	free(report);
}

/* Events are sent once the monitor has been greeted; what it answers is read when the guest is
 * dead. */
static void greet_monitor(int qmp)
{
	static const char hello[] = "{\"execute\": \"qmp_capabilities\"}\n";

	/* A QEMU that is gone already is found by whoever waits for the agent. */
	send(qmp, hello, sizeof(hello) - 1, MSG_NOSIGNAL);
}

/* CONFIG_HZ of the kernel built in @dir; 0: there is no configuration to read. */
static unsigned kernel_hz(const char *dir)
{
	__free_char char *path = dir ? xasprintf("%s/config", dir) : NULL;
	__free_char char *text = path ? file_read(path, NULL, NULL) : NULL;
	const char *line = text ? strstr(text, "\nCONFIG_HZ=") : NULL;

	return line ? strtoul(line + strlen("\nCONFIG_HZ="), NULL, 10) : 0;
}

static int start(struct executor *ex, const struct boot_request *req, struct error *err)
{
	__free_char char *initrd = initramfs_path(err);
	struct qemu_spec spec = {
		.accel = ex->accel,
		.cpus = req->machine->cpus,
		.nodes = req->machine->nodes,
		.memory = req->machine->memory,
		.hz = kernel_hz(req->kernel_dir),
		.kernel = req->kernel,
		.initrd = initrd,
		.cmdline = req->arm && req->arm->cmdline ? req->arm->cmdline : "",
		.share = !req->need_root ? NULL
			 : req->share	 ? req->share
					 : "/",
		.console = ex->console.path,
		.log = ex->log,
		.counter = ex->counter,
		.counts = ex->counts,
	};

	if (!initrd || !qemu_version(err) || dir_make(ex->dir, err))
		return -1;
	unlink(ex->console.path);
	if (qemu_start(&spec, &ex->qemu, err))
		return -1;
	ex->link.in.fd = ex->qemu.agent;
	greet_monitor(ex->qemu.qmp);
	return 0;
}

/* Gets ready to count instructions by function. */
static int prepare_counter(struct executor *ex, const struct boot_request *req, struct error *err)
{
	__free_char char *vmlinux =
		xasprintf("%s/vmlinux", req->kernel_dir ? req->kernel_dir : ".");

	ex->counter = kab_program("kab-count.so");
	if (!ex->counter)
		return error_set(err, KAB_ENVIRONMENT,
			"kab-count.so is not there: it has to be built to count by function");
	ex->counts = xasprintf("%s/counts", ex->dir);
	ex->functions = functions_open(ex->counts, vmlinux, err);
	return ex->functions ? 0 : -1;
}

static void free_executor(struct executor *ex)
{
	qemu_stop(&ex->qemu);
	/* What mattered of it is with the samples; it has megabytes. */
	if (ex->counts)
		unlink(ex->counts);
	functions_close(ex->functions);
	free(ex->counter);
	free(ex->counts);
	proto_reader_clear(&ex->link.in);
	console_close(&ex->console);
	json_decref(ex->env);
	free(ex->dir);
	free(ex->log);
	free(ex);
}

struct executor *vm_guest_launch(
	const struct boot_request *req, const struct vm_guest_options *opt, struct error *err)
{
	unsigned slowdown = opt->slowdown ? opt->slowdown : 1;
	__free_char char *console = xasprintf("%s/console.log", req->dir);
	struct executor *ex = xcalloc(1, sizeof(*ex));

	ex->accel = opt->accel;
	ex->dir = xstrdup(req->dir);
	ex->log = xasprintf("%s/qemu.log", req->dir);
	ex->link.limits = link_limits(slowdown * (req->debug_kernel ? DEBUG_SLOWDOWN : 1));
	ex->link.limits.slowdown = slowdown;
	if (opt->ready_s)
		ex->link.limits.ready_s = opt->ready_s;
	console_open(&ex->console, console);
	if (req->count_functions && prepare_counter(ex, req, err))
		goto fail;
	if (start(ex, req, err))
		goto fail;
	return ex;
fail:
	free_executor(ex);
	return NULL;
}

int vm_guest_await(struct executor *ex, const struct boot_request *req, struct error *err)
{
	enum link_end end;

	end = link_ready(&ex->link, &ex->env, err);
	if (end != LINK_OK) {
		boot_failed(ex, req->kernel, end, err);
		goto fail;
	}
	complete_env(ex, req);
	if (check_machine(req->machine, ex->env, err))
		goto fail;
	return 0;
fail:
	free_executor(ex);
	return -1;
}

struct executor *vm_guest_boot(
	const struct boot_request *req, const struct vm_guest_options *opt, struct error *err)
{
	struct executor *ex = vm_guest_launch(req, opt, err);

	return ex && !vm_guest_await(ex, req, err) ? ex : NULL;
}

/*
 * A job that came back: did the kernel complain since the one before? Its log tells for sure, while
 * a console may still be at it. What the console says is for guests that died: so far all of it is
 * known.
 */
static void judge(struct executor *ex, const char *klog, struct job_result *res)
{
	char *line = NULL;
	const struct console_pattern *p = klog ? console_find(klog, &line) : NULL;

	free(console_take(&ex->console, NULL));
	if (!p)
		return;
	free(res->reason);
	res->status = SAMPLE_OOPS;
	res->reason = xasprintf("%s: %s", p->kind, line);
	res->machine_lost = ex->lost = p->fatal;
	free(line);
}

int vm_guest_run(
	struct executor *ex, const struct job *job, struct job_result *res, struct error *err)
{
	struct error why = {0};
	enum link_end end;
	struct fate fate;
	char *klog;

	*res = (struct job_result){0};
	if (ex->lost) {
		res->status = SAMPLE_FAILED;
		res->reason = xstrdup("the guest is gone");
		res->machine_lost = true;
		return 0;
	}
	end = link_job(&ex->link, job, res, &klog, &why);
	if (end == LINK_INTERRUPTED)
		return error_set(err, KAB_INTERRUPTED, "%s", why.text);
	if (end == LINK_OK) {
		if (ex->functions)
			res->functions = functions_take(ex->functions);
		judge(ex, klog, res);
		free(klog);
		return 0;
	}
	fate = fate_of(ex, end, &why);
	res->status = fate.status;
	res->reason = fate.reason;
	res->machine_lost = true;
	return 0;
}

bool vm_guest_has_coarse_timer(const struct executor *ex)
{
	__free_char char *text = file_read(ex->console.path, NULL, NULL);

	return text && strstr(text, VM_COARSE_TIMER);
}

json_t *vm_guest_env(struct executor *ex)
{
	return ex->env;
}

pid_t vm_guest_pid(const struct executor *ex)
{
	return ex->qemu.pid;
}

/* Keeps the whole kernel log beside the console, which has its warnings alone. */
static void save_klog(struct executor *ex)
{
	__free_char char *path = xasprintf("%s/dmesg.log", ex->dir);
	char *text = link_klog(&ex->link);

	if (text)
		file_write_atomic(path, text, strlen(text), NULL);
	free(text);
}

void vm_guest_shutdown(struct executor *ex)
{
	if (!ex)
		return;
	if (ex->qemu.pid && !kab_interrupted) {
		save_klog(ex);
		link_poweroff(&ex->link);
		qemu_wait(&ex->qemu, POWEROFF_MS);
	}
	free_executor(ex);
}
