/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Back end, shared between its control path (control.c) and data path (data.c).
 */
#ifndef IDDR_BACK_H
#define IDDR_BACK_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>

#include "../comm/iddr_comm.h"
#include "iddr_parse.h"

struct iddr_bqueue;

/* One request being executed. */
struct iddr_breq {
	struct iddr_bqueue *bq;
	struct iddr_breq *next_free;	/* under tx_lock, while free */
	u64 id;
	u8 operation;
	unsigned int nr_maps;
	struct iddr_gmap *maps[BLKIF_MAX_SEGMENTS_PER_REQUEST];
	struct bio bio;
	struct bio_vec vecs[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

/* A ring and what executes its requests. */
struct iddr_bqueue {
	struct iddr_queue q;
	struct block_device *bdev;
	struct iddr_blk_limits limits;
	struct iddr_gcache gcache;	/* the queue's thread alone */

	struct iddr_breq *reqs;		/* as many as the ring has slots */
	struct iddr_breq *free;		/* under tx_lock */
	unsigned int outstanding;	/* submitted, unanswered; under tx_lock */
	wait_queue_head_t idle;		/* woken when outstanding drops to 0 */

	atomic_t refs;			/* 1 + completions that still run */
	struct completion released;

	struct work_struct broken_work;	/* tells xenbus that the peer is out */
	int broken_err;
};

int iddr_bqueue_start(struct iddr_bqueue *bq, struct block_device *bdev,
		      const struct iddr_blk_limits *limits,
		      const char *thread_name);
void iddr_bqueue_stop(struct iddr_bqueue *bq);
void iddr_bqueue_init(struct iddr_bqueue *bq, struct xenbus_device *xdev,
		      enum iddr_mode mode);

#endif /* IDDR_BACK_H */
