// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * It is a process of its own, so that whatever becomes of the run, it sees the pipe from there
 * close, and puts CPUs and cpusets back.
 */
#include "vcpu_machine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct disturber {
	const struct ids_machine *machine;
	pid_t victim, self;
	int life; /* this end of the pipe: closing it ends the disturber */
	int root; /* of a cgroup2 file system that is mounted nowhere */
	char group[32];
	uint64_t random;
	uint64_t cpusets, hotplugs; /* the disturber's process alone writes these */
};

static uint64_t draw(struct disturber *d)
{
	/* An LCG (Knuth's MMIX); its high bits are the good ones. */
	d->random = d->random * 6364136223846793005 + 1442695040888963407;
	return d->random >> 33;
}

/* Writes @text to file @name of cgroup @group; 0, or -1 with errno. */
static int group_write(
	const struct disturber *d, const char *group, const char *name, const char *text)
{
	char path[100];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", group, name);
	fd = openat(d->root, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = write(fd, text, strlen(text)) < 0 ? -1 : 0;
	close(fd);
	return ret;
}

static int online_write(unsigned cpu, bool online)
{
	char path[80];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = write(fd, online ? "1" : "0", 1) == 1 ? 0 : -1;
	close(fd);
	return ret;
}

static void wait_ms(unsigned ms)
{
	usleep(ms * 1000);
}

static void hotplug_step(struct disturber *d)
{
	unsigned cpu = d->machine->cpu[draw(d) % d->machine->ncpus];

	if (online_write(cpu, false))
		return;
	d->hotplugs++;
	wait_ms(draw(d) % 20);
	/* A CPU that does not come back at once (EBUSY) must do so in the end. */
	for (unsigned tries = 0; online_write(cpu, true) && tries < 1000; tries++)
		wait_ms(1);
}

/* The process may run on about half of the CPUs, by turns with all of them. */
static void cpuset_step(struct disturber *d)
{
	const struct ids_machine *m = d->machine;
	char list[6 * 1024] = "";
	size_t len = 0;

	for (unsigned i = 0; i < m->ncpus && len + 8 < sizeof(list); i++)
		if (d->cpusets % 2 || draw(d) % 2)
			len += snprintf(
				list + len, sizeof(list) - len, "%s%u", len ? "," : "", m->cpu[i]);
	if (!len)
		len = snprintf(list, sizeof(list), "%u", m->cpu[0]);
	if (!group_write(d, d->group, "cpuset.cpus", list))
		d->cpusets++;
}

/* Moves what is in the group out of it, and removes it. */
static void drop_group(struct disturber *d)
{
	for (unsigned tries = 0; tries < 100; tries++) {
		char path[60], pid[20];
		FILE *f;
		int fd;

		snprintf(path, sizeof(path), "%s/cgroup.procs", d->group);
		fd = openat(d->root, path, O_RDONLY | O_CLOEXEC);
		f = fd < 0 ? NULL : fdopen(fd, "r");
		while (f && fgets(pid, sizeof(pid), f))
			group_write(d, ".", "cgroup.procs", pid);
		if (f)
			fclose(f);
		if (!unlinkat(d->root, d->group, AT_REMOVEDIR) || errno == ENOENT)
			return;
		wait_ms(10);
	}
}

static void disturb(struct disturber *d, int life)
{
	struct pollfd end = {.fd = life, .events = POLLIN};

	while (!poll(&end, 1, draw(d) % 5))
		if (draw(d) % 4)
			cpuset_step(d);
		else
			hotplug_step(d);
	drop_group(d);
}

/* A cgroup2 tree, without a mount point that something else might see or miss. */
static int open_cgroups(void)
{
	int fs = fsopen("cgroup2", FSOPEN_CLOEXEC), root;

	if (fs < 0)
		return -1;
	root = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) ? -1
								: fsmount(fs, FSMOUNT_CLOEXEC, 0);
	close(fs);
	return root;
}

static int make_group(struct run *run, struct disturber *d)
{
	char pid[20];

	d->root = open_cgroups();
	if (d->root < 0)
		return run_skip(run, "--disturb machine: cgroups: %s", strerror(errno));
	if (group_write(d, ".", "cgroup.subtree_control", "+cpuset"))
		return run_skip(run, "--disturb machine: cpusets: %s", strerror(errno));
	snprintf(d->group, sizeof(d->group), "kab-vcpu-%d", d->victim);
	if (mkdirat(d->root, d->group, 0755))
		return run_skip(run, "--disturb machine: a cgroup: %s", strerror(errno));
	snprintf(pid, sizeof(pid), "%d", d->victim);
	if (!group_write(d, d->group, "cgroup.procs", pid))
		return 0;
	run_skip(run, "--disturb machine: joining a cgroup: %s", strerror(errno));
	drop_group(d);
	return -1;
}

/* Whether any CPU that is used may go off line. */
static int check_hotplug(struct run *run, const struct ids_machine *m)
{
	for (unsigned i = 0; i < m->ncpus; i++) {
		char path[80];

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", m->cpu[i]);
		if (!access(path, W_OK))
			return 0;
	}
	return run_skip(run, "--disturb machine: no CPU that can be taken off line by this user");
}

struct disturber *disturber_start(struct run *run, const struct ids_machine *m)
{
	struct disturber *d = run_alloc(run, sizeof(*d));
	int ends[2];

	if (!d || check_hotplug(run, m))
		return NULL;
	*d = (struct disturber){.machine = m, .victim = getpid(), .random = run_uint(run, "seed")};
	if (make_group(run, d))
		return NULL;
	if (pipe2(ends, O_CLOEXEC)) {
		run_fail(run, "pipe: %s", strerror(errno));
		drop_group(d);
		return NULL;
	}
	d->life = ends[1];
	d->self = fork();
	if (!d->self) {
		/* Ctrl-C ends the run, and thereby this. */
		signal(SIGINT, SIG_IGN);
		close(ends[1]);
		group_write(d, ".", "cgroup.procs", "0");
		disturb(d, ends[0]);
		_exit(0);
	}
	close(ends[0]);
	if (d->self > 0)
		return d;
	run_fail(run, "fork: %s", strerror(errno));
	drop_group(d);
	return NULL;
}

void disturber_stop(struct disturber *d)
{
	close(d->life);
	waitpid(d->self, NULL, 0);
}

uint64_t disturber_cpusets(const struct disturber *d)
{
	return d->cpusets;
}

uint64_t disturber_hotplugs(const struct disturber *d)
{
	return d->hotplugs;
}
