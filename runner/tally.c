// SPDX-License-Identifier: GPL-2.0-or-later
#include "tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

static struct tally *find(struct tallies *t, const char *cell, const char *arm)
{
	/* Neighbours in a run often share cell and arm, so the newest are tried first. */
	for (size_t i = t->n; i-- > 0;)
		if (!strcmp(t->v[i].cell, cell) && !strcmp(t->v[i].arm, arm))
			return &t->v[i];
	return NULL;
}

static struct tally *find_or_add(struct tallies *t, const struct sample *s)
{
	struct tally *found = find(t, s->cell, s->arm);

	if (found)
		return found;
	t->v = xrealloc_array(t->v, t->n + 1, sizeof(*t->v));
	t->v[t->n] = (struct tally){.cell = s->cell, .arm = s->arm};
	return &t->v[t->n++];
}

static void add_ok(struct tally *t, const struct sample *s)
{
	/* Grows in powers of two. */
	if (!(t->nok & (t->nok - 1)))
		t->ok = xrealloc_array(t->ok, t->nok ? 2 * t->nok : 1, sizeof(*t->ok));
	t->ok[t->nok++] = s;
}

static void add(struct tally *t, const struct sample *s)
{
	if (s->status == SAMPLE_OK && s->pass) {
		t->passes++;
	} else if (s->status == SAMPLE_OK && s->warmup) {
		t->warmups++;
	} else if (s->status == SAMPLE_OK) {
		add_ok(t, s);
	} else if (s->status == SAMPLE_SKIPPED) {
		t->skip = t->skip ? t->skip : s;
		t->skipped++;
	} else {
		t->failure = t->failure ? t->failure : s;
		t->failed++;
	}
}

static int by_number(unsigned a, unsigned b)
{
	return (a > b) - (a < b);
}

static int by_place(const void *left, const void *right)
{
	const struct sample *a = *(const struct sample *const *)left;
	const struct sample *b = *(const struct sample *const *)right;
	int order = by_number(a->block, b->block);

	order = order ? order : by_number(a->boot, b->boot);
	return order ? order : by_number(a->seq, b->seq);
}

void tallies_collect(const struct store *run, bool apart, struct tallies *t)
{
	size_t n;
	const struct sample *s = store_samples(run, &n);

	*t = (struct tallies){};
	for (size_t i = 0; i < n; i++)
		add(find_or_add(t, &s[i]), &s[i]);
	for (size_t i = 0; i < t->n; i++)
		t->v[i].apart = apart;
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].nok)
			qsort(t->v[i].ok, t->v[i].nok, sizeof(*t->v[i].ok), by_place);
}

void tallies_clear(struct tallies *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].ok);
	free(t->v);
	*t = (struct tallies){};
}

const struct tally *tallies_find(const struct tallies *t, const char *cell, const char *arm)
{
	return find((struct tallies *)t, cell, arm);
}

static unsigned unit_number(const struct sample *s, enum unit unit, size_t position)
{
	switch (unit) {
	case UNIT_BLOCK:
		return s->block;
	case UNIT_BOOT:
		return s->boot;
	case UNIT_SAMPLE:
		break;
	}
	return position;
}

void groups_make(const struct tally *t, const char *metric, enum unit unit, struct groups *g)
{
	groups_make_without(t, metric, 0, unit, g);
}

void groups_make_without(const struct tally *t, const char *metric, double fixed, enum unit unit, struct groups *g)
{
	size_t nok = t ? t->nok : 0, used = 0;

	g->v = xcalloc(nok, sizeof(*g->v));
	g->number = xcalloc(nok, sizeof(*g->number));
	g->values = xcalloc(nok, sizeof(*g->values));
	g->turns = xcalloc(nok, sizeof(*g->turns));
	g->n = 0;
	for (size_t i = 0; i < nok; i++) {
		double share = fixed > 0 ? fixed / (double)t->ok[i]->ops : 0;
		double value = sample_metric(t->ok[i], metric) - share;
		unsigned number = unit_number(t->ok[i], unit, i);

		if (!isfinite(value))
			continue;
		if (!g->n || g->number[g->n - 1] != number) {
			g->v[g->n] = (struct group){.v = g->values + used,
				.turn = !t->apart && unit == UNIT_BLOCK ? g->turns + used : NULL};
			g->number[g->n++] = number;
		}
		g->turns[used] = t->ok[i]->turn;
		g->values[used++] = value;
		g->v[g->n - 1].n++;
	}
}

void groups_clear(struct groups *g)
{
	free(g->v);
	free(g->number);
	free(g->values);
	free(g->turns);
	*g = (struct groups){};
}
