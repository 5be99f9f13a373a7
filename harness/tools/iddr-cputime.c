// SPDX-License-Identifier: GPL-2.0
/*
 * iddr-cputime: CPU time of every domain, in nanoseconds, from the hypervisor.
 * ('xl list' prints tenths of a second, too coarse for a cell of a few seconds.)
 *
 *   iddr-cputime                 one snapshot, tab-separated:
 *                                monotonic_ns domid name cpu_ns
 *                                and for each physical CPU's idle time a line
 *                                with domid "-" and name "idle<CPU>"
 *   iddr-cputime --watch PATH    a snapshot whenever the xenstore node PATH
 *                                changes, each line preceded by the node's
 *                                value and a tab; ends when that is "quit".
 *                                The first, preceded by "ready", tells that
 *                                the watch is set.
 *
 * The value comes from another domain: it is cut to 32 characters, and any that
 * is not a letter, digit, '.', '_' or '-' becomes '?'.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenstore.h>

#define DOMAINS_MAX	64
#define CPUS_MAX	256
#define WORD_MAX	32

static xc_interface *xc;
static struct xs_handle *xs;

/* Nanoseconds of the monotonic clock. */
static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Copy a word that another domain wrote, with nothing in it to confuse a reader. */
static void word_copy(char *to, const char *from, size_t len)
{
	size_t i;

	if (len > WORD_MAX)
		len = WORD_MAX;
	for (i = 0; i < len && from[i]; i++)
		to[i] = isalnum((unsigned char)from[i]) || strchr("._-", from[i]) ?
			from[i] : '?';
	to[i] = '\0';
}

/* A domain's name; names do not change under a run, so ask once for each. */
static const char *domain_name(uint32_t domid)
{
	static struct { bool known; uint32_t domid; char name[WORD_MAX + 1]; } cache[DOMAINS_MAX];
	unsigned int len, slot = domid % DOMAINS_MAX;
	char path[64], *name;

	if (cache[slot].known && cache[slot].domid == domid)
		return cache[slot].name;
	snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
	name = xs_read(xs, XBT_NULL, path, &len);
	cache[slot].known = true;
	cache[slot].domid = domid;
	if (name)
		word_copy(cache[slot].name, name, len);
	else
		strcpy(cache[slot].name, "-");
	free(name);
	return cache[slot].name;
}

/* Print one snapshot; PREFIX goes before each line. */
static int snapshot(const char *prefix)
{
	static xc_domaininfo_t info[DOMAINS_MAX];
	static xc_cpuinfo_t cpu[CPUS_MAX];
	int n, i, cpus = 0;
	uint64_t t;

	t = now_ns();
	n = xc_domain_getinfolist(xc, 0, DOMAINS_MAX, info);
	if (n < 0) {
		fprintf(stderr, "iddr-cputime: error: the hypervisor does not list domains: %s\n",
			strerror(errno));
		return 1;
	}
	if (xc_getcpuinfo(xc, CPUS_MAX, cpu, &cpus))
		cpus = 0;
	for (i = 0; i < n; i++)
		printf("%s%llu\t%u\t%s\t%llu\n", prefix, (unsigned long long)t,
		       (unsigned int)info[i].domain, domain_name(info[i].domain),
		       (unsigned long long)info[i].cpu_time);
	for (i = 0; i < cpus; i++)
		printf("%s%llu\t-\tidle%d\t%llu\n", prefix, (unsigned long long)t, i,
		       (unsigned long long)cpu[i].idletime);
	if (fflush(stdout)) {
		fprintf(stderr, "iddr-cputime: error: cannot write: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}

/* Print a snapshot at each change of the node PATH, until it says "quit". */
static int watch(const char *path)
{
	bool first = true;

	if (!xs_watch(xs, path, "phase")) {
		fprintf(stderr, "iddr-cputime: error: cannot watch %s: %s\n", path,
			strerror(errno));
		return 1;
	}
	for (;;) {
		char **event, *value, word[WORD_MAX + 1], prefix[WORD_MAX + 2];
		unsigned int len, n;

		/* Blocks. (The descriptor of xs_fileno() was seen not to become readable.) */
		event = xs_read_watch(xs, &n);
		if (!event)
			return 1;
		free(event);
		value = xs_read(xs, XBT_NULL, path, &len);
		word_copy(word, value ? value : "", value ? len : 0);
		free(value);
		/* A watch fires once when it is set, whatever was written before. */
		if (first)
			strcpy(word, "ready");
		first = false;
		if (!*word)
			continue;
		if (!strcmp(word, "quit"))
			return 0;
		snprintf(prefix, sizeof(prefix), "%s\t", word);
		if (snapshot(prefix))
			return 1;
	}
}

int main(int argc, char **argv)
{
	if (argc != 1 && (argc != 3 || strcmp(argv[1], "--watch"))) {
		fputs("usage: iddr-cputime [--watch XENSTORE_PATH]\n", stderr);
		return 2;
	}
	xc = xc_interface_open(NULL, NULL, 0);
	xs = xs_open(0);
	if (!xc || !xs) {
		fputs("iddr-cputime: error: this needs a Xen dom0 with xenstored running, as root\n",
		      stderr);
		return 1;
	}
	return argc == 1 ? snapshot("") : watch(argv[2]);
}
