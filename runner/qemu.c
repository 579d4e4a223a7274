// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU's command line and process. */
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto.h"
#include "tsc.h"

#define QEMU "qemu-system-x86_64"
#define MIB (1ull << 20)

static const struct {
	const char *name, *accel, *cpu, *cmdline;
} accels[] = {
	/*
	 * One thread a vCPU. TCG walks five-level page tables slower than four. A vCPU that the host has no time for is one that
	 * is stuck, to a detector of soft lockups that waits 20 s: 60 s.
	 */
	[QEMU_TCG] = {"tcg", "tcg,thread=multi", "max,la57=off", " tsc=reliable no_timer_check watchdog_thresh=30"},
	[QEMU_KVM] = {"kvm", "kvm", "max", ""},
	/*
	 * Guest time is the number of instructions executed (shift=0: one a nanosecond), and
	 * nothing in the guest may draw on the host: not its clock, not its random numbers. The
	 * local APIC's timer would be calibrated in a loop of instructions that TCG is slowest at
	 * (9 s of it); one CPU has no need of that timer.
	 */
	[QEMU_ICOUNT] = {"tcg-icount", "tcg,thread=single", "max,la57=off,-rdrand,-rdseed",
		" tsc=reliable no_timer_check nolapic_timer nokaslr norandmaps kab.exact"},
};

const char *qemu_accel_name(enum qemu_accel accel)
{
	return accels[accel].name;
}

static void __attribute__((format(printf, 2, 3))) add(struct argv *a, const char *fmt, ...)
{
	va_list ap;

	a->v = xrealloc_array(a->v, a->n + 2, sizeof(*a->v));
	va_start(ap, fmt);
	a->v[a->n++] = xvasprintf(fmt, ap);
	va_end(ap);
	a->v[a->n] = NULL;
}

static void add_words(struct argv *a, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add(a, "%s", words[i]);
}

void argv_clear(struct argv *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
	*a = (struct argv){0};
}

/* A value of a key=value option: QEMU wants its commas doubled. Caller frees. */
static char *quote_commas(const char *s)
{
	struct buf b = {0};

	for (; *s; s++)
		buf_add(&b, *s == ',' ? ",," : s, *s == ',' ? 2 : 1);
	return b.data ? b.data : xstrdup("");
}

static int check_spec(const struct qemu_spec *s, struct error *err)
{
	if (!s->cpus || !s->nodes || s->nodes > s->cpus)
		return error_set(err, KAB_USAGE,
			"a machine of %u CPUs cannot have %u nodes: each needs a CPU", s->cpus,
			s->nodes);
	if (s->memory / s->nodes < QEMU_NODE_MEMORY_MIN)
		return error_set(err, KAB_USAGE,
			"a machine of %llu MiB and %u nodes: each node needs %llu MiB",
			(unsigned long long)(s->memory / MIB), s->nodes, QEMU_NODE_MEMORY_MIN / MIB);
	return 0;
}

/*
 * CPUs, memory and nodes. A node is a socket of its own where the CPUs divide evenly, else each CPU
 * is a socket: Linux complains of CPUs that share a cache across nodes.
 */
static void add_machine(struct argv *a, const struct qemu_spec *s)
{
	unsigned sockets = s->cpus % s->nodes ? s->cpus : s->nodes;
	uint64_t each = s->memory / s->nodes / MIB, left = s->memory / MIB;

	add(a, "-smp");
	add(a, "%u,sockets=%u,cores=%u,threads=1", s->cpus, sockets, s->cpus / sockets);
	add(a, "-m");
	add(a, "%lluM", (unsigned long long)left);
	for (unsigned n = 0; s->nodes > 1 && n < s->nodes; n++) {
		unsigned first = n * s->cpus / s->nodes, last = (n + 1) * s->cpus / s->nodes - 1;
		uint64_t size = n + 1 == s->nodes ? left : each;

		add(a, "-object");
		add(a, "memory-backend-ram,id=mem%u,size=%lluM", n, (unsigned long long)size);
		add(a, "-numa");
		add(a, "node,nodeid=%u,cpus=%u-%u,memdev=mem%u", n, first, last, n);
		left -= size;
	}
}

/* The port to the agent, the monitor, the console and the shared root. */
static void add_devices(struct argv *a, const struct qemu_spec *s, int agent_fd, int qmp_fd)
{
	__free_char char *console = quote_commas(s->console);

	add(a, "-chardev");
	add(a, "file,id=console,path=%s", console);
	add_words(a, (const char *const[]){"-serial", "chardev:console"}, 2);
	add(a, "-chardev");
	add(a, "socket,id=agent,fd=%d", agent_fd);
	add_words(a, (const char *const[]){"-device", "virtio-serial-pci,max_ports=2"}, 2);
	add(a, "-device");
	add(a, "virtserialport,chardev=agent,name=%s", PROTO_PORT);
	add(a, "-chardev");
	add(a, "socket,id=qmp,fd=%d", qmp_fd);
	add_words(a, (const char *const[]){"-mon", "chardev=qmp,mode=control"}, 2);
	if (s->counter) {
		__free_char char *counter = quote_commas(s->counter),
				 *counts = quote_commas(s->counts);

		add(a, "-plugin");
		add(a, "file=%s,out=%s", counter, counts);
	}
	if (s->share) {
		__free_char char *share = quote_commas(s->share);

		add(a, "-virtfs");
		add(a,
			"local,path=%s,mount_tag=kab-root,security_model=none,readonly=on,"
			"multidevs=remap",
			share);
	}
}

/* Boots in a third of SeaBIOS's time, where the distribution ships it. */
static bool have_qboot(void)
{
	static const char *const places[] = {"/usr/share/qemu/qboot.rom",
		"/usr/local/share/qemu/qboot.rom", "/usr/share/qemu/bios/qboot.rom"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (!access(places[i], R_OK))
			return true;
	return false;
}

/*
 * The rate of the guest's TSC under TCG: the host's, or an instruction a nanosecond. Told that and
 * the delay loop that follows from it, the guest need not calibrate: that takes it 0.14 s for each
 * CPU and differs from boot to boot.
 */
static void add_clock(struct buf *cmdline, const struct qemu_spec *s)
{
	unsigned khz = s->accel == QEMU_ICOUNT ? 1000000 : tsc_khz();

	if (s->accel == QEMU_KVM)
		return;
	buf_addf(cmdline, " tsc_early_khz=%u", khz);
	if (s->hz)
		buf_addf(cmdline, " lpj=%llu", khz * 1000ull / s->hz);
}

/*
 * Warnings and worse reach the console as they happen (each character there costs the guest a
 * trap); the rest stays in the kernel's log. A panic resets, which ends QEMU. What the arm asks for
 * comes last and wins.
 */
static void add_cmdline(struct argv *a, const struct qemu_spec *s)
{
	struct buf b = {0};

	buf_addstr(&b, "console=ttyS0 loglevel=5 printk.time=1 panic=-1 schedstats=enable");
	if (s->share)
		buf_addstr(&b, " kab.root");
	buf_addstr(&b, accels[s->accel].cmdline);
	/* The rest come up by hand: see bring_up_cpus() in guest.c. */
	if (s->accel == QEMU_ICOUNT && s->cpus > 1)
		buf_addstr(&b, " maxcpus=1");
	add_clock(&b, s);
	buf_addf(&b, " %s", s->cmdline);
	add(a, "%s", b.data);
	buf_free(&b);
}

int qemu_command(
	const struct qemu_spec *s, int agent_fd, int qmp_fd, struct argv *a, struct error *err)
{
	static const char *const plain[] = {"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"};
	static const char *const exact[] = {
		"-icount", "shift=0,sleep=off", "-rtc", "base=2020-01-01,clock=vm", "-seed", "1"};

	if (check_spec(s, err))
		return -1;
	add(a, QEMU);
	add_words(a, plain, ARRAY_SIZE(plain));
	/*
	 * Exact mode has no other timer but the PIT's, which is 838 ns wide: it fires before it is due or after, as the
	 * case may be, and what is left then takes it 12.6 us.
	 */
	add(a, "-machine");
	add(a, "q35,usb=off,sata=off,smbus=off,vmport=off,graphics=off,hpet=%s", s->accel == QEMU_ICOUNT ? "on" : "off");
	if (have_qboot())
		add_words(a, (const char *const[]){"-bios", "qboot.rom"}, 2);
	add(a, "-accel");
	add(a, "%s", accels[s->accel].accel);
	add(a, "-cpu");
	add(a, "%s", accels[s->accel].cpu);
	if (s->accel == QEMU_ICOUNT)
		add_words(a, exact, ARRAY_SIZE(exact));
	add_machine(a, s);
	add_devices(a, s, agent_fd, qmp_fd);
	add(a, "-kernel");
	add(a, "%s", s->kernel);
	add(a, "-initrd");
	add(a, "%s", s->initrd);
	add(a, "-append");
	add_cmdline(a, s);
	return 0;
}

unsigned qemu_file_limit_kib(void)
{
	const char *text = getenv("KAB_CONSOLE_LIMIT_KIB");
	char *end;
	unsigned long v = text ? strtoul(text, &end, 10) : 0;

	return v && !*end && v <= UINT_MAX ? (unsigned)v : 65536;
}

/* Between fork and exec; never returns. */
static void child(char *const *argv, const char *log, bool counts, pid_t parent)
{
	static const struct rlimit no_core = {0, 0};
	rlim_t bytes = (rlim_t)qemu_file_limit_kib() * 1024;
	struct rlimit file_size = {bytes, bytes};
	int null = open("/dev/null", O_RDONLY);
	int out = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	/* A group of its own, so that Ctrl-C at a terminal reaches kab alone. */
	setpgid(0, 0);
	/* An abort of QEMU's must not leave the guest's memory in somebody's folder. */
	setrlimit(RLIMIT_CORE, &no_core);
	/*
	 * Nor must a guest fill the disk by way of its console: what is beyond is lost, and the guest goes on. The limit is
	 * for any file, and one of counts grows as long as the guest lives; there is none where those are wanted.
	 */
	if (!counts) {
		setrlimit(RLIMIT_FSIZE, &file_size);
		signal(SIGXFSZ, SIG_IGN);
	}
	dup2(null, STDIN_FILENO);
	if (out >= 0) {
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
	}
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* A socket pair whose first end is ours: non-blocking, closed on exec. The other is inherited. */
static int make_pair(int fd[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		return -1;
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static void close_pair(int fd[2])
{
	close_fdp(&fd[0]);
	close_fdp(&fd[1]);
}

int qemu_start(const struct qemu_spec *spec, struct qemu *q, struct error *err)
{
	int agent[2] = {-1, -1}, qmp[2] = {-1, -1};
	pid_t parent = getpid();
	struct argv a = {0};
	int ret = -1;

	*q = (struct qemu){.pidfd = -1, .agent = -1, .qmp = -1};
	if (make_pair(agent) || make_pair(qmp)) {
		error_set(err, KAB_ENVIRONMENT, "socketpair: %s", strerror(errno));
		goto out;
	}
	if (qemu_command(spec, agent[1], qmp[1], &a, err))
		goto out;
	q->started_ns = now_ns();
	q->pid = fork();
	if (q->pid < 0) {
		error_set(err, KAB_ENVIRONMENT, "fork for %s: %s", QEMU, strerror(errno));
		q->pid = 0;
		goto out;
	}
	if (!q->pid)
		child(a.v, spec->log, spec->counts != NULL, parent);
	setpgid(q->pid, q->pid);
	q->pidfd = syscall(SYS_pidfd_open, q->pid, 0);
	q->agent = agent[0];
	q->qmp = qmp[0];
	agent[0] = qmp[0] = -1;
	ret = 0;
out:
	close_pair(agent);
	close_pair(qmp);
	argv_clear(&a);
	return ret;
}

bool qemu_wait(struct qemu *q, int ms)
{
	struct pollfd p = {.fd = q->pidfd, .events = POLLIN};

	if (!q->pid)
		return true;
	if (poll(&p, 1, ms) <= 0 || waitpid(q->pid, &q->wait_status, 0) != q->pid)
		return false;
	q->pid = 0;
	return true;
}

static void close_field(int *fd)
{
	close_fdp(fd);
	*fd = -1;
}

void qemu_stop(struct qemu *q)
{
	if (!q->started_ns)
		return;
	if (q->pid) {
		kill(-q->pid, SIGKILL);
		kill(q->pid, SIGKILL);
		while (waitpid(q->pid, &q->wait_status, 0) < 0 && errno == EINTR)
			;
		q->pid = 0;
	}
	close_field(&q->pidfd);
	close_field(&q->agent);
	close_field(&q->qmp);
}

const char *qemu_version(struct error *err)
{
	/* Without a word where there is none: callers say what that means. */
	static const char *const argv[] = {"sh", "-c", "exec " QEMU " --version 2>/dev/null", NULL};
	static char version[64];
	struct buf out = {0};

	if (!version[0] && !run_capture(argv, NULL, &out, NULL) && out.data)
		sscanf(out.data, "QEMU emulator version %63s", version);
	buf_free(&out);
	if (version[0])
		return version;
	error_set(err, KAB_ENVIRONMENT, "%s does not run here; install QEMU for x86", QEMU);
	return NULL;
}
