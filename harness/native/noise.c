// SPDX-License-Identifier: GPL-2.0
/*
 * How quiet the machine is: a process on each of the two CPUs reads the clock
 * without pause; where two readings lie far apart, something else ran: the
 * kernel, another process, or, under a hypervisor, another machine.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "native.h"

/* Longer gaps count as lost time. */
#define GAP_NS	1000

struct noise {
	u64 max_ns, lost_ns, gaps, elapsed_ns;
} __line;

static void listen(struct noise *n, int cpu, u32 ms)
{
	u64 start, last, now, gap;

	pin(cpu);
	start = last = ticks();
	do {
		now = ticks();
		gap = ticks_to_ns(now - last);
		if (gap > GAP_NS) {
			n->gaps++;
			n->lost_ns += gap;
			if (gap > n->max_ns)
				n->max_ns = gap;
		}
		last = now;
	} while (ticks_to_ns(now - start) < ms * 1000000ULL);
	n->elapsed_ns = ticks_to_ns(now - start);
}

int run_noise(const struct config *c)
{
	int fd = region_create(sizeof(struct noise) * 2);
	struct noise *n = region_map(fd, sizeof(*n) * 2);
	int i, status, failed = 0;

	for (i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("cannot start a process: %m");
		if (!pid) {
			listen(&n[i], c->cpu[i], c->ms);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		failed |= status;
	for (i = 0; i < 2; i++)
		printf("cpu%d_max_gap_ns\t%lu\ncpu%d_lost_ppm\t%.0f\n"
		       "cpu%d_gaps_per_s\t%.0f\n", c->cpu[i], n[i].max_ns,
		       c->cpu[i], 1e6 * n[i].lost_ns / n[i].elapsed_ns,
		       c->cpu[i], 1e9 * n[i].gaps / n[i].elapsed_ns);
	return failed ? 1 : 0;
}
