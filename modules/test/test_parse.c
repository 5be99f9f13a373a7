// SPDX-License-Identifier: GPL-2.0
/* What a back end accepts from a front end, and what it makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "../back/iddr_parse.h"

#include <cmocka.h>

static const struct iddr_blk_limits disk = {
	.sectors = 2048, .block_sectors = 1,
};

static struct blkif_request request(u8 operation, unsigned int nr, u64 sector)
{
	struct blkif_request r;

	memset(&r, 0, sizeof(r));
	r.operation = operation;
	r.u.rw.nr_segments = nr;
	r.u.rw.id = 0x1122334455667788ULL;
	r.u.rw.sector_number = sector;
	for (int i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++) {
		r.u.rw.seg[i].gref = 100 + i;
		r.u.rw.seg[i].first_sect = 0;
		r.u.rw.seg[i].last_sect = 7;
	}
	return r;
}

/* Parse, checking that an answer can be given whatever comes out. */
static int parse(const struct blkif_request *r,
		 const struct iddr_blk_limits *l, struct iddr_blk_cmd *c)
{
	int status;

	memset(c, 0xa5, sizeof(*c));
	status = iddr_blk_parse(r, l, c);
	assert_int_equal(c->id, 0x1122334455667788ULL);
	assert_int_equal(c->operation, r->operation);
	return status;
}

static void wire_layout_is_blkifs(void **state)
{
	(void)state;
	assert_int_equal(sizeof(union blkif_sring_entry), 112);
	assert_int_equal(sizeof(struct blkif_request), 112);
	assert_int_equal(sizeof(struct blkif_response), 16);
	assert_int_equal(offsetof(struct blkif_sring, ring), 64);
	assert_int_equal(offsetof(struct blkif_request, u.rw.id), 8);
	assert_int_equal(offsetof(struct blkif_request, u.discard.id), 8);
	assert_int_equal(offsetof(struct blkif_request, u.indirect.id), 8);
}

static void reads_and_writes(void **state)
{
	struct blkif_request r = request(BLKIF_OP_READ, 11, 8);
	struct iddr_blk_cmd c;

	(void)state;
	r.u.rw.seg[2].first_sect = 3;
	r.u.rw.seg[2].last_sect = 3;
	assert_int_equal(parse(&r, &disk, &c), BLKIF_RSP_OKAY);
	assert_false(c.write);
	assert_false(c.preflush);
	assert_false(c.fua);
	assert_false(c.barrier);
	assert_int_equal(c.sector, 8);
	assert_int_equal(c.nr_segs, 11);
	assert_int_equal(c.bytes, 10 * 4096 + 512);
	assert_int_equal(c.segs[2].gref, 102);
	assert_int_equal(c.segs[2].offset, 3 * 512);
	assert_int_equal(c.segs[2].bytes, 512);
	assert_int_equal(c.segs[10].bytes, 4096);

	r.operation = BLKIF_OP_WRITE;
	assert_int_equal(parse(&r, &disk, &c), BLKIF_RSP_OKAY);
	assert_true(c.write);
	assert_false(c.preflush);
}

static void flushes_and_barriers(void **state)
{
	struct blkif_request r = request(BLKIF_OP_FLUSH_DISKCACHE, 0, ~0ULL);
	struct iddr_blk_cmd c;

	(void)state;
	/* A flush alone has no place on the disk. */
	assert_int_equal(parse(&r, &disk, &c), BLKIF_RSP_OKAY);
	assert_true(c.write && c.preflush);
	assert_false(c.fua || c.barrier);
	assert_int_equal(c.bytes, 0);
	assert_int_equal(c.sector, 0);

	r = request(BLKIF_OP_FLUSH_DISKCACHE, 1, 0);
	assert_int_equal(parse(&r, &disk, &c), BLKIF_RSP_OKAY);
	assert_true(c.write && c.preflush && c.fua);
	assert_false(c.barrier);

	r = request(BLKIF_OP_WRITE_BARRIER, 1, 0);
	assert_int_equal(parse(&r, &disk, &c), BLKIF_RSP_OKAY);
	assert_true(c.write && c.preflush && c.fua && c.barrier);

	r = request(BLKIF_OP_WRITE_BARRIER, 0, 0);
	assert_int_equal(parse(&r, &disk, &c), BLKIF_RSP_OKAY);
	assert_true(c.preflush && c.barrier);
	assert_false(c.fua);
}

static void unknown_operations(void **state)
{
	struct iddr_blk_cmd c;

	(void)state;
	for (int op = 0; op < 256; op++) {
		struct blkif_request r = request(op, 1, 0);
		int status = parse(&r, &disk, &c);

		if (op <= BLKIF_OP_FLUSH_DISKCACHE)
			assert_int_equal(status, BLKIF_RSP_OKAY);
		else
			assert_int_equal(status, BLKIF_RSP_EOPNOTSUPP);
	}
}

static void segment_counts(void **state)
{
	struct iddr_blk_cmd c;

	(void)state;
	for (int nr = 0; nr < 256; nr++) {
		struct blkif_request r = request(BLKIF_OP_READ, nr, 0);

		assert_int_equal(parse(&r, &disk, &c), nr >= 1 && nr <= 11 ?
				 BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
	}
}

static void segments_stay_within_their_page(void **state)
{
	struct iddr_blk_cmd c;

	(void)state;
	for (int first = 0; first < 256; first++) {
		for (int last = 0; last < 256; last++) {
			struct blkif_request r = request(BLKIF_OP_WRITE, 3, 0);
			bool good = first <= last && last <= 7;

			r.u.rw.seg[1].first_sect = first;
			r.u.rw.seg[1].last_sect = last;
			assert_int_equal(parse(&r, &disk, &c), good ?
					 BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
			if (good)
				assert_true(c.segs[1].offset +
					    c.segs[1].bytes <= 4096);
		}
	}
}

static void requests_stay_within_the_disk(void **state)
{
	static const struct { u64 sector; bool good; } at[] = {
		{ 0, true }, { 2040, true }, { 2041, false }, { 2048, false },
		{ ~0ULL, false }, { ~0ULL - 7, false }, { 1ULL << 63, false },
		{ ~0ULL << 9 >> 9, false },
	};
	struct iddr_blk_limits small = { .sectors = 4, .block_sectors = 1 };
	struct iddr_blk_limits none = { .sectors = 0, .block_sectors = 1 };
	struct blkif_request r;
	struct iddr_blk_cmd c;

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		r = request(BLKIF_OP_READ, 1, at[i].sector);
		assert_int_equal(parse(&r, &disk, &c), at[i].good ?
				 BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
	}
	r = request(BLKIF_OP_READ, 1, 0);	/* larger than the disk */
	assert_int_equal(parse(&r, &small, &c), BLKIF_RSP_ERROR);
	assert_int_equal(parse(&r, &none, &c), BLKIF_RSP_ERROR);
	r = request(BLKIF_OP_FLUSH_DISKCACHE, 0, 0);
	assert_int_equal(parse(&r, &none, &c), BLKIF_RSP_OKAY);
}

static void read_only_disks(void **state)
{
	struct iddr_blk_limits ro = disk;
	struct iddr_blk_cmd c;

	(void)state;
	ro.read_only = true;
	for (int op = BLKIF_OP_READ; op <= BLKIF_OP_FLUSH_DISKCACHE; op++) {
		struct blkif_request r = request(op, 1, 0);

		assert_int_equal(parse(&r, &ro, &c), op == BLKIF_OP_READ ?
				 BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
	}
	/* A flush alone writes nothing. */
	struct blkif_request flush = request(BLKIF_OP_FLUSH_DISKCACHE, 0, 0);

	assert_int_equal(parse(&flush, &ro, &c), BLKIF_RSP_OKAY);
}

static void large_blocks_are_not_split(void **state)
{
	struct iddr_blk_limits l4k = { .sectors = 2048, .block_sectors = 8 };
	struct blkif_request r = request(BLKIF_OP_READ, 1, 8);
	struct iddr_blk_cmd c;

	(void)state;
	assert_int_equal(parse(&r, &l4k, &c), BLKIF_RSP_OKAY);
	r.u.rw.sector_number = 4;
	assert_int_equal(parse(&r, &l4k, &c), BLKIF_RSP_ERROR);
	r.u.rw.sector_number = 8;
	r.u.rw.seg[0].last_sect = 3;
	assert_int_equal(parse(&r, &l4k, &c), BLKIF_RSP_ERROR);
	/* Two pieces that only make a block together. */
	r = request(BLKIF_OP_READ, 2, 8);
	r.u.rw.seg[0].last_sect = 0;
	r.u.rw.seg[1].last_sect = 6;
	assert_int_equal(parse(&r, &l4k, &c), BLKIF_RSP_ERROR);
}

/* Any bytes at all: what is accepted is within the disk and its pages. */
static void random_requests(void **state)
{
	struct iddr_blk_limits l = disk;
	unsigned int seed = 1, accepted = 0;

	(void)state;
	for (int i = 0; i < 2000000; i++) {
		struct blkif_request r;
		struct iddr_blk_cmd c;
		u8 *b = (u8 *)&r;
		u64 bytes = 0;

		for (size_t k = 0; k < sizeof(r); k++)
			b[k] = rand_r(&seed);
		/* Often enough close to what is right. */
		if (rand_r(&seed) & 1) {
			r.operation %= 4;
			r.u.rw.nr_segments %= 13;
			r.u.rw.sector_number %= 2100;
			for (int s = 0; s < 11; s++) {
				r.u.rw.seg[s].first_sect %= 4;
				r.u.rw.seg[s].last_sect %= 9;
			}
		}
		if (iddr_blk_parse(&r, &l, &c) != BLKIF_RSP_OKAY)
			continue;
		accepted++;
		assert_true(c.nr_segs <= BLKIF_MAX_SEGMENTS_PER_REQUEST);
		for (unsigned int s = 0; s < c.nr_segs; s++) {
			assert_true(c.segs[s].bytes >= 512);
			assert_true(c.segs[s].offset + c.segs[s].bytes <= 4096);
			bytes += c.segs[s].bytes;
		}
		assert_int_equal(bytes, c.bytes);
		assert_true(c.sector <= l.sectors);
		assert_true(bytes / 512 <= l.sectors - c.sector);
	}
	assert_true(accepted > 1000);	/* or it shows nothing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_layout_is_blkifs),
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(flushes_and_barriers),
		cmocka_unit_test(unknown_operations),
		cmocka_unit_test(segment_counts),
		cmocka_unit_test(segments_stay_within_their_page),
		cmocka_unit_test(requests_stay_within_the_disk),
		cmocka_unit_test(read_only_disks),
		cmocka_unit_test(large_blocks_are_not_split),
		cmocka_unit_test(random_requests),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
