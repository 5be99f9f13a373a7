// SPDX-License-Identifier: GPL-2.0
/* What a front end believes of its back end. */
#include <setjmp.h>
#include <stdarg.h>

#include "../front/iddr_check.h"

#include <cmocka.h>

struct slot {
	struct iddr_shadow shadow;
	void *other;
};

static struct slot slots[4] = {
	[1].shadow = { .busy = true, .operation = BLKIF_OP_READ },
	[3].shadow = { .busy = true, .operation = BLKIF_OP_FLUSH_DISKCACHE },
};

static int check(u64 id, u8 operation, s16 status)
{
	struct blkif_response rsp = {
		.id = id, .operation = operation, .status = status,
	};

	return iddr_check_offence(&rsp, &slots->shadow, sizeof(*slots), 4) ?
	       -EPROTO : 0;
}

static void answers_to_our_requests(void **state)
{
	(void)state;
	assert_int_equal(check(1, BLKIF_OP_READ, BLKIF_RSP_OKAY), 0);
	assert_int_equal(check(1, BLKIF_OP_READ, BLKIF_RSP_ERROR), 0);
	assert_int_equal(check(3, BLKIF_OP_FLUSH_DISKCACHE,
			       BLKIF_RSP_EOPNOTSUPP), 0);
}

static void other_answers(void **state)
{
	(void)state;
	assert_int_equal(check(0, BLKIF_OP_READ, 0), -EPROTO);
	assert_int_equal(check(2, BLKIF_OP_READ, 0), -EPROTO);
	assert_int_equal(check(4, BLKIF_OP_READ, 0), -EPROTO);
	assert_int_equal(check(~0ULL, BLKIF_OP_READ, 0), -EPROTO);
	assert_int_equal(check((1ULL << 32) + 1, BLKIF_OP_READ, 0), -EPROTO);
	assert_int_equal(check(1, BLKIF_OP_WRITE, 0), -EPROTO);
	assert_int_equal(check(1, BLKIF_OP_READ, 1), -EPROTO);
	assert_int_equal(check(1, BLKIF_OP_READ, -3), -EPROTO);
	assert_int_equal(check(1, BLKIF_OP_READ, INT16_MIN), -EPROTO);
}

static void disks_that_can_be(void **state)
{
	(void)state;
	assert_int_equal(iddr_check_geometry(2048, 512), 0);
	assert_int_equal(iddr_check_geometry(0, 512), 0);
	assert_int_equal(iddr_check_geometry(2048, 4096), 0);
	assert_int_equal(iddr_check_geometry(INT64_MAX / 512, 512), 0);
}

static void disks_that_cannot(void **state)
{
	(void)state;
	assert_int_equal(iddr_check_geometry(2048, 0), -EINVAL);
	assert_int_equal(iddr_check_geometry(2048, 256), -EINVAL);
	assert_int_equal(iddr_check_geometry(2048, 513), -EINVAL);
	assert_int_equal(iddr_check_geometry(2048, 8192), -EINVAL);
	assert_int_equal(iddr_check_geometry(2048, 1UL << 63), -EINVAL);
	assert_int_equal(iddr_check_geometry(2047, 4096), -EINVAL);
	assert_int_equal(iddr_check_geometry(~0ULL, 512), -EINVAL);
}

static const char *vdev_name(u32 vdev)
{
	static char name[32];

	return iddr_vdev_name(vdev, name, sizeof(name)) ? NULL : name;
}

static void names_of_disks(void **state)
{
	(void)state;
	assert_string_equal(vdev_name(202 << 8), "xvda");
	assert_string_equal(vdev_name(202 << 8 | 1 << 4), "xvdb");
	assert_string_equal(vdev_name(202 << 8 | 15 << 4 | 15), "xvdp15");
	assert_string_equal(vdev_name(1 << 28), "xvda");
	assert_string_equal(vdev_name(1 << 28 | 16 << 8), "xvdq");
	assert_string_equal(vdev_name(1 << 28 | 25 << 8), "xvdz");
	assert_string_equal(vdev_name(1 << 28 | 26 << 8), "xvdaa");
	assert_string_equal(vdev_name(1 << 28 | 27 << 8 | 3), "xvdab3");
	assert_string_equal(vdev_name(1 << 28 | 701 << 8), "xvdzz");
	assert_string_equal(vdev_name(1 << 28 | 702 << 8), "xvdaaa");
	assert_non_null(vdev_name(1 << 28 | 0xfffff << 8 | 255));
}

static void numbers_that_are_no_disk(void **state)
{
	char tiny[6];

	(void)state;
	assert_null(vdev_name(0));
	assert_null(vdev_name(3 << 8));		/* hda */
	assert_null(vdev_name(8 << 8));		/* sda */
	assert_null(vdev_name(~0U));
	assert_null(vdev_name(1U << 29));
	assert_int_equal(iddr_vdev_name(202 << 8, tiny, sizeof(tiny)), -EINVAL);
}

/* Powers of two, at least a block, and an alignment within. */
static void test_discard(void **state)
{
	(void)state;
	assert_int_equal(iddr_check_discard(0, 0, 512), 0);
	assert_int_equal(iddr_check_discard(512, 0, 512), 0);
	assert_int_equal(iddr_check_discard(1U << 30, 0, 4096), 0);
	assert_int_equal(iddr_check_discard(65536, 4096, 4096), 0);
	assert_int_equal(iddr_check_discard(1, 0, 512), -EINVAL);
	assert_int_equal(iddr_check_discard(256, 0, 512), -EINVAL);
	assert_int_equal(iddr_check_discard(3 * 512, 0, 512), -EINVAL);
	assert_int_equal(iddr_check_discard(UINT32_MAX, 0, 512), -EINVAL);
	assert_int_equal(iddr_check_discard(1U << 31, 0, 512), -EINVAL);
	assert_int_equal(iddr_check_discard(2048, 0, 4096), -EINVAL);
	assert_int_equal(iddr_check_discard(4096, 4096, 512), -EINVAL);
	assert_int_equal(iddr_check_discard(4096, 100, 512), -EINVAL);
	assert_int_equal(iddr_check_discard(0, 512, 512), -EINVAL);
}

static const struct iddr_fdesc had = {
	.queues = 2, .ring_order = 2, .max_segs = 256, .sectors = 1000,
	.block_bytes = 512, .flush = true, .discard = true,
	.secure_erase = true, .identity = "disk 1",
};

static void rings_of_a_parked_disk(void **state)
{
	struct iddr_fdesc offers = had;

	(void)state;
	assert_null(iddr_check_rings(&had, &offers));
	offers.queues = 3;
	offers.ring_order = 4;
	assert_null(iddr_check_rings(&had, &offers));
	offers.queues = 1;
	assert_string_equal(iddr_check_rings(&had, &offers),
			    "it has fewer queues");
	offers.queues = 2;
	offers.ring_order = 1;
	assert_string_equal(iddr_check_rings(&had, &offers),
			    "its rings are smaller");
}

/* Does what differs from the disk that was by @_change give @_why? */
#define assert_same(_why, _change)					\
do {									\
	struct iddr_fdesc offers = had;					\
	const char *why;						\
									\
	_change;							\
	why = iddr_check_same(&had, &offers);				\
	if (_why)							\
		assert_string_equal(why, (const char *)_why);		\
	else								\
		assert_null(why);					\
} while (0)

static void the_same_disk_and_others(void **state)
{
	struct iddr_fdesc nameless = had, offers = had;

	(void)state;
	nameless.identity[0] = '\0';
	assert_null(iddr_check_same(&nameless, &offers));
	offers.identity[0] = '\0';
	assert_null(iddr_check_same(&nameless, &offers));
	assert_same(NULL, (void)0);
	assert_same(NULL, offers.sectors = 2000);
	assert_same(NULL, offers.max_segs = 4096);
	assert_same("it has no identity", offers.identity[0] = '\0');
	assert_same("it is another disk", offers.identity[5] = '2');
	assert_same("it is another disk", offers.identity[4] = '\0');
	assert_same("it is smaller", offers.sectors--);
	assert_same("its block size is another", offers.block_bytes = 4096);
	assert_same("it is read-only", offers.read_only = true);
	assert_same("its requests are smaller", offers.max_segs--);
	assert_same("it does not flush", offers.flush = false);
	assert_same("it does not discard", offers.discard = false);
	assert_same("it does not erase securely", offers.secure_erase = false);
}

static void more_than_there_was(void **state)
{
	struct iddr_fdesc poor = had, offers = had;

	(void)state;
	poor.read_only = true;
	poor.discard = false;
	poor.secure_erase = false;
	assert_null(iddr_check_same(&poor, &offers));
	/* What was durable when it was answered would not be any more. */
	poor.flush = false;
	assert_string_equal(iddr_check_same(&poor, &offers),
			    "it has a volatile cache, which was not there");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_to_our_requests),
		cmocka_unit_test(other_answers),
		cmocka_unit_test(rings_of_a_parked_disk),
		cmocka_unit_test(the_same_disk_and_others),
		cmocka_unit_test(more_than_there_was),
		cmocka_unit_test(disks_that_can_be),
		cmocka_unit_test(disks_that_cannot),
		cmocka_unit_test(names_of_disks),
		cmocka_unit_test(numbers_that_are_no_disk),
		cmocka_unit_test(test_discard),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
