// SPDX-License-Identifier: GPL-2.0
/*
 * Back end, control path: the xenbus side of one disk in the storage domain.
 *
 * The toolstack creates the back end's directory; the domain's hotplug script or
 * agent writes physical-device (major:minor in hex) into it; the front end
 * announces its ring. When the last two are there, in either order, the disk is
 * connected. States and keys are those of xen/interface/io/blkif.h.
 *
 * All but the announcement of a new size runs in xenbus callbacks, which the kernel
 * serializes (one xenwatch thread; remove() after both watches are gone), and in
 * shutdown, from which the lock keeps the watches.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <xen/interface/io/protocols.h>

#include "iddr_back.h"

static char *mode = "event";
module_param(mode, charp, 0444);
MODULE_PARM_DESC(mode, "how new disks wait for requests: event, spin, hybrid or adaptive");

static unsigned int budget_us = 200;
module_param(budget_us, uint, 0444);
MODULE_PARM_DESC(budget_us, "new disks' spin budget in mode hybrid, in microseconds");

static const char * const iddr_path_names[IDDR_NR_PATHS] = {
	[IDDR_PATH_PERSISTENT] = "persistent",
	[IDDR_PATH_MAP] = "map",
	[IDDR_PATH_COPY] = "copy",
};

static int iddr_path_set(const char *val, const struct kernel_param *kp)
{
	int path = sysfs_match_string(iddr_path_names, val);

	if (path < 0)
		return path;
	WRITE_ONCE(*(enum iddr_data_path *)kp->arg, path);
	return 0;
}

static int iddr_path_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n",
			  iddr_path_names[*(enum iddr_data_path *)kp->arg]);
}

static const struct kernel_param_ops iddr_path_ops = {
	.set = iddr_path_set,
	.get = iddr_path_get,
};

static enum iddr_data_path data_path = IDDR_PATH_PERSISTENT;
module_param_cb(data_path, &iddr_path_ops, &data_path, 0644);
MODULE_PARM_DESC(data_path, "how disks that connect from now on move data: persistent (map, if the front end does not offer it), map or copy");

static unsigned int max_queues = 8;
module_param(max_queues, uint, 0444);
MODULE_PARM_DESC(max_queues, "queues a disk may have, 1 to 64");

static unsigned int ring_page_order = IDDR_MAX_RING_ORDER;
module_param(ring_page_order, uint, 0444);
MODULE_PARM_DESC(ring_page_order, "a ring's size at the most, 0 to 4: 1 to 16 pages");

static unsigned int max_segments = 256;
module_param(max_segments, uint, 0444);
MODULE_PARM_DESC(max_segments, "pages in a request at the most, 11 to 4096; more than 11 are indirect");

/* What the front end is told of the disk. */
struct iddr_bdesc {
	bool valid;
	struct iddr_blk_limits limits;
	unsigned int physical_block;		/* bytes */
	unsigned int discard_granularity;	/* bytes; alignment, too */
	unsigned int discard_alignment;
	bool flush;
	bool persistent;
};

struct iddr_bdisk {
	struct xenbus_device *xdev;
	struct mutex lock;			/* the watches against shutdown */
	bool shut;				/* connects no more */
	struct xenbus_watch device_watch;	/* on physical-device */
	struct xenbus_watch online_watch;
	bool device_watched, online_watched;
	struct block_device *bdev;		/* NULL until known */
	fmode_t fmode;
	bool connected;
	bool front_fresh;			/* its ring is not from before us */
	struct iddr_bqueue *bqs;		/* nr_queues of them */
	struct iddr_queue **queues;
	unsigned int nr_queues;
	struct iddr_link link;
	enum iddr_mode mode;			/* of the next connection */
	struct iddr_wait_limits wait_limits;
	struct iddr_bdesc published;		/* in xenstore, if it is valid */
	bool device_gone;			/* we have nothing to serve any more */
	struct work_struct resize_work;
	struct ratelimit_state complaints;	/* about requests */
};

static void iddr_back_free_queues(struct iddr_bdisk *d)
{
	kvfree(d->bqs);
	d->bqs = NULL;
	kfree(d->queues);
	d->queues = NULL;
	d->nr_queues = 0;
}

static void iddr_back_disconnect(struct iddr_bdisk *d)
{
	unsigned int i;

	if (!d->connected)
		return;
	d->connected = false;
	/* A later connection goes on as this one was last set. */
	d->mode = READ_ONCE(d->queues[0]->mode_wanted);
	iddr_link_del(&d->link);
	for (i = 0; i < d->nr_queues; i++)
		iddr_bqueue_stop(&d->bqs[i]);
	/* Only our threads ask for it. */
	cancel_work_sync(&d->resize_work);
	iddr_back_free_queues(d);
	/* The toolstack may have made the directory anew meanwhile. */
	d->published.valid = false;
}

/* Any context. */
void iddr_bdisk_resized(struct iddr_bdisk *d)
{
	schedule_work(&d->resize_work);
}

/*
 * Tell the front end of the new size: by the state, written once more. Or that the
 * device has gone: that is our end, as it is for a disk that is unbound.
 */
static void iddr_back_resize_work(struct work_struct *work)
{
	struct iddr_bdisk *d =
		container_of(work, struct iddr_bdisk, resize_work);
	struct xenbus_device *xdev = d->xdev;
	u64 sectors = bdev_nr_sectors(d->bdev);
	struct xenbus_transaction t;
	unsigned int state;
	int err;

	if (sectors == d->published.limits.sectors)
		return;
	if (!sectors) {
		if (xdev->state != XenbusStateConnected)
			return;
		d->device_gone = true;
		xenbus_dev_fatal(xdev, -ENODEV,
				 "%pg has gone: attach the disk anew when it is back",
				 d->bdev);
		return;
	}
again:
	err = xenbus_transaction_start(&t);
	if (err)
		goto out;
	/* Only so can a change of state by xenwatch not be undone here. */
	if (xenbus_scanf(t, xdev->nodename, "state", "%u", &state) != 1 ||
	    state != XenbusStateConnected) {
		xenbus_transaction_end(t, 1);
		return;
	}
	err = xenbus_printf(t, xdev->nodename, "sectors", "%llu", sectors);
	if (!err)
		err = xenbus_printf(t, xdev->nodename, "state", "%u", state);
	if (err) {
		xenbus_transaction_end(t, 1);
		goto out;
	}
	err = xenbus_transaction_end(t, 0);
	if (err == -EAGAIN)
		goto again;
out:
	if (err) {
		xenbus_dev_error(xdev, err, "announcing the new size");
		return;
	}
	dev_info(&xdev->dev, "now %llu sectors of 512 bytes, %llu before\n",
		 sectors, d->published.limits.sectors);
	d->published.limits.sectors = sectors;
}

/* What a connection may use; told before the front end has to choose. */
static int iddr_back_offer(struct xenbus_device *xdev)
{
	const char *dir = xdev->nodename;
	int err;

	err = xenbus_printf(XBT_NIL, dir, "multi-queue-max-queues", "%u",
			    max_queues);
	if (!err)
		err = xenbus_printf(XBT_NIL, dir, "max-ring-page-order", "%u",
				    ring_page_order);
	if (err)
		xenbus_dev_fatal(xdev, err, "writing what is offered");
	return err;
}

/* A key of the disk's description; @err is that of the keys before. */
static void __printf(5, 6)
iddr_back_write(struct xenbus_device *xdev, struct xenbus_transaction t,
		int *err, const char *key, const char *fmt, ...)
{
	char value[32];
	va_list ap;

	if (*err)
		return;
	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	*err = xenbus_write(t, xdev->nodename, key, value);
}

static void iddr_back_describe(struct iddr_bdisk *d,
			       const struct iddr_blk_limits *limits,
			       enum iddr_data_path path,
			       struct iddr_bdesc *desc)
{
	struct block_device *bdev = d->bdev;

	/* It is compared as a whole. */
	memset(desc, 0, sizeof(*desc));
	desc->valid = true;
	memcpy(&desc->limits, limits, sizeof(*limits));
	desc->physical_block = bdev_physical_block_size(bdev);
	if (limits->discard) {
		desc->discard_granularity = bdev_discard_granularity(bdev);
		desc->discard_alignment = bdev_discard_alignment(bdev);
	}
	desc->flush = bdev_write_cache(bdev);
	desc->persistent = path == IDDR_PATH_PERSISTENT;
}

/*
 * Tell the front end what disk it has got. It need not know before it sees Connected,
 * but what is told sooner, and is still true, does not hold up the connection.
 */
static int iddr_back_publish(struct iddr_bdisk *d,
			     const struct iddr_blk_limits *limits,
			     enum iddr_data_path path)
{
	struct xenbus_device *xdev = d->xdev;
	struct xenbus_transaction t;
	struct iddr_bdesc desc;
	int err;

	iddr_back_describe(d, limits, path, &desc);
	if (!memcmp(&desc, &d->published, sizeof(desc)))
		return 0;
	d->published.valid = false;
again:
	err = xenbus_transaction_start(&t);
	if (err) {
		xenbus_dev_fatal(xdev, err, "starting a transaction");
		return err;
	}
	/* Nothing is to be written into a directory that has been removed: that
	 * would bring it back.
	 */
	if (!xenbus_exists(t, xdev->nodename, "state")) {
		xenbus_transaction_end(t, 1);
		return -ENOENT;
	}
	iddr_back_write(xdev, t, &err, "sectors", "%llu", limits->sectors);
	iddr_back_write(xdev, t, &err, "info", "%u",
			limits->read_only ? VDISK_READONLY : 0);
	iddr_back_write(xdev, t, &err, "sector-size", "%u",
			limits->block_sectors << SECTOR_SHIFT);
	iddr_back_write(xdev, t, &err, "physical-sector-size", "%u",
			desc.physical_block);
	iddr_back_write(xdev, t, &err, "feature-flush-cache", "%d", desc.flush);
	/* For front ends that know nothing better than barriers; see
	 * iddr_parse.h.
	 */
	iddr_back_write(xdev, t, &err, "feature-barrier", "%d", desc.flush);
	iddr_back_write(xdev, t, &err, "feature-persistent", "%d",
			desc.persistent);
	/* What is not offered is said, too: the directory may remember another
	 * connection, of this module with other parameters.
	 */
	iddr_back_write(xdev, t, &err, "feature-max-indirect-segments", "%u",
			limits->max_segs > IDDR_INLINE_SEGS ?
			limits->max_segs : 0);
	iddr_back_write(xdev, t, &err, "feature-discard", "%d",
			limits->discard);
	if (limits->discard) {
		iddr_back_write(xdev, t, &err, "discard-granularity", "%u",
				desc.discard_granularity);
		iddr_back_write(xdev, t, &err, "discard-alignment", "%u",
				desc.discard_alignment);
		iddr_back_write(xdev, t, &err, "discard-secure", "%d",
				limits->secure_erase);
	}
	if (err) {
		xenbus_transaction_end(t, 1);
		xenbus_dev_fatal(xdev, err, "writing the disk's description");
		return err;
	}
	err = xenbus_transaction_end(t, 0);
	if (err == -EAGAIN)
		goto again;
	if (err) {
		xenbus_dev_fatal(xdev, err, "ending a transaction");
		return err;
	}
	memcpy(&d->published, &desc, sizeof(desc));
	return 0;
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
				 "front end's protocol is %*pE; only %s is supported",
				 (int)strlen(protocol), protocol,
				 XEN_IO_PROTO_ABI_NATIVE);
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

static void iddr_back_get_limits(struct iddr_bdisk *d,
				 struct iddr_blk_limits *limits)
{
	struct block_device *bdev = d->bdev;

	memset(limits, 0, sizeof(*limits));
	limits->sectors = bdev_nr_sectors(bdev);
	limits->block_sectors = bdev_logical_block_size(bdev) >> SECTOR_SHIFT;
	limits->max_segs = max_segments;
	limits->read_only = !(d->fmode & FMODE_WRITE) || bdev_read_only(bdev);
	limits->discard = !limits->read_only && bdev_max_discard_sectors(bdev);
	limits->secure_erase = limits->discard &&
			       bdev_max_secure_erase_sectors(bdev);
}

/* Before a front end asks, if there is a device yet. Most will not have another
 * description of it.
 */
static void iddr_back_publish_early(struct iddr_bdisk *d)
{
	struct iddr_blk_limits limits;

	if (!d->bdev)
		return;
	/* The toolstack may have made the directory anew. */
	if (!xenbus_exists(XBT_NIL, d->xdev->nodename, "sectors"))
		d->published.valid = false;
	iddr_back_get_limits(d, &limits);
	iddr_back_publish(d, &limits, READ_ONCE(data_path));
}

/*
 * An optional number of the front end's, @min to @max; absent, it leaves @value.
 * Return: 0 or -errno, reported.
 */
static int iddr_back_read_choice(struct xenbus_device *xdev, const char *key,
				 int min, int max, int *value)
{
	char *text = xenbus_read(XBT_NIL, xdev->otherend, key, NULL);
	int n, err;

	if (IS_ERR(text)) {
		err = PTR_ERR(text);
		if (err == -ENOENT)
			return 0;
		xenbus_dev_fatal(xdev, err, "reading the front end's %s", key);
		return err;
	}
	err = kstrtoint(text, 10, &n);
	kfree(text);
	if (!err && n >= min && n <= max) {
		*value = n;
		return 0;
	}
	xenbus_dev_fatal(xdev, -EINVAL, "front end's %s is not %d to %d", key,
			 min, max);
	return -EINVAL;
}

/* Start the front end's queues. Reports what is wrong. */
static int iddr_back_start_queues(struct iddr_bdisk *d,
				  const struct iddr_blk_limits *limits,
				  enum iddr_data_path path)
{
	struct xenbus_device *xdev = d->xdev;
	char thread_name[TASK_COMM_LEN];
	int nr = 1, order = -1, err;
	unsigned int i;
	char *name;

	err = iddr_back_read_choice(xdev, "multi-queue-num-queues", 1,
				    max_queues, &nr);
	if (!err)
		err = iddr_back_read_choice(xdev, "ring-page-order", 0,
					    ring_page_order, &order);
	if (err)
		return err;

	d->nr_queues = nr;
	d->bqs = kvcalloc(d->nr_queues, sizeof(*d->bqs), GFP_KERNEL);
	d->queues = kcalloc(d->nr_queues, sizeof(*d->queues), GFP_KERNEL);
	if (!d->bqs || !d->queues) {
		iddr_back_free_queues(d);
		xenbus_dev_fatal(xdev, -ENOMEM, "allocating queues");
		return -ENOMEM;
	}

	/* "dev" is the toolstack's name for the disk, such as xvda. */
	name = xenbus_read(XBT_NIL, xdev->nodename, "dev", NULL);
	for (i = 0; i < d->nr_queues; i++) {
		char *dir;

		snprintf(thread_name, sizeof(thread_name), "iddrb/%d/%s",
			 xdev->otherend_id, IS_ERR(name) ? "?" : name);
		/* One queue's keys lie in the device's own directory. */
		dir = nr > 1 ? kasprintf(GFP_KERNEL, "%s/queue-%u", xdev->otherend,
					 i) :
			       kstrdup(xdev->otherend, GFP_KERNEL);
		d->queues[i] = &d->bqs[i].q;
		iddr_bqueue_init(&d->bqs[i], d, xdev, i, d->mode,
				 &d->wait_limits, &d->complaints);
		err = dir ? iddr_bqueue_start(&d->bqs[i], dir, order, d->bdev,
					      path, limits, thread_name) :
			    -ENOMEM;
		kfree(dir);
		if (err)
			break;
	}
	if (!IS_ERR(name))
		kfree(name);
	if (i == d->nr_queues)
		return 0;
	while (i--)
		iddr_bqueue_stop(&d->bqs[i]);
	cancel_work_sync(&d->resize_work);
	iddr_back_free_queues(d);
	return err;
}

/* Connect if both the device and the front end's ring are known. */
static void iddr_back_try_connect(struct iddr_bdisk *d)
{
	struct xenbus_device *xdev = d->xdev;
	enum iddr_data_path path = READ_ONCE(data_path);
	struct iddr_blk_limits limits;
	unsigned int i;
	int err;

	if (d->connected || d->shut || xdev->state != XenbusStateInitWait ||
	    !d->bdev || !iddr_back_front_ready(d))
		return;
	if (iddr_back_check_front(xdev))
		return;
	if (path == IDDR_PATH_PERSISTENT &&
	    !xenbus_read_unsigned(xdev->otherend, "feature-persistent", 0))
		path = IDDR_PATH_MAP;
	iddr_back_get_limits(d, &limits);
	if (iddr_back_start_queues(d, &limits, path))
		return;
	err = iddr_link_add(&d->link, &xdev->dev.kobj);
	if (!err) {
		err = iddr_link_show(&d->link, d->queues, d->nr_queues,
				     &d->wait_limits, iddr_path_names[path]);
		if (err)
			iddr_link_del(&d->link);
	}
	if (err) {
		xenbus_dev_fatal(xdev, err, "adding to sysfs");
		for (i = 0; i < d->nr_queues; i++)
			iddr_bqueue_stop(&d->bqs[i]);
		cancel_work_sync(&d->resize_work);
		iddr_back_free_queues(d);
		return;
	}
	d->connected = true;
	if (iddr_back_publish(d, &limits, path)) {
		iddr_back_disconnect(d);
		return;
	}
	xenbus_switch_state(xdev, XenbusStateConnected);
	/* The size may have changed since the limits were read. */
	iddr_bdisk_resized(d);
}

/*
 * Is the opened device the one that the hotplug side has identified to the front end?
 * A RAM disk made anew, say, has its numbers and not its data. Reports if not.
 */
static bool iddr_back_is_identified(struct iddr_bdisk *d,
				    struct block_device *bdev)
{
	struct xenbus_device *xdev = d->xdev;
	unsigned long long seq;
	int err;

	err = xenbus_scanf(XBT_NIL, xdev->nodename, "iddr-diskseq", "%llu",
			   &seq);
	if (XENBUS_EXIST_ERR(err))
		return true;		/* it has not said */
	if (err == 1 && seq == bdev->bd_disk->diskseq)
		return true;
	xenbus_dev_fatal(xdev, -ENODEV,
			 "%pg is not the disk any more that iddr-identity names: detach it and attach it anew",
			 bdev);
	return false;
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
	if (!iddr_back_is_identified(d, bdev)) {
		blkdev_put(bdev, d->fmode);
		return;
	}
	d->bdev = bdev;
	iddr_back_publish_early(d);
}

static void iddr_back_device_changed(struct xenbus_watch *watch,
				     const char *path, const char *token)
{
	struct iddr_bdisk *d =
		container_of(watch, struct iddr_bdisk, device_watch);

	mutex_lock(&d->lock);
	iddr_back_open_device(d);
	iddr_back_try_connect(d);
	mutex_unlock(&d->lock);
}

/*
 * The toolstack wants the disk to go, and waits for our state. A front end that is
 * closed, or that there is none of, says nothing that we could follow.
 */
static void iddr_back_online_changed(struct xenbus_watch *watch,
				     const char *path, const char *token)
{
	struct iddr_bdisk *d =
		container_of(watch, struct iddr_bdisk, online_watch);
	unsigned int online;

	mutex_lock(&d->lock);
	if (!d->connected &&
	    xenbus_scanf(XBT_NIL, d->xdev->nodename, "online", "%u",
			 &online) == 1 && !online)
		xenbus_switch_state(d->xdev, XenbusStateClosed);
	mutex_unlock(&d->lock);
}

/* Return: the device is to go, too. Under lock. */
static bool iddr_back_follow(struct iddr_bdisk *d, enum xenbus_state state)
{
	struct xenbus_device *xdev = d->xdev;

	switch (state) {
	case XenbusStateInitialising:
		d->front_fresh = true;
		/* A front end that comes again; we may not have seen that it
		 * closed in between.
		 */
		iddr_back_disconnect(d);
		if (d->device_gone)
			break;
		xenbus_switch_state(xdev, XenbusStateInitWait);
		iddr_back_publish_early(d);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		iddr_back_try_connect(d);
		break;
	case XenbusStateClosing:
		xenbus_switch_state(xdev, XenbusStateClosing);
		break;
	case XenbusStateClosed:
		/* What it closes without having begun anew it had with a back
		 * end before us. It may have seen that we wait, and would take
		 * our closing, too, for the end of what it begins now.
		 */
		if (!d->front_fresh && !d->connected &&
		    xdev->state == XenbusStateInitWait &&
		    xenbus_dev_is_online(xdev))
			break;
		d->front_fresh = false;
		iddr_back_disconnect(d);
		xenbus_switch_state(xdev, XenbusStateClosed);
		if (xenbus_dev_is_online(xdev))
			break;
		fallthrough;
	case XenbusStateUnknown:
		/* Its domain is gone, or the disk is detached for good. */
		iddr_back_disconnect(d);
		return true;
	default:
		/* States that are not a front end's to be in. */
		break;
	}
	return false;
}

static void iddr_back_front_changed(struct xenbus_device *xdev,
				    enum xenbus_state state)
{
	struct iddr_bdisk *d = dev_get_drvdata(&xdev->dev);
	bool gone = false;

	mutex_lock(&d->lock);
	if (!d->shut)
		gone = iddr_back_follow(d, state);
	mutex_unlock(&d->lock);
	if (gone)
		device_unregister(&xdev->dev);
}

/*
 * The domain goes down, and devices with it, the last one first: let go of ours while
 * it still answers. A front end must not get errors for what another back end may
 * serve.
 */
static void iddr_back_shutdown(struct device *dev)
{
	struct iddr_bdisk *d = dev_get_drvdata(dev);

	if (!d)
		return;
	mutex_lock(&d->lock);
	d->shut = true;
	iddr_back_disconnect(d);
	mutex_unlock(&d->lock);
	xenbus_switch_state(d->xdev, XenbusStateClosed);
}

static void iddr_back_remove(struct xenbus_device *xdev)
{
	struct iddr_bdisk *d = dev_get_drvdata(&xdev->dev);

	if (d->online_watched) {
		unregister_xenbus_watch(&d->online_watch);
		kfree(d->online_watch.node);
	}
	if (d->device_watched) {
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
	mutex_init(&d->lock);
	d->mode = iddr_mode_parse(mode);
	iddr_wait_limits_init(&d->wait_limits, budget_us);
	INIT_WORK(&d->resize_work, iddr_back_resize_work);
	ratelimit_state_init(&d->complaints, DEFAULT_RATELIMIT_INTERVAL,
			     DEFAULT_RATELIMIT_BURST);
	dev_set_drvdata(&xdev->dev, d);

	err = iddr_back_offer(xdev);
	if (err)
		goto fail;
	err = xenbus_switch_state(xdev, XenbusStateInitWait);
	if (err)
		goto fail;
	/* Calls back at once, in case the device is named already. */
	err = xenbus_watch_pathfmt(xdev, &d->device_watch, NULL,
				   iddr_back_device_changed,
				   "%s/physical-device", xdev->nodename);
	if (err)
		goto fail;
	d->device_watched = true;
	err = xenbus_watch_pathfmt(xdev, &d->online_watch, NULL,
				   iddr_back_online_changed, "%s/online",
				   xdev->nodename);
	if (err)
		goto fail;
	d->online_watched = true;
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
	.driver.shutdown = iddr_back_shutdown,
};

static int __init iddr_back_init(void)
{
	if (!xen_domain())
		return -ENODEV;
	if (iddr_mode_parse(mode) < 0) {
		pr_err("iddr_back: mode=%s is none of: event, spin, hybrid, adaptive\n",
		       mode);
		return -EINVAL;
	}
	if (!max_queues || max_queues > 64 ||
	    ring_page_order > IDDR_MAX_RING_ORDER ||
	    max_segments < IDDR_INLINE_SEGS ||
	    max_segments > IDDR_INDIRECT_MAX_SEGS) {
		pr_err("iddr_back: max_queues must be 1 to 64, ring_page_order 0 to 4, max_segments 11 to 4096\n");
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
MODULE_VERSION("0.2");
MODULE_LICENSE("GPL");
/* No alias: it would be loaded by itself wherever xen-blkback is wanted. */
