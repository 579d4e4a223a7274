// SPDX-License-Identifier: GPL-2.0-or-later
/* What the program prints. JSON is written by hand: a static program that starts in microseconds.
 */
#include "output.h"

#include <math.h>
#include <string.h>

static void json_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((unsigned char)*s < ' ')
			fprintf(f, "\\u%04x", (unsigned char)*s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

static void json_key(FILE *f, const char *key)
{
	json_string(f, key);
	fputc(':', f);
}

static void json_member(FILE *f, const char *key, const char *s)
{
	json_key(f, key);
	json_string(f, s);
}

static void json_uint(FILE *f, const char *key, uint64_t n)
{
	json_key(f, key);
	fprintf(f, "%llu", (unsigned long long)n);
}

/* As json_uint() with a comma before it. */
static void json_next_uint(FILE *f, const char *key, uint64_t n)
{
	fputc(',', f);
	json_uint(f, key, n);
}

/* Of --ops and --duration only the one that ended the run. */
static bool in_use(const struct value *v, const struct result *res)
{
	if (!strcmp(v->param->name, "duration"))
		return res->by_time;
	return strcmp(v->param->name, "ops") || v->number;
}

static void result_params(FILE *f, const struct params *params, const struct result *res)
{
	const char *comma = "";

	fputs("\"params\":{", f);
	for (unsigned i = 0; i < params->n; i++) {
		const struct value *v = &params->value[i];

		if (!in_use(v, res))
			continue;
		fputs(comma, f);
		json_member(f, v->param->name, v->text);
		comma = ",";
	}
	fputc('}', f);
}

static void result_latency(FILE *f, const struct latency *l)
{
	static const struct {
		const char *name;
		double p;
	} points[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99_9", 0.999}};
	const char *comma = "";

	if (!hist_count(l->bucket, HIST_BUCKETS))
		return;
	fputs(",\"latency_ns\":{\"buckets\":[", f);
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		if (!l->bucket[i])
			continue;
		fprintf(f, "%s[%u,%llu]", comma, i, (unsigned long long)l->bucket[i]);
		comma = ",";
	}
	fputc(']', f);
	json_next_uint(f, "count", hist_count(l->bucket, HIST_BUCKETS));
	json_next_uint(f, "sum", l->sum);
	json_next_uint(f, "min", l->min);
	for (unsigned i = 0; i < ARRAY_SIZE(points); i++)
		json_next_uint(f, points[i].name,
			hist_percentile(l->bucket, HIST_BUCKETS, l->min, l->max, points[i].p));
	json_next_uint(f, "max", l->max);
	fputc('}', f);
}

static void result_workers(FILE *f, const struct run *run)
{
	const char *comma = "";

	fputs(",\"workers\":[", f);
	for (unsigned i = 0; i < run->nworkers; i++) {
		if (run->worker[i].role != ROLE_ACTIVE)
			continue;
		fprintf(f, "%s%llu", comma, (unsigned long long)run->worker[i].ops);
		comma = ",";
	}
	fputc(']', f);
	if (run->worker[0].cpu < 0)
		return;
	fputs(",\"cpus\":[", f);
	for (unsigned i = 0; i < run->nworkers; i++)
		fprintf(f, "%s%d", i ? "," : "", run->worker[i].cpu);
	fputc(']', f);
}

static uint64_t timeval_ns(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_usec * 1000;
}

static void result_usage(FILE *f, const struct rusage *u)
{
	fputs(",\"cpu\":{", f);
	json_uint(f, "user_ns", timeval_ns(&u->ru_utime));
	json_next_uint(f, "system_ns", timeval_ns(&u->ru_stime));
	fputs("},\"ctx_switches\":{", f);
	json_uint(f, "voluntary", u->ru_nvcsw);
	json_next_uint(f, "involuntary", u->ru_nivcsw);
	fputs("},\"faults\":{", f);
	json_uint(f, "minor", u->ru_minflt);
	json_next_uint(f, "major", u->ru_majflt);
	fputc('}', f);
}

static void result_figures(FILE *f, const struct result *res)
{
	const struct figure *figure = res->run->workload->figures;
	const char *comma = "";

	fputs(",\"figures\":{", f);
	for (unsigned i = 0; figure && figure[i].name; i++) {
		if (isnan(res->figure[i]))
			continue;
		fputs(comma, f);
		json_key(f, figure[i].name);
		fprintf(f, "%.12g", res->figure[i]);
		comma = ",";
	}
	fputc('}', f);
}

void output_result(FILE *f, const struct params *params, const struct result *res)
{
	double seconds = (double)res->elapsed_ns / 1e9;

	fputc('{', f);
	json_member(f, "workload", res->run->workload->name);
	fputc(',', f);
	result_params(f, params, res);
	json_next_uint(f, "ops", res->ops);
	json_next_uint(f, "elapsed_ns", res->elapsed_ns);
	fprintf(f, ",\"ops_per_s\":%.12g", seconds > 0 ? (double)res->ops / seconds : 0);
	if (res->timed)
		result_latency(f, &res->latency);
	result_workers(f, res->run);
	result_usage(f, &res->usage);
	result_figures(f, res);
	fputs("}\n", f);
}

void output_summary(FILE *f, const struct workload *w)
{
	fprintf(f, "%-11s %s\n", w->name, w->summary);
}

void output_description(FILE *f, const struct workload *w, const struct params *params)
{
	char expected[160];

	output_summary(f, w);
	if (w->same_as)
		fprintf(f, "same as: %s\n", w->same_as);
	fprintf(f, "\nParameters (defaults in brackets):\n");
	for (unsigned i = 0; i < params->n; i++) {
		const struct value *v = &params->value[i];

		param_expects(v->param, expected, sizeof(expected));
		fprintf(f, "  --%-12s %s [%s]\n%17s%s\n", v->param->name, v->param->help, v->text,
			"", expected);
	}
	if (w->figures)
		fprintf(f, "\nFigures:\n");
	for (const struct figure *figure = w->figures; figure && figure->name; figure++)
		fprintf(f, "  %-14s %s\n", figure->name, figure->help);
}

static void catalog_param(FILE *f, const struct value *v)
{
	const struct param *p = v->param;

	fputc('{', f);
	json_member(f, "name", p->name);
	fputc(',', f);
	json_member(f, "kind", param_kind_name(p->kind));
	fputc(',', f);
	json_member(f, "default", v->text);
	if (p->kind == PARAM_UINT || p->kind == PARAM_DURATION)
		fprintf(f, ",\"min\":\"%llu\",\"max\":\"%llu\"", (unsigned long long)p->min,
			(unsigned long long)p->max);
	if (p->choices) {
		fputs(",\"choices\":[", f);
		for (unsigned i = 0; p->choices[i]; i++) {
			if (i)
				fputc(',', f);
			json_string(f, p->choices[i]);
		}
		fputc(']', f);
	}
	fputc(',', f);
	json_member(f, "help", p->help);
	fputc('}', f);
}

void output_catalog_entry(FILE *f, const struct workload *w, const struct params *params)
{
	fputc('{', f);
	json_member(f, "name", w->name);
	fputc(',', f);
	json_member(f, "summary", w->summary);
	if (w->same_as) {
		fputc(',', f);
		json_member(f, "same_as", w->same_as);
	}
	fputs(",\"params\":[", f);
	for (unsigned i = 0; i < params->n; i++) {
		if (i)
			fputc(',', f);
		catalog_param(f, &params->value[i]);
	}
	fputs("],\"figures\":[", f);
	for (unsigned i = 0; w->figures && w->figures[i].name; i++) {
		fputs(i ? ",{" : "{", f);
		json_member(f, "name", w->figures[i].name);
		fputc(',', f);
		json_member(f, "help", w->figures[i].help);
		fputc('}', f);
	}
	fputs("]}", f);
}
