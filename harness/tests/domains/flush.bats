#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# Flushes reach the device when they must, and only then. The device is a
# null_blk with a volatile cache; what it sees is its own trace of requests. And what
# they promise is kept: of another device the device mapper's log-writes keeps in
# which order what had to be durable.

load lib

setup_file() {
	open_sessions
	null_blk cache_size=8
	attach "$DISK" /dev/nullb0
	forget_kernel_logs
}

teardown_file() {
	let_go "$DISK"
	no_null_blk
	# Of a test that failed.
	detach xvdg 2>/dev/null || true
	no_log
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

# A script for the storage domain, before what it does with the device mapper.
MAPPER='mapper() { dmsetup --noudevrules --noudevsync "$@"; }
'

# no_log: undo what the test of the log has made, if there is any of it.
no_log() {
	storage "$MAPPER"'! mapper info logged >/dev/null 2>&1 || mapper remove logged
		for f in /run/log /run/replay; do
			[[ -e $f ]] || continue
			losetup -n -O NAME -j "$f" | while read -r loop; do losetup -d "$loop"; done
		done
		rm -f /run/log /run/replay /run/state'
}

# replayed STATUS [FLUSHES]: write to another device what the log has up to its last, or the FLUSHESth, flush: iddr-truth finds it right,
# status 0, or not, 1. Its figures and the log's are $output.
replayed() {
	run storage 'truncate -s 0 /run/replay; truncate -s 8M /run/replay
		loop=$(losetup -f --show /run/replay)
		rc=0
		iddr-replay "$(losetup -n -O NAME -j /run/log)" "$loop" ${1:+"$1"} || rc=2
		cp /tmp/state /run/state
		((rc)) || iddr-truth verify "$loop" --state /run/state || rc=$?
		losetup -d "$loop"
		exit "$rc"' "${@:2}"
	((status == $1)) || { echo "status $status"; echo "$output"; return 1; }
}

# figure NAME: of $output, in which the log's are before the disk's.
figure() {
	awk -F '\t' -v name="$1" '$1 == name { print $2; exit }' <<<"$output"
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

@test "had the power failed, each flush would have kept its promise; the check finds out one that has not" {
	local flushes
	storage "$MAPPER"'modprobe -a loop dm-log-writes
		truncate -s 160M /run/log
		mapper create logged --table "0 16384 log-writes /dev/ram0 $(losetup -f --show /run/log)"
		mapper mknodes logged
		dmesg -C'
	attach xvdg /dev/mapper/logged
	# Killed in the midst of it: what was not flushed may be there or not.
	app 'rm -f /tmp/state
	     nice -n 19 iddr-truth run /dev/xvdg --volatile-cache --state /tmp/state --seconds 0 --requests 5000 --read 10 --flush 5 --fua 5 </dev/null >/tmp/out 2>&1 &
	     # Not before it has flushed some times, after the filling.
	     for ((i = 0; i < 1200; i++)); do
		read -r -a stat </sys/block/xvdg/stat
		((stat[15] < 30)) || break
		sleep 0.02
	     done
	     kill -KILL "$!" || true
	     wait "$!" || true
	     cat /tmp/out'
	detach xvdg
	storage "$MAPPER"'mapper remove logged'
	"$IDDR" get app:/tmp/state "$BATS_TEST_TMPDIR/state"
	"$IDDR" put "$BATS_TEST_TMPDIR/state" storage:/tmp/
	replayed 0
	echo "$output"
	flushes=$(figure flushes)
	# After the flush of the filling, some of the load's.
	((flushes > 10 && $(figure replayed) <= $(figure entries)))
	replayed 1 "$((flushes / 2))"
	echo "$output"
	[[ $(figure flushes) == "$((flushes / 2))" ]]
	(($(figure lost) + $(figure stale) > 0 && $(figure corrupt) + $(figure misdirected) + $(figure foreign) == 0))
	no_log
}
