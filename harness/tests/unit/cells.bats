#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# From raw data to rows: what makes a cell unusable.

load helper
bats_require_minimum_version 1.5.0

setup() {
	pipeline_setup
	printf 'modes = event stock native\npoint = randread 4k 1\nreps = 1\n' >"$IDDR_CONFIGS/experiments/tiny"
	"$IDDR" experiment tiny
	DIR=$(the_run tiny)
}

# cell FRONT: the directory of the cell of a mode.
cell() {
	local c
	for c in "$DIR"/cells/*; do
		[[ $(jq -r .front "$c/cell.json") != "$1" ]] || printf '%s\n' "$c"
	done
}

# verdict FRONT: status and reason after deriving anew.
verdict() {
	"$IDDR" derive --exp tiny 2>/dev/null
	awk -F '\t' -v f="$1" '$5 == f { print $14 ": " $15 }' "$DIR/cells.tsv"
}

@test "untouched cells are used" {
	[ "$(verdict event)" = "ok: -" ]
	[ "$(verdict stock)" = "ok: -" ]
	[ "$(verdict native)" = "ok: -" ]
}

@test "the back end saw fewer requests than the front end sent" {
	sed -i 's|^back/51712/queue0/requests\t100|back/51712/queue0/requests\t98|' "$(cell event)/storage.txt"
	[ "$(verdict event)" = "failed: the front end sent 100 requests, the back end saw 98" ]
}

@test "a response is missing" {
	sed -i 's|^front/xvda/queue0/responses\t100|front/xvda/queue0/responses\t99|' "$(cell event)/run.txt"
	[ "$(verdict event)" = "failed: the front end sent 100 requests and got 99 responses" ]
}

@test "fewer requests on the ring than fio did" {
	sed -i 's|/requests\t100|/requests\t60|; s|/responses\t100|/responses\t60|' "$(cell event)"/{run,storage}.txt
	[ "$(verdict event)" = "failed: fio did 100 requests, the front end sent only 60" ]
}

@test "more requests on the ring than fio did are splits, and right" {
	sed -i 's|/requests\t100|/requests\t200|; s|/responses\t100|/responses\t200|' "$(cell event)"/{run,storage}.txt
	[ "$(verdict event)" = "ok: -" ]
	[ "$(awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i } $5 == "event" { print $c["ring_requests_per_io"] }' "$DIR/cells.tsv")" = 2.0000 ]
}

@test "the disk moved other bytes than fio" {
	sed -i 's|^disk/xvda/stat\t100 0 800|disk/xvda/stat\t100 0 792|' "$(cell event)/run.txt"
	[[ $(verdict event) == "failed: fio moved 409600 bytes, the disk 405504" ]]
}

@test "the stock back end saw less than fio did" {
	sed -i 's|^back/51728/rd_req\t100|back/51728/rd_req\t99|' "$(cell stock)/storage.txt"
	[ "$(verdict stock)" = "failed: fio did 100 requests, the back end 99" ]
}

@test "a kernel complained" {
	sed -i 's|^@ kernel|@ kernel\n[  1.0] watchdog: BUG: soft lockup - CPU#0 stuck|' "$(cell native)/storage.txt"
	[[ $(verdict native) == "failed: the kernel said: [  1.0] watchdog: BUG: soft lockup"* ]]
}

@test "fio failed, hung, or left nothing" {
	sed -i 's|^@ exit 0|@ exit 1|' "$(cell native)/run.txt"
	[[ $(verdict native) == "failed: fio failed with status 1"* ]]
	sed -i 's|^@ exit 1|@ exit 124|' "$(cell native)/run.txt"
	[ "$(verdict native)" = "failed: fio did not end in time" ]
	rm "$(cell event)/fio.json"
	[[ $(verdict event) == "failed: fio failed"* ]]
}

@test "snapshots that are missing" {
	sed -i '/^@ begin/,/^@ end/d' "$(cell event)/storage.txt"
	[ "$(verdict event)" = "failed: the storage domain's snapshots are missing" ]
	: >"$(cell stock)/cpu.txt"
	[ "$(verdict stock)" = "failed: the CPU times are missing" ]
	sed -i '/^@ begin/,/^@ end/d' "$(cell native)/run.txt"
	[ "$(verdict native)" = "failed: fio's hooks did not run" ]
}

# several: measure in one application domain and in two.
several() {
	printf '%s\n' 'modes = event stock' 'point = randread 4k 1' 'reps = 1' 'app_domains = 1,2' >"$IDDR_CONFIGS/experiments/several"
	"$IDDR" experiment several
}

# of FRONT DOMAINS COLUMN: a value of a cell of `several`.
of() {
	awk -F '\t' -v f="$1" -v n="$2" -v name="$3" 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next } $c["front"] == f && $c["app_domains"] == n { print $c[name] }' \
		"$(the_run several)/cells.tsv"
}

@test "several application domains: the others load their own disks, in the mode that is measured; what all get and what it costs" {
	several
	[ "$(sort "$STUB/rivals")" = "app2 xvdq event xvdq
app2 xvdt stock xvdt" ]
	# In all 100 requests of the first domain and 200 of the second, in a second.
	[ "$(of event 1 iops_all)" = 310.00 ]
	[ "$(of event 2 iops_all)" = 510.00 ]
	[ "$(of stock 2 iops_all)" = 500.00 ]
	[ "$(of event 2 iops)" = 310.00 ]
	[ "$(of event 1 cpu_us_per_io)" = 5000.0000 ]
	# 2, 3 and 1 ms of the storage domain and both application domains, for each of the first one's; and 1 ms of dom0, by itself.
	[ "$(of event 2 cpu_us_per_io)" = 2000.0000 ]
	[ "$(of event 2 cpu_dom0_us_per_io)" = 333.3333 ]
	[ "$(of event 2 cpu_app_us_per_io)" = 1333.3333 ]
	# Two switches a request of the first domain's in either; the storage domain does not know whose they are.
	[ "$(of event 1 ctxsw_per_io)" = 4.0000 ]
	[ "$(of event 2 ctxsw_app_per_io)" = 2.0000 ]
	[ "$(of event 2 ctxsw_storage_per_io)" = 0.6667 ]
	[ "$(of event 2 ctxsw_per_io)" = 2.6667 ]
	# Each number of domains is a point of its own.
	[ "$(awk -F '\t' 'NR > 1 { print $(NF) }' "$(the_run several)/ratios.tsv" | sort | uniq -c | awk '{ print $2 }' | tr '\n' ' ')" = "1 2 " ]
	# All are idle again.
	[ -z "$(find "$STUB" -name 'loaded.*')" ]
}

@test "several application domains: a load that fails, or does nothing, fails the cell" {
	STUB_RIVAL=1 run several
	[ "$status" -eq 1 ]
	[[ $output == *"2 domains event FAILED: the load of another application domain failed (rival2)"* ]]
	rm -rf "$RESULTS/several"
	STUB_RIVAL=idle run several
	[[ $output == *"2 domains event FAILED: application domain 2 did no request"* ]]
}

@test "run-workload: a line a mode, the script's output kept, failures reported" {
	printf '#!/bin/sh\nexit 0\n' >"$BATS_TEST_TMPDIR/load"
	run "$IDDR" run-workload "$BATS_TEST_TMPDIR/load" --reps 2
	[ "$status" -eq 0 ]
	[[ $output == *"front/back"*"requests"* ]]
	for m in stock event event/spin spin/event spin; do
		[[ $output == *$'\n'"$m  "*"      2 "* ]]
	done
	grep -rq 'hello from xvdb' "$RESULTS"/workload/*/stock-stock-1/out.txt
	STUB_FAIL=3 run "$IDDR" run-workload "$BATS_TEST_TMPDIR/load" --modes spin
	[ "$status" -eq 1 ]
	[[ $output == *"the script failed with status 3 with spin/spin; its output:"*"hello from xvda"* ]]
	[[ $output == *"FAILED in 1"* ]]
}

@test "run-workload: wrong arguments" {
	run "$IDDR" run-workload /nonexistent
	[ "$status" -eq 2 ]
	run "$IDDR" run-workload "$BATS_TEST_TMPDIR/iddr" --reps 0
	[ "$status" -eq 2 ]
	run "$IDDR" run-workload "$BATS_TEST_TMPDIR/iddr" --modes spinn
	[ "$status" -eq 2 ]
	[[ $output == *"unknown mode 'spinn'"* ]]
}

@test "a limited command passes on input, output and status; what it started ends with it, and so does the clock, at once" {
	run -0 bash -c '
		. "$1/harness/lib/common.sh"; . "$1/harness/lib/cells.sh"
		defer true
		for ((i = 0; i < 100; i++)); do limited 31 true; done
		[[ $(echo in | limited 31 cat) == in ]]
		rc=0; limited 31 bash -c "exit 7" || rc=$?; ((rc == 7))
		# One that does not care for TERM, and its child.
		rc=0; LIMITED_GRACE=0.2 limited 1 bash -c "trap : TERM; sleep 31.41592 & while :; do wait; done" || rc=$?; ((rc == 124))
		((${#MEASURE_PIDS[@]} == 0))
		run=$(pgrep -fx "sleep 31(\.41592)?" || true); [[ -z $run ]] || { echo "still there: $run"; exit 1; }' - "$TOP"
}
