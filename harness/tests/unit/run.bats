#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# Experiments from the file to the tables, on the stub testbed.

load helper
bats_require_minimum_version 1.5.0
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
	# What ran is what was planned, in that order, each end in the right mode, and nobody spinning beside it.
	diff <("$IDDR" experiment --plan tiny | awk -F '\t' '{ print $11, ($11 == "stock" || $11 == "native" ? "-" : "1/" $12 "/event") }') \
		<(awk '{ print $3, $4 }' "$STUB/ran")
	run ! grep -v "busy: $" "$STUB/ran"
}

@test "the summary begins with the columns that others rely on" {
	"$IDDR" experiment tiny
	run head -n 1 "$(the_run tiny)/summary.tsv"
	[[ $output == $'testbed\tfront\tback\tdata\tbacking\trw\tbs\tqd\treps\tiops\tiops_lo\tiops_hi\tlat_p50_us\tlat_p99_us\tcpu_us_per_io\tnotify_per_io\tctxsw_per_io\t'* ]]
}

@test "known answers: each cell's numbers per request" {
	"$IDDR" experiment tiny
	# 100 requests; CPU 2 + 3 ms, and 1 ms of dom0; 50 + 50 notifications; 100 + 100 interrupts, 200 + 200 switches.
	run awk -F '\t' -f <(cat <<-'EOF'
		NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
		$c["qd"] == 1 { print $c["front"], $c["iops"], $c["cpu_us_per_io"], $c["notify_per_io"], $c["irq_per_io"], $c["ctxsw_per_io"], $c["lat_p50_us"], $c["reps"] }
	EOF
	) "$(the_run tiny)/summary.tsv"
	[ "${lines[0]}" = "native 900.00 5000 - - 2.0000 3500 2" ]
	[ "${lines[1]}" = "stock 300.00 5000 - 2.0000 4.0000 3500 2" ]
	[ "${lines[2]}" = "event 310.00 5000 1.0000 2.0000 4.0000 3500 2" ]
	[ "${lines[3]}" = "spin 700.00 5000 1.0000 2.0000 4.0000 3500 2" ]
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
	[ "$(cut -f 14 "$dir/cells.tsv" | grep -c '^ok$')" -eq 16 ]
	[ "$(cut -f 14 "$dir/cells.tsv" | grep -c '^unused$')" -eq 2 ]
	[ "$(jq '.sessions | length' "$dir/manifest.json")" -eq 2 ]
	# No block pairs cells of two boots.
	[ "$(awk -F '\t' '$14 == "ok" { print $2, $16 }' "$dir/cells.tsv" | sort -u | wc -l)" -eq 4 ]
}

@test "another environment is another run; RUN names it" {
	"$IDDR" experiment tiny
	"$IDDR" experiment tiny --run mine
	[ -s "$RESULTS/tiny/mine/summary.tsv" ]
	[ "$(find "$RESULTS/tiny" -mindepth 1 -maxdepth 1 | wc -l)" -eq 2 ]
	run "$IDDR" experiment tiny --run ../escape
	[ "$status" -eq 2 ]
}

@test "a named run gone on with in another environment: its tables are of the new cells alone, the old ones stay" {
	"$IDDR" experiment tiny --run mine
	# The old boot sorts first, which decides where both have as many cells.
	STUB_KERNEL=6.2.0 STUB_BOOT=two run "$IDDR" experiment tiny --run mine
	[ "$status" -eq 0 ]
	[[ $output == *"16 of 16 cells to measure"* ]]
	[[ $output == *"16 cells of $RESULTS/tiny/mine were measured in another environment"* ]]
	[ "$(find "$RESULTS/tiny/mine/cells" -mindepth 1 -maxdepth 1 | wc -l)" -eq 32 ]
	run awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next } { print $c["boot"], $c["status"] }' "$RESULTS/tiny/mine/cells.tsv"
	[ "${#lines[@]}" -eq 16 ]
	[ "$(sort -u <<<"$output" | wc -l)" -eq 1 ]
	boot=${lines[0]% *}
	[ "$(jq -r 'select(.boot == $b) | .boot' --arg b "$boot" "$RESULTS"/tiny/mine/cells/*/cell.json | wc -l)" -eq 16 ]
	[ "$(jq -r '.sessions[-1].boot' "$RESULTS/tiny/mine/manifest.json")" = "$boot" ]
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
	printf '%s\n' 'modes = stock native event spin' 'point = randread 4k 1,2,3,4,5,6,7,8' 'reps = 20' >"$IDDR_CONFIGS/experiments/long"
	# A child of a shell without job control ignores SIGINT; env gives it back.
	env --default-signal=INT "$IDDR" experiment long >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pid=$!
	for ((i = 0; i < 2400; i++)); do
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
	for ((i = 0; i < 50; i++)); do
		run pgrep -f "$STUB"
		[ "$status" -eq 0 ] || break
		sleep 0.1
	done
	[ "$status" -ne 0 ]
}

@test "an experiment that is killed keeps nobody from its testbed, though what it runs in a domain lives on" {
	local dom hog rc=0
	printf '%s\n' 'modes = event spin' 'point = randread 4k 1' 'reps = 100' 'hog = dom0' >"$IDDR_CONFIGS/experiments/long"
	"$IDDR" experiment long >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pid=$!
	for ((i = 0; i < 2400; i++)); do
		[[ ! -e $STUB/ran || $(wc -l <"$STUB/ran") -lt 3 ]] || break
		sleep 0.05
	done
	kill -KILL "$pid"
	read -r dom hog <"$STUB/hog"
	kill -0 "$hog"
	flock -w 10 "$IDDR_RUN/measure.lock" true || rc=1
	kill -0 "$hog"
	kill -KILL -- "-$hog"
	[ "$rc" -eq 0 ]
}

@test "two experiments at once on one testbed: the second is refused, and so is who would change the testbed under the first" {
	local verb
	mkdir -p "$IDDR_RUN"
	exec 9>"$IDDR_RUN/measure.lock"
	flock 9
	run "$IDDR" experiment tiny
	[ "$status" -eq 1 ]
	[[ $output == *"another experiment is running on this testbed"* ]]
	[ ! -e "$STUB/ran" ]
	for verb in up down; do
		TESTBED=qemu run -1 "$TOP/harness/iddr" "$verb"
		[[ $output == *"another experiment is running on this testbed"* ]]
	done
	exec 9>&-
	TESTBED=qemu run -0 "$TOP/harness/iddr" down
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

@test "who waits in vain for a testbed that another run boots does not end it" {
	STUB_TAKEN=1 run "$IDDR" experiment tiny
	[ "$status" -eq 1 ]
	[[ $output == *"another run has it"* ]]
	[ -e "$STUB/up" ]
}

@test "a testbed that was down is taken down again, one that was up stays up" {
	"$IDDR" experiment tiny
	[ ! -e "$STUB/up" ]
	: >"$STUB/up"
	"$IDDR" experiment tiny
	[ -e "$STUB/up" ]
}

@test "modes, data paths, queues and idle points: each cell on its disk, its ends in their modes, all others quiet" {
	printf '%s\n' 'modes = hybrid:50/spin event@map spin@copy poll/hybrid stock event@2q' 'point = randread 4k 1' \
		'modes = adaptive spin native' 'point = idle' 'reps = 2' 'engine = io_uring' 'app_vcpus = 2' \
		>"$IDDR_CONFIGS/experiments/many"
	sed -i 's/@map/@map@1q/; s/@copy/@copy@1q/; s/spin /spin@1q /; s|poll/hybrid|poll/hybrid@1q|' "$IDDR_CONFIGS/experiments/many"
	run "$IDDR" experiment many
	[ "$status" -eq 0 ]
	dir=$(the_run many)
	# Persistent with one queue and with two, map and copy with one, and the stock pair's.
	[ "$(sort "$STUB/fronts.app" | tr '\n' ,)" = "xvda iddr 1,xvdb stock,xvdc iddr 1,xvdd iddr 1,xvde iddr 2," ]
	[ "$(sort "$STUB/backs" | tr '\n' ,)" = "51712 iddr persistent,51744 iddr map,51760 iddr copy,51776 iddr persistent," ]
	# The modules' parameters are left as they were.
	[ "$(cat "$STUB/data_path" "$STUB/queues")" = $'0\n0' ]
	run ! grep -v "busy: \$" "$STUB/ran"
	for cell in "xvda hybrid:50 1/spin/event" "xvdc event 1/event/event" "xvdd spin 1/spin/event" "xvda poll 1/event/hybrid" \
		"xvdb stock -" "xvde event 2/event/event" "xvde adaptive 2/adaptive/event" "xvda spin 1/spin/event" "ram0 native -"; do
		[ "$(grep -c " $cell busy" "$STUB/ran")" -eq 2 ]
	done
	# Mode poll has fio poll, no other has.
	for c in "$dir"/cells/*; do
		[ "$(grep -c '^hipri=1$' "$c/job.fio")" = "$([ "$(jq -r .front "$c/cell.json")" = poll ] && echo 1 || echo 0)" ]
	done
	[ "$(cut -f 14 "$dir/cells.tsv" | grep -c '^ok$')" -eq 18 ]
	run awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next } $c["rw"] == "idle" { print $c["mode"], $c["iops"], $c["cpu_app_pct"], $c["cpu_storage_pct"], $c["thread_front_pct"] }' "$dir/summary.tsv"
	# 3 and 2 ms for each 10 ms; the threads of the disk used nothing.
	[ "${lines[0]}" = "native - 30.00 20.00 -" ]
	[ "${lines[1]}" = "spin - 30.00 20.00 0.0000" ]
	[ "${lines[2]}" = "adaptive@2q - 30.00 20.00 0.0000" ]
}

@test "points whose repetitions lie wide apart are measured again, all modes, and only those" {
	printf '%s\n' 'modes = event stock' 'point = randread 4k 1,8' 'reps = 2' 'extra_reps = 2' >"$IDDR_CONFIGS/experiments/wide"
	STUB_WIDE=8 run "$IDDR" experiment wide
	[ "$status" -eq 0 ]
	[[ $output == *"1 points lie wide apart and are measured once more (repetition 4, at most 4)"* ]]
	dir=$(the_run wide)
	[ "$(awk -F '\t' 'NR > 1 { print $8, $9 }' "$dir/summary.tsv" | sort | tr '\n' ,)" = "1 2,1 2,8 4,8 4," ]
	sum=$(md5sum <"$dir/cells.tsv")
	# Nothing is missing; the same tables.
	STUB_WIDE=8 run "$IDDR" experiment wide
	[ "$(wc -l <"$STUB/ran")" -eq 12 ]
	[ "$sum" = "$(md5sum <"$dir/cells.tsv")" ]
}

@test "further repetitions do not make a quick run long, but a full one" {
	local size
	for size in quick full; do
		printf '%s\n' 'modes = event stock' 'point = randread 4k 1,8' 'reps = 2' 'extra_reps = 2' "seed = ${#size}" >"$IDDR_CONFIGS/experiments/$size"
		IDDR_EXTRA_CELLS=11 STUB_WIDE=8 run -0 "$IDDR" experiment "$size" --size "$size"
		echo "$output"
		[ "$(awk 'NR > 1' "$(the_run "$size")/cells.tsv" | wc -l)" -eq "$([ "$size" = quick ] && echo 10 || echo 12)" ]
		[[ $size == full || $output == *"1 points lie wide apart; once more would be beyond 11 cells"* ]]
	done
}

@test "where the domains run, and a hog in dom0 while cells are measured" {
	printf '%s\n' 'modes = event' 'point = randread 4k 1' 'reps = 1' 'app_cpu = 1' 'storage_cpu = 2' 'hog = dom0' \
		>"$IDDR_CONFIGS/experiments/crowd"
	"$IDDR" experiment crowd
	[ "$(jq -r .environment.cpus "$(the_run crowd)/manifest.json")" = "1 2" ]
	read -r dom pid <"$STUB/hog"
	[ "$dom" = dom0 ]
	run ! kill -0 "$pid"
	# It is part of what a cell is.
	grep -v hog "$IDDR_CONFIGS/experiments/crowd" >"$BATS_TEST_TMPDIR/e" && mv "$BATS_TEST_TMPDIR/e" "$IDDR_CONFIGS/experiments/crowd"
	"$IDDR" experiment crowd
	[ "$(find "$RESULTS/crowd" -name cell.json | wc -l)" -eq 2 ]
	echo 'hog = domU' >>"$IDDR_CONFIGS/experiments/crowd"
	run "$IDDR" experiment crowd
	[ "$status" -eq 2 ]
	[[ $output == *"hog: unknown value 'domU'; allowed: none dom0"* ]]
}

@test "all experiments, in a size: one that fails does not keep the others from being measured" {
	printf '%s\n' 'modes = event' 'point = idle' 'point.smoke = randread 4k 1' 'reps = 2' 'reps.smoke = 1' >"$IDDR_CONFIGS/experiments/alone"
	echo 'modes = eventt' >"$IDDR_CONFIGS/experiments/broken"
	run "$IDDR" experiments --size smoke
	[ "$status" -eq 1 ]
	[[ $output == *"failed: broken; the same command measures what is missing"* ]]
	[ "$(awk -F '\t' 'NR == 2 { print $6, $9 }' "$(the_run alone)/summary.tsv")" = "randread 1" ]
	[ "$(jq -r .size "$(the_run alone)/manifest.json")" = smoke ]
	[ -s "$(the_run tiny)/summary.tsv" ]
	run "$IDDR" experiments --size large
	[ "$status" -eq 2 ]
	[[ $output == *"'large' is not a size; use smoke, quick or full"* ]]
}

@test "backing nvme: a testbed that has it, disks of its own on the device, no more of it than may be overwritten" {
	printf '%s\n' 'modes = spin@copy stock native' 'backing = ram nvme' 'point = randread 4k 1' 'reps = 1' >"$IDDR_CONFIGS/experiments/both"
	: >"$STUB/up"
	IDDR_NVME_MIB=32 run "$IDDR" experiment both
	[ "$status" -eq 0 ]
	[ "$(cat "$STUB/up")" = nvme ]
	[ "$(sort "$STUB/targets" | tr '\n' ,)" = "xvdb /dev/ram0,xvdd /dev/ram0,xvdj /dev/nvme0n1,xvdl /dev/nvme0n1," ]
	[ "$(awk '{ print $2 }' "$STUB/ran" | sort | tr '\n' ' ')" = "nvme0n1 ram0 xvdb xvdd xvdj xvdl " ]
	for c in "$(the_run both)"/cells/*; do
		[ "$(sed -n 's/^size=//p' "$c/job.fio")" = "$([ "$(jq -r .backing "$c/cell.json")" = ram ] && echo 64m || echo 32m)" ]
	done
	run awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next } { print $c["backing"], $c["mode"], $c["irq_device_per_io"] }' "$(the_run both)/summary.tsv"
	[ "$(sort <<<"$output" | tr '\n' ,)" = "nvme native 1.0000,nvme spin@copy 1.0000,nvme stock 1.0000,ram native 1.0000,ram spin@copy 1.0000,ram stock 1.0000," ]
}

@test "backings null and loop: the storage domain makes them, disks of their own are attached to them" {
	printf '%s\n' 'modes = spin stock native' 'backing = null loop' 'point = randread 4k 1' 'reps = 1' >"$IDDR_CONFIGS/experiments/made"
	run "$IDDR" experiment made
	[ "$status" -eq 0 ]
	[ "$(cat "$STUB/made")" = $'storage: loop /dev/loop7 64\nstorage: null /dev/nullb0 64' ]
	[ "$(sort "$STUB/targets" | tr '\n' ,)" = "xvdaa /dev/nullb0,xvdab /dev/nullb0,xvdba /dev/loop7,xvdbb /dev/loop7," ]
	[ "$(awk '{ print $2 }' "$STUB/ran" | sort | tr '\n' ' ')" = "loop7 nullb0 xvdaa xvdab xvdba xvdbb " ]
}

@test "an idle disk that has requests is no idle cell" {
	printf '%s\n' 'modes = event' 'point = idle' 'reps = 1' >"$IDDR_CONFIGS/experiments/quiet"
	STUB_STRAY=3 run "$IDDR" experiment quiet
	[ "$status" -eq 1 ]
	[[ $output == *"FAILED: the idle disk had 3 requests"* ]]
}

@test "a disk that did not get the data path which was asked for ends the experiment" {
	printf '%s\n' 'modes = event@copy' 'point = randread 4k 1' >"$IDDR_CONFIGS/experiments/copy"
	STUB_PATH=map run "$IDDR" experiment copy
	[ "$status" -eq 1 ]
	[[ $output == *"wanted 'xvdd iddr copy 1', but there is 'xvdd iddr map 1'"* ]]
	[ ! -e "$STUB/ran" ]
}

@test "two names where one is wanted, and an option without its value, are usage errors" {
	for args in "experiment tiny tiny" "figures a b" "derive a b" "derive --exp"; do
		# shellcheck disable=SC2086 # words
		run "$IDDR" $args
		[ "$status" -eq 2 ]
		[[ $output =~ ^iddr:\ error:\ .*(at a time|wants a name) ]]
	done
	[ ! -e "$STUB/up" ]
}
