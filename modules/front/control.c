// SPDX-License-Identifier: GPL-2.0
/*
 * Front end, control path: the xenbus side of one disk in the application
 * domain, and its gendisk.
 *
 * xenbus tells of the back end's states in the one xenwatch thread that all of
 * the domain's devices share. Adding a disk reads its partition table, so it
 * waits for the back end; that must not hold up xenwatch. So states are only
 * noted there, and acted on in a work item of the disk's own. What xenwatch
 * does itself is to abort I/O when the back end has gone, which also frees a
 * work item that waits for it.
 *
 * Lifetime: struct iddr_fdisk has a reference from its xenbus device (probe to
 * remove) and one from its gendisk (until the last user has closed it, which
 * may be long after the device was removed).
 */
#include <linux/delay.h>
#include <linux/kref.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <xen/interface/io/protocols.h>

#include "iddr_front.h"

/* How long requests in flight may take when a live back end is left. */
#define IDDR_DRAIN_MS		10000
/* How long the back end may take to let go of our pages. */
#define IDDR_CLOSE_MS		5000

static char *mode = "event";
module_param(mode, charp, 0444);
MODULE_PARM_DESC(mode, "how new disks wait for responses: event, spin, hybrid or adaptive");

static unsigned int budget_us = 200;
module_param(budget_us, uint, 0444);
MODULE_PARM_DESC(budget_us, "new disks' spin budget in mode hybrid, in microseconds");

static int iddr_queues_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 0, 64);
}

static const struct kernel_param_ops iddr_queues_ops = {
	.set = iddr_queues_set,
	.get = param_get_uint,
};

static unsigned int queues;
module_param_cb(queues, &iddr_queues_ops, &queues, 0644);
MODULE_PARM_DESC(queues, "queues that disks which appear from now on ask for, up to 64; 0: one for each CPU");

static unsigned int poll_queues = 1;
module_param(poll_queues, uint, 0444);
MODULE_PARM_DESC(poll_queues, "queues besides, up to 64, for I/O whose issuer polls for it (IOCB_HIPRI)");

static unsigned int ring_page_order = 2;
module_param(ring_page_order, uint, 0444);
MODULE_PARM_DESC(ring_page_order, "a ring's size to ask for, 0 to 4: 1 to 16 pages");

static unsigned int max_segments = 256;
module_param(max_segments, uint, 0444);
MODULE_PARM_DESC(max_segments, "pages in a request at the most, 11 to 4096, if the back end takes them");

static bool persistent = true;
module_param(persistent, bool, 0444);
MODULE_PARM_DESC(persistent, "offer grants that are kept: the back end sees no page but those that are meant for it");

struct iddr_fdisk {
	struct kref ref;
	struct xenbus_device *xdev;
	u32 vdev;
	char name[DISK_NAME_LEN];
	enum iddr_mode mode;		/* of the next connection */
	struct iddr_wait_limits wait_limits;

	struct iddr_fconf conf;
	struct iddr_fqueue *fqs;	/* max_queues of them, for good */
	struct iddr_queue **queues;	/* theirs */
	unsigned int queues_wanted;	/* parameter queues when the disk appeared */
	unsigned int max_queues;
	unsigned int nr_queues;		/* of this connection: first those */
	unsigned int nr_poll;		/* that wait, then those that are polled */
	struct iddr_link link;

	struct work_struct broken_work;	/* the peer has broken the protocol */
	int broken_err;			/* and how, in this connection */
	const char *offence;
	struct mutex queues_lock;	/* who makes, ends and aborts the queues of
					 * a connection: all of them or none
					 */

	struct gendisk *gd;		/* NULL: no disk. By the work item alone */
	struct blk_mq_tag_set tag_set;
	bool was_connected;		/* in this connection there was a disk */
	bool linked;			/* link is in sysfs */
	bool closing;			/* cannot be opened; under open_mutex */

	spinlock_t work_lock;		/* guards back_state, removing */
	enum xenbus_state back_state;	/* latest */
	bool back_closed;		/* has been Closed since the rings were made */
	bool close_pending;		/* close when the last user has */
	bool removing;			/* no more work */
	struct work_struct state_work;
	struct delayed_work abort_work;	/* bounds the wait for a back end */
};

static void iddr_fdisk_free(struct iddr_fdisk *d)
{
	kvfree(d->fqs);
	kfree(d->queues);
	kfree(d);
}

static void iddr_fdisk_release(struct kref *ref)
{
	iddr_fdisk_free(container_of(ref, struct iddr_fdisk, ref));
}

struct iddr_fqueue *iddr_fdisk_queue(struct iddr_fdisk *d, unsigned int index)
{
	return &d->fqs[index];
}

/* Which CPU and kind of request goes to which queue. */
void iddr_fdisk_map_queues(struct iddr_fdisk *d, struct blk_mq_tag_set *set)
{
	struct blk_mq_queue_map *map = &set->map[HCTX_TYPE_DEFAULT];

	map->nr_queues = d->nr_queues - d->nr_poll;
	map->queue_offset = 0;
	blk_mq_map_queues(map);
	if (set->nr_maps <= HCTX_TYPE_POLL)
		return;
	/* Reads are as the others. */
	set->map[HCTX_TYPE_READ].nr_queues = 0;
	map = &set->map[HCTX_TYPE_POLL];
	map->nr_queues = d->nr_poll;
	map->queue_offset = d->nr_queues - d->nr_poll;
	blk_mq_map_queues(map);
}

/*
 * Is the back end's domain going? The toolstack takes its directory away, then it
 * destroys it. One that has closed before has unmapped before that; and one
 * that still has a state maps nothing but what its grants tell.
 */
static bool iddr_front_back_is_dying(const struct iddr_fdisk *d)
{
	return READ_ONCE(d->back_state) == XenbusStateUnknown &&
	       !READ_ONCE(d->back_closed);
}

/* Fail all requests in flight and to come; see iddr_fqueue_abort(). */
static void iddr_front_abort(struct iddr_fdisk *d)
{
	unsigned int i;

	mutex_lock(&d->queues_lock);
	for (i = 0; i < d->max_queues; i++)
		iddr_fqueue_abort(&d->fqs[i], iddr_front_back_is_dying(d));
	mutex_unlock(&d->queues_lock);
}

/* Return: how many of our pages the back end still maps. */
static unsigned int iddr_front_destroy_queues(struct iddr_fdisk *d)
{
	unsigned int i, mapped = 0;

	mutex_lock(&d->queues_lock);
	for (i = 0; i < d->max_queues; i++)
		mapped += iddr_fqueue_destroy(&d->fqs[i],
					      iddr_front_back_is_dying(d));
	mutex_unlock(&d->queues_lock);
	/* A queue that is gone does not queue it. */
	cancel_work_sync(&d->broken_work);
	return mapped;
}

static void iddr_front_broken_work(struct work_struct *work)
{
	struct iddr_fdisk *d =
		container_of(work, struct iddr_fdisk, broken_work);

	iddr_front_abort(d);
	xenbus_dev_fatal(d->xdev, d->broken_err,
			 "back end in domain %d broke the ring protocol (%s); its disk fails",
			 d->xdev->otherend_id, d->offence);
}

/* Any context. */
void iddr_fdisk_broken(struct iddr_fdisk *d, int err, const char *offence)
{
	d->broken_err = err;
	d->offence = offence;
	schedule_work(&d->broken_work);
}

static void iddr_front_queue_work(struct iddr_fdisk *d)
{
	unsigned long flags;

	spin_lock_irqsave(&d->work_lock, flags);
	if (!d->removing)
		queue_work(system_unbound_wq, &d->state_work);
	spin_unlock_irqrestore(&d->work_lock, flags);
}

/* Under the gendisk's open_mutex, as is iddr_release(). */
static int iddr_open(struct block_device *bdev, fmode_t fmode)
{
	struct iddr_fdisk *d = bdev->bd_disk->private_data;

	return d->closing ? -ENXIO : 0;
}

static void iddr_release(struct gendisk *gd, fmode_t fmode)
{
	struct iddr_fdisk *d = gd->private_data;

	if (READ_ONCE(d->close_pending) && !disk_openers(gd))
		iddr_front_queue_work(d);
}

static void iddr_free_disk(struct gendisk *gd)
{
	struct iddr_fdisk *d = gd->private_data;

	kref_put(&d->ref, iddr_fdisk_release);
}

static const struct block_device_operations iddr_fops = {
	.owner = THIS_MODULE,
	.open = iddr_open,
	.release = iddr_release,
	.free_disk = iddr_free_disk,
};

/* How many queues of which kind, and how large: what we want and may have. */
static void iddr_front_choose(struct iddr_fdisk *d)
{
	const char *back = d->xdev->otherend;
	unsigned int offered, wanted, order;

	offered = xenbus_read_unsigned(back, "multi-queue-max-queues", 1);
	offered = clamp(offered, 1U, d->max_queues);
	wanted = d->queues_wanted ? d->queues_wanted : num_online_cpus();
	wanted = min(wanted, offered);
	d->nr_poll = min(poll_queues, offered - wanted);
	d->nr_queues = wanted + d->nr_poll;
	order = xenbus_read_unsigned(back, "max-ring-page-order", 0);
	d->conf.ring_order = min(order, ring_page_order);
	d->conf.handle = d->vdev;
}

/* What the back end can do with requests; it has said so by now. */
static void iddr_front_read_conf(struct iddr_fdisk *d)
{
	const char *back = d->xdev->otherend;
	struct iddr_fconf *conf = &d->conf;
	unsigned int segs;

	segs = xenbus_read_unsigned(back, "feature-max-indirect-segments", 0);
	conf->max_segs = clamp(segs, (unsigned int)IDDR_INLINE_SEGS,
			       max_segments);
	conf->persistent = persistent &&
			   xenbus_read_unsigned(back, "feature-persistent", 0);
	/* Old back ends have barriers only; without data they flush. */
	conf->flush_op = BLKIF_OP_FLUSH_DISKCACHE;
	if (!xenbus_read_unsigned(back, "feature-flush-cache", 0) &&
	    xenbus_read_unsigned(back, "feature-barrier", 0))
		conf->flush_op = BLKIF_OP_WRITE_BARRIER;
}

/* All keys of a connection; those that say which others count must not remain
 * from one before it. */
static int iddr_front_write_keys(struct iddr_fdisk *d,
				 struct xenbus_transaction t)
{
	const char *dir = d->xdev->nodename;
	unsigned int i;
	int err;

	err = xenbus_printf(t, dir, "protocol", "%s", XEN_IO_PROTO_ABI_NATIVE);
	if (!err)
		err = xenbus_printf(t, dir, "feature-persistent", "%u",
				    persistent);
	if (err)
		return err;
	if (d->conf.ring_order)
		err = xenbus_printf(t, dir, "ring-page-order", "%u",
				    d->conf.ring_order);
	else if (xenbus_exists(t, dir, "ring-page-order"))
		err = xenbus_rm(t, dir, "ring-page-order");
	if (err)
		return err;
	if (d->nr_queues == 1) {
		if (xenbus_exists(t, dir, "multi-queue-num-queues"))
			err = xenbus_rm(t, dir, "multi-queue-num-queues");
		return err ? err : iddr_front_ring_publish(&d->fqs[0].q, t,
							   dir);
	}
	err = xenbus_printf(t, dir, "multi-queue-num-queues", "%u",
			    d->nr_queues);
	for (i = 0; i < d->nr_queues && !err; i++) {
		char *sub = kasprintf(GFP_KERNEL, "%s/queue-%u", dir, i);

		err = sub ? iddr_front_ring_publish(&d->fqs[i].q, t, sub) :
			    -ENOMEM;
		kfree(sub);
	}
	return err;
}

/* Rings and keys: from InitWait to Initialised. */
static void iddr_front_offer_ring(struct iddr_fdisk *d)
{
	struct xenbus_device *xdev = d->xdev;
	struct xenbus_transaction t;
	char thread_name[TASK_COMM_LEN];
	unsigned int i;
	int err = 0;

	snprintf(thread_name, sizeof(thread_name), "iddrf/%s", d->name);
	d->was_connected = false;
	d->broken_err = 0;
	WRITE_ONCE(d->back_closed, false);
	iddr_front_choose(d);
	mutex_lock(&d->queues_lock);
	for (i = 0; i < d->nr_queues && !err; i++) {
		bool polled = i >= d->nr_queues - d->nr_poll;

		err = iddr_fqueue_create(&d->fqs[i], xdev, i, polled, d->mode,
					 &d->wait_limits, thread_name);
	}
	mutex_unlock(&d->queues_lock);
	if (err)
		goto fail_queues;

again:
	err = xenbus_transaction_start(&t);
	if (err)
		goto fail;
	err = iddr_front_write_keys(d, t);
	if (err) {
		xenbus_transaction_end(t, 1);
		goto fail;
	}
	err = xenbus_transaction_end(t, 0);
	if (err == -EAGAIN)
		goto again;
	if (err)
		goto fail;
	xenbus_switch_state(xdev, XenbusStateInitialised);
	return;

fail:
	xenbus_dev_fatal(xdev, err, "writing the rings' keys");
fail_queues:
	iddr_front_destroy_queues(d);
}


/* The back end's description of the disk. Reports what is wrong with it. */
static int iddr_front_read_disk(struct iddr_fdisk *d, u64 *sectors,
				unsigned int *info, unsigned long *block_bytes)
{
	struct xenbus_device *xdev = d->xdev;
	unsigned long long s;
	int err;

	err = xenbus_gather(XBT_NIL, xdev->otherend,
			    "sectors", "%llu", &s,
			    "info", "%u", info,
			    "sector-size", "%lu", block_bytes, NULL);
	if (err) {
		xenbus_dev_fatal(xdev, err,
				 "reading sectors, info and sector-size of %s",
				 xdev->otherend);
		return err;
	}
	*sectors = s;
	err = iddr_check_geometry(s, *block_bytes);
	if (err)
		xenbus_dev_fatal(xdev, err,
				 "no such disk: %llu sectors of 512 bytes in blocks of %lu bytes",
				 s, *block_bytes);
	return err;
}

static void iddr_front_set_discard(struct iddr_fdisk *d, struct gendisk *gd,
				   unsigned long block_bytes)
{
	struct request_queue *rqq = gd->queue;
	const char *back = d->xdev->otherend;
	unsigned int granularity, alignment;

	if (!xenbus_read_unsigned(back, "feature-discard", 0))
		return;
	granularity = xenbus_read_unsigned(back, "discard-granularity", 0);
	alignment = xenbus_read_unsigned(back, "discard-alignment", 0);
	if (iddr_check_discard(granularity, alignment, block_bytes)) {
		dev_warn(&d->xdev->dev,
			 "no discard: granularity %u with alignment %u is impossible\n",
			 granularity, alignment);
		return;
	}
	rqq->limits.discard_granularity = granularity ? granularity :
							block_bytes;
	rqq->limits.discard_alignment = alignment;
	blk_queue_max_discard_sectors(rqq, UINT_MAX >> SECTOR_SHIFT);
	if (xenbus_read_unsigned(back, "discard-secure", 0))
		blk_queue_max_secure_erase_sectors(rqq,
						   UINT_MAX >> SECTOR_SHIFT);
}

static void iddr_front_set_limits(struct iddr_fdisk *d, struct gendisk *gd,
				  unsigned long block_bytes)
{
	struct request_queue *rqq = gd->queue;
	const char *back = d->xdev->otherend;
	unsigned int physical, max_sectors;

	max_sectors = d->conf.max_segs * (XEN_PAGE_SIZE >> SECTOR_SHIFT);
	blk_queue_logical_block_size(rqq, block_bytes);
	physical = xenbus_read_unsigned(back, "physical-sector-size",
					block_bytes);
	if (!iddr_check_geometry(0, physical) && physical > block_bytes)
		blk_queue_physical_block_size(rqq, physical);
	blk_queue_max_hw_sectors(rqq, max_sectors);
	/* Data is packed where it is not whole pages: memory may be as
	 * scattered as a sector a piece.
	 */
	blk_queue_max_segments(rqq, min(max_sectors, (unsigned int)USHRT_MAX));
	blk_queue_max_segment_size(rqq, max_sectors << SECTOR_SHIFT);
	/* blkif has no FUA: the block layer makes it a write and a flush. */
	blk_queue_write_cache(rqq,
		xenbus_read_unsigned(back, "feature-flush-cache", 0) ||
		xenbus_read_unsigned(back, "feature-barrier", 0), false);
	iddr_front_set_discard(d, gd, block_bytes);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, rqq);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, rqq);
}


/* Take the disk away from the block layer; users get errors from here on. */
static void iddr_front_drop_disk(struct iddr_fdisk *d)
{
	struct gendisk *gd = d->gd;

	if (!gd)
		return;
	if (d->linked)
		iddr_link_del(&d->link);
	d->linked = false;
	d->mode = READ_ONCE(d->fqs[0].q.mode_wanted);
	del_gendisk(gd);
	/* A submitter that lingers still looks at its queue when its request,
	 * which del_gendisk() has waited for, is over.
	 */
	synchronize_rcu();
	blk_mq_free_tag_set(&d->tag_set);
	WRITE_ONCE(d->gd, NULL);
	put_disk(gd);
}

/* The back end is connected: make the disk. */
static void iddr_front_add_disk(struct iddr_fdisk *d)
{
	struct xenbus_device *xdev = d->xdev;
	unsigned long block_bytes;
	struct gendisk *gd;
	unsigned int info, i;
	u64 sectors;
	int err = 0;

	if (iddr_front_read_disk(d, &sectors, &info, &block_bytes))
		return;
	iddr_front_read_conf(d);
	for (i = 0; i < d->nr_queues && !err; i++)
		err = iddr_fqueue_prepare(&d->fqs[i]);
	if (err)
		goto fail;

	memset(&d->tag_set, 0, sizeof(d->tag_set));
	d->tag_set.ops = &iddr_front_mq_ops;
	d->tag_set.nr_hw_queues = d->nr_queues;
	d->tag_set.nr_maps = d->nr_poll ? HCTX_MAX_TYPES : 1;
	d->tag_set.queue_depth = d->fqs[0].q.nr_slots;
	d->tag_set.numa_node = NUMA_NO_NODE;
	d->tag_set.flags = BLK_MQ_F_SHOULD_MERGE;
	d->tag_set.driver_data = d;
	err = blk_mq_alloc_tag_set(&d->tag_set);
	if (err)
		goto fail;
	gd = blk_mq_alloc_disk(&d->tag_set, d);
	if (IS_ERR(gd)) {
		err = PTR_ERR(gd);
		goto fail_tags;
	}
	gd->fops = &iddr_fops;
	gd->private_data = d;
	strscpy(gd->disk_name, d->name, sizeof(gd->disk_name));
	iddr_front_set_limits(d, gd, block_bytes);
	set_capacity(gd, sectors);
	set_disk_ro(gd, info & VDISK_READONLY);
	d->closing = false;
	xenbus_switch_state(xdev, XenbusStateConnected);

	kref_get(&d->ref);	/* dropped by iddr_free_disk() */
	/* No parent: the disk is not the xenbus device's child. */
	err = device_add_disk(NULL, gd, NULL);
	if (err) {
		kref_put(&d->ref, iddr_fdisk_release);
		goto fail_disk;
	}
	WRITE_ONCE(d->gd, gd);
	err = iddr_link_add(&d->link, &disk_to_dev(gd)->kobj, d->queues,
			    d->nr_queues, &d->wait_limits,
			    d->conf.persistent ? "persistent" : "grant");
	if (err) {
		iddr_front_drop_disk(d);
		goto fail;
	}
	d->linked = true;
	d->was_connected = true;
	/* The event of its coming was before iddr/ was there. */
	kobject_uevent(&disk_to_dev(gd)->kobj, KOBJ_CHANGE);
	return;

fail_disk:
	put_disk(gd);
fail_tags:
	blk_mq_free_tag_set(&d->tag_set);
fail:
	xenbus_dev_fatal(xdev, err, "creating disk %s", d->name);
}

/* The back end says Connected again: the disk's size may have changed. */
static void iddr_front_resize(struct iddr_fdisk *d)
{
	unsigned long block_bytes;
	unsigned int info;
	u64 sectors;

	if (iddr_front_read_disk(d, &sectors, &info, &block_bytes))
		return;
	if (block_bytes != queue_logical_block_size(d->gd->queue)) {
		dev_warn_ratelimited(&d->xdev->dev,
				     "the block size cannot change from %u to %lu; size not taken\n",
				     queue_logical_block_size(d->gd->queue),
				     block_bytes);
		return;
	}
	if (set_capacity_and_notify(d->gd, sectors))
		dev_info(&d->xdev->dev, "%s: now %llu sectors of 512 bytes\n",
			 d->name, sectors);
}

/* The back end wants to close: do, unless someone uses the disk. */
static void iddr_front_close(struct iddr_fdisk *d)
{
	if (d->gd) {
		bool in_use;

		mutex_lock(&d->gd->open_mutex);
		in_use = disk_openers(d->gd);
		d->closing = !in_use;
		WRITE_ONCE(d->close_pending, in_use);
		mutex_unlock(&d->gd->open_mutex);
		if (in_use) {
			dev_info(&d->xdev->dev,
				 "%s is in use; it closes when its last user does\n",
				 d->name);
			return;
		}
		iddr_front_drop_disk(d);
	}
	xenbus_frontend_closed(d->xdev);
}

/*
 * The back end has closed, or is gone without a word: no disk, no ring.
 * Return: how many of our pages it still maps.
 */
static unsigned int iddr_front_lose_back(struct iddr_fdisk *d)
{
	if (d->gd) {
		dev_warn(&d->xdev->dev, "back end of %s is gone: its I/O fails\n",
			 d->name);
		blk_mark_disk_dead(d->gd);
	}
	iddr_front_abort(d);
	iddr_front_drop_disk(d);
	WRITE_ONCE(d->close_pending, false);
	return iddr_front_destroy_queues(d);
}

/*
 * Close, and be ready for a back end that comes (back) for the same disk: the
 * toolstack says by "online" whether it is still wanted. Not after one that
 * broke the protocol; not if there never was a disk, since what failed would
 * fail again and again; and not while our pages are still mapped, since each
 * round would cost more of them.
 */
static void iddr_front_start_over(struct iddr_fdisk *d)
{
	bool again = d->was_connected && !d->broken_err &&
		     xenbus_read_unsigned(d->xdev->otherend, "online", 0);
	unsigned int mapped = iddr_front_lose_back(d);

	xenbus_frontend_closed(d->xdev);
	if (!again)
		return;
	if (mapped) {
		dev_warn(&d->xdev->dev,
			 "%s: %u pages are still mapped by the back end that is gone; bind the disk again to retry\n",
			 d->name, mapped);
		return;
	}
	xenbus_switch_state(d->xdev, XenbusStateInitialising);
	/* The new back end may have said so already; it will not repeat it. */
	if (READ_ONCE(d->back_state) == XenbusStateInitWait)
		iddr_front_offer_ring(d);
}

static void iddr_front_state_work(struct work_struct *work)
{
	struct iddr_fdisk *d =
		container_of(work, struct iddr_fdisk, state_work);

	/* The back end was gone once, whatever it says by now. */
	if (d->fqs[0].up && d->fqs[0].dead) {
		iddr_front_start_over(d);
		return;
	}
	switch (READ_ONCE(d->back_state)) {
	case XenbusStateInitWait:
		if (!d->fqs[0].up)
			iddr_front_offer_ring(d);
		break;
	case XenbusStateConnected:
		if (d->gd)
			iddr_front_resize(d);
		else if (d->fqs[0].up &&
			 d->xdev->state == XenbusStateInitialised)
			iddr_front_add_disk(d);
		break;
	case XenbusStateClosing:
		iddr_front_close(d);
		break;
	case XenbusStateClosed:
	case XenbusStateUnknown:
		if (d->fqs[0].up)
			iddr_front_start_over(d);
		break;
	default:
		break;
	}
}

/*
 * Has the back end that we were connected to gone? It closes, its directory
 * vanishes, or it is back at the beginning (what was in between has been missed).
 */
static bool iddr_front_back_is_gone(struct xenbus_device *xdev,
				    enum xenbus_state back)
{
	switch (back) {
	case XenbusStateClosed:
	case XenbusStateUnknown:
		return true;
	case XenbusStateInitialising:
	case XenbusStateInitWait:
		return xdev->state == XenbusStateConnected ||
		       xdev->state == XenbusStateClosing;
	default:
		return false;
	}
}

/* xenwatch. */
static void iddr_front_back_changed(struct xenbus_device *xdev,
				    enum xenbus_state state)
{
	struct iddr_fdisk *d = dev_get_drvdata(&xdev->dev);

	WRITE_ONCE(d->back_state, state);
	if (state == XenbusStateClosed)
		WRITE_ONCE(d->back_closed, true);
	/* A work item may be waiting for I/O that nobody will answer. */
	if (iddr_front_back_is_gone(xdev, state))
		iddr_front_abort(d);
	iddr_front_queue_work(d);
}

static void iddr_front_abort_work(struct work_struct *work)
{
	struct iddr_fdisk *d = container_of(to_delayed_work(work),
					    struct iddr_fdisk, abort_work);

	iddr_front_abort(d);
}

/* Ask the back end to unmap our pages, and give it some time. */
static void iddr_front_wait_closed(struct iddr_fdisk *d)
{
	struct xenbus_device *xdev = d->xdev;
	unsigned int ms;

	for (ms = 0; ms < IDDR_CLOSE_MS; ms += 10) {
		enum xenbus_state s = xenbus_read_driver_state(xdev->otherend);

		WRITE_ONCE(d->back_state, s);
		if (s == XenbusStateClosed || s == XenbusStateUnknown ||
		    s == XenbusStateInitWait)
			return;
		/* Step by step, as a back end expects it. */
		xenbus_switch_state(xdev, s == XenbusStateClosing ?
				    XenbusStateClosed : XenbusStateClosing);
		msleep(10);
	}
	dev_warn(&xdev->dev,
		 "back end did not close within %u ms; pages that it still maps are freed when it unmaps them\n",
		 IDDR_CLOSE_MS);
}

/* Unbound or unplugged. The disk may be in use. */
static void iddr_front_remove(struct xenbus_device *xdev)
{
	struct iddr_fdisk *d = dev_get_drvdata(&xdev->dev);
	enum xenbus_state s;
	bool alive;

	spin_lock_irq(&d->work_lock);
	d->removing = true;
	spin_unlock_irq(&d->work_lock);

	s = xenbus_read_driver_state(xdev->otherend);
	/* One that wants to close still serves until we have. */
	alive = s == XenbusStateConnected || s == XenbusStateClosing;
	/* Nobody tells us any more. */
	WRITE_ONCE(d->back_state, s);
	/* Dropping the disk writes back what is dirty and waits for what is in
	 * flight, and so may a work item: for a live back end within limits,
	 * for another not at all.
	 */
	if (alive)
		queue_delayed_work(system_unbound_wq, &d->abort_work,
				   msecs_to_jiffies(IDDR_DRAIN_MS));
	else
		iddr_front_abort(d);
	cancel_work_sync(&d->state_work);
	iddr_front_drop_disk(d);
	cancel_delayed_work_sync(&d->abort_work);
	if (d->fqs[0].up && alive)
		iddr_front_wait_closed(d);
	iddr_front_destroy_queues(d);
	dev_set_drvdata(&xdev->dev, NULL);
	kref_put(&d->ref, iddr_fdisk_release);
}

static struct iddr_fdisk *iddr_fdisk_alloc(void)
{
	struct iddr_fdisk *d = kzalloc(sizeof(*d), GFP_KERNEL);
	unsigned int i;

	if (!d)
		return NULL;
	d->queues_wanted = READ_ONCE(queues);
	d->max_queues = (d->queues_wanted ? d->queues_wanted :
			 num_possible_cpus()) + poll_queues;
	d->fqs = kvcalloc(d->max_queues, sizeof(*d->fqs), GFP_KERNEL);
	d->queues = kcalloc(d->max_queues, sizeof(*d->queues), GFP_KERNEL);
	if (!d->fqs || !d->queues) {
		iddr_fdisk_free(d);
		return NULL;
	}
	for (i = 0; i < d->max_queues; i++) {
		iddr_fqueue_init(&d->fqs[i], d, &d->conf);
		d->queues[i] = &d->fqs[i].q;
	}
	return d;
}

static int iddr_front_probe(struct xenbus_device *xdev,
			    const struct xenbus_device_id *id)
{
	struct iddr_fdisk *d;
	u32 vdev;
	int err;

	err = xenbus_scanf(XBT_NIL, xdev->nodename, "virtual-device", "%u",
			   &vdev);
	if (err != 1) {
		xenbus_dev_fatal(xdev, -EINVAL, "reading virtual-device");
		return -EINVAL;
	}

	d = iddr_fdisk_alloc();
	if (!d) {
		xenbus_dev_fatal(xdev, -ENOMEM, "allocating a disk");
		return -ENOMEM;
	}
	err = iddr_vdev_name(vdev, d->name, sizeof(d->name));
	if (err) {
		xenbus_dev_fatal(xdev, err,
				 "virtual device %u is no xvd disk: use vdev=xvdX",
				 vdev);
		iddr_fdisk_free(d);
		return err;
	}
	kref_init(&d->ref);
	d->xdev = xdev;
	d->vdev = vdev;
	d->mode = iddr_mode_parse(mode);
	d->back_state = XenbusStateInitialising;
	iddr_wait_limits_init(&d->wait_limits, budget_us);
	INIT_WORK(&d->broken_work, iddr_front_broken_work);
	mutex_init(&d->queues_lock);
	spin_lock_init(&d->work_lock);
	INIT_WORK(&d->state_work, iddr_front_state_work);
	INIT_DELAYED_WORK(&d->abort_work, iddr_front_abort_work);
	dev_set_drvdata(&xdev->dev, d);
	/* Bound anew after an unbind: the back end waits for this. */
	return xenbus_switch_state(xdev, XenbusStateInitialising);
}

static const struct xenbus_device_id iddr_front_ids[] = {
	{ "vbd" },
	{ "" }
};

static struct xenbus_driver iddr_front_driver = {
	.name = "iddr_front",
	.ids = iddr_front_ids,
	.probe = iddr_front_probe,
	.remove = iddr_front_remove,
	.otherend_changed = iddr_front_back_changed,
};

static int __init iddr_front_init(void)
{
	if (!xen_domain())
		return -ENODEV;
	if (iddr_mode_parse(mode) < 0) {
		pr_err("iddr_front: mode=%s is none of: event, spin, hybrid, adaptive\n",
		       mode);
		return -EINVAL;
	}
	if (poll_queues > 64 ||
	    ring_page_order > IDDR_MAX_RING_ORDER ||
	    max_segments < IDDR_INLINE_SEGS || max_segments > IDDR_MAX_SEGS) {
		pr_err("iddr_front: poll_queues must be 0 to 64, ring_page_order 0 to 4, max_segments 11 to 4096\n");
		return -EINVAL;
	}
	return xenbus_register_frontend(&iddr_front_driver);
}
module_init(iddr_front_init);

static void __exit iddr_front_exit(void)
{
	xenbus_unregister_driver(&iddr_front_driver);
}
module_exit(iddr_front_exit);

MODULE_DESCRIPTION("IDDR front end: block devices served by another domain");
MODULE_AUTHOR("IDDR authors");
/* Also makes the kernel show srcversion, by which results name the module. */
MODULE_VERSION("0.2");
MODULE_LICENSE("GPL");
/* No alias: it would be loaded by itself wherever xen-blkfront is wanted. */
