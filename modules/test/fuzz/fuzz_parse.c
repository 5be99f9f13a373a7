// SPDX-License-Identifier: GPL-2.0
/*
 * Any request, any descriptors, any limits: the parser refuses for a reason that
 * exists, accepts if there is none, and what it accepts is what was asked for.
 *
 * The oracle knows the wire by its byte offsets and counts with 128 bits; it
 * shares no line with the parser.
 */
#include "../../back/iddr_parse.h"
#include "fuzz.h"

static u64 wire(const u8 *at, unsigned int bytes)
{
	u64 v = 0;

	while (bytes--)
		v = v << 8 | at[bytes];
	return v;
}

/* Every reason to refuse that the bytes give, as a set of offences. */
struct verdict {
	u32 reasons;
	u8 operation;
	u64 sector;
	unsigned __int128 nr_sectors;
	unsigned int nr_segs;
	const u8 *segs;		/* 8 bytes each */
};

#define REASON(name)	(1U << IDDR_OFFENCE_##name)

static void judge_segs(const struct iddr_blk_limits *l, struct verdict *v,
		       unsigned int room)
{
	for (unsigned int i = 0; i < v->nr_segs && i < room; i++) {
		int first = v->segs[8 * i + 4], last = v->segs[8 * i + 5];

		if (last > 7)
			v->reasons |= REASON(SEGMENT_BEYOND_PAGE);
		if (first > last)
			v->reasons |= REASON(SEGMENT_REVERSED);
		if ((last - first + 1) % (int)l->block_sectors)
			v->reasons |= REASON(SEGMENT_UNALIGNED);
		v->nr_sectors += last - first + 1;
	}
}

static struct verdict judge(const u8 *req, const u8 *desc,
			    const struct iddr_blk_limits *l)
{
	struct verdict v = { .operation = req[0], .sector = wire(req + 16, 8) };
	bool flush = req[0] == 2 || req[0] == 3;

	switch (req[0]) {
	case 0: case 1: case 2: case 3:
		v.nr_segs = req[1];
		v.segs = req + 24;
		if (v.nr_segs > 11)
			v.reasons |= REASON(TOO_MANY_SEGMENTS);
		if (!v.nr_segs && !flush)
			v.reasons |= REASON(NO_SEGMENTS);
		if (req[0] && v.nr_segs && l->read_only)
			v.reasons |= REASON(READ_ONLY);
		judge_segs(l, &v, 11);
		if (!v.nr_segs && flush)
			v.sector = 0;
		break;
	case 5:
		v.nr_sectors = wire(req + 24, 8);
		if (!l->discard)
			v.reasons |= REASON(DISCARD_NOT_OFFERED);
		if (l->read_only)
			v.reasons |= REASON(READ_ONLY);
		if (!v.nr_sectors)
			v.reasons |= REASON(DISCARD_EMPTY);
		break;
	case 6:
		v.operation = req[1];
		v.nr_segs = wire(req + 2, 2);
		v.segs = desc;
		if (l->max_segs <= 11)
			v.reasons |= REASON(INDIRECT_NOT_OFFERED);
		if (v.operation > 1)
			v.reasons |= REASON(INDIRECT_OPERATION);
		if (v.operation && l->read_only)
			v.reasons |= REASON(READ_ONLY);
		if (!v.nr_segs)
			v.reasons |= REASON(NO_SEGMENTS);
		if (v.nr_segs > l->max_segs || v.nr_segs > 4096)
			v.reasons |= REASON(TOO_MANY_SEGMENTS);
		judge_segs(l, &v, 4096);
		break;
	default:
		v.reasons |= REASON(UNKNOWN_OPERATION);
		return v;
	}
	if (v.sector + v.nr_sectors > l->sectors)
		v.reasons |= REASON(BEYOND_DISK);
	if (v.sector % l->block_sectors || v.nr_sectors % l->block_sectors)
		v.reasons |= REASON(UNALIGNED);
	return v;
}

static void compare(const u8 *req, const struct verdict *v,
		    const struct iddr_blk_limits *l,
		    const struct iddr_blk_cmd *cmd,
		    const struct iddr_blk_seg *segs)
{
	bool flush = req[0] == 2 || req[0] == 3;

	CLAIM(cmd->write == (v->operation != 0));
	CLAIM(cmd->preflush == flush);
	CLAIM(cmd->fua == (flush && v->nr_segs));
	CLAIM(cmd->barrier == (req[0] == 2));
	CLAIM(cmd->discard == (req[0] == 5));
	CLAIM(cmd->secure_erase ==
	      (req[0] == 5 && l->secure_erase && (req[1] & 1)));
	CLAIM(cmd->sector == v->sector);
	CLAIM(cmd->nr_sectors == v->nr_sectors);
	CLAIM(cmd->nr_segs == v->nr_segs);
	CLAIM(cmd->nr_indirect == (req[0] == 6 ? (v->nr_segs + 511) / 512 : 0));
	for (unsigned int i = 0; i < cmd->nr_indirect; i++)
		CLAIM(cmd->indirect_grefs[i] == wire(req + 28 + 4 * i, 4));
	for (unsigned int i = 0; i < cmd->nr_segs; i++) {
		const u8 *s = v->segs + 8 * i;

		CLAIM(segs[i].gref == wire(s, 4));
		CLAIM(segs[i].offset == 512 * s[4]);
		CLAIM(segs[i].offset + segs[i].bytes == 512 * (s[5] + 1));
		CLAIM(segs[i].bytes && segs[i].offset + segs[i].bytes <= 4096);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	u8 flags = take8(&in);
	struct iddr_blk_limits l = {
		.block_sectors = 1U << (flags & 3),
		.read_only = flags & 4,
		.discard = flags & 8,
		.secure_erase = flags & 16,
		/* Small disks, and any at all. */
		.sectors = flags & 32 ? take64(&in) : take16(&in),
		.max_segs = 11 + take16(&in) % (4096 - 11 + 1),
	};
	struct blkif_request_segment *desc = NULL;
	struct iddr_blk_seg *segs;
	struct iddr_blk_cmd cmd;
	struct blkif_request req;
	u8 described[4096 * 8], bytes[sizeof(req)];
	unsigned int nr_described = 0;
	struct verdict v;
	int offence;

	take(&in, bytes, sizeof(bytes));
	memcpy(&req, bytes, sizeof(req));
	/* What is given is repeated, so that few bytes describe many segments. */
	if (bytes[0] == BLKIF_OP_INDIRECT)
		nr_described = wire(bytes + 2, 2);
	if (nr_described > 4096)
		nr_described = 4096;
	if (!in.left)
		memset(described, 0, nr_described * 8);
	else
		for (size_t i = 0; i < nr_described * 8; i += in.left)
			memcpy(described + i, in.at,
			       in.left < nr_described * 8 - i ? in.left :
								nr_described * 8 - i);

	/* Just as much room as is asked for, so that ASan sees one too many. */
	segs = malloc(11 * sizeof(*segs));
	offence = iddr_blk_parse(&req, &l, &cmd, segs);
	if (!offence && cmd.nr_indirect) {
		CLAIM(cmd.nr_indirect <= 8 && cmd.nr_segs <= l.max_segs);
		free(segs);
		segs = malloc(l.max_segs * sizeof(*segs));
		desc = malloc(cmd.nr_segs * sizeof(*desc));
		memcpy(desc, described, cmd.nr_segs * sizeof(*desc));
		offence = iddr_blk_parse_indirect(desc, &l, &cmd, segs);
	}

	v = judge(bytes, described, &l);
	CLAIM(cmd.id == wire(bytes + 8, 8));
	CLAIM(cmd.operation == v.operation);
	CLAIM(!memcmp(bytes, &req, sizeof(req)));
	if (offence) {
		CLAIM(offence > 0 && offence < IDDR_NR_OFFENCES);
		CLAIM(v.reasons & 1U << offence);
		CLAIM(iddr_blk_offence_status(offence) ==
		      (offence <= IDDR_OFFENCE_DISCARD_NOT_OFFERED ? -2 : -1));
	} else {
		CLAIM(!v.reasons);
		compare(bytes, &v, &l, &cmd, segs);
	}
	free(segs);
	free(desc);
	return 0;
}
