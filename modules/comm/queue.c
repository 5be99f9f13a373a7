// SPDX-License-Identifier: GPL-2.0
/*
 * A queue and its waiter: who consumes the ring, how it waits, and how it goes
 * from one way of waiting to another with I/O in flight.
 *
 * One thread per queue and side, which is either awake or asleep:
 *
 *   awake   It looks at the peer's producer index again and again. It asks for
 *           no notification, and has not given the EOI of the last upcall, so
 *           that there is none. How long it stays awake after the last entry is
 *           the mode's budget (iddr_wait.h): nothing in mode event, for ever in
 *           mode spin, a while in hybrid and adaptive. (In mode event, when it
 *           was a kick and no notification that woke it, it does not disarm: it
 *           is to sleep again at once.)
 *   asleep  It has asked for a notification, has looked once more, has given the
 *           EOI, and waits to be kicked by the upcall.
 *
 * So a change of mode changes a number, and has no protocol of its own. A queue
 * whose drain does not sleep (drain_atomic: a front end's, whose completions
 * are short) is also drained by the upcall itself, under rx_lock; in mode event
 * that is all, and its thread wakes for a change of mode or an upcall's overflow
 * only. In the other modes the upcall drains what there is and then hands over
 * to the thread.
 *
 * No wake-up is lost:
 *   - An entry and falling asleep: the proof in iddr_ring.h. The notification
 *     may come before the EOI is given; then Xen keeps it pending on the masked
 *     port, and giving the EOI delivers it.
 *   - A kick (upcall, change of mode, stop, own work) and falling asleep: kicked
 *     is cleared before a look and tested after it, by wait_event().
 *   - An upcall that drains and a thread that falls asleep exclude each other by
 *     rx_lock; whoever is last in it has armed, or has left kicked set.
 * The same is checked by a model: modules/test/models/.
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
#include <linux/timekeeping.h>

#include "iddr_comm.h"
#define CREATE_TRACE_POINTS
#include "iddr_trace.h"

EXPORT_TRACEPOINT_SYMBOL_GPL(iddr_request);
EXPORT_TRACEPOINT_SYMBOL_GPL(iddr_response);

/* A submitter's own wait at the most: it holds up what else it has to do. */
#define IDDR_LINGER_MAX_NS	NSEC_PER_MSEC

static const char * const iddr_mode_names[IDDR_NR_MODES] = {
	[IDDR_MODE_EVENT] = "event",
	[IDDR_MODE_SPIN] = "spin",
	[IDDR_MODE_HYBRID] = "hybrid",
	[IDDR_MODE_ADAPTIVE] = "adaptive",
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

/* Defaults: @budget_us for hybrid, nothing to 1 ms for adaptive. */
void iddr_wait_limits_init(struct iddr_wait_limits *limits,
			   unsigned int budget_us)
{
	limits->fixed_ns = (u64)budget_us * NSEC_PER_USEC;
	limits->min_ns = 0;
	limits->max_ns = NSEC_PER_MSEC;
}
EXPORT_SYMBOL_GPL(iddr_wait_limits_init);

/* @q: zeroed, or what it was at an earlier connection, with its parked thread. */
void iddr_queue_init(struct iddr_queue *q, const struct iddr_queue_ops *ops,
		     struct xenbus_device *xdev, unsigned int index,
		     enum iddr_mode mode, const struct iddr_wait_limits *limits)
{
	struct task_struct *thread = q->thread;

	memset(q, 0, sizeof(*q));
	q->thread = thread;
	q->parked = !!thread;
	q->ops = ops;
	q->xdev = xdev;
	q->index = index;
	q->limits = limits;
	q->mode = IDDR_MODE_EVENT;	/* the thread takes it from there */
	q->mode_wanted = mode;
	spin_lock_init(&q->rx_lock);
	spin_lock_init(&q->tx_lock);
	init_waitqueue_head(&q->wq);
	init_waitqueue_head(&q->mode_wq);
	iddr_wait_init(&q->wait, limits);
}
EXPORT_SYMBOL_GPL(iddr_queue_init);

/* Entries waiting, or -EPROTO. For use in iddr_queue_ops.drain. */
int iddr_queue_avail(struct iddr_queue *q)
{
	int n = iddr_rx_avail(&q->rx, &q->tx.published, q->rx_extra);

	if (unlikely(n < 0))
		q->offence = "producer index out of bounds";
	return n;
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

/* Ring the peer's bell. Not under tx_lock: it is a hypercall. */
void iddr_queue_notify(struct iddr_queue *q)
{
	trace_iddr_notify(q, q->tx_stats.entries);
	notify_remote_via_irq(q->irq);
}
EXPORT_SYMBOL_GPL(iddr_queue_notify);

/* Have the thread look at its ring and its other work. Any context. */
void iddr_queue_kick(struct iddr_queue *q)
{
	WRITE_ONCE(q->kicked, true);
	wake_up(&q->wq);
}
EXPORT_SYMBOL_GPL(iddr_queue_kick);

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

	if (unlikely(q->broken || q->frozen))
		return 0;
	n = q->ops->drain(q);
	if (unlikely(n < 0)) {
		iddr_queue_break(q, n);
		return 0;
	}
	q->rx_stats.entries += n;
	WRITE_ONCE(q->rx_counted, q->rx.cons);
	return n;
}

/*
 * Arm, and look once more.
 * Return: entries consumed by that look (go round again), or 0: armed, and
 * nothing waits.
 */
static int iddr_queue_arm(struct iddr_queue *q)
{
	bool more = iddr_rx_arm(&q->rx);
	int n;

	q->rx_stats.arms++;
	trace_iddr_arm(q, more);
	if (!more || q->broken || q->frozen)
		return 0;
	n = iddr_queue_drain(q);
	/* The index showed entries and then took them back. An honest peer
	 * never does; one that does could keep an upcall here for good.
	 */
	if (unlikely(!n && !q->broken)) {
		q->offence = "producer index taken back";
		iddr_queue_break(q, -EPROTO);
	}
	return n;
}

/*
 * As the owner of the consumer's end: the thread is, unless others may drain as
 * well; then whoever holds rx_lock is.
 */
static int iddr_queue_as_owner(struct iddr_queue *q,
			       int (*what)(struct iddr_queue *q))
{
	unsigned long flags;
	int ret;

	if (!q->ops->drain_atomic)
		return what(q);
	spin_lock_irqsave(&q->rx_lock, flags);
	ret = what(q);
	spin_unlock_irqrestore(&q->rx_lock, flags);
	return ret;
}

/* By the owner: one drain; the event index does not go stale. */
static int iddr_queue_drain_and_refresh(struct iddr_queue *q)
{
	int n = iddr_queue_drain(q);

	iddr_rx_refresh(&q->rx);
	return n;
}

/* By the owner. Return: 0: asleep from here on; else look again. */
static int iddr_queue_fall_asleep(struct iddr_queue *q)
{
	int n = iddr_queue_arm(q);

	if (!n)
		WRITE_ONCE(q->watching, false);
	return n;
}

/* By the owner: awake from here on. */
static int iddr_queue_wake(struct iddr_queue *q)
{
	WRITE_ONCE(q->watching, true);
	/* Still armed, if it was not a notification that ended the sleep. */
	if (iddr_rx_is_armed(&q->rx) &&
	    READ_ONCE(q->mode_wanted) != IDDR_MODE_EVENT)
		iddr_rx_disarm(&q->rx);
	return 0;
}

static void iddr_queue_set_frozen(struct iddr_queue *q, bool frozen)
{
	spin_lock_irq(&q->rx_lock);
	q->frozen = frozen;
	spin_unlock_irq(&q->rx_lock);
}

/* Nobody consumes from here on, whoever looks. For drain_atomic only. */
void iddr_queue_freeze(struct iddr_queue *q)
{
	iddr_queue_set_frozen(q, true);
}
EXPORT_SYMBOL_GPL(iddr_queue_freeze);

/* The end of that. */
void iddr_queue_thaw(struct iddr_queue *q)
{
	iddr_queue_set_frozen(q, false);
	/* What has come meanwhile may have been announced in vain. */
	iddr_queue_kick(q);
}
EXPORT_SYMBOL_GPL(iddr_queue_thaw);

/*
 * Drain what there is now, from outside the thread; for drain_atomic only.
 * Return: entries consumed.
 */
int iddr_queue_look(struct iddr_queue *q)
{
	return iddr_queue_as_owner(q, iddr_queue_drain_and_refresh);
}
EXPORT_SYMBOL_GPL(iddr_queue_look);

/* The same by one of many pollers: 0 at once if another one is at it. */
int iddr_queue_try_look(struct iddr_queue *q)
{
	unsigned long flags;
	int n;

	/* Without the lock: most looks find nothing. */
	if (!iddr_rx_peek(&q->rx)) {
		q->rx_stats.spin_iterations++;	/* roughly: it has no lock */
		return 0;
	}
	if (!spin_trylock_irqsave(&q->rx_lock, flags))
		return 0;
	n = iddr_queue_drain_and_refresh(q);
	q->rx_stats.caller_hits += n;
	spin_unlock_irqrestore(&q->rx_lock, flags);
	return n;
}
EXPORT_SYMBOL_GPL(iddr_queue_try_look);

/*
 * How long who submits may wait for the answer itself: as long as the thread
 * would, at most IDDR_LINGER_MAX_NS. 0 unless the thread is awake: asleep, it has
 * asked for a notification, and nothing is saved.
 */
u64 iddr_queue_linger_ns(const struct iddr_queue *q)
{
	if (!READ_ONCE(q->watching))
		return 0;
	return min_t(u64, IDDR_LINGER_MAX_NS,
		     iddr_wait_budget(&q->wait, q->limits,
				      READ_ONCE(q->mode)));
}
EXPORT_SYMBOL_GPL(iddr_queue_linger_ns);

/*
 * Look, for @ns at the most, until entries have been consumed up to index
 * @until or somebody else wants this CPU. Process context; for drain_atomic only.
 */
void iddr_queue_linger(struct iddr_queue *q, u32 until, u64 ns)
{
	u64 end = ktime_get_mono_fast_ns() + ns;

	while ((s32)(READ_ONCE(q->rx.cons) - until) < 0 &&
	       !READ_ONCE(q->broken) && !need_resched() &&
	       ktime_get_mono_fast_ns() < end) {
		if (!iddr_queue_try_look(q))
			cpu_relax();
	}
}
EXPORT_SYMBOL_GPL(iddr_queue_linger);

/* Give the EOI of an upcall. Return: whether one was due. */
static bool iddr_queue_give_eoi(struct iddr_queue *q, bool spurious)
{
	if (!xchg(&q->eoi_owed, false))
		return false;
	xen_irq_lateeoi(q->irq, spurious ? XEN_EOI_FLAG_SPURIOUS : 0);
	return true;
}

/*
 * Drain in the upcall. A peer that answers faster than we submit could keep us
 * here for as long as there is I/O: beyond a few rings' worth the thread takes
 * over. Adds what it consumed to @total.
 * Return: whether all is done: armed, and nothing waits.
 */
static bool iddr_queue_drain_in_upcall(struct iddr_queue *q, int *total)
{
	unsigned long flags;
	bool done = false;
	int n;

	do {
		/* Let go of each time: a drain may take long. */
		spin_lock_irqsave(&q->rx_lock, flags);
		n = iddr_queue_drain(q);
		/* Who watches does not arm, and who will watch need not. */
		if (!n && !q->watching && !iddr_queue_spins(q)) {
			n = iddr_queue_arm(q);
			done = !n;
		}
		spin_unlock_irqrestore(&q->rx_lock, flags);
		*total += n;
	} while (n && *total < 4 * q->nr_slots);
	return done;
}

irqreturn_t iddr_queue_upcall(int irq, void *data)
{
	struct iddr_queue *q = data;
	int n = 0;

	q->rx_stats.notify_received++;
	trace_iddr_upcall(q, q->rx_stats.entries);
	if (q->polled) {
		/* Not asked for; whoever polls finds what there is. */
		xen_irq_lateeoi(irq, XEN_EOI_FLAG_SPURIOUS);
		return IRQ_HANDLED;
	}
	if (q->ops->drain_atomic && iddr_queue_drain_in_upcall(q, &n)) {
		xen_irq_lateeoi(irq, n ? 0 : XEN_EOI_FLAG_SPURIOUS);
		return IRQ_HANDLED;
	}
	/* The EOI is the thread's: no further upcall until it falls asleep. */
	WRITE_ONCE(q->eoi_owed, true);
	iddr_queue_kick(q);
	return IRQ_HANDLED;
}
EXPORT_SYMBOL_GPL(iddr_queue_upcall);

/* The thread shall look up from its work: it is to end or to wait otherwise. */
static bool iddr_queue_must_leave(struct iddr_queue *q)
{
	return kthread_should_stop() || kthread_should_park() ||
	       READ_ONCE(q->mode_wanted) != q->mode;
}

static bool iddr_queue_thread_has_work(struct iddr_queue *q)
{
	return READ_ONCE(q->kicked) || iddr_queue_must_leave(q);
}

/* Nothing there: give way to whoever has work for this CPU. */
static void iddr_queue_relax(void)
{
	if (!single_task_running())
		yield();
	else
		cpu_relax();
}

/*
 * Awake: look at the ring until the mode's budget has passed without an entry.
 * @last: when the last look found something (ktime, ns), for what comes after.
 * Return: whether to fall asleep; otherwise the thread must look up.
 */
static bool iddr_queue_watch(struct iddr_queue *q, u64 *last)
{
	u64 idle_since = 0, now = 0, looks = 0;
	u64 seen = READ_ONCE(q->rx_stats.entries);

	for (;;) {
		u64 entries;
		bool stay;

		/* Cleared before the looks (hence the barrier): a kick during
		 * them counts for the next.
		 */
		if (READ_ONCE(q->kicked))
			smp_store_mb(q->kicked, false);
		if (iddr_rx_peek(&q->rx))
			iddr_queue_as_owner(q, iddr_queue_drain_and_refresh);
		stay = q->ops->poll && q->ops->poll(q);

		/* Never a stall for RCU, RCU-tasks or the soft-lockup detector. */
		cond_resched_tasks_rcu_qs();
		try_to_freeze();
		if (iddr_queue_must_leave(q) || q->broken)
			return false;

		/* By whomever: who lingers and who polls consume, too. */
		entries = READ_ONCE(q->rx_stats.entries);
		if (entries != seen) {
			seen = entries;
			if (looks) {
				q->rx_stats.spin_hits++;
				trace_iddr_spin_hit(q, looks);
				if (idle_since)
					iddr_wait_kept_cpu(&q->wait);
				if (q->mode == IDDR_MODE_ADAPTIVE && idle_since)
					iddr_wait_caught(&q->wait, q->limits,
							 now - idle_since);
			}
			looks = 0;
			idle_since = 0;
			continue;
		}
		if (stay) {
			idle_since = 0;
		} else {
			u64 budget = iddr_wait_budget(&q->wait, q->limits,
						      q->mode);

			if (!budget)
				break;
			if (budget != U64_MAX) {
				/* One clock reading a look, none after a hit. */
				u64 before = now;

				now = ktime_get_mono_fast_ns();
				if (!idle_since) {
					idle_since = now;
					if (iddr_wait_no_spin(&q->wait))
						break;
				} else if (now - before >
					   READ_ONCE(q->limits->max_ns)) {
					iddr_wait_lost_cpu(&q->wait);
					break;
				} else if (now - idle_since >= budget) {
					break;
				}
			}
		}
		q->rx_stats.spin_iterations++;
		looks++;
		iddr_queue_relax();
	}
	*last = idle_since ? idle_since : ktime_get_mono_fast_ns();
	return true;
}

/* Has anything come since @entries were consumed? */
static bool iddr_queue_has_entry(struct iddr_queue *q, u64 entries)
{
	return iddr_rx_peek(&q->rx) || READ_ONCE(q->rx_stats.entries) != entries;
}

/* Fall asleep, unless something has come; asleep until kicked. */
static void iddr_queue_sleep(struct iddr_queue *q, u64 last, u64 *eoi_mark)
{
	u64 entries;

	if (iddr_queue_as_owner(q, iddr_queue_fall_asleep))
		return;
	entries = READ_ONCE(q->rx_stats.entries);
	/* Rung for nothing, if nothing has come since the last one's. */
	if (iddr_queue_give_eoi(q, entries == *eoi_mark))
		*eoi_mark = entries;
	if (!iddr_queue_thread_has_work(q)) {
		u64 now = ktime_get_mono_fast_ns();

		q->rx_stats.sleeps++;
		trace_iddr_sleep(q, now - last);
		wait_event_freezable(q->wq, iddr_queue_thread_has_work(q));
		q->rx_stats.wakeups++;
		trace_iddr_wake(q, ktime_get_mono_fast_ns() - now);
	}

	iddr_queue_as_owner(q, iddr_queue_wake);
	/* Woken by an entry: how long would it have paid to stay awake? */
	if (q->mode == IDDR_MODE_ADAPTIVE && iddr_queue_has_entry(q, entries))
		iddr_wait_slept(&q->wait, q->limits,
				ktime_get_mono_fast_ns() - last);
}

/* Take the mode that is wanted. */
static void iddr_queue_switch(struct iddr_queue *q, enum iddr_mode mode)
{
	if (q->mode == mode)
		return;
	/* Whoever wakes up beside a spinner goes first, and loses next to
	 * nothing to it while it runs: yield() alone would let CFS share the
	 * CPU evenly.
	 */
	sched_set_normal(current, mode == IDDR_MODE_EVENT ? 0 : MAX_NICE);
	WRITE_ONCE(q->mode, mode);
	wake_up_all(&q->mode_wq);
}

/*
 * A broken queue takes no more entries, and its owner ends it; but what it has
 * taken may be under way still, and need its other work.
 */
static void iddr_queue_run_down(struct iddr_queue *q)
{
	if (READ_ONCE(q->kicked))
		smp_store_mb(q->kicked, false);
	while (q->ops->poll && q->ops->poll(q) && !iddr_queue_must_leave(q)) {
		cond_resched_tasks_rcu_qs();
		try_to_freeze();
		iddr_queue_relax();
	}
	wait_event_freezable(q->wq, iddr_queue_thread_has_work(q));
}

static int iddr_queue_thread(void *data)
{
	struct iddr_queue *q = data;
	u64 last = 0, eoi_mark = 0;

	/* Completions must go on when tasks are frozen; new work need not. */
	if (!q->ops->drain_atomic)
		set_freezable();
	while (!kthread_should_stop()) {
		if (kthread_should_park()) {
			/* As it was made: the next connection begins so. */
			sched_set_normal(current, 0);
			kthread_parkme();
			last = 0;
			eoi_mark = 0;
			continue;
		}
		iddr_queue_switch(q, READ_ONCE(q->mode_wanted));
		if (q->broken)
			iddr_queue_run_down(q);
		else if (iddr_queue_watch(q, &last))
			iddr_queue_sleep(q, last, &eoi_mark);
	}
	return 0;
}

/*
 * Start consuming. The ring is set up and the port bound with
 * iddr_queue_upcall(); an upcall may already have come. A polled queue gets no
 * thread.
 * Return: 0 or -errno.
 */
int iddr_queue_start(struct iddr_queue *q, const char *thread_name)
{
	struct task_struct *thread;

	if (q->polled)
		return 0;
	/* It starts awake: entries may wait already, produced before anyone
	 * was there to arm.
	 */
	q->watching = true;
	if (q->parked) {
		q->thread_ns_before = q->thread->se.sum_exec_runtime;
		q->parked = false;
		kthread_unpark(q->thread);
		return 0;
	}
	thread = kthread_create(iddr_queue_thread, q, "%s", thread_name);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	/* Kept until iddr_queue_put(), so that sysfs may read its times. */
	get_task_struct(thread);
	q->thread = thread;
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

/*
 * As iddr_queue_stop(), but the thread waits for the next connection: who makes one
 * may be what kthreadd waits for, where that has to get memory first. Not for a
 * thread that is frozen with the others: parked, it would not be.
 */
void iddr_queue_park(struct iddr_queue *q)
{
	if (!q->thread || q->stopped || q->parked)
		return;
	kthread_park(q->thread);
	q->parked = true;
	WRITE_ONCE(q->stopped, true);
	wake_up_all(&q->mode_wq);
}
EXPORT_SYMBOL_GPL(iddr_queue_park);

/* Forget the thread, stopped or parked; sysfs is gone. Idempotent. May sleep. */
void iddr_queue_put(struct iddr_queue *q)
{
	if (!q->thread)
		return;
	if (q->parked)
		kthread_stop(q->thread);
	put_task_struct(q->thread);
	q->thread = NULL;
	q->parked = false;
}
EXPORT_SYMBOL_GPL(iddr_queue_put);

/*
 * Change how the queue waits; I/O may be in flight.
 * Return: 0; -EOPNOTSUPP for a polled queue; -ENODEV once the queue is stopped;
 * -ETIMEDOUT if the thread did not take it within 10 s; -EINTR on a fatal signal.
 */
int iddr_queue_set_mode(struct iddr_queue *q, enum iddr_mode mode)
{
	long left;

	if (q->polled)
		return -EOPNOTSUPP;
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

static int __init iddr_comm_init(void)
{
	return iddr_quarantine_init();
}
module_init(iddr_comm_init);

static void __exit iddr_comm_exit(void)
{
	iddr_quarantine_exit();
}
module_exit(iddr_comm_exit);

MODULE_DESCRIPTION("IDDR communication module: shared rings, notification, grants");
MODULE_AUTHOR("IDDR authors");
/* Also makes the kernel show srcversion, by which results name the module. */
MODULE_VERSION("0.2");
MODULE_LICENSE("GPL");
