/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Event hold-off between a producer and a consumer that changes how it waits
 * (comm/iddr_ring.h, comm/queue.c), as Promela for the model checker Spin.
 *
 * Claims, in every interleaving: each published entry is consumed, each change
 * of mode takes effect, teardown ends. All processes but the environment end when
 * that is so, so what violates it is a deadlock ("invalid end state"), or an
 * execution without end (a non-progress cycle: no state here is progress).
 * Assertions: one consumer at a time, no EOI that is not owed.
 *
 * Memory is x86's: each processor has a store buffer, first in, first out, that
 * drains at any time; a full barrier, a lock's release and going to sleep wait
 * until it is empty. Loads are from memory (neither side loads what it stores).
 * The upcall runs on another processor than the thread, which allows more than
 * sharing one would. A spinner is blocked until there is something to see; a
 * spin with a budget may end at any time.
 *
 * Variants: FRONT: the upcall drains as well (drain_atomic); without it the thread
 * alone does. LOOK: somebody else does, too, once, at any time
 * (iddr_queue_look()). Each of these is an error that has to be found:
 *
 *   NO_PRODUCER_BARRIER  P2 of the proof in iddr_ring.h left out
 *   NO_CONSUMER_BARRIER  C2 left out
 *   NO_SECOND_LOOK       armed, and not looked once more
 *   NO_EOI               the thread goes to sleep with the EOI still owed
 *   LATE_CLEAR           "kicked" cleared after the last look, not before the first
 *   NEVER_CLEAR          "kicked" never cleared: the thread does not come to rest
 *   STOP_ASLEEP          the sleeping thread is not woken to end
 *   NO_LOCK              thread, upcall and others drain without rx_lock (FRONT)
 *   UPCALL_UNARMED       the upcall drains for a sleeping thread, and does not arm
 *                        before it gives the EOI (FRONT)
 *   NO_HANDOVER          an upcall that has not armed gives the EOI, and does not
 *                        kick the thread (FRONT)
 *   REFRESH_UNARMS       a look from outside "refreshes" an armed index (LOOK)
 */
#ifndef ENTRIES
#define ENTRIES	3
#endif
#ifndef SWITCHES
#define SWITCHES 2
#endif
#define SLOTS	2

#define EVENT	0
#define SPIN	1
#define HYBRID	2	/* adaptive is hybrid with another budget */

/* Shared memory of the two domains */
byte shared_prod;
byte shared_event = 1;		/* as a new ring's: armed */

/* Store buffers */
#define ST_EVENT 0
#define ST_KICK	1
chan prod_stores = [2] of { byte };
chan thread_stores = [2] of { byte, byte };
chan upcall_stores = [2] of { byte, byte };

/* The event channel */
bool pending;			/* rung, not delivered */
bool in_service;		/* delivered, no EOI yet: no further upcall */
bool bound = true;

/* struct iddr_queue and its rx */
byte cons;
byte rx_event = 1;		/* what shared_event was last set to */
byte mode = EVENT;
byte mode_wanted = EVENT;
bool kicked;
bool eoi_owed;
bool rx_lock;
bool watching = true;
bool stop;
bool consuming;			/* for the assertion */

/* What the end of all is known by */
bool producer_done, switcher_done, kept, thread_done;

#define must_leave	(stop || mode_wanted != mode)
#define finished	(producer_done && switcher_done && kept && cons == ENTRIES)
#define peek		(shared_prod != cons)

/* Memory: drains any store buffer at any time. */
active proctype memory()
{
	byte what, v;
end:	do
	:: atomic { prod_stores?v -> shared_prod = v }
	:: atomic { thread_stores?what,v ->
		if
		:: what == ST_EVENT -> shared_event = v
		:: what == ST_KICK -> kicked = v
		fi }
	:: atomic { upcall_stores?what,v -> shared_event = v }
	od
}

active proctype producer()
{
	byte prod, event;
	do
	:: prod == ENTRIES -> break
	:: prod < ENTRIES ->
		/* Room in the ring; or nobody is there any more. */
		if
		:: prod - cons < SLOTS
		:: thread_done -> break
		fi;
		atomic { prod++; prod_stores!prod };		/* P1 */
#ifndef NO_PRODUCER_BARRIER
		empty(prod_stores);				/* P2 */
#endif
		atomic { event = shared_event;			/* P3 */
		/* in (prod - 1, prod] */
		if
		:: event == prod -> pending = true
		:: else
		fi; event = 0 }
	od;
	producer_done = true
}

#if defined(FRONT) && !defined(NO_LOCK)
#define lock()		atomic { !rx_lock -> rx_lock = true }
#define unlock(stores)	atomic { empty(stores) -> rx_lock = false }
#else
#define lock()		skip
#define unlock(stores)	skip
#endif

/* Consume what waits. In n: whether there was any. */
inline drain()
{
	atomic { assert(!consuming); consuming = true; seen = shared_prod };
	atomic { n = (seen != cons); cons = seen; seen = 0; consuming = false }
}

/* And look once more. In n: whether there was more, which is consumed. */
inline arm(stores)
{
	atomic { rx_event = cons + 1; stores!ST_EVENT,cons + 1 };	/* C1 */
#ifndef NO_CONSUMER_BARRIER
	empty(stores);						/* C2 */
#endif
#ifdef NO_SECOND_LOOK
	n = false
#else
	if
	:: peek -> drain()					/* C3 */
	:: !peek -> n = false
	fi
#endif
}

inline give_eoi()
{
	atomic { assert(in_service); in_service = false }
}

inline clear_kicked()
{
#ifndef NEVER_CLEAR
	if
	:: kicked -> thread_stores!ST_KICK,0; empty(thread_stores)
	:: !kicked
	fi
#else
	skip
#endif
}

active proctype thread()
{
	byte seen;
	bool n;

again:	do
	:: stop -> break
	:: !stop ->
		mode = mode_wanted;

		/* iddr_queue_watch() */
		do
		::
#ifndef LATE_CLEAR
			clear_kicked();
#endif
			n = false;
			if
			:: peek -> lock(); drain(); unlock(thread_stores)
			:: !peek
			fi;
			if
			:: must_leave -> goto again
			:: !must_leave && n
			:: !must_leave && !n ->
				if
				:: mode == EVENT -> break
				:: mode == HYBRID && (peek || must_leave)
				:: mode == HYBRID -> break
				:: mode == SPIN && (peek || must_leave)
				:: mode == SPIN && finished -> goto over
				fi
			fi
		od;

		/* iddr_queue_sleep() */
		lock();
		arm(thread_stores);
		if
		:: n
		:: !n -> watching = false
		fi;
		unlock(thread_stores);
		if
		:: n -> n = false; goto again
		:: !n
		fi;
#ifndef NO_EOI
		if
		:: atomic { eoi_owed -> eoi_owed = false }; give_eoi()
		:: else
		fi;
#endif
#ifdef LATE_CLEAR
		clear_kicked();
#endif
		empty(thread_stores);	/* prepare_to_wait()'s barrier */
		if
		:: kicked
#ifndef STOP_ASLEEP
		:: !kicked && must_leave
#else
		:: !kicked && mode_wanted != mode
#endif
		:: !kicked && finished -> break
		fi;
		lock();
		watching = true;
		if
		:: rx_event == cons + 1 && mode_wanted != EVENT ->
			atomic { rx_event = cons; thread_stores!ST_EVENT,cons }
		:: else
		fi;
		unlock(thread_stores)
	od;
over:	thread_done = true
}

active proctype upcall()
{
	byte seen;
	bool n, done;

end:	do
	:: atomic { bound && pending && !in_service ->
		pending = false; in_service = true };
#ifdef FRONT
		lock();
		do
		::	drain();
			if
			:: !n && !watching && mode == EVENT ->
#ifdef UPCALL_UNARMED
				done = true
#else
				arm(upcall_stores);
				done = !n
#endif
			:: else
			fi;
			if
			:: !n -> break
			:: n
			:: n -> n = false; break	/* too much */
			fi
		od;
		unlock(upcall_stores);
#ifdef NO_HANDOVER
		done = true;
#endif
		if
		:: done -> done = false; give_eoi(); goto next
		:: else
		fi;
#endif
		/* The thread's, and so is the EOI. */
		eoi_owed = true;
		kicked = true;
next:		skip
	od
}

#ifdef LOOK
/* Say, because a request has waited for long. */
active proctype outsider()
{
	byte seen;
	bool n;

	if
	:: skip
	:: lock();
	   drain();
#ifdef REFRESH_UNARMS
	   if
	   :: rx_event == cons + 1 ->
		rx_event = cons; upcall_stores!ST_EVENT,cons
	   :: else
	   fi;
#endif
	   unlock(upcall_stores)
	fi;
	n = false
}
#endif

/* The user: any modes, at any time. */
active proctype switcher()
{
	byte left = SWITCHES;
	do
	:: left > 0 ->
		left--;
		if
		:: mode_wanted = EVENT
		:: mode_wanted = SPIN
		:: mode_wanted = HYBRID
		fi;
		(mode == mode_wanted || thread_done)
	:: left == 0 -> break
	od;
	switcher_done = true
}

/* Ends it all, at any time or never. */
active proctype teardown()
{
	if
	:: kept = true
	:: stop = true;
	   thread_done;
	   /* Unbinding waits for a running upcall: one that has not left its
	    * EOI to the thread.
	    */
	   atomic { (!in_service || eoi_owed) -> bound = false }
	fi
}
