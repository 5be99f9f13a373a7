#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# Event channel and spinning, each side for itself, and changes under load.

load lib

setup_file() {
	attach "$DISK" /dev/ram0
}

teardown_file() {
	detach "$DISK"
}

setup() {
	forget_kernel_logs
}

teardown() {
	app 'touch /tmp/stop'
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

@test "modes change, each to each, 120 times on each side under verified load" {
	local rounds=10
	[[ -z ${IDDR_FULL:-} ]] || rounds=50
	app 'rm -f /tmp/stop /tmp/fio.*
	     (runs=0
	      until [[ -e /tmp/stop ]]; do
		fio --name=v --filename=/dev/$1 --ioengine=libaio --direct=1 --rw=randwrite --bs=4k \
			--size=2m --iodepth=16 --verify=crc32c --verify_fatal=1 >/tmp/fio.out 2>&1 ||
			{ touch /tmp/fio.failed; break; }
		runs=$((runs + 1))
	      done
	      echo $runs >/tmp/fio.runs) </dev/null >/dev/null 2>&1 &' "$DISK"
	storage 'cd /sys/bus/xen-backend/devices/vbd-*-$1/iddr
		 for ((i = 0; i < $2; i++)); do
			for m in spin event hybrid spin adaptive event adaptive hybrid event adaptive spin hybrid; do
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
	app 'touch /tmp/stop
	     for ((i = 0; i < 1200; i++)); do
		[[ ! -e /tmp/fio.runs ]] || break
		sleep 0.1
	     done
	     [[ -e /tmp/fio.runs ]] || { echo "the load hangs: a wake-up was lost"; exit 1; }
	     [[ ! -e /tmp/fio.failed ]] || { cat /tmp/fio.out; exit 1; }
	     (($(</tmp/fio.runs) >= 1))'
}

@test "60 s of spinning on one vCPU, with and without I/O and beside a busy process, raise no lockup or stall" {
	set_modes spin spin
	# The storage domain has one vCPU; a process beside the spinner must get its
	# share, and the kernel's watchdogs must stay quiet (teardown looks).
	[[ $(storage 'nproc') == 1 ]]
	storage 'end=$((SECONDS + 20)); n=0
		 while ((SECONDS < end)); do n=$((n + 1)); done
		 echo $n >/tmp/busy' &
	local pid=$!
	sleep 10
	verify_load --bs=4k --size=1m --iodepth=4
	wait "$pid"
	(($(storage 'cat /tmp/busy') > 1000))
	sleep 40
	verify_load --bs=4k --size=1m --iodepth=4
	run storage 'dmesg | grep -Ei "lockup|stall|hung|rcu:|blocked for more"'
	((status == 1))
}
