// SPDX-License-Identifier: GPL-2.0
/*
 * Clocks, pinning, shared memory, doorbells, accounts and the report: what the
 * subjects have in common. Each function is called by the one thread of a process.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "native.h"

u64 clock_mult = 1ULL << 32;
u64 clock_yield;
int bell_limit_ms;

void die(const char *format, ...)
{
	va_list args;

	fputs("iddr-native: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/*
 * Find the length of a tick, by CLOCK_MONOTONIC over 20 ms, and of a yield.
 * Before any other process of ours runs.
 */
void clock_init(void)
{
	u64 t0 = ticks(), n0 = now_ns(), t1, n1;
	int i;

	do {
		n1 = now_ns();
		t1 = ticks();
	} while (n1 - n0 < 20000000);
	clock_mult = (u64)(((unsigned __int128)(n1 - n0) << 32) / (t1 - t0));
	/* The least of many: others may have the CPU in some. */
	clock_yield = U64_MAX;
	for (i = 0; i < 100; i++) {
		t0 = ticks();
		sched_yield();
		t1 = ticks() - t0;
		if (t1 < clock_yield)
			clock_yield = t1;
	}
}

void pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot run on CPU %d: %m; choose one of this machine's", cpu);
}

/* A memfd of that many bytes. */
int region_create(size_t bytes)
{
	int fd = memfd_create("iddr-native", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, bytes))
		die("cannot make %zu bytes of shared memory: %m", bytes);
	return fd;
}

void *region_map(int fd, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, fd, 0);

	if (p == MAP_FAILED)
		die("cannot map %zu bytes of shared memory: %m", bytes);
	return p;
}

int bell_create(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd < 0)
		die("cannot make a doorbell: %m");
	return fd;
}

void bell_ring(int fd)
{
	u64 one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		die("cannot ring a doorbell: %m");
}

/* Sleep until it rings. Return: how often it has rung. */
u64 bell_wait(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	u64 rings;

	if (bell_limit_ms && poll(&p, 1, bell_limit_ms) == 0)
		die("a wake-up was lost: nothing for %d ms", bell_limit_ms);
	if (read(fd, &rings, sizeof(rings)) != sizeof(rings))
		die("cannot hear a doorbell: %m");
	return rings;
}

void store_fill(u8 *store)
{
	u32 i;

	memset(store, 0x5a, STORE);
	for (i = 0; i < STORE; i += STAMP)
		*(u64 *)(store + i) = store_stamp(i);
}

void wrong_payload(u64 offset)
{
	die("wrong data: not those of byte %lu", offset & (STORE - 1));
}

/* A process of this user: CPU time of all its threads, and context switches of the first, which does all but to poll for io_uring. */
void account_read(struct account *a, pid_t pid)
{
	struct timespec t;
	struct rusage ru;
	clockid_t clock;
	char path[64], line[128];
	u64 n;
	FILE *f;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		die("cannot read the CPU time of process %d", pid);
	a->cpu_ns = t.tv_sec * 1000000000ULL + t.tv_nsec;
	a->switches = 0;
	if (pid == getpid()) {
		getrusage(RUSAGE_SELF, &ru);
		a->switches = ru.ru_nvcsw + ru.ru_nivcsw;
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	if (!f)
		die("cannot read %s: %m", path);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %lu", &n) == 1)
			a->switches += n;
	fclose(f);
}

/* Time that the hypervisor gave to others, of all CPUs. */
static u64 steal_ns(void)
{
	FILE *f = fopen("/proc/stat", "r");
	u64 steal = 0;

	if (f) {
		if (fscanf(f, "cpu %*u %*u %*u %*u %*u %*u %*u %lu", &steal) != 1)
			steal = 0;
		fclose(f);
	}
	return steal * (1000000000ULL / sysconf(_SC_CLK_TCK));
}

static void window_read(struct window *w, struct account *a, struct counters *n)
{
	account_read(&a[FRONT], getpid());
	if (w->back)
		account_read(&a[BACK], w->back);
	memcpy(n, w->ctl->counters, sizeof(w->ctl->counters));
}

void window_begin(struct window *w, const struct config *c,
		  struct control *ctl, pid_t back)
{
	memset(w, 0, sizeof(*w));
	w->c = c;
	w->ctl = ctl;
	w->back = back;
	w->deadline = ticks() + (u64)(((unsigned __int128)c->warm_ms *
				       1000000 << 32) / clock_mult);
}

bool window_turn(struct window *w, struct result *r, u64 now)
{
	if (!w->open) {
		memset(r, 0, sizeof(*r));
		w->open = true;
		w->steal_from = steal_ns();
		window_read(w, w->from, w->cfrom);
		w->start = ticks();
		r->slice_end = w->start + ((u64)SLICE_NS << 32) / clock_mult;
		w->deadline = w->start + (u64)(((unsigned __int128)w->c->ms *
						1000000 << 32) / clock_mult);
		return false;
	}
	r->elapsed_ns = ticks_to_ns(now - w->start);
	window_read(w, w->to, w->cto);
	w->steal_to = steal_ns();
	return true;
}

void report(const struct window *w, const struct result *r)
{
	static const char * const side[] = { "front", "back" };
	int i;

	printf("requests\t%lu\nelapsed_ns\t%lu\n", r->requests, r->elapsed_ns);
	for (i = 0; i < (w->back ? 2 : 1); i++) {
		const struct counters *a = &w->cfrom[i], *b = &w->cto[i];

		printf("%s_cpu_ns\t%lu\n%s_switches\t%lu\n",
		       side[i], w->to[i].cpu_ns - w->from[i].cpu_ns,
		       side[i], w->to[i].switches - w->from[i].switches);
		printf("%s_doorbells\t%lu\n%s_sleeps\t%lu\n",
		       side[i], b->doorbells - a->doorbells,
		       side[i], b->sleeps - a->sleeps);
		printf("%s_looks\t%lu\n%s_yields\t%lu\n",
		       side[i], b->looks - a->looks,
		       side[i], b->yields - a->yields);
	}
	for (i = 0; i < (int)r->slices; i++)
		printf("slice\t%u\n", r->slice[i]);
	printf("steal_ns\t%lu\n", w->steal_to - w->steal_from);
	for (i = 0; i < (int)HIST_BUCKETS; i++)
		if (r->latency.count[i])
			printf("bucket\t%lu\t%lu\t%lu\n", hist_floor(i),
			       hist_floor(i + 1), r->latency.count[i]);
}
