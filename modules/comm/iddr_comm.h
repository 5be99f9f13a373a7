/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The communication module's interface. It knows no block I/O: a front or back
 * end of any kind builds on these parts.
 *
 *   iddr_queue    one shared ring with its event channel, the thread that waits
 *                 on it, the waiting mode and the counters      (queue.c)
 *   iddr_link     the queues of one device, in sysfs            (sysfs.c)
 *   iddr_pool     pages granted to the peer for good            (grant.c)
 *   iddr_gcache   the peer's pages, mapped and kept             (grant.c)
 *   handshake     ring and event channel through xenstore       (handshake.c)
 */
#ifndef IDDR_COMM_H
#define IDDR_COMM_H

#include <linux/completion.h>
#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/xenbus.h>

#include "iddr_ring.h"
#include "iddr_wait.h"

/* Return: a mode, or -EINVAL for a name that is none. */
int iddr_mode_parse(const char *name);
const char *iddr_mode_name(enum iddr_mode mode);

/*
 * Counters, monotonic. Two sets, so that each has one writer at a time: the
 * producing side's under iddr_queue.tx_lock, the consuming side's by whoever
 * owns iddr_queue.rx.
 */
struct iddr_tx_stats {
	u64 entries;		/* slots published */
	u64 notify_sent;	/* notifications sent */
	u64 notify_suppressed;	/* publications that needed none */
	u64 copied_bytes;	/* copied towards the peer */
};

struct iddr_rx_stats {
	u64 entries;		/* slots consumed */
	u64 notify_received;	/* upcalls on our port */
	u64 spin_iterations;	/* looks at the ring that found nothing */
	u64 sleeps;		/* times the waiting thread went to sleep */
	u64 wakeups;		/* times it was woken */
	u64 copied_bytes;	/* copied from the peer */
	u64 grant_ops;		/* grants issued and ended, mapped and unmapped */
};

struct iddr_queue;

struct iddr_queue_ops {
	/*
	 * Consume what waits in the ring, at most one ring's worth.
	 * Return: entries consumed, or -errno if the peer broke the protocol
	 * (the queue then stops for good, and @broken is called).
	 */
	int (*drain)(struct iddr_queue *q);
	/* Called once, in the thread or in the upcall. Must not sleep. */
	void (*broken)(struct iddr_queue *q, int err);
	/* In event mode drain in the upcall itself, not in the thread. */
	bool drain_in_upcall;
	/* Names the two sides of the counters in sysfs. */
	bool produces_requests;
};

/*
 * One ring with its waiter. Ownership of rx, rx_stats: the thread, except in
 * event mode with drain_in_upcall, where it is the upcall. The thread hands
 * over by disable_irq(), which waits for a running upcall, and enable_irq().
 */
struct iddr_queue {
	const struct iddr_queue_ops *ops;
	struct xenbus_device *xdev;
	unsigned int index;

	struct iddr_rx rx;
	u32 rx_extra;			/* see iddr_rx_avail() */
	struct iddr_rx_stats rx_stats;

	spinlock_t tx_lock;		/* guards tx, tx_stats and the slots */
	struct iddr_tx tx;
	struct iddr_tx_stats tx_stats;

	void *ring;			/* nr_slots slots behind a 64 byte header */
	u32 nr_slots;
	grant_ref_t ring_ref;		/* front end only */

	evtchn_port_t port;		/* front end only */
	unsigned int irq;		/* 0: none bound */
	struct task_struct *thread;
	wait_queue_head_t wq;		/* the thread sleeps here */
	bool kicked;			/* the thread is asked to drain */
	bool eoi_owed;			/* by the thread, for an upcall; until then
					 * there is no other
					 */
	bool broken;			/* protocol error seen: never drain again */
	bool stopped;			/* the thread has ended */

	enum iddr_mode mode_wanted;	/* written by sysfs */
	enum iddr_mode mode;		/* in force; written by the thread */
	wait_queue_head_t mode_wq;	/* woken when mode has changed */

	struct kobject kobj;
	struct completion kobj_released;
};

/* The queues of one device: sysfs directory "iddr" with "queue<N>" below. */
struct iddr_link {
	struct kobject kobj;
	struct completion kobj_released;
	struct mutex mode_lock;		/* one mode change at a time */
	struct iddr_queue **queues;
	unsigned int nr_queues;
	unsigned int nr_added;		/* queues that have their kobject */
};

/* queue.c */
void iddr_queue_init(struct iddr_queue *q, const struct iddr_queue_ops *ops,
		     struct xenbus_device *xdev, unsigned int index,
		     enum iddr_mode mode);
int iddr_queue_start(struct iddr_queue *q, const char *thread_name);
void iddr_queue_stop(struct iddr_queue *q);
void iddr_queue_put(struct iddr_queue *q);
int iddr_queue_set_mode(struct iddr_queue *q, enum iddr_mode mode);
int iddr_queue_avail(struct iddr_queue *q);
bool iddr_queue_publish(struct iddr_queue *q);
irqreturn_t iddr_queue_upcall(int irq, void *data);

/* Ring the peer's bell. Not under tx_lock: it is a hypercall. */
static inline void iddr_queue_notify(struct iddr_queue *q)
{
	notify_remote_via_irq(q->irq);
}

/* sysfs.c */
int iddr_link_add(struct iddr_link *link, struct kobject *parent,
		  struct iddr_queue **queues, unsigned int nr_queues);
void iddr_link_del(struct iddr_link *link);

/* handshake.c: one queue, one ring page; keys as in xen/interface/io/blkif.h. */
int iddr_front_ring_create(struct iddr_queue *q, u32 slot_bytes);
int iddr_front_ring_publish(struct iddr_queue *q, struct xenbus_transaction t,
			    const char *dir);
void iddr_front_ring_destroy(struct iddr_queue *q);
int iddr_back_ring_map(struct iddr_queue *q, u32 slot_bytes);
void iddr_back_ring_unmap(struct iddr_queue *q);

/* grant.c */
struct iddr_pool {
	unsigned int nr;
	struct page **pages;
	grant_ref_t *refs;
};

int iddr_pool_create(struct iddr_pool *pool, domid_t peer, unsigned int nr);
unsigned int iddr_pool_destroy(struct iddr_pool *pool);

/* A page of the peer's, mapped here. */
struct iddr_gmap {
	struct list_head lru;		/* least recently used first */
	grant_ref_t ref;
	grant_handle_t handle;
	struct page *page;
	atomic_t users;			/* requests in flight; get in the thread */
};

/* All of it belongs to one thread, but for iddr_gcache_put(). */
struct iddr_gcache {
	struct xarray by_ref;
	struct list_head lru;
	domid_t peer;
	unsigned int nr;
	unsigned int max;		/* mappings kept at the most */
	u64 *grant_ops;
	struct gnttab_map_grant_ref *map_ops;	/* room for one batch */
	struct iddr_gmap **batch;
	unsigned int max_batch;
	struct page **free_pages;
	unsigned int nr_free;
};

int iddr_gcache_create(struct iddr_gcache *c, domid_t peer, unsigned int max,
		       unsigned int max_batch, u64 *grant_ops);
int iddr_gcache_get(struct iddr_gcache *c, const grant_ref_t *refs,
		    struct iddr_gmap **maps, unsigned int nr);
void iddr_gcache_destroy(struct iddr_gcache *c);

/* Any context. */
static inline void iddr_gcache_put(struct iddr_gmap **maps, unsigned int nr)
{
	while (nr--)
		atomic_dec(&maps[nr]->users);
}

#endif /* IDDR_COMM_H */
