# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# cells.sh: measuring one cell, and everything that must be in place for it: disks attached, domains
# prepared, watchers running. A cell costs one exec in the domain where fio runs, and one in
# the storage domain if the back end's mode changes; all else is seen by two watchers that run as long
# as the experiment and react to the phase key which the cell writes to xenstore.

# The disks that experiments use in the application domain: ours and the stock pair's, both on the
# storage domain's RAM disk. The numbers are xen's names of xvda and xvdb.
MEASURE_TARGET=/dev/ram0
declare -A MEASURE_DISK=([iddr]=xvda [stock]=xvdb [native]=ram0)
declare -A MEASURE_DEVID=([iddr]=51712 [stock]=51728 [native]=-)

MEASURE_WORK=
# Which boot this is, and what its results are labelled with.
MEASURE_BOOT=
MEASURE_LABEL=
MEASURE_PIDS=()
# How our pair waits now, as far as we know.
FRONT_MODE=
BACK_MODE=

# measure_lock: make sure that nobody else measures on this testbed.
measure_lock() {
	local file=$IDDR_RUN/measure.lock owner=
	[[ $(testbed_kind) == qemu ]] || file=/run/lock/iddr-measure.lock
	mkdir -p -- "$(dirname -- "$file")"
	exec 8>>"$file"
	if ! flock -n 8; then
		read -r owner <"$file" || true
		die "another experiment is running on this testbed (process ${owner:-unknown}); wait for its end or stop it"
	fi
	printf '%s\n' "$$" >"$file"
}

# measure_up: bring the testbed up; take it down again at the end if it was down before.
measure_up() {
	if ! testbed_is_up; then
		[[ -n ${IDDR_KEEP:-} ]] || defer 'testbed_down 8>&- || true'
	fi
	# The lock must not live on in QEMU.
	testbed_up 8>&-
}

# in_dom DOM COMMAND...: run a command in a domain without handing the lock down to it.
in_dom() {
	local dom=$1
	shift
	testbed_exec "$dom" -- "$@" 8>&-
}

# measure_attach: attach the disks of the application domain that are not there yet.
measure_attach() {
	local have pair script
	have=$(in_dom app cell-disks </dev/null) || testbed_lost "while looking at the disks"
	for pair in "$@"; do
		script=block-$pair
		case $'\n'$have$'\n' in
		*$'\n'"${MEASURE_DISK[$pair]} $pair"$'\n'*) continue ;;
		*$'\n'"${MEASURE_DISK[$pair]} "*)
			die "${MEASURE_DISK[$pair]} of the application domain belongs to another driver than $pair; detach it or run 'harness/iddr down'" ;;
		esac
		note "attaching ${MEASURE_DISK[$pair]} ($pair pair)"
		disk_attach app "${MEASURE_DISK[$pair]}" "$MEASURE_TARGET" "$script" 8>&-
	done
}

# measure_prepare DIR PAIR...: prepare domains, disks and watchers; leaves facts in DIR/*.facts.
measure_prepare() {
	local dir=$1 app storage keys
	shift
	MEASURE_WORK=$dir
	defer measure_cleanup
	measure_attach "$@"
	note "preparing the domains (the RAM disk is filled with random data once a boot)"
	in_dom storage cell-prepare storage </dev/null >"$dir/storage.facts" || testbed_lost "while preparing the storage domain"
	in_dom app cell-prepare app </dev/null >"$dir/app.facts" || testbed_lost "while preparing the application domain"
	MEASURE_BOOT=$(cat -- "$dir/storage.facts" "$dir/app.facts" | awk '$1 == "boot"' | text_key)
	MEASURE_LABEL=$(testbed_label)
	app=$(awk '$1 == "domid" { print $2 }' "$dir/app.facts")
	storage=$(awk '$1 == "domid" { print $2 }' "$dir/storage.facts")
	keys=("/local/domain/$app/data/iddr/phase" "/local/domain/$storage/data/iddr/phase")
	stream_start storage in_dom storage iddr-snap watch "${keys[@]}"
	stream_start cpu in_dom dom0 cell-cpu "${keys[@]}"
	FRONT_MODE=
	BACK_MODE=
	{ front_mode event && back_mode event; } || testbed_lost "while setting modes"
	measure_warm "$@"
}

# measure_warm PAIR...: one unmeasured load on each disk: grants and caches get their steady state.
measure_warm() {
	local pair
	for pair in "$@"; do
		in_dom app cell-warm "${MEASURE_DISK[$pair]}" </dev/null || testbed_lost "while warming up ${MEASURE_DISK[$pair]}"
	done
}

# stream_start NAME COMMAND...: run COMMAND in the background; its output is in NAME.stream.
stream_start() {
	local name=$1
	shift
	set -m
	"$@" >"$MEASURE_WORK/$name.stream" 2>"$MEASURE_WORK/$name.stream.err" </dev/null &
	set +m
	MEASURE_PIDS+=("$!")
}

# stream_wait NAME ID FILE: put the part of a stream that belongs to cell ID into FILE.
stream_wait() {
	local end=$((SECONDS + 20))
	local program=section
	[[ $1 != cpu ]] || program=section-cpu
	until awk -v id="$2" -f "$IDDR_TOP/harness/awk/$program.awk" "$MEASURE_WORK/$1.stream" >"$3"; do
		if ((SECONDS >= end)); then
			warn "the $1 watcher said nothing about cell $2 for 20 s: $(tail -n 3 "$MEASURE_WORK/$1.stream.err")"
			return 1
		fi
		sleep 0.05
	done
}

# measure_cleanup: stop what runs in the background; leave our pair quiet.
measure_cleanup() {
	local pid
	for pid in ${MEASURE_PIDS[@]+"${MEASURE_PIDS[@]}"}; do
		kill -- "-$pid" 2>/dev/null || true
	done
	MEASURE_PIDS=()
	if [[ $BACK_MODE == spin ]]; then
		limited 10 back_mode event 2>/dev/null || true
	fi
	if [[ $FRONT_MODE == spin ]]; then
		limited 10 front_mode event 2>/dev/null || true
	fi
}

# limited SECONDS COMMAND...: run COMMAND with our standard input; status 124 after SECONDS.
limited() {
	local limit=$1 pid clock first rc=0
	shift
	# Process groups of their own, so that a kill reaches all that they started.
	set -m
	"$@" <&0 &
	pid=$!
	sleep "$limit" &
	clock=$!
	set +m
	MEASURE_PIDS+=("$pid" "$clock")
	wait -n -p first "$pid" "$clock" || rc=$?
	if [[ $first == "$clock" ]]; then
		kill -- "-$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
		rc=124
	else
		kill -- "-$clock" 2>/dev/null || true
		wait "$clock" 2>/dev/null || true
	fi
	unset 'MEASURE_PIDS[-1]' 'MEASURE_PIDS[-1]'
	return "$rc"
}

# front_mode MODE: set how our front end waits, unless it does so already.
front_mode() {
	[[ $FRONT_MODE != "$1" ]] || return 0
	in_dom app cell-mode front "${MEASURE_DISK[iddr]}" "$1" </dev/null || return
	FRONT_MODE=$1
}

# back_mode MODE: set how our back end waits, unless it does so already.
back_mode() {
	[[ $BACK_MODE != "$1" ]] || return 0
	in_dom storage cell-mode back "${MEASURE_DEVID[iddr]}" "$1" </dev/null || return
	BACK_MODE=$1
}

# testbed_lost WHEN: say why the testbed does not answer, and leave.
testbed_lost() {
	if testbed_is_up; then
		die "the testbed failed $1; 'harness/iddr status' and the console logs in $IDDR_RUN say more"
	fi
	die "the testbed is gone (QEMU was killed or a domain died) $1; finished cells are kept, the same command goes on from there"
}

# pair_of FRONT: which disk a mode uses: iddr, stock or native.
pair_of() {
	case $1 in
	stock | native) printf '%s\n' "$1" ;;
	*) printf 'iddr\n' ;;
	esac
}

# cell_job DISK RW BS QD JOBS RUNTIME RANDSEED: print the fio job of a cell.
cell_job() {
	local job
	job=$(<"$IDDR_CONFIGS/fio/cell.fio")
	job=${job//@DISK@/$1}
	job=${job//@RW@/$2}
	job=${job//@BS@/$3}
	job=${job//@QD@/$4}
	job=${job//@JOBS@/$5}
	job=${job//@RUNTIME@/$6}
	job=${job//@RANDSEED@/$7}
	printf '%s\n' "$job"
}

# cell_measure ID FRONT BACK LIMIT COMMAND...: run COMMAND as a cell, with our standard input; raw data
# goes to the present directory. Status 125 if the testbed does not answer.
cell_measure() {
	local id=$1 front=$2 back=$3 limit=$4 pair dom=app mode=event rc=0
	shift 4
	pair=$(pair_of "$front")
	case $pair in
	iddr) mode=$front ;;
	native) dom=storage back=event mode=- ;;
	stock) back=event ;;
	esac
	# A mode that is not measured must not spin beside the one that is.
	if [[ $pair == native ]]; then
		front_mode event || return 125
	fi
	back_mode "$back" || return 125
	limited "$((limit + 60))" in_dom "$dom" cell-run "$id" "$limit" "${MEASURE_DISK[iddr]}" "$mode" "$@" >raw 2>raw.err || rc=$?
	[[ $mode == - ]] || FRONT_MODE=$mode
	((rc == 0)) || return 125
	awk -f "$IDDR_TOP/harness/awk/split-cell.awk" raw || return 125
	rm -f raw raw.err
	# A program that failed before its I/O has nothing for the watchers to see.
	grep -q "^@ end " run.txt || return 0
	stream_wait storage "$id" storage.txt || return 125
	stream_wait cpu "$id" cpu.txt || return 125
}

# cell_json KEY BLOCK REP ORDER FRONT BACK DATA BACKING RW BS QD JOBS RUNTIME RANDSEED: print what a
# cell is.
cell_json() {
	local pair
	pair=$(pair_of "$5")
	jq -n --arg testbed "$MEASURE_LABEL" --arg boot "$MEASURE_BOOT" --arg key "$1" --arg block "$2" --argjson rep "$3" \
		--argjson order "$4" --arg front "$5" --arg back "$6" --arg data "$7" --arg backing "$8" --arg rw "$9" \
		--arg bs "${10}" --argjson qd "${11}" --argjson jobs "${12}" --argjson runtime_s "${13}" \
		--argjson randseed "${14}" --arg disk "${MEASURE_DISK[$pair]}" --arg devid "${MEASURE_DEVID[$pair]}" \
		--arg started "$(date -u +%FT%TZ)" '$ARGS.named'
}
