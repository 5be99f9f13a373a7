// SPDX-License-Identifier: GPL-2.0
/*
 * Any gaps under any limits that change at any time: the budget stays within its
 * bounds, grows only after a gap that it could have caught and no further than
 * that needs, shrinks by half at the most, and from whatever state it got into
 * finds steady gaps, and gives up on hopeless ones, at a bounded price.
 */
#include "../../comm/iddr_wait.h"
#include "fuzz.h"

typedef unsigned __int128 u128;

static u64 lower(const struct iddr_wait_limits *l)
{
	return l->min_ns < l->max_ns ? l->min_ns : l->max_ns;
}

static u64 budget(const struct iddr_wait *w, const struct iddr_wait_limits *l)
{
	u64 b = iddr_wait_budget(w, l, IDDR_MODE_ADAPTIVE);

	CLAIM(b >= lower(l) && b <= l->max_ns);
	CLAIM(iddr_wait_budget(w, l, IDDR_MODE_EVENT) == 0);
	CLAIM(iddr_wait_budget(w, l, IDDR_MODE_SPIN) == UINT64_MAX);
	CLAIM(iddr_wait_budget(w, l, IDDR_MODE_HYBRID) == l->fixed_ns);
	return b;
}

static u64 value(struct input *in)
{
	u8 how = take8(in);

	/* Nanoseconds of every size, and the ends of the range. */
	if (how == 255)
		return UINT64_MAX - take8(in);
	return (u64)take32(in) << how % 32;
}

static void slept(struct iddr_wait *w, const struct iddr_wait_limits *l, u64 gap)
{
	u64 before = budget(w, l), after;
	u128 enough = (u128)gap + gap / 4;

	iddr_wait_slept(w, l, gap);
	after = budget(w, l);
	CLAIM(w->budget_ns == after);
	if (gap <= l->max_ns) {
		CLAIM(after >= before);
		CLAIM(after == before || after <= enough ||
		      after == lower(l));
		CLAIM(after <= (u128)before * 2 ||
		      after <= IDDR_WAIT_GROW_START_NS);
	} else {
		CLAIM(after <= before);
		CLAIM(after >= before / 2 ||
		      before / 2 < IDDR_WAIT_GROW_START_NS);
	}
}

/* One gap as a queue lives it. Return: true if it slept. */
static bool live(struct iddr_wait *w, const struct iddr_wait_limits *l, u64 gap)
{
	if (gap > budget(w, l)) {
		slept(w, l, gap);
		return true;
	}
	iddr_wait_caught(w, l, gap);
	return false;
}

static void steady(struct iddr_wait w, const struct iddr_wait_limits *l, u64 gap)
{
	u64 b = budget(&w, l);
	int sleeps = 0;

	/* A debt of 16 sixteenths and one for its rounding, then doublings. */
	while (live(&w, l, gap))
		CLAIM(++sleeps <= 17 + 64);
	CLAIM(budget(&w, l) >= gap);
	if (sleeps)
		CLAIM(budget(&w, l) <= (u128)gap + gap / 4 ||
		      budget(&w, l) == lower(l));
	else
		CLAIM(budget(&w, l) == b);
}

static void hopeless(struct iddr_wait w, const struct iddr_wait_limits *l)
{
	u128 wasted = 0;
	u64 b;

	while ((b = budget(&w, l)) > lower(l)) {
		/* The credit may pay for many small ones. */
		if (l->max_ns / b > 1000)
			return;
		wasted += b;
		CLAIM(wasted <= 4 * (u128)l->max_ns);
		live(&w, l, l->max_ns + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct iddr_wait_limits l = {
		.fixed_ns = value(&in),
		.min_ns = value(&in),
		.max_ns = value(&in),
	};
	struct iddr_wait w;
	unsigned int settled = 1;

	iddr_wait_init(&w, &l);
	CLAIM(budget(&w, &l) == lower(&l));
	while (in.left) {
		switch (take8(&in) % 8) {
		case 0:
			l.fixed_ns = value(&in);
			break;
		case 1:
			l.min_ns = value(&in);
			break;
		case 2:
			l.max_ns = value(&in);
			settled = 0;
			break;
		case 3:
			slept(&w, &l, value(&in));
			settled++;
			break;
		case 4:
			iddr_wait_caught(&w, &l, value(&in));
			settled++;
			break;
		case 5: {
			u64 gap = value(&in);

			for (int i = take8(&in) % 16; i >= 0; i--)
				live(&w, &l, gap);
			settled++;
			break;
		}
		case 6:
			/* An account made under another bound is only
			 * rounded to this one as it is used.
			 */
			if (settled && l.max_ns < UINT64_MAX / 8)
				steady(w, &l, l.max_ns ?
				       value(&in) % l.max_ns : 0);
			break;
		case 7:
			if (settled && l.max_ns < UINT64_MAX / 8)
				hopeless(w, &l);
			break;
		}
		budget(&w, &l);
	}
	return 0;
}
