// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What verdicts are worth: experiments with a known truth. Boots and samples vary as measured under
 * TCG (boots by 4 %, samples by 4 %, three samples a boot), and the machine drifts by 3 % from
 * block to block.
 *
 * Each row stands for 4000 experiments, whose shares have a standard error below 0.8 points (0.35
 * at 5 %). Exits 1 if an interval covers less than 93 %, or if more than 6 % of comparisons of a
 * kernel with itself come out below 0.05.
 */
#include <stdio.h>
#include <stdlib.h>

/* Programs in this folder are linked with the runner alone; the unit tests share the file. */
#include "simulate.c"
#include "util.h"

#define EXPERIMENTS 4000

struct scenario {
	const char *name;
	struct sim_model model;
};

#define TCG .samples = 3, .boot_sd = 0.04, .sample_sd = 0.04, .drift_sd = 0.03

static const struct scenario scenarios[] = {
	{"null", {.blocks = 5, TCG}},
	{"null", {.blocks = 8, TCG}},
	{"null", {.blocks = 10, TCG}},
	{"null", {.blocks = 20, TCG}},
	{"null, bimodal boots", {.blocks = 5, TCG, .shape = SHAPE_BIMODAL}},
	{"null, bimodal boots", {.blocks = 10, TCG, .shape = SHAPE_BIMODAL}},
	{"null, heavy tails", {.blocks = 5, TCG, .shape = SHAPE_HEAVY}},
	{"null, heavy tails", {.blocks = 10, TCG, .shape = SHAPE_HEAVY}},
	{"null, apart",
		{.blocks = 10, .samples = 3, .boot_sd = 0.04, .sample_sd = 0.04, .unpaired = true}},
	{"null, 20 comparisons", {.blocks = 10, TCG, .comparisons = 20}},
	{"null, 20 comparisons", {.blocks = 20, TCG, .comparisons = 20}},
	{"null, quiet machine", {.blocks = 10, .samples = 3, .boot_sd = 0.005, .sample_sd = 0.005}},
	{"+1 %, quiet machine",
		{.blocks = 10, .samples = 3, .boot_sd = 0.005, .sample_sd = 0.005, .effect = 0.01}},
	{"+2 %", {.blocks = 10, TCG, .effect = 0.02}},
	{"+5 %", {.blocks = 10, TCG, .effect = 0.05}},
	{"+10 %", {.blocks = 10, TCG, .effect = 0.10}},
	{"-10 %", {.blocks = 10, TCG, .effect = -0.10}},
	{"+2 %", {.blocks = 20, TCG, .effect = 0.02}},
	{"+5 %", {.blocks = 20, TCG, .effect = 0.05}},
	{"+10 %", {.blocks = 20, TCG, .effect = 0.10}},
	{"+10 %, 20 comparisons", {.blocks = 10, TCG, .effect = 0.10, .comparisons = 20}},
	{"+5 %, 20 comparisons", {.blocks = 20, TCG, .effect = 0.05, .comparisons = 20}},
	{"+10 %, 20 comparisons", {.blocks = 20, TCG, .effect = 0.10, .comparisons = 20}},
	{"+10 %, bimodal boots", {.blocks = 20, TCG, .effect = 0.10, .shape = SHAPE_BIMODAL}},
	{"+10 %, heavy tails", {.blocks = 20, TCG, .effect = 0.10, .shape = SHAPE_HEAVY}},
};

static bool report(const struct scenario *s)
{
	bool null = s->model.effect == 0, good;
	struct sim_result r;

	simulate(&s->model, EXPERIMENTS, 20260131 + s->model.blocks, &r);
	good = r.covered >= 0.93 && (!null || r.below_alpha <= 0.06);
	printf("%-24s %6u %8.1f %8.1f %8.1f %7.2f %6.1f %8.1f %7.1f %9.1f%s\n", s->name,
		s->model.blocks, 100 * r.covered, 100 * r.below_alpha, 100 * r.changed,
		100 * r.wrong_way, 100 * r.same, 100 * r.unclear, 100 * r.width, 100 * r.detectable,
		good ? "" : "  <- out of bounds");
	return good;
}

int main(void)
{
	bool good = true;

	printf("%-24s %6s %8s %8s %8s %7s %6s %8s %7s %9s   (%%, of %d)\n", "truth", "blocks",
		"covered", "p < .05", "changed", "wrong", "same", "unclear", "width", "could see",
		EXPERIMENTS);
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		good &= report(&scenarios[i]);
	return good ? 0 : 1;
}
