#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# A driver that fails in its own path, and the supervisor that notices and has another storage domain serve the
# disk, booted anew or a standby: the load, which knows what the disk must hold, sees nothing but delay. The testbed is
# booted anew for it.

load lib
load supervise

setup_file() {
	# FUNCTION is one of its driver's that each request passes.
	# And whether the device can be stopped, which is an incident more.
	export BACKING=${BACKING:-file} STANDBY=1 OTHER=xvde FUNCTION=blkif_queue_rq TARGET=/dev/xvdb STOPPED=1
	[[ $BACKING != nvme ]] || FUNCTION=nvme_setup_cmd TARGET=/dev/nvme0n1 STOPPED=0
	"$IDDR" up 3>&-
	attach "$DISK" "$TARGET"
	dom app fault-load start truth "$DISK" </dev/null
	forget_kernel_logs
	# As on a Xen that iddr-xl is not made for: it is not there.
	dom0 'mkdir /run/tools; ln -s /iddr/bin/iddr-agent /iddr/bin/iddr-xenstore /run/tools'
	supervisor dom dom0 iddr-supervise --config /boot/iddr/storage.cfg --tools /run/tools
}

teardown_file() {
	supervisor_ends
	# The next file boots its own.
	unset BACKING STANDBY
}

setup() {
	rows_known
	# Of the load, which goes on all the time.
	provoked='not answered for 5 s'
}

teardown() {
	local status=0
	[[ -n ${BATS_TEST_COMPLETED:-} || $STOPPED == 0 ]] || file_disk resume || true
	no_false_alarm || status=1
	kernel_logs_clean "$provoked" || status=1
	return "$status"
}

# killed_after SECONDS STANDBY: with the storage domain destroyed, the supervisor is killed so long after it has noticed, and the next one ends
# what it has begun, if it has not ended it itself by then.
killed_after() {
	local before unfinished=1
	before=$(dom0 'xl domid iddr-storage')
	dom0 'fault-strike destroy iddr-storage iddr-agent </dev/null >/dev/null 2>&1 &'
	says "($before): death"
	sleep "$1"
	dom0 'kill -KILL "$(pgrep -o -x iddr-supervise)"; xenstore-exists /tool/iddr/incident' || unfinished=0
	supervisor_ends
	supervisor env STANDBY="$2" "$IDDR" supervise
	rows=$unfinished
	rows_are "$rows"
	((unfinished == 0)) || [[ $(field cause) == unfinished && $(field outcome) == recovered && $(field device) != - ]] ||
		{ cat "$BATS_FILE_TMPDIR"/{rows,log}; return 1; }
	[[ $(dom0 'xl domid iddr-storage') != "$before" ]]
	run ! dom0 'xenstore-exists /tool/iddr/incident'
	load_goes_on
	storage 'dmesg -C'
	provoked="back end of $DISK is gone|$DISK: waits until domain|not answered for 5 s"
}

# spare_waits: wait until the disk has a spare of the standby's.
spare_waits() {
	dom0 'for ((i = 0; i < 600; i++)); do
		[[ $(xenstore-read /tool/iddr/spares 2>/dev/null) != "$(xl domid iddr-standby 2>/dev/null) made" ]] || exit 0
		sleep 0.1
	      done
	      xenstore-read /tool/iddr/spares; exit 1'
	app '[[ $(ls -d /sys/bus/xen/devices/vbd-* | wc -l) == 2 && $(ls /sys/block | grep -c ^xvd) == 1 ]]'
}

# device_is NUMBER: the disk is served through that device.
device_is() {
	[[ $(dom0 'xenstore-read "/local/domain/$(xl domid iddr-app)/device/vbd/$1/state"' "$1") == 4 ]]
}

# fault_module FUNCTION: load the test module for it.
fault_module() {
	storage 'insmod /iddr/modules/iddr_fault.ko "$@"' ${1+"at=$1"}
}

@test "the test module wants a function that there is, takes only names of its list, and counts calls" {
	local faults
	provoked+='|iddr_fault: (say where|cannot probe)'
	run fault_module
	[[ $status != 0 && $output == *'Invalid parameters'* ]]
	run fault_module no_such_function
	[[ $status != 0 ]]
	[[ $(storage 'dmesg | tail -n 1') == *'cannot probe no_such_function'* ]]
	fault_module "$FUNCTION"
	faults=$(storage 'cd /sys/kernel/debug/iddr_fault; cat list; ! echo bogus >inject; cat inject
		read -r before <calls; sleep 1; read -r after <calls; ((after > before)); rmmod iddr_fault' 2>&1)
	[[ $faults == *'Invalid argument'*none ]]
	for fault in panic null wild-write stack deadlock loop stuck memory skip dma response; do
		grep -q "^$fault [a-z]" <<<"$faults"
	done
	rows_are "$rows"
}

@test "the load of SQLite finds out a disk that acknowledges what it does not keep" {
	in_full 45
	local figures
	provoked+='|EXT4-fs|JBD2|dm-0|device-mapper: core|operation not supported error, dev loop'
	figures=$(app 'modprobe -a loop dm-flakey
		mapper() { dmsetup --noudevrules --noudevsync "$@"; }
		truncate -s 48M /run/lossy
		loop=$(losetup -f --show /run/lossy)
		mapper create lossy --table "0 98304 linear $loop 0"
		dmsetup mknodes lossy
		mv /run/iddr/fault /run/iddr/fault.truth
		fault-load start sqlite mapper/lossy
		sleep 2
		mapper load lossy --table "0 98304 flakey $loop 0 0 600 1 drop_writes"
		mapper suspend --nolockfs lossy
		mapper resume lossy
		sleep 2
		fault-load end sqlite mapper/lossy 2>/dev/null
		rm -rf /run/iddr/fault
		mv /run/iddr/fault.truth /run/iddr/fault
		mapper remove lossy
		losetup -d "$loop"
		rm /run/lossy')
	echo "$figures"
	[[ $figures == *$'exit\t1\n'* ]]
	awk -F '\t' '$1 == "requests" { n = $2 } $1 == "lost" { lost = $2 } $1 == "corrupt" { corrupt = $2 } $1 == "violations" { v = $2 }
		END { exit !(n > 0 && v > 0 && v == lost + corrupt && lost <= n) }' <<<"$figures"
}

@test "the storage domain is destroyed: the supervisor notices, and has another one serve the disk, by xl alone" {
	in_full 45
	grep -q 'going on with xl' "$BATS_FILE_TMPDIR/log"
	dom0 'fault-strike destroy iddr-storage iddr-agent'
	recovered death
	[[ $(field created) != - && $(field up) != - ]]
}

@test "the back end's driver is unbound under load: its domain lives, its disk is lost, another domain serves it, attached while it boots" {
	supervisor_ends
	supervisor env STANDBY=0 "$IDDR" supervise
	run ! grep 'going on with xl' "$BATS_FILE_TMPDIR/log"
	dom0 'fault-strike unbind iddr-storage iddr-agent'
	recovered disk
	[[ $(field created) != - && $(field up) != - ]]
	run ! grep 'libxl: error' "$BATS_FILE_TMPDIR/log"
}

@test "dom0's clock is set, to and fro: nobody hangs for that, and the supervisor goes on" {
	for _ in 1 2 3; do
		dom0 'date -s "@$(($(date +%s) + 60))" >/dev/null'
		sleep 2
		dom0 'date -s "@$(($(date +%s) - 60))" >/dev/null'
		sleep 2
	done
	rows_are "$rows"
	run ! grep -E 'hangs|: hang|iddr-supervise: error|: line [0-9]+:' "$BATS_FILE_TMPDIR/log"
}

@test "a second supervisor of the same storage domain is refused; the first ends with the command that began it" {
	run -1 "$IDDR" supervise
	[[ $output == *'there is a supervisor already, process '* ]]
	rows_are "$rows"
	# That process, not its group.
	kill "$(<"$BATS_FILE_TMPDIR/pid")"
	dom0 'for ((i = 0; i < 100; i++)); do
		pgrep -x iddr-supervise >/dev/null || exit 0
		sleep 0.1
	      done
	      exit 1'
}

@test "while the toolstack takes a PCI device from it, the domain is replaced when its pulse stops, before that is a hang" {
	in_full 40
	local id
	supervisor_ends
	HANG=600 supervisor dom dom0 iddr-supervise --config /boot/iddr/storage.cfg
	id=$(dom0 'xl domid iddr-storage')
	# As libxl does.
	dom0 'xenstore-write "/local/domain/0/backend/pci/$1/0/state-0" 5' "$id"
	# One that goes on, with other devices.
	sleep 5
	rows_are 0
	# It is not believed for ever.
	dom0 'xenstore-write "/local/domain/0/backend/pci/$1/0/state-0" 5' "$id"
	storage 'pkill -STOP -x iddr-pulse'
	recovered hang
	dom0 'xenstore-rm "/local/domain/0/backend/pci/$1" || ! xenstore-exists "/local/domain/0/backend/pci/$1"' "$id"
}

@test "the back end is not told of a request, nor would be of others: it stands still, and so does its domain's pulse" {
	in_full 40
	supervisor_ends
	supervisor env STANDBY=0 "$IDDR" supervise
	fault_module iddr_queue_upcall
	dom0 'fault-strike skip iddr-storage iddr-agent'
	recovered hang
}

@test "a disk that cannot be served any more costs the others nothing: the row says so, and there is no other restart for it" {
	in_full 90
	attach "$OTHER" /dev/ram0
	app 'echo 0 >/sys/block/$1/iddr/recovery_timeout_s' "$OTHER"
	dom0 'fault-strike destroy iddr-storage iddr-agent'
	another_row
	[[ $(field cause) == death && $(field outcome) == partly && $(field attempts) == 1 && $(field device) == - ]] ||
		{ cat "$BATS_FILE_TMPDIR"/{rows,log}; return 1; }
	grep "does not serve $OTHER, and is left to serve the others" "$BATS_FILE_TMPDIR/log"
	load_goes_on
	# The new RAM disk comes in its place; then it is detached.
	app '[[ $(</sys/block/$1/iddr/state) == parked ]]; echo 1 >/sys/block/$1/iddr/remove' "$OTHER"
	app 'for ((i = 0; i < 100; i++)); do
		[[ $(cat /sys/block/$1/iddr/state) != connected ]] || exit 0
		sleep 0.1
	     done
	     exit 1' "$OTHER"
	detach "$OTHER"
	sleep 3
	rows_are "$rows"
	run ! grep ': disk$' "$BATS_FILE_TMPDIR/log"
	storage 'dmesg -C'
	provoked="back end of ($DISK|$OTHER) is gone|($DISK|$OTHER): waits until domain|not answered for 5 s|cannot take over the parked disk $OTHER: it is another disk|$OTHER: given up"
}

@test "a disk that is detached while its storage domain is made anew stays so" {
	in_full 30
	local id
	id=$(dom0 'xl domid iddr-storage')
	dom0 'fault-strike destroy iddr-storage iddr-agent </dev/null >/dev/null 2>&1 &'
	says "($id): death"
	# It is to find that done when it comes to the disks.
	dom0 'pid=$(pgrep -o -x iddr-supervise); kill -STOP "$pid"; xl block-detach iddr-app "$1"; kill -CONT "$pid"' "$DISK"
	another_row
	[[ $(field cause) == death && $(field outcome) == recovered && $(field up) != - && $(field device) == - ]] ||
		{ cat "$BATS_FILE_TMPDIR"/{rows,log}; return 1; }
	grep "$DISK has been detached meanwhile" "$BATS_FILE_TMPDIR/log"
	app '[[ -z $(ls -d /sys/bus/xen/devices/vbd-* 2>/dev/null) && $(</sys/block/$1/iddr/state) == parked ]]' "$DISK"
	attach "$DISK" "$TARGET"
	load_goes_on
	storage 'dmesg -C'
	provoked="back end of $DISK is gone|$DISK: waits until domain|not answered for 5 s"
}

@test "the driver panics: the standby takes over, and there is another one" {
	supervisor_ends
	supervisor env STANDBY=1 "$IDDR" supervise
	run ! grep 'going on with xl' "$BATS_FILE_TMPDIR/log"
	fault_module "$FUNCTION"
	spare_waits
	# Whoever is connected to it must find it by its new name.
	dom standby true </dev/null
	dom0 'fault-strike panic iddr-storage iddr-agent'
	recovered death
	[[ $(field created) == - && $(field up) == - ]]
	device_is "$TWIN"
}

# file_disk COMMAND [OPTION...]: have dom0's device mapper do that with the disk that the storage domains are served: suspended it answers nothing.
file_disk() {
	dom0 'dmsetup --noudevrules --noudevsync "$@" iddr-disk' "$@"
}

@test "what the dead domain had asked its device for is waited for: the standby serves when that is over" {
	((STOPPED)) || skip "with BACKING=$BACKING dom0 has no device that could be stopped"
	spare_waits
	file_disk suspend --noflush --nolockfs
	storage '(sleep 1; echo c >/proc/sysrq-trigger) </dev/null >/dev/null 2>&1 &'
	says 'somebody still has pages of it'
	sleep 2
	rows_are "$rows"
	app '[[ $(</sys/block/$1/iddr/state) == parked ]]' "$DISK"
	file_disk resume
	recovered death
	device_is "$DEVID"
}

@test "a standby that dies takes its spare along, and the next one has one" {
	in_full 110
	local before
	spare_waits
	before=$(dom0 'xl domid iddr-standby; xl destroy iddr-standby')
	dom0 'for ((i = 0; i < 900; i++)); do
		now=$(xl domid iddr-standby 2>/dev/null) || now=$1
		[[ $now == "$1" ]] || exit 0
		sleep 0.1
	      done
	      echo "no other standby"; exit 1' "$before"
	spare_waits
	load_goes_on
}

@test "the driver loops for ever: noticed when its time has come, and not before; the next standby, once it is up, takes over" {
	fault_module "$FUNCTION"
	dom0 'fault-strike loop iddr-storage iddr-agent'
	recovered hang
	(($(field detected) - $(field fault) > 4500))
	[[ $(field created) == - ]]
}

@test "xl destroy waits for a device that has stopped: the supervisor does not, and both are done in the end" {
	((STOPPED)) || skip "with BACKING=$BACKING dom0 has no device that could be stopped"
	in_full 35
	local id
	spare_waits
	file_disk suspend --noflush --nolockfs
	id=$(dom0 'xl domid iddr-storage; (xl destroy iddr-storage || true; echo done >/run/destroyed) </dev/null >/dev/null 2>&1 &')
	# Without an answer for six seconds it would be a hang. (It is destroyed by name, of which there is soon another.)
	says "($id): death"
	file_disk resume
	recovered death
	dom0 'for ((i = 0; i < 300; i++)); do
		[[ ! -e /run/destroyed ]] || break
		sleep 0.1
	      done
	      rm /run/destroyed
	      xl list "$1" 2>/dev/null && exit 1
	      xenstore-ls -f | grep -E "^/(libxl|local/domain/0/backend/[a-z]+|local/domain)/$1(/| )" && exit 1
	      ls /var/lib/xen | grep -F ".$1." && exit 1
	      exit 0' "$id"
}

@test "a request is answered that there was none of: the front end takes no more from that domain, and the supervisor replaces it" {
	in_full 25
	fault_module iddr_back_respond
	dom0 'fault-strike response iddr-storage iddr-agent'
	recovered disk
}

@test "the standby dies with the domain that it stands by for: another one is made, and the load goes on" {
	in_full 60
	spare_waits
	dom standby bash -c '(sleep 1.2; echo c >/proc/sysrq-trigger) </dev/null >/dev/null 2>&1 &' </dev/null
	storage '(sleep 1; echo c >/proc/sysrq-trigger) </dev/null >/dev/null 2>&1 &'
	another_row
	[[ $(field cause) == death && $(field outcome) == recovered ]] || { cat "$BATS_FILE_TMPDIR"/{rows,log}; return 1; }
	load_goes_on
	spare_waits
	storage 'dmesg -C'
	provoked="back end of $DISK is gone|$DISK: waits until domain|not answered for 5 s"
}

@test "what does the toolstack's work for the supervisor ends as nothing, or something, is asked of it: another one goes on" {
	in_full 60
	supervisor_ends
	dom0 'xl destroy iddr-standby'
	supervisor env STANDBY=0 "$IDDR" supervise
	dom0 'pid=$(pgrep -n -x iddr-xl); kill -STOP "$pid"; xl destroy iddr-storage; kill -SEGV "$pid"; kill -CONT "$pid"'
	recovered death
	# That the domain hangs, as no pulse is told, is what the supervisor asks about.
	dom0 'pid=$(pgrep -n -x iddr-xl); kill -STOP "$pid"; sleep 10; kill -SEGV "$pid"; kill -CONT "$pid"'
	recovered hang
	[[ $(grep -c 'has ended: another one goes on' "$BATS_FILE_TMPDIR/log") == 2 ]]
	supervisor_ends
	supervisor env STANDBY=1 "$IDDR" supervise
}

@test "the supervisor is killed while the standby takes over, or while a domain boots, sooner or later: the next one ends what it has begun" {
	in_full 500
	local seconds
	for seconds in 0 0.5 1 2 3; do
		spare_waits
		killed_after "$seconds" 1
	done
	dom0 'xl destroy iddr-standby'
	for seconds in 1 5 12; do
		supervisor_ends
		supervisor env STANDBY=0 "$IDDR" supervise
		killed_after "$seconds" 0
	done
	supervisor_ends
	supervisor env STANDBY=1 "$IDDR" supervise
}

@test "the load has lost nothing, and there was no false alarm" {
	local incidents=$((2 + STOPPED))
	run dom app fault-load end truth "$DISK" </dev/null
	[[ $output == *$'exit\t0\n'* ]]
	grep -qx $'violations\t0' <<<"$output"
	grep -qx $'writes_failed\t0' <<<"$output"
	# Of the last supervisor: the panics and the loop, or none yet.
	[[ -z ${IDDR_FULL:-} ]] || incidents=0
	rows_are "$incidents"
	# The disk, and a spare that there may be, of whichever numbers.
	"$IDDR" detach "$DISK" 3>&-
	app '! ls -d /sys/bus/xen/devices/vbd-*'
}

@test "the application domain is created anew: the supervisor goes on with that" {
	in_full 60
	supervisor_ends
	supervisor env STANDBY=0 "$IDDR" supervise
	dom0 'xl destroy iddr-app'
	says 'has gone: waiting for the next one'
	again app
	app 'dmesg -C'
	says ', and was '
	attach "$DISK" "$TARGET"
	dom app fault-load start truth "$DISK" </dev/null
	dom0 'fault-strike destroy iddr-storage iddr-agent'
	recovered death
	run dom app fault-load end truth "$DISK" </dev/null
	[[ $output == *$'exit\t0\n'* ]]
	"$IDDR" detach "$DISK" 3>&-
}
