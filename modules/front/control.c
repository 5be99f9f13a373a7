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
MODULE_PARM_DESC(mode, "how new disks wait for responses: event or spin");

struct iddr_fdisk {
	struct kref ref;
	struct xenbus_device *xdev;
	u32 vdev;
	char name[DISK_NAME_LEN];
	enum iddr_mode mode;		/* of the next connection */

	struct iddr_fqueue fq;
	struct iddr_queue *queues[1];
	struct iddr_link link;

	struct gendisk *gd;		/* NULL: no disk. By the work item alone */
	struct blk_mq_tag_set tag_set;
	bool was_connected;		/* in this connection there was a disk */
	bool linked;			/* link is in sysfs */
	bool closing;			/* cannot be opened; under open_mutex */

	spinlock_t work_lock;		/* guards back_state, removing */
	enum xenbus_state back_state;	/* latest */
	bool close_pending;		/* close when the last user has */
	bool removing;			/* no more work */
	struct work_struct state_work;
	struct delayed_work abort_work;	/* bounds the wait for a back end */
};

static void iddr_fdisk_release(struct kref *ref)
{
	kfree(container_of(ref, struct iddr_fdisk, ref));
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

/* Ring and keys: from InitWait to Initialised. */
static void iddr_front_offer_ring(struct iddr_fdisk *d)
{
	struct xenbus_device *xdev = d->xdev;
	struct xenbus_transaction t;
	char thread_name[TASK_COMM_LEN];
	int err;

	snprintf(thread_name, sizeof(thread_name), "iddrf/%s", d->name);
	d->was_connected = false;
	if (iddr_fqueue_create(&d->fq, xdev, d->mode, d->vdev, thread_name))
		return;

again:
	err = xenbus_transaction_start(&t);
	if (err)
		goto fail;
	err = iddr_front_ring_publish(&d->fq.q, t, xdev->nodename);
	if (!err)
		err = xenbus_printf(t, xdev->nodename, "protocol", "%s",
				    XEN_IO_PROTO_ABI_NATIVE);
	if (!err)
		err = xenbus_printf(t, xdev->nodename, "feature-persistent",
				    "1");
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
	xenbus_dev_fatal(xdev, err, "writing the ring's keys");
	iddr_fqueue_destroy(&d->fq);
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

static void iddr_front_set_limits(struct iddr_fdisk *d, struct gendisk *gd,
				  unsigned long block_bytes)
{
	struct request_queue *rqq = gd->queue;
	const char *back = d->xdev->otherend;
	unsigned int physical, max_sectors;

	max_sectors = IDDR_SEGS_PER_REQ * (XEN_PAGE_SIZE >> SECTOR_SHIFT);
	blk_queue_logical_block_size(rqq, block_bytes);
	physical = xenbus_read_unsigned(back, "physical-sector-size",
					block_bytes);
	if (!iddr_check_geometry(0, physical) && physical > block_bytes)
		blk_queue_physical_block_size(rqq, physical);
	blk_queue_max_hw_sectors(rqq, max_sectors);
	/* Data is packed when it is copied: memory may be as scattered as a
	 * sector a piece.
	 */
	blk_queue_max_segments(rqq, max_sectors);
	blk_queue_max_segment_size(rqq, max_sectors << SECTOR_SHIFT);
	/* blkif has no FUA: the block layer makes it a write and a flush. */
	blk_queue_write_cache(rqq, xenbus_read_unsigned(back,
					"feature-flush-cache", 0), false);
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
	d->mode = READ_ONCE(d->fq.q.mode_wanted);
	del_gendisk(gd);
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
	unsigned int info;
	u64 sectors;
	int err;

	if (iddr_front_read_disk(d, &sectors, &info, &block_bytes))
		return;

	memset(&d->tag_set, 0, sizeof(d->tag_set));
	d->tag_set.ops = &iddr_front_mq_ops;
	d->tag_set.nr_hw_queues = 1;
	d->tag_set.queue_depth = d->fq.q.nr_slots;
	d->tag_set.numa_node = NUMA_NO_NODE;
	d->tag_set.flags = BLK_MQ_F_SHOULD_MERGE;
	d->tag_set.driver_data = &d->fq;
	err = blk_mq_alloc_tag_set(&d->tag_set);
	if (err)
		goto fail;
	gd = blk_mq_alloc_disk(&d->tag_set, &d->fq);
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
	d->queues[0] = &d->fq.q;
	err = iddr_link_add(&d->link, &disk_to_dev(gd)->kobj, d->queues, 1);
	if (err) {
		iddr_front_drop_disk(d);
		goto fail;
	}
	d->linked = true;
	d->was_connected = true;
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
	iddr_fqueue_abort(&d->fq);
	iddr_front_drop_disk(d);
	WRITE_ONCE(d->close_pending, false);
	return iddr_fqueue_destroy(&d->fq);
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
	bool again = d->was_connected && !d->fq.broken_err &&
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
	if (d->fq.up && d->fq.dead) {
		iddr_front_start_over(d);
		return;
	}
	switch (READ_ONCE(d->back_state)) {
	case XenbusStateInitWait:
		if (!d->fq.up)
			iddr_front_offer_ring(d);
		break;
	case XenbusStateConnected:
		if (d->gd)
			iddr_front_resize(d);
		else if (d->fq.up)
			iddr_front_add_disk(d);
		break;
	case XenbusStateClosing:
		iddr_front_close(d);
		break;
	case XenbusStateClosed:
	case XenbusStateUnknown:
		if (d->fq.up)
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
	/* A work item may be waiting for I/O that nobody will answer. */
	if (iddr_front_back_is_gone(xdev, state))
		iddr_fqueue_abort(&d->fq);
	iddr_front_queue_work(d);
}

static void iddr_front_abort_work(struct work_struct *work)
{
	struct iddr_fdisk *d = container_of(to_delayed_work(work),
					    struct iddr_fdisk, abort_work);

	iddr_fqueue_abort(&d->fq);
}

/* Ask the back end to unmap our pages, and give it some time. */
static void iddr_front_wait_closed(struct xenbus_device *xdev)
{
	unsigned int ms;

	for (ms = 0; ms < IDDR_CLOSE_MS; ms += 10) {
		enum xenbus_state s = xenbus_read_driver_state(xdev->otherend);

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
	/* Dropping the disk writes back what is dirty and waits for what is in
	 * flight, and so may a work item: for a live back end within limits,
	 * for another not at all.
	 */
	queue_delayed_work(system_unbound_wq, &d->abort_work,
			   alive ? msecs_to_jiffies(IDDR_DRAIN_MS) : 0);
	cancel_work_sync(&d->state_work);
	iddr_front_drop_disk(d);
	cancel_delayed_work_sync(&d->abort_work);
	if (d->fq.up && alive)
		iddr_front_wait_closed(xdev);
	iddr_fqueue_destroy(&d->fq);
	dev_set_drvdata(&xdev->dev, NULL);
	kref_put(&d->ref, iddr_fdisk_release);
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

	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d) {
		xenbus_dev_fatal(xdev, -ENOMEM, "allocating a disk");
		return -ENOMEM;
	}
	err = iddr_vdev_name(vdev, d->name, sizeof(d->name));
	if (err) {
		xenbus_dev_fatal(xdev, err,
				 "virtual device %u is no xvd disk: use vdev=xvdX",
				 vdev);
		kfree(d);
		return err;
	}
	kref_init(&d->ref);
	d->xdev = xdev;
	d->vdev = vdev;
	d->mode = iddr_mode_parse(mode);
	d->back_state = XenbusStateInitialising;
	iddr_fqueue_init(&d->fq);
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
		pr_err("iddr_front: mode=%s is none of: event, spin\n", mode);
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
MODULE_VERSION("0.1");
MODULE_LICENSE("GPL");
/* No alias: it would be loaded by itself wherever xen-blkfront is wanted. */
