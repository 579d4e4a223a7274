// SPDX-License-Identifier: GPL-2.0-or-later
#include "looks.h"

#include <stdlib.h>

#include "sequential.h"
#include "util.h"

/* The test of rows whose last block is number @last - 1. */
struct stage {
	unsigned last;
	unsigned *blocks; /* of each look, @last among them */
	size_t n;
	struct sequential *test;
};

struct looks {
	unsigned *blocks;
	size_t n;
	unsigned max;
	struct stage *stages; /* made when first asked for: cells end at different looks */
	size_t nstages;
};

struct looks *looks_new(const unsigned *blocks, size_t n, unsigned max)
{
	struct looks *l = xcalloc(1, sizeof(*l));

	l->blocks = xcalloc(n, sizeof(*l->blocks));
	for (size_t i = 0; i < n; i++)
		l->blocks[i] = blocks[i];
	l->n = n;
	l->max = max;
	return l;
}

struct looks *looks_of_run(const json_t *run)
{
	const json_t *plan = json_object_get(run, "plan"), *list = json_object_get(plan, "looks");
	size_t n = json_array_size(list);
	unsigned *blocks;
	struct looks *l;

	if (!n)
		return NULL;
	blocks = xcalloc(n, sizeof(*blocks));
	for (size_t i = 0; i < n; i++)
		blocks[i] = (unsigned)json_integer_value(json_array_get(list, i));
	l = looks_new(blocks, n, (unsigned)json_integer_value(json_object_get(plan, "max_blocks")));
	free(blocks);
	return l;
}

void looks_free(struct looks *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->nstages; i++) {
		sequential_free(l->stages[i].test);
		free(l->stages[i].blocks);
	}
	free(l->stages);
	free(l->blocks);
	free(l);
}

static const struct stage *stage_at(struct looks *l, unsigned last)
{
	struct stage *s;
	double *t;

	for (size_t i = 0; i < l->nstages; i++)
		if (l->stages[i].last == last)
			return &l->stages[i];
	l->stages = xrealloc_array(l->stages, l->nstages + 1, sizeof(*l->stages));
	s = &l->stages[l->nstages++];
	*s = (struct stage){.last = last, .blocks = xcalloc(l->n + 1, sizeof(*s->blocks))};
	for (size_t i = 0; i < l->n && l->blocks[i] < last; i++)
		s->blocks[s->n++] = l->blocks[i];
	s->blocks[s->n++] = last;
	t = xcalloc(s->n, sizeof(*t));
	for (size_t i = 0; i < s->n; i++)
		t[i] = s->blocks[i] / (double)(last > l->max ? last : l->max);
	s->test = sequential_new(t, s->n);
	free(t);
	return s;
}

int looks_compare(struct looks *l, const struct pair *pairs, const unsigned *number, size_t n,
	const struct stats_options *opt, struct estimate *e)
{
	const struct stage *s = stage_at(l, number[n - 1] + 1);
	struct stats_options at = *opt;
	double p[s->n], floor[s->n];

	for (size_t i = 0, used = 0; i < s->n; i++) {
		while (used < n && number[used] < s->blocks[i])
			used++;
		at.alpha = sequential_level(s->test, i, opt->alpha);
		/* Nothing to look at yet is nothing to reject. */
		p[i] = floor[i] = 1;
		if (!used)
			continue;
		if (stats_compare(pairs, used, &at, e))
			return -1;
		p[i] = e->p;
		floor[i] = e->p_floor;
	}
	e->p = sequential_p(s->test, p, s->n);
	e->p_floor = sequential_p(s->test, floor, s->n);
	return 0;
}
