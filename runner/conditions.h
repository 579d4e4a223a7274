/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a reader must know before believing a comparison: warnings about the conditions it was made under. */
#ifndef KAB_CONDITIONS_H
#define KAB_CONDITIONS_H

#include "compare.h"

/*
 * Warns in @c of conditions that differ between arms or changed within one although nobody asked for it (from
 * boots/<n>/boot.json, or the samples' own environment where that is missing), of emulated time, of boots that had to be started again,
 * of boot-to-boot variation that is not covered. @other: the second run or NULL.
 */
void conditions_warn(struct comparison *c, const struct store *run, const struct store *other);

/*
 * Warns in @c of the machine that @run was made on: others that had its CPUs meanwhile, a governor or clock that makes figures
 * wander, guests with more CPUs than it has.
 */
void conditions_warn_of_host(struct comparison *c, const struct store *run);
/* The condition @key with this @value makes figures wander; *@why: how, in a few words. */
bool condition_is_unsteady(const char *key, const char *value, const char **why);

/*
 * Warns in @c of arms of @run whose kernels were not built alike though their matrix does not ask for it: another
 * compiler, or a configuration that differs from the baseline's other than by options that only the arm has, which are
 * what its patches add.
 */
void conditions_warn_of_builds(struct comparison *c, const struct store *run);

#endif
