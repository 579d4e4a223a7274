/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the samples themselves say against believing a comparison. */
#ifndef KAB_DOUBTS_H
#define KAB_DOUBTS_H

#include "compare.h"
#include "tally.h"

/*
 * Warns in @c, whose rows are judged, of too few blocks, failed samples, drift inside boots, many outliers, and of what
 * A/A controls showed, or that there are none. @other: samples of the second run or NULL.
 */
void doubts_warn(struct comparison *c, const struct tallies *run, const struct tallies *other);

#endif
