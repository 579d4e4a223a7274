// SPDX-License-Identifier: GPL-2.0-or-later
/* What was drawn, for people and for programs. */
#include <math.h>
#include <string.h>

#include "draws.h"
#include "util.h"

static double percent(size_t part, size_t all)
{
	return all ? 100.0 * part / all : NAN;
}

static void add_line(struct buf *b, const struct draw_row *r, int cell_width, int arm_width)
{
	const char *cell = r->cell ? r->cell : r->control ? "all controls" : "all cells";

	buf_addf(b, "%-*s  %-*s  ", cell_width, cell, arm_width, r->arm ? r->arm : "");
	if (isfinite(r->effect))
		buf_addf(b, "%8.4g", r->effect);
	else
		buf_addf(b, "%8s", "");
	buf_addf(b, "  %5zu  %8zu  %5.1f  [%4.1f, %5.1f]", r->draws, r->disjoint,
		percent(r->changed, r->draws), 100 * r->lo, 100 * r->hi);
	for (size_t i = 0; i < RULES; i++)
		buf_addf(
			b, "  %*.1f", (int)strlen(rules[i].name), percent(r->by_rule[i], r->draws));
	buf_addf(b, "%s\n", r->control ? "  A/A" : "");
}

char *draws_table(const struct draws *d)
{
	int cell_width = strlen("all controls"), arm_width = strlen("arm");
	size_t wrong = 0;
	struct buf b = {};

	for (size_t i = 0; i < d->n; i++) {
		int cell = d->v[i].cell ? strlen(d->v[i].cell) : 0;
		int arm = d->v[i].arm ? strlen(d->v[i].arm) : 0;

		cell_width = cell > cell_width ? cell : cell_width;
		arm_width = arm > arm_width ? arm : arm_width;
		wrong += d->v[i].cell ? d->v[i].wrong_way : 0;
	}
	buf_addf(&b, "Called a change, in %% of comparisons of %u blocks", d->blocks);
	if (isfinite(d->seconds))
		buf_addf(&b, " (%.1f minutes each)", d->seconds / 60);
	buf_addf(&b, ", drawn from the run's own:\n\n%-*s  %-*s  %8s  %5s  %8s  %5s  %-13s",
		cell_width, "cell", arm_width, "arm", "effect", "drawn", "disjoint", "kab",
		"95 % interval");
	for (size_t i = 0; i < RULES; i++)
		buf_addf(&b, "  %s", rules[i].name);
	buf_addstr(&b, "\n");
	for (size_t i = 0; i < d->n; i++)
		add_line(&b, &d->v[i], cell_width, arm_width);
	buf_addf(&b,
		"\nBlocks are dealt out at random into comparisons that share none, anew until "
		"there "
		"are enough;\nintervals count the disjoint ones of one dealing alone. Called a "
		"change "
		"in the wrong direction by kab: %zu.\n",
		wrong);
	return b.data;
}

static json_t *row_json(const struct draw_row *r)
{
	json_t *by_rule = json_object();

	for (size_t i = 0; i < RULES; i++)
		json_object_set_new(by_rule, rules[i].name, json_integer(r->by_rule[i]));
	return json_pack("{s:s?,s:s?,s:b,s:o,s:I,s:I,s:I,s:I,s:f,s:f,s:o}", "cell", r->cell, "arm",
		r->arm, "control", r->control, "effect",
		isfinite(r->effect) ? json_real(r->effect) : json_null(), "draws",
		(json_int_t)r->draws, "disjoint", (json_int_t)r->disjoint, "changed",
		(json_int_t)r->changed, "wrong_way", (json_int_t)r->wrong_way, "rate_lo", r->lo,
		"rate_hi", r->hi, "by_rule", by_rule);
}

json_t *draws_to_json(const struct draws *d)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < d->n; i++)
		json_array_append_new(rows, row_json(&d->v[i]));
	return json_pack("{s:i,s:o,s:o}", "blocks", (int)d->blocks, "seconds",
		isfinite(d->seconds) ? json_real(d->seconds) : json_null(), "rows", rows);
}
