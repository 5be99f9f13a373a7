/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a hostile module is told what to do: a directory in debugfs with
 *
 *   attack   write a name: that attack runs, or is armed, before the write
 *            returns; read: what came of it
 *   list     the catalogue, "NAME KIND DESCRIPTION" a line
 *
 * and the module's own settings.
 */
#ifndef HOSTILE_DEBUGFS_H
#define HOSTILE_DEBUGFS_H

#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "control.h"

static ssize_t hostile_attack_write(struct file *file, const char __user *buf,
				    size_t count, loff_t *pos)
{
	struct hostile_ctl *ctl = file->private_data;
	char name[48];
	loff_t start = 0;
	ssize_t n;
	int err;

	n = simple_write_to_buffer(name, sizeof(name) - 1, &start, buf, count);
	if (n < 0)
		return n;
	name[n] = '\0';
	mutex_lock(&ctl->lock);
	ctl->said = 0;
	ctl->report[0] = '\0';
	ctl->failed = false;
	err = ctl->run(ctl, strim(name));
	mutex_unlock(&ctl->lock);
	return err ? err : count;
}

static ssize_t hostile_attack_read(struct file *file, char __user *buf,
				   size_t count, loff_t *pos)
{
	struct hostile_ctl *ctl = file->private_data;
	ssize_t n;

	mutex_lock(&ctl->lock);
	if (!*pos && ctl->conclude)
		ctl->conclude(ctl);
	n = simple_read_from_buffer(buf, count, pos, ctl->report, ctl->said);
	mutex_unlock(&ctl->lock);
	return n;
}

static const struct file_operations hostile_attack_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = hostile_attack_read,
	.write = hostile_attack_write,
};

static int hostile_list_show(struct seq_file *m, void *unused)
{
	struct hostile_ctl *ctl = m->private;

	ctl->list(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(hostile_list);

static void hostile_ctl_init(struct hostile_ctl *ctl, const char *dir)
{
	mutex_init(&ctl->lock);
	ctl->dir = debugfs_create_dir(dir, NULL);
	debugfs_create_file("attack", 0600, ctl->dir, ctl,
			    &hostile_attack_fops);
	debugfs_create_file("list", 0400, ctl->dir, ctl, &hostile_list_fops);
}

#endif /* HOSTILE_DEBUGFS_H */
