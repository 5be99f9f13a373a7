// SPDX-License-Identifier: GPL-2.0
/*
 * A queue and its waiter: who consumes the ring, how it waits, and how it goes
 * from one way of waiting to another with I/O in flight.
 *
 * One thread per queue and side. In event mode it sleeps; the upcall either
 * drains the ring itself (drain_in_upcall: a front end, whose completions are
 * short) or wakes the thread (a back end, which submits I/O and may sleep). In
 * spin mode the port is masked, the event index disarmed, and the thread looks
 * at the producer index in a loop, at the lowest priority.
 *
 * Changes of mode are made by the thread alone:
 *   event -> spin  disable_irq() waits for a running upcall and masks the port;
 *                  from then on the thread owns the consumer's end; disarm.
 *   spin -> event  drain until arming finds nothing (the proof in iddr_ring.h),
 *                  then enable_irq(). A notification that arrives in between is
 *                  kept pending by the masked port and delivered at unmasking.
 *
 * Event storms: ports are bound with late EOI. It is given after draining, and
 * marked spurious if there was nothing to drain, which makes Linux delay the
 * next upcall of a peer that rings for nothing (XSA-332, XSA-391).
 */
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>

#include "iddr_comm.h"

static const char * const iddr_mode_names[IDDR_NR_MODES] = {
	[IDDR_MODE_EVENT] = "event",
	[IDDR_MODE_SPIN] = "spin",
};

int iddr_mode_parse(const char *name)
{
	return sysfs_match_string(iddr_mode_names, name);
}
EXPORT_SYMBOL_GPL(iddr_mode_parse);

const char *iddr_mode_name(enum iddr_mode mode)
{
	return iddr_mode_names[mode];
}
EXPORT_SYMBOL_GPL(iddr_mode_name);

void iddr_queue_init(struct iddr_queue *q, const struct iddr_queue_ops *ops,
		     struct xenbus_device *xdev, unsigned int index,
		     enum iddr_mode mode)
{
	memset(q, 0, sizeof(*q));
	q->ops = ops;
	q->xdev = xdev;
	q->index = index;
	q->mode = IDDR_MODE_EVENT;	/* the thread takes it from there */
	q->mode_wanted = mode;
	q->ring_ref = INVALID_GRANT_REF;
	spin_lock_init(&q->tx_lock);
	init_waitqueue_head(&q->wq);
	init_waitqueue_head(&q->mode_wq);
}
EXPORT_SYMBOL_GPL(iddr_queue_init);

/* Entries waiting, or -EPROTO. For use in iddr_queue_ops.drain. */
int iddr_queue_avail(struct iddr_queue *q)
{
	return iddr_rx_avail(&q->rx, &q->tx.published, q->rx_extra);
}
EXPORT_SYMBOL_GPL(iddr_queue_avail);

/*
 * Hand all filled slots to the peer. Under tx_lock.
 * Return: whether to call iddr_queue_notify() once the lock is dropped.
 */
bool iddr_queue_publish(struct iddr_queue *q)
{
	u32 n = q->tx.prod - q->tx.published;
	bool notify;

	lockdep_assert_held(&q->tx_lock);
	if (!n)
		return false;
	notify = iddr_tx_publish(&q->tx);
	q->tx_stats.entries += n;
	if (notify)
		q->tx_stats.notify_sent++;
	else
		q->tx_stats.notify_suppressed++;
	return notify;
}
EXPORT_SYMBOL_GPL(iddr_queue_publish);

/* The end of a peer that breaks the protocol. */
static void iddr_queue_break(struct iddr_queue *q, int err)
{
	q->broken = true;
	q->ops->broken(q, err);
}

/* One drain, counted. Return: entries consumed; 0 also if the queue broke. */
static int iddr_queue_drain(struct iddr_queue *q)
{
	int n;

	if (unlikely(q->broken))
		return 0;
	n = q->ops->drain(q);
	if (unlikely(n < 0)) {
		iddr_queue_break(q, n);
		return 0;
	}
	q->rx_stats.entries += n;
	return n;
}

/*
 * Arm, and look once more.
 * Return: entries consumed by that look (go round again), or 0: armed, and
 * nothing waits.
 */
static int iddr_queue_arm(struct iddr_queue *q)
{
	int n;

	if (!iddr_rx_arm(&q->rx) || q->broken)
		return 0;
	n = iddr_queue_drain(q);
	/* The index showed entries and then took them back. An honest peer
	 * never does; one that does could keep an upcall here for good.
	 */
	if (unlikely(!n && !q->broken))
		iddr_queue_break(q, -EPROTO);
	return n;
}

/* The thread shall look up from its work: it is to end or to wait otherwise. */
static bool iddr_queue_must_leave(struct iddr_queue *q)
{
	return kthread_should_stop() || READ_ONCE(q->mode_wanted) != q->mode;
}

/*
 * Drain until there is nothing left and the event index is armed, in the
 * upcall. A peer that answers faster than we submit could keep us here for as
 * long as there is I/O: beyond a few rings' worth the thread takes over.
 * Return: entries consumed, or -EAGAIN: not armed, more to do.
 */
static int iddr_queue_drain_in_upcall(struct iddr_queue *q)
{
	int n, total = 0;

	do {
		n = iddr_queue_drain(q);
		if (!n)
			n = iddr_queue_arm(q);
		total += n;
		if (total >= 4 * q->nr_slots)
			return -EAGAIN;
	} while (n);
	return total;
}

irqreturn_t iddr_queue_upcall(int irq, void *data)
{
	struct iddr_queue *q = data;

	q->rx_stats.notify_received++;
	if (q->ops->drain_in_upcall) {
		int n = iddr_queue_drain_in_upcall(q);

		if (n >= 0) {
			xen_irq_lateeoi(irq, n ? 0 : XEN_EOI_FLAG_SPURIOUS);
			return IRQ_HANDLED;
		}
	}
	/* The EOI is the thread's: no further upcall until then, and the
	 * consumer's end belongs to the thread.
	 */
	WRITE_ONCE(q->eoi_owed, true);
	WRITE_ONCE(q->kicked, true);
	wake_up(&q->wq);
	return IRQ_HANDLED;
}
EXPORT_SYMBOL_GPL(iddr_queue_upcall);

/*
 * The thread drains for an upcall, or because it was told to. A peer may
 * produce without end: after each drain the thread gives way, and it leaves if
 * it must, still kicked.
 */
static void iddr_queue_serve_kick(struct iddr_queue *q)
{
	int n, total = 0;

	/* Cleared before the first look at the ring (hence the barrier): where
	 * no EOI is owed, an upcall may come at any time and must not be lost.
	 */
	smp_store_mb(q->kicked, false);
	do {
		n = iddr_queue_drain(q);
		if (!n)
			n = iddr_queue_arm(q);
		total += n;
		cond_resched();
		if (n && iddr_queue_must_leave(q)) {
			WRITE_ONCE(q->kicked, true);
			return;
		}
	} while (n);
	if (xchg(&q->eoi_owed, false))
		xen_irq_lateeoi(q->irq, total ? 0 : XEN_EOI_FLAG_SPURIOUS);
}

static bool iddr_queue_thread_has_work(struct iddr_queue *q)
{
	return READ_ONCE(q->kicked) || iddr_queue_must_leave(q);
}

static void iddr_queue_wait_event(struct iddr_queue *q)
{
	if (!iddr_queue_thread_has_work(q)) {
		q->rx_stats.sleeps++;
		wait_event_freezable(q->wq, iddr_queue_thread_has_work(q));
		q->rx_stats.wakeups++;
	}
	if (READ_ONCE(q->kicked))
		iddr_queue_serve_kick(q);
}

static void iddr_queue_spin(struct iddr_queue *q)
{
	if (iddr_queue_drain(q)) {
		iddr_rx_refresh(&q->rx);
	} else {
		q->rx_stats.spin_iterations++;
		/* Someone else has work for this CPU: let it run. */
		if (!single_task_running())
			yield();
		else
			cpu_relax();
	}
	/* Never a stall for RCU, RCU-tasks or the soft-lockup detector. */
	cond_resched_tasks_rcu_qs();
	try_to_freeze();
}

static void iddr_queue_enter_spin(struct iddr_queue *q)
{
	disable_irq(q->irq);
	/* An upcall may have left its work and its EOI to the thread. The work
	 * is found by spinning.
	 */
	WRITE_ONCE(q->kicked, false);
	if (xchg(&q->eoi_owed, false))
		xen_irq_lateeoi(q->irq, 0);
	iddr_rx_disarm(&q->rx);
	/* Whoever wakes up here goes first, and loses next to nothing to us
	 * while it runs: yield() alone would let CFS share the CPU evenly.
	 */
	sched_set_normal(current, MAX_NICE);
}

static void iddr_queue_leave_spin(struct iddr_queue *q)
{
	sched_set_normal(current, 0);
	if (q->ops->drain_in_upcall) {
		/* Last act as the owner of the consumer's end. */
		do {
			while (iddr_queue_drain(q))
				cond_resched();
		} while (iddr_queue_arm(q));
	} else {
		/* Drain and arm in event mode. */
		WRITE_ONCE(q->kicked, true);
	}
	enable_irq(q->irq);
}

static void iddr_queue_switch(struct iddr_queue *q, enum iddr_mode mode)
{
	if (q->mode == mode)
		return;
	if (mode == IDDR_MODE_SPIN)
		iddr_queue_enter_spin(q);
	else
		iddr_queue_leave_spin(q);
	WRITE_ONCE(q->mode, mode);
	wake_up_all(&q->mode_wq);
}

static int iddr_queue_thread(void *data)
{
	struct iddr_queue *q = data;

	set_freezable();
	while (!kthread_should_stop()) {
		iddr_queue_switch(q, READ_ONCE(q->mode_wanted));
		/* A broken queue has nothing to watch; its owner ends it. */
		if (q->mode == IDDR_MODE_SPIN && !q->broken)
			iddr_queue_spin(q);
		else if (q->broken)
			wait_event_freezable(q->wq, iddr_queue_must_leave(q));
		else
			iddr_queue_wait_event(q);
	}
	if (q->mode == IDDR_MODE_SPIN)
		enable_irq(q->irq);	/* it is unbound balanced */
	return 0;
}

/*
 * Start consuming. The ring is set up and the port bound with
 * iddr_queue_upcall(); an upcall may already have come.
 * Return: 0 or -errno.
 */
int iddr_queue_start(struct iddr_queue *q, const char *thread_name)
{
	struct task_struct *thread;

	thread = kthread_create(iddr_queue_thread, q, "%s", thread_name);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	/* Kept until iddr_queue_put(), so that sysfs may read its times. */
	get_task_struct(thread);
	q->thread = thread;
	/* Requests may wait already, produced before anyone was there to arm. */
	if (!q->ops->drain_in_upcall)
		q->kicked = true;
	wake_up_process(thread);
	return 0;
}
EXPORT_SYMBOL_GPL(iddr_queue_start);

/* Stop consuming; the caller unbinds the port. Idempotent. May sleep. */
void iddr_queue_stop(struct iddr_queue *q)
{
	if (!q->thread || q->stopped)
		return;
	kthread_stop(q->thread);
	WRITE_ONCE(q->stopped, true);
	wake_up_all(&q->mode_wq);
}
EXPORT_SYMBOL_GPL(iddr_queue_stop);

/* Forget the stopped thread; sysfs is gone. Idempotent. */
void iddr_queue_put(struct iddr_queue *q)
{
	if (q->thread)
		put_task_struct(q->thread);
	q->thread = NULL;
}
EXPORT_SYMBOL_GPL(iddr_queue_put);

/*
 * Change how the queue waits; I/O may be in flight.
 * Return: 0; -ENODEV once the queue is stopped; -ETIMEDOUT if the thread did
 * not take it within 10 s; -EINTR on a fatal signal.
 */
int iddr_queue_set_mode(struct iddr_queue *q, enum iddr_mode mode)
{
	long left;

	if (READ_ONCE(q->stopped))
		return -ENODEV;
	WRITE_ONCE(q->mode_wanted, mode);
	wake_up(&q->wq);
	left = wait_event_killable_timeout(q->mode_wq,
				READ_ONCE(q->mode) == mode ||
				READ_ONCE(q->stopped), 10 * HZ);
	if (left < 0)
		return -EINTR;
	if (READ_ONCE(q->stopped))
		return -ENODEV;
	return left ? 0 : -ETIMEDOUT;
}
EXPORT_SYMBOL_GPL(iddr_queue_set_mode);

MODULE_DESCRIPTION("IDDR communication module: shared rings, notification, grants");
MODULE_AUTHOR("IDDR authors");
/* Also makes the kernel show srcversion, by which results name the module. */
MODULE_VERSION("0.1");
MODULE_LICENSE("GPL");
