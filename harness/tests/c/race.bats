#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# What would be wrong with two threads on the ring does not go unseen.

bats_require_minimum_version 1.5.0

# race EXPRESSION: build and run the threads under the thread sanitizer with that error in the ring.
race() {
	local kdir m=$BATS_TEST_TMPDIR/m
	kdir=$("$IDDR_TOP/harness/iddr" kdir)
	cp -r "$IDDR_TOP/modules" "$m"
	sed -i "$1" "$m/comm/iddr_ring.h"
	(($(diff "$IDDR_TOP/modules/comm/iddr_ring.h" "$m/comm/iddr_ring.h" | grep -c '^<') == 1))
	make -s -C "$m/test" KINCLUDE="${kdir%-amd64}-common/include" OUT="$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/tsan_race"
	# See the group c in harness/tests/run.
	local -a fixed=()
	! setarch -R true 2>/dev/null || fixed=(setarch -R)
	TSAN_OPTIONS=halt_on_error=1 run ${fixed[@]+"${fixed[@]}"} "$BATS_TEST_TMPDIR/tsan_race"
}

@test "the thread sanitizer sees a slot copied without READ_ONCE" {
	race 's/d\[i\] = READ_ONCE(s\[i\]);/d[i] = s[i];/'
	((status == 66))
	[[ $output == *'data race'* ]]
}

@test "and a producer index stored without WRITE_ONCE" {
	race 's/WRITE_ONCE(\*tx->shared_prod, new);/*tx->shared_prod = new;/'
	((status == 66))
	[[ $output == *'data race'* ]]
}
