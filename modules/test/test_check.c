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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_to_our_requests),
		cmocka_unit_test(other_answers),
		cmocka_unit_test(disks_that_can_be),
		cmocka_unit_test(disks_that_cannot),
		cmocka_unit_test(names_of_disks),
		cmocka_unit_test(numbers_that_are_no_disk),
		cmocka_unit_test(test_discard),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
