// SPDX-License-Identifier: GPL-2.0
/*
 * iddr-pulse: show that the domain which it runs in does its work.
 *
 *   iddr-pulse [DEVICE...]     once each DEVICE is there, write a number to
 *                              data/iddr/pulse in xenstore, each second another,
 *                              as long as every back end of ours makes progress
 *
 * A back end that has taken requests and answers none makes none: its driver
 * hangs, though its domain may not. Then no number is written until it does. Who
 * watches the key sees one thing, its silence, and decides how long is too long.
 */
#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

#define KEY		"data/iddr/pulse"
#define QUEUES		"/sys/bus/xen-backend/devices/vbd-*/iddr/queue*"
#define PERIOD_MS	1000
#define LOOK_MS		50		/* for a device that is not there yet */

/* A queue, as it was a period ago. */
struct queue {
	char path[128];
	uint64_t responses;
	bool waiting;		/* and it had requests to answer */
};

/* Those of the period before, and of this one. */
static struct queue *before, *now;
static size_t nr_before, nr_now;

static void fail(const char *what)
{
	fprintf(stderr, "iddr-pulse: error: cannot %s: %s\n", what, strerror(errno));
	exit(1);
}

static void pause_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

static void wait_for_device(const char *path)
{
	struct stat st;

	while (stat(path, &st) || !S_ISBLK(st.st_mode))
		pause_ms(LOOK_MS);
}

/* A counter of a queue; false if the queue has gone. */
static bool counter(const char *queue, const char *name, uint64_t *value)
{
	char path[192];
	FILE *f;
	bool got;

	snprintf(path, sizeof(path), "%s/%s", queue, name);
	f = fopen(path, "r");
	if (!f)
		return false;
	got = fscanf(f, "%ju", value) == 1;
	fclose(f);
	return got;
}

/* Has the queue at PATH, which has had to answer since before, answered nothing? */
static bool stands_still(const char *path, const struct queue *q)
{
	size_t i;

	if (!q->waiting)
		return false;
	for (i = 0; i < nr_before; i++)
		if (!strcmp(before[i].path, path))
			return before[i].waiting && before[i].responses == q->responses;
	return false;
}

/* Look at all queues. Return: each makes progress, or has nothing to do. */
static bool progress(void)
{
	struct queue *old = before;
	bool all = true;
	uint64_t requests, unconsumed;
	size_t i;
	glob_t g;

	before = now;
	nr_before = nr_now;
	now = old;
	nr_now = 0;
	/* None: nothing is served yet. */
	if (glob(QUEUES, 0, NULL, &g)) {
		globfree(&g);
		return true;
	}
	now = realloc(old, g.gl_pathc * sizeof(*now));
	if (!now)
		fail("get memory");
	for (i = 0; i < g.gl_pathc; i++) {
		struct queue *q = &now[nr_now];

		snprintf(q->path, sizeof(q->path), "%s", g.gl_pathv[i]);
		/* In this order: a request may be answered in between. */
		if (!counter(q->path, "responses", &q->responses) ||
		    !counter(q->path, "requests", &requests) ||
		    !counter(q->path, "unconsumed", &unconsumed))
			continue;
		q->waiting = requests + unconsumed > q->responses;
		all = all && !stands_still(q->path, q);
		nr_now++;
	}
	globfree(&g);
	return all;
}

int main(int argc, char **argv)
{
	struct xs_handle *xs;
	char text[24];
	uint64_t beat = 0;
	int i;

	for (i = 1; i < argc; i++) {
		if (argv[i][0] != '/') {
			fputs("usage: iddr-pulse [DEVICE...]\n", stderr);
			return 2;
		}
	}
	for (i = 1; i < argc; i++)
		wait_for_device(argv[i]);
	xs = xs_open(0);
	if (!xs)
		fail("reach xenstore");
	for (;; pause_ms(PERIOD_MS)) {
		if (!progress())
			continue;
		snprintf(text, sizeof(text), "%ju", ++beat);
		if (!xs_write(xs, XBT_NULL, KEY, text, strlen(text)))
			/* It may be for a moment; if not, it is our silence that tells. */
			fprintf(stderr, "iddr-pulse: cannot write " KEY ": %s\n",
				strerror(errno));
	}
}
