#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The checker of a disk's contents through our pair: it finds nothing where nothing is wrong, what is wrong it finds, and
# outages and errors it tells from losses.

load lib

setup_file() {
	open_sessions
	attach "$DISK" /dev/ram0
	forget_kernel_logs
}

teardown_file() {
	let_go "$DISK"
	no_null_blk
	close_sessions
}

teardown() {
	# A test that failed may have left it paused, and the checker on the disk.
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || {
		dom dom0 xl unpause iddr-storage </dev/null 2>/dev/null || true
		dom app pkill -KILL -x iddr-truth </dev/null || true
	}
	set_modes event event
	kernel_logs_clean "${EXPECTED:-}"
}

# truth STATUS VERB ARGUMENT...: run it in the application domain; its figures are $output.
truth() {
	run app 'verb=$1 disk=$2; shift 2; exec iddr-truth "$verb" "/dev/$disk" "$@"' "$2" "$DISK" "${@:3}"
	((status == $1)) || { echo "status $status"; echo "$output"; return 1; }
}

# truth_aside ARGUMENT...: start a run in the background; returns once its load is under way.
truth_aside() {
	app 'disk=$1; shift
	     rm -f /tmp/truth.*
	     (rc=0; iddr-truth run "/dev/$disk" "$@" >/tmp/truth.out 2>/tmp/truth.err || rc=$?; echo $rc >/tmp/truth.rc) </dev/null >/dev/null 2>&1 &
	     for ((i = 0; i < 600; i++)); do
		! grep -q realtime_ns /tmp/truth.out 2>/dev/null || exit 0
		sleep 0.1
	     done
	     cat /tmp/truth.*; exit 1' "$DISK" "$@"
}

# truth_ended STATUS: wait for its end; its figures are $output.
truth_ended() {
	run app 'for ((i = 0; i < 600; i++)); do
			[[ ! -s /tmp/truth.rc ]] || break
			sleep 0.1
		 done
		 cat /tmp/truth.out /tmp/truth.err
		 exit "$(</tmp/truth.rc)"'
	((status == $1)) || { echo "status $status"; echo "$output"; return 1; }
}

# block_stat: how many reads and writes of $DISK the block layer has sent, and how many it merged into these.
block_stat() {
	app 'read -r r rm _ _ w wm _ </sys/block/$1/stat; echo "$((r + w)) $((rm + wm))"' "$DISK"
}

# figure NAME: one of them.
figure() {
	awk -F '\t' -v name="$1" '$1 == name { print $2; n++ } END { exit n != 1 }' <<<"$output"
}

@test "five seconds asleep and five spinning: no violation, and each request crossed the ring once, alone or merged" {
	local mode crossed stat ios merged ios_now merged_now
	for mode in event spin; do
		set_modes "$mode" "$mode"
		stat=$(block_stat)
		read -r ios merged <<<"$stat"
		crossed=$(counter front requests 0)
		truth 0 run --size 8m --seconds 5
		(($(figure violations) == 0 && $(figure verified) == 2048 && $(figure uncertain) == 0))
		(($(figure writes) > 50 && $(figure reads) > 50 && $(figure flushes) > 0 && $(figure fua_writes) > 0))
		# A RAM disk has no cache: a flush is answered at once, FUA is nothing special.
		crossed=$(($(counter front requests 0) - crossed))
		stat=$(block_stat)
		read -r ios_now merged_now <<<"$stat"
		echo "crossed: $crossed; the block layer: $((ios_now - ios)), and $((merged_now - merged)) merged; sent: $(figure requests)"
		((crossed == ios_now - ios))
		((crossed + merged_now - merged == $(figure requests)))
	done
}

@test "blocks that change places behind the back end are found" {
	app 'rm -f /tmp/truth.state'
	truth 0 run --size 2m --requests 100 --state /tmp/truth.state
	storage 'for b in 3 4; do dd if=/dev/ram0 of=/tmp/$b bs=4k skip=$b count=1 iflag=direct status=none; done
		 dd if=/tmp/3 of=/dev/ram0 bs=4k seek=4 oflag=direct status=none
		 dd if=/tmp/4 of=/dev/ram0 bs=4k seek=3 oflag=direct status=none
		 rm /tmp/3 /tmp/4'
	truth 1 verify --state /tmp/truth.state
	(($(figure misdirected) == 2 && $(figure violations) == 2))
}

@test "an outage is seen as one, in its length, and as nothing else" {
	truth_aside --size 2m --seconds 0 --timeline /tmp/truth.line
	dom0 'xl pause iddr-storage; sleep 3; xl unpause iddr-storage'
	app 'sleep 2; pkill -TERM -x iddr-truth'
	truth_ended 0
	(($(figure gap_ms) >= 3000 && $(figure slowest_ms) >= 3000 && $(figure gap_ms) < $(figure load_ms)))
	# The same from the timeline: what was answered before, nothing during, and after.
	app 'awk -v start="$1" -v length_="$2" "NR > 2 && \$1 < start { before += \$2 }
		NR > 2 && \$1 > start && \$1 + 100 < start + length_ { during += \$2 }
		NR > 2 && \$1 > start + length_ { after += \$2 }
		END { exit !(before && !during && after) }" /tmp/truth.line || { cat /tmp/truth.line; exit 1; }' "$(figure gap_start_ms)" "$(figure gap_ms)"
}

@test "a device that does not answer is given up; what was known still holds when it does" {
	truth_aside --size 2m --seconds 0 --limit 8 --state /tmp/truth.state
	dom0 'xl pause iddr-storage'
	app 'for ((i = 0; i < 200; i++)); do
		! grep -q violations /tmp/truth.out || exit 0
		sleep 0.1
	     done
	     exit 1'
	dom0 'xl unpause iddr-storage'
	truth_ended 3
	(($(figure unanswered) == 16 && $(figure verified) == 0 && $(figure violations) == 0))
	[[ $output == *'given up: 16 requests unanswered'* ]]
	truth 0 verify --state /tmp/truth.state
	(($(figure verified) == 512))
}

@test "a device with a volatile cache, and errors of the device" {
	EXPECTED='I/O error, dev (xvdd|nullb0)|callbacks suppressed'
	detach "$DISK"
	null_blk cache_size=8
	attach "$DISK" /dev/nullb0
	app 'rm -f /tmp/truth.state'
	truth 0 run --size 256k --seconds 3 --volatile-cache --state /tmp/truth.state
	(($(figure violations) == 0 && $(figure flushes) > 0))
	# Blocks 2 to 5.
	storage 'echo +16-47 >/sys/kernel/config/nullb/nullb0/badblocks'
	truth 3 verify --state /tmp/truth.state
	(($(figure unreadable) == 4 && $(figure verified) == 60 && $(figure violations) == 0))
	truth 3 run --requests 300 --state /tmp/truth.state --resume --expect-errors
	(($(figure writes_failed) > 0 && $(figure violations) == 0))
	storage 'echo -16-47 >/sys/kernel/config/nullb/nullb0/badblocks'
	truth 0 verify --state /tmp/truth.state
	(($(figure verified) == 64))
}
