// SPDX-License-Identifier: GPL-2.0
/*
 * The front end's side of a peer that has gone without unmapping, or that maps
 * what it should not: pages that it may still reach are kept here, out of use,
 * until it cannot.
 *
 * That Xen has cleared a grant's in-use flags is not enough. When a domain is
 * destroyed Xen clears the flags of all that it had mapped (gnttab_release_mappings)
 * well before it takes the domain's page tables apart, and each writable mapping
 * in a PV domain's holds a type reference on the page until then. A page given
 * back to the kernel meanwhile cannot become a page table: Xen refuses to pin
 * it, and the kernel warns in whatever process asked for it (xen_mc_flush). So
 * a page also waits until Xen no longer knows the domain. A domain that lives
 * unmaps in the right order (first the page table, then the flags), but what it
 * has kept and lets go of late we cannot tell from what a dying one does; such
 * a page is free some time after.
 *
 * Pages are added in any context; a work item of our own looks after them, as
 * long as there are any.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <asm/xen/hypercall.h>
#include <xen/interface/event_channel.h>

#include "iddr_comm.h"

/* After the grant's end, if Xen still knows a peer that was dying, or not. */
#define IDDR_QUARANTINE_DYING_S	30
#define IDDR_QUARANTINE_LIVE_S	10
/* The module's unloading waits no longer. */
#define IDDR_QUARANTINE_EXIT_MS	10000
#define IDDR_QUARANTINE_LOOK_MS	250
/*
 * Set aside for data. Rings have their own (iddr_quarantine_reserve()): they are
 * what a peer unmaps last, and what a parked disk must wait for even where memory
 * is short.
 */
#define IDDR_QUARANTINE_RESERVE	256

struct iddr_kept {
	struct list_head list;
	struct page *page;		/* one reference is ours */
	grant_ref_t ref;		/* INVALID_GRANT_REF: has ended */
	domid_t peer;
	bool dying;			/* the peer is, as far as we know */
	unsigned long since;		/* jiffies: the grant's end */
};

static mempool_t *iddr_kept_pool;
static LIST_HEAD(iddr_kept_list);	/* under iddr_kept_lock */
static DEFINE_SPINLOCK(iddr_kept_lock);	/* any context */
/* Held while pages are off the list to be looked at. */
static DEFINE_MUTEX(iddr_sweep_mutex);

static unsigned int quarantined_pages;	/* under iddr_kept_lock */
module_param(quarantined_pages, uint, 0444);
MODULE_PARM_DESC(quarantined_pages, "pages that a peer which is gone, or which keeps them, may still reach (read only)");

static void iddr_quarantine_look(struct work_struct *work);
static DECLARE_DELAYED_WORK(iddr_quarantine_work, iddr_quarantine_look);

/*
 * Does Xen know @domid no more? It frees a domain when the last of its pages,
 * page tables among them, is gone. No port has this number, so the call fails
 * in any case, but for another reason where there is a domain.
 */
static bool iddr_domain_is_gone(domid_t domid)
{
	struct evtchn_bind_interdomain bind = {
		.remote_dom = domid,
		.remote_port = ~0U,
	};

	return HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &bind) ==
	       -ESRCH;
}

/*
 * Set aside what it takes to keep a page. May sleep.
 * Return: that, for iddr_grant_free() or iddr_quarantine_unreserve(), or NULL.
 */
struct iddr_kept *iddr_quarantine_reserve(void)
{
	return kmalloc(sizeof(struct iddr_kept),
		       GFP_KERNEL | __GFP_RETRY_MAYFAIL);
}
EXPORT_SYMBOL_GPL(iddr_quarantine_reserve);

/* It is not needed. @k: may be NULL. Any context. */
void iddr_quarantine_unreserve(struct iddr_kept *k)
{
	kfree(k);
}
EXPORT_SYMBOL_GPL(iddr_quarantine_unreserve);

/*
 * Keep @page, whose reference the caller gives up, until @peer cannot reach it.
 * @ref: its grant, which may still be in use and is ended here;
 * INVALID_GRANT_REF if it has ended. @dying: the peer's domain is going.
 * @reserved: set aside for it, or NULL. Any context.
 */
void iddr_quarantine_page(domid_t peer, struct page *page, grant_ref_t ref,
			  bool dying, struct iddr_kept *reserved)
{
	struct iddr_kept *k = reserved;
	unsigned long flags;

	if (!k)
		k = mempool_alloc(iddr_kept_pool, GFP_ATOMIC);

	if (!k) {
		/* The kernel waits for the flags, at least. A grant that has
		 * ended has none left to wait for: better lost than misused.
		 */
		if (ref != INVALID_GRANT_REF)
			gnttab_end_foreign_access(ref, page);
		return;
	}
	k->page = page;
	k->ref = ref;
	k->peer = peer;
	k->dying = dying;
	k->since = jiffies;
	spin_lock_irqsave(&iddr_kept_lock, flags);
	list_add_tail(&k->list, &iddr_kept_list);
	quarantined_pages++;
	spin_unlock_irqrestore(&iddr_kept_lock, flags);
	schedule_delayed_work(&iddr_quarantine_work,
			      msecs_to_jiffies(IDDR_QUARANTINE_LOOK_MS));
}
EXPORT_SYMBOL_GPL(iddr_quarantine_page);

/*
 * End a grant and free its page, of which nobody else has a reference: now, or,
 * if the peer has not let go of it or is @dying, when it cannot reach it any
 * more. @reserved: as above. Any context.
 * Return: whether the peer had let go.
 */
bool iddr_grant_free(domid_t peer, struct page *page, grant_ref_t ref,
		     bool dying, struct iddr_kept *reserved)
{
	bool ended = gnttab_try_end_foreign_access(ref);

	if (ended && !dying) {
		__free_page(page);
		iddr_quarantine_unreserve(reserved);
	} else {
		iddr_quarantine_page(peer, page,
				     ended ? INVALID_GRANT_REF : ref, dying,
				     reserved);
	}
	return ended;
}
EXPORT_SYMBOL_GPL(iddr_grant_free);

/* Is the grant over? */
static bool iddr_kept_has_ended(struct iddr_kept *k)
{
	if (k->ref == INVALID_GRANT_REF)
		return true;
	if (!gnttab_try_end_foreign_access(k->ref))
		return false;
	k->ref = INVALID_GRANT_REF;
	k->since = jiffies;
	return true;
}

static bool iddr_kept_is_over(struct iddr_kept *k, bool peer_gone)
{
	unsigned long wait = k->dying ? IDDR_QUARANTINE_DYING_S :
					IDDR_QUARANTINE_LIVE_S;

	return iddr_kept_has_ended(k) &&
	       (peer_gone || time_after(jiffies, k->since + wait * HZ));
}

/* Let go of the pages that can be. Return: how many are left. */
static unsigned int iddr_quarantine_sweep(void)
{
	struct iddr_kept *k, *next;
	domid_t peer = DOMID_INVALID;
	unsigned int nr = 0, left;
	bool peer_gone = false;
	LIST_HEAD(list);

	mutex_lock(&iddr_sweep_mutex);
	spin_lock_irq(&iddr_kept_lock);
	list_splice_init(&iddr_kept_list, &list);
	spin_unlock_irq(&iddr_kept_lock);
	list_for_each_entry_safe(k, next, &list, list) {
		/* Nearly always the same as the last one's. */
		if (k->peer != peer) {
			peer = k->peer;
			peer_gone = iddr_domain_is_gone(peer);
		}
		if (!iddr_kept_is_over(k, peer_gone))
			continue;
		list_del(&k->list);
		put_page(k->page);
		mempool_free(k, iddr_kept_pool);
		nr++;
		cond_resched();
	}
	spin_lock_irq(&iddr_kept_lock);
	list_splice(&list, &iddr_kept_list);
	quarantined_pages -= nr;
	left = quarantined_pages;
	spin_unlock_irq(&iddr_kept_lock);
	mutex_unlock(&iddr_sweep_mutex);
	return left;
}

/*
 * How many of the pages kept does @peer still map? May sleep.
 */
unsigned int iddr_quarantine_mapped(domid_t peer)
{
	struct iddr_kept *k;
	unsigned int nr = 0;

	iddr_quarantine_sweep();
	mutex_lock(&iddr_sweep_mutex);
	spin_lock_irq(&iddr_kept_lock);
	list_for_each_entry(k, &iddr_kept_list, list)
		nr += k->peer == peer && k->ref != INVALID_GRANT_REF;
	spin_unlock_irq(&iddr_kept_lock);
	mutex_unlock(&iddr_sweep_mutex);
	return nr;
}
EXPORT_SYMBOL_GPL(iddr_quarantine_mapped);

static void iddr_quarantine_look(struct work_struct *work)
{
	if (iddr_quarantine_sweep())
		schedule_delayed_work(&iddr_quarantine_work,
				msecs_to_jiffies(IDDR_QUARANTINE_LOOK_MS));
}

/* Return: 0 or -ENOMEM. */
int __init iddr_quarantine_init(void)
{
	iddr_kept_pool = mempool_create_kmalloc_pool(IDDR_QUARANTINE_RESERVE,
						     sizeof(struct iddr_kept));
	return iddr_kept_pool ? 0 : -ENOMEM;
}

/*
 * The module goes; nobody adds any more. What a peer maps goes to the kernel,
 * which frees it some day; what has just ended gets some time.
 */
void iddr_quarantine_exit(void)
{
	struct iddr_kept *k, *next;
	unsigned int ms;

	cancel_delayed_work_sync(&iddr_quarantine_work);
	iddr_quarantine_sweep();
	list_for_each_entry_safe(k, next, &iddr_kept_list, list) {
		if (k->ref == INVALID_GRANT_REF)
			continue;
		gnttab_end_foreign_access(k->ref, k->page);
		list_del(&k->list);
		mempool_free(k, iddr_kept_pool);
		quarantined_pages--;
	}
	for (ms = 0; iddr_quarantine_sweep() && ms < IDDR_QUARANTINE_EXIT_MS;
	     ms += IDDR_QUARANTINE_LOOK_MS)
		msleep(IDDR_QUARANTINE_LOOK_MS);
	list_for_each_entry_safe(k, next, &iddr_kept_list, list) {
		put_page(k->page);
		mempool_free(k, iddr_kept_pool);
	}
	mempool_destroy(iddr_kept_pool);
}
