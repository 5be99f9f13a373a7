#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# Hybrid and adaptive waiting, and polling by whoever issues the I/O.

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
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || {
		# The test with a device that is polled was broken off.
		detach xvde 2>/dev/null
		storage 'echo 0 >/sys/kernel/tracing/events/kprobes/iddr_irq/enable; echo >/sys/kernel/tracing/kprobe_events' 2>/dev/null
		no_null_blk
	} || true
	local as_it_was='cd /sys/block/$1/iddr 2>/dev/null || cd /sys/bus/xen-backend/devices/vbd-*-$2/iddr
		echo event >mode; echo 200 >budget_us; echo 0 >budget_min_us; echo 1000 >budget_max_us'
	app "$as_it_was" "$DISK" "$DEVID"
	storage "$as_it_was" "$DISK" "$DEVID"
	kernel_logs_clean
}

# budget NAME VALUE SIDE...: set one of the spin budgets.
budget() {
	local side
	for side in "${@:3}"; do
		case $side in
		front) app 'echo "$1" >/sys/block/$2/iddr/$3' "$2" "$DISK" "$1" ;;
		back) storage 'echo "$1" >/sys/bus/xen-backend/devices/vbd-*-$2/iddr/$3' "$2" "$DEVID" "$1" ;;
		esac
	done
}

# growth SIDE COUNTER SCRIPT: how much SCRIPT, run in app, adds to a counter of queue 0.
growth() {
	local before after
	before=$(counter "$1" "$2" 0)
	app "$3" "$DISK"
	after=$(counter "$1" "$2" 0)
	printf '%s\n' "$((after - before))"
}

# least_growth SIDE COUNTER SCRIPT: the least of three times: on a machine that is kept busy a gap may be longer than a budget that is longer than
# all others, and some that follow are not spun.
least_growth() {
	local least='' n
	for _ in 1 2 3; do
		n=$(growth "$@")
		((n >= ${least:-n + 1})) || least=$n
	done
	printf '%s\n' "$least"
}

# Bursts with pauses of 0.2 s, which no budget below that bridges.
PAUSED_LOAD='for i in 1 2 3 4 5 6 7 8 9 10; do dd if=/dev/$1 of=/dev/null bs=4k count=1 iflag=direct status=none; sleep 0.2; done'
# Requests one after the other.
BUSY_LOAD='dd if=/dev/$1 of=/dev/null bs=4k count=300 iflag=direct status=none'

@test "hybrid/hybrid and adaptive/adaptive: data is right" {
	local m
	for m in hybrid adaptive; do
		set_modes "$m" "$m"
		verify_loads "--bs=4k --size=2m --iodepth=8" "--bs=128k --size=4m --iodepth=4"
	done
}

@test "hybrid with a budget longer than the gaps sends next to no notifications" {
	# Of an interrupted spin the connection remembers for a while that it may not be worth it.
	detach "$DISK"
	attach "$DISK" /dev/ram0
	set_modes hybrid hybrid
	budget budget_us 1000000 front back
	# Nor does it give up spinning when it has lost the CPU.
	budget budget_max_us 1000000 front back
	app "$BUSY_LOAD" "$DISK"
	(($(least_growth front notify_sent "$BUSY_LOAD") <= 1))
	(($(least_growth back notify_sent "$BUSY_LOAD") <= 1))
	(($(least_growth back sleeps "$BUSY_LOAD") <= 2))
	(($(growth back spin_hits "$BUSY_LOAD") > 0))
}

@test "hybrid with no budget is event: it sleeps and is notified" {
	set_modes event hybrid
	budget budget_us 0 back
	(($(growth back notify_received "$PAUSED_LOAD") >= 10))
	(($(growth back spin_iterations "$PAUSED_LOAD") == 0))
}

@test "hybrid sleeps when its budget is over, and wakes for the next request" {
	set_modes event hybrid
	budget budget_us 1000 back
	(($(growth back sleeps "$PAUSED_LOAD") >= 10))
	(($(growth back spin_iterations "$PAUSED_LOAD") > 0))
}

@test "an idle disk in hybrid or adaptive spins no more" {
	local now='cd /sys/block/$1/iddr/queue0 2>/dev/null || cd /sys/bus/xen-backend/devices/vbd-*-$2/iddr/queue0
		read -r up _ </proc/uptime
		echo "$(<spin_iterations) $(<thread_cpu_ns) ${up/./}"'
	local m side
	local -a before after
	for m in hybrid adaptive; do
		set_modes "$m" "$m"
		app "$BUSY_LOAD" "$DISK"
		sleep 1
		read -ra before <<<"$(app "$now" "$DISK" "$DEVID") $(storage "$now" "$DISK" "$DEVID")"
		sleep 2
		read -ra after <<<"$(app "$now" "$DISK" "$DEVID") $(storage "$now" "$DISK" "$DEVID")"
		for side in 0 3; do
			((after[side] == before[side]))
			# Below 1 % of its vCPU; up is in hundredths of a second.
			(((after[side + 1] - before[side + 1]) * 100 < (after[side + 2] - before[side + 2]) * 10000000))
		done
	done
}

@test "spin is honest: it stays awake without I/O" {
	set_modes event spin
	local a
	a=$(counter back spin_iterations 0)
	sleep 1
	(($(counter back spin_iterations 0) > a))
	a=$(counter back sleeps 0)
	sleep 1
	(($(counter back sleeps 0) == a))
}

@test "adaptive learns to spin where gaps are short, and not where they are long" {
	set_modes event adaptive
	# No gap of the busy load is longer than this, however slow the machine.
	budget budget_max_us 100000 back
	app "$BUSY_LOAD" "$DISK"
	local ns
	ns=$(counter back budget_ns 0)
	((ns > 0))
	(($(growth back notify_received "$BUSY_LOAD") < 150))
	# No gap of 0.2 s is worth a spin of what it has learnt. Of what the short ones have earned
	# the bound leaves two such spins, which pay for the first in vain.
	ns=$(counter back budget_ns 0)
	budget budget_max_us "$((ns / 1000 + 1))" back
	app "$PAUSED_LOAD" "$DISK"
	(($(counter back budget_ns 0) <= ns / 2))
}

@test "adaptive stays within its bounds" {
	set_modes event adaptive
	budget budget_min_us 300 back
	budget budget_max_us 500 back
	app "$BUSY_LOAD" "$DISK"
	local ns
	ns=$(counter back budget_ns 0)
	((ns >= 300000 && ns <= 500000))
	app "$PAUSED_LOAD" "$DISK"
	ns=$(counter back budget_ns 0)
	((ns >= 300000 && ns <= 500000))
}

@test "wrong budgets are refused and change nothing" {
	app 'cd /sys/block/$1/iddr
	     for v in -1 x 1000001 99999999999999999999999 "" 1.5; do
		! echo "$v" >budget_us 2>/dev/null || { echo "took: $v"; exit 1; }
		[[ $(<budget_us) == 200 ]]
	     done' "$DISK"
}

@test "polled I/O (io_uring, IOPOLL) is right, is found by its issuer, and costs no upcall" {
	[[ $(app 'cat /sys/block/$1/iddr/queue1/mode' "$DISK") == poll ]]
	local rx req
	rx=$(counter front notify_received 1)
	req=$(counter front requests 1)
	app 'fio --name=v --filename=/dev/$1 --allow_file_create=0 --ioengine=io_uring --hipri=1 --direct=1 \
		--rw=randwrite --bs=4k --size=2m --iodepth=8 --verify=crc32c --verify_fatal=1 >/tmp/fio.out 2>&1 ||
		{ cat /tmp/fio.out; exit 1; }' "$DISK"
	(($(counter front requests 1) - req >= 1024))
	(($(counter front responses 1) == $(counter front requests 1)))
	(($(counter front notify_received 1) == rx))
}

@test "polled I/O against a spinning back end sends no notification at all" {
	storage 'echo spin >/sys/bus/xen-backend/devices/vbd-*-$1/iddr/queue1/mode' "$DEVID"
	local sent
	sent=$(($(counter front notify_sent 1) + $(counter back notify_sent 1)))
	app 'fio --name=v --filename=/dev/$1 --allow_file_create=0 --ioengine=io_uring --hipri=1 --direct=1 \
		--rw=randread --bs=4k --size=1m --iodepth=1 >/tmp/fio.out 2>&1 || { cat /tmp/fio.out; exit 1; }' "$DISK"
	# One may be on its way when the back end disarms.
	(($(counter front notify_sent 1) + $(counter back notify_sent 1) - sent <= 1))
}

@test "a poll queue has no other mode, and a change of all queues leaves it alone" {
	app '! echo spin >/sys/block/$1/iddr/queue1/mode 2>/tmp/err
	     grep -q "not supported" /tmp/err' "$DISK"
	set_modes spin event
	[[ $(app 'cat /sys/block/$1/iddr/queue1/mode' "$DISK") == poll ]]
	[[ $(app 'cat /sys/block/$1/iddr/queue0/mode' "$DISK") == spin ]]
}

@test "the storage domain polls its device too: a spinning back end takes no completion interrupt" {
	# null_blk's timer stands for the interrupt; its poll queue does without.
	null_blk poll_queues=1 irqmode=2 completion_nsec=20000 hw_queue_depth=16
	attach xvde /dev/nullb0
	storage 'cd /sys/kernel/tracing
		 echo "p:iddr_irq null_cmd_timer_expired" >kprobe_events
		 echo 1 >events/kprobes/iddr_irq/enable'
	local load='dd if=/dev/xvde of=/dev/null bs=4k count=50 iflag=direct status=none' event spin
	app "$load"
	event=$(storage 'awk "\$1 == \"iddr_irq\" { print \$2 }" /sys/kernel/tracing/kprobe_profile')
	storage 'echo spin >/sys/bus/xen-backend/devices/vbd-*-51776/iddr/mode'
	app "$load"
	spin=$(storage 'awk "\$1 == \"iddr_irq\" { print \$2 }" /sys/kernel/tracing/kprobe_profile')
	storage 'cd /sys/kernel/tracing
		 echo 0 >events/kprobes/iddr_irq/enable; echo >kprobe_events'
	# More, and larger ones, than the back end has room for, or the device tags.
	app 'for args in "--rw=randread" "--rw=randwrite --verify=crc32c --verify_fatal=1"; do
		fio --name=v --filename=/dev/xvde --allow_file_create=0 --ioengine=libaio --direct=1 --bs=64k --size=16m --iodepth=100 \
			$args >/tmp/fio.out 2>&1 || { cat /tmp/fio.out; exit 1; }
	     done'
	detach xvde
	no_null_blk
	((event >= 50))
	((spin == event))
}

@test "tracepoints show a request's way: request, notify, upcall, response, arm, sleep, wake; and a spin that was worth it" {
	set_modes event event
	storage 'cd /sys/kernel/tracing; echo >trace; echo 1 >events/iddr/enable; echo 1 >tracing_on'
	app 'cd /sys/kernel/tracing; echo >trace; echo 1 >events/iddr/enable; echo 1 >tracing_on
	     dd if=/dev/$1 of=/dev/null bs=4k count=3 iflag=direct status=none
	     echo 0 >events/iddr/enable
	     for e in request notify upcall response arm; do
		grep -q "iddr_$e: vbd-" trace || { echo "no iddr_$e in app"; cat trace; exit 1; }
	     done
	     (($(grep -c "iddr_response: .* front .*status=0" trace) == 3))' "$DISK"
	storage 'cd /sys/kernel/tracing; echo 0 >events/iddr/enable
	     for e in request notify upcall response arm sleep wake; do
		grep -q "iddr_$e: vbd-" trace || { echo "no iddr_$e in storage"; cat trace; exit 1; }
	     done
	     (($(grep -c "iddr_request: .* back .*bytes=4096" trace) == 3))'
	set_modes spin event
	app 'cd /sys/kernel/tracing; echo >trace; echo 1 >events/iddr/iddr_spin_hit/enable
	     before=$(</sys/block/$1/iddr/queue0/spin_hits)
	     dd if=/dev/$1 of=/dev/null bs=4k count=400 iflag=direct status=none
	     echo 0 >events/iddr/iddr_spin_hit/enable
	     n=$(grep -c "iddr_spin_hit: vbd-$2 front queue=0 " trace || true)
	     # As many as were counted, but for what came while it was turned on and off.
	     ((n > 0 && n >= $(</sys/block/$1/iddr/queue0/spin_hits) - before - 2)) || { cat trace; exit 1; }' "$DISK" "$DEVID"
}
