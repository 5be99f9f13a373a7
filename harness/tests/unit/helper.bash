# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# helper.bash: what the unit tests share. No test touches a testbed or the tree.

TOP=$(cd -- "${BATS_TEST_DIRNAME:?}/../../.." && pwd -P)
export AWK_DIR=$TOP/harness/awk
export IDDR_TOP=$TOP IDDR_QUIET=

# pipeline_setup: a private place for the libraries that measure, with the stub testbed.
pipeline_setup() {
	export STUB=$BATS_TEST_TMPDIR/stub IDDR_RUN=$BATS_TEST_TMPDIR/run RESULTS=$BATS_TEST_TMPDIR/results
	export IDDR_BUILD=$BATS_TEST_TMPDIR/build IDDR_CONFIGS=$BATS_TEST_TMPDIR/configs PLOTS_OUT=$BATS_TEST_TMPDIR/plots
	mkdir -p "$STUB" "$IDDR_CONFIGS/experiments"
	cp -r "$TOP/configs/fio" "$IDDR_CONFIGS/"
	cat >"$IDDR_CONFIGS/experiments/tiny" <<-'EOF'
		modes = event spin/spin stock native
		point = randread 4k 1,8
		reps = 2
		runtime_s = 1
		seed = 5
	EOF
	# In a process of its own: the libraries set traps and options.
	cat >"$BATS_TEST_TMPDIR/iddr" <<-EOF
		#!/bin/bash
		set -euo pipefail
		for l in common disks nvme supervise cells experiment shard compare figures native report workload; do . "$TOP/harness/lib/\$l.sh"; done
		. "$TOP/harness/tests/unit/stub-testbed.bash"
		[[ -n \${DRAW:-} ]] || figures_draw() { :; }
		verb=\$1
		shift
		"cmd_\${verb//-/_}" "\$@"
	EOF
	chmod +x "$BATS_TEST_TMPDIR/iddr"
	export IDDR=$BATS_TEST_TMPDIR/iddr
}

# the_run EXPERIMENT: the directory of its only run.
the_run() {
	local d=("$RESULTS/$1"/*/)
	[[ ${#d[@]} == 1 && -d ${d[0]} ]] || return 1
	printf '%s\n' "${d[0]%/}"
}
