// SPDX-License-Identifier: GPL-2.0
/*
 * iddr-snap: what a measured cell must know of the domain that it runs in.
 *
 *   iddr-snap                  print a snapshot: lines "NAME<TAB>VALUE" of the
 *                              context switches, the interrupts of event
 *                              channels and of passed through devices, and
 *                              the counters of every disk that has an end
 *                              in this domain
 *   iddr-snap mark WHAT        in /run/iddr/cell, for the cell whose name is in
 *                              the file "id": put a snapshot into the file WHAT
 *                              and write "WHAT.ID" to data/iddr/phase in
 *                              xenstore. WHAT is prep, begin or end. fio runs
 *                              this around its I/O; of several jobs the first
 *                              begin and the last end count.
 *   iddr-snap watch KEY...     take a snapshot whenever a phase key changes (the
 *                              keys may be another domain's), and print those of
 *                              a cell once it has ended, with what the kernel
 *                              logged meanwhile
 *
 * A program, not a script: under emulation a shell needs half a second for this,
 * four times in a cell of three seconds, and the watcher must be quick because
 * the cell does not wait for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

#define CELL_DIR	"/run/iddr/cell"
#define KERNEL_LOG	"/run/iddr/kmsg"	/* cell-prepare lets dmesg append to it */
#define PHASE		"data/iddr/phase"
#define ID_MAX		32

/* Report an error and leave. */
static void fail(const char *what, const char *object)
{
	fprintf(stderr, "iddr-snap: error: cannot %s %s: %s\n", what, object,
		strerror(errno));
	exit(1);
}

/* The first line of a file without its end, or NULL; valid until the next call. */
static char *first_line(const char *path)
{
	static char line[512];
	FILE *f = fopen(path, "r");
	bool got;

	if (!f)
		return NULL;
	got = fgets(line, sizeof(line), f);
	fclose(f);
	if (!got)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* Call FN for each file that PATTERN matches. */
static void each(const char *pattern, void (*fn)(FILE *out, const char *path),
		 FILE *out)
{
	glob_t g;
	size_t i;

	if (!glob(pattern, 0, NULL, &g))
		for (i = 0; i < g.gl_pathc; i++)
			fn(out, g.gl_pathv[i]);
	globfree(&g);
}

/* /sys/block/xvda/stat */
static void put_disk(FILE *out, const char *path)
{
	const char *name = path + strlen("/sys/block/");
	char *line = first_line(path);

	if (line)
		fprintf(out, "disk/%.*s/stat\t%s\n", (int)strcspn(name, "/"),
			name, line);
}

/* /sys/block/xvda/iddr/queue0/requests -> front/xvda/queue0/requests */
static void put_front(FILE *out, const char *path)
{
	const char *name = path + strlen("/sys/block/");
	const char *queue = strstr(name, "/iddr/") + strlen("/iddr/");
	char *line = first_line(path);

	if (line)
		fprintf(out, "front/%.*s/%s\t%s\n", (int)strcspn(name, "/"),
			name, queue, line);
}

/*
 * /sys/bus/xen-backend/devices/vbd-2-51712/iddr/queue0/requests
 * -> back/51712/queue0/requests; .../statistics/rd_req -> back/51728/rd_req
 */
static void put_back(FILE *out, const char *path)
{
	const char *name = path + strlen("/sys/bus/xen-backend/devices/vbd-");
	const char *devid = strchr(name, '-') + 1;
	const char *leaf = strchr(devid, '/');
	char *line = first_line(path);

	if (!strncmp(leaf, "/iddr/", strlen("/iddr/")))
		leaf += strlen("/iddr/");
	else
		leaf += strlen("/statistics/");
	if (line)
		fprintf(out, "back/%.*s/%s\t%s\n", (int)strcspn(devid, "/"),
			devid, leaf, line);
}

/*
 * "  42:  1234  5  xen-dyn  -event  vbd-51712", "  43:  17  5  xen-pirq  -msi-x  nvme0q1":
 * a number a vCPU, and a name.
 */
static void put_interrupt(FILE *out, char *line)
{
	char *save, *word, *name = NULL, *number = strtok_r(line, " \n", &save);
	unsigned long long sum = 0;
	bool counting = true;

	while ((word = strtok_r(NULL, " \n", &save))) {
		if (counting && word[strspn(word, "0123456789")] == '\0')
			sum += strtoull(word, NULL, 10);
		else
			counting = false;
		name = word;
	}
	if (number && name)
		fprintf(out, "irq/%.*s/%s\t%llu\n", (int)strcspn(number, ":"),
			number, name, sum);
}

/* Print a snapshot. */
static void snapshot(FILE *out)
{
	char line[4096];
	struct timespec ts;
	FILE *f;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	fprintf(out, "time\t%lld.%06ld\n", (long long)ts.tv_sec,
		ts.tv_nsec / 1000);
	f = fopen("/proc/stat", "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "ctxt ", 5))
			fprintf(out, "ctxt\t%s", line + 5);
	if (f)
		fclose(f);
	f = fopen("/proc/interrupts", "r");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "xen-dyn") || strstr(line, "xen-pirq"))
			put_interrupt(out, line);
	if (f)
		fclose(f);
	each("/sys/block/xvd*/stat", put_disk, out);
	each("/sys/block/xvd*/iddr/queue*/*", put_front, out);
	each("/sys/bus/xen-backend/devices/vbd-*/statistics/*_req", put_back, out);
	each("/sys/bus/xen-backend/devices/vbd-*/iddr/queue*/*", put_back, out);
}

/* Put a snapshot into a file. */
static void snapshot_file(const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f)
		fail("write", path);
	snapshot(f);
	if (fclose(f))
		fail("write", path);
}

/* Tell the other domains where this cell is. */
static void tell(const char *what, const char *id)
{
	struct xs_handle *xs = xs_open(0);
	char value[16 + ID_MAX];
	int len;

	if (!xs)
		fail("open", "xenstore");
	len = snprintf(value, sizeof(value), "%s.%s", what, id);
	if (!xs_write(xs, XBT_NULL, PHASE, value, len))
		fail("write to xenstore's", PHASE);
	xs_close(xs);
}

/* mark WHAT: see above. */
static int mark(const char *what)
{
	char id[ID_MAX + 1], file[64], *line;
	int fd;

	if (strcmp(what, "prep") && strcmp(what, "begin") && strcmp(what, "end")) {
		fputs("usage: iddr-snap mark prep|begin|end\n", stderr);
		return 2;
	}
	if (chdir(CELL_DIR))
		fail("enter", CELL_DIR);
	line = first_line("id");
	if (!line || strlen(line) > ID_MAX)
		fail("read", CELL_DIR "/id");
	strcpy(id, line);

	if (!strcmp(what, "end")) {
		/* The last one counts; they may come at the same time. */
		snprintf(file, sizeof(file), "end.%d", (int)getpid());
		snapshot_file(file);
		if (rename(file, "end"))
			fail("write", CELL_DIR "/end");
		tell(what, id);
		return 0;
	}
	if (!strcmp(what, "begin")) {
		snprintf(file, sizeof(file), "begun.%s", id);
		fd = open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
		if (fd < 0 && errno == EEXIST)
			return 0;
		if (fd < 0)
			fail("write", file);
		close(fd);
	}
	tell(what, id);
	snapshot_file(what);
	return 0;
}

/* Print and forget what the kernel has logged since the last time. */
static void kernel_news(void)
{
	char buf[4096];
	ssize_t n;
	int fd = open(KERNEL_LOG, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, n, stdout);
	if (lseek(fd, 0, SEEK_CUR) > 0 && ftruncate(fd, 0))
		fail("empty", KERNEL_LOG);
	close(fd);
}

/* watch KEY...: see above. */
static int watch(char **keys, int n)
{
	struct xs_handle *xs = xs_open(0);
	char *text = NULL;
	size_t size = 0;
	FILE *out = NULL;
	int i;

	if (!xs)
		fail("open", "xenstore");
	for (i = 0; i < n; i++)
		if (!xs_watch(xs, keys[i], keys[i]))
			fail("watch", keys[i]);
	for (;;) {
		char *now = NULL, *value, *dot, **event;
		size_t now_size = 0;
		unsigned int num, len;
		FILE *snap;

		event = xs_read_watch(xs, &num);
		if (!event)
			fail("watch", "xenstore");
		/* The snapshot first: the cell does not wait for us. */
		snap = open_memstream(&now, &now_size);
		if (!snap)
			fail("make", "a snapshot");
		snapshot(snap);
		fclose(snap);
		value = xs_read(xs, XBT_NULL, event[XS_WATCH_TOKEN], &len);
		free(event);
		dot = value ? strchr(value, '.') : NULL;
		/* Another domain wrote it: take nothing but a plain word. */
		if (dot && dot[1] && strlen(dot + 1) <= ID_MAX &&
		    !dot[1 + strspn(dot + 1, "0123456789abcdefghijklmnopqrstuvwxyz-")] &&
		    (!strncmp(value, "prep.", 5) || !strncmp(value, "begin.", 6) ||
		     !strncmp(value, "end.", 4))) {
			*dot++ = '\0';
			if (!strcmp(value, "prep") && out) {
				fclose(out);
				free(text);
				out = NULL;
			}
			if (!out)
				out = open_memstream(&text, &size);
			if (!out)
				fail("keep", "a snapshot");
			fprintf(out, "@ %s %s\n%s", value, dot, now);
			if (!strcmp(value, "end")) {
				fclose(out);
				out = NULL;
				printf("%s@ kernel\n", text);
				free(text);
				kernel_news();
				printf("\n@ done %s\n", dot);
				if (fflush(stdout))
					return 1;
			}
		}
		free(value);
		free(now);
	}
}

int main(int argc, char **argv)
{
	if (argc == 1) {
		snapshot(stdout);
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "mark"))
		return mark(argv[2]);
	if (argc > 2 && !strcmp(argv[1], "watch"))
		return watch(argv + 2, argc - 2);
	fputs("usage: iddr-snap | iddr-snap mark prep|begin|end | iddr-snap watch KEY...\n",
	      stderr);
	return 2;
}
