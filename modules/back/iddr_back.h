/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Back end, shared between its control path (control.c) and data path (data.c).
 */
#ifndef IDDR_BACK_H
#define IDDR_BACK_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/llist.h>
#include <linux/ratelimit.h>

#include "../comm/iddr_comm.h"
#include "iddr_parse.h"

/* How data crosses between the domains. The names are those of sysfs. */
enum iddr_data_path {
	IDDR_PATH_PERSISTENT,	/* through pages that stay granted and mapped */
	IDDR_PATH_MAP,		/* each request's pages are mapped and unmapped */
	IDDR_PATH_COPY,		/* Xen copies between their pages and ours */
	IDDR_NR_PATHS
};

struct iddr_bqueue;

/* A request's segments: parallel arrays. */
struct iddr_bsegs {
	struct iddr_blk_seg *seg;
	struct bio_vec *vec;
	union {
		struct iddr_gmap **map;		/* persistent */
		struct page **page;		/* map, copy */
	};
	grant_handle_t *handle;			/* map */
};

/* Arrays for max_segs segments; a queue has a few, for requests to share. */
struct iddr_blarge {
	struct iddr_blarge *next;	/* free; under tx_lock */
	struct iddr_bsegs s;
};

#define IDDR_INLINE_SEGS	BLKIF_MAX_SEGMENTS_PER_REQUEST

/* One request being executed. */
struct iddr_breq {
	struct iddr_bqueue *bq;
	struct iddr_breq *next;		/* free (under tx_lock), or in a batch */
	struct llist_node done;		/* over, but for what the thread has to do */
	struct list_head polled;	/* on the queue's polled or retry */
	u64 id;
	u8 operation;
	s16 status;			/* answer, once it is known */
	bool deferred;			/* the thread finishes it */
	bool again;			/* the device had no room */
	struct iddr_blk_cmd cmd;
	struct iddr_bsegs s;		/* the inline ones, or large's */
	struct iddr_blarge *large;	/* NULL if the inline ones do */
	struct iddr_blk_seg inline_seg[IDDR_INLINE_SEGS];
	struct bio_vec inline_vec[IDDR_INLINE_SEGS];
	void *inline_page[IDDR_INLINE_SEGS];
	grant_handle_t inline_handle[IDDR_INLINE_SEGS];
	struct bio bio;
};

/* A ring and what executes its requests. */
struct iddr_bqueue {
	struct iddr_queue q;
	struct iddr_bdisk *disk;
	struct block_device *bdev;
	enum iddr_data_path path;
	struct iddr_blk_limits limits;	/* the thread's, once it runs */
	bool can_poll;			/* the device completes by polling, too */

	/* The thread's. */
	struct iddr_gcache gcache;	/* persistent */
	struct iddr_pages pages;	/* map, copy */
	struct iddr_gops *gops;		/* map, copy, and indirect descriptors */
	struct blkif_request_segment *desc;	/* of one request */
	grant_ref_t *refs;		/* of one request */
	struct iddr_breq *batch;	/* parsed, not submitted */
	struct iddr_breq **batch_end;
	struct list_head polled;	/* under way, found only by polling */
	struct list_head retry;		/* to be submitted when polled is empty */
	struct ratelimit_state *complaints;	/* the disk's: a peer that connects
						 * anew gets no new lines
						 */

	struct iddr_breq *reqs;		/* as many as the ring has slots */
	struct iddr_breq *free;		/* under tx_lock */
	struct iddr_blarge *free_large;	/* under tx_lock */
	struct iddr_blarge *large;	/* max_large of them; the first nr_large */
	unsigned int nr_large;		/* have their arrays */
	unsigned int max_large;
	unsigned int outstanding;	/* taken, unanswered; under tx_lock */
	struct llist_head done;		/* for the thread to finish */
	wait_queue_head_t progress;	/* woken at a request's end */

	atomic_t refs_held;		/* 1 + completions that still run */
	struct completion released;

	struct work_struct broken_work;	/* tells xenbus that the peer is out */
	int broken_err;
};

/* data.c */
void iddr_bqueue_init(struct iddr_bqueue *bq, struct iddr_bdisk *disk,
		      struct xenbus_device *xdev, unsigned int index,
		      enum iddr_mode mode,
		      const struct iddr_wait_limits *wait_limits,
		      struct ratelimit_state *complaints);
int iddr_bqueue_start(struct iddr_bqueue *bq, const char *dir, int ring_order,
		      struct block_device *bdev, enum iddr_data_path path,
		      const struct iddr_blk_limits *limits,
		      const char *thread_name);
void iddr_bqueue_stop(struct iddr_bqueue *bq);

/* control.c: the device's size has changed; any context. */
void iddr_bdisk_resized(struct iddr_bdisk *d);

#endif /* IDDR_BACK_H */
