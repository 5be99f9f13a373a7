// SPDX-License-Identifier: GPL-2.0
/*
 * iddr-replay: what a disk would hold if its power had failed.
 *
 *   iddr-replay LOG DEVICE [FLUSHES]   write to DEVICE what LOG, of the device
 *                                      mapper's log-writes, has up to its last
 *                                      flush, or to the FLUSHESth
 *
 * The kernel puts a write into the log when a flush that began after the write
 * was done is done itself; a write with FUA when it is done; so what the log has
 * up to a flush is what had to be durable then, and no more
 * (Documentation/admin-guide/device-mapper/log-writes.rst, whose format this
 * reads: a superblock, then entries, each of a sector and its data). That is so
 * where there is no FUA and one flush is in flight at a time, as on disks of our
 * back end; else the log's order may not be the device's. The log is complete once
 * its device is removed.
 *
 * Printed are, a name and a number a line: entries of the log; replayed, of which
 * writes, flushes, fua and discards. Exit status: 0; 2: not called so; 3: LOG is
 * none, or a device failed.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_MAGIC	0x6a736677736872ULL
#define LOG_VERSION	1
#define SECTOR_MIN	512
#define SECTOR_MAX	4096
#define DATA_MAX	(64U << 20)	/* more is in no request */

enum { FLUSH = 1, FUA = 2, DISCARD = 4 };	/* a mark, 8, has no sectors */

struct super {
	uint64_t magic, version, nr_entries;
	uint32_t sector_bytes;
} __attribute__((packed));

struct entry {
	uint64_t sector, nr_sectors, flags, data_bytes;
};

/* What the log has, up to where. */
struct counts {
	uint64_t entries, writes, flushes, fua, discards;
};

static int log_fd, device_fd;
static uint32_t sector_bytes;

static __attribute__((noreturn, format(printf, 2, 3)))
void die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "iddr-replay: error: ");
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	exit(status);
}

static void read_log(void *to, size_t bytes, uint64_t at)
{
	ssize_t n = pread(log_fd, to, bytes, at);

	if (n < 0)
		die(3, "cannot read the log at %" PRIu64 ": %s", at,
		    strerror(errno));
	if ((size_t)n != bytes)
		die(3, "the log ends at %" PRIu64 ", in the midst of an entry",
		    at + n);
}

static void write_device(const void *from, size_t bytes, uint64_t at)
{
	ssize_t n = pwrite(device_fd, from, bytes, at);

	if (n < 0)
		die(3, "cannot write to the device at %" PRIu64 ": %s", at,
		    strerror(errno));
	if ((size_t)n != bytes)
		die(3, "the device ends at %" PRIu64 ", before what was written",
		    at + n);
}

/*
 * Go through the entries as far as the FLUSHESth flush, and count them; if
 * REPLAY, write what they say. @flushes may be more than there are.
 */
static struct counts pass(uint64_t nr_entries, uint64_t flushes, int replay)
{
	static char zeroes[1 << 16];
	struct counts c = { 0 }, flushed = { 0 };
	uint64_t at = sector_bytes;
	struct entry e;

	while (c.entries < nr_entries && c.flushes < flushes) {
		uint64_t bytes, to, done;

		read_log(&e, sizeof(e), at);
		at += sector_bytes;
		to = le64toh(e.sector) * sector_bytes;
		if (le64toh(e.nr_sectors) > (UINT64_C(1) << 40) / sector_bytes)
			die(3, "entry %" PRIu64 " of the log is of %" PRIu64 " sectors",
			    c.entries, le64toh(e.nr_sectors));
		bytes = le64toh(e.nr_sectors) * sector_bytes;
		e.flags = le64toh(e.flags);
		c.entries++;
		if (e.flags & DISCARD) {
			c.discards++;
			/* Reads of it may return anything; this tells it from data. */
			for (done = 0; replay && done < bytes; done += sizeof(zeroes))
				write_device(zeroes, bytes - done < sizeof(zeroes) ?
					     bytes - done : sizeof(zeroes), to + done);
		} else if (bytes) {
			char *data;

			if (bytes > DATA_MAX || !(data = malloc(bytes)))
				die(3, "entry %" PRIu64 " of the log has %" PRIu64 " bytes",
				    c.entries, bytes);
			c.writes++;
			if (replay) {
				read_log(data, bytes, at);
				write_device(data, bytes, to);
			}
			free(data);
			at += bytes;
		}
		c.fua += !!(e.flags & FUA);
		c.flushes += !!(e.flags & FLUSH);
		if (e.flags & (FLUSH | FUA))
			flushed = c;
	}
	return flushed;
}

int main(int argc, char **argv)
{
	uint64_t flushes = UINT64_MAX, nr_entries;
	struct counts c;
	struct super s;
	char *end;

	if (argc < 3 || argc > 4)
		die(2, "usage: iddr-replay LOG DEVICE [FLUSHES]");
	if (argc == 4) {
		errno = 0;
		flushes = strtoull(argv[3], &end, 10);
		if (errno || *end || end == argv[3] || argv[3][0] == '-')
			die(2, "FLUSHES '%s' is no number", argv[3]);
	}
	log_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (log_fd < 0)
		die(3, "cannot open the log %s: %s", argv[1], strerror(errno));
	device_fd = open(argv[2], O_WRONLY | O_CLOEXEC);
	if (device_fd < 0)
		die(3, "cannot open %s: %s", argv[2], strerror(errno));
	read_log(&s, sizeof(s), 0);
	sector_bytes = le32toh(s.sector_bytes);
	if (le64toh(s.magic) != LOG_MAGIC || le64toh(s.version) != LOG_VERSION ||
	    sector_bytes < SECTOR_MIN || sector_bytes > SECTOR_MAX)
		die(3, "%s is no log of log-writes, version %d", argv[1], LOG_VERSION);
	nr_entries = le64toh(s.nr_entries);
	/* What comes after the last flush may be lost: first find that. */
	c = pass(nr_entries, flushes, 0);
	pass(c.entries, flushes, 1);
	if (fsync(device_fd))
		die(3, "cannot write to %s: %s", argv[2], strerror(errno));
	printf("entries\t%" PRIu64 "\nreplayed\t%" PRIu64 "\nwrites\t%" PRIu64
	       "\nflushes\t%" PRIu64 "\nfua\t%" PRIu64 "\ndiscards\t%" PRIu64 "\n",
	       nr_entries, c.entries, c.writes, c.flushes, c.fua, c.discards);
	return 0;
}
