/* SPDX-License-Identifier: GPL-2.0 */
/* iddr-xenstore.h: what iddr-xl.c adds to iddr-xenstore. */
#ifndef IDDR_XENSTORE_H
#define IDDR_XENSTORE_H

#include <xenstore.h>

/* A command takes MIN to MAX arguments; RUN returns 0, an errno, or what is below 0: the toolstack's own error, which it has said. */
struct command {
	const char *name;
	int min, max;
	int (*run)(int argc, char **argv);
};

/* The toolstack's, up to one without a name, and what to do before the first: 0, or below it. Null where they are not linked in. */
extern const struct command xl_commands[] __attribute__((weak));
int xl_init(void) __attribute__((weak));
/* And what to do after the last. */
void xl_end(void) __attribute__((weak));

extern struct xs_handle *xs;

/* Do BODY in a transaction, anew if others get in the way: 0, or an errno, BODY's own too. */
int in_transaction(int (*body)(xs_transaction_t t, int argc, char **argv), int argc, char **argv);

/* Print a value in answer to a command. */
void say_value(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
