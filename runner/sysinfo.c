// SPDX-License-Identifier: GPL-2.0-or-later
/* The environment of a measurement, read off /proc and /sys. */
#include "sysinfo.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

#define VULNERABILITIES "/sys/devices/system/cpu/vulnerabilities"

/* The file's text without white space at its ends; NULL if it cannot be read. Caller frees. */
static char *read_trimmed(const char *path)
{
	char *text = file_read(path, NULL, NULL);
	size_t len;

	if (!text)
		return NULL;
	for (len = strlen(text); len && isspace((unsigned char)text[len - 1]); len--)
		text[len - 1] = '\0';
	return text;
}

/* The text of @path as it is. */
static json_t *whole(const char *path, const char *arg)
{
	__free_char char *text = read_trimmed(path);

	(void)arg;
	return text ? json_string(text) : NULL;
}

/* The kernel calls the TSC "tsc-early" for about a second of its life; it is the same clock. */
static json_t *clocksource(const char *path, const char *arg)
{
	json_t *name = whole(path, arg);

	if (name && !strcmp(json_string_value(name), "tsc-early"))
		json_string_set(name, "tsc");
	return name;
}

/* The word in brackets: "always [madvise] never" -> "madvise". */
static json_t *chosen(const char *path, const char *arg)
{
	__free_char char *text = read_trimmed(path);
	char *open = text ? strchr(text, '[') : NULL;
	char *close = open ? strchr(open, ']') : NULL;

	(void)arg;
	return close ? json_stringn(open + 1, close - open - 1) : NULL;
}

/* The first number after the line that starts with @prefix ("" for the file's start). */
static json_t *number(const char *path, const char *prefix)
{
	__free_char char *text = read_trimmed(path);
	size_t len = strlen(prefix);
	char *end;

	for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		long long v;

		if (strncmp(line, prefix, len))
			continue;
		v = strtoll(line + len, &end, 10);
		return end == line + len ? NULL : json_integer(v);
	}
	return NULL;
}

/* What follows "@key : " in the first such line of a cpuinfo-like file. */
static json_t *value_of(const char *path, const char *key)
{
	__free_char char *text = read_trimmed(path);
	char *line = text ? strstr(text, key) : NULL;
	char *colon = line ? strchr(line, ':') : NULL;

	if (!colon)
		return NULL;
	colon += 1 + strspn(colon + 1, " \t");
	return json_stringn(colon, strcspn(colon, "\n"));
}

/* How many a list like "0-3,8" holds. */
static json_t *list_length(const char *path, const char *arg)
{
	__free_char char *text = read_trimmed(path);
	long long n = 0, lo, hi;
	char *p = text;

	(void)arg;
	while (p && isdigit((unsigned char)*p)) {
		lo = hi = strtoll(p, &p, 10);
		if (*p == '-')
			hi = strtoll(p + 1, &p, 10);
		n += hi - lo + 1;
		p += *p == ',';
	}
	return n ? json_integer(n) : NULL;
}

/* The state of every CPU vulnerability that this kernel knows. */
static json_t *mitigations(const char *path, const char *arg)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	json_t *o;

	(void)arg;
	if (!dir)
		return NULL;
	o = json_object();
	while ((d = readdir(dir))) {
		__free_char char *file = xasprintf("%s/%s", path, d->d_name);

		if (d->d_name[0] != '.')
			json_object_set_new(o, d->d_name, whole(file, NULL));
	}
	closedir(dir);
	return o;
}

static const struct {
	const char *key, *path, *arg;
	json_t *(*read)(const char *path, const char *arg); /* NULL: there is no such thing here */
} sources[] = {
	{"cmdline", "/proc/cmdline", NULL, whole},
	{"cpu_model", "/proc/cpuinfo", "model name", value_of},
	{"cpus", "/sys/devices/system/cpu/online", NULL, list_length},
	{"nodes", "/sys/devices/system/node/online", NULL, list_length},
	{"clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource", NULL,
		clocksource},
	{"mitigations", VULNERABILITIES, NULL, mitigations},
	{"thp", "/sys/kernel/mm/transparent_hugepage/enabled", NULL, chosen},
	{"governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", NULL, whole},
	{"schedstat_version", "/proc/schedstat", "version ", number},
	{"sched_schedstats", "/proc/sys/kernel/sched_schedstats", "", number},
	{"perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid", "", number},
};

json_t *sysinfo_read(void)
{
	json_t *o = json_object();
	struct timespec up;
	struct utsname u;

	if (!uname(&u)) {
		json_object_set_new(o, "kernel_release", json_string(u.release));
		json_object_set_new(o, "kernel_version", json_string(u.version));
		json_object_set_new(o, "machine", json_string(u.machine));
	}
	json_object_set_new(o, "memory_bytes",
		json_integer((json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)));
	if (!clock_gettime(CLOCK_BOOTTIME, &up))
		json_object_set_new(
			o, "uptime_ms", json_integer(up.tv_sec * 1000ll + up.tv_nsec / 1000000));
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		json_t *v = sources[i].read(sources[i].path, sources[i].arg);

		if (v)
			json_object_set_new(o, sources[i].key, v);
	}
	/* A kernel without NUMA has one node and no such file. */
	if (!json_object_get(o, "nodes"))
		json_object_set_new(o, "nodes", json_integer(1));
	return o;
}
