#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# A disk whose back end goes waits for another one of the same disk: the application sees only delay.

load lib

# What the front end says of it.
GONE="back end of $DISK is gone: it is parked|$DISK: waits until domain"
GIVEN_UP="$DISK: given up after|I/O error, dev $DISK|Buffer I/O error on dev $DISK|callbacks suppressed"

setup_file() {
	open_sessions
	forget_kernel_logs
}

teardown_file() {
	close_sessions
	# The next file needs both domains.
	"$IDDR" up 3>&-
}

setup() {
	provoked=$GONE
}

teardown() {
	app 'touch /tmp/stop
	     # One that a failed test has left.
	     [[ ! -e /sys/block/$1/iddr ]] || echo 1 >/sys/block/$1/iddr/remove 2>/dev/null || true' "$DISK"
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || {
		detach "$DISK"
		dom0 'xl block-detach iddr-app "$1" 2>/dev/null' "$TWIN"
	} || true
	kernel_logs_clean "$provoked"
}

# in_state STATE: the disk comes to that state.
in_state() {
	app 'for ((i = 0; i < 300; i++)); do
		[[ $(cat /sys/block/$1/iddr/state) != "$2" ]] || exit 0
		sleep 0.1
	     done
	     echo "$1 is $(cat /sys/block/$1/iddr/state), not $2"; exit 1' "$DISK" "$1"
}

# load_fails: the load ends with an error, and the disk goes when nobody has it open any more.
load_fails() {
	app 'for ((i = 0; i < 300; i++)); do
		[[ ! -s /tmp/load || -e /sys/block/$1 ]] || break
		sleep 0.1
	     done
	     [[ $(</tmp/load) == failed && ! -e /sys/block/$1 ]]' "$DISK"
}

# front_threads: print the front end's threads of $DISK.
front_threads() {
	app 'pgrep "^iddrf/$1$" || true' "$DISK"
}

# threads_end: there are none any more, soon.
threads_end() {
	app 'for ((i = 0; i < 50; i++)); do
		pgrep "^iddrf/$1$" >/dev/null || exit 0
		sleep 0.1
	     done
	     pgrep -l "^iddrf/"; exit 1' "$DISK"
}

# load_waits: it has not ended.
load_waits() {
	app '[[ ! -e /tmp/load ]]'
}

# policy NAME VALUE: write one of the disk's files.
policy() {
	app 'echo "$3" >/sys/block/$1/iddr/$2' "$DISK" "$@"
}

# parked_under_load: a disk with verified load, whose back end is then unbound.
parked_under_load() {
	attach "$DISK" /dev/ram0
	background_load "$DISK"
	back_end unbind
	in_state parked
}

# goes_on: the parked disk is served again, and the load has seen nothing but delay.
goes_on() {
	in_state connected
	load_was_good
	detach "$DISK"
}

# refused WHY: the back end that there is cannot take over; the disk stays parked.
refused() {
	app 'for ((i = 0; i < 100; i++)); do
		! dmesg | grep -q "cannot take over the parked disk $1: $2" || break
		sleep 0.1
	     done
	     dmesg | grep "cannot take over the parked disk $1: $2"
	     [[ $(</sys/block/$1/iddr/state) == parked ]]' "$DISK" "$1"
	provoked+="|domain [0-9]+ cannot take over the parked disk $DISK: $1"
	load_waits
}

# rebind_front: as one does after a refusal.
rebind_front() {
	app 'cd /sys/bus/xen/drivers/iddr_front; echo vbd-$1 >unbind; echo vbd-$1 >bind' "$DEVID"
}

@test "the back end is unbound under load and bound again: nothing but delay, and what was in flight is issued again" {
	local thread
	parked_under_load
	# The state is shown first.
	app 'cd /sys/block/$1/iddr
	     for ((i = 0; i < 100; i++)); do
		[[ -e mode || -e queue0 ]] || break
		sleep 0.05
	     done
	     [[ ! -e mode && ! -e queue0 && -e identity ]]' "$DISK"
	# It waits: to make another may take memory that there is none of.
	thread=$(front_threads)
	sleep 2
	load_waits
	back_end bind
	in_state connected
	[[ $(app 'cat /sys/block/$1/iddr/queue0/thread_pid' "$DISK") == "$thread" ]]
	app 'cd /sys/block/$1/iddr
	     (($(<recoveries) == 1 && $(<parked_ms) >= 2000))
	     for ((i = 0; i < 100 && $(<queue0/responses) < 100; i++)); do sleep 0.1; done
	     (($(<queue0/responses) >= 100))' "$DISK"
	# Nothing may have been in flight, since a RAM disk is fast; but not each time. And at most all of its depth was.
	local n
	for n in {2..20}; do
		! app '(($(</sys/block/$1/iddr/reissued_requests) > 0))' "$DISK" || break
		back_end unbind bind
		recovered "$n"
	done
	app '(($(</sys/block/$1/iddr/reissued_requests) > 0 && $(</sys/block/$1/iddr/reissued_requests) <= 8))' "$DISK"
	goes_on
	threads_end
}

# recovered N: it comes to N recoveries.
recovered() {
	app 'for ((i = 0; i < 100; i++)); do
		(($(</sys/block/$1/iddr/recoveries) != $2)) || exit 0
		sleep 0.1
	     done
	     echo "$(</sys/block/$1/iddr/recoveries) recoveries, not $2"; exit 1' "$DISK" "$1"
}

# flips N: unbind the back end and bind it again N times, a second apart, beside what else is done.
flips() {
	aside storage 'cd /sys/bus/xen-backend/devices; d=(vbd-*-$1); cd ../drivers/iddr_back
		for ((i = 0; i < $2; i++)); do
			sleep 1
			echo "$d" >unbind; echo "$d" >bind
			for ((n = 0; n < 100; n++)); do
				[[ ! -e $d/iddr/mode ]] || continue 2
				sleep 0.1
			done
			exit 1
		done' "$DEVID" "$1" 3>&- &
}

@test "the back end goes and comes while the load polls, on each data path, and flushes" {
	in_full 60
	local path
	for path in persistent map copy; do
		storage 'echo "$1" >/sys/module/iddr_back/parameters/data_path' "$path"
		attach "$DISK" /dev/ram0
		flips 3
		verify_loads "--bs=4k --size=4m --iodepth=16 --number_ios=800" \
			"--bs=64k --size=8m --iodepth=8 --number_ios=300" \
			"--ioengine=io_uring --hipri --bs=4k --size=4m --iodepth=8 --number_ios=600"
		wait "$!"
		recovered 3
		detach "$DISK"
	done
	storage 'echo persistent >/sys/module/iddr_back/parameters/data_path'
	null_blk cache_size=8
	attach "$DISK" /dev/nullb0
	flips 3
	verify_loads "--bs=4k --size=4m --iodepth=8 --fsync=4 --number_ios=800" "--bs=4k --size=4m --iodepth=8 --sync=1 --number_ios=800"
	wait "$!"
	recovered 3
	detach "$DISK"
	no_null_blk
}

@test "a crash during recovery, again and again, at any moment of it: it goes on with the one that stays" {
	in_full 20
	local i rounds=6
	[[ -z ${IDDR_FULL:-} ]] || rounds=40
	parked_under_load
	storage 'cd /sys/bus/xen-backend/devices; d=(vbd-*-$1); cd ../drivers/iddr_back
		 for ((i = 0; i < $2; i++)); do
			echo "$d" >bind
			sleep "$((i % 2)).$((i * 37 % 10))$((i * 13 % 10))"
			echo "$d" >unbind
		 done' "$DEVID" "$rounds"
	# One that comes in the midst may read of rings that are no more, is refused them, and asks anew.
	provoked+="|mapping in shared page"
	in_state parked
	load_waits
	back_end bind
	goes_on
}

@test "a parked disk is detached, and attached anew; it goes on" {
	parked_under_load
	detach "$DISK"
	in_state parked
	sleep 1
	load_waits
	attach "$DISK" /dev/ram0
	goes_on
}

# spare NUMBER: attach a second device of the same disk, of that number, and wait until its back end has described the disk, though
# nobody asks yet: no disk comes of it.
spare() {
	dom0 'xl block-attach iddr-app "format=raw,vdev=$1,access=w,backend=iddr-storage,backendtype=phy,script=block-iddr,target=/dev/ram0"
	      d=/local/domain/$(xl domid iddr-storage)/backend/vbd/$(xl domid iddr-app)/$1
	      for ((i = 0; i < 200; i++)); do
		! xenstore-exists "$d/sectors" || exit 0
		sleep 0.05
	      done
	      exit 1' "$1"
	app '[[ $(ls /sys/block | grep -c ^xvd) == 1 ]]'
}

# served_as NUMBER: the disk goes on, and has that device, which is the only one.
served_as() {
	in_state connected
	[[ $(app 'cd /sys/bus/xen/devices; echo vbd-*') == "vbd-$1" ]]
	app 'read -r before </sys/block/$1/iddr/queue0/responses
	     for ((i = 0; i < 100; i++)); do
		read -r now </sys/block/$1/iddr/queue0/responses
		((now == before)) || exit 0
		sleep 0.1
	     done
	     exit 1' "$DISK"
}

@test "a spare waits beside a disk that is served, and takes it over when its own device has gone; and so on, by turns" {
	attach "$DISK" /dev/ram0
	background_load "$DISK"
	spare "$TWIN"
	dom0 'd=/local/domain/$(xl domid iddr-storage)/backend/vbd/$(xl domid iddr-app)
	      for key in state sectors sector-size feature-flush-cache feature-persistent feature-max-indirect-segments; do
		a=$(xenstore-read "$d/$1/$key") b=$(xenstore-read "$d/$2/$key")
		[[ $key:$a == state:2 || $key:$a == "$key:$b" ]] || { echo "$key: $a, $b"; exit 1; }
	      done' "$TWIN" "$DEVID"
	# Idle, it follows its back end out and in again.
	DEVID=$TWIN back_end unbind bind
	back_end unbind
	in_state parked
	sleep 1
	load_waits
	dom0 'xl block-detach iddr-app "$1"' "$DEVID"
	served_as "$TWIN"
	# Held, it connects, and serves when it is let go.
	spare "$DEVID"
	dom0 'xenstore-write "/local/domain/$(xl domid iddr-app)/device/vbd/$1/iddr-hold" 1' "$DEVID"
	DEVID=$TWIN back_end unbind
	in_state parked
	dom0 'xl block-detach iddr-app "$1"' "$TWIN"
	dom0 'app=/local/domain/$(xl domid iddr-app)/device/vbd/$1
	      for ((i = 0; i < 100; i++)); do
		[[ $(xenstore-read "$(xenstore-read "$app/backend")/state") != 4 ]] || break
		sleep 0.1
	      done
	      sleep 1
	      [[ $(xenstore-read "$app/state") == 3 ]]' "$DEVID"
	in_state parked
	load_waits
	dom0 'xenstore-rm "/local/domain/$(xl domid iddr-app)/device/vbd/$1/iddr-hold"' "$DEVID"
	served_as "$DEVID"
	recovered 2
	load_was_good
	detach "$DISK"
}

@test "a spare becomes no disk when the disk is detached, nor when another one of its name is; it is refused where it is another disk" {
	in_full 30
	attach "$DISK" /dev/ram0
	spare "$TWIN"
	detach "$DISK"
	app '[[ ! -e /sys/block/$1 ]]' "$DISK"
	null_blk
	attach "$DISK" /dev/nullb0
	background_load "$DISK"
	back_end unbind
	in_state parked
	detach "$DISK"
	refused "it is another disk"
	dom0 'xl block-detach iddr-app "$1"' "$TWIN"
	in_state parked
	attach "$DISK" /dev/nullb0
	goes_on
	no_null_blk
	attach "$DISK" /dev/ram0
	spare "$TWIN"
	app 'cd /sys/bus/xen/drivers/iddr_front
	     for what in unbind bind; do
		for n in "$1" "$2"; do echo "vbd-$n" >$what; done
	     done' "$DEVID" "$TWIN"
	our_disk_is_there "$DISK"
	app '[[ $(ls /sys/block | grep -c ^xvd) == 1 ]]'
	verify_load --bs=4k --size=256k --iodepth=8
	dom0 'for n in "$1" "$2"; do xl block-detach iddr-app "$n"; done' "$DEVID" "$TWIN"
	app '[[ ! -e /sys/block/$1 ]]' "$DISK"
}

@test "a back end that offers less is refused and named for it: segments, rings, queues; one that offers as much is not" {
	in_full 30
	local less
	parked_under_load
	for less in "max_segments=11/its requests are smaller" "ring_page_order=0/its rings are smaller" "max_queues=1/it has fewer queues"; do
		back_module "${less%/*}"
		back_end bind
		refused "${less#*/}"
		back_end unbind
		rebind_front
	done
	back_module
	back_end bind
	goes_on
}

@test "a RAM disk that is made anew is another disk: it is refused, and comes as a new one when the old one is given up" {
	storage 'modprobe -r brd; modprobe brd rd_nr=1 rd_size=16384'
	parked_under_load
	storage 'modprobe -r brd; modprobe brd rd_nr=1 rd_size=65536'
	# On the old device's keys, even the back end does not take it.
	back_end bind
	storage 'for ((i = 0; i < 100; i++)); do
		! dmesg | grep -q "is not the disk any more that iddr-identity names" || exit 0
		sleep 0.1
	      done
	      exit 1'
	provoked+='|is not the disk any more that iddr-identity names'
	detach "$DISK"
	dom0 'xl block-attach iddr-app "format=raw,vdev=$1,access=w,backend=iddr-storage,backendtype=phy,script=block-iddr,target=/dev/ram0"' "$DISK"
	refused "it is another disk"
	policy recovery_timeout_s 1
	provoked+="|$GIVEN_UP"
	app 'for ((i = 0; i < 300; i++)); do
		[[ ! -s /tmp/load ]] || break
		sleep 0.1
	     done
	     [[ $(</tmp/load) == failed ]]'
	our_disk_is_there "$DISK"
	[[ $(app 'cat /sys/block/$1/size' "$DISK") == 131072 ]]
	verify_load --bs=4k --size=1m --iodepth=8
	detach "$DISK"
}

@test "a disk in the domain's memory has no lasting name, whatever the device mapper calls it" {
	storage 'modprobe -a loop dm-mod
		truncate -s 8M /run/below
		dmsetup --noudevrules --noudevsync create named --uuid LVM-named --table "0 16384 linear $(losetup -f --show /run/below) 0"
		dmsetup mknodes named
		dmesg -C'
	attach "$DISK" /dev/mapper/named
	[[ $(app 'cat /sys/block/$1/iddr/identity' "$DISK") == "$(storage 'cat /proc/sys/kernel/random/boot_id'):"* ]]
	detach "$DISK"
	storage 'dmsetup --noudevrules --noudevsync remove named; losetup -D; rm /run/below'
}

@test "time up, policy fail, remove: each gives up a parked disk, whose I/O fails; a back end that comes then has a new one" {
	in_full 45
	local how
	for how in "recovery_timeout_s 2" "recovery fail" "remove 1"; do
		echo "$how"
		parked_under_load
		# shellcheck disable=SC2086 # name and value
		policy $how
		load_fails
		back_end bind
		our_disk_is_there "$DISK"
		verify_load --bs=4k --size=256k --iodepth=8
		detach "$DISK"
	done
	provoked+="|$GIVEN_UP"
}

@test "an orphan is given up, too" {
	parked_under_load
	detach "$DISK"
	policy remove 1
	load_fails
	threads_end
	provoked+="|$GIVEN_UP"
}

@test "a disk that is served is not removed (EBUSY), and wrong values are refused" {
	attach "$DISK" /dev/ram0
	run policy remove 1
	((status != 0))
	[[ $output == *"Device or resource busy"* ]]
	run policy recovery bogus
	((status != 0))
	[[ $output == *"Invalid argument"* ]]
	run policy recovery_timeout_s -1
	((status != 0))
	[[ $(app 'cd /sys/block/$1/iddr; cat recovery recovery_timeout_s' "$DISK") == $'wait\n60' ]]
	detach "$DISK"
}

@test "the module is not unloaded while a parked disk is open, or has its device (EBUSY); one that has neither goes along" {
	parked_under_load
	run app 'rmmod iddr_front'
	((status != 0))
	[[ $output == *"in use"* ]]
	detach "$DISK"
	in_state parked
	run app 'rmmod iddr_front'
	((status != 0))
	[[ $output == *"in use"* ]]
	attach "$DISK" /dev/ram0
	in_state connected
	load_was_good
	back_end unbind
	in_state parked
	detach "$DISK"
	in_state parked
	app 'rmmod iddr_front && insmod /iddr/modules/iddr_front.ko; [[ ! -e /sys/block/$1 ]]' "$DISK"
	provoked+="|$GIVEN_UP"
	attach "$DISK" /dev/ram0
	verify_load --bs=4k --size=256k --iodepth=8
	detach "$DISK"
}

@test "a back end that breaks the protocol: the disk is parked, and goes on with an honest one" {
	in_full 40
	local attack
	# It says that it has a cache and discards: so must the other.
	null_blk cache_size=8 discard=1
	storage 'insmod /iddr/modules/hostile_back.ko'
	for attack in id-slots unsolicited; do
		"$IDDR" attach "$DISK" /dev/nullb0 block-hostile-back 3>&-
		storage 'echo "$1" >/sys/kernel/debug/hostile_back/attack' "$attack"
		app 'rm -f /tmp/read
		     (dd if=/dev/$1 of=/dev/null bs=64k count=8 iflag=direct status=none && echo good >/tmp/read) </dev/null >/dev/null 2>&1 &' "$DISK"
		in_state parked
		storage 'cat /sys/kernel/debug/hostile_back/attack'
		detach "$DISK"
		attach "$DISK" /dev/nullb0
		in_state connected
		app 'for ((i = 0; i < 100; i++)); do [[ ! -e /tmp/read ]] || exit 0; sleep 0.1; done; exit 1'
		verify_load --bs=4k --size=1m --iodepth=8
		detach "$DISK"
	done
	storage 'rmmod hostile_back'
	no_null_blk
	provoked+="|broke the ring protocol .*; its disk is parked|hostile_back"
}

# storage_disk: a disk of dom0's for the storage domain, /dev/xvdb there, which outlives it.
storage_disk() {
	! storage '[[ -b /dev/xvdb ]]' || return 0
	dom0 'modprobe xen-blkback max_queues=8
	      [[ -e /dev/shm/iddr-disk ]] || truncate -s 64M /dev/shm/iddr-disk
	      xl block-attach iddr-storage "format=raw,vdev=xvdb,access=rw,backendtype=phy,target=/dev/shm/iddr-disk"'
	storage 'modprobe xen-blkfront
		 for ((i = 0; i < 100; i++)); do [[ ! -b /dev/xvdb ]] || exit 0; sleep 0.1; done
		 echo "no /dev/xvdb"; exit 1'
}

@test "the storage domain is destroyed under load, panics, reboots, 12 times, and is created again with the same disk: nothing but delay" {
	in_full 500
	local i rounds=12
	# Its session would end with it.
	close_sessions
	storage_disk
	attach "$DISK" /dev/xvdb
	policy recovery_timeout_s 300
	background_load "$DISK"
	for ((i = 0; i < rounds; i++)); do
		case $((i % 3)) in
		0) dom0 'xl destroy iddr-storage' ;;
		1) storage '(sleep 1; echo c >/proc/sysrq-trigger) </dev/null >/dev/null 2>&1 &' ;;
		2) dom0 'xl reboot iddr-storage' ;;
		esac
		in_state parked
		load_waits
		dom0 'for ((i = 0; i < 100; i++)); do xl domid iddr-storage >/dev/null 2>&1 || exit 0; sleep 0.1; done; exit 1'
		again storage
		storage 'dmesg -C'
		storage_disk
		detach "$DISK"
		attach "$DISK" /dev/xvdb
		in_state connected
	done
	(($(app 'cat /sys/block/$1/iddr/recoveries' "$DISK") == rounds))
	app '# What the dead domains had mapped comes back.
	     for ((i = 0; i < 400; i++)); do
		(($(</sys/module/iddr_comm/parameters/quarantined_pages))) || exit 0
		sleep 0.1
	     done
	     exit 1'
	goes_on
	dom0 'xl block-detach iddr-storage xvdb'
}

@test "another domain takes over, but not before the one that served the disk is destroyed" {
	in_full 30
	local identity
	storage_disk
	attach "$DISK" /dev/xvdb
	policy recovery_timeout_s 300
	background_load "$DISK"
	identity=$(app 'cat /sys/block/$1/iddr/identity' "$DISK")
	# As if a toolstack took the one for dead that only sleeps.
	dom0 'xl pause iddr-storage
	      app=$(xl domid iddr-app) storage=$(xl domid iddr-storage)
	      xenstore-rm "/libxl/$app/device/vbd/$1" "/local/domain/$storage/backend/vbd/$app/$1" "/local/domain/$app/device/vbd/$1"' "$DEVID"
	in_state parked
	# Dom0 with the stock back end, which gives no identity by itself.
	dom0 'xl block-attach iddr-app "format=raw,vdev=$1,access=rw,backendtype=phy,target=/dev/shm/iddr-disk"
	      xenstore-write "/local/domain/0/backend/vbd/$(xl domid iddr-app)/$2/iddr-identity" "$3"' "$DISK" "$DEVID" "$identity"
	sleep 3
	load_waits
	in_state parked
	app 'dmesg | grep "$1: waits until domain [0-9]*, which served it last, unmaps [0-9]* pages or is destroyed"' "$DISK"
	dom0 'xl destroy iddr-storage'
	goes_on
	again storage
	storage 'dmesg -C'
}

@test "the storage domain is destroyed and created again with a RAM disk: another one, which is refused" {
	in_full 30
	attach "$DISK" /dev/ram0
	policy recovery_timeout_s 300
	background_load "$DISK"
	dom0 'xl destroy iddr-storage'
	in_state parked
	again storage
	storage 'dmesg -C'
	detach "$DISK"
	dom0 'xl block-attach iddr-app "format=raw,vdev=$1,access=w,backend=iddr-storage,backendtype=phy,script=block-iddr,target=/dev/ram0"' "$DISK"
	refused "it is another disk"
	policy recovery fail
	our_disk_is_there "$DISK"
	app '[[ $(</tmp/load) == failed ]]'
	detach "$DISK"
	provoked+="|$GIVEN_UP"
}
