// SPDX-License-Identifier: GPL-2.0
/*
 * Back end, data path: take a request off the ring, check it (iddr_parse.h), get
 * at its data, make a bio of it, submit it, answer.
 *
 * Requests are taken by the queue's thread alone. Bios complete in any context
 * (a RAM disk's within submit_bio(), in the thread). Where the data path is
 * persistent the completion answers at once. On the others it cannot: grants are
 * unmapped and copied in the thread, by the batch; so it puts the request on the
 * list of done ones and kicks the thread. The same goes for requests that the
 * thread itself polls the device for. Responses are written under tx_lock.
 */
#include <linux/kthread.h>
#include <linux/slab.h>

#include "iddr_back.h"
#include "../comm/iddr_trace.h"

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

/* One line for what a peer does wrong, not one for each time. */
static void iddr_back_complain(struct iddr_bqueue *bq,
			       const struct iddr_breq *req, const char *what)
{
	if (__ratelimit(bq->complaints))
		dev_warn(&bq->q.xdev->dev,
			 "refused request: %s (operation %u, id %llu)\n",
			 what, req->operation, req->id);
}

/*
 * Has the device gone: been unplugged, or left by its driver? What it has not done
 * then fails, and the disk has no size any more (blk_mark_disk_dead(), del_gendisk()).
 * Any context.
 */
static bool iddr_back_device_is_gone(const struct iddr_bqueue *bq)
{
	/* The thread may be at changing it. */
	return READ_ONCE(bq->limits.sectors) && !bdev_nr_sectors(bq->bdev);
}

/*
 * Answer @req, which is free again. Any context. Not one that has failed because the
 * device has gone: another back end may serve it, so that the front end keeps it.
 *
 * A peer that spins gets the answer at once. One that is armed would cost a
 * notification each: answers given by the thread are published when what it is
 * at is done (iddr_back_publish).
 */
static void iddr_back_respond(struct iddr_breq *req)
{
	struct iddr_bqueue *bq = req->bq;
	struct iddr_queue *q = &bq->q;
	struct blkif_response *rsp;
	unsigned long flags;
	bool in_thread, notify = false;
	bool lost = req->status != BLKIF_RSP_OKAY &&
		    iddr_back_device_is_gone(bq);

	if (lost)
		iddr_bdisk_resized(bq->disk);
	else
		trace_iddr_response(q, req->id, req->operation, req->status);
	spin_lock_irqsave(&q->tx_lock, flags);
	if (!lost) {
		/* Field by field: padding must not carry our stack to the
		 * peer.
		 */
		rsp = &iddr_back_slot(q, q->tx.prod)->rsp;
		rsp->id = req->id;
		rsp->operation = req->operation;
		rsp->status = req->status;
		q->tx.prod++;
	}
	/* Before publishing: the peer may send its next at once. */
	req->next = bq->free;
	bq->free = req;
	if (req->large) {
		req->large->next = bq->free_large;
		bq->free_large = req->large;
	}
	bq->outstanding--;
	/* in_task(): an interrupt may have the thread for its current. */
	in_thread = in_task() && current == q->thread;
	if (!in_thread || !iddr_tx_would_notify(&q->tx))
		notify = iddr_queue_publish(q);
	spin_unlock_irqrestore(&q->tx_lock, flags);
	if (notify)
		iddr_queue_notify(q);
	if (!in_thread)
		wake_up(&bq->progress);
}

/* What iddr_back_respond() held back. The thread. */
static void iddr_back_publish(struct iddr_bqueue *bq)
{
	struct iddr_queue *q = &bq->q;
	bool notify;

	/* Others publish at once. */
	if (READ_ONCE(q->tx.prod) == READ_ONCE(q->tx.published))
		return;
	spin_lock_irq(&q->tx_lock);
	notify = iddr_queue_publish(q);
	spin_unlock_irq(&q->tx_lock);
	if (notify)
		iddr_queue_notify(q);
}

/* There always is one: the ring has no more slots than we have requests. */
static struct iddr_breq *iddr_back_get_req(struct iddr_bqueue *bq)
{
	struct iddr_breq *req;

	spin_lock_irq(&bq->q.tx_lock);
	req = bq->free;
	if (req) {
		bq->free = req->next;
		bq->outstanding++;
	}
	spin_unlock_irq(&bq->q.tx_lock);
	return req;
}

static s16 iddr_back_status(blk_status_t status)
{
	switch (status) {
	case BLK_STS_OK:
		return BLKIF_RSP_OKAY;
	case BLK_STS_NOTSUPP:
		return BLKIF_RSP_EOPNOTSUPP;
	default:
		return BLKIF_RSP_ERROR;
	}
}

/* The device is through with @req. Any context; drops its reference. */
static void iddr_back_end(struct iddr_breq *req, blk_status_t status)
{
	struct iddr_bqueue *bq = req->bq;

	req->status = iddr_back_status(status);
	if (!req->deferred) {
		iddr_gcache_put(req->s.map, req->cmd.nr_segs);
		iddr_back_respond(req);
	} else {
		bool in_thread = in_task() && current == bq->q.thread;

		llist_add(&req->done, &bq->done);
		if (!in_thread) {
			iddr_queue_kick(&bq->q);
			wake_up(&bq->progress);
		}
	}
	/* Last: from here on the queue may be gone. */
	if (atomic_dec_and_test(&bq->refs_held))
		complete(&bq->released);
}

static void iddr_back_end_io(struct bio *bio)
{
	struct iddr_breq *req = container_of(bio, struct iddr_breq, bio);
	blk_status_t status = bio->bi_status;

	req->again = status == BLK_STS_AGAIN && (bio->bi_opf & REQ_NOWAIT);
	bio_uninit(bio);
	iddr_back_end(req, status);
}

static void iddr_back_end_discard(struct bio *bio)
{
	struct iddr_breq *req = bio->bi_private;
	blk_status_t status = bio->bi_status;

	bio_put(bio);
	iddr_back_end(req, status);
}

static void iddr_back_poll_out(struct iddr_bqueue *bq);

/* @req has its data; hand it to the device. @again: not to be polled for. */
static void iddr_back_submit(struct iddr_bqueue *bq, struct iddr_breq *req,
			     bool again)
{
	const struct iddr_blk_cmd *cmd = &req->cmd;
	struct bio *bio = &req->bio;
	blk_opf_t opf = REQ_OP_READ;
	bool polled;
	unsigned int i;

	/* What was set aside waits for those that are polled for to end, so they
	 * must.
	 */
	polled = bq->can_poll && !again && list_empty(&bq->retry) &&
		 cmd->nr_segs && !cmd->preflush && iddr_queue_spins(&bq->q);
	if (!polled)
		iddr_back_poll_out(bq);
	if (cmd->write)
		opf = REQ_OP_WRITE | REQ_SYNC | REQ_IDLE;
	if (cmd->preflush)
		opf |= REQ_PREFLUSH;
	if (cmd->fua)
		opf |= REQ_FUA;
	/* Were the device out of tags, waiting for one would keep us from the
	 * polling that frees one.
	 */
	if (polled)
		opf |= REQ_POLLED | REQ_NOWAIT;
	req->deferred = polled || bq->path != IDDR_PATH_PERSISTENT;

	bio_init(bio, bq->bdev, req->s.vec, cmd->nr_segs, opf);
	bio->bi_iter.bi_sector = cmd->sector;
	bio->bi_end_io = iddr_back_end_io;
	for (i = 0; i < cmd->nr_segs; i++)
		__bio_add_page(bio, bq->path == IDDR_PATH_PERSISTENT ?
			       req->s.map[i]->page : req->s.page[i],
			       req->s.seg[i].bytes, req->s.seg[i].offset);
	atomic_inc(&bq->refs_held);
	/* Before submission: its end takes it off again, if it is still on. */
	if (polled)
		list_add_tail(&req->polled, &bq->polled);
	submit_bio(bio);
	/* The block layer clears the flag where it will not be polled for
	 * (a bio that it splits); then an interrupt ends it.
	 */
	if (polled && !(bio->bi_opf & REQ_POLLED))
		list_del_init(&req->polled);
}

/* iddr_gops refused one of @owner's operations. */
static void iddr_back_grant_failed(void *owner)
{
	struct iddr_breq *req = owner;

	req->status = BLKIF_RSP_ERROR;
}

/* Give back the page frames of @req, which are mapped no more. */
static void iddr_back_free_pages(struct iddr_breq *req)
{
	struct iddr_pages *pages = &req->bq->pages;
	unsigned int i;

	for (i = 0; i < req->cmd.nr_segs; i++)
		pages->free[pages->nr_free++] = req->s.page[i];
}

static void iddr_back_unmap(struct iddr_breq *req)
{
	unsigned int i;

	for (i = 0; i < req->cmd.nr_segs; i++)
		if (req->s.handle[i] != INVALID_GRANT_HANDLE)
			iddr_gops_unmap(req->bq->gops, req->s.page[i],
					req->s.handle[i]);
}

static void iddr_back_copy(struct iddr_breq *req, bool to_peer)
{
	unsigned int i;

	for (i = 0; i < req->cmd.nr_segs; i++)
		iddr_gops_copy(req->bq->gops, req, req->s.seg[i].gref,
			       req->s.seg[i].offset, req->s.page[i],
			       req->s.seg[i].offset, req->s.seg[i].bytes,
			       to_peer);
}

/*
 * Take out of a list of done requests those that the device had no room for when
 * they were to be polled for. Return: the rest.
 */
static struct llist_node *iddr_back_set_aside(struct iddr_bqueue *bq,
					      struct llist_node *done)
{
	struct llist_node *rest = NULL, *next;

	for (; done; done = next) {
		struct iddr_breq *req =
			llist_entry(done, struct iddr_breq, done);

		next = done->next;
		if (req->again) {
			req->again = false;
			list_move_tail(&req->polled, &bq->retry);
			continue;
		}
		done->next = rest;
		rest = done;
	}
	return rest;
}

/*
 * Submit what was set aside, this time to wait for room and to end by an
 * interrupt; not while others wait to be polled for, which may hold that room.
 * Return: whether there was any.
 */
static bool iddr_back_retry(struct iddr_bqueue *bq)
{
	struct iddr_breq *req, *next;

	if (list_empty(&bq->retry) || !list_empty(&bq->polled))
		return false;
	list_for_each_entry_safe(req, next, &bq->retry, polled) {
		list_del_init(&req->polled);
		iddr_back_submit(bq, req, true);
	}
	return true;
}

/*
 * What is left to do for the requests that the device is through with, and
 * their answers. The thread.
 * Return: whether there were any.
 */
static bool iddr_back_finish(struct iddr_bqueue *bq)
{
	struct iddr_breq *req, *next;
	struct llist_node *done;

	if (llist_empty(&bq->done))
		return iddr_back_retry(bq);
	done = iddr_back_set_aside(bq, llist_del_all(&bq->done));
	if (bq->path == IDDR_PATH_MAP) {
		llist_for_each_entry(req, done, done)
			iddr_back_unmap(req);
		iddr_gops_unmap_flush(bq->gops);
	} else if (bq->path == IDDR_PATH_COPY) {
		/* Nothing but what the device has read goes to the peer. */
		llist_for_each_entry(req, done, done)
			if (!req->cmd.write && req->status == BLKIF_RSP_OKAY)
				iddr_back_copy(req, true);
		iddr_gops_copy_flush(bq->gops);
	}
	llist_for_each_entry_safe(req, next, done, done) {
		if (bq->path == IDDR_PATH_PERSISTENT)
			iddr_gcache_put(req->s.map, req->cmd.nr_segs);
		else
			iddr_back_free_pages(req);
		list_del_init(&req->polled);
		iddr_back_respond(req);
	}
	iddr_back_publish(bq);
	iddr_back_retry(bq);
	return true;
}

/* Ask the device for completions that it announces to nobody. The thread. */
static void iddr_back_poll_device(struct iddr_bqueue *bq)
{
	struct iddr_breq *req = list_first_entry_or_null(&bq->polled,
						struct iddr_breq, polled);

	if (!req)
		return;
	/* It finds whatever is complete in the device's queue of this bio; the
	 * next bio may be in another one.
	 */
	list_move_tail(&req->polled, &bq->polled);
	bio_poll(&req->bio, NULL, BLK_POLL_ONESHOT | BLK_POLL_NOSLEEP);
}

/* iddr_queue_ops.poll */
static bool iddr_back_poll(struct iddr_queue *q)
{
	struct iddr_bqueue *bq = to_bqueue(q);
	bool any;

	iddr_back_poll_device(bq);
	any = iddr_back_finish(bq);
	return any || !list_empty(&bq->polled) || !list_empty(&bq->retry);
}

/*
 * Wait until fewer than @before requests are outstanding, or one waits to be
 * finished; bounded by the device. The queue's one owner.
 */
static void iddr_back_wait_progress(struct iddr_bqueue *bq, unsigned int before)
{
	if (iddr_back_finish(bq))
		return;
	if (!list_empty(&bq->polled)) {
		struct blk_plug *plug = current->plug;

		/* A bio that is still plugged cannot be polled for. */
		if (plug) {
			blk_finish_plug(plug);
			blk_start_plug(plug);
		}
		iddr_back_poll_device(bq);
		cond_resched();
		return;
	}
	/* What is answered need not wait with us. */
	iddr_back_publish(bq);
	wait_event(bq->progress, !llist_empty(&bq->done) ||
				 READ_ONCE(bq->outstanding) != before);
}

/*
 * Before what may have to wait in the block layer: for room that polled bios
 * take, or for the end of a freeze, which waits for them; and nobody but us
 * polls for them.
 */
static void iddr_back_poll_out(struct iddr_bqueue *bq)
{
	while (!list_empty(&bq->polled))
		iddr_back_wait_progress(bq, READ_ONCE(bq->outstanding));
}

/* Wait until all that was taken is answered. */
static void iddr_back_wait_idle(struct iddr_bqueue *bq)
{
	unsigned int n;

	while ((n = READ_ONCE(bq->outstanding)))
		iddr_back_wait_progress(bq, n);
}

static void iddr_back_discard(struct iddr_bqueue *bq, struct iddr_breq *req)
{
	const struct iddr_blk_cmd *cmd = &req->cmd;
	struct bio *bio = NULL;
	int err;

	req->deferred = false;
	atomic_inc(&bq->refs_held);
	if (cmd->secure_erase)
		/* The kernel has no other way than to wait for it. */
		err = blkdev_issue_secure_erase(bq->bdev, cmd->sector,
						cmd->nr_sectors, GFP_NOIO);
	else
		err = __blkdev_issue_discard(bq->bdev, cmd->sector,
					     cmd->nr_sectors, GFP_NOIO, &bio);
	if (err || !bio) {
		iddr_back_end(req, errno_to_blk_status(err));
		return;
	}
	bio->bi_private = req;
	bio->bi_end_io = iddr_back_end_discard;
	submit_bio(bio);
}

/* The parsed requests: all grant operations at once, then the device. */
static void iddr_back_run_batch(struct iddr_bqueue *bq)
{
	struct iddr_breq *req, *next;
	bool refused = false;

	if (!bq->batch)
		return;
	if (bq->path == IDDR_PATH_MAP)
		iddr_gops_map_flush(bq->gops);
	else
		iddr_gops_copy_flush(bq->gops);
	for (req = bq->batch; req; req = next) {
		next = req->next;
		if (req->status == BLKIF_RSP_OKAY) {
			iddr_back_submit(bq, req, false);
			continue;
		}
		/* What could be mapped is unmapped as if the device had failed. */
		iddr_back_complain(bq, req, "bad grant");
		llist_add(&req->done, &bq->done);
		refused = true;
	}
	bq->batch = NULL;
	bq->batch_end = &bq->batch;
	if (refused)
		iddr_back_finish(bq);
}

/*
 * Map @refs for a request. If all mappings are in use, by a peer with more
 * requests than we keep pages for, it waits for others to end.
 */
static int iddr_back_get_maps(struct iddr_bqueue *bq, const grant_ref_t *refs,
			      struct iddr_gmap **map, unsigned int nr)
{
	for (;;) {
		unsigned int before = READ_ONCE(bq->outstanding);
		int err = iddr_gcache_get(&bq->gcache, refs, map, nr);

		/* This one counts itself. */
		if (err != -ENOSPC || before <= 1)
			return err;
		iddr_back_wait_progress(bq, before);
	}
}

/* Get at the data of @req and put it into the batch, or submit it. */
static void iddr_back_take_data(struct iddr_bqueue *bq, struct iddr_breq *req)
{
	unsigned int i, nr = req->cmd.nr_segs;
	int err;

	if (bq->path == IDDR_PATH_PERSISTENT) {
		for (i = 0; i < nr; i++)
			bq->refs[i] = req->s.seg[i].gref;
		err = iddr_back_get_maps(bq, bq->refs, req->s.map, nr);
		if (err) {
			iddr_back_complain(bq, req, err == -EFAULT ?
					   "bad grant" : "no memory");
			req->status = BLKIF_RSP_ERROR;
			iddr_back_respond(req);
			return;
		}
		iddr_back_submit(bq, req, false);
		return;
	}

	/* The largest request fits by itself, so this ends. */
	while (bq->pages.nr_free < nr) {
		iddr_back_run_batch(bq);
		iddr_back_wait_progress(bq, READ_ONCE(bq->outstanding));
	}
	for (i = 0; i < nr; i++) {
		req->s.page[i] = bq->pages.free[--bq->pages.nr_free];
		if (bq->path == IDDR_PATH_MAP)
			iddr_gops_map(bq->gops, req, req->s.seg[i].gref,
				      req->s.page[i], &req->s.handle[i],
				      /* what is written is only read */
				      req->cmd.write);
	}
	if (bq->path == IDDR_PATH_COPY && req->cmd.write)
		iddr_back_copy(req, false);
	req->next = NULL;
	*bq->batch_end = req;
	bq->batch_end = &req->next;
}

static int iddr_back_alloc_large(struct iddr_bsegs *s, u32 n)
{
	s->seg = kvmalloc_array(n, sizeof(*s->seg), GFP_NOIO);
	s->vec = kvmalloc_array(n, sizeof(*s->vec), GFP_NOIO);
	s->page = kvmalloc_array(n, sizeof(*s->page), GFP_NOIO);
	s->handle = kvmalloc_array(n, sizeof(*s->handle), GFP_NOIO);
	return s->seg && s->vec && s->page && s->handle ? 0 : -ENOMEM;
}

static void iddr_back_free_large(struct iddr_bsegs *s)
{
	kvfree(s->seg);
	kvfree(s->vec);
	kvfree(s->page);
	kvfree(s->handle);
	memset(s, 0, sizeof(*s));
}

static struct iddr_blarge *iddr_back_get_large(struct iddr_bqueue *bq)
{
	struct iddr_blarge *l;

	spin_lock_irq(&bq->q.tx_lock);
	l = bq->free_large;
	if (l)
		bq->free_large = l->next;
	spin_unlock_irq(&bq->q.tx_lock);
	return l;
}

/*
 * Arrays for as many segments as a request may have: one that is free, or a new
 * one, which is kept, or one that another request has done with.
 */
static int iddr_back_enlarge(struct iddr_bqueue *bq, struct iddr_breq *req)
{
	struct iddr_blarge *l;

	for (;;) {
		unsigned int before = READ_ONCE(bq->outstanding);

		l = iddr_back_get_large(bq);
		if (l)
			break;
		if (bq->nr_large < bq->max_large) {
			l = &bq->large[bq->nr_large];
			if (!iddr_back_alloc_large(&l->s, bq->limits.max_segs)) {
				bq->nr_large++;
				break;
			}
			iddr_back_free_large(&l->s);
		}
		/* This one counts itself. */
		if (before <= 1)
			return -ENOMEM;
		iddr_back_wait_progress(bq, before);
	}
	req->large = l;
	req->s = l->s;
	return 0;
}

/* Read an indirect request's descriptors, each once, into bq->desc. */
static int iddr_back_fetch_desc(struct iddr_bqueue *bq, struct iddr_breq *req)
{
	struct iddr_gmap *map[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
	unsigned int i, left = req->cmd.nr_segs;
	int err;

	if (bq->path == IDDR_PATH_PERSISTENT) {
		/* These pages, too, stay granted. */
		err = iddr_back_get_maps(bq, req->cmd.indirect_grefs, map,
					 req->cmd.nr_indirect);
		if (err)
			return err;
	}
	for (i = 0; i < req->cmd.nr_indirect; i++) {
		u32 n = min(left, IDDR_INDIRECT_PAGE_SEGS);
		struct blkif_request_segment *d =
			bq->desc + i * IDDR_INDIRECT_PAGE_SEGS;

		if (bq->path == IDDR_PATH_PERSISTENT)
			iddr_ring_copy(d, page_address(map[i]->page),
				       n * sizeof(*d));
		else
			iddr_gops_copy(bq->gops, req,
				       req->cmd.indirect_grefs[i], 0,
				       virt_to_page(d), 0, n * sizeof(*d),
				       false);
		left -= n;
	}
	if (bq->path == IDDR_PATH_PERSISTENT)
		iddr_gcache_put(map, req->cmd.nr_indirect);
	else
		iddr_gops_copy_flush(bq->gops);
	return req->status == BLKIF_RSP_OKAY ? 0 : -EFAULT;
}

/* One request, from its private copy to a checked command. Return: 0, or
 * negative: it has been refused.
 */
static int iddr_back_parse(struct iddr_bqueue *bq, struct iddr_breq *req,
			   const struct blkif_request *wire)
{
	struct iddr_blk_cmd *cmd = &req->cmd;
	const char *what = NULL;
	int offence;

	req->status = BLKIF_RSP_OKAY;
	req->again = false;
	req->large = NULL;
	req->s = (struct iddr_bsegs) {
		.seg = req->inline_seg,
		.vec = req->inline_vec,
		.page = (struct page **)req->inline_page,
		.handle = req->inline_handle,
	};
	INIT_LIST_HEAD(&req->polled);
	offence = iddr_blk_parse(wire, &bq->limits, cmd, req->s.seg);
	req->id = cmd->id;
	req->operation = cmd->operation;
	if (!offence && cmd->nr_indirect) {
		int err;

		/* The descriptors' copy uses the batch's room. */
		iddr_back_run_batch(bq);
		err = iddr_back_enlarge(bq, req);
		if (err)
			what = "no memory";
		else if (iddr_back_fetch_desc(bq, req))
			what = "bad grant of descriptors";
		else
			offence = iddr_blk_parse_indirect(bq->desc,
							  &bq->limits, cmd,
							  req->s.seg);
	}
	if (offence) {
		what = iddr_blk_offence_name(offence);
		req->status = iddr_blk_offence_status(offence);
	} else if (what) {
		req->status = BLKIF_RSP_ERROR;
	}
	if (!what) {
		trace_iddr_request(&bq->q, req->id, req->operation,
				   cmd->nr_sectors << SECTOR_SHIFT);
		return 0;
	}
	iddr_back_complain(bq, req, what);
	iddr_back_respond(req);
	return -EINVAL;
}

static void iddr_back_handle(struct iddr_bqueue *bq,
			     const struct blkif_request *wire)
{
	struct iddr_breq *req = iddr_back_get_req(bq);

	if (WARN_ON_ONCE(!req))
		return;
	if (iddr_back_parse(bq, req, wire))
		return;
	if (!req->cmd.discard) {
		iddr_back_take_data(bq, req);
		return;
	}
	/* It may take long, and nothing else shall wait for it. */
	iddr_back_run_batch(bq);
	iddr_back_poll_out(bq);
	iddr_back_publish(bq);
	/* No data: nothing to give back, whatever the data path. */
	iddr_back_discard(bq, req);
}

/* A barrier: what came before is answered first, what comes after waits. */
static void iddr_back_handle_barrier(struct iddr_bqueue *bq,
				     const struct blkif_request *wire)
{
	iddr_back_run_batch(bq);
	iddr_back_wait_idle(bq);
	iddr_back_handle(bq, wire);
	iddr_back_run_batch(bq);
	iddr_back_wait_idle(bq);
}

static int iddr_back_drain(struct iddr_queue *q)
{
	struct iddr_bqueue *bq = to_bqueue(q);
	struct blkif_request wire __aligned(8);
	struct blk_plug plug;
	u64 sectors;
	int i, n;

	n = iddr_queue_avail(q);
	if (n <= 0)
		return n;

	/* The device may have got another size; the peer is told in time. */
	sectors = bdev_nr_sectors(bq->bdev);
	if (unlikely(sectors != bq->limits.sectors)) {
		if (!iddr_back_device_is_gone(bq))
			WRITE_ONCE(bq->limits.sectors, sectors);
		iddr_bdisk_resized(bq->disk);
	}

	blk_start_plug(&plug);
	for (i = 0; i < n; i++) {
		/* Whoever ends us shall wait for what the device has, no more:
		 * it is xenwatch, which all of the domain's disks share. (But none
		 * taken means that the peer has taken its index back.)
		 */
		if (i && kthread_should_stop())
			break;
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
	iddr_back_run_batch(bq);
	blk_finish_plug(&plug);
	/* A RAM disk's are over by now. */
	iddr_back_finish(bq);
	iddr_back_publish(bq);
	return i;
}

static void iddr_back_broken_work(struct work_struct *work)
{
	struct iddr_bqueue *bq =
		container_of(work, struct iddr_bqueue, broken_work);

	xenbus_dev_fatal(bq->q.xdev, bq->broken_err,
			 "front end in domain %d broke the ring protocol (%s); its disk is closed",
			 bq->q.xdev->otherend_id, bq->q.offence);
}

static void iddr_back_broken(struct iddr_queue *q, int err)
{
	struct iddr_bqueue *bq = to_bqueue(q);

	bq->broken_err = err;
	schedule_work(&bq->broken_work);
}

static const struct iddr_queue_ops iddr_back_queue_ops = {
	.drain = iddr_back_drain,
	.poll = iddr_back_poll,
	.broken = iddr_back_broken,
};

void iddr_bqueue_init(struct iddr_bqueue *bq, struct iddr_bdisk *disk,
		      struct xenbus_device *xdev, unsigned int index,
		      enum iddr_mode mode,
		      const struct iddr_wait_limits *wait_limits,
		      struct ratelimit_state *complaints)
{
	memset(bq, 0, sizeof(*bq));
	iddr_queue_init(&bq->q, &iddr_back_queue_ops, xdev, index, mode,
			wait_limits);
	bq->disk = disk;
	bq->batch_end = &bq->batch;
	INIT_LIST_HEAD(&bq->polled);
	INIT_LIST_HEAD(&bq->retry);
	bq->complaints = complaints;
	init_llist_head(&bq->done);
	init_waitqueue_head(&bq->progress);
	INIT_WORK(&bq->broken_work, iddr_back_broken_work);
}

/* What a data path needs. Return: 0 or -errno; iddr_back_free_path() undoes it. */
static int iddr_back_alloc_path(struct iddr_bqueue *bq)
{
	struct iddr_queue *q = &bq->q;
	domid_t peer = q->xdev->otherend_id;
	u32 max_segs = bq->limits.max_segs;
	u32 in_slots = q->nr_slots * IDDR_INLINE_SEGS;
	u32 nr_desc = DIV_ROUND_UP(max_segs, IDDR_INDIRECT_PAGE_SEGS);

	bq->gops = iddr_gops_create(peer, &q->rx_stats.grant_ops,
				    iddr_back_grant_failed);
	bq->refs = kvmalloc_array(max_segs, sizeof(*bq->refs), GFP_KERNEL);
	bq->desc = alloc_pages_exact(nr_desc * PAGE_SIZE, GFP_KERNEL);
	if (!bq->gops || !bq->refs || !bq->desc)
		return -ENOMEM;

	/* Enough for all slots with segments of their own, or for the largest
	 * request; more large ones at once take turns.
	 */
	switch (bq->path) {
	case IDDR_PATH_PERSISTENT:
		return iddr_gcache_create(&bq->gcache, peer,
					  in_slots + q->nr_slots * nr_desc +
					  max_segs, max_segs,
					  &q->rx_stats.grant_ops);
	case IDDR_PATH_MAP:
		return iddr_pages_create(&bq->pages, max(in_slots, max_segs),
					 true);
	default:
		/* Memory of ours, so less of it. */
		return iddr_pages_create(&bq->pages,
					 max(min(in_slots, 512U), max_segs),
					 false);
	}
}

static void iddr_back_free_path(struct iddr_bqueue *bq)
{
	u32 nr_desc = DIV_ROUND_UP(bq->limits.max_segs,
				   IDDR_INDIRECT_PAGE_SEGS);

	if (bq->path == IDDR_PATH_PERSISTENT && bq->gcache.max)
		iddr_gcache_destroy(&bq->gcache);
	else if (bq->path != IDDR_PATH_PERSISTENT && bq->pages.nr)
		iddr_pages_destroy(&bq->pages);
	if (bq->desc)
		free_pages_exact(bq->desc, nr_desc * PAGE_SIZE);
	kvfree(bq->refs);
	kvfree(bq->gops);
}

static void iddr_back_free_reqs(struct iddr_bqueue *bq)
{
	unsigned int i;

	for (i = 0; i < bq->nr_large; i++)
		iddr_back_free_large(&bq->large[i].s);
	kvfree(bq->large);
	bq->large = NULL;
	bq->nr_large = 0;
	kvfree(bq->reqs);
	bq->reqs = NULL;
	bq->free = NULL;
}

/*
 * Map the ring whose keys are below @dir and start serving @bdev. The queue has
 * been initialized.
 * Return: 0 or -errno, reported to xenbus, nothing left behind.
 */
int iddr_bqueue_start(struct iddr_bqueue *bq, const char *dir, int ring_order,
		      struct block_device *bdev, enum iddr_data_path path,
		      const struct iddr_blk_limits *limits,
		      const char *thread_name)
{
	struct iddr_queue *q = &bq->q;
	u32 i;
	int err;

	bq->bdev = bdev;
	bq->path = path;
	bq->limits = *limits;
	/* Polled bios must not wait for a tag: see iddr_back_submit(). */
	bq->can_poll = test_bit(QUEUE_FLAG_POLL,
				&bdev_get_queue(bdev)->queue_flags) &&
		       bdev_nowait(bdev);
	atomic_set(&bq->refs_held, 1);
	init_completion(&bq->released);

	/* The port is bound last in there; its upcalls wait for the thread. */
	err = iddr_back_ring_map(q, dir, sizeof(union blkif_sring_entry),
				 ring_order);
	if (err)
		return err;

	err = -ENOMEM;
	bq->reqs = kvcalloc(q->nr_slots, sizeof(*bq->reqs), GFP_KERNEL);
	/* Some hundred KiB at the most, once large requests come. */
	bq->max_large = clamp(8192 / limits->max_segs, 2U, 32U);
	bq->large = kvcalloc(bq->max_large, sizeof(*bq->large), GFP_KERNEL);
	if (!bq->reqs || !bq->large)
		goto fail;
	for (i = 0; i < q->nr_slots; i++) {
		bq->reqs[i].bq = bq;
		bq->reqs[i].next = bq->free;
		bq->free = &bq->reqs[i];
	}
	err = iddr_back_alloc_path(bq);
	if (err)
		goto fail;
	err = iddr_queue_start(q, thread_name);
	if (err)
		goto fail;
	return 0;

fail:
	iddr_back_ring_unmap(q);
	iddr_back_free_path(bq);
	iddr_back_free_reqs(bq);
	xenbus_dev_fatal(q->xdev, err, "starting queue %u", q->index);
	return err;
}

/* Stop serving: finish what runs, unmap everything. The peer may be dead. */
void iddr_bqueue_stop(struct iddr_bqueue *bq)
{
	struct iddr_queue *q = &bq->q;

	iddr_queue_stop(q);
	cancel_work_sync(&bq->broken_work);
	/* In the thread's place now. Takes as long as the device does. */
	iddr_back_wait_idle(bq);
	if (!atomic_dec_and_test(&bq->refs_held))
		wait_for_completion(&bq->released);
	iddr_back_ring_unmap(q);
	iddr_back_free_path(bq);
	iddr_queue_put(q);
	iddr_back_free_reqs(bq);
}
