// SPDX-License-Identifier: GPL-2.0
/*
 * A front and a back process on a ring: the back one serves from memory or from a
 * file until told to stop, the front one keeps requests in flight and measures.
 *
 * The region, a memfd: struct control, the ring's pages, the data pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "pair.h"

/* What a memory backing serves from: more than the first caches hold. */
/* Responses of which one is timed, where many are in flight. */
#define SAMPLE		8U
#define PAGE		4096UL
#define PAGES(n)	(((n) + PAGE - 1) & ~(PAGE - 1))

/* @loop(ops, ...) with ops known to the compiler, so that all is inlined. */
#define DISPATCH(ops, loop, ...) do {					\
	if ((ops) == &blkif_ops)					\
		loop(&blkif_ops, __VA_ARGS__);				\
	else if ((ops) == &blkif_ahead_ops)				\
		loop(&blkif_ahead_ops, __VA_ARGS__);			\
	else if ((ops) == &split_ops)					\
		loop(&split_ops, __VA_ARGS__);				\
	else if ((ops) == &split_ahead_ops)				\
		loop(&split_ahead_ops, __VA_ARGS__);			\
	else if ((ops) == &phase_ops)					\
		loop(&phase_ops, __VA_ARGS__);				\
	else if ((ops) == &rte64_ops)					\
		loop(&rte64_ops, __VA_ARGS__);				\
	else if ((ops) == &rte112_ops)					\
		loop(&rte112_ops, __VA_ARGS__);				\
	else								\
		loop(&virtio_ops, __VA_ARGS__);				\
} while (0)

static const struct subject subjects[] = {
	{ "event", &blkif_ops, IDDR_MODE_EVENT, true },
	{ "spin", &blkif_ops, IDDR_MODE_SPIN, true },
	{ "busy", &blkif_ops, IDDR_MODE_SPIN, false },
	{ "hybrid", &blkif_ops, IDDR_MODE_HYBRID, true },
	{ "adaptive", &blkif_ops, IDDR_MODE_ADAPTIVE, true },
	{ "spin-ahead", &blkif_ahead_ops, IDDR_MODE_SPIN, true },
	{ "split-ahead", &split_ahead_ops, IDDR_MODE_SPIN, true },
	{ "split-event", &split_ops, IDDR_MODE_EVENT, true },
	{ "split-spin", &split_ops, IDDR_MODE_SPIN, true },
	{ "split-adaptive", &split_ops, IDDR_MODE_ADAPTIVE, true },
	{ "phase-event", &phase_ops, IDDR_MODE_EVENT, true },
	{ "phase-spin", &phase_ops, IDDR_MODE_SPIN, true },
	{ "rte64", &rte64_ops, IDDR_MODE_SPIN, true },
	{ "rte112", &rte112_ops, IDDR_MODE_SPIN, true },
	{ "virtio", &virtio_ops, IDDR_MODE_SPIN, true },
};

const struct subject *subject_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		if (!strcmp(subjects[i].name, name))
			return &subjects[i];
	return NULL;
}

bool pair_subject(const char *name)
{
	return subject_find(name);
}

void wrong_response(u64 id, u64 expected)
{
	die("wrong response: %lu where %lu was due", id, expected);
}

static u32 power_of_two(u32 n)
{
	u32 p = 1;

	while (p < n)
		p <<= 1;
	return p;
}

struct layout layout_of(const struct config *c, const struct ring_ops *ops)
{
	u32 depth = c->depth ? c->depth : 1;
	struct layout l;

	/* One more than in flight, for those that tell full from empty so. */
	l.slots = power_of_two(depth + 1);
	if (ops->kind <= RING_PHASE)
		l.slots = power_of_two(depth);
	if (l.slots < 32)
		l.slots = 32;
	l.buffers = power_of_two(depth);
	l.ring = PAGES(sizeof(struct control));
	/* Twice a request and its response, and indices: enough for each. */
	l.data = l.ring + PAGES(l.slots * 2 * (ops->words * 8 + RESPONSE + 64) +
				4 * PAGE);
	l.bytes = l.data + PAGES((size_t)l.buffers * c->bytes);
	return l;
}

void ring_format(u8 *region, const struct layout *l, const struct ring_ops *ops)
{
	u8 *ring = region + l->ring;
	u32 i;

	if (ops->kind == RING_RTE) {
		ssize_t bytes = rte_ring_get_memsize_elem(ops->words * 8,
							  l->slots);

		if (rte_ring_init((struct rte_ring *)ring, "requests", l->slots,
				  RING_F_SP_ENQ | RING_F_SC_DEQ) ||
		    rte_ring_init((struct rte_ring *)(ring + bytes),
				  "responses", l->slots,
				  RING_F_SP_ENQ | RING_F_SC_DEQ))
			die("cannot make the DPDK rings");
	} else if (ops->kind == RING_VIRTIO) {
		struct virtio_desc *d = (struct virtio_desc *)ring;
		size_t req = l->ring + 2 * PAGE + l->slots * 2 * sizeof(*d) +
			     l->slots * 16;

		for (i = 0; i < l->slots; i++) {
			d[2 * i].addr = req + i * ops->words * 8;
			d[2 * i].len = ops->words * 8;
			d[2 * i].flags = VIRTIO_NEXT;
			d[2 * i].next = 2 * i + 1;
			d[2 * i + 1].addr = req + l->slots * ops->words * 8 +
					    i * RESPONSE;
			d[2 * i + 1].len = RESPONSE;
			d[2 * i + 1].flags = VIRTIO_WRITE;
		}
	} else {
		u32 *word = (u32 *)ring;
		bool split = ops->kind != RING_BLKIF;

		/* req_prod, req_event, rsp_prod, rsp_event: next to each other
		 * or each in a line of its own.
		 */
		word[0] = START;
		word[split ? 16 : 1] = START + 1;
		word[split ? 32 : 2] = START;
		word[split ? 48 : 3] = START + 1;
		for (i = 0; ops->kind == RING_PHASE && i < l->slots; i++) {
			u32 at = (START + i) & (l->slots - 1);
			u8 *req = ring + 256, *rsp = req + l->slots * SPLIT_SLOT;

			*(u32 *)(req + (at + 1) * SPLIT_SLOT - 4) = START + i;
			*(u32 *)(rsp + (at + 1) * RESPONSE - 4) = START + i;
		}
	}
}

void side_init(struct side *s, const struct config *c, int which,
	       const struct subject *subject, const struct layout *l, int fd,
	       const int *bell)
{
	const struct ring_ops *ops = subject->ops;
	static const u32 never;
	u8 *ring;

	memset(s, 0, sizeof(*s));
	s->c = c;
	s->which = which;
	s->region = region_map(fd, l->bytes);
	s->ctl = (struct control *)s->region;
	s->data = s->region + l->data;
	s->slots = l->slots;
	s->buffers = l->buffers;
	s->peer_bell = bell[!which];
	waiter_init(&s->waiter, &s->ctl->mode_wanted[which],
		    which == BACK ? &s->ctl->stop : &never,
		    &s->ctl->counters[which], bell[which]);
	s->waiter.polite = subject->polite;
	s->waiter.limits.fixed_ns = c->hybrid_ns;
	s->waiter.limits.max_ns = c->max_ns;
	iddr_wait_init(&s->waiter.wait, &s->waiter.limits);

	ring = s->region + l->ring;
	if (ops->kind == RING_RTE) {
		s->req = (struct rte_ring *)ring;
		s->rsp = (struct rte_ring *)
			(ring + rte_ring_get_memsize_elem(ops->words * 8,
							  l->slots));
	} else if (ops->kind == RING_VIRTIO) {
		s->desc = (struct virtio_desc *)ring;
		s->req_slot = s->region + s->desc[0].addr;
		s->rsp_slot = s->region + s->desc[1].addr;
		s->avail = (struct virtio_avail *)
			(ring + l->slots * 2 * sizeof(struct virtio_desc));
		s->used = (struct virtio_used *)
			((u8 *)s->avail + PAGE + (l->slots * 2 & ~63UL));
		if (which == BACK)
			s->used->flags = VIRTIO_NO_NOTIFY;
		else
			s->avail->flags = VIRTIO_NO_NOTIFY;
	} else {
		bool split = ops->kind != RING_BLKIF;
		u32 *req = (u32 *)ring, *rsp = req + (split ? 32 : 2);
		u32 event = split ? 16 : 1;

		s->req_slot = ring + (split ? 256 : 64);
		s->rsp_slot = s->req_slot +
			(split ? l->slots * SPLIT_SLOT : 0);
		iddr_tx_init(&s->tx, which == FRONT ? req : rsp,
			     (which == FRONT ? req : rsp) + event, START);
		iddr_rx_init(&s->rx, which == FRONT ? rsp : req,
			     (which == FRONT ? rsp : req) + event, START);
	}
	if (which == FRONT)
		s->private = aligned_alloc(PAGE, PAGES(c->bytes + 1));
}

/* The back side */

static void uring_open(struct side *s)
{
	struct io_uring_params p = { 0 };
	int fd = open(s->c->file, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		die("cannot open %s: %m", s->c->file);
	s->uring = calloc(1, sizeof(*s->uring));
	if (s->c->backing == BACKING_SQPOLL) {
		p.flags = IORING_SETUP_SQPOLL;
		p.sq_thread_idle = 1000;
		if (s->c->cpu[BACK] >= 0) {
			p.flags |= IORING_SETUP_SQ_AFF;
			p.sq_thread_cpu = s->c->cpu[BACK];
		}
	}
	err = io_uring_queue_init_params(MAX_DEPTH, s->uring, &p);
	if (!err)
		err = io_uring_register_files(s->uring, &fd, 1);
	if (err)
		die("cannot use io_uring: %s", strerror(-err));
}

/* Read all @n from the file into the data pages. */
static void serve_file(struct side *s, u32 words, u32 n)
{
	struct io_uring_cqe *cqe;
	u32 i, left = n;
	int err;

	for (i = 0; i < n; i++) {
		const u64 *w = s->got + i * words;
		struct io_uring_sqe *sqe = io_uring_get_sqe(s->uring);

		io_uring_prep_read(sqe, 0, s->data + w[W_DATA], w[W_BYTES],
				   w[W_OFFSET] & (STORE - 1));
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	if (s->c->backing == BACKING_SQPOLL)
		err = io_uring_submit(s->uring);
	else
		err = io_uring_submit_and_wait(s->uring, n);
	while (err >= 0 && left) {
		/* Asleep, if there are none yet: with two cores the kernel's
		 * poller would have to share one with a side that watches.
		 */
		err = io_uring_wait_cqe(s->uring, &cqe);
		if (err)
			break;
		if (cqe->res != (int)s->c->bytes)
			err = cqe->res < 0 ? cqe->res : -EIO;
		io_uring_cqe_seen(s->uring, cqe);
		left--;
	}
	if (err < 0)
		die("reading %s failed: %s", s->c->file, strerror(-err));
}

static __inline_all void serve(struct side *s, u32 words, u32 n)
{
	u32 i;

	if (s->c->backing == BACKING_NULL)
		return;
	if (s->c->backing >= BACKING_FILE) {
		serve_file(s, words, n);
		return;
	}
	for (i = 0; i < n; i++) {
		const u64 *w = s->got + i * words;

		/* One that is honest here, so the bound is not a check. */
		memcpy(s->data + w[W_DATA],
		       s->store + (w[W_OFFSET] & (STORE - 1)), s->c->bytes);
	}
}

static __inline_all void back_step(struct side *s, const struct ring_ops *ops,
				   u32 words)
{
	u32 n = ops->get(s, words);

	if (!n)
		return;
	serve(s, words, n);
	ops->answer(s, words, n);
}

static __inline_all void back_loop(const struct ring_ops *ops, struct side *s)
{
	while (ops->wait(s))
		back_step(s, ops, ops->words);
}

static void back_main(struct side *s, const struct ring_ops *ops)
{
	pin(s->c->cpu[BACK]);
	if (s->c->backing == BACKING_MEMCPY) {
		s->store = aligned_alloc(PAGE, STORE);
		store_fill(s->store);
	} else if (s->c->backing >= BACKING_FILE) {
		uring_open(s);
	}
	WRITE_ONCE(s->ctl->ready, 1);
	DISPATCH(ops, back_loop, s);
}

/* The front side */

static __inline_all void front_loop(const struct ring_ops *ops, struct side *s,
				    struct window *w, struct result *r)
{
	u32 depth = s->c->depth ? s->c->depth : 1, batch = s->c->batch;
	u32 sample = depth > 8 ? SAMPLE : 1, words = ops->words;
	u64 sent_at[MAX_DEPTH], now = ticks();

	for (;;) {
		u32 room = depth - (s->sent - s->answered), n;
		u64 from;

		while (room >= batch) {
			n = batch > 1 ? batch : room;
			for (from = s->sent; from < s->sent + n; from++)
				sent_at[from % MAX_DEPTH] = now;
			ops->push(s, words, n);
			room -= n;
		}
		if (!ops->wait(s))
			die("the front side was told to stop");
		from = s->answered;
		n = ops->pop(s, words);
		now = ticks();
		r->requests += n;
		for (from = (from + sample - 1) / sample * sample;
		     from < s->answered; from += sample)
			hist_add(&r->latency,
				 ticks_to_ns(now - sent_at[from % MAX_DEPTH]));
		window_slice(w, r, now);
		if (now >= w->deadline) {
			if (window_turn(w, r, now))
				return;
			now = ticks();
			if (!s->c->depth)
				return;
		}
	}
}

/* Nothing in flight for the time of the window: both sides wait. */
static void front_idle(struct side *s, const struct ring_ops *ops,
		       struct window *w, struct result *r)
{
	u32 *stop = &s->ctl->front_stop;
	pid_t pid = fork();

	if (pid < 0)
		die("cannot start a process: %m");
	if (!pid) {
		usleep(s->c->ms * 1000);
		WRITE_ONCE(*stop, 1);
		bell_ring(s->waiter.bell);
		_exit(0);
	}
	s->waiter.stop = stop;
	if (ops->kind == RING_PHASE)
		phase_wait(s);
	else if (ops->kind == RING_BLKIF || ops->kind == RING_SPLIT)
		iddr_wait(s);
	else if (ops->kind == RING_VIRTIO)
		virtio_wait(s);
	else
		rte_wait(s);
	window_turn(w, r, ticks());
	waitpid(pid, NULL, 0);
}

static void front_main(struct side *s, const struct ring_ops *ops,
		       struct window *w, struct result *r)
{
	DISPATCH(ops, front_loop, s, w, r);
	if (!s->c->depth)
		front_idle(s, ops, w, r);
}

int run_pair(const struct config *c)
{
	const struct subject *subject = subject_find(c->subject);
	struct layout l = layout_of(c, subject->ops);
	int fd = region_create(l.bytes), status;
	static struct side s;
	static struct window w;
	static struct result r;
	int bell[2] = { bell_create(), bell_create() };
	struct control *ctl = region_map(fd, l.bytes);
	pid_t back;

	ring_format((u8 *)ctl, &l, subject->ops);
	ctl->mode_wanted[FRONT] = subject->mode;
	ctl->mode_wanted[BACK] = subject->mode;
	back = fork();
	if (back < 0)
		die("cannot start a process: %m");
	if (!back) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		side_init(&s, c, BACK, subject, &l, fd, bell);
		back_main(&s, subject->ops);
		_exit(0);
	}
	side_init(&s, c, FRONT, subject, &l, fd, bell);
	pin(c->cpu[FRONT]);
	while (!READ_ONCE(ctl->ready)) {
		if (waitpid(back, &status, WNOHANG) == back)
			die("the back process ended before it was ready");
		usleep(100);
	}
	window_begin(&w, c, ctl, back);
	front_main(&s, subject->ops, &w, &r);
	WRITE_ONCE(ctl->stop, 1);
	bell_ring(bell[BACK]);
	if (waitpid(back, &status, 0) != back || status)
		die("the back process failed");
	report(&w, &r);
	return 0;
}

/*
 * Both sides in one thread, in lockstep, for counting instructions: no waiting,
 * so that the count is the same each time and on each machine.
 */
static __inline_all void count_loop(const struct ring_ops *ops, struct side *f,
				    struct side *b, u64 requests)
{
	u32 batch = f->c->batch;

	while (f->answered < requests) {
		ops->push(f, ops->words, batch);
		while (b->got_total < f->sent) {
			u32 n = ops->get(b, ops->words);

			b->got_total += n;
			ops->answer(b, ops->words, n);
		}
		while (f->answered < f->sent)
			ops->pop(f, ops->words);
	}
}

int count_pair(const struct config *c, u64 requests)
{
	const struct subject *subject = subject_find(c->subject);
	const struct ring_ops *ops = subject->ops;
	struct layout l = layout_of(c, ops);
	static struct side f, b;
	int fd = region_create(l.bytes);
	int bell[2] = { bell_create(), bell_create() };
	u8 *region = region_map(fd, l.bytes);

	ring_format(region, &l, ops);
	side_init(&f, c, FRONT, subject, &l, fd, bell);
	side_init(&b, c, BACK, subject, &l, fd, bell);
	/* For whoever looks at each access (native-lines.awk). */
	printf("regions %lx %lx %lx\n", (unsigned long)f.region,
	       (unsigned long)b.region, (unsigned long)l.bytes);
	fflush(stdout);
	if (subject->mode == IDDR_MODE_SPIN && ops->kind <= RING_PHASE) {
		iddr_rx_disarm(&f.rx);
		iddr_rx_disarm(&b.rx);
	}
	DISPATCH(ops, count_loop, &f, &b, requests);
	return 0;
}
