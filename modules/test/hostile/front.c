// SPDX-License-Identifier: GPL-2.0
/*
 * Hostile front end: takes one disk, connects to the honest back end with rings
 * that it fills by hand, and checks that the back end serves and lets go.
 */
#include <linux/delay.h>
#include <linux/vmalloc.h>
#include <xen/interface/io/protocols.h>
#include <xen/page.h>

#include "debugfs.h"
#include "front.h"

/* How long an honest back end may take for anything, emulated and loaded. */
#define HF_PATIENCE		(15 * HZ)

static struct hf hf = {
	.ctl = { .run = hf_attack, .list = hf_list },
	.persistent = true,
	.queues = 1,
	.fresh = true,
	.max_values = U32_MAX,
	.rounds = 50,
};

/* Without xenbus_switch_state(), which knows what is proper. */
int hf_set_state(struct hf *h, int state)
{
	h->xdev->state = state;
	return xenbus_printf(XBT_NIL, h->xdev->nodename, "state", "%d", state);
}

bool hf_back_in(struct hf *h, u32 states)
{
	return states & (1U << READ_ONCE(h->back_state));
}

/* Wait until the back end is in one of @states. Return: it is. */
bool hf_wait_back(struct hf *h, u32 states)
{
	return wait_event_timeout(h->wq, hf_back_in(h, states), HF_PATIENCE);
}

static irqreturn_t hf_upcall(int irq, void *data)
{
	atomic_inc(data);
	return IRQ_HANDLED;
}

/* Grant @page, until the next hf_free_all(). Return: the reference. */
grant_ref_t hf_grant(struct hf *h, struct page *page, bool readonly)
{
	int ref;

	if (h->nr_extra == HF_MAX_EXTRA)
		return INVALID_GRANT_REF;
	ref = gnttab_grant_foreign_access(h->xdev->otherend_id,
					  xen_page_to_gfn(page), readonly);
	if (ref < 0)
		return INVALID_GRANT_REF;
	h->extra[h->nr_extra++] = ref;
	return ref;
}

/* A reference of ours that grants nothing. */
grant_ref_t hf_unused_ref(struct hf *h)
{
	grant_ref_t ref = hf_grant(h, h->pages[0], false);

	if (ref != INVALID_GRANT_REF)
		gnttab_end_foreign_access_ref(ref);
	return ref;
}

/* End a grant; a page still mapped is kept by the kernel until it is not. */
static bool hf_ungrant(grant_ref_t ref)
{
	if (ref == INVALID_GRANT_REF || gnttab_try_end_foreign_access(ref))
		return true;
	gnttab_end_foreign_access(ref, NULL);
	return false;
}

static void hf_ring_free(struct hf_ring *r, unsigned int *mapped)
{
	unsigned int i;

	if (r->irq)
		unbind_from_irqhandler(r->irq, &hf.upcalls);
	r->irq = 0;
	for (i = 0; i < r->nr_pages; i++)
		*mapped += !hf_ungrant(r->refs[i]);
	if (r->sring)
		free_pages_exact(r->sring, r->nr_pages * PAGE_SIZE);
	memset(r, 0, sizeof(*r));
}

/* Drop everything that we share, without a word to the back end. */
void hf_free_all(struct hf *h, bool must_be_unmapped)
{
	unsigned int i, mapped = 0;

	for (i = 0; i < HF_MAX_QUEUES; i++)
		hf_ring_free(&h->rings[i], &mapped);
	h->nr_queues = 0;
	for (i = 0; h->granted && i < HF_PAGES; i++)
		mapped += !hf_ungrant(h->refs[i]);
	h->granted = false;
	while (h->nr_extra)
		mapped += !hf_ungrant(h->extra[--h->nr_extra]);
	h->connected = false;
	if (mapped && must_be_unmapped)
		hf_fail(h, "the back end has closed but still maps %u pages",
			mapped);
}

static int hf_ring_alloc(struct hf *h, struct hf_ring *r, unsigned int order,
			 const struct hf_offer *offer)
{
	unsigned int i, bytes = XEN_PAGE_SIZE << order;
	int err;

	r->sring = alloc_pages_exact(bytes, GFP_KERNEL | __GFP_ZERO);
	if (!r->sring)
		return -ENOMEM;
	r->nr_pages = 1U << order;
	for (i = 0; i < r->nr_pages; i++)
		r->refs[i] = INVALID_GRANT_REF;
	SHARED_RING_INIT(r->sring);
	r->nr_slots = __RING_SIZE(r->sring, bytes);
	for (i = 0; i < r->nr_pages; i++) {
		void *page = (void *)r->sring + i * XEN_PAGE_SIZE;

		err = gnttab_grant_foreign_access(h->xdev->otherend_id,
						  virt_to_gfn(page),
						  offer->ring_readonly);
		if (err < 0)
			return err;
		r->refs[i] = err;
		if (offer->ring_revoked)
			gnttab_end_foreign_access_ref(err);
	}
	err = xenbus_alloc_evtchn(h->xdev, &r->port);
	if (err)
		return err;
	err = bind_evtchn_to_irqhandler(r->port, hf_upcall, 0, "hostile_front",
					&h->upcalls);
	if (err < 0)
		return err;
	r->irq = err;
	if (offer->port_closed) {
		unbind_from_irqhandler(r->irq, &h->upcalls);
		r->irq = 0;
	}
	return 0;
}

/* Remove what an earlier connection has left in our directory. */
static void hf_rm_keys(struct hf *h)
{
	const char *dir = h->xdev->nodename;
	unsigned int i, n;
	char **keys;

	keys = xenbus_directory(XBT_NIL, dir, "", &n);
	if (IS_ERR(keys))
		return;
	for (i = 0; i < n; i++)
		if (strstarts(keys[i], "ring-") ||
		    strstarts(keys[i], "queue-") ||
		    strstarts(keys[i], "multi-queue-") ||
		    strstarts(keys[i], "feature-") ||
		    !strcmp(keys[i], "event-channel") ||
		    !strcmp(keys[i], "protocol"))
			xenbus_rm(XBT_NIL, dir, keys[i]);
	kfree(keys);
}

/* Write a key, or what the offer has in its place. */
static int hf_key(struct xenbus_transaction t, const char *dir,
		  const char *key, const char *value,
		  const struct hf_offer *offer)
{
	if (offer->key && !strcmp(key, offer->key)) {
		if (!offer->value)
			return 0;
		value = offer->value;
	}
	return xenbus_write(t, dir, key, value);
}

static int hf_key_uint(struct xenbus_transaction t, const char *dir,
		       const char *key, u32 value,
		       const struct hf_offer *offer)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	return hf_key(t, dir, key, text, offer);
}

static int hf_ring_keys(struct hf *h, struct xenbus_transaction t,
			const char *dir, const struct hf_ring *r,
			const struct hf_offer *offer)
{
	unsigned int i;
	int err = 0;

	if (r->nr_pages == 1)
		err = hf_key_uint(t, dir, "ring-ref", r->refs[0], offer);
	for (i = 0; r->nr_pages > 1 && i < r->nr_pages && !err; i++) {
		char key[16];

		snprintf(key, sizeof(key), "ring-ref%u", i);
		err = hf_key_uint(t, dir, key,
				  r->refs[offer->ring_page_twice ? 0 : i],
				  offer);
	}
	if (!err)
		err = hf_key_uint(t, dir, "event-channel",
				  offer->port_shared ? h->rings[0].port :
						       r->port, offer);
	return err;
}

static int hf_keys(struct hf *h, struct xenbus_transaction t,
		   const struct hf_offer *offer)
{
	const char *dir = h->xdev->nodename;
	unsigned int i;
	int err = 0;

	/* First, so that proper ones of the same name come after it. */
	if (offer->key && offer->value)
		err = xenbus_write(t, dir, offer->key, offer->value);
	if (!err)
		err = hf_key(t, dir, "protocol", XEN_IO_PROTO_ABI_NATIVE,
			     offer);
	if (!err)
		err = hf_key_uint(t, dir, "feature-persistent", h->persistent,
				  offer);
	if (!err && h->rings[0].nr_pages > 1)
		err = hf_key_uint(t, dir, "ring-page-order",
				  ilog2(h->rings[0].nr_pages), offer);
	if (h->nr_queues == 1)
		return err ? err : hf_ring_keys(h, t, dir, &h->rings[0], offer);

	if (!err)
		err = hf_key_uint(t, dir, "multi-queue-num-queues",
				  h->nr_queues, offer);
	for (i = 0; i < h->nr_queues && !err; i++) {
		char queue[80];

		snprintf(queue, sizeof(queue), "%s/queue-%u", dir, i);
		err = hf_ring_keys(h, t, queue, &h->rings[i], offer);
	}
	return err;
}

static int hf_read_disk(struct hf *h)
{
	const char *back = h->xdev->otherend;
	struct hf_disk *d = &h->disk;
	unsigned int block_bytes;
	int err;

	err = xenbus_gather(XBT_NIL, back, "sectors", "%llu", &d->sectors,
			    "info", "%u", &d->info,
			    "sector-size", "%u", &block_bytes, NULL);
	if (err)
		return err;
	d->block_sectors = block_bytes / 512;
	d->max_indirect = xenbus_read_unsigned(back,
					"feature-max-indirect-segments", 0);
	d->discard = xenbus_read_unsigned(back, "feature-discard", 0);
	d->discard_secure = xenbus_read_unsigned(back, "discard-secure", 0);
	d->flush = xenbus_read_unsigned(back, "feature-flush-cache", 0);
	return 0;
}

/*
 * From InitWait to Connected, or as far as @offer says.
 * Return: 0; -EIO: the back end refused; -ETIMEDOUT: it did nothing.
 */
int hf_connect(struct hf *h, const struct hf_offer *offer)
{
	const char *back = h->xdev->otherend;
	struct xenbus_transaction t;
	unsigned int i, order;
	int err;

	hf_rm_keys(h);
	h->nr_queues = clamp_t(u32, max(h->queues, offer->min_queues), 1,
			       min_t(u32, HF_MAX_QUEUES,
				     max(1U, xenbus_read_unsigned(back,
						"multi-queue-max-queues", 1))));
	order = min3(max(h->ring_order, offer->min_order), 4U,
		     xenbus_read_unsigned(back, "max-ring-page-order", 0));
	for (i = 0; i < h->nr_queues; i++) {
		err = hf_ring_alloc(h, &h->rings[i], order, offer);
		if (err)
			return err;
	}
	for (i = 0; i < HF_PAGES; i++) {
		err = gnttab_grant_foreign_access(h->xdev->otherend_id,
					xen_page_to_gfn(h->pages[i]), 0);
		h->refs[i] = err < 0 ? INVALID_GRANT_REF : err;
	}
	h->granted = true;
	if (offer->last_step == HF_STEP_RINGS)
		return 0;

	do {
		err = xenbus_transaction_start(&t);
		if (err)
			return err;
		err = hf_keys(h, t, offer);
		if (err) {
			xenbus_transaction_end(t, 1);
			return err;
		}
		err = xenbus_transaction_end(t, 0);
	} while (err == -EAGAIN);
	if (err || offer->last_step == HF_STEP_KEYS)
		return err;

	hf_set_state(h, XenbusStateInitialised);
	if (offer->last_step == HF_STEP_INITIALISED)
		return 0;
	if (!hf_wait_back(h, HF_STATE(Connected) | HF_GONE))
		return -ETIMEDOUT;
	if (!hf_back_in(h, HF_STATE(Connected)))
		return -EIO;
	err = hf_read_disk(h);
	if (err)
		return err;
	hf_set_state(h, XenbusStateConnected);
	h->connected = true;
	return 0;
}

/*
 * Close, whatever the state of things, and be where a connection begins. An
 * honest back end lets go of everything when its front end closes.
 */
int hf_reset(struct hf *h)
{
	hf_set_state(h, XenbusStateClosed);
	if (!hf_wait_back(h, HF_STATE(Closed))) {
		hf_fail(h, "the back end stays %s when we close",
			xenbus_strstate(h->back_state));
		hf_free_all(h, false);
		return -ETIMEDOUT;
	}
	hf_free_all(h, true);
	hf_set_state(h, XenbusStateInitialising);
	if (!hf_wait_back(h, HF_STATE(InitWait))) {
		hf_fail(h, "the back end stays %s when we come again",
			xenbus_strstate(h->back_state));
		return -ETIMEDOUT;
	}
	return 0;
}

/* A proper request over the first @nr_segs data pages. */
void hf_fill_rw(struct hf *h, struct blkif_request *req, u8 operation,
		u64 sector, unsigned int nr_segs)
{
	unsigned int i;

	memset(req, 0, sizeof(*req));
	req->operation = operation;
	req->u.rw.id = h->next_id++;
	req->u.rw.nr_segments = nr_segs;
	req->u.rw.sector_number = sector;
	for (i = 0; i < nr_segs; i++) {
		req->u.rw.seg[i].gref = h->refs[i];
		req->u.rw.seg[i].first_sect = 0;
		req->u.rw.seg[i].last_sect = HF_PAGE_SECTORS - 1;
	}
}

static union blkif_sring_entry *hf_slot(struct hf_ring *r, u32 idx)
{
	return &r->sring->ring[idx & (r->nr_slots - 1)];
}

void hf_put(struct hf_ring *r, const struct blkif_request *req)
{
	hf_slot(r, r->req_prod++)->req = *req;
}

void hf_publish(struct hf_ring *r)
{
	virt_wmb();
	WRITE_ONCE(r->sring->req_prod, r->req_prod);
	if (r->irq)
		notify_remote_via_irq(r->irq);
}

/* Return: 0 with @rsp filled; -EIO: the back end closes; -ETIMEDOUT. */
int hf_wait_response(struct hf *h, struct hf_ring *r,
		     struct blkif_response *rsp)
{
	unsigned long end = jiffies + HF_PATIENCE;

	while (READ_ONCE(r->sring->rsp_prod) == r->rsp_cons) {
		if (hf_back_in(h, HF_GONE))
			return -EIO;
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		usleep_range(100, 200);
	}
	virt_rmb();
	*rsp = hf_slot(r, r->rsp_cons++)->rsp;
	return 0;
}

int hf_do(struct hf *h, struct hf_ring *r, const struct blkif_request *req,
	  struct blkif_response *rsp)
{
	hf_put(r, req);
	hf_publish(r);
	return hf_wait_response(h, r, rsp);
}

static int hf_do_ok(struct hf *h, struct hf_ring *r,
		    const struct blkif_request *req)
{
	struct blkif_response rsp;
	int err = hf_do(h, r, req, &rsp);

	if (err) {
		hf_fail(h, "proper operation %u is not answered: %d",
			req->operation, err);
	} else if (rsp.status != BLKIF_RSP_OKAY || rsp.id != req->u.rw.id ||
		   rsp.operation != req->operation) {
		err = -EPROTO;
		hf_fail(h, "proper operation %u gets status %d",
			req->operation, rsp.status);
	}
	return err;
}

/* Does the disk still store and return what it is given, on every queue? */
void hf_serves(struct hf *h)
{
	const unsigned int segs = 2, words = segs * PAGE_SIZE / sizeof(u64);
	struct blkif_request req;
	unsigned int i, w;
	u64 sector;

	for (i = 0; i < h->nr_queues; i++) {
		struct hf_ring *r = &h->rings[i];
		u64 salt = ((u64)hf_random(h) << 32) | hf_random(h);

		sector = 64 + (hf_random(h) % 64) * HF_PAGE_SECTORS;
		if (!(h->disk.info & VDISK_READONLY)) {
			for (w = 0; w < words; w++)
				hf_page(h, w / 512)[w % 512] = salt + w;
			hf_fill_rw(h, &req, BLKIF_OP_WRITE, sector, segs);
			if (hf_do_ok(h, r, &req))
				return;
		}
		memset(hf_page(h, 0), 0, PAGE_SIZE);
		memset(hf_page(h, 1), 0, PAGE_SIZE);
		hf_fill_rw(h, &req, BLKIF_OP_READ, sector, segs);
		if (hf_do_ok(h, r, &req))
			return;
		if (h->disk.info & VDISK_READONLY)
			continue;
		for (w = 0; w < words; w++) {
			if (hf_page(h, w / 512)[w % 512] == salt + w)
				continue;
			hf_fail(h, "queue %u returned other data than was written",
				i);
			return;
		}
	}
}

static void hf_back_changed(struct xenbus_device *xdev,
			    enum xenbus_state state)
{
	struct hf *h = dev_get_drvdata(&xdev->dev);

	WRITE_ONCE(h->back_state, state);
	wake_up_all(&h->wq);
	/* Between attacks we are detached like any other. */
	if (state == XenbusStateClosing && mutex_trylock(&h->ctl.lock)) {
		hf_set_state(h, XenbusStateClosed);
		mutex_unlock(&h->ctl.lock);
	}
}

/* Dies without closing: an unbound hostile front end just vanishes. */
static void hf_remove(struct xenbus_device *xdev)
{
	struct hf *h = dev_get_drvdata(&xdev->dev);

	mutex_lock(&h->ctl.lock);
	hf_free_all(h, false);
	h->xdev = NULL;
	dev_set_drvdata(&xdev->dev, NULL);
	mutex_unlock(&h->ctl.lock);
}

static int hf_probe(struct xenbus_device *xdev,
		    const struct xenbus_device_id *id)
{
	struct hf *h = &hf;
	int err = -EBUSY;

	mutex_lock(&h->ctl.lock);
	if (!h->xdev) {
		h->xdev = xdev;
		h->back_state = XenbusStateUnknown;
		dev_set_drvdata(&xdev->dev, h);
		err = hf_set_state(h, XenbusStateInitialising);
		if (err)
			h->xdev = NULL;
	}
	mutex_unlock(&h->ctl.lock);
	return err;
}

static const struct xenbus_device_id hf_ids[] = {
	{ "vbd" },
	{ "" }
};

static struct xenbus_driver hf_driver = {
	.name = "hostile_front",
	.ids = hf_ids,
	.allow_rebind = true,		/* unbinding leaves the state alone */
	.probe = hf_probe,
	.remove = hf_remove,
	.otherend_changed = hf_back_changed,
};

static void hf_free_memory(struct hf *h)
{
	unsigned int i;

	for (i = 0; i < HF_PAGES; i++)
		if (h->pages[i])
			__free_page(h->pages[i]);
	vfree(h->extra);
}

static int __init hf_init(void)
{
	struct hf *h = &hf;
	unsigned int i;
	int err;

	if (!xen_domain())
		return -ENODEV;
	init_waitqueue_head(&h->wq);
	h->random = 1;
	h->extra = vmalloc(array_size(HF_MAX_EXTRA, sizeof(*h->extra)));
	if (!h->extra)
		return -ENOMEM;
	for (i = 0; i < HF_PAGES; i++) {
		h->pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!h->pages[i]) {
			hf_free_memory(h);
			return -ENOMEM;
		}
	}
	hostile_ctl_init(&h->ctl, "hostile_front");
	debugfs_create_bool("persistent", 0600, h->ctl.dir, &h->persistent);
	debugfs_create_bool("copies", 0600, h->ctl.dir, &h->copies);
	debugfs_create_bool("fresh", 0600, h->ctl.dir, &h->fresh);
	debugfs_create_u32("queues", 0600, h->ctl.dir, &h->queues);
	debugfs_create_u32("ring_order", 0600, h->ctl.dir, &h->ring_order);
	debugfs_create_u32("max_values", 0600, h->ctl.dir, &h->max_values);
	debugfs_create_u32("rounds", 0600, h->ctl.dir, &h->rounds);
	err = xenbus_register_frontend(&hf_driver);
	if (err) {
		debugfs_remove(h->ctl.dir);
		hf_free_memory(h);
	}
	return err;
}
module_init(hf_init);

static void __exit hf_exit(void)
{
	xenbus_unregister_driver(&hf_driver);
	debugfs_remove(hf.ctl.dir);
	hf_free_memory(&hf);
}
module_exit(hf_exit);

MODULE_DESCRIPTION("IDDR tests: a hostile block front end");
MODULE_AUTHOR("IDDR authors");
MODULE_LICENSE("GPL");
