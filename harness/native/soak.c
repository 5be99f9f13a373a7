// SPDX-License-Identifier: GPL-2.0
/*
 * Two processes on the ring that change how they wait all the time, and check
 * every byte: iddr-native soak layout=blkif|split ms=N [modes=FRONT/BACK] [seed=N]
 *
 * The front process writes a payload of random length that depends on the
 * request's number; the back process checks it, puts its own in its place, and
 * answers; the front process checks that. Meanwhile the front process changes the
 * modes of both, at random times, unless modes= fixes them, and makes pauses that
 * let either side fall asleep. Every wait has a limit. Status 0: all was right.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "pair.h"

#define SOAK_BYTES	4096U
#define SOAK_DEPTH	32U
#define SOAK_LIMIT_MS	10000

static const char * const mode_names[] = {
	"event", "spin", "hybrid", "adaptive"
};

static u64 random_state;

/* Marsaglia's xorshift64: enough for variety. */
static u64 random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static u64 mix(u64 id, u32 i, int which)
{
	u64 x = (id * 2 + which + 1) * 0x9e3779b97f4a7c15ULL + i;

	x ^= x >> 29;
	return x * 0xbf58476d1ce4e5b9ULL;
}

static void payload_write(u8 *p, u64 id, u32 bytes, int which)
{
	u32 i;

	for (i = 0; i < bytes; i++)
		p[i] = mix(id, i / 8, which) >> (i % 8 * 8);
}

static void payload_check(const u8 *p, u64 id, u32 bytes, int which)
{
	u32 i;

	for (i = 0; i < bytes; i++)
		if (p[i] != (u8)(mix(id, i / 8, which) >> (i % 8 * 8)))
			die("payload of request %lu is wrong at byte %u of %u",
			    id, i, bytes);
}

static u64 *slot_of(struct side *s, u8 *slots, u32 index, u32 stride)
{
	return (u64 *)(slots + (index & (s->slots - 1)) * stride);
}

static void soak_back(struct side *s, u32 words)
{
	u32 stride = words == BLKIF_SLOT / 8 ? BLKIF_SLOT : RESPONSE;
	u64 expected = 0;

	while (iddr_wait(s)) {
		u32 n = iddr_get(s, words, 0), i;

		for (i = 0; i < n; i++) {
			u64 *w = s->got + i * words, *slot;
			u8 *p = s->data + w[W_DATA];

			if (w[W_ID] != expected)
				die("request %lu where %lu was due", w[W_ID],
				    expected);
			expected++;
			payload_check(p, w[W_ID], w[W_BYTES], FRONT);
			payload_write(p, w[W_ID], w[W_BYTES], BACK);
			slot = slot_of(s, s->rsp_slot, s->tx.prod++, stride);
			slot[0] = w[W_ID];
			slot[1] = w[W_BYTES];
			/* Batches of every size. */
			if (random_next() % 4 == 0)
				iddr_publish(s);
		}
		iddr_publish(s);
	}
}

static struct control *watched;

/* The back process has said why it ended. */
static void child_ended(int sig)
{
	(void)sig;
	if (!READ_ONCE(watched->stop))
		_exit(1);
}

/* A spinner hears no bell that stays silent. */
static void lost(int sig)
{
	static const char text[] = "iddr-native: no answer in time\n";

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(4);
	_exit(3);
}

struct soak {
	u64 end_ns, next_ns;
	u64 switches, bytes;
	bool fixed;
};

static void soak_modes(struct side *s, struct soak *k, u64 now)
{
	if (k->fixed || now < k->next_ns)
		return;
	WRITE_ONCE(s->ctl->mode_wanted[random_next() % 2],
		   random_next() % IDDR_NR_MODES);
	/* A change of mode kicks the peer, as in the modules; or not. */
	if (random_next() % 2)
		bell_ring(s->peer_bell);
	k->switches++;
	k->next_ns = now + random_next() % 2000000;
}

static void soak_front(struct side *s, u32 words, struct soak *k)
{
	u32 stride = words == BLKIF_SLOT / 8 ? BLKIF_SLOT : RESPONSE;
	u32 bytes_of[SOAK_DEPTH];
	u64 now;

	while ((now = now_ns()) < k->end_ns || s->answered < s->sent) {
		u32 room = SOAK_DEPTH - (s->sent - s->answered), n, i;

		soak_modes(s, k, now);
		n = now < k->end_ns && room ? random_next() % room + 1 : 0;
		if (random_next() % 3 == 0 && n > 1)
			n = 1;
		for (i = 0; i < n; i++) {
			u64 id = s->sent++;
			u64 *w = slot_of(s, s->req_slot, s->tx.prod++,
					 words * 8);
			u32 bytes = random_next() % 4 ? random_next() % 64 :
				random_next() % (SOAK_BYTES + 1);

			w[W_ID] = id;
			w[W_DATA] = id % SOAK_DEPTH * SOAK_BYTES;
			w[W_BYTES] = bytes;
			bytes_of[id % SOAK_DEPTH] = bytes;
			payload_write(s->data + w[W_DATA], id, bytes, FRONT);
			k->bytes += 2 * bytes;
		}
		iddr_publish(s);
		if (random_next() % 4096 == 0)
			usleep(random_next() % 3000);
		if (s->answered == s->sent)
			continue;
		if (!iddr_wait(s))
			die("the front side was told to stop");
		n = iddr_avail(s);
		for (i = 0; i < n; i++) {
			u64 id = s->answered++, rsp[RESPONSE / 8];

			iddr_ring_copy(rsp, slot_of(s, s->rsp_slot,
						    s->rx.cons++, stride),
				       RESPONSE);
			if (rsp[0] != id || rsp[1] != bytes_of[id % SOAK_DEPTH])
				die("response %lu where %lu was due", rsp[0],
				    id);
			payload_check(s->data + id % SOAK_DEPTH * SOAK_BYTES,
				      id, rsp[1], BACK);
		}
		iddr_rx_refresh(&s->rx);
	}
}

static u32 mode_parse(const char *name, size_t length)
{
	u32 i;

	for (i = 0; i < IDDR_NR_MODES; i++)
		if (strlen(mode_names[i]) == length &&
		    !strncmp(mode_names[i], name, length))
			return i;
	die("modes: '%s' is not FRONT/BACK of event, spin, hybrid, adaptive",
	    name);
}

int run_soak(int argc, char **argv)
{
	struct config c = {
		.cpu = { -1, -1 }, .bytes = SOAK_BYTES, .depth = SOAK_DEPTH,
		.batch = 1, .ms = 1000, .hybrid_ns = 20000, .max_ns = 50000,
	};
	const struct subject *subject = subject_find("event");
	u32 mode[2] = { IDDR_MODE_EVENT, IDDR_MODE_EVENT };
	struct soak k = { 0 };
	static struct side s;
	struct control *ctl;
	struct layout l;
	int i, fd, status, bell[2] = { bell_create(), bell_create() };
	u64 seed = 1;
	pid_t back;

	bell_limit_ms = SOAK_LIMIT_MS;
	for (i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "layout=split")) {
			subject = subject_find("split-event");
		} else if (!strncmp(argv[i], "ms=", 3)) {
			c.ms = atoi(argv[i] + 3);
		} else if (!strncmp(argv[i], "seed=", 5)) {
			seed = strtoul(argv[i] + 5, NULL, 10);
		} else if (!strncmp(argv[i], "limit_ms=", 9)) {
			bell_limit_ms = atoi(argv[i] + 9);
		} else if (!strncmp(argv[i], "cpus=", 5)) {
			if (sscanf(argv[i] + 5, "%d,%d", &c.cpu[FRONT],
				   &c.cpu[BACK]) != 2)
				die("cpus: '%s' is not FRONT,BACK", argv[i] + 5);
		} else if (!strncmp(argv[i], "modes=", 6)) {
			const char *f = argv[i] + 6, *b = strchr(f, '/');

			if (!b)
				die("modes: '%s' is not FRONT/BACK", f);
			mode[FRONT] = mode_parse(f, b - f);
			mode[BACK] = mode_parse(b + 1, strlen(b + 1));
			k.fixed = true;
		} else if (strcmp(argv[i], "layout=blkif")) {
			die("soak: there is no '%s'", argv[i]);
		}
	}
	if (!c.ms || bell_limit_ms <= 0)
		die("soak: ms= and limit_ms= must be numbers above 0");
	l = layout_of(&c, subject->ops);
	fd = region_create(l.bytes);
	ctl = region_map(fd, l.bytes);
	ring_format((u8 *)ctl, &l, subject->ops);
	ctl->mode_wanted[FRONT] = mode[FRONT];
	ctl->mode_wanted[BACK] = mode[BACK];
	watched = ctl;
	signal(SIGCHLD, child_ended);
	signal(SIGALRM, lost);
	back = fork();
	if (back < 0)
		die("cannot start a process: %m");
	random_state = seed * 2 + (back ? 1 : 0) + 88172645463325252ULL;
	if (!back) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The limit is the front side's to notice: it may pause. */
		side_init(&s, &c, BACK, subject, &l, fd, bell);
		pin(c.cpu[BACK]);
		soak_back(&s, subject->ops->words);
		_exit(0);
	}
	alarm(c.ms / 1000 + 2 * SOAK_LIMIT_MS / 1000);
	side_init(&s, &c, FRONT, subject, &l, fd, bell);
	pin(c.cpu[FRONT]);
	k.end_ns = now_ns() + c.ms * 1000000ULL;
	soak_front(&s, subject->ops->words, &k);
	WRITE_ONCE(ctl->stop, 1);
	bell_ring(bell[BACK]);
	if (waitpid(back, &status, 0) != back || status)
		die("the back process failed");
	printf("requests\t%lu\nbytes_checked\t%lu\nmode_changes\t%lu\n",
	       s.answered, k.bytes, k.switches);
	for (i = 0; i < 2; i++)
		printf("%s_sleeps\t%lu\n%s_doorbells\t%lu\n%s_looks\t%lu\n",
		       i ? "back" : "front", ctl->counters[i].sleeps,
		       i ? "back" : "front", ctl->counters[i].doorbells,
		       i ? "back" : "front", ctl->counters[i].looks);
	return 0;
}
