/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a side waits for entries: modules/comm/queue.c's waiting, in a process
 * whose event channel is an eventfd. What decides is the modules' own code, the
 * ring's arming in iddr_ring.h and the budget in iddr_wait.h; this is the loop
 * around it. Each side's one thread owns its `struct waiter`.
 *
 * Where the kernel knows whether its CPU has other work (single_task_running()),
 * a process does not; it finds out. A sched_yield() that took long did let
 * something run (one for nothing takes clock_yield), so the next look yields again;
 * one that came back at once was in vain, so it waits for twice as many looks to
 * the next.
 *
 * Where a yield took longer than a sleep would (limits.max_ns), the CPU is wanted
 * by somebody who does not let go of it: iddr_wait_lost_cpu().
 */
#ifndef NATIVE_WAIT_H
#define NATIVE_WAIT_H

#include <sched.h>

#include "native.h"

/* Looks from one yield to the next, at the most. */
#define YIELD_LOOKS	1024U

struct waiter {
	const u32 *mode;		/* enum iddr_mode; may change any time */
	const u32 *stop;		/* nonzero: wait no longer */
	struct iddr_wait_limits limits;
	struct iddr_wait wait;
	struct counters *n;
	int bell;
	bool polite;			/* yields */
	u32 looks, every;		/* since the last yield, to the next */
};

static inline void waiter_init(struct waiter *w, const u32 *mode,
			       const u32 *stop, struct counters *n, int bell)
{
	memset(w, 0, sizeof(*w));
	w->mode = mode;
	w->stop = stop;
	w->n = n;
	w->bell = bell;
	w->polite = true;
	w->every = 1;
}

/*
 * Looks before the first clock reading: a fraction of a microsecond, within which
 * most entries come if the peer is awake, and for which no budget is too small.
 */
#define FREE_LOOKS	16U

/*
 * Nothing there: give way to whoever has work for this CPU.
 * Return: how long the CPU was away, ns.
 */
static inline u64 waiter_relax(struct waiter *w)
{
	u64 took;

	if (!w->polite || ++w->looks < w->every) {
		cpu_relax();
		return 0;
	}
	w->looks = 0;
	w->n->yields++;
	took = ticks();
	sched_yield();
	took = ticks() - took;
	if (took > 3 * clock_yield)
		w->every = 1;
	else if (w->every < YIELD_LOOKS)
		w->every *= 2;
	return ticks_to_ns(took);
}

/* Until @rx shows entries. Return: false: to wait no longer. */
static __inline_all bool waiter_wait(struct waiter *w, struct iddr_rx *rx)
{
	u64 idle_since = 0, now = 0, looks = 0, budget, last;
	bool crowded = false;
	u32 mode;

	for (;;) {
		if (iddr_rx_peek(rx)) {
			if (looks) {
				w->n->looks += looks;
				if (!crowded)
					iddr_wait_kept_cpu(&w->wait);
				if (!crowded &&
				    READ_ONCE(*w->mode) == IDDR_MODE_ADAPTIVE)
					iddr_wait_caught(&w->wait, &w->limits,
							 now - idle_since);
			}
			return true;
		}
		if (READ_ONCE(*w->stop))
			return false;
		mode = READ_ONCE(*w->mode);
		budget = iddr_wait_budget(&w->wait, &w->limits, mode);
		if (budget != U64_MAX && looks == 0 &&
		    iddr_wait_no_spin(&w->wait))
			budget = 0;
		if (budget) {
			if (budget != U64_MAX && looks >= FREE_LOOKS) {
				now = ticks_to_ns(ticks());
				if (!idle_since)
					idle_since = now;
			}
			if (budget == U64_MAX || now - idle_since < budget) {
				/* Armed still, if nothing rang since. */
				if (iddr_rx_is_armed(rx))
					iddr_rx_disarm(rx);
				looks++;
				if (waiter_relax(w) <= w->limits.max_ns ||
				    budget == U64_MAX)
					continue;
				/* To sleep, as queue.c does then. */
				crowded = true;
				iddr_wait_lost_cpu(&w->wait);
			}
		}
		if (iddr_rx_arm(rx))
			continue;
		last = idle_since ? idle_since : ticks_to_ns(ticks());
		w->n->looks += looks;
		w->n->sleeps++;
		bell_wait(w->bell);
		if (mode == IDDR_MODE_ADAPTIVE && iddr_rx_peek(rx))
			iddr_wait_slept(&w->wait, &w->limits,
					ticks_to_ns(ticks()) - last);
		looks = 0;
		idle_since = 0;
	}
}

#endif /* NATIVE_WAIT_H */
