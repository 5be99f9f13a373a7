// SPDX-License-Identifier: GPL-2.0
/*
 * A front and a back end as two threads on one ring, each waiting in any mode, a
 * third changing the modes meanwhile; an event channel is an eventfd. Every
 * request is answered, in order, with what it asked for.
 *
 * Also built under the thread sanitizer: every word that both sides touch is
 * accessed through the ring's own atomics. A lost wake-up leaves a thread waiting
 * for good, which a generous limit turns into a failure.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../comm/iddr_ring.h"
#include "../comm/iddr_wait.h"

#include <cmocka.h>

#define SLOTS		8U
#define LOST_AFTER_MS	120000
/* Shortly before the indices wrap. */
#define START		0xffffff00U

static const struct iddr_wait_limits limits = {
	.fixed_ns = 20000, .min_ns = 0, .max_ns = 100000,
};

struct slot {
	u64 id;
	u64 data;
};

struct shared {
	u32 req_prod, req_event, rsp_prod, rsp_event;
	struct slot slot[SLOTS];
};

struct side {
	struct shared *sh;
	struct iddr_tx tx;
	struct iddr_rx rx;
	u32 extra;		/* see iddr_rx_avail() */
	int bell, peer_bell;
	u32 total;
	int mode;		/* enum iddr_mode, changed at any time */
	unsigned int sleeps, disarms, rung;
	const char *error;
};

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void publish(struct side *s)
{
	u64 one = 1;

	if (!iddr_tx_publish(&s->tx))
		return;
	s->rung++;
	if (write(s->peer_bell, &one, sizeof(one)) != sizeof(one))
		s->error = "the bell cannot be rung";
}

static int avail(struct side *s)
{
	int n = iddr_rx_avail(&s->rx, &s->tx.published, s->extra);

	if (n < 0)
		s->error = "the producer index is out of bounds";
	return n;
}

/* Until the bell rings. */
static void sleep_on_bell(struct side *s)
{
	struct pollfd p = { .fd = s->bell, .events = POLLIN };
	u64 rings;

	s->sleeps++;
	if (poll(&p, 1, LOST_AFTER_MS) != 1)
		s->error = "a wake-up was lost";
	else if (read(s->bell, &rings, sizeof(rings)) != sizeof(rings))
		s->error = "the bell cannot be heard";
}

/* As the queue's thread waits. Return: entries that wait, < 0: error. */
static int wait_for_entries(struct side *s, struct iddr_wait *w)
{
	u64 last = now_ns();
	bool slept = false, disarmed = false;

	for (;;) {
		enum iddr_mode mode = READ_ONCE(s->mode);
		u64 gap = now_ns() - last;
		int n = avail(s);

		if (s->error)
			return -1;
		if (n) {
			if (slept)
				iddr_wait_slept(w, &limits, gap);
			else
				iddr_wait_caught(w, &limits, gap);
			return n;
		}
		if (gap < iddr_wait_budget(w, &limits, mode)) {
			if (!disarmed) {
				iddr_rx_disarm(&s->rx);
				s->disarms++;
			}
			disarmed = true;
			sched_yield();
			continue;
		}
		if (iddr_rx_arm(&s->rx))
			continue;
		disarmed = false;
		slept = true;
		sleep_on_bell(s);
	}
}

static void *front(void *arg)
{
	struct side *s = arg;
	struct iddr_wait w;
	u32 sent = 0, answered = 0;

	iddr_wait_init(&w, &limits);
	while (answered < s->total && !s->error) {
		int n;

		/* As much as fits, in batches of every size. */
		while (sent < s->total && sent - answered < SLOTS) {
			struct slot *slot =
				&s->sh->slot[s->tx.prod & (SLOTS - 1)];

			WRITE_ONCE(slot->id, sent);
			WRITE_ONCE(slot->data, sent * 3ULL);
			s->tx.prod++;
			sent++;
			if (sent % 3 == 0)
				publish(s);
		}
		publish(s);
		n = wait_for_entries(s, &w);
		for (; n > 0; n--) {
			struct slot got;

			iddr_ring_copy(&got,
				       &s->sh->slot[s->rx.cons & (SLOTS - 1)],
				       sizeof(got));
			if (got.id != answered || got.data != answered * 3ULL + 1)
				s->error = "another answer than was asked for";
			s->rx.cons++;
			answered++;
			/* The slot is the next request's from here on. */
		}
	}
	return NULL;
}

static void *back(void *arg)
{
	struct side *s = arg;
	struct iddr_wait w;
	u32 served = 0;

	iddr_wait_init(&w, &limits);
	while (served < s->total && !s->error) {
		int n = wait_for_entries(s, &w);

		for (; n > 0; n--) {
			struct slot got, *slot;

			iddr_ring_copy(&got,
				       &s->sh->slot[s->rx.cons & (SLOTS - 1)],
				       sizeof(got));
			s->rx.cons++;
			slot = &s->sh->slot[s->tx.prod & (SLOTS - 1)];
			WRITE_ONCE(slot->id, got.id);
			WRITE_ONCE(slot->data, got.data + 1);
			s->tx.prod++;
			served++;
			if (served % 2)
				publish(s);
		}
		publish(s);
	}
	return NULL;
}

struct pair {
	struct shared sh;
	struct side front, back;
};

static struct pair *pair_create(u32 total)
{
	struct pair *p = calloc(1, sizeof(*p));

	p->sh.req_prod = START;
	p->sh.rsp_prod = START;
	p->sh.req_event = START + 1;
	p->sh.rsp_event = START + 1;
	p->front.sh = &p->sh;
	p->back.sh = &p->sh;
	p->front.total = total;
	p->back.total = total;
	iddr_tx_init(&p->front.tx, &p->sh.req_prod, &p->sh.req_event, START);
	iddr_rx_init(&p->front.rx, &p->sh.rsp_prod, &p->sh.rsp_event, START);
	iddr_tx_init(&p->back.tx, &p->sh.rsp_prod, &p->sh.rsp_event, START);
	iddr_rx_init(&p->back.rx, &p->sh.req_prod, &p->sh.req_event, START);
	/* A back end has no more requests than slots that it has not answered. */
	p->back.extra = SLOTS;
	p->front.bell = eventfd(0, 0);
	p->back.bell = eventfd(0, 0);
	p->front.peer_bell = p->back.bell;
	p->back.peer_bell = p->front.bell;
	assert_true(p->front.bell >= 0 && p->back.bell >= 0);
	return p;
}

static void pair_free(struct pair *p)
{
	close(p->front.bell);
	close(p->back.bell);
	free(p);
}

static void pair_run(struct pair *p, unsigned int switches)
{
	pthread_t f, b;
	unsigned int seed = 1;

	assert_int_equal(pthread_create(&b, NULL, back, &p->back), 0);
	assert_int_equal(pthread_create(&f, NULL, front, &p->front), 0);
	while (switches--) {
		struct timespec t = { .tv_nsec = rand_r(&seed) % 2000000 };

		WRITE_ONCE(p->front.mode, rand_r(&seed) % IDDR_NR_MODES);
		nanosleep(&t, NULL);
		WRITE_ONCE(p->back.mode, rand_r(&seed) % IDDR_NR_MODES);
	}
	assert_int_equal(pthread_join(f, NULL), 0);
	assert_int_equal(pthread_join(b, NULL), 0);
	if (p->front.error)
		fail_msg("front: %s", p->front.error);
	if (p->back.error)
		fail_msg("back: %s", p->back.error);
}

static void every_pair_of_modes(void **state)
{
	(void)state;
	for (int f = 0; f < IDDR_NR_MODES; f++) {
		for (int b = 0; b < IDDR_NR_MODES; b++) {
			struct pair *p = pair_create(3000);

			p->front.mode = f;
			p->back.mode = b;
			pair_run(p, 0);
			/*
			 * It did wait as it was told. Disarming stores an index
			 * that a producer may not have compared yet, which makes
			 * for a spare notification at most; START + 1, one more.
			 * (test_ring.c has that none is otherwise.)
			 */
			if (f == IDDR_MODE_SPIN) {
				assert_int_equal(p->front.sleeps, 0);
				assert_true(p->back.rung <=
					    1 + p->front.disarms);
			}
			if (b == IDDR_MODE_SPIN) {
				assert_int_equal(p->back.sleeps, 0);
				assert_true(p->front.rung <=
					    1 + p->back.disarms);
			}
			if (f == IDDR_MODE_EVENT && b == IDDR_MODE_EVENT)
				assert_true(p->front.sleeps > 0 &&
					    p->back.sleeps > 0);
			pair_free(p);
		}
	}
}

static void modes_change_under_load(void **state)
{
	struct pair *p = pair_create(100000);

	(void)state;
	pair_run(p, 500);
	pair_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_of_modes),
		cmocka_unit_test(modes_change_under_load),
	};

	return cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
