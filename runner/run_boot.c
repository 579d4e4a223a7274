// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One boot of the plan, through as many lives as it takes. A machine that is lost is started again
 * for the samples it still owes, each start a life of its own, told apart in every sample; what a
 * life has cost is bounded.
 *
 * A sample whose machine died of a write that the emulator lost is owed, too: it says nothing of the
 * arm. How many there were stands in the environment of the lives that follow, as tcg_job_retries.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"
#include "util.h"

/* What is known of a boot between its lives. */
struct boot_state {
	const struct plan_boot *boot;
	unsigned life;	  /* of the next start */
	unsigned lost;	  /* machines lost in this session */
	unsigned lost_writes; /* to the emulator, which do not count as that */
	char reason[512]; /* why the last one was, or did not come up */
};

/* The next sample from @from on that is not in the store, or nsamples. */
static size_t next_missing(const struct run *r, const struct plan_boot *b, size_t from)
{
	while (from < b->nsamples && store_has(r->store, b->samples[from].id))
		from++;
	return from;
}

static void tell(struct run *r, const struct plan_boot *b, const char *what)
{
	unsigned blocks = r->plan->boots[r->plan->nboots - 1].block + 1;
	char stage[64];

	if (!r->progress)
		return;
	snprintf(stage, sizeof(stage), "block %u of %u", b->block + 1, blocks);
	progress_update(r->progress, stage, what, r->done, r->total);
}

static void tell_arm(struct run *r, const struct plan_boot *b, const char *what)
{
	__free_char char *text = xasprintf("%s: %s", r->plan->matrix->arms[b->arm].label, what);

	tell(r, b, text);
}

static bool is_local(const struct run *r)
{
	return r->plan->matrix->executor == EXECUTOR_LOCAL;
}

/* The first life that has left nothing behind, in this session or an earlier one. */
static unsigned next_life(const struct run *r, const struct plan_boot *b)
{
	unsigned life = 0;

	for (;; life++) {
		__free_char char *path = store_boot_path(r->store, b->number, life);

		if (access(path, F_OK))
			return life;
	}
}

/* What samples say of where they ran; all of it is in boot.json, and its hash (but for times) leads
 * there. */
static json_t *short_env(const json_t *env)
{
	static const char *const kept[] = {
		"accelerator", "kernel_release", "label", "tcg_job_retries"};
	json_t *o = json_object(), *lasting = json_copy((json_t *)env);
	char *text, hex[65];

	json_object_del(lasting, "boot_ms");
	json_object_del(lasting, "qemu_to_ready_ms");
	json_object_del(lasting, "tcg_boot_retries");
	json_object_del(lasting, "tcg_job_retries");
	text = json_dumps(lasting, JSON_SORT_KEYS | JSON_COMPACT);
	sha256_hex(text, strlen(text), hex);
	hex[16] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (json_object_get(env, kept[i]))
			json_object_set(o, kept[i], json_object_get(env, kept[i]));
	json_object_set_new(o, "hash", json_string(hex));
	free(text);
	json_decref(lasting);
	return o;
}

static int write_boot_json(
	struct run *r, const struct boot_state *st, json_t *env, struct error *err)
{
	__free_char char *dir = store_boot_path(r->store, st->boot->number, st->life);
	__free_char char *path = xasprintf("%s/boot.json", dir);
	json_t *o = json_pack("{s:i,s:s,s:s,s:i,s:O}", "number", (int)st->boot->number, "id",
		st->boot->id, "arm", r->plan->matrix->arms[st->boot->arm].label, "life",
		(int)st->life, "env", env);
	char *text = json_dumps(o, JSON_INDENT(1) | JSON_SORT_KEYS);
	int ret = file_write_atomic(path, text, strlen(text), err);

	free(text);
	json_decref(o);
	return ret;
}

/* What @boot asks of the executor, in the folder @dir; strings are borrowed. */
static struct boot_request request(
	const struct run *r, const struct plan_boot *boot, const char *dir)
{
	const struct matrix *m = r->plan->matrix;
	const struct run_arm *arm = &r->arms[boot->arm];

	return (struct boot_request){
		.arm = arm->arm,
		.machine = &m->machines[boot->machine],
		.kernel = arm->kernel.image,
		.kernel_dir = arm->kernel.dir,
		.dir = dir,
		.share = m->share,
		.need_root = run_needs_root(r->plan),
		.debug_kernel = arm->kernel.debug,
		.label = r->label,
		.count_functions = m->observers & OBSERVE_FUNCTIONS,
	};
}

static void start(struct run *r, const struct boot_state *st, const char *dir,
	struct executor **ex, struct error *err)
{
	struct boot_request req = request(r, st->boot, dir);
	uint64_t begin = now_ns();

	tell_arm(r, st->boot, is_local(r) ? "starting" : "booting");
	*ex = r->ops->boot(&req, err);
	r->times.boot += now_ns() - begin;
}

/* Tries up to RUN_BOOT_TRIES times. 0 and a machine; 1: it does not boot; -1. */
static int start_hard(struct run *r, struct boot_state *st, struct executor **ex, struct error *err)
{
	for (unsigned try = 1; try <= RUN_BOOT_TRIES; try++) {
		__free_char char *dir = store_boot_dir(r->store, st->boot->number, st->life, err);

		if (!dir)
			return -1;
		start(r, st, dir, ex, err);
		if (*ex) {
			r->arms[st->boot->arm].booted = true;
			return 0;
		}
		if (kab_interrupted || err->status == KAB_INTERRUPTED)
			return error_set(err, KAB_INTERRUPTED, "interrupted");
		snprintf(st->reason, sizeof(st->reason), "%.*s", (int)strcspn(err->text, "\n"),
			err->text);
		if (r->progress)
			progress_note(r->progress, "%s %s, try %u of %d: %s",
				executor_boot_name(r->plan->matrix->executor), st->boot->id, try, RUN_BOOT_TRIES, st->reason);
		st->life++;
	}
	return 1;
}

static bool went_well(const struct run *r, const char *id)
{
	const struct sample *v;
	size_t n;

	v = store_samples(r->store, &n);
	while (n-- > 0)
		if (!strcmp(v[n].id, id))
			return v[n].status == SAMPLE_OK;
	return false;
}

/*
 * The warm-up at @i, done in an earlier life, belongs to a cell that still owes samples in this
 * boot. One that failed is not repeated: it may be what cost that life.
 */
static bool still_needed(const struct run *r, const struct plan_boot *b, size_t i)
{
	if (!b->samples[i].warmup || !went_well(r, b->samples[i].id))
		return false;
	for (size_t j = i + 1; j < b->nsamples; j++)
		if (b->samples[j].cell == b->samples[i].cell && !b->samples[j].warmup &&
			!store_has(r->store, b->samples[j].id))
			return true;
	return false;
}

/*
 * Runs the sample at @i of the plan if it is missing. A later life finds caches cold, so warm-ups
 * of cells that are not done are repeated in it, under an id of their own. 0: done; otherwise as
 * run_sample().
 */
static int run_if_missing(struct run *r, const struct boot_life *life, size_t i, struct error *err)
{
	const struct plan_boot *b = life->boot;
	const struct plan_sample *ps = &b->samples[i];
	bool again = store_has(r->store, ps->id);
	__free_char char *id = again ? xasprintf("%s.life%u", ps->id, life->life) : xstrdup(ps->id);
	int ret;

	if (again && !still_needed(r, b, i))
		return 0;
	if (kab_interrupted)
		return error_set(err, KAB_INTERRUPTED, "interrupted");
	tell_arm(r, b, r->plan->cells[ps->cell].id);
	ret = run_sample(r, life, ps, id, again, err);
	r->done += (!ret || ret == RUN_LOST) && !again;
	return ret;
}

/* Who reads that an arm was measured should know what it took to get it up. */
static void tell_retries(struct run *r, const struct plan_boot *boot, const json_t *env)
{
	json_int_t retries = json_integer_value(json_object_get(env, "tcg_boot_retries"));

	if (retries && r->progress)
		progress_note(r->progress,
			"boot %s: up at try %d, the emulator was at fault before (tcg_boot_retries)",
			boot->id, (int)retries + 1);
}

/* Of a machine that has come up. */
static int life_begin(struct run *r, const struct boot_state *st, struct executor *ex,
	struct boot_life *life, struct error *err)
{
	const bool debug = r->arms[st->boot->arm].kernel.debug;
	json_t *env = r->ops->env(ex);

	tell_retries(r, st->boot, env);
	if (st->lost_writes)
		json_object_set_new(env, "tcg_job_retries", json_integer(st->lost_writes));
	*life = (struct boot_life){
		.boot = st->boot,
		.ex = ex,
		.env = short_env(env),
		.life = st->life,
		/* A counted instruction costs many of the host's; a checked lock or access as well.
		 */
		.timeout_factor =
			(debug ? 10 : 1) * (r->plan->matrix->executor == EXECUTOR_EXACT ? 20 : 1),
		.spares_lost_writes = st->lost_writes < RUN_LOST_WRITES,
	};
	return write_boot_json(r, st, env, err);
}

static void life_end(struct run *r, struct boot_life *life)
{
	uint64_t begin = now_ns();

	json_decref(life->env);
	r->ops->shutdown(life->ex);
	life->ex = NULL;
	r->times.boot += now_ns() - begin;
}

/* One life of a machine that is up. 0: all done; otherwise as run_sample(). */
static int live(struct run *r, struct boot_state *st, struct executor *ex, struct error *err)
{
	struct boot_life life;
	int ret = life_begin(r, st, ex, &life, err);

	for (size_t i = 0; i < st->boot->nsamples && !ret; i++)
		ret = run_if_missing(r, &life, i, err);
	life_end(r, &life);
	return ret;
}

static void note_loss(struct boot_state *st, int ret)
{
	st->lost += ret == RUN_LOST;
	st->lost_writes += ret == RUN_AGAIN;
}

static int give_up(struct run *r, const struct boot_state *st, enum sample_status status,
	const char *reason, struct error *err)
{
	const struct plan_boot *b = st->boot;

	for (size_t i = next_missing(r, b, 0); i < b->nsamples; i = next_missing(r, b, i + 1)) {
		if (run_give_up(r, b, &b->samples[i], st->life, status, reason, err))
			return -1;
		r->done++;
	}
	return 0;
}

static int never_boots(const struct run *r, const struct boot_state *st, struct error *err)
{
	__free_char char *dir =
		store_boot_path(r->store, st->boot->number, st->life ? st->life - 1 : 0);

	return error_set(err, KAB_ENVIRONMENT,
		"arm %s does not %s, in %d tries: %s\nits console: %s/console.log",
		r->plan->matrix->arms[st->boot->arm].label, is_local(r) ? "start" : "boot", RUN_BOOT_TRIES, st->reason, dir);
}

static int go_through_lives(struct run *r, struct boot_state *st, struct error *err)
{
	while (next_missing(r, st->boot, 0) < st->boot->nsamples) {
		struct executor *ex;
		char reason[600];
		int ret;

		if (st->lost > RUN_EXTRA_LIVES) {
			snprintf(reason, sizeof(reason), "not run: this %s was lost %u times",
				executor_boot_name(r->plan->matrix->executor), st->lost);
			return give_up(r, st, SAMPLE_FAILED, reason, err);
		}
		ret = start_hard(r, st, &ex, err);
		if (ret > 0 && !r->arms[st->boot->arm].booted)
			return never_boots(r, st, err);
		if (ret > 0)
			return give_up(r, st, SAMPLE_NO_BOOT, st->reason, err);
		if (ret < 0)
			return -1;
		ret = live(r, st, ex, err);
		if (ret < 0)
			return -1;
		note_loss(st, ret);
		st->life++;
	}
	return 0;
}

static int run_boot(struct run *r, struct boot_state *st, struct error *err)
{
	if (next_missing(r, st->boot, 0) == st->boot->nsamples)
		return 0;
	st->life = next_life(r, st->boot);
	return go_through_lives(r, st, err);
}

/*
 * Boots side by side: one of each arm, all up before the first sample and until the last, and
 * sample by sample in turn, so that arms are compared within a second of each other instead of
 * within a boot. One machine runs at a time; the others are idle. This is for machines without
 * trouble: whatever is missing afterwards is run_boot()'s.
 */
struct member {
	struct boot_state *st;
	struct boot_life life; /* ex NULL: not up, or no longer */
	char *dir;
	size_t next; /* of its samples */
};

/* Those that do not come up are tried again later, one by one. */
static void launch_all(struct run *r, struct member *m, size_t n)
{
	struct error err;

	for (size_t i = 0; i < n; i++) {
		struct boot_request req = request(r, m[i].st->boot, m[i].dir);

		tell_arm(r, m[i].st->boot, "booting");
		m[i].life.ex = r->ops->launch(&req, &err);
	}
	for (size_t i = 0; i < n; i++) {
		struct boot_request req = request(r, m[i].st->boot, m[i].dir);

		if (m[i].life.ex)
			r->ops->await(&m[i].life.ex, &req, &err);
	}
}

static int start_all(struct run *r, struct member *m, size_t n, struct error *err)
{
	uint64_t begin = now_ns();
	size_t up = 0;

	for (size_t i = 0; i < n; i++) {
		m[i].st->life = next_life(r, m[i].st->boot);
		m[i].dir = store_boot_dir(r->store, m[i].st->boot->number, m[i].st->life, err);
		if (!m[i].dir)
			return -1;
	}
	launch_all(r, m, n);
	r->times.boot += now_ns() - begin;
	for (size_t i = 0; i < n; i++)
		up += m[i].life.ex != NULL;
	for (size_t i = 0; i < n; i++) {
		struct executor *ex = m[i].life.ex;

		if (!ex)
			continue;
		r->arms[m[i].st->boot->arm].booted = true;
		json_object_set_new(r->ops->env(ex), "up_together", json_integer(up));
		if (life_begin(r, m[i].st, ex, &m[i].life, err))
			return -1;
		m[i].life.in_turns = up > 1;
	}
	return kab_interrupted ? error_set(err, KAB_INTERRUPTED, "interrupted") : 0;
}

/* The next sample of @m, if it is one of @cell. */
static int take_turn(struct run *r, struct member *m, size_t cell, struct error *err)
{
	int ret;

	if (!m->life.ex || m->next == m->st->boot->nsamples ||
		m->st->boot->samples[m->next].cell != cell)
		return 0;
	ret = run_if_missing(r, &m->life, m->next++, err);
	if (ret > 0) {
		note_loss(m->st, ret);
		life_end(r, &m->life);
	}
	return ret < 0 ? -1 : 0;
}

/*
 * Which of @n arms goes as number @k in the turn @turn of a cell. Two change places from turn to turn. Of more, each turn is a
 * row of a square of Williams (1949), in which each goes at each place once: 0 1 n-1 2 n-2 ..., one further each turn. So
 * no guest runs twice in a row, which makes it 1.5 to 4 % faster (docs/trust.md): to and fro gave that to the outer ones alone.
 */
static size_t place(size_t turn, size_t k, size_t n)
{
	if (n < 3)
		return turn & 1 ? n - 1 - k : k;
	return (turn + (k & 1 ? (k + 1) / 2 : n - k / 2)) % n;
}

/* Arms may lack cells, but have the others in the same order: that of the boot that has most. */
static int take_turns(struct run *r, struct member *m, size_t n, struct error *err)
{
	unsigned *rounds = xcalloc(r->plan->ncells, sizeof(*rounds));
	const struct plan_boot *guide = m[0].st->boot;
	int ret = 0;

	for (size_t i = 1; i < n; i++)
		if (m[i].st->boot->nsamples > guide->nsamples)
			guide = m[i].st->boot;
	for (size_t i = 0; i < guide->nsamples && !ret; i++) {
		size_t cell = guide->samples[i].cell;
		unsigned turn = rounds[cell]++;

		for (size_t k = 0; k < n && !ret; k++)
			ret = take_turn(r, &m[place(turn, k, n)], cell, err);
	}
	free(rounds);
	return ret;
}

static int run_side_by_side(
	struct run *r, struct boot_state *boots, size_t n, struct error *err)
{
	struct member *m = xcalloc(n, sizeof(*m));
	size_t missing = 0;
	int ret;

	for (size_t i = 0; i < n; i++)
		if (next_missing(r, boots[i].boot, 0) < boots[i].boot->nsamples)
			m[missing++].st = &boots[i];
	ret = missing > 1 ? start_all(r, m, missing, err) : 0;
	if (!ret && missing > 1)
		ret = take_turns(r, m, missing, err);
	for (size_t i = 0; i < missing; i++) {
		if (m[i].life.ex)
			life_end(r, &m[i].life);
		free(m[i].dir);
	}
	free(m);
	return ret;
}

/* All of them up at once leave the machine half of its memory. */
static bool have_room(const struct run *r, const struct plan_boot *boot, size_t n)
{
	uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);

	return n * r->plan->matrix->machines[boot->machine].memory <= all / 2;
}

int run_group(struct run *r, const struct plan_boot *boots, size_t n, struct error *err)
{
	struct boot_state *st = xcalloc(n, sizeof(*st));
	int ret = 0;

	for (size_t i = 0; i < n; i++)
		st[i].boot = &boots[i];
	if (r->ops->launch && r->plan->matrix->together && n > 1 && have_room(r, boots, n))
		ret = run_side_by_side(r, st, n, err);
	for (size_t i = 0; i < n && !ret; i++)
		ret = run_boot(r, &st[i], err);
	free(st);
	return ret;
}
