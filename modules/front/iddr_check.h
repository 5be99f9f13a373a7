/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a front end believes of its back end: pure checks, on private copies
 * (see comm/iddr_shim.h).
 */
#ifndef IDDR_CHECK_H
#define IDDR_CHECK_H

#include "../comm/iddr_shim.h"
#include <xen/interface/io/blkif.h>

/* What we remember of a request in flight; never in shared memory. */
struct iddr_shadow {
	bool busy;		/* published, not answered */
	u8 operation;		/* as published */
};

/*
 * What is wrong with @rsp as an answer to one of our requests, whose tag is its
 * id, in words. Return: NULL if it is all right.
 */
static inline const char *
iddr_check_offence(const struct blkif_response *rsp,
		   const struct iddr_shadow *shadow, size_t shadow_stride,
		   u32 nr)
{
	const struct iddr_shadow *s;

	if (rsp->id >= nr)
		return "response id out of range";
	s = (const void *)((const char *)shadow + rsp->id * shadow_stride);
	if (!s->busy)
		return "response to no request";
	if (rsp->operation != s->operation)
		return "response of another operation";
	if (rsp->status != BLKIF_RSP_OKAY && rsp->status != BLKIF_RSP_ERROR &&
	    rsp->status != BLKIF_RSP_EOPNOTSUPP)
		return "impossible status";
	return NULL;
}

/* Longer ones are none. */
#define IDDR_IDENTITY_MAX	256

/* A disk as its back end offers it, and as much of that as is in use. */
struct iddr_fdesc {
	u32 queues;		/* rings; at the most, in an offer */
	u32 ring_order;		/* likewise */
	u32 max_segs;		/* likewise */
	u64 sectors;
	unsigned long block_bytes;
	bool read_only;
	bool flush;		/* it has a volatile cache, and flushes it */
	bool discard;
	u32 discard_granularity;	/* bytes; 0: it does not say */
	u32 discard_alignment;		/* bytes */
	bool secure_erase;
	char identity[IDDR_IDENTITY_MAX];	/* empty: none */
};

/*
 * What the rings that a back end @offers lack for a disk that had others, in words.
 * Return: NULL if they will do.
 */
static inline const char *iddr_check_rings(const struct iddr_fdesc *had,
					   const struct iddr_fdesc *offers)
{
	if (offers->queues < had->queues)
		return "it has fewer queues";
	if (offers->ring_order < had->ring_order)
		return "its rings are smaller";
	return NULL;
}

/*
 * Why what a back end @offers cannot be served as the disk that was, in words. More
 * is no harm, but for a volatile cache: who has not flushed since there was none
 * to flush would lose what it holds. A disk that has had no identity is trusted to be
 * the same: it is parked for a suspension of its domain only.
 * Return: NULL if it is the same, and can all that it could.
 */
static inline const char *iddr_check_same(const struct iddr_fdesc *had,
					  const struct iddr_fdesc *offers)
{
	if (had->identity[0] && !offers->identity[0])
		return "it has no identity";
	if (had->identity[0] && strcmp(offers->identity, had->identity))
		return "it is another disk";
	if (offers->sectors < had->sectors)
		return "it is smaller";
	if (offers->block_bytes != had->block_bytes)
		return "its block size is another";
	if (offers->read_only && !had->read_only)
		return "it is read-only";
	if (offers->max_segs < had->max_segs)
		return "its requests are smaller";
	if (had->flush && !offers->flush)
		return "it does not flush";
	if (offers->flush && !had->flush)
		return "it has a volatile cache, which was not there";
	if (had->discard && !offers->discard)
		return "it does not discard";
	if (had->secure_erase && !offers->secure_erase)
		return "it does not erase securely";
	return NULL;
}

/*
 * Is the disk that the back end describes one that Linux can have?
 * @sectors: size in 512 byte sectors; @block_bytes: its logical block.
 * Return: 0 or -EINVAL.
 */
static inline int iddr_check_geometry(u64 sectors, unsigned long block_bytes)
{
	if (block_bytes < 512 || block_bytes > 4096 ||
	    (block_bytes & (block_bytes - 1)))
		return -EINVAL;
	/* The byte size must fit a signed 64 bit offset. */
	if (sectors > S64_MAX / 512)
		return -EINVAL;
	if (sectors & (block_bytes / 512 - 1))
		return -EINVAL;
	return 0;
}

/*
 * Can Linux work with the discard granularity and alignment (bytes) that the back
 * end tells of? It rounds by powers of two only: others make it loop for ever.
 * @granularity of 0 means that the back end does not say.
 * Return: 0 or -EINVAL.
 */
static inline int iddr_check_discard(u32 granularity, u32 alignment,
				     unsigned long block_bytes)
{
	if (granularity & (granularity - 1))
		return -EINVAL;
	if (granularity && (granularity < block_bytes ||
			    granularity > 1U << 30))
		return -EINVAL;
	if (alignment % block_bytes || (alignment && alignment >= granularity))
		return -EINVAL;
	return 0;
}

/*
 * A disk's name from its virtual device number, as Xen's tools number them
 * (docs/misc/vbd-interface.txt): 202 << 8 | disk << 4 | partition for xvda to
 * xvdp, 1 << 28 | disk << 8 | partition for the others.
 * Return: 0 with @name filled, or -EINVAL: not an xvd number.
 */
static inline int iddr_vdev_name(u32 vdev, char *name, size_t size)
{
	u32 disk, part, i;
	char letters[8];
	int n = 0;

	if (vdev & (1U << 28)) {
		if (vdev >> 29)
			return -EINVAL;
		disk = (vdev >> 8) & 0xfffff;
		part = vdev & 0xff;
	} else if (vdev >> 8 == 202) {
		disk = (vdev >> 4) & 0xf;
		part = vdev & 0xf;
	} else {
		return -EINVAL;
	}

	/* a..z, aa..zz, ...: bijective base 26, written backwards */
	for (i = disk + 1; i; i = (i - 1) / 26)
		letters[n++] = 'a' + (i - 1) % 26;
	if (size < (size_t)n + 8)
		return -EINVAL;
	memcpy(name, "xvd", 3);
	for (i = 0; i < (u32)n; i++)
		name[3 + i] = letters[n - 1 - i];
	if (part)
		snprintf(name + 3 + n, size - 3 - n, "%u", part);
	else
		name[3 + n] = '\0';
	return 0;
}

#endif /* IDDR_CHECK_H */
