// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs of adaptive length: blocks are added until each cell is settled or the budget is spent. What
 * has been looked at, and which cells it closed, goes into run.json before anything follows from
 * it, so that a run that was stopped goes on as it would have.
 */
#include "run_adaptive.h"

#include <math.h>
#include <string.h>

#include "compare.h"
#include "util.h"

/* From one look to the next there are half as many blocks again: few looks cost little alpha. */
#define LOOK_GROWTH 1.5
#define MAX_BLOCKS 1000

void run_adaptive_restore(struct plan *p, const json_t *run)
{
	const json_t *closed = json_object_get(json_object_get(run, "plan"), "closed");

	for (size_t i = 0; i < p->ncells; i++)
		p->cells[i].closed =
			(unsigned)json_integer_value(json_object_get(closed, p->cells[i].id));
}

static unsigned max_blocks_of(const struct run *r)
{
	const json_t *plan = json_object_get(store_run(r->store), "plan");

	return (unsigned)json_integer_value(json_object_get(plan, "max_blocks"));
}

/* Seconds of all sessions of the run. */
static double spent_s(const struct run *r)
{
	const json_t *overhead = json_object_get(store_run(r->store), "overhead");
	json_int_t before = json_integer_value(json_object_get(overhead, "wall_ns"));

	return ((double)before + (double)(now_ns() - r->since_ns)) / 1e9;
}

/* How many blocks the budget allows, if all took as long as those so far. */
static unsigned affordable(const struct run *r, unsigned blocks)
{
	double n = blocks * r->plan->matrix->budget_s / fmax(spent_s(r), 1e-3);

	return (unsigned)fmin(fmax(n, blocks), MAX_BLOCKS);
}

static bool is_precise(const struct row *r, double precision)
{
	double half;

	if (r->metric.scale == SCALE_RATIO)
		return sqrt(r->e.hi / r->e.lo) - 1 <= precision;
	half = (r->e.hi - r->e.lo) / 2;
	return half <= precision * fabs(r->e.base_median);
}

/*
 * Nothing more is asked of this comparison; where nothing can be measured, more blocks are no help. However precise, what
 * could not yet be called a change at this look is not settled.
 */
static bool is_settled(const struct comparison *c, const struct row *r, double precision)
{
	if (r->no_ratio)
		return true;
	switch (r->verdict) {
	case VERDICT_SKIPPED:
	case VERDICT_FAILED:
	case VERDICT_SHOWN:
		return true;
	case VERDICT_UNCLEAR:
		return precision > 0 && is_precise(r, precision) && r->e.p_floor * (double)c->primary_count < c->alpha;
	default:
		return !(precision > 0) || is_precise(r, precision);
	}
}

enum cell_state { NOTHING_ASKED, SETTLED, OPEN };

static enum cell_state state_of(const struct comparison *c, const char *cell, double precision)
{
	enum cell_state state = NOTHING_ASKED;

	for (size_t i = 0; i < c->nrows; i++) {
		const struct row *r = &c->rows[i];

		if (!r->primary || r->control || strcmp(r->cell, cell))
			continue;
		if (!is_settled(c, r, precision))
			return OPEN;
		state = SETTLED;
	}
	return state;
}

/* Closes cells; returns how many stay open that something is still asked of. */
static size_t close_cells(struct run *r, const struct comparison *c, unsigned blocks)
{
	struct plan *p = r->plan;
	size_t open = 0;

	for (size_t i = 0; i < p->ncells; i++) {
		enum cell_state state = state_of(c, p->cells[i].id, p->matrix->precision);

		if (p->cells[i].closed)
			continue;
		if (state == SETTLED)
			p->cells[i].closed = blocks;
		open += state == OPEN;
	}
	return open;
}

static json_t *closed_json(const struct plan *p)
{
	json_t *o = json_object();

	for (size_t i = 0; i < p->ncells; i++)
		if (p->cells[i].closed)
			json_object_set_new(o, p->cells[i].id, json_integer(p->cells[i].closed));
	return o;
}

static int update_plan(struct run *r, json_t *changes, struct error *err)
{
	json_t *patch = json_pack("{s:o}", "plan", changes);
	int ret = store_update(r->store, patch, err);

	json_decref(patch);
	return ret;
}

/* Writes down that a look is taken after @blocks blocks, before anything is seen. */
static int record_look(struct run *r, unsigned blocks, struct error *err)
{
	const json_t *plan = json_object_get(store_run(r->store), "plan");
	json_t *looks = json_deep_copy(json_object_get(plan, "looks"));
	unsigned max = max_blocks_of(r);
	size_t n;

	looks = looks ? looks : json_array();
	n = json_array_size(looks);
	if (!n || json_integer_value(json_array_get(looks, n - 1)) < blocks)
		json_array_append_new(looks, json_integer(blocks));
	return update_plan(r,
		json_pack("{s:o,s:i}", "looks", looks, "max_blocks",
			(int)(max ? max : affordable(r, blocks))),
		err);
}

static unsigned next_look(const struct run *r, unsigned blocks)
{
	unsigned next = (unsigned)ceil(blocks * LOOK_GROWTH), max = max_blocks_of(r);
	/* The machine may have become slower, or faster since cells were closed. */
	unsigned time = affordable(r, blocks);

	next = next < max ? next : max;
	return next < time ? next : time;
}

int run_adaptive_next(struct run *r, struct error *err)
{
	unsigned blocks = plan_blocks(r->plan), next;
	struct comparison *c;
	size_t open;

	if (!(r->plan->matrix->budget_s > 0))
		return 0;
	if (record_look(r, blocks, err))
		return -1;
	c = compare_runs(r->store, NULL, &(struct compare_options){}, err);
	if (!c)
		return -1;
	open = close_cells(r, c, blocks);
	comparison_free(c);
	next = open ? next_look(r, blocks) : blocks;
	if (next <= blocks)
		return update_plan(r, json_pack("{s:o}", "closed", closed_json(r->plan)), err);
	plan_extend(r->plan, next);
	if (update_plan(r,
		    json_pack("{s:o,s:i,s:I}", "closed", closed_json(r->plan), "blocks", (int)next,
			    "boots", (json_int_t)r->plan->nboots),
		    err))
		return -1;
	return 1;
}
