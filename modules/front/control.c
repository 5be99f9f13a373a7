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
 * remove; then, if it is parked, until it is given up: recovery.c), one from its
 * gendisk (until the last user has closed it, which may be long after the device
 * was removed), and one from its work item while that is queued.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <xen/interface/io/protocols.h>

#include "iddr_front.h"

/* How long requests in flight may take when a live back end is left. */
#define IDDR_DRAIN_MS		10000
/* How long the back end may take to let go of our pages. */
#define IDDR_CLOSE_MS		5000
/* How long before the domain is suspended requests in flight are waited for. */
#define IDDR_SUSPEND_MS		2000

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

struct workqueue_struct *iddr_front_wq;

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

void iddr_fdisk_put(struct iddr_fdisk *d)
{
	kref_put(&d->ref, iddr_fdisk_release);
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

/*
 * The back end is lost. Fail all requests in flight and to come, or park the disk
 * with them. Idempotent.
 */
static void iddr_front_abort(struct iddr_fdisk *d)
{
	bool dying = iddr_front_back_is_dying(d);
	unsigned int i;

	mutex_lock(&d->queues_lock);
	d->lost = d->fqs[0].up;
	if (iddr_recovery_may_park(d))
		iddr_recovery_park(d);
	for (i = 0; i < d->max_queues; i++)
		iddr_fqueue_close(&d->fqs[i], dying);
	/* Whoever has not seen that is through. */
	if (d->parked)
		blk_mq_wait_quiesce_done(d->gd->queue);
	for (i = 0; i < d->max_queues; i++)
		d->kept += iddr_fqueue_abort(&d->fqs[i], d->parked);
	mutex_unlock(&d->queues_lock);
}

/*
 * What there is of queues, but for a parked disk's threads.
 * Return: how many of our pages the back end still maps.
 */
static unsigned int iddr_front_destroy_queues(struct iddr_fdisk *d)
{
	unsigned int i, mapped = 0;

	mutex_lock(&d->queues_lock);
	for (i = 0; i < d->max_queues; i++)
		mapped += iddr_fqueue_destroy(&d->fqs[i],
					      iddr_front_back_is_dying(d),
					      d->parked);
	mutex_unlock(&d->queues_lock);
	/* A queue that is gone does not queue it. */
	cancel_work_sync(&d->broken_work);
	return mapped;
}

static void iddr_front_broken_work(struct work_struct *work)
{
	struct iddr_fdisk *d =
		container_of(work, struct iddr_fdisk, broken_work);
	/* As in the state work, which waits for us. */
	unsigned int noio = memalloc_noio_save();

	iddr_front_abort(d);
	xenbus_dev_fatal(d->xdev, d->broken_err,
			 "back end in domain %d broke the ring protocol (%s); its disk %s",
			 d->xdev->otherend_id, d->offence,
			 d->parked ? "is parked" : "fails");
	memalloc_noio_restore(noio);
}

/* Any context. */
void iddr_fdisk_broken(struct iddr_fdisk *d, int err, const char *offence)
{
	d->broken_err = err;
	d->offence = offence;
	queue_work(iddr_front_wq, &d->broken_work);
}

/* Any context. */
void iddr_fdisk_queue_work(struct iddr_fdisk *d)
{
	unsigned long flags;

	spin_lock_irqsave(&d->work_lock, flags);
	if (!d->removing) {
		kref_get(&d->ref);
		if (!queue_work(iddr_front_wq, &d->state_work))
			iddr_fdisk_put(d);
	}
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
		iddr_fdisk_queue_work(d);
}

static void iddr_free_disk(struct gendisk *gd)
{
	struct iddr_fdisk *d = gd->private_data;

	iddr_fdisk_put(d);
}

static const struct block_device_operations iddr_fops = {
	.owner = THIS_MODULE,
	.open = iddr_open,
	.release = iddr_release,
	.free_disk = iddr_free_disk,
};

/*
 * How many queues of which kind, and how large: what we want and may have, or, for a
 * disk that is parked, what it had.
 * Return: NULL, or what the back end lacks for that, in words.
 */
static const char *iddr_front_choose(struct iddr_fdisk *d)
{
	const char *back = d->xdev->otherend;
	struct iddr_fdesc offers = { };
	unsigned int wanted;

	offers.queues = xenbus_read_unsigned(back, "multi-queue-max-queues", 1);
	offers.ring_order = xenbus_read_unsigned(back, "max-ring-page-order", 0);
	d->conf.handle = d->vdev;
	if (d->parked)
		return iddr_check_rings(&d->desc, &offers);

	offers.queues = clamp(offers.queues, 1U, d->max_queues);
	wanted = d->queues_wanted ? d->queues_wanted : num_online_cpus();
	wanted = min(wanted, offers.queues);
	d->nr_poll = min(poll_queues, offers.queues - wanted);
	d->nr_queues = wanted + d->nr_poll;
	d->conf.ring_order = min(offers.ring_order, ring_page_order);
	return NULL;
}

/* What the back end can do with requests; it has said so by now. */
static void iddr_front_read_conf(struct iddr_fdisk *d)
{
	const char *back = d->xdev->otherend;
	struct iddr_fconf *conf = &d->conf;

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

/* The back end cannot take over the parked disk, and is not asked again. */
static void iddr_front_refuse(struct iddr_fdisk *d, const char *why)
{
	d->refused = true;
	xenbus_dev_fatal(d->xdev, -ENODEV,
			 "domain %d cannot take over the parked disk %s: %s; detach it and attach the right one",
			 d->xdev->otherend_id, d->name, why);
	iddr_recovery_stays(d);
}

/* Rings and keys: from InitWait to Initialised. */
static void iddr_front_offer_ring(struct iddr_fdisk *d)
{
	struct xenbus_device *xdev = d->xdev;
	const char *lacks;
	struct xenbus_transaction t;
	char thread_name[TASK_COMM_LEN];
	unsigned int i;
	int err = 0;

	snprintf(thread_name, sizeof(thread_name), "iddrf/%s", d->name);
	d->was_connected = false;
	d->broken_err = 0;
	WRITE_ONCE(d->back_closed, false);
	lacks = iddr_front_choose(d);
	if (lacks) {
		iddr_front_refuse(d, lacks);
		return;
	}
	mutex_lock(&d->queues_lock);
	d->lost = false;
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
	/* What was short may not be for long, and a parked disk waits. */
	d->reopen = d->parked;
}

/* Can the back end discard, and how? */
static void iddr_front_read_discard(struct iddr_fdisk *d,
				    struct iddr_fdesc *desc)
{
	const char *back = d->xdev->otherend;

	if (!xenbus_read_unsigned(back, "feature-discard", 0))
		return;
	desc->discard_granularity =
		xenbus_read_unsigned(back, "discard-granularity", 0);
	desc->discard_alignment =
		xenbus_read_unsigned(back, "discard-alignment", 0);
	if (iddr_check_discard(desc->discard_granularity,
			       desc->discard_alignment, desc->block_bytes)) {
		dev_warn(&d->xdev->dev,
			 "no discard: granularity %u with alignment %u is impossible\n",
			 desc->discard_granularity, desc->discard_alignment);
		return;
	}
	desc->discard = true;
	desc->secure_erase = xenbus_read_unsigned(back, "discard-secure", 0);
}

/* Size and block size. Reports what is wrong with them. */
static int iddr_front_read_size(struct iddr_fdisk *d, struct iddr_fdesc *desc,
				unsigned int *info)
{
	struct xenbus_device *xdev = d->xdev;
	unsigned long long s;
	int err;

	err = xenbus_gather(XBT_NIL, xdev->otherend,
			    "sectors", "%llu", &s,
			    "info", "%u", info,
			    "sector-size", "%lu", &desc->block_bytes, NULL);
	if (err) {
		xenbus_dev_fatal(xdev, err,
				 "reading sectors, info and sector-size of %s",
				 xdev->otherend);
		return err;
	}
	desc->sectors = s;
	err = iddr_check_geometry(s, desc->block_bytes);
	if (err)
		xenbus_dev_fatal(xdev, err,
				 "no such disk: %llu sectors of 512 bytes in blocks of %lu bytes",
				 s, desc->block_bytes);
	return err;
}

/* The back end's description of the disk. Reports what is wrong with it. */
static int iddr_front_read_disk(struct iddr_fdisk *d, struct iddr_fdesc *desc)
{
	const char *back = d->xdev->otherend;
	unsigned int info;
	char *identity;
	int err;

	memset(desc, 0, sizeof(*desc));
	err = iddr_front_read_size(d, desc, &info);
	if (err)
		return err;
	desc->read_only = info & VDISK_READONLY;
	desc->max_segs = xenbus_read_unsigned(back,
					"feature-max-indirect-segments", 0);
	desc->max_segs = max_t(u32, desc->max_segs, IDDR_INLINE_SEGS);
	desc->flush = xenbus_read_unsigned(back, "feature-flush-cache", 0) ||
		      xenbus_read_unsigned(back, "feature-barrier", 0);
	iddr_front_read_discard(d, desc);
	identity = xenbus_read(XBT_NIL, back, "iddr-identity", NULL);
	if (IS_ERR(identity))
		return 0;
	if (strscpy(desc->identity, identity, sizeof(desc->identity)) < 0)
		desc->identity[0] = '\0';
	kfree(identity);
	return 0;
}

/* What the back end may turn out not to do (iddr_front_unsupported()). */
static void iddr_front_set_features(struct iddr_fdisk *d, struct gendisk *gd)
{
	struct request_queue *rqq = gd->queue;

	d->lacking = false;
	/* blkif has no FUA: the block layer makes it a write and a flush. */
	blk_queue_write_cache(rqq, d->desc.flush, false);
	if (!d->desc.discard)
		return;
	rqq->limits.discard_granularity = d->desc.discard_granularity ?:
					  d->desc.block_bytes;
	rqq->limits.discard_alignment = d->desc.discard_alignment;
	blk_queue_max_discard_sectors(rqq, UINT_MAX >> SECTOR_SHIFT);
	if (d->desc.secure_erase)
		blk_queue_max_secure_erase_sectors(rqq,
						   UINT_MAX >> SECTOR_SHIFT);
}

static void iddr_front_set_limits(struct iddr_fdisk *d, struct gendisk *gd)
{
	unsigned long block_bytes = d->desc.block_bytes;
	struct request_queue *rqq = gd->queue;
	unsigned int physical, max_sectors;

	max_sectors = d->conf.max_segs * (XEN_PAGE_SIZE >> SECTOR_SHIFT);
	blk_queue_logical_block_size(rqq, block_bytes);
	physical = xenbus_read_unsigned(d->xdev->otherend,
					"physical-sector-size", block_bytes);
	if (!iddr_check_geometry(0, physical) && physical > block_bytes)
		blk_queue_physical_block_size(rqq, physical);
	blk_queue_max_hw_sectors(rqq, max_sectors);
	/* Data is packed where it is not whole pages: memory may be as
	 * scattered as a sector a piece.
	 */
	blk_queue_max_segments(rqq, min(max_sectors, (unsigned int)USHRT_MAX));
	blk_queue_max_segment_size(rqq, max_sectors << SECTOR_SHIFT);
	iddr_front_set_features(d, gd);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, rqq);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, rqq);
}

/* Take the connection's queues out of sysfs. */
static void iddr_front_hide_queues(struct iddr_fdisk *d)
{
	if (!d->linked || !d->link.shown)
		return;
	iddr_link_hide(&d->link);
	/* A later connection goes on as this one was last set. */
	d->mode = READ_ONCE(d->fqs[0].q.mode_wanted);
}

static int iddr_front_show_queues(struct iddr_fdisk *d)
{
	return iddr_link_show(&d->link, d->queues, d->nr_queues,
			      &d->wait_limits,
			      d->conf.persistent ? "persistent" : "grant");
}

/* Take the disk away from the block layer; users get errors from here on. */
void iddr_fdisk_drop_disk(struct iddr_fdisk *d)
{
	struct gendisk *gd = d->gd;
	unsigned int i;

	if (!gd)
		return;
	mutex_lock(&d->queues_lock);
	/* It waits for its I/O below, which must not be parked. */
	d->lasting = false;
	if (d->parked)
		iddr_recovery_unpark(d);
	mutex_unlock(&d->queues_lock);
	iddr_recovery_cancel(d);
	iddr_front_hide_queues(d);
	if (d->linked)
		iddr_link_del(&d->link);
	d->linked = false;
	del_gendisk(gd);
	/* A submitter that lingers still looks at its queue when its request,
	 * which del_gendisk() has waited for, is over.
	 */
	synchronize_rcu();
	blk_mq_free_tag_set(&d->tag_set);
	WRITE_ONCE(d->gd, NULL);
	put_disk(gd);
	/* Those threads that have waited for a connection. */
	mutex_lock(&d->queues_lock);
	for (i = 0; i < d->max_queues; i++)
		if (!d->fqs[i].up)
			iddr_queue_put(&d->fqs[i].q);
	mutex_unlock(&d->queues_lock);
}

/*
 * Take requests, unless the back end is lost already, or the parked disk given up.
 * Return: they are taken.
 */
static bool iddr_front_open_queues(struct iddr_fdisk *d)
{
	unsigned int i;
	bool open;

	mutex_lock(&d->queues_lock);
	/* Who has been told that it is given up can rely on that. */
	open = !d->lost && !(d->parked && d->give_up);
	if (open)
		d->last_peer = d->xdev->otherend_id;
	for (i = 0; i < d->nr_queues && open; i++)
		iddr_fqueue_open(&d->fqs[i]);
	if (open && d->parked)
		iddr_recovery_resume(d);
	mutex_unlock(&d->queues_lock);
	return open;
}

static int iddr_front_prepare_queues(struct iddr_fdisk *d)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < d->nr_queues && !err; i++)
		err = iddr_fqueue_prepare(&d->fqs[i]);
	return err;
}

/* The back end is connected: make the disk. */
static void iddr_front_add_disk(struct iddr_fdisk *d)
{
	struct xenbus_device *xdev = d->xdev;
	struct gendisk *gd;
	int err;

	if (iddr_front_read_disk(d, &d->desc))
		return;
	iddr_front_read_conf(d);
	d->conf.max_segs = min(d->desc.max_segs, max_segments);
	d->desc.max_segs = d->conf.max_segs;
	d->desc.queues = d->nr_queues;
	d->desc.ring_order = d->conf.ring_order;
	err = iddr_front_prepare_queues(d);
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
	iddr_front_set_limits(d, gd);
	set_capacity(gd, d->desc.sectors);
	set_disk_ro(gd, d->desc.read_only);
	d->closing = false;
	d->leaving = false;
	/* Where an orphan of that name is, it is on its way. */
	iddr_recovery_wait_name(d->name);
	iddr_front_open_queues(d);
	xenbus_switch_state(xdev, XenbusStateConnected);

	kref_get(&d->ref);	/* dropped by iddr_free_disk() */
	/* No parent: the disk is not the xenbus device's child. */
	err = device_add_disk(NULL, gd, NULL);
	if (err) {
		iddr_fdisk_put(d);
		goto fail_disk;
	}
	WRITE_ONCE(d->gd, gd);
	err = iddr_link_add(&d->link, &disk_to_dev(gd)->kobj);
	d->linked = !err;
	if (!err)
		err = iddr_recovery_add_files(d);
	if (!err)
		err = iddr_front_show_queues(d);
	if (err) {
		iddr_fdisk_drop_disk(d);
		goto fail;
	}
	d->was_connected = true;
	if (!d->desc.identity[0])
		dev_info(&xdev->dev,
			 "%s has no identity: it will not be parked when its back end goes\n",
			 d->name);
	/* What reads of it there were, of partitions, is over. */
	mutex_lock(&d->queues_lock);
	d->lasting = !d->lost;
	mutex_unlock(&d->queues_lock);
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

static void iddr_front_set_size(struct iddr_fdisk *d, u64 sectors)
{
	d->desc.sectors = sectors;
	if (set_capacity_and_notify(d->gd, sectors))
		dev_info(&d->xdev->dev, "%s: now %llu sectors of 512 bytes\n",
			 d->name, sectors);
}

/* A back end has come for the parked disk: is it the same? Then go on. */
static void iddr_front_resume_disk(struct iddr_fdisk *d)
{
	struct iddr_fdesc offers;
	const char *lacks;
	int err;

	if (iddr_front_read_disk(d, &offers)) {
		d->refused = true;
		return;
	}
	lacks = iddr_check_same(&d->desc, &offers);
	if (lacks) {
		iddr_front_refuse(d, lacks);
		return;
	}
	iddr_front_read_conf(d);
	err = iddr_front_prepare_queues(d);
	if (!err)
		err = iddr_front_show_queues(d);
	if (err) {
		xenbus_dev_fatal(d->xdev, err, "resuming disk %s", d->name);
		return;
	}
	/* This one may do what the one before did not. */
	if (d->lacking)
		iddr_front_set_features(d, d->gd);
	xenbus_switch_state(d->xdev, XenbusStateConnected);
	if (!iddr_front_open_queues(d)) {
		/* Given up meanwhile: this connection is not the next disk's. */
		if (!READ_ONCE(d->lost)) {
			d->refused = true;
			xenbus_switch_state(d->xdev, XenbusStateClosing);
		}
		return;
	}
	d->was_connected = true;
	iddr_front_set_size(d, offers.sectors);
	iddr_recovery_changed(d);
}

/* The back end says Connected again: the disk's size may have changed. */
static void iddr_front_resize(struct iddr_fdisk *d)
{
	struct iddr_fdesc now;
	unsigned int info;

	if (iddr_front_read_size(d, &now, &info))
		return;
	if (now.block_bytes != d->desc.block_bytes) {
		dev_warn_ratelimited(&d->xdev->dev,
				     "the block size cannot change from %lu to %lu; size not taken\n",
				     d->desc.block_bytes, now.block_bytes);
		return;
	}
	iddr_front_set_size(d, now.sectors);
}

/* The back end wants to close: do, unless someone uses the disk. */
static void iddr_front_close(struct iddr_fdisk *d)
{
	if (d->gd) {
		/* Who holds open_mutex may be waiting for I/O: it is not parked
		 * from here on.
		 */
		mutex_lock(&d->queues_lock);
		d->leaving = true;
		d->give_up = d->parked;
		mutex_unlock(&d->queues_lock);
		/* If it was just now, nobody will serve it. */
		iddr_recovery_give_up(d);
	}
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
		iddr_fdisk_drop_disk(d);
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
	iddr_fdisk_drop_disk(d);
	WRITE_ONCE(d->close_pending, false);
	return iddr_front_destroy_queues(d);
}

/*
 * Close, and be ready for a back end that comes (back) for the same disk: the
 * toolstack says by "online" whether it is still wanted. Not after one that
 * broke the protocol, or was refused: the disk is to be attached, or bound, anew.
 * If it has not been parked, not if there never was a disk, since what failed would
 * fail again and again; and not while our pages are still mapped, since each
 * round would cost more of them. (A parked disk waits for that: recovery.c.)
 */
static void iddr_front_start_over(struct iddr_fdisk *d)
{
	bool again = !d->broken_err && !d->refused &&
		     xenbus_read_unsigned(d->xdev->otherend, "online", 0);

	iddr_front_abort(d);
	if (d->parked) {
		if (d->was_connected)
			dev_warn(&d->xdev->dev,
				 "back end of %s is gone: it is parked\n",
				 d->name);
		iddr_front_hide_queues(d);
		iddr_front_destroy_queues(d);
		if (d->was_connected)
			iddr_recovery_changed(d);
		if (!again)
			iddr_recovery_stays(d);
	} else {
		unsigned int mapped = iddr_front_lose_back(d);

		/* Or one has been refused in favour of the disk that there was. */
		again = again && (d->was_connected || d->restored || d->reopen);
		if (again && mapped) {
			dev_warn(&d->xdev->dev,
				 "%s: %u pages are still mapped by the back end that is gone; bind the disk again to retry\n",
				 d->name, mapped);
			again = false;
		}
	}
	d->was_connected = false;
	d->restored = false;
	d->reopen = again;
	/* A new back end may be there already, which would answer our being
	 * closed when we have begun anew.
	 */
	if (!d->parked || !again ||
	    READ_ONCE(d->back_state) == XenbusStateClosing)
		xenbus_frontend_closed(d->xdev);
}

/* Begin anew, if that is wanted and the back end is through with the last time. */
static void iddr_front_reopen(struct iddr_fdisk *d)
{
	if (!d->reopen || d->fqs[0].up ||
	    READ_ONCE(d->back_state) == XenbusStateClosing)
		return;
	d->reopen = false;
	xenbus_switch_state(d->xdev, XenbusStateInitialising);
}

/* The back end waits for rings. */
static void iddr_front_offer(struct iddr_fdisk *d)
{
	if (d->fqs[0].up)
		return;
	/* Who has broken the protocol is not asked again. */
	if (d->parked ? d->xdev->state != XenbusStateInitialising :
	    d->broken_err)
		return;
	if (iddr_recovery_may_offer(d))
		iddr_front_offer_ring(d);
}

/*
 * The back end wants to close. If the toolstack wants the disk to stay, it is not
 * to go with it.
 */
static void iddr_front_back_closes(struct iddr_fdisk *d)
{
	bool stays = xenbus_read_unsigned(d->xdev->otherend, "online", 0);

	if (stays && iddr_recovery_may_park(d))
		iddr_front_abort(d);
	if (d->parked) {
		d->reopen = stays && !d->broken_err && !d->refused;
		xenbus_frontend_closed(d->xdev);
	} else {
		iddr_front_close(d);
	}
}

static void iddr_front_note_state(struct iddr_fdisk *d, enum xenbus_state s)
{
	WRITE_ONCE(d->back_state, s);
	if (s == XenbusStateClosed)
		WRITE_ONCE(d->back_closed, true);
}

/* Ask the back end to unmap our pages, and give it some time. */
static void iddr_front_wait_closed(struct iddr_fdisk *d)
{
	struct xenbus_device *xdev = d->xdev;
	unsigned int ms;

	for (ms = 0; ms < IDDR_CLOSE_MS; ms += 10) {
		enum xenbus_state s = xenbus_read_driver_state(xdev->otherend);

		iddr_front_note_state(d, s);
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

/*
 * The domain has been restored. Its back end is a new one, unless it was restored in
 * place: then it is the old one, which has to close before it takes other rings.
 */
static void iddr_front_leave_old_back(struct iddr_fdisk *d)
{
	enum xenbus_state s = xenbus_read_driver_state(d->xdev->otherend);

	if (s == XenbusStateConnected || s == XenbusStateClosing)
		iddr_front_wait_closed(d);
}

/* The domain has been suspended, and is back: look at what there is. */
static void iddr_front_thaw(struct iddr_fdisk *d)
{
	unsigned int i;

	/* Restored without this disk, so that iddr_front_resume() was not called. */
	if (READ_ONCE(d->frozen) && !d->xdev->otherend) {
		iddr_front_note_state(d, XenbusStateUnknown);
		iddr_front_abort(d);
	}
	mutex_lock(&d->queues_lock);
	if (d->frozen) {
		d->frozen = false;
		for (i = 0; i < d->max_queues; i++)
			if (d->fqs[i].up)
				iddr_queue_thaw(&d->fqs[i].q);
		if (d->gd)
			blk_mq_unquiesce_queue(d->gd->queue);
	}
	mutex_unlock(&d->queues_lock);
}

/* What the back end's state asks for. */
static void iddr_front_act(struct iddr_fdisk *d)
{
	iddr_front_thaw(d);
	iddr_recovery_give_up(d);
	if (d->restored && d->lost)
		iddr_front_leave_old_back(d);
	/* The back end was gone once, whatever it says by now. A parked disk
	 * lets it close before it takes the rings away.
	 */
	if (d->fqs[0].up && d->lost &&
	    !(d->parked && READ_ONCE(d->back_state) == XenbusStateClosing))
		iddr_front_start_over(d);
	iddr_front_reopen(d);
	switch (READ_ONCE(d->back_state)) {
	case XenbusStateInitWait:
		iddr_front_offer(d);
		break;
	case XenbusStateConnected:
		if (d->fqs[0].up && d->xdev->state == XenbusStateInitialised) {
			if (!iddr_recovery_may_resume(d))
				break;
			if (d->gd)
				iddr_front_resume_disk(d);
			else
				iddr_front_add_disk(d);
		} else if (d->gd && !d->parked) {
			iddr_front_resize(d);
		}
		break;
	case XenbusStateClosing:
		iddr_front_back_closes(d);
		break;
	case XenbusStateClosed:
	case XenbusStateUnknown:
		if (d->fqs[0].up) {
			iddr_front_start_over(d);
			iddr_front_reopen(d);
		}
		break;
	default:
		break;
	}
}

static void iddr_front_state_work(struct work_struct *work)
{
	struct iddr_fdisk *d =
		container_of(work, struct iddr_fdisk, state_work);
	/* Memory for going on must not be waited for from a parked disk. */
	unsigned int noio = memalloc_noio_save();

	if (!iddr_recovery_spare_work(d) && !iddr_recovery_orphan_work(d))
		iddr_front_act(d);
	memalloc_noio_restore(noio);
	iddr_fdisk_put(d);
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

/* Whose device it is, with a reference. Its back end's state is @state. */
static struct iddr_fdisk *iddr_front_get(struct xenbus_device *xdev,
					 enum xenbus_state state)
{
	struct iddr_fdisk *d;

	mutex_lock(&iddr_devices_lock);
	d = dev_get_drvdata(&xdev->dev);
	iddr_front_note_state(d, state);
	kref_get(&d->ref);
	mutex_unlock(&iddr_devices_lock);
	return d;
}

/* xenwatch. */
static void iddr_front_back_changed(struct xenbus_device *xdev,
				    enum xenbus_state state)
{
	struct iddr_fdisk *d = iddr_front_get(xdev, state);

	iddr_front_thaw(d);
	/* A work item may be waiting for I/O that nobody will answer. */
	if (iddr_front_back_is_gone(xdev, state))
		iddr_front_abort(d);
	iddr_fdisk_queue_work(d);
	iddr_fdisk_put(d);
}

/*
 * Wait a while until all is answered. Under queues_lock; the disk is quiesced.
 * Return: how many requests are not.
 */
static unsigned int iddr_front_wait_answers(struct iddr_fdisk *d)
{
	unsigned int i, ms, in_flight;

	for (ms = 0;; ms += 10) {
		in_flight = 0;
		for (i = 0; i < d->max_queues; i++)
			in_flight += iddr_fqueue_in_flight(&d->fqs[i]);
		if (!in_flight || ms >= IDDR_SUSPEND_MS)
			return in_flight;
		msleep(10);
	}
}

/* Stand still, until iddr_front_thaw(). Under queues_lock. */
static void iddr_front_freeze(struct iddr_fdisk *d)
{
	unsigned int i, in_flight = 0;

	if (d->gd) {
		blk_mq_quiesce_queue(d->gd->queue);
		in_flight = iddr_front_wait_answers(d);
	}
	for (i = 0; i < d->max_queues; i++)
		if (d->fqs[i].up)
			iddr_queue_freeze(&d->fqs[i].q);
	d->frozen = true;
	if (in_flight)
		dev_warn(&d->xdev->dev,
			 "%s: suspended with %u requests not answered: if the domain is restored, they are issued again; see to it that domain %d is through with them\n",
			 d->name, in_flight, d->xdev->otherend_id);
}

/*
 * The domain is about to be suspended: to be saved, migrated or copied. Its back end
 * stays behind, and may write to our pages when they have been saved already. So
 * from here on no answer is looked at. Tasks and the work item are frozen,
 * and thawed when the domain is back: here, and then all is as it was; or, if
 * iddr_front_resume() is called, with other back ends.
 */
static int iddr_front_suspend(struct xenbus_device *xdev)
{
	enum xenbus_state back = xenbus_read_driver_state(xdev->otherend);
	struct iddr_fdisk *d = iddr_front_get(xdev, back);

	if (iddr_front_back_is_gone(xdev, back))
		iddr_front_abort(d);
	mutex_lock(&d->queues_lock);
	if (d->fqs[0].up && !d->lost && !d->frozen)
		iddr_front_freeze(d);
	mutex_unlock(&d->queues_lock);
	iddr_fdisk_queue_work(d);
	iddr_fdisk_put(d);
	return 0;
}

/*
 * It is back, with no connection: grants and ports are gone. xenbus has read who its
 * back end is, and tells of its state next. What was in flight is issued again,
 * whatever the policy, since no back end has failed. That the old one is through with
 * it cannot be seen from here any more (recovery.c); the toolstack sees to that.
 */
static int iddr_front_resume(struct xenbus_device *xdev)
{
	struct iddr_fdisk *d = iddr_front_get(xdev, XenbusStateInitialising);

	cancel_work_sync(&d->broken_work);
	mutex_lock(&d->queues_lock);
	d->restored = d->frozen;
	if (d->frozen && d->lasting && !d->parked)
		iddr_recovery_park(d);
	/* What the old back end has wanted, broken or lacked. */
	d->leaving = false;
	d->broken_err = 0;
	d->refused = false;
	mutex_unlock(&d->queues_lock);
	WRITE_ONCE(d->close_pending, false);
	iddr_front_abort(d);
	iddr_fdisk_put(d);
	return 0;
}

static void iddr_front_abort_work(struct work_struct *work)
{
	struct iddr_fdisk *d = container_of(to_delayed_work(work),
					    struct iddr_fdisk, abort_work);

	iddr_front_abort(d);
}

/*
 * Unbound or unplugged. The disk may be in use: it is kept if its back end has gone
 * and it may wait for another, else it goes.
 */
static void iddr_front_remove(struct xenbus_device *xdev)
{
	struct iddr_fdisk *d = iddr_recovery_stop_work(xdev);
	enum xenbus_state s;
	bool alive;

	iddr_front_thaw(d);
	s = xenbus_read_driver_state(xdev->otherend);
	/* One that wants to close still serves until we have. */
	alive = s == XenbusStateConnected || s == XenbusStateClosing;
	/* Nobody tells us any more. */
	iddr_front_note_state(d, s);
	/* Dropping the disk writes back what is dirty and waits for what is in
	 * flight, and so may a work item: for a live back end within limits,
	 * for another not at all.
	 */
	if (alive)
		queue_delayed_work(iddr_front_wq, &d->abort_work,
				   msecs_to_jiffies(IDDR_DRAIN_MS));
	else
		iddr_front_abort(d);
	if (cancel_work_sync(&d->state_work))
		iddr_fdisk_put(d);
	if (!d->parked || !iddr_recovery_may_wait(d))
		iddr_fdisk_drop_disk(d);
	cancel_delayed_work_sync(&d->abort_work);
	cancel_delayed_work_sync(&d->retry_work);
	iddr_front_hide_queues(d);
	if (d->fqs[0].up && alive)
		iddr_front_wait_closed(d);
	iddr_front_destroy_queues(d);
	dev_set_drvdata(&xdev->dev, NULL);
	if (d->gd) {
		iddr_recovery_orphan(d);
	} else {
		iddr_recovery_detach(d);
		iddr_fdisk_put(d);
	}
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
	char name[DISK_NAME_LEN];
	struct iddr_fdisk *d;
	u32 vdev;
	int err;

	err = xenbus_scanf(XBT_NIL, xdev->nodename, "virtual-device", "%u",
			   &vdev);
	if (err != 1) {
		xenbus_dev_fatal(xdev, -EINVAL, "reading virtual-device");
		return -EINVAL;
	}
	err = iddr_vdev_name(vdev, name, sizeof(name));
	if (err) {
		xenbus_dev_fatal(xdev, err,
				 "virtual device %u is no xvd disk: use vdev=xvdX",
				 vdev);
		return err;
	}

	if (iddr_recovery_adopt(name, vdev, xdev))
		goto begin;
	d = iddr_fdisk_alloc();
	if (!d) {
		xenbus_dev_fatal(xdev, -ENOMEM, "allocating a disk");
		return -ENOMEM;
	}
	kref_init(&d->ref);
	d->xdev = xdev;
	d->vdev = vdev;
	strscpy(d->name, name, sizeof(d->name));
	d->mode = iddr_mode_parse(mode);
	d->back_state = XenbusStateInitialising;
	iddr_wait_limits_init(&d->wait_limits, budget_us);
	INIT_WORK(&d->broken_work, iddr_front_broken_work);
	mutex_init(&d->queues_lock);
	spin_lock_init(&d->work_lock);
	INIT_WORK(&d->state_work, iddr_front_state_work);
	INIT_DELAYED_WORK(&d->abort_work, iddr_front_abort_work);
	iddr_recovery_init(d);
	if (!iddr_recovery_attach(d))
		iddr_fdisk_free(d);
begin:
	/* If that fails the toolstack does not hold it. */
	xenbus_printf(XBT_NIL, xdev->nodename, "feature-iddr-hold", "1");
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
	.suspend = iddr_front_suspend,
	.resume = iddr_front_resume,
};

static int __init iddr_front_init(void)
{
	int err;

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
	iddr_front_wq = alloc_workqueue("iddr_front", WQ_UNBOUND |
					WQ_MEM_RECLAIM | WQ_FREEZABLE, 0);
	if (!iddr_front_wq)
		return -ENOMEM;
	err = xenbus_register_frontend(&iddr_front_driver);
	if (err)
		destroy_workqueue(iddr_front_wq);
	return err;
}
module_init(iddr_front_init);

static void __exit iddr_front_exit(void)
{
	xenbus_unregister_driver(&iddr_front_driver);
	iddr_recovery_exit();
	destroy_workqueue(iddr_front_wq);
}
module_exit(iddr_front_exit);

MODULE_DESCRIPTION("IDDR front end: block devices served by another domain");
MODULE_AUTHOR("IDDR authors");
/* Also makes the kernel show srcversion, by which results name the module. */
MODULE_VERSION("0.2");
MODULE_LICENSE("GPL");
/* No alias: it would be loaded by itself wherever xen-blkfront is wanted. */
