#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# Two virtual CPUs in the application domain: each has a queue of its own. The testbed is booted anew for it and
# for nvme.bats: they come last.

load lib

setup_file() {
	export IDDR_APP_VCPUS=2 BACKING=nvme
	"$IDDR" up 3>&-
	open_sessions
	attach "$DISK" /dev/ram0
	forget_kernel_logs
}

teardown_file() {
	detach "$DISK"
	close_sessions
	# What comes after has one again, and no NVMe.
	unset IDDR_APP_VCPUS BACKING
	[[ -z ${IDDR_FULL:-} ]] || "$IDDR" up 3>&-
}

teardown() {
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
