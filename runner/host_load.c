// SPDX-License-Identifier: GPL-2.0-or-later
#include "host_load.h"

#include <math.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util.h"

static double seconds_of(const struct rusage *u)
{
	return u->ru_utime.tv_sec + u->ru_utime.tv_usec / 1e6 + u->ru_stime.tv_sec +
	       u->ru_stime.tv_usec / 1e6;
}

struct host_load host_load_read(void)
{
	__free_char char *text = file_read("/proc/stat", NULL, NULL);
	double tick = sysconf(_SC_CLK_TCK), user, nice, system, irq, softirq, steal;
	struct rusage self, children;
	struct host_load l = {};

	/* Guests of KVM are counted in user and nice already. */
	if (!text || sscanf(text, "cpu %lf %lf %lf %*f %*f %lf %lf %lf", &user, &nice, &system,
			     &irq, &softirq, &steal) != 6)
		return l;
	l.busy = (user + nice + system + irq + softirq) / tick;
	l.stolen = steal / tick;
	/* Not the sum with idle and iowait: the latter may go backwards, see proc(5). */
	l.all = now_ns() / 1e9 * sysconf(_SC_NPROCESSORS_ONLN);
	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	l.own = seconds_of(&self) + seconds_of(&children);
	return l;
}

static double sum_at(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

json_t *host_load_json(
	const struct host_load *before, const struct host_load *after, const json_t *earlier)
{
	return json_pack("{s:f,s:f,s:f,s:f}", "all_s",
		after->all - before->all + sum_at(earlier, "all_s"), "busy_s",
		after->busy - before->busy + sum_at(earlier, "busy_s"), "stolen_s",
		after->stolen - before->stolen + sum_at(earlier, "stolen_s"), "own_s",
		after->own - before->own + sum_at(earlier, "own_s"));
}

static double share(double part, const json_t *sums)
{
	double all = sum_at(sums, "all_s");

	return all > 0 ? fmax(0, part) / all : 0;
}

double host_load_others(const json_t *sums)
{
	return share(sum_at(sums, "busy_s") - sum_at(sums, "own_s"), sums);
}

double host_load_stolen(const json_t *sums)
{
	return share(sum_at(sums, "stolen_s"), sums);
}
