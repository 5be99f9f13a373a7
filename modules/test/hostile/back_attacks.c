// SPDX-License-Identifier: GPL-2.0
/*
 * What the hostile back end does: the catalogue, by what an honest front end
 * owes (see README.md). An attack that needs requests of the front end is
 * armed, and over when its report is read.
 */
#include <linux/delay.h>
#include <linux/seq_file.h>

#include "back.h"

enum hb_kind {
	/* The front end must say that we broke the protocol, and close. */
	BREACH,
	/* The front end must go on: what was answered, well or with an error,
	 * is answered, and the disk serves.
	 */
	SERVES,
	/* The front end may go on or close. */
	EITHER,
	/* One connection for each value of a key: it may be refused. */
	CONNECTIONS,
};

static const char * const hb_kind_names[] = {
	[BREACH] = "breach",
	[SERVES] = "serves",
	[EITHER] = "either",
	[CONNECTIONS] = "connections",
};

struct hb_attack {
	const char *name;
	enum hb_kind kind;
	const char *what;
	struct hb_hooks hooks;
	unsigned int shots;		/* requests to be hit */
	void (*run)(struct hb *h);	/* at once */
	void (*conclude)(struct hb *h);	/* before the verdict */
	const char *key;
	const char * const *values;
	unsigned int nr_steps;
	bool all_steps;			/* whatever max_steps is */
	u32 must_refuse;		/* a bit for each value */
};

/*
 * Wrong answers.
 */

static void answer_id_slots(struct hb *h, struct hb_ring *r,
			    const struct blkif_request *req, s16 status)
{
	hb_put(r, r->nr_slots, hb_operation(req), status);
	hb_publish(r);
}

static void answer_id_high(struct hb *h, struct hb_ring *r,
			   const struct blkif_request *req, s16 status)
{
	hb_put(r, req->u.rw.id | 1ULL << 32, hb_operation(req), status);
	hb_publish(r);
}

static void answer_id_ones(struct hb *h, struct hb_ring *r,
			   const struct blkif_request *req, s16 status)
{
	hb_put(r, U64_MAX, hb_operation(req), status);
	hb_publish(r);
}

/* The first of two is held; both answers are to it. */
static void answer_id_twice(struct hb *h, struct hb_ring *r,
			    const struct blkif_request *req, s16 status)
{
	if (h->hits == 1) {
		h->held_id = req->u.rw.id;
		return;
	}
	hb_put(r, h->held_id, hb_operation(req), status);
	hb_put(r, h->held_id, hb_operation(req), status);
	hb_publish(r);
}

/* One more answer than there were requests. */
static void answer_twice(struct hb *h, struct hb_ring *r,
			 const struct blkif_request *req, s16 status)
{
	hb_put(r, req->u.rw.id, hb_operation(req), status);
	hb_put(r, req->u.rw.id, hb_operation(req), status);
	hb_publish(r);
}

static void answer_op_other(struct hb *h, struct hb_ring *r,
			    const struct blkif_request *req, s16 status)
{
	hb_put(r, req->u.rw.id, hb_operation(req) == BLKIF_OP_READ ?
	       BLKIF_OP_WRITE : BLKIF_OP_READ, status);
	hb_publish(r);
}

static void answer_op_unknown(struct hb *h, struct hb_ring *r,
			      const struct blkif_request *req, s16 status)
{
	hb_put(r, req->u.rw.id, 0xee, status);
	hb_publish(r);
}

static void answer_status_7(struct hb *h, struct hb_ring *r,
			    const struct blkif_request *req, s16 status)
{
	hb_put(r, req->u.rw.id, hb_operation(req), 7);
	hb_publish(r);
}

static void answer_status_min(struct hb *h, struct hb_ring *r,
			      const struct blkif_request *req, s16 status)
{
	hb_put(r, req->u.rw.id, hb_operation(req), S16_MIN);
	hb_publish(r);
}

static void answer_error(struct hb *h, struct hb_ring *r,
			 const struct blkif_request *req, s16 status)
{
	hb_put(r, req->u.rw.id, hb_operation(req), BLKIF_RSP_ERROR);
	hb_publish(r);
}

static void answer_notsupp(struct hb *h, struct hb_ring *r,
			   const struct blkif_request *req, s16 status)
{
	hb_put(r, req->u.rw.id, hb_operation(req), BLKIF_RSP_EOPNOTSUPP);
	hb_publish(r);
}

static void answer_late(struct hb *h, struct hb_ring *r,
			const struct blkif_request *req, s16 status)
{
	msleep(2000);
	hb_put(r, req->u.rw.id, hb_operation(req), status);
	hb_publish(r);
}

static void answer_never(struct hb *h, struct hb_ring *r,
			 const struct blkif_request *req, s16 status)
{
}

static void answer_and_ring(struct hb *h, struct hb_ring *r,
			    const struct blkif_request *req, s16 status)
{
	unsigned int i;

	hb_put(r, req->u.rw.id, hb_operation(req), status);
	for (i = 0; i < 50; i++)
		hb_publish(r);
}

/* The whole ring at once: as if all slots had been answered. */
static void answer_over(struct hb *h, struct hb_ring *r,
			const struct blkif_request *req, s16 status)
{
	WRITE_ONCE(r->sring->rsp_prod, r->rsp_prod + r->nr_slots + 1);
	notify_remote_via_irq(r->irq);
}

static void answer_back(struct hb *h, struct hb_ring *r,
			const struct blkif_request *req, s16 status)
{
	WRITE_ONCE(r->sring->rsp_prod, r->rsp_prod - 1);
	notify_remote_via_irq(r->irq);
}

/* Rewrite one byte of the answer while it is read. */
static void race(struct hb_ring *r, u8 *byte, u8 other)
{
	u8 one = *byte;
	unsigned int i;

	hb_publish(r);
	for (i = 0; i < 20000; i++) {
		WRITE_ONCE(*byte, other);
		cpu_relax();
		WRITE_ONCE(*byte, one);
	}
}

static void answer_race_id(struct hb *h, struct hb_ring *r,
			   const struct blkif_request *req, s16 status)
{
	hb_put(r, req->u.rw.id, hb_operation(req), status);
	race(r, (u8 *)&hb_slot(r, r->rsp_prod - 1)->rsp.id, 0xff);
}

static void answer_race_status(struct hb *h, struct hb_ring *r,
			       const struct blkif_request *req, s16 status)
{
	hb_put(r, req->u.rw.id, hb_operation(req), status);
	race(r, (u8 *)&hb_slot(r, r->rsp_prod - 1)->rsp.status, 0x80);
}

/*
 * What the front end wrote, overwritten.
 */

static void take_scribble_slots(struct hb *h, struct hb_ring *r)
{
	hb_slot(r, r->req_cons - 1)->req = (struct blkif_request) {
		.operation = 0xee, .u.rw.id = U64_MAX,
	};
}

static void take_scribble_prod(struct hb *h, struct hb_ring *r)
{
	/* Not over an index that we have not seen: we need it ourselves. */
	cmpxchg(&r->sring->req_prod, r->seen_prod, r->req_cons + 0x40000000);
}

static void take_scribble_events(struct hb *h, struct hb_ring *r)
{
	static const u32 values[] = { 0, 1, 0x80000000, U32_MAX };
	u32 value = values[r->req_cons % ARRAY_SIZE(values)];

	WRITE_ONCE(r->sring->req_event, r->req_cons + value);
	WRITE_ONCE(r->sring->rsp_event, r->rsp_prod + value);
}

/*
 * Without a request.
 */

static void show_rsp_prod(struct hb *h, u32 more)
{
	struct hb_ring *r;

	mutex_lock(&h->conn_lock);
	if (h->connected) {
		r = &h->rings[0];
		WRITE_ONCE(r->sring->rsp_prod, r->rsp_prod + more);
		notify_remote_via_irq(r->irq);
	}
	mutex_unlock(&h->conn_lock);
}

static void run_unsolicited(struct hb *h)
{
	show_rsp_prod(h, 1);
}

static void run_prod_2_31(struct hb *h)
{
	show_rsp_prod(h, 0x80000000);
}

static void run_ring_of_ones(struct hb *h)
{
	struct hb_ring *r;

	mutex_lock(&h->conn_lock);
	if (h->connected) {
		r = &h->rings[0];
		memset(r->sring, 0xff, r->nr_pages * XEN_PAGE_SIZE);
		notify_remote_via_irq(r->irq);
	}
	mutex_unlock(&h->conn_lock);
}

static void run_flicker(struct hb *h)
{
	unsigned int i;

	for (i = 0; i < 2000 && !hb_front_in(h, HB_GONE); i++) {
		show_rsp_prod(h, 1);
		show_rsp_prod(h, 0);
		cond_resched();
	}
	hb_say(h, "flickered %u times", i);
}

static void run_bell_storm(struct hb *h)
{
	unsigned long end = jiffies + HZ;
	unsigned int n = 0;

	mutex_lock(&h->conn_lock);
	while (h->connected && time_before(jiffies, end)) {
		notify_remote_via_irq(h->rings[0].irq);
		n++;
		cond_resched();
	}
	mutex_unlock(&h->conn_lock);
	hb_say(h, "rang %u times for nothing", n);
}

/* Close by ourselves and take the front end back. Return: it came. */
static bool come_back(struct hb *h)
{
	unsigned int before = h->connections;

	hb_disconnect(h);
	hb_set_state(h, XenbusStateClosed);
	return wait_event_timeout(h->wq, h->connections != before &&
				  hb_front_in(h, HB_STATE(Connected)),
				  HB_PATIENCE);
}

static void run_reconnect(struct hb *h)
{
	unsigned int i;

	for (i = 0; i < h->rounds; i++) {
		if (!come_back(h)) {
			hb_fail(h, "the front end did not come again after %u times",
				i);
			return;
		}
	}
	hb_say(h, "went and came %u times", i);
}

static void run_states_walk(struct hb *h)
{
	unsigned int i;

	for (i = 0; i < 60; i++) {
		h->random = h->random * 1664525 + 1013904223;
		hb_set_state(h, 1 + (h->random >> 16) % 8);
		if ((h->random >> 8) % 4 == 0)
			msleep(1 + (h->random >> 12) % 10);
	}
	hb_disconnect(h);
	hb_set_state(h, XenbusStateClosed);
	hb_say(h, "%u random states", i);
}

/* Connected, jump to the step's state. */
static void jump(struct hb *h)
{
	if (hb_stepping(h))
		hb_set_state(h, h->step);
}

/*
 * Conclusions.
 */

static void conclude_come_back(struct hb *h)
{
	if (!come_back(h))
		hb_fail(h, "the front end did not come again");
}

/* A page that we can still see must not be used for anything else. */
static void conclude_kept(struct hb *h)
{
	u64 before = h->foreign_words;
	unsigned int i;

	mutex_lock(&h->conn_lock);
	for (i = 0; i < h->nr_kept; i++)
		hb_scan(h, page_address(h->kept[i].page), 0, 8);
	hb_say(h, "kept %u pages and %u rings", h->nr_kept, h->nr_old);
	if (h->foreign_words != before)
		hb_fail(h, "pages that are still granted were used again: %llu foreign words",
			h->foreign_words - before);
	memset(&h->hooks, 0, sizeof(h->hooks));
	hb_release_kept(h);
	mutex_unlock(&h->conn_lock);
}

/*
 * Values for keys, those that must be tried (absent, no number, huge) first.
 * Bit N of must_refuse is value N's.
 */
static const char * const sectors_values[] = {
	NULL, "none", "99999999999999999999999", "36028797018963968", "-1",
	"18446744073709551615", "", "0", "1",
};

/* The huge one may be taken for a small one. */
#define SECTORS_BAD	(GENMASK(6, 0) & ~BIT(2))

static const char * const sector_size_values[] = {
	NULL, "none", "4294967296", "3", "0", "2147483648", "8192", "", "-1",
	"1", "511", "513",
};

#define SECTOR_SIZE_BAD	GENMASK(11, 0)

static const char * const number_values[] = {
	NULL, "none", "99999999999999999999", "-1", "0", "4294967295", "3", "",
	"1", "65536", "2147483648",
};

/*
 * The catalogue.
 */
#define ANSWER(n, k, f, nr, w) { .name = n, .kind = k, .what = w, \
	.hooks = { .answer = f, .then_silent = (k) == BREACH }, .shots = nr }
#define TAKE(n, f, nr, w) { .name = n, .kind = SERVES, .what = w, \
	.hooks = { .taken = f }, .shots = nr }
#define RUN(n, k, f, w) { .name = n, .kind = k, .what = w, .run = f }
#define KEY(n, v, bad) { .name = "xs-" n, .kind = CONNECTIONS, \
	.what = n " absent, empty, no number, out of bounds, negative, huge", \
	.key = n, .values = v, .nr_steps = ARRAY_SIZE(v), .must_refuse = bad }

static const struct hb_attack hb_attacks[] = {
	ANSWER("id-slots", BREACH, answer_id_slots, 1,
	       "an answer to the id that is one beyond the last"),
	ANSWER("id-high", BREACH, answer_id_high, 1,
	       "an answer to the request's id with bit 32 set"),
	ANSWER("id-ones", BREACH, answer_id_ones, 1, "an answer to id 2^64-1"),
	ANSWER("id-twice", BREACH, answer_id_twice, 2,
	       "two requests, two answers to the first"),
	ANSWER("answer-twice", BREACH, answer_twice, 1,
	       "one request, two answers"),
	ANSWER("op-other", BREACH, answer_op_other, 1,
	       "an answer of another operation"),
	ANSWER("op-unknown", BREACH, answer_op_unknown, 1,
	       "an answer of no operation"),
	ANSWER("status-7", BREACH, answer_status_7, 1, "status 7"),
	ANSWER("status-min", BREACH, answer_status_min, 1, "status -32768"),
	ANSWER("prod-over", BREACH, answer_over, 1,
	       "more answers than the ring has slots"),
	ANSWER("prod-back", BREACH, answer_back, 1,
	       "the producer index runs back by 1"),
	RUN("unsolicited", BREACH, run_unsolicited, "an answer before a request"),
	RUN("prod-2^31", BREACH, run_prod_2_31, "2^31 answers at once"),
	RUN("ring-of-ones", BREACH, run_ring_of_ones,
	    "every bit of the ring set"),

	ANSWER("honest", SERVES, NULL, 1, "nothing wrong, for comparison"),
	ANSWER("answer-error", SERVES, answer_error, 1, "an I/O error"),
	ANSWER("answer-notsupp", SERVES, answer_notsupp, 1,
	       "a read is not supported"),
	ANSWER("answer-late", SERVES, answer_late, 1, "an answer after 2 s"),
	ANSWER("bell-storm-work", SERVES, answer_and_ring, 32,
	       "50 notifications an answer"),
	RUN("bell-storm", SERVES, run_bell_storm,
	    "a second of notifications without an answer"),
	{ .name = "unfilled", .kind = SERVES,
	  .what = "success, but nothing was read",
	  .hooks = { .no_data = true }, .shots = 32 },
	TAKE("slots-scribbled", take_scribble_slots, 32,
	     "requests overwritten once they are read"),
	TAKE("req-prod-scribbled", take_scribble_prod, 32,
	     "the front end's own index overwritten"),
	TAKE("event-indices", take_scribble_events, 32,
	     "event indices of every kind"),
	RUN("reconnect", SERVES, run_reconnect,
	    "goes and comes 50 times in quick succession"),
	{ .name = "never", .kind = SERVES,
	  .what = "a request is not answered, then the back end closes",
	  .hooks = { .answer = answer_never }, .shots = 1,
	  .conclude = conclude_come_back },

	RUN("prod-flickers", EITHER, run_flicker,
	    "an answer is announced and withdrawn 2000 times"),
	ANSWER("race-id", EITHER, answer_race_id, 32,
	       "an answer's id changes while it is read"),
	ANSWER("race-status", EITHER, answer_race_status, 32,
	       "an answer's status changes while it is read"),
	RUN("states-walk", EITHER, run_states_walk, "60 random states"),
	{ .name = "keep-mapped", .kind = EITHER,
	  .what = "pages stay mapped after their answer",
	  .hooks = { .keep_mapped = true }, .shots = 32,
	  .conclude = conclude_kept },
	{ .name = "keep-on-close", .kind = EITHER,
	  .what = "nothing is unmapped at disconnection, but later",
	  .hooks = { .keep_mapped = true, .keep_on_close = true }, .shots = 32,
	  .conclude = conclude_kept },

	{ .name = "states-all", .kind = CONNECTIONS,
	  .what = "every state out of Connected",
	  .hooks = { .connected = jump }, .nr_steps = 9,
	  .all_steps = true },
	KEY("sectors", sectors_values, SECTORS_BAD),
	KEY("sector-size", sector_size_values, SECTOR_SIZE_BAD),
	KEY("info", number_values, 0),
	KEY("physical-sector-size", number_values, 0),
	KEY("feature-flush-cache", number_values, 0),
	KEY("feature-persistent", number_values, 0),
	KEY("feature-max-indirect-segments", number_values, 0),
	KEY("feature-discard", number_values, 0),
	KEY("discard-granularity", number_values, 0),
	KEY("discard-alignment", number_values, 0),
	KEY("max-ring-page-order", number_values, 0),
	KEY("multi-queue-max-queues", number_values, 0),
};

void hb_list(struct seq_file *m)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hb_attacks); i++)
		seq_printf(m, "%s %s %s\n", hb_attacks[i].name,
			   hb_kind_names[hb_attacks[i].kind],
			   hb_attacks[i].what);
}

void hb_disarm(struct hb *h)
{
	h->armed = NULL;
	memset(&h->hooks, 0, sizeof(h->hooks));
	h->shots = 0;
	h->hits = 0;
	h->key = NULL;
	h->nr_steps = 0;
	h->step = -1;
	memset(h->outcomes, 0, sizeof(h->outcomes));
}

static void conclude_connections(struct hb *h, const struct hb_attack *a)
{
	static const char * const names[] = {
		[HB_PENDING] = "ignored", [HB_REFUSED] = "refused",
		[HB_ACCEPTED] = "accepted",
	};
	unsigned int i;

	for (i = 0; i < h->nr_steps; i++) {
		const char *value = a->values ? a->values[i] : NULL;

		if (a->values)
			hb_say(h, "%s%s: %s", i ? ", " : "",
			       !value ? "absent" : *value ? value : "empty",
			       names[h->outcomes[i]]);
		else
			hb_say(h, "%s%s", i ? ", " : "",
			       xenbus_strstate(i));
		if (h->outcomes[i] == HB_PENDING && i >= h->step)
			hb_fail(h, "connection %u did not come", i);
		if (h->outcomes[i] == HB_ACCEPTED && (a->must_refuse & BIT(i)))
			hb_fail(h, "accepted");
	}
}

/* Before the report is read: wait for what is owed, and give the verdict. */
void hb_conclude(struct hostile_ctl *ctl)
{
	struct hb *h = container_of(ctl, struct hb, ctl);
	const struct hb_attack *a = h->armed;

	if (!a)
		return;
	if (a->shots && !wait_event_timeout(h->wq, !h->shots ||
					    hb_front_in(h, HB_GONE),
					    HB_PATIENCE))
		hb_fail(h, "only %u of %u requests came", h->hits, a->shots);
	if (a->conclude)
		a->conclude(h);
	switch (a->kind) {
	case BREACH:
		if (!wait_event_timeout(h->wq, hb_front_in(h, HB_GONE),
					HB_PATIENCE))
			hb_fail(h, "the front end did not close the disk");
		break;
	case SERVES:
		if (!hb_front_in(h, HB_STATE(Connected)))
			hb_fail(h, "the front end did not go on");
		break;
	case CONNECTIONS:
		conclude_connections(h, a);
		break;
	case EITHER:
		break;
	}
	hb_say(h, "%s%u requests hit, the front end is %s",
	       h->ctl.said ? ", " : "", h->hits,
	       xenbus_strstate(h->front_state));
	hostile_verdict(ctl, ctl->failed ? "FAILED" : "survived", a->name);
	mutex_lock(&h->conn_lock);
	hb_disarm(h);
	mutex_unlock(&h->conn_lock);
}

int hb_attack(struct hostile_ctl *ctl, const char *name)
{
	struct hb *h = container_of(ctl, struct hb, ctl);
	const struct hb_attack *a = hb_attacks;

	while (strcmp(a->name, name))
		if (++a == hb_attacks + ARRAY_SIZE(hb_attacks))
			return -ENOENT;
	if (!h->xdev)
		return -ENODEV;

	mutex_lock(&h->conn_lock);
	hb_disarm(h);
	h->key = a->key;
	h->values = a->values;
	h->nr_steps = a->all_steps ? a->nr_steps :
				     min(a->nr_steps, h->max_steps);
	h->hooks = a->hooks;
	h->shots = a->shots;
	h->armed = a;
	mutex_unlock(&h->conn_lock);
	if (a->run)
		a->run(h);
	return 0;
}
