/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long a consumer watches the ring before it goes to sleep.
 *
 * Pure code: it depends on iddr_shim.h alone. Times are nanoseconds. A *gap* is
 * the time from the last entry consumed to the next one, spinning included.
 *
 * Adaptive. To spin is to rent, to sleep (and be notified and woken) is to buy;
 * a spin as long as a sleep costs, then a sleep, is never worse than twice the
 * best (Karlin, Li, Manasse, Owicki: Empirical studies of competitive spinning
 * for a shared-memory multiprocessor, SOSP 1991). What a sleep costs here is
 * for the user to say, as max_ns: no spin is longer than that. Below it the
 * budget follows the gaps, as Linux's KVM does before it halts a vCPU
 * (Documentation/virt/kvm/halt-polling.rst: double after a sleep that a spin
 * could have saved, halve after a spin that was in vain), with two additions:
 *
 * - It grows no further than a quarter beyond the gap that it missed, which is
 *   room for jitter.
 * - It keeps account of what spinning is worth. Each gap that a spin caught, or
 *   would have, earns max_ns less the gap; each spin in vain is paid for. Only
 *   in debt is the budget halved, and in debt it does not grow. Without that,
 *   where short and long gaps mix, the long ones shrink the budget, the short
 *   ones are missed for it, and both are paid: up to twice what the better of
 *   always and never spinning costs (modules/test/test_wait.c measures it).
 *
 * Credit and debt are bounded, so that the budget yields soon when only long
 * gaps come and grows soon when short ones do, and one long pause costs half of
 * a budget at the most.
 */
#ifndef IDDR_WAIT_H
#define IDDR_WAIT_H

#include "iddr_shim.h"

/* How a consumer waits for its peer. The names are those of sysfs. */
enum iddr_mode {
	IDDR_MODE_EVENT,	/* arm, sleep, be woken by the event channel */
	IDDR_MODE_SPIN,		/* watch the peer's producer index */
	IDDR_MODE_HYBRID,	/* watch for a fixed while, then as event */
	IDDR_MODE_ADAPTIVE,	/* watch for a while that it learns */
	IDDR_NR_MODES
};

/* The budget grows from here; a smaller one is not worth its looks. */
#define IDDR_WAIT_GROW_START_NS	10000ULL

/* Credit and debt at the most, in spins of max_ns. */
#define IDDR_WAIT_CREDIT	2
#define IDDR_WAIT_DEBT		1

/* Written by sysfs at any time, so each call reads each value once. */
struct iddr_wait_limits {
	u64 fixed_ns;		/* hybrid's budget */
	u64 min_ns;		/* adaptive's bounds; max_ns wins over min_ns */
	u64 max_ns;
};

/* What has been learnt. One writer: the thread that waits. */
struct iddr_wait {
	u64 budget_ns;		/* read by sysfs */
	s64 credit_ns;		/* negative: debt */
	u32 no_spin;		/* waits that are yet to go without a spin */
	u32 penalty;		/* of them, the next time; a power of two */
	u32 quiet;		/* spins undisturbed since the last change */
};

static inline u64 iddr_wait_add(u64 a, u64 b)
{
	return a > U64_MAX - b ? U64_MAX : a + b;
}

static inline u64 iddr_wait_clamp(u64 budget, u64 min, u64 max)
{
	if (budget < min)
		budget = min;
	return budget > max ? max : budget;
}

static inline void iddr_wait_init(struct iddr_wait *w,
				  const struct iddr_wait_limits *l)
{
	WRITE_ONCE(w->budget_ns, iddr_wait_clamp(0, READ_ONCE(l->min_ns),
						 READ_ONCE(l->max_ns)));
	w->credit_ns = 0;
	w->no_spin = 0;
	w->penalty = 1;
	w->quiet = 0;
}

/* How long to spin after the last entry. 0: not at all; U64_MAX: for good. */
static inline u64 iddr_wait_budget(const struct iddr_wait *w,
				   const struct iddr_wait_limits *l,
				   enum iddr_mode mode)
{
	switch (mode) {
	case IDDR_MODE_SPIN:
		return U64_MAX;
	case IDDR_MODE_HYBRID:
		return READ_ONCE(l->fixed_ns);
	case IDDR_MODE_ADAPTIVE:
		return iddr_wait_clamp(READ_ONCE(w->budget_ns),
				       READ_ONCE(l->min_ns),
				       READ_ONCE(l->max_ns));
	default:
		return 0;
	}
}

/* An amount as the accounts have it: bounded, so that no sum overflows. */
static inline s64 iddr_wait_worth(u64 ns)
{
	return ns > S64_MAX / 8 ? S64_MAX / 8 : ns;
}

/*
 * Enter @amount. Both bounds hold whichever way it goes: the account may have
 * been made under another max_ns.
 */
static inline void iddr_wait_book(struct iddr_wait *w, u64 max, s64 amount)
{
	s64 most = IDDR_WAIT_CREDIT * iddr_wait_worth(max);
	s64 least = -IDDR_WAIT_DEBT * iddr_wait_worth(max);
	s64 credit = w->credit_ns + amount;

	if (credit > most)
		credit = most;
	if (credit < least)
		credit = least;
	w->credit_ns = credit;
}

static inline void iddr_wait_earn(struct iddr_wait *w, u64 max, u64 gap_ns)
{
	u64 gain = gap_ns < max ? max - gap_ns : 0;

	/* Never nothing: steady gaps just below max_ns end a debt, too. */
	if (gain < max / 16)
		gain = max / 16;
	iddr_wait_book(w, max, iddr_wait_worth(gain));
}

/*
 * Company. A spinner gives way to whoever else wants its CPU, and may get it back
 * a scheduler's slice later, thousands of hand-overs. Who sleeps and is woken goes
 * before who has been running all the time; who yields goes behind. So where a
 * spinner was away for longer than a sleep costs, hybrid and adaptive are better
 * off asleep, until that company is gone; which only another spin shows. The waits
 * without one are doubled each time that it was still there, and the next number
 * of them is halved after a while in which it was not. The budget does not learn
 * this: a sleep beside company is short, so that it grows.
 * (Beside a process that never rests, with one request in flight, a spinner that
 * does not know this does a fiftieth of mode event's requests, and adaptive more
 * than event: `make experiment EXP=native`.)
 */
#define IDDR_WAIT_PENALTY	4096U	/* waits, at the most */
#define IDDR_WAIT_QUIET		64U	/* spins */

/* A spin of hybrid or adaptive lost the CPU for longer than a sleep costs. */
static inline void iddr_wait_lost_cpu(struct iddr_wait *w)
{
	w->no_spin = w->penalty;
	w->quiet = 0;
	if (w->penalty < IDDR_WAIT_PENALTY)
		w->penalty *= 2;
}

/* A spin ended with an entry, and the CPU was never away for long. */
static inline void iddr_wait_kept_cpu(struct iddr_wait *w)
{
	if (w->penalty > 1 && ++w->quiet >= IDDR_WAIT_QUIET) {
		w->quiet = 0;
		w->penalty /= 2;
	}
}

/* Once a wait of hybrid or adaptive: shall it go without a spin? */
static inline bool iddr_wait_no_spin(struct iddr_wait *w)
{
	if (!w->no_spin)
		return false;
	w->no_spin--;
	return true;
}

/* The next budget after one that missed @gap_ns. */
static inline u64 iddr_wait_grown(u64 budget, u64 gap_ns)
{
	u64 enough = iddr_wait_add(gap_ns, gap_ns / 4);
	u64 grown = iddr_wait_add(budget, budget);

	if (grown < IDDR_WAIT_GROW_START_NS)
		grown = IDDR_WAIT_GROW_START_NS;
	if (grown > enough)
		grown = enough;
	/* It may cover the gap already: the spin was cut short. */
	return grown > budget ? grown : budget;
}

/* Adaptive: a spin ended with an entry, @gap_ns after the last one. */
static inline void iddr_wait_caught(struct iddr_wait *w,
				    const struct iddr_wait_limits *l,
				    u64 gap_ns)
{
	iddr_wait_earn(w, READ_ONCE(l->max_ns), gap_ns);
}

/* Adaptive: a sleep ended with an entry, @gap_ns after the last one. */
static inline void iddr_wait_slept(struct iddr_wait *w,
				   const struct iddr_wait_limits *l,
				   u64 gap_ns)
{
	u64 max = READ_ONCE(l->max_ns);
	u64 min = READ_ONCE(l->min_ns);
	u64 budget = iddr_wait_clamp(w->budget_ns, min, max);

	if (gap_ns <= max) {
		iddr_wait_earn(w, max, gap_ns);
		if (w->credit_ns >= 0)
			budget = iddr_wait_grown(budget, gap_ns);
	} else {
		iddr_wait_book(w, max, -iddr_wait_worth(budget));
		if (w->credit_ns < 0) {
			budget /= 2;
			if (budget < IDDR_WAIT_GROW_START_NS)
				budget = 0;
		}
	}
	WRITE_ONCE(w->budget_ns, iddr_wait_clamp(budget, min, max));
}

/*
 * Lingering. Who submits a request that is alone in flight may wait for its
 * answer there and then, as with a device that answers at once: then no thread
 * has to run in between. It pays where the submitter would sleep now anyway, and
 * costs where it would have submitted more. Which it is shows only when it does
 * not linger: if it has slept by the time of its next request, the next
 * IDDR_LINGER_RUN requests linger, then one is a test again.
 */
#define IDDR_LINGER_RUN		64

/* One writer at a time: who publishes. */
struct iddr_linger {
	u64 submitter;		/* of the last request that did not linger */
	u64 sleeps;		/* how often it had slept by then */
	u32 run;		/* requests that may still linger */
};

/*
 * A request has been published; @in_flight with it are unanswered. @submitter
 * tells submitters apart, @sleeps counts how often this one has slept so far.
 * Return: whether to linger.
 */
static inline bool iddr_linger(struct iddr_linger *l, u32 in_flight,
			       u64 submitter, u64 sleeps)
{
	bool slept;

	if (in_flight != 1) {
		l->submitter = 0;
		l->run = 0;
		return false;
	}
	if (l->submitter == submitter && l->run) {
		l->run--;
		return true;
	}
	slept = l->submitter == submitter && l->sleeps != sleeps;
	l->submitter = submitter;
	l->sleeps = sleeps;
	l->run = slept ? IDDR_LINGER_RUN : 0;
	return slept;
}

#endif /* IDDR_WAIT_H */
