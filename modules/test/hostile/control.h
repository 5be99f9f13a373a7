/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an attack reports, and to whom. See debugfs.h for how it is started.
 */
#ifndef HOSTILE_CONTROL_H
#define HOSTILE_CONTROL_H

#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/string.h>

struct dentry;
struct seq_file;

/* What memory that a peer must not touch or disclose is filled with. */
#define HOSTILE_PATTERN		0x48455354494c4521ULL
/* The only thing other than zeroes that the tests store on a hostile disk:
 * "IDDRDATA".
 */
#define HOSTILE_TAG		0x4154414452444449ULL

/* One a module, since each module holds one disk. */
struct hostile_ctl {
	struct mutex lock;		/* one attack at a time */
	struct dentry *dir;
	/* Run, or arm, the attack of this name. Return: 0 or -errno. */
	int (*run)(struct hostile_ctl *ctl, const char *name);
	/* Before the report is read: complete it. */
	void (*conclude)(struct hostile_ctl *ctl);
	void (*list)(struct seq_file *m);
	bool failed;
	size_t said;
	char report[3072];
};

/* Add to the report. Under the lock. */
static __printf(2, 3) inline void hostile_say(struct hostile_ctl *ctl,
					      const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	ctl->said += vscnprintf(ctl->report + ctl->said,
				sizeof(ctl->report) - ctl->said, fmt, args);
	va_end(args);
}

/* The honest side did not do what it must. */
#define hostile_fail(ctl, fmt, ...)					\
	do {								\
		(ctl)->failed = true;					\
		hostile_say(ctl, " [FAILED: " fmt "]", ##__VA_ARGS__);	\
	} while (0)

/* Put the verdict on attack @name before what was said of it. */
static inline void hostile_verdict(struct hostile_ctl *ctl,
				   const char *verdict, const char *name)
{
	char head[80];
	size_t n = scnprintf(head, sizeof(head), "%s %s: ", verdict, name);

	ctl->said = min(ctl->said, sizeof(ctl->report) - n - 1);
	memmove(ctl->report + n, ctl->report, ctl->said);
	memcpy(ctl->report, head, n);
	ctl->said += n;
	ctl->report[ctl->said++] = '\n';
}

#endif /* HOSTILE_CONTROL_H */
