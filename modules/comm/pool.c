// SPDX-License-Identifier: GPL-2.0
/*
 * The front end's side of grants: pages that data crosses in.
 *
 * A persistent pool's pages are granted to the peer once, for as long as the
 * connection lasts, and data is copied through them. The peer may read and
 * write them at any time, so they never hold anything but this device's data,
 * and they are zeroed before they are granted.
 *
 * Another pool grants by the request and takes back after the response: either
 * a page of whoever wants the data (lent, whole pages only: XSA-403) or a page
 * of the pool's own.
 *
 * Pools grow at need, up to a bound, and give out first what was given back
 * last, which is what the processor's caches still hold.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <xen/page.h>

#include "iddr_comm.h"

/*
 * @max: pages at the most. None is allocated yet.
 * Return: 0, or -ENOMEM with nothing kept.
 */
int iddr_pool_create(struct iddr_pool *pool, domid_t peer, unsigned int max,
		     bool persistent)
{
	memset(pool, 0, sizeof(*pool));
	spin_lock_init(&pool->lock);
	pool->peer = peer;
	pool->persistent = persistent;
	pool->max = max;
	pool->all = kvcalloc(max, sizeof(*pool->all),
			     GFP_KERNEL | __GFP_RETRY_MAYFAIL);
	return pool->all ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_GPL(iddr_pool_create);

/*
 * Allocate (and in a persistent pool grant) the first @nr pages now, so that
 * as many can always be had: memory may be short just when a request that
 * would free some needs them.
 * Return: 0 or -errno; what there is, iddr_pool_destroy() frees.
 */
int iddr_pool_prefill(struct iddr_pool *pool, unsigned int nr,
		      u64 *grant_ops)
{
	while (pool->nr < min(nr, pool->max)) {
		struct iddr_pool_page *p = &pool->all[pool->nr];
		int err;

		/* A parked disk's time limit goes on while this waits. */
		p->page = alloc_page(GFP_KERNEL | __GFP_RETRY_MAYFAIL |
				     __GFP_ZERO);
		if (!p->page)
			return -ENOMEM;
		pool->nr++;
		p->next = pool->ready;
		pool->ready = p;
		if (!pool->persistent)
			continue;
		err = iddr_pool_grant(pool, p, NULL, false);
		if (err)
			return err;
		++*grant_ops;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(iddr_pool_prefill);

/*
 * Take one out of the pool, or one that was never in use. @ready: rather one
 * that has all that it needs; else rather not. So who cannot complete a bare
 * one, for want of memory or grants, does not keep others from those that are
 * complete. Under lock.
 */
static struct iddr_pool_page *iddr_pool_take(struct iddr_pool *pool, bool ready)
{
	struct iddr_pool_page **list = &pool->ready, *p;

	if (!ready || !pool->ready) {
		if (pool->bare)
			list = &pool->bare;
		else if (pool->nr < pool->max)
			return &pool->all[pool->nr++];
	}
	p = *list;
	if (p)
		*list = p->next;
	return p;
}

/* Give @p a page of its own. Return: 0 or -ENOMEM. Any context. */
static int iddr_pool_fill(struct iddr_pool_page *p)
{
	if (p->page)
		return 0;
	p->page = alloc_page(GFP_ATOMIC | __GFP_NOWARN | __GFP_ZERO);
	return p->page ? 0 : -ENOMEM;
}

/*
 * Take @nr (at least 1) chained by next. @with_page: each with a page of the
 * pool's own; in a persistent pool it is granted already.
 * Adds to @grant_ops what it has granted. Any context.
 * Return: the chain, or NULL: there are not as many now; others come back when
 * requests in flight end.
 */
struct iddr_pool_page *iddr_pool_get(struct iddr_pool *pool, unsigned int nr,
				     bool with_page, unsigned int *grant_ops)
{
	struct iddr_pool_page *p, *chain = NULL;
	bool ready = with_page || pool->persistent;
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&pool->lock, flags);
	for (i = 0; i < nr; i++) {
		p = iddr_pool_take(pool, ready);
		if (!p)
			break;
		p->next = chain;
		chain = p;
	}
	spin_unlock_irqrestore(&pool->lock, flags);
	if (i < nr)
		goto fail;

	if (ready) {
		for (p = chain; p; p = p->next) {
			if (iddr_pool_fill(p))
				goto fail;
			if (!pool->persistent || p->granted)
				continue;
			if (iddr_pool_grant(pool, p, NULL, false))
				goto fail;
			++*grant_ops;
		}
	}
	return chain;

fail:
	iddr_pool_put(pool, chain);
	return NULL;
}
EXPORT_SYMBOL_GPL(iddr_pool_get);

/* Give back what iddr_pool_get() gave. Any context. */
void iddr_pool_put(struct iddr_pool *pool, struct iddr_pool_page *chain)
{
	struct iddr_pool_page *next, **list;
	unsigned long flags;

	if (!chain)
		return;
	spin_lock_irqsave(&pool->lock, flags);
	for (; chain; chain = next) {
		next = chain->next;
		list = chain->page && (!pool->persistent || chain->granted) ?
			&pool->ready : &pool->bare;
		chain->next = *list;
		*list = chain;
	}
	spin_unlock_irqrestore(&pool->lock, flags);
}
EXPORT_SYMBOL_GPL(iddr_pool_put);

/*
 * Grant @lent, or @p's own page if it is NULL, to the peer. Any context.
 * Return: 0, or -ENOSPC: the domain's grant table is full.
 */
int iddr_pool_grant(struct iddr_pool *pool, struct iddr_pool_page *p,
		    struct page *lent, bool readonly)
{
	int ref = gnttab_grant_foreign_access(pool->peer,
				xen_page_to_gfn(lent ? lent : p->page),
				readonly);

	if (ref < 0)
		return ref;
	p->ref = ref;
	p->lent = lent;
	p->granted = true;
	return 0;
}
EXPORT_SYMBOL_GPL(iddr_pool_grant);

/*
 * End one grant. A page that the peer still maps, or may, goes into quarantine,
 * and we never touch it again.
 * Return: whether the peer had let go.
 */
static bool iddr_pool_end_one(struct iddr_pool *pool, struct iddr_pool_page *p)
{
	bool ended = gnttab_try_end_foreign_access(p->ref);

	if (!ended || READ_ONCE(pool->dying)) {
		struct page *page = p->lent;

		if (page) {
			get_page(page);
		} else {
			page = p->page;
			p->page = NULL;
		}
		iddr_quarantine_page(pool->peer, page,
				     ended ? INVALID_GRANT_REF : p->ref,
				     READ_ONCE(pool->dying), NULL);
	}
	p->lent = NULL;
	p->granted = false;
	return ended;
}

/*
 * End a chain's grants, unless they are kept for good; adds to @grant_ops.
 * Any context.
 * Return: 0, or -EBUSY: the peer still maps pages of a request that it has
 * answered, which it must not.
 */
int iddr_pool_end(struct iddr_pool *pool, struct iddr_pool_page *chain,
		  unsigned int *grant_ops)
{
	int err = 0;

	if (pool->persistent)
		return 0;
	for (; chain; chain = chain->next) {
		if (!chain->granted)
			continue;
		++*grant_ops;
		if (!iddr_pool_end_one(pool, chain))
			err = -EBUSY;
	}
	return err;
}
EXPORT_SYMBOL_GPL(iddr_pool_end);

/*
 * End all grants, free all pages.
 * Return: how many pages the peer still maps.
 */
unsigned int iddr_pool_destroy(struct iddr_pool *pool)
{
	unsigned int mapped = 0;

	while (pool->nr) {
		struct iddr_pool_page *p = &pool->all[--pool->nr];

		if (p->granted && !iddr_pool_end_one(pool, p))
			mapped++;
		if (p->page)
			__free_page(p->page);
	}
	kvfree(pool->all);
	pool->all = NULL;
	return mapped;
}
EXPORT_SYMBOL_GPL(iddr_pool_destroy);
