#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# One domain dies under load on several disks, each in another mode; the other lives on and keeps nothing of it.

load lib

setup_file() {
	# A disk a mode.
	export MODES='event spin'
	[[ -z ${IDDR_FULL:-} ]] || MODES+=' hybrid adaptive'
}

setup() {
	local mode letters=defg n=0
	# Whatever has become of the test before.
	"$IDDR" up 3>&-
	# recovery.bats has what else there is.
	on_back_end_loss fail
	DISKS=()
	for mode in $MODES; do
		# shellcheck disable=SC2034 # set_modes uses it
		DISK=xvd${letters:n:1} DEVID=$(((202 << 8) + (3 + n << 4)))
		attach "$DISK" /dev/ram0
		set_modes "$mode" "$mode"
		DISKS+=("$DISK")
		n=$((n + 1))
	done
	forget_kernel_logs
}

teardown_file() {
	# The next file needs both domains.
	"$IDDR" up 3>&-
	on_back_end_loss wait
}

# load_in_background: writes to each disk until they fail; returns once all are under way.
load_in_background() {
	app 'for disk; do
		rm -f /tmp/load.$disk
		(while fio --allow_file_create=0 --name=l --filename=/dev/$disk --ioengine=libaio --direct=1 \
			--rw=randwrite --bs=4k --size=16m --iodepth=16 >/tmp/load.out.$disk 2>&1; do :; done
		 echo failed >/tmp/load.$disk) </dev/null >/dev/null 2>&1 &
	     done
	     for disk; do
		for ((i = 0; i < 300; i++)); do
			read -r now </sys/block/$disk/iddr/queue0/requests
			((now < 100)) || continue 2
			sleep 0.1
		done
		echo "no load on $disk"; exit 1
	     done' "${DISKS[@]}"
}

# said_nothing DOM [REGEX]: its kernel has logged no more than lines that match.
said_nothing() {
	local log
	log=$(kernel_log "$1" | grep -Ev -- "${2:-^$}") || true
	[[ -z $log ]] || { printf 'kernel log of %s:\n%s\n' "$1" "$log"; return 1; }
}

@test "the application domain is destroyed under load on a disk asleep and one spinning (full: in every mode); the storage domain lets go of all it had" {
	load_in_background
	dom0 'xl destroy iddr-app'
	storage 'for ((i = 0; i < 100; i++)); do
			ls /sys/bus/xen-backend/devices/vbd-* >/dev/null 2>&1 || break
			sleep 0.1
		 done
		 # "! command" alone would not end a script under set -e.
		 if ls /sys/bus/xen-backend/devices/vbd-* 2>/dev/null; then exit 1; fi
		 [[ $(cat /proc/[0-9]*/comm 2>/dev/null || true) != *iddrb/* ]]
		 # Nothing of it holds the module or the device.
		 rmmod iddr_back
		 insmod /iddr/modules/iddr_back.ko
		 dd if=/dev/ram0 of=/dev/null bs=64k count=16 iflag=direct status=none'
	said_nothing storage
	said_nothing dom0
	again app
}

@test "the storage domain is destroyed under load on a disk asleep and one spinning (full: in every mode); the application gets errors and its kernel lives on" {
	load_in_background
	dom0 'xl destroy iddr-storage'
	app 'for disk; do
		for ((i = 0; i < 300; i++)); do
			[[ ! -s /tmp/load.$disk ]] || break
			sleep 0.1
		done
		[[ $(</tmp/load.$disk) == failed ]]
	     done
	     for ((i = 0; i < 100; i++)); do
		ls /sys/block/*/iddr >/dev/null 2>&1 || break
		sleep 0.1
	     done
	     if ls -d /sys/block/xvd* 2>/dev/null; then exit 1; fi
	     [[ $(cat /proc/[0-9]*/comm 2>/dev/null || true) != *iddrf/* ]]
	     # What the dead domain had mapped comes back once Xen has forgotten it.
	     for ((i = 0; i < 300; i++)); do
		(($(</sys/module/iddr_comm/parameters/quarantined_pages))) || exit 0
		sleep 0.1
	     done
	     exit 1' "${DISKS[@]}"
	said_nothing app 'back end of xvd[d-g] is gone|I/O error, dev xvd[d-g]|Buffer I/O error on dev xvd[d-g]|callbacks suppressed'
	said_nothing dom0
	dom0 'for disk; do
		xl block-detach iddr-app "$disk" || xl block-detach iddr-app "$disk" --force
	      done' "${DISKS[@]}"
	again storage
}
