#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# Two processes on the modules' ring: in every pair of modes, and with modes that change, every byte is right and no wait
# is without end; and what would be wrong with that does not go unseen.

bats_require_minimum_version 1.5.0

setup_file() {
	# The build, once; its directory is that of these tests.
	make -s -C "$IDDR_TOP/harness/native" OUT="$BATS_FILE_TMPDIR" OPTIMIZE=-O1 all
	export NATIVE=$BATS_FILE_TMPDIR/iddr-native
}

# soak ARGUMENT...: a soak within a minute; its figures are $output.
soak() {
	run timeout 60 "$NATIVE" soak "$@"
}

# figure NAME: one of them.
figure() {
	awk -F '\t' -v name="$1" '$1 == name { print $2 }' <<<"$output"
}

# broken EXPRESSION: build with that error in the ring.
broken() {
	local tree=$BATS_TEST_TMPDIR/tree
	mkdir -p "$tree/modules" "$tree/harness"
	cp -r "$IDDR_TOP/modules/comm" "$tree/modules/"
	cp -r "$IDDR_TOP/harness/native" "$tree/harness/"
	sed -i "$1" "$tree/modules/comm/iddr_ring.h"
	(($(diff "$IDDR_TOP/modules/comm/iddr_ring.h" "$tree/modules/comm/iddr_ring.h" | grep -c '^<') == 1))
	make -s -C "$tree/harness/native" OUT="$BATS_TEST_TMPDIR" OPTIMIZE=-O1 all
	NATIVE=$BATS_TEST_TMPDIR/iddr-native
}

@test "every pair of modes, either layout: all is answered, and each side waits as it was told" {
	local layout front back
	for layout in blkif split; do
		for front in event spin hybrid adaptive; do
			for back in event spin hybrid adaptive; do
				soak "layout=$layout" ms=100 "modes=$front/$back"
				((status == 0)) || { echo "$layout $front/$back: $output"; return 1; }
				(($(figure requests) > 0 && $(figure bytes_checked) > 0))
				# Who spins does not sleep, and is not rung for; one that was armed at first is, once.
				[[ $front != spin ]] || (($(figure front_sleeps) == 0 && $(figure back_doorbells) <= 1))
				[[ $back != spin ]] || (($(figure back_sleeps) == 0 && $(figure front_doorbells) <= 1))
				[[ $front/$back != event/event ]] ||
					(($(figure front_sleeps) > 0 && $(figure back_sleeps) > 0 &&
						$(figure front_looks) == 0 && $(figure back_looks) == 0))
			done
		done
	done
}

@test "modes that change under load, anywhere and on one core" {
	local layout cpu
	# The first that this process may use.
	cpu=$(awk '/^Cpus_allowed_list/ { split($2, c, /[,-]/); print c[1] }' /proc/self/status)
	for layout in blkif split; do
		soak "layout=$layout" ms=1500 seed=3
		((status == 0))
		(($(figure mode_changes) > 100))
		soak "layout=$layout" ms=1500 seed=4 "cpus=$cpu,$cpu"
		((status == 0))
		(($(figure mode_changes) > 100))
	done
}

@test "a notification that is not sent is a lost wake-up, and is reported as one" {
	broken 's/return iddr_ring_crosses(READ_ONCE(\*tx->shared_event), old, new);/return false;/'
	soak ms=100 modes=event/event limit_ms=1000
	((status == 1))
	[[ $output == *'a wake-up was lost: nothing for 1000 ms'* ]]
}

@test "a slot that is copied wrongly is seen" {
	broken 's/d\[i\] = READ_ONCE(s\[i\]);/d[i] = READ_ONCE(s[i]) + (i == 1);/'
	soak ms=100 modes=spin/spin
	((status == 1))
	[[ $output == *'is wrong at byte'* || $output == *'was due'* || $output == *'out of bounds'* ]]
}

@test "every subject is measured, with its payload, and its responses are right" {
	local s
	"$NATIVE" store >"$BATS_TEST_TMPDIR/file"
	for s in line two-lines pipe eventfd event spin busy hybrid adaptive spin-ahead split-event split-spin split-adaptive split-ahead phase-event phase-spin rte64 rte112 virtio; do
		run -0 timeout 60 "$NATIVE" run subject="$s" ms=20
		(($(figure requests) > 0))
	done
	for s in event spin split-spin rte64 virtio; do
		run -0 timeout 60 "$NATIVE" run subject="$s" ms=20 depth=32 batch=4 bytes=4096 backing=memcpy
		(($(figure requests) > 0))
	done
	for s in event adaptive uring; do
		run timeout 60 "$NATIVE" run subject="$s" ms=20 depth=8 bytes=4096 backing=file file="$BATS_TEST_TMPDIR/file"
		[[ $output != *'cannot use io_uring'* ]] || skip "this kernel does not allow io_uring"
		((status == 0 && $(figure requests) > 0))
	done
	# Other data are found.
	head -c 8388608 /dev/zero >"$BATS_TEST_TMPDIR/file"
	for s in event uring; do
		run -1 timeout 60 "$NATIVE" run subject="$s" ms=20 depth=8 bytes=4096 backing=file file="$BATS_TEST_TMPDIR/file"
		[[ $output == *'wrong data'* ]]
	done
}

@test "what cannot be measured is refused with a reason" {
	local words what
	while IFS='|' read -r words what; do
		# shellcheck disable=SC2086 # words
		run -1 "$NATIVE" $words
		[[ $output == *"$what"* ]] || { echo "$output"; return 1; }
	done <<-'EOT'
		run subject=spni|there is no subject 'spni'
		run subject=spin depth=0x1|depth: '0x1' is not a number from 0 to 256
		run subject=spin depth=2 batch=4|batch 4 is more than depth 2
		run subject=spin speed=1|there is no key 'speed'
		run subject=line depth=0|'line' has no idle
		run subject=event backing=file|backing file needs file=PATH and bytes
		run subject=event backing=file bytes=512 file=/nowhere|cannot open /nowhere
		run|subject=NAME is missing
		count subject=pipe|only rings are counted
		soak modes=event|modes: 'event' is not FRONT/BACK
		soak layout=xen|soak: there is no 'layout=xen'
	EOT
}

@test "the histogram's buckets: none missing, none overlapping, as fine as they should be" {
	cat >"$BATS_TEST_TMPDIR/t.c" <<-'EOF'
		#include <stdio.h>
		#include "hist.h"
		int main(void)
		{
			unsigned int i, bad = 0;

			for (i = 0; i < HIST_BUCKETS; i++) {
				uint64_t lo = hist_floor(i), hi = hist_floor(i + 1);

				bad += hi <= lo || hist_index(lo) != i || hist_index(hi - 1) != i;
				bad += (hi - lo) * HIST_SUB > lo && lo >= HIST_SUB;
			}
			bad += hist_index(~0ULL) != HIST_BUCKETS - 1;
			printf("%u of %u\n", bad, HIST_BUCKETS);
			return bad != 0;
		}
	EOF
	gcc -I"$IDDR_TOP/harness/native" -o "$BATS_TEST_TMPDIR/t" "$BATS_TEST_TMPDIR/t.c"
	run -0 "$BATS_TEST_TMPDIR/t"
	[[ $output == "0 of 2240" ]]
}
