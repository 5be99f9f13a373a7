// SPDX-License-Identifier: GPL-2.0
/*
 * The back end's side of persistent grants: the peer's pages, mapped at first use
 * and found again by grant reference. Their number is bounded; beyond it the
 * mapping that was least recently used and is idle makes room. So a peer that
 * never repeats a reference costs itself speed and nobody else memory.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "iddr_comm.h"

/*
 * @max: mappings kept at the most; >= references in flight at any time.
 * @max_batch: references in one iddr_gcache_get() at the most.
 * @grant_ops: counter of map and unmap operations.
 * Return: 0 or -errno with nothing kept.
 */
int iddr_gcache_create(struct iddr_gcache *c, domid_t peer, unsigned int max,
		       unsigned int max_batch, u64 *grant_ops)
{
	int err = -ENOMEM;

	memset(c, 0, sizeof(*c));
	xa_init(&c->by_ref);
	INIT_LIST_HEAD(&c->lru);
	c->peer = peer;
	c->max = max;
	c->max_batch = max_batch;
	c->grant_ops = grant_ops;
	c->map_ops = kvcalloc(max_batch, sizeof(*c->map_ops), GFP_KERNEL);
	c->map_pages = kvcalloc(max_batch, sizeof(*c->map_pages), GFP_KERNEL);
	c->batch = kvcalloc(max_batch, sizeof(*c->batch), GFP_KERNEL);
	c->free_pages = kvcalloc(max, sizeof(*c->free_pages), GFP_KERNEL);
	if (!c->map_ops || !c->map_pages || !c->batch || !c->free_pages)
		goto fail;
	/* Page frames with no memory of their own, for foreign pages. */
	err = gnttab_alloc_pages(max, c->free_pages);
	if (err)
		goto fail;
	c->nr_free = max;
	return 0;

fail:
	kvfree(c->map_ops);
	kvfree(c->map_pages);
	kvfree(c->batch);
	kvfree(c->free_pages);
	memset(c, 0, sizeof(*c));
	return err;
}
EXPORT_SYMBOL_GPL(iddr_gcache_create);

/* Unmap one idle mapping and forget it; its page frame is free again. */
static void iddr_gmap_drop(struct iddr_gcache *c, struct iddr_gmap *m)
{
	struct gnttab_unmap_grant_ref op;
	struct gntab_unmap_queue_data work = {
		.unmap_ops = &op,
		.pages = &m->page,
		.count = 1,
	};
	int err;

	gnttab_set_unmap_op(&op, (unsigned long)page_address(m->page),
			    GNTMAP_host_map, m->handle);
	err = gnttab_unmap_refs_sync(&work);
	WARN_ONCE(err, "iddr: unmapping grant %u of domain %u failed: %d\n",
		  m->ref, c->peer, err);
	(*c->grant_ops)++;
	list_del(&m->lru);
	xa_erase(&c->by_ref, m->ref);
	c->nr--;
	c->free_pages[c->nr_free++] = m->page;
	kfree(m);
}

/* Make room for one more mapping. Return: 0 or -ENOSPC: all are in use. */
static int iddr_gcache_evict(struct iddr_gcache *c)
{
	struct iddr_gmap *m;

	list_for_each_entry(m, &c->lru, lru) {
		if (!atomic_read(&m->users)) {
			iddr_gmap_drop(c, m);
			return 0;
		}
	}
	return -ENOSPC;
}

/* A mapping to be, with its page frame and its place in the index. */
static struct iddr_gmap *iddr_gmap_new(struct iddr_gcache *c, grant_ref_t ref)
{
	struct iddr_gmap *m;
	int err;

	if (!c->nr_free) {
		err = iddr_gcache_evict(c);
		if (err)
			return ERR_PTR(err);
	}
	m = kmalloc(sizeof(*m), GFP_NOIO);
	if (!m)
		return ERR_PTR(-ENOMEM);
	m->ref = ref;
	m->handle = INVALID_GRANT_HANDLE;
	atomic_set(&m->users, 0);
	err = xa_insert(&c->by_ref, ref, m, GFP_NOIO);
	if (err) {
		kfree(m);
		return ERR_PTR(err);
	}
	m->page = c->free_pages[--c->nr_free];
	list_add_tail(&m->lru, &c->lru);
	c->nr++;
	return m;
}

/* A mapping that never came to be. */
static void iddr_gmap_discard(struct iddr_gcache *c, struct iddr_gmap *m)
{
	list_del(&m->lru);
	xa_erase(&c->by_ref, m->ref);
	c->nr--;
	c->free_pages[c->nr_free++] = m->page;
	kfree(m);
}

/* Map the new ones of c->batch. Return: 0, or -EFAULT if any grant is bad. */
static int iddr_gcache_map(struct iddr_gcache *c, unsigned int nr)
{
	unsigned int i;
	int err;

	for (i = 0; i < nr; i++) {
		struct iddr_gmap *m = c->batch[i];

		c->map_pages[i] = m->page;
		gnttab_set_map_op(&c->map_ops[i],
				  (unsigned long)page_address(m->page),
				  GNTMAP_host_map, m->ref, c->peer);
	}
	err = gnttab_map_refs(c->map_ops, NULL, c->map_pages, nr);
	*c->grant_ops += nr;
	if (err)
		err = -EFAULT;
	for (i = 0; i < nr; i++) {
		if (c->map_ops[i].status == GNTST_okay)
			c->batch[i]->handle = c->map_ops[i].handle;
		else
			err = -EFAULT;
	}
	return err;
}

/*
 * Find or map the pages behind @refs and take a use of each; the same
 * reference may stand in it twice. Thread only; may sleep.
 *
 * Return: 0 with @maps filled; -EFAULT when the peer granted no such page;
 * -ENOMEM, -ENOSPC. On error nothing is held.
 */
int iddr_gcache_get(struct iddr_gcache *c, const grant_ref_t *refs,
		    struct iddr_gmap **maps, unsigned int nr)
{
	unsigned int i, missing = 0;
	int err = 0;

	if (nr > c->max_batch)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		struct iddr_gmap *m = xa_load(&c->by_ref, refs[i]);

		if (m) {
			list_move_tail(&m->lru, &c->lru);
		} else {
			m = iddr_gmap_new(c, refs[i]);
			if (IS_ERR(m)) {
				err = PTR_ERR(m);
				break;
			}
			c->batch[missing++] = m;
		}
		atomic_inc(&m->users);
		maps[i] = m;
	}
	if (missing && !err)
		err = iddr_gcache_map(c, missing);
	if (!err)
		return 0;

	iddr_gcache_put(maps, i);
	/* What could be mapped stays; what could not is forgotten. (By the
	 * references just given back: nobody else holds a new mapping.)
	 */
	while (missing--) {
		struct iddr_gmap *m = c->batch[missing];

		if (m->handle == INVALID_GRANT_HANDLE)
			iddr_gmap_discard(c, m);
	}
	return err;
}
EXPORT_SYMBOL_GPL(iddr_gcache_get);

/* Unmap all. No request uses a mapping any more. */
void iddr_gcache_destroy(struct iddr_gcache *c)
{
	struct iddr_gmap *m, *next;

	list_for_each_entry_safe(m, next, &c->lru, lru) {
		WARN_ON_ONCE(atomic_read(&m->users));
		iddr_gmap_drop(c, m);
	}
	xa_destroy(&c->by_ref);
	gnttab_free_pages(c->nr_free, c->free_pages);
	kvfree(c->map_ops);
	kvfree(c->map_pages);
	kvfree(c->batch);
	kvfree(c->free_pages);
}
EXPORT_SYMBOL_GPL(iddr_gcache_destroy);
