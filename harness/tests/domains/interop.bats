#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# Each of our ends with a stock one: our front end on xen-blkback, our back end under xen-blkfront.
# IDDR_FULL=1 (make test-full) tries every mode and every data path, otherwise a sample.

load lib

setup_file() {
	open_sessions
	if [[ -n ${IDDR_FULL:-} ]]; then
		export MODES='event spin hybrid adaptive' PATHS='persistent map copy'
	else
		export MODES='event spin' PATHS='persistent'
	fi
	forget_kernel_logs
}

teardown_file() {
	close_sessions
}

setup() {
	provoked=
}

teardown() {
	# A failed test leaves the disk and our end's mode behind.
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || {
		app '! mountpoint -q /mnt/t || umount -l /mnt/t'
		"$IDDR" detach "$DISK" --force
	} || true
	data_path persistent
	kernel_logs_clean "$provoked"
}

# data_path PATH: how our back ends that connect from now on move data.
data_path() {
	storage 'echo "$1" >/sys/module/iddr_back/parameters/data_path' "$1"
}

# drivers FRONT BACK: insist on the drivers that serve $DISK.
drivers() {
	[[ $(app 'basename "$(readlink /sys/bus/xen/devices/vbd-$1/driver)"' "$DEVID") == "$1" ]]
	[[ $(storage 'basename "$(readlink /sys/bus/xen-backend/devices/vbd-*-$1/driver)"' "$DEVID") == "$2" ]]
}

# our_front_mode MODE: how our front end of $DISK waits.
our_front_mode() {
	app 'echo "$1" >/sys/block/$2/iddr/mode; [[ $(</sys/block/$2/iddr/mode) == "$1" ]]' "$1" "$DISK"
}

# our_back_mode MODE: how our back end of $DISK waits.
our_back_mode() {
	storage 'cd /sys/bus/xen-backend/devices/vbd-*-$2/iddr; echo "$1" >mode; [[ $(<mode) == "$1" ]]' "$1" "$DEVID"
}

# disk_is_there: wait until $DISK can be read.
disk_is_there() {
	app 'for ((i = 0; i < 150; i++)); do
		if [[ -b /dev/$1 ]] && dd if=/dev/$1 of=/dev/null bs=4k count=8 iflag=direct status=none 2>/dev/null; then
			exit 0
		fi
		sleep 0.1
	     done
	     echo "no $1 after 15 s"; exit 1' "$DISK"
}

# data_is_right: write and read back small, middling and large requests; what the application wrote is what
# the device holds.
data_is_right() {
	local sent held
	verify_loads "--bs=512 --size=256k --iodepth=4" "--bs=4k --size=2m --iodepth=32" "--bs=64k --size=4m --iodepth=8" \
		"--bs=1m --size=8m --iodepth=4"
	sent=$(app 'head -c 2097152 /dev/urandom >/tmp/data
		dd if=/tmp/data of=/dev/$1 bs=256k seek=5 oflag=direct status=none; sha256sum </tmp/data' "$DISK")
	held=$(storage 'dd if=/dev/ram0 bs=256k skip=5 count=8 iflag=direct status=none | sha256sum')
	[[ $sent == "$held" ]]
}

# sampled MODE: true if the file system is left to another mode.
sampled() {
	[[ -z ${IDDR_FULL:-} && $1 != spin ]]
}

# file_system_is_right: what is copied to one is there, and it is sound.
file_system_is_right() {
	app 'mkfs.ext4 -q -b 4096 /dev/$1 32m
	     mkdir -p /mnt/t && mount /dev/$1 /mnt/t
	     cp -r /iddr /mnt/t/copy && umount /mnt/t && mount /dev/$1 /mnt/t
	     diff -r /iddr /mnt/t/copy
	     umount /mnt/t
	     fsck.ext4 -fn /dev/$1 >/dev/null' "$DISK"
}

@test "our front end on xen-blkback: data is right in every mode" {
	local mode
	"$IDDR" attach "$DISK" /dev/ram0 block-iddr-front
	drivers iddr_front vbd
	for mode in $MODES; do
		echo "mode $mode"
		our_front_mode "$mode"
		data_is_right
		sampled "$mode" || file_system_is_right
	done
	detach "$DISK"
}

@test "our back end under xen-blkfront: data is right in every mode and on every data path" {
	local path mode
	for path in $PATHS; do
		data_path "$path"
		"$IDDR" attach "$DISK" /dev/ram0 block-iddr-back
		drivers vbd iddr_back
		[[ $(storage 'cat /sys/bus/xen-backend/devices/vbd-*-$1/iddr/data_path' "$DEVID") == "$path" ]]
		for mode in $MODES; do
			echo "path $path, mode $mode"
			our_back_mode "$mode"
			data_is_right
			sampled "$mode" || file_system_is_right
		done
		detach "$DISK"
	done
}

# (xen-blkback does not close when it is unbound, and bound anew takes up the ring that was: it must not be
# unbound alone under our front end, which makes a new one.)
@test "our front end on xen-blkback: our end, and both ends, unbound and bound; the disk comes back with its data" {
	in_full 25
	local mode sum
	"$IDDR" attach "$DISK" /dev/ram0 block-iddr-front
	for mode in $MODES; do
		echo "mode $mode"
		our_front_mode "$mode"
		sum=$(app 'dd if=/dev/urandom of=/dev/$1 bs=64k count=16 oflag=direct status=none
			dd if=/dev/$1 bs=64k count=16 iflag=direct status=none | sha256sum' "$DISK")
		app 'cd /sys/bus/xen/drivers/iddr_front; echo vbd-$1 >unbind; echo vbd-$1 >bind' "$DEVID"
		our_disk_is_there "$DISK"
		our_front_mode "$mode"
		app 'echo vbd-$1 >/sys/bus/xen/drivers/iddr_front/unbind' "$DEVID"
		storage 'cd /sys/bus/xen-backend/drivers/vbd; d=(vbd-*-$1); echo "$d" >unbind; echo "$d" >bind' "$DEVID"
		app 'echo vbd-$1 >/sys/bus/xen/drivers/iddr_front/bind' "$DEVID"
		our_disk_is_there "$DISK"
		drivers iddr_front vbd
		[[ $(app 'dd if=/dev/$1 bs=64k count=16 iflag=direct status=none | sha256sum' "$DISK") == "$sum" ]]
		verify_load --bs=4k --size=1m --iodepth=8
	done
	detach "$DISK"
}

@test "our back end under xen-blkfront: detached and attached, either end in turn ours, again and again; the data stays" {
	in_full 100
	local i script sum=''
	for ((i = 0; i < 5; i++)); do
		for script in block-iddr-back block-stock block-iddr-front block-iddr; do
			echo "round $i, $script"
			"$IDDR" attach "$DISK" /dev/ram0 "$script"
			[[ -z $sum || $(app 'dd if=/dev/$1 bs=64k count=16 iflag=direct status=none | sha256sum' "$DISK") == "$sum" ]]
			sum=$(app 'dd if=/dev/urandom of=/dev/$1 bs=64k count=16 oflag=direct status=none
				dd if=/dev/$1 bs=64k count=16 iflag=direct status=none | sha256sum' "$DISK")
			detach "$DISK"
		done
	done
}

@test "our back end under xen-blkfront: modes change 12 times (full: 50) under verified load" {
	local rounds=12 size=4m
	[[ -z ${IDDR_FULL:-} ]] || rounds=50 size=16m
	"$IDDR" attach "$DISK" /dev/ram0 block-iddr-back
	aside storage '# Not before there is I/O.
		 cd /sys/bus/xen-backend/devices/vbd-*-$1/iddr
		 read -r before <queue0/requests
		 for ((i = 0; i < 300; i++)); do
			read -r now <queue0/requests
			((now < before + 30)) || break
			sleep 0.1
		 done
		 for ((i = 0; i < $3; i++)); do
			for m in $2; do
				echo "$m" >mode; [[ $(<mode) == "$m" ]]
				sleep 0.02
			done
		 done' "$DEVID" "$MODES" "$rounds" 3>&- &
	local pid=$!
	verify_load --bs=4k --size="$size" --iodepth=16
	wait "$pid"
	detach "$DISK"
}
