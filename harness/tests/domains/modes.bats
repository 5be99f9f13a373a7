#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# Event channel and spinning, each side for itself, and changes under load.

load lib

setup_file() {
	open_sessions
	attach "$DISK" /dev/ram0
	forget_kernel_logs
}

teardown_file() {
	let_go "$DISK"
	close_sessions
}

teardown() {
	app 'touch /tmp/stop'
	# Those that a test which failed has set.
	[[ -n ${BATS_TEST_COMPLETED:-} || ! -s $BATS_FILE_TMPDIR/watchdogs.storage ]] || watchdogs_reset || true
	set_modes event event
	kernel_logs_clean
}

# counters: front's and back's, as "NAME VALUE" with the side before the name.
counters() {
	app 'cd /sys/block/$1/iddr/queue0 && for f in *; do echo "front_$f $(<$f)"; done' "$DISK"
	storage 'cd /sys/bus/xen-backend/devices/vbd-*-$1/iddr/queue0 && for f in *; do echo "back_$f $(<$f)"; done' "$DEVID"
}

# load_and_count FRONT BACK: set the modes, write and verify; leaves the
# counters' growth in the associative array delta.
load_and_count() {
	local name value
	declare -gA delta=()
	set_modes "$1" "$2"
	while read -r name value; do
		delta[$name]=$value
	done < <(counters)
	verify_load --bs=4k --size=2m --iodepth=8
	while read -r name value; do
		[[ $name == *_mode ]] || delta[$name]=$((value - delta[$name]))
	done < <(counters)
	((delta[front_requests] >= 1024))
	((delta[front_requests] == delta[back_requests]))
	((delta[front_responses] == delta[front_requests]))
	((delta[back_responses] == delta[front_requests]))
}

@test "event/event: data is right, both sides notify and are notified" {
	load_and_count event event
	((delta[front_notify_sent] > 0 && delta[back_notify_sent] > 0))
	((delta[front_notify_received] > 0 && delta[back_notify_received] > 0))
	((delta[front_spin_iterations] == 0 && delta[back_spin_iterations] == 0))
	((delta[back_sleeps] > 0 && delta[back_wakeups] > 0))
}

@test "event/spin: data is right, the front end sends no notifications" {
	load_and_count event spin
	# One may be on its way when the back end disarms.
	((delta[front_notify_sent] <= 1 && delta[back_notify_received] <= 1))
	((delta[back_notify_sent] > 0))
	((delta[back_spin_iterations] > 0 && delta[front_spin_iterations] == 0))
}

@test "spin/event: data is right, the back end sends no notifications" {
	load_and_count spin event
	((delta[back_notify_sent] <= 1 && delta[front_notify_received] <= 1))
	((delta[front_notify_sent] > 0))
	((delta[front_spin_iterations] > 0 && delta[back_spin_iterations] == 0))
}

@test "spin/spin: data is right, and no notification is sent at all" {
	load_and_count spin spin
	((delta[front_notify_sent] + delta[back_notify_sent] <= 2))
	((delta[front_notify_suppressed] >= 1024))
	((delta[back_spin_iterations] > 0 && delta[front_spin_iterations] > 0))
	((delta[back_sleeps] == 0))
}

@test "modes change, each to each, 36 times on each side (full: 600) under verified load" {
	local rounds=3 requests
	[[ -z ${IDDR_FULL:-} ]] || rounds=50
	background_load "$DISK"
	requests=$(counter front requests 0)
	aside storage 'cd /sys/bus/xen-backend/devices/vbd-*-$1/iddr
		 for ((i = 0; i < $2; i++)); do
			for m in adaptive spin event spin hybrid event hybrid adaptive event adaptive hybrid spin; do
				echo $m >mode; [[ $(<mode) == "$m" ]]
				sleep 0.02
			done
		 done' "$DEVID" "$rounds" &
	local pid=$!
	app 'cd /sys/block/$1/iddr
	     for ((i = 0; i < $2; i++)); do
		for m in adaptive spin event spin hybrid event hybrid adaptive event adaptive hybrid spin; do
			echo $m >queue0/mode; [[ $(<mode) == "$m" ]]
			sleep 0.01
		done
	     done' "$DISK" "$rounds"
	wait "$pid"
	# Some while they changed.
	(($(counter front requests 0) > requests + 100))
	# It would hang if a wake-up were lost.
	load_was_good
}

# A script for either domain: how soon, in seconds, its kernel complains of a CPU that lets nothing else run (twice the
# watchdog's threshold; RCU), of a task that RCU waits for (jiffies), and of one that hangs. Prints what was before.
WATCHDOGS='
	files="/proc/sys/kernel/watchdog_thresh /sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
		/sys/module/rcupdate/parameters/rcu_task_stall_timeout /proc/sys/kernel/hung_task_timeout_secs"
	[[ $(</proc/sys/kernel/soft_watchdog) == 1 ]]
	cat $files | tr "\n" " "
	for f in $files; do
		echo "$1" >"$f"
		shift
	done'

# watchdogs_reset: as they were.
watchdogs_reset() {
	local d
	for d in app storage; do
		# shellcheck disable=SC2046 # words
		script_in "$d" "$WATCHDOGS" $(<"$BATS_FILE_TMPDIR/watchdogs.$d") >/dev/null
		rm "$BATS_FILE_TMPDIR/watchdogs.$d"
	done
}

@test "25 s of spinning on one vCPU, with and without I/O and beside a busy process, raise no lockup or stall" {
	local pid d
	set_modes spin spin
	# The storage domain has one vCPU.
	[[ $(storage 'nproc') == 1 ]]
	for d in app storage; do
		script_in "$d" "$WATCHDOGS" 7 14 3500 14 >"$BATS_FILE_TMPDIR/watchdogs.$d"
	done
	# A process beside the spinner must get its share, and the kernel's watchdogs stay quiet (teardown looks).
	aside storage 'end=$((SECONDS + 8)); n=0
		 while ((SECONDS < end)); do n=$((n + 1)); done
		 echo $n >/tmp/busy' &
	pid=$!
	sleep 4
	verify_load --bs=4k --size=1m --iodepth=4
	wait "$pid"
	(($(storage 'cat /tmp/busy') > 1000))
	# An ftrace user that goes waits until every task has let go of the CPU of its own accord.
	storage 'cd /sys/kernel/tracing
		 mkdir instances/quiet
		 echo schedule >instances/quiet/set_ftrace_filter
		 echo function >instances/quiet/current_tracer
		 rm -f /tmp/quiet
		 (echo nop >instances/quiet/current_tracer && rmdir instances/quiet && echo yes >/tmp/quiet) </dev/null >/dev/null 2>&1 &
		 for ((i = 0; i < 120; i++)); do
			[[ ! -e /tmp/quiet ]] || exit 0
			sleep 0.5
		 done
		 echo "a task does not let go of the CPU"; exit 1'
	sleep 15
	verify_load --bs=4k --size=1m --iodepth=4
	watchdogs_reset
	for d in app storage; do
		run script_in "$d" 'dmesg | grep -Ei "lockup|stall|hung|rcu:|blocked for more"'
		((status == 1))
	done
}
