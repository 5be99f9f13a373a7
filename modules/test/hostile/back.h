/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hostile back end: a small disk in memory that it serves well (back.c),
 * until an attack is armed (back_attacks.c).
 *
 * One thread serves all queues and polls them; the front end's states come by
 * xenwatch. What both touch is under conn_lock.
 */
#ifndef HOSTILE_BACK_H
#define HOSTILE_BACK_H

#include <linux/mutex.h>
#include <linux/wait.h>
#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/xenbus.h>
#include <xen/interface/io/blkif.h>

#include "control.h"

#define HB_DISK_BYTES		(4U << 20)
#define HB_MAX_QUEUES		4
#define HB_MAX_ORDER		2
#define HB_MAX_RING_PAGES	(1U << HB_MAX_ORDER)
#define HB_MAX_INDIRECT		64
#define HB_MAX_KEPT		1024	/* pages kept mapped by an attack */

struct hb_ring {
	struct blkif_sring *sring;
	unsigned int nr_pages;
	u32 nr_slots;
	unsigned int irq;
	u32 req_cons;			/* next request to read */
	u32 rsp_prod;			/* next response to write */
	u32 seen_prod;			/* the front end's own last index */
};

/* A page of the front end's, mapped. */
struct hb_map {
	struct page *page;
	grant_handle_t handle;
};

struct hb;

/* How an armed attack interferes; NULL or 0: as an honest back end. */
struct hb_hooks {
	/* Answer @req in this way, which @status would be right for. */
	void (*answer)(struct hb *h, struct hb_ring *r,
		       const struct blkif_request *req, s16 status);
	/* A request has been copied from its slot. */
	void (*taken)(struct hb *h, struct hb_ring *r);
	/* The front end has connected. */
	void (*connected)(struct hb *h);
	bool no_data;			/* reads are not filled */
	bool then_silent;		/* no answer after the last hit, which
					 * could cover it up
					 */
	bool keep_mapped;		/* pages are not unmapped */
	bool keep_on_close;		/* nor is anything at disconnection */
};

/* Outcome of a connection, for attacks that take several. */
enum hb_outcome { HB_PENDING, HB_REFUSED, HB_ACCEPTED };

#define HB_MAX_STEPS		16

struct hb {
	struct hostile_ctl ctl;
	struct xenbus_device *xdev;	/* NULL: no disk bound */
	wait_queue_head_t wq;		/* something has changed */
	enum xenbus_state front_state;
	struct mutex conn_lock;
	bool connected;
	unsigned int connections;	/* ever */
	unsigned int nr_rings;
	struct hb_ring rings[HB_MAX_QUEUES];
	bool front_persistent;
	struct task_struct *thread;
	struct hb_ring old_rings[HB_MAX_QUEUES];	/* kept_on_close */
	unsigned int nr_old;
	struct xenbus_device *died;	/* unbound with these mapped; a reference */
	bool stopping;			/* the module goes */
	void *disk;

	struct page *pages[HB_MAX_KEPT + 1];
	unsigned int nr_free;
	struct hb_map kept[HB_MAX_KEPT];
	unsigned int nr_kept;

	/* the armed attack */
	const struct hb_attack *armed;
	struct hb_hooks hooks;
	unsigned int shots;		/* requests still to be hit */
	unsigned int hits;
	const char *key;		/* write this key as ... */
	const char * const *values;	/* ... the step's of these; NULL: absent */
	unsigned int nr_steps;		/* connections that the attack takes */
	int step;			/* the present one; -1: not yet begun */
	enum hb_outcome outcomes[HB_MAX_STEPS];
	u64 held_id;			/* of a request not answered yet */
	u32 random;			/* a fixed sequence */

	/* settings and findings */
	bool persistent;		/* offer persistent grants */
	u32 queues;			/* offered */
	u32 ring_order;
	u32 indirect;			/* segments offered; 0: none */
	u32 rounds;			/* of reconnect */
	u32 max_steps;			/* connections that an attack takes */
	u64 scanned_pages;		/* of the front end's, looked at */
	u64 foreign_words;		/* neither zero nor the disk's data */
};

#define hb_say(h, ...)	hostile_say(&(h)->ctl, __VA_ARGS__)
#define hb_fail(h, ...)	hostile_fail(&(h)->ctl, __VA_ARGS__)

#define HB_STATE(s)	(1U << XenbusState##s)
#define HB_GONE		(HB_STATE(Closing) | HB_STATE(Closed))
#define HB_PATIENCE	(15 * HZ)

static inline union blkif_sring_entry *hb_slot(struct hb_ring *r, u32 idx)
{
	return &r->sring->ring[idx & (r->nr_slots - 1)];
}

/* Blkif's answer to an indirect request names the inner operation. */
static inline u8 hb_operation(const struct blkif_request *req)
{
	return req->operation == BLKIF_OP_INDIRECT ?
	       req->u.indirect.indirect_op : req->operation;
}

static inline bool hb_front_in(struct hb *h, u32 states)
{
	return states & (1U << READ_ONCE(h->front_state));
}

/* Is this one of the connections that the attack takes? */
static inline bool hb_stepping(const struct hb *h)
{
	return h->step >= 0 && h->step < (int)h->nr_steps;
}

/* back.c */
void hb_disconnect(struct hb *h);
void hb_scan(struct hb *h, const u64 *words, unsigned int first_sect,
	     unsigned int nr);
int hb_set_state(struct hb *h, int state);
void hb_publish(struct hb_ring *r);
void hb_put(struct hb_ring *r, u64 id, u8 operation, s16 status);
void hb_release_kept(struct hb *h);

/* back_attacks.c */
void hb_disarm(struct hb *h);
int hb_attack(struct hostile_ctl *ctl, const char *name);
void hb_conclude(struct hostile_ctl *ctl);
void hb_list(struct seq_file *m);

#endif /* HOSTILE_BACK_H */
