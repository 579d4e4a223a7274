// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU's command line for every kind of machine, and machines that cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "qemu.h"
#include "skip.h"
#include "tsc.h"

#define GIB (1ull << 30)

static const struct qemu_spec plain = {.accel = QEMU_TCG,
	.cpus = 4,
	.nodes = 1,
	.memory = 2 * GIB,
	.kernel = "/k/bzImage",
	.initrd = "/i.cpio",
	.cmdline = "",
	.console = "/c.log",
	.log = "/q.log"};

/* The whole command line as one string, words apart by a bar. Caller frees. */
static char *command(const struct qemu_spec *s)
{
	struct argv a = {0};
	struct buf b = {0};

	assert_int_equal(qemu_command(s, 7, 8, &a, NULL), 0);
	for (size_t i = 0; i < a.n; i++)
		buf_addf(&b, "|%s", a.v[i]);
	buf_addstr(&b, "|");
	assert_null(a.v[a.n]);
	argv_clear(&a);
	return b.data;
}

static void assert_has(const char *line, const char *part)
{
	if (line && strstr(line, part))
		return;
	print_error("%s\n", line ? line : "(nothing)");
	fail_msg("\"%s\" is not there", part);
}

static void assert_lacks(const char *line, const char *part)
{
	if (line && !strstr(line, part))
		return;
	print_error("%s\n", line ? line : "(nothing)");
	fail_msg("\"%s\" is there", part);
}

static void test_plain_machine(void **state)
{
	char *line = command(&plain);

	(void)state;
	assert_has(line, "|-accel|tcg,thread=multi|");
	assert_has(line, ",hpet=off|");
	assert_has(line, "|-smp|4,sockets=1,cores=4,threads=1|");
	assert_has(line, "|-m|2048M|");
	assert_has(line, "|-no-reboot|");
	assert_has(line, "panic=-1");
	assert_has(line, " watchdog_thresh=30");
	assert_has(line, "schedstats=enable");
	assert_has(line, "socket,id=agent,fd=7");
	assert_has(line, "socket,id=qmp,fd=8");
	assert_lacks(line, "-numa");
	assert_lacks(line, "-virtfs");
	assert_lacks(line, "kab.root");
	assert_lacks(line, "nokaslr");
	assert_lacks(line, "lpj=");
	free(line);
}

static void test_nodes(void **state)
{
	struct qemu_spec s = plain;
	char *line;

	(void)state;
	s.nodes = 2;
	line = command(&s);
	assert_has(line, "|-smp|4,sockets=2,cores=2,threads=1|");
	assert_has(line, "|memory-backend-ram,id=mem0,size=1024M|");
	assert_has(line, "|node,nodeid=0,cpus=0-1,memdev=mem0|");
	assert_has(line, "|node,nodeid=1,cpus=2-3,memdev=mem1|");
	free(line);
	/* What does not divide evenly must still add up. */
	s.cpus = 5;
	s.nodes = 3;
	s.memory = GIB;
	line = command(&s);
	assert_has(line, "|-smp|5,sockets=5,cores=1,threads=1|");
	assert_has(line, "|node,nodeid=0,cpus=0-0,memdev=mem0|");
	assert_has(line, "|node,nodeid=1,cpus=1-2,memdev=mem1|");
	assert_has(line, "|node,nodeid=2,cpus=3-4,memdev=mem2|");
	assert_has(line, "id=mem0,size=341M");
	assert_has(line, "id=mem2,size=342M");
	free(line);
}

static void test_exact_machine(void **state)
{
	struct qemu_spec s = plain;
	char *line;

	(void)state;
	s.accel = QEMU_ICOUNT;
	s.cpus = 1;
	s.hz = 250;
	line = command(&s);
	assert_has(line, "|-accel|tcg,thread=single|");
	assert_has(line, "|-icount|shift=0,sleep=off|");
	/* Its only timer: the PIT is too coarse. */
	assert_has(line, ",hpet=on|");
	assert_has(line, "|-rtc|base=2020-01-01,clock=vm|");
	assert_has(line, "-rdrand");
	assert_has(line, "nokaslr norandmaps");
	/* The agent starts jobs at round times. */
	assert_has(line, " kab.exact");
	/* An instruction a nanosecond is 1 GHz. */
	assert_has(line, "tsc_early_khz=1000000 lpj=4000000");
	assert_lacks(line, "-plugin");
	assert_lacks(line, "maxcpus");
	free(line);
	/* More CPUs do not come up with the kernel: the agent starts them. */
	s.cpus = 4;
	line = command(&s);
	assert_has(line, "|-smp|4,");
	assert_has(line, " maxcpus=1 ");
	free(line);
	s.cpus = 1;
	s.counter = "/lib/exec,kab/kab-count.so";
	s.counts = "/runs/x,y/counts";
	line = command(&s);
	assert_has(line, "|-plugin|file=/lib/exec,,kab/kab-count.so,out=/runs/x,,y/counts|");
	free(line);
}

static void test_share_and_arm(void **state)
{
	struct qemu_spec s = plain;
	char *line;

	(void)state;
	s.share = "/srv/a,b";
	s.console = "/runs/x,y/console.log";
	s.cmdline = "nokaslr mitigations=off";
	line = command(&s);
	/* QEMU takes a comma for the end of a value unless it is doubled. */
	assert_has(
		line, "|local,path=/srv/a,,b,mount_tag=kab-root,security_model=none,readonly=on,");
	assert_has(line, "path=/runs/x,,y/console.log|");
	assert_has(line, "kab.root");
	assert_has(line, " nokaslr mitigations=off|");
	free(line);
}

static void test_kvm_keeps_its_own_clock(void **state)
{
	struct qemu_spec s = plain;
	char *line;

	(void)state;
	s.accel = QEMU_KVM;
	s.hz = 250;
	line = command(&s);
	assert_has(line, "|-accel|kvm|");
	assert_lacks(line, "tsc");
	assert_lacks(line, "lpj");
	free(line);
}

static void test_machines_that_cannot_be(void **state)
{
	static const struct {
		unsigned cpus, nodes;
		uint64_t memory;
		enum qemu_accel accel;
		const char *says;
	} bad[] = {
		{2, 3, GIB, QEMU_TCG, "3 nodes"},
		{0, 1, GIB, QEMU_TCG, "0 CPUs"},
		{2, 0, GIB, QEMU_TCG, "0 nodes"},
		{2, 2, 100 << 20, QEMU_TCG, "100 MiB"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct qemu_spec s = plain;
		struct argv a = {0};
		struct error err;

		s.cpus = bad[i].cpus;
		s.nodes = bad[i].nodes;
		s.memory = bad[i].memory;
		s.accel = bad[i].accel;
		assert_int_equal(qemu_command(&s, 7, 8, &a, &err), -1);
		assert_int_equal(err.status, KAB_USAGE);
		assert_has(err.text, bad[i].says);
		argv_clear(&a);
	}
}

/* Guests of one run are told the same rate, so it is kept. */
static void test_tsc_rate_is_kept(void **state)
{
	__free_char char *boot = file_read("/proc/sys/kernel/random/boot_id", NULL, NULL);
	char scratch[] = "/tmp/kab-tsc.XXXXXX";
	__free_char char *path = NULL, *text = NULL;

	(void)state;
	assert_non_null(boot);
	assert_non_null(mkdtemp(scratch));
	setenv("XDG_CACHE_HOME", scratch, 1);
	path = xasprintf("%s/kab/tsc-%.8s", scratch, boot);
	assert_int_equal(tsc_khz(), tsc_khz());
	text = file_read(path, NULL, NULL);
	assert_non_null(text);
	assert_int_equal(atoi(text), tsc_khz());
	assert_int_equal(dir_remove(scratch, NULL), 0);
}

/* The kernel keeps a rate of its own, good to some hundred parts in a million and to a percent at
 * worst. */
static void test_tsc_rate(void **state)
{
	unsigned khz = tsc_khz();
	__free_char char *text = file_read("/proc/cpuinfo", NULL, NULL);
	const char *mhz = text ? strstr(text, "cpu MHz\t\t: ") : NULL;

	(void)state;
	assert_in_range(khz, 100000, 20000000);
	if (!mhz || !strstr(text, "hypervisor"))
		skip_because("on bare metal \"cpu MHz\" is the current frequency, not the counter's");
	assert_true(fabs(khz / (atof(mhz + 11) * 1000) - 1) < 0.01);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tsc_rate_is_kept), /* first: it is measured but once */
		cmocka_unit_test(test_plain_machine),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_exact_machine),
		cmocka_unit_test(test_share_and_arm),
		cmocka_unit_test(test_kvm_keeps_its_own_clock),
		cmocka_unit_test(test_machines_that_cannot_be),
		cmocka_unit_test(test_tsc_rate),
	};

	return cmocka_run_group_tests_name("qemu", tests, NULL, NULL);
}
