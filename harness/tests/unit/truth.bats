#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The checker of a disk's contents, here on a file: every kind of violation that is put into the file is found and
# counted as what it is, and nothing that is legal is.

bats_require_minimum_version 1.5.0

setup_file() {
	local source=$BATS_TEST_DIRNAME/../../tools/iddr-truth.c
	local -a flags=(-O1 -g -Wall -Wextra -Werror -std=gnu11 -pthread)
	export TRUTH=$BATS_FILE_TMPDIR/iddr-truth BUFFERED=
	gcc "${flags[@]}" -fsanitize=address,undefined -fno-sanitize-recover=undefined -o "$TRUTH" "$source"
	gcc "${flags[@]}" -fsanitize=thread -o "$TRUTH-tsan" "$source"
	# Not every file system of a temporary directory has O_DIRECT.
	truncate -s 1m "$BATS_FILE_TMPDIR/try"
	if ! dd if="$BATS_FILE_TMPDIR/try" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null; then
		BUFFERED=--buffered
	fi
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	truncate -s 2m disk
}

# truth STATUS VERB ARGUMENT...: run it on the file with a state; its figures are $output.
truth() {
	local status=$1 verb=$2
	shift 2
	run --separate-stderr "-$status" timeout 300 "$TRUTH" "$verb" disk ${BUFFERED:+"$BUFFERED"} --state state "$@"
}

# figure NAME: one of them.
figure() {
	awk -F '\t' -v name="$1" '$1 == name { print $2; n++ } END { exit n != 1 }' <<<"$output"
}

# only NAME N: that violation was counted so often, and no other.
only() {
	[[ $(figure "$1") == "$2" && $(figure violations) == "$2" ]] || { echo "$output"; echo "$stderr"; return 1; }
}

# two_states: a run and its file in disk.old, and the same after some more writes in disk; what differs in $CHANGED.
two_states() {
	truth 0 run --requests 1 --read 100 --flush 0 --fua 0
	cp disk disk.old
	cp state state.old
	truth 0 run --resume --requests 300 --read 0 --max-blocks 1
	mapfile -t CHANGED < <(cmp -l disk.old disk | awk '{ b = int(($1 - 1) / 4096) } NR == 1 || b != last { print b } { last = b }')
	((${#CHANGED[@]} > 20))
}

# plant FILE FROM TO [SECTORS [FIRST]]: put sectors of a file's block FROM in place of those of disk's block TO.
plant() {
	dd if="$1" of=disk bs=512 skip=$(($2 * 8 + ${5:-0})) seek=$(($3 * 8 + ${5:-0})) count="${4:-8}" conv=notrunc status=none
}

@test "a run finds nothing on a good file, and its figures add up" {
	truth 0 run --requests 500 --depth 8
	[[ -z $stderr ]]
	(($(figure violations) == 0 && $(figure blocks) == 512 && $(figure verified) == 512))
	(($(figure writes) > 100 && $(figure reads) > 100 && $(figure flushes) > 0 && $(figure fua_writes) > 0))
	(($(figure writes) + $(figure fua_writes) + $(figure reads) + $(figure flushes) == 500))
	# 256 KiB at a time to fill and to verify.
	(($(figure requests) == 500 - $(figure flushes) + 8 + 8))
	(($(figure uncertain) == 0 && $(figure unanswered) == 0 && $(figure unreadable) == 0))
	truth 0 verify
	(($(figure verified) == 512 && $(figure violations) == 0))
}

@test "--help explains each figure that is written" {
	local name help
	truth 0 run --requests 10
	help=$("$TRUTH" --help)
	while IFS=$'\t' read -r name _; do
		[[ $name != *_failed ]] || continue
		grep -qw -- "$name" <<<"$help" || { echo "not explained: $name"; return 1; }
	done <<<"$output"
	((${#lines[@]} > 25))
}

@test "no two threads race (under the thread sanitizer)" {
	local -a fixed=()
	# See the group c in harness/tests/run.
	! setarch -R true 2>/dev/null || fixed=(setarch -R)
	TSAN_OPTIONS=halt_on_error=1 run -0 timeout 60 ${fixed[@]+"${fixed[@]}"} "$TRUTH-tsan" run disk ${BUFFERED:+"$BUFFERED"} \
		--requests 2000 --volatile-cache --flush 10
}

@test "every block size, regions, and a seed that repeats the order" {
	local block once
	for block in 512 1536 64k 1m; do
		rm -f state
		truth 0 run --requests 50 --block "$block" --offset 4k
		(($(figure blocks) == (2097152 - 4096) / $(figure block_bytes) && $(figure verified) == $(figure blocks)))
	done
	rm -f state
	cp disk before
	truth 0 run --requests 50 --size 64k --offset 128k
	(($(figure blocks) == 16))
	cmp -n 131072 before disk
	cmp -i 196608 before disk
	rm state
	truth 0 run --requests 200 --depth 1 --seed 7
	once="$(figure writes) $(figure reads) $(figure flushes)"
	rm state
	truth 0 run --requests 200 --depth 1 --seed 7
	[[ $once == "$(figure writes) $(figure reads) $(figure flushes)" && $(figure seed) == 7 ]]
}

@test "a lost write, whole or of many blocks" {
	two_states
	plant disk.old "${CHANGED[3]}" "${CHANGED[3]}"
	truth 1 verify
	only lost 1
	[[ $stderr == *"block ${CHANGED[3]}, byte $((CHANGED[3] * 4096)): lost: it has write 1 to 1; right would be"* ]]
	# Which the run had read in the end; now one that it had not.
	(($(figure reverted) == 1))
	dd if=/dev/zero of=state bs=4 seek=$((16 + CHANGED[3] * 4 + 3)) count=1 conv=notrunc status=none
	truth 1 verify
	only lost 1
	(($(figure reverted) == 0))
	cp disk.old disk
	truth 1 verify --report 2
	only lost "${#CHANGED[@]}"
	[[ $stderr == *"and $((${#CHANGED[@]} - 2)) more" ]]
	(($(grep -c ': lost: ' <<<"$stderr") == 2))
}

@test "a torn write: any of its sectors is the old one" {
	local sector
	two_states
	cp disk disk.new
	for sector in 0 3 7; do
		cp disk.new disk
		plant disk.old "${CHANGED[5]}" "${CHANGED[5]}" 1 "$sector"
		truth 1 verify
		only torn 1
	done
}

@test "two blocks in each other's place, and a sector that strayed" {
	two_states
	cp disk disk.new
	plant disk.new 10 20
	plant disk.new 20 10
	truth 1 verify
	only misdirected 2
	[[ $stderr == *"block 10, byte 40960: misdirected: sector 0 has what was written to byte 81920"* ]]
	cp disk.new disk
	dd if=disk.new of=disk bs=512 skip=88 seek=93 count=1 conv=notrunc status=none
	truth 1 verify
	only misdirected 1
	[[ $stderr == *"block 11, byte 45056: misdirected: sector 5 has what was written to byte 45056"* ]]
}

@test "a flipped bit, anywhere in a sector" {
	local at byte
	truth 0 run --requests 100
	cp disk disk.new
	# The magic number, the run, the place, the write's number, the filling, the sum.
	for at in 0 8 16 24 32 511; do
		cp disk.new disk
		byte=$(od -An -tu1 -j $((4096 * 7 + 512 + at)) -N 1 disk)
		# shellcheck disable=SC2059 # the format is the byte
		printf "\\x$(printf %x $((byte ^ 16)))" | dd of=disk bs=1 seek=$((4096 * 7 + 512 + at)) conv=notrunc status=none
		truth 1 verify
		only corrupt 1
		[[ $stderr == *"block 7, byte 28672: corrupt: in sector 1;"* ]]
	done
}

@test "zeroes, and data of another run, are foreign" {
	truth 0 run --requests 100
	cp disk other
	rm state
	truth 0 run --requests 100
	plant other 9 9
	truth 1 verify
	only foreign 1
	plant /dev/zero 0 0
	dd if=/dev/zero of=disk bs=512 seek=325 count=1 conv=notrunc status=none
	truth 1 verify
	only foreign 3
}

@test "a write that was never begun is corruption" {
	two_states
	mv state.old state
	truth 1 verify
	only corrupt "${#CHANGED[@]}"
}

@test "reads of the load find old data as stale; it is lost only if it stays" {
	two_states
	cp disk.old disk
	# Half of all requests read; what is written anew is right again.
	truth 1 run --resume --requests 300 --read 50 --max-blocks 1
	(($(figure stale) > 0 && $(figure lost) > 0 && $(figure lost) < ${#CHANGED[@]}))
	(($(figure stale) + $(figure lost) == $(figure violations)))
}

@test "whoever looks before each write finds each loss, though all is written anew; who does not, next to none" {
	two_states
	cp state state.new
	cp disk.old disk
	truth 1 run --resume --seconds 0 --requests 8000 --read 0 --flush 0 --fua 0 --max-blocks 1 --depth 1 --look 100
	(($(figure stale) + $(figure lost) == ${#CHANGED[@]} && $(figure violations) == ${#CHANGED[@]}))
	(($(figure reads) == 8000 && $(figure writes) == 8000))
	cp disk.old disk
	cp state.new state
	run --separate-stderr timeout 300 "$TRUTH" run disk ${BUFFERED:+"$BUFFERED"} --state state --resume --seconds 0 --requests 8000 --read 0 --flush 0 --fua 0 --max-blocks 1 --depth 1
	(($(figure reads) == 0 && $(figure violations) < ${#CHANGED[@]} / 4))
}

@test "SIGKILL in the load leaves a state that holds, and that a run can go on from" {
	local pid i
	"$TRUTH" run disk ${BUFFERED:+"$BUFFERED"} --state state --seconds 0 --depth 8 >out 3>&- &
	pid=$!
	for ((i = 0; i < 200; i++)); do
		! grep -q realtime_ns out || break
		sleep 0.05
	done
	((i < 200))
	sleep 0.3
	kill -KILL "$pid"
	wait "$pid" || true
	truth 0 verify
	(($(figure verified) == 512))
	truth 0 run --resume --requests 300
	truth 0 verify
}

@test "SIGTERM ends the load, and all is verified; the timeline has every read and write" {
	local pid i
	"$TRUTH" run disk ${BUFFERED:+"$BUFFERED"} --seconds 0 --timeline line >out 3>&- &
	pid=$!
	for ((i = 0; i < 200; i++)); do
		! grep -q realtime_ns out || break
		sleep 0.05
	done
	sleep 0.5
	kill -TERM "$pid"
	wait "$pid"
	output=$(<out)
	(($(figure verified) == 512 && $(figure violations) == 0 && $(figure load_ms) >= 400))
	(($(figure gap_ms) <= $(figure load_ms) && $(figure slowest_ms) <= $(figure load_ms)))
	[[ $(head -n 1 line) == "# 0 ms is CLOCK_MONOTONIC $(figure monotonic_ns) ns, CLOCK_REALTIME $(figure realtime_ns) ns" ]]
	(($(awk 'NR > 2 { n += $2 + $3; if ($1 != (NR - 3) * 100) exit } END { print n }' line) ==
		$(figure writes) + $(figure fua_writes) + $(figure reads)))
	(($(wc -l <line) == $(figure load_ms) / 100 + 3))
}

# limited STATUS ARGUMENT...: go on with a file that cannot be written beyond its first 128 KiB and two sectors, like a device
# that fails some requests, and one of them halfway.
limited() {
	local status=$1
	shift
	run --separate-stderr "-$status" bash -c 'trap "" XFSZ; ulimit -f 129; exec "$@"' - \
		"$TRUTH" run disk --buffered --state state --resume --max-blocks 1 --fua 0 "$@"
}

@test "failed writes are errors unless expected; both values are legal, and half of each" {
	truth 0 run --requests 1
	cp disk disk.old
	limited 3 --requests 3000 --read 0
	[[ $stderr == *"--expect-errors"* ]]
	(($(figure writes_failed) > 0 && $(figure violations) == 0))
	(($(figure uncertain) > 0 && $(figure half_done) == 1))
	truth 0 verify
	(($(figure half_done) == 1))
	limited 0 --requests 100 --expect-errors
	# The old value and the half of the new one, both were legal; a newer one that is acknowledged alone is.
	cp disk disk.half
	plant disk.old 32 32
	truth 0 verify
	cp disk.half disk
	truth 0 run --resume --requests 4000 --read 0
	(($(figure uncertain) == 0))
	plant disk.half 32 32
	truth 1 verify
	only lost 1
}

@test "a sector that is read while it is written may be of both, one that stays so is corrupt" {
	truth 0 run --requests 1
	cp disk disk.old
	limited 0 --requests 3000 --read 0 --expect-errors
	# Block 32 is half written: make one of the new sectors half new.
	dd if=disk.old of=disk bs=1 skip=$((32 * 4096)) seek=$((32 * 4096)) count=256 conv=notrunc status=none
	truth 1 run --resume --requests 3000 --read 100 --flush 0 --fua 0 --max-blocks 1
	only corrupt 1
	(($(figure blended) > 0))
	# But not of data that no write had.
	printf x | dd of=disk bs=1 seek=$((32 * 4096 + 100)) conv=notrunc status=none
	truth 1 run --resume --requests 3000 --read 100 --flush 0 --fua 0 --max-blocks 1
	(($(figure blended) == 0 && $(figure corrupt) > 1))
}

@test "a volatile cache may lose what was not flushed, whole or in part, and only that" {
	truth 0 run --requests 1 --volatile-cache --flush 0 --fua 0
	cp disk disk.old
	truth 0 run --resume --requests 300 --read 0 --flush 0 --fua 0
	(($(figure uncertain) > 100))
	cp disk disk.new
	cp state state.new
	cp disk.old disk
	truth 0 verify
	(($(figure half_done) == 0))
	dd if=disk.new of=disk bs=512 count=2045 conv=notrunc status=none
	truth 0 verify
	# A flush, and it may not any more.
	cp disk.new disk
	truth 0 run --resume --requests 1 --flush 100 --read 0 --fua 0
	(($(figure uncertain) == 0 && $(figure flushes) == 1))
	cp disk.old disk
	truth 1 verify
	(($(figure lost) > 100 && $(figure lost) == $(figure violations)))
	# Nor what was written with FUA.
	cp disk.new disk
	cp state.new state
	truth 0 run --resume --requests 1 --flush 0 --read 0 --fua 100 --max-blocks 1
	cp disk.old disk
	truth 1 verify
	only lost 1
}

@test "a flush covers nothing that is written later" {
	truth 0 run --requests 1 --volatile-cache --flush 0 --fua 0 --depth 1
	truth 0 run --resume --requests 1 --flush 100 --read 0 --fua 0 --depth 1
	(($(figure uncertain) == 0))
	cp disk disk.old
	truth 0 run --resume --requests 1 --flush 0 --read 0 --fua 0 --depth 1 --max-blocks 1
	(($(figure uncertain) == 1))
	cp disk.old disk
	truth 0 verify
}

@test "misuse is refused with what to do" {
	local words what status
	truth 0 run --requests 1
	head -c 1000 /dev/urandom >noise
	mkfifo pipe
	while IFS='|' read -r status words what; do
		# shellcheck disable=SC2086 # words
		run "-$status" timeout 10 "$TRUTH" $words $BUFFERED
		[[ $output == *"$what"* ]] || { echo "$words: $output"; return 1; }
	done <<-'EOT'
		2||iddr-truth --help explains
		2|check disk|iddr-truth --help explains
		2|run|one device is needed
		2|run disk disk|one device is needed
		2|run disk --speed 1|--help lists the options
		2|run disk --depth 0|--depth: '0' is not a number from 1 to 256
		2|run disk --size 1t|--size: '1t' is not a number
		2|run disk --size 99999999999g|is not a number
		2|run disk --block 1000|must be multiples of 512
		2|run disk --size 3m|use a smaller --size
		2|run disk --offset 2m|beyond the device's end
		2|run disk --size 2k|no room for a block
		2|run disk --read 60 --flush 41|more than 100 % together
		2|run disk --state state|remove it, or go on with --resume
		2|run disk --resume|--state FILE is needed
		2|run disk --resume --state state --block 8k|--block cannot be changed by --resume
		2|run disk --resume --state none|it is made by iddr-truth run --state
		2|verify disk|--state FILE is needed
		2|verify disk --state noise|is no state of iddr-truth
		2|verify disk --state state --seconds 3|--seconds is for run
		2|run pipe|neither a block device nor a file
		3|run nowhere|cannot open nowhere
	EOT
}

@test "a damaged state is refused, one of a run that had not filled its region, and one of a larger device" {
	truth 0 run --requests 1
	cp state whole
	# The first block has one begun write fewer than acknowledged ones.
	printf '\0' | dd of=state bs=1 seek=64 conv=notrunc status=none
	truth 2 verify
	[[ $stderr == *"damaged at block 0"* ]]
	cp whole state
	truncate -s -1 state
	truth 2 verify
	[[ $stderr == *"is no state"* || $stderr == *"damaged"* ]]
	cp whole state
	printf '\0' | dd of=state bs=1 seek=36 conv=notrunc status=none
	truth 2 verify
	[[ $stderr == *"ended before it had filled its region"* ]]
	cp whole state
	truncate -s 1m disk
	truth 2 verify
	[[ $stderr == *"too few for the region"* ]]
}
