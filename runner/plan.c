// SPDX-License-Identifier: GPL-2.0-or-later
/* Cells, and the drawn order of boots and samples. */
#include "plan.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include "util.h"

#define MAX_CELLS 10000
#define MAX_SAMPLES 2000000

/* perf costs seconds to start in an emulated guest, and its counts say as much after two blocks. */
#define PERF_BLOCKS 2

/* Cells */

static bool overridden(const struct matrix *m, const char *workload, const char *key)
{
	for (size_t i = 0; i < m->narms; i++)
		for (size_t j = 0; j < m->arms[i].nparams; j++)
			if (!strcmp(m->arms[i].params[j].workload, workload) &&
				params_get(&m->arms[i].params[j].params, key))
				return true;
	return false;
}

static bool name_repeats(const struct matrix *m, const struct workload_spec *w)
{
	for (size_t i = 0; i < m->nworkloads; i++)
		if (&m->workloads[i] != w && !strcmp(m->workloads[i].name, w->name))
			return true;
	return false;
}

/*
 * What tells a cell from the others: parameters with more than one value, or all of them where the
 * workload stands twice in the matrix; what an arm overrides is the arm's, not the cell's.
 */
static char *cell_id(const struct matrix *m, const struct workload_spec *w, const struct params *p,
	const struct machine *machine)
{
	bool cpus = false, nodes = false, repeats = name_repeats(m, w);
	struct buf id = {0};

	buf_addstr(&id, w->name);
	for (size_t i = 0; i < w->ndims; i++)
		if ((w->dims[i].n > 1 || repeats) && !overridden(m, w->name, w->dims[i].key))
			buf_addf(&id, "/%s=%s", w->dims[i].key, params_get(p, w->dims[i].key));
	for (size_t i = 1; i < m->nmachines; i++) {
		cpus |= m->machines[i].cpus != m->machines[0].cpus;
		nodes |= m->machines[i].nodes != m->machines[0].nodes;
	}
	if (cpus)
		buf_addf(&id, "/cpus=%u", machine->cpus);
	if (nodes)
		buf_addf(&id, "/nodes=%u", machine->nodes);
	return id.data;
}

static int add_cell(struct plan *p, size_t workload, size_t machine, const size_t *at,
	const char *only, struct error *err)
{
	const struct matrix *m = p->matrix;
	const struct workload_spec *w = &m->workloads[workload];
	struct cell c = {.workload = workload, .machine = machine};

	for (size_t i = 0; i < w->ndims; i++)
		params_set(&c.params, w->dims[i].key, w->dims[i].values[at[i]]);
	c.id = cell_id(m, w, &c.params, &m->machines[machine]);
	if (only && fnmatch(only, c.id, 0)) {
		free(c.id);
		params_free(&c.params);
		return 0;
	}
	p->cells = xrealloc_array(p->cells, p->ncells + 1, sizeof(*p->cells));
	p->cells[p->ncells++] = c;
	for (size_t i = 0; i + 1 < p->ncells; i++)
		if (!strcmp(p->cells[i].id, c.id))
			return error_set(err, KAB_USAGE,
				"%s: two workloads make the same cell '%s'", w->place, c.id);
	if (p->ncells > MAX_CELLS)
		return error_set(err, KAB_USAGE, "%s: more than %d cells", w->place, MAX_CELLS);
	return 0;
}

/* Counts through all combinations of values, the last dimension fastest. False: that was the last.
 */
static bool next_combination(const struct workload_spec *w, size_t *at)
{
	for (size_t i = w->ndims; i-- > 0;) {
		if (++at[i] < w->dims[i].n)
			return true;
		at[i] = 0;
	}
	return false;
}

/* A glob of an arm that names nothing is a slip of the pen; with --only it may be on purpose. */
static int check_globs(const struct plan *p, struct error *err)
{
	for (size_t i = 0; i < p->matrix->narms; i++) {
		const struct arm *a = &p->matrix->arms[i];

		for (size_t j = 0; j < a->nonly; j++) {
			size_t k = 0;

			while (k < p->ncells && fnmatch(a->only[j], p->cells[k].id, 0))
				k++;
			if (k == p->ncells)
				return error_set(err, KAB_USAGE, "%s: aa: no cell matches '%s'", a->place,
					a->only[j]);
		}
	}
	return 0;
}

static int make_cells(struct plan *p, const char *only, struct error *err)
{
	const struct matrix *m = p->matrix;

	for (size_t machine = 0; machine < m->nmachines; machine++) {
		for (size_t w = 0; w < m->nworkloads; w++) {
			size_t *at = xcalloc(m->workloads[w].ndims + 1, sizeof(*at));
			int ret;

			do
				ret = add_cell(p, w, machine, at, only, err);
			while (!ret && next_combination(&m->workloads[w], at));
			free(at);
			if (ret)
				return ret;
		}
	}
	if (p->ncells)
		return only ? 0 : check_globs(p, err);
	return error_set(err, KAB_USAGE, "%s: no cell matches '%s'; 'kab run --dry-run' lists them",
		m->path, only);
}

/* Boots and samples */

/* Finalizer of splitmix64 (Steele, Lea and Flood 2014): neighbouring seeds give unrelated streams.
 */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/* The stream of one block depends on nothing but seed and block: more blocks leave the earlier ones
 * alone. */
static gsl_rng *block_stream(uint64_t seed, unsigned block)
{
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);

	gsl_rng_set(r, mix(seed ^ mix(block)) & 0xffffffff); /* all that this generator takes */
	return r;
}

static size_t *identity(size_t n)
{
	size_t *v = xcalloc(n, sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i] = i;
	return v;
}

/* Cells of one boot in the order in which they run. */
struct order {
	size_t *cell;
	size_t n;
	size_t warmups; /* the first so many are warm-ups */
	bool perf_stat; /* and run under perf stat */
	size_t timed;	/* the first so many are no passes */
	enum pass pass[PASSES]; /* what each round after them is */
	size_t round;	/* cells in a round */
};

/*
 * One round is every cell of the machine once, freshly shuffled, unless there is no @r: a machine whose boots all go the
 * same way is not to be given another way each time.
 */
static void add_round(struct order *o, size_t *cells, size_t n, gsl_rng *r)
{
	if (r)
		gsl_ran_shuffle(r, cells, n, sizeof(*cells));
	o->cell = xrealloc_array(o->cell, o->n + n, sizeof(*o->cell));
	memcpy(o->cell + o->n, cells, n * sizeof(*cells));
	o->n += n;
}

static bool asks_for(const struct matrix *m, enum pass pass)
{
	return pass == PASS_RECORD ? m->observers & OBSERVE_PERF_RECORD : m->tracepoints != NULL;
}

static struct order draw_order(const struct plan *p, size_t machine, unsigned block, gsl_rng *r)
{
	const struct matrix *m = p->matrix;
	struct order o = {.perf_stat = (m->observers & OBSERVE_PERF_STAT) && block < PERF_BLOCKS};
	size_t *cells = xcalloc(p->ncells, sizeof(*cells)), n = 0;
	/* perf needs samples to sit in that are never compared. */
	unsigned warmup = o.perf_stat && !m->warmup ? 1 : m->warmup;

	for (size_t i = 0; i < p->ncells; i++)
		if (p->cells[i].machine == machine &&
			(!p->cells[i].closed || block < p->cells[i].closed))
			cells[n++] = i;
	for (unsigned round = 0; n && round < warmup + m->samples; round++)
		add_round(&o, cells, n, m->executor == EXECUTOR_EXACT ? NULL : r);
	o.warmups = warmup * n;
	o.timed = o.n;
	o.round = n;
	for (unsigned pass = PASS_NONE + 1, k = 0; n && pass < PASSES; pass++) {
		if (!asks_for(m, pass))
			continue;
		add_round(&o, cells, n, r);
		o.pass[k++] = pass;
	}
	free(cells);
	return o;
}

static void add_boot(
	struct plan *p, unsigned block, size_t arm, size_t machine, const struct order *o)
{
	struct plan_boot *b;
	unsigned *turns;

	p->boots = xrealloc_array(p->boots, p->nboots + 1, sizeof(*p->boots));
	b = &p->boots[p->nboots];
	*b = (struct plan_boot){
		.id = xasprintf("b%03u.%s.m%zu", block, p->matrix->arms[arm].label, machine),
		.block = block,
		.number = p->nboots++,
		.arm = arm,
		.machine = machine,
		.samples = xcalloc(o->n, sizeof(*b->samples)),
		.nsamples = o->n,
	};
	b->nsamples = 0;
	turns = xcalloc(p->ncells, sizeof(*turns));
	for (size_t i = 0; i < o->n; i++) {
		unsigned seq = b->nsamples;
		enum pass pass = i < o->timed ? PASS_NONE : o->pass[(i - o->timed) / o->round];

		if (!arm_runs(&p->matrix->arms[arm], p->cells[o->cell[i]].id))
			continue;
		b->samples[b->nsamples++] = (struct plan_sample){
			.id = xasprintf("%s.s%03u", b->id, seq),
			.cell = o->cell[i],
			.seq = seq,
			.turn = turns[o->cell[i]]++,
			.warmup = i < o->warmups || pass,
			.perf_stat = i < o->warmups && o->perf_stat,
			.pass = pass,
		};
	}
	free(turns);
}

static bool has_work(const struct plan *p, size_t arm, const struct order *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (arm_runs(&p->matrix->arms[arm], p->cells[o->cell[i]].id))
			return true;
	return false;
}

/*
 * A block takes one machine after the other, and on each all arms in a row: those are the pairs,
 * and what drifts should have no time to drift between them.
 */
static void add_block(struct plan *p, unsigned block)
{
	const struct matrix *m = p->matrix;
	size_t *machines = identity(m->nmachines), *arms = identity(m->narms);
	gsl_rng *r = block_stream(p->seed, block);

	gsl_ran_shuffle(r, machines, m->nmachines, sizeof(*machines));
	for (size_t i = 0; i < m->nmachines; i++) {
		struct order o = draw_order(p, machines[i], block, r);

		gsl_ran_shuffle(r, arms, m->narms, sizeof(*arms));
		for (size_t j = 0; j < m->narms; j++)
			if (has_work(p, arms[j], &o))
				add_boot(p, block, arms[j], machines[i], &o);
		free(o.cell);
	}
	gsl_rng_free(r);
	free(machines);
	free(arms);
}

unsigned plan_blocks(const struct plan *p)
{
	return p->nboots ? p->boots[p->nboots - 1].block + 1 : 0;
}

void plan_extend(struct plan *p, unsigned blocks)
{
	for (unsigned block = plan_blocks(p); block < blocks; block++)
		add_block(p, block);
}

const char *pass_name(enum pass pass)
{
	static const char *const names[PASSES] = {NULL, "perf-record", "tracepoints"};

	return names[pass];
}

/* The plan as a whole */

static uint64_t draw_seed(void)
{
	uint64_t seed;

	/* Never 0, which means "not given". Early in a machine's life the time has to do. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = now_ns();
	return seed ? seed : 1;
}

/* What a resumed run must agree on: the matrix as read (not where it lies), options, seed. */
static void make_hash(struct plan *p, const struct plan_options *opt, unsigned blocks)
{
	json_t *o = json_pack("{s:o, s:I, s:b}", "matrix", matrix_to_json(p->matrix), "blocks",
		(json_int_t)blocks, "aa", opt->aa);
	char seed[24];
	char *text;

	snprintf(seed, sizeof(seed), "%" PRIu64, p->seed);
	json_object_set_new(o, "seed", json_string(seed));
	if (opt->only)
		json_object_set_new(o, "only", json_string(opt->only));
	text = json_dumps(o, JSON_SORT_KEYS | JSON_COMPACT);
	sha256_hex(text, strlen(text), p->hash);
	free(text);
	json_decref(o);
}

/* A copy of @m whose arms are all the baseline but for their labels. */
static struct matrix *make_aa(const struct matrix *m, struct error *err)
{
	struct matrix *aa = matrix_parse(m->path, m->text, err);
	const struct arm *baseline = matrix_arm(m, m->baseline);

	for (size_t i = 0; aa && i < aa->narms; i++) {
		arm_clear(&aa->arms[i]);
		arm_copy(&aa->arms[i], baseline, m->arms[i].label);
	}
	return aa;
}

static int check_size(const struct plan *p, unsigned blocks, struct error *err)
{
	const struct matrix *m = p->matrix;
	double n = (double)p->ncells * m->narms * blocks * (m->samples + m->warmup);

	if (n > MAX_SAMPLES)
		return error_set(err, KAB_USAGE,
			"%s: %.0f samples (%zu cells, %zu arms, %u blocks); expected at most %d",
			m->path, n, p->ncells, m->narms, blocks, MAX_SAMPLES);
	return 0;
}

struct plan *plan_make(const struct matrix *m, const struct plan_options *opt, struct error *err)
{
	static const struct plan_options defaults;
	struct plan *p = xcalloc(1, sizeof(*p));
	unsigned blocks;

	opt = opt ? opt : &defaults;
	blocks = opt->blocks ? opt->blocks : m->blocks;
	p->matrix = m;
	p->seed = opt->seed ? opt->seed : m->seed ? m->seed : draw_seed();
	if (opt->aa) {
		p->aa = make_aa(m, err);
		if (!p->aa)
			goto fail;
		p->matrix = p->aa;
	}
	if (make_cells(p, opt->only, err) || check_size(p, blocks, err))
		goto fail;
	plan_extend(p, blocks);
	make_hash(p, opt, blocks);
	return p;
fail:
	plan_free(p);
	return NULL;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->ncells; i++) {
		free(p->cells[i].id);
		params_free(&p->cells[i].params);
	}
	for (size_t i = 0; i < p->nboots; i++) {
		for (size_t j = 0; j < p->boots[i].nsamples; j++)
			free(p->boots[i].samples[j].id);
		free(p->boots[i].samples);
		free(p->boots[i].id);
	}
	free(p->cells);
	free(p->boots);
	matrix_free(p->aa);
	free(p);
}

double plan_p_floor(unsigned blocks)
{
	return blocks < 1 ? 1 : ldexp(2, -(int)blocks);
}

size_t plan_primary_comparisons(const struct plan *p)
{
	size_t n = 0, compared = 0;

	for (size_t i = 0; i < p->matrix->narms; i++)
		compared += p->matrix->arms[i].role == ARM_COMPARED;
	for (size_t i = 0; i < p->ncells; i++)
		n += !p->matrix->workloads[p->cells[i].workload].secondary;
	return n * (compared - 1);
}

unsigned plan_blocks_needed(size_t m, double alpha)
{
	unsigned blocks = 1;

	while (plan_p_floor(blocks) >= alpha / (m ? m : 1) && blocks < 1000)
		blocks++;
	return blocks;
}
