// SPDX-License-Identifier: GPL-2.0
/*
 * Front end, recovery: a disk whose back end has gone is parked until one comes
 * that serves the same disk.
 *
 * Parked, a disk is to its users one that takes long. Its gendisk, tags and
 * requests stay, its queue is quiesced, and the block layer has the requests
 * back (its requeue list) that were in flight. Rings and grants went with
 * the connection, the pages that the old back end may still reach into
 * quarantine: what is issued again crosses in fresh ones. The queues' threads
 * wait: to go on takes no memory that cannot be had without I/O, or the disk's
 * time is over first.
 *
 * Why it is enough to issue again, in any order, what was not answered:
 *   - What was answered is done. A write may be in the device's volatile cache
 *     only; so identity (modules/ABI.md) must change unless that cache, too,
 *     has outlived the back end. Then the next flush, whoever serves it, covers
 *     it as it would have.
 *   - What was not answered may have been done, wholly, partly or not at all.
 *     It is done (again): a write, a discard and a flush may be done twice, as
 *     long as nothing that depends on the first time comes in between. Who wants
 *     order waits for the answer, and there was none. But who reads what
 *     another's unanswered write has done, and writes the same block without
 *     waiting for that answer, may find that write done once more, after its
 *     own: what was in flight mostly goes before what came while the disk was
 *     parked, but the block layer does not promise that. No file system does so.
 *   - A flush promises what was answered before it was issued; issued again,
 *     later, it covers that and more. FUA is a write and a flush that the block
 *     layer issues when the write is answered (blkif has none): whichever of
 *     the two was in flight is issued again.
 *   - The old back end must not do anything late: a write of its, done when the
 *     new one has answered a later write of the same block, would undo that.
 *     So none serves while the old one maps a page of ours. It maps its
 *     rings until it has closed, which it does when its device has answered all
 *     that it was asked; if its domain dies instead, Xen ends its grants when it
 *     does not run any more. (It need not be forgotten: a zombie does nothing.) What
 *     it had given to a device of its own the toolstack vouches for: it has that
 *     reset or closed first and Xen end the domain last, or it holds us until
 *     that is over, too (iddr-hold). Nor
 *     could we issue again sooner: without persistent grants the pages are the
 *     requests' own, and it could write to them.
 *     All this holds as long as the domain is where it was. One that has been restored
 *     from an image, or has migrated, has another grant table, and cannot see
 *     what the old back end still does; its toolstack must have ended that. What
 *     was answered before it was suspended is not concerned: normally all.
 *
 * An orphan is a parked disk whose xenbus device has gone, too (the toolstack
 * detaches what is dead before it attaches anew). The next device of the same
 * name adopts it.
 *
 * A spare is a device of the same name that is there before it is needed: most
 * disks have two virtual device numbers (iddr_vdev_name()). Its back end waits in
 * InitWait, with the device opened, and it has neither disk nor rings. It takes
 * the orphan over as soon as there is one; nothing has to be attached in the
 * outage. Whose device it is then changes (dev_get_drvdata()), so that is read under
 * iddr_devices_lock.
 *
 * The disk's work item does all that may sleep, as in control.c. It never waits for
 * parked I/O: a disk is parked only once nothing else in there waits for
 * its I/O (lasting, leaving).
 */
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/sysfs.h>

#include "iddr_front.h"

/* Looks whether the old back end is out of the way, whether a new one may serve
 * yet, and new ones, are apart.
 */
#define IDDR_FENCE_LOOK_MS	50
#define IDDR_HOLD_LOOK_MS	10
#define IDDR_OFFER_MS		1000

static const char * const iddr_recovery_names[IDDR_NR_RECOVERIES] = {
	[IDDR_RECOVERY_WAIT] = "wait",
	[IDDR_RECOVERY_FAIL] = "fail",
};

static int iddr_recovery_param_set(const char *val,
				   const struct kernel_param *kp)
{
	int r = sysfs_match_string(iddr_recovery_names, val);

	if (r < 0)
		return r;
	WRITE_ONCE(*(enum iddr_recovery *)kp->arg, r);
	return 0;
}

static int iddr_recovery_param_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n",
			  iddr_recovery_names[*(enum iddr_recovery *)kp->arg]);
}

static const struct kernel_param_ops iddr_recovery_param_ops = {
	.set = iddr_recovery_param_set,
	.get = iddr_recovery_param_get,
};

static enum iddr_recovery recovery = IDDR_RECOVERY_WAIT;
module_param_cb(recovery, &iddr_recovery_param_ops, &recovery, 0644);
MODULE_PARM_DESC(recovery, "what disks that appear from now on do when their back end goes: wait for another, or fail");

static unsigned int recovery_timeout_s = 60;
module_param(recovery_timeout_s, uint, 0644);
MODULE_PARM_DESC(recovery_timeout_s, "how long they wait, in seconds; 0: for ever");

DEFINE_MUTEX(iddr_devices_lock);		/* who has which xenbus device */
static LIST_HEAD(iddr_attached);		/* have one; under it, as is: */
static LIST_HEAD(iddr_orphans);
static DECLARE_WAIT_QUEUE_HEAD(iddr_orphans_wq);	/* one is no more */

/* Time is up, if it is limited. Under queues_lock. */
static bool iddr_recovery_is_late(const struct iddr_fdisk *d)
{
	return d->recovery_timeout_s &&
	       time_after_eq64(get_jiffies_64(), d->parked_since +
			       (u64)d->recovery_timeout_s * HZ);
}

/* Under queues_lock; the disk is parked. */
static void iddr_recovery_arm_timeout(struct iddr_fdisk *d)
{
	u64 end = d->parked_since + (u64)d->recovery_timeout_s * HZ;
	u64 now = get_jiffies_64();

	if (!d->recovery_timeout_s)
		cancel_delayed_work(&d->timeout_work);
	else
		mod_delayed_work(iddr_front_wq, &d->timeout_work,
				 time_after64(end, now) ? end - now : 0);
}

static void iddr_recovery_timeout(struct work_struct *work)
{
	struct iddr_fdisk *d = container_of(to_delayed_work(work),
					    struct iddr_fdisk, timeout_work);

	mutex_lock(&d->queues_lock);
	if (d->parked && iddr_recovery_is_late(d))
		d->give_up = true;
	mutex_unlock(&d->queues_lock);
	iddr_fdisk_queue_work(d);
}

static void iddr_recovery_retry(struct work_struct *work)
{
	iddr_fdisk_queue_work(container_of(to_delayed_work(work),
					   struct iddr_fdisk, retry_work));
}

void iddr_recovery_init(struct iddr_fdisk *d)
{
	d->recovery = READ_ONCE(recovery);
	d->recovery_timeout_s = READ_ONCE(recovery_timeout_s);
	INIT_DELAYED_WORK(&d->timeout_work, iddr_recovery_timeout);
	INIT_DELAYED_WORK(&d->retry_work, iddr_recovery_retry);
	INIT_LIST_HEAD(&d->node);
}

/* May the disk wait for another device, and for any back end that serves it? */
bool iddr_recovery_may_wait(const struct iddr_fdisk *d)
{
	return !d->leaving && d->recovery == IDDR_RECOVERY_WAIT &&
	       d->desc.identity[0];
}

/* Would the disk be parked now, if its back end went? Under queues_lock. */
bool iddr_recovery_may_park(const struct iddr_fdisk *d)
{
	return d->lasting && !d->parked && iddr_recovery_may_wait(d);
}

/*
 * From here on the disk's queue stands still. The caller closes the queues, waits
 * until who was in the midst of submission is through, and aborts them.
 * Under queues_lock.
 */
void iddr_recovery_park(struct iddr_fdisk *d)
{
	blk_mq_quiesce_queue_nowait(d->gd->queue);
	WRITE_ONCE(d->parked, true);
	d->give_up = false;
	d->kept = 0;
	d->parked_since = get_jiffies_64();
	iddr_recovery_arm_timeout(d);
}

/* What is parked goes on; it fails if the queues are closed. Under queues_lock. */
void iddr_recovery_unpark(struct iddr_fdisk *d)
{
	WRITE_ONCE(d->parked, false);
	d->give_up = false;
	d->waits_said = false;
	d->parked_jiffies += get_jiffies_64() - d->parked_since;
	cancel_delayed_work(&d->timeout_work);
	/* What was in flight is there when the queue runs. Its worker has no
	 * need of memory.
	 */
	blk_mq_kick_requeue_list(d->gd->queue);
	flush_delayed_work(&d->gd->queue->requeue_work);
	blk_mq_unquiesce_queue(d->gd->queue);
}

/* The queues are open again: go on. Under queues_lock. */
void iddr_recovery_resume(struct iddr_fdisk *d)
{
	d->recoveries++;
	d->reissued += d->kept;
	pr_info("iddr_front: %s: served again, by domain %d, after %llu ms; %llu requests are issued again\n",
		d->name, d->xdev->otherend_id,
		jiffies64_to_msecs(get_jiffies_64() - d->parked_since),
		d->kept);
	iddr_recovery_unpark(d);
}

/*
 * The parked disk's back end does not come back: one that is parked only because its
 * domain was restored does not wait for others. In the work item.
 */
void iddr_recovery_stays(struct iddr_fdisk *d)
{
	mutex_lock(&d->queues_lock);
	if (!iddr_recovery_may_wait(d))
		d->give_up = true;
	mutex_unlock(&d->queues_lock);
	iddr_fdisk_queue_work(d);
}

/* Wake who polls(2) state. The disk is in sysfs. */
void iddr_recovery_changed(struct iddr_fdisk *d)
{
	sysfs_notify(&d->link.kobj, NULL, "state");
	kobject_uevent(&disk_to_dev(d->gd)->kobj, KOBJ_CHANGE);
}

/*
 * Can the back end in domain @peer, which has served the disk, do nothing to it any
 * more, nor to our pages? In the work item.
 */
static bool iddr_recovery_is_fenced(struct iddr_fdisk *d, domid_t peer)
{
	unsigned int mapped = iddr_quarantine_mapped(peer);

	if (mapped && !d->waits_said)
		pr_warn("iddr_front: %s: waits until domain %d, which served it last, unmaps %u pages or is destroyed\n",
			d->name, peer, mapped);
	d->waits_said |= mapped;
	return !mapped;
}

/*
 * Does the toolstack want the disk to connect already, and to issue nothing until it
 * has fenced the old back end (modules/ABI.md)? In the work item.
 */
static bool iddr_recovery_is_held(struct iddr_fdisk *d)
{
	unsigned int hold;
	int n = xenbus_scanf(XBT_NIL, d->xdev->nodename, "iddr-hold", "%u",
			     &hold);

	/* If that cannot be seen, it may be. */
	return n == 1 ? hold : n != -ENOENT;
}

/*
 * May the back end that is there be offered rings? If not now, the work item looks
 * again. In the work item.
 */
bool iddr_recovery_may_offer(struct iddr_fdisk *d)
{
	u64 now = get_jiffies_64();
	unsigned long wait;

	/* Rings are new pages. What may still be written late to a parked disk
	 * is data. And who keeps the pages of one round must not get those of the
	 * next.
	 */
	if ((d->parked && !iddr_recovery_is_held(d) &&
	     !iddr_recovery_is_fenced(d, d->last_peer)) ||
	    (d->next_offer &&
	     !iddr_recovery_is_fenced(d, d->xdev->otherend_id))) {
		wait = msecs_to_jiffies(IDDR_FENCE_LOOK_MS);
	} else if (d->parked && time_before64(now, d->next_offer)) {
		/* A back end that goes each time must not keep us busy. */
		wait = d->next_offer - now;
	} else {
		d->next_offer = now + msecs_to_jiffies(IDDR_OFFER_MS);
		d->waits_said = false;
		return true;
	}
	queue_delayed_work(iddr_front_wq, &d->retry_work, wait);
	return false;
}

/*
 * May it serve, now that it is connected: the parked disk, or, if that has been given
 * up, a new one? Likewise.
 */
bool iddr_recovery_may_resume(struct iddr_fdisk *d)
{
	bool held = iddr_recovery_is_held(d);

	if (!held && (!d->gd || iddr_recovery_is_fenced(d, d->last_peer)))
		return true;
	queue_delayed_work(iddr_front_wq, &d->retry_work,
			   msecs_to_jiffies(held ? IDDR_HOLD_LOOK_MS :
					    IDDR_FENCE_LOOK_MS));
	return false;
}

/* The disk is parked no more, and will not be. Not under queues_lock. */
void iddr_recovery_cancel(struct iddr_fdisk *d)
{
	cancel_delayed_work_sync(&d->timeout_work);
	cancel_delayed_work_sync(&d->retry_work);
}

/* In the work item: the parked disk's time is up, or someone has said so. */
void iddr_recovery_give_up(struct iddr_fdisk *d)
{
	bool over;

	mutex_lock(&d->queues_lock);
	over = d->parked && d->give_up;
	mutex_unlock(&d->queues_lock);
	if (!over)
		return;
	pr_warn("iddr_front: %s: given up after %llu ms without a back end: its I/O fails\n",
		d->name,
		jiffies64_to_msecs(get_jiffies_64() - d->parked_since));
	blk_mark_disk_dead(d->gd);
	iddr_fdisk_drop_disk(d);
	/* What was refused in its place may be a new disk now. */
	d->reopen = d->reopen || d->refused;
	d->refused = false;
}

/*
 * The parked disk's xenbus device goes: keep the disk, with the device's reference.
 * The work item has ended, and there are no queues.
 */
void iddr_recovery_orphan(struct iddr_fdisk *d)
{
	struct iddr_fdisk *s;

	mutex_lock(&iddr_devices_lock);
	d->xdev = NULL;
	d->was_connected = false;
	d->restored = false;
	d->refused = false;
	d->reopen = false;
	spin_lock_irq(&d->work_lock);
	d->removing = false;
	spin_unlock_irq(&d->work_lock);
	list_move_tail(&d->node, &iddr_orphans);
	list_for_each_entry(s, &iddr_attached, node) {
		if (strcmp(s->name, d->name))
			continue;
		if (s->spare)
			iddr_fdisk_queue_work(s);
		else
			/* It was to be another disk, and waits for the name. */
			WRITE_ONCE(d->give_up, true);
	}
	/* It may have been asked to give up meanwhile. Not later: when the
	 * lock is dropped somebody may be through with it.
	 */
	iddr_fdisk_queue_work(d);
	mutex_unlock(&iddr_devices_lock);
}

/* Under iddr_devices_lock. */
static struct iddr_fdisk *iddr_recovery_find(const char *name)
{
	struct iddr_fdisk *d;

	list_for_each_entry(d, &iddr_orphans, node)
		if (!strcmp(d->name, name))
			return d;
	return NULL;
}

/*
 * Give the orphan of that name, if there is one that stays, the device. Under
 * iddr_devices_lock. Return: the orphan, which has the device's reference, or NULL.
 */
static struct iddr_fdisk *iddr_recovery_take_in(const char *name, u32 vdev,
						struct xenbus_device *xdev,
						enum xenbus_state back)
{
	struct iddr_fdisk *d = iddr_recovery_find(name);

	if (!d || d->going)
		return NULL;
	d->xdev = xdev;
	d->vdev = vdev;
	WRITE_ONCE(d->back_state, back);
	dev_set_drvdata(&xdev->dev, d);
	list_move_tail(&d->node, &iddr_attached);
	return d;
}

/* Return: whether an orphan adopts the new device. */
bool iddr_recovery_adopt(const char *name, u32 vdev, struct xenbus_device *xdev)
{
	bool adopted;

	mutex_lock(&iddr_devices_lock);
	adopted = iddr_recovery_take_in(name, vdev, xdev,
					XenbusStateInitialising);
	mutex_unlock(&iddr_devices_lock);
	return adopted;
}

/*
 * @d has a new device: it becomes a disk, or a spare if one of that name is there.
 * Return: true, or false where an orphan has come meanwhile, and adopted it.
 */
bool iddr_recovery_attach(struct iddr_fdisk *d)
{
	struct iddr_fdisk *other;
	bool adopted;

	mutex_lock(&iddr_devices_lock);
	adopted = iddr_recovery_take_in(d->name, d->vdev, d->xdev,
					d->back_state);
	if (!adopted) {
		/* One that goes for good needs none. */
		list_for_each_entry(other, &iddr_attached, node)
			if (!other->spare && !strcmp(other->name, d->name) &&
			    (!READ_ONCE(other->removing) ||
			     READ_ONCE(other->parked)))
				d->spare = true;
		list_add_tail(&d->node, &iddr_attached);
		dev_set_drvdata(&d->xdev->dev, d);
	}
	mutex_unlock(&iddr_devices_lock);
	if (d->spare)
		dev_info(&d->xdev->dev, "a spare: %s is there, and goes on with it when its own device has gone\n",
			 d->name);
	return !adopted;
}

/* @d's device goes, and @d with it. */
void iddr_recovery_detach(struct iddr_fdisk *d)
{
	mutex_lock(&iddr_devices_lock);
	list_del_init(&d->node);
	mutex_unlock(&iddr_devices_lock);
}

/* What the back end of a spare that stays one asks for. */
static void iddr_recovery_spare_act(struct iddr_fdisk *s,
				    struct xenbus_device *xdev,
				    enum xenbus_state back)
{
	switch (back) {
	case XenbusStateClosing:
		xenbus_frontend_closed(xdev);
		break;
	case XenbusStateInitWait:
	case XenbusStateClosed:
		/* One that comes (back) waits for this. */
		if (xdev->state == XenbusStateClosed &&
		    xenbus_read_unsigned(xdev->otherend, "online", 0)) {
			xenbus_switch_state(xdev, XenbusStateInitialising);
			/* It may be ready, and have said so before. */
			iddr_fdisk_queue_work(s);
		}
		break;
	default:
		break;
	}
}

/* In the work item. Return: it is a spare's, or was, and done. */
bool iddr_recovery_spare_work(struct iddr_fdisk *s)
{
	struct iddr_fdisk *d = NULL;
	struct xenbus_device *xdev;
	enum xenbus_state back;

	/* Fixed before there is work. */
	if (!s->spare)
		return false;
	mutex_lock(&iddr_devices_lock);
	xdev = s->xdev;
	back = READ_ONCE(s->back_state);
	if (xdev && back == XenbusStateInitWait &&
	    xdev->state == XenbusStateInitialising)
		d = iddr_recovery_take_in(s->name, s->vdev, xdev, back);
	if (d) {
		list_del_init(&s->node);
		s->xdev = NULL;
		/* Not later: the device may go again. */
		iddr_fdisk_queue_work(d);
	}
	mutex_unlock(&iddr_devices_lock);
	if (d)
		/* The device's; the work item has its own. */
		iddr_fdisk_put(s);
	else if (xdev)
		iddr_recovery_spare_act(s, xdev, back);
	return true;
}

/* The device goes: no more work for whose it is, which is returned. */
struct iddr_fdisk *iddr_recovery_stop_work(struct xenbus_device *xdev)
{
	struct iddr_fdisk *d;
	bool moved;

	do {
		mutex_lock(&iddr_devices_lock);
		d = dev_get_drvdata(&xdev->dev);
		kref_get(&d->ref);
		mutex_unlock(&iddr_devices_lock);
		spin_lock_irq(&d->work_lock);
		d->removing = true;
		spin_unlock_irq(&d->work_lock);
		/* What a spare does takes no time, and may be to give its
		 * device away.
		 */
		if (d->spare && cancel_work_sync(&d->state_work))
			iddr_fdisk_put(d);
		moved = dev_get_drvdata(&xdev->dev) != d;
		iddr_fdisk_put(d);
	} while (moved);
	return d;
}

/* In the work item. Return: it is an orphan's, and done. */
bool iddr_recovery_orphan_work(struct iddr_fdisk *d)
{
	bool orphan, going;

	mutex_lock(&iddr_devices_lock);
	orphan = !d->xdev;
	going = orphan && READ_ONCE(d->give_up) && !d->going;
	if (going)
		d->going = true;
	mutex_unlock(&iddr_devices_lock);
	if (!going)
		return orphan;

	iddr_recovery_give_up(d);
	spin_lock_irq(&d->work_lock);
	d->removing = true;
	spin_unlock_irq(&d->work_lock);
	iddr_recovery_detach(d);
	wake_up_all(&iddr_orphans_wq);
	/* The xenbus device's; the work item has its own. */
	iddr_fdisk_put(d);
	return true;
}

static bool iddr_recovery_name_is_free(const char *name)
{
	bool found;

	mutex_lock(&iddr_devices_lock);
	found = iddr_recovery_find(name);
	mutex_unlock(&iddr_devices_lock);
	return !found;
}

/* Wait until an orphan that goes has given up its name. In the work item. */
void iddr_recovery_wait_name(const char *name)
{
	wait_event(iddr_orphans_wq, iddr_recovery_name_is_free(name));
}

static bool iddr_recovery_has_no_orphans(void)
{
	bool none;

	mutex_lock(&iddr_devices_lock);
	none = list_empty(&iddr_orphans);
	mutex_unlock(&iddr_devices_lock);
	return none;
}

/* The module goes: so go the orphans, which nobody has open. */
void iddr_recovery_exit(void)
{
	struct iddr_fdisk *d;

	mutex_lock(&iddr_devices_lock);
	list_for_each_entry(d, &iddr_orphans, node) {
		WRITE_ONCE(d->give_up, true);
		iddr_fdisk_queue_work(d);
	}
	mutex_unlock(&iddr_devices_lock);
	wait_event(iddr_orphans_wq, iddr_recovery_has_no_orphans());
}

/*
 * sysfs: <disk>/iddr/, in the disk's life.
 */

static struct iddr_fdisk *to_fdisk(struct kobject *kobj)
{
	return container_of(kobj, struct iddr_fdisk, link.kobj);
}

/* Have a parked disk given up. Return: it is parked. */
static bool iddr_recovery_ask_to_give_up(struct iddr_fdisk *d)
{
	bool parked;

	mutex_lock(&d->queues_lock);
	parked = d->parked;
	if (parked)
		d->give_up = true;
	mutex_unlock(&d->queues_lock);
	if (parked)
		iddr_fdisk_queue_work(d);
	return parked;
}

static ssize_t recovery_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  iddr_recovery_names[to_fdisk(kobj)->recovery]);
}

static ssize_t recovery_store(struct kobject *kobj, struct kobj_attribute *attr,
			      const char *buf, size_t len)
{
	int r = sysfs_match_string(iddr_recovery_names, buf);
	struct iddr_fdisk *d = to_fdisk(kobj);

	if (r < 0)
		return r;
	mutex_lock(&d->queues_lock);
	d->recovery = r;
	mutex_unlock(&d->queues_lock);
	if (r == IDDR_RECOVERY_FAIL)
		iddr_recovery_ask_to_give_up(d);
	return len;
}

static ssize_t recovery_timeout_s_show(struct kobject *kobj,
				       struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", to_fdisk(kobj)->recovery_timeout_s);
}

static ssize_t recovery_timeout_s_store(struct kobject *kobj,
					struct kobj_attribute *attr,
					const char *buf, size_t len)
{
	struct iddr_fdisk *d = to_fdisk(kobj);
	unsigned int s;
	int err = kstrtouint(buf, 10, &s);

	if (err)
		return err;
	mutex_lock(&d->queues_lock);
	d->recovery_timeout_s = s;
	if (d->parked)
		iddr_recovery_arm_timeout(d);
	mutex_unlock(&d->queues_lock);
	return len;
}

static ssize_t remove_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t len)
{
	bool yes;
	int err = kstrtobool(buf, &yes);

	if (err)
		return err;
	if (yes && !iddr_recovery_ask_to_give_up(to_fdisk(kobj)))
		return -EBUSY;
	return len;
}

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%s\n", READ_ONCE(to_fdisk(kobj)->parked) ?
			  "parked" : "connected");
}

static ssize_t identity_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%s\n", to_fdisk(kobj)->desc.identity);
}

static ssize_t recoveries_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(to_fdisk(kobj)->recoveries));
}

static ssize_t reissued_requests_show(struct kobject *kobj,
				      struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(to_fdisk(kobj)->reissued));
}

static ssize_t parked_ms_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	struct iddr_fdisk *d = to_fdisk(kobj);
	u64 all;

	mutex_lock(&d->queues_lock);
	all = d->parked_jiffies;
	if (d->parked)
		all += get_jiffies_64() - d->parked_since;
	mutex_unlock(&d->queues_lock);
	return sysfs_emit(buf, "%llu\n", jiffies64_to_msecs(all));
}

static struct kobj_attribute iddr_recovery_attr = __ATTR_RW(recovery);
static struct kobj_attribute iddr_timeout_attr = __ATTR_RW(recovery_timeout_s);
static struct kobj_attribute iddr_remove_attr = __ATTR_WO(remove);
static struct kobj_attribute iddr_state_attr = __ATTR_RO(state);
static struct kobj_attribute iddr_identity_attr = __ATTR_RO(identity);
static struct kobj_attribute iddr_recoveries_attr = __ATTR_RO(recoveries);
static struct kobj_attribute iddr_reissued_attr = __ATTR_RO(reissued_requests);
static struct kobj_attribute iddr_parked_ms_attr = __ATTR_RO(parked_ms);

static const struct attribute *iddr_recovery_attrs[] = {
	&iddr_recovery_attr.attr,
	&iddr_timeout_attr.attr,
	&iddr_remove_attr.attr,
	&iddr_state_attr.attr,
	&iddr_identity_attr.attr,
	&iddr_recoveries_attr.attr,
	&iddr_reissued_attr.attr,
	&iddr_parked_ms_attr.attr,
	NULL
};

/* In the disk's directory, which takes them along when it goes. */
int iddr_recovery_add_files(struct iddr_fdisk *d)
{
	return sysfs_create_files(&d->link.kobj, iddr_recovery_attrs);
}
