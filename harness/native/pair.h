/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Setting up a front and a back side on a ring, for whoever runs them (pair.c, soak.c).
 */
#ifndef NATIVE_PAIR_H
#define NATIVE_PAIR_H

#include "rings.h"

struct subject {
	const char *name;
	const struct ring_ops *ops;
	u32 mode;		/* enum iddr_mode, of both sides at first */
	bool polite;
};

/* Offsets within the region. */
struct layout {
	size_t ring, data, bytes;
	u32 slots, buffers;	/* powers of two */
};

const struct subject *subject_find(const char *name);
struct layout layout_of(const struct config *c, const struct ring_ops *ops);
/* Before the fork: what is in the ring pages at first. */
void ring_format(u8 *region, const struct layout *l, const struct ring_ops *ops);
/* Either side, in its own process. @bell: of both, by side. */
void side_init(struct side *s, const struct config *c, int which,
	       const struct subject *subject, const struct layout *l, int fd,
	       const int *bell);

#endif /* NATIVE_PAIR_H */
