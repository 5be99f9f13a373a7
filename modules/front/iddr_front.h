/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Front end, shared between its control path (control.c) and data path (data.c).
 */
#ifndef IDDR_FRONT_H
#define IDDR_FRONT_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>

#include "../comm/iddr_comm.h"
#include "iddr_check.h"

#define IDDR_INLINE_SEGS	BLKIF_MAX_SEGMENTS_PER_REQUEST
/* Segment descriptors in an indirect page, and in one request at the most. */
#define IDDR_DESC_PER_PAGE	\
	(XEN_PAGE_SIZE / sizeof(struct blkif_request_segment))
#define IDDR_MAX_SEGS		\
	(BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST * IDDR_DESC_PER_PAGE)

struct iddr_fdisk;

/* What a connection agreed on; fixed before the disk takes requests. */
struct iddr_fconf {
	blkif_vdev_t handle;
	unsigned int ring_order;
	unsigned int max_segs;		/* in a request; <= 11: none indirect */
	bool persistent;
	u8 flush_op;			/* BLKIF_OP_*, for REQ_OP_FLUSH */
};

/* A request's place: its tag is its id on the wire. */
struct iddr_fslot {
	struct iddr_shadow shadow;	/* written under tx_lock or by the owner
					 * of rx, never both at a time: from
					 * queue_rq to publication, and from
					 * response to completion
					 */
	struct request *rq;
	struct iddr_pool_page *data;	/* granted for it, in order */
	struct iddr_pool_page *desc;	/* indirect pages, in order */
	bool direct;			/* data are the request's own pages */
};

/* A ring and the pages that its requests' data crosses in. */
struct iddr_fqueue {
	struct iddr_queue q;
	struct iddr_fdisk *disk;
	const struct iddr_fconf *conf;
	struct iddr_pool data;
	struct iddr_pool desc;		/* always persistent */
	struct iddr_fslot *slots;	/* by tag; q.nr_slots of them */
	bool up;			/* ring, pools and thread exist; changes
					 * under the disk's queues_lock
					 */
	bool dead;			/* takes no requests; under tx_lock */
	struct blk_mq_hw_ctx *starved;	/* has a request that waits for pages */
	struct iddr_linger linger;	/* under tx_lock */
};

extern const struct blk_mq_ops iddr_front_mq_ops;

/* data.c */
void iddr_fqueue_init(struct iddr_fqueue *fq, struct iddr_fdisk *disk,
		      const struct iddr_fconf *conf);
int iddr_fqueue_create(struct iddr_fqueue *fq, struct xenbus_device *xdev,
		       unsigned int index, bool polled, enum iddr_mode mode,
		       const struct iddr_wait_limits *limits,
		       const char *thread_name);
int iddr_fqueue_prepare(struct iddr_fqueue *fq);
void iddr_fqueue_abort(struct iddr_fqueue *fq, bool dying);
unsigned int iddr_fqueue_destroy(struct iddr_fqueue *fq, bool dying);

/* control.c, for data.c */
struct iddr_fqueue *iddr_fdisk_queue(struct iddr_fdisk *d, unsigned int index);
void iddr_fdisk_map_queues(struct iddr_fdisk *d, struct blk_mq_tag_set *set);
void iddr_fdisk_broken(struct iddr_fdisk *d, int err, const char *offence);

#endif /* IDDR_FRONT_H */
