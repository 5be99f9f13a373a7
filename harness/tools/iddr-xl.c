// SPDX-License-Identifier: GPL-2.0
/*
 * iddr-xl: the toolstack's commands that recovery waits for, in one process that is there already; xl takes most of
 * its time to start. For the same libxl as xl's only: its interface has a version. Besides those of iddr-xenstore:
 *
 *   domid NAME              the domain's number
 *   state DOMID             as in xl list: of r, b, p, s, c, d what it is (running, blocked, paused, shut down, crashed, dying)
 *   rename DOMID NAME
 *   destroy DOMID
 *   fence DOMID             it runs no more, and maps no page of others
 *   fenced DOMID SECONDS    wait for that long until nobody has a page of its in use: what its disks' back ends were asked for is over
 *   unfence                 let Xen forget it
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
#include <sys/mman.h>
#include <time.h>

#include <libxl.h>
#include <libxl_utils.h>
#include <libxlutil.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xen/xen.h>

#include "iddr-xenstore.h"

static libxl_ctx *ctx;
static xentoollog_logger_stdiostream *log_stream;
static xc_interface *xch;
static xenforeignmemory_handle *memory;
/* A page of the domain that was fenced last, and its number. */
static void *held;
static uint32_t held_domid;

int xl_init(void)
{
	log_stream = xtl_createlogger_stdiostream(stderr, XTL_ERROR, 0);
	if (!log_stream || libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, (xentoollog_logger *)log_stream)) {
		fprintf(stderr, "iddr-xl: error: cannot reach Xen through libxl; is this dom0?\n");
		return -1;
	}
	xch = xc_interface_open(NULL, NULL, 0);
	memory = xenforeignmemory_open(NULL, 0);
	if (!xch || !memory) {
		fprintf(stderr, "iddr-xl: error: cannot reach Xen; is this dom0?\n");
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

static int do_unfence(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (held)
		xenforeignmemory_unmap(memory, held, 1);
	held = NULL;
	return 0;
}

/* Whether Xen knows DOMID, and what of it: 0, or an errno. */
static int domain_info(uint32_t domid, xc_dominfo_t *info)
{
	int n = xc_domain_getinfo(xch, domid, 1, info);

	if (n < 0 && errno != ESRCH)
		return errno;
	return n == 1 && info->domid == domid ? 0 : ENOENT;
}

/* Below DIR are kinds of devices. Is there one, neither disks nor consoles, that has SUFFIX below it? If that cannot be seen: yes. */
static bool has_kind(const char *dir, const char *suffix)
{
	bool found = false;
	char path[256];
	unsigned int n, len;
	char **kinds, *value;

	kinds = xs_directory(xs, XBT_NULL, dir, &n);
	if (!kinds)
		return errno != ENOENT;
	for (unsigned int i = 0; i < n && !found; i++) {
		if (!strcmp(kinds[i], "vbd") || !strcmp(kinds[i], "console"))
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", dir, kinds[i], suffix);
		value = xs_read(xs, XBT_NULL, path, &len);
		found = value || errno != ENOENT;
		free(value);
	}
	free(kinds);
	return found;
}

/* Has it devices of other kinds? libxl does not list PCI devices as the domain's. (It tells nobody of ports and memory that it has given to it.) */
static bool has_others(uint32_t domid)
{
	char path[64], suffix[16];

	snprintf(path, sizeof(path), "/libxl/%u/device", domid);
	snprintf(suffix, sizeof(suffix), "/%u", domid);
	return has_kind(path, "") || has_kind("/local/domain/0/backend", suffix);
}

/* Set DIR/NAME, if it is there and is not THAN: 0, or an errno. */
static int change(xs_transaction_t t, const char *dir, const char *name, const char *value, const char *than)
{
	char node[256], *old;
	unsigned int len;
	int rc = 0;

	snprintf(node, sizeof(node), "%s/%s", dir, name);
	old = xs_read(xs, t, node, &len);
	if (old && strcmp(old, than) && !xs_write(xs, t, node, value, strlen(value)))
		rc = errno;
	free(old);
	return rc;
}

/*
 * Have the back ends of a domain's disks close: they see what they see when libxl takes a disk from a domain that does not
 * answer.
 */
static int close_disks(xs_transaction_t t, int argc, char **argv)
{
	char path[64], node[256], *backend;
	unsigned int n, len;
	char **ids;
	int rc = 0;

	(void)argc;
	snprintf(path, sizeof(path), "/libxl/%s/device/vbd", argv[0]);
	ids = xs_directory(xs, t, path, &n);
	for (unsigned int i = 0; ids && i < n && !rc; i++) {
		snprintf(node, sizeof(node), "%s/%s/backend", path, ids[i]);
		backend = xs_read(xs, t, node, &len);
		if (backend)
			rc = change(t, backend, "online", "0", "0");
		if (backend && !rc)
			rc = change(t, backend, "state", "5", "6");
		free(backend);
	}
	free(ids);
	snprintf(path, sizeof(path), "/local/domain/%s/device/vbd", argv[0]);
	if (!rc && !xs_rm(xs, t, path) && errno != ENOENT)
		rc = errno;
	return rc;
}

/*
 * Ahead of libxl_domain_destroy(), which has it at its end, Xen's own destruction of the domain. A page of it that stays
 * mapped keeps it known to Xen: of a domain that is unknown libxl takes nothing away.
 */
static int do_fence(int argc, char **argv)
{
	xc_dominfo_t info;
	xen_pfn_t frame;
	uint32_t domid;
	int rc;

	rc = number(argv[0], &domid);
	if (!rc && !domid)
		rc = EPERM;
	if (!rc)
		rc = domain_info(domid, &info);
	/* Someone else is at it. */
	if (rc || info.dying)
		return rc == ENOENT ? 0 : rc;
	/* That frame's number is Xen's in a PV domain only; and it is none of those that are counted. */
	if (info.hvm || has_others(domid))
		return EOPNOTSUPP;
	do_unfence(0, NULL);
	held_domid = domid;
	frame = info.shared_info_frame;
	held = xenforeignmemory_map(memory, domid, PROT_READ, 1, &frame, NULL);
	if (!held)
		return EOPNOTSUPP;
	/* What fails from here on, libxl_domain_destroy() does again. */
	if (xc_domain_pause(xch, domid))
		return errno;
	rc = in_transaction(close_disks, argc, argv);
	if (!rc && xc_domain_destroy(xch, domid))
		rc = errno;
	return rc;
}

static int do_fenced(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	struct timespec end, now;
	xc_dominfo_t info;
	uint32_t domid, s;
	int rc;

	(void)argc;
	rc = number(argv[0], &domid);
	if (!rc)
		rc = number(argv[1], &s);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += rc ? 0 : s;
	while (!rc) {
		rc = domain_info(domid, &info);
		if (rc == ENOENT)
			return 0;
		if (rc || (info.dying && !info.nr_pages))
			break;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec)
			return ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return rc;
}

/* Who fenced a domain may have been killed: nobody else could take away what is of it. */
void xl_end(void)
{
	if (held)
		libxl_domain_destroy(ctx, held_domid, NULL);
	do_unfence(0, NULL);
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
	{ "fence", 1, 1, do_fence },
	{ "fenced", 2, 2, do_fenced },
	{ "unfence", 0, 0, do_unfence },
	{ "attach", 2, 2, do_attach },
	{ "attach-begin", 2, 2, do_attach_begin },
	{ "detach", 2, 2, do_detach },
	{ }
};
