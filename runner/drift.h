/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cells that never settle: values that rise or fall from sample to sample inside every boot. */
#ifndef KAB_DRIFT_H
#define KAB_DRIFT_H

#include "tally.h"

/*
 * Two-sided p that @metric of @cell has no trend inside boots, over the boots of all arms; 1 where no boot has the 3
 * samples that show one. *@rho: mean of Spearman's rho over boots.
 */
double drift_in_boots(const struct tallies *t, const char *cell, const char *metric, double *rho);

#endif
