/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the pure code needs of its surroundings: the kernel's own headers, or a
 * stand-in for user-space tests (modules/test/).
 */
#ifndef IDDR_SHIM_H
#define IDDR_SHIM_H

#ifdef __KERNEL__

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>

#else

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define S64_MAX			INT64_MAX
#define U64_MAX			UINT64_MAX

#define fallthrough		__attribute__((__fallthrough__))

/* Relaxed atomics, so that ThreadSanitizer knows these accesses for what they
 * are; the ordering comes from the fences, as in the kernel.
 */
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define virt_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define virt_rmb()		__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define virt_wmb()		__atomic_thread_fence(__ATOMIC_RELEASE)

#endif
#endif /* IDDR_SHIM_H */
