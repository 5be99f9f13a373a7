// SPDX-License-Identifier: GPL-2.0
/*
 * iddr-truth: does a disk hold what was written to it? A load that knows, at any
 * moment, what each block may hold, and finds every write that was lost, torn, or
 * went elsewhere, across crashes of whoever serves the disk. help_text below says
 * how it is used.
 *
 * What a block may hold. Each write to a block has a number, one more than that
 * of the write before it, and no two writes to a block are in flight at once. So
 * what is legal is an interval: not older than the last write that is known to be
 * durable, not newer than the last that was begun. A write that failed, or that
 * was in flight when this program was killed, may have happened or not, until a
 * later write to its block is acknowledged; if it happens after that, it is a
 * violation like any other. What lies within the interval may be mixed, sector
 * by sector. A read that was under way while the interval moved may return
 * anything from what was durable when it began to what was begun when it ended.
 *
 * Durable is what was acknowledged. With --volatile-cache it is only what was
 * acknowledged with FUA, or before a flush began that then succeeded; also if
 * what was in the cache had been lost in between: whoever answers that flush
 * must know. (--volatile-cache is therefore the weaker check.)
 *
 * What is written. Each sector of 512 bytes tells by itself what it is: a magic
 * number, the run, its place on the device, the number of the write, a filling
 * that depends on these, and a sum over all.
 *
 * Threads. main() starts --depth workers for each phase (fill, load, verify) and
 * sleeps until they are done, a signal or a limit. A worker has one request in
 * flight. `lock` guards all that is shared; nobody holds it during I/O. What is
 * known of the blocks is in a mapped file: it outlives this process, however
 * that ends, and is then exact but for the requests that were in flight.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define SECTOR		512U
#define SECTOR_WORDS	(SECTOR / sizeof(u64))
#define SECTOR_MAGIC	0x3168747572744449ULL
#define STATE_MAGIC	0x3165746174735449ULL
#define BLOCK_MAX	(1U << 20)
#define CHUNK		(256U << 10)	/* of the fill and of the verification */
#define BIN_MS		100
#define NS_PER_MS	1000000ULL
#define FAILURE_PAUSE_MS 10		/* a dead device answers at once */

enum status { OK, VIOLATION, USAGE, DEVICE };

/* The words of a sector; what is between is filling. */
enum { W_MAGIC, W_RUN, W_OFFSET, W_WRITE, W_FILLING, W_SUM = SECTOR_WORDS - 1 };

/* What a block or sector was found to be, the worse the later. */
enum verdict { RIGHT, OLD, TORN, MISDIRECTED, FOREIGN, CORRUPT };

enum op { READ, WRITE, FUA, FLUSH };

/* Writes to a block, by their numbers: durable <= acked <= begun, seen <= begun. */
struct block {
	u32 begun, acked, durable;
	u32 seen;		/* the last that a read found, in all sectors */
};

/* The state file: this, then a struct block for each block. */
struct state {
	u64 magic;
	u64 run;
	u64 offset;		/* of the first block on the device */
	u64 blocks;
	u32 block_bytes;
	u8 filled;		/* every block has been written once */
	u8 volatile_cache;
	u8 unused[26];
};

enum counter {
	REQUESTS, WRITES, FUAS, READS, FLUSHES,
	WRITES_FAILED, READS_FAILED, FLUSHES_FAILED,
	BLENDED, UNCERTAIN, HALF_DONE, VERIFIED, UNREADABLE, UNANSWERED, REVERTED,
	LOST, STALE, TORN_BLOCKS, MISDIRECTED_BLOCKS, FOREIGN_BLOCKS, CORRUPT_BLOCKS,
	COUNTERS
};

static const char * const counter_name[COUNTERS] = {
	"requests", "writes", "fua_writes", "reads", "flushes",
	"writes_failed", "reads_failed", "flushes_failed",
	"blended", "uncertain", "half_done", "verified", "unreadable", "unanswered",
	"reverted",
	"lost", "stale", "torn", "misdirected", "foreign", "corrupt",
};

/* What was asked for; constant once the workers run. */
static struct {
	const char *device, *state, *timeline;
	u64 seconds, requests, depth, block_bytes, max_blocks, size, offset;
	u64 read, flush, fua, look, seed, limit, report;
	bool volatile_cache, expect_errors, resume, buffered;
} opt = {
	.seconds = 10, .depth = 16, .block_bytes = 4096, .max_blocks = 8,
	.read = 40, .flush = 2, .fua = 2, .limit = 300, .report = 20,
};

static int device;
static struct state *state;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* From here to the next empty line: under the lock. */
static struct block *block;		/* of the state file */
static bool *writing;			/* a write to this block is in flight */
static u64 count[COUNTERS];
static u64 reported;
static u64 random_state;
static bool stop, loading;
static u64 running;			/* workers */
static u64 cursor;			/* the next block to fill or verify, or the requests begun */
static u64 answered_ns;			/* when the last request was answered, well or not */
static u64 load_ns, completed_ns;	/* when the load began; when it last had a success */
static u64 gap_ns, gap_at_ns, slowest_ns;
static bool gap_open;			/* when the load ended */
static struct bin { u32 completed, failed; } *bin;
static u64 bins, bins_max;

struct worker {
	pthread_t thread;
	u8 *buffer;
	u32 *oldest, *newest;		/* what each block of the request may hold */
	u32 *acked;			/* what a flush makes durable */
};

struct finding {
	enum verdict verdict;
	bool half_done, blended;
	u32 sector;			/* where the verdict is from */
	u64 from;			/* of what is misdirected: where it belongs */
	u64 least, most;		/* writes seen */
};

static const char help_text[] =
"iddr-truth: write to a disk, read it back, and find what it lost or mixed up\n"
"\n"
"  iddr-truth run DEVICE [OPTION...]\n"
"        Overwrite the region, then read, write and flush at random, checking each\n"
"        read, then read all of it back. SIGINT and SIGTERM end the load early; a\n"
"        second one ends the rest.\n"
"  iddr-truth verify DEVICE --state FILE [OPTION...]\n"
"        Read the region back, of a run that has ended in whatever way.\n"
"\n"
"The region (run):\n"
"  --size BYTES, --offset BYTES  the region of the device [all of it]; k, m, g allowed\n"
"  --block BYTES         a block, which is written as one: a multiple of 512 [4k]\n"
"  --state FILE          keep what is known of the blocks in FILE, a new one; else it is\n"
"                        lost with this process. It is exact even after SIGKILL\n"
"  --resume              go on with the region and the FILE of a run before, without\n"
"                        overwriting it first\n"
"  --volatile-cache      the device may lose what was acknowledged, until it is flushed\n"
"\n"
"The load (run):\n"
"  --seconds N           how long [10]; 0: until a signal\n"
"  --requests N          no more than N requests [any number]\n"
"  --max-blocks N        a request is of 1 to N blocks [8]\n"
"  --read N              percent of the requests that read [40]\n"
"  --flush N             ... that flush [2]\n"
"  --fua N               ... that write with FUA (RWF_DSYNC) [2]; all others write\n"
"  --look N              percent of the writes that first read and check what they\n"
"                        overwrite [0]: with 100 no loss is covered up\n"
"  --seed N              of the order of the requests [a random one]\n"
"  --expect-errors       failed requests of the load are no reason for status 3\n"
"  --timeline FILE       write there how many reads and writes succeeded, and how many\n"
"                        requests failed, in every 100 ms of the load\n"
"\n"
"Both:\n"
"  --depth N             requests in flight, 1 to 256 [16]\n"
"  --limit SECONDS       give up when for so long no request is answered [300]\n"
"  --report N            describe the first N violations [20]\n"
"  --buffered            no O_DIRECT: for files where that is refused; a page cache then\n"
"                        stands between this program and the device\n"
"\n"
"Standard output has lines NAME<TAB>VALUE; run, seed, blocks, block_bytes, monotonic_ns\n"
"and realtime_ns (the beginning of the load) are written as it begins, the rest at the end:\n"
"  requests              reads and writes that were sent, of filling and verifying too\n"
"  writes, fua_writes, reads, flushes   acknowledged ones of the load; and ..._failed\n"
"  load_ms, slowest_ms   the length of the load; its slowest request\n"
"  gap_ms, gap_start_ms  the longest time of the load without a successful read or write, and\n"
"                        when it began, after the beginning of the load\n"
"  gap_ended             0: there was none any more when the load ended; else 1\n"
"  verified, unreadable  blocks read back in the end; that could not be\n"
"  unanswered            requests that were given up\n"
"  uncertain             blocks that may hold one of several values: a write failed or\n"
"                        was in flight at the end, or is not flushed\n"
"  half_done             of these, those that hold some of each (which is legal)\n"
"  blended               reads that met a write inside a sector (which is legal)\n"
"  lost                  blocks that hold in the end what an acknowledged write replaced\n"
"  stale                 the same, seen by a read of the load\n"
"  torn                  an acknowledged write is there in some sectors only\n"
"  misdirected           what was written elsewhere\n"
"  foreign               no data of this run\n"
"  corrupt               data of this run that was changed, or was never written\n"
"  reverted              of lost, stale and torn, those where the newer write had been read\n"
"                        before: an older one was carried out once more, late\n"
"  violations            the sum of lost to corrupt. These count each block of a request\n"
"\n"
"Exit status: 0 no violation; 1 violations; 2 wrong usage; 3 no violation, but errors of\n"
"the device that were not expected, or blocks that could not be read back.\n";

static void die(enum status status, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

static void die(enum status status, const char *format, ...)
{
	va_list args;

	fputs("iddr-truth: error: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

static u64 clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static u64 now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* Memory for N things, zeroed. */
static void *allocate(u64 n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		die(USAGE, "no memory for %llu blocks; use a smaller --size or a larger --block",
		    (unsigned long long)state->blocks);
	return p;
}

/* Vigna's splitmix64: its output for the counter X. */
static u64 mix(u64 x)
{
	x *= 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* A number below LIMIT; under the lock. */
static u64 random_below(u64 limit)
{
	return mix(++random_state) % limit;
}

/* The sum of a sector; of nothing but zeroes it is not zero. */
static u64 sector_sum(const u64 *w)
{
	u64 sum = SECTOR_MAGIC;
	u32 i;

	for (i = 0; i < W_SUM; i++) {
		sum = (sum ^ w[i]) * 0x9e3779b97f4a7c15ULL;
		sum ^= sum >> 32;
	}
	return sum;
}

/* The sector at byte OFFSET of the device as that WRITE of its block leaves it. */
static void sector_make(u64 *w, u64 offset, u64 write)
{
	u64 filling = mix(state->run ^ mix(offset ^ mix(write)));
	u32 i;

	w[W_MAGIC] = SECTOR_MAGIC;
	w[W_RUN] = state->run;
	w[W_OFFSET] = offset;
	w[W_WRITE] = write;
	for (i = W_FILLING; i < W_SUM; i++)
		w[i] = mix(filling + i);
	w[W_SUM] = sector_sum(w);
}

static enum verdict sector_verdict(const u64 *w, u64 offset)
{
	if (w[W_SUM] != sector_sum(w))
		return w[W_MAGIC] == SECTOR_MAGIC || w[W_RUN] == state->run ?
			CORRUPT : FOREIGN;
	if (w[W_MAGIC] != SECTOR_MAGIC || w[W_RUN] != state->run)
		return FOREIGN;
	return w[W_OFFSET] == offset ? RIGHT : MISDIRECTED;
}

/*
 * A device promises nothing of a sector that is read while it is written; but
 * each word must be of a write that may be there.
 */
static bool sector_is_blend(const u64 *w, u64 offset, u64 oldest, u64 newest)
{
	u64 one[SECTOR_WORDS], write;
	bool known[SECTOR_WORDS] = { false };
	u32 i, left = SECTOR_WORDS;

	for (write = oldest; write <= newest; write++) {
		sector_make(one, offset, write);
		for (i = 0; i < SECTOR_WORDS; i++)
			if (!known[i] && w[i] == one[i]) {
				known[i] = true;
				left--;
			}
	}
	return !left;
}

static u64 block_offset(u64 index)
{
	return state->offset + index * state->block_bytes;
}

static void block_make(u8 *data, u64 index, u64 write)
{
	u64 offset = block_offset(index);
	u32 at;

	for (at = 0; at < state->block_bytes; at += SECTOR)
		sector_make((u64 *)(data + at), offset + at, write);
}

/* Judge a block that may hold the writes from OLDEST to NEWEST; RACING: one of them was perhaps under way. */
static void block_judge(const u8 *data, u64 index, u64 oldest, u64 newest,
			bool racing, struct finding *f)
{
	u64 offset = block_offset(index);
	u32 at, old = 0, good = 0;

	*f = (struct finding){ .least = UINT64_MAX };
	for (at = 0; at < state->block_bytes; at += SECTOR) {
		const u64 *w = (const u64 *)(data + at);
		enum verdict v = sector_verdict(w, offset + at);

		if (v == CORRUPT && racing && oldest < newest &&
		    sector_is_blend(w, offset + at, oldest, newest)) {
			f->blended = true;
			good++;
			continue;
		}
		if (v == RIGHT) {
			if (w[W_WRITE] < f->least)
				f->least = w[W_WRITE];
			if (w[W_WRITE] > f->most)
				f->most = w[W_WRITE];
			if (w[W_WRITE] > newest)
				v = CORRUPT;
			else if (w[W_WRITE] < oldest)
				old++;
			else
				good++;
		}
		if (v > f->verdict) {
			f->verdict = v;
			f->sector = at / SECTOR;
			f->from = w[W_OFFSET];
		}
	}
	if (f->verdict == RIGHT && old)
		f->verdict = good ? TORN : OLD;
	f->half_done = f->verdict == RIGHT && good && f->least < f->most;
}

/* Count what a block was found to be, and describe it; under the lock. */
static void block_account(u64 index, u64 oldest, u64 newest, const struct finding *f)
{
	static const enum counter counter[] = {
		[TORN] = TORN_BLOCKS, [MISDIRECTED] = MISDIRECTED_BLOCKS,
		[FOREIGN] = FOREIGN_BLOCKS, [CORRUPT] = CORRUPT_BLOCKS,
	};
	enum counter c;

	count[BLENDED] += f->blended;
	if (!loading) {
		count[VERIFIED]++;
		count[UNCERTAIN] += oldest < newest;
		count[HALF_DONE] += f->half_done;
	}
	if (f->verdict == RIGHT) {
		if (!f->half_done && !f->blended && f->least > block[index].seen)
			block[index].seen = f->least;
		return;
	}
	count[REVERTED] += f->verdict <= TORN && block[index].seen >= oldest;
	if (f->verdict == OLD)
		c = loading ? STALE : LOST;
	else
		c = counter[f->verdict];
	count[c]++;
	if (reported++ >= opt.report)
		return;
	fprintf(stderr, "iddr-truth: block %llu, byte %llu: %s: ",
		(unsigned long long)index,
		(unsigned long long)block_offset(index), counter_name[c]);
	if (f->verdict == MISDIRECTED)
		fprintf(stderr, "sector %u has what was written to byte %llu",
			f->sector, (unsigned long long)f->from);
	else if (f->verdict >= FOREIGN)
		fprintf(stderr, "in sector %u", f->sector);
	else
		fprintf(stderr, "it has write %llu to %llu",
			(unsigned long long)f->least, (unsigned long long)f->most);
	fprintf(stderr, "; right would be write %llu to %llu\n",
		(unsigned long long)oldest, (unsigned long long)newest);
}

/*
 * Take down that the load had an answer; under the lock. @flush: it was a flush's: a device
 * that fails all reads and writes may have nothing to flush.
 */
static void load_answered(bool good, bool flush, u64 began, u64 now)
{
	u64 i = (now - load_ns) / (BIN_MS * NS_PER_MS);

	if (now - began > slowest_ns)
		slowest_ns = now - began;
	/* Answers are not taken down in the order of their times. */
	if (good && !flush && now > completed_ns) {
		if (now - completed_ns > gap_ns) {
			gap_ns = now - completed_ns;
			gap_at_ns = completed_ns - load_ns;
		}
		completed_ns = now;
	}
	if (!opt.timeline || (good && flush))
		return;
	if (i >= bins_max) {
		bins_max = 2 * i + 1024;
		bin = realloc(bin, bins_max * sizeof(*bin));
		if (!bin)
			die(USAGE, "no memory for the timeline; do without --timeline");
		memset(bin + bins, 0, (bins_max - bins) * sizeof(*bin));
	}
	if (i >= bins)
		bins = i + 1;
	if (good)
		bin[i].completed++;
	else
		bin[i].failed++;
}

/* Send one request and wait for its answer; returns whether it succeeded, and the lock held. */
static bool request(enum op op, u8 *buffer, u64 index, u64 blocks)
{
	struct iovec v = { .iov_base = buffer, .iov_len = blocks * state->block_bytes };
	u64 began = now_ns(), now;
	ssize_t done;
	bool good;

	if (op == FLUSH)
		good = !fdatasync(device);
	else {
		if (op == READ)
			done = preadv(device, &v, 1, block_offset(index));
		else
			done = pwritev2(device, &v, 1, block_offset(index),
					op == FUA ? RWF_DSYNC : 0);
		/* Of one that stopped halfway nothing is known. */
		good = done >= 0 && (size_t)done == v.iov_len;
	}
	now = now_ns();
	pthread_mutex_lock(&lock);
	count[REQUESTS] += op != FLUSH;
	answered_ns = now;
	if (loading)
		load_answered(good, op == FLUSH, began, now);
	return good;
}

/* A write of these blocks begins; under the lock. */
static void write_begin(u64 index, u64 blocks, u32 *number)
{
	u64 i;

	for (i = 0; i < blocks; i++) {
		writing[index + i] = true;
		number[i] = ++block[index + i].begun;
	}
}

/* It ended; under the lock. */
static void write_end(u64 index, u64 blocks, bool acked, bool durable)
{
	u64 i;

	for (i = 0; i < blocks; i++) {
		struct block *b = &block[index + i];

		writing[index + i] = false;
		if (acked)
			b->acked = b->begun;
		if (acked && durable)
			b->durable = b->begun;
	}
}

/* The next blocks to fill or verify, or 0; under the lock. */
static u64 next_chunk(u64 *index)
{
	u64 n = CHUNK / state->block_bytes;

	if (!n)
		n = 1;
	if (stop || cursor == state->blocks)
		return 0;
	if (n > state->blocks - cursor)
		n = state->blocks - cursor;
	*index = cursor;
	cursor += n;
	return n;
}

/* The last worker tells main(). */
static void *worker_end(void)
{
	if (!--running)
		kill(getpid(), SIGUSR1);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void *fill_work(void *arg)
{
	struct worker *w = arg;
	u64 index, n, i;
	bool good;

	pthread_mutex_lock(&lock);
	while ((n = next_chunk(&index))) {
		write_begin(index, n, w->newest);
		pthread_mutex_unlock(&lock);
		for (i = 0; i < n; i++)
			block_make(w->buffer + i * state->block_bytes, index + i,
				   w->newest[i]);
		good = request(WRITE, w->buffer, index, n);
		/* Flushed, or else not used at all. */
		write_end(index, n, good, true);
		if (!good) {
			count[WRITES_FAILED]++;
			stop = true;
		}
	}
	return worker_end();
}

/* Check blocks that were read; called and returns with the lock held. */
static void check(struct worker *w, u64 index, u64 n)
{
	bool racing = loading;
	struct finding f;
	u64 i;

	for (i = 0; i < n; i++)
		w->newest[i] = block[index + i].begun;
	for (i = 0; i < n; i++) {
		pthread_mutex_unlock(&lock);
		block_judge(w->buffer + i * state->block_bytes, index + i,
			    w->oldest[i], w->newest[i], racing, &f);
		pthread_mutex_lock(&lock);
		block_account(index + i, w->oldest[i], w->newest[i], &f);
	}
}

/* Read and check; called and returns with the lock held. Return: whether it could be read. */
static bool read_blocks(struct worker *w, u64 index, u64 n)
{
	u64 i;

	for (i = 0; i < n; i++)
		w->oldest[i] = block[index + i].durable;
	pthread_mutex_unlock(&lock);
	/* What is left from before must not pass for what was not read. */
	memset(w->buffer, 0, n * state->block_bytes);
	if (!request(READ, w->buffer, index, n))
		return false;
	check(w, index, n);
	return true;
}

static void *verify_work(void *arg)
{
	struct worker *w = arg;
	u64 index, n, i;

	pthread_mutex_lock(&lock);
	while ((n = next_chunk(&index))) {
		if (read_blocks(w, index, n))
			continue;
		for (i = 0; i < n; i++)
			count[UNREADABLE] += !read_blocks(w, index + i, 1);
	}
	return worker_end();
}

static bool load_flush(struct worker *w)
{
	u64 i;

	/* A device that loses nothing has all that is acknowledged. */
	if (opt.volatile_cache && !w->acked)
		w->acked = allocate(state->blocks, sizeof(u32));
	for (i = 0; w->acked && i < state->blocks; i++)
		w->acked[i] = block[i].acked;
	pthread_mutex_unlock(&lock);
	if (!request(FLUSH, NULL, 0, 0)) {
		count[FLUSHES_FAILED]++;
		return false;
	}
	count[FLUSHES]++;
	for (i = 0; w->acked && i < state->blocks; i++)
		if (w->acked[i] > block[i].durable)
			block[i].durable = w->acked[i];
	return true;
}

static bool load_read(struct worker *w, u64 index, u64 n)
{
	bool good = read_blocks(w, index, n);

	count[good ? READS : READS_FAILED]++;
	return good;
}

static bool load_write(struct worker *w, enum op op, u64 index, u64 n)
{
	bool good;
	u64 i;

	if (opt.look && random_below(100) < opt.look) {
		/* What is found is not to be another write's by now. */
		for (i = 0; i < n; i++)
			writing[index + i] = true;
		if (!load_read(w, index, n)) {
			write_end(index, n, false, false);
			return false;
		}
	}
	write_begin(index, n, w->newest);
	pthread_mutex_unlock(&lock);
	for (i = 0; i < n; i++)
		block_make(w->buffer + i * state->block_bytes, index + i,
			   w->newest[i]);
	good = request(op, w->buffer, index, n);
	write_end(index, n, good, op == FUA || !opt.volatile_cache);
	if (good)
		count[op == FUA ? FUAS : WRITES]++;
	else
		count[WRITES_FAILED]++;
	return good;
}

/* Choose blocks; half of the requests meet in a few, where much is read soon after it was written. */
static u64 load_choose(u64 *n)
{
	u64 few = 4 * opt.depth * opt.max_blocks, blocks = state->blocks;

	if (few < blocks && random_below(2))
		blocks = few;
	*n = 1 + random_below(opt.max_blocks < blocks ? opt.max_blocks : blocks);
	return random_below(blocks - *n + 1);
}

static bool load_may_write(u64 index, u64 n)
{
	u64 i;

	for (i = 0; i < n; i++)
		if (writing[index + i])
			return false;
	return true;
}

static void *load_work(void *arg)
{
	const struct timespec pause = { .tv_nsec = FAILURE_PAUSE_MS * NS_PER_MS };
	struct worker *w = arg;

	pthread_mutex_lock(&lock);
	while (!stop && !(opt.requests && cursor == opt.requests)) {
		u64 n, index = load_choose(&n), kind = random_below(100);
		enum op op;
		bool good;

		cursor++;
		if (kind < opt.flush)
			op = FLUSH;
		else if (kind < opt.flush + opt.fua)
			op = FUA;
		else if (kind < opt.flush + opt.fua + opt.read)
			op = READ;
		else
			op = WRITE;
		if (op == FLUSH)
			good = load_flush(w);
		else if (op != READ && load_may_write(index, n))
			good = load_write(w, op, index, n);
		else
			good = load_read(w, index, n);
		if (!good) {
			pthread_mutex_unlock(&lock);
			nanosleep(&pause, NULL);
			pthread_mutex_lock(&lock);
		}
	}
	return worker_end();
}

/*
 * Run the workers, for at most that time if it is not 0. Return: false if some
 * were given up, with their requests; they may use anything at any time.
 */
static bool phase(struct worker *worker, void *(*work)(void *), u64 ns)
{
	const u64 limit_ns = opt.limit * 1000000000ULL;
	u64 end, now, until, i;
	sigset_t signals;
	int got;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGUSR1);
	pthread_mutex_lock(&lock);
	answered_ns = now_ns();
	end = ns ? answered_ns + ns : UINT64_MAX;
	stop = false;
	cursor = 0;
	for (i = 0; i < opt.depth; i++)
		if (pthread_create(&worker[i].thread, NULL, work, &worker[i]))
			die(USAGE, "cannot start thread %llu; use a smaller --depth",
			    (unsigned long long)i + 1);
	running = opt.depth;
	while (running) {
		now = now_ns();
		if (now >= answered_ns + limit_ns)
			break;
		if (now >= end) {
			stop = true;
			end = UINT64_MAX;
		}
		until = answered_ns + limit_ns < end ? answered_ns + limit_ns : end;
		pthread_mutex_unlock(&lock);
		got = sigtimedwait(&signals, NULL, &(struct timespec){
			.tv_sec = (until - now) / 1000000000,
			.tv_nsec = (until - now) % 1000000000 });
		pthread_mutex_lock(&lock);
		if (got == SIGINT || got == SIGTERM) {
			/* Asked twice. */
			if (stop && running)
				break;
			stop = true;
		}
	}
	count[UNANSWERED] = running;
	now = now_ns() - answered_ns;
	pthread_mutex_unlock(&lock);
	if (count[UNANSWERED]) {
		fprintf(stderr, "iddr-truth: given up: %llu requests unanswered, the last answer was %llu ms ago\n",
			(unsigned long long)count[UNANSWERED],
			(unsigned long long)(now / NS_PER_MS));
		return false;
	}
	for (i = 0; i < opt.depth; i++)
		pthread_join(worker[i].thread, NULL);
	return true;
}

/* Write the completions of every bin of the load. */
static void timeline_write(u64 load_end_ns, u64 realtime_ns)
{
	FILE *f = fopen(opt.timeline, "w");
	u64 n = (load_end_ns - load_ns) / (BIN_MS * NS_PER_MS) + 1, i;

	if (!f)
		die(USAGE, "cannot write %s: %m", opt.timeline);
	fprintf(f, "# 0 ms is CLOCK_MONOTONIC %llu ns, CLOCK_REALTIME %llu ns\nms\tcompleted\tfailed\n",
		(unsigned long long)load_ns, (unsigned long long)realtime_ns);
	for (i = 0; i < n; i++)
		fprintf(f, "%llu\t%u\t%u\n", (unsigned long long)i * BIN_MS,
			i < bins ? bin[i].completed : 0, i < bins ? bin[i].failed : 0);
	if (fclose(f))
		die(USAGE, "cannot write %s: %m", opt.timeline);
}

/* A number, with a suffix if it is a size. */
static u64 number_parse(const char *name, const char *text, bool size, u64 least, u64 most)
{
	u64 value, unit = 1;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (size && *end && strchr("kmg", *end))
		unit = 1ULL << (*end == 'k' ? 10 : *end == 'm' ? 20 : 30), end++;
	if (*text < '0' || *text > '9' || *end || errno ||
	    value > UINT64_MAX / unit || value * unit < least || value * unit > most)
		die(USAGE, "--%s: '%s' is not a number from %llu to %llu", name, text,
		    (unsigned long long)least, (unsigned long long)most);
	return value * unit;
}

static void options_parse(int argc, char **argv, bool verify)
{
	enum { NUMBER, SIZE, TEXT, FLAG };
	const struct {
		const char *name;
		int kind;
		void *to;
		u64 least, most;
		bool both;
	} known[] = {
		{ "size", SIZE, &opt.size, SECTOR, INT64_MAX, false },
		{ "offset", SIZE, &opt.offset, 0, INT64_MAX, false },
		{ "block", SIZE, &opt.block_bytes, SECTOR, BLOCK_MAX, false },
		{ "volatile-cache", FLAG, &opt.volatile_cache, 0, 0, false },
		{ "resume", FLAG, &opt.resume, 0, 0, false },
		{ "seconds", NUMBER, &opt.seconds, 0, 10000000, false },
		{ "requests", NUMBER, &opt.requests, 1, UINT64_MAX, false },
		{ "max-blocks", NUMBER, &opt.max_blocks, 1, 2048, false },
		{ "read", NUMBER, &opt.read, 0, 100, false },
		{ "flush", NUMBER, &opt.flush, 0, 100, false },
		{ "fua", NUMBER, &opt.fua, 0, 100, false },
		{ "look", NUMBER, &opt.look, 0, 100, false },
		{ "seed", NUMBER, &opt.seed, 0, UINT64_MAX, false },
		{ "expect-errors", FLAG, &opt.expect_errors, 0, 0, false },
		{ "timeline", TEXT, &opt.timeline, 0, 0, false },
		{ "depth", NUMBER, &opt.depth, 1, 256, true },
		{ "state", TEXT, &opt.state, 0, 0, true },
		{ "limit", NUMBER, &opt.limit, 1, 10000000, true },
		{ "report", NUMBER, &opt.report, 0, UINT64_MAX, true },
		{ "buffered", FLAG, &opt.buffered, 0, 0, true },
	};
	enum { KNOWN = sizeof(known) / sizeof(known[0]) };
	struct option option[KNOWN + 1] = { 0 };
	bool given[KNOWN] = { false };
	int i, c;

	for (i = 0; i < KNOWN; i++)
		option[i] = (struct option){ known[i].name,
			known[i].kind == FLAG ? no_argument : required_argument, NULL, i };
	while ((c = getopt_long(argc, argv, "", option, NULL)) != -1) {
		/* getopt has said what is wrong. */
		if (c == '?')
			die(USAGE, "iddr-truth --help lists the options");
		if (verify && !known[c].both)
			die(USAGE, "--%s is for run, not for verify", known[c].name);
		given[c] = true;
		switch (known[c].kind) {
		case FLAG:
			*(bool *)known[c].to = true;
			break;
		case TEXT:
			*(const char **)known[c].to = optarg;
			break;
		default:
			*(u64 *)known[c].to = number_parse(known[c].name, optarg,
				known[c].kind == SIZE, known[c].least, known[c].most);
		}
	}
	if (optind + 1 != argc)
		die(USAGE, "one device is needed, as in: iddr-truth %s /dev/xvda",
		    verify ? "verify --state FILE" : "run");
	opt.device = argv[optind];
	if ((verify || opt.resume) && !opt.state)
		die(USAGE, "--state FILE is needed, of the run before");
	/* The first four of known[]. */
	for (i = 0; opt.resume && i < 4; i++)
		if (given[i])
			die(USAGE, "--%s cannot be changed by --resume: it is in the state",
			    known[i].name);
	if (opt.read + opt.flush + opt.fua > 100)
		die(USAGE, "--read, --flush and --fua are more than 100 %% together");
}

/* Open the device; returns its size. */
static u64 device_open(bool verify)
{
	u64 bytes;
	struct stat st;
	int logical, flags = (verify ? O_RDONLY : O_RDWR) | O_CLOEXEC;

	if (!opt.buffered)
		flags |= O_DIRECT;
	if (stat(opt.device, &st))
		die(DEVICE, "cannot open %s: %m", opt.device);
	/* On a block device: not one that is mounted. */
	if (S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	else if (!S_ISREG(st.st_mode))
		die(USAGE, "%s is neither a block device nor a file", opt.device);
	device = open(opt.device, flags);
	if (device < 0 && errno == EINVAL && !opt.buffered)
		die(DEVICE, "%s refuses O_DIRECT; use --buffered if its page cache may stand between",
		    opt.device);
	if (device < 0 && errno == EBUSY)
		die(DEVICE, "%s is in use; unmount it first", opt.device);
	if (device < 0)
		die(DEVICE, "cannot open %s: %m", opt.device);
	if (!S_ISBLK(st.st_mode))
		return st.st_size;
	if (ioctl(device, BLKGETSIZE64, &bytes) || ioctl(device, BLKSSZGET, &logical))
		die(DEVICE, "cannot get the size of %s: %m", opt.device);
	/* A state that is not of this device fails by its reads. */
	if (!verify && !opt.resume && (opt.block_bytes % logical || opt.offset % logical))
		die(USAGE, "--block and --offset must be multiples of the device's block, %d bytes",
		    logical);
	return bytes;
}

/* Map the state: SIZE bytes of FD, or of memory. */
static void state_map(int fd, u64 size)
{
	state = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	if (state == MAP_FAILED)
		die(USAGE, "cannot map %llu bytes of state: %m; use a smaller --size or a larger --block",
		    (unsigned long long)size);
	block = (struct block *)(state + 1);
	if (fd >= 0)
		close(fd);
}

/* Make the state of a new run. */
static void state_create(u64 device_bytes)
{
	u64 blocks, size;
	int fd = -1, error;

	if (opt.offset >= device_bytes)
		die(USAGE, "--offset is beyond the device's end, %llu bytes",
		    (unsigned long long)device_bytes);
	if (opt.block_bytes % SECTOR || opt.offset % SECTOR)
		die(USAGE, "--block and --offset must be multiples of %u", SECTOR);
	if (!opt.size)
		opt.size = device_bytes - opt.offset;
	if (opt.size > device_bytes - opt.offset)
		die(USAGE, "the device ends %llu bytes after --offset; use a smaller --size",
		    (unsigned long long)(device_bytes - opt.offset));
	blocks = opt.size / opt.block_bytes;
	if (!blocks)
		die(USAGE, "there is no room for a block of %llu bytes",
		    (unsigned long long)opt.block_bytes);
	if (opt.max_blocks > BLOCK_MAX / opt.block_bytes)
		opt.max_blocks = BLOCK_MAX / opt.block_bytes;
	size = sizeof(*state) + blocks * sizeof(*block);
	if (opt.state) {
		fd = open(opt.state, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0 && errno == EEXIST)
			die(USAGE, "%s is there already; remove it, or go on with --resume",
			    opt.state);
		if (fd < 0)
			die(USAGE, "cannot make %s: %m", opt.state);
		/* A hole that cannot be filled later would be a SIGBUS. */
		error = posix_fallocate(fd, 0, size);
		if (error)
			die(USAGE, "cannot make %s of %llu bytes: %s", opt.state,
			    (unsigned long long)size, strerror(error));
	}
	state_map(fd, size);
	state->offset = opt.offset;
	state->blocks = blocks;
	state->block_bytes = opt.block_bytes;
	state->volatile_cache = opt.volatile_cache;
	if (getrandom(&state->run, sizeof(state->run), 0) != sizeof(state->run))
		die(USAGE, "cannot get a random number: %m");
	state->magic = STATE_MAGIC;
}

/* Take the state of a run before. */
static void state_open(u64 device_bytes)
{
	struct stat st;
	u64 size, i;
	int fd = open(opt.state, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		die(USAGE, "cannot open %s: %m; it is made by iddr-truth run --state", opt.state);
	size = st.st_size;
	if (size < sizeof(*state))
		die(USAGE, "%s is no state of iddr-truth", opt.state);
	state_map(fd, size);
	if (state->magic != STATE_MAGIC || !state->blocks || !state->block_bytes ||
	    state->block_bytes % SECTOR || state->block_bytes > BLOCK_MAX ||
	    state->offset % SECTOR ||
	    (size - sizeof(*state)) / sizeof(*block) != state->blocks)
		die(USAGE, "%s is no state of iddr-truth", opt.state);
	for (i = 0; i < state->blocks; i++)
		if (block[i].durable > block[i].acked || block[i].acked > block[i].begun ||
		    block[i].seen > block[i].begun)
			die(USAGE, "%s is damaged at block %llu", opt.state,
			    (unsigned long long)i);
	if (!state->filled)
		die(USAGE, "the run of %s ended before it had filled its region; nothing is known",
		    opt.state);
	if (state->offset > device_bytes ||
	    (device_bytes - state->offset) / state->block_bytes < state->blocks)
		die(USAGE, "%s has %llu bytes, too few for the region of %s", opt.device,
		    (unsigned long long)device_bytes, opt.state);
	opt.volatile_cache = state->volatile_cache;
	if (opt.max_blocks > BLOCK_MAX / state->block_bytes)
		opt.max_blocks = BLOCK_MAX / state->block_bytes;
}

static struct worker *workers_make(void)
{
	struct worker *worker = allocate(opt.depth, sizeof(*worker));
	u64 bytes = opt.max_blocks * state->block_bytes, i;

	if (bytes < CHUNK)
		bytes = CHUNK;
	if (bytes < state->block_bytes)
		bytes = state->block_bytes;
	for (i = 0; i < opt.depth; i++) {
		worker[i].buffer = aligned_alloc(4096, (bytes + 4095) & ~4095ULL);
		if (!worker[i].buffer)
			die(USAGE, "no memory for the requests; use a smaller --depth");
		worker[i].oldest = allocate(bytes / state->block_bytes, sizeof(u32));
		worker[i].newest = allocate(bytes / state->block_bytes, sizeof(u32));
	}
	return worker;
}

static void put(const char *name, u64 value)
{
	printf("%s\t%llu\n", name, (unsigned long long)value);
}

/* Say what was found. Return: the exit status. */
static enum status conclude(bool verify, u64 load_end_ns, u64 realtime_ns)
{
	u64 violations = 0;
	int i;

	if (!verify) {
		put("load_ms", (load_end_ns - load_ns) / NS_PER_MS);
		put("slowest_ms", slowest_ns / NS_PER_MS);
		put("gap_ms", gap_ns / NS_PER_MS);
		put("gap_start_ms", gap_at_ns / NS_PER_MS);
		put("gap_ended", !gap_open);
		if (opt.timeline)
			timeline_write(load_end_ns, realtime_ns);
	}
	for (i = 0; i < COUNTERS; i++) {
		put(counter_name[i], count[i]);
		if (i >= LOST)
			violations += count[i];
	}
	put("violations", violations);
	if (fflush(stdout))
		die(USAGE, "cannot write the result: %m");
	if (violations > opt.report)
		fprintf(stderr, "iddr-truth: and %llu more\n",
			(unsigned long long)(violations - opt.report));
	if (violations)
		return VIOLATION;
	if (count[VERIFIED] != state->blocks) {
		fprintf(stderr, "iddr-truth: error: only %llu of %llu blocks were verified; the state has what was known\n",
			(unsigned long long)count[VERIFIED],
			(unsigned long long)state->blocks);
		return DEVICE;
	}
	if (!opt.expect_errors &&
	    count[WRITES_FAILED] + count[READS_FAILED] + count[FLUSHES_FAILED]) {
		fputs("iddr-truth: error: the device failed requests; --expect-errors if it may\n",
		      stderr);
		return DEVICE;
	}
	return OK;
}

int main(int argc, char **argv)
{
	u64 bytes, load_end_ns = 0, realtime_ns = 0;
	struct worker *worker;
	enum status status;
	sigset_t signals;
	bool verify, all;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		fputs(help_text, stdout);
		return OK;
	}
	if (argc < 2 || (strcmp(argv[1], "run") && strcmp(argv[1], "verify")))
		die(USAGE, "use iddr-truth run or iddr-truth verify; iddr-truth --help explains them");
	verify = !strcmp(argv[1], "verify");
	opt.seed = now_ns();
	options_parse(argc - 1, argv + 1, verify);
	bytes = device_open(verify);
	if (verify || opt.resume)
		state_open(bytes);
	else
		state_create(bytes);
	random_state = mix(opt.seed);
	writing = allocate(state->blocks, sizeof(*writing));
	worker = workers_make();
	/* They come when phase() waits for them. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	if (!state->filled) {
		all = phase(worker, fill_work, 0);
		if (!all || stop || fdatasync(device)) {
			fprintf(stderr, "iddr-truth: error: %s could not be filled; there is nothing to verify\n",
				opt.device);
			_exit(DEVICE);
		}
		state->filled = true;
	}
	printf("run\t%016llx\n", (unsigned long long)state->run);
	put("blocks", state->blocks);
	put("block_bytes", state->block_bytes);
	if (verify) {
		all = true;
	} else {
		load_ns = now_ns();
		realtime_ns = clock_ns(CLOCK_REALTIME);
		completed_ns = load_ns;
		put("seed", opt.seed);
		put("monotonic_ns", load_ns);
		put("realtime_ns", realtime_ns);
		fflush(stdout);
		loading = true;
		all = phase(worker, load_work, opt.seconds * 1000000000ULL);
		pthread_mutex_lock(&lock);
		loading = !all;
		load_end_ns = now_ns();
		if (load_end_ns - completed_ns > gap_ns) {
			gap_ns = load_end_ns - completed_ns;
			gap_at_ns = completed_ns - load_ns;
			gap_open = true;
		}
		pthread_mutex_unlock(&lock);
	}
	if (all)
		phase(worker, verify_work, 0);
	pthread_mutex_lock(&lock);
	status = conclude(verify, load_end_ns, realtime_ns);
	/* Not exit(): a request that was given up may still use anything. */
	_exit(status);
}
