/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, group "iddr" (/sys/kernel/tracing/events/iddr/). What each says is
 * documented in modules/ABI.md. They cost a patched-out jump when off.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iddr

#if !defined(IDDR_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define IDDR_TRACE_H

#include <linux/tracepoint.h>

#include "iddr_comm.h"

/* A request, at the front end when published and at the back end when taken. */
TRACE_EVENT(iddr_request,
	TP_PROTO(const struct iddr_queue *q, u64 id, u8 operation, u32 bytes),
	TP_ARGS(q, id, operation, bytes),
	TP_STRUCT__entry(
		__string(device, dev_name(&q->xdev->dev))
		__field(u64, id)
		__field(u32, bytes)
		__field(u16, queue)
		__field(u8, operation)
		__field(bool, front)
	),
	TP_fast_assign(
		__assign_str(device, dev_name(&q->xdev->dev));
		__entry->id = id;
		__entry->bytes = bytes;
		__entry->queue = q->index;
		__entry->operation = operation;
		__entry->front = q->ops->produces_requests;
	),
	TP_printk("%s %s queue=%u id=%llu operation=%u bytes=%u",
		  __get_str(device), __entry->front ? "front" : "back",
		  __entry->queue, __entry->id, __entry->operation,
		  __entry->bytes)
);

/* Its response, at the back end when written and at the front end when taken. */
TRACE_EVENT(iddr_response,
	TP_PROTO(const struct iddr_queue *q, u64 id, u8 operation, s16 status),
	TP_ARGS(q, id, operation, status),
	TP_STRUCT__entry(
		__string(device, dev_name(&q->xdev->dev))
		__field(u64, id)
		__field(u16, queue)
		__field(s16, status)
		__field(u8, operation)
		__field(bool, front)
	),
	TP_fast_assign(
		__assign_str(device, dev_name(&q->xdev->dev));
		__entry->id = id;
		__entry->queue = q->index;
		__entry->status = status;
		__entry->operation = operation;
		__entry->front = q->ops->produces_requests;
	),
	TP_printk("%s %s queue=%u id=%llu operation=%u status=%d",
		  __get_str(device), __entry->front ? "front" : "back",
		  __entry->queue, __entry->id, __entry->operation,
		  __entry->status)
);

/* An event of a queue, with one number whose meaning is the event's. */
DECLARE_EVENT_CLASS(iddr_queue_event,
	TP_PROTO(const struct iddr_queue *q, u64 value),
	TP_ARGS(q, value),
	TP_STRUCT__entry(
		__string(device, dev_name(&q->xdev->dev))
		__field(u64, value)
		__field(u16, queue)
		__field(bool, front)
	),
	TP_fast_assign(
		__assign_str(device, dev_name(&q->xdev->dev));
		__entry->value = value;
		__entry->queue = q->index;
		__entry->front = q->ops->produces_requests;
	),
	TP_printk("%s %s queue=%u value=%llu", __get_str(device),
		  __entry->front ? "front" : "back", __entry->queue,
		  __entry->value)
);

/* This side rings the peer's bell; entries published so far. */
DEFINE_EVENT(iddr_queue_event, iddr_notify,
	TP_PROTO(const struct iddr_queue *q, u64 value), TP_ARGS(q, value));
/* The peer has rung ours; entries consumed so far. */
DEFINE_EVENT(iddr_queue_event, iddr_upcall,
	TP_PROTO(const struct iddr_queue *q, u64 value), TP_ARGS(q, value));
/* A notification is asked for; 1: an entry came meanwhile, no sleep. */
DEFINE_EVENT(iddr_queue_event, iddr_arm,
	TP_PROTO(const struct iddr_queue *q, u64 value), TP_ARGS(q, value));
/* The thread falls asleep; nanoseconds since it last found nothing first. */
DEFINE_EVENT(iddr_queue_event, iddr_sleep,
	TP_PROTO(const struct iddr_queue *q, u64 value), TP_ARGS(q, value));
/* The thread is awake again; nanoseconds asleep. */
DEFINE_EVENT(iddr_queue_event, iddr_wake,
	TP_PROTO(const struct iddr_queue *q, u64 value), TP_ARGS(q, value));
/* Spinning found an entry; looks that found nothing before it. */
DEFINE_EVENT(iddr_queue_event, iddr_spin_hit,
	TP_PROTO(const struct iddr_queue *q, u64 value), TP_ARGS(q, value));

#endif /* IDDR_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE iddr_trace
#include <trace/define_trace.h>
