#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# Two virtual CPUs in the application domain: each has a queue of its own. And two application domains. The testbed is booted anew
# for it and for nvme.bats: they come last.

load lib

setup_file() {
	export IDDR_APP_VCPUS=2 IDDR_APP_DOMAINS=2 BACKING=nvme
	"$IDDR" up 3>&-
	open_sessions
	attach "$DISK" /dev/ram0
	forget_kernel_logs
}

teardown_file() {
	let_go "$DISK"
	close_sessions
	# What comes after has one again, and no NVMe.
	unset IDDR_APP_VCPUS IDDR_APP_DOMAINS BACKING
	[[ -z ${IDDR_FULL:-} ]] || "$IDDR" up 3>&-
}

teardown() {
	[[ -z ${BATS_TEST_SKIPPED:-} ]] || return 0
	set_modes event event
	kernel_logs_clean
}

# load_on CPU...: verified load from each of these CPUs at once, each on its own part of the disk.
load_on() {
	local cpu jobs=()
	for cpu; do
		jobs+=("--name=cpu$cpu" "--cpus_allowed=$cpu" "--offset=$((cpu * 16))m")
	done
	app 'fio --filename=/dev/$1 --allow_file_create=0 --ioengine=libaio --direct=1 --verify=crc32c --verify_fatal=1 \
		--rw=randwrite --bs=4k --size=1m --iodepth=8 "${@:2}" >/tmp/fio.out 2>&1 || { cat /tmp/fio.out; exit 1; }' "$DISK" "${jobs[@]}"
}

# all_counters NAME: of queues 0 and 1, the front end's, then the back end's.
all_counters() {
	local q
	for q in 0 1; do counter front "$1" "$q"; done
	for q in 0 1; do counter back "$1" "$q"; done
}

# modes_of_queues FRONT0 FRONT1 BACK0 BACK1: how each end of each queue waits.
modes_of_queues() {
	app 'cd /sys/block/$1/iddr; echo "$2" >queue0/mode; echo "$3" >queue1/mode
	     [[ $(cat queue?/mode | tr "\n" " ") == "$2 $3 poll " ]]' "$DISK" "$1" "$2"
	storage 'cd /sys/bus/xen-backend/devices/vbd-*-$1/iddr; echo "$2" >queue0/mode; echo "$3" >queue1/mode
		 [[ $(<queue0/mode) == "$2" && $(<queue1/mode) == "$3" ]]' "$DEVID" "$3" "$4"
}

@test "each virtual CPU has its queue, which carries its I/O and no other's" {
	[[ $(app 'nproc') == 2 ]]
	[[ $(app 'cd /sys/block/$1/iddr; cat queue?/mode | tr "\n" " "' "$DISK") == "event event poll " ]]
	local cpu other
	local -a before after
	for cpu in 0 1; do
		other=$((1 - cpu))
		mapfile -t before < <(all_counters requests)
		load_on "$cpu"
		mapfile -t after < <(all_counters requests)
		echo "CPU $cpu: ${before[*]} -> ${after[*]}"
		((after[cpu] - before[cpu] >= 512))
		((after[2 + cpu] - before[2 + cpu] == after[cpu] - before[cpu]))
		# fio looks at the disk before it goes to its CPU.
		((after[other] - before[other] < 64))
	done
}

@test "modes are a queue's own: one that spins is not notified, the other one is" {
	local -a before after
	modes_of_queues spin event event spin
	mapfile -t before < <(all_counters notify_sent)
	load_on 0 1
	mapfile -t after < <(all_counters notify_sent)
	echo "${before[*]} -> ${after[*]}"
	# Queue 0: the front end spins, the back end is asleep; queue 1: the other way. One may be on its way.
	((after[0] > before[0] && after[2] - before[2] <= 1))
	((after[1] - before[1] <= 1 && after[3] > before[3]))
}

@test "modes of both queues change under verified load on both" {
	app 'rm -f /tmp/stop /tmp/changed
	     (cd /sys/block/$1/iddr
	      n=0
	      until [[ -e /tmp/stop ]]; do
		for m in adaptive spin event hybrid; do
			echo $m >queue$((n % 2))/mode
			sleep 0.02
			n=$((n + 1))
		done
		n=$((n + 1))
	      done
	      echo $n >/tmp/changed) </dev/null >/dev/null 2>&1 &' "$DISK"
	load_on 0 1
	app 'touch /tmp/stop
	     for ((i = 0; i < 300; i++)); do [[ ! -s /tmp/changed ]] || break; sleep 0.1; done
	     (($(</tmp/changed) >= 8))'
}

# app2_log_clean: the second application domain's kernel has nothing to complain of.
app2_log_clean() {
	local log
	log=$(dom app2 dmesg -c -l emerg,alert,crit,err,warn </dev/null | grep -Ev -- "$NOISE" || true)
	[[ -z $log ]] || { printf 'kernel log of app2:\n%s\n' "$log"; return 1; }
}

@test "two application domains load the storage domain at once: each has what it wrote; one that is destroyed leaves the other's disk alone" {
	local job in rival i
	# A disk of its own for the second, on another device: its writes must not be found on the first's.
	null_blk queue_mode=2
	"$IDDR" attach app2:xvdq /dev/nullb0 3>&-
	dom app2 dmesg -C </dev/null
	job=$(printf '%s\n' '[global]' ioengine=libaio direct=1 filename=/dev/xvdq rw=randrw bs=4k iodepth=8 size=32m time_based=1 runtime=300 '[cell]')
	mkfifo "$BATS_TEST_TMPDIR/in"
	exec {in}<>"$BATS_TEST_TMPDIR/in"
	dom app2 cell-prepare rival </dev/null
	dom app2 cell-rival xvdq spin "$job" <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/rival" 2>&1 3>&- {in}>&- &
	rival=$!
	for ((i = 0; i < 300; i++)); do
		! grep -q begun "$BATS_TEST_TMPDIR/rival" || break
		sleep 0.1
	done
	[[ $(dom app2 cat /sys/block/xvdq/iddr/mode </dev/null) == spin ]]
	load_on 0 1
	# A supervisor would attach the disks of one domain again, and not the other's.
	run dom dom0 iddr-supervise --config /boot/iddr/storage.cfg </dev/null
	[[ $status != 0 && $output == *"iddr-storage also serves iddr-app2, whose disks would be lost with it"* ]]
	# It works until its input ends, and then waits quietly.
	kill -0 "$rival"
	exec {in}>&-
	wait "$rival"
	cat "$BATS_TEST_TMPDIR/rival"
	grep -qx '@ exit 0' "$BATS_TEST_TMPDIR/rival"
	[[ $(dom app2 cat /sys/block/xvdq/iddr/mode </dev/null) == event ]]
	app2_log_clean
	dom0 'xl destroy iddr-app2'
	load_on 0 1
	storage 'for ((i = 0; i < 200; i++)); do
			[[ -n $(echo /sys/bus/xen-backend/devices/vbd-*-$1) && -e $(echo /sys/bus/xen-backend/devices/vbd-*-$1) ]] || exit 0
			sleep 0.1
		 done
		 echo "its back end is still there"; exit 1' "$(((1 << 28) + (16 << 8)))"
	no_null_blk
}
