// SPDX-License-Identifier: GPL-2.0
/*
 * What a front end believes: no answer that was not asked for, no disk and no
 * discard that cannot be, no name that does not lead back to its number or leaves its buffer.
 */
#include "../../front/iddr_check.h"
#include "fuzz.h"

struct slot {
	u64 before;
	struct iddr_shadow shadow;
	u8 behind;
};

static void response(struct input *in)
{
	struct blkif_response rsp;
	u32 nr = 1 + take8(in) % 32;
	struct slot *slots = calloc(nr, sizeof(*slots));
	bool good = false;
	int err;

	for (u32 i = 0; i < nr; i++) {
		slots[i].shadow.busy = take8(in) & 1;
		slots[i].shadow.operation = take8(in) % 8;
	}
	memset(&rsp, 0, sizeof(rsp));
	rsp.id = take8(in) & 1 ? take64(in) : take8(in);
	rsp.operation = take8(in);
	rsp.status = take8(in) & 1 ? (s16)take16(in) : -(take8(in) % 5);

	err = iddr_check_offence(&rsp, &slots->shadow, sizeof(*slots), nr) ?
	      -EPROTO : 0;
	for (u32 i = 0; i < nr; i++) {
		if (i == rsp.id && slots[i].shadow.busy &&
		    slots[i].shadow.operation == rsp.operation &&
		    (rsp.status == 0 || rsp.status == -1 || rsp.status == -2))
			good = true;
	}
	CLAIM(err == (good ? 0 : -EPROTO));
	free(slots);
}

static void geometry(struct input *in)
{
	u8 how = take8(in);
	u64 sectors = how & 1 ? take64(in) : take32(in);
	unsigned long block = how & 2 ? take64(in) : 1UL << take8(in) % 64;
	int err = iddr_check_geometry(sectors, block);
	unsigned __int128 bytes = (unsigned __int128)sectors * 512;
	bool good = block == 512 || block == 1024 || block == 2048 ||
		    block == 4096;

	if (bytes > INT64_MAX)
		good = false;
	if (good && bytes % block)
		good = false;
	CLAIM(err == (good ? 0 : -EINVAL));
}

/* The number that a name stands for: letters as bijective base 26. */
static void name(struct input *in)
{
	u8 how = take8(in);
	u32 vdev = take32(in);
	size_t size = how & 1 ? take8(in) : 32;
	u64 disk = 0, part = 0;
	char *buf, *c;
	bool xvd;

	switch (how >> 1 & 3) {
	case 1:
		vdev = 202 << 8 | (vdev & 0xff);
		break;
	case 2:
		vdev = 1U << 28 | (vdev & 0xfffffff);
		break;
	}
	xvd = vdev >> 8 == 202 || vdev >> 28 == 1;
	buf = malloc(size);
	if (iddr_vdev_name(vdev, buf, size)) {
		/* The longest has five letters and three digits. */
		CLAIM(!xvd || size < 3 + 5 + 3 + 1 + 1);
		free(buf);
		return;
	}
	CLAIM(xvd);
	CLAIM(memchr(buf, '\0', size));
	CLAIM(!strncmp(buf, "xvd", 3));
	for (c = buf + 3; *c >= 'a' && *c <= 'z'; c++)
		disk = disk * 26 + (*c - 'a' + 1);
	CLAIM(disk--);
	if (*c) {
		CLAIM(*c >= '1' && *c <= '9');
		part = strtoul(c, &c, 10);
		CLAIM(!*c);
	}
	if (vdev >> 28)
		CLAIM(vdev == (1U << 28 | disk << 8 | part));
	else
		CLAIM(vdev == (202U << 8 | disk << 4 | part));
	free(buf);
}

/* What Linux can work with, said in another way. */
static void discard(struct input *in)
{
	u8 how = take8(in);
	u32 granularity = how & 1 ? take32(in) : 1U << take8(in) % 32;
	u32 alignment = how & 2 ? take32(in) : 512U * take8(in);
	unsigned long block = 512UL << (how >> 2 & 3);
	int err;
	bool good;

	if (how & 16)
		granularity = 0;
	err = iddr_check_discard(granularity, alignment, block);
	good = __builtin_popcount(granularity) <= 1 && granularity <= 1U << 30;
	if (granularity && granularity / block == 0)
		good = false;
	if (alignment && (granularity <= alignment ||
			  alignment / block * block != alignment))
		good = false;
	CLAIM(err == (good ? 0 : -EINVAL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	u8 what = take8(&in);

	/* A range that no input of the corpus was made for before. */
	if (what >= 192 && what < 224) {
		discard(&in);
		return 0;
	}
	switch (what % 3) {
	case 0:
		response(&in);
		break;
	case 1:
		geometry(&in);
		break;
	case 2:
		name(&in);
		break;
	}
	return 0;
}
