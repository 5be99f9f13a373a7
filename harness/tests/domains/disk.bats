#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# A disk through our pair: what it is, what it stores, how its modes are set.

load lib

setup_file() {
	open_sessions
	attach "$DISK" /dev/ram0
	forget_kernel_logs
}

teardown_file() {
	let_go "$DISK"
	close_sessions
}

teardown() {
	kernel_logs_clean
}

@test "the disk has the device's size and block size, and no foreign driver" {
	[[ $(app 'cat /sys/block/$1/size' "$DISK") == $(storage 'cat /sys/block/ram0/size') ]]
	[[ $(app 'cat /sys/block/$1/queue/logical_block_size' "$DISK") == $(storage 'cat /sys/block/ram0/queue/logical_block_size') ]]
	[[ $(app 'basename "$(readlink /sys/bus/xen/devices/vbd-$1/driver)"' "$DEVID") == iddr_front ]]
	[[ $(storage 'basename "$(readlink /sys/bus/xen-backend/devices/vbd-*-$1/driver)"' "$DEVID") == iddr_back ]]
}

@test "what the application writes is what the device holds" {
	app 'head -c 1048576 /dev/urandom >/tmp/data
	     dd if=/tmp/data of=/dev/$1 bs=64k seek=3 oflag=direct status=none' "$DISK"
	local sent held
	sent=$(app 'sha256sum </tmp/data')
	held=$(storage 'dd if=/dev/ram0 bs=64k skip=3 count=16 iflag=direct status=none | sha256sum')
	[[ $sent == "$held" ]]
}

@test "reads and writes at every size and alignment arrive (512 B, 4 KiB, 44 KiB, 64 KiB, 1 MiB)" {
	verify_loads "--bs=512 --size=512k --iodepth=8" "--bs=4k --size=2m --iodepth=8" "--bs=45056 --size=2m --iodepth=8" \
		"--bs=64k --size=2m --iodepth=8" "--bs=1m --size=2m --iodepth=8"
}

@test "the end of the disk can be read and written, and not what lies beyond" {
	app 'n=$(cat /sys/block/$1/size)
	     dd if=/dev/zero of=/dev/$1 bs=512 count=1 seek=$((n - 1)) oflag=direct status=none
	     dd if=/dev/$1 of=/dev/null bs=512 count=1 skip=$((n - 1)) iflag=direct status=none
	     ! dd if=/dev/zero of=/dev/$1 bs=512 count=1 seek=$n oflag=direct status=none 2>/dev/null' "$DISK"
}

@test "an ext4 file system survives copying, unmounting and fsck" {
	app 'mkfs.ext4 -q -b 4096 /dev/$1 32m
	     mkdir -p /mnt/t && mount /dev/$1 /mnt/t
	     cp -r /iddr /mnt/t/copy && sync
	     diff -r /iddr /mnt/t/copy
	     umount /mnt/t
	     fsck.ext4 -fn /dev/$1 >/dev/null' "$DISK"
}

@test "wrong mode names are refused with EINVAL and change nothing" {
	local name
	for name in bogus '' EVENT 'spin spin' hybridd "$(printf 'x%.0s' {1..300})"; do
		run app 'printf "%s\n" "$2" >/sys/block/$1/iddr/mode' "$DISK" "$name"
		((status != 0))
		[[ $output == *"Invalid argument"* ]]
		run app 'printf "%s\n" "$2" >/sys/block/$1/iddr/queue0/mode' "$DISK" "$name"
		((status != 0))
		[[ $output == *"Invalid argument"* ]]
		run storage 'printf "%s\n" "$2" >/sys/bus/xen-backend/devices/vbd-*-$1/iddr/mode' "$DEVID" "$name"
		((status != 0))
		[[ $output == *"Invalid argument"* ]]
	done
	[[ $(app 'cat /sys/block/$1/iddr/mode' "$DISK") == event ]]
}

@test "counters cannot be written (EACCES)" {
	run app 'for f in /sys/block/$1/iddr/queue0/*; do
			[[ $f != */mode ]] || continue
			if said=$( (echo 0 >"$f") 2>&1); then echo "$f can be written"; exit 1; fi
			[[ $said == *"Permission denied"* ]]
		done
		ls /sys/block/$1/iddr/queue0 | wc -l' "$DISK"
	((status == 0))
	((output > 10))
}

@test "both sides count the same requests, and every byte once" {
	local before after
	before=$(app 'cat /sys/block/$1/iddr/queue0/{requests,responses,copied_bytes}' "$DISK"
		storage 'cat /sys/bus/xen-backend/devices/vbd-*-$1/iddr/queue0/{requests,responses}' "$DEVID")
	app 'dd if=/dev/zero of=/dev/$1 bs=4k count=100 oflag=direct status=none
	     dd if=/dev/$1 of=/dev/null bs=4k count=50 iflag=direct status=none' "$DISK"
	after=$(app 'cat /sys/block/$1/iddr/queue0/{requests,responses,copied_bytes}' "$DISK"
		storage 'cat /sys/bus/xen-backend/devices/vbd-*-$1/iddr/queue0/{requests,responses}' "$DEVID")
	local -a b a
	mapfile -t b <<<"$before"
	mapfile -t a <<<"$after"
	# udev is not here to read the disk behind our back: exactly 150.
	((a[0] - b[0] == 150 && a[1] - b[1] == 150))
	((a[2] - b[2] == 150 * 4096))
	((a[3] - b[3] == 150 && a[4] - b[4] == 150))
}

@test "each file in sysfs is in modules/ABI.md, and each of that is in sysfs" {
	local documented dir side
	for side in app storage; do
		dir=/sys/block/$DISK/iddr
		[[ $side == app ]] || dir="/sys/bus/xen-backend/devices/vbd-*-$DEVID/iddr"
		# Those of /sys/block/<disk>/ are the front end's alone.
		documented=$(awk -v side="$side" '
			/^\tWhat:/ {
				n = split($0, word, /[ \t,]+/)
				for (i = 1; i <= n; i++)
					if ((sub(/^\.\.\.\/iddr\//, "", word[i]) && word[i] !~ /<counter>$/) ||
					    (side == "app" && sub(/^\/sys\/block\/<disk>\/iddr\//, "", word[i])))
						print word[i]
			}
			/^\| counter / { table = 1 }
			!/^\|/ { table = 0 }
			table && /^\| `/ {
				split($0, cell, "|")
				gsub(/[`,]/, " ", cell[2])
				n = split(cell[2], word, " ")
				for (i = 1; i <= n; i++)
					print "queue<N>/" word[i]
			}' "$IDDR_TOP/modules/ABI.md" | LC_ALL=C sort)
		(($(wc -l <<<"$documented") > 20))
		diff <(echo "$documented") \
			<(script_in "$side" 'cd $1; find . -type f | sed "s|^\./||; s|^queue[0-9]*/|queue<N>/|" | LC_ALL=C sort -u' "$dir")
	done
}
