/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two processes over shared memory: what all programs of this directory share.
 *
 * The front process is the parent. It measures, and reads what it needs of the
 * back process from `struct control` and from the kernel's accounts. Each process
 * maps the region (a memfd) for itself, after the fork.
 */
#ifndef NATIVE_H
#define NATIVE_H

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "../../modules/comm/iddr_ring.h"
#include "../../modules/comm/iddr_wait.h"
#include "hist.h"

#define LINE		64
#define __line		__attribute__((aligned(LINE)))
#define __inline_all	inline __attribute__((always_inline))
#define MAX_DEPTH	256U
#define SLICE_NS	1000000U
#define MAX_SLICES	60000U
/* What is served, as memory or as a file. Each STAMP bytes begin with where they are (store_stamp()). */
#define STORE		(8U << 20)
#define STAMP		512U

/* Counters of one side. Its process writes them, the front one reads them. */
struct counters {
	u64 doorbells;		/* rung by this side */
	u64 sleeps;		/* blocked in the doorbell's read */
	u64 looks;		/* spun in vain */
	u64 yields;		/* gave the CPU away while spinning */
} __line;

/* The first page of the region. */
struct control {
	u32 stop __line;		/* front writes: back shall end */
	u32 front_stop;			/* an idle front side shall go on */
	u32 ready;			/* back writes: it serves */
	u32 mode_wanted[2] __line;	/* soak: enum iddr_mode by side */
	struct counters counters[2];	/* by side */
};

enum { FRONT, BACK };

enum backing { BACKING_NULL, BACKING_MEMCPY, BACKING_FILE, BACKING_SQPOLL };

struct config {
	const char *subject;
	const char *file;		/* for the backings that are one */
	int cpu[2];			/* pinned there; < 0: not pinned */
	int hog_cpu;			/* a third process there; < 0: none */
	enum backing backing;
	u32 bytes;			/* payload of a request */
	u32 depth;			/* requests in flight; 0: idle */
	u32 batch;			/* of requests published together */
	u32 ms;				/* measured */
	u32 warm_ms;			/* and before that */
	u64 hybrid_ns, max_ns;		/* budgets */
};

/* What a side measured; printed by report(). */
struct result {
	u64 requests;
	u64 elapsed_ns;
	/* Requests by slice of SLICE_NS: one in which something else had the
	 * CPU stands out.
	 */
	u64 slice_end, slice_from;
	u32 slices;
	u32 slice[MAX_SLICES];
	struct hist latency;
};

/* util.c */
void clock_init(void);
extern u64 clock_mult;			/* ns = ticks * clock_mult >> 32 */
extern u64 clock_yield;			/* ticks of a sched_yield() alone */

static inline u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* The cheapest clock there is: ticks of an invariant TSC. */
static inline u64 ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	return now_ns();
#endif
}

static inline u64 ticks_to_ns(u64 t)
{
	return (unsigned __int128)t * clock_mult >> 32;
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *format, ...);
void pin(int cpu);
int region_create(size_t bytes);
void *region_map(int fd, size_t bytes);
int bell_create(void);
void bell_ring(int fd);
u64 bell_wait(int fd);
/* Nonzero: a doorbell that stays silent for longer is an error. */
extern int bell_limit_ms;

/* Accounts of a process, between two of which a window lies. */
struct account {
	u64 cpu_ns;
	u64 switches;		/* context switches, voluntary or not */
};
void account_read(struct account *a, pid_t pid);

/* Watch over the window that is measured. In the front process. */
struct window {
	const struct config *c;
	struct control *ctl;
	pid_t back;			/* 0: there is none */
	struct account from[2], to[2];
	struct counters cfrom[2], cto[2];
	u64 steal_from, steal_to;	/* of all CPUs, ns */
	u64 start, deadline;		/* ticks */
	bool open;
};
void window_begin(struct window *w, const struct config *c,
		  struct control *ctl, pid_t back);
/* Now and then, by a subject that counts: close the slices that have ended. */
static inline void window_slice(const struct window *w, struct result *r,
				u64 now)
{
	u64 length = ((u64)SLICE_NS << 32) / clock_mult;

	if (now < r->slice_end || !w->open)
		return;
	/* The rate of a slice that was overrun is its own. */
	if (r->slices < MAX_SLICES)
		r->slice[r->slices++] = (r->requests - r->slice_from) * length /
			(now - r->slice_end + length);
	r->slice_from = r->requests;
	r->slice_end = now + length;
}

/* The deadline has passed: warm-up ends, or (true) the measurement. */
bool window_turn(struct window *w, struct result *r, u64 now);
void report(const struct window *w, const struct result *r);

/* The first word of what is served from there on. */
static inline u64 store_stamp(u64 offset)
{
	return (offset & (STORE - 1) & ~(u64)(STAMP - 1)) ^ 0x5a5a5a5a5a5a5a5aULL;
}

void store_fill(u8 *store);
__attribute__((noreturn)) void wrong_payload(u64 offset);

/* Does it begin as what is served from @offset on? */
static inline void store_check(const u8 *payload, u64 offset)
{
	if (*(const u64 *)payload != store_stamp(offset))
		wrong_payload(offset);
}

/* One subject. Return: the process's exit status. */
int run_pair(const struct config *c);		/* pair.c */
int run_line(const struct config *c, bool two);	/* signal.c */
int run_pipe(const struct config *c);
int run_eventfd(const struct config *c);
int run_uring(const struct config *c, bool sqpoll);
bool pair_subject(const char *name);
int count_pair(const struct config *c, u64 requests);
int run_soak(int argc, char **argv);		/* soak.c */
int run_noise(const struct config *c);		/* noise.c */

#endif /* NATIVE_H */
