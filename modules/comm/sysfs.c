// SPDX-License-Identifier: GPL-2.0
/*
 * Queues in sysfs, documented in modules/ABI.md:
 *
 *   <device>/iddr/mode              all queues
 *   <device>/iddr/budget_us, budget_min_us, budget_max_us, data_path
 *   <device>/iddr/queue<N>/mode     one queue
 *   <device>/iddr/queue<N>/<counter>
 *
 * The device's directory lives from iddr_link_add() to iddr_link_del(), over its
 * connections; the rest from iddr_link_show() to iddr_link_hide(), and a queue's
 * thread lives longer, so that a reader needs no lock.
 */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "iddr_comm.h"

struct iddr_queue_attr {
	struct attribute attr;
	ssize_t (*show)(struct iddr_queue *q, char *buf);
	ssize_t (*store)(struct iddr_queue *q, const char *buf, size_t len);
};

static struct iddr_queue *to_queue(struct kobject *kobj)
{
	return container_of(kobj, struct iddr_queue, kobj);
}

static struct iddr_link *to_link(struct kobject *kobj)
{
	return container_of(kobj, struct iddr_link, kobj);
}

#define IDDR_COUNTER(_name, _expr)					\
static ssize_t _name##_show(struct iddr_queue *q, char *buf)		\
{									\
	return sysfs_emit(buf, "%llu\n", (unsigned long long)(_expr));	\
}									\
static struct iddr_queue_attr iddr_attr_##_name =			\
	__ATTR(_name, 0444, _name##_show, NULL)

/*
 * Entries taken, with those of a drain that is under way: one that hangs, in a
 * driver below us, never counts its own. Read without a lock: right while
 * nothing moves.
 */
static u64 iddr_queue_taken(const struct iddr_queue *q)
{
	u32 counted = READ_ONCE(q->rx_counted);

	return READ_ONCE(q->rx_stats.entries) +
	       (u32)(READ_ONCE(q->rx.cons) - counted);
}

/*
 * Entries that the peer has published and nobody here has taken: what it says
 * is shown, and no more than there is room for. None, if nobody will.
 */
static u32 iddr_queue_unconsumed(const struct iddr_queue *q)
{
	u32 cons = READ_ONCE(q->rx.cons);

	if (READ_ONCE(q->broken))
		return 0;
	/* What is taken meanwhile must not make it less than nothing. */
	smp_rmb();
	return min(READ_ONCE(*q->rx.shared_prod) - cons, q->nr_slots);
}

/* Requests travel front -> back, responses the other way. */
IDDR_COUNTER(requests, q->ops->produces_requests ?
	     q->tx_stats.entries : iddr_queue_taken(q));
IDDR_COUNTER(responses, q->ops->produces_requests ?
	     iddr_queue_taken(q) : q->tx_stats.entries);
IDDR_COUNTER(notify_sent, q->tx_stats.notify_sent);
IDDR_COUNTER(notify_received, q->rx_stats.notify_received);
IDDR_COUNTER(notify_suppressed, q->tx_stats.notify_suppressed);
IDDR_COUNTER(spin_iterations, q->rx_stats.spin_iterations);
IDDR_COUNTER(spin_hits, q->rx_stats.spin_hits);
IDDR_COUNTER(caller_hits, q->rx_stats.caller_hits);
IDDR_COUNTER(arms, q->rx_stats.arms);
IDDR_COUNTER(timeouts, q->rx_stats.timeouts);
IDDR_COUNTER(sleeps, q->rx_stats.sleeps);
IDDR_COUNTER(wakeups, q->rx_stats.wakeups);
IDDR_COUNTER(grant_ops, q->tx_stats.grant_ops + q->rx_stats.grant_ops);
IDDR_COUNTER(copied_bytes, q->tx_stats.copied_bytes + q->rx_stats.copied_bytes);
/* Up to the last tick for a thread that is running; 0 where there is none. */
IDDR_COUNTER(thread_cpu_ns, q->thread ?
	     READ_ONCE(q->thread->se.sum_exec_runtime) -
	     q->thread_ns_before : 0);
IDDR_COUNTER(thread_pid, q->thread ? task_pid_nr(q->thread) : 0);
/* Not counters, but numbers all the same. */
IDDR_COUNTER(unconsumed, iddr_queue_unconsumed(q));
IDDR_COUNTER(ring_slots, q->nr_slots);
IDDR_COUNTER(budget_ns, iddr_wait_budget(&q->wait, q->limits,
					 READ_ONCE(q->mode)));

static ssize_t mode_show(struct iddr_queue *q, char *buf)
{
	return sysfs_emit(buf, "%s\n", q->polled ? "poll" :
			  iddr_mode_name(READ_ONCE(q->mode)));
}

static ssize_t mode_store(struct iddr_queue *q, const char *buf, size_t len)
{
	struct iddr_link *link = to_link(q->kobj.parent);
	int mode = iddr_mode_parse(buf);
	int err;

	if (mode < 0)
		return mode;
	if (mutex_lock_killable(&link->mode_lock))
		return -EINTR;
	err = iddr_queue_set_mode(q, mode);
	mutex_unlock(&link->mode_lock);
	return err ? err : len;
}

static struct iddr_queue_attr iddr_attr_mode =
	__ATTR(mode, 0644, mode_show, mode_store);

static struct attribute *iddr_queue_attrs[] = {
	&iddr_attr_mode.attr,
	&iddr_attr_requests.attr,
	&iddr_attr_responses.attr,
	&iddr_attr_notify_sent.attr,
	&iddr_attr_notify_received.attr,
	&iddr_attr_notify_suppressed.attr,
	&iddr_attr_spin_iterations.attr,
	&iddr_attr_spin_hits.attr,
	&iddr_attr_caller_hits.attr,
	&iddr_attr_arms.attr,
	&iddr_attr_timeouts.attr,
	&iddr_attr_sleeps.attr,
	&iddr_attr_wakeups.attr,
	&iddr_attr_grant_ops.attr,
	&iddr_attr_copied_bytes.attr,
	&iddr_attr_thread_cpu_ns.attr,
	&iddr_attr_thread_pid.attr,
	&iddr_attr_unconsumed.attr,
	&iddr_attr_ring_slots.attr,
	&iddr_attr_budget_ns.attr,
	NULL
};
ATTRIBUTE_GROUPS(iddr_queue);

static ssize_t iddr_queue_attr_show(struct kobject *kobj,
				    struct attribute *attr, char *buf)
{
	return container_of(attr, struct iddr_queue_attr, attr)->
		show(to_queue(kobj), buf);
}

static ssize_t iddr_queue_attr_store(struct kobject *kobj,
				     struct attribute *attr,
				     const char *buf, size_t len)
{
	struct iddr_queue_attr *a =
		container_of(attr, struct iddr_queue_attr, attr);

	return a->store ? a->store(to_queue(kobj), buf, len) : -EIO;
}

static const struct sysfs_ops iddr_queue_sysfs_ops = {
	.show = iddr_queue_attr_show,
	.store = iddr_queue_attr_store,
};

static void iddr_queue_kobj_release(struct kobject *kobj)
{
	complete(&to_queue(kobj)->kobj_released);
}

static struct kobj_type iddr_queue_ktype = {
	.sysfs_ops = &iddr_queue_sysfs_ops,
	.default_groups = iddr_queue_groups,
	.release = iddr_queue_kobj_release,
};

static ssize_t iddr_link_mode_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	return mode_show(to_link(kobj)->queues[0], buf);
}

static ssize_t iddr_link_mode_store(struct kobject *kobj,
				    struct kobj_attribute *attr,
				    const char *buf, size_t len)
{
	struct iddr_link *link = to_link(kobj);
	unsigned int i;

	for (i = 0; i < link->nr_queues; i++) {
		ssize_t ret;

		if (link->queues[i]->polled)
			continue;
		ret = mode_store(link->queues[i], buf, len);
		if (ret < 0)
			return ret;
	}
	return len;
}

static struct kobj_attribute iddr_link_mode_attr =
	__ATTR(mode, 0644, iddr_link_mode_show, iddr_link_mode_store);

/* Budgets are shown and taken in microseconds, up to 1 s, and kept in ns. */
#define IDDR_BUDGET_MAX_US	USEC_PER_SEC

#define IDDR_BUDGET(_name, _field)					\
static ssize_t _name##_show(struct kobject *kobj,			\
			    struct kobj_attribute *attr, char *buf)	\
{									\
	return sysfs_emit(buf, "%llu\n",				\
			  READ_ONCE(to_link(kobj)->limits->_field) /	\
			  NSEC_PER_USEC);				\
}									\
static ssize_t _name##_store(struct kobject *kobj,			\
			     struct kobj_attribute *attr,		\
			     const char *buf, size_t len)		\
{									\
	u64 us;								\
	int err = kstrtou64(buf, 10, &us);				\
									\
	if (err)							\
		return err;						\
	if (us > IDDR_BUDGET_MAX_US)					\
		return -ERANGE;						\
	WRITE_ONCE(to_link(kobj)->limits->_field, us * NSEC_PER_USEC);	\
	return len;							\
}									\
static struct kobj_attribute iddr_link_##_name##_attr =			\
	__ATTR(_name, 0644, _name##_show, _name##_store)

IDDR_BUDGET(budget_us, fixed_ns);
IDDR_BUDGET(budget_min_us, min_ns);
IDDR_BUDGET(budget_max_us, max_ns);

static ssize_t data_path_show(struct kobject *kobj,
			      struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_link(kobj)->data_path);
}

static struct kobj_attribute iddr_link_data_path_attr = __ATTR_RO(data_path);

/* mode is last: once it is there, so is the rest. */
static const struct attribute *iddr_link_attrs[] = {
	&iddr_link_budget_us_attr.attr,
	&iddr_link_budget_min_us_attr.attr,
	&iddr_link_budget_max_us_attr.attr,
	&iddr_link_data_path_attr.attr,
	&iddr_link_mode_attr.attr,
	NULL
};

static void iddr_link_kobj_release(struct kobject *kobj)
{
	complete(&to_link(kobj)->kobj_released);
}

static struct kobj_type iddr_link_ktype = {
	.sysfs_ops = &kobj_sysfs_ops,
	.release = iddr_link_kobj_release,
};

/* Take a kobject out of sysfs and wait until its last user has let go. */
static void iddr_kobj_del(struct kobject *kobj, struct completion *released)
{
	kobject_del(kobj);	/* waits for readers and writers in progress */
	kobject_put(kobj);
	wait_for_completion(released);
}

/*
 * Make a device's directory below @parent; it shows no queues yet.
 * Return: 0 or -errno, with nothing left behind.
 */
int iddr_link_add(struct iddr_link *link, struct kobject *parent)
{
	int err;

	/* A device that connects again brings its last connection's link. */
	memset(link, 0, sizeof(*link));
	mutex_init(&link->mode_lock);
	init_completion(&link->kobj_released);
	err = kobject_init_and_add(&link->kobj, &iddr_link_ktype, parent,
				   "iddr");
	if (err) {
		kobject_put(&link->kobj);
		wait_for_completion(&link->kobj_released);
	}
	return err;
}
EXPORT_SYMBOL_GPL(iddr_link_add);

/*
 * Show a connection's started queues.
 * Return: 0 or -errno, with nothing left behind.
 */
int iddr_link_show(struct iddr_link *link, struct iddr_queue **queues,
		   unsigned int nr_queues, struct iddr_wait_limits *limits,
		   const char *data_path)
{
	unsigned int i;
	int err;

	link->queues = queues;
	link->nr_queues = nr_queues;
	link->limits = limits;
	link->data_path = data_path;
	link->shown = true;
	for (i = 0; i < nr_queues; i++) {
		struct iddr_queue *q = queues[i];

		init_completion(&q->kobj_released);
		err = kobject_init_and_add(&q->kobj, &iddr_queue_ktype,
					   &link->kobj, "queue%u", q->index);
		if (err) {
			kobject_put(&q->kobj);
			wait_for_completion(&q->kobj_released);
			goto fail;
		}
		link->nr_added++;
	}
	/* Last: a write to mode reaches every queue's directory. */
	err = sysfs_create_files(&link->kobj, iddr_link_attrs);
	if (err)
		goto fail;
	return 0;

fail:
	iddr_link_hide(link);
	return err;
}
EXPORT_SYMBOL_GPL(iddr_link_show);

/* Undo iddr_link_show(): no reader or writer is left. Idempotent. */
void iddr_link_hide(struct iddr_link *link)
{
	if (!link->shown)
		return;
	link->shown = false;
	sysfs_remove_files(&link->kobj, iddr_link_attrs);
	while (link->nr_added) {
		struct iddr_queue *q = link->queues[--link->nr_added];

		iddr_kobj_del(&q->kobj, &q->kobj_released);
	}
}
EXPORT_SYMBOL_GPL(iddr_link_hide);

/* Undo iddr_link_add(), and iddr_link_show() if need be. */
void iddr_link_del(struct iddr_link *link)
{
	iddr_link_hide(link);
	iddr_kobj_del(&link->kobj, &link->kobj_released);
}
EXPORT_SYMBOL_GPL(iddr_link_del);
