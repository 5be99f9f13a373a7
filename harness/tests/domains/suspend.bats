#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The application domain is saved and restored, or only copied, with I/O in flight: the application sees only delay.

load lib

setup_file() {
	forget_kernel_logs
}

setup() {
	provoked="back end of $DISK is gone: it is parked"
}

teardown() {
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || detach "$DISK" || true
	kernel_logs_clean "$provoked"
}

# went_on N: it is served again, for the Nth time, and does I/O.
went_on() {
	app 'cd /sys/block/$1/iddr
	     for ((i = 0; i < 300; i++)); do
		if [[ $(<state) == connected ]] && (($(<recoveries) == $2)); then
			read -r from <queue0/responses
			for ((i = 0; i < 300 && $(<queue0/responses) < from + 100; i++)); do sleep 0.1; done
			(($(<queue0/responses) >= from + 100))
			exit
		fi
		sleep 0.1
	     done
	     echo "$(<state), $(<recoveries) recoveries"; exit 1' "$DISK" "$1"
}

# copied: a copy of the application domain is taken, which itself goes on.
copied() {
	dom0 'xl save -c iddr-app /dev/null'
}

@test "a copy is taken of the application domain, again and again and in each mode: its disk goes on with a new connection" {
	local mode n=0
	attach "$DISK" /dev/ram0
	background_load "$DISK"
	for mode in event spin hybrid adaptive; do
		set_modes "$mode" "$mode"
		copied
		went_on $((++n))
	done
	load_was_good
	detach "$DISK"
}

@test "a copy is taken where the policy is to fail, and of a disk without identity: neither fails" {
	on_back_end_loss fail
	attach "$DISK" /dev/ram0
	on_back_end_loss wait
	background_load "$DISK"
	copied
	went_on 1
	load_was_good
	app '[[ $(</sys/block/$1/iddr/recovery) == fail ]]' "$DISK"
	detach "$DISK"
}

@test "a copy is taken while the disk is parked: it waits on, and goes on" {
	attach "$DISK" /dev/ram0
	background_load "$DISK"
	back_end unbind
	app 'for ((i = 0; i < 100; i++)); do [[ $(</sys/block/$1/iddr/state) != parked ]] || exit 0; sleep 0.1; done; exit 1' "$DISK"
	copied
	app '[[ $(</sys/block/$1/iddr/state) == parked && ! -e /tmp/load ]]' "$DISK"
	back_end bind
	went_on 1
	load_was_good
	detach "$DISK"
}

@test "the application domain is saved, and restored from that: its disk goes on with the back end that it finds" {
	in_full 90
	local image=$BATS_TEST_TMPDIR/image
	attach "$DISK" /dev/ram0
	background_load "$DISK"
	# The vchan of the agent that runs commands there does not survive; who has it starts another one.
	app '(id=$(xenstore-read domid)
	      while [[ $(xenstore-read domid) == "$id" ]]; do sleep 0.2; done
	      exec iddr-agent serve --vchan 8) </dev/null >/dev/null 2>&1 &'
	# There is no room for the image in dom0. It has our agents' frames in it, which would be taken for such on its way: other bytes do not.
	aside dom0 'rm -f /tmp/image; mkfifo /tmp/image
		    xl save iddr-app /tmp/image >/tmp/xl.log 2>&1 & tr "\0-\377" "\1-\377\0" </tmp/image; wait $! || { cat /tmp/xl.log >&2; exit 1; }' >"$image"
	run ! dom0 'xl domid iddr-app'
	dom dom0 bash -euo pipefail -c 'xl restore /tmp/image </dev/null >/tmp/xl.log 2>&1 & tr "\1-\377\0" "\0-\377" >/tmp/image; wait $! || { cat /tmp/xl.log >&2; exit 1; }' <"$image"
	# Until the other agent serves.
	for _ in {1..30}; do
		! dom app true </dev/null 2>/dev/null || break
		sleep 1
	done
	went_on 1
	load_was_good
	detach "$DISK"
}
