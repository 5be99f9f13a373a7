/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The communication module's interface. It knows no block I/O: a front or back
 * end of any kind builds on these parts.
 *
 *   iddr_queue    one shared ring with its event channel, the thread that waits
 *                 on it, the waiting mode and the counters      (queue.c)
 *   iddr_link     the queues of one device, in sysfs            (sysfs.c)
 *   handshake     rings and event channels through xenstore     (handshake.c)
 *   iddr_pool     front end: pages and grants to the peer       (pool.c)
 *   quarantine    front end: pages that it may still reach (quarantine.c)
 *   iddr_gcache   back end: the peer's pages, mapped and kept   (gcache.c)
 *   iddr_pages    back end: page frames for one request's use   (gops.c)
 *   iddr_gops     back end: batches of map, unmap and copy      (gops.c)
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

#define IDDR_MAX_RING_ORDER	4	/* 16 pages: XENBUS_MAX_RING_GRANT_ORDER */
#define IDDR_MAX_RING_PAGES	(1U << IDDR_MAX_RING_ORDER)

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
	u64 grant_ops;		/* grants issued for requests */
};

struct iddr_rx_stats {
	u64 entries;		/* slots consumed */
	u64 notify_received;	/* upcalls on our port */
	u64 arms;		/* times a notification was asked for */
	u64 spin_iterations;	/* looks at the ring that found nothing */
	u64 spin_hits;		/* spells of such looks that ended with an entry */
	u64 caller_hits;	/* entries found by looks of who waits for them,
				 * not by the thread or an upcall
				 */
	u64 sleeps;		/* times the waiting thread went to sleep */
	u64 wakeups;		/* times it was woken */
	u64 copied_bytes;	/* copied from the peer */
	u64 grant_ops;		/* other grants issued, ended, mapped, unmapped,
				 * copied
				 */
	u64 timeouts;		/* requests unanswered for the block layer's limit */
};

struct iddr_queue;

struct iddr_queue_ops {
	/*
	 * Consume what waits in the ring, at most one ring's worth. Owns rx.
	 * Return: entries consumed, or -errno if the peer broke the protocol
	 * (the queue then stops for good, and @broken is called).
	 */
	int (*drain)(struct iddr_queue *q);
	/*
	 * Optional: work of the thread's besides the ring, done at each look
	 * and before sleeping. Return: true to stay awake, whatever the mode:
	 * something was done, or is under way that only looking brings on.
	 */
	bool (*poll)(struct iddr_queue *q);
	/* Called once, in the thread or in an upcall; q->offence says what the
	 * peer did. Must not sleep.
	 */
	void (*broken)(struct iddr_queue *q, int err);
	/* @drain does not sleep, so that it may run in the upcall, under
	 * rx_lock; otherwise the thread alone drains.
	 */
	bool drain_atomic;
	/* Names the two sides of the counters in sysfs. */
	bool produces_requests;
};

/*
 * One ring with its waiter. rx and rx_stats are owned by the thread or, with
 * drain_atomic, by whoever holds rx_lock.
 */
struct iddr_queue {
	const struct iddr_queue_ops *ops;
	struct xenbus_device *xdev;
	unsigned int index;
	bool polled;			/* consumed by the caller's polling: no
					 * thread, never armed
					 */

	void *ring;			/* nr_slots slots behind a 64 byte header */
	u32 nr_slots;
	unsigned int irq;		/* 0: none bound */

	/* the consumer's */
	struct iddr_rx rx ____cacheline_aligned_in_smp;
	u32 rx_counted;		/* rx.cons up to which rx_stats.entries counts */
	u32 rx_extra;			/* see iddr_rx_avail() */
	spinlock_t rx_lock;
	bool watching;			/* the thread is awake; nobody else arms */
	struct iddr_rx_stats rx_stats;

	/* the producer's; under tx_lock, as are the slots */
	spinlock_t tx_lock ____cacheline_aligned_in_smp;
	struct iddr_tx tx;
	struct iddr_tx_stats tx_stats;

	/* waking the thread */
	wait_queue_head_t wq ____cacheline_aligned_in_smp;
	bool kicked;			/* the thread is asked to look */
	bool eoi_owed;			/* by the thread, for an upcall; until then
					 * there is no other
					 */
	bool frozen;			/* entries are left in the ring; under rx_lock */
	bool broken;			/* protocol error seen: never drain again */
	const char *offence;		/* and which: set before broken */
	bool stopped;			/* the thread has ended, or is parked */
	bool parked;			/* it waits for the next connection */
	struct task_struct *thread;
	u64 thread_ns_before;		/* it has run before this connection */

	enum iddr_mode mode_wanted;	/* written by sysfs */
	enum iddr_mode mode;		/* in force; written by the thread */
	wait_queue_head_t mode_wq;	/* woken when mode has changed */
	const struct iddr_wait_limits *limits;
	struct iddr_wait wait;		/* the thread's */

	grant_ref_t ring_refs[IDDR_MAX_RING_PAGES];
	unsigned int nr_ring_pages;
	/* front end only */
	struct iddr_kept *ring_kept[IDDR_MAX_RING_PAGES];	/* set aside */
	evtchn_port_t port;

	struct kobject kobj;
	struct completion kobj_released;
};

/* One device, in sysfs: directory "iddr", and "queue<N>" below while it is
 * connected.
 */
struct iddr_link {
	struct kobject kobj;
	struct completion kobj_released;
	struct mutex mode_lock;		/* one mode change at a time */
	struct iddr_queue **queues;
	unsigned int nr_queues;
	unsigned int nr_added;		/* queues that have their kobject */
	struct iddr_wait_limits *limits;
	const char *data_path;
	bool shown;			/* the queues are */
};

/* queue.c */
void iddr_queue_init(struct iddr_queue *q, const struct iddr_queue_ops *ops,
		     struct xenbus_device *xdev, unsigned int index,
		     enum iddr_mode mode, const struct iddr_wait_limits *limits);
int iddr_queue_start(struct iddr_queue *q, const char *thread_name);
void iddr_queue_stop(struct iddr_queue *q);
void iddr_queue_park(struct iddr_queue *q);
void iddr_queue_put(struct iddr_queue *q);
int iddr_queue_set_mode(struct iddr_queue *q, enum iddr_mode mode);
int iddr_queue_avail(struct iddr_queue *q);
bool iddr_queue_publish(struct iddr_queue *q);
u64 iddr_queue_linger_ns(const struct iddr_queue *q);
void iddr_queue_linger(struct iddr_queue *q, u32 until, u64 ns);
void iddr_queue_kick(struct iddr_queue *q);
void iddr_queue_freeze(struct iddr_queue *q);
void iddr_queue_thaw(struct iddr_queue *q);
int iddr_queue_look(struct iddr_queue *q);
int iddr_queue_try_look(struct iddr_queue *q);
irqreturn_t iddr_queue_upcall(int irq, void *data);
void iddr_queue_notify(struct iddr_queue *q);
void iddr_wait_limits_init(struct iddr_wait_limits *limits,
			   unsigned int budget_us);

/* Is the thread looking at the ring by itself now? A hint. */
static inline bool iddr_queue_spins(const struct iddr_queue *q)
{
	return READ_ONCE(q->mode) != IDDR_MODE_EVENT;
}

/* sysfs.c */
int iddr_link_add(struct iddr_link *link, struct kobject *parent);
int iddr_link_show(struct iddr_link *link, struct iddr_queue **queues,
		   unsigned int nr_queues, struct iddr_wait_limits *limits,
		   const char *data_path);
void iddr_link_hide(struct iddr_link *link);
void iddr_link_del(struct iddr_link *link);

/* handshake.c: keys as in xen/interface/io/blkif.h. */
int iddr_front_ring_create(struct iddr_queue *q, u32 slot_bytes,
			   unsigned int order);
int iddr_front_ring_publish(struct iddr_queue *q, struct xenbus_transaction t,
			    const char *dir);
unsigned int iddr_front_ring_destroy(struct iddr_queue *q, bool dying);
int iddr_back_ring_map(struct iddr_queue *q, const char *dir, u32 slot_bytes,
		       int order);
void iddr_back_ring_unmap(struct iddr_queue *q);

/* pool.c: the front end's pages. */
struct iddr_pool_page {
	struct iddr_pool_page *next;
	struct page *page;		/* ours, or NULL: none needed so far */
	struct page *lent;		/* somebody else's, granted in its place */
	grant_ref_t ref;
	bool granted;
};

struct iddr_pool {
	spinlock_t lock;		/* guards ready, bare and nr */
	struct iddr_pool_page *ready;	/* with what bare ones lack; each */
	struct iddr_pool_page *bare;	/* list: last given back first */
	struct iddr_pool_page *all;	/* max of them, the first nr in use */
	unsigned int nr;
	unsigned int max;
	domid_t peer;
	bool persistent;		/* grants are kept for good */
	bool dying;			/* the peer is: see quarantine.c */
};

int iddr_pool_create(struct iddr_pool *pool, domid_t peer, unsigned int max,
		     bool persistent);
int iddr_pool_prefill(struct iddr_pool *pool, unsigned int nr, u64 *grant_ops);
unsigned int iddr_pool_destroy(struct iddr_pool *pool);
struct iddr_pool_page *iddr_pool_get(struct iddr_pool *pool, unsigned int nr,
				     bool with_page, unsigned int *grant_ops);
void iddr_pool_put(struct iddr_pool *pool, struct iddr_pool_page *chain);
int iddr_pool_grant(struct iddr_pool *pool, struct iddr_pool_page *p,
		    struct page *lent, bool readonly);
int iddr_pool_end(struct iddr_pool *pool, struct iddr_pool_page *chain,
		  unsigned int *grant_ops);

/* quarantine.c */
struct iddr_kept *iddr_quarantine_reserve(void);
void iddr_quarantine_unreserve(struct iddr_kept *k);
void iddr_quarantine_page(domid_t peer, struct page *page, grant_ref_t ref,
			  bool dying, struct iddr_kept *reserved);
bool iddr_grant_free(domid_t peer, struct page *page, grant_ref_t ref,
		     bool dying, struct iddr_kept *reserved);
unsigned int iddr_quarantine_mapped(domid_t peer);
int iddr_quarantine_init(void);
void iddr_quarantine_exit(void);

/* gcache.c: the peer's pages, mapped here and kept. */
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
	struct page **map_pages;
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
	/* What was done with the pages comes before their unmapping. */
	smp_mb__before_atomic();
	while (nr--)
		atomic_dec(&maps[nr]->users);
}

/* gops.c: page frames that a back end lends to a request, and what is done
 * with the peer's grants by the batch. All of it belongs to one thread.
 */
struct iddr_pages {
	struct page **free;
	unsigned int nr_free;
	unsigned int nr;
	bool foreign;			/* frames for mapping, no memory of ours */
};

int iddr_pages_create(struct iddr_pages *p, unsigned int nr, bool foreign);
void iddr_pages_destroy(struct iddr_pages *p);

/* Room for IDDR_GOPS_BATCH operations, then a hypercall. */
#define IDDR_GOPS_BATCH		128

struct iddr_gops {
	domid_t peer;
	u64 *grant_ops;
	unsigned int nr;
	union {
		struct gnttab_map_grant_ref map[IDDR_GOPS_BATCH];
		struct gnttab_unmap_grant_ref unmap[IDDR_GOPS_BATCH];
		struct gnttab_copy copy[IDDR_GOPS_BATCH];
	};
	struct page *pages[IDDR_GOPS_BATCH];
	void *owners[IDDR_GOPS_BATCH];
	grant_handle_t *handles[IDDR_GOPS_BATCH];
	void (*failed)(void *owner);	/* one of the owner's operations was refused */
};

struct iddr_gops *iddr_gops_create(domid_t peer, u64 *grant_ops,
				   void (*failed)(void *owner));
void iddr_gops_map(struct iddr_gops *g, void *owner, grant_ref_t ref,
		   struct page *page, grant_handle_t *handle, bool readonly);
void iddr_gops_map_flush(struct iddr_gops *g);
void iddr_gops_unmap(struct iddr_gops *g, struct page *page,
		     grant_handle_t handle);
void iddr_gops_unmap_flush(struct iddr_gops *g);
void iddr_gops_copy(struct iddr_gops *g, void *owner, grant_ref_t ref,
		    u16 ref_offset, struct page *page, u16 page_offset,
		    u16 bytes, bool to_peer);
void iddr_gops_copy_flush(struct iddr_gops *g);

#endif /* IDDR_COMM_H */
