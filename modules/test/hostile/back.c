// SPDX-License-Identifier: GPL-2.0
/*
 * Hostile back end: serves a small disk in memory correctly, one queue or
 * several, direct or indirect requests, until it is told otherwise; looks into
 * every page that it is granted for what is not the disk's.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/vmalloc.h>
#include <xen/page.h>

#include "back.h"
#include "debugfs.h"

static struct hb hb = {
	.ctl = { .run = hb_attack, .conclude = hb_conclude, .list = hb_list },
	.persistent = true,
	.queues = 1,
	.rounds = 50,
	.max_steps = HB_MAX_STEPS,
};

int hb_set_state(struct hb *h, int state)
{
	h->xdev->state = state;
	return xenbus_printf(XBT_NIL, h->xdev->nodename, "state", "%d", state);
}

/*
 * Mapping.
 */

static int hb_map(struct hb *h, grant_ref_t ref, struct hb_map *m)
{
	struct gnttab_map_grant_ref op;
	int err;

	if (!h->nr_free)
		return -ENOSPC;
	m->page = h->pages[--h->nr_free];
	gnttab_set_map_op(&op, (unsigned long)page_address(m->page),
			  GNTMAP_host_map, ref, h->xdev->otherend_id);
	err = gnttab_map_refs(&op, NULL, &m->page, 1);
	if (err || op.status != GNTST_okay) {
		h->pages[h->nr_free++] = m->page;
		return -EFAULT;
	}
	m->handle = op.handle;
	return 0;
}

static void hb_unmap(struct hb *h, struct hb_map *m)
{
	struct gnttab_unmap_grant_ref op;
	struct gntab_unmap_queue_data work = {
		.unmap_ops = &op, .pages = &m->page, .count = 1,
	};

	gnttab_set_unmap_op(&op, (unsigned long)page_address(m->page),
			    GNTMAP_host_map, m->handle);
	gnttab_unmap_refs_sync(&work);
	h->pages[h->nr_free++] = m->page;
}

/* Done with a page: unmap it, or not if the attack says so. */
static void hb_done(struct hb *h, struct hb_map *m)
{
	if (h->hooks.keep_mapped && h->nr_kept < HB_MAX_KEPT)
		h->kept[h->nr_kept++] = *m;
	else
		hb_unmap(h, m);
}

/* Unmap late what an attack, or a death, has kept. Under conn_lock. */
void hb_release_kept(struct hb *h)
{
	struct xenbus_device *xdev = h->died ?: h->xdev;

	while (h->nr_kept)
		hb_unmap(h, &h->kept[--h->nr_kept]);
	while (h->nr_old)
		xenbus_unmap_ring_vfree(xdev, h->old_rings[--h->nr_old].sring);
	if (h->died)
		put_device(&h->died->dev);
	h->died = NULL;
}

/*
 * Serving.
 */

/* Memory that is neither zero nor the disk's: it is the front end's own. */
void hb_scan(struct hb *h, const u64 *words, unsigned int first_sect,
	     unsigned int nr)
{
	unsigned int i;

	for (i = first_sect * 64; i < (first_sect + nr) * 64; i++) {
		u64 word = READ_ONCE(words[i]);

		if (!word || word == HOSTILE_TAG)
			continue;
		if (!h->foreign_words++)
			dev_info(&h->xdev->dev,
				 "foreign data: %#llx at byte %u of a page\n",
				 word, i * 8);
	}
}

static s16 hb_segment(struct hb *h, bool write,
		      const struct blkif_request_segment *seg, u64 *sector)
{
	unsigned int nr = seg->last_sect - seg->first_sect + 1;
	size_t bytes = nr * 512, at = *sector * 512;
	struct hb_map m;
	void *page, *data;

	if (seg->first_sect > seg->last_sect || seg->last_sect > 7 ||
	    *sector > HB_DISK_BYTES / 512 ||
	    *sector + nr > HB_DISK_BYTES / 512)
		return BLKIF_RSP_ERROR;
	if (hb_map(h, seg->gref, &m))
		return BLKIF_RSP_ERROR;
	page = page_address(m.page);
	data = page + seg->first_sect * 512;

	h->scanned_pages++;
	hb_scan(h, page, 0, seg->first_sect);
	hb_scan(h, page, seg->last_sect + 1, 7 - seg->last_sect);
	/* A whole page that is not kept granted may be the reader's own
	 * memory, which is going to be overwritten.
	 */
	if (write || h->front_persistent || nr < 8)
		hb_scan(h, page, seg->first_sect, nr);

	if (write)
		memcpy(h->disk + at, data, bytes);
	else if (!h->hooks.no_data || !h->shots)
		memcpy(data, h->disk + at, bytes);
	*sector += nr;
	hb_done(h, &m);
	return BLKIF_RSP_OKAY;
}

static s16 hb_direct(struct hb *h, const struct blkif_request *req)
{
	u64 sector = req->u.rw.sector_number;
	s16 status = BLKIF_RSP_OKAY;
	unsigned int i;

	if (req->u.rw.nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return BLKIF_RSP_ERROR;
	for (i = 0; i < req->u.rw.nr_segments && !status; i++)
		status = hb_segment(h, req->operation != BLKIF_OP_READ,
				    &req->u.rw.seg[i], &sector);
	return status;
}

static s16 hb_indirect(struct hb *h, const struct blkif_request *req)
{
	const unsigned int per = XEN_PAGE_SIZE /
				 sizeof(struct blkif_request_segment);
	u64 sector = req->u.indirect.sector_number;
	unsigned int i, nr = req->u.indirect.nr_segments;
	const struct blkif_request_segment *desc;
	s16 status = BLKIF_RSP_OKAY;
	struct hb_map m;

	if (nr > per)		/* more than we ever offer */
		return BLKIF_RSP_ERROR;
	if (hb_map(h, req->u.indirect.indirect_grefs[0], &m))
		return BLKIF_RSP_ERROR;
	desc = page_address(m.page);
	for (i = 0; i < nr && !status; i++)
		status = hb_segment(h,
				    req->u.indirect.indirect_op != BLKIF_OP_READ,
				    &desc[i], &sector);
	hb_done(h, &m);
	return status;
}

void hb_publish(struct hb_ring *r)
{
	virt_wmb();
	WRITE_ONCE(r->sring->rsp_prod, r->rsp_prod);
	notify_remote_via_irq(r->irq);
}

void hb_put(struct hb_ring *r, u64 id, u8 operation, s16 status)
{
	struct blkif_response *rsp = &hb_slot(r, r->rsp_prod++)->rsp;

	rsp->id = id;
	rsp->operation = operation;
	rsp->status = status;
}

static void hb_serve(struct hb *h, struct hb_ring *r,
		     const struct blkif_request *req)
{
	s16 status = BLKIF_RSP_OKAY;
	bool hit = false;

	switch (req->operation) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
		hit = true;
		status = hb_direct(h, req);
		break;
	case BLKIF_OP_INDIRECT:
		hit = true;
		status = hb_indirect(h, req);
		break;
	case BLKIF_OP_FLUSH_DISKCACHE:
	case BLKIF_OP_DISCARD:
		break;
	default:
		status = BLKIF_RSP_EOPNOTSUPP;
	}

	/* The attacks are on reads and writes; shots are for those. */
	if (hit && h->shots) {
		h->shots--;
		h->hits++;
		if (h->hooks.answer) {
			h->hooks.answer(h, r, req, status);
			wake_up_all(&h->wq);
			return;
		}
	}
	hb_put(r, req->u.rw.id, hb_operation(req), status);
	hb_publish(r);
	wake_up_all(&h->wq);
}

/* The last word has been said. */
static bool hb_silent(const struct hb *h)
{
	return h->hooks.then_silent && h->hits && !h->shots;
}

/* Return: whether there was anything. */
static bool hb_drain(struct hb *h, struct hb_ring *r)
{
	u32 prod = READ_ONCE(r->sring->req_prod);
	struct blkif_request req;

	/* An index that an attack scribbled is not the front end's. */
	if (prod - r->req_cons <= r->nr_slots)
		r->seen_prod = prod;
	if (r->seen_prod == r->req_cons || hb_silent(h))
		return false;
	virt_rmb();
	while (r->req_cons != r->seen_prod && !hb_silent(h)) {
		req = hb_slot(r, r->req_cons++)->req;
		if (h->hooks.taken)
			h->hooks.taken(h, r);
		hb_serve(h, r, &req);
	}
	WRITE_ONCE(r->sring->req_event, r->req_cons + 1);
	return true;
}

static int hb_thread(void *data)
{
	struct hb *h = data;
	unsigned int i;

	while (!kthread_should_stop()) {
		bool busy = false;

		mutex_lock(&h->conn_lock);
		for (i = 0; h->connected && i < h->nr_rings; i++)
			busy |= hb_drain(h, &h->rings[i]);
		mutex_unlock(&h->conn_lock);
		if (!busy)
			usleep_range(500, 1000);
		cond_resched();
	}
	return 0;
}

/* Needed only so that there is a port to ring the front end's bell by. */
static irqreturn_t hb_upcall(int irq, void *data)
{
	return IRQ_HANDLED;
}

/*
 * Connecting.
 */

void hb_disconnect(struct hb *h)
{
	unsigned int i;

	mutex_lock(&h->conn_lock);
	h->connected = false;
	for (i = 0; i < h->nr_rings; i++) {
		struct hb_ring *r = &h->rings[i];

		if (r->irq)
			unbind_from_irqhandler(r->irq, h);
		if (r->sring && h->hooks.keep_on_close &&
		    h->nr_old < HB_MAX_QUEUES)
			h->old_rings[h->nr_old++] = *r;
		else if (r->sring)
			xenbus_unmap_ring_vfree(h->xdev, r->sring);
		memset(r, 0, sizeof(*r));
	}
	h->nr_rings = 0;
	if (!h->hooks.keep_on_close)
		hb_release_kept(h);
	mutex_unlock(&h->conn_lock);
}

/* The value of a key: a fair one, or the armed attack's. */
static void __printf(3, 4) hb_key(struct hb *h, const char *key,
				  const char *fmt, ...)
{
	const char *dir = h->xdev->nodename;
	char value[32];
	va_list args;

	if (h->key && !strcmp(h->key, key) && hb_stepping(h)) {
		if (h->values[h->step])
			xenbus_write(XBT_NIL, dir, key, h->values[h->step]);
		else
			xenbus_rm(XBT_NIL, dir, key);
		return;
	}
	va_start(args, fmt);
	vscnprintf(value, sizeof(value), fmt, args);
	va_end(args);
	xenbus_write(XBT_NIL, dir, key, value);
}

/* What a front end reads before it makes its rings. */
static void hb_offer(struct hb *h)
{
	hb_key(h, "multi-queue-max-queues", "%u",
	       clamp(h->queues, 1U, (u32)HB_MAX_QUEUES));
	hb_key(h, "max-ring-page-order", "%u",
	       min(h->ring_order, (u32)HB_MAX_ORDER));
	hb_set_state(h, XenbusStateInitWait);
}

static void hb_describe(struct hb *h)
{
	hb_key(h, "sectors", "%u", HB_DISK_BYTES / 512);
	hb_key(h, "info", "%u", 0);
	hb_key(h, "sector-size", "%u", 512);
	hb_key(h, "physical-sector-size", "%u", 512);
	hb_key(h, "feature-flush-cache", "%u", 1);
	hb_key(h, "feature-barrier", "%u", 1);
	hb_key(h, "feature-persistent", "%u", h->persistent);
	hb_key(h, "feature-max-indirect-segments", "%u",
	       min(h->indirect, (u32)HB_MAX_INDIRECT));
	hb_key(h, "feature-discard", "%u", 1);
	hb_key(h, "discard-granularity", "%u", 512);
	hb_key(h, "discard-alignment", "%u", 0);
	hb_key(h, "discard-secure", "%u", 0);
}

static int hb_ring_map(struct hb *h, struct hb_ring *r, const char *dir,
		       unsigned int order)
{
	grant_ref_t refs[HB_MAX_RING_PAGES];
	unsigned int i, port, ref;
	char key[16] = "ring-ref";
	void *ring;
	int err;

	r->nr_pages = 1U << order;
	for (i = 0; i < r->nr_pages; i++) {
		if (r->nr_pages > 1)
			snprintf(key, sizeof(key), "ring-ref%u", i);
		if (xenbus_scanf(XBT_NIL, dir, key, "%u", &ref) != 1)
			return -EINVAL;
		refs[i] = ref;
	}
	if (xenbus_scanf(XBT_NIL, dir, "event-channel", "%u", &port) != 1)
		return -EINVAL;
	err = xenbus_map_ring_valloc(h->xdev, refs, r->nr_pages, &ring);
	if (err)
		return err;
	r->sring = ring;
	r->nr_slots = __RING_SIZE(r->sring, r->nr_pages * XEN_PAGE_SIZE);
	err = bind_interdomain_evtchn_to_irqhandler_lateeoi(h->xdev, port,
					hb_upcall, 0, "hostile_back", h);
	if (err < 0)
		return err;
	r->irq = err;
	return 0;
}

static void hb_connect(struct hb *h)
{
	const char *front = h->xdev->otherend;
	unsigned int i, nr, order;
	char dir[80];
	int err = 0;

	if (h->connected)
		return;
	nr = xenbus_read_unsigned(front, "multi-queue-num-queues", 1);
	order = xenbus_read_unsigned(front, "ring-page-order", 0);
	h->front_persistent = xenbus_read_unsigned(front,
						   "feature-persistent", 0);
	if (!nr || nr > HB_MAX_QUEUES || order > HB_MAX_ORDER) {
		xenbus_dev_fatal(h->xdev, -EINVAL,
				 "%u queues of 2^%u pages: more than was offered",
				 nr, order);
		return;
	}
	mutex_lock(&h->conn_lock);
	for (i = 0; i < nr && !err; i++) {
		h->nr_rings = i + 1;
		snprintf(dir, sizeof(dir), "%s/queue-%u", front, i);
		err = hb_ring_map(h, &h->rings[i],
				  xenbus_exists(XBT_NIL, front,
						"multi-queue-num-queues") ?
				  dir : front, order);
	}
	h->connected = !err;
	/* The front end has by now let go of all that was before. */
	if (h->connected && h->died)
		hb_release_kept(h);
	mutex_unlock(&h->conn_lock);
	if (err) {
		xenbus_dev_fatal(h->xdev, err, "mapping queue %u", i - 1);
		hb_disconnect(h);
		return;
	}
	h->connections++;
	hb_describe(h);
	hb_set_state(h, XenbusStateConnected);
}

/* A connection of an attack that takes several is over, or stands. */
static void hb_outcome(struct hb *h, enum hb_outcome outcome)
{
	if (hb_stepping(h) && h->outcomes[h->step] == HB_PENDING)
		h->outcomes[h->step] = outcome;
}

/* xenwatch */
static void hb_front_changed(struct xenbus_device *xdev,
			     enum xenbus_state state)
{
	struct hb *h = dev_get_drvdata(&xdev->dev);

	WRITE_ONCE(h->front_state, state);
	wake_up_all(&h->wq);
	switch (state) {
	case XenbusStateInitialising:
		hb_disconnect(h);
		/* The next connection is the attack's next step. */
		if (h->step < (int)h->nr_steps &&
		    (h->step < 0 || h->outcomes[h->step] != HB_PENDING))
			h->step++;
		hb_offer(h);
		break;
	case XenbusStateInitialised:
		hb_connect(h);
		break;
	case XenbusStateConnected:
		hb_outcome(h, HB_ACCEPTED);
		if (h->connected && h->hooks.connected)
			h->hooks.connected(h);
		break;
	case XenbusStateClosing:
		hb_outcome(h, HB_REFUSED);
		hb_set_state(h, XenbusStateClosing);
		break;
	case XenbusStateClosed:
		hb_outcome(h, HB_REFUSED);
		hb_disconnect(h);
		hb_set_state(h, XenbusStateClosed);
		if (xenbus_dev_is_online(xdev))
			break;
		fallthrough;
	case XenbusStateUnknown:
		hb_disconnect(h);
		device_unregister(&xdev->dev);
		break;
	default:
		break;
	}
	wake_up_all(&h->wq);
}

/*
 * Unbound it dies: it does not close, and what it has mapped (data pages only if
 * an attack has kept some) stays so until it is bound and connected again.
 */
static void hb_remove(struct xenbus_device *xdev)
{
	struct hb *h = dev_get_drvdata(&xdev->dev);

	mutex_lock(&h->ctl.lock);
	kthread_stop(h->thread);
	if (h->nr_rings && !h->stopping) {
		h->hooks.keep_on_close = true;
		if (!h->died) {
			get_device(&xdev->dev);
			h->died = xdev;
		}
	}
	hb_disconnect(h);
	hb_disarm(h);
	h->xdev = NULL;
	dev_set_drvdata(&xdev->dev, NULL);
	mutex_unlock(&h->ctl.lock);
}

static int hb_probe(struct xenbus_device *xdev,
		    const struct xenbus_device_id *id)
{
	struct hb *h = &hb;
	struct task_struct *thread;

	if (h->xdev)
		return -EBUSY;
	h->front_state = XenbusStateUnknown;
	hb_disarm(h);
	thread = kthread_run(hb_thread, h, "hostile_back");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	h->thread = thread;
	h->xdev = xdev;
	dev_set_drvdata(&xdev->dev, h);
	hb_offer(h);
	return 0;
}

static const struct xenbus_device_id hb_ids[] = {
	{ "vbd" },
	{ "" }
};

static struct xenbus_driver hb_driver = {
	.name = "hostile_back",
	.ids = hb_ids,
	.allow_rebind = true,		/* unbinding leaves the state alone */
	.probe = hb_probe,
	.remove = hb_remove,
	.otherend_changed = hb_front_changed,
};

static int __init hb_init(void)
{
	struct hb *h = &hb;
	int err = -ENOMEM;

	if (!xen_domain())
		return -ENODEV;
	init_waitqueue_head(&h->wq);
	mutex_init(&h->conn_lock);
	h->disk = vmalloc(HB_DISK_BYTES);
	if (!h->disk)
		return -ENOMEM;
	memset64(h->disk, HOSTILE_TAG, HB_DISK_BYTES / 8);
	err = gnttab_alloc_pages(ARRAY_SIZE(h->pages), h->pages);
	if (err)
		goto fail;
	h->nr_free = ARRAY_SIZE(h->pages);
	hostile_ctl_init(&h->ctl, "hostile_back");
	debugfs_create_bool("persistent", 0600, h->ctl.dir, &h->persistent);
	debugfs_create_u32("queues", 0600, h->ctl.dir, &h->queues);
	debugfs_create_u32("ring_order", 0600, h->ctl.dir, &h->ring_order);
	debugfs_create_u32("indirect", 0600, h->ctl.dir, &h->indirect);
	debugfs_create_u32("rounds", 0600, h->ctl.dir, &h->rounds);
	debugfs_create_u32("max_steps", 0600, h->ctl.dir, &h->max_steps);
	debugfs_create_u32("steps", 0400, h->ctl.dir, &h->nr_steps);
	debugfs_create_u64("scanned_pages", 0600, h->ctl.dir,
			   &h->scanned_pages);
	debugfs_create_u64("foreign_words", 0600, h->ctl.dir,
			   &h->foreign_words);
	err = xenbus_register_backend(&hb_driver);
	if (!err)
		return 0;
	debugfs_remove(h->ctl.dir);
	gnttab_free_pages(ARRAY_SIZE(h->pages), h->pages);
fail:
	vfree(h->disk);
	return err;
}
module_init(hb_init);

static void __exit hb_exit(void)
{
	hb.stopping = true;
	xenbus_unregister_driver(&hb_driver);
	if (hb.died)
		hb_release_kept(&hb);
	debugfs_remove(hb.ctl.dir);
	gnttab_free_pages(ARRAY_SIZE(hb.pages), hb.pages);
	vfree(hb.disk);
}
module_exit(hb_exit);

MODULE_DESCRIPTION("IDDR tests: a hostile block back end");
MODULE_AUTHOR("IDDR authors");
MODULE_LICENSE("GPL");
