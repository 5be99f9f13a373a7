/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a request on the wire to a command that is safe to execute.
 *
 * Pure code (see comm/iddr_shim.h): everything here works on a private copy of
 * what the peer wrote. What comes out is within the device, within the granted
 * pages and of a known operation, or it does not come out.
 *
 * Two stages, since the segments of an indirect request lie in pages of their
 * own: iddr_blk_parse() takes the request; where it leaves cmd->nr_indirect set,
 * the caller copies that many pages of descriptors and hands the copy to
 * iddr_blk_parse_indirect(). A command may be executed when the last stage it
 * needs has returned 0.
 */
#ifndef IDDR_PARSE_H
#define IDDR_PARSE_H

#include "../comm/iddr_shim.h"
#include <xen/interface/io/blkif.h>

#define IDDR_SECTOR_BYTES	512U	/* blkif's unit, whatever the device's */
#define IDDR_PAGE_BYTES		4096U	/* a grant covers this much */
#define IDDR_PAGE_SECTORS	(IDDR_PAGE_BYTES / IDDR_SECTOR_BYTES)

/* Segment descriptors in an indirect page, and in one request at the most. */
#define IDDR_INDIRECT_PAGE_SEGS	\
	(IDDR_PAGE_BYTES / (unsigned int)sizeof(struct blkif_request_segment))
#define IDDR_INDIRECT_MAX_SEGS	\
	(BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST * IDDR_INDIRECT_PAGE_SEGS)

/* What is wrong with a request. */
enum iddr_blk_offence {
	IDDR_OFFENCE_NONE,
	/* Answered with BLKIF_RSP_EOPNOTSUPP */
	IDDR_OFFENCE_UNKNOWN_OPERATION,
	IDDR_OFFENCE_INDIRECT_NOT_OFFERED,
	IDDR_OFFENCE_INDIRECT_OPERATION,
	IDDR_OFFENCE_DISCARD_NOT_OFFERED,
	/* Answered with BLKIF_RSP_ERROR */
	IDDR_OFFENCE_READ_ONLY,
	IDDR_OFFENCE_NO_SEGMENTS,
	IDDR_OFFENCE_TOO_MANY_SEGMENTS,
	IDDR_OFFENCE_SEGMENT_BEYOND_PAGE,
	IDDR_OFFENCE_SEGMENT_REVERSED,
	IDDR_OFFENCE_SEGMENT_UNALIGNED,
	IDDR_OFFENCE_DISCARD_EMPTY,
	IDDR_OFFENCE_BEYOND_DISK,
	IDDR_OFFENCE_UNALIGNED,
	IDDR_NR_OFFENCES
};

/* What the device can do, and what the peer was offered. */
struct iddr_blk_limits {
	u64 sectors;		/* size, in 512 byte sectors */
	u32 block_sectors;	/* logical block, in sectors: a power of two */
	u32 max_segs;		/* in a request; indirect ones are offered if
				 * it is more than fit in a slot
				 */
	bool read_only;
	bool discard;		/* offered */
	bool secure_erase;	/* offered, as a kind of discard */
};

struct iddr_blk_seg {
	grant_ref_t gref;
	u16 offset;		/* bytes into the page */
	u16 bytes;		/* 512 to 4096 */
};

struct iddr_blk_cmd {
	u64 id;			/* the peer's, echoed */
	u8 operation;		/* echoed; of an indirect request the inner one */
	bool write;		/* all but reads */
	bool preflush;		/* flush the device's cache before the data */
	bool fua;		/* data is durable when the request completes */
	bool barrier;		/* nothing passes it in either direction */
	bool discard;		/* no data: forget the sectors */
	bool secure_erase;	/* so that nobody finds them again */
	u64 sector;
	u64 nr_sectors;		/* 0: a flush alone */
	unsigned int nr_segs;
	unsigned int nr_indirect;	/* pages of descriptors; 0: not indirect */
	grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
};

static inline const char *iddr_blk_offence_name(int offence)
{
	switch (offence) {
	case IDDR_OFFENCE_NONE:
		return "none";
	case IDDR_OFFENCE_UNKNOWN_OPERATION:
		return "unknown operation";
	case IDDR_OFFENCE_INDIRECT_NOT_OFFERED:
		return "indirect request, not offered";
	case IDDR_OFFENCE_INDIRECT_OPERATION:
		return "indirect request that neither reads nor writes";
	case IDDR_OFFENCE_DISCARD_NOT_OFFERED:
		return "discard, not offered";
	case IDDR_OFFENCE_READ_ONLY:
		return "change of a read-only disk";
	case IDDR_OFFENCE_NO_SEGMENTS:
		return "no segments";
	case IDDR_OFFENCE_TOO_MANY_SEGMENTS:
		return "too many segments";
	case IDDR_OFFENCE_SEGMENT_BEYOND_PAGE:
		return "segment beyond its page";
	case IDDR_OFFENCE_SEGMENT_REVERSED:
		return "segment ends before it begins";
	case IDDR_OFFENCE_SEGMENT_UNALIGNED:
		return "segment is no whole number of blocks";
	case IDDR_OFFENCE_DISCARD_EMPTY:
		return "discard of nothing";
	case IDDR_OFFENCE_BEYOND_DISK:
		return "beyond the disk's end";
	case IDDR_OFFENCE_UNALIGNED:
		return "begins or ends within a block";
	default:
		return "unknown offence";
	}
}

/* The status to answer an offence with. */
static inline s16 iddr_blk_offence_status(int offence)
{
	switch (offence) {
	case IDDR_OFFENCE_NONE:
		return BLKIF_RSP_OKAY;
	case IDDR_OFFENCE_UNKNOWN_OPERATION:
	case IDDR_OFFENCE_INDIRECT_NOT_OFFERED:
	case IDDR_OFFENCE_INDIRECT_OPERATION:
	case IDDR_OFFENCE_DISCARD_NOT_OFFERED:
		return BLKIF_RSP_EOPNOTSUPP;
	default:
		return BLKIF_RSP_ERROR;
	}
}

/* Are cmd->sector and cmd->nr_sectors within the device, and whole blocks? */
static inline int iddr_blk_check_range(const struct iddr_blk_limits *limits,
				       const struct iddr_blk_cmd *cmd)
{
	/* In this order nothing can wrap. */
	if (cmd->nr_sectors > limits->sectors ||
	    cmd->sector > limits->sectors - cmd->nr_sectors)
		return IDDR_OFFENCE_BEYOND_DISK;
	if ((cmd->sector | cmd->nr_sectors) & (limits->block_sectors - 1))
		return IDDR_OFFENCE_UNALIGNED;
	return 0;
}

/* Translate cmd->nr_segs descriptors, and check where they lie on the disk. */
static inline int iddr_blk_parse_segs(const struct blkif_request_segment *desc,
				      const struct iddr_blk_limits *limits,
				      struct iddr_blk_cmd *cmd,
				      struct iddr_blk_seg *segs)
{
	unsigned int i;
	u64 sectors = 0;

	for (i = 0; i < cmd->nr_segs; i++) {
		u32 first = desc[i].first_sect;
		u32 last = desc[i].last_sect;
		u32 n;

		if (last >= IDDR_PAGE_SECTORS)
			return IDDR_OFFENCE_SEGMENT_BEYOND_PAGE;
		if (first > last)
			return IDDR_OFFENCE_SEGMENT_REVERSED;
		n = last - first + 1;
		/* Piece by piece, not in sum: a device may have to split the
		 * request between any two.
		 */
		if (n & (limits->block_sectors - 1))
			return IDDR_OFFENCE_SEGMENT_UNALIGNED;
		segs[i].gref = desc[i].gref;
		segs[i].offset = first * IDDR_SECTOR_BYTES;
		segs[i].bytes = n * IDDR_SECTOR_BYTES;
		sectors += n;
	}
	cmd->nr_sectors = sectors;
	return iddr_blk_check_range(limits, cmd);
}

static inline int iddr_blk_parse_rw(const struct blkif_request_rw *rw,
				    const struct iddr_blk_limits *limits,
				    struct iddr_blk_cmd *cmd,
				    struct iddr_blk_seg *segs)
{
	if (rw->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return IDDR_OFFENCE_TOO_MANY_SEGMENTS;
	if (!rw->nr_segments) {
		/* A flush alone writes nothing and has no place. */
		if (!cmd->preflush)
			return IDDR_OFFENCE_NO_SEGMENTS;
		return 0;
	}
	if (cmd->write && limits->read_only)
		return IDDR_OFFENCE_READ_ONLY;

	/* A flush with data: all before is durable first, then this. */
	cmd->fua = cmd->preflush;
	cmd->sector = rw->sector_number;
	cmd->nr_segs = rw->nr_segments;
	return iddr_blk_parse_segs(rw->seg, limits, cmd, segs);
}

static inline int
iddr_blk_parse_discard(const struct blkif_request_discard *discard,
		       const struct iddr_blk_limits *limits,
		       struct iddr_blk_cmd *cmd)
{
	if (!limits->discard)
		return IDDR_OFFENCE_DISCARD_NOT_OFFERED;
	if (limits->read_only)
		return IDDR_OFFENCE_READ_ONLY;
	if (!discard->nr_sectors)
		return IDDR_OFFENCE_DISCARD_EMPTY;
	cmd->discard = true;
	/* blkif: the flag is ignored where it is not offered. */
	cmd->secure_erase = limits->secure_erase &&
			    (discard->flag & BLKIF_DISCARD_SECURE);
	cmd->sector = discard->sector_number;
	cmd->nr_sectors = discard->nr_sectors;
	return iddr_blk_check_range(limits, cmd);
}

static inline int
iddr_blk_parse_indirect_head(const struct blkif_request_indirect *ind,
			     const struct iddr_blk_limits *limits,
			     struct iddr_blk_cmd *cmd)
{
	unsigned int i;

	/* Blkif's answer to an indirect request names the inner operation. */
	cmd->operation = ind->indirect_op;
	if (limits->max_segs <= BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return IDDR_OFFENCE_INDIRECT_NOT_OFFERED;
	if (ind->indirect_op != BLKIF_OP_READ &&
	    ind->indirect_op != BLKIF_OP_WRITE)
		return IDDR_OFFENCE_INDIRECT_OPERATION;
	cmd->write = ind->indirect_op == BLKIF_OP_WRITE;
	if (cmd->write && limits->read_only)
		return IDDR_OFFENCE_READ_ONLY;
	if (!ind->nr_segments)
		return IDDR_OFFENCE_NO_SEGMENTS;
	if (ind->nr_segments > limits->max_segs ||
	    ind->nr_segments > IDDR_INDIRECT_MAX_SEGS)
		return IDDR_OFFENCE_TOO_MANY_SEGMENTS;

	cmd->sector = ind->sector_number;
	cmd->nr_segs = ind->nr_segments;
	cmd->nr_indirect = (cmd->nr_segs + IDDR_INDIRECT_PAGE_SEGS - 1) /
			   IDDR_INDIRECT_PAGE_SEGS;
	for (i = 0; i < cmd->nr_indirect; i++)
		cmd->indirect_grefs[i] = ind->indirect_grefs[i];
	return 0;
}

/*
 * First stage: check @req and translate it. @segs has room for
 * BLKIF_MAX_SEGMENTS_PER_REQUEST; what is filled is its first cmd->nr_segs,
 * unless they are indirect. cmd->id and cmd->operation are always set, so that
 * an answer can be given.
 *
 * Return: 0: execute @cmd, or, if cmd->nr_indirect, fetch the descriptors and
 * go on with iddr_blk_parse_indirect(); else an enum iddr_blk_offence.
 */
static inline int iddr_blk_parse(const struct blkif_request *req,
				 const struct iddr_blk_limits *limits,
				 struct iddr_blk_cmd *cmd,
				 struct iddr_blk_seg *segs)
{
	memset(cmd, 0, sizeof(*cmd));
	/* The id stands at the same place in every kind of request. */
	cmd->id = req->u.rw.id;
	cmd->operation = req->operation;
	cmd->write = req->operation != BLKIF_OP_READ;

	switch (req->operation) {
	case BLKIF_OP_WRITE_BARRIER:
		cmd->barrier = true;
		fallthrough;
	case BLKIF_OP_FLUSH_DISKCACHE:
		cmd->preflush = true;
		fallthrough;
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
		return iddr_blk_parse_rw(&req->u.rw, limits, cmd, segs);
	case BLKIF_OP_DISCARD:
		return iddr_blk_parse_discard(&req->u.discard, limits, cmd);
	case BLKIF_OP_INDIRECT:
		return iddr_blk_parse_indirect_head(&req->u.indirect, limits,
						    cmd);
	default:
		return IDDR_OFFENCE_UNKNOWN_OPERATION;
	}
}

/*
 * Second stage, for indirect requests: @desc is a private copy of cmd->nr_segs
 * descriptors, @segs has room for limits->max_segs. @limits may have changed
 * since the first stage, but for max_segs: both are held against the same room.
 *
 * Return: 0: execute @cmd, whose first cmd->nr_segs @segs are filled; else an
 * enum iddr_blk_offence.
 */
static inline int
iddr_blk_parse_indirect(const struct blkif_request_segment *desc,
			const struct iddr_blk_limits *limits,
			struct iddr_blk_cmd *cmd, struct iddr_blk_seg *segs)
{
	return iddr_blk_parse_segs(desc, limits, cmd, segs);
}

#endif /* IDDR_PARSE_H */
