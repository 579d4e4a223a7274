// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PID 1 of a guest: makes the few mounts that workloads need, opens the port to kab and serves
 * jobs.
 *
 * The initramfs is the root of our own workloads. External programs run under HOST: the folder that
 * kab shares over 9p, read-only, below a tmpfs that takes what is written. "kab.root" on the
 * kernel's command line says that there is one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "proto.h"
#include "sysinfo.h"
#include "util.h"

#define HOST "/host"
#define PORTS "/sys/class/virtio-ports"
#define PORT_WAIT_MS 10000
#define P9_OPTIONS "trans=virtio,version=9p2000.L,msize=512000,cache=loose,access=any"

struct mount_point {
	const char *type, *path, *options;
	bool optional; /* the kernel may be built without it */
};

static const struct mount_point own_mounts[] = {
	{"proc", "/proc", NULL, false},
	{"sysfs", "/sys", NULL, false},
	{"devtmpfs", "/dev", NULL, false},
	{"tmpfs", "/dev/shm", "mode=1777", false},
	{"devpts", "/dev/pts", NULL, true},
	{"tmpfs", "/tmp", "mode=1777", false},
	{"debugfs", "/sys/kernel/debug", NULL, true},
	{"tracefs", "/sys/kernel/tracing", NULL, true},
};

/* The shared root, from the bottom up. */
static const struct mount_point root_mounts[] = {
	{"9p", "/lower", P9_OPTIONS, false},
	{"tmpfs", "/over", "mode=755", false},
	{"overlay", HOST, "lowerdir=/lower,upperdir=/over/upper,workdir=/over/work", false},
	{"proc", HOST "/proc", NULL, false},
	{"sysfs", HOST "/sys", NULL, false},
	{"devtmpfs", HOST "/dev", NULL, false},
	{"tmpfs", HOST "/dev/shm", "mode=1777", false},
	{"devpts", HOST "/dev/pts", NULL, true},
	{"tmpfs", HOST "/run", "mode=755", false},
	{"debugfs", HOST "/sys/kernel/debug", NULL, true},
	{"tracefs", HOST "/sys/kernel/tracing", NULL, true},
};

/* What udev or a distribution's scripts would make: programs are told to write to /dev/stdout. */
static void link_streams(void)
{
	static const char *const links[][2] = {
		{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"},
	};

	/* One devtmpfs is mounted on both /dev. */
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlink(links[i][0], links[i][1]))
			fprintf(stderr, "kab-guest: %s: %s\n", links[i][1], strerror(errno));
}

static int mount_all(const struct mount_point *m, size_t n, struct error *err)
{
	for (; n; n--, m++) {
		/* The 9p "device" is the tag that kab gave to the share. */
		const char *source = strcmp(m->type, "9p") ? m->type : "kab-root";

		mkdir(m->path, 0755);
		if (!strcmp(m->type, "overlay")) {
			mkdir("/over/upper", 0755);
			mkdir("/over/work", 0755);
		}
		if (mount(source, m->path, m->type, 0, m->options) && !m->optional)
			return error_set(err, KAB_ENVIRONMENT, "cannot mount %s on %s: %s%s",
				m->type, m->path, strerror(errno),
				errno == ENODEV ? " (this kernel is built without it)" : "");
	}
	return 0;
}

/* Makes kab-workload reachable under the shared root. */
static int bind_workload(struct error *err)
{
	__close_fd int fd = -1;

	if (access("/bin/kab-workload", F_OK))
		return 0;
	mkdir(HOST "/run/kab", 0755);
	fd = open(HOST "/run/kab/kab-workload", O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	if (fd < 0 || mount("/bin/kab-workload", HOST "/run/kab/kab-workload", NULL, MS_BIND, NULL))
		return error_set(err, KAB_ENVIRONMENT, "cannot put kab-workload into %s: %s", HOST,
			strerror(errno));
	return 0;
}

static bool cmdline_has(const char *word)
{
	__free_char char *text = file_read("/proc/cmdline", NULL, NULL);
	char *save = NULL;

	for (char *w = text ? strtok_r(text, " \n", &save) : NULL; w;
		w = strtok_r(NULL, " \n", &save))
		if (!strcmp(w, word))
			return true;
	return false;
}

/* The loopback interface, for workloads over TCP. A kernel without a network is none the worse. */
static void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo"};
	__close_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr))
		return;
	ifr.ifr_flags |= IFF_UP | IFF_RUNNING;
	ioctl(fd, SIOCSIFFLAGS, &ifr);
}

/* The device of the virtio-serial port that is named PROTO_PORT; NULL: not there yet. Caller frees.
 */
static char *find_port(void)
{
	DIR *dir = opendir(PORTS);
	struct dirent *d;
	char *found = NULL;

	while (dir && !found && (d = readdir(dir))) {
		__free_char char *path = xasprintf(PORTS "/%s/name", d->d_name);
		__free_char char *name = file_read(path, NULL, NULL);

		if (name && !strncmp(name, PROTO_PORT "\n", strlen(PROTO_PORT) + 1))
			found = xasprintf("/dev/%s", d->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Ports come up on a work queue of the driver, and the host's end is announced by a message of its
 * own. */
static int open_port(struct error *err)
{
	uint64_t deadline = now_ns() + PORT_WAIT_MS * 1000000ull;
	__free_char char *path = NULL;
	int fd = -1;

	while (now_ns() < deadline) {
		struct pollfd p = {.events = POLLOUT};

		if (!path)
			path = find_port();
		if (path && fd < 0)
			fd = open(path, O_RDWR | O_CLOEXEC);
		p.fd = fd;
		if (fd >= 0 && poll(&p, 1, 0) == 1 && !(p.revents & POLLHUP))
			return fd;
		usleep(2000);
	}
	return error_set(err, KAB_ENVIRONMENT, "no virtio-serial port %s within %d ms", PROTO_PORT,
		PORT_WAIT_MS);
}

/* Where there is no port to kab, the console is what is left. */
static void console_say(const struct error *err)
{
	__close_fd int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		dprintf(fd, "<2>kab-guest: %s\n", err->text);
}

#define CPUS "/sys/devices/system/cpu"

/* A process on CPU 0 that does nothing but pause. */
static pid_t start_pausing(void)
{
	pid_t pid = fork();
	cpu_set_t first;

	if (pid)
		return pid;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	for (;;)
		__builtin_ia32_pause();
}

static int bring_up(unsigned cpu, struct error *err)
{
	__free_char char *path = xasprintf(CPUS "/cpu%u/online", cpu);
	__free_char char *state = file_read(path, NULL, NULL);
	__close_fd int fd = -1;

	if (!state || *state != '0')
		return 0;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		return error_set(
			err, KAB_ENVIRONMENT, "CPU %u does not come up: %s", cpu, strerror(errno));
	return 0;
}

/*
 * Brings up the CPUs that were left out of the boot. Under -icount one thread of QEMU's runs all
 * CPUs in turn, and while the kernel starts another CPU the first one waits in loops without a
 * pause: it eats up each of its turns, and the other never gets one. So a process that does nothing
 * but pause takes over whenever the loop sleeps.
 */
static int bring_up_cpus(struct error *err)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);
	pid_t pausing;
	int ret = 0;

	if (n < 2 || sysconf(_SC_NPROCESSORS_ONLN) == n)
		return 0;
	pausing = start_pausing();
	for (long cpu = 1; cpu < n && !ret; cpu++)
		ret = bring_up(cpu, err);
	if (pausing > 0) {
		kill(pausing, SIGKILL);
		waitpid(pausing, NULL, 0);
	}
	return ret;
}

static int guest_run(struct error *err)
{
	struct jobrun_place place = {
		.workload = "/bin/kab-workload",
		.root = HOST,
		.root_workload = "/run/kab/kab-workload",
		.root_lack = "this guest was started without the shared root",
		.tmp = "/tmp",
	};
	__close_fd int port = -1;
	json_t *env;
	int ret;

	if (mount_all(own_mounts, ARRAY_SIZE(own_mounts), err))
		return -1;
	link_streams();
	port = open_port(err);
	if (port < 0)
		return -1;
	if (cmdline_has("kab.root")) {
		if (mount_all(root_mounts, ARRAY_SIZE(root_mounts), err) || bind_workload(err)) {
			agent_fail(port, err);
			return -1;
		}
		place.root_lack = NULL;
	}
	place.exact = cmdline_has("kab.exact");
	if (place.exact && bring_up_cpus(err)) {
		agent_fail(port, err);
		return -1;
	}
	loopback_up();
	env = sysinfo_read();
	ret = agent_serve(port, &place, env, err);
	json_decref(env);
	return ret;
}

int main(void)
{
	struct error err = {0};

	if (getpid() != 1) {
		fprintf(stderr, "kab-guest is the init of kab's guests; kab run starts it.\n");
		return KAB_USAGE;
	}
	clearenv();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/tmp", 1);
	setenv("LC_ALL", "C", 1);
	/* Else jansson reads /dev/urandom, which takes a second of a guest without a source of
	 * randomness. */
	json_object_seed(1);
	if (guest_run(&err))
		console_say(&err);
	/* Nothing here outlives the guest, so there is nothing to sync. */
	reboot(RB_POWER_OFF);
	return KAB_ENVIRONMENT;
}
