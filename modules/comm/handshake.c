// SPDX-License-Identifier: GPL-2.0
/*
 * How the two ends of a queue find each other: granted ring pages and an event
 * channel, announced by the front end in xenstore under the keys of
 * xen/interface/io/blkif.h (ring-ref or ring-ref<N>, event-channel).
 *
 * Called from one context per device at a time.
 */
#include <linux/module.h>
#include <linux/slab.h>

#include "iddr_comm.h"

/* Where Xen's ring header keeps the indices: see struct *_sring in ring.h. */
struct iddr_ring_header {
	u32 req_prod;
	u32 req_event;
	u32 rsp_prod;
	u32 rsp_event;
	u8 pad[48];
};

/* What keeps the ring pages that are not taken back. */
static void iddr_front_ring_unreserve(struct iddr_queue *q)
{
	unsigned int i;

	for (i = 0; i < q->nr_ring_pages; i++)
		iddr_quarantine_unreserve(q->ring_kept[i]);
}

/*
 * Allocate 1 << @order ring pages, grant them, allocate and bind the event
 * channel. Return: 0 or -errno, reported to xenbus, nothing left behind.
 */
int iddr_front_ring_create(struct iddr_queue *q, u32 slot_bytes,
			   unsigned int order)
{
	struct iddr_ring_header *h;
	unsigned int i;
	int err = 0;

	q->nr_ring_pages = 1U << order;
	for (i = 0; i < q->nr_ring_pages && !err; i++) {
		q->ring_kept[i] = iddr_quarantine_reserve();
		if (!q->ring_kept[i])
			err = -ENOMEM;
	}
	if (!err)
		err = xenbus_setup_ring(q->xdev,
					GFP_KERNEL | __GFP_RETRY_MAYFAIL,
					&q->ring, q->nr_ring_pages,
					q->ring_refs);
	if (err) {
		/* xenbus has reported all but this. */
		if (err == -ENOMEM)
			xenbus_dev_fatal(q->xdev, err, "allocating %u ring pages",
					 q->nr_ring_pages);
		goto fail_kept;
	}
	q->rx_stats.grant_ops += q->nr_ring_pages;
	h = q->ring;
	/* As SHARED_RING_INIT: no entries, both sides armed for the first;
	 * a polled queue's consumer never is.
	 */
	h->req_event = 1;
	h->rsp_event = q->polled ? 0 : 1;
	q->nr_slots = iddr_ring_slots(q->nr_ring_pages * XEN_PAGE_SIZE,
				      sizeof(*h), slot_bytes);
	iddr_tx_init(&q->tx, &h->req_prod, &h->req_event, 0);
	iddr_rx_init(&q->rx, &h->rsp_prod, &h->rsp_event, 0);
	q->rx_counted = q->rx.cons;
	/* Each response answers a published request. */
	q->rx_extra = 0;

	err = xenbus_alloc_evtchn(q->xdev, &q->port);
	if (err)
		goto fail_ring;
	err = bind_evtchn_to_irqhandler_lateeoi(q->port, iddr_queue_upcall, 0,
						dev_name(&q->xdev->dev), q);
	if (err < 0) {
		xenbus_dev_fatal(q->xdev, err, "binding event channel %u",
				 q->port);
		xenbus_free_evtchn(q->xdev, q->port);
		goto fail_ring;
	}
	q->irq = err;
	return 0;

fail_ring:
	xenbus_teardown_ring(&q->ring, q->nr_ring_pages, q->ring_refs);
fail_kept:
	iddr_front_ring_unreserve(q);
	return err;
}
EXPORT_SYMBOL_GPL(iddr_front_ring_create);

/* Write the queue's keys below @dir, in the caller's transaction. */
int iddr_front_ring_publish(struct iddr_queue *q, struct xenbus_transaction t,
			    const char *dir)
{
	char key[16] = "ring-ref";
	unsigned int i;
	int err = 0;

	for (i = 0; i < q->nr_ring_pages && !err; i++) {
		if (q->nr_ring_pages > 1)
			snprintf(key, sizeof(key), "ring-ref%u", i);
		err = xenbus_printf(t, dir, key, "%u", q->ring_refs[i]);
	}
	if (!err)
		err = xenbus_printf(t, dir, "event-channel", "%u", q->port);
	return err;
}
EXPORT_SYMBOL_GPL(iddr_front_ring_publish);

/*
 * Undo iddr_front_ring_create(). @dying: as in iddr_grant_free(). Idempotent.
 * Return: how many pages the peer still maps.
 */
unsigned int iddr_front_ring_destroy(struct iddr_queue *q, bool dying)
{
	unsigned int i, mapped = 0;

	if (q->irq)
		unbind_from_irqhandler(q->irq, q);
	q->irq = 0;
	if (!q->ring)
		return 0;
	/* Page by page: xenbus has allocated them so that they can be. */
	for (i = 0; i < q->nr_ring_pages; i++)
		if (!iddr_grant_free(q->xdev->otherend_id,
				     virt_to_page(q->ring + i * XEN_PAGE_SIZE),
				     q->ring_refs[i], dying, q->ring_kept[i]))
			mapped++;
	q->ring = NULL;
	return mapped;
}
EXPORT_SYMBOL_GPL(iddr_front_ring_destroy);

/* One number below @dir. Return: 0, or -EINVAL: reported. */
static int iddr_back_read_u32(struct iddr_queue *q, const char *dir,
			      const char *key, u32 *value)
{
	int err = xenbus_scanf(XBT_NIL, dir, key, "%u", value);

	if (err == 1)
		return 0;
	xenbus_dev_fatal(q->xdev, -EINVAL, "%s/%s is no number", dir, key);
	return -EINVAL;
}

/*
 * Map the peer's ring pages and bind to its event channel; its keys are below
 * @dir. @order: what it says of its pages, checked by the caller; negative if it
 * says nothing.
 * Return: 0 or -errno, reported to xenbus, nothing left behind.
 */
int iddr_back_ring_map(struct iddr_queue *q, const char *dir, u32 slot_bytes,
		       int order)
{
	struct xenbus_device *xdev = q->xdev;
	struct iddr_ring_header *h;
	evtchn_port_t port;
	u32 req_prod, rsp_prod;
	char key[16];
	unsigned int i;
	int err;

	q->nr_ring_pages = order < 0 ? 1 : 1U << order;
	for (i = 0; i < q->nr_ring_pages; i++) {
		snprintf(key, sizeof(key), "ring-ref%u", i);
		/* A single page has had both names. */
		if (order < 0 ||
		    (order == 0 && !xenbus_exists(XBT_NIL, dir, key)))
			strscpy(key, "ring-ref", sizeof(key));
		err = iddr_back_read_u32(q, dir, key, &q->ring_refs[i]);
		if (err)
			return err;
	}
	err = iddr_back_read_u32(q, dir, "event-channel", &port);
	if (err)
		return err;
	err = xenbus_map_ring_valloc(xdev, q->ring_refs, q->nr_ring_pages,
				     &q->ring);
	if (err)
		return err;		/* xenbus has reported it */

	h = q->ring;
	q->nr_slots = iddr_ring_slots(q->nr_ring_pages * XEN_PAGE_SIZE,
				      sizeof(*h), slot_bytes);
	/* A front end that reconnects may go on with its old indices. */
	req_prod = READ_ONCE(h->req_prod);
	rsp_prod = READ_ONCE(h->rsp_prod);
	if (req_prod - rsp_prod > q->nr_slots) {
		err = -EPROTO;
		xenbus_dev_fatal(xdev, err, "ring with %u of %u slots in use",
				 req_prod - rsp_prod, q->nr_slots);
		goto fail_unmap;
	}
	iddr_tx_init(&q->tx, &h->rsp_prod, &h->rsp_event, rsp_prod);
	iddr_rx_init(&q->rx, &h->req_prod, &h->req_event, rsp_prod);
	q->rx_counted = q->rx.cons;
	/* A slot is free again when its response is published. */
	q->rx_extra = q->nr_slots;

	err = bind_interdomain_evtchn_to_irqhandler_lateeoi(xdev, port,
			iddr_queue_upcall, 0, dev_name(&xdev->dev), q);
	if (err < 0) {
		xenbus_dev_fatal(xdev, err,
				 "binding to event channel %u of domain %d",
				 port, xdev->otherend_id);
		goto fail_unmap;
	}
	q->irq = err;
	return 0;

fail_unmap:
	xenbus_unmap_ring_vfree(xdev, q->ring);
	q->ring = NULL;
	return err;
}
EXPORT_SYMBOL_GPL(iddr_back_ring_map);

/* Undo iddr_back_ring_map(). Idempotent. */
void iddr_back_ring_unmap(struct iddr_queue *q)
{
	if (q->irq)
		unbind_from_irqhandler(q->irq, q);
	q->irq = 0;
	if (q->ring)
		xenbus_unmap_ring_vfree(q->xdev, q->ring);
	q->ring = NULL;
}
EXPORT_SYMBOL_GPL(iddr_back_ring_unmap);
