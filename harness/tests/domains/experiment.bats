#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# An experiment from its file to its tables, in the domains.

load lib

setup_file() {
	export RESULTS=$BATS_FILE_TMPDIR/results PLOTS_OUT=$BATS_FILE_TMPDIR/plots
	cat >"$BATS_FILE_TMPDIR/tiny" <<-'EOT'
		modes     = native stock event poll/event spin/event@copy
		point     = randread 4k 8
		modes     = adaptive
		point     = idle
		engine    = io_uring
		reps      = 1
		runtime_s = 2
	EOT
	forget_kernel_logs
}

teardown_file() {
	local disk
	for disk in xvda xvdb xvdd; do
		"$IDDR" detach "$disk" || true
	done
}

# per_request DOMAIN KIND: of hypercalls.tsv.
per_request() {
	awk -F '\t' -v d="$1" -v k="$2" '$8 == d && $9 == k { print $11 }' "$RESULTS"/traced/*/hypercalls.tsv
}

# column NAME: of cells.tsv, a line a cell, with the mode before it.
column() {
	awk -F '\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
		{ print $c["front"] "/" $c["back"] "@" $c["data"] ($c["rw"] == "idle" ? " idle" : ""), $c[name] }' "$RESULTS"/tiny/*/cells.tsv
}

@test "an experiment: every cell is used, every counter there; told again it measures nothing" {
	run -0 "$IDDR" experiment "$BATS_FILE_TMPDIR/tiny" 3>&-
	printf '%s\n' "$output"
	[[ $output == *"6 of 6 cells to measure"* && $output == *"[6/6]"* ]]
	diff <(column status | sort) - <<-'EOT'
		adaptive/adaptive@persistent idle ok
		event/event@persistent ok
		native/native@- ok
		poll/event@persistent ok
		spin/event@copy ok
		stock/stock@persistent ok
	EOT
	# 2 s of I/O; and each side saw what fio did.
	[[ $(column ios | awk '$NF > 20' | wc -l) == 5 ]]
	[[ $(column ring_requests_per_io | awk '/^(event|poll|spin)/ && $NF >= 1' | wc -l) == 3 ]]
	# Nobody is notified where the consumer spins or polls; where both sleep, both are.
	[[ $(column notify_back_per_io | awk '/^(poll|spin)/ && $NF < 0.1' | wc -l) == 2 ]]
	[[ $(column notify_front_per_io | awk '/^event/ && $NF > 0' | wc -l) == 1 ]]
	[[ $(column grant_ops_per_io | awk '/@copy/ && $NF >= 1' | wc -l) == 1 ]]
	[[ $(column cpu_us_per_io | awk '!/idle/ && $NF > 0' | wc -l) == 5 ]]
	[[ $(column thread_back_pct | awk '/idle/ && $NF < 1' | wc -l) == 1 ]]
	(($(find "$PLOTS_OUT/tiny" -name '*.svg' -size +0 | wc -l) > 0))
	run -0 "$IDDR" experiment "$BATS_FILE_TMPDIR/tiny" 3>&-
	[[ $output == *"0 of 6 cells to measure"* ]]
	kernel_logs_clean
}

@test "an experiment that traces the hypervisor: the hypercalls of a request that both sides sleep for" {
	in_full 35
	printf '%s\n' 'trace = xen' 'modes = event' 'point = randread 4k 1' 'reps = 1' 'runtime_s = 5' >"$BATS_FILE_TMPDIR/traced"
	run -0 "$IDDR" experiment "$BATS_FILE_TMPDIR/traced" 3>&-
	cat "$RESULTS"/traced/*/hypercalls.tsv
	# Each side sends an event. The storage domain has nothing else to do until the next request comes.
	for d in 'app hypercall.evtchn_op' 'storage hypercall.evtchn_op' 'storage hypercall.sched_op.block' 'storage switched_in'; do
		# shellcheck disable=SC2086 # words
		awk -v n="$(per_request $d)" 'BEGIN { exit !(n > 0.5) }'
	done
	# Pages stay granted.
	[[ -z $(per_request storage hypercall.grant_table_op.map_grant_ref) ]]
	kernel_logs_clean
}
