/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rings that are set against each other, each behind the same five
 * functions, all inlined where they are used:
 *
 *   blkif   the modules' ring as they use it: Xen's layout, both producer and
 *           both event indices in one line, 112-byte slots for either direction
 *   split   the same code on another layout: a ring for each direction, 64-byte
 *           requests, 16-byte responses, each index in a line of its own
 *   phase   split, but a sequence number in each slot instead of an index, for
 *           which a request has a word less; what such a layout, which needs a key
 *           of its own to negotiate, would bring
 *   rte     two DPDK rings, single producer and consumer, elements of 64 (or
 *           112, as blkif's) and 16 bytes
 *   virtio  a split virtqueue in the shape that polling drivers give it: chains
 *           of two descriptors, linked once, used in order; polled at both ends
 *
 * A process has one `struct side`, owned by its one thread. What the front side
 * pushes are requests, what the back side pushes are the responses to what it
 * popped, in order. A request is filled in by fill_request(), in its slot, and
 * a response taken by take_response(), from a copy, the same for all.
 */
#ifndef NATIVE_RINGS_H
#define NATIVE_RINGS_H

#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>

#include "wait.h"

#define BLKIF_SLOT	112
#define SPLIT_SLOT	64
#define RESPONSE	16
#define MAX_WORDS	(BLKIF_SLOT / 8)
/* Shortly before the indices wrap, so that each run goes over that. */
#define START		0xfffff000U
/* A back side answers after at most so many. */
#define BACK_BATCH	32U

/* The words of a request. From W_REST on they only carry weight. */
enum { W_ID, W_DATA, W_BYTES, W_OFFSET, W_REST };

struct virtio_desc {
	u64 addr;		/* from the region's start */
	u32 len;
	u16 flags, next;
};

struct virtio_avail {
	u16 flags, idx, ring[];
};

struct virtio_used {
	u16 flags, idx;
	struct {
		u32 id, len;
	} ring[];
};

#define VIRTIO_NEXT		1
#define VIRTIO_WRITE		2
#define VIRTIO_NO_NOTIFY	1

struct side {
	const struct config *c;
	struct control *ctl;
	int which;			/* FRONT or BACK */
	u8 *region, *data;
	u32 slots, buffers;		/* powers of two */
	int peer_bell;
	struct waiter waiter;

	/* blkif, split */
	struct iddr_tx tx;
	struct iddr_rx rx;
	u8 *req_slot, *rsp_slot;
	/* rte */
	struct rte_ring *req, *rsp;
	/* virtio: rx.cons and tx.prod are used for what is private, too */
	struct virtio_desc *desc;
	struct virtio_avail *avail;
	struct virtio_used *used;

	/* front */
	u64 sent, answered;
	u8 *private;
	/* back */
	u64 got[BACK_BATCH * MAX_WORDS];	/* private copies, packed */
	u8 *store;
	u64 got_total;		/* when counting */
	struct io_uring *uring;
};

enum ring_kind { RING_BLKIF, RING_SPLIT, RING_PHASE, RING_RTE, RING_VIRTIO };

struct ring_ops {
	enum ring_kind kind;
	u32 words;		/* of a request */
	/* Until there are entries. Return: false: to wait no longer. */
	bool (*wait)(struct side *s);
	/* Front side: @n requests, published together. */
	void (*push)(struct side *s, u32 words, u32 n);
	/* Front side: take what there is. Return: how many. */
	u32 (*pop)(struct side *s, u32 words);
	/* Back side: what there is into s->got. Return: how many. */
	u32 (*get)(struct side *s, u32 words);
	/* Back side: answer the @n first of them, published together. */
	void (*answer)(struct side *s, u32 words, u32 n);
};

/* For all rings: every word is written, and what it says depends on the id. */
static __inline_all void fill_request(struct side *s, u64 *slot, u32 words)
{
	u64 id = s->sent++;
	u32 i;

	slot[W_ID] = id;
	slot[W_DATA] = (id & (s->buffers - 1)) * s->c->bytes;
	slot[W_BYTES] = s->c->bytes;
	slot[W_OFFSET] = id * s->c->bytes;
	for (i = W_REST; i < words; i++)
		slot[i] = id + i;
}

/* What the back side answers: a sum over all that it has read. */
static __inline_all u64 request_sum(const u64 *w, u32 words)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < words; i++)
		sum += w[i];
	return sum;
}

__attribute__((noreturn)) void wrong_response(u64 id, u64 expected);

static __inline_all void take_response(struct side *s, u64 id, u64 sum,
				       u32 words)
{
	u64 want = s->answered++, data;
	u32 bytes = s->c->bytes;

	data = (want & (s->buffers - 1)) * bytes;
	/* The words from W_REST on add their own index. */
	if (id != want || sum != want * (words - W_REST + 1) +
	    (words - 1 + W_REST) * (words - W_REST) / 2 +
	    data + bytes + want * bytes)
		wrong_response(id, want);
	if (bytes) {
		memcpy(s->private, s->data + data, bytes);
		store_check(s->private, want * bytes);
	}
}

/* blkif and split: one code, two layouts. */

/*
 * Asking for slots before their turn, so many ahead: of those that are known to
 * wait, or to be free, within a batch. In Xen's layout it costs, on separate rings
 * it pays (results/reference/native/), so the modules do not do it; it is
 * measured beside.
 */
#define AHEAD	8U

/* The lines of a slot that is read soon. */
static __inline_all void ahead_read(const u8 *slot, u32 bytes)
{
	u32 i;

	for (i = 0; i < bytes; i += LINE)
		__builtin_prefetch(slot + i);
	__builtin_prefetch(slot + bytes - 1);
}

/* One line, to be written. */
static __inline_all void ahead_own(const u8 *p)
{
#if defined(__x86_64__)
	/* The builtin asks for reading only, unless told of a processor that
	 * has this; one that has not takes it for nothing.
	 */
	__asm__ volatile("prefetchw %0" : : "m" (*p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/* The lines of a slot that is filled soon. */
static __inline_all void ahead_write(const u8 *slot, u32 bytes)
{
	u32 i;

	for (i = 0; i < bytes; i += LINE)
		ahead_own(slot + i);
	ahead_own(slot + bytes - 1);
}

static __inline_all bool iddr_wait(struct side *s)
{
	return waiter_wait(&s->waiter, &s->rx);
}

static __inline_all void iddr_publish(struct side *s)
{
	if (iddr_tx_publish(&s->tx)) {
		s->waiter.n->doorbells++;
		bell_ring(s->peer_bell);
	}
}

static __inline_all u8 *slot_at(const struct side *s, u8 *slots, u32 index,
				u32 stride)
{
	return slots + stride * (index & (s->slots - 1));
}

static __inline_all void iddr_push(struct side *s, u32 words, u32 n, u32 ahead)
{
	u32 bytes = words * 8;

	for (; n; n--, s->tx.prod++) {
		if (ahead && n > ahead)
			ahead_write(slot_at(s, s->req_slot, s->tx.prod + ahead,
					    bytes), bytes);
		fill_request(s, (u64 *)slot_at(s, s->req_slot, s->tx.prod,
					       bytes), words);
	}
	iddr_publish(s);
}

static __inline_all u32 iddr_avail(struct side *s)
{
	int n = iddr_rx_avail(&s->rx, &s->tx.published,
			      s->which == BACK ? s->slots : 0);

	if (n < 0)
		die("the peer's producer index is out of bounds");
	return n;
}

/* Does a slot begin a line that none before it was in? Small ones share. */
static __inline_all bool new_line(u32 index, u32 stride)
{
	return stride >= LINE || index * stride % LINE == 0;
}

static __inline_all u32 iddr_pop(struct side *s, u32 words, u32 stride,
				 u32 ahead)
{
	u32 n = iddr_avail(s), i;
	u64 rsp[RESPONSE / 8];

	for (i = 0; i < n; i++, s->rx.cons++) {
		u32 next = s->rx.cons + ahead;

		if (ahead && i + ahead < n && new_line(next, stride))
			ahead_read(slot_at(s, s->rsp_slot, next, stride),
				   RESPONSE);
		iddr_ring_copy(rsp, slot_at(s, s->rsp_slot, s->rx.cons, stride),
			       RESPONSE);
		take_response(s, rsp[0], rsp[1], words);
	}
	iddr_rx_refresh(&s->rx);
	return n;
}

static __inline_all u32 iddr_get(struct side *s, u32 words, u32 ahead)
{
	u32 n = iddr_avail(s), bytes = words * 8, i;

	if (n > BACK_BATCH)
		n = BACK_BATCH;
	for (i = 0; i < n; i++, s->rx.cons++) {
		if (ahead && i + ahead < n)
			ahead_read(slot_at(s, s->req_slot, s->rx.cons + ahead,
					   bytes), bytes);
		iddr_ring_copy(s->got + i * words,
			       slot_at(s, s->req_slot, s->rx.cons, bytes),
			       bytes);
	}
	iddr_rx_refresh(&s->rx);
	return n;
}

static __inline_all void iddr_answer(struct side *s, u32 words, u32 n,
				     u32 stride, u32 ahead)
{
	u32 i;

	for (i = 0; i < n; i++, s->tx.prod++) {
		u32 next = s->tx.prod + ahead;
		u64 *slot = (u64 *)slot_at(s, s->rsp_slot, s->tx.prod, stride);

		if (ahead && i + ahead < n && new_line(next, stride))
			ahead_write(slot_at(s, s->rsp_slot, next, stride),
				    RESPONSE);
		slot[0] = s->got[i * words + W_ID];
		slot[1] = request_sum(s->got + i * words, words);
	}
	iddr_publish(s);
}

/* A layout of our ring, which asks for slots so many before their turn. */
#define IDDR_RING(name, response_stride, ahead)				\
static __inline_all void name##_push(struct side *s, u32 words, u32 n)	\
{									\
	iddr_push(s, words, n, ahead);					\
}									\
static __inline_all u32 name##_pop(struct side *s, u32 words)		\
{									\
	return iddr_pop(s, words, response_stride, ahead);		\
}									\
static __inline_all u32 name##_get(struct side *s, u32 words)		\
{									\
	return iddr_get(s, words, ahead);				\
}									\
static __inline_all void name##_answer(struct side *s, u32 words, u32 n) \
{									\
	iddr_answer(s, words, n, response_stride, ahead);		\
}									\
static __inline_all bool name##_wait(struct side *s)			\
{									\
	return iddr_wait(s);						\
}

IDDR_RING(blkif, BLKIF_SLOT, 0)
IDDR_RING(split, RESPONSE, 0)
IDDR_RING(blkif_ahead, BLKIF_SLOT, AHEAD)
IDDR_RING(split_ahead, RESPONSE, AHEAD)

/*
 * phase: in the last four bytes of each slot, a sequence number stands for the
 * producer index, so that who watches the slot itself needs no line but that. Slot
 * k is empty while the number is k, the index at which it will be consumed, and
 * full when it is k plus the number of slots; that is its empty value of the next
 * lap. Who consumes lets rx.shared_prod point to the next slot's: then looking
 * and arming are iddr_ring.h's, and its proof holds, with P1 the store of that number.
 */

static __inline_all u32 *phase_of(const struct side *s, u8 *slots, u32 index,
				  u32 stride)
{
	return (u32 *)(slot_at(s, slots, index, stride) + stride - 4);
}

static __inline_all bool phase_wait(struct side *s)
{
	s->rx.shared_prod = s->which == BACK ?
		phase_of(s, s->req_slot, s->rx.cons, SPLIT_SLOT) :
		phase_of(s, s->rsp_slot, s->rx.cons, RESPONSE);
	return waiter_wait(&s->waiter, &s->rx);
}

/* Is the next slot full? Any other number than the two is a fault of the peer's. */
static __inline_all bool phase_full(struct side *s, u8 *slots, u32 stride)
{
	u32 n = READ_ONCE(*phase_of(s, slots, s->rx.cons, stride));

	if (n == s->rx.cons)
		return false;
	if (n != s->rx.cons + s->slots)
		die("a slot's sequence number is out of bounds");
	virt_rmb();
	return true;
}

/* Hand @n slots over, which are filled: the first one last, so that nobody takes a part of them. */
static __inline_all void phase_fill(struct side *s, u8 *slots, u32 stride, u32 n)
{
	u32 i, first = s->tx.prod;

	virt_wmb();
	for (i = n - 1; i; i--)
		WRITE_ONCE(*phase_of(s, slots, first + i, stride),
			   first + i + s->slots);
	virt_wmb();
	WRITE_ONCE(*phase_of(s, slots, first, stride), first + s->slots);
	s->tx.prod += n;
}

/* All that iddr_tx_publish() does after P1. */
static __inline_all void phase_notify(struct side *s)
{
	u32 old = s->tx.published;

	s->tx.published = s->tx.prod;
	virt_mb();
	if (iddr_ring_crosses(READ_ONCE(*s->tx.shared_event), old, s->tx.prod)) {
		s->waiter.n->doorbells++;
		bell_ring(s->peer_bell);
	}
}

static __inline_all void phase_push(struct side *s, u32 words, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		fill_request(s, (u64 *)slot_at(s, s->req_slot, s->tx.prod + i,
					       SPLIT_SLOT), words);
	phase_fill(s, s->req_slot, SPLIT_SLOT, n);
	phase_notify(s);
}

static __inline_all u32 phase_pop(struct side *s, u32 words)
{
	u64 rsp[RESPONSE / 8];
	u32 n;

	for (n = 0; phase_full(s, s->rsp_slot, RESPONSE); n++) {
		iddr_ring_copy(rsp, slot_at(s, s->rsp_slot, s->rx.cons++,
					    RESPONSE), RESPONSE);
		take_response(s, (s->answered & ~0xffffffffULL) |
			      (u32)rsp[1], rsp[0], words);
	}
	iddr_rx_refresh(&s->rx);
	return n;
}

static __inline_all u32 phase_get(struct side *s, u32 words)
{
	u32 n;

	for (n = 0; n < BACK_BATCH && phase_full(s, s->req_slot, SPLIT_SLOT);
	     n++)
		iddr_ring_copy(s->got + n * words, slot_at(s, s->req_slot,
							   s->rx.cons++,
							   SPLIT_SLOT),
			       words * 8);
	iddr_rx_refresh(&s->rx);
	return n;
}

static __inline_all void phase_answer(struct side *s, u32 words, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		u64 *slot = (u64 *)slot_at(s, s->rsp_slot, s->tx.prod + i, RESPONSE);

		slot[0] = request_sum(s->got + i * words, words);
		*(u32 *)&slot[1] = s->got[i * words + W_ID];
	}
	phase_fill(s, s->rsp_slot, RESPONSE, n);
	phase_notify(s);
}

/* Those that only poll: as waiter_wait() in mode spin. */
#define POLL_UNTIL(s, condition) ({					\
	u64 looks_ = 0;							\
	bool there_;							\
	while (!(there_ = (condition)) && !READ_ONCE(*(s)->waiter.stop)) { \
		looks_++;						\
		waiter_relax(&(s)->waiter);				\
	}								\
	(s)->waiter.n->looks += looks_;					\
	there_;								\
})

/* rte: who writes does so in the slots, who reads has a copy, as ours. */

/* Slot @i of those that were asked for. */
static __inline_all u64 *rte_slot(const struct rte_ring_zc_data *z, u32 i,
				  u32 words)
{
	return i < z->n1 ? (u64 *)z->ptr1 + i * words :
			   (u64 *)z->ptr2 + (i - z->n1) * words;
}

static __inline_all bool rte_wait(struct side *s)
{
	struct rte_ring *r = s->which == BACK ? s->req : s->rsp;

	return POLL_UNTIL(s, READ_ONCE(r->prod.tail) != r->cons.tail);
}

static __inline_all void rte_push(struct side *s, u32 words, u32 n)
{
	struct rte_ring_zc_data z = { 0 };
	u32 i;

	if (rte_ring_enqueue_zc_bulk_elem_start(s->req, words * 8, n, &z,
						NULL) != n)
		die("the DPDK ring is full");
	for (i = 0; i < n; i++)
		fill_request(s, rte_slot(&z, i, words), words);
	rte_ring_enqueue_zc_elem_finish(s->req, n);
}

static __inline_all u32 rte_pop(struct side *s, u32 words)
{
	u64 rsp[MAX_DEPTH][RESPONSE / 8];
	u32 n = rte_ring_sc_dequeue_burst_elem(s->rsp, rsp, RESPONSE,
					       MAX_DEPTH, NULL), i;

	for (i = 0; i < n; i++)
		take_response(s, rsp[i][0], rsp[i][1], words);
	return n;
}

static __inline_all u32 rte_get(struct side *s, u32 words)
{
	return rte_ring_sc_dequeue_burst_elem(s->req, s->got, words * 8,
					      BACK_BATCH, NULL);
}

static __inline_all void rte_answer(struct side *s, u32 words, u32 n)
{
	struct rte_ring_zc_data z = { 0 };
	u32 i;

	if (rte_ring_enqueue_zc_bulk_elem_start(s->rsp, RESPONSE, n, &z,
						NULL) != n)
		die("the DPDK ring is full");
	for (i = 0; i < n; i++) {
		const u64 *w = s->got + i * words;
		u64 *slot = rte_slot(&z, i, RESPONSE / 8);

		slot[0] = w[W_ID];
		slot[1] = request_sum(w, words);
	}
	rte_ring_enqueue_zc_elem_finish(s->rsp, n);
}

/* virtio: the request of slot i is at req_slot, its answer at rsp_slot. */

static __inline_all bool virtio_wait(struct side *s)
{
	const u16 *idx = s->which == BACK ? &s->avail->idx : &s->used->idx;

	return POLL_UNTIL(s, READ_ONCE(*idx) != (u16)s->rx.cons);
}

/* A notification that the peer did not decline; it never does here. */
static __inline_all void virtio_kick(struct side *s, const u16 *flags)
{
	virt_mb();
	if (!(READ_ONCE(*flags) & VIRTIO_NO_NOTIFY))
		bell_ring(s->peer_bell);
}

static __inline_all void virtio_push(struct side *s, u32 words, u32 n)
{
	while (n--) {
		u32 i = s->tx.prod++ & (s->slots - 1);

		fill_request(s, (u64 *)(s->req_slot + words * 8 * i), words);
		WRITE_ONCE(s->avail->ring[i], 2 * i);
	}
	virt_wmb();
	WRITE_ONCE(s->avail->idx, (u16)s->tx.prod);
	virtio_kick(s, &s->used->flags);
}

static __inline_all u32 virtio_pop(struct side *s, u32 words)
{
	u32 n = (u16)(READ_ONCE(s->used->idx) - (u16)s->rx.cons), i;

	virt_rmb();
	for (i = 0; i < n; i++) {
		u32 u = s->rx.cons++ & (s->slots - 1);
		u32 id = READ_ONCE(s->used->ring[u].id) / 2;
		const u64 *rsp = (u64 *)(s->rsp_slot +
					 RESPONSE * (id & (s->slots - 1)));

		if (READ_ONCE(s->used->ring[u].len) != RESPONSE)
			die("a used element of another length");
		take_response(s, READ_ONCE(rsp[0]), READ_ONCE(rsp[1]), words);
	}
	return n;
}

static __inline_all u32 virtio_get(struct side *s, u32 words)
{
	u32 n = (u16)(READ_ONCE(s->avail->idx) - (u16)s->rx.cons), i;

	if (n > BACK_BATCH)
		n = BACK_BATCH;
	virt_rmb();
	for (i = 0; i < n; i++) {
		u32 head = READ_ONCE(s->avail->ring[s->rx.cons++ &
						    (s->slots - 1)]);
		const struct virtio_desc *d =
			&s->desc[head & (2 * s->slots - 1)];
		u64 addr = READ_ONCE(d->addr);

		/* Where it may be, and whole. */
		if (READ_ONCE(d->len) != words * 8 ||
		    addr - (s->req_slot - s->region) >
		    (u64)words * 8 * (s->slots - 1) ||
		    !(READ_ONCE(d->flags) & VIRTIO_NEXT))
			die("a descriptor is out of bounds");
		iddr_ring_copy(s->got + i * words, s->region + addr, words * 8);
	}
	return n;
}

static __inline_all void virtio_answer(struct side *s, u32 words, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		u32 u = s->tx.prod++ & (s->slots - 1);
		const struct virtio_desc *d = &s->desc[2 * u + 1];
		u64 addr = READ_ONCE(d->addr);
		u64 *rsp = (u64 *)(s->region + addr);

		if (addr - (s->rsp_slot - s->region) >
		    (u64)RESPONSE * (s->slots - 1))
			die("a descriptor is out of bounds");
		rsp[0] = s->got[i * words + W_ID];
		rsp[1] = request_sum(s->got + i * words, words);
		WRITE_ONCE(s->used->ring[u].id, 2 * u);
		WRITE_ONCE(s->used->ring[u].len, RESPONSE);
	}
	virt_wmb();
	WRITE_ONCE(s->used->idx, (u16)s->tx.prod);
	virtio_kick(s, &s->avail->flags);
}

#define OPS(kind_, ring, n) {						\
	.kind = kind_, .words = (n) / 8, .wait = ring##_wait,		\
	.push = ring##_push, .pop = ring##_pop, .get = ring##_get,	\
	.answer = ring##_answer }

static const struct ring_ops blkif_ops = OPS(RING_BLKIF, blkif, BLKIF_SLOT);
static const struct ring_ops blkif_ahead_ops = OPS(RING_BLKIF, blkif_ahead, BLKIF_SLOT);
static const struct ring_ops split_ops = OPS(RING_SPLIT, split, SPLIT_SLOT);
static const struct ring_ops split_ahead_ops = OPS(RING_SPLIT, split_ahead, SPLIT_SLOT);
/* Its requests carry a word less of weight: there is the number. */
static const struct ring_ops phase_ops = OPS(RING_PHASE, phase, SPLIT_SLOT - 8);
static const struct ring_ops rte64_ops = OPS(RING_RTE, rte, SPLIT_SLOT);
static const struct ring_ops rte112_ops = OPS(RING_RTE, rte, BLKIF_SLOT);
static const struct ring_ops virtio_ops = OPS(RING_VIRTIO, virtio, SPLIT_SLOT);

#endif /* NATIVE_RINGS_H */
