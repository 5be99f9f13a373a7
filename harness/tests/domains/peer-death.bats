#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# One domain dies under load; the other lives on and keeps nothing of it.

load lib

setup_file() {
	export MODES='event spin'
	[[ -z ${IDDR_FULL:-} ]] || MODES+=' hybrid adaptive'
}

# again DOM: create a domain that was destroyed. (The verb up would boot all of the testbed anew.)
again() {
	bash -c '. "$IDDR_TOP/harness/lib/common.sh"
		for lib in packages sysroot image build testbed; do
			. "$IDDR_TOP/harness/lib/$lib.sh"
		done
		domain_create "$1"
		domain_wait "$1"' again "$1" 3>&-
}

setup() {
	# Whatever has become of the test before.
	"$IDDR" up 3>&-
}

teardown_file() {
	# The next file needs both domains.
	"$IDDR" up 3>&-
}

# load_in_background: writes to the disk until they fail; returns once it runs.
load_in_background() {
	app 'rm -f /tmp/load
	     read -r before </sys/block/$1/iddr/queue0/requests
	     (while fio --allow_file_create=0 --name=l --filename=/dev/$1 --ioengine=libaio --direct=1 \
			--rw=randwrite --bs=4k --size=16m --iodepth=16 >/tmp/load.out 2>&1; do :; done
	      echo failed >/tmp/load) </dev/null >/dev/null 2>&1 &
	     for ((i = 0; i < 300; i++)); do
		read -r now </sys/block/$1/iddr/queue0/requests
		((now < before + 30)) || exit 0
		sleep 0.1
	     done
	     exit 1' "$DISK"
}

@test "the application domain is destroyed under load, both ends asleep or spinning (full: in every mode); the storage domain lets go of all it had" {
	local mode log d
	for mode in $MODES; do
		echo "mode $mode"
		attach "$DISK" /dev/ram0
		forget_kernel_logs
		set_modes "$mode" "$mode"
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
			 rmmod iddr_back && insmod /iddr/modules/iddr_back.ko
			 dd if=/dev/ram0 of=/dev/null bs=64k count=16 iflag=direct status=none'
		for d in storage dom0; do
			log=$(kernel_log "$d")
			[[ -z $log ]] || { printf 'kernel log of %s:\n%s\n' "$d" "$log"; return 1; }
		done
		again app
	done
}

@test "the storage domain is destroyed under load, both ends asleep or spinning (full: in every mode); the application gets errors and its kernel lives on" {
	local mode log
	for mode in $MODES; do
		echo "mode $mode"
		attach "$DISK" /dev/ram0
		forget_kernel_logs
		set_modes "$mode" "$mode"
		load_in_background
		dom0 'xl destroy iddr-storage'
		app 'for ((i = 0; i < 300; i++)); do
			[[ ! -e /tmp/load ]] || break
			sleep 0.1
		     done
		     [[ $(</tmp/load) == failed ]]
		     for ((i = 0; i < 100; i++)); do
			[[ -e /sys/block/$1 ]] || break
			sleep 0.1
		     done
		     [[ ! -e /sys/block/$1 ]]
		     [[ $(cat /proc/[0-9]*/comm 2>/dev/null || true) != *iddrf/* ]]
		     # What the dead domain had mapped comes back once Xen has forgotten it.
		     for ((i = 0; i < 300; i++)); do
			(($(</sys/module/iddr_comm/parameters/quarantined_pages))) || exit 0
			sleep 0.1
		     done
		     exit 1' "$DISK"
		log=$(kernel_log app | grep -Ev 'back end of xvdd is gone|I/O error, dev xvdd|Buffer I/O error on dev xvdd|callbacks suppressed') || true
		[[ -z $log ]] || { echo "$log"; return 1; }
		log=$(kernel_log dom0)
		[[ -z $log ]] || { echo "$log"; return 1; }
		dom0 'xl block-detach iddr-app "$1" || xl block-detach iddr-app "$1" --force' "$DISK"
		again storage
	done
}
