/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bucket rule of latency histograms, shared by the workloads that fill them and the runner that
 * reads them. Log-linear: values below 16 have a bucket each; above, each power of two is cut into
 * 16 buckets of equal width. A bucket is thus never wider than 1/16 of its lower bound, and the
 * value that stands for it (its middle) is off by at most 1/32. Any 64-bit value has a bucket.
 *
 * A histogram is an array of counts, index = bucket number; histograms add up bucket by bucket.
 */
#ifndef KAB_HISTOGRAM_H
#define KAB_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HIST_SUB_BITS 4
#define HIST_SUB (1u << HIST_SUB_BITS) /* buckets in a power of two */
#define HIST_BUCKETS ((64 - HIST_SUB_BITS + 1) * HIST_SUB)

/* Bucket of @value, below HIST_BUCKETS. */
static inline unsigned hist_index(uint64_t value)
{
	unsigned shift;

	if (value < HIST_SUB)
		return value;
	shift = 63 - HIST_SUB_BITS - __builtin_clzll(value);
	/* value >> shift lies in [16, 32), so group 0 (shift 0) begins where the single values end.
	 */
	return shift * HIST_SUB + (unsigned)(value >> shift);
}

/* Lowest value of bucket @index. */
static inline uint64_t hist_low(unsigned index)
{
	unsigned shift;

	if (index < 2 * HIST_SUB)
		return index;
	shift = index / HIST_SUB - 1;
	return (uint64_t)(index % HIST_SUB + HIST_SUB) << shift;
}

/* Highest value of bucket @index. */
static inline uint64_t hist_high(unsigned index)
{
	unsigned shift = index < 2 * HIST_SUB ? 0 : index / HIST_SUB - 1;

	return hist_low(index) + (((uint64_t)1 << shift) - 1);
}

/* The value that stands for bucket @index: its middle, rounded down. */
static inline uint64_t hist_value(unsigned index)
{
	return hist_low(index) + (hist_high(index) - hist_low(index)) / 2;
}

/* Adds the @n buckets of @from to those of @to. */
static inline void hist_merge(uint64_t *to, const uint64_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] += from[i];
}

/* Counts in the @n buckets of @bucket. */
static inline uint64_t hist_count(const uint64_t *bucket, size_t n)
{
	uint64_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += bucket[i];
	return count;
}

/*
 * The value below or at which a share @p (0 to 1) of all counts lies: that of the bucket holding
 * the ceil(p * count)-th smallest value (nearest rank; p = 0 gives the smallest). @min and @max,
 * the exact extremes, bound the answer. 0 for an empty histogram.
 */
static inline uint64_t hist_percentile(
	const uint64_t *bucket, size_t n, uint64_t min, uint64_t max, double p)
{
	uint64_t count = hist_count(bucket, n), seen = 0, rank, value;

	if (!count)
		return 0;
	rank = (uint64_t)(p * (double)count);
	if ((double)rank < p * (double)count || !rank)
		rank++;
	if (rank > count)
		rank = count;
	for (size_t i = 0; i < n; i++) {
		seen += bucket[i];
		if (seen < rank)
			continue;
		value = hist_value((unsigned)i);
		return value < min ? min : value > max ? max : value;
	}
	return max;
}

#endif
