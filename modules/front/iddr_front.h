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

#define IDDR_SEGS_PER_REQ	BLKIF_MAX_SEGMENTS_PER_REQUEST

/* A request's place: its tag is its id on the wire. */
struct iddr_fslot {
	struct iddr_shadow shadow;	/* written under tx_lock or by the owner
					 * of rx, never both at a time: from
					 * queue_rq to publication, and from
					 * response to completion
					 */
	struct request *rq;
};

/* A ring and the pages that its requests' data is copied through. */
struct iddr_fqueue {
	struct iddr_queue q;
	struct iddr_pool pool;		/* IDDR_SEGS_PER_REQ pages a slot */
	struct iddr_fslot *slots;	/* by tag; q.nr_slots of them */
	blkif_vdev_t handle;
	bool up;			/* ring, pool and thread exist; changes
					 * under abort_lock
					 */
	bool dead;			/* takes no requests; under tx_lock */
	struct mutex abort_lock;	/* abort and destroy exclude each other */
	struct work_struct broken_work;	/* tells xenbus that the peer is out */
	int broken_err;
};

extern const struct blk_mq_ops iddr_front_mq_ops;

void iddr_fqueue_init(struct iddr_fqueue *fq);
int iddr_fqueue_create(struct iddr_fqueue *fq, struct xenbus_device *xdev,
		       enum iddr_mode mode, blkif_vdev_t handle,
		       const char *thread_name);
void iddr_fqueue_abort(struct iddr_fqueue *fq);
unsigned int iddr_fqueue_destroy(struct iddr_fqueue *fq);

#endif /* IDDR_FRONT_H */
