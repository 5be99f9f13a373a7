/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hostile front end: a connection that it has in its hand (front.c) and
 * what it does with it (front_attacks.c).
 *
 * Everything runs in the process that wrote the attack's name, under the
 * control lock, and polls; only the back end's state comes by xenwatch.
 */
#ifndef HOSTILE_FRONT_H
#define HOSTILE_FRONT_H

#include <linux/wait.h>
#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/xenbus.h>
#include <xen/interface/io/blkif.h>

#include "control.h"

#define HF_MAX_QUEUES		16
#define HF_MAX_RING_PAGES	16
#define HF_DATA_PAGES		16	/* pages[0..]: data */
#define HF_DESC_PAGES		BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST
#define HF_PAGES		(HF_DATA_PAGES + HF_DESC_PAGES)
#define HF_MAX_EXTRA		4096
#define HF_PAGE_SECTORS		(XEN_PAGE_SIZE / 512)
#define HF_DESCS_PER_PAGE	\
	(XEN_PAGE_SIZE / sizeof(struct blkif_request_segment))

struct hf_ring {
	struct blkif_sring *sring;
	unsigned int nr_pages;
	u32 nr_slots;
	grant_ref_t refs[HF_MAX_RING_PAGES];
	u32 req_prod;			/* next slot to fill */
	u32 rsp_cons;			/* next response to read */
	evtchn_port_t port;
	int irq;			/* 0: none */
};

/* What the back end says of the disk. */
struct hf_disk {
	unsigned long long sectors;
	unsigned int info;
	unsigned int block_sectors;
	unsigned int max_indirect;	/* segments; 0: not offered */
	bool discard;
	bool discard_secure;
	bool flush;
};

/* How to connect; all zero is as an honest front end does. */
struct hf_offer {
	const char *key;		/* write this key's value as ... */
	const char *value;		/* ... this; NULL: leave it out */
	bool ring_page_twice;		/* the second ring page is the first */
	bool ring_readonly;		/* grant the ring read-only */
	bool ring_revoked;		/* end the ring's grants beforehand */
	bool port_closed;		/* close the event channel beforehand */
	bool port_shared;		/* all queues announce queue 0's channel */
	unsigned int min_queues;	/* connect with at least so many, */
	unsigned int min_order;		/* and such ring pages */
	unsigned int last_step;		/* stop after this step; 0: do not */
};

/* Steps of the handshake, for hf_offer.last_step. */
enum hf_step {
	HF_STEP_RINGS = 1,		/* rings granted, channels allocated */
	HF_STEP_KEYS,			/* keys written */
	HF_STEP_INITIALISED,		/* and announced; back end may map */
	HF_STEPS
};

struct hf {
	struct hostile_ctl ctl;
	struct xenbus_device *xdev;	/* NULL: no disk bound */
	wait_queue_head_t wq;		/* back_state has changed */
	enum xenbus_state back_state;
	bool connected;
	struct hf_disk disk;

	unsigned int nr_queues;
	struct hf_ring rings[HF_MAX_QUEUES];
	struct page *pages[HF_PAGES];
	grant_ref_t refs[HF_PAGES];
	bool granted;			/* refs are valid */
	unsigned int nr_extra;		/* further grants, ended at reset */
	grant_ref_t *extra;

	u64 next_id;
	u32 random;			/* a fixed sequence: failures repeat */
	atomic_t upcalls;

	/* settings */
	bool persistent;		/* offer persistent grants */
	u32 queues;			/* wanted; at most what is offered */
	u32 ring_order;
	bool copies;			/* the back end's data path is copy */
	bool fresh;			/* a new connection after each refusal */
	u32 max_values;			/* of a key that are tried */
	u32 rounds;			/* of reconnect */
};

/* The queue that attacks use: the last, which is least like a single one. */
static inline struct hf_ring *hf_ring(struct hf *h)
{
	return &h->rings[h->nr_queues - 1];
}

static inline u64 *hf_page(struct hf *h, unsigned int i)
{
	return page_address(h->pages[i]);
}

static inline struct blkif_request_segment *hf_desc(struct hf *h,
						    unsigned int i)
{
	void *page = hf_page(h, HF_DATA_PAGES + i / HF_DESCS_PER_PAGE);

	return (struct blkif_request_segment *)page + i % HF_DESCS_PER_PAGE;
}

static inline u32 hf_random(struct hf *h)
{
	h->random = h->random * 1664525 + 1013904223;
	return h->random >> 8;
}

#define hf_say(h, ...)	hostile_say(&(h)->ctl, __VA_ARGS__)
#define hf_fail(h, ...)	hostile_fail(&(h)->ctl, __VA_ARGS__)

/* front.c */
int hf_set_state(struct hf *h, int state);
bool hf_wait_back(struct hf *h, u32 states);
bool hf_back_in(struct hf *h, u32 states);
int hf_connect(struct hf *h, const struct hf_offer *offer);
void hf_free_all(struct hf *h, bool must_be_unmapped);
int hf_reset(struct hf *h);
grant_ref_t hf_grant(struct hf *h, struct page *page, bool readonly);
grant_ref_t hf_unused_ref(struct hf *h);
void hf_fill_rw(struct hf *h, struct blkif_request *req, u8 operation,
		u64 sector, unsigned int nr_segs);
void hf_put(struct hf_ring *r, const struct blkif_request *req);
void hf_publish(struct hf_ring *r);
int hf_wait_response(struct hf *h, struct hf_ring *r,
		     struct blkif_response *rsp);
int hf_do(struct hf *h, struct hf_ring *r, const struct blkif_request *req,
	  struct blkif_response *rsp);
void hf_serves(struct hf *h);

#define HF_STATE(s)	(1U << XenbusState##s)
#define HF_GONE		(HF_STATE(Closing) | HF_STATE(Closed))

/* front_attacks.c */
int hf_attack(struct hostile_ctl *ctl, const char *name);
void hf_list(struct seq_file *m);

#endif /* HOSTILE_FRONT_H */
