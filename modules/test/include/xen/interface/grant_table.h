/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stand-in for the kernel's header of this name, for user-space builds: all
 * that the block interface's own header takes from it.
 */
#ifndef IDDR_TEST_GRANT_TABLE_H
#define IDDR_TEST_GRANT_TABLE_H

#include <stdint.h>

typedef uint32_t grant_ref_t;

#endif
