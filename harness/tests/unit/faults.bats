#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# The tables of a fault campaign, from made-up raw data; the plan; what the verbs refuse.

bats_require_minimum_version 1.5.0
load helper

# cell NAME FAULT ARRANGEMENT KERNEL: a cell's outcome.
cell() {
	mkdir -p "$BATS_TEST_TMPDIR/cells/$1"
	printf 'application_kernel\t%s\nfault\t%s\narrangement\t%s\nload\ttruth\nrepetition\t1\nbacking\tfile\n' "$4" "$2" "$3" >"$BATS_TEST_TMPDIR/cells/$1/outcome.tsv"
}

# truth NAME EXIT GAP [NAME=VALUE...]: the figures of its load.
truth() {
	local kv file=$BATS_TEST_TMPDIR/cells/$1/truth.tsv
	printf 'exit\t%s\nrequests\t100\ngap_ms\t%s\nviolations\t0\n' "$2" "$3" >"$file"
	for kv in "${@:4}"; do
		printf '%s\t%s\n' "${kv%=*}" "${kv#*=}" >>"$file"
	done
}

# incident NAME CAUSE TIME...: the supervisor's row.
incident() {
	printf 'incident\tcause\tfault\tdetected\tgone\tcreated\tup\tdevice\tcompleted\tattempts\toutcome\n1\t%s\t%s\t1\trecovered\n' \
		"$2" "$(printf '%s\n' "${@:3}" | paste -s)" >"$BATS_TEST_TMPDIR/cells/$1/supervise.tsv"
}

# rows, summary: the tables.
rows() {
	awk -v passing='none io-error' -f "$AWK_DIR/fault-rows.awk" "$BATS_TEST_TMPDIR"/cells/*/outcome.tsv
}
summary() {
	rows >"$BATS_TEST_TMPDIR/rows.tsv"
	awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/table.awk" -f "$AWK_DIR/fault-summary.awk" "$BATS_TEST_TMPDIR/rows.tsv"
}

# field NAME [ROW]: of a table on standard input.
field() {
	awk -F '\t' -v name="$1" -v row="${2:-1}" '
		NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; if (!(name in at)) exit 1 }
		NR == row + 1 { print $at[name] }'
}

@test "an isolated fault that was recovered from: who died, who did not notice, each stage's time" {
	cell a panic isolated survived
	truth a 0 15500
	incident a death 1000 1100 1400 2000 14000 15000 15200
	[ "$(rows | field driver_kernel)" = died ]
	[ "$(rows | field application)" = unaware ]
	[ "$(rows | cut -f 16-24 | tail -n 1)" = "$(printf '%s\n' 100 300 600 12000 - 1000 200 14100 15500 | paste -s)" ]
	[ "$(rows | cut -f 28-34 | tail -n 1)" = "$(printf '%s\n' - - - - - - - | paste -s)" ]
}

@test "a domain that was destroyed has died, whichever sign of it the supervisor believed; one that hangs has not" {
	cell a destroy isolated survived
	truth a 0 15500
	incident a hang 1000 1100 1400 2000 14000 15000 15200
	[ "$(rows | field driver_kernel)" = died ]
	cell a loop isolated survived
	[ "$(rows | field driver_kernel)" = hung ]
}

@test "what grows from one fault to the next is found, what only varies is not; cells in the order in which they ran" {
	local i
	for ((i = 1; i <= 12; i++)); do
		# Their names are not in that order.
		cell "$(printf '%02d' $((i * 5 % 13)))" panic isolated survived
		printf 'order\t%s\nboot\tab\n' "$i" >>"$BATS_TEST_TMPDIR/cells/$(printf '%02d' $((i * 5 % 13)))/outcome.tsv"
		printf 'app_threads\t%s\ndom0_threads\t70\nxenstore_nodes\t%s\ndomains\t%s\n' $((90 + 2 * i)) $((430 + i % 3)) $((i < 12 ? 4 : 5)) \
			>"$BATS_TEST_TMPDIR/cells/$(printf '%02d' $((i * 5 % 13)))/rest.tsv"
	done
	rows >"$BATS_TEST_TMPDIR/rows.tsv"
	run -0 awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/table.awk" -f "$AWK_DIR/fault-trends.awk" "$BATS_TEST_TMPDIR/rows.tsv"
	[ "${#lines[@]}" -eq 5 ]
	# S is 66 of 66 pairs: 65 / sqrt(12 * 11 * 29 / 18).
	[ "${lines[1]}" = $'ab\ttruth\tapp_threads\t12\t92\t114\t92\t114\t2\t4.46\tup' ]
	[ "${lines[2]}" = $'ab\ttruth\tdom0_threads\t12\t70\t70\t70\t70\t0\t0.00\tnone shown' ]
	[[ ${lines[3]} == *xenstore_nodes*"none shown" ]]
	[[ ${lines[4]} == *$'domains\t12\t4\t5\t4\t5\t0\t'*"none shown" ]]
}

@test "faults that leave different figures behind are no trend; what grows within each is" {
	local i fault
	for ((i = 1; i <= 12; i++)); do
		# First all of one, then all of the other, which leaves more threads and fewer nodes, but more with each.
		fault=panic
		((i <= 6)) || fault=loop
		cell "$(printf '%02d' "$i")" "$fault" isolated survived
		printf 'order\t%s\nboot\tab\n' "$i" >>"$BATS_TEST_TMPDIR/cells/$(printf '%02d' "$i")/outcome.tsv"
		printf 'app_threads\t%s\nxenstore_nodes\t%s\n' $((i <= 6 ? 90 : 99)) $((i <= 6 ? 500 + i : 400 + i)) >"$BATS_TEST_TMPDIR/cells/$(printf '%02d' "$i")/rest.tsv"
	done
	rows >"$BATS_TEST_TMPDIR/rows.tsv"
	run -0 awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/table.awk" -f "$AWK_DIR/fault-trends.awk" "$BATS_TEST_TMPDIR/rows.tsv"
	[ "${lines[1]}" = $'ab\ttruth\tapp_threads\t12\t90\t99\t90\t99\t0\t0.00\tnone shown' ]
	# S is 2 times 15 of 15 pairs: 29 / sqrt(2 * 6 * 5 * 17 / 18).
	[ "${lines[2]}" = $'ab\ttruth\txenstore_nodes\t12\t501\t412\t407\t506\t1\t3.85\tup' ]
	# Each once: there is nothing to compare.
	awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "fault") n = i } NR > 1 { $n = "f" NR } 1' OFS='\t' "$BATS_TEST_TMPDIR/rows.tsv" >"$BATS_TEST_TMPDIR/once.tsv"
	run -0 awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/table.awk" -f "$AWK_DIR/fault-trends.awk" "$BATS_TEST_TMPDIR/once.tsv"
	[[ ${lines[1]} == *few && ${lines[2]} == *few ]]
}

@test "where a standby took over, nothing was created nor booted: the device comes after the old domain's end" {
	cell a panic standby survived
	truth a 0 1500
	incident a death 1000 1100 1400 - - 2400 2600
	printf 'app_threads\t90\ndomains\t4\n' >"$BATS_TEST_TMPDIR/cells/a/rest.tsv"
	[ "$(rows | cut -f 16-24 | tail -n 1)" = "$(printf '%s\n' 100 300 - - - 1000 200 1500 1500 | paste -s)" ]
	[ "$(rows | field app_threads)" = 90 ]
	[ "$(rows | field domains)" = 4 ]
}

@test "the paper's table has a fault of the first campaign that has it, and marks those of another" {
	local columns=$'fault\tarrangement\tload\tdriver_kernel\tapplication_kernel\tapplication\toutage_ms'
	printf '%s\n' "$columns" $'panic\tisolated\ttruth\tdied\tsurvived\tunaware\t10190' $'panic\tmonolithic\ttruth\t-\tgone\tgone\t-' \
		$'panic\tisolated\tsqlite\tdied\tsurvived\tunaware\t9' >"$BATS_TEST_TMPDIR/file.tsv"
	printf '%s\n' "$columns" $'wild-dma\tisolated\ttruth\tsurvived\tsurvived\tunaware\t140' $'panic\tstandby\ttruth\tdied\tsurvived\tunaware\t600' \
		>"$BATS_TEST_TMPDIR/nvme.tsv"
	run -0 awk -v order='wild-dma panic loop' -f "$AWK_DIR/table.awk" -f "$AWK_DIR/fault-table.awk" "$BATS_TEST_TMPDIR"/{file,nvme}.tsv
	[[ ${lines[0]} == 'wild-dma$^\ast$ & survived & unaware & 0.1\,s & --- & --- & --- '* ]]
	[[ ${lines[1]} == 'panic & died & unaware & 10.2\,s & --- & gone & gone '* ]]
	[ "${#lines[@]}" -eq 2 ]
}

@test "times as parts of a storage domain's creation and boot, of the cells without a standby" {
	local i
	for i in 1 2 3; do
		cell "a$i" panic isolated survived
		truth "a$i" 0 15500
		incident "a$i" death 1000 1100 1400 2000 $((10400 + 1000 * i)) 15000 15200
	done
	for i in 1 2; do
		cell "b$i" panic standby survived
		truth "b$i" 0 $((1000 + 60 * i))
		incident "b$i" death 1000 1100 1400 - - 1800 1900
	done
	summary >"$BATS_TEST_TMPDIR/summary.tsv"
	# 600 and 10400.
	[ "$(field cold_boot_ms 1 <"$BATS_TEST_TMPDIR/summary.tsv")" = 11000 ]
	[ "$(field outage_per_boot 1 <"$BATS_TEST_TMPDIR/summary.tsv")" = 1.409 ]
	[ "$(field cold_boot_ms 2 <"$BATS_TEST_TMPDIR/summary.tsv")" = 11000 ]
	[ "$(field outage_per_boot 2 <"$BATS_TEST_TMPDIR/summary.tsv")" = 0.099 ]
	[ "$(field outage_max_per_boot 2 <"$BATS_TEST_TMPDIR/summary.tsv")" = 0.102 ]
	[ "$(field recovery_per_boot 2 <"$BATS_TEST_TMPDIR/summary.tsv")" = 0.073 ]
	# Without such cells there is nothing that they would be parts of.
	rm -r "$BATS_TEST_TMPDIR/cells"/a?
	[ "$(summary | field outage_per_boot)" = - ]
}

@test "where it took the controller over first, that has its time, from the old domain's end, and the device comes after" {
	cell a panic standby survived
	truth a 0 1500
	printf 'incident\tcause\tfault\tdetected\tgone\tcreated\tup\tcontroller\tdevice\tcompleted\tattempts\toutcome\n1\tdeath\t1000\t1100\t1400\t-\t-\t2100\t2400\t2600\t1\trecovered\n' \
		>"$BATS_TEST_TMPDIR/cells/a/supervise.tsv"
	[ "$(rows | field controller_ms)" = 700 ]
	[ "$(rows | field device_ms)" = 300 ]
	[ "$(summary | field controller_ms)" = 700 ]
}

@test "the timeline has answers a second around the outage, of the first repetition, in whole half seconds" {
	local bin
	cell a panic isolated survived
	truth a 0 500 gap_start_ms=1000
	{
		printf '# 0 ms is CLOCK_MONOTONIC 1 ns, CLOCK_REALTIME 2 ns\nms\tcompleted\tfailed\n'
		for ((bin = 0; bin < 22; bin++)); do
			printf '%s\t%s\t0\n' $((bin * 100)) $((bin >= 10 && bin < 15 ? 0 : 2))
		done
	} >"$BATS_TEST_TMPDIR/cells/a/timeline.tsv"
	awk -f "$AWK_DIR/fault-timeline.awk" "$BATS_TEST_TMPDIR/cells/a/timeline.tsv" >"$BATS_TEST_TMPDIR/timeline"
	grep -qx $'panic\tisolated\ttruth\t-0.75\t20' "$BATS_TEST_TMPDIR/timeline"
	# Not from before there was a load.
	[ "$(sed -n 2p "$BATS_TEST_TMPDIR/timeline" | cut -f 4)" = -0.75 ]
	grep -qx $'panic\tisolated\ttruth\t0.25\t0' "$BATS_TEST_TMPDIR/timeline"
	grep -qx $'panic\tisolated\ttruth\t0.75\t20' "$BATS_TEST_TMPDIR/timeline"
	sed -i 's/^repetition.*/repetition\t2/' "$BATS_TEST_TMPDIR/cells/a/outcome.tsv"
	[ "$(awk -f "$AWK_DIR/fault-timeline.awk" "$BATS_TEST_TMPDIR/cells/a/timeline.tsv" | wc -l)" -eq 1 ]
}

@test "a kernel that died takes its application along; nothing is known of its data" {
	cell a panic monolithic gone
	: >"$BATS_TEST_TMPDIR/cells/a/truth.tsv"
	[ "$(rows | field driver_kernel)" = - ]
	[ "$(rows | field application)" = gone ]
	[ "$(rows | field lost)" = - ]
	[ "$(rows | field outage_ms)" = - ]
}

@test "errors, no verdict, and each kind of damage are told apart" {
	cell a null monolithic survived
	truth a 0 10 writes_failed=3
	cell b loop isolated survived
	truth b 3 10 unanswered=4
	cell c wild-write isolated survived
	truth c 1 10 violations=25 lost=1 stale=2 reverted=1 misdirected=4 torn=5 foreign=6 corrupt=7
	cell d stuck isolated survived
	printf 'exit\tnone\n' >"$BATS_TEST_TMPDIR/cells/d/truth.tsv"
	[ "$(rows | field application 1)" = errors ]
	[ "$(rows | field failed 1)" = 3 ]
	[ "$(rows | field application 2)" = stuck ]
	[ "$(rows | field application 3)" = damaged ]
	[ "$(rows | cut -f 12-15 | sed -n 4p)" = "$(printf '%s\n' 3 1 4 18 | paste -s)" ]
	[ "$(rows | field application 4)" = stuck ]
}

@test "what was not read in the end is not known to be right; what was found wrong is wrong" {
	cell a panic isolated survived
	truth a 3 10 blocks=8 verified=7 lost=0 torn=1 violations=1
	cell b panic isolated survived
	truth b 0 10 blocks=8 verified=8
	[ "$(rows | cut -f 12-15 | sed -n 2p)" = "$(printf '%s\n' - - - 1 | paste -s)" ]
	[ "$(rows | cut -f 12-15 | sed -n 3p)" = "$(printf '%s\n' 0 0 0 0 | paste -s)" ]
	[ "$(rows | field application)" = damaged ]
	# Seven of eight is not none.
	[ "$(summary | field lost)" = - ]
	[ "$(summary | field corrupt)" = 1 ]
	[ "$(summary | field requests)" = 200 ]
}

@test "an outage that did not end is longer than any; one that is not known is not the shortest" {
	cell a panic isolated survived
	truth a 0 900 gap_ended=1 slowest_ms=950
	cell b panic isolated survived
	truth b 0 100 gap_ended=0 slowest_ms=100
	cell c panic isolated survived
	truth c 0 200 gap_ended=1 slowest_ms=300
	[ "$(rows | field outage_ms 2)" = unended ]
	[ "$(summary | field outage_ms)" = 900 ]
	[ "$(summary | field outage_max_ms)" = unended ]
	[ "$(summary | field slowest_max_ms)" = 950 ]
	: >"$BATS_TEST_TMPDIR/cells/b/truth.tsv"
	[ "$(summary | field outage_ms)" = 550 ]
	[ "$(summary | field outage_max_ms)" = - ]
}

@test "a fault that was not noticed, or not recovered from, has no times" {
	cell a panic isolated survived
	truth a 3 10
	printf 'incident\tcause\n' >"$BATS_TEST_TMPDIR/cells/a/supervise.tsv"
	cell b loop isolated survived
	truth b 3 10
	incident b hang 1000 1100 1400 - - - -
	[ "$(rows | field detected_ms 1)" = - ]
	[ "$(rows | field gone_ms 2)" = 300 ]
	[ "$(rows | field recovery_ms 2)" = - ]
}

@test "the summary counts outcomes, adds up damage, and has medians and the longest outage" {
	local i
	for i in 1 2 3; do
		cell "a$i" panic isolated survived
		truth "a$i" 0 "$((i * 1000))" lost=1
		incident "a$i" death 0 "$((i * 10))" 100 200 300 400 500
	done
	cell a2 panic isolated gone
	cell b panic monolithic gone
	[ "$(summary | wc -l)" -eq 3 ]
	[ "$(summary | field cells)" = 3 ]
	[ "$(summary | field application_kernel)" = "survived 2 gone 1" ]
	[ "$(summary | field kernels_lost)" = 1 ]
	[ "$(summary | field lost)" = 3 ]
	[ "$(summary | field detected_ms)" = 20 ]
	[ "$(summary | field outage_ms)" = 2000 ]
	[ "$(summary | field outage_max_ms)" = 3000 ]
	[ "$(summary | field application_kernel 2)" = gone ]
	[ "$(summary | field outage_ms 2)" = - ]
}

# faults FUNCTION...: run a function of the library.
faults() {
	BACKING=${BACKING:-file} bash -c '. "$IDDR_TOP/harness/lib/common.sh"; . "$IDDR_TOP/harness/lib/faults.sh"; "$@"' faults "$@"
}

# noticed NAME CAUSE...: the supervisor's messages.
noticed() {
	printf 'iddr-supervise: watching iddr-storage (4)\n' >"$BATS_TEST_TMPDIR/cells/$1/supervise.log"
	printf 'iddr-supervise: iddr-storage (4): %s\n' "${@:2}" recovered >>"$BATS_TEST_TMPDIR/cells/$1/supervise.log"
}

@test "whatever the supervisor notices without a fault, or besides it, is a false alarm" {
	local fault
	for fault in none io-error panic; do
		cell "$fault" "$fault" isolated survived
		truth "$fault" 0 200
		printf 'incident\tcause\n' >"$BATS_TEST_TMPDIR/cells/$fault/supervise.tsv"
	done
	noticed io-error
	noticed none
	noticed panic death
	incident panic death 1000 1100 1400 2000 14000 15000 15200
	[ "$(summary | awk -F '\t' 'NR > 1 { printf "%s:%s ", $1, $NF }')" = "io-error:0 none:0 panic:0 " ]
	noticed io-error hang
	noticed none disk
	noticed panic death hang death
	[ "$(summary | awk -F '\t' 'NR > 1 { printf "%s:%s ", $1, $NF }')" = "io-error:1 none:1 panic:2 " ]
	[ "$(rows | field driver_kernel 1)" = hung ]
}

@test "a recovery that has not come to an end: what it is of is known all the same" {
	cell a panic isolated survived
	truth a '' 15500 unanswered=3
	printf 'incident\tcause\n' >"$BATS_TEST_TMPDIR/cells/a/supervise.tsv"
	printf 'iddr-supervise: iddr-storage (4): death\n' >"$BATS_TEST_TMPDIR/cells/a/supervise.log"
	[ "$(rows | field driver_kernel)" = died ]
	[ "$(rows | field application)" = stuck ]
	[ "$(rows | field recovery_ms)" = - ]
}

@test "a full campaign has over 100 isolated crashes; every fault but the back end's has its control; each line is there once" {
	local size
	for size in smoke quick full; do
		[ -z "$(faults faults_plan "$size" | sort | uniq -d)" ]
		[ "$(faults faults_plan "$size" | awk '$2 == "isolated" && $1 !~ /^(back-loop|lost-notify|lost-upcall|bad-response|none)$/ { print $1 }' | sort -u)" = \
			"$(faults faults_plan "$size" | awk '$2 == "monolithic" { print $1 }' | sort -u)" ]
	done
	[ "$(faults faults_plan full | grep -c isolated)" -gt 100 ]
	[ "$(faults faults_plan smoke | wc -l)" -eq 9 ]
	# An hour without any, once.
	[ "$(faults faults_plan full | grep -c '^none ')" -eq 1 ]
	# What only one backing has.
	run ! grep wild-dma < <(faults faults_plan quick)
	BACKING=nvme faults faults_plan quick | grep -q '^wild-dma '
	run ! grep -E "^(io-error|silent) " < <(BACKING=nvme faults faults_plan quick)
}

@test "the module's faults are those that the campaign knows, and each has a place" {
	local fault
	for fault in $(bash -c '. "$IDDR_TOP/harness/lib/faults.sh"; awk "NF { print \$1 }" <<<"$FAULTS"'); do
		[[ $(faults faults_at "$fault") =~ ^(-|[a-z_]{8,}|device|quiet|dma_map_page_attrs)$ ]]
	done
	[ "$(awk -F '"' '/^static const struct fault faults/ { list = 1 } /^};/ { list = 0 } list && /^\t{ "/ { print $2 }' "$TOP/modules/test/fault/iddr_fault.c" | sort)" = \
		"$(bash -c '. "$IDDR_TOP/harness/lib/faults.sh"; awk "NF && \$2 != \"-\" { print \$2 }" <<<"$FAULTS"' | sort -u)" ]
}

@test "wrong arguments are refused with what would be right" {
	local words
	while read -ra words; do
		run -2 "$TOP/harness/iddr" "${words[@]}"
		[[ $output == *error:* ]]
	done <<-'EOF'
		faults --size huge
		faults --bogus 1
		faults --size
		faults --hang 0
		faults --run a/b
		supervise --bogus 1
	EOF
	run -2 "$TOP/harness/guest/iddr-supervise" --config /nowhere
	[[ $output == *"cannot read the configuration"* ]]
	run -2 "$TOP/harness/guest/iddr-supervise" --config /dev/null --limit x
	[[ $output == *"not a number"* ]]
	run -2 "$TOP/harness/guest/iddr-supervise" --config /dev/null --hang 0
}

@test "the process that talks to xenstore ends: the next one answers what can be asked twice, else it has failed; or that is the end" {
	local script
	# It answers from the second start on, and ends.
	cat >"$BATS_TEST_TMPDIR/tool" <<-'EOS'
		#!/bin/bash
		read -r _
		[[ ! -e ${0%/*}/begun ]] || printf '=0000002ok' 2>/dev/null
		touch "${0%/*}/begun"
	EOS
	chmod +x "$BATS_TEST_TMPDIR/tool"
	# shellcheck disable=SC2016 # that shell expands it
	script='set -euo pipefail
		. "$1/harness/guest/xenstore.sh"
		[[ -n $2 ]] || xs_ended() {
			local first second
			wait "$xs_pid" || true
			read -r first second <<<"1 2"
			echo "ended ($second)"
			xs_open "$tool"
		}
		tool=$3
		xs_open "$tool"
		[[ -n $2 ]] || ! xs fence 1 || exit 3
		echo "$xs_reason"
		xs read /a
		echo "${xs_values[@]}"
		xs read /b
		echo "${xs_values[@]}"
		xs_change 10
		echo "changed: ${xs_path:-nothing}"'
	run -0 bash -c "$script" own "$TOP" '' "$BATS_TEST_TMPDIR/tool"
	[ "$output" = $'ended (2)\nthe process that talks to xenstore has ended\nok\nended (2)\nok\nended (2)\nchanged: nothing' ]
	rm "$BATS_TEST_TMPDIR/begun"
	run -1 bash -c "$script" none "$TOP" 1 "$BATS_TEST_TMPDIR/tool"
	[ "$output" = $'\nnone: error: the process that talks to xenstore has ended' ]
}
