// SPDX-License-Identifier: GPL-2.0
/* What a back end accepts from a front end, and what it makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "../back/iddr_parse.h"

#include <cmocka.h>

#define ID		0x1122334455667788ULL
#define MAX_SEGS	IDDR_INDIRECT_MAX_SEGS

static const struct iddr_blk_limits disk = {
	.sectors = 1 << 16, .block_sectors = 1, .max_segs = MAX_SEGS,
	.discard = true, .secure_erase = true,
};

static struct iddr_blk_cmd cmd;
static struct iddr_blk_seg segs[MAX_SEGS];
static struct blkif_request_segment desc[MAX_SEGS];

static struct blkif_request request(u8 operation, unsigned int nr, u64 sector)
{
	struct blkif_request r;

	memset(&r, 0, sizeof(r));
	r.operation = operation;
	r.u.rw.nr_segments = nr;
	r.u.rw.id = ID;
	r.u.rw.sector_number = sector;
	for (int i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++) {
		r.u.rw.seg[i].gref = 100 + i;
		r.u.rw.seg[i].first_sect = 0;
		r.u.rw.seg[i].last_sect = 7;
	}
	return r;
}

/* And @nr descriptors of whole pages in desc. */
static struct blkif_request indirect(u8 operation, unsigned int nr, u64 sector)
{
	struct blkif_request r;

	memset(&r, 0, sizeof(r));
	r.operation = BLKIF_OP_INDIRECT;
	r.u.indirect.indirect_op = operation;
	r.u.indirect.nr_segments = nr;
	r.u.indirect.id = ID;
	r.u.indirect.sector_number = sector;
	for (int i = 0; i < BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; i++)
		r.u.indirect.indirect_grefs[i] = 200 + i;
	for (unsigned int i = 0; i < MAX_SEGS; i++) {
		desc[i].gref = 1000 + i;
		desc[i].first_sect = 0;
		desc[i].last_sect = 7;
	}
	return r;
}

static struct blkif_request discard(u64 sector, u64 nr_sectors, u8 flag)
{
	struct blkif_request r;

	memset(&r, 0, sizeof(r));
	r.operation = BLKIF_OP_DISCARD;
	r.u.discard.flag = flag;
	r.u.discard.id = ID;
	r.u.discard.sector_number = sector;
	r.u.discard.nr_sectors = nr_sectors;
	return r;
}

/* Both stages, checking that an answer can be given whatever comes out. */
static int parse(const struct blkif_request *r, const struct iddr_blk_limits *l)
{
	int offence;

	memset(&cmd, 0xa5, sizeof(cmd));
	memset(segs, 0xa5, sizeof(segs));
	offence = iddr_blk_parse(r, l, &cmd, segs);
	if (!offence && cmd.nr_indirect)
		offence = iddr_blk_parse_indirect(desc, l, &cmd, segs);
	assert_int_equal(cmd.id, ID);
	assert_int_equal(cmd.operation, r->operation == BLKIF_OP_INDIRECT ?
			 r->u.indirect.indirect_op : r->operation);
	assert_in_range(offence, 0, IDDR_NR_OFFENCES - 1);
	return offence;
}

static void wire_layout_is_blkifs(void **state)
{
	(void)state;
	assert_int_equal(sizeof(union blkif_sring_entry), 112);
	assert_int_equal(sizeof(struct blkif_request), 112);
	assert_int_equal(sizeof(struct blkif_response), 16);
	assert_int_equal(sizeof(struct blkif_request_segment), 8);
	assert_int_equal(offsetof(struct blkif_sring, ring), 64);
	assert_int_equal(offsetof(struct blkif_request, u.rw.id), 8);
	assert_int_equal(offsetof(struct blkif_request, u.rw.sector_number), 16);
	assert_int_equal(offsetof(struct blkif_request, u.rw.seg), 24);
	assert_int_equal(offsetof(struct blkif_request, u.discard.flag), 1);
	assert_int_equal(offsetof(struct blkif_request, u.discard.id), 8);
	assert_int_equal(offsetof(struct blkif_request, u.discard.sector_number), 16);
	assert_int_equal(offsetof(struct blkif_request, u.discard.nr_sectors), 24);
	assert_int_equal(offsetof(struct blkif_request, u.indirect.indirect_op), 1);
	assert_int_equal(offsetof(struct blkif_request, u.indirect.nr_segments), 2);
	assert_int_equal(offsetof(struct blkif_request, u.indirect.id), 8);
	assert_int_equal(offsetof(struct blkif_request, u.indirect.sector_number), 16);
	assert_int_equal(offsetof(struct blkif_request, u.indirect.indirect_grefs), 28);
	assert_int_equal(IDDR_INDIRECT_PAGE_SEGS, 512);
	assert_int_equal(IDDR_INDIRECT_MAX_SEGS, 4096);
}

static void reads_and_writes(void **state)
{
	struct blkif_request r = request(BLKIF_OP_READ, 11, 8);

	(void)state;
	r.u.rw.seg[2].first_sect = 3;
	r.u.rw.seg[2].last_sect = 3;
	assert_int_equal(parse(&r, &disk), 0);
	assert_false(cmd.write || cmd.preflush || cmd.fua || cmd.barrier ||
		     cmd.discard || cmd.secure_erase);
	assert_int_equal(cmd.sector, 8);
	assert_int_equal(cmd.nr_segs, 11);
	assert_int_equal(cmd.nr_indirect, 0);
	assert_int_equal(cmd.nr_sectors, 10 * 8 + 1);
	assert_int_equal(segs[2].gref, 102);
	assert_int_equal(segs[2].offset, 3 * 512);
	assert_int_equal(segs[2].bytes, 512);
	assert_int_equal(segs[10].bytes, 4096);

	r.operation = BLKIF_OP_WRITE;
	assert_int_equal(parse(&r, &disk), 0);
	assert_true(cmd.write);
	assert_false(cmd.preflush || cmd.fua || cmd.barrier || cmd.discard);
}

static void flushes_and_barriers(void **state)
{
	struct blkif_request r = request(BLKIF_OP_FLUSH_DISKCACHE, 0, ~0ULL);

	(void)state;
	/* A flush alone has no place on the disk. */
	assert_int_equal(parse(&r, &disk), 0);
	assert_true(cmd.write && cmd.preflush);
	assert_false(cmd.fua || cmd.barrier);
	assert_int_equal(cmd.nr_sectors, 0);
	assert_int_equal(cmd.nr_segs, 0);
	assert_int_equal(cmd.sector, 0);

	r = request(BLKIF_OP_FLUSH_DISKCACHE, 1, 0);
	assert_int_equal(parse(&r, &disk), 0);
	assert_true(cmd.write && cmd.preflush && cmd.fua);
	assert_false(cmd.barrier);

	r = request(BLKIF_OP_WRITE_BARRIER, 1, 0);
	assert_int_equal(parse(&r, &disk), 0);
	assert_true(cmd.write && cmd.preflush && cmd.fua && cmd.barrier);

	r = request(BLKIF_OP_WRITE_BARRIER, 0, 0);
	assert_int_equal(parse(&r, &disk), 0);
	assert_true(cmd.preflush && cmd.barrier);
	assert_false(cmd.fua);
}

static void discards(void **state)
{
	struct blkif_request r = discard(8, 1000, 0);
	struct iddr_blk_limits l = disk;

	(void)state;
	assert_int_equal(parse(&r, &l), 0);
	assert_true(cmd.write && cmd.discard);
	assert_false(cmd.secure_erase || cmd.preflush || cmd.fua || cmd.barrier);
	assert_int_equal(cmd.sector, 8);
	assert_int_equal(cmd.nr_sectors, 1000);
	assert_int_equal(cmd.nr_segs, 0);

	r.u.discard.flag = BLKIF_DISCARD_SECURE;
	assert_int_equal(parse(&r, &l), 0);
	assert_true(cmd.discard && cmd.secure_erase);
	/* Blkif: ignored where it is not offered. */
	l.secure_erase = false;
	assert_int_equal(parse(&r, &l), 0);
	assert_true(cmd.discard);
	assert_false(cmd.secure_erase);
	/* Other flags mean nothing. */
	r.u.discard.flag = (u8)~BLKIF_DISCARD_SECURE;
	assert_int_equal(parse(&r, &disk), 0);
	assert_false(cmd.secure_erase);

	/* The whole disk, and larger than 32 bits can count. */
	l.sectors = 1ULL << 40;
	r = discard(0, 1ULL << 40, 0);
	assert_int_equal(parse(&r, &l), 0);
	assert_true(cmd.nr_sectors == 1ULL << 40);
}

static void indirect_requests(void **state)
{
	static const struct { unsigned int segs, pages; } sizes[] = {
		{ 1, 1 }, { 11, 1 }, { 12, 1 }, { 511, 1 }, { 512, 1 },
		{ 513, 2 }, { 1024, 2 }, { 1025, 3 }, { 4095, 8 }, { 4096, 8 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		unsigned int nr = sizes[i].segs;
		struct blkif_request r = indirect(BLKIF_OP_WRITE, nr, 16);

		desc[nr - 1].first_sect = 6;
		desc[nr - 1].last_sect = 6;
		assert_int_equal(parse(&r, &disk), 0);
		assert_int_equal(cmd.operation, BLKIF_OP_WRITE);
		assert_true(cmd.write);
		assert_false(cmd.preflush || cmd.fua || cmd.barrier);
		assert_int_equal(cmd.sector, 16);
		assert_int_equal(cmd.nr_segs, nr);
		assert_int_equal(cmd.nr_sectors, (nr - 1) * 8 + 1);
		assert_int_equal(cmd.nr_indirect, sizes[i].pages);
		for (unsigned int p = 0; p < sizes[i].pages; p++)
			assert_int_equal(cmd.indirect_grefs[p], 200 + p);
		assert_int_equal(segs[nr - 1].gref, 1000 + nr - 1);
		assert_int_equal(segs[nr - 1].offset, 6 * 512);
		assert_int_equal(segs[nr - 1].bytes, 512);
	}

	struct blkif_request r = indirect(BLKIF_OP_READ, 20, 0);

	assert_int_equal(parse(&r, &disk), 0);
	assert_int_equal(cmd.operation, BLKIF_OP_READ);
	assert_false(cmd.write);
}

static void operations(void **state)
{
	(void)state;
	for (int op = 0; op < 256; op++) {
		struct blkif_request r = request(op, 1, 0);
		int offence;

		if (op == BLKIF_OP_INDIRECT || op == BLKIF_OP_DISCARD)
			continue;
		offence = parse(&r, &disk);
		assert_int_equal(offence, op <= BLKIF_OP_FLUSH_DISKCACHE ? 0 :
				 IDDR_OFFENCE_UNKNOWN_OPERATION);
	}
	for (int op = 0; op < 256; op++) {
		struct blkif_request r = indirect(op, 12, 0);

		assert_int_equal(parse(&r, &disk), op <= BLKIF_OP_WRITE ? 0 :
				 IDDR_OFFENCE_INDIRECT_OPERATION);
	}
}

static void only_what_was_offered(void **state)
{
	struct iddr_blk_limits l = disk;
	struct blkif_request r = indirect(BLKIF_OP_READ, 1, 0);

	(void)state;
	l.max_segs = 12;
	assert_int_equal(parse(&r, &l), 0);
	l.max_segs = 11;
	assert_int_equal(parse(&r, &l), IDDR_OFFENCE_INDIRECT_NOT_OFFERED);
	r = discard(0, 1, 0);
	assert_int_equal(parse(&r, &l), 0);
	l.discard = false;
	assert_int_equal(parse(&r, &l), IDDR_OFFENCE_DISCARD_NOT_OFFERED);
	r.u.discard.flag = BLKIF_DISCARD_SECURE;
	assert_int_equal(parse(&r, &l), IDDR_OFFENCE_DISCARD_NOT_OFFERED);
}

static void segment_counts(void **state)
{
	struct iddr_blk_limits l = disk;

	(void)state;
	for (int nr = 0; nr < 256; nr++) {
		struct blkif_request r = request(BLKIF_OP_READ, nr, 0);

		assert_int_equal(parse(&r, &disk), !nr ?
				 IDDR_OFFENCE_NO_SEGMENTS : nr <= 11 ? 0 :
				 IDDR_OFFENCE_TOO_MANY_SEGMENTS);
	}
	/* A flush may have none, but no more than others. */
	struct blkif_request f = request(BLKIF_OP_FLUSH_DISKCACHE, 12, 0);

	assert_int_equal(parse(&f, &disk), IDDR_OFFENCE_TOO_MANY_SEGMENTS);

	l.max_segs = 256;
	for (int nr = 0; nr <= UINT16_MAX; nr++) {
		struct blkif_request r = indirect(BLKIF_OP_READ, nr, 0);
		int want = nr ? 0 : IDDR_OFFENCE_NO_SEGMENTS;

		assert_int_equal(iddr_blk_parse(&r, &l, &cmd, segs), nr > 256 ?
				 IDDR_OFFENCE_TOO_MANY_SEGMENTS : want);
		/* What the request has room for counts too. */
		l.max_segs = UINT32_MAX;
		assert_int_equal(iddr_blk_parse(&r, &l, &cmd, segs), nr > 4096 ?
				 IDDR_OFFENCE_TOO_MANY_SEGMENTS : want);
		l.max_segs = 256;
	}
}

static void segments_stay_within_their_page(void **state)
{
	(void)state;
	for (int first = 0; first < 256; first++) {
		for (int last = 0; last < 256; last++) {
			struct blkif_request r = request(BLKIF_OP_WRITE, 3, 0);
			int want = last > 7 ? IDDR_OFFENCE_SEGMENT_BEYOND_PAGE :
				   first > last ? IDDR_OFFENCE_SEGMENT_REVERSED :
				   0;

			r.u.rw.seg[1].first_sect = first;
			r.u.rw.seg[1].last_sect = last;
			assert_int_equal(parse(&r, &disk), want);
			if (!want)
				assert_true(segs[1].offset +
					    segs[1].bytes <= 4096);
		}
	}
	/* The last of an indirect request's, too. */
	struct blkif_request r = indirect(BLKIF_OP_READ, 600, 0);

	desc[599].last_sect = 8;
	assert_int_equal(parse(&r, &disk), IDDR_OFFENCE_SEGMENT_BEYOND_PAGE);
	desc[599].first_sect = 5;
	desc[599].last_sect = 4;
	assert_int_equal(parse(&r, &disk), IDDR_OFFENCE_SEGMENT_REVERSED);
	/* What lies beyond the last is nobody's. */
	r = indirect(BLKIF_OP_READ, 600, 0);
	desc[600].last_sect = 8;
	assert_int_equal(parse(&r, &disk), 0);
	assert_int_equal(segs[600].bytes, 0xa5a5);
}

static void requests_stay_within_the_disk(void **state)
{
	static const struct { u64 sector; bool good; } at[] = {
		{ 0, true }, { 2040, true }, { 2041, false }, { 2048, false },
		{ ~0ULL, false }, { ~0ULL - 7, false }, { 1ULL << 63, false },
		{ ~0ULL << 9 >> 9, false },
	};
	static const struct { u64 sector, nr; int want; } discards[] = {
		{ 0, 2048, 0 },
		{ 2047, 1, 0 },
		{ 0, 0, IDDR_OFFENCE_DISCARD_EMPTY },
		{ 1, 2048, IDDR_OFFENCE_BEYOND_DISK },
		{ 2048, 1, IDDR_OFFENCE_BEYOND_DISK },
		{ 0, 2049, IDDR_OFFENCE_BEYOND_DISK },
		{ 0, ~0ULL, IDDR_OFFENCE_BEYOND_DISK },
		{ 8, ~0ULL - 7, IDDR_OFFENCE_BEYOND_DISK },
		{ ~0ULL - 7, 8, IDDR_OFFENCE_BEYOND_DISK },
		{ 1ULL << 63, 1ULL << 63, IDDR_OFFENCE_BEYOND_DISK },
	};
	struct iddr_blk_limits l = disk;
	struct blkif_request r;

	(void)state;
	l.sectors = 2048;
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		int want = at[i].good ? 0 : IDDR_OFFENCE_BEYOND_DISK;

		r = request(BLKIF_OP_READ, 1, at[i].sector);
		assert_int_equal(parse(&r, &l), want);
		r = indirect(BLKIF_OP_READ, 1, at[i].sector);
		assert_int_equal(parse(&r, &l), want);
	}
	for (size_t i = 0; i < sizeof(discards) / sizeof(*discards); i++) {
		r = discard(discards[i].sector, discards[i].nr, 0);
		assert_int_equal(parse(&r, &l), discards[i].want);
	}
	r = indirect(BLKIF_OP_READ, 256, 0);
	assert_int_equal(parse(&r, &l), 0);
	r = indirect(BLKIF_OP_READ, 257, 0);
	assert_int_equal(parse(&r, &l), IDDR_OFFENCE_BEYOND_DISK);

	r = request(BLKIF_OP_READ, 1, 0);
	l.sectors = 4;			/* smaller than the request */
	assert_int_equal(parse(&r, &l), IDDR_OFFENCE_BEYOND_DISK);
	l.sectors = 0;
	assert_int_equal(parse(&r, &l), IDDR_OFFENCE_BEYOND_DISK);
	r = request(BLKIF_OP_FLUSH_DISKCACHE, 0, 0);
	assert_int_equal(parse(&r, &l), 0);
}

static void read_only_disks(void **state)
{
	struct iddr_blk_limits ro = disk;
	struct blkif_request r;

	(void)state;
	ro.read_only = true;
	for (int op = BLKIF_OP_READ; op <= BLKIF_OP_FLUSH_DISKCACHE; op++) {
		r = request(op, 1, 0);
		assert_int_equal(parse(&r, &ro), op == BLKIF_OP_READ ? 0 :
				 IDDR_OFFENCE_READ_ONLY);
	}
	/* A flush alone writes nothing. */
	r = request(BLKIF_OP_FLUSH_DISKCACHE, 0, 0);
	assert_int_equal(parse(&r, &ro), 0);
	r = indirect(BLKIF_OP_READ, 20, 0);
	assert_int_equal(parse(&r, &ro), 0);
	r = indirect(BLKIF_OP_WRITE, 20, 0);
	assert_int_equal(parse(&r, &ro), IDDR_OFFENCE_READ_ONLY);
	r = discard(0, 8, 0);
	assert_int_equal(parse(&r, &ro), IDDR_OFFENCE_READ_ONLY);
}

static void large_blocks_are_not_split(void **state)
{
	struct iddr_blk_limits l4k = disk;
	struct blkif_request r = request(BLKIF_OP_READ, 1, 8);

	(void)state;
	l4k.block_sectors = 8;
	assert_int_equal(parse(&r, &l4k), 0);
	r.u.rw.sector_number = 4;
	assert_int_equal(parse(&r, &l4k), IDDR_OFFENCE_UNALIGNED);
	r.u.rw.sector_number = 8;
	r.u.rw.seg[0].last_sect = 3;
	assert_int_equal(parse(&r, &l4k), IDDR_OFFENCE_SEGMENT_UNALIGNED);
	/* Two pieces that only make a block together. */
	r = request(BLKIF_OP_READ, 2, 8);
	r.u.rw.seg[0].last_sect = 0;
	r.u.rw.seg[1].last_sect = 6;
	assert_int_equal(parse(&r, &l4k), IDDR_OFFENCE_SEGMENT_UNALIGNED);
	r = indirect(BLKIF_OP_READ, 2, 8);
	desc[0].last_sect = 0;
	desc[1].last_sect = 6;
	assert_int_equal(parse(&r, &l4k), IDDR_OFFENCE_SEGMENT_UNALIGNED);

	r = discard(8, 16, 0);
	assert_int_equal(parse(&r, &l4k), 0);
	r = discard(4, 16, 0);
	assert_int_equal(parse(&r, &l4k), IDDR_OFFENCE_UNALIGNED);
	r = discard(8, 12, 0);
	assert_int_equal(parse(&r, &l4k), IDDR_OFFENCE_UNALIGNED);
}

static void offences_have_names_and_answers(void **state)
{
	(void)state;
	for (int i = -1; i <= IDDR_NR_OFFENCES; i++) {
		const char *name = iddr_blk_offence_name(i);
		bool real = i >= 0 && i < IDDR_NR_OFFENCES;

		assert_int_equal(!strcmp(name, "unknown offence"), !real);
		for (int k = 0; real && k < i; k++)
			assert_string_not_equal(name, iddr_blk_offence_name(k));
	}
	assert_int_equal(iddr_blk_offence_status(0), BLKIF_RSP_OKAY);
	assert_int_equal(iddr_blk_offence_status(IDDR_OFFENCE_UNKNOWN_OPERATION),
			 BLKIF_RSP_EOPNOTSUPP);
	assert_int_equal(iddr_blk_offence_status(IDDR_OFFENCE_INDIRECT_NOT_OFFERED),
			 BLKIF_RSP_EOPNOTSUPP);
	assert_int_equal(iddr_blk_offence_status(IDDR_OFFENCE_INDIRECT_OPERATION),
			 BLKIF_RSP_EOPNOTSUPP);
	assert_int_equal(iddr_blk_offence_status(IDDR_OFFENCE_DISCARD_NOT_OFFERED),
			 BLKIF_RSP_EOPNOTSUPP);
	for (int i = IDDR_OFFENCE_READ_ONLY; i <= IDDR_NR_OFFENCES; i++)
		assert_int_equal(iddr_blk_offence_status(i), BLKIF_RSP_ERROR);
}

/* Any bytes at all: what is accepted is within the disk and its pages. */
static void random_requests(void **state)
{
	unsigned int seed = 1, accepted[BLKIF_OP_INDIRECT + 1] = { 0 };
	struct iddr_blk_limits l = disk;

	(void)state;
	l.sectors = 2048;
	for (int i = 0; i < 1000000; i++) {
		struct blkif_request r;
		u8 *b = (u8 *)&r;
		u64 bytes = 0;

		for (size_t k = 0; k < sizeof(r); k++)
			b[k] = rand_r(&seed);
		/* Often enough close to what is right. */
		if (rand_r(&seed) & 1) {
			r.operation %= 7;
			r.u.rw.sector_number %= 2100;
			if (r.operation == BLKIF_OP_INDIRECT) {
				r.u.indirect.indirect_op %= 3;
				r.u.indirect.nr_segments %= 20;
			} else if (r.operation == BLKIF_OP_DISCARD) {
				r.u.discard.nr_sectors %= 2100;
			} else {
				r.u.rw.nr_segments %= 13;
			}
			for (int s = 0; s < 11; s++) {
				if (r.operation < BLKIF_OP_DISCARD) {
					r.u.rw.seg[s].first_sect %= 4;
					r.u.rw.seg[s].last_sect %= 9;
				}
				desc[s].first_sect = rand_r(&seed) % 4;
				desc[s].last_sect = rand_r(&seed) % 9;
			}
		}
		if (iddr_blk_parse(&r, &l, &cmd, segs))
			continue;
		if (cmd.nr_indirect &&
		    iddr_blk_parse_indirect(desc, &l, &cmd, segs))
			continue;
		accepted[r.operation]++;
		assert_true(cmd.nr_segs <= l.max_segs);
		for (unsigned int s = 0; s < cmd.nr_segs; s++) {
			assert_in_range(segs[s].bytes, 512, 4096);
			assert_true(segs[s].offset + segs[s].bytes <= 4096);
			bytes += segs[s].bytes;
		}
		if (!cmd.discard)
			assert_int_equal(bytes, cmd.nr_sectors * 512);
		assert_true(cmd.nr_sectors <= l.sectors &&
			    cmd.sector <= l.sectors - cmd.nr_sectors);
	}
	for (int op = 0; op <= BLKIF_OP_INDIRECT; op++)
		assert_true(op == 4 ? !accepted[op] : accepted[op] > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_layout_is_blkifs),
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(flushes_and_barriers),
		cmocka_unit_test(discards),
		cmocka_unit_test(indirect_requests),
		cmocka_unit_test(operations),
		cmocka_unit_test(only_what_was_offered),
		cmocka_unit_test(segment_counts),
		cmocka_unit_test(segments_stay_within_their_page),
		cmocka_unit_test(requests_stay_within_the_disk),
		cmocka_unit_test(read_only_disks),
		cmocka_unit_test(large_blocks_are_not_split),
		cmocka_unit_test(offences_have_names_and_answers),
		cmocka_unit_test(random_requests),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
