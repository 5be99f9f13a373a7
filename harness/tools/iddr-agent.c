// SPDX-License-Identifier: GPL-2.0
/*
 * iddr-agent: run commands in another domain, exactly and quickly.
 *
 *   iddr-agent serve --port /dev/virtio-ports/NAME   in a dom0 inside QEMU
 *   iddr-agent serve --vchan COUNT                   in a domain: COUNT servers at
 *                                                    data/iddr/agent/<0..COUNT-1>
 *   iddr-agent serve --unix SOCKET                   for tests
 *   iddr-agent call --unix SOCKET... [--domain NAME] -- COMMAND [ARG...]
 *   iddr-agent call --vchan NAME|DOMID -- COMMAND [ARG...]
 *   iddr-agent init                                   process 1 of the testbed's domains
 *
 * A call sends one CALL frame (a nonce, the target domain, the argument vector),
 * then its standard input; back come the output and the exit status. Arguments
 * are never parsed again by anything. With --domain, the agent that answers in
 * dom0 relays frames between its port and the domain's vchan; no process is
 * started for that, and the vchan stays open for the next call, because under
 * emulation either would cost more than the command itself.
 *
 * Flow control: no side takes from one stream what it cannot at once put into
 * the next, and each always keeps reading what it waits for. When a caller
 * goes away its command's process group is killed. A caller whose server falls
 * silent (no frame, not even the heartbeat) gives up with status 125.
 *
 * Everything that arrives is checked before use; a stream that makes no sense
 * is searched for the next CALL frame.
 *
 * One thread (libxenstore has its own reader thread), one poll loop per session.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef IDDR_XEN
#include <libxenvchan.h>
#include <xenstore.h>
#endif

#define EXIT_TRANSPORT	125	/* the domain or its agent cannot be reached */
#define EXIT_USAGE	2
#define DATA_MAX	32768	/* payload of one data frame */
#define CALL_MAX	(512 * 1024)	/* payload of a CALL frame */
#define BUF_MAX		(CALL_MAX + DATA_MAX)
#define ARGS_MAX	4096
#define NONCE_LEN	16
#define MAGIC_LEN	16
#define ACK_TRY_MS	3000	/* repeat an unanswered CALL after this */
#define ACK_MS		20000	/* and give up after this */
#define BEAT_MS		10000	/* the server's heartbeat */
#define SILENCE_MS	60000	/* a silent server is a dead one */
#define KILL_MS		2000	/* from SIGTERM to SIGKILL */
#define CLAIM_MS	300000	/* how long to wait for a free channel */
#define HANGUP_MS	200	/* from a port's closing to its opening, at the most, if that has come already */
#define VCHAN_RING	16384

enum frame_type {
	F_CALL = 1,	/* magic, nonce, target\0, argument\0... */
	F_ACK,		/* nonce */
	F_STDIN,	/* data; empty: end of file */
	F_STDOUT,
	F_STDERR,
	F_EXIT,		/* le32 status */
	F_ERROR,	/* text: the call could not be delivered */
	F_BEAT,
	F_LAST = F_BEAT
};

struct frame_hdr {
	uint8_t type;
	uint8_t mark[3];
	uint32_t len;	/* little endian, as both ends are x86 */
};

static const uint8_t frame_mark[3] = { 'i', 'd', 'r' };

/* A growing byte queue: data[start, end). */
struct buf {
	uint8_t *data;
	size_t start, end, size;
};

/* One byte stream to a peer: a file descriptor or a vchan. */
struct link {
	int fd;
#ifdef IDDR_XEN
	struct libxenvchan *vchan;
#endif
	bool is_vchan;
	bool is_server;		/* of a vchan, which outlives its callers */
	bool is_port;		/* which one caller after the other opens and closes */
	bool dead;
	struct buf in, out;
};

static const char *self = "iddr-agent";

static void die(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* Print an error and leave with STATUS. */
static void die(int status, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: error: ", self);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

/* Milliseconds of a clock that never steps. */
static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The magic, computed so that this program's own file does not contain it. */
static void magic_get(uint8_t *magic)
{
	uint32_t x = 0x49444452;
	int i;

	for (i = 0; i < MAGIC_LEN; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		magic[i] = x >> 11;
	}
}

static size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}

/* Room for LEN more bytes at the end. */
static uint8_t *buf_room(struct buf *b, size_t len)
{
	if (b->start && (b->start == b->end || b->size - b->end < len)) {
		memmove(b->data, b->data + b->start, buf_len(b));
		b->end -= b->start;
		b->start = 0;
	}
	if (b->size - b->end < len) {
		b->size = b->end + len;
		b->data = realloc(b->data, b->size);
		if (!b->data)
			die(EXIT_TRANSPORT, "out of memory");
	}
	return b->data + b->end;
}

static void buf_put(struct buf *b, const void *data, size_t len)
{
	memcpy(buf_room(b, len), data, len);
	b->end += len;
}

static void buf_reset(struct buf *b)
{
	b->start = b->end = 0;
}

static void set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* ---- links ---------------------------------------------------------------- */

/* What poll() shall wait for on this link. */
static struct pollfd link_pollfd(struct link *l, bool want_in)
{
	struct pollfd p = { .fd = l->fd };

	if (l->dead) {
		p.fd = -1;
	} else if (l->is_vchan) {
		/* One event channel tells of data and of room alike. */
		p.events = POLLIN;
	} else {
		if (want_in)
			p.events |= POLLIN;
		if (buf_len(&l->out))
			p.events |= POLLOUT;
	}
	return p;
}

/* Send what the link takes now; a failure marks it dead. */
static void link_flush(struct link *l)
{
	while (!l->dead && buf_len(&l->out)) {
		ssize_t n;

#ifdef IDDR_XEN
		if (l->is_vchan) {
			n = libxenvchan_write(l->vchan, l->out.data + l->out.start,
					      buf_len(&l->out));
			if (n == 0)
				break;
		} else
#endif
		{
			n = write(l->fd, l->out.data + l->out.start, buf_len(&l->out));
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0 && errno == EAGAIN)
				break;
		}
		if (n <= 0) {
			l->dead = true;
			break;
		}
		l->out.start += n;
	}
	if (!buf_len(&l->out))
		buf_reset(&l->out);
}

/*
 * Has the caller gone, at the end of its link's input? Of a port that may be told late, when the
 * next caller's command is already running: the kernel has data and what becomes of the
 * other end by separate queues. Then the other end is there again at once. (A caller that
 * was in the midst of a command has been replaced by the next one, if that sends a CALL.)
 */
static bool link_hung_up(struct link *l)
{
	int64_t end = now_ms() + HANGUP_MS;
	struct timespec ts = { .tv_nsec = 10000000 };
	struct pollfd p = { .fd = l->fd, .events = POLLIN };

	while (l->is_port && now_ms() < end) {
		nanosleep(&ts, NULL);
		if (poll(&p, 1, 0) >= 0 && !(p.revents & (POLLHUP | POLLERR | POLLNVAL)))
			return false;
	}
	return true;
}

/* Take in what is there, at most one frame's worth ahead; a closed peer marks it dead. */
static void link_fill(struct link *l)
{
	while (!l->dead && buf_len(&l->in) < BUF_MAX) {
		uint8_t *room = buf_room(&l->in, DATA_MAX);
		ssize_t n;

#ifdef IDDR_XEN
		if (l->is_vchan) {
			n = libxenvchan_read(l->vchan, room, DATA_MAX);
			if (n == 0)
				break;
		} else
#endif
		{
			n = read(l->fd, room, DATA_MAX);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0 && errno == EAGAIN)
				break;
		}
		if (n <= 0) {
			l->dead = n < 0 || link_hung_up(l);
			break;
		}
		l->in.end += n;
		/* A socket or port that gave less than asked is empty: save a call. */
		if (n < DATA_MAX && !l->is_vchan)
			break;
	}
}

/*
 * Before poll(): a vchan tells of each change once, and that may have been while
 * its input was not wanted. True if there is input now, so that waiting is wrong.
 */
static bool link_prepare(struct link *l, bool want_in)
{
	size_t before = buf_len(&l->in);

	if (!l->is_vchan || l->dead)
		return false;
	if (want_in)
		link_fill(l);
	return buf_len(&l->in) > before;
}

/* Act on what poll() said of the link. */
static void link_ready(struct link *l, const struct pollfd *p, bool want_in)
{
	if (l->dead || p->fd < 0)
		return;
#ifdef IDDR_XEN
	if (l->is_vchan) {
		if (p->revents & POLLIN)
			libxenvchan_wait(l->vchan);
		if (want_in)
			link_fill(l);
		link_flush(l);
		/* A server waits for the next caller; see link_abandoned(). */
		if (!l->is_server && !libxenvchan_is_open(l->vchan) &&
		    libxenvchan_data_ready(l->vchan) <= 0)
			l->dead = true;
		return;
	}
#endif
	if (p->revents & POLLIN && want_in)
		link_fill(l);
	else if (p->revents & (POLLHUP | POLLERR | POLLNVAL))
		l->dead = link_hung_up(l);
	link_flush(l);
}

/* In a session of a vchan server: has the caller closed its end? */
static bool link_abandoned(struct link *l)
{
#ifdef IDDR_XEN
	if (l->is_server)
		return !*(volatile uint8_t *)&l->vchan->ring->cli_live;
#endif
	(void)l;
	return false;
}

static void frame_put(struct link *l, enum frame_type type, const void *data, size_t len)
{
	struct frame_hdr h = { .type = type, .len = len };

	memcpy(h.mark, frame_mark, sizeof(h.mark));
	buf_put(&l->out, &h, sizeof(h));
	if (len)
		buf_put(&l->out, data, len);
}

/*
 * The next whole frame of the link's input, or NULL. *data stays valid until
 * frame_done(). What is not a frame is skipped up to the next place where SYNC
 * (16 bytes) follows a header: after a caller died in the midst of a frame, the
 * next caller's CALL (the magic) or its answer (the nonce) follows it.
 */
static const struct frame_hdr *frame_sync(struct link *l, const uint8_t **data,
					  const uint8_t *sync)
{
	struct buf *b = &l->in;

	for (;;) {
		const struct frame_hdr *h = (const void *)(b->data + b->start);
		static struct frame_hdr copy;
		uint8_t *next = NULL;
		size_t max;
		bool valid;

		if (buf_len(b) < sizeof(*h))
			return NULL;
		memcpy(&copy, h, sizeof(copy));
		max = copy.type == F_CALL ? CALL_MAX : DATA_MAX;
		valid = copy.type >= F_CALL && copy.type <= F_LAST &&
			!memcmp(copy.mark, frame_mark, sizeof(frame_mark)) &&
			copy.len <= max;
		if (valid && buf_len(b) - sizeof(copy) >= copy.len) {
			*data = b->data + b->start + sizeof(copy);
			return &copy;
		}
		if (buf_len(b) > 2 * sizeof(copy))
			next = memmem(b->data + b->start + sizeof(copy) + 1,
				      buf_len(b) - sizeof(copy) - 1, sync, MAGIC_LEN);
		if (next) {
			b->start = next - sizeof(copy) - b->data;
			continue;
		}
		if (valid)
			return NULL;
		/* Keep what may be the head of the frame that is looked for. */
		if (buf_len(b) > sizeof(copy) + MAGIC_LEN)
			b->start = b->end - sizeof(copy) - MAGIC_LEN;
		return NULL;
	}
}

/* The next whole frame for one who serves: out of step, look for a CALL. */
static const struct frame_hdr *frame_peek(struct link *l, const uint8_t **data)
{
	uint8_t magic[MAGIC_LEN];

	magic_get(magic);
	return frame_sync(l, data, magic);
}

static void frame_done(struct link *l, const struct frame_hdr *h)
{
	l->in.start += sizeof(*h) + h->len;
	if (l->in.start == l->in.end)
		buf_reset(&l->in);
}

/* ---- a CALL frame --------------------------------------------------------- */

struct call {
	uint8_t nonce[NONCE_LEN];
	const char *target;
	int argc;
	char *argv[ARGS_MAX + 1];
	char *text;	/* what target and argv point into */
};

static void call_free(struct call *c)
{
	free(c->text);
	memset(c, 0, sizeof(*c));
}

/* Take a CALL frame's payload apart; false if it is malformed. */
static bool call_parse(struct call *c, const uint8_t *data, size_t len)
{
	uint8_t magic[MAGIC_LEN];
	char *p, *end;

	memset(c, 0, sizeof(*c));
	magic_get(magic);
	if (len < MAGIC_LEN + NONCE_LEN + 2 || memcmp(data, magic, MAGIC_LEN) ||
	    data[len - 1] != '\0')
		return false;
	memcpy(c->nonce, data + MAGIC_LEN, NONCE_LEN);
	data += MAGIC_LEN + NONCE_LEN;
	len -= MAGIC_LEN + NONCE_LEN;
	c->text = malloc(len);
	if (!c->text)
		return false;
	memcpy(c->text, data, len);
	end = c->text + len;
	c->target = c->text;
	for (p = c->text + strlen(c->text) + 1; p < end; p += strlen(p) + 1) {
		if (c->argc == ARGS_MAX) {
			call_free(c);
			return false;
		}
		c->argv[c->argc++] = p;
	}
	c->argv[c->argc] = NULL;
	if (!c->argc) {
		call_free(c);
		return false;
	}
	return true;
}

static void call_put(struct link *l, const uint8_t *nonce, const char *target,
		     char **argv)
{
	struct buf b = { 0 };
	uint8_t magic[MAGIC_LEN];
	int argc = 0;

	magic_get(magic);
	buf_put(&b, magic, MAGIC_LEN);
	buf_put(&b, nonce, NONCE_LEN);
	buf_put(&b, target, strlen(target) + 1);
	for (; *argv; argv++) {
		if (argc++ == ARGS_MAX)
			die(EXIT_TRANSPORT, "the command line has more than %d words", ARGS_MAX);
		buf_put(&b, *argv, strlen(*argv) + 1);
	}
	if (buf_len(&b) > CALL_MAX)
		die(EXIT_TRANSPORT, "the command line is longer than %d bytes", CALL_MAX);
	frame_put(l, F_CALL, b.data, buf_len(&b));
	free(b.data);
}

/* ---- vchan ---------------------------------------------------------------- */

#ifdef IDDR_XEN
static struct xs_handle *xs;

static void xs_connect(void)
{
	if (!xs)
		xs = xs_open(0);
	if (!xs)
		die(EXIT_TRANSPORT, "cannot reach xenstore: %s", strerror(errno));
}

/* The number of the domain called NAME (or numbered so), -1 if there is none. */
static int domid_of(const char *name)
{
	char **ids, *end, path[64];
	unsigned int i, n, len;
	int found = -1;
	long number = strtol(name, &end, 10);

	xs_connect();
	if (*name && !*end && number >= 0 && number < 0x7ff0)
		return xs_is_domain_introduced(xs, number) ? number : -1;
	ids = xs_directory(xs, XBT_NULL, "/local/domain", &n);
	for (i = 0; ids && i < n && found < 0; i++) {
		char *value;

		snprintf(path, sizeof(path), "/local/domain/%.8s/name", ids[i]);
		value = xs_read(xs, XBT_NULL, path, &len);
		if (value && !strcmp(value, name))
			found = atoi(ids[i]);
		free(value);
	}
	free(ids);
	return found;
}

/* Connect to agent INDEX of a domain; false if it does not serve. */
static bool vchan_connect(struct link *l, int domid, int index)
{
	char path[96];

	memset(l, 0, sizeof(*l));
	snprintf(path, sizeof(path), "/local/domain/%d/data/iddr/agent/%d", domid, index);
	l->vchan = libxenvchan_client_init(NULL, domid, path);
	if (!l->vchan)
		return false;
	l->vchan->blocking = 0;
	l->is_vchan = true;
	l->fd = libxenvchan_fd_for_select(l->vchan);
	return true;
}

static void vchan_disconnect(struct link *l)
{
	if (l->vchan)
		libxenvchan_close(l->vchan);
	l->vchan = NULL;
	l->dead = true;
	buf_reset(&l->in);
	buf_reset(&l->out);
}

/* An open vchan to a domain, kept from call to call by the relay. */
struct peer {
	char name[64];
	int domid;
	struct link link;
	struct peer *next;
};

static struct peer *peers;

/*
 * Has a domain gone since we looked? Then forget the vchans to the gone ones: Xen keeps a
 * domain as long as somebody has a page of its mapped.
 */
static void peers_check(void)
{
	struct peer *p;
	char **event;
	bool released = false;

	if (!peers)
		return;
	while ((event = xs_check_watch(xs))) {
		released = true;
		free(event);
	}
	if (!released)
		return;
	for (p = peers; p; p = p->next)
		if (p->link.vchan && !xs_is_domain_introduced(xs, p->domid)) {
			p->link.dead = true;
			vchan_disconnect(&p->link);
		}
}

/* What tells of it. */
static int peers_fd(void)
{
	return peers ? xs_fileno(xs) : -1;
}

/* Have xenstore tell of domains that go; false if it does not. */
static bool peers_watch(void)
{
	static bool watching;

	xs_connect();
	if (!watching)
		watching = xs_watch(xs, "@releaseDomain", "gone");
	return watching;
}

/* If P's domain had another name, as which we are connected to it, that is P's vchan: the agent serves one at a time. */
static void peer_renamed(struct peer *p)
{
	struct peer *q;

	for (q = peers; q; q = q->next) {
		if (q == p || !q->link.vchan || q->domid != p->domid)
			continue;
		p->link = q->link;
		memset(&q->link, 0, sizeof(q->link));
		return;
	}
}

/* A live vchan to agent INDEX of the domain NAME, or NULL with a reason. */
static struct peer *peer_get(const char *name, int index, char *why, size_t size)
{
	struct peer *p;

	if (!peers_watch()) {
		snprintf(why, size, "cannot watch for ending domains");
		return NULL;
	}
	peers_check();
	for (p = peers; p && strcmp(p->name, name); p = p->next)
		;
	/* The domain may have ended, or have another name now. */
	if (p && p->link.vchan &&
	    (!libxenvchan_is_open(p->link.vchan) || domid_of(name) != p->domid))
		vchan_disconnect(&p->link);
	if (p && p->link.vchan)
		return p;
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p || strlen(name) >= sizeof(p->name)) {
			free(p);
			snprintf(why, size, "no domain can be called %.60s", name);
			return NULL;
		}
		strcpy(p->name, name);
		p->next = peers;
		peers = p;
	}
	p->domid = domid_of(name);
	if (p->domid < 0) {
		snprintf(why, size, "there is no domain %s", name);
		return NULL;
	}
	peer_renamed(p);
	if (p->link.vchan && !libxenvchan_is_open(p->link.vchan))
		vchan_disconnect(&p->link);
	if (!p->link.vchan && !vchan_connect(&p->link, p->domid, index)) {
		snprintf(why, size, "the agent in %s (domain %d) does not serve", name, p->domid);
		return NULL;
	}
	return p;
}
#else
static void peers_check(void)
{
}

static int peers_fd(void)
{
	return -1;
}
#endif /* IDDR_XEN */

/* ---- server --------------------------------------------------------------- */

struct child {
	pid_t pid;
	int in, out, err;	/* -1 when closed */
	struct buf in_buf;
	bool in_eof;		/* the caller's input has ended */
	bool gone;		/* waited for; its status is below */
	int status;
};

static int sigchld_pipe[2] = { -1, -1 };

static void on_sigchld(int sig)
{
	int saved = errno;

	(void)sig;
	if (write(sigchld_pipe[1], "", 1) < 0) {
		/* Full: the reader will wake anyway. */
	}
	errno = saved;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Start the command in its own process group; false with errno if that failed. */
static bool child_start(struct child *c, char **argv)
{
	int in[2], out[2], err[2];

	memset(c, 0, sizeof(*c));
	c->in = c->out = c->err = -1;
	if (pipe2(in, O_CLOEXEC))
		return false;
	if (pipe2(out, O_CLOEXEC)) {
		close(in[0]), close(in[1]);
		return false;
	}
	if (pipe2(err, O_CLOEXEC)) {
		close(in[0]), close(in[1]), close(out[0]), close(out[1]);
		return false;
	}
	c->pid = fork();
	if (c->pid == 0) {
		struct sigaction dfl = { .sa_handler = SIG_DFL };
		sigset_t none;

		setsid();
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		sigaction(SIGPIPE, &dfl, NULL);
		sigaction(SIGCHLD, &dfl, NULL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execvp(argv[0], argv);
		dprintf(2, "%s: %s: %s\n", self, argv[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	close(in[0]), close(out[1]), close(err[1]);
	c->in = in[1];
	c->out = out[0];
	c->err = err[0];
	if (c->pid < 0) {
		close_fd(&c->in), close_fd(&c->out), close_fd(&c->err);
		return false;
	}
	set_nonblock(c->in);
	set_nonblock(c->out);
	set_nonblock(c->err);
	return true;
}

/* Collect the command's exit status if it has ended. */
static void child_reap(struct child *c)
{
	int status;

	if (c->gone || waitpid(c->pid, &status, WNOHANG) != c->pid)
		return;
	c->gone = true;
	c->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The caller went away: end the command and everything in its group. */
static void child_kill(struct child *c)
{
	int64_t end = now_ms() + KILL_MS;

	close_fd(&c->in), close_fd(&c->out), close_fd(&c->err);
	kill(-c->pid, SIGTERM);
	while (!c->gone && now_ms() < end) {
		struct timespec ts = { .tv_nsec = 10000000 };

		child_reap(c);
		if (!c->gone)
			nanosleep(&ts, NULL);
	}
	kill(-c->pid, SIGKILL);
	if (!c->gone && waitpid(c->pid, NULL, 0) == c->pid)
		c->gone = true;
}

/* Give the command its input; one that no longer reads loses it. */
static void child_feed(struct child *c)
{
	while (c->in >= 0 && buf_len(&c->in_buf)) {
		ssize_t n = write(c->in, c->in_buf.data + c->in_buf.start,
				  buf_len(&c->in_buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			close_fd(&c->in);
			break;
		}
		c->in_buf.start += n;
	}
	buf_reset(&c->in_buf);
	if (c->in_eof)
		close_fd(&c->in);
}

/* Move one chunk of output into the link; closes *fd at its end. True if any moved. */
static bool child_drain(struct link *l, int *fd, enum frame_type type)
{
	static uint8_t chunk[DATA_MAX];
	ssize_t n;

	if (*fd < 0)
		return false;
	do
		n = read(*fd, chunk, sizeof(chunk));
	while (n < 0 && errno == EINTR);
	if (n > 0)
		frame_put(l, type, chunk, n);
	else if (n == 0 || errno != EAGAIN)
		close_fd(fd);
	return n > 0;
}

/*
 * Run one call's command to its end. Returns when the exit status has been
 * handed to the link, when the link died, or when another CALL has arrived
 * (its caller took the place of ours): then that frame is left in the input.
 */
static void session_run(struct link *l, struct call *call)
{
	struct child c;
	int64_t beat = now_ms() + BEAT_MS;
	bool exit_sent = false;

	/* What is left of an answer to a caller that has gone. */
	buf_reset(&l->out);
	frame_put(l, F_ACK, call->nonce, NONCE_LEN);
	if (!child_start(&c, call->argv)) {
		const char *msg = strerror(errno);

		frame_put(l, F_ERROR, msg, strlen(msg));
		link_flush(l);
		return;
	}
	/*
	 * The first frames tend to follow at once; but do not wait for them,
	 * the command is running already.
	 */
	while (!l->dead) {
		struct pollfd p[6];
		bool room, want_in;
		char drop[64];

		/* Frames that have arrived. */
		while (!buf_len(&c.in_buf)) {
			const uint8_t *data;
			const struct frame_hdr *h = frame_peek(l, &data);

			if (!h)
				break;
			if (h->type == F_CALL) {
				if (h->len >= MAGIC_LEN + NONCE_LEN &&
				    !memcmp(data + MAGIC_LEN, call->nonce, NONCE_LEN)) {
					frame_done(l, h);
					continue;
				}
				child_kill(&c);
				free(c.in_buf.data);
				return;
			}
			if (h->type == F_STDIN && !c.in_eof) {
				if (!h->len)
					c.in_eof = true;
				else if (c.in >= 0)
					buf_put(&c.in_buf, data, h->len);
			}
			frame_done(l, h);
			child_feed(&c);
		}
		child_reap(&c);
		if (c.gone && !exit_sent && !buf_len(&l->out)) {
			/* What the command wrote is in the pipes by now; its own
			 * background processes may hold them open for ever. */
			bool more = child_drain(l, &c.out, F_STDOUT);

			more |= child_drain(l, &c.err, F_STDERR);
			if (!more) {
				uint32_t status = c.status;

				frame_put(l, F_EXIT, &status, sizeof(status));
				exit_sent = true;
			}
		}
		if (!exit_sent && now_ms() >= beat) {
			if (!buf_len(&l->out))
				frame_put(l, F_BEAT, NULL, 0);
			beat = now_ms() + BEAT_MS;
		}
		link_flush(l);
		if (exit_sent && !buf_len(&l->out))
			break;

		room = !buf_len(&l->out);
		want_in = !buf_len(&c.in_buf);
		if (c.gone && room && !exit_sent && !l->dead)
			continue;
		if (link_prepare(l, want_in))
			continue;
		p[0] = link_pollfd(l, want_in);
		p[1] = (struct pollfd){ .fd = sigchld_pipe[0], .events = POLLIN };
		p[2] = (struct pollfd){ .fd = room ? c.out : -1, .events = POLLIN };
		p[3] = (struct pollfd){ .fd = room ? c.err : -1, .events = POLLIN };
		p[4] = (struct pollfd){ .fd = buf_len(&c.in_buf) ? c.in : -1,
					.events = POLLOUT };
		p[5] = (struct pollfd){ .fd = peers_fd(), .events = POLLIN };
		if (poll(p, 6, exit_sent ? 1000 : (int)(beat - now_ms() > 0 ? beat - now_ms() : 0)) < 0 &&
		    errno != EINTR)
			break;
		if (p[1].revents & POLLIN && read(sigchld_pipe[0], drop, sizeof(drop)) < 0) {
			/* Emptied by another turn. */
		}
		link_ready(l, &p[0], want_in);
		if (link_abandoned(l))
			break;
		child_feed(&c);
		if (p[2].revents)
			child_drain(l, &c.out, F_STDOUT);
		if (p[3].revents)
			child_drain(l, &c.err, F_STDERR);
		if (p[5].revents)
			peers_check();
	}
	if (!c.gone)
		child_kill(&c);
	close_fd(&c.in), close_fd(&c.out), close_fd(&c.err);
	free(c.in_buf.data);
}

static void call_error(struct link *l, const struct call *call, const char *msg)
{
	frame_put(l, F_ACK, call->nonce, NONCE_LEN);
	frame_put(l, F_ERROR, msg, strlen(msg));
	link_flush(l);
}

#ifdef IDDR_XEN
/* Pass what our caller sends on to the domain. True if another CALL has come. */
static bool relay_up(struct link *from, struct link *to)
{
	while (buf_len(&to->out) < 2 * DATA_MAX) {
		const uint8_t *data;
		const struct frame_hdr *h = frame_peek(from, &data);

		if (!h)
			break;
		if (h->type == F_CALL)
			return true;
		frame_put(to, h->type, data, h->len);
		frame_done(from, h);
	}
	link_flush(to);
	return false;
}

/*
 * Pass what the domain answers on to our caller. Before the ACK of this call
 * there may be the rest of an answer to an earlier one. True at the call's end.
 */
static bool relay_down(struct link *from, struct link *to, const uint8_t *nonce, bool *acked)
{
	bool ended = false;

	while (!ended && buf_len(&to->out) < 2 * DATA_MAX) {
		const uint8_t *data;
		const struct frame_hdr *h = frame_sync(from, &data, nonce);

		if (!h)
			break;
		if (h->type == F_ACK && h->len == NONCE_LEN && !memcmp(data, nonce, NONCE_LEN))
			*acked = true;
		if (*acked) {
			ended = h->type == F_EXIT || h->type == F_ERROR;
			frame_put(to, h->type, data, h->len);
		}
		frame_done(from, h);
	}
	link_flush(to);
	return ended;
}

/* Carry one call between our caller and the agent of another domain. */
static void session_relay(struct link *l, struct call *call, int index)
{
	char why[160];
	struct peer *peer = peer_get(call->target, index, why, sizeof(why));
	bool ended = false, acked = false;

	if (!peer) {
		call_error(l, call, why);
		return;
	}
	call_put(&peer->link, call->nonce, "", call->argv);
	link_flush(&peer->link);
	while (!l->dead && !peer->link.dead) {
		struct pollfd p[3];
		bool room_up, room_down;

		/* Upwards only a new CALL ends it: our caller was replaced. */
		if (relay_up(l, &peer->link)) {
			const uint8_t *data;
			const struct frame_hdr *h = frame_peek(l, &data);

			if (h && h->type == F_CALL && h->len >= MAGIC_LEN + NONCE_LEN &&
			    !memcmp(data + MAGIC_LEN, call->nonce, NONCE_LEN)) {
				frame_done(l, h);
				continue;
			}
			break;
		}
		ended = ended || relay_down(&peer->link, l, call->nonce, &acked);
		link_flush(l);
		if (ended && !buf_len(&l->out))
			return;
		room_down = buf_len(&l->out) < 2 * DATA_MAX;
		room_up = buf_len(&peer->link.out) < 2 * DATA_MAX;
		if (link_prepare(&peer->link, room_down))
			continue;
		p[0] = link_pollfd(l, room_up);
		p[1] = link_pollfd(&peer->link, room_down);
		p[2] = (struct pollfd){ .fd = xs_fileno(xs), .events = POLLIN };
		if (poll(p, 3, -1) < 0 && errno != EINTR)
			break;
		link_ready(l, &p[0], room_up);
		if (p[1].revents)
			link_ready(&peer->link, &p[1], room_down);
		if (p[2].revents)
			peers_check();
	}
	/* Whatever happened, the stream to the domain is not at a frame's end. */
	if (peer->link.dead && !ended) {
		static const char msg[] = "the domain or its agent has gone";

		frame_put(l, F_ERROR, msg, sizeof(msg) - 1);
		link_flush(l);
	}
	vchan_disconnect(&peer->link);
}
#endif

/* Serve calls on one link until it dies. INDEX chooses the vchan for relayed ones. */
static void serve_link(struct link *l, int index)
{
	uint8_t last[NONCE_LEN] = { 0 };

	(void)index;
	while (!l->dead) {
		const uint8_t *data;
		const struct frame_hdr *h = frame_peek(l, &data);
		struct pollfd p[2];

		if (h) {
			struct call call;
			bool fresh = h->type == F_CALL && call_parse(&call, data, h->len);

			frame_done(l, h);
			if (!fresh)
				continue;
			if (memcmp(call.nonce, last, NONCE_LEN)) {
				memcpy(last, call.nonce, NONCE_LEN);
				if (!*call.target)
					session_run(l, &call);
				else
#ifdef IDDR_XEN
					session_relay(l, &call, index);
#else
					call_error(l, &call, "this agent cannot reach other domains");
#endif
			}
			call_free(&call);
			continue;
		}
		if (link_prepare(l, true))
			continue;
		p[0] = link_pollfd(l, true);
		p[1] = (struct pollfd){ .fd = peers_fd(), .events = POLLIN };
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		link_ready(l, &p[0], true);
		if (p[1].revents)
			peers_check();
	}
}

static void server_signals(void)
{
	struct sigaction ign = { .sa_handler = SIG_IGN };
	struct sigaction chld = { .sa_handler = on_sigchld,
				  .sa_flags = SA_NOCLDSTOP | SA_RESTART };

	close_fd(&sigchld_pipe[0]);
	close_fd(&sigchld_pipe[1]);
	if (pipe2(sigchld_pipe, O_CLOEXEC | O_NONBLOCK))
		die(1, "pipe: %s", strerror(errno));
	sigaction(SIGPIPE, &ign, NULL);
	sigaction(SIGCHLD, &chld, NULL);
}

/* Serve a virtio-serial port, whose other end a host program opens and closes. */
static void serve_port(const char *path, int index)
{
	for (;;) {
		struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
		struct epoll_event gone = { .events = EPOLLIN };
		struct link l = { .fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC), .is_port = true };
		int ep = epoll_create1(EPOLL_CLOEXEC);

		if (l.fd < 0 || ep < 0)
			die(1, "cannot open %s: %s", path, strerror(errno));
		if (peers_fd() >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, peers_fd(), &gone))
			die(1, "epoll: %s", strerror(errno));
		if (epoll_ctl(ep, EPOLL_CTL_ADD, l.fd, &ev))
			die(1, "epoll: %s", strerror(errno));
		/*
		 * While nobody is connected poll() returns POLLHUP at once.
		 * Edge-triggered epoll sleeps until that changes.
		 */
		for (;;) {
			struct pollfd p = { .fd = l.fd, .events = POLLIN };

			if (poll(&p, 1, 0) >= 0 && !(p.revents & POLLHUP))
				break;
			if (epoll_wait(ep, &ev, 1, -1) < 0 && errno != EINTR)
				die(1, "epoll: %s", strerror(errno));
			peers_check();
		}
		close(ep);
		serve_link(&l, index);
		/* Closing the port discards what a dead caller left in it. */
		close(l.fd);
		free(l.in.data);
		free(l.out.data);
	}
}

/* Serve a Unix socket, one process a connection. */
static void serve_unix(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(sa.sun_path))
		die(EXIT_USAGE, "the socket path %s is too long", path);
	strcpy(sa.sun_path, path);
	unlink(path);
	if (s < 0 || bind(s, (struct sockaddr *)&sa, sizeof(sa)) || listen(s, 16))
		die(1, "cannot listen on %s: %s", path, strerror(errno));
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		struct link l = { .fd = accept4(s, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) };

		if (l.fd < 0)
			continue;
		if (fork() == 0) {
			close(s);
			server_signals();
			serve_link(&l, 0);
			_exit(0);
		}
		close(l.fd);
	}
}

#ifdef IDDR_XEN
/* Serve vchan number INDEX of this domain, to domain 0. */
static void serve_vchan(int index)
{
	struct link l = { .is_vchan = true, .is_server = true };
	unsigned int len;
	char path[96], *domid;

	xs_connect();
	domid = xs_read(xs, XBT_NULL, "domid", &len);
	if (!domid)
		die(1, "xenstore does not tell this domain's number");
	snprintf(path, sizeof(path), "/local/domain/%.8s/data/iddr/agent/%d", domid, index);
	free(domid);
	xs_close(xs);
	xs = NULL;
	l.vchan = libxenvchan_server_init(NULL, 0, path, VCHAN_RING, VCHAN_RING);
	if (!l.vchan)
		die(1, "cannot serve a vchan at %s: %s", path, strerror(errno));
	/*
	 * One ring for all callers in turn. A new ring for each would have a
	 * caller read the old ring's reference and the new one's event channel.
	 */
	l.vchan->server_persist = 1;
	l.vchan->blocking = 0;
	l.fd = libxenvchan_fd_for_select(l.vchan);
	serve_link(&l, index);
	die(1, "the vchan at %s broke", path);
}
#endif

/* ---- caller --------------------------------------------------------------- */

/* Write all of it to one of our own outputs. */
static void out_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			poll(&p, 1, -1);
			continue;
		}
		if (n < 0)
			exit(128 + SIGPIPE);
		data += n;
		len -= n;
	}
}

/* Carry one call over an open link; returns the exit status. */
static int call_run(struct link *l, const char *target, char **argv)
{
	uint8_t nonce[NONCE_LEN];
	int64_t start = now_ms(), sent = start, heard = start;
	bool acked = false, in_eof = false;
	char error[512] = "";
	static uint8_t chunk[DATA_MAX];

	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
		die(EXIT_TRANSPORT, "no random numbers: %s", strerror(errno));
	call_put(l, nonce, target, argv);
	link_flush(l);
	for (;;) {
		struct pollfd p[3];
		bool want_stdin;
		const uint8_t *data;
		const struct frame_hdr *h;

		while ((h = frame_sync(l, &data, nonce))) {
			heard = now_ms();
			if (h->type == F_ACK && h->len == NONCE_LEN)
				acked = acked || !memcmp(data, nonce, NONCE_LEN);
			else if (!acked)
				;	/* meant for a caller before us */
			else if (h->type == F_STDOUT)
				out_all(1, data, h->len);
			else if (h->type == F_STDERR)
				out_all(2, data, h->len);
			else if (h->type == F_EXIT && h->len == 4) {
				uint32_t status;

				memcpy(&status, data, sizeof(status));
				return status & 0xff;
			} else if (h->type == F_ERROR) {
				snprintf(error, sizeof(error), "%.*s", (int)h->len,
					 (const char *)data);
				die(EXIT_TRANSPORT, "%s", error);
			}
			heard = now_ms();
			frame_done(l, h);
		}
		if (l->dead)
			die(EXIT_TRANSPORT, "the connection to the domain's agent broke; is the domain still running?");
		if (!acked && now_ms() - start > ACK_MS)
			die(EXIT_TRANSPORT, "the domain's agent has not answered for %d s", ACK_MS / 1000);
		if (acked && now_ms() - heard > SILENCE_MS)
			die(EXIT_TRANSPORT, "the domain's agent has been silent for %d s", SILENCE_MS / 1000);
		if (!acked && now_ms() - sent > ACK_TRY_MS && !buf_len(&l->out)) {
			call_put(l, nonce, target, argv);
			sent = now_ms();
		}
		link_flush(l);
		if (link_prepare(l, true))
			continue;
		want_stdin = acked && !in_eof && !buf_len(&l->out);
		p[0] = link_pollfd(l, true);
		p[1] = (struct pollfd){ .fd = want_stdin ? 0 : -1, .events = POLLIN };
		p[2] = (struct pollfd){ .fd = peers_fd(), .events = POLLIN };
		if (poll(p, 3, acked ? BEAT_MS : ACK_TRY_MS) < 0 && errno != EINTR)
			die(EXIT_TRANSPORT, "poll: %s", strerror(errno));
		link_ready(l, &p[0], true);
		if (p[1].revents) {
			ssize_t n = read(0, chunk, sizeof(chunk));

			if (n > 0) {
				frame_put(l, F_STDIN, chunk, n);
			} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
				frame_put(l, F_STDIN, NULL, 0);
				in_eof = true;
			}
			link_flush(l);
		}
		if (p[2].revents)
			peers_check();
	}
}

/* Be the one that holds a byte of a lock's file, until this process ends; false if another one does. */
static bool claim(const char *file, off_t byte)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		die(EXIT_TRANSPORT, "cannot open %s: %s", file, strerror(errno));
	/* Of the open file, not of the process: it stays when another one of the file is closed. */
	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return true;
	close(fd);
	return false;
}

/* None of our N channels was free: wait a little, but not for ever, which is END. */
static void claim_again(int n, int64_t end)
{
	if (now_ms() > end)
		die(EXIT_TRANSPORT, "all %d channels have been busy for %d minutes", n, CLAIM_MS / 60000);
	poll(NULL, 0, 5);
}

static int call_unix(char **paths, int n, const char *target, char **argv)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct link l = { .fd = -1 };
	int64_t end = now_ms() + CLAIM_MS;
	char lock[PATH_MAX];
	int i;

	for (i = 0;; i = (i + 1) % n) {
		snprintf(lock, sizeof(lock), "%s.lock", paths[i]);
		if (claim(lock, 0))
			break;
		if (i == n - 1)
			claim_again(n, end);
	}
	if (strlen(paths[i]) >= sizeof(sa.sun_path))
		die(EXIT_USAGE, "the socket path %s is too long", paths[i]);
	strcpy(sa.sun_path, paths[i]);
	l.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l.fd < 0 || connect(l.fd, (struct sockaddr *)&sa, sizeof(sa)))
		die(EXIT_TRANSPORT, "cannot reach the testbed at %s: %s", paths[i],
		    strerror(errno));
	set_nonblock(l.fd);
	return call_run(&l, target, argv);
}

#ifdef IDDR_XEN
#define VCHANS		8	/* of a domain, */
#define CALL_VCHANS	4	/* of which those are for callers in dom0 */

static int call_vchan(const char *name, char **argv)
{
	static struct peer peer;
	int64_t end = now_ms() + CLAIM_MS;
	int domid = domid_of(name), i, which;

	if (domid < 0)
		die(EXIT_TRANSPORT, "there is no domain %s", name);
	/* From the top: the relay takes them from the bottom. One file for all domains, as each number is a domain's only once. */
	for (i = 0;; i = (i + 1) % CALL_VCHANS) {
		which = VCHANS - 1 - i;
		if (claim("/run/iddr-agent.lock", (off_t)domid * VCHANS + which))
			break;
		if (i == CALL_VCHANS - 1)
			claim_again(CALL_VCHANS, end);
	}
	for (i = 0; !vchan_connect(&peer.link, domid, which); i++) {
		/* The server may be on its way back from the last caller. */
		if (i == 40)
			die(EXIT_TRANSPORT, "the agent in %s (domain %d) does not serve",
			    name, domid);
		poll(NULL, 0, 50);
	}
	peer.domid = domid;
	if (peers_watch())
		peers = &peer;
	i = call_run(&peer.link, "", argv);
	vchan_disconnect(&peer.link);
	return i;
}
#endif

/* Be process 1: start nothing, collect what ends. */
static void init_main(void)
{
	signal(SIGCHLD, SIG_DFL);
	for (;;) {
		if (waitpid(-1, NULL, 0) < 0)
			poll(NULL, 0, 1000);
	}
}

static void usage(void)
{
	fputs("usage: iddr-agent serve --port DEVICE [--index N] | --vchan COUNT | --unix SOCKET\n"
	      "       iddr-agent call --unix SOCKET... [--domain NAME] -- COMMAND [ARG...]\n"
	      "       iddr-agent call --vchan NAME|DOMID -- COMMAND [ARG...]\n", stderr);
	exit(EXIT_USAGE);
}

/* A small number from the command line. */
static int number(const char *s)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(s, &end, 10);
	if (errno || end == s || *end || n < 0 || n > 64)
		usage();
	return n;
}

static int serve_main(int argc, char **argv)
{
	const char *port = NULL, *sock = NULL;
	int vchans = 0, index = 0, i;

	for (i = 0; i < argc; i += 2) {
		if (i + 1 == argc)
			usage();
		if (!strcmp(argv[i], "--port"))
			port = argv[i + 1];
		else if (!strcmp(argv[i], "--unix"))
			sock = argv[i + 1];
		else if (!strcmp(argv[i], "--vchan"))
			vchans = number(argv[i + 1]);
		else if (!strcmp(argv[i], "--index"))
			index = number(argv[i + 1]);
		else
			usage();
	}
	if (!!port + !!sock + !!vchans != 1)
		usage();
	server_signals();
	if (port)
		serve_port(port, index);
	if (sock)
		serve_unix(sock);
#ifdef IDDR_XEN
	for (i = 0; i < vchans; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die(1, "fork: %s", strerror(errno));
		if (pid == 0) {
			server_signals();
			serve_vchan(i);
		}
	}
	for (;;)
		pause();
#else
	die(1, "this build has no Xen support");
#endif
}

static int call_main(int argc, char **argv)
{
	char *socks[16];
	const char *domain = "", *vchan = NULL;
	int n = 0, i;

	for (i = 0; i < argc && strcmp(argv[i], "--"); i += 2) {
		if (i + 1 == argc)
			usage();
		if (!strcmp(argv[i], "--unix") && n < 16)
			socks[n++] = argv[i + 1];
		else if (!strcmp(argv[i], "--domain"))
			domain = argv[i + 1];
		else if (!strcmp(argv[i], "--vchan"))
			vchan = argv[i + 1];
		else
			usage();
	}
	if (i + 1 >= argc || !n == !vchan)
		usage();
	argv += i + 1;
	signal(SIGPIPE, SIG_IGN);
	if (n)
		return call_unix(socks, n, domain, argv);
#ifdef IDDR_XEN
	return call_vchan(vchan, argv);
#else
	die(1, "this build has no Xen support");
#endif
}

int main(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], "serve"))
		return serve_main(argc - 2, argv + 2);
	if (argc >= 2 && !strcmp(argv[1], "call"))
		return call_main(argc - 2, argv + 2);
	if (argc == 2 && !strcmp(argv[1], "init"))
		init_main();
	usage();
	return EXIT_USAGE;
}
