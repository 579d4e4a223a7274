// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "run_fixture.h"
#include "util.h"

const char fixture_matrix[] =
	"base: {package: linux-source-6.1}\n"
	"baseline: stock\n"
	"arms:\n"
	"  stock: {}\n"
	"  patched: {params: {null: {pin: none}}}\n"
	"executor: {vm: {cpus: 2, nodes: 1, memory: 512M}}\n"
	"blocks: 3\n"
	"samples: 2\n"
	"warmup: 1\n"
	"seed: 7\n"
	"workloads:\n"
	"  - {name: 'null', workers: [1, 2], duration: 100ms}\n"
	"  - {name: count, command: 'echo 42 marks', figure: {regex: '([0-9]+) marks', "
	"name: marks_per_s, unit: marks/s, better: more}}\n";

void fixture_make(struct run_fixture *f, const char *matrix_text)
{
	char folder[] = "/tmp/kab-test-XXXXXX";
	struct error err;

	assert_non_null(mkdtemp(folder));
	f->results = xstrdup(folder);
	f->matrix = matrix_parse("fixture.yaml", matrix_text, &err);
	if (!f->matrix)
		fail_msg("%s", err.text);
	f->plan = plan_make(f->matrix, NULL, &err);
	if (!f->plan)
		fail_msg("%s", err.text);
}

void fixture_drop(struct run_fixture *f)
{
	plan_free(f->plan);
	matrix_free(f->matrix);
	assert_int_equal(dir_remove(f->results, NULL), 0);
	free(f->results);
}

struct sample fixture_sample(const struct run_fixture *f, size_t boot, size_t seq)
{
	const struct plan_boot *b = &f->plan->boots[boot];
	const struct plan_sample *ps = &b->samples[seq];
	struct sample s = {
		.id = xstrdup(ps->id),
		.boot_id = xstrdup(b->id),
		.arm = xstrdup(f->matrix->arms[b->arm].label),
		.cell = xstrdup(f->plan->cells[ps->cell].id),
		.started = xstrdup("2026-01-31T12:00:00Z"),
		.block = b->block,
		.boot = b->number,
		.seq = ps->seq,
		.warmup = ps->warmup,
		.ops = 1000 + seq,
		.elapsed_ns = 100000000,
	};

	sample_set_metric(&s, "ops_per_s", 10000.0 + (double)seq);
	return s;
}

char *fixture_run(const struct run_fixture *f, size_t n)
{
	struct error err;
	struct store *s = store_create(f->results, f->plan, NULL, NULL, NULL, &err);
	char *path;

	if (!s)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < n; i++) {
		struct sample smp = fixture_sample(f, 0, i);

		assert_int_equal(store_append(s, &smp, &err), 0);
		sample_clear(&smp);
	}
	path = xstrdup(store_path(s));
	store_close(s);
	return path;
}

char *fixture_read(const char *folder, const char *name)
{
	__free_char char *path = xasprintf("%s/%s", folder, name);
	struct error err;
	char *text = file_read(path, NULL, &err);

	if (!text)
		fail_msg("%s", err.text);
	return text;
}

void fixture_write(const char *folder, const char *name, const char *text)
{
	__free_char char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(file_write_atomic(path, text, strlen(text), NULL), 0);
}
