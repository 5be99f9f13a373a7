// SPDX-License-Identifier: GPL-2.0
/*
 * The back end's side of grants that last for one request: page frames to lend,
 * and batches of map, unmap and copy operations, a hypercall a batch. All of it
 * is one thread's.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <xen/page.h>

#include "iddr_comm.h"

/*
 * @nr page frames: @foreign ones to map the peer's pages in, else of our memory,
 * zeroed.
 * Return: 0 or -errno with nothing kept.
 */
int iddr_pages_create(struct iddr_pages *p, unsigned int nr, bool foreign)
{
	int err = 0;

	p->foreign = foreign;
	p->nr = 0;
	p->free = kvcalloc(nr, sizeof(*p->free), GFP_KERNEL);
	if (!p->free)
		return -ENOMEM;
	if (foreign) {
		err = gnttab_alloc_pages(nr, p->free);
		if (!err)
			p->nr = nr;
	} else {
		while (p->nr < nr) {
			p->free[p->nr] = alloc_page(GFP_KERNEL | __GFP_ZERO);
			if (!p->free[p->nr]) {
				err = -ENOMEM;
				break;
			}
			p->nr++;
		}
	}
	p->nr_free = p->nr;
	if (err)
		iddr_pages_destroy(p);
	return err;
}
EXPORT_SYMBOL_GPL(iddr_pages_create);

/* All have been given back. Idempotent. */
void iddr_pages_destroy(struct iddr_pages *p)
{
	WARN_ON_ONCE(p->nr_free != p->nr);
	if (p->foreign) {
		if (p->nr_free)
			gnttab_free_pages(p->nr_free, p->free);
	} else {
		while (p->nr_free)
			__free_page(p->free[--p->nr_free]);
	}
	p->nr = 0;
	p->nr_free = 0;
	kvfree(p->free);
	p->free = NULL;
}
EXPORT_SYMBOL_GPL(iddr_pages_destroy);

/*
 * @grant_ops: counter. @failed is told whose operation Xen refused, during a
 * flush.
 * Return: NULL if there is no memory. kvfree() it when empty.
 */
struct iddr_gops *iddr_gops_create(domid_t peer, u64 *grant_ops,
				   void (*failed)(void *owner))
{
	struct iddr_gops *g = kvzalloc(sizeof(*g), GFP_KERNEL);

	if (g) {
		g->peer = peer;
		g->grant_ops = grant_ops;
		g->failed = failed;
	}
	return g;
}
EXPORT_SYMBOL_GPL(iddr_gops_create);

/* Map @ref at @page; *@handle is INVALID_GRANT_HANDLE if it fails. */
void iddr_gops_map(struct iddr_gops *g, void *owner, grant_ref_t ref,
		   struct page *page, grant_handle_t *handle, bool readonly)
{
	unsigned int i = g->nr++;

	gnttab_set_map_op(&g->map[i], (unsigned long)page_address(page),
			  GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0),
			  ref, g->peer);
	g->pages[i] = page;
	g->owners[i] = owner;
	g->handles[i] = handle;
	*handle = INVALID_GRANT_HANDLE;
	if (g->nr == IDDR_GOPS_BATCH)
		iddr_gops_map_flush(g);
}
EXPORT_SYMBOL_GPL(iddr_gops_map);

void iddr_gops_map_flush(struct iddr_gops *g)
{
	unsigned int i, nr = g->nr;
	int err;

	if (!nr)
		return;
	g->nr = 0;
	*g->grant_ops += nr;
	err = gnttab_map_refs(g->map, NULL, g->pages, nr);
	for (i = 0; i < nr; i++) {
		if (g->map[i].status == GNTST_okay)
			*g->handles[i] = g->map[i].handle;
		if (err || g->map[i].status != GNTST_okay)
			g->failed(g->owners[i]);
	}
}
EXPORT_SYMBOL_GPL(iddr_gops_map_flush);

/* Unmap what iddr_gops_map() has mapped; its I/O is over. */
void iddr_gops_unmap(struct iddr_gops *g, struct page *page,
		     grant_handle_t handle)
{
	unsigned int i = g->nr++;

	gnttab_set_unmap_op(&g->unmap[i], (unsigned long)page_address(page),
			    GNTMAP_host_map, handle);
	g->pages[i] = page;
	if (g->nr == IDDR_GOPS_BATCH)
		iddr_gops_unmap_flush(g);
}
EXPORT_SYMBOL_GPL(iddr_gops_unmap);

void iddr_gops_unmap_flush(struct iddr_gops *g)
{
	struct gntab_unmap_queue_data work = {
		.unmap_ops = g->unmap,
		.pages = g->pages,
		.count = g->nr,
	};
	int err;

	if (!g->nr)
		return;
	*g->grant_ops += g->nr;
	g->nr = 0;
	/* Waits for whoever else may still hold a page (a block device's
	 * retry, say).
	 */
	err = gnttab_unmap_refs_sync(&work);
	WARN_ONCE(err, "iddr: unmapping grants of domain %u failed: %d\n",
		  g->peer, err);
}
EXPORT_SYMBOL_GPL(iddr_gops_unmap_flush);

/* Have Xen copy between @ref and @page; within a page on both sides. */
void iddr_gops_copy(struct iddr_gops *g, void *owner, grant_ref_t ref,
		    u16 ref_offset, struct page *page, u16 page_offset,
		    u16 bytes, bool to_peer)
{
	unsigned int i = g->nr++;
	struct gnttab_copy *op = &g->copy[i];
	struct gnttab_copy_ptr *peer = to_peer ? &op->dest : &op->source;
	struct gnttab_copy_ptr *own = to_peer ? &op->source : &op->dest;

	peer->u.ref = ref;
	peer->domid = g->peer;
	peer->offset = ref_offset;
	own->u.gmfn = xen_page_to_gfn(page);
	own->domid = DOMID_SELF;
	own->offset = page_offset;
	op->len = bytes;
	op->flags = to_peer ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
	g->owners[i] = owner;
	if (g->nr == IDDR_GOPS_BATCH)
		iddr_gops_copy_flush(g);
}
EXPORT_SYMBOL_GPL(iddr_gops_copy);

void iddr_gops_copy_flush(struct iddr_gops *g)
{
	unsigned int i, nr = g->nr;

	if (!nr)
		return;
	g->nr = 0;
	*g->grant_ops += nr;
	gnttab_batch_copy(g->copy, nr);
	for (i = 0; i < nr; i++)
		if (g->copy[i].status != GNTST_okay)
			g->failed(g->owners[i]);
}
EXPORT_SYMBOL_GPL(iddr_gops_copy_flush);
