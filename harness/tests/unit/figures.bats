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
	# A row and a column for what there is.
	sed -i '/\tpoll\t/d' "$RESULTS/modes/one/summary.tsv"
	PLOTS_OUT=$BATS_TEST_TMPDIR/unpolled DRAW=1 "$IDDR" figures --exp modes
	run ! grep -q poll "$BATS_TEST_TMPDIR/unpolled/modes/matrix.svg"
	grep -q ">5000<" "$PLOTS_OUT/modes/budgets.svg"
	grep -q "threads" "$PLOTS_OUT/modes/idle.svg"
	grep -q "poll/spin" "$PLOTS_OUT/modes/iops.svg"
	# Points of a single depth are not drawn over depth.
	run grep -c "64 KiB" "$PLOTS_OUT/modes/iops.svg"
	[ "$output" = 0 ]
}

# as COLUMN VALUE: the summary's rows, with that value.
as() {
	awk -F '\t' -v OFS='\t' -v name="$1" -v value="$2" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) n = i; next }
		$0 ~ /randread\t4k/ { $n = value; print }' "$RESULTS/quick/one/summary.tsv"
}

@test "several backings are one figure: shares of the device without isolation, by device" {
	mkdir -p "$RESULTS/backing/one"
	{ head -n 1 "$RESULTS/quick/one/summary.tsv"; as backing null; as backing ram; as backing nvme; } >"$RESULTS/backing/one/summary.tsv"
	: >"$RESULTS/backing/one/cells.tsv"
	DRAW=1 "$IDDR" figures --exp backing "$RESULTS/backing/one"
	[ "$(cd "$PLOTS_OUT/backing" && echo *.svg)" = backing.svg ]
	for t in 'RAM disk' NVMe null 'no isolation = 1' 'random read, 4 KiB' 'depth 1' 'spin/spin'; do
		grep -q "$t" "$PLOTS_OUT/backing/backing.svg"
	done
	# In one order, whichever the run came to first.
	[ "$(grep -oE 'RAM disk|NVMe|null' "$PLOTS_OUT/backing/backing.svg" | head -n 3 | xargs)" = "RAM disk null NVMe" ]
}

@test "several numbers of application domains are one figure: what all of them get, and what it costs" {
	mkdir -p "$RESULTS/domains/one"
	{ head -n 1 "$RESULTS/quick/one/summary.tsv"; as app_domains 1; as app_domains 2; as app_domains 4; } >"$RESULTS/domains/one/summary.tsv"
	: >"$RESULTS/domains/one/cells.tsv"
	DRAW=1 "$IDDR" figures --exp domains "$RESULTS/domains/one"
	[ "$(cd "$PLOTS_OUT/domains" && echo *.svg)" = domains.svg ]
	for t in 'all together, depth 1' 'CPU time a request' 'application domains' 'spin/spin' '>4<'; do
		grep -q "$t" "$PLOTS_OUT/domains/domains.svg"
	done
}

@test "applications have a figure of their own; so have a request's stages" {
	mkdir -p "$RESULTS/applications/one"
	{ head -n 1 "$RESULTS/quick/one/summary.tsv"; as rw app-untar; as rw app-sqlite-wal; } >"$RESULTS/applications/one/summary.tsv"
	: >"$RESULTS/applications/one/cells.tsv"
	DRAW=1 "$IDDR" figures --exp applications "$RESULTS/applications/one"
	[ "$(cd "$PLOTS_OUT/applications" && echo *.svg)" = applications.svg ]
	for t in untar sqlite-wal 'CPU time, both domains' 'stock pair'; do
		grep -q "$t" "$PLOTS_OUT/applications/applications.svg"
	done
	{
		printf '%s\t' mode reps requests submit_us signal_us take_us back_us device_us signal_back_us take_back_us complete_us
		printf 'total_us\nevent\t5\t500\t10\t20\t20\t20\t20\t20\t60\t10\t180\nspin\t5\t500\t10\t0\t40\t20\t20\t0\t40\t10\t140\n'
	} >"$RESULTS/quick/one/stages.tsv"
	DRAW=1 "$IDDR" figures
	for t in event spin 'signal (request)' 'back end' device; do
		grep -q "$t" "$PLOTS_OUT/quick/breakdown.svg"
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
