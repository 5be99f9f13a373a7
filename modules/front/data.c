// SPDX-License-Identifier: GPL-2.0
/*
 * Front end, data path: from a block layer request to a slot in the ring, and
 * from a response to its completion.
 *
 * Requests are published under tx_lock, from any context that may sleep or not
 * (queue_rq). Responses are consumed by the owner of rx: the upcall in event
 * mode, the queue's thread otherwise. The two meet in a slot only one after
 * the other: blk-mq does not give a tag out again before it is completed.
 *
 * Data goes through pages that the peer has been granted for good, packed from
 * a slot's first page on, so that a request needs ceil(bytes / 4096) segments
 * whatever the memory it comes from looks like, and the peer never sees memory
 * that is not this disk's.
 */
#include <linux/highmem.h>
#include <linux/slab.h>

#include "iddr_front.h"

static struct iddr_fqueue *to_fqueue(struct iddr_queue *q)
{
	return container_of(q, struct iddr_fqueue, q);
}

static union blkif_sring_entry *iddr_front_slot(struct iddr_queue *q, u32 idx)
{
	struct blkif_sring *ring = q->ring;

	return &ring->ring[idx & (q->nr_slots - 1)];
}

static unsigned int iddr_front_first_page(unsigned int tag)
{
	return tag * IDDR_SEGS_PER_REQ;
}

/* Copy all of a request's data to its granted pages, or from them. */
static void iddr_front_copy(struct iddr_fqueue *fq, struct request *rq,
			    bool to_peer)
{
	struct page **pages = fq->pool.pages + iddr_front_first_page(rq->tag);
	struct req_iterator iter;
	struct bio_vec bv;
	size_t pos = 0;

	rq_for_each_segment(bv, rq, iter) {
		char *mem = bvec_kmap_local(&bv);
		size_t done = 0;

		while (done < bv.bv_len) {
			size_t in_page = offset_in_page(pos);
			size_t n = min_t(size_t, bv.bv_len - done,
					 PAGE_SIZE - in_page);
			char *shared = page_address(pages[pos >> PAGE_SHIFT]) +
				       in_page;

			if (to_peer)
				memcpy(shared, mem + done, n);
			else
				memcpy(mem + done, shared, n);
			done += n;
			pos += n;
		}
		kunmap_local(mem);
	}
}

/* Describe @bytes of data in a slot's pages as segments. */
static void iddr_front_fill_segments(struct iddr_fqueue *fq, unsigned int tag,
				     u32 bytes, struct blkif_request *wire)
{
	grant_ref_t *refs = fq->pool.refs + iddr_front_first_page(tag);
	unsigned int i;

	for (i = 0; bytes; i++) {
		u32 n = min_t(u32, bytes, XEN_PAGE_SIZE);

		wire->u.rw.seg[i].gref = refs[i];
		wire->u.rw.seg[i].first_sect = 0;
		wire->u.rw.seg[i].last_sect = (n >> SECTOR_SHIFT) - 1;
		bytes -= n;
	}
	wire->u.rw.nr_segments = i;
}

static blk_status_t iddr_queue_rq(struct blk_mq_hw_ctx *hctx,
				  const struct blk_mq_queue_data *bd)
{
	struct iddr_fqueue *fq = hctx->driver_data;
	struct request *rq = bd->rq;
	struct iddr_queue *q = &fq->q;
	struct iddr_fslot *slot = &fq->slots[rq->tag];
	struct blkif_request wire = { };
	unsigned long flags;
	bool notify = false;
	u32 copied = 0;

	switch (req_op(rq)) {
	case REQ_OP_READ:
		wire.operation = BLKIF_OP_READ;
		break;
	case REQ_OP_WRITE:
		wire.operation = BLKIF_OP_WRITE;
		break;
	case REQ_OP_FLUSH:
		wire.operation = BLKIF_OP_FLUSH_DISKCACHE;
		break;
	default:
		return BLK_STS_NOTSUPP;
	}

	wire.u.rw.id = rq->tag;
	wire.u.rw.handle = fq->handle;
	if (req_op(rq) != REQ_OP_FLUSH) {
		wire.u.rw.sector_number = blk_rq_pos(rq);
		iddr_front_fill_segments(fq, rq->tag, blk_rq_bytes(rq), &wire);
	}
	blk_mq_start_request(rq);
	if (req_op(rq) == REQ_OP_WRITE) {
		copied = blk_rq_bytes(rq);
		iddr_front_copy(fq, rq, true);
	}

	spin_lock_irqsave(&q->tx_lock, flags);
	if (unlikely(fq->dead)) {
		spin_unlock_irqrestore(&q->tx_lock, flags);
		return BLK_STS_IOERR;
	}
	slot->rq = rq;
	slot->shadow.operation = wire.operation;
	/* Last: a hostile peer may answer before it is asked. */
	smp_store_release(&slot->shadow.busy, true);
	iddr_front_slot(q, q->tx.prod)->req = wire;
	q->tx.prod++;
	q->tx_stats.copied_bytes += copied;
	/* A peer that spins gets each request at once; one that is armed gets
	 * the batch with one notification.
	 */
	if (bd->last || !iddr_tx_would_notify(&q->tx))
		notify = iddr_queue_publish(q);
	spin_unlock_irqrestore(&q->tx_lock, flags);
	if (notify)
		iddr_queue_notify(q);
	return BLK_STS_OK;
}

/* The block layer stopped in the midst of a batch: send what there is. */
static void iddr_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct iddr_fqueue *fq = hctx->driver_data;
	struct iddr_queue *q = &fq->q;
	unsigned long flags;
	bool notify;

	spin_lock_irqsave(&q->tx_lock, flags);
	notify = !fq->dead && iddr_queue_publish(q);
	spin_unlock_irqrestore(&q->tx_lock, flags);
	if (notify)
		iddr_queue_notify(q);
}

static int iddr_init_hctx(struct blk_mq_hw_ctx *hctx, void *data,
			  unsigned int index)
{
	hctx->driver_data = data;
	return 0;
}

const struct blk_mq_ops iddr_front_mq_ops = {
	.queue_rq = iddr_queue_rq,
	.commit_rqs = iddr_commit_rqs,
	.init_hctx = iddr_init_hctx,
};

static blk_status_t iddr_front_status(s16 status)
{
	switch (status) {
	case BLKIF_RSP_OKAY:
		return BLK_STS_OK;
	case BLKIF_RSP_EOPNOTSUPP:
		return BLK_STS_NOTSUPP;
	default:
		return BLK_STS_IOERR;
	}
}

/* One response, from its private copy. Return: 0 or -EPROTO. */
static int iddr_front_complete(struct iddr_fqueue *fq,
			       const struct blkif_response *rsp,
			       struct io_comp_batch *iob)
{
	blk_status_t status = iddr_front_status(rsp->status);
	struct iddr_fslot *slot;
	struct request *rq;

	if (iddr_check_response(rsp, &fq->slots->shadow, sizeof(*fq->slots),
				fq->q.nr_slots))
		return -EPROTO;
	slot = &fq->slots[rsp->id];
	/* Pairs with the release in iddr_queue_rq(). */
	smp_rmb();
	rq = slot->rq;
	slot->rq = NULL;
	slot->shadow.busy = false;

	if (req_op(rq) == REQ_OP_READ && status == BLK_STS_OK) {
		iddr_front_copy(fq, rq, false);
		fq->q.rx_stats.copied_bytes += blk_rq_bytes(rq);
	}
	if (!blk_mq_add_to_batch(rq, iob, (__force int)status,
				 blk_mq_end_request_batch))
		blk_mq_end_request(rq, status);
	return 0;
}

static int iddr_front_drain(struct iddr_queue *q)
{
	struct iddr_fqueue *fq = to_fqueue(q);
	DEFINE_IO_COMP_BATCH(iob);
	struct blkif_response rsp __aligned(8);
	int i, n, err = 0;

	n = iddr_queue_avail(q);
	if (n <= 0)
		return n;
	for (i = 0; i < n && !err; i++) {
		iddr_ring_copy(&rsp, iddr_front_slot(q, q->rx.cons),
			       sizeof(rsp));
		q->rx.cons++;
		err = iddr_front_complete(fq, &rsp, &iob);
	}
	if (!rq_list_empty(iob.req_list))
		iob.complete(&iob);
	return err ? err : n;
}

static void iddr_front_broken_work(struct work_struct *work)
{
	struct iddr_fqueue *fq =
		container_of(work, struct iddr_fqueue, broken_work);

	iddr_fqueue_abort(fq);
	xenbus_dev_fatal(fq->q.xdev, fq->broken_err,
			 "back end in domain %d broke the ring protocol; its disk fails",
			 fq->q.xdev->otherend_id);
}

static void iddr_front_broken(struct iddr_queue *q, int err)
{
	struct iddr_fqueue *fq = to_fqueue(q);

	fq->broken_err = err;
	schedule_work(&fq->broken_work);
}

static const struct iddr_queue_ops iddr_front_queue_ops = {
	.drain = iddr_front_drain,
	.broken = iddr_front_broken,
	.drain_in_upcall = true,
	.produces_requests = true,
};

/* Once in a disk's life; iddr_fqueue_create() may then follow repeatedly. */
void iddr_fqueue_init(struct iddr_fqueue *fq)
{
	memset(fq, 0, sizeof(*fq));
	mutex_init(&fq->abort_lock);
	INIT_WORK(&fq->broken_work, iddr_front_broken_work);
}

/*
 * Make ring, pages and thread.
 * Return: 0 or -errno, reported to xenbus, nothing left behind.
 */
int iddr_fqueue_create(struct iddr_fqueue *fq, struct xenbus_device *xdev,
		       enum iddr_mode mode, blkif_vdev_t handle,
		       const char *thread_name)
{
	struct iddr_queue *q = &fq->q;
	int err;

	iddr_queue_init(q, &iddr_front_queue_ops, xdev, 0, mode);
	fq->handle = handle;
	fq->dead = false;
	fq->broken_err = 0;
	err = iddr_front_ring_create(q, sizeof(union blkif_sring_entry));
	if (err)
		return err;

	err = -ENOMEM;
	fq->slots = kvcalloc(q->nr_slots, sizeof(*fq->slots), GFP_KERNEL);
	if (!fq->slots)
		goto fail_ring;
	err = iddr_pool_create(&fq->pool, q->xdev->otherend_id,
			       q->nr_slots * IDDR_SEGS_PER_REQ);
	if (err)
		goto fail_slots;
	q->rx_stats.grant_ops += fq->pool.nr;
	err = iddr_queue_start(q, thread_name);
	if (err)
		goto fail_pool;
	mutex_lock(&fq->abort_lock);
	fq->up = true;
	mutex_unlock(&fq->abort_lock);
	return 0;

fail_pool:
	iddr_pool_destroy(&fq->pool);
fail_slots:
	kvfree(fq->slots);
	fq->slots = NULL;
fail_ring:
	iddr_front_ring_destroy(q);
	/* An upcall may have queued it; none comes any more. */
	cancel_work_sync(&fq->broken_work);
	xenbus_dev_fatal(q->xdev, err, "creating the queue");
	return err;
}

/*
 * The peer is gone or not to be trusted: take no more requests, fail those in
 * flight. The peer may still write to the granted pages; nobody reads them any
 * more. Idempotent; may sleep; any of the control path's contexts.
 */
void iddr_fqueue_abort(struct iddr_fqueue *fq)
{
	struct iddr_queue *q = &fq->q;
	u32 i;

	mutex_lock(&fq->abort_lock);
	if (!fq->up)
		goto out;
	spin_lock_irq(&q->tx_lock);
	fq->dead = true;
	spin_unlock_irq(&q->tx_lock);

	/* No consumer from here on: neither the thread nor an upcall. */
	iddr_queue_stop(q);
	disable_irq(q->irq);
	q->broken = true;
	for (i = 0; i < q->nr_slots; i++) {
		struct iddr_fslot *slot = &fq->slots[i];

		if (!slot->shadow.busy)
			continue;
		slot->shadow.busy = false;
		blk_mq_end_request(slot->rq, BLK_STS_IOERR);
	}
	enable_irq(q->irq);
out:
	mutex_unlock(&fq->abort_lock);
}

/*
 * The block device is gone. Undo iddr_fqueue_create(). Idempotent.
 * Return: how many pages the peer still maps.
 */
unsigned int iddr_fqueue_destroy(struct iddr_fqueue *fq)
{
	struct iddr_queue *q = &fq->q;
	unsigned int mapped;

	mutex_lock(&fq->abort_lock);
	if (!fq->up) {
		mutex_unlock(&fq->abort_lock);
		return 0;
	}
	iddr_queue_stop(q);
	fq->up = false;		/* no abort gets in from here */
	mutex_unlock(&fq->abort_lock);

	iddr_front_ring_destroy(q);	/* no upcall from here */
	cancel_work_sync(&fq->broken_work);
	iddr_queue_put(q);
	mapped = iddr_pool_destroy(&fq->pool);
	kvfree(fq->slots);
	fq->slots = NULL;
	return mapped;
}
