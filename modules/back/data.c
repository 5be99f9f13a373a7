// SPDX-License-Identifier: GPL-2.0
/*
 * Back end, data path: take a request off the ring, check it, make a bio of it,
 * submit it, answer.
 *
 * Requests are taken by the queue's thread alone. Bios complete in any context
 * (a RAM disk's within submit_bio(), in the thread). Responses are written
 * under tx_lock.
 */
#include <linux/slab.h>

#include "iddr_back.h"

static struct iddr_bqueue *to_bqueue(struct iddr_queue *q)
{
	return container_of(q, struct iddr_bqueue, q);
}

/* The slots behind the ring's header, as blkif lays them out. */
static union blkif_sring_entry *iddr_back_slot(struct iddr_queue *q, u32 idx)
{
	struct blkif_sring *ring = q->ring;

	return &ring->ring[idx & (q->nr_slots - 1)];
}

/*
 * Answer request @id; @req, if any, is free again. Any context.
 *
 * A peer that spins gets the answer at once. One that is armed would cost a
 * notification each: answers given by the thread in the midst of a batch are
 * published when the batch is done (iddr_back_drain).
 */
static void iddr_back_respond(struct iddr_bqueue *bq, struct iddr_breq *req,
			      u64 id, u8 operation, s16 status)
{
	struct iddr_queue *q = &bq->q;
	struct blkif_response *rsp;
	unsigned long flags;
	bool in_batch, notify = false;

	spin_lock_irqsave(&q->tx_lock, flags);
	/* Field by field: padding must not carry our stack to the peer. */
	rsp = &iddr_back_slot(q, q->tx.prod)->rsp;
	rsp->id = id;
	rsp->operation = operation;
	rsp->status = status;
	q->tx.prod++;
	if (req) {
		/* Before publishing: the peer may send its next at once. */
		req->next_free = bq->free;
		bq->free = req;
		if (!--bq->outstanding)
			wake_up(&bq->idle);
	}
	/* in_task(): an interrupt may have the thread for its current. */
	in_batch = in_task() && current == q->thread;
	if (!in_batch || !iddr_tx_would_notify(&q->tx))
		notify = iddr_queue_publish(q);
	spin_unlock_irqrestore(&q->tx_lock, flags);
	if (notify)
		iddr_queue_notify(q);
}

static void iddr_back_end_io(struct bio *bio)
{
	struct iddr_breq *req = container_of(bio, struct iddr_breq, bio);
	struct iddr_bqueue *bq = req->bq;
	s16 status = BLKIF_RSP_OKAY;

	if (bio->bi_status == BLK_STS_NOTSUPP)
		status = BLKIF_RSP_EOPNOTSUPP;
	else if (bio->bi_status)
		status = BLKIF_RSP_ERROR;
	bio_uninit(bio);
	iddr_gcache_put(req->maps, req->nr_maps);
	iddr_back_respond(bq, req, req->id, req->operation, status);
	/* Last: from here on the queue may be gone. */
	if (atomic_dec_and_test(&bq->refs))
		complete(&bq->released);
}

/* Wait until all that was submitted is answered. Bounded by the device. */
static void iddr_back_wait_idle(struct iddr_bqueue *bq)
{
	wait_event(bq->idle, !READ_ONCE(bq->outstanding));
}

/* There always is one: the ring has no more slots than we have requests. */
static struct iddr_breq *iddr_back_get_req(struct iddr_bqueue *bq)
{
	struct iddr_breq *req;

	spin_lock_irq(&bq->q.tx_lock);
	req = bq->free;
	if (req) {
		bq->free = req->next_free;
		bq->outstanding++;
	}
	spin_unlock_irq(&bq->q.tx_lock);
	return req;
}

static void iddr_back_submit(struct iddr_bqueue *bq, struct iddr_breq *req,
			     const struct iddr_blk_cmd *cmd,
			     const struct iddr_blk_seg *segs)
{
	struct bio *bio = &req->bio;
	blk_opf_t opf = REQ_OP_READ;
	unsigned int i;

	if (cmd->write)
		opf = REQ_OP_WRITE | REQ_SYNC | REQ_IDLE;
	if (cmd->preflush)
		opf |= REQ_PREFLUSH;
	if (cmd->fua)
		opf |= REQ_FUA;

	bio_init(bio, bq->bdev, req->vecs, ARRAY_SIZE(req->vecs), opf);
	bio->bi_iter.bi_sector = cmd->sector;
	bio->bi_end_io = iddr_back_end_io;
	for (i = 0; i < cmd->nr_segs; i++)
		__bio_add_page(bio, req->maps[i]->page, segs[i].bytes,
			       segs[i].offset);
	atomic_inc(&bq->refs);
	submit_bio(bio);
}

/* One request, from its private copy to submission or an error answer. */
static void iddr_back_handle(struct iddr_bqueue *bq,
			     const struct blkif_request *wire)
{
	grant_ref_t refs[BLKIF_MAX_SEGMENTS_PER_REQUEST];
	struct iddr_blk_seg segs[BLKIF_MAX_SEGMENTS_PER_REQUEST];
	struct iddr_blk_cmd cmd;
	struct iddr_breq *req;
	unsigned int i;
	int offence;

	offence = iddr_blk_parse(wire, &bq->limits, &cmd, segs);
	if (offence) {
		dev_dbg(&bq->q.xdev->dev, "refused request: %s\n",
			iddr_blk_offence_name(offence));
		iddr_back_respond(bq, NULL, cmd.id, cmd.operation,
				  iddr_blk_offence_status(offence));
		return;
	}

	req = iddr_back_get_req(bq);
	if (WARN_ON_ONCE(!req)) {
		iddr_back_respond(bq, NULL, cmd.id, cmd.operation,
				  BLKIF_RSP_ERROR);
		return;
	}
	req->id = cmd.id;
	req->operation = cmd.operation;
	req->nr_maps = cmd.nr_segs;
	for (i = 0; i < cmd.nr_segs; i++)
		refs[i] = segs[i].gref;
	if (iddr_gcache_get(&bq->gcache, refs, req->maps, cmd.nr_segs)) {
		iddr_back_respond(bq, req, cmd.id, cmd.operation,
				  BLKIF_RSP_ERROR);
		return;
	}

	iddr_back_submit(bq, req, &cmd, segs);
}

/* A barrier: what came before is answered first, what comes after waits. */
static void iddr_back_handle_barrier(struct iddr_bqueue *bq,
				     const struct blkif_request *wire)
{
	iddr_back_wait_idle(bq);
	iddr_back_handle(bq, wire);
	iddr_back_wait_idle(bq);
}

static int iddr_back_drain(struct iddr_queue *q)
{
	struct iddr_bqueue *bq = to_bqueue(q);
	struct blkif_request wire __aligned(8);
	struct blk_plug plug;
	bool notify;
	int i, n;

	n = iddr_queue_avail(q);
	if (n <= 0)
		return n;

	blk_start_plug(&plug);
	for (i = 0; i < n; i++) {
		iddr_ring_copy(&wire, iddr_back_slot(q, q->rx.cons),
			       sizeof(wire));
		q->rx.cons++;
		if (wire.operation == BLKIF_OP_WRITE_BARRIER) {
			blk_finish_plug(&plug);
			iddr_back_handle_barrier(bq, &wire);
			blk_start_plug(&plug);
		} else {
			iddr_back_handle(bq, &wire);
		}
	}
	blk_finish_plug(&plug);

	/* What iddr_back_respond() held back. */
	spin_lock_irq(&q->tx_lock);
	notify = iddr_queue_publish(q);
	spin_unlock_irq(&q->tx_lock);
	if (notify)
		iddr_queue_notify(q);
	return n;
}

static void iddr_back_broken_work(struct work_struct *work)
{
	struct iddr_bqueue *bq =
		container_of(work, struct iddr_bqueue, broken_work);

	xenbus_dev_fatal(bq->q.xdev, bq->broken_err,
			 "front end in domain %d broke the ring protocol; its disk is closed",
			 bq->q.xdev->otherend_id);
}

static void iddr_back_broken(struct iddr_queue *q, int err)
{
	struct iddr_bqueue *bq = to_bqueue(q);

	bq->broken_err = err;
	schedule_work(&bq->broken_work);
}

static const struct iddr_queue_ops iddr_back_queue_ops = {
	.drain = iddr_back_drain,
	.broken = iddr_back_broken,
};

void iddr_bqueue_init(struct iddr_bqueue *bq, struct xenbus_device *xdev,
		      enum iddr_mode mode)
{
	memset(bq, 0, sizeof(*bq));
	iddr_queue_init(&bq->q, &iddr_back_queue_ops, xdev, 0, mode);
	init_waitqueue_head(&bq->idle);
	INIT_WORK(&bq->broken_work, iddr_back_broken_work);
}

/*
 * Map the ring and start serving @bdev. The queue has been initialized.
 * Return: 0 or -errno, reported to xenbus, nothing left behind.
 */
int iddr_bqueue_start(struct iddr_bqueue *bq, struct block_device *bdev,
		      const struct iddr_blk_limits *limits,
		      const char *thread_name)
{
	struct iddr_queue *q = &bq->q;
	u32 i;
	int err;

	bq->bdev = bdev;
	bq->limits = *limits;
	atomic_set(&bq->refs, 1);
	init_completion(&bq->released);

	/* The port is bound last in there; its upcalls wait for the thread. */
	err = iddr_back_ring_map(q, sizeof(union blkif_sring_entry));
	if (err)
		return err;

	err = -ENOMEM;
	bq->reqs = kvcalloc(q->nr_slots, sizeof(*bq->reqs), GFP_KERNEL);
	if (!bq->reqs)
		goto fail_report;
	for (i = 0; i < q->nr_slots; i++) {
		bq->reqs[i].bq = bq;
		bq->reqs[i].next_free = bq->free;
		bq->free = &bq->reqs[i];
	}

	/* Enough for all slots at once, so that eviction always finds one. */
	err = iddr_gcache_create(&bq->gcache, q->xdev->otherend_id,
				 q->nr_slots * BLKIF_MAX_SEGMENTS_PER_REQUEST,
				 BLKIF_MAX_SEGMENTS_PER_REQUEST,
				 &q->rx_stats.grant_ops);
	if (err)
		goto fail_reqs;

	err = iddr_queue_start(q, thread_name);
	if (err)
		goto fail_gcache;
	return 0;

fail_gcache:
	iddr_gcache_destroy(&bq->gcache);
fail_reqs:
	kvfree(bq->reqs);
	bq->reqs = NULL;
	bq->free = NULL;
fail_report:
	iddr_back_ring_unmap(q);
	xenbus_dev_fatal(q->xdev, err, "starting the queue");
	return err;
}

/* Stop serving: finish what runs, unmap everything. The peer may be dead. */
void iddr_bqueue_stop(struct iddr_bqueue *bq)
{
	struct iddr_queue *q = &bq->q;

	iddr_queue_stop(q);
	cancel_work_sync(&bq->broken_work);
	/* Completions that still run hold references; they take as long as
	 * the device does.
	 */
	if (!atomic_dec_and_test(&bq->refs))
		wait_for_completion(&bq->released);
	iddr_gcache_destroy(&bq->gcache);
	iddr_back_ring_unmap(q);
	iddr_queue_put(q);
	kvfree(bq->reqs);
	bq->reqs = NULL;
	bq->free = NULL;
}
