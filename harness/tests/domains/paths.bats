#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The data paths, sizes and rings, and what blkif has besides reads and writes.

load lib

setup_file() {
	open_sessions
	forget_kernel_logs
}

teardown_file() {
	close_sessions
}

teardown() {
	# A test that failed may have left it paused.
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || {
		dom dom0 xl unpause iddr-storage </dev/null 2>/dev/null || true
		"$IDDR" detach "$DISK" --force || true
		front_end || true
		back_module || true
	}
	if app '[[ -e /sys/block/$1 ]]' "$DISK"; then
		detach "$DISK" || true
	fi
	storage 'echo persistent >/sys/module/iddr_back/parameters/data_path'
	no_null_blk
	kernel_logs_clean "${EXPECTED:-}"
}

# data_path NAME: of disks that are attached from now on.
data_path() {
	storage 'echo "$1" >/sys/module/iddr_back/parameters/data_path' "$1"
}

# front_end ARGS: load the front end anew with module parameters; no disk is attached.
front_end() {
	app 'rmmod iddr_front && insmod /iddr/modules/iddr_front.ko "$@"' "$@"
}

# all_sizes: verified writes from a sector to more than a request holds (full: and sizes between), also from memory that is
# not aligned to pages.
all_sizes() {
	local bs loads=() sizes='512 48k 3m'
	[[ -z ${IDDR_FULL:-} ]] || sizes='512 4k 44k 48k 1m 3m'
	for bs in $sizes; do
		loads+=("--bs=$bs --size=6m --number_ios=40 --iodepth=8")
	done
	verify_loads "${loads[@]}" "--bs=8k --size=1m --iodepth=8 --iomem_align=512"
}

@test "persistent: every size, nothing mapped or granted in the steady state" {
	attach "$DISK" /dev/ram0
	[[ $(app 'cat /sys/block/$1/iddr/data_path' "$DISK") == persistent ]]
	all_sizes
	local front back
	# More at once than what is counted after it, however fast they are answered: in one io_submit().
	verify_load --bs=64k --size=4m --iodepth=32 --iodepth_batch=32
	front=$(counter front grant_ops 0) back=$(counter back grant_ops 0)
	verify_load --bs=64k --size=2m --iodepth=8
	(($(counter front grant_ops 0) == front && $(counter back grant_ops 0) == back))
}

@test "map: every size; the front end copies nothing of whole pages and all grants end" {
	data_path map
	attach "$DISK" /dev/ram0
	[[ $(app 'cat /sys/block/$1/iddr/data_path' "$DISK") == grant ]]
	[[ $(storage 'cat /sys/bus/xen-backend/devices/vbd-*-$1/iddr/data_path' "$DEVID") == map ]]
	all_sizes
	local copied ops
	copied=$(counter front copied_bytes 0) ops=$(counter back grant_ops 0)
	app 'dd if=/dev/$1 of=/dev/null bs=64k count=4 iflag=direct status=none' "$DISK"
	(($(counter front copied_bytes 0) == copied))
	# 4 requests of 16 pages, mapped and unmapped; 16 pages need one page of descriptors, copied.
	(($(counter back grant_ops 0) - ops == 4 * (16 + 16 + 1)))
}

@test "copy: every size; one grant operation a page" {
	data_path copy
	attach "$DISK" /dev/ram0
	[[ $(storage 'cat /sys/bus/xen-backend/devices/vbd-*-$1/iddr/data_path' "$DEVID") == copy ]]
	all_sizes
	local ops
	ops=$(counter back grant_ops 0)
	app 'dd if=/dev/$1 of=/dev/null bs=16k count=4 iflag=direct status=none' "$DISK"
	(($(counter back grant_ops 0) - ops == 4 * 4))
}

@test "partial pages are bounced: the granted page holds nothing but the request's data" {
	data_path map
	attach "$DISK" /dev/ram0
	local copied
	copied=$(counter front copied_bytes 0)
	app 'dd if=/dev/$1 of=/dev/null bs=512 count=4 iflag=direct status=none' "$DISK"
	(($(counter front copied_bytes 0) - copied == 2048))
}

@test "a request of 1 MiB is one ring entry" {
	attach "$DISK" /dev/ram0
	local n
	n=$(counter front requests 0)
	app 'dd if=/dev/$1 of=/dev/null bs=1M count=3 iflag=direct status=none' "$DISK"
	(($(counter front requests 0) - n == 3))
}

@test "a request of 16 MiB is one ring entry with max_segments=4096 on both sides" {
	in_full 12
	local n
	back_module max_segments=4096
	front_end max_segments=4096
	attach "$DISK" /dev/ram0
	app 'echo 16384 >/sys/block/$1/queue/max_sectors_kb' "$DISK"
	verify_load --bs=16m --size=32m --iodepth=2
	n=$(counter front requests 0)
	app 'dd if=/dev/$1 of=/dev/null bs=16M count=2 iflag=direct status=none' "$DISK"
	(($(counter front requests 0) - n == 2))
	detach "$DISK"
	back_module
	front_end
}

@test "a front end with nothing but what all have (one page, one queue, 11 segments, no persistent grants)" {
	front_end ring_page_order=0 poll_queues=0 max_segments=11 persistent=0
	local p
	for p in persistent copy; do
		data_path "$p"
		attach "$DISK" /dev/ram0
		[[ $(app 'cat /sys/block/$1/iddr/queue0/ring_slots' "$DISK") == 32 ]]
		[[ $(app 'ls -d /sys/block/$1/iddr/queue*' "$DISK") == "/sys/block/$DISK/iddr/queue0" ]]
		verify_load --bs=64k --size=2m --iodepth=16
		detach "$DISK"
	done
	# persistent falls back to map for a front end that does not offer it.
	front_end
}

@test "a back end that comes back with less does not offer what it offered before" {
	attach "$DISK" /dev/ram0
	[[ $(app 'cat /sys/block/$1/queue/max_hw_sectors_kb' "$DISK") == 1024 ]]
	app 'echo fail >/sys/block/$1/iddr/recovery' "$DISK"
	storage 'device=$(cd /sys/bus/xen-backend/devices && echo vbd-*-"$1")
		 echo "$device" >/sys/bus/xen-backend/drivers/iddr_back/unbind
		 rmmod iddr_back && insmod /iddr/modules/iddr_back.ko max_segments=11
		 echo "$device" >/sys/bus/xen-backend/drivers/iddr_back/bind' "$DEVID"
	app 'for ((i = 0; i < 200; i++)); do
		[[ ! -e /sys/block/$1 || $(</sys/block/$1/queue/max_hw_sectors_kb) != 44 ]] || exit 0
		sleep 0.05
	     done
	     exit 1' "$DISK"
	verify_load --bs=256k --size=2m --iodepth=4
	detach "$DISK"
	back_module
	EXPECTED="back end of $DISK is gone"
}

# publications SCRIPT: how often the front end tells the back end of something, notified or not, for how many requests.
publications() {
	local -a before after
	local now='cd /sys/block/$1/iddr/queue0; echo "$(<requests) $(($(<notify_sent) + $(<notify_suppressed)))"'
	read -ra before <<<"$(app "$now" "$DISK")"
	app "$1" "$DISK"
	read -ra after <<<"$(app "$now" "$DISK")"
	printf '%s %s\n' "$((after[1] - before[1]))" "$((after[0] - before[0]))"
}

@test "requests that are submitted together are published together" {
	local n requests load='fio --name=batch --filename=/dev/$1 --allow_file_create=0 --ioengine=io_uring --direct=1 --rw=randread \
		--bs=4k --size=16m --number_ios=320 --iodepth=16 --output=/tmp/fio.out'
	attach "$DISK" /dev/ram0
	read -r n requests <<<"$(publications "$load --iodepth_batch_submit=1 --iodepth_batch_complete_min=1")"
	echo "one by one: $n for $requests"
	((requests >= 320 && n * 10 >= requests * 9))
	read -r n requests <<<"$(publications "$load --iodepth_batch_submit=16 --iodepth_batch_complete_min=16")"
	echo "by sixteen: $n for $requests"
	((requests >= 320 && n * 4 <= requests))
}

@test "a ring of 16 pages (full: of any number) has 512 slots, which can all be in flight" {
	local order orders=4
	[[ -z ${IDDR_FULL:-} ]] || orders='0 1 2 3 4'
	for order in $orders; do
		front_end ring_page_order="$order"
		attach "$DISK" /dev/ram0
		(($(app 'cat /sys/block/$1/iddr/queue0/ring_slots' "$DISK") == 32 << order))
		verify_load --bs=4k --size=2m --iodepth=$((32 << order))
		detach "$DISK"
	done
	front_end
}

@test "several queues, waiting and polled, each carry their own I/O" {
	front_end queues=3 poll_queues=2
	attach "$DISK" /dev/ram0
	[[ $(app 'cd /sys/block/$1/iddr; for q in queue?; do cat $q/mode; done | tr "\n" " "' "$DISK") == "event event event poll poll " ]]
	verify_load --bs=4k --size=1m --iodepth=16
	detach "$DISK"
	front_end
}

@test "module parameters out of range are refused, each with its line in the log" {
	local module dom wrong
	for module in front back; do
		dom=app
		wrong=(mode=quick ring_page_order=5 max_segments=10 max_segments=4097 queues=65 poll_queues=65)
		[[ $module == front ]] || dom=storage wrong=(mode=quick data_path=quick ring_page_order=5 max_segments=10 max_queues=0)
		run -0 script_in "$dom" 'module=iddr_$1 noise=$2
			rmmod $module
			for p in "${@:3}"; do
				dmesg -C
				if insmod /iddr/modules/$module.ko "$p" 2>/dev/null; then
					echo "$p was taken"
					rmmod $module
				fi
				mapfile -t lines < <(dmesg -c -l emerg,alert,crit,err,warn | grep -Ev -- "$noise")
				wanted="$module: .*(none of|must be)|invalid for parameter"
				if ((${#lines[@]} != 1)) || [[ ! ${lines[0]} =~ $wanted || ${lines[0]} != *"${p%%=*}"* ]]; then
					printf "%s has: %s\n" "$p" "${lines[*]}"
				fi
			done
			insmod /iddr/modules/$module.ko' "$module" "$NOISE" "${wrong[@]}"
		[[ -z $output ]] || { echo "$output"; return 1; }
	done
}

@test "discard reaches the device, whose sectors then read as zeroes" {
	null_blk discard=1
	attach "$DISK" /dev/nullb0
	(($(app 'cat /sys/block/$1/queue/discard_max_bytes' "$DISK") > 0))
	app 'head -c 65536 /dev/urandom | dd of=/dev/$1 bs=64k oflag=direct status=none
	     blkdiscard -o 4096 -l 8192 /dev/$1
	     dd if=/dev/$1 bs=4k skip=1 count=2 iflag=direct status=none | cmp -n 8192 - /dev/zero
	     for skip in 0 3; do
		if dd if=/dev/$1 bs=4k skip=$skip count=1 iflag=direct status=none | cmp -s -n 4096 - /dev/zero; then exit 1; fi
	     done' "$DISK"
	run app 'blkdiscard --secure /dev/$1' "$DISK"
	((status != 0))
}

@test "discard reaches a device that has it at an alignment" {
	local loop
	# A partition that begins one sector off the device's granularity.
	loop=$(storage 'modprobe loop; truncate -s 8M /tmp/loop; d=$(losetup -P -f --show /tmp/loop); addpart "$d" 1 1 16000; echo "$d"')
	attach "$DISK" "${loop}p1"
	[[ $(storage 'cat /sys/class/block/$1/discard_alignment' "${loop#/dev/}p1") == 3584 ]]
	[[ $(app 'cat /sys/block/$1/queue/discard_granularity' "$DISK") == 4096 ]]
	app 'head -c 65536 /dev/urandom | dd of=/dev/$1 bs=64k oflag=direct status=none
	     blkdiscard -o 3584 -l 4096 /dev/$1
	     dd if=/dev/$1 bs=512 skip=7 count=8 iflag=direct status=none | cmp -n 4096 - /dev/zero
	     for skip in 6 15; do
		if dd if=/dev/$1 bs=512 skip=$skip count=1 iflag=direct status=none | cmp -s -n 512 - /dev/zero; then exit 1; fi
	     done' "$DISK"
	detach "$DISK"
	storage 'losetup -d "$1"; rm /tmp/loop' "$loop"
}

@test "a device without discard offers none" {
	attach "$DISK" /dev/ram0
	(($(app 'cat /sys/block/$1/queue/discard_max_bytes' "$DISK") == 0))
}

@test "blocks of 4096 bytes: smaller I/O is refused, all else is right (full: on every path)" {
	null_blk blocksize=4096
	local p paths=persistent
	[[ -z ${IDDR_FULL:-} ]] || paths='persistent map copy'
	for p in $paths; do
		data_path "$p"
		attach "$DISK" /dev/nullb0
		[[ $(app 'cat /sys/block/$1/queue/logical_block_size' "$DISK") == 4096 ]]
		verify_loads "--bs=4k --size=1m --iodepth=8" "--bs=64k --size=1m --iodepth=8"
		run app 'dd if=/dev/$1 of=/dev/null bs=512 count=1 iflag=direct' "$DISK"
		((status != 0))
		detach "$DISK"
	done
}

@test "a read-only disk is read-only on both sides" {
	attach_as "$DISK" /dev/ram0 r
	[[ $(app 'cat /sys/block/$1/ro' "$DISK") == 1 ]]
	app 'dd if=/dev/$1 of=/dev/null bs=64k count=4 iflag=direct status=none' "$DISK"
	run app 'dd if=/dev/zero of=/dev/$1 bs=4k count=1 oflag=direct' "$DISK"
	((status != 0))
}

# size_becomes SECTORS: the application's disk has that size, soon.
size_becomes() {
	app 'for ((i = 0; i < 200; i++)); do
		[[ $(</sys/block/$1/size) != "$2" ]] || exit 0
		sleep 0.05
	     done
	     echo "$(</sys/block/$1/size) sectors"; exit 1' "$DISK" "$1"
}

@test "a device that grows or shrinks does so for the application, under verified load" {
	storage 'truncate -s 8M /tmp/img && losetup /dev/loop3 /tmp/img'
	attach "$DISK" /dev/loop3
	[[ $(app 'cat /sys/block/$1/size' "$DISK") == 16384 ]]
	app 'rm -f /tmp/stop /tmp/load /tmp/rounds
	     (n=0
	      until [[ -e /tmp/stop ]]; do
		fio --allow_file_create=0 --name=v --filename=/dev/$1 --ioengine=libaio --direct=1 --rw=randwrite --bs=4k \
			--size=1m --iodepth=8 --verify=crc32c --verify_fatal=1 >/tmp/load.out 2>&1 ||
			{ echo failed >/tmp/load; exit 0; }
		echo $((n += 1)) >/tmp/rounds
	      done
	      echo good >/tmp/load) </dev/null >/dev/null 2>&1 &' "$DISK"
	# No request but the load's tells.
	storage 'truncate -s 16M /tmp/img && losetup -c /dev/loop3'
	size_becomes 32768
	app 'dd if=/dev/zero of=/dev/$1 bs=1M seek=15 count=1 oflag=direct status=none' "$DISK"
	storage 'truncate -s 4M /tmp/img && losetup -c /dev/loop3'
	size_becomes 8192
	app 'rounds=$(cat /tmp/rounds 2>/dev/null || echo 0)
	     # It goes on, on the disk as it is now.
	     for ((i = 0; i < 600; i++)); do
		[[ ! -s /tmp/load ]] || break
		(($(cat /tmp/rounds 2>/dev/null || echo 0) < rounds + 2)) || break
		sleep 0.1
	     done
	     touch /tmp/stop
	     for ((i = 0; i < 600; i++)); do
		[[ ! -s /tmp/load ]] || break
		sleep 0.1
	     done
	     [[ $(cat /tmp/load) == good ]] || { cat /tmp/load.out; exit 1; }'
	# While nobody is connected: what the back end has told before does not hold any more.
	app 'cd /sys/bus/xen/drivers/iddr_front; echo "vbd-$1" >unbind' "$DEVID"
	storage 'truncate -s 12M /tmp/img && losetup -c /dev/loop3'
	app 'cd /sys/bus/xen/drivers/iddr_front; echo "vbd-$1" >bind' "$DEVID"
	our_disk_is_there "$DISK"
	[[ $(app 'cat /sys/block/$1/size' "$DISK") == 24576 ]]
	detach "$DISK"
	storage 'losetup -d /dev/loop3; rm /tmp/img'
}

@test "requests that a paused back end leaves unanswered wait, are counted, and complete" {
	EXPECTED='not answered for 1 s'
	attach "$DISK" /dev/ram0
	app 'echo 1000 >/sys/block/$1/queue/io_timeout; rm -f /tmp/dd.rc' "$DISK"
	dom0 'xl pause iddr-storage'
	app '(rc=0; dd if=/dev/$1 of=/dev/null bs=4k count=1 iflag=direct status=none || rc=$?; echo $rc >/tmp/dd.rc) </dev/null >/dev/null 2>&1 &
	     for ((i = 0; i < 600; i++)); do
		(($(</sys/block/$1/iddr/queue0/timeouts) == 0)) || exit 0
		sleep 0.1
	     done
	     echo "no timeout is counted"; exit 1' "$DISK"
	dom0 'xl unpause iddr-storage'
	app 'for ((i = 0; i < 200; i++)); do [[ ! -s /tmp/dd.rc ]] || break; sleep 0.05; done
	     [[ $(</tmp/dd.rc) == 0 ]]'
	run -0 app 'dmesg | grep -c "not answered for 1 s"'
}
