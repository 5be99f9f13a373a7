#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# What the hypervisor did for a request: from xenalyze's dump to hypercalls.tsv.

load helper
bats_require_minimum_version 1.5.0

# tool NAME: a stand-in for one of dom0's tools, its script on standard input.
tool() {
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	{ printf '#!/bin/bash\n' && cat; } >"$BATS_TEST_TMPDIR/bin/$1"
	chmod +x "$BATS_TEST_TMPDIR/bin/$1"
}

# dump LINE...: dom0 with a phase that goes from idle to begin, and a trace that xenalyze shows as LINE...
dump() {
	printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/dump"
	echo idle >"$BATS_TEST_TMPDIR/phase"
	tool xenstore-watch <<-EOF
		echo "\$1"
		echo begin.x >"$BATS_TEST_TMPDIR/phase"
		echo "\$1"
		for ((i = 0; i < 600; i++)); do
			[[ \$(cat "$BATS_TEST_TMPDIR/phase") != end.x ]] || break
			sleep 0.05
		done
		echo "\$1"
		exec sleep 60
	EOF
	tool xenstore-read <<<"cat '$BATS_TEST_TMPDIR/phase'"
	tool xentrace <<-EOF
		printf '%s\n' "\$@" >"$BATS_TEST_TMPDIR/arguments"
		[[ \$(cat "$BATS_TEST_TMPDIR/phase") == begin.x ]] || exit 9
		(sleep 0.5; echo end.x >"$BATS_TEST_TMPDIR/phase") >/dev/null 2>&1 3>&- &
		for out; do :; done
		: >"\$out"
	EOF
	tool xl <<<"echo 'cpu_mhz                : 2000.000'"
	tool xenalyze <<-EOF
		echo "strange" >&2
		[[ \$(cat "$BATS_TEST_TMPDIR/phase") == end.x ]] || exit 9
		cat "$BATS_TEST_TMPDIR/dump"
	EOF
	mkdir -p /run/iddr 2>/dev/null || true
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run -0 --separate-stderr bash "$TOP/harness/guest/cell-xentrace" /local/domain/2/data/iddr/phase x 1
}

@test "entries by domain and name, what multicalls did, switches, time and losses" {
	[ -w /run ] || skip "/run cannot be written"
	dump '  0.000000100 -x d2v0 runstate_change d2v0 runnable->running' \
		'  0.000000200 -x d2v0 hypercall 20 (evtchn_op) ' \
		'  0.000000300 -x d2v0 hypercall 1d (sched_op) block' \
		'  0.000000400 x- d1v0 hypercall  d (multicall) 2 calls' \
		'  0.000000500 x- d1v0  hypercall  3 (stack_switch) 0 0' \
		'  0.000000600 x- d1v0  hypercall  5 (fpu_taskswitch)' \
		'] 0.000000700 -x d2v0 PV-3 ' \
		'  0.500000000 x- d1v0 hypercall 14 (grant_table_op) copy 3 ops' \
		' 1.000000100 -x d32767v1 runstate_change d32767v1 runnable->running' \
		'no time at all'
	[ "$(sort <<<"$output")" = "$(printf '%s\t%s\t%s\n' 1 hypercall 2 1 hypercall.grant_table_op.copy 1 1 hypercall.multicall 1 1 subcall.fpu_taskswitch 1 \
		1 subcall.stack_switch 1 2 hypercall 2 2 hypercall.evtchn_op 1 2 hypercall.sched_op.block 1 2 switched_in 1 32767 switched_in 1
	printf 'lost\t0\nseconds\t1.000000\n')" ]
	grep -qx 0x223000 "$BATS_TEST_TMPDIR/arguments"
	[ -z "$(ls /run/iddr-xentrace.* 2>/dev/null)" ]
}

# table CELL...: hypercalls.tsv of these cells of a run in $BATS_TEST_TMPDIR, whose cells.tsv is that of the fixture.
table() {
	awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/table.awk" -f "$AWK_DIR/hypercalls.awk" "$BATS_TEST_TMPDIR/cells.tsv" "${@/#/$BATS_TEST_TMPDIR/}"
}

# cell NAME LINE...: the sums of a cell.
cell() {
	mkdir -p "$BATS_TEST_TMPDIR/$1"
	printf '%s\n' "${@:2}" | tr ' ' '\t' >"$BATS_TEST_TMPDIR/$1/xen.tsv"
}

@test "for each request: over the cell's requests a second; 0 where a repetition had none; a cell that lost records is left out" {
	{
		printf 'testbed block rep order front back data backing rw bs qd jobs queues status cell iops\n'
		printf 'tcg r1p1 1 1 spin spin persistent ram randread 4k 1 1 1 ok a 1000\n'
		printf 'tcg r2p1 2 2 spin spin persistent ram randread 4k 1 1 1 ok b 1000\n'
		printf 'tcg r3p1 3 3 spin spin persistent ram randread 4k 1 1 1 ok c 1000\n'
		printf 'tcg r1p1 1 4 event event persistent ram randread 4k 1 1 1 ok d 500\n'
		printf 'tcg r2p1 2 5 event event persistent ram randread 4k 1 1 1 failed e 500\n'
	} | tr ' ' '\t' >"$BATS_TEST_TMPDIR/cells.tsv"
	cell a 'seconds 2' 'lost 0' 'app hypercall 4000' 'app hypercall.iret 4000' 'storage switched_in 10'
	cell b 'seconds 1' 'lost 0' 'app hypercall 1000'
	cell c 'seconds 1' 'lost 7' 'app hypercall 9000'
	cell d 'seconds 1' 'lost 0' 'app hypercall 1500'
	cell e 'seconds 1' 'lost 0' 'app hypercall 9999'
	run -0 --separate-stderr table {a,b,c,d,e}/xen.tsv
	# shellcheck disable=SC2154 # bats sets it
	[ "$stderr" = "1 cells lost records of the trace and are left out of hypercalls.tsv" ]
	[ "${lines[0]}" = $'testbed\tbacking\trw\tbs\tqd\tmode\treps\tdomain\tkind\tper_s\tper_io\tper_io_lo\tper_io_hi' ]
	[ "${lines[1]}" = $'tcg\tram\trandread\t4k\t1\tevent\t1\tapp\thypercall\t1500.0\t3.0000\t3.0000\t3.0000' ]
	[ "${lines[2]}" = $'tcg\tram\trandread\t4k\t1\tspin\t2\tapp\thypercall\t1500.0\t1.5000\t1.2500\t1.7500' ]
	[ "${lines[3]}" = $'tcg\tram\trandread\t4k\t1\tspin\t2\tapp\thypercall.iret\t1000.0\t1.0000\t0.5000\t1.5000' ]
	[ "${lines[4]}" = $'tcg\tram\trandread\t4k\t1\tspin\t2\tstorage\tswitched_in\t2.5\t0.0025\t0.0013\t0.0037' ]
	[ "${#lines[@]}" -eq 5 ]
}

@test "an experiment whose trace would not fit into its load is refused" {
	printf 'trace = xen\nmodes = event\npoint = randread 4k 8\nruntime_s = 3\n' >"$BATS_TEST_TMPDIR/e"
	run -2 awk -f "$AWK_DIR/experiment.awk" "$BATS_TEST_TMPDIR/e"
	[[ $output == *"e:1: trace = xen wants runtime_s of 5 or more"* ]]
	sed -i 's/^runtime_s.*/runtime_s = 10/' "$BATS_TEST_TMPDIR/e"
	run -0 awk -f "$AWK_DIR/experiment.awk" "$BATS_TEST_TMPDIR/e"
	echo 'jobs = 1 2' >>"$BATS_TEST_TMPDIR/e"
	run -2 awk -f "$AWK_DIR/experiment.awk" "$BATS_TEST_TMPDIR/e"
	[[ $output == *"wants one number of jobs and one backing"* ]]
}
