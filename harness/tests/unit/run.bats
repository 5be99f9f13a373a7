#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# Experiments from the file to the tables, on the stub testbed.

load helper
setup() { pipeline_setup; }

@test "a whole experiment: every cell, all tables, the order of the plan" {
	run "$IDDR" experiment tiny
	[ "$status" -eq 0 ]
	[[ $output == *"[16/16] rep 2 randread 4k qd"*" IOPS  ~0 min left"* ]]
	dir=$(the_run tiny)
	[ "$(find "$dir/cells" -mindepth 1 -maxdepth 1 | wc -l)" -eq 16 ]
	[ "$(wc -l <"$dir/cells.tsv")" -eq 17 ]
	[ "$(wc -l <"$dir/summary.tsv")" -eq 9 ]
	[ -s "$dir/ratios.tsv" ]
	[ "$(jq -r .testbed "$dir/manifest.json")" = tcg ]
	# What ran is what was planned, in that order, with the back end in the right mode.
	diff <("$IDDR" experiment --plan tiny | awk -F '\t' '{ print $10, ($10 == "stock" || $10 == "native" ? "event" : $11) }') \
		<(awk '{ print $2, $3 }' "$STUB/ran")
}

@test "the summary begins with the columns that others rely on" {
	"$IDDR" experiment tiny
	run head -n 1 "$(the_run tiny)/summary.tsv"
	[[ $output == $'testbed\tfront\tback\tdata\tbacking\trw\tbs\tqd\treps\tiops\tiops_lo\tiops_hi\tlat_p50_us\tlat_p99_us\tcpu_us_per_io\tnotify_per_io\tctxsw_per_io\t'* ]]
}

@test "known answers: each cell's numbers per request" {
	"$IDDR" experiment tiny
	# 100 requests; CPU 1 + 2 + 3 ms; 50 + 50 notifications; 100 + 100 interrupts, 200 + 200 switches.
	run awk -F '\t' -f <(cat <<-'EOF'
		NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
		$c["qd"] == 1 { print $c["front"], $c["iops"], $c["cpu_us_per_io"], $c["notify_per_io"], $c["irq_per_io"], $c["ctxsw_per_io"], $c["lat_p50_us"], $c["reps"] }
	EOF
	) "$(the_run tiny)/summary.tsv"
	[ "${lines[0]}" = "native 900.00 6000 - - 2.0000 3500 2" ]
	[ "${lines[1]}" = "stock 300.00 6000 - 2.0000 4.0000 3500 2" ]
	[ "${lines[2]}" = "event 310.00 6000 1.0000 2.0000 4.0000 3500 2" ]
	[ "${lines[3]}" = "spin 700.00 6000 1.0000 2.0000 4.0000 3500 2" ]
}

@test "a second run measures nothing again and changes no raw data" {
	"$IDDR" experiment tiny
	before=$(cd "$(the_run tiny)/cells" && find . -type f -exec sha256sum {} + | sort)
	run "$IDDR" experiment tiny
	[ "$status" -eq 0 ]
	[[ $output == *"0 of 16 cells to measure"* ]]
	[ "$(wc -l <"$STUB/ran")" -eq 16 ]
	[ "$(cd "$(the_run tiny)/cells" && find . -type f -exec sha256sum {} + | sort)" = "$before" ]
}

@test "the testbed dies: clear message, finished cells stay, the same command goes on" {
	STUB_DIE=7 run "$IDDR" experiment tiny
	[ "$status" -eq 1 ]
	[[ $output == *"the testbed is gone"*"in cell 8 of 16"*"the same command goes on"* ]]
	dir=$(the_run tiny)
	[ "$(find "$dir/cells" -mindepth 1 -maxdepth 1 ! -name '*.partial' | wc -l)" -eq 7 ]
	before=$(cd "$dir/cells" && find . -type f -exec sha256sum {} + | sort)
	run "$IDDR" experiment tiny
	[ "$status" -eq 0 ]
	[[ $output == *"9 of 16 cells to measure"* ]]
	[ "$(wc -l <"$STUB/ran")" -eq 16 ]
	# Everything that was there is there still, unchanged.
	[ -z "$(comm -23 <(echo "$before") <(cd "$dir/cells" && find . -type f -exec sha256sum {} + | sort))" ]
}

@test "after a reboot an unfinished block is measured whole and counts once" {
	STUB_DIE=6 run "$IDDR" experiment tiny
	[ "$status" -eq 1 ]
	STUB_BOOT=two run "$IDDR" experiment tiny
	[ "$status" -eq 0 ]
	dir=$(the_run tiny)
	[ "$(wc -l <"$STUB/ran")" -eq 18 ]
	[ "$(cut -f 13 "$dir/cells.tsv" | grep -c '^ok$')" -eq 16 ]
	[ "$(cut -f 13 "$dir/cells.tsv" | grep -c '^unused$')" -eq 2 ]
	[ "$(jq '.sessions | length' "$dir/manifest.json")" -eq 2 ]
	# No block pairs cells of two boots.
	[ "$(awk -F '\t' '$13 == "ok" { print $2, $15 }' "$dir/cells.tsv" | sort -u | wc -l)" -eq 4 ]
}

@test "another environment is another run; RUN names it" {
	"$IDDR" experiment tiny
	"$IDDR" experiment tiny --run mine
	[ -s "$RESULTS/tiny/mine/summary.tsv" ]
	[ "$(find "$RESULTS/tiny" -mindepth 1 -maxdepth 1 | wc -l)" -eq 2 ]
	run "$IDDR" experiment tiny --run ../escape
	[ "$status" -eq 2 ]
}

@test "a cell whose requests do not add up is not used, is reported, and is measured again" {
	STUB_LOSE=spin/spin run "$IDDR" experiment tiny
	[ "$status" -eq 1 ]
	[[ $output == *"FAILED: the front end sent 100 requests, the back end saw 99"* ]]
	[[ $output == *"4 cells failed"* ]]
	dir=$(the_run tiny)
	[ "$(find "$dir/cells" -name '*.failed-1' | wc -l)" -eq 4 ]
	[ "$(cut -f 2,3 "$dir/summary.tsv" | grep -c spin)" -eq 0 ]
	run "$IDDR" experiment tiny
	[ "$status" -eq 0 ]
	[[ $output == *"4 of 16 cells to measure"* ]]
	[ "$(cut -f 2,3 "$dir/summary.tsv" | grep -c spin)" -eq 2 ]
	# The failed ones stay for whoever wants to know why.
	[ "$(find "$dir/cells" -name '*.failed-1' | wc -l)" -eq 4 ]
}

@test "Ctrl-C keeps finished cells and leaves with 130" {
	printf '%s\n' 'modes = stock native event spin' 'point = randread 4k 1,2,3,4,5,6,7,8' 'reps = 100' >"$IDDR_CONFIGS/experiments/long"
	# A child of a shell without job control ignores SIGINT; env gives it back.
	env --default-signal=INT "$IDDR" experiment long >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pid=$!
	for ((i = 0; i < 200; i++)); do
		[[ ! -e $STUB/ran || $(wc -l <"$STUB/ran") -lt 5 ]] || break
		sleep 0.05
	done
	kill -INT "$pid"
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" -eq 130 ]
	grep -q 'stopped early; [0-9]* finished cells are kept' "$BATS_TEST_TMPDIR/out"
	n=$(find "$(the_run long)/cells" -mindepth 1 -maxdepth 1 ! -name '*.partial' | wc -l)
	[ "$n" -ge 4 ]
	# Nothing of it runs on.
	run pgrep -f "$STUB"
	[ "$status" -ne 0 ]
}

@test "two experiments at once on one testbed: the second is refused" {
	mkdir -p "$IDDR_RUN"
	exec 9>"$IDDR_RUN/measure.lock"
	flock 9
	run "$IDDR" experiment tiny
	[ "$status" -eq 1 ]
	[[ $output == *"another experiment is running on this testbed"* ]]
	[ ! -e "$STUB/ran" ]
	exec 9>&-
}

@test "a typo in an experiment file: nothing is started" {
	printf 'modes = stock\npoynt = randread 4k 1\n' >"$IDDR_CONFIGS/experiments/typo"
	run "$IDDR" experiment typo
	[ "$status" -eq 2 ]
	[[ $output == *"/typo:2: unknown key 'poynt'"* ]]
	[ ! -e "$STUB/up" ]
	run "$IDDR" experiment nonesuch
	[ "$status" -eq 2 ]
	[[ $output == *"there is no experiment 'nonesuch'; there are: tiny typo"* ]]
}

@test "results on a full disk: clear message, finished cells stay" {
	[ "$(id -u)" -eq 0 ] || skip "needs root to mount a small file system"
	mkdir -p "$RESULTS"
	mount -t tmpfs -o size=512k none "$RESULTS" || skip "cannot mount a tmpfs here"
	printf '%s\n' 'modes = stock native event spin' 'point = randread 4k 1,2,3,4,5,6,7,8' 'reps = 9' >"$IDDR_CONFIGS/experiments/long"
	run "$IDDR" experiment long
	kept=$(find "$RESULTS"/long/*/cells -mindepth 2 -name cell.json ! -path '*partial*' | wc -l)
	broken=$(find "$RESULTS"/long/*/cells -mindepth 2 -name '*.txt' -size 0 ! -path '*partial*' | wc -l)
	umount "$RESULTS"
	[ "$status" -eq 1 ]
	[[ $output == *"cannot write to $RESULTS"*"make room and run the same command again"* ]]
	[ "$kept" -gt 3 ]
	[ "$broken" -eq 0 ]
}

@test "derive makes the same tables from the same raw data" {
	"$IDDR" experiment tiny
	dir=$(the_run tiny)
	before=$(cat "$dir"/*.tsv | sha256sum)
	rm "$dir"/*.tsv
	"$IDDR" derive --exp tiny "$(basename "$dir")"
	[ "$(cat "$dir"/*.tsv | sha256sum)" = "$before" ]
}

@test "a testbed that was down is taken down again, one that was up stays up" {
	"$IDDR" experiment tiny
	[ ! -e "$STUB/up" ]
	: >"$STUB/up"
	"$IDDR" experiment tiny
	[ -e "$STUB/up" ]
}
