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
	done
	[ "$(find "$PLOTS_OUT/quick" -type f | wc -l)" -eq 12 ]
}

@test "every mode is in the key, every panel has its title" {
	DRAW=1 "$IDDR" figures
	for t in native 'stock pair' event/event event/spin spin/event spin/spin 'random read, 4 KiB' 'random read, 64 KiB' 'random write, 4 KiB'; do
		grep -q "$t" "$PLOTS_OUT/quick/iops.svg"
	done
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
