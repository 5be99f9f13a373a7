// SPDX-License-Identifier: GPL-2.0
/*
 * Both ends of a direction against a model that counts with 64 bits and never
 * wraps, and a peer that writes anything into the shared words: no count leaves
 * its bounds, a disarmed consumer is left alone, an armed one is notified of the
 * first entry after it looked.
 */
#include "../../comm/iddr_ring.h"
#include "fuzz.h"

struct model {
	u64 filled, published, consumed;	/* true counts */
	u64 disarmed_at;
	bool armed;		/* looked once more and saw nothing: asleep */
	bool disarmed;
};

struct world {
	u32 prod, event;	/* shared */
	struct iddr_tx tx;
	struct iddr_rx rx;
	struct model m;
	u32 start;
	u32 slots;
	bool hostile;		/* shared words have been tampered with */
};

/* Does any entry of (from, to] have the number @event? In other words than the
 * header's, and for any distance.
 */
static bool event_in_window(u32 event, u32 from, u32 to)
{
	u64 window = (u32)(to - from);
	u64 distance = (u32)(event - from);

	return distance >= 1 && distance <= window;
}

static void publish(struct world *w)
{
	u32 event = w->event;
	u32 old = w->tx.published;
	u64 n = w->m.filled - w->m.published;
	bool hint = iddr_tx_would_notify(&w->tx);
	bool notify = iddr_tx_publish(&w->tx);

	w->m.published = w->m.filled;
	CLAIM(hint == notify);
	CLAIM(notify == event_in_window(event, old, w->tx.published));
	CLAIM(w->tx.published == (u32)(w->start + w->m.published));
	CLAIM(!n || w->prod == w->tx.published);
	if (w->hostile)
		return;
	/* No lost wake-up, and no spare one. */
	if (w->m.armed && n) {
		CLAIM(notify);
		w->m.armed = false;
	}
	if (w->m.disarmed &&
	    w->m.published - w->m.disarmed_at < 1ULL << 31)
		CLAIM(!notify);
}

static int avail(struct world *w)
{
	/* As a back end that has answered all that it consumed. */
	int n = iddr_rx_avail(&w->rx, &w->rx.cons, w->slots);
	u32 claimed = w->prod - w->rx.cons;

	CLAIM(n == -EPROTO || (n >= 0 && n <= (int)w->slots));
	CLAIM(n == (claimed > w->slots ? -EPROTO : (int)claimed));
	if (!w->hostile)
		CLAIM(n >= 0 &&
		      (u64)n == w->m.published - w->m.consumed);
	return n;
}

static void consume(struct world *w, u32 most)
{
	int n = avail(w);

	if (n <= 0)
		return;
	if ((u32)n > most)
		n = most;
	w->rx.cons += n;
	w->m.consumed += n;
}

/*
 * A front end's view: no more answers than published requests. Its consumer's
 * index is its own, and never beyond what it has published.
 */
static void answers(struct world *w, u32 rsp_prod, u32 unanswered)
{
	u32 event = 0, cons = w->tx.published - unanswered % (w->slots + 1);
	u32 waiting = w->tx.published - cons;
	struct iddr_rx rx;
	int n;

	iddr_rx_init(&rx, &rsp_prod, &event, cons);
	n = iddr_rx_avail(&rx, &w->tx.published, 0);
	if (rsp_prod - cons > waiting)
		CLAIM(n == -EPROTO);
	else
		CLAIM(n >= 0 && (u32)n == rsp_prod - cons);
}

static void spin_far(struct world *w, u32 rounds)
{
	/* A spinner through much of the index space: honest, refreshed. */
	iddr_rx_disarm(&w->rx);
	w->m.disarmed = true;
	w->m.armed = false;
	w->m.disarmed_at = w->m.consumed;
	while (rounds--) {
		w->m.filled += w->slots;
		w->tx.prod += w->slots;
		publish(w);
		consume(w, w->slots);
		iddr_rx_refresh(&w->rx);
		if (w->rx.event == w->rx.cons)
			w->m.disarmed_at = w->m.consumed;
	}
}

static void slots(struct input *in)
{
	u32 slot = 1 + take16(in) % 4096;
	u32 header = take8(in);
	u32 bytes = header + slot + take32(in) % (1U << 20);
	u64 n = iddr_ring_slots(bytes, header, slot);

	CLAIM(n && !(n & (n - 1)));
	CLAIM(header + n * slot <= bytes);
	CLAIM(header + 2 * n * slot > bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct world w = { .start = take32(&in) };

	w.slots = 1U << take8(&in) % 16;
	w.prod = w.start;
	w.event = w.start + 1;
	iddr_tx_init(&w.tx, &w.prod, &w.event, w.start);
	iddr_rx_init(&w.rx, &w.prod, &w.event, w.start);
	w.m.armed = true;	/* blkif's initial event index is armed */

	while (in.left) {
		u8 op = take8(&in);

		switch (op % 11) {
		case 0: {	/* fill some */
			u64 room = w.slots - (w.m.filled - w.m.consumed);
			u32 n = w.hostile ? take16(&in) :
				room ? take16(&in) % (room + 1) : 0;

			w.tx.prod += n;
			w.m.filled += n;
			break;
		}
		case 1:
			publish(&w);
			break;
		case 2:
			consume(&w, take16(&in));
			/* Who consumes is awake, and may be notified again. */
			w.m.armed = false;
			break;
		case 3: {
			bool again = iddr_rx_arm(&w.rx);

			w.m.disarmed = false;
			CLAIM(w.rx.event == w.event);
			if (!w.hostile) {
				CLAIM(again ==
				      (w.m.published != w.m.consumed));
				w.m.armed = !again;
			}
			break;
		}
		case 4:
			iddr_rx_disarm(&w.rx);
			w.m.armed = false;
			w.m.disarmed = true;
			w.m.disarmed_at = w.m.consumed;
			break;
		case 5:
			/* Of an armed index it is nothing. */
			iddr_rx_refresh(&w.rx);
			CLAIM((s32)(w.rx.cons - w.rx.event) < (s32)IDDR_DISARM_REFRESH);
			if (w.rx.event == w.rx.cons && !w.m.armed) {
				w.m.disarmed = true;
				w.m.disarmed_at = w.m.consumed;
			}
			break;
		case 6:		/* the peer lies about what it produced */
			w.prod = take32(&in);
			w.hostile = true;
			break;
		case 7:		/* or about what it wants to hear */
			w.event = take32(&in);
			w.hostile = true;
			break;
		case 8: {
			u32 rsp_prod = take32(&in);

			answers(&w, rsp_prod, take16(&in));
			break;
		}
		case 9:
			slots(&in);
			break;
		case 10:
			if (!w.hostile && w.m.filled == w.m.consumed)
				spin_far(&w, take8(&in));
			break;
		}
		avail(&w);
	}

	/* Every word of a slot is copied, and none beside. */
	u64 from[4], to[6] = { 0 };

	for (int i = 0; i < 4; i++)
		from[i] = w.start + i;
	iddr_ring_copy(to + 1, from, sizeof(from));
	CLAIM(!to[0] && !to[5] && !memcmp(to + 1, from, sizeof(from)));
	return 0;
}
