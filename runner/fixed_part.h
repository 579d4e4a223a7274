/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a sample has of a count whatever it does: with its start and end, with its time. An arm that does more operations in a
 * sample shares it among more of them, and seems to have fewer an operation.
 */
#ifndef KAB_FIXED_PART_H
#define KAB_FIXED_PART_H

#include "tally.h"

/*
 * The most that can come with a sample of @t, in nine of ten, by how the totals of its samples go with their operations: a + b n, where b is at
 * least the lower end of the 95 % interval of Theil and Sen's slope (Sen, 1968, JASA 63:1379). Where operations do not vary, all of
 * it can. 0: no sample has the metric.
 */
double fixed_part_at_most(const struct tally *t, const char *metric);

#endif
