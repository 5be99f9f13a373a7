/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Front end, shared between its control path (control.c), its data path (data.c)
 * and what keeps a disk whose back end has gone (recovery.c).
 */
#ifndef IDDR_FRONT_H
#define IDDR_FRONT_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/kref.h>
#include <linux/workqueue.h>

#include "../comm/iddr_comm.h"
#include "iddr_check.h"

#define IDDR_INLINE_SEGS	BLKIF_MAX_SEGMENTS_PER_REQUEST
/* Segment descriptors in an indirect page, and in one request at the most. */
#define IDDR_DESC_PER_PAGE	\
	(XEN_PAGE_SIZE / sizeof(struct blkif_request_segment))
#define IDDR_MAX_SEGS		\
	(BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST * IDDR_DESC_PER_PAGE)

struct iddr_fdisk;

/* What a connection agreed on; fixed before the disk takes requests. */
struct iddr_fconf {
	blkif_vdev_t handle;
	unsigned int ring_order;
	unsigned int max_segs;		/* in a request; <= 11: none indirect */
	bool persistent;
	u8 flush_op;			/* BLKIF_OP_*, for REQ_OP_FLUSH */
};

/* A request's place: its tag is its id on the wire. */
struct iddr_fslot {
	struct iddr_shadow shadow;	/* written under tx_lock or by the owner
					 * of rx, never both at a time: from
					 * queue_rq to publication, and from
					 * response to completion
					 */
	struct request *rq;
	struct iddr_pool_page *data;	/* granted for it, in order */
	struct iddr_pool_page *desc;	/* indirect pages, in order */
	bool direct;			/* data are the request's own pages */
};

/* A ring and the pages that its requests' data crosses in. */
struct iddr_fqueue {
	struct iddr_queue q;
	struct iddr_fdisk *disk;
	const struct iddr_fconf *conf;
	struct iddr_pool data;
	struct iddr_pool desc;		/* always persistent */
	struct iddr_fslot *slots;	/* by tag; q.nr_slots of them */
	bool up;			/* ring, pools and thread exist; changes
					 * under the disk's queues_lock
					 */
	bool dead;			/* takes no requests; set under tx_lock */
	struct blk_mq_hw_ctx *starved;	/* has a request that waits for pages */
	struct iddr_linger linger;	/* under tx_lock */
};

/* What becomes of a disk whose back end goes. The names are those of sysfs. */
enum iddr_recovery {
	IDDR_RECOVERY_WAIT,	/* it is parked until one comes */
	IDDR_RECOVERY_FAIL,	/* its I/O fails, and it goes, too */
	IDDR_NR_RECOVERIES
};

/*
 * One disk. Its gendisk, tags and requests live until the disk is given up; queues,
 * grants and threads belong to a connection, and xdev to an attachment.
 */
struct iddr_fdisk {
	struct kref ref;
	struct xenbus_device *xdev;	/* NULL: an orphan (recovery.c) */
	u32 vdev;
	char name[DISK_NAME_LEN];
	enum iddr_mode mode;		/* of the next connection */
	struct iddr_wait_limits wait_limits;

	struct iddr_fconf conf;
	struct iddr_fqueue *fqs;	/* max_queues of them, for good */
	struct iddr_queue **queues;	/* theirs */
	unsigned int queues_wanted;	/* parameter queues when the disk appeared */
	unsigned int max_queues;
	unsigned int nr_queues;		/* of this connection: first those */
	unsigned int nr_poll;		/* that wait, then those that are polled */
	struct iddr_link link;

	struct work_struct broken_work;	/* the peer has broken the protocol */
	int broken_err;			/* and how, in this connection */
	const char *offence;
	struct mutex queues_lock;	/* who makes, ends, opens and aborts the
					 * queues of a connection: all of them or
					 * none. Guards what says so, too.
					 */
	bool lost;			/* this connection's back end has gone */

	struct gendisk *gd;		/* NULL: no disk. By the work item alone */
	struct blk_mq_tag_set tag_set;
	struct iddr_fdesc desc;		/* of gd, as its back end offered it */
	bool was_connected;		/* in this connection there was a disk */
	bool linked;			/* link is in sysfs */
	bool closing;			/* cannot be opened; under open_mutex */

	/* recovery.c; under queues_lock, unless it says otherwise */
	bool lasting;			/* gd has users, who may be kept waiting */
	bool leaving;			/* the toolstack wants it gone */
	bool frozen;			/* the domain is suspended, or was just now */
	bool restored;			/* it was, in this connection */
	bool parked;			/* gd's queue stands still. Is only read
					 * without the lock where it does
					 */
	bool give_up;			/* fail what is parked */
	enum iddr_recovery recovery;
	unsigned int recovery_timeout_s;	/* 0: none */
	u64 parked_since;		/* jiffies */
	u64 parked_jiffies;		/* in all, up to then */
	u64 recoveries;
	u64 kept;			/* requests, since it is parked */
	u64 reissued;			/* such, in all, once it went on */
	domid_t last_peer;		/* served gd last; by the work item */
	bool refused;			/* what this attachment offers; likewise */
	bool reopen;			/* begin anew when the peer has closed */
	bool waits_said;		/* why it waits; likewise */
	bool lacking;			/* its back end does not do all that it
					 * has offered
					 */
	u64 next_offer;			/* jiffies; not earlier, while parked. 0: there
					 * was none yet
					 */
	struct delayed_work timeout_work;
	struct delayed_work retry_work;
	struct list_head node;		/* under iddr_devices_lock: attached or
					 * orphaned
					 */
	bool going;			/* likewise: is not adopted any more */
	bool spare;			/* no disk: a device for one that may
					 * need it; for good
					 */

	spinlock_t work_lock;		/* guards back_state, removing */
	enum xenbus_state back_state;	/* latest */
	bool back_closed;		/* has been Closed since the rings were made */
	bool close_pending;		/* close when the last user has */
	bool removing;			/* no more work */
	struct work_struct state_work;	/* has a reference when queued */
	struct delayed_work abort_work;	/* bounds the wait for a back end */
};

extern const struct blk_mq_ops iddr_front_mq_ops;

/* data.c */
void iddr_fqueue_init(struct iddr_fqueue *fq, struct iddr_fdisk *disk,
		      const struct iddr_fconf *conf);
int iddr_fqueue_create(struct iddr_fqueue *fq, struct xenbus_device *xdev,
		       unsigned int index, bool polled, enum iddr_mode mode,
		       const struct iddr_wait_limits *limits,
		       const char *thread_name);
int iddr_fqueue_prepare(struct iddr_fqueue *fq);
void iddr_fqueue_open(struct iddr_fqueue *fq);
void iddr_fqueue_close(struct iddr_fqueue *fq, bool dying);
unsigned int iddr_fqueue_in_flight(struct iddr_fqueue *fq);
unsigned int iddr_fqueue_abort(struct iddr_fqueue *fq, bool park);
unsigned int iddr_fqueue_destroy(struct iddr_fqueue *fq, bool dying,
				 bool again);

/* control.c, for the others */
void iddr_fdisk_map_queues(struct iddr_fdisk *d, struct blk_mq_tag_set *set);
void iddr_fdisk_broken(struct iddr_fdisk *d, int err, const char *offence);
void iddr_fdisk_queue_work(struct iddr_fdisk *d);
void iddr_fdisk_put(struct iddr_fdisk *d);
void iddr_fdisk_drop_disk(struct iddr_fdisk *d);
extern struct workqueue_struct *iddr_front_wq;

/* recovery.c */
void iddr_recovery_init(struct iddr_fdisk *d);
int iddr_recovery_add_files(struct iddr_fdisk *d);
bool iddr_recovery_may_wait(const struct iddr_fdisk *d);
bool iddr_recovery_may_park(const struct iddr_fdisk *d);
void iddr_recovery_park(struct iddr_fdisk *d);
void iddr_recovery_resume(struct iddr_fdisk *d);
void iddr_recovery_unpark(struct iddr_fdisk *d);
void iddr_recovery_stays(struct iddr_fdisk *d);
void iddr_recovery_changed(struct iddr_fdisk *d);
bool iddr_recovery_may_offer(struct iddr_fdisk *d);
bool iddr_recovery_may_resume(struct iddr_fdisk *d);
void iddr_recovery_cancel(struct iddr_fdisk *d);
void iddr_recovery_orphan(struct iddr_fdisk *d);
bool iddr_recovery_adopt(const char *name, u32 vdev, struct xenbus_device *xdev);
bool iddr_recovery_attach(struct iddr_fdisk *d);
void iddr_recovery_detach(struct iddr_fdisk *d);
struct iddr_fdisk *iddr_recovery_stop_work(struct xenbus_device *xdev);
bool iddr_recovery_spare_work(struct iddr_fdisk *s);
bool iddr_recovery_orphan_work(struct iddr_fdisk *d);
void iddr_recovery_give_up(struct iddr_fdisk *d);
void iddr_recovery_wait_name(const char *name);
void iddr_recovery_exit(void);
extern struct mutex iddr_devices_lock;

#endif /* IDDR_FRONT_H */
