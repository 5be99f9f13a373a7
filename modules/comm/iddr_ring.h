/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The shared ring: index arithmetic, publication and event hold-off.
 *
 * Pure code. It depends on iddr_shim.h alone, so that the same source is built
 * into the kernel modules and into user-space tests. It knows nothing of what a
 * slot holds; front and back end keep their own typed view of the slots.
 *
 * The layout is Xen's (xen/interface/io/ring.h): two producer indices and, for
 * each, an event index by which the consumer says when it wants to be notified.
 * Indices are free-running u32; slot = index & (size - 1).
 *
 *                 producer writes   consumer writes   slots
 *   requests      req_prod          req_event         front -> back
 *   responses     rsp_prod          rsp_event         back -> front
 *
 * Both directions work alike, so one type serves each end of either: an
 * iddr_tx at the producer and an iddr_rx at the consumer. Each belongs to one
 * thread at a time (its lock, if it has several users, is its owner's).
 *
 * Peer memory is hostile: the words behind shared_* are touched only here, by
 * READ_ONCE/WRITE_ONCE, each read once per decision.
 *
 * Hold-off. The producer, going from old to new, notifies if and only if the
 * event index lies in (old, new]:
 *
 *     (u32)(new - event) < (u32)(new - old)
 *
 * The consumer arms by storing cons + 1 (fire at the next entry) and disarms by
 * storing cons (an index that the producer has already passed).
 *
 * No lost wake-up. "Store A, full barrier, load B" on both sides:
 *
 *     producer                         consumer
 *       P1  shared_prod = new            C1  shared_event = cons + 1
 *       P2  full barrier                 C2  full barrier
 *       P3  load shared_event            C3  load shared_prod
 *
 * It cannot be that both P3 misses C1 and C3 misses P1 (store buffering is
 * excluded by the two barriers). So either the producer sees the armed index
 * and notifies, or the consumer sees the entry in iddr_rx_arm(), which returns
 * true, and it does not sleep. An event index armed earlier and fired in the
 * meantime only makes for a spare notification, never for a missing one.
 */
#ifndef IDDR_RING_H
#define IDDR_RING_H

#include "iddr_shim.h"

/* How far the consumer may run on before a disarmed index is stored anew.
 * A stale index comes into the producer's window again after 2^32 - 1 entries;
 * half of half of that leaves room for every ring size.
 */
#define IDDR_DISARM_REFRESH	(1U << 30)

/* Producer's end of one direction. */
struct iddr_tx {
	u32 *shared_prod;		/* we write, peer reads */
	const u32 *shared_event;	/* peer writes, we read */
	u32 prod;			/* next slot to fill */
	u32 published;			/* what the peer may see; <= prod */
};

/* Consumer's end of one direction. */
struct iddr_rx {
	const u32 *shared_prod;		/* peer writes, we read */
	u32 *shared_event;		/* we write, peer reads */
	u32 cons;			/* next slot to read */
	u32 event;			/* what shared_event was last set to */
};

/* Slots that fit in @bytes behind a header of @header bytes: a power of two. */
static inline u32 iddr_ring_slots(u32 bytes, u32 header, u32 slot)
{
	u32 n = (bytes - header) / slot;
	u32 p = 1;

	while (p <= n / 2)
		p <<= 1;
	return p;
}

static inline void iddr_tx_init(struct iddr_tx *tx, u32 *prod,
				const u32 *event, u32 start)
{
	tx->shared_prod = prod;
	tx->shared_event = event;
	tx->prod = start;
	tx->published = start;
}

static inline void iddr_rx_init(struct iddr_rx *rx, const u32 *prod,
				u32 *event, u32 start)
{
	rx->shared_prod = prod;
	rx->shared_event = event;
	rx->cons = start;
	rx->event = READ_ONCE(*event);
}

/* Is @event in (@from, @to], in circular order? */
static inline bool iddr_ring_crosses(u32 event, u32 from, u32 to)
{
	return (u32)(to - event) < (u32)(to - from);
}

/*
 * Would publishing now notify the peer? A hint, for batching: when it would
 * not, publishing at once is free and lets a spinning peer start earlier.
 */
static inline bool iddr_tx_would_notify(const struct iddr_tx *tx)
{
	return iddr_ring_crosses(READ_ONCE(*tx->shared_event),
				 tx->published, tx->prod);
}

/* Make all slots below tx->prod visible. True: the peer asked to be notified. */
static inline bool iddr_tx_publish(struct iddr_tx *tx)
{
	u32 old = tx->published;
	u32 new = tx->prod;

	if (old == new)
		return false;
	/* Read by our own consumer (iddr_rx_avail's bound), maybe on another
	 * CPU: it must not see a response before the request it answers.
	 */
	WRITE_ONCE(tx->published, new);
	/* Slot contents before the index that hands them over; also orders
	 * the store above. Pairs with the read barrier in iddr_rx_avail().
	 */
	virt_wmb();
	WRITE_ONCE(*tx->shared_prod, new);
	/* P2 of the proof above. Pairs with C2 in iddr_rx_arm(). */
	virt_mb();
	return iddr_ring_crosses(READ_ONCE(*tx->shared_event), old, new);
}

/*
 * How many entries wait. @bound is the most that an honest peer can have
 * produced; it is read through a pointer, after the index, since our own
 * producer may move it at the same time: entries wait in
 * [rx->cons, *limit_end) at the most.
 *
 * Return: 0 or more, or -EPROTO when the peer's index is beyond the bound
 * (which includes an index that ran backwards).
 */
static inline int iddr_rx_avail(const struct iddr_rx *rx, const u32 *limit_end,
				u32 limit_extra)
{
	u32 n = READ_ONCE(*rx->shared_prod) - rx->cons;

	if (!n)
		return 0;
	/* The index before the slots it hands over, and before the bound.
	 * Pairs with the write barrier in the peer's publish.
	 */
	virt_rmb();
	if (n > READ_ONCE(*limit_end) + limit_extra - rx->cons)
		return -EPROTO;
	return n;
}

/* Does the peer's index show anything? A hint: cheap, needs no ownership. */
static inline bool iddr_rx_peek(const struct iddr_rx *rx)
{
	return READ_ONCE(*rx->shared_prod) != READ_ONCE(rx->cons);
}

/* Is a notification still asked for, as of the entries consumed so far? */
static inline bool iddr_rx_is_armed(const struct iddr_rx *rx)
{
	return rx->event - rx->cons == 1;
}

/* Ask for a notification at the next entry. True: look again, do not sleep. */
static inline bool iddr_rx_arm(struct iddr_rx *rx)
{
	rx->event = rx->cons + 1;
	WRITE_ONCE(*rx->shared_event, rx->event);
	/* C2 of the proof above. Pairs with P2 in iddr_tx_publish(). */
	virt_mb();
	return READ_ONCE(*rx->shared_prod) != rx->cons;
}

/* Ask for no notifications; good for IDDR_DISARM_REFRESH entries. */
static inline void iddr_rx_disarm(struct iddr_rx *rx)
{
	rx->event = rx->cons;
	WRITE_ONCE(*rx->shared_event, rx->event);
	/* No barrier: a producer that still sees the armed index sends one
	 * notification too many, which the masked port swallows.
	 */
}

/*
 * Called after drains that need not end with arming: keeps a disarmed index fresh.
 * An armed one, which is ahead of the consumer's, stays armed.
 */
static inline void iddr_rx_refresh(struct iddr_rx *rx)
{
	if ((s32)(rx->cons - rx->event) >= (s32)IDDR_DISARM_REFRESH)
		iddr_rx_disarm(rx);
}

/*
 * Copy a slot out of shared memory, each word read once, so that what is
 * checked is what is used.  and both addresses are multiples of 8.
 */
static inline void iddr_ring_copy(void *dst, const void *slot, u32 bytes)
{
	const u64 *s = slot;
	u64 *d = dst;
	u32 i;

	for (i = 0; i < bytes / 8; i++)
		d[i] = READ_ONCE(s[i]);
}

#endif /* IDDR_RING_H */
