// SPDX-License-Identifier: GPL-2.0
/*
 * Front end, data path: from a block layer request to a slot in the ring, and
 * from a response to its completion.
 *
 * Requests are published under tx_lock, from any context that may sleep or not
 * (queue_rq). Responses are consumed by the owner of rx: the upcall, the queue's
 * thread, or on a poll queue whoever polls for its I/O. The two meet in a slot
 * only one after the other: blk-mq does not give a tag out again before it is
 * completed.
 *
 * Data crosses in one of two ways, fixed at connection:
 *   persistent  copied to or from pages that stay granted, packed from the first
 *               page on, so that a request needs ceil(bytes / 4096) segments
 *               whatever the memory it comes from looks like;
 *   otherwise   the request's own pages are granted for its time, if it consists
 *               of whole ones; else it is packed, as above, into pages that are
 *               granted for its time. So the peer never sees memory that is not
 *               this request's (XSA-403).
 */
#include <linux/highmem.h>
#include <linux/net.h>		/* sendpage_ok() */
#include <linux/nospec.h>
#include <linux/slab.h>

#include "iddr_front.h"
#include "../comm/iddr_trace.h"

/* Copied in one drain, which is done with interrupts off. */
#define IDDR_DRAIN_BYTES	(256 * 1024)

static struct iddr_fqueue *to_fqueue(struct iddr_queue *q)
{
	return container_of(q, struct iddr_fqueue, q);
}

static union blkif_sring_entry *iddr_front_slot(struct iddr_queue *q, u32 idx)
{
	struct blkif_sring *ring = q->ring;

	return &ring->ring[idx & (q->nr_slots - 1)];
}

/* Copy all of a request's data to its packed pages, or from them. */
static void iddr_front_copy(struct request *rq, struct iddr_pool_page *p,
			    bool to_peer)
{
	struct req_iterator iter;
	struct bio_vec bv;
	size_t pos = 0;		/* in p's page */

	rq_for_each_segment(bv, rq, iter) {
		char *mem = bvec_kmap_local(&bv);
		size_t done = 0;

		while (done < bv.bv_len) {
			char *shared;
			size_t n;

			if (pos == PAGE_SIZE) {
				p = p->next;
				pos = 0;
			}
			n = min_t(size_t, bv.bv_len - done, PAGE_SIZE - pos);
			shared = page_address(p->page) + pos;
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

/* May the peer see the pages that @rq's data lies in? */
static bool iddr_front_is_whole_pages(struct request *rq)
{
	struct req_iterator iter;
	struct bio_vec bv;

	rq_for_each_segment(bv, rq, iter) {
		/* Nor such as cannot be held if need be (of a slab). */
		if (bv.bv_offset || bv.bv_len != PAGE_SIZE ||
		    !sendpage_ok(bv.bv_page))
			return false;
	}
	return true;
}

static unsigned int iddr_front_nr_segs(struct request *rq)
{
	return DIV_ROUND_UP(blk_rq_bytes(rq), XEN_PAGE_SIZE);
}

/* Grant @rq's pages, or the pool's own. Return: 0 or -ENOSPC. */
static int iddr_front_grant(struct iddr_fqueue *fq, struct iddr_fslot *slot,
			    struct request *rq, unsigned int *grant_ops)
{
	bool readonly = req_op(rq) == REQ_OP_WRITE;
	struct iddr_pool_page *p = slot->data;
	struct req_iterator iter;
	struct bio_vec bv;
	int err;

	if (!slot->direct) {
		for (; p; p = p->next) {
			err = iddr_pool_grant(&fq->data, p, NULL, readonly);
			if (err)
				return err;
			++*grant_ops;
		}
		return 0;
	}
	rq_for_each_segment(bv, rq, iter) {
		err = iddr_pool_grant(&fq->data, p, bv.bv_page, readonly);
		if (err)
			return err;
		++*grant_ops;
		p = p->next;
	}
	return 0;
}

/*
 * Get pages and grants for @rq into @slot; nothing is held on error.
 * Return: 0, or -EBUSY: there are none now.
 */
static int iddr_front_get_pages(struct iddr_fqueue *fq,
				struct iddr_fslot *slot, struct request *rq,
				unsigned int *grant_ops)
{
	unsigned int nr = iddr_front_nr_segs(rq);

	slot->direct = !fq->data.persistent && iddr_front_is_whole_pages(rq);
	slot->desc = NULL;
	slot->data = iddr_pool_get(&fq->data, nr, !slot->direct, grant_ops);
	if (!slot->data)
		return -EBUSY;
	if (nr > IDDR_INLINE_SEGS) {
		slot->desc = iddr_pool_get(&fq->desc,
					   DIV_ROUND_UP(nr, IDDR_DESC_PER_PAGE),
					   true, grant_ops);
		if (!slot->desc)
			goto fail;
	}
	if (!fq->data.persistent && iddr_front_grant(fq, slot, rq, grant_ops))
		goto fail;
	return 0;

fail:
	/* The peer has not heard of these grants: they end. */
	iddr_pool_end(&fq->data, slot->data, grant_ops);
	iddr_pool_put(&fq->data, slot->data);
	iddr_pool_put(&fq->desc, slot->desc);
	return -EBUSY;
}

/*
 * The same; on -EBUSY the queue is run again when a response gives pages back (or
 * soon, by the block layer, if none is to come).
 */
static int iddr_front_wait_pages(struct blk_mq_hw_ctx *hctx,
				 struct iddr_fslot *slot, struct request *rq,
				 unsigned int *grant_ops)
{
	struct iddr_fqueue *fq = hctx->driver_data;

	if (likely(!iddr_front_get_pages(fq, slot, rq, grant_ops)))
		return 0;
	/* Said before trying once more, lest the last response came in between:
	 * the pool's lock orders this against whoever gives pages back, who
	 * looks for us after that (iddr_front_drain).
	 */
	WRITE_ONCE(fq->starved, hctx);
	return iddr_front_get_pages(fq, slot, rq, grant_ops);
}

/* Give back what the request had. Return: 0, or -EBUSY: the peer kept some. */
static int iddr_front_put_pages(struct iddr_fqueue *fq, struct iddr_fslot *slot,
				unsigned int *grant_ops)
{
	int err = 0;

	if (slot->data) {
		err = iddr_pool_end(&fq->data, slot->data, grant_ops);
		iddr_pool_put(&fq->data, slot->data);
		slot->data = NULL;
	}
	if (slot->desc) {
		iddr_pool_put(&fq->desc, slot->desc);
		slot->desc = NULL;
	}
	return err;
}

/* Describe @bytes of data in @p's pages as segments, a page at a time. */
static void iddr_front_fill_segments(struct blkif_request_segment *seg,
				     struct iddr_pool_page **p,
				     u32 *bytes, unsigned int room)
{
	for (; *bytes && room; room--, seg++) {
		u32 n = min_t(u32, *bytes, XEN_PAGE_SIZE);

		seg->gref = (*p)->ref;
		seg->first_sect = 0;
		seg->last_sect = (n >> SECTOR_SHIFT) - 1;
		*bytes -= n;
		*p = (*p)->next;
	}
}

/* Reads and writes: in the slot itself, or with descriptors in their own pages. */
static void iddr_front_fill_rw(struct iddr_fqueue *fq, struct iddr_fslot *slot,
			       struct request *rq, struct blkif_request *wire)
{
	struct iddr_pool_page *p = slot->data, *desc = slot->desc;
	u32 bytes = blk_rq_bytes(rq);
	u8 op = req_op(rq) == REQ_OP_READ ? BLKIF_OP_READ : BLKIF_OP_WRITE;
	unsigned int i;

	slot->shadow.operation = op;
	if (!desc) {
		wire->operation = op;
		wire->u.rw.id = rq->tag;
		wire->u.rw.handle = fq->conf->handle;
		wire->u.rw.sector_number = blk_rq_pos(rq);
		wire->u.rw.nr_segments = iddr_front_nr_segs(rq);
		iddr_front_fill_segments(wire->u.rw.seg, &p, &bytes,
					 IDDR_INLINE_SEGS);
		return;
	}
	wire->operation = BLKIF_OP_INDIRECT;
	wire->u.indirect.indirect_op = op;
	wire->u.indirect.id = rq->tag;
	wire->u.indirect.handle = fq->conf->handle;
	wire->u.indirect.sector_number = blk_rq_pos(rq);
	wire->u.indirect.nr_segments = iddr_front_nr_segs(rq);
	for (i = 0; desc; i++, desc = desc->next) {
		wire->u.indirect.indirect_grefs[i] = desc->ref;
		iddr_front_fill_segments(page_address(desc->page), &p, &bytes,
					 IDDR_DESC_PER_PAGE);
	}
}

/* Requests without data. Return: whether it is one that blkif has. */
static bool iddr_front_fill_other(struct iddr_fqueue *fq,
				  struct iddr_fslot *slot, struct request *rq,
				  struct blkif_request *wire)
{
	switch (req_op(rq)) {
	case REQ_OP_FLUSH:
		wire->operation = fq->conf->flush_op;
		wire->u.rw.id = rq->tag;
		wire->u.rw.handle = fq->conf->handle;
		break;
	case REQ_OP_SECURE_ERASE:
		wire->u.discard.flag = BLKIF_DISCARD_SECURE;
		fallthrough;
	case REQ_OP_DISCARD:
		wire->operation = BLKIF_OP_DISCARD;
		wire->u.discard.id = rq->tag;
		wire->u.discard.sector_number = blk_rq_pos(rq);
		wire->u.discard.nr_sectors = blk_rq_sectors(rq);
		break;
	default:
		return false;
	}
	slot->shadow.operation = wire->operation;
	slot->data = NULL;
	slot->desc = NULL;
	return true;
}

/*
 * Shall this submitter wait for the answer to what it has just published? See
 * iddr_linger(). Not in a worker, which submits for others. Under tx_lock.
 * Return: how long, in nanoseconds; 0: not at all.
 */
static u64 iddr_front_linger_ns(struct iddr_fqueue *fq)
{
	struct iddr_queue *q = &fq->q;
	u64 ns;

	if (q->polled || (current->flags & PF_KTHREAD) || !in_task())
		return 0;
	ns = iddr_queue_linger_ns(q);
	if (!ns || !iddr_linger(&fq->linger,
				q->tx.published - READ_ONCE(q->rx.cons),
				(unsigned long)current, current->nvcsw))
		return 0;
	return ns;
}

/* What becomes of a request that finds its queue dead. */
static blk_status_t iddr_front_dead_status(const struct iddr_fqueue *fq)
{
	/* Back to the block layer, whose queue stands still meanwhile. */
	return READ_ONCE(fq->disk->parked) ? BLK_STS_RESOURCE : BLK_STS_IOERR;
}

static blk_status_t iddr_queue_rq(struct blk_mq_hw_ctx *hctx,
				  const struct blk_mq_queue_data *bd)
{
	struct iddr_fqueue *fq = hctx->driver_data;
	struct request *rq = bd->rq;
	struct iddr_queue *q = &fq->q;
	struct iddr_fslot *slot = &fq->slots[rq->tag];
	struct blkif_request wire = { };
	unsigned int grant_ops = 0;
	unsigned long flags;
	bool notify = false;
	u64 linger_ns = 0;
	u32 copied = 0, until = 0;

	/* Looked at again under the lock; here for who would get no pages. Pairs
	 * with iddr_fqueue_open().
	 */
	if (unlikely(smp_load_acquire(&fq->dead)))
		return iddr_front_dead_status(fq);
	if (req_op(rq) == REQ_OP_READ || req_op(rq) == REQ_OP_WRITE) {
		if (iddr_front_wait_pages(hctx, slot, rq, &grant_ops))
			return BLK_STS_RESOURCE;
		iddr_front_fill_rw(fq, slot, rq, &wire);
	} else if (!iddr_front_fill_other(fq, slot, rq, &wire)) {
		return BLK_STS_NOTSUPP;
	}
	blk_mq_start_request(rq);
	if (req_op(rq) == REQ_OP_WRITE && !slot->direct) {
		copied = blk_rq_bytes(rq);
		iddr_front_copy(rq, slot->data, true);
	}
	trace_iddr_request(q, rq->tag, slot->shadow.operation,
			   blk_rq_bytes(rq));

	spin_lock_irqsave(&q->tx_lock, flags);
	if (unlikely(fq->dead)) {
		spin_unlock_irqrestore(&q->tx_lock, flags);
		iddr_front_put_pages(fq, slot, &grant_ops);
		return iddr_front_dead_status(fq);
	}
	slot->rq = rq;
	/* Last: a hostile peer may answer before it is asked. */
	smp_store_release(&slot->shadow.busy, true);
	iddr_front_slot(q, q->tx.prod)->req = wire;
	q->tx.prod++;
	q->tx_stats.copied_bytes += copied;
	q->tx_stats.grant_ops += grant_ops;
	/* A peer that spins gets each request at once; one that is armed gets
	 * the batch with one notification.
	 */
	if (bd->last || !iddr_tx_would_notify(&q->tx))
		notify = iddr_queue_publish(q);
	/* Interrupts off: we may be in the midst of a completion, in rx_lock. */
	if (bd->last && !irqs_disabled_flags(flags)) {
		until = q->tx.published;
		linger_ns = iddr_front_linger_ns(fq);
	}
	spin_unlock_irqrestore(&q->tx_lock, flags);
	if (notify)
		iddr_queue_notify(q);
	if (linger_ns)
		iddr_queue_linger(q, until, linger_ns);
	return BLK_STS_OK;
}

/* The block layer stopped in the midst of a batch: send what there is. */
static void iddr_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct iddr_fqueue *fq = hctx->driver_data;
	struct iddr_queue *q = &fq->q;
	unsigned long flags;
	bool notify;

	/* It may come for requests that have been put back, as the queue stands
	 * still: then there may be no lock either.
	 */
	if (smp_load_acquire(&fq->dead))
		return;
	spin_lock_irqsave(&q->tx_lock, flags);
	notify = !fq->dead && iddr_queue_publish(q);
	spin_unlock_irqrestore(&q->tx_lock, flags);
	if (notify)
		iddr_queue_notify(q);
}

/*
 * Whoever waits for its polled I/O looks for all of the queue's. No quiescing
 * keeps it off: RCU does, see iddr_fqueue_open().
 */
static int iddr_poll(struct blk_mq_hw_ctx *hctx, struct io_comp_batch *iob)
{
	struct iddr_fqueue *fq = hctx->driver_data;
	int n = 0;

	rcu_read_lock();
	if (likely(!smp_load_acquire(&fq->dead)))
		n = iddr_queue_try_look(&fq->q);
	rcu_read_unlock();
	return n;
}

/*
 * A request has not been answered for the block layer's limit (30 s, or what
 * queue/io_timeout says). Was a notification lost, or does nobody poll? Then it
 * is found here. Otherwise the peer takes its time: it may be paused, or its
 * device may be slow. We cannot take the pages back from it, so we wait on.
 */
static enum blk_eh_timer_return iddr_timeout(struct request *rq)
{
	struct iddr_fqueue *fq = rq->mq_hctx->driver_data;
	enum blk_eh_timer_return ret = BLK_EH_DONE;
	struct iddr_queue *q = &fq->q;
	int tag;

	/* As a poller. A dead queue's requests are failed or kept as they are. */
	rcu_read_lock();
	if (smp_load_acquire(&fq->dead))
		goto out;
	q->rx_stats.timeouts++;
	iddr_queue_look(q);
	/* What it found answered was not announced: whoever waits asks anew. */
	if (!q->polled)
		iddr_queue_kick(q);
	/* The timer's reference keeps the request, but not its tag, if an I/O
	 * scheduler has another of its own for it: a write that has been
	 * answered, and whose flush follows, has none meanwhile.
	 */
	tag = READ_ONCE(rq->tag);
	if (tag < 0 || !READ_ONCE(fq->slots[tag].shadow.busy))
		goto out;
	dev_warn_ratelimited(&q->xdev->dev,
			     "queue %u: request %d not answered for %u s; still waiting for the back end in domain %d\n",
			     q->index, tag, rq->timeout / HZ,
			     q->xdev->otherend_id);
	ret = BLK_EH_RESET_TIMER;
out:
	rcu_read_unlock();
	return ret;
}

static int iddr_init_hctx(struct blk_mq_hw_ctx *hctx, void *data,
			  unsigned int index)
{
	struct iddr_fdisk *d = data;

	hctx->driver_data = &d->fqs[index];
	return 0;
}

static void iddr_map_queues(struct blk_mq_tag_set *set)
{
	iddr_fdisk_map_queues(set->driver_data, set);
}

const struct blk_mq_ops iddr_front_mq_ops = {
	.queue_rq = iddr_queue_rq,
	.commit_rqs = iddr_commit_rqs,
	.poll = iddr_poll,
	.timeout = iddr_timeout,
	.init_hctx = iddr_init_hctx,
	.map_queues = iddr_map_queues,
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

/* The peer does not do what it has offered: do not ask it again. */
static void iddr_front_unsupported(struct iddr_fqueue *fq, struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_FLUSH:
		blk_queue_write_cache(rq->q, false, false);
		break;
	case REQ_OP_DISCARD:
		blk_queue_max_discard_sectors(rq->q, 0);
		break;
	case REQ_OP_SECURE_ERASE:
		blk_queue_max_secure_erase_sectors(rq->q, 0);
		break;
	default:
		return;
	}
	WRITE_ONCE(fq->disk->lacking, true);
	dev_warn_ratelimited(&fq->q.xdev->dev,
			     "the back end does not support operation %u, which it offered\n",
			     fq->slots[rq->tag].shadow.operation);
}

/* One response, from its private copy. Return: 0 or -EPROTO. */
static int iddr_front_complete(struct iddr_fqueue *fq,
			       const struct blkif_response *rsp,
			       struct io_comp_batch *iob)
{
	blk_status_t status = iddr_front_status(rsp->status);
	unsigned int grant_ops = 0;
	struct iddr_fslot *slot;
	const char *offence;
	struct request *rq;
	int err = 0;

	offence = iddr_check_offence(rsp, &fq->slots->shadow,
				     sizeof(*fq->slots), fq->q.nr_slots);
	if (unlikely(offence)) {
		fq->q.offence = offence;
		return -EPROTO;
	}
	/* Checked, but not for what the processor does ahead of the check. */
	slot = &fq->slots[array_index_nospec(rsp->id, fq->q.nr_slots)];
	/* Pairs with the release in iddr_queue_rq(). */
	smp_rmb();
	rq = slot->rq;
	slot->rq = NULL;
	slot->shadow.busy = false;
	trace_iddr_response(&fq->q, rsp->id, rsp->operation, rsp->status);

	if (req_op(rq) == REQ_OP_READ && status == BLK_STS_OK &&
	    !slot->direct) {
		iddr_front_copy(rq, slot->data, false);
		fq->q.rx_stats.copied_bytes += blk_rq_bytes(rq);
	}
	if (unlikely(iddr_front_put_pages(fq, slot, &grant_ops))) {
		/* Answered, but not let go of: it could still change what has
		 * been read.
		 */
		status = BLK_STS_IOERR;
		fq->q.offence = "page still mapped after the answer";
		err = -EPROTO;
	}
	fq->q.rx_stats.grant_ops += grant_ops;
	if (unlikely(status == BLK_STS_NOTSUPP)) {
		iddr_front_unsupported(fq, rq);
		/* Nor is it asked to for the write that this one belongs to. */
		if (req_op(rq) == REQ_OP_FLUSH)
			status = BLK_STS_OK;
	}
	if (!blk_mq_add_to_batch(rq, iob, (__force int)status,
				 blk_mq_end_request_batch))
		blk_mq_end_request(rq, status);
	return err;
}

static int iddr_front_drain(struct iddr_queue *q)
{
	struct iddr_fqueue *fq = to_fqueue(q);
	DEFINE_IO_COMP_BATCH(iob);
	struct blkif_response rsp __aligned(8);
	struct blk_mq_hw_ctx *starved;
	u64 limit = q->rx_stats.copied_bytes + IDDR_DRAIN_BYTES;
	int i, n, err = 0;

	n = iddr_queue_avail(q);
	if (n <= 0)
		return n;
	for (i = 0; i < n && !err && q->rx_stats.copied_bytes < limit; i++) {
		iddr_ring_copy(&rsp, iddr_front_slot(q, q->rx.cons),
			       sizeof(rsp));
		q->rx.cons++;
		err = iddr_front_complete(fq, &rsp, &iob);
	}
	if (!rq_list_empty(iob.req_list))
		iob.complete(&iob);
	if (unlikely(READ_ONCE(fq->starved))) {
		starved = xchg(&fq->starved, NULL);
		if (starved)
			blk_mq_run_hw_queue(starved, true);
	}
	return err ? err : i;
}

static void iddr_front_broken(struct iddr_queue *q, int err)
{
	iddr_fdisk_broken(to_fqueue(q)->disk, err, q->offence);
}

static const struct iddr_queue_ops iddr_front_queue_ops = {
	.drain = iddr_front_drain,
	.broken = iddr_front_broken,
	.drain_atomic = true,
	.produces_requests = true,
};

/* Once in a disk's life; iddr_fqueue_create() may then follow repeatedly. */
void iddr_fqueue_init(struct iddr_fqueue *fq, struct iddr_fdisk *disk,
		      const struct iddr_fconf *conf)
{
	memset(fq, 0, sizeof(*fq));
	fq->disk = disk;
	fq->conf = conf;
	fq->dead = true;
}

/*
 * Make ring and thread.
 * Return: 0 or -errno, reported to xenbus, nothing left behind.
 */
int iddr_fqueue_create(struct iddr_fqueue *fq, struct xenbus_device *xdev,
		       unsigned int index, bool polled, enum iddr_mode mode,
		       const struct iddr_wait_limits *limits,
		       const char *thread_name)
{
	struct iddr_queue *q = &fq->q;
	int err;

	iddr_queue_init(q, &iddr_front_queue_ops, xdev, index, mode, limits);
	q->polled = polled;
	fq->starved = NULL;
	memset(&fq->data, 0, sizeof(fq->data));
	memset(&fq->desc, 0, sizeof(fq->desc));
	err = iddr_front_ring_create(q, sizeof(union blkif_sring_entry),
				     fq->conf->ring_order);
	if (err)
		return err;

	err = -ENOMEM;
	fq->slots = kvcalloc(q->nr_slots, sizeof(*fq->slots),
			     GFP_KERNEL | __GFP_RETRY_MAYFAIL);
	if (!fq->slots)
		goto fail_ring;
	err = iddr_queue_start(q, thread_name);
	if (err)
		goto fail_slots;
	fq->up = true;
	return 0;

fail_slots:
	kvfree(fq->slots);
	fq->slots = NULL;
fail_ring:
	iddr_front_ring_destroy(q, false);
	xenbus_dev_fatal(q->xdev, err, "creating queue %u", index);
	return err;
}

/*
 * Make what requests need, now that it is agreed on what they may be.
 * Return: 0, or -ENOMEM; -EEXIST: has been called before.
 */
int iddr_fqueue_prepare(struct iddr_fqueue *fq)
{
	domid_t peer = fq->q.xdev->otherend_id;
	u32 slots = fq->q.nr_slots, max_segs = fq->conf->max_segs;
	u32 max_desc = DIV_ROUND_UP(max_segs, IDDR_DESC_PER_PAGE);
	u64 *grant_ops = &fq->q.tx_stats.grant_ops;
	int err;

	if (fq->data.all)
		return -EEXIST;

	/* For each slot what fits in it, or for the largest request; more
	 * large ones at once take turns.
	 */
	err = iddr_pool_create(&fq->data, peer,
			       max(slots * IDDR_INLINE_SEGS, max_segs),
			       fq->conf->persistent);
	if (!err)
		err = iddr_pool_create(&fq->desc, peer, slots * max_desc, true);
	/* One request, the largest, must always be possible. */
	if (!err)
		err = iddr_pool_prefill(&fq->data, max_segs, grant_ops);
	if (!err && max_segs > IDDR_INLINE_SEGS)
		err = iddr_pool_prefill(&fq->desc, max_desc, grant_ops);
	return err;
}

/*
 * Take requests, from here to iddr_fqueue_close(). Who polls, and the block layer's
 * timer, come at any time in the disk's life: they look at dead first, and what
 * a queue has is taken from it only when RCU says that they are through.
 */
void iddr_fqueue_open(struct iddr_fqueue *fq)
{
	/* Pairs with the acquires: ring and pools before. */
	smp_store_release(&fq->dead, false);
}

/* Take no more requests. @dying: the peer's domain is (see quarantine.c). */
void iddr_fqueue_close(struct iddr_fqueue *fq, bool dying)
{
	if (!fq->up)
		return;
	WRITE_ONCE(fq->data.dying, dying);
	spin_lock_irq(&fq->q.tx_lock);
	/* Pairs with the acquires: who sees it sees that the disk is parked. */
	smp_store_release(&fq->dead, true);
	spin_unlock_irq(&fq->q.tx_lock);
}

/* How many requests are not answered. Looks for answers first; no new ones come. */
unsigned int iddr_fqueue_in_flight(struct iddr_fqueue *fq)
{
	unsigned int i, nr = 0;

	if (!fq->up)
		return 0;
	while (iddr_queue_look(&fq->q) > 0)
		cond_resched();
	for (i = 0; i < fq->q.nr_slots; i++)
		nr += READ_ONCE(fq->slots[i].shadow.busy);
	return nr;
}

/*
 * The peer is gone or not to be trusted, and the queue closed: fail the requests in
 * flight or, if it is to be @park, give them back to the block layer, whose
 * queue is quiesced. The peer may still write to the granted pages; nobody
 * reads them any more.
 * Idempotent; may sleep; excludes iddr_fqueue_create() and _destroy() (the
 * disk's queues_lock).
 * Return: requests given back.
 */
unsigned int iddr_fqueue_abort(struct iddr_fqueue *fq, bool park)
{
	struct iddr_queue *q = &fq->q;
	unsigned int ignored = 0, kept = 0;
	u32 i;

	if (!fq->up)
		return 0;
	/* What it has answered, if it has kept to the protocol, is answered. It
	 * ends: nothing is asked any more.
	 */
	while (iddr_queue_look(q) > 0)
		cond_resched();

	/* No consumer from here on: not the thread, no upcall, no poller. */
	iddr_queue_park(q);
	spin_lock_irq(&q->rx_lock);
	q->broken = true;
	spin_unlock_irq(&q->rx_lock);
	for (i = 0; i < q->nr_slots; i++) {
		struct iddr_fslot *slot = &fq->slots[i];

		if (!slot->shadow.busy)
			continue;
		slot->shadow.busy = false;
		iddr_front_put_pages(fq, slot, &ignored);
		if (park) {
			blk_mq_requeue_request(slot->rq, false);
			kept++;
		} else {
			blk_mq_end_request(slot->rq, BLK_STS_IOERR);
		}
	}
	return kept;
}

/*
 * The block device is gone or parked. Undo iddr_fqueue_create() and _prepare().
 * @dying: as above. @again: there will be another connection, which has the
 * thread. Idempotent.
 * Return: how many pages the peer still maps.
 */
unsigned int iddr_fqueue_destroy(struct iddr_fqueue *fq, bool dying, bool again)
{
	struct iddr_queue *q = &fq->q;
	unsigned int mapped;

	iddr_queue_park(q);
	if (!again)
		iddr_queue_put(q);
	if (!fq->up)
		return 0;
	fq->up = false;
	/* No upcall from here. */
	mapped = iddr_front_ring_destroy(q, dying);
	fq->data.dying = dying;
	fq->desc.dying = dying;
	mapped += iddr_pool_destroy(&fq->data);
	mapped += iddr_pool_destroy(&fq->desc);
	kvfree(fq->slots);
	fq->slots = NULL;
	return mapped;
}
