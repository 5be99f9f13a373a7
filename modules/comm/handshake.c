// SPDX-License-Identifier: GPL-2.0
/*
 * How the two ends of a queue find each other: one granted ring page and one
 * event channel, announced by the front end in xenstore under the keys of
 * xen/interface/io/blkif.h (ring-ref, event-channel).
 *
 * Called from xenbus callbacks only, which xenbus serializes per device.
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

/* Allocate the ring page, grant it, allocate and bind the event channel. */
int iddr_front_ring_create(struct iddr_queue *q, u32 slot_bytes)
{
	struct iddr_ring_header *h;
	int err;

	err = xenbus_setup_ring(q->xdev, GFP_KERNEL, &q->ring, 1, &q->ring_ref);
	if (err)
		return err;		/* xenbus has reported it */
	q->rx_stats.grant_ops++;
	h = q->ring;
	/* As SHARED_RING_INIT: no entries, both sides armed for the first. */
	h->req_event = 1;
	h->rsp_event = 1;
	q->nr_slots = iddr_ring_slots(XEN_PAGE_SIZE, sizeof(*h), slot_bytes);
	iddr_tx_init(&q->tx, &h->req_prod, &h->req_event, 0);
	iddr_rx_init(&q->rx, &h->rsp_prod, &h->rsp_event, 0);
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
	xenbus_teardown_ring(&q->ring, 1, &q->ring_ref);
	return err;
}
EXPORT_SYMBOL_GPL(iddr_front_ring_create);

/* Write the queue's keys below @dir, in the caller's transaction. */
int iddr_front_ring_publish(struct iddr_queue *q, struct xenbus_transaction t,
			    const char *dir)
{
	int err;

	err = xenbus_printf(t, dir, "ring-ref", "%u", q->ring_ref);
	if (!err)
		err = xenbus_printf(t, dir, "event-channel", "%u", q->port);
	return err;
}
EXPORT_SYMBOL_GPL(iddr_front_ring_publish);

/*
 * Undo iddr_front_ring_create(). A page that the peer still maps is freed by
 * the kernel once it is not (gnttab_end_foreign_access). Idempotent.
 */
void iddr_front_ring_destroy(struct iddr_queue *q)
{
	if (q->irq)
		unbind_from_irqhandler(q->irq, q);
	q->irq = 0;
	if (q->ring)
		xenbus_teardown_ring(&q->ring, 1, &q->ring_ref);
}
EXPORT_SYMBOL_GPL(iddr_front_ring_destroy);

/* Map the peer's ring page and bind to its event channel. */
int iddr_back_ring_map(struct iddr_queue *q, u32 slot_bytes)
{
	struct xenbus_device *xdev = q->xdev;
	struct iddr_ring_header *h;
	evtchn_port_t port;
	u32 req_prod, rsp_prod;
	int err;

	err = xenbus_gather(XBT_NIL, xdev->otherend,
			    "ring-ref", "%u", &q->ring_ref,
			    "event-channel", "%u", &port, NULL);
	if (err) {
		xenbus_dev_fatal(xdev, err,
				 "reading %s/ring-ref and event-channel (one ring page is supported)",
				 xdev->otherend);
		return err;
	}
	err = xenbus_map_ring_valloc(xdev, &q->ring_ref, 1, &q->ring);
	if (err)
		return err;		/* xenbus has reported it */

	h = q->ring;
	q->nr_slots = iddr_ring_slots(XEN_PAGE_SIZE, sizeof(*h), slot_bytes);
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
