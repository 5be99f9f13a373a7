/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A histogram of nanoseconds with log-linear buckets, as fio keeps them: every
 * power of two is cut into HIST_SUB equal buckets, so that a value is known to
 * 1/HIST_SUB of itself whatever its size. Pure code; one thread owns each.
 */
#ifndef NATIVE_HIST_H
#define NATIVE_HIST_H

#include <stdint.h>

#define HIST_BITS	6
#define HIST_SUB	(1U << HIST_BITS)
/* Values from 2^HIST_TOP on, 18 minutes, are counted in the last bucket. */
#define HIST_TOP	40
#define HIST_BUCKETS	((HIST_TOP - HIST_BITS + 1) * HIST_SUB)

struct hist {
	uint64_t count[HIST_BUCKETS];
};

/* The bucket of a value. */
static inline unsigned int hist_index(uint64_t ns)
{
	unsigned int shift;

	if (ns < HIST_SUB)
		return ns;
	if (ns >> HIST_TOP)
		return HIST_BUCKETS - 1;
	shift = 63 - __builtin_clzll(ns) - HIST_BITS;
	return (shift << HIST_BITS) + (ns >> shift);
}

/* The smallest value of a bucket; that of HIST_BUCKETS ends the last one. */
static inline uint64_t hist_floor(unsigned int index)
{
	unsigned int shift = index >> HIST_BITS;

	if (!shift)
		return index;
	shift--;
	return (uint64_t)(HIST_SUB + (index & (HIST_SUB - 1))) << shift;
}

static inline void hist_add(struct hist *h, uint64_t ns)
{
	h->count[hist_index(ns)]++;
}

#endif /* NATIVE_HIST_H */
