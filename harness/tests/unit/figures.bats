#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0

load helper
setup() {
	pipeline_setup
	command -v gnuplot >/dev/null || skip "gnuplot is not installed"
	mkdir -p "$RESULTS/quick/one"
	awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/table.awk" -f "$AWK_DIR/summary.awk" \
		"$TOP/harness/tests/fixtures/synthetic-cells.tsv" >"$RESULTS/quick/one/summary.tsv"
	cp "$TOP/harness/tests/fixtures/synthetic-cells.tsv" "$RESULTS/quick/one/cells.tsv"
}

@test "four figures in three formats, redrawn from summary.tsv alone" {
	# Nothing but the summary may be read.
	: >"$RESULTS/quick/one/cells.tsv"
	echo x >"$RESULTS/quick/one/cells.tsv"
	DRAW=1 run "$IDDR" figures
	[ "$status" -eq 0 ]
	for f in iops latency cpu events; do
		head -c 5 "$PLOTS_OUT/quick/$f.pdf" | grep -q '^%PDF-'
		head -c 4 "$PLOTS_OUT/quick/$f.png" | grep -q PNG
		grep -q '</svg>' "$PLOTS_OUT/quick/$f.svg"
		grep -q 'TCG-emulated: ratios only' "$PLOTS_OUT/quick/$f.svg"
		# Every text can be set without the font that it was drawn with.
		[ "$(grep -o 'font-family="[^"]*"' "$PLOTS_OUT/quick/$f.svg" | sort -u)" = 'font-family="Liberation Sans, Arial, Helvetica, sans-serif"' ]
	done
	[ "$(find "$PLOTS_OUT/quick" -type f | wc -l)" -eq 12 ]
}

@test "every mode is in the key, every panel has its title" {
	DRAW=1 "$IDDR" figures
	for t in native 'stock pair' event/event event/spin spin/event spin/spin 'random read, 4 KiB' 'random read, 64 KiB' 'random write, 4 KiB'; do
		grep -q "$t" "$PLOTS_OUT/quick/iops.svg"
	done
}

@test "modes: the figures that its rows can fill, and no others; their panels and keys" {
	mkdir -p "$RESULTS/modes/one"
	awk -f "$AWK_DIR/stats.awk" -f "$AWK_DIR/table.awk" -f "$AWK_DIR/summary.awk" \
		"$TOP/harness/tests/fixtures/synthetic-modes.tsv" >"$RESULTS/modes/one/summary.tsv"
	cp "$TOP/harness/tests/fixtures/synthetic-modes.tsv" "$RESULTS/modes/one/cells.tsv"
	DRAW=1 "$IDDR" figures --exp modes
	[ "$(cd "$PLOTS_OUT/modes" && echo *.svg)" = "budgets.svg cpu.svg events.svg idle.svg iops.svg latency.svg matrix.svg paths.svg" ]
	for t in "event, copy" "spin, map" "random read, depth 8" "stock pair = 1" "64 KiB"; do
		grep -q "$t" "$PLOTS_OUT/modes/paths.svg"
	done
	for t in adaptive poll "depth 32" "CPU time per request, depth 1" "1.00"; do
		grep -q "$t" "$PLOTS_OUT/modes/matrix.svg"
	done
	grep -q ">5000<" "$PLOTS_OUT/modes/budgets.svg"
	grep -q "threads" "$PLOTS_OUT/modes/idle.svg"
	grep -q "poll/spin" "$PLOTS_OUT/modes/iops.svg"
	# Points of a single depth are not drawn over depth.
	run grep -c "64 KiB" "$PLOTS_OUT/modes/iops.svg"
	[ "$output" = 0 ]
}

@test "the title follows the testbed" {
	sed -i 's/^tcg/xen/' "$RESULTS/quick/one/summary.tsv"
	DRAW=1 "$IDDR" figures
	grep -q 'Xen on hardware' "$PLOTS_OUT/quick/iops.svg"
	run grep -c 'TCG' "$PLOTS_OUT/quick/iops.svg"
	[ "$output" -eq 0 ]
}

@test "a table without rows is an error, not an empty figure" {
	head -n 1 "$RESULTS/quick/one/summary.tsv" >"$RESULTS/quick/one/s" && mv "$RESULTS/quick/one/s" "$RESULTS/quick/one/summary.tsv"
	DRAW=1 run "$IDDR" figures
	[ "$status" -eq 1 ]
	[[ $output == *"no cell of this run can be used"* ]]
}
