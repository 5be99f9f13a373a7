// SPDX-License-Identifier: GPL-2.0
/*
 * Faults for the tests: make a driver of this kernel fail, in its own path.
 *
 * The parameter "at" names a function of the driver that every request passes
 * (nvme_setup_cmd, blkif_queue_rq, brd_submit_bio). A name of the catalogue that is
 * written to iddr_fault/inject in debugfs arms that fault; the next call of the
 * function is then one of the fault: in the thread that called the driver, on
 * its stack, with the locks that it holds. A fault strikes once. Most do not return.
 *
 *	insmod iddr_fault.ko at=brd_submit_bio
 *	cat /sys/kernel/debug/iddr_fault/list
 *	echo panic >/sys/kernel/debug/iddr_fault/inject
 *
 * A probe's handler replaces the call, whoever makes it; "armed" is taken with
 * xchg(), so that two of them do not both.
 */
#include <linux/debugfs.h>
#include <linux/irqreturn.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "../../back/iddr_back.h"

/* How far a write goes astray. */
#define FAULT_WILD_BYTES	(1UL << 20)

/* An address of the machine's, below which no domain has memory of its own: the video memory's and the firmware's. */
#define FAULT_DMA_ADDRESS	0xa0000UL

/* No request of ours has it: a ring has fewer. */
#define FAULT_ID		0xffffULL

static char *at;
module_param(at, charp, 0444);
MODULE_PARM_DESC(at, "function of the driver that each request passes");

struct fault {
	const char *name;
	const char *what;
	/* Called in the function's place, with its first argument; its caller gets the result. */
	long (*instead)(void *object);
	/* It does, at once: of the others a thread may be in our code for good. */
	bool returns;
	/* Called before it, which then goes on. */
	void (*before)(void *object);
};

static const struct fault *armed;
static atomic_t calls = ATOMIC_INIT(0);
static arch_spinlock_t fault_lock = __ARCH_SPIN_LOCK_UNLOCKED;
static struct dentry *fault_dir;

static long fault_panic(void *object)
{
	panic("iddr_fault: injected in %s", at);
	return 0;
}

static long fault_null(void *object)
{
	int *nowhere = NULL;

	OPTIMIZER_HIDE_VAR(nowhere);
	WRITE_ONCE(*nowhere, 1);
	return 0;
}

static void fault_wild_write(void *object)
{
	memset(object, 0xa5, FAULT_WILD_BYTES);
}

static noinline long fault_stack(void *object)
{
	char frame[256];

	memset(frame, 0xa5, sizeof(frame));
	OPTIMIZER_HIDE_VAR(object);
	if (object)
		fault_stack(frame);
	/* After the call, or it would be no call. */
	barrier_data(frame);
	return 0;
}

static long fault_deadlock(void *object)
{
	local_irq_disable();
	arch_spin_lock(&fault_lock);
	arch_spin_lock(&fault_lock);
	return 0;
}

static long fault_loop(void *object)
{
	for (;;)
		cpu_relax();
	return 0;
}

static long fault_stuck(void *object)
{
	for (;;)
		schedule_timeout_uninterruptible(MAX_SCHEDULE_TIMEOUT);
	return 0;
}

static long fault_memory(void *object)
{
	for (;;)
		alloc_page(GFP_KERNEL);
	return 0;
}

static long fault_skip(void *object)
{
	return IRQ_HANDLED;
}

static long fault_dma(void *object)
{
	return FAULT_DMA_ADDRESS;
}

static void fault_response(void *object)
{
	struct iddr_breq *req = object;

	req->id = FAULT_ID;
}

static const struct fault faults[] = {
	{ "panic", "the driver calls panic()", fault_panic },
	{ "null", "it writes through a NULL pointer", fault_null },
	{ "wild-write", "it writes 1 MiB from its first argument on, over whatever is there, and goes on",
	  .before = fault_wild_write },
	{ "stack", "it calls itself until the stack is used up", fault_stack },
	{ "deadlock", "it takes a spinlock twice, interrupts off", fault_deadlock },
	{ "loop", "it loops for ever, interrupts on, and never yields", fault_loop },
	{ "stuck", "it sleeps for ever; the rest of its kernel goes on", fault_stuck },
	{ "memory", "it takes all memory there is and gives none back", fault_memory },
	{ "skip", "the function returns at once, as if done: with an interrupt's handler, or what notifies, a lost one", fault_skip, .returns = true },
	{ "dma", "the device gets an address that is not the domain's (at=dma_map_page_attrs)", fault_dma, .returns = true },
	{ "response", "a request is answered that there was none of (at=iddr_back_respond)",
	  .before = fault_response },
};

static int fault_hit(struct kprobe *probe, struct pt_regs *regs)
{
	const struct fault *fault;

	atomic_inc(&calls);
	fault = xchg(&armed, NULL);
	if (!fault)
		return 0;
	if (fault->before) {
		fault->before((void *)regs->di);
		return 0;
	}
	if (!fault->returns)
		__module_get(THIS_MODULE);
	/* Its caller calls the fault, with the arguments as they are. */
	regs->ip = (unsigned long)fault->instead;
	return 1;
}
NOKPROBE_SYMBOL(fault_hit);

static struct kprobe probe = { .pre_handler = fault_hit };

static ssize_t fault_inject_write(struct file *file, const char __user *buf,
				  size_t count, loff_t *pos)
{
	char text[32], *name;
	loff_t start = 0;
	ssize_t n;
	int i;

	n = simple_write_to_buffer(text, sizeof(text) - 1, &start, buf, count);
	if (n < 0)
		return n;
	text[n] = '\0';
	name = strim(text);
	for (i = 0; i < ARRAY_SIZE(faults); i++)
		if (!strcmp(name, faults[i].name)) {
			xchg(&armed, &faults[i]);
			return count;
		}
	return -EINVAL;
}

static int fault_inject_show(struct seq_file *m, void *unused)
{
	const struct fault *fault = READ_ONCE(armed);

	seq_printf(m, "%s\n", fault ? fault->name : "none");
	return 0;
}

static int fault_inject_open(struct inode *inode, struct file *file)
{
	return single_open(file, fault_inject_show, NULL);
}

static const struct file_operations fault_inject_fops = {
	.owner = THIS_MODULE,
	.open = fault_inject_open,
	.read = seq_read,
	.write = fault_inject_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int fault_list_show(struct seq_file *m, void *unused)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		seq_printf(m, "%s %s\n", faults[i].name, faults[i].what);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(fault_list);

static int __init fault_init(void)
{
	int err;

	if (!at) {
		pr_err("iddr_fault: say where: at=FUNCTION, one that each request passes\n");
		return -EINVAL;
	}
	probe.symbol_name = at;
	err = register_kprobe(&probe);
	if (err) {
		pr_err("iddr_fault: cannot probe %s (%d): is it a function, and its driver loaded?\n",
		       at, err);
		return err;
	}
	fault_dir = debugfs_create_dir("iddr_fault", NULL);
	debugfs_create_file("inject", 0600, fault_dir, NULL,
			    &fault_inject_fops);
	debugfs_create_file("list", 0400, fault_dir, NULL, &fault_list_fops);
	debugfs_create_atomic_t("calls", 0400, fault_dir, &calls);
	return 0;
}
module_init(fault_init);

static void __exit fault_exit(void)
{
	debugfs_remove(fault_dir);
	unregister_kprobe(&probe);
}
module_exit(fault_exit);

MODULE_DESCRIPTION("Faults of a driver, for the tests");
MODULE_LICENSE("GPL");
