#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# Attaching, detaching, unbinding and unloading, with I/O in flight.

load lib

setup_file() {
	open_sessions
	# recovery.bats has what else there is.
	on_back_end_loss fail
	forget_kernel_logs
}

teardown_file() {
	on_back_end_loss wait
	close_sessions
}

OTHER=xvde

setup() {
	provoked=
}

teardown() {
	app 'touch /tmp/stop'
	# What failed in the midst leaves the next test a disk that it has not asked for.
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || "$IDDR" detach "$DISK" --force || true
	kernel_logs_clean "$provoked"
}

# disk_gone DISK: the disk, its back end and its thread are no more.
disk_gone() {
	app '[[ ! -e /sys/block/$1 ]]' "$1"
}

@test "a disk attaches and detaches again and again while another is under verified load" {
	local i rounds=2
	[[ -z ${IDDR_FULL:-} ]] || rounds=20
	attach "$OTHER" /dev/ram0
	background_load "$OTHER" 100
	for ((i = 0; i < rounds; i++)); do
		attach "$DISK" /dev/ram0
		app 'dd if=/dev/$1 of=/dev/null bs=64k count=4 iflag=direct status=none' "$DISK"
		detach "$DISK"
		disk_gone "$DISK"
	done
	load_was_good
	detach "$OTHER"
	# Nothing is left of them: no thread, no device, no xenstore directory.
	[[ $(storage 'ls -d /sys/bus/xen-backend/devices/vbd-* 2>/dev/null | wc -l') == 0 ]]
	[[ $(storage 'cat /proc/[0-9]*/comm 2>/dev/null | grep -c ^iddrb || true') == 0 ]]
	[[ $(app 'cat /proc/[0-9]*/comm 2>/dev/null | grep -c ^iddrf || true') == 0 ]]
	[[ $(storage 'xenstore-ls backend/vbd 2>/dev/null | grep -c params || true') == 0 ]]
}

@test "a disk under load refuses to be detached, loses nothing, and goes when its user is done" {
	attach "$DISK" /dev/ram0
	background_load "$DISK"
	# libxl waits 10 s for the front end and gives up.
	run ! detach "$DISK"
	app '[[ -b /dev/$1 ]]' "$DISK"
	load_was_good
	# The last user has closed it: it goes by itself.
	app 'for ((i = 0; i < 100; i++)); do
		[[ -e /sys/block/$1 ]] || exit 0
		sleep 0.1
	     done
	     exit 1' "$DISK"
	storage 'for ((i = 0; i < 100; i++)); do
		ls /sys/bus/xen-backend/devices/vbd-*-$1 >/dev/null 2>&1 || exit 0
		sleep 0.1
	     done
	     exit 1' "$DEVID"
	# xl had given up; asked again, it removes what it keeps of the disk.
	detach "$DISK"
}

@test "modules in use are not unloaded (EBUSY)" {
	local m
	attach "$DISK" /dev/ram0
	for m in iddr_front iddr_comm; do
		run app 'rmmod $1' "$m"
		((status != 0))
		[[ $output == *"in use"* ]]
	done
	for m in iddr_back iddr_comm; do
		run storage 'rmmod $1' "$m"
		((status != 0))
		[[ $output == *"in use"* ]]
	done
	verify_load --bs=4k --size=1m --iodepth=8
	detach "$DISK"
}

@test "the front end is unbound under load and bound again; the data is still there" {
	attach "$DISK" /dev/ram0
	app 'head -c 65536 /dev/urandom >/tmp/data
	     dd if=/tmp/data of=/dev/$1 bs=64k oflag=direct status=none' "$DISK"
	background_load "$DISK"
	app 'sleep 1.5; echo vbd-$1 >/sys/bus/xen/drivers/iddr_front/unbind; [[ ! -e /sys/block/$2 ]]' "$DEVID" "$DISK"
	# The load's I/O fails, it does not hang.
	app 'for ((i = 0; i < 600; i++)); do
		[[ ! -s /tmp/load ]] || break
		sleep 0.1
	     done
	     [[ $(</tmp/load) == failed ]]'
	provoked='I/O error, dev xvdd|Buffer I/O error on dev xvdd|callbacks suppressed'
	app 'echo vbd-$1 >/sys/bus/xen/drivers/iddr_front/bind' "$DEVID"
	our_disk_is_there "$DISK"
	app 'dd if=/dev/$1 bs=64k count=1 iflag=direct status=none | cmp - /tmp/data' "$DISK"
	verify_load --bs=4k --size=1m --iodepth=8
	detach "$DISK"
}

@test "the back end is unbound under load: I/O fails, nothing hangs; bound again, the disk comes back" {
	attach "$DISK" /dev/ram0
	background_load "$DISK"
	sleep 1.5
	back_end unbind
	app 'for ((i = 0; i < 600; i++)); do
		[[ ! -s /tmp/load ]] || break
		sleep 0.1
	     done
	     [[ $(</tmp/load) == failed ]]'
	provoked='I/O error, dev xvdd|Buffer I/O error on dev xvdd|callbacks suppressed|back end of xvdd is gone'
	back_end bind
	our_disk_is_there "$DISK"
	verify_load --bs=4k --size=1m --iodepth=8
	detach "$DISK"
}

@test "the back end goes and comes at once, again and again, each end asleep or spinning (full: in every mode); the disk comes back each time" {
	local i f b before rounds=(event/event spin/event event/spin spin/spin event/spin spin/event)
	if [[ -n ${IDDR_FULL:-} ]]; then
		rounds=({event,spin,hybrid,adaptive}/{event,spin,hybrid,adaptive})
	fi
	attach "$DISK" /dev/ram0
	for i in "${rounds[@]}"; do
		f=${i%/*} b=${i#*/}
		set_modes "$f" "$b"
		before=$(app 'cat /sys/block/$1/diskseq' "$DISK")
		back_end unbind bind
		# Another one: what is there may be the old one, which does not know yet.
		app 'for ((i = 0; i < 150; i++)); do
			if [[ -e /sys/block/$1/iddr/mode && $(</sys/block/$1/diskseq) != "$2" ]] &&
			   dd if=/dev/$1 of=/dev/null bs=4k count=8 iflag=direct status=none 2>/dev/null; then
				exit 0
			fi
			sleep 0.1
		     done
		     exit 1' "$DISK" "$before"
	done
	provoked='back end of xvdd is gone|I/O error, dev xvdd|Buffer I/O error on dev xvdd|callbacks suppressed'
	verify_load --bs=4k --size=1m --iodepth=8
	detach "$DISK"
}

@test "a disk whose front end is closed, and whose back end has come anew, is detached as any" {
	attach "$DISK" /dev/ram0
	app 'echo "vbd-$1" >/sys/bus/xen/drivers/iddr_front/unbind' "$DEVID"
	back_end unbind bind
	dom0 'xl block-detach iddr-app "$1"' "$DEVID"
}

@test "all modules unload and load again, and the next disk works" {
	app 'rmmod iddr_front; rmmod iddr_comm
	     insmod /iddr/modules/iddr_comm.ko; insmod /iddr/modules/iddr_front.ko mode=spin'
	storage 'rmmod iddr_back; rmmod iddr_comm
		 insmod /iddr/modules/iddr_comm.ko; insmod /iddr/modules/iddr_back.ko mode=spin'
	attach "$DISK" /dev/ram0
	[[ $(app 'cat /sys/block/$1/iddr/mode' "$DISK") == spin ]]
	[[ $(storage 'cat /sys/bus/xen-backend/devices/vbd-*-$1/iddr/mode' "$DEVID") == spin ]]
	verify_load --bs=4k --size=1m --iodepth=8
	detach "$DISK"
	app 'rmmod iddr_front; insmod /iddr/modules/iddr_front.ko'
	storage 'rmmod iddr_back; insmod /iddr/modules/iddr_back.ko'
}

@test "a wrong mode as a module parameter is refused with EINVAL" {
	run storage 'rmmod iddr_back; insmod /iddr/modules/iddr_back.ko mode=bogus'
	((status != 0))
	[[ $output == *"Invalid parameters"* ]]
	storage 'insmod /iddr/modules/iddr_back.ko'
	run app 'rmmod iddr_front; insmod /iddr/modules/iddr_front.ko mode=bogus'
	((status != 0))
	[[ $output == *"Invalid parameters"* ]]
	app 'insmod /iddr/modules/iddr_front.ko'
	provoked='mode=bogus is none of'
}
