// SPDX-License-Identifier: GPL-2.0
/* How long each mode spins, and what adaptive learns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "../comm/iddr_wait.h"

#include <cmocka.h>

#define US	1000ULL
#define MS	(1000 * US)

static const struct iddr_wait_limits limits = {
	.fixed_ns = 50 * US, .min_ns = 0, .max_ns = 200 * US,
};

static u64 budget(const struct iddr_wait *w, const struct iddr_wait_limits *l)
{
	return iddr_wait_budget(w, l, IDDR_MODE_ADAPTIVE);
}

/*
 * What a queue does with one gap. Return: its cost in nanoseconds of spinning,
 * where a sleep costs @sleep.
 */
static u64 live(struct iddr_wait *w, const struct iddr_wait_limits *l,
		enum iddr_mode mode, u64 gap, u64 sleep)
{
	u64 spin = iddr_wait_budget(w, l, mode);

	if (gap <= spin) {
		iddr_wait_caught(w, l, gap);
		return gap;
	}
	iddr_wait_slept(w, l, gap);
	return spin + sleep;
}

static void modes_and_their_budgets(void **state)
{
	struct iddr_wait w;

	(void)state;
	iddr_wait_init(&w, &limits);
	w.budget_ns = 77 * US;
	assert_int_equal(iddr_wait_budget(&w, &limits, IDDR_MODE_EVENT), 0);
	assert_true(iddr_wait_budget(&w, &limits, IDDR_MODE_SPIN) == U64_MAX);
	assert_int_equal(iddr_wait_budget(&w, &limits, IDDR_MODE_HYBRID),
			 50 * US);
	assert_int_equal(iddr_wait_budget(&w, &limits, IDDR_MODE_ADAPTIVE),
			 77 * US);
	assert_int_equal(iddr_wait_budget(&w, &limits, IDDR_NR_MODES), 0);
}

static void starts_at_its_minimum(void **state)
{
	struct iddr_wait_limits l = limits;
	struct iddr_wait w;

	(void)state;
	iddr_wait_init(&w, &l);
	assert_int_equal(budget(&w, &l), 0);
	l.min_ns = 20 * US;
	iddr_wait_init(&w, &l);
	assert_int_equal(w.budget_ns, 20 * US);
}

static void bounds_hold_as_they_change(void **state)
{
	struct iddr_wait_limits l = limits;
	struct iddr_wait w = { .budget_ns = 100 * US };

	(void)state;
	l.max_ns = 60 * US;
	assert_int_equal(budget(&w, &l), 60 * US);
	l.max_ns = 200 * US;
	l.min_ns = 150 * US;
	assert_int_equal(budget(&w, &l), 150 * US);
	/* Crossed: the upper one, which limits what is burnt, wins. */
	l.min_ns = 300 * US;
	assert_int_equal(budget(&w, &l), 200 * US);
	iddr_wait_slept(&w, &l, MS);
	assert_int_equal(budget(&w, &l), 200 * US);
	/* No upper bound to speak of: nothing wraps. */
	l.min_ns = 0;
	l.max_ns = U64_MAX;
	iddr_wait_slept(&w, &l, U64_MAX);
	iddr_wait_slept(&w, &l, U64_MAX);
	assert_int_equal(budget(&w, &l), 800 * US);
	w.budget_ns = U64_MAX / 2 + 1;
	iddr_wait_slept(&w, &l, U64_MAX);
	assert_true(budget(&w, &l) == U64_MAX);
	/* No budget at all. */
	l.max_ns = 0;
	iddr_wait_slept(&w, &l, 0);
	iddr_wait_slept(&w, &l, 1);
	assert_int_equal(budget(&w, &l), 0);
}

static void doubles_from_a_start(void **state)
{
	static const u64 steps[] = {
		10 * US, 20 * US, 40 * US, 80 * US, 125 * US, 125 * US,
	};
	struct iddr_wait w;

	(void)state;
	iddr_wait_init(&w, &limits);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		iddr_wait_slept(&w, &limits, 100 * US);
		assert_int_equal(budget(&w, &limits), steps[i]);
	}
	/* A gap that the budget covers already teaches nothing. */
	iddr_wait_slept(&w, &limits, 3 * US);
	assert_int_equal(budget(&w, &limits), 125 * US);
}

static void short_gaps_need_no_more_than_they_are(void **state)
{
	struct iddr_wait w;

	(void)state;
	iddr_wait_init(&w, &limits);
	iddr_wait_slept(&w, &limits, 4 * US);
	assert_int_equal(budget(&w, &limits), 5 * US);
}

static void gap_at_the_bound(void **state)
{
	struct iddr_wait w = { .budget_ns = 150 * US };

	(void)state;
	iddr_wait_slept(&w, &limits, 200 * US);
	assert_int_equal(budget(&w, &limits), 200 * US);
	w = (struct iddr_wait){ .budget_ns = 150 * US };
	iddr_wait_slept(&w, &limits, 200 * US + 1);
	assert_int_equal(budget(&w, &limits), 75 * US);
}

/* From any state, steady gaps below the maximum are soon caught, tightly. */
static void converges_near_steady_gaps(void **state)
{
	(void)state;
	for (u64 gap = 1; gap <= limits.max_ns; gap += 977) {
		for (int debt = 0; debt < 2; debt++) {
			struct iddr_wait w;
			unsigned int sleeps = 0;

			iddr_wait_init(&w, &limits);
			if (debt)
				w.credit_ns = -(s64)limits.max_ns;
			for (int i = 0; i < 100; i++) {
				if (gap > budget(&w, &limits))
					sleeps++;
				live(&w, &limits, IDDR_MODE_ADAPTIVE, gap, 0);
			}
			/* 10 to 200 us by doubling; a debt before it. */
			assert_true(sleeps <= (debt ? 6 + 15 : 6));
			assert_true(budget(&w, &limits) >= gap);
			assert_true(budget(&w, &limits) <= gap + gap / 4);
		}
	}
}

/* And if no gap can be caught, it soon stops trying. */
static void goes_to_the_minimum_on_long_gaps(void **state)
{
	(void)state;
	for (u64 min = 0; min <= limits.max_ns; min += 50 * US) {
		struct iddr_wait_limits l = limits;
		struct iddr_wait w = {
			.budget_ns = U64_MAX, .credit_ns = 2 * limits.max_ns,
		};

		l.min_ns = min;
		for (int i = 0; i < 8; i++)
			live(&w, &l, IDDR_MODE_ADAPTIVE, l.max_ns + 1, 0);
		assert_int_equal(budget(&w, &l), min);
	}
}

static void one_pause_costs_at_most_half(void **state)
{
	struct iddr_wait w = { .budget_ns = 125 * US };

	(void)state;
	/* Nothing in hand. */
	iddr_wait_slept(&w, &limits, 1000 * MS);
	assert_true(budget(&w, &limits) >= 125 * US / 2);
	/* In steady traffic: nothing at all. */
	w.budget_ns = 125 * US;
	for (int i = 0; i < 10; i++)
		live(&w, &limits, IDDR_MODE_ADAPTIVE, 100 * US, 0);
	iddr_wait_slept(&w, &limits, 1000 * MS);
	assert_int_equal(budget(&w, &limits), 125 * US);
}

/* A budget shorter than the start is as good as any while it pays. */
static void tiny_budgets_survive_a_pause(void **state)
{
	struct iddr_wait w;

	(void)state;
	iddr_wait_init(&w, &limits);
	for (int i = 0; i < 3; i++)
		live(&w, &limits, IDDR_MODE_ADAPTIVE, 4 * US, 0);
	iddr_wait_slept(&w, &limits, MS);
	assert_int_equal(budget(&w, &limits), 5 * US);
}

/* However well it went before, soon after it goes badly the budget yields. */
/* Waits that go without a spin after the CPU was lost once more. */
static u32 without_spin(struct iddr_wait *w)
{
	u32 n = 0;

	iddr_wait_lost_cpu(w);
	while (iddr_wait_no_spin(w))
		n++;
	return n;
}

static void company_is_avoided_for_longer_each_time(void **state)
{
	struct iddr_wait w;
	u32 i, n;

	(void)state;
	iddr_wait_init(&w, &limits);
	assert_false(iddr_wait_no_spin(&w));
	for (i = 1; i <= IDDR_WAIT_PENALTY; i *= 2)
		assert_int_equal(without_spin(&w), i);
	/* No more than that. */
	assert_int_equal(without_spin(&w), IDDR_WAIT_PENALTY);
	/* The company is gone: half as long after each quiet while. */
	for (n = IDDR_WAIT_PENALTY / 2; n > 1; n /= 2) {
		for (i = 0; i < IDDR_WAIT_QUIET; i++)
			iddr_wait_kept_cpu(&w);
		assert_int_equal(w.penalty, n);
	}
	/* Once is no habit. */
	for (i = 0; i < 2 * IDDR_WAIT_QUIET; i++)
		iddr_wait_kept_cpu(&w);
	assert_int_equal(without_spin(&w), 1);
	assert_int_equal(budget(&w, &limits), 0);
}

static void company_that_comes_and_goes(void **state)
{
	struct iddr_wait w;
	u32 i;

	(void)state;
	iddr_wait_init(&w, &limits);
	/* A while that is not quite quiet does not count. */
	assert_int_equal(without_spin(&w), 1);
	for (i = 1; i < IDDR_WAIT_QUIET; i++)
		iddr_wait_kept_cpu(&w);
	assert_int_equal(without_spin(&w), 2);
	for (i = 1; i < IDDR_WAIT_QUIET; i++)
		iddr_wait_kept_cpu(&w);
	assert_int_equal(w.penalty, 4);
	iddr_wait_kept_cpu(&w);
	assert_int_equal(w.penalty, 2);
}

static void credit_is_bounded(void **state)
{
	struct iddr_wait w = { .budget_ns = 200 * US };

	(void)state;
	for (int i = 0; i < 1000000; i++)
		iddr_wait_caught(&w, &limits, 1);
	for (int i = 0; i < 3; i++)
		iddr_wait_slept(&w, &limits, MS);
	assert_int_equal(budget(&w, &limits), 100 * US);
}

/*
 * A pattern of gaps, over and over. Return: cost a gap, in nanoseconds, where a
 * sleep costs what the user says that it does at the most: max_ns.
 */
static u64 cost(const u64 *gaps, size_t nr, enum iddr_mode mode, u64 fixed_ns)
{
	struct iddr_wait_limits l = limits;
	struct iddr_wait w;
	u64 sum = 0;

	l.fixed_ns = fixed_ns;
	iddr_wait_init(&w, &l);
	for (int i = 0; i < 10000; i++)
		sum += live(&w, &l, mode, gaps[i % nr], l.max_ns);
	return sum / 10000;
}

/*
 * Short and long gaps in every mixture of up to 12: adaptive costs hardly more
 * than the better of never spinning and always spinning just long enough for
 * the short ones, which it cannot know beforehand.
 */
static void mixed_gaps_cost_little_more_than_the_better_way(void **state)
{
	static const u64 shorts[] = { 5 * US, 20 * US, 60 * US, 100 * US, 150 * US };
	u64 worst = 0;

	(void)state;
	for (size_t s = 0; s < sizeof(shorts) / sizeof(*shorts); s++) {
		for (unsigned int pattern = 0; pattern < 1U << 12; pattern++) {
			u64 gaps[12], never, always, adaptive, better;

			for (int i = 0; i < 12; i++)
				gaps[i] = pattern & 1U << i ? shorts[s] : MS;
			never = cost(gaps, 12, IDDR_MODE_EVENT, 0);
			always = cost(gaps, 12, IDDR_MODE_HYBRID, shorts[s]);
			adaptive = cost(gaps, 12, IDDR_MODE_ADAPTIVE, 0);
			better = never < always ? never : always;
			if (adaptive * 100 / better > worst)
				worst = adaptive * 100 / better;
		}
	}
	assert_true(worst <= 150);
}

static u64 any(unsigned int *seed)
{
	u64 v = (u64)rand_r(seed) << 33 ^ (u64)rand_r(seed) << 11 ^
		(u64)rand_r(seed);

	return v >> rand_r(seed) % 64;
}

/* Any limits, changing at any time, any gaps: always within the bounds. */
static void within_bounds_whatever_comes(void **state)
{
	struct iddr_wait_limits l = limits;
	unsigned int seed = 1;
	struct iddr_wait w;

	(void)state;
	iddr_wait_init(&w, &l);
	for (int i = 0; i < 1000000; i++) {
		u64 lo, got;

		if (rand_r(&seed) % 8 == 0) {
			l.fixed_ns = any(&seed);
			l.min_ns = any(&seed);
			l.max_ns = any(&seed);
		}
		live(&w, &l, rand_r(&seed) % IDDR_NR_MODES, any(&seed), 0);
		lo = l.min_ns < l.max_ns ? l.min_ns : l.max_ns;
		got = budget(&w, &l);
		assert_true(got >= lo && got <= l.max_ns);
	}
}

/* A submitter that sleeps between its requests lingers; a test now and then. */
static void lingers_for_the_synchronous(void **state)
{
	struct iddr_linger l = { 0 };
	unsigned int i, lingered = 0;
	u64 sleeps = 7;

	(void)state;
	/* The first two show that it sleeps; who lingers does not. */
	assert_false(iddr_linger(&l, 1, 1, sleeps++));
	for (i = 0; i < 10 * (IDDR_LINGER_RUN + 2); i++) {
		if (iddr_linger(&l, 1, 1, sleeps))
			lingered++;
		else
			sleeps++;
	}
	assert_int_equal(lingered, 10 * (IDDR_LINGER_RUN + 1));
}

static void lingers_for_nobody_else(void **state)
{
	struct iddr_linger l = { 0 };
	unsigned int i;

	(void)state;
	/* It submits one after the other without sleeping. */
	for (i = 0; i < 1000; i++)
		assert_false(iddr_linger(&l, 1, 1, 7));
	/* It sleeps, but has more in flight. */
	for (i = 0; i < 1000; i++)
		assert_false(iddr_linger(&l, 2, 1, i));
	/* Two take turns. */
	for (i = 0; i < 1000; i++)
		assert_false(iddr_linger(&l, 1, 1 + i % 2, i));
}

/* More in flight ends it at once, and what was learnt. */
static void stops_lingering(void **state)
{
	struct iddr_linger l = { 0 };

	(void)state;
	assert_false(iddr_linger(&l, 1, 1, 0));
	assert_true(iddr_linger(&l, 1, 1, 1));
	assert_true(iddr_linger(&l, 1, 1, 1));
	assert_false(iddr_linger(&l, 2, 1, 1));
	assert_false(iddr_linger(&l, 1, 1, 2));
	assert_true(iddr_linger(&l, 1, 1, 3));
	/* Another submitter is not waited for on the first one's account. */
	assert_false(iddr_linger(&l, 1, 2, 3));
	assert_false(iddr_linger(&l, 1, 1, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modes_and_their_budgets),
		cmocka_unit_test(starts_at_its_minimum),
		cmocka_unit_test(bounds_hold_as_they_change),
		cmocka_unit_test(doubles_from_a_start),
		cmocka_unit_test(short_gaps_need_no_more_than_they_are),
		cmocka_unit_test(gap_at_the_bound),
		cmocka_unit_test(converges_near_steady_gaps),
		cmocka_unit_test(goes_to_the_minimum_on_long_gaps),
		cmocka_unit_test(one_pause_costs_at_most_half),
		cmocka_unit_test(tiny_budgets_survive_a_pause),
		cmocka_unit_test(credit_is_bounded),
		cmocka_unit_test(company_is_avoided_for_longer_each_time),
		cmocka_unit_test(company_that_comes_and_goes),
		cmocka_unit_test(mixed_gaps_cost_little_more_than_the_better_way),
		cmocka_unit_test(within_bounds_whatever_comes),
		cmocka_unit_test(lingers_for_the_synchronous),
		cmocka_unit_test(lingers_for_nobody_else),
		cmocka_unit_test(stops_lingering),
	};

	return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
