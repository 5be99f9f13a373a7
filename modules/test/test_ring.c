// SPDX-License-Identifier: GPL-2.0
/* The ring's index arithmetic, hold-off and bounds; and two threads on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "../comm/iddr_ring.h"

#include <cmocka.h>

#define SLOTS 32U

/* The shared words of both directions, as both ends see them. */
struct shared {
	u32 req_prod, req_event, rsp_prod, rsp_event;
	u64 slot[SLOTS];
};

struct pair {
	struct shared sh;
	struct iddr_tx tx;
	struct iddr_rx rx;
};

static void pair_init(struct pair *p, u32 start)
{
	memset(p, 0, sizeof(*p));
	p->sh.req_prod = start;
	p->sh.req_event = start + 1;
	iddr_tx_init(&p->tx, &p->sh.req_prod, &p->sh.req_event, start);
	iddr_rx_init(&p->rx, &p->sh.req_prod, &p->sh.req_event, start);
}

static bool produce(struct pair *p, u32 n)
{
	p->tx.prod += n;
	return iddr_tx_publish(&p->tx);
}

/* As seen by a back end that has answered everything it consumed. */
static int avail(struct pair *p)
{
	return iddr_rx_avail(&p->rx, &p->rx.cons, SLOTS);
}

static const u32 starts[] = { 0, 1, 31, 0x7fffffff, 0xfffffff0, 0xffffffff };

static void slots_are_a_power_of_two(void **state)
{
	(void)state;
	/* blkif: 112 byte slots behind 64 bytes, in a page. */
	assert_int_equal(iddr_ring_slots(4096, 64, 112), 32);
	assert_int_equal(iddr_ring_slots(8192, 64, 112), 64);
	assert_int_equal(iddr_ring_slots(65536, 64, 112), 512);
	assert_int_equal(iddr_ring_slots(4096, 64, 4032), 1);
}

static void armed_notifies_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		struct pair p;

		pair_init(&p, starts[i]);
		assert_false(iddr_rx_arm(&p.rx));
		p.tx.prod += 1;
		assert_true(iddr_tx_would_notify(&p.tx));
		assert_true(iddr_tx_publish(&p.tx));
		assert_false(produce(&p, 1));
		assert_false(produce(&p, 5));
		assert_int_equal(avail(&p), 7);
	}
}

static void batch_notifies_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		struct pair p;

		pair_init(&p, starts[i]);
		assert_false(iddr_rx_arm(&p.rx));
		assert_true(produce(&p, SLOTS));
	}
}

static void nothing_new_notifies_nobody(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 7);
	assert_false(iddr_rx_arm(&p.rx));
	assert_false(iddr_tx_publish(&p.tx));
}

static void arming_sees_what_came_before(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p, 0);
	iddr_rx_disarm(&p.rx);
	assert_false(produce(&p, 1));
	assert_true(iddr_rx_arm(&p.rx));
	p.rx.cons++;
	assert_false(iddr_rx_arm(&p.rx));
	assert_true(produce(&p, 1));
}

/* A spinner with refreshes is never notified, all around the index space. */
static void disarmed_is_never_notified(void **state)
{
	struct pair p;
	u64 done = 0;
	u32 step = 1U << 20;

	(void)state;
	pair_init(&p, 0xfffffffa);
	iddr_rx_disarm(&p.rx);
	while (done < 3ULL << 32) {
		assert_false(produce(&p, step));
		p.rx.cons = p.tx.published;
		iddr_rx_refresh(&p.rx);
		done += step;
	}
}

/* And without refreshes it is: what the refresh is for. */
static void stale_disarm_fires(void **state)
{
	struct pair p;
	u32 step = 1U << 20;
	unsigned int fired = 0;

	(void)state;
	pair_init(&p, 0);
	iddr_rx_disarm(&p.rx);
	for (u64 done = 0; done < 2ULL << 32; done += step)
		fired += produce(&p, step);
	assert_int_equal(fired, 2);
}

/* A look by someone else than who has fallen asleep must not unarm it. */
static void refreshing_leaves_an_armed_index(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		struct pair p;

		pair_init(&p, starts[i]);
		iddr_rx_refresh(&p.rx);
		assert_true(produce(&p, 1));
		p.rx.cons++;
		assert_false(iddr_rx_arm(&p.rx));
		iddr_rx_refresh(&p.rx);
		assert_true(produce(&p, 1));
	}
}

static void overrun_is_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		struct pair p;

		pair_init(&p, starts[i]);
		p.sh.req_prod = starts[i] + SLOTS;
		assert_int_equal(avail(&p), SLOTS);
		p.sh.req_prod = starts[i] + SLOTS + 1;
		assert_int_equal(avail(&p), -EPROTO);
		p.sh.req_prod = starts[i] - 1;	/* backwards */
		assert_int_equal(avail(&p), -EPROTO);
		p.sh.req_prod = starts[i] + 0x80000000U;
		assert_int_equal(avail(&p), -EPROTO);
	}
}

/* A front end must not see more responses than it published requests. */
static void responses_beyond_requests_are_an_error(void **state)
{
	struct shared sh = { .req_event = 1, .rsp_event = 1 };
	struct iddr_tx tx;
	struct iddr_rx rx;

	(void)state;
	iddr_tx_init(&tx, &sh.req_prod, &sh.req_event, 0);
	iddr_rx_init(&rx, &sh.rsp_prod, &sh.rsp_event, 0);
	tx.prod = 3;
	iddr_tx_publish(&tx);
	sh.rsp_prod = 3;
	assert_int_equal(iddr_rx_avail(&rx, &tx.published, 0), 3);
	sh.rsp_prod = 4;
	assert_int_equal(iddr_rx_avail(&rx, &tx.published, 0), -EPROTO);
	/* Filled, not published: no ground for an answer either. */
	tx.prod = 4;
	assert_int_equal(iddr_rx_avail(&rx, &tx.published, 0), -EPROTO);
}

static void copy_takes_every_word(void **state)
{
	u64 from[14], to[14] = { 0 };

	(void)state;
	for (int i = 0; i < 14; i++)
		from[i] = 0x0101010101010101ULL * i;
	iddr_ring_copy(to, from, sizeof(to));
	assert_memory_equal(from, to, sizeof(to));
}

/*
 * Two threads: numbers go through the ring in order, none is lost, and a
 * consumer that arms and then waits for the bell is always rung. The bell is a
 * counter; a lost wake-up would leave the consumer waiting for good, which the
 * deadline turns into a failure.
 */
struct race {
	struct pair p;
	u32 bell;
	u32 consumed;	/* what the producer may reuse */
	u32 total;
};

static void *race_producer(void *arg)
{
	struct race *r = arg;
	u32 i;

	for (i = 0; i < r->total; i++) {
		while (i - __atomic_load_n(&r->consumed, __ATOMIC_ACQUIRE) >=
		       SLOTS)
			sched_yield();
		WRITE_ONCE(r->p.sh.slot[i & (SLOTS - 1)], i);
		r->p.tx.prod++;
		if (iddr_tx_publish(&r->p.tx))
			__atomic_fetch_add(&r->bell, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void no_wakeup_is_lost(void **state)
{
	struct race *r = calloc(1, sizeof(*r));
	pthread_t producer;
	u32 next = 0, heard = 0;
	time_t deadline = time(NULL) + 120;

	(void)state;
	pair_init(&r->p, 0xffffff00);	/* wraps on the way */
	r->total = 200000;
	/* The producer's slots are numbered from 0, its indices from start. */
	assert_int_equal(pthread_create(&producer, NULL, race_producer, r), 0);
	while (next < r->total) {
		int n = avail(&r->p);

		assert_true(n >= 0);
		if (!n) {
			if (iddr_rx_arm(&r->p.rx))
				continue;
			/* Asleep: only the bell may wake us. */
			while (__atomic_load_n(&r->bell, __ATOMIC_SEQ_CST) ==
			       heard) {
				assert_true(time(NULL) < deadline);
				sched_yield();
			}
			heard = __atomic_load_n(&r->bell, __ATOMIC_SEQ_CST);
			continue;
		}
		while (n--) {
			u64 got;

			iddr_ring_copy(&got, &r->p.sh.slot[next & (SLOTS - 1)],
				       sizeof(got));
			assert_int_equal(got, next);
			next++;
			r->p.rx.cons++;
		}
		__atomic_store_n(&r->consumed, next, __ATOMIC_RELEASE);
	}
	assert_int_equal(pthread_join(producer, NULL), 0);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_a_power_of_two),
		cmocka_unit_test(armed_notifies_once),
		cmocka_unit_test(batch_notifies_once),
		cmocka_unit_test(nothing_new_notifies_nobody),
		cmocka_unit_test(arming_sees_what_came_before),
		cmocka_unit_test(disarmed_is_never_notified),
		cmocka_unit_test(stale_disarm_fires),
		cmocka_unit_test(refreshing_leaves_an_armed_index),
		cmocka_unit_test(overrun_is_an_error),
		cmocka_unit_test(responses_beyond_requests_are_an_error),
		cmocka_unit_test(copy_takes_every_word),
		cmocka_unit_test(no_wakeup_is_lost),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
