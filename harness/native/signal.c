// SPDX-License-Identifier: GPL-2.0
/*
 * What the rings are measured against that has no ring: the bare hand-over of a
 * cache line between two processes, the cheapest ways to signal one through the
 * kernel, and a file without a back end in between.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "native.h"

#define PAGE	4096UL

struct shared {
	struct control ctl;
	u64 ping __line;
	u64 pong __line;
};

/* How a side hands over and waits. */
struct signal {
	struct shared *sh;
	int rfd, wfd;
	bool one_line;		/* both directions in the same line */
};

static __inline_all void line_send(struct signal *s, int which, u64 n)
{
	WRITE_ONCE(*(which == FRONT || s->one_line ? &s->sh->ping :
		     &s->sh->pong), n);
}

/* Return: false: to wait no longer. */
static __inline_all bool line_wait(struct signal *s, int which, u64 n)
{
	const u64 *word = which == FRONT && !s->one_line ? &s->sh->pong :
		&s->sh->ping;

	while (READ_ONCE(*word) != n) {
		if (which == BACK && READ_ONCE(s->sh->ctl.stop))
			return false;
		cpu_relax();
	}
	return true;
}

static __inline_all void fd_send(struct signal *s, int which, u64 n)
{
	(void)which;
	(void)n;
	bell_ring(s->wfd);
}

static __inline_all bool fd_wait(struct signal *s, int which, u64 n)
{
	(void)n;
	bell_wait(s->rfd);
	return which == FRONT || !READ_ONCE(s->sh->ctl.stop);
}

/* Ping-pong; what is odd goes there, what is even comes back. */
#define PING_PONG(name)							\
static void name##_back(struct signal *s)				\
{									\
	u64 n;								\
	for (n = 1; name##_wait(s, BACK, n); n += 2)			\
		name##_send(s, BACK, n + 1);				\
}									\
static void name##_front(struct signal *s, struct window *w,		\
			 struct result *r)				\
{									\
	u64 n, from = ticks(), now;					\
	for (n = 1;; n += 2, from = now) {				\
		name##_send(s, FRONT, n);				\
		name##_wait(s, FRONT, n + 1);				\
		now = ticks();						\
		r->requests++;						\
		hist_add(&r->latency, ticks_to_ns(now - from));		\
		window_slice(w, r, now);				\
		if (now >= w->deadline) {				\
			if (window_turn(w, r, now))			\
				return;					\
			now = ticks();					\
		}							\
	}								\
}

PING_PONG(line)
PING_PONG(fd)

static int run_signal(const struct config *c, struct signal *front,
		      struct signal *back, bool fds)
{
	int fd = region_create(sizeof(struct shared)), status;
	static struct window w;
	static struct result r;
	struct shared *sh = region_map(fd, sizeof(*sh));
	pid_t pid;

	front->sh = sh;
	pid = fork();
	if (pid < 0)
		die("cannot start a process: %m");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		back->sh = region_map(fd, sizeof(*sh));
		pin(c->cpu[BACK]);
		WRITE_ONCE(back->sh->ctl.ready, 1);
		if (fds)
			fd_back(back);
		else
			line_back(back);
		_exit(0);
	}
	pin(c->cpu[FRONT]);
	while (!READ_ONCE(sh->ctl.ready)) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			die("the back process ended before it was ready");
		usleep(100);
	}
	window_begin(&w, c, &sh->ctl, pid);
	if (fds)
		fd_front(front, &w, &r);
	else
		line_front(front, &w, &r);
	WRITE_ONCE(sh->ctl.stop, 1);
	if (fds)
		bell_ring(front->wfd);
	if (waitpid(pid, &status, 0) != pid || status)
		die("the back process failed");
	report(&w, &r);
	return 0;
}

int run_line(const struct config *c, bool two)
{
	struct signal front = { .one_line = !two }, back = front;

	return run_signal(c, &front, &back, false);
}

int run_pipe(const struct config *c)
{
	int to[2], fro[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(fro, O_CLOEXEC))
		die("cannot make a pipe: %m");
	return run_signal(c, &(struct signal){ .rfd = fro[0], .wfd = to[1] },
			  &(struct signal){ .rfd = to[0], .wfd = fro[1] }, true);
}

int run_eventfd(const struct config *c)
{
	int to = bell_create(), fro = bell_create();

	return run_signal(c, &(struct signal){ .rfd = fro, .wfd = to },
			  &(struct signal){ .rfd = to, .wfd = fro }, true);
}

/* The file itself, read by this process: no ring, no isolation. */
int run_uring(const struct config *c, bool sqpoll)
{
	struct io_uring_params p = { 0 };
	struct io_uring ring;
	static struct control ctl;
	static struct window w;
	static struct result r;
	u64 sent_at[MAX_DEPTH], sent = 0, done = 0, now;
	int fd = open(c->file, O_RDONLY | O_CLOEXEC), err;
	u8 *data = aligned_alloc(PAGE, (size_t)MAX_DEPTH * c->bytes + PAGE);
	/* Taken from there, as the front side of a ring does. */
	u8 *private = aligned_alloc(PAGE, (c->bytes + PAGE) & ~(PAGE - 1));

	if (fd < 0)
		die("cannot open %s: %m", c->file);
	pin(c->cpu[FRONT]);
	if (sqpoll) {
		p.flags = IORING_SETUP_SQPOLL;
		p.sq_thread_idle = 1000;
		if (c->cpu[BACK] >= 0) {
			p.flags |= IORING_SETUP_SQ_AFF;
			p.sq_thread_cpu = c->cpu[BACK];
		}
	}
	err = io_uring_queue_init_params(MAX_DEPTH, &ring, &p);
	if (!err)
		err = io_uring_register_files(&ring, &fd, 1);
	if (err)
		die("cannot use io_uring: %s", strerror(-err));
	window_begin(&w, c, &ctl, 0);
	for (now = ticks();;) {
		struct io_uring_cqe *cqe;
		u32 n = 0, head;

		if (c->depth - (sent - done) >= c->batch) {
			while (sent - done < c->depth) {
				struct io_uring_sqe *sqe =
					io_uring_get_sqe(&ring);
				u64 i = sent++;

				io_uring_prep_read(sqe, 0, data + i % c->depth *
						   c->bytes, c->bytes,
						   i * c->bytes & (STORE - 1));
				sqe->flags |= IOSQE_FIXED_FILE;
				sqe->user_data = i;
				sent_at[i % MAX_DEPTH] = now;
			}
			err = sqpoll ? io_uring_submit(&ring) :
				io_uring_submit_and_wait(&ring, 1);
			if (err < 0)
				die("io_uring: %s", strerror(-err));
		}
		if (io_uring_peek_cqe(&ring, &cqe)) {
			cpu_relax();
			if (!sqpoll && io_uring_wait_cqe(&ring, &cqe))
				die("io_uring: no completion");
		}
		now = ticks();
		io_uring_for_each_cqe(&ring, head, cqe) {
			if (cqe->res != (int)c->bytes)
				die("reading %s failed: %s", c->file,
				    strerror(cqe->res < 0 ? -cqe->res : EIO));
			memcpy(private, data + cqe->user_data % c->depth *
			       c->bytes, c->bytes);
			store_check(private, cqe->user_data * c->bytes);
			hist_add(&r.latency, ticks_to_ns(now - sent_at
					[cqe->user_data % MAX_DEPTH]));
			n++;
		}
		io_uring_cq_advance(&ring, n);
		done += n;
		r.requests += n;
		window_slice(&w, &r, now);
		if (now >= w.deadline) {
			if (window_turn(&w, &r, now))
				break;
			now = ticks();
		}
	}
	report(&w, &r);
	return 0;
}
