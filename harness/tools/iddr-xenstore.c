// SPDX-License-Identifier: GPL-2.0
/*
 * iddr-xenstore: xenstore for a shell script, without a process for each look at it.
 *
 *   iddr-xenstore    obey the lines of standard input, until it ends
 *
 * A line is a command and its arguments, separated by tabs:
 *
 *   read PATH...               the values
 *   list PATH                  the names of what is directly below
 *   tree PATH                  of all that is below, the path and then the value
 *   write PATH VALUE [PATH VALUE]...  all of them at once
 *   rm PATH...                 one after the other, and the rest if one is not there
 *   watch PATH, unwatch PATH   begin and cease to tell of changes at and below it
 *
 * A watch may have a number after the path: of changes further below than that it does not tell.
 *
 * Each is answered by a frame: a letter, the number of bytes that follow, in
 * seven digits, and they. "=" comes if it was done, with the values, each followed by
 * the byte 31; "?" if it was not, with the reason. Before and at any other time come
 * frames "w" with the paths that changed, likewise. (A shell reads a pipe by single bytes
 * where it has to look for the end of a line.) Control characters in a value, tabs too, which
 * a peer may have chosen, are given as "?". It ends if xenstore does.
 *
 * Linked with iddr-xl.c it is iddr-xl, which has the toolstack's commands too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iddr-xenstore.h"

#define SEPARATOR	31
#define MAX_WORDS	512
#define MAX_WATCHES	64
/* A transaction that others get in the way of is tried that often. */
#define MAX_TRIES	100
/* Below a node are names of 1 byte at least, in a path of 3072 bytes at most. */
#define MAX_DEPTH	1536

struct xs_handle *xs;

/* What is watched: the path, which is the token too, and how far below it. */
static struct watch {
	char *path;
	unsigned long depth;
} watches[MAX_WATCHES];
static int nr_watches;

/* What the next frame will hold, and whether it was too much. */
static char frame[1 << 20];
static size_t frame_len;
static bool overflow;

void say_value(const char *format, ...)
{
	size_t room = sizeof(frame) - 1 - frame_len;
	va_list ap;
	int len;

	va_start(ap, format);
	len = vsnprintf(frame + frame_len, room, format, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= room) {
		overflow = true;
		return;
	}
	for (; len; len--, frame_len++) {
		unsigned char c = frame[frame_len];

		if (c < ' ')
			frame[frame_len] = '?';
	}
	frame[frame_len++] = SEPARATOR;
}

/* Write the frame, of KIND; the next one is empty. */
static void end_frame(char kind)
{
	printf("%c%07zu", kind, frame_len);
	fwrite(frame, 1, frame_len, stdout);
	fflush(stdout);
	frame_len = 0;
}

static int do_read(int argc, char **argv)
{
	char *values[MAX_WORDS];
	unsigned int len;
	int i, n, rc = 0;

	for (n = 0; n < argc; n++) {
		values[n] = xs_read(xs, XBT_NULL, argv[n], &len);
		if (!values[n]) {
			rc = errno;
			break;
		}
	}
	for (i = 0; i < n; i++) {
		if (!rc)
			say_value("%s", values[i]);
		free(values[i]);
	}
	return rc;
}

static int do_list(int argc, char **argv)
{
	unsigned int n;
	char **names;

	(void)argc;
	names = xs_directory(xs, XBT_NULL, argv[0], &n);
	if (!names)
		return errno;
	for (unsigned int i = 0; i < n; i++)
		say_value("%s", names[i]);
	free(names);
	return 0;
}

/* Print what is below PATH. A node that goes meanwhile is left out. */
static int tree(const char *path, int depth)
{
	unsigned int n, len;
	char **names;

	names = xs_directory(xs, XBT_NULL, path, &n);
	if (!names)
		return errno;
	for (unsigned int i = 0; i < n; i++) {
		char *value, *child;

		if (asprintf(&child, "%s/%s", path, names[i]) < 0)
			break;
		value = xs_read(xs, XBT_NULL, child, &len);
		if (value) {
			say_value("%s", child);
			say_value("%s", value);
			if (depth < MAX_DEPTH)
				tree(child, depth + 1);
		}
		free(value);
		free(child);
	}
	free(names);
	return 0;
}

static int do_tree(int argc, char **argv)
{
	(void)argc;
	return tree(argv[0], 0);
}

int in_transaction(int (*body)(xs_transaction_t t, int argc, char **argv), int argc, char **argv)
{
	for (int tries = 0; tries < MAX_TRIES; tries++) {
		xs_transaction_t t = xs_transaction_start(xs);
		int rc;

		if (t == XBT_NULL)
			return errno;
		rc = body(t, argc, argv);
		if (xs_transaction_end(xs, t, rc) || rc)
			return rc;
		if (errno != EAGAIN)
			return errno;
	}
	return EAGAIN;
}

static int write_all(xs_transaction_t t, int argc, char **argv)
{
	for (int i = 0; i < argc; i += 2)
		if (!xs_write(xs, t, argv[i], argv[i + 1], strlen(argv[i + 1])))
			return errno;
	return 0;
}

static int do_write(int argc, char **argv)
{
	return argc % 2 ? EINVAL : in_transaction(write_all, argc, argv);
}

static int do_rm(int argc, char **argv)
{
	int rc = 0;

	for (int i = 0; i < argc; i++)
		if (!xs_rm(xs, XBT_NULL, argv[i]))
			rc = errno;
	return rc;
}

static int do_watch(int argc, char **argv)
{
	struct watch *w;
	unsigned long depth = MAX_DEPTH;
	char *end;

	if (nr_watches == MAX_WATCHES)
		return ENOSPC;
	if (argc > 1) {
		depth = strtoul(argv[1], &end, 10);
		if (end == argv[1] || *end)
			return EINVAL;
	}
	w = &watches[nr_watches];
	w->path = strdup(argv[0]);
	if (!w->path)
		return ENOMEM;
	w->depth = depth;
	if (!xs_watch(xs, w->path, w->path)) {
		int rc = errno;

		free(w->path);
		return rc;
	}
	nr_watches++;
	return 0;
}

static int do_unwatch(int argc, char **argv)
{
	int i = 0;

	(void)argc;
	while (i < nr_watches && strcmp(watches[i].path, argv[0]))
		i++;
	if (i == nr_watches)
		return ENOENT;
	free(watches[i].path);
	watches[i] = watches[--nr_watches];
	return xs_unwatch(xs, argv[0], argv[0]) ? 0 : errno;
}

/* True if who watches TOKEN wants to know that PATH changed. */
static bool wanted(const char *token, const char *path)
{
	unsigned long depth = 0;
	size_t len = strlen(token);
	int i = 0;

	while (i < nr_watches && strcmp(watches[i].path, token))
		i++;
	if (i == nr_watches)
		return false;
	/* A watch's first event is of itself; a special one has nothing below. */
	if (!strncmp(path, token, len))
		for (path += len; *path; path++)
			depth += *path == '/';
	return depth <= watches[i].depth;
}

static const struct command own_commands[] = {
	{ "read", 1, MAX_WORDS, do_read },
	{ "list", 1, 1, do_list },
	{ "tree", 1, 1, do_tree },
	{ "write", 2, MAX_WORDS, do_write },
	{ "rm", 1, MAX_WORDS, do_rm },
	{ "watch", 1, 2, do_watch },
	{ "unwatch", 1, 1, do_unwatch },
	{ }
};

/* The command NAME, of ours or of who is linked with us. */
static const struct command *find(const char *name)
{
	const struct command *lists[] = { own_commands, xl_commands };

	for (int i = 0; i < 2; i++)
		for (const struct command *c = lists[i]; c && c->name; c++)
			if (!strcmp(c->name, name))
				return c;
	return NULL;
}

/* Obey a line. */
static void obey(char *text)
{
	const struct command *command;
	const char *reason = NULL;
	char *words[MAX_WORDS + 1];
	int n = 0, rc;

	while (n <= MAX_WORDS && text)
		words[n++] = strsep(&text, "\t");
	command = find(words[0]);
	if (!command) {
		reason = "there is no such command";
	} else if (text || n - 1 < command->min || n - 1 > command->max) {
		reason = "wrong number of arguments";
	} else {
		rc = command->run(n - 1, words + 1);
		if (rc)
			reason = rc < 0 ? "the toolstack could not do it" : strerror(rc);
	}
	if (overflow)
		reason = "too much to answer";
	overflow = false;
	if (reason) {
		frame_len = 0;
		say_value("%s", reason);
		end_frame('?');
	} else {
		end_frame('=');
	}
}

/* Write the changes that there are. */
static void tell_changes(void)
{
	char **change;

	while ((change = xs_check_watch(xs))) {
		if (wanted(change[XS_WATCH_TOKEN], change[XS_WATCH_PATH])) {
			if (frame_len + strlen(change[XS_WATCH_PATH]) + 2 > sizeof(frame))
				end_frame('w');
			say_value("%s", change[XS_WATCH_PATH]);
		}
		free(change);
	}
	if (errno != EAGAIN) {
		fprintf(stderr, "iddr-xenstore: error: the connection to xenstore has ended: %s\n", strerror(errno));
		exit(1);
	}
	if (frame_len)
		end_frame('w');
}

int main(int argc, char **argv)
{
	static char buffer[65536];
	struct pollfd fds[2];
	size_t have = 0;

	if (argc > 1) {
		fprintf(stderr, "iddr-xenstore: error: unknown argument '%s'; it takes none, and reads commands from standard input\n", argv[1]);
		return 2;
	}
	/* Who asked may have gone by the time it is answered; it is then the end of input that ends us. */
	signal(SIGPIPE, SIG_IGN);
	xs = xs_open(0);
	if (!xs) {
		fprintf(stderr, "iddr-xenstore: error: cannot reach xenstore (%s); is this a Xen domain, and xenstored running?\n", strerror(errno));
		return 1;
	}
	if (xl_init && xl_init())
		return 1;
	fds[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = xs_fileno(xs), .events = POLLIN };
	for (;;) {
		ssize_t n;
		char *end;

		if (poll(fds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			perror("iddr-xenstore: poll");
			return 1;
		}
		tell_changes();
		if (!fds[0].revents)
			continue;
		n = read(STDIN_FILENO, buffer + have, sizeof(buffer) - have);
		if (n <= 0) {
			if (xl_end)
				xl_end();
			return 0;
		}
		have += n;
		while ((end = memchr(buffer, '\n', have))) {
			*end++ = '\0';
			obey(buffer);
			/* Here a connection that is no more is noticed, too. */
			tell_changes();
			have -= end - buffer;
			memmove(buffer, end, have);
		}
		if (have == sizeof(buffer)) {
			fprintf(stderr, "iddr-xenstore: error: a line of more than %zu bytes\n", sizeof(buffer));
			return 1;
		}
	}
}
