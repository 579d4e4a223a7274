// SPDX-License-Identifier: GPL-2.0-or-later
#include "figures.h"

#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "pointer.h"
#include "util.h"

#define EXIT_SKIPPED 77

void figures_define(const struct matrix *m)
{
	for (size_t i = 0; i < m->nworkloads; i++) {
		const struct workload_spec *w = &m->workloads[i];

		if (w->figure.kind == FIGURE_NONE)
			continue;
		metric_define(&(struct metric){
			.name = w->figure.name,
			.unit = w->figure.unit,
			.title = w->figure.name,
			.better = w->figure.better,
			.scale = SCALE_RATIO,
			.primary = !w->secondary,
		});
	}
}

/* Counts of kab-workload's object that become metrics by dividing by the operations. */
static const struct {
	const char *object, *key, *metric;
} per_op[] = {
	{"cpu", "user_ns", "user_ns_per_op"},
	{"cpu", "system_ns", "system_ns_per_op"},
	{"ctx_switches", "voluntary", "voluntary_switches_per_op"},
	{"ctx_switches", "involuntary", "involuntary_switches_per_op"},
	{"faults", "minor", "minor_faults_per_op"},
	{"faults", "major", "major_faults_per_op"},
};

static const struct {
	const char *metric;
	double p;
} percentiles[] = {
	{"latency_p50_ns", 0.5},
	{"latency_p90_ns", 0.9},
	{"latency_p99_ns", 0.99},
	{"latency_p99_9_ns", 0.999},
};

static int bad_output(struct error *err, const char *key)
{
	return error_set(err, KAB_ENVIRONMENT, "kab-workload's output: no valid key '%s'", key);
}

static int get_count(const json_t *o, const char *key, uint64_t *value, struct error *err)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return bad_output(err, key);
	*value = (uint64_t)json_integer_value(v);
	return 0;
}

static void set_per_op(const json_t *o, struct sample *s)
{
	for (size_t i = 0; s->ops && i < ARRAY_SIZE(per_op); i++) {
		const json_t *v =
			json_object_get(json_object_get(o, per_op[i].object), per_op[i].key);

		if (json_is_number(v))
			sample_set_metric(
				s, per_op[i].metric, json_number_value(v) / (double)s->ops);
	}
}

static int set_latency(const json_t *o, struct sample *s, struct error *err)
{
	const struct histogram *h = &s->latency;

	if (!o)
		return 0;
	if (histogram_from_json(o, &s->latency, err))
		return error_prefix(err, "kab-workload's output");
	if (!hist_count(h->bucket, h->n))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(percentiles); i++)
		sample_set_metric(s, percentiles[i].metric,
			(double)hist_percentile(h->bucket, h->n, h->min, h->max, percentiles[i].p));
	sample_set_metric(s, "latency_max_ns", (double)h->max);
	return 0;
}

/* The slowest worker's share of the fastest's work. */
static void set_fairness(struct sample *s)
{
	uint64_t min = UINT64_MAX, max = 0;

	for (size_t i = 0; i < s->nworkers; i++) {
		min = s->workers[i] < min ? s->workers[i] : min;
		max = s->workers[i] > max ? s->workers[i] : max;
	}
	if (s->nworkers > 1 && max)
		sample_set_metric(s, "fairness", (double)min / (double)max);
}

static int set_own_figures(const json_t *figures, struct sample *s, struct error *err)
{
	const char *name;
	json_t *v;

	json_object_foreach ((json_t *)figures, name, v) {
		if (!json_is_number(v))
			return bad_output(err, name);
		sample_set_metric(s, name, json_number_value(v));
	}
	return 0;
}

static int read_object(const json_t *o, struct sample *s, struct error *err)
{
	const json_t *rate = json_object_get(o, "ops_per_s"),
		     *workers = json_object_get(o, "workers");

	if (get_count(o, "ops", &s->ops, err) || get_count(o, "elapsed_ns", &s->elapsed_ns, err))
		return -1;
	if (!json_is_number(rate))
		return bad_output(err, "ops_per_s");
	sample_set_metric(s, "ops_per_s", json_number_value(rate));
	if (workers && sample_set_workers(s, workers, err))
		return error_prefix(err, "kab-workload's output");
	set_fairness(s);
	set_per_op(o, s);
	return set_latency(json_object_get(o, "latency_ns"), s, err) ||
			       set_own_figures(json_object_get(o, "figures"), s, err)
		       ? -1
		       : 0;
}

int figures_of_workload(const char *out, struct sample *s, struct error *err)
{
	json_error_t je;
	json_t *o = json_loads(out, 0, &je);
	int ret;

	if (!json_is_object(o)) {
		json_decref(o);
		return error_set(err, KAB_ENVIRONMENT,
			"kab-workload's output is no JSON object%s%s", o ? "" : ": ",
			o ? "" : je.text);
	}
	ret = read_object(o, s, err);
	json_decref(o);
	return ret;
}

static int match_regex(const char *text, const char *expr, double *value, struct error *err)
{
	regmatch_t group[2];
	char *number, *end;
	regex_t re;
	int ret;

	if (regcomp(&re, expr, REG_EXTENDED | REG_NEWLINE))
		return error_set(err, KAB_ENVIRONMENT, "regex \"%s\" is malformed", expr);
	ret = re.re_nsub < 1 || regexec(&re, text, ARRAY_SIZE(group), group, 0) ||
	      group[1].rm_so < 0;
	regfree(&re);
	if (ret)
		return error_set(
			err, KAB_ENVIRONMENT, "regex \"%s\" finds no figure in the output", expr);
	number = xstrndup(text + group[1].rm_so, (size_t)(group[1].rm_eo - group[1].rm_so));
	*value = strtod(number, &end);
	ret = end == number || *end;
	if (ret)
		error_set(err, KAB_ENVIRONMENT,
			"regex \"%s\" matches \"%.40s\", which is no number", expr, number);
	free(number);
	return ret ? -1 : 0;
}

int figures_of_command(const char *out, const struct figure *f, struct sample *s, struct error *err)
{
	static int (*const readers[])(const char *, const char *, double *, struct error *) = {
		[FIGURE_REGEX] = match_regex,
		[FIGURE_JSON] = pointer_json,
		[FIGURE_YAML] = pointer_yaml,
	};
	double value;

	if (f->kind == FIGURE_NONE) {
		sample_set_metric(s, "elapsed_ns", (double)s->elapsed_ns);
		return 0;
	}
	if (readers[f->kind](out, f->expr, &value, err))
		return error_prefix(err, "figure %s", f->name);
	if (!isfinite(value))
		return error_set(err, KAB_ENVIRONMENT, "figure %s: it is %g; expected a finite number", f->name, value);
	sample_set_metric(s, f->name, value);
	return 0;
}

/* The first line of @text that says something, as plain ASCII, since it goes into JSON and mails.
 */
static char *first_line(const char *text)
{
	char *line;

	if (!text)
		return xstrdup("");
	text += strspn(text, " \t\r\n");
	line = xstrndup(text, strcspn(text, "\r\n"));
	if (strlen(line) > 300)
		line[300] = '\0';
	for (char *c = line; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return line;
}

static void set_reason(struct sample *s, enum sample_status status, char *reason)
{
	s->status = status;
	free(s->reason);
	s->reason = reason;
}

static void set_bad_exit(struct sample *s, const struct job_result *res)
{
	char *line = first_line(res->err_out);
	const char *colon = *line ? ": " : "";
	int status = res->exit_status;

	if (status == EXIT_SKIPPED)
		set_reason(s, SAMPLE_SKIPPED, *line ? xstrdup(line) : xstrdup("no reason given"));
	else if (status > 128)
		set_reason(s, SAMPLE_FAILED,
			xasprintf("killed by signal %d (%s)%s%s", status - 128,
				strsignal(status - 128), colon, line));
	else
		set_reason(s, SAMPLE_FAILED, xasprintf("exit status %d%s%s", status, colon, line));
	free(line);
}

void figures_of_result(
	const struct workload_spec *w, const struct job_result *res, struct sample *s)
{
	const char *out = res->out ? res->out : "";
	struct error err;

	s->elapsed_ns = res->elapsed_ns;
	if (res->status != SAMPLE_OK) {
		set_reason(s, res->status, first_line(res->reason));
		return;
	}
	if (res->exit_status) {
		set_bad_exit(s, res);
		return;
	}
	s->status = SAMPLE_OK;
	if (w->command ? figures_of_command(out, &w->figure, s, &err)
		       : figures_of_workload(out, s, &err))
		set_reason(s, SAMPLE_FAILED, first_line(err.text));
}
