// SPDX-License-Identifier: GPL-2.0
/*
 * iddr-native run KEY=VALUE...: one subject at one point; what was measured goes
 * to standard output, a line a fact, tab separated. Further verbs: count (what
 * callgrind looks at), noise, soak, store (what a file to be served holds).
 * harness/lib/native.sh calls it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "native.h"

/* More than this beyond the measurement itself is no delay any more. */
#define LOST_AFTER_S	20

static void lost(int sig)
{
	static const char text[] =
		"iddr-native: no answer in time: a wake-up was lost, or the machine is overloaded\n";

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(4);
	_exit(3);
}

static u64 number(const char *key, const char *value, u64 lo, u64 hi)
{
	char *end;
	u64 n = strtoul(value, &end, 10);

	if (!*value || *end || n < lo || n > hi)
		die("%s: '%s' is not a number from %lu to %lu", key, value, lo,
		    hi);
	return n;
}

static enum backing backing_parse(const char *value)
{
	static const char * const names[] = {
		"null", "memcpy", "file", "file-sqpoll"
	};
	u32 i;

	for (i = 0; i < 4; i++)
		if (!strcmp(names[i], value))
			return i;
	die("backing: '%s' is none of null, memcpy, file, file-sqpoll", value);
}

static void config_parse(struct config *c, char **arg, u64 *requests)
{
	for (; *arg; arg++) {
		char *value = strchr(*arg, '=');

		if (!value)
			die("'%s' is not KEY=VALUE", *arg);
		*value++ = '\0';
		if (!strcmp(*arg, "subject"))
			c->subject = value;
		else if (!strcmp(*arg, "file"))
			c->file = value;
		else if (!strcmp(*arg, "front_cpu"))
			c->cpu[FRONT] = number(*arg, value, 0, 1023);
		else if (!strcmp(*arg, "back_cpu"))
			c->cpu[BACK] = number(*arg, value, 0, 1023);
		else if (!strcmp(*arg, "hog_cpu"))
			c->hog_cpu = number(*arg, value, 0, 1023);
		else if (!strcmp(*arg, "backing"))
			c->backing = backing_parse(value);
		else if (!strcmp(*arg, "bytes"))
			c->bytes = number(*arg, value, 0, 1 << 20);
		else if (!strcmp(*arg, "depth"))
			c->depth = number(*arg, value, 0, MAX_DEPTH);
		else if (!strcmp(*arg, "batch"))
			c->batch = number(*arg, value, 1, MAX_DEPTH);
		else if (!strcmp(*arg, "ms"))
			c->ms = number(*arg, value, 1, 3600000);
		else if (!strcmp(*arg, "warm_ms"))
			c->warm_ms = number(*arg, value, 0, 60000);
		else if (!strcmp(*arg, "hybrid_us"))
			c->hybrid_ns = number(*arg, value, 0, 1000000) * 1000;
		else if (!strcmp(*arg, "max_us"))
			c->max_ns = number(*arg, value, 0, 1000000) * 1000;
		else if (!strcmp(*arg, "requests"))
			*requests = number(*arg, value, 1, 1ULL << 32);
		else
			die("there is no key '%s'", *arg);
	}
	if (c->depth && c->batch > c->depth)
		die("batch %u is more than depth %u", c->batch, c->depth);
	if (c->bytes & (c->bytes - 1))
		die("bytes: %u is not a power of two", c->bytes);
	if (c->backing >= BACKING_FILE && (!c->file || !c->bytes))
		die("backing file needs file=PATH and bytes");
}

/* A third process that never rests. */
static pid_t hog_start(int cpu)
{
	pid_t pid = fork();
	volatile u64 n = 0;

	if (pid < 0)
		die("cannot start a process: %m");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(cpu);
	for (;;)
		n++;
}

static int store_write(void)
{
	u8 *store = aligned_alloc(LINE, STORE);

	store_fill(store);
	if (fwrite(store, STORE, 1, stdout) != 1 || fflush(stdout))
		die("cannot write what is to be served: %m");
	return 0;
}

static int run(const struct config *c)
{
	const char *name = c->subject;

	if (pair_subject(name))
		return run_pair(c);
	if (!c->depth)
		die("'%s' has no idle", name);
	if (!strcmp(name, "line") || !strcmp(name, "two-lines"))
		return run_line(c, !strcmp(name, "two-lines"));
	if (!strcmp(name, "pipe"))
		return run_pipe(c);
	if (!strcmp(name, "eventfd"))
		return run_eventfd(c);
	if (!strcmp(name, "uring") || !strcmp(name, "uring-sqpoll")) {
		if (c->backing != BACKING_FILE)
			die("'%s' needs backing=file", name);
		return run_uring(c, !strcmp(name, "uring-sqpoll"));
	}
	die("there is no subject '%s'", name);
}

int main(int argc, char **argv)
{
	struct config c = {
		.cpu = { -1, -1 }, .hog_cpu = -1, .depth = 1, .batch = 1,
		.ms = 200, .warm_ms = 20, .hybrid_ns = 200000, .max_ns = 1000000,
	};
	u64 requests = 100000;
	pid_t hog = 0;
	int rc;

	if (argc < 2)
		die("usage: iddr-native run|count|noise|soak KEY=VALUE... or iddr-native store >FILE");
	if (!strcmp(argv[1], "store"))
		return store_write();
	/* Its length varies, so what is counted has none. */
	if (strcmp(argv[1], "count"))
		clock_init();
	if (!strcmp(argv[1], "soak"))
		return run_soak(argc - 2, argv + 2);
	config_parse(&c, argv + 2, &requests);
	if (!strcmp(argv[1], "noise") && (c.cpu[FRONT] < 0 || c.cpu[BACK] < 0))
		die("noise needs front_cpu and back_cpu");
	if (!strcmp(argv[1], "noise"))
		return run_noise(&c);
	if (!c.subject)
		die("subject=NAME is missing");
	if (!strcmp(argv[1], "count")) {
		if (!pair_subject(c.subject) || !c.depth)
			die("only rings are counted, with something in flight");
		return count_pair(&c, requests);
	}
	if (strcmp(argv[1], "run"))
		die("there is no verb '%s'", argv[1]);
	signal(SIGALRM, lost);
	alarm((c.ms + c.warm_ms) / 1000 + LOST_AFTER_S);
	if (c.hog_cpu >= 0)
		hog = hog_start(c.hog_cpu);
	rc = run(&c);
	if (hog)
		kill(hog, SIGKILL);
	return rc;
}
