/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a request on the wire to a command that is safe to execute.
 *
 * Pure code (see comm/iddr_shim.h): everything here works on a private copy of
 * the request. What comes out is within the device, within the granted pages
 * and of a known operation, or it does not come out.
 */
#ifndef IDDR_PARSE_H
#define IDDR_PARSE_H

#include "../comm/iddr_shim.h"
#include <xen/interface/io/blkif.h>

#define IDDR_SECTOR_BYTES	512U	/* blkif's unit, whatever the device's */
#define IDDR_PAGE_BYTES		4096U	/* a grant covers this much */

/* What the device can do. */
struct iddr_blk_limits {
	u64 sectors;		/* size, in 512 byte sectors */
	u32 block_sectors;	/* logical block, in sectors: a power of two */
	bool read_only;
};

struct iddr_blk_seg {
	grant_ref_t gref;
	u16 offset;		/* bytes into the page */
	u16 bytes;		/* 512 to 4096 */
};

struct iddr_blk_cmd {
	u64 id;			/* the peer's, echoed */
	u8 operation;		/* the peer's, echoed */
	bool write;
	bool preflush;		/* flush the device's cache before the data */
	bool fua;		/* data is durable when the request completes */
	bool barrier;		/* nothing passes it in either direction */
	u64 sector;
	u32 bytes;		/* 0: a flush alone */
	unsigned int nr_segs;
	struct iddr_blk_seg segs[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

/*
 * Check @req and translate it. cmd->id and cmd->operation are always set, so
 * that an answer can be given.
 *
 * Return: BLKIF_RSP_OKAY: execute @cmd; otherwise the status to answer with:
 * BLKIF_RSP_EOPNOTSUPP for an operation that is not ours, BLKIF_RSP_ERROR for
 * one that is malformed or not allowed.
 */
static inline int iddr_blk_parse(const struct blkif_request *req,
				 const struct iddr_blk_limits *limits,
				 struct iddr_blk_cmd *cmd)
{
	const struct blkif_request_rw *rw = &req->u.rw;
	u64 sectors = 0;
	unsigned int i;

	/* The id stands at the same place in every kind of request. */
	cmd->id = rw->id;
	cmd->operation = req->operation;
	cmd->write = true;
	cmd->preflush = false;
	cmd->fua = false;
	cmd->barrier = false;

	switch (req->operation) {
	case BLKIF_OP_READ:
		cmd->write = false;
		break;
	case BLKIF_OP_WRITE:
		break;
	case BLKIF_OP_WRITE_BARRIER:
		cmd->barrier = true;
		fallthrough;
	case BLKIF_OP_FLUSH_DISKCACHE:
		/* With data: what was written before is durable, then this. */
		cmd->preflush = true;
		cmd->fua = rw->nr_segments != 0;
		break;
	default:
		return BLKIF_RSP_EOPNOTSUPP;
	}

	/* A flush alone writes nothing. */
	if (cmd->write && limits->read_only && rw->nr_segments)
		return BLKIF_RSP_ERROR;
	if (rw->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return BLKIF_RSP_ERROR;
	if (!rw->nr_segments && !cmd->preflush)
		return BLKIF_RSP_ERROR;

	for (i = 0; i < rw->nr_segments; i++) {
		const struct blkif_request_segment *seg = &rw->seg[i];
		u32 n;

		if (seg->last_sect >= IDDR_PAGE_BYTES / IDDR_SECTOR_BYTES ||
		    seg->first_sect > seg->last_sect)
			return BLKIF_RSP_ERROR;
		n = seg->last_sect - seg->first_sect + 1U;
		/* Piece by piece, not in sum: a device may have to split the
		 * request between any two.
		 */
		if (n & (limits->block_sectors - 1))
			return BLKIF_RSP_ERROR;
		cmd->segs[i].gref = seg->gref;
		cmd->segs[i].offset = seg->first_sect * IDDR_SECTOR_BYTES;
		cmd->segs[i].bytes = n * IDDR_SECTOR_BYTES;
		sectors += n;
	}
	cmd->nr_segs = rw->nr_segments;
	cmd->bytes = sectors * IDDR_SECTOR_BYTES;
	cmd->sector = sectors ? rw->sector_number : 0;

	/* In this order nothing can wrap. */
	if (sectors > limits->sectors ||
	    cmd->sector > limits->sectors - sectors)
		return BLKIF_RSP_ERROR;
	if (cmd->sector & (limits->block_sectors - 1))
		return BLKIF_RSP_ERROR;
	return BLKIF_RSP_OKAY;
}

#endif /* IDDR_PARSE_H */
