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
 * Variants: FRONT: the upcall itself drains in event mode (a front end); without
 * it the thread does (a back end). Each of these is an error that has to be found:
 *
 *   NO_PRODUCER_BARRIER  P2 of the proof in iddr_ring.h left out
 *   NO_CONSUMER_BARRIER  C2 left out
 *   NO_SECOND_LOOK       armed, and not looked once more
 *   NO_EOI               the thread goes to sleep with the EOI still owed
 *   EOI_DROPPED          entering spin forgets that an EOI is owed
 *   LATE_CLEAR           "kicked" cleared after the last look, not before the first
 *   NEVER_CLEAR          "kicked" never cleared: the thread does not come to rest
 *   LEAVE_UNKICKED       the thread leaves off in the midst of draining, to change
 *                        mode, and does not remember to go on
 *   NO_LOCK              thread and upcall drain without rx_lock (FRONT)
 *   NO_HANDOVER          the upcall does not drain for want of its mode, gives the
 *                        EOI, and tells nobody (FRONT)
 *   STOP_ASLEEP          the sleeping thread is not woken to end
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

/* The consumer's own */
byte cons;
byte mode = EVENT;
byte mode_wanted = EVENT;
bool kicked;
bool eoi_owed;
bool rx_lock;
bool consuming;			/* for the assertion */
bool stop;

/* What the end of all is known by */
bool producer_done, switcher_done, kept, thread_done;

#define must_leave	(stop || mode_wanted != mode)
#define finished	(producer_done && switcher_done && kept && cons == ENTRIES)

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
		empty(prod_stores);			/* P2 */
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

inline lock()
{
#ifndef NO_LOCK
	atomic { !rx_lock -> rx_lock = true }
#else
	skip
#endif
}

inline unlock(stores)
{
#ifndef NO_LOCK
	atomic { empty(stores) -> rx_lock = false }
#else
	skip
#endif
}

/* Consume what waits. In n: whether there was any. */
inline drain()
{
	atomic { assert(!consuming); consuming = true; seen = shared_prod };
	atomic { n = (seen != cons); cons = seen; seen = 0; consuming = false }
}

/* In n: whether there is more after all. */
inline arm(stores)
{
	stores!ST_EVENT,cons + 1;			/* C1 */
#ifndef NO_CONSUMER_BARRIER
	empty(stores);					/* C2 */
#endif
#ifdef NO_SECOND_LOOK
	n = false
#else
	n = (shared_prod != cons)			/* C3 */
#endif
}

inline give_eoi()
{
	assert(in_service);
	in_service = false
}

/* The thread's: drain, spin as the mode has it, arm, look, EOI. */
inline serve()
{
#if !defined(LATE_CLEAR) && !defined(NEVER_CLEAR)
	thread_stores!ST_KICK,0;
#endif
	do
	:: lock();
	   drain();
	   unlock(thread_stores);
	   if
	   :: n && must_leave ->
		/* Goes on after that; the EOI is still owed. */
#ifndef LEAVE_UNKICKED
		thread_stores!ST_KICK,1;
#endif
		break
	   :: n && !must_leave
	   :: !n ->
		if
		:: mode == HYBRID && shared_prod != cons
		:: true ->
			lock();
			arm(thread_stores);
			unlock(thread_stores);
			if
			:: n
			:: !n ->
#ifndef NO_EOI
				if
				:: atomic { eoi_owed -> eoi_owed = false };
				   give_eoi()
				:: else
				fi;
#endif
#ifdef LATE_CLEAR
				thread_stores!ST_KICK,0;
#endif
				break
			fi
		fi
	   fi
	od
}

active proctype thread()
{
	byte seen;
	bool n;

#ifndef FRONT
	/* Requests may wait from before. */
	kicked = true;
#endif
	do
	:: stop -> break
	:: !stop && mode_wanted != mode ->
		lock();
		if
		:: mode_wanted == SPIN ->
			thread_stores!ST_EVENT,cons;	/* disarm */
			mode = SPIN;
#ifdef EOI_DROPPED
			eoi_owed = false;
#endif
		:: mode_wanted != SPIN && mode == SPIN ->
			mode = mode_wanted;
			/* Drain and arm in the new mode. */
			thread_stores!ST_KICK,1
		:: mode_wanted != SPIN && mode != SPIN ->
			mode = mode_wanted
		fi;
		unlock(thread_stores)
	:: !must_leave && mode == SPIN ->
		if
		:: shared_prod != cons ->
			lock();
			drain();
			unlock(thread_stores)
		:: must_leave
		:: finished -> break
		fi
	:: !must_leave && mode != SPIN ->
		empty(thread_stores);	/* prepare_to_wait()'s barrier */
		if
		:: kicked -> serve()
#ifndef STOP_ASLEEP
		:: !kicked && must_leave
#else
		:: !kicked && mode_wanted != mode
#endif
		:: !kicked && finished -> break
		fi
	od;
	thread_done = true
}

active proctype upcall()
{
	byte seen;
	bool n, some;

end:	do
	:: atomic { bound && pending && !in_service ->
		pending = false; in_service = true };
#ifdef FRONT
		lock();
		if
		:: mode == EVENT ->
			some = false;
			do
			:: drain();
			   if
			   :: n -> some = true
			   :: !n -> arm(upcall_stores)
			   fi;
			   if
			   :: n
			   :: !n -> some = false; break
			   :: some && n -> break	/* too much: hand over */
			   fi
			od;
			unlock(upcall_stores);
			if
			:: !some -> give_eoi(); goto next
			:: else
			fi
		:: else ->
			unlock(upcall_stores);
#ifdef NO_HANDOVER
			give_eoi();
			goto next
#endif
		fi;
#endif
		/* Thread's work, and its EOI. */
		eoi_owed = true;
		kicked = true;
next:		some = false
	od
}

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
