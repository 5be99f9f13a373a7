#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# Flushes reach the device when they must, and only then. The device is a
# null_blk with a volatile cache; what it sees is its own trace of requests.

load lib

setup_file() {
	open_sessions
	null_blk cache_size=8
	attach "$DISK" /dev/nullb0
	forget_kernel_logs
}

teardown_file() {
	detach "$DISK"
	no_null_blk
	close_sessions
}

teardown() {
	kernel_logs_clean
}

# device_saw SCRIPT: run SCRIPT in app; print what the device was asked, a
# letter a request: F flush, W write, R read.
device_saw() {
	storage 'cd /sys/kernel/tracing
		 echo 0 >tracing_on; echo >trace
		 echo 1 >events/block/block_rq_issue/enable; echo 1 >tracing_on'
	app "$1" "$DISK"
	storage 'cd /sys/kernel/tracing
		 echo 0 >tracing_on; echo 0 >events/block/block_rq_issue/enable
		 awk "/block_rq_issue/ {
			for (i = 1; i <= NF; i++)
				if (\$i == \"block_rq_issue:\")
					op = \$(i + 2)
			printf \"%s\", op ~ /^F/ ? \"F\" : substr(op, 1, 1)
		 }" trace'
}

@test "the disk has a volatile cache, as its device does, and no FUA" {
	[[ $(app 'cat /sys/block/$1/queue/write_cache' "$DISK") == "write back" ]]
	[[ $(app 'cat /sys/block/$1/queue/fua' "$DISK") == 0 ]]
}

@test "writes without a flush cause none" {
	[[ $(device_saw 'dd if=/dev/zero of=/dev/$1 bs=4k count=5 oflag=direct status=none') == WWWWW ]]
}

@test "fsync flushes once, after the data" {
	[[ $(device_saw 'dd if=/dev/zero of=/dev/$1 bs=4k count=3 oflag=direct conv=fsync status=none') == WWWF ]]
}

@test "every O_DSYNC write is followed by its flush" {
	local saw
	saw=$(device_saw 'dd if=/dev/zero of=/dev/$1 bs=4k count=3 oflag=direct,dsync status=none')
	# FUA becomes write and flush; Linux then flushes once more for O_DSYNC.
	[[ $saw =~ ^(WF+){3}$ ]]
}

@test "flushes go through with each end asleep or spinning (full: in every mode)" {
	local f b modes='event spin'
	[[ -z ${IDDR_FULL:-} ]] || modes='event spin hybrid adaptive'
	for f in $modes; do
		for b in $modes; do
			set_modes "$f" "$b"
			[[ $(device_saw 'dd if=/dev/zero of=/dev/$1 bs=4k count=2 oflag=direct conv=fsync status=none') == WWF ]]
		done
	done
	set_modes event event
}

@test "reads cause no flush" {
	[[ $(device_saw 'dd if=/dev/$1 of=/dev/null bs=4k count=4 iflag=direct status=none') == RRRR ]]
}
