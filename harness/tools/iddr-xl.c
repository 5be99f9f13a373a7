// SPDX-License-Identifier: GPL-2.0
/*
 * iddr-xl: the toolstack's commands that recovery waits for, in one process that is there already; xl takes most of
 * its time to start. For the same libxl as xl's only: its interface has a version. Besides those of iddr-xenstore:
 *
 *   domid NAME              the domain's number
 *   state DOMID             as in xl list: of r, b, p, s, c, d what it is (running, blocked, paused, shut down, crashed, dying)
 *   rename DOMID NAME
 *   destroy DOMID
 *   attach DOMID DISK       DISK as xl block-attach takes it, as one word
 *   attach-begin DOMID DISK likewise, without waiting for the back end, whose domain may be booting
 *   detach DOMID VDEV
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl.h>
#include <libxl_utils.h>
#include <libxlutil.h>
#include <xen/xen.h>

#include "iddr-xenstore.h"

static libxl_ctx *ctx;
static xentoollog_logger_stdiostream *log_stream;

int xl_init(void)
{
	log_stream = xtl_createlogger_stdiostream(stderr, XTL_ERROR, 0);
	if (!log_stream || libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, (xentoollog_logger *)log_stream)) {
		fprintf(stderr, "iddr-xl: error: cannot reach Xen through libxl; is this dom0?\n");
		return -1;
	}
	return 0;
}

/* Set DOMID to what TEXT says: 0, or an errno. */
static int number(const char *text, uint32_t *domid)
{
	unsigned long n;
	char *end;

	n = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || n >= DOMID_FIRST_RESERVED)
		return EINVAL;
	*domid = n;
	return 0;
}

static int do_domid(int argc, char **argv)
{
	uint32_t domid;

	(void)argc;
	if (libxl_name_to_domid(ctx, argv[0], &domid))
		return ENOENT;
	say_value("%u", domid);
	return 0;
}

static int do_state(int argc, char **argv)
{
	libxl_dominfo info;
	uint32_t domid;
	int rc;

	(void)argc;
	rc = number(argv[0], &domid);
	if (rc)
		return rc;
	libxl_dominfo_init(&info);
	rc = libxl_domain_info(ctx, &info, domid);
	if (!rc) {
		bool crashed = info.shutdown && info.shutdown_reason == LIBXL_SHUTDOWN_REASON_CRASH;

		say_value("%s%s%s%s%s%s", info.running ? "r" : "", info.blocked ? "b" : "", info.paused ? "p" : "",
			  info.shutdown && !crashed ? "s" : "", crashed ? "c" : "", info.dying ? "d" : "");
	}
	libxl_dominfo_dispose(&info);
	return rc == ERROR_DOMAIN_NOTFOUND ? ENOENT : rc;
}

static int do_rename(int argc, char **argv)
{
	uint32_t domid;
	int rc = number(argv[0], &domid);

	(void)argc;
	return rc ? rc : libxl_domain_rename(ctx, domid, NULL, argv[1]);
}

static int do_destroy(int argc, char **argv)
{
	uint32_t domid;
	int rc = number(argv[0], &domid);

	(void)argc;
	/* We live in 0. */
	if (!rc && !domid)
		rc = EPERM;
	return rc ? rc : libxl_domain_destroy(ctx, domid, NULL);
}

/* @how: NULL, or how to tell when it is done. */
static int attach(char **argv, const libxl_asyncop_how *how)
{
	libxl_device_disk disk;
	XLU_Config *config;
	uint32_t domid;
	int rc;

	rc = number(argv[0], &domid);
	if (rc)
		return rc;
	config = xlu_cfg_init(stderr, "attach");
	if (!config)
		return ENOMEM;
	libxl_device_disk_init(&disk);
	rc = xlu_disk_parse(config, 1, (const char *const *)&argv[1], &disk);
	if (!rc)
		rc = libxl_device_disk_add(ctx, domid, &disk, how);
	libxl_device_disk_dispose(&disk);
	xlu_cfg_destroy(config);
	return rc;
}

static int do_attach(int argc, char **argv)
{
	(void)argc;
	return attach(argv, NULL);
}

/*
 * libxl would wait for 10 s, in which a domain that boots has no back end, and for a state that this passes through at once later:
 * have it end its wait. The device is in xenstore by then, and stays.
 */
static int do_attach_begin(int argc, char **argv)
{
	static libxl_ev_user last;
	libxl_asyncop_how how = { .u.for_event = ++last };
	bool ended = false;
	int rc = attach(argv, &how);

	(void)argc;
	if (rc)
		return rc;
	/* An error it is to libxl alone. */
	xtl_stdiostream_set_minlevel(log_stream, XTL_CRITICAL);
	rc = libxl_ao_abort(ctx, &how);
	/* It may be over already, which the event says. */
	if (rc == ERROR_NOTFOUND)
		rc = 0;
	while (!rc && !ended) {
		libxl_event *event;

		rc = libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL);
		if (rc)
			break;
		ended = event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE && event->for_user == last;
		libxl_event_free(ctx, event);
	}
	xtl_stdiostream_set_minlevel(log_stream, XTL_ERROR);
	return rc;
}

static int do_detach(int argc, char **argv)
{
	libxl_device_disk disk;
	uint32_t domid;
	int rc;

	(void)argc;
	rc = number(argv[0], &domid);
	if (rc)
		return rc;
	libxl_device_disk_init(&disk);
	rc = libxl_vdev_to_device_disk(ctx, domid, argv[1], &disk);
	if (!rc)
		rc = libxl_device_disk_safe_remove(ctx, domid, &disk, NULL);
	libxl_device_disk_dispose(&disk);
	return rc;
}

const struct command xl_commands[] = {
	{ "domid", 1, 1, do_domid },
	{ "state", 1, 1, do_state },
	{ "rename", 2, 2, do_rename },
	{ "destroy", 1, 1, do_destroy },
	{ "attach", 2, 2, do_attach },
	{ "attach-begin", 2, 2, do_attach_begin },
	{ "detach", 2, 2, do_detach },
	{ }
};
