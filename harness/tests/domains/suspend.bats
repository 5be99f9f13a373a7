#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The application domain is copied, or saved and restored, with requests in flight: the application sees only delay.

load lib

# Not libaio: a task that waits for all of its requests and is frozen has a part of them from io_getevents(), and fio 3.33 then waits for all of them
# again, of which some never come.
# shellcheck disable=SC2034 # background_load uses it
LOAD_ENGINE=io_uring

setup_file() {
	storage 'modprobe dm-mod'
	forget_kernel_logs
}

setup() {
	# The kernel's "Restarting tasks ... done." may have another line in its midst.
	provoked="$DISK: suspended with [1-8] requests not answered|\\] done\\.$"
}

teardown_file() {
	# The next file's domain is one that was booted, with the agent that was started then.
	[[ -z ${IDDR_FULL:-} ]] || { dom0 'xl destroy iddr-app'; again app; }
}

teardown() {
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || {
		# A domain whose copy nobody reads stays stopped.
		dom0 'touch /tmp/go'
		app 'touch /tmp/stop'
		held resume 2>/dev/null
		"$IDDR" detach "$DISK" --force
		held remove 2>/dev/null
	} || true
	kernel_logs_clean "$provoked"
}

# held COMMAND [ARG...]: do that with the storage domain's device of that name, whose I/O can be held up.
held() {
	storage 'dmsetup --noudevrules --noudevsync "$1" "${@:2}" held' "$@"
}

# attach_held: attach it under load.
attach_held() {
	storage 'dmsetup --noudevrules --noudevsync create held --table "0 $(blockdev --getsz /dev/ram0) linear /dev/ram0 0"
		 dmsetup mknodes held'
	attach "$DISK" /dev/mapper/held
	background_load "$DISK"
}

# detach_held: the load was good; undo attach_held.
detach_held() {
	load_was_good
	detach "$DISK"
	# The back end may still be closing it.
	storage 'for ((i = 0; i < 50; i++)); do
			! dmsetup --noudevrules --noudevsync remove held 2>/dev/null || exit 0
			sleep 0.1
		 done
		 exit 1'
}

# went_on N: it is served, for the Nth time since the first, and does I/O.
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

# copied_late: likewise, while "held" is suspended; it goes on when the domain is stopped, so that all answers wait in the ring when
# that is back.
copied_late() {
	dom0 'rm -f /tmp/copy /tmp/copied /tmp/go
	      mkfifo /tmp/copy
	      (xl save -c iddr-app /tmp/copy; echo "$?" >/tmp/copied) </dev/null >/tmp/xl.log 2>&1 &
	      (exec </tmp/copy
	       for ((i = 0; i < 600; i++)); do [[ ! -e /tmp/go ]] || break; sleep 0.1; done
	       exec cat >/dev/null) >/dev/null 2>&1 &
	      for ((i = 0; i < 300; i++)); do
		[[ ! $(xl list iddr-app) =~ \ [r-][b-][p-]s ]] || exit 0
		sleep 0.1
	      done
	      xl list; cat /tmp/xl.log; exit 1'
	held resume
	storage 'cd /sys/bus/xen-backend/devices/vbd-*-$1/iddr/queue0
		 for ((i = 0; i < 100; i++)); do
			(($(<responses) != $(<requests))) || exit 0
			sleep 0.1
		 done
		 exit 1' "$DEVID"
	dom0 'touch /tmp/go
	      for ((i = 0; i < 600; i++)); do
		[[ ! -s /tmp/copied ]] || break
		sleep 0.1
	      done
	      [[ $(</tmp/copied) == 0 ]] || { cat /tmp/xl.log; exit 1; }'
}

@test "a copy is taken while both sides spin (full: in every mode), with requests in flight that are answered meanwhile: the connection is the same as before" {
	local mode modes=(spin)
	[[ -z ${IDDR_FULL:-} ]] || modes+=(event hybrid adaptive)
	on_back_end_loss fail
	attach_held
	on_back_end_loss wait
	for mode in "${modes[@]}"; do
		set_modes "$mode" "$mode"
		held suspend --noflush --nolockfs
		copied_late
		went_on 0
	done
	# Nobody has waited for the block layer's timer to find an answer.
	app '[[ $(</sys/block/$1/iddr/queue0/timeouts) == 0 ]]' "$DISK"
	app '(($(dmesg | grep -c "$1: suspended with [1-8] requests not answered") == $2))' "$DISK" "${#modes[@]}"
	detach_held
}

@test "a copy is taken of a domain whose disk has no identity, and Xen's back end in dom0" {
	dom0 'modprobe xen-blkback
	      truncate -s 64M /dev/shm/iddr-suspend
	      xl block-attach iddr-app "format=raw,vdev=$1,access=rw,backendtype=phy,target=/dev/shm/iddr-suspend"' "$DISK"
	our_disk_is_there "$DISK"
	app '[[ -z $(</sys/block/$1/iddr/identity) ]]' "$DISK"
	background_load "$DISK"
	copied
	went_on 0
	load_was_good
	detach "$DISK"
	dom0 'rm /dev/shm/iddr-suspend'
}

@test "a copy is taken while the disk is parked: it waits on, and goes on" {
	provoked+="|back end of $DISK is gone: it is parked"
	attach_held
	back_end unbind
	app 'for ((i = 0; i < 100; i++)); do [[ $(</sys/block/$1/iddr/state) != parked ]] || exit 0; sleep 0.1; done; exit 1' "$DISK"
	copied
	app '[[ $(</sys/block/$1/iddr/state) == parked && ! -e /tmp/load ]]' "$DISK"
	back_end bind
	went_on 1
	detach_held
}

@test "the application domain is saved with requests in flight, and restored: they are issued again to the back end that it finds" {
	in_full 90
	local image=$BATS_TEST_TMPDIR/image
	provoked+="|back end of $DISK is gone: it is parked"
	attach_held
	app 'echo fail >/sys/block/$1/iddr/recovery' "$DISK"
	# The vchan of the agent that runs commands there does not survive; who has it starts another one.
	app '(id=$(xenstore-read domid)
	      while [[ $(xenstore-read domid) == "$id" ]]; do sleep 0.2; done
	      exec iddr-agent serve --vchan 8) </dev/null >/dev/null 2>&1 &'
	held suspend --noflush --nolockfs
	# Long after the domain was suspended.
	aside storage 'sleep 15; dmsetup --noudevrules --noudevsync resume held' 3>&- &
	# There is no room for the image in dom0. It has our agents' frames in it, which would be taken for such on its way: other bytes do not.
	aside dom0 'rm -f /tmp/image; mkfifo /tmp/image
		    xl save iddr-app /tmp/image >/tmp/xl.log 2>&1 & tr "\0-\377" "\1-\377\0" </tmp/image; wait $! || { cat /tmp/xl.log >&2; exit 1; }' >"$image"
	wait "$!"
	run ! dom0 'xl domid iddr-app'
	dom dom0 bash -euo pipefail -c 'xl restore /tmp/image </dev/null >/tmp/xl.log 2>&1 & tr "\1-\377\0" "\0-\377" >/tmp/image; wait $! || { cat /tmp/xl.log >&2; exit 1; }' <"$image"
	# Until the other agent serves.
	for _ in {1..30}; do
		! dom app true </dev/null 2>/dev/null || break
		sleep 1
	done
	went_on 1
	app '(($(</sys/block/$1/iddr/reissued_requests) > 0))
	     [[ $(</sys/block/$1/iddr/recovery) == fail ]]' "$DISK"
	detach_held
}
