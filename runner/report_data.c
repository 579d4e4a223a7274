// SPDX-License-Identifier: GPL-2.0-or-later
/* Run and comparison -> what a report says, whatever its format. */
#include "report_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>

#include "compare_rows.h"
#include "run_text.h"

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct spread spread_of(double *v, size_t n)
{
	struct spread s = {NAN, NAN, NAN, n, true};
	size_t k = 0;

	if (!n)
		return s;
	qsort(v, n, sizeof(*v), compare_doubles);
	/* P(fewer than k+1 of n lie below the median) <= 0.025 on either side. */
	while (gsl_cdf_binomial_P((unsigned)k, 0.5, (unsigned)n) <= 0.025)
		k++;
	s.median = gsl_stats_median_from_sorted_data(v, 1, n);
	s.range = !k;
	s.lo = v[k ? k - 1 : 0];
	s.hi = v[n - (k ? k : 1)];
	return s;
}

/* As the verdicts' table has it. */
static double median_of_samples(const struct blocks *b, bool arm)
{
	double *v = NULL, median;
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		const struct boot_values *boot = arm ? &b->v[i].arm : &b->v[i].base;

		v = xrealloc_array(v, n + boot->n + 1, sizeof(*v));
		for (size_t k = 0; k < boot->n; k++)
			v[n++] = boot->v[k].value;
	}
	median = spread_of(v, n).median;
	free(v);
	return median;
}

struct spread spread_of_blocks(const struct blocks *b, bool arm)
{
	double *v = xcalloc(b->n + 1, sizeof(*v));
	struct spread s;
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		double m = arm ? b->v[i].arm.median : b->v[i].base.median;

		if (isfinite(m))
			v[n++] = m;
	}
	s = spread_of(v, n);
	s.median = median_of_samples(b, arm);
	free(v);
	return s;
}

static struct block_values *block_at(struct blocks *b, unsigned number)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].block == number)
			return &b->v[i];
	b->v = xrealloc_array(b->v, b->n + 1, sizeof(*b->v));
	b->v[b->n] = (struct block_values){.block = number};
	return &b->v[b->n++];
}

static void add_reading(struct boot_values *b, const struct sample *s, double value)
{
	b->v = xrealloc_array(b->v, b->n + 1, sizeof(*b->v));
	b->v[b->n++] = (struct reading){s->id, value, s->seq, s->turn};
}

static double *plain_values(const struct boot_values *b)
{
	double *v = xcalloc(b->n + 1, sizeof(*v));

	for (size_t i = 0; i < b->n; i++)
		v[i] = b->v[i].value;
	return v;
}

static int compare_readings(const void *a, const void *b)
{
	const struct reading *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Sorts the readings. */
static unsigned *turns_of(struct boot_values *b)
{
	unsigned *turn = xcalloc(b->n + 1, sizeof(*turn));

	if (b->n)
		qsort(b->v, b->n, sizeof(*b->v), compare_readings);
	for (size_t i = 0; i < b->n; i++)
		turn[i] = b->v[i].turn;
	return turn;
}

static void finish_block(struct block_values *b, const struct metric *metric, bool paired)
{
	unsigned *base_turns = turns_of(&b->base), *arm_turns = turns_of(&b->arm);
	double *base = plain_values(&b->base), *arm = plain_values(&b->arm);
	struct pair pair = {{base, base_turns, b->base.n}, {arm, arm_turns, b->arm.n}};
	struct stats_options opt = {.ratio = metric->scale == SCALE_RATIO, .alpha = 0.05};
	struct estimate e;

	b->effect = NAN;
	if (paired && b->base.n && b->arm.n && !stats_compare(&pair, 1, &opt, &e))
		b->effect = e.effect;
	b->base.median = spread_of(base, b->base.n).median;
	b->arm.median = spread_of(arm, b->arm.n).median;
	free(base);
	free(arm);
	free(base_turns);
	free(arm_turns);
}

static int compare_blocks(const void *a, const void *b)
{
	const struct block_values *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

/* A mean is no metric, since a median of samples says more; published figures are means. */
static double value_of(const struct sample *s, const char *metric)
{
	if (!strcmp(metric, "latency_mean_ns"))
		return s->latency.count ? (double)s->latency.sum / (double)s->latency.count : NAN;
	return sample_metric(s, metric);
}

static void add_side(struct blocks *b, const struct measured_arm *side, bool arm, const char *cell, const char *metric)
{
	size_t n;
	const struct sample *s = store_samples(side->run, &n);

	for (size_t i = 0; i < n; i++) {
		struct block_values *block;
		double value;

		if (s[i].warmup || s[i].status != SAMPLE_OK || strcmp(s[i].cell, cell) || strcmp(s[i].arm, side->label))
			continue;
		value = value_of(&s[i], metric);
		if (!isfinite(value))
			continue;
		block = block_at(b, s[i].block);
		add_reading(arm ? &block->arm : &block->base, &s[i], value);
	}
}

struct blocks blocks_of(const struct measured_arm *base, const struct measured_arm *arm, const char *cell,
	const struct metric *metric)
{
	struct blocks b = {0};

	add_side(&b, base, false, cell, metric->name);
	add_side(&b, arm, true, cell, metric->name);
	for (size_t i = 0; i < b.n; i++)
		finish_block(&b.v[i], metric, base->run == arm->run);
	if (b.n)
		qsort(b.v, b.n, sizeof(*b.v), compare_blocks);
	return b;
}

void blocks_free(struct blocks *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free(b->v[i].base.v);
		free(b->v[i].arm.v);
	}
	free(b->v);
	*b = (struct blocks){0};
}

const char *report_text(const struct report *r, const char *object, const char *key)
{
	const json_t *o = store_run(r->run);
	const char *text =
		json_string_value(json_object_get(object ? json_object_get(o, object) : o, key));

	return text ? text : "";
}

bool report_is_main(const struct report *r, const struct row *row)
{
	return row->primary && row->control == r->controls_only;
}

static bool only_controls(const struct comparison *c)
{
	for (size_t i = 0; i < c->nrows; i++)
		if (!c->rows[i].control)
			return false;
	return c->nrows > 0;
}

size_t report_count(const struct report *r, enum verdict v)
{
	size_t n = 0;

	for (size_t i = 0; i < r->c->nrows; i++)
		n += report_is_main(r, &r->c->rows[i]) && r->c->rows[i].verdict == v;
	return n;
}

const char *report_verdict_plural(enum verdict v, size_t n)
{
	if (v == VERDICT_IMPROVEMENT && n != 1)
		return "improvements";
	if (v == VERDICT_REGRESSION && n != 1)
		return "regressions";
	return verdict_name(v);
}

char *report_summary(const struct report *r)
{
	static const enum verdict order[] = {VERDICT_REGRESSION, VERDICT_IMPROVEMENT,
		VERDICT_CHANGED, VERDICT_SAME, VERDICT_UNCLEAR, VERDICT_SKIPPED, VERDICT_FAILED,
		VERDICT_SHOWN};
	struct buf b = {0};
	size_t total = 0;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		size_t n = report_count(r, order[i]);

		/* Improvements and regressions are named even when there is none: that is the
		 * question. */
		if (n || order[i] == VERDICT_REGRESSION || order[i] == VERDICT_IMPROVEMENT)
			buf_addf(&b, "%s%zu %s", b.len ? ", " : "", n,
				report_verdict_plural(order[i], n));
		total += n;
	}
	if (!total) {
		buf_free(&b);
		return xstrdup("no primary comparison");
	}
	buf_addf(&b, " of %zu primary comparison%s", total, total == 1 ? "" : "s");
	return b.data;
}

char *report_method_line(const struct report *r)
{
	__free_char char *units = comparison_units(r->c->unit, r->c->blocks);

	return xasprintf("%s over %zu comparison%s, alpha %g, threshold %g %%, %u %s",
		r->c->correction ? r->c->correction : "uncorrected", r->c->primary_count,
		r->c->primary_count == 1 ? "" : "s", r->c->alpha, r->c->threshold * 100,
		r->c->blocks, units);
}

char *report_control_line(const struct report *r)
{
	double lo, hi;

	if (!r->c->control_total)
		return NULL;
	stats_proportion(r->c->control_changed, r->c->control_total, 0.05, &lo, &hi);
	return xasprintf("%zu of %zu comparisons of the baseline with itself came out as a change "
			 "(%.1f %%; 95 %% interval %.1f to %.1f %%)",
		r->c->control_changed, r->c->control_total,
		100.0 * (double)r->c->control_changed / (double)r->c->control_total, lo * 100,
		hi * 100);
}

static bool is_control_arm(const struct report *r, const char *label)
{
	bool some = false;

	for (size_t i = 0; i < r->c->nrows; i++) {
		if (strcmp(r->c->rows[i].arm, label))
			continue;
		if (!r->c->rows[i].control)
			return false;
		some = true;
	}
	return some;
}

/* Takes @shown. */
static void add_arm(struct report *r, const struct store *run, const char *label, char *shown)
{
	r->arms = xrealloc_array(r->arms, r->narms + 1, sizeof(*r->arms));
	r->arms[r->narms++] = (struct measured_arm){run, label, shown};
}

static bool has_rows(const struct report *r, const char *shown)
{
	for (size_t i = 0; i < r->c->nrows; i++)
		if (!strcmp(r->c->rows[i].arm, shown))
			return true;
	return false;
}

static void add_others(struct report *r)
{
	const struct matrix *m = store_matrix(r->other);

	for (size_t i = 0; i < m->narms; i++) {
		char *shown = row_arm_name(r->other, m, m->arms[i].label, r->c->baseline);

		if (has_rows(r, shown))
			add_arm(r, r->other, m->arms[i].label, shown);
		else
			free(shown);
	}
}

static void collect_arms(struct report *r)
{
	for (size_t i = 0; i < r->m->narms; i++) {
		const char *label = r->m->arms[i].label;
		const char *shown = row_shown_label(r->other ? r->run : NULL, r->m, label);

		if (!r->other || !strcmp(shown, r->c->baseline))
			add_arm(r, r->run, label, xstrdup(shown));
	}
	if (r->other)
		add_others(r);
}

const struct measured_arm *report_baseline(const struct report *r)
{
	for (size_t i = 0; i < r->narms; i++)
		if (!strcmp(r->arms[i].shown, r->c->baseline))
			return &r->arms[i];
	return NULL;
}

bool report_row_is_of(const struct report *r, const struct row *row, const struct measured_arm *arm)
{
	return !strcmp(row->arm, arm->shown) && !(r->other && arm->run == r->run);
}

bool report_has_cell(const struct report *r, const char *cell)
{
	for (size_t i = 0; r->other && i < r->c->nrows; i++)
		if (!strcmp(r->c->rows[i].cell, cell))
			return true;
	return !r->other;
}

struct blocks report_row_blocks(const struct report *r, const struct row *row)
{
	for (size_t i = 0; i < r->narms; i++)
		if (report_row_is_of(r, row, &r->arms[i]))
			return blocks_of(report_baseline(r), &r->arms[i], row->cell, &row->metric);
	return (struct blocks){0};
}

static char *make_title(const struct report *r)
{
	struct buf b = {0};

	if (r->narms == 1)
		return xasprintf("%s alone", r->c->baseline);
	for (size_t i = 0; i < r->narms; i++) {
		const char *label = r->arms[i].shown;

		if (strcmp(label, r->c->baseline) && (r->controls_only || !is_control_arm(r, label)))
			buf_addf(&b, "%s%s", b.len ? ", " : "", label);
	}
	if (!b.len)
		buf_addstr(&b, r->c->baseline);
	buf_addf(&b, " against %s%s", r->c->baseline,
		r->controls_only ? ": the baseline against itself" : "");
	return b.data;
}

/* One of @run, called @label; a kernel that kab did not build goes by its release. */
static char *arm_line(const struct store *run, const json_t *arm, const char *label)
{
	const char *release = json_string_value(json_object_get(json_object_get(store_run(run), "env"), "kernel_release"));
	__free_char char *made_of = run_text_arm(arm);

	if (json_string_value(json_object_get(arm, "base_version")))
		return xasprintf("%s: Linux %s", label, made_of);
	return xasprintf("%s: %s%s%s", label, made_of, release ? ", Linux " : "", release ? release : "");
}

void report_arms(const struct report *r, void (*tell)(struct buf *b, const char *text), struct buf *b)
{
	for (size_t i = 0; i < r->narms; i++) {
		const struct measured_arm *arm = &r->arms[i];
		const json_t *made = store_arm(arm->run, arm->label);
		__free_char char *line = made ? arm_line(arm->run, made, arm->shown) : NULL;

		if (line && (r->controls_only || arm == report_baseline(r) || !is_control_arm(r, arm->shown)))
			tell(b, line);
	}
}

/* "TCG", "KVM" or both, as the samples say; "" if they do not. Caller frees. */
static char *accelerators(const struct report *r)
{
	static const char *const known[] = {"TCG", "KVM"};
	bool seen[ARRAY_SIZE(known)] = {false};
	const struct store *runs[] = {r->run, r->other};
	struct buf b = {0};

	for (size_t j = 0; j < ARRAY_SIZE(runs) && runs[j]; j++) {
		size_t n;
		const struct sample *s = store_samples(runs[j], &n);

		for (size_t i = 0; i < n; i++) {
			const char *a = json_string_value(json_object_get(s[i].env, "accelerator"));

			for (size_t k = 0; a && k < ARRAY_SIZE(known); k++)
				seen[k] |= !strcasecmp(a, known[k]);
		}
	}
	buf_addstr(&b, "");
	for (size_t k = 0; k < ARRAY_SIZE(known); k++)
		if (seen[k])
			buf_addf(&b, "%s%s", b.len ? " and " : "", known[k]);
	return b.data;
}

static void add_range(struct buf *b, const struct report *r, const char *unit, bool nodes)
{
	unsigned lo = ~0u, hi = 0;

	for (size_t i = 0; i < r->m->nmachines; i++) {
		unsigned v = nodes ? r->m->machines[i].nodes : r->m->machines[i].cpus;

		lo = v < lo ? v : lo;
		hi = v > hi ? v : hi;
	}
	if (!hi || (nodes && hi == 1))
		return;
	buf_addf(b, ", %u", lo);
	if (hi != lo)
		buf_addf(b, " to %u", hi);
	buf_addf(b, " %s%s", unit, hi == 1 ? "" : "s");
}

static void describe_machine(struct report *r)
{
	struct buf b = {0};
	__free_char char *accel = accelerators(r);
	const char *label = report_text(r, "env", "label");

	switch (r->m->executor) {
	case EXECUTOR_VM:
		buf_addf(&b, "vm executor%s%s", *accel ? ", QEMU with " : "", accel);
		r->corner =
			strstr(accel, "TCG")
				? xasprintf("vm, %s: times do not stand for hardware; counts do",
					  accel)
				: xasprintf("vm%s%s", *accel ? ", " : "", accel);
		break;
	case EXECUTOR_EXACT:
		buf_addstr(&b, "exact executor, QEMU with -icount");
		r->corner =
			xstrdup(matrix_has_several_cpus(r->m)
					? "exact: time is executed instructions, summed over CPUs"
					: "exact: time is executed instructions");
		break;
	case EXECUTOR_LOCAL:
		/* Of two runs each kernel has its line. */
		buf_addf(&b, "local executor%s%s", *label && !r->other ? ", kernel called " : "", r->other ? "" : label);
		r->corner = xstrdup(r->other ? "local: running kernels, measured apart" : "local: this machine's running kernel");
		break;
	}
	add_range(&b, r, "vCPU", false);
	add_range(&b, r, "node", true);
	r->machine = b.data;
}

static const char *cpu_model(const struct store *run)
{
	const char *model = json_string_value(json_object_get(json_object_get(store_run(run), "env"), "cpu_model"));

	return model ? model : "";
}

char *report_cpu_models(const struct report *r)
{
	const char *first = cpu_model(r->run), *second = r->other ? cpu_model(r->other) : first;

	return xasprintf("%s%s%s", first, *second && strcmp(first, second) ? " and " : "", *second && strcmp(first, second) ? second : "");
}

static void add_word(struct report *r, char *word)
{
	r->command = xrealloc_array(r->command, r->ncommand + 1, sizeof(*r->command));
	r->command[r->ncommand++] = word;
}

/* An option that the run was started with, as run.json's "options" hold it. */
static void add_option(struct report *r, const char *key)
{
	const json_t *v = json_object_get(json_object_get(store_run(r->run), "options"), key);

	if (!json_is_true(v) && !json_is_string(v))
		return;
	add_word(r, xasprintf("--%s", key));
	if (json_is_string(v))
		add_word(r, xstrdup(json_string_value(v)));
}

/*
 * The matrix is named as it is from the top of a source tree; where that tree lay says nothing to a
 * reader. That of kab try was made for it, and its own words stand for it.
 */
static void make_command(struct report *r)
{
	static const char *const options[] = {"only", "aa", "label"};
	const json_t *blocks =
		json_object_get(json_object_get(store_run(r->run), "plan"), "blocks");
	const char *path = report_text(r, "matrix", "path"), *in_tree = strstr(path, "/matrix/");
	const json_t *tried = json_object_get(store_run(r->run), "tried"), *word;
	size_t i;

	for (const char *next = in_tree; next; next = strstr(next + 1, "/matrix/"))
		in_tree = next;
	add_word(r, xstrdup("kab"));
	add_word(r, xstrdup(tried ? "try" : "run"));
	json_array_foreach ((json_t *)tried, i, word)
		add_word(r, xstrdup(json_string_value(word) ? json_string_value(word) : ""));
	if (!tried)
		add_word(r, xstrdup(in_tree ? in_tree + 1 : path));
	add_word(r, xstrdup("--seed"));
	add_word(r, xstrdup(report_text(r, "plan", "seed")));
	for (i = 0; i < ARRAY_SIZE(options); i++)
		add_option(r, options[i]);
	if (json_is_integer(blocks) && json_integer_value(blocks) != r->m->blocks) {
		add_word(r, xstrdup("--blocks"));
		add_word(r, xasprintf("%lld", (long long)json_integer_value(blocks)));
	}
}

char *report_run_name(const struct store *run)
{
	__free_char char *real = realpath(store_path(run), NULL);
	const char *path = real ? real : store_path(run), *slash = strrchr(path, '/');

	return xstrdup(slash && slash[1] ? slash + 1 : path);
}

int report_data_make(const struct store *run, const struct store *other, const struct comparison *c, struct report *r,
	struct error *err)
{
	struct plan_options opt = {.seed = 1}; /* the seed has no say in which cells there are */

	*r = (struct report){.run = run, .other = other, .c = c, .m = store_matrix(run)};
	r->name = report_run_name(run);
	r->other_name = other ? report_run_name(other) : NULL;
	collect_arms(r);
	r->plan = plan_make(r->m, &opt, err);
	if (!r->plan)
		return -1;
	r->controls_only = only_controls(c);
	r->title = make_title(r);
	describe_machine(r);
	make_command(r);
	if (other) {
		struct report o = {.run = other, .m = store_matrix(other)};

		make_command(&o);
		r->other_command = o.command;
		r->nother_command = o.ncommand;
	}
	report_conditions(r);
	if (!other && !strcmp(c->baseline, r->m->baseline) && along_make(run, &r->along, err))
		return -1;
	/* Of one patch the verdicts say as much. */
	if (r->along.nsteps == 1)
		along_clear(&r->along);
	return other ? 0 : published_collect(run, r->plan, &r->published, err);
}

void report_data_clear(struct report *r)
{
	for (size_t i = 0; i < r->ncommand; i++)
		free(r->command[i]);
	free(r->command);
	for (size_t i = 0; i < r->nother_command; i++)
		free(r->other_command[i]);
	free(r->other_command);
	report_conditions_clear(r);
	for (size_t i = 0; i < r->narms; i++)
		free(r->arms[i].shown);
	free(r->arms);
	published_list_clear(&r->published);
	along_clear(&r->along);
	plots_clear(&r->plots);
	if (r->plan)
		plan_free(r->plan);
	free(r->name);
	free(r->other_name);
	free(r->title);
	free(r->machine);
	free(r->corner);
	*r = (struct report){0};
}
