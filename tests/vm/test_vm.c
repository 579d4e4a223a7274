// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Real guests: what a job in one gives back, and every way a guest can die.
 *
 * The kernel is $KAB_TEST_KERNEL (a bzImage with its "config" beside it), else stock from the
 * cache, built if it is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guests.h"
#include "kernel.h"
#include "kvm_probe.h"
#include "skip.h"
#include "vm_guest.h"

#define GIB (1ull << 30)

static struct kernel kernel; /* what all guests here boot */
static char scratch[] = "/tmp/kab-vm.XXXXXX";

/* ---- guests ---- */

static struct executor *try_boot(
	const struct machine *m, bool need_root, const char *cmdline, struct error *err)
{
	struct arm arm = {.label = "stock", .cmdline = (char *)cmdline};
	struct boot_request req = {.arm = &arm,
		.machine = m,
		.kernel = kernel.image,
		.kernel_dir = kernel.dir,
		.dir = scratch,
		.need_root = need_root};

	return vm_executor.boot(&req, err);
}

/* A guest of one CPU with the host's root. */
static struct executor *boot_small(void)
{
	struct machine m = {.cpus = 1, .nodes = 1, .memory = GIB / 2};
	struct error err = {0};
	struct executor *ex = try_boot(&m, true, "", &err);

	if (!ex)
		fail_msg("%s", err.text);
	return ex;
}

static struct job_result run_shell(struct executor *ex, const char *script, unsigned timeout_s)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct job job = {.id = "s1", .argv = argv, .host_root = true, .timeout_s = timeout_s};
	struct job_result res;
	struct error err = {0};

	if (vm_executor.run(ex, &job, &res, &err))
		fail_msg("%s", err.text);
	return res;
}

static void expect_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* ---- one guest of two nodes, many jobs ---- */

static const struct machine two_nodes = {.cpus = 3, .nodes = 2, .memory = GIB};

static int boot_shared(void **state)
{
	static const struct arm arm = {.label = "stock", .cmdline = "kab.test=1"};
	static struct guests shared = {.req = {.arm = &arm, .machine = &two_nodes, .need_root = true}};

	shared.req.kernel = kernel.image;
	shared.req.kernel_dir = kernel.dir;
	shared.req.dir = scratch;
	*state = &shared;
	return guests_boot(&shared);
}

static int end_shared(void **state)
{
	guests_shutdown(*state);
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
}

static json_t *env_of(struct guests *g)
{
	assert_non_null(g->now);
	return vm_executor.env(g->now);
}

static struct job_result run_job(struct guests *g, const struct job *job)
{
	struct job_result res;

	if (guests_run(g, job, &res))
		fail_msg("%s: it could not be run", job->id);
	return res;
}

static struct job_result script_job(struct guests *g, const char *script, unsigned timeout_s)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct job job = {.id = "s1", .argv = argv, .host_root = true, .timeout_s = timeout_s};

	return run_job(g, &job);
}

/* The job came to its end, with @exit_status. */
static void ended_with(const struct job_result *res, int exit_status)
{
	if (res->status != SAMPLE_OK || res->exit_status != exit_status)
		fail_msg("%s: %s, exit %d, \"%s\", \"%s\"", sample_status_name(res->status),
			res->reason ? res->reason : "ok", res->exit_status, res->out ? res->out : "",
			res->err_out ? res->err_out : "");
}

/* Runs @script, which must end with status 0 and print @out. */
static void expect(struct guests *g, const char *script, const char *out)
{
	struct job_result res = script_job(g, script, 60);

	ended_with(&res, 0);
	if (strcmp(res.out, out))
		fail_msg("%s: \"%s\", \"%s\"", script, res.out, res.err_out);
	job_result_clear(&res);
}

static const char *env_text(json_t *env, const char *key)
{
	const char *text = json_string_value(json_object_get(env, key));

	if (!text)
		fail_msg("no %s", key);
	return text;
}

static void test_environment(void **state)
{
	json_t *env = env_of(*state);

	assert_int_equal(json_integer_value(json_object_get(env, "cpus")), 3);
	assert_int_equal(json_integer_value(json_object_get(env, "nodes")), 2);
	assert_true(json_integer_value(json_object_get(env, "memory_bytes")) == (json_int_t)GIB);
	assert_in_range(
		json_integer_value(json_object_get(env, "memory_seen_bytes")), GIB * 8 / 10, GIB);
	assert_int_equal(json_integer_value(json_object_get(env, "schedstat_version")), 15);
	assert_int_equal(json_integer_value(json_object_get(env, "sched_schedstats")), 1);
	assert_true(!strcmp(env_text(env, "accelerator"), "tcg") ||
		    !strcmp(env_text(env, "accelerator"), "kvm"));
	assert_non_null(strstr(env_text(env, "cmdline"), "kab.test=1"));
	assert_true(env_text(env, "qemu_version")[0] >= '4');
	assert_string_equal(env_text(env, "share"), "/");
	assert_non_null(env_text(env, "kernel_release"));
	assert_non_null(env_text(env, "clocksource"));
	assert_true(json_object_size(json_object_get(env, "mitigations")) > 5);
	assert_true(json_integer_value(json_object_get(env, "boot_ms")) > 0);
	assert_true(json_integer_value(json_object_get(env, "qemu_to_ready_ms")) > 0);
	assert_null(json_object_get(env, "boot_report"));
}

/* Memory and CPUs lie where the command line put them, by the kernel's own account. */
static void test_nodes(void **state)
{
	expect(*state, "cat /sys/devices/system/node/node0/cpulist", "0\n");
	expect(*state, "cat /sys/devices/system/node/node1/cpulist", "1-2\n");
	expect(*state,
		"awk '/MemTotal/ { print ($4 > 400000 && $4 < 530000) }' "
		"/sys/devices/system/node/node*/meminfo",
		"1\n1\n");
}

static void test_own_workload(void **state)
{
	static const char *const argv[] = {
		"kab-workload", "run", "null", "--duration", "200ms", NULL};
	static const char *const capture[] = {"/proc/schedstat", "/proc/no-such-file", NULL};
	struct job job = {.id = "w", .argv = argv, .capture = capture, .timeout_s = 60};
	struct job_result res = run_job(*state, &job);
	json_t *o;

	ended_with(&res, 0);
	o = json_loads(res.out, 0, NULL);
	assert_true(json_integer_value(json_object_get(o, "ops")) > 0);
	assert_true(res.elapsed_ns >= 200000000);
	assert_non_null(json_object_get(res.before, "/proc/schedstat"));
	assert_non_null(json_object_get(res.after, "/proc/schedstat"));
	assert_null(json_object_get(res.after, "/proc/no-such-file"));
	json_decref(o);
	job_result_clear(&res);
}

static void test_own_workload_under_perf(void **state)
{
	static const char *const argv[] = {"kab-workload", "run", "null", "--ops", "1000", NULL};
	struct job job = {.id = "p", .argv = argv, .perf_stat = true, .timeout_s = 60};
	struct job_result res = run_job(*state, &job);

	ended_with(&res, 0);
	assert_non_null(strstr(res.out, "\"workload\":\"null\""));
	assert_non_null(res.perf);
	assert_non_null(strstr(res.perf, "context-switches"));
	job_result_clear(&res);
}

static void test_programs_of_the_host(void **state)
{
	static const char *const programs[] = {"perf --version", "stress-ng --version"};

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		struct job_result res = script_job(*state, programs[i], 120);

		ended_with(&res, 0);
		assert_int_equal(res.exit_status, 0);
		assert_non_null(strstr(res.out, "version"));
		job_result_clear(&res);
	}
}

static void test_output_and_status(void **state)
{
	struct job_result res = script_job(*state, "echo out; echo err >&2; exit 77", 60);

	ended_with(&res, 77);
	assert_string_equal(res.out, "out\n");
	assert_string_equal(res.err_out, "err\n");
	assert_false(res.machine_lost);
	job_result_clear(&res);
}

static void test_streams_by_name(void **state)
{
	expect(*state, "echo a >/dev/stdout; echo b >/dev/stderr; echo c | cat /dev/stdin /dev/fd/0", "a\nc\n");
}

static void test_clock_jumps(void **state)
{
	struct job_result res = script_job(*state,
		"date -s 2001-02-03 >/dev/null; sleep 0.3; date -s 2030-01-01 >/dev/null; sleep 0.1", 60);

	ended_with(&res, 0);
	assert_in_range(res.elapsed_ns, 400000000, 20000000000);
	job_result_clear(&res);
}

static void test_crash_of_a_workload(void **state)
{
	struct job_result res = script_job(*state, "kill -SEGV $$", 60);

	ended_with(&res, 128 + SIGSEGV);
	assert_false(res.machine_lost);
	job_result_clear(&res);
}

static void test_no_such_program(void **state)
{
	static const char *const argv[] = {"no-such-program-of-kab", NULL};
	struct job job = {.id = "n", .argv = argv, .host_root = true, .timeout_s = 60};
	struct job_result res = run_job(*state, &job);

	assert_int_equal(res.status, SAMPLE_FAILED);
	assert_non_null(strstr(res.reason, "No such file or directory"));
	job_result_clear(&res);
}

static void test_timeout_leaves_nothing(void **state)
{
	struct job_result res = script_job(
		*state, "trap '' TERM INT HUP; (setsid sleep 1000 &); sleep 1000 & sleep 1000", 1);

	assert_int_equal(res.status, SAMPLE_TIMEOUT);
	assert_false(res.machine_lost);
	job_result_clear(&res);
	expect(*state, "grep -l sleep /proc/[0-9]*/comm; true", "");
}

static void test_stragglers_die_with_their_job(void **state)
{
	expect(*state, "(setsid sleep 1000 &); echo end", "end\n");
	expect(*state, "grep -l sleep /proc/[0-9]*/comm; true", "");
}

/* One process of the job is stopped while another one, whose parent is gone, ends. */
static void test_a_stopped_process_hangs_nobody_up(void **state)
{
	expect(*state, "sleep 60 & kill -STOP $!; (sleep 0.3 &); sleep 1; kill -KILL $!; echo here", "here\n");
}

static void test_output_of_any_size_and_kind(void **state)
{
	struct job_result res = script_job(*state, "head -c 1500000 /dev/zero | tr '\\0' x", 120);

	ended_with(&res, 0);
	assert_int_equal(strlen(res.out), 1500000);
	job_result_clear(&res);
	expect(*state, "printf 'a\\377b'; head -c 1 /dev/zero; printf c",
		"a\xef\xbf\xbd"
		"b\xef\xbf\xbd"
		"c");
	res = script_job(*state, "exec yes", 120);
	assert_int_equal(res.status, SAMPLE_FAILED);
	assert_non_null(strstr(res.reason, "16 MiB"));
	job_result_clear(&res);
}

/* What a job writes stays in the guest's memory; the host's files are safe from it. */
static void test_host_is_read_only(void **state)
{
	expect(*state,
		"echo x > /usr/kab-test-file && cat /usr/kab-test-file && rm /etc/passwd && ls "
		"/etc/passwd 2>&1 | wc -l",
		"x\n1\n");
	assert_int_equal(access("/usr/kab-test-file", F_OK), -1);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	expect(*state, "touch /lower/x 2>/dev/null; ls /lower 2>/dev/null | wc -l", "0\n");
}

/* Words in the kernel's log that a program put there are no words of the kernel. */
static void test_a_program_that_cries_wolf(void **state)
{
	expect(*state, "echo '<1>BUG: unable to handle wolves' > /dev/kmsg; echo end", "end\n");
	expect(*state, "true", "");
}

/* A guest with more runnable tasks than CPUs still beats. */
static void test_heartbeat_under_load(void **state)
{
	const char *script = "for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; sleep 10";
	struct machine m = {.cpus = 2, .nodes = 1, .memory = GIB / 2};
	struct error err = {0};
	struct job_result res;
	struct executor *ex;

	(void)state;
	setenv("KAB_HANG_LIMIT_S", "8", 1);
	ex = try_boot(&m, true, "", &err);
	unsetenv("KAB_HANG_LIMIT_S");
	assert_non_null(ex);
	res = run_shell(ex, script, 60);
	if (res.status != SAMPLE_OK)
		fail_msg("%s", res.reason);
	job_result_clear(&res);
	vm_executor.shutdown(ex);
}

/* ---- deaths ---- */

struct death {
	const char *script;
	enum sample_status status;
	const char *says;
};

static void expect_death(const struct death *d)
{
	struct executor *ex = boot_small();
	struct job_result res = run_shell(ex, d->script, 60);

	if (res.status != d->status || !res.reason || !strstr(res.reason, d->says))
		fail_msg("%s: %s, %s", d->script, sample_status_name(res.status),
			res.reason ? res.reason : "no reason");
	assert_true(res.machine_lost);
	job_result_clear(&res);
	/* It takes no more jobs, and says so without a wait. */
	res = run_shell(ex, "true", 60);
	assert_int_equal(res.status, SAMPLE_FAILED);
	assert_true(res.machine_lost);
	job_result_clear(&res);
	vm_executor.shutdown(ex);
	expect_no_child();
}

static void test_panic(void **state)
{
	(void)state;
	expect_death(&(struct death){"echo c > /proc/sysrq-trigger; sleep 60", SAMPLE_OOPS,
		"panic: Kernel panic - not syncing: sysrq triggered crash"});
}

static void test_power_off_from_inside(void **state)
{
	(void)state;
	expect_death(&(struct death){"echo o > /proc/sysrq-trigger; sleep 60", SAMPLE_FAILED,
		"powered off from inside"});
}

static void test_reset(void **state)
{
	(void)state;
	expect_death(&(struct death){
		"echo b > /proc/sysrq-trigger; sleep 60", SAMPLE_OOPS, VM_RESET_SILENTLY});
}

/* Sends @sig to @pid after a second, from a process of its own. */
static pid_t signal_later(pid_t pid, int sig)
{
	pid_t killer = fork();

	if (!killer) {
		sleep(1);
		kill(pid, sig);
		_exit(0);
	}
	return killer;
}

/*
 * A guest that dies with @words as the last in its log, which its kernel did not write itself. Those of
 * a lost write excuse it where it was emulated, and no others do.
 */
/* More on the console than kab keeps of it: the disk does not fill, the guest goes on, and its last words are missed. */
static void test_flooded_console(void **state)
{
	__free_char char *path = xasprintf("%s/console.log", scratch);
	struct executor *ex;
	struct job_result res;
	struct stat st;

	(void)state;
	setenv("KAB_CONSOLE_LIMIT_KIB", "100", 1);
	ex = boot_small();
	res = run_shell(ex, "yes | head -c 150000 >/dev/console; echo end", 60);
	assert_int_equal(res.status, SAMPLE_OK);
	assert_string_equal(res.out, "end\n");
	job_result_clear(&res);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 100 * 1024);
	res = run_shell(ex, "echo c >/proc/sysrq-trigger", 60);
	if (!res.reason || !strstr(res.reason, "console is full, 100 KiB"))
		fail_msg("%s", res.reason ? res.reason : "no reason");
	assert_true(res.machine_lost);
	job_result_clear(&res);
	vm_executor.shutdown(ex);
	unsetenv("KAB_CONSOLE_LIMIT_KIB");
}

static void expect_lost_write(const char *words, bool excused)
{
	__free_char char *script = xasprintf(
		"printf '%s' > /dev/kmsg; echo b > /proc/sysrq-trigger; sleep 60", words);
	struct executor *ex = boot_small();
	bool tcg = !strcmp(env_text(vm_executor.env(ex), "accelerator"), "tcg");
	struct job_result res = run_shell(ex, script, 60);

	assert_int_equal(res.status, SAMPLE_OOPS);
	assert_true(res.machine_lost);
	if (strncmp(res.reason, "oops: ", 6) || res.lost_write != (excused && tcg))
		fail_msg("%s: %s, %d", words, res.reason, res.lost_write);
	job_result_clear(&res);
	vm_executor.shutdown(ex);
}

static void test_write_lost_by_the_emulator(void **state)
{
	(void)state;
	expect_lost_write("<1>int3: 0000 [#1] PREEMPT SMP\\n", true);
}

static void test_other_deaths_are_no_lost_writes(void **state)
{
	(void)state;
	expect_lost_write("<1>general protection fault, probably for int3: 0000 [#1]\\n", false);
	expect_lost_write("<1>int3: 0001 [#1] PREEMPT SMP\\n", false);
}

/* These tests' own guests are followed by others, and not without end. */
static void test_guests_after_lost_writes(void **state)
{
	static const struct machine m = {.cpus = 1, .nodes = 1, .memory = GIB / 2};
	static const struct arm arm = {.label = "stock", .cmdline = ""};
	static const char *const argv[] = {"sh", "-c",
		"echo '<1>int3: 0000 [#1] PREEMPT SMP' >/dev/kmsg; echo b >/proc/sysrq-trigger; sleep 60",
		NULL};
	struct job job = {.id = "dies", .argv = argv, .host_root = true, .timeout_s = 60};
	struct guests g = {.req = {.arm = &arm, .machine = &m, .kernel = kernel.image,
				   .kernel_dir = kernel.dir, .dir = scratch, .need_root = true}};
	struct job_result res;

	(void)state;
	assert_int_equal(guests_boot(&g), 0);
	if (strcmp(env_text(vm_executor.env(g.now), "accelerator"), "tcg")) {
		guests_shutdown(&g);
		skip_because("only an emulator loses writes, and KVM works here");
	}
	assert_int_equal(guests_run(&g, &job, &res), -1);
	assert_int_equal(g.lost, GUESTS_MAY_LOSE + 1);
	assert_null(g.now);
	expect_no_child();
}

static void test_qemu_killed(void **state)
{
	struct executor *ex = boot_small();
	pid_t killer = signal_later(vm_guest_pid(ex), SIGKILL);
	struct job_result res = run_shell(ex, "sleep 60", 100);

	(void)state;
	waitpid(killer, NULL, 0);
	assert_int_equal(res.status, SAMPLE_FAILED);
	assert_non_null(strstr(res.reason, "QEMU was killed by signal 9"));
	assert_true(res.machine_lost);
	job_result_clear(&res);
	vm_executor.shutdown(ex);
	expect_no_child();
}

static void test_hang(void **state)
{
	struct executor *ex;
	struct job_result res;
	uint64_t begin;
	pid_t stopper;

	(void)state;
	setenv("KAB_HANG_LIMIT_S", "3", 1);
	ex = boot_small();
	unsetenv("KAB_HANG_LIMIT_S");
	stopper = signal_later(vm_guest_pid(ex), SIGSTOP);
	begin = now_ns();
	res = run_shell(ex, "sleep 60", 100);
	waitpid(stopper, NULL, 0);
	assert_int_equal(res.status, SAMPLE_HANG);
	assert_string_equal(res.reason, "no sign of life for 3 s");
	assert_in_range((now_ns() - begin) / 1000000, 3000, 30000);
	assert_true(res.machine_lost);
	job_result_clear(&res);
	vm_executor.shutdown(ex);
	expect_no_child();
}

static void on_alarm(int sig)
{
	(void)sig;
	kab_interrupted = 1;
}

static void test_interrupted(void **state)
{
	static const char *const argv[] = {"sleep", "60", NULL};
	struct job job = {.id = "s1", .argv = argv, .host_root = true, .timeout_s = 100};
	struct sigaction action = {.sa_handler = on_alarm};
	struct executor *ex = boot_small();
	struct job_result res;
	struct error err;

	(void)state;
	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	assert_int_equal(vm_executor.run(ex, &job, &res, &err), -1);
	assert_int_equal(err.status, KAB_INTERRUPTED);
	vm_executor.shutdown(ex);
	kab_interrupted = 0;
	expect_no_child();
}

/* QEMU must not outlive a kab that was killed without a chance to clean up. */
static void test_qemu_dies_with_kab(void **state)
{
	int p[2], status;
	pid_t qemu = 0, kab;

	(void)state;
	assert_int_equal(pipe(p), 0);
	kab = fork();
	if (!kab) {
		pid_t pid = vm_guest_pid(boot_small());

		_exit(write(p[1], &pid, sizeof(pid)) == sizeof(pid) && pause());
	}
	close(p[1]);
	assert_int_equal(read(p[0], &qemu, sizeof(qemu)), sizeof(qemu));
	close(p[0]);
	assert_int_equal(kill(qemu, 0), 0);
	kill(kab, SIGKILL);
	waitpid(kab, &status, 0);
	for (int tries = 0; tries < 100 && !kill(qemu, 0); tries++)
		usleep(50000);
	assert_int_equal(kill(qemu, 0), -1);
	assert_int_equal(errno, ESRCH);
}

/* ---- boots that fail ---- */

static void expect_no_boot(const struct machine *m, const char *cmdline, const char *says)
{
	struct error err = {0};

	assert_null(try_boot(m, false, cmdline, &err));
	if (!strstr(err.text, says))
		fail_msg("\"%s\" does not say \"%s\"", err.text, says);
	expect_no_child();
}

static void test_boots_that_fail(void **state)
{
	struct machine m = {.cpus = 1, .nodes = 1, .memory = GIB / 4};

	(void)state;
	expect_no_boot(&m, "rdinit=/none", "panic: Kernel panic - not syncing");
	setenv("KAB_BOOT_LIMIT_S", "3", 1);
	/* An init that never says ready. */
	expect_no_boot(
		&m, "rdinit=/bin/kab-workload -- run null --duration 1000", "no ready within 3 s");
	unsetenv("KAB_BOOT_LIMIT_S");
	m.cpus = 2;
	expect_no_boot(&m, "maxcpus=1", "asked for 2 CPUs on 1 nodes, the guest has 1 on 1");
	m.nodes = 3;
	expect_no_boot(&m, "", "3 nodes");
}

static void test_a_kernel_that_is_none(void **state)
{
	__free_char char *path = xasprintf("%s/not-a-kernel", scratch);
	struct machine m = {.cpus = 1, .nodes = 1, .memory = GIB / 4};
	struct boot_request req = {.machine = &m, .kernel = path, .dir = scratch};
	struct vm_guest_options opt = {.accel = QEMU_TCG};
	struct error err = {0};

	(void)state;
	assert_null(vm_guest_boot(&req, &opt, &err));
	assert_int_equal(err.status, KAB_ENVIRONMENT);
	if (!strstr(err.text, "QEMU exited with status 1: ") || !strstr(err.text, "not-a-kernel"))
		fail_msg("%s", err.text);
	expect_no_child();
}

/*
 * A kernel of Linux' boot protocol (Documentation/x86/boot.rst) that resets its machine by port 0xcf9, first thing.
 * Caller frees.
 */
static char *kernel_that_resets(void)
{
	static const unsigned char code[] = {
		0xba, 0xf9, 0x0c, /* mov $0xcf9, %dx */
		0xb0, 0x06, /* mov $6, %al */
		0xee, /* out %al, %dx */
		0xf4, 0xeb, 0xfd, /* hlt, for ever */
	};
	unsigned char image[6 * 512] = {0};
	char *path = xasprintf("%s/resets", scratch);
	struct error err = {0};

	image[0x1f1] = 4; /* sectors of setup, after the first */
	memcpy(image + 0x1fe, "\x55\xaa", 2);
	memcpy(image + 0x200, "\xeb\x64", 2); /* jmp 0x266 */
	memcpy(image + 0x202, "HdrS\x04\x02", 6); /* version 2.04 */
	image[0x211] = 1; /* its protected-mode code goes to 1 MiB */
	memcpy(image + 0x22c, "\xff\xff\xff\x37", 4); /* where an initrd may end */
	memcpy(image + 0x266, code, sizeof(code));
	if (file_write_atomic(path, image, sizeof(image), &err))
		fail_msg("%s", err.text);
	return path;
}

/* Emulated guests get another try, but not for ever, and it is said how many they had. */
static void test_a_kernel_that_always_resets(void **state)
{
	__free_char char *path = kernel_that_resets();
	struct arm arm = {.label = "resets"};
	struct machine m = {.cpus = 1, .nodes = 1, .memory = GIB / 4};
	struct boot_request req = {.arm = &arm, .machine = &m, .kernel = path, .dir = scratch};
	struct kvm_probe kvm;
	struct error err = {0};

	(void)state;
	assert_int_equal(kvm_probe(kernel.image, &kvm, &err), 0);
	assert_null(vm_executor.boot(&req, &err));
	assert_int_equal(err.status, KAB_ENVIRONMENT);
	if (!strstr(err.text, "did not boot: " VM_RESET_SILENTLY) ||
		!strstr(err.text, "4 times in a row") != kvm.works)
		fail_msg("%s", err.text);
	expect_no_child();
}

/* The words on the console are enough, here those of the command line, which the kernel repeats when it ignores log levels. */
static void test_boots_without_fine_timers(void **state)
{
	struct machine m = {.cpus = 1, .nodes = 1, .memory = GIB / 4};
	struct kvm_probe kvm;
	struct error err = {0};
	struct executor *ex;

	(void)state;
	assert_int_equal(kvm_probe(kernel.image, &kvm, &err), 0);
	ex = try_boot(&m, false, "ignore_loglevel words=\"" VM_COARSE_TIMER "\"", &err);
	if (kvm.works) {
		assert_non_null(ex);
		vm_executor.shutdown(ex);
		return;
	}
	assert_null(ex);
	assert_int_equal(err.status, KAB_ENVIRONMENT);
	if (!strstr(err.text, "4 times in a row: ") || !strstr(err.text, VM_COARSE_TIMER))
		fail_msg("%s", err.text);
	expect_no_child();
}

/* ---- KVM, the exact executor ---- */

/* Whatever the answer, it comes within the limit and is the same from the cache. */
static void test_kvm_probe(void **state)
{
	__free_char char *old = getenv("XDG_CACHE_HOME") ? xstrdup(getenv("XDG_CACHE_HOME")) : NULL;
	__free_char char *cache = xasprintf("%s/cache", scratch);
	uint64_t begin = now_ns();
	struct kvm_probe p, again;
	struct error err;

	(void)state;
	setenv("XDG_CACHE_HOME", cache, 1);
	assert_int_equal(kvm_probe(kernel.image, &p, &err), 0);
	assert_true(now_ns() - begin < (KVM_PROBE_LIMIT_S + 10) * 1000000000ull);
	expect_no_child();
	assert_int_equal(p.works, !p.reason[0]);
	if (!p.works)
		print_message("KVM does not work here: %s\n", p.reason);
	if (p.works)
		assert_true(p.settled);
	kvm_probe_settle(&p);
	begin = now_ns();
	assert_int_equal(kvm_probe(kernel.image, &again, &err), 0);
	assert_true(now_ns() - begin < 2000000000ull);
	assert_true(again.settled);
	assert_int_equal(again.works, p.works);
	assert_string_equal(again.reason, p.reason);
	if (old)
		setenv("XDG_CACHE_HOME", old, 1);
	else
		unsetenv("XDG_CACHE_HOME");
}

/* Instructions for 2000 round trips of a pipe, in a boot of its own. */
/* Runs @argv in an exact guest of @cpus CPUs, all of them up, with success. */
static void exact_run(unsigned cpus, const char *const *argv, struct job_result *res)
{
	struct machine m = {.cpus = cpus, .nodes = 1, .memory = GIB / 2};
	struct boot_request req = {
		.machine = &m, .kernel = kernel.image, .kernel_dir = kernel.dir, .dir = scratch};
	struct job job = {.id = "x", .argv = argv, .timeout_s = 60};
	struct error err = {0};
	struct executor *ex = exact_executor.boot(&req, &err);

	if (!ex)
		fail_msg("%s", err.text);
	assert_int_equal(
		json_integer_value(json_object_get(exact_executor.env(ex), "cpus")), cpus);
	assert_int_equal(exact_executor.run(ex, &job, res, &err), 0);
	if (res->status != SAMPLE_OK || res->exit_status)
		fail_msg("exit %d, %s", res->exit_status, res->err_out);
	exact_executor.shutdown(ex);
}

static double exact_pipe(void)
{
	static const char *const argv[] = {"kab-workload", "run", "pipe", "--ops", "2000", NULL};
	struct job_result res;
	double ns;
	json_t *o;

	exact_run(1, argv, &res);
	o = json_loads(res.out, 0, NULL);
	ns = json_integer_value(json_object_get(o, "elapsed_ns"));
	json_decref(o);
	job_result_clear(&res);
	return ns;
}

static void test_exact_repeats(void **state)
{
	double a = exact_pipe(), b = exact_pipe();

	(void)state;
	print_message("%.0f and %.0f instructions: %.4f %% apart\n", a, b, (b / a - 1) * 100);
	assert_true(a > 1e6);
	assert_true(b / a > 0.995 && b / a < 1.005);
}

/* All CPUs come up, and each of them runs what is put on it. */
static void test_exact_with_two_cpus(void **state)
{
	static const char *const argv[] = {
		"kab-workload", "run", "null", "--workers", "2", "--pin", "spread", "--ops", "2000", NULL};
	struct job_result res;

	(void)state;
	exact_run(2, argv, &res);
	job_result_clear(&res);
}

static void test_exact_refuses_what_it_cannot_do(void **state)
{
	struct machine m = {.cpus = 1, .nodes = 1, .memory = GIB / 2};
	struct boot_request req = {.machine = &m, .kernel = kernel.image, .dir = scratch};
	struct error err;

	(void)state;
	req.need_root = true;
	assert_null(exact_executor.boot(&req, &err));
	assert_int_equal(err.status, KAB_USAGE);
}

/* ---- setup ---- */

static int find_kernel(struct error *err)
{
	static const struct arm stock = {
		.label = "stock", .base = {.package = "linux-source-6.1"}, .cmdline = ""};
	const char *image = getenv("KAB_TEST_KERNEL");

	if (!image)
		return kernel_build(&stock, &kernel, NULL, NULL, err);
	kernel.image = xstrdup(image);
	kernel.dir = xstrdup(image);
	*strrchr(kernel.dir, '/') = '\0';
	return 0;
}

/* The tests lie one folder below kab's programs. */
static void find_programs(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = '\0';
	for (int up = 0; up < 2 && strrchr(path, '/'); up++)
		*strrchr(path, '/') = '\0';
	setenv("KAB_LIBEXEC", path, 0);
}

static int group_setup(void **state)
{
	__free_char char *bad = NULL;
	struct error err = {0};

	(void)state;
	find_programs();
	if (!mkdtemp(scratch) || find_kernel(&err)) {
		print_error("%s\n", err.text);
		return -1;
	}
	bad = xasprintf("%s/not-a-kernel", scratch);
	return file_write_atomic(bad, "nothing", 7, &err);
}

static int group_teardown(void **state)
{
	(void)state;
	kernel_clear(&kernel);
	return dir_remove(scratch, NULL);
}

int main(void)
{
	static const struct CMUnitTest jobs[] = {
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_own_workload),
		cmocka_unit_test(test_own_workload_under_perf),
		cmocka_unit_test(test_programs_of_the_host),
		cmocka_unit_test(test_output_and_status),
		cmocka_unit_test(test_streams_by_name),
		cmocka_unit_test(test_clock_jumps),
		cmocka_unit_test(test_crash_of_a_workload),
		cmocka_unit_test(test_no_such_program),
		cmocka_unit_test(test_timeout_leaves_nothing),
		cmocka_unit_test(test_stragglers_die_with_their_job),
		cmocka_unit_test(test_a_stopped_process_hangs_nobody_up),
		cmocka_unit_test(test_output_of_any_size_and_kind),
		cmocka_unit_test(test_host_is_read_only),
		cmocka_unit_test(test_a_program_that_cries_wolf),
	};
	static const struct CMUnitTest lives[] = {
		cmocka_unit_test(test_heartbeat_under_load),
		cmocka_unit_test(test_panic),
		cmocka_unit_test(test_power_off_from_inside),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_flooded_console),
		cmocka_unit_test(test_write_lost_by_the_emulator),
		cmocka_unit_test(test_other_deaths_are_no_lost_writes),
		cmocka_unit_test(test_guests_after_lost_writes),
		cmocka_unit_test(test_qemu_killed),
		cmocka_unit_test(test_hang),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_qemu_dies_with_kab),
		cmocka_unit_test(test_boots_that_fail),
		cmocka_unit_test(test_a_kernel_that_is_none),
		cmocka_unit_test(test_a_kernel_that_always_resets),
		cmocka_unit_test(test_boots_without_fine_timers),
		cmocka_unit_test(test_kvm_probe),
		cmocka_unit_test(test_exact_repeats),
		cmocka_unit_test(test_exact_with_two_cpus),
		cmocka_unit_test(test_exact_refuses_what_it_cannot_do),
	};
	int failed;

	if (group_setup(NULL))
		return 1;
	cmocka_set_test_filter(getenv("KAB_TEST_ONLY"));
	failed = cmocka_run_group_tests_name("jobs in a guest", jobs, boot_shared, end_shared);
	failed += cmocka_run_group_tests_name("lives of guests", lives, NULL, NULL);
	group_teardown(NULL);
	return failed;
}
