// SPDX-License-Identifier: GPL-2.0
/*
 * Back end, control path: the xenbus side of one disk in the storage domain.
 *
 * The toolstack creates the back end's directory; the domain's hotplug script or
 * agent writes physical-device (major:minor in hex) into it; the front end
 * announces its ring. When the last two are there, in either order, the disk is
 * connected. States and keys are those of xen/interface/io/blkif.h.
 *
 * Everything here runs in xenbus callbacks, which the kernel serializes (one
 * xenwatch thread; remove() after both watches are gone), so that nothing
 * needs a lock.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <xen/interface/io/protocols.h>

#include "iddr_back.h"

static char *mode = "event";
module_param(mode, charp, 0444);
MODULE_PARM_DESC(mode, "how new disks wait for requests: event or spin");

struct iddr_bdisk {
	struct xenbus_device *xdev;
	struct xenbus_watch device_watch;	/* on physical-device */
	bool watching;
	struct block_device *bdev;		/* NULL until known */
	fmode_t fmode;
	bool connected;
	bool front_fresh;			/* its ring is not from before us */
	struct iddr_bqueue queue;
	struct iddr_queue *queues[1];
	struct iddr_link link;
	enum iddr_mode mode;
};

static void iddr_back_disconnect(struct iddr_bdisk *d)
{
	if (!d->connected)
		return;
	d->connected = false;
	/* A later connection goes on as this one was last set. */
	d->mode = READ_ONCE(d->queue.q.mode_wanted);
	iddr_link_del(&d->link);
	iddr_bqueue_stop(&d->queue);
}

static bool iddr_back_flushes(struct iddr_bdisk *d)
{
	return bdev_write_cache(d->bdev);
}

/* Tell the front end what disk it has got. */
static int iddr_back_publish(struct iddr_bdisk *d,
			     const struct iddr_blk_limits *limits)
{
	struct xenbus_device *xdev = d->xdev;
	const char *dir = xdev->nodename;
	struct xenbus_transaction t;
	int err;

again:
	err = xenbus_transaction_start(&t);
	if (err) {
		xenbus_dev_fatal(xdev, err, "starting a transaction");
		return err;
	}
	err = xenbus_printf(t, dir, "sectors", "%llu", limits->sectors);
	if (!err)
		err = xenbus_printf(t, dir, "info", "%u",
				    limits->read_only ? VDISK_READONLY : 0);
	if (!err)
		err = xenbus_printf(t, dir, "sector-size", "%u",
				    bdev_logical_block_size(d->bdev));
	if (!err)
		err = xenbus_printf(t, dir, "physical-sector-size", "%u",
				    bdev_physical_block_size(d->bdev));
	if (!err)
		err = xenbus_printf(t, dir, "feature-flush-cache", "%d",
				    iddr_back_flushes(d));
	/* For front ends that know nothing better; see iddr_parse.h. */
	if (!err)
		err = xenbus_printf(t, dir, "feature-barrier", "%d",
				    iddr_back_flushes(d));
	if (!err)
		err = xenbus_printf(t, dir, "feature-persistent", "1");
	if (err) {
		xenbus_transaction_end(t, 1);
		xenbus_dev_fatal(xdev, err, "writing the disk's description");
		return err;
	}
	err = xenbus_transaction_end(t, 0);
	if (err == -EAGAIN)
		goto again;
	if (err)
		xenbus_dev_fatal(xdev, err, "ending a transaction");
	return err;
}

/* Does the front end speak what we speak? Reports if not. */
static int iddr_back_check_front(struct xenbus_device *xdev)
{
	char protocol[64];
	int err;

	/* An absent key means the native ABI. */
	err = xenbus_scanf(XBT_NIL, xdev->otherend, "protocol", "%63s",
			   protocol);
	if (err == 1 && strcmp(protocol, XEN_IO_PROTO_ABI_NATIVE)) {
		err = -EPROTONOSUPPORT;
		xenbus_dev_fatal(xdev, err,
				 "front end's protocol is %s; only %s is supported",
				 protocol, XEN_IO_PROTO_ABI_NATIVE);
		return err;
	}
	if (!xenbus_read_unsigned(xdev->otherend, "feature-persistent", 0)) {
		err = -EPROTONOSUPPORT;
		xenbus_dev_fatal(xdev, err,
				 "front end has no persistent grants; the only data path so far (for xen-blkfront: feature_persistent=Y)");
		return err;
	}
	return 0;
}

/*
 * Has the front end announced a ring to us? Linux says Initialised. Others go
 * to Connected at once, which may also be left over from a back end before us
 * whose end the front end has not noticed yet.
 */
static bool iddr_back_front_ready(struct iddr_bdisk *d)
{
	enum xenbus_state s = xenbus_read_driver_state(d->xdev->otherend);

	return s == XenbusStateInitialised ||
	       (s == XenbusStateConnected && d->front_fresh);
}

/* Connect if both the device and the front end's ring are known. */
static void iddr_back_try_connect(struct iddr_bdisk *d)
{
	struct xenbus_device *xdev = d->xdev;
	struct iddr_blk_limits limits = {
		.max_segs = BLKIF_MAX_SEGMENTS_PER_REQUEST,
	};
	char thread_name[TASK_COMM_LEN];
	char *name;
	int err;

	if (d->connected || xdev->state != XenbusStateInitWait || !d->bdev ||
	    !iddr_back_front_ready(d))
		return;
	if (iddr_back_check_front(xdev))
		return;

	limits.sectors = bdev_nr_sectors(d->bdev);
	limits.block_sectors = bdev_logical_block_size(d->bdev) >> SECTOR_SHIFT;
	limits.read_only = !(d->fmode & FMODE_WRITE) ||
			   bdev_read_only(d->bdev);

	/* "dev" is the toolstack's name for the disk, such as xvda. */
	name = xenbus_read(XBT_NIL, xdev->nodename, "dev", NULL);
	snprintf(thread_name, sizeof(thread_name), "iddrb/%d/%s",
		 xdev->otherend_id, IS_ERR(name) ? "?" : name);
	if (!IS_ERR(name))
		kfree(name);

	iddr_bqueue_init(&d->queue, xdev, d->mode);
	if (iddr_bqueue_start(&d->queue, d->bdev, &limits, thread_name))
		return;
	d->queues[0] = &d->queue.q;
	err = iddr_link_add(&d->link, &xdev->dev.kobj, d->queues, 1);
	if (err) {
		xenbus_dev_fatal(xdev, err, "adding to sysfs");
		iddr_bqueue_stop(&d->queue);
		return;
	}
	d->connected = true;
	if (iddr_back_publish(d, &limits)) {
		iddr_back_disconnect(d);
		return;
	}
	xenbus_switch_state(xdev, XenbusStateConnected);
}

/* The hotplug side has named the device. */
static void iddr_back_open_device(struct iddr_bdisk *d)
{
	struct xenbus_device *xdev = d->xdev;
	struct block_device *bdev;
	unsigned int major, minor;
	char access[4];
	int err;

	err = xenbus_scanf(XBT_NIL, xdev->nodename, "physical-device", "%x:%x",
			   &major, &minor);
	if (XENBUS_EXIST_ERR(err))
		return;		/* not written yet: the watch's first call */
	if (err != 2) {
		xenbus_dev_fatal(xdev, -EINVAL,
				 "physical-device is not major:minor in hex");
		return;
	}
	if (d->bdev) {
		if (d->bdev->bd_dev != MKDEV(major, minor))
			dev_warn(&xdev->dev,
				 "change of physical-device to %x:%x ignored: detach the disk first\n",
				 major, minor);
		return;
	}

	err = xenbus_scanf(XBT_NIL, xdev->nodename, "mode", "%3s", access);
	if (err != 1) {
		xenbus_dev_fatal(xdev, -EINVAL, "reading mode (r or w)");
		return;
	}
	d->fmode = FMODE_READ;
	if (strchr(access, 'w'))
		d->fmode |= FMODE_WRITE;
	bdev = blkdev_get_by_dev(MKDEV(major, minor), d->fmode, NULL);
	if (IS_ERR(bdev)) {
		xenbus_dev_fatal(xdev, PTR_ERR(bdev), "opening device %x:%x",
				 major, minor);
		return;
	}
	d->bdev = bdev;
}

static void iddr_back_device_changed(struct xenbus_watch *watch,
				     const char *path, const char *token)
{
	struct iddr_bdisk *d =
		container_of(watch, struct iddr_bdisk, device_watch);

	iddr_back_open_device(d);
	iddr_back_try_connect(d);
}

static void iddr_back_front_changed(struct xenbus_device *xdev,
				    enum xenbus_state state)
{
	struct iddr_bdisk *d = dev_get_drvdata(&xdev->dev);

	switch (state) {
	case XenbusStateInitialising:
		d->front_fresh = true;
		/* A front end that comes again; we may not have seen that it
		 * closed in between.
		 */
		iddr_back_disconnect(d);
		xenbus_switch_state(xdev, XenbusStateInitWait);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		iddr_back_try_connect(d);
		break;
	case XenbusStateClosing:
		xenbus_switch_state(xdev, XenbusStateClosing);
		break;
	case XenbusStateClosed:
		d->front_fresh = false;
		iddr_back_disconnect(d);
		xenbus_switch_state(xdev, XenbusStateClosed);
		if (xenbus_dev_is_online(xdev))
			break;
		fallthrough;
	case XenbusStateUnknown:
		/* Its domain is gone, or the disk is detached for good. */
		iddr_back_disconnect(d);
		device_unregister(&xdev->dev);
		break;
	default:
		/* States that are not a front end's to be in. */
		break;
	}
}

static void iddr_back_remove(struct xenbus_device *xdev)
{
	struct iddr_bdisk *d = dev_get_drvdata(&xdev->dev);

	if (d->watching) {
		unregister_xenbus_watch(&d->device_watch);
		kfree(d->device_watch.node);
	}
	iddr_back_disconnect(d);
	if (d->bdev)
		blkdev_put(d->bdev, d->fmode);
	dev_set_drvdata(&xdev->dev, NULL);
	kfree(d);
}

static int iddr_back_probe(struct xenbus_device *xdev,
			   const struct xenbus_device_id *id)
{
	struct iddr_bdisk *d;
	int err;

	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d) {
		xenbus_dev_fatal(xdev, -ENOMEM, "allocating a disk");
		return -ENOMEM;
	}
	d->xdev = xdev;
	d->mode = iddr_mode_parse(mode);
	dev_set_drvdata(&xdev->dev, d);

	err = xenbus_switch_state(xdev, XenbusStateInitWait);
	if (err)
		goto fail;
	/* Calls back at once, in case the device is named already. */
	err = xenbus_watch_pathfmt(xdev, &d->device_watch, NULL,
				   iddr_back_device_changed,
				   "%s/physical-device", xdev->nodename);
	if (err)
		goto fail;
	d->watching = true;
	return 0;

fail:
	iddr_back_remove(xdev);
	return err;
}

static const struct xenbus_device_id iddr_back_ids[] = {
	{ "vbd" },
	{ "" }
};

static struct xenbus_driver iddr_back_driver = {
	.name = "iddr_back",
	.ids = iddr_back_ids,
	.probe = iddr_back_probe,
	.remove = iddr_back_remove,
	.otherend_changed = iddr_back_front_changed,
};

static int __init iddr_back_init(void)
{
	if (!xen_domain())
		return -ENODEV;
	if (iddr_mode_parse(mode) < 0) {
		pr_err("iddr_back: mode=%s is none of: event, spin\n", mode);
		return -EINVAL;
	}
	return xenbus_register_backend(&iddr_back_driver);
}
module_init(iddr_back_init);

static void __exit iddr_back_exit(void)
{
	xenbus_unregister_driver(&iddr_back_driver);
}
module_exit(iddr_back_exit);

MODULE_DESCRIPTION("IDDR back end: serves block devices of this domain to others");
MODULE_AUTHOR("IDDR authors");
/* Also makes the kernel show srcversion, by which results name the module. */
MODULE_VERSION("0.1");
MODULE_LICENSE("GPL");
/* No alias: it would be loaded by itself wherever xen-blkback is wanted. */
