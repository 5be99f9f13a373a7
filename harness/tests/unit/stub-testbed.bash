# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# stub-testbed.bash: a testbed for unit tests that answers what the domains' scripts would, out of thin
# air. Its numbers are made up; none of them ever becomes a result.
#
#	STUB         directory of its state; in it "ran" has a line a cell: ID, DISK and how both of its ends
#	             waited (a back end's queues: N/MODE/POLLMODE), and after "busy" others that did not sleep;
#	             "rivals" has a line a load of another domain: DOM DISK MODE, and the disk that its job is for;
#	             "targets" has a line a disk, and "up" says what BACKING was
#	STUB_DIE     after that many cells the testbed dies
#	STUB_LOSE    mode (front/back) in which the back end loses a request
#	STUB_WIDE    queue depth at which every other cell of a mode is slow
#	STUB_STRAY   requests that an idle disk has
#	STUB_RIVAL   the exit status of another domain's load, or "idle": it does nothing
#	STUB_PATH    data path that disks get whatever was asked for
#	STUB_BOOT    what makes this boot differ from another
#	STUB_KERNEL  the version of the kernel
#	STUB_TAKEN   another run boots the testbed, and does not let go of it

testbed_kind() { echo qemu; }
testbed_label() { echo tcg; }
testbed_is_up() { [[ -e $STUB/up ]]; }
testbed_up() {
	echo "${BACKING:-ram}" >"$STUB/up"
	[[ -z ${STUB_TAKEN:-} ]] || die "another run has it"
}
testbed_down() { rm -f "$STUB/up"; }
testbed_facts() { echo '{"kernel": "'"${STUB_KERNEL:-6.1.0}"'", "xen": "4.17", "commit": "'"${STUB_COMMIT:-abc}"'", "vcpus": "'"${IDDR_APP_VCPUS:-}"'", "cpus": "'"${IDDR_CPU_APP:-} ${IDDR_CPU_STORAGE:-}"'"}'; }
testbed_put() { cp "$1" "$STUB/script"; }

# disk_attach DOM DISK TARGET SCRIPT: a disk with the parameters that the modules have now.
disk_attach() {
	echo "$2 $3" >>"$STUB/targets"
	if [[ $4 == block-stock ]]; then
		echo "$2 stock" >>"$STUB/fronts.$1"
	else
		echo "$2 iddr $(cat "$STUB/queues")" >>"$STUB/fronts.$1"
		echo "$(disk_vdev_number "$2") iddr ${STUB_PATH:-$(cat "$STUB/data_path")}" >>"$STUB/backs"
		stub_modes front "$2=event"
	fi
}

# stub_parameter NAME VALUE: what cell-parameter does.
stub_parameter() {
	cat "$STUB/$1" 2>/dev/null || echo 0
	echo "$2" >"$STUB/$1"
}

# stub_modes SIDE NAME=MODE...: what cell-mode does.
stub_modes() {
	local side=$1 word
	shift
	for word in "$@"; do
		echo "${word#*=}" >"$STUB/$side.${word%%=*}"
	done
}

# stub_snapshot WHERE DISK DEVID PAIR N QUEUE WHAT: the counters after N requests, all on one queue of two.
stub_snapshot() {
	local n=$5 lost=0 other=$((1 - $6))
	[[ -z ${STUB_LOSE_NOW:-} || $7 != end ]] || lost=1
	printf 'time\t%s\nctxt\t%s\nirq/9/blkif\t%s\n' "$([[ $7 == end ]] && echo 2.0 || echo 1.0)" "$((n * 2))" "$n"
	# The device's interrupts are where it is.
	[[ $(<"$STUB/up") != nvme || ($1 == run && $4 != native) ]] || printf 'irq/10/nvme0q1\t%s\n' "$n"
	if [[ $1 == run ]]; then
		printf 'disk/%s/stat\t%s 0 %s 0 0 0 0 0 0 0 0\n' "$2" "$n" "$((n * 8))"
		[[ $4 != iddr ]] || {
			printf "front/$2/queue$6/%s\n" "requests	$n" "responses	$n" "notify_sent	$((n / 2))" "thread_cpu_ns	$((n * 1000))" mode\	x
			printf "front/$2/queue$other/%s\n" "requests	7" "responses	7" "notify_sent	7" "thread_cpu_ns	0"
		}
	elif [[ $4 == stock ]]; then
		printf 'back/%s/rd_req\t%s\nback/%s/wr_req\t0\n' "$3" "$n" "$3"
	elif [[ $4 == iddr ]]; then
		printf "back/$3/queue$6/%s\n" "requests	$((n - lost))" "notify_sent	$((n / 2))"
		printf "back/$3/queue$other/%s\n" "requests	9" "notify_sent	9"
	fi
}

# stub_rivals PAIR N: the counters of what other domains load, twice N requests each.
stub_rivals() {
	local f devid
	for f in "$STUB"/loaded.*; do
		[[ -e $f ]] || continue
		devid=$(disk_vdev_number "${f##*.}")
		if [[ $1 == stock ]]; then
			printf 'back/%s/rd_req\t%s\nback/%s/wr_req\t0\n' "$devid" "$(($2 * 2))" "$devid"
		else
			printf 'back/%s/queue0/requests\t%s\n' "$devid" "$(($2 * 2))"
		fi
	done
}

# stub_rival DOM DISK MODE JOB: stand in for cell-rival.
stub_rival() {
	printf '%s %s %s %s\n' "$1" "$2" "$3" "$(sed -n 's/^filename=.dev.//p' <<<"$4")" >>"$STUB/rivals"
	[[ ${STUB_RIVAL:-} == idle ]] || : >"$STUB/loaded.$2"
	echo begun
	cat >/dev/null
	rm -f "$STUB/loaded.$2"
	printf '@ kernel\n@ stderr\n@ exit %d\n' "$([[ ${STUB_RIVAL:-} == [0-9] ]] && echo "$STUB_RIVAL" || echo 0)"
}

# stub_busy: the ends that would spin beside a cell of DISK.
stub_busy() {
	local f
	for f in "$STUB"/front.* "$STUB"/back.*; do
		case $f in *".$1" | *".$2") continue ;; esac
		grep -qE '^([0-9]/)?event(/event)?$' "$f" || printf '%s ' "${f##*/}"
	done
}

# stub_cell ID LIMIT WORDS COMMAND...: stand in for cell-run: 100 requests of 4 KiB.
stub_cell() {
	local id=$1 disk devid=- pair front back mode p n total=100 iops queue=0 job=
	# shellcheck disable=SC2086 # words
	stub_modes front $3
	case $4 in
	cell-workload) disk=$5 ;;
	cell-idle) disk=$5 total=${STUB_STRAY:-0} ;;
	*)
		job=$(cat)
		disk=$(sed -n 's|^filename=/dev/||p' <<<"$job")
		;;
	esac
	case $disk in
	xvd[bj] | xvd[ab]b) pair=stock devid=$(disk_vdev_number "$disk") front=stock back=- mode=stock ;;
	xvd*)
		pair=iddr devid=$(disk_vdev_number "$disk")
		front=$(cat "$STUB/front.$disk") back=$(cat "$STUB/back.$devid")
		mode=${back%/*} mode=$front/${mode#*/}
		[[ $job != *hipri=1* ]] || front=poll mode=poll/${back##*/} queue=1
		;;
	*) pair=native front=native back=- mode=native ;;
	esac
	printf '%s %s %s %s busy: %s\n' "$id" "$disk" "$front" "$back" "$(stub_busy "$disk" "$devid")" >>"$STUB/ran"
	case $mode in
	native) iops=900 ;;
	stock) iops=300 ;;
	event/event) iops=310 ;;
	spin/spin) iops=700 ;;
	*) iops=450 ;;
	esac
	if [[ -n ${STUB_WIDE:-} && $job == *"iodepth=$STUB_WIDE"$'\n'* ]]; then
		echo >>"$STUB/wide.${mode/\//-}"
		(($(wc -l <"$STUB/wide.${mode/\//-}") % 2)) || iops=$((iops / 3))
	fi
	STUB_LOSE_NOW=
	[[ ${STUB_LOSE:-} != "$mode" ]] || STUB_LOSE_NOW=1
	for p in prep begin end; do
		n=0
		[[ $p != end ]] || n=$total
		printf '@ %s %s\n' "$p" "$id"
		stub_snapshot run "$disk" "$devid" "$pair" "$n" "$queue" "$p"
		{
			printf '@ %s %s\n' "$p" "$id"
			stub_snapshot storage "$disk" "$devid" "$pair" "$n" "$queue" "$p"
			stub_rivals "$pair" "$n"
		} >>"$STUB/storage.log"
		[[ $p != end ]] || n=100
		{
			printf '%s.%s\t%s\t0\tDomain-0\t%s\n' "$p" "$id" "$((n * 10000000))" "$((n * 1000000))"
			printf '%s.%s\t%s\t1\tiddr-storage\t%s\n' "$p" "$id" "$((n * 10000000))" "$((n * 2000000))"
			printf '%s.%s\t%s\t2\tiddr-app\t%s\n' "$p" "$id" "$((n * 10000000))" "$((n * 3000000))"
			printf '%s.%s\t%s\t3\tiddr-app2\t%s\n' "$p" "$id" "$((n * 10000000))" "$((n * 1000000))"
		} >>"$STUB/cpu.log"
	done
	printf '@ kernel\n@ done %s\n' "$id" >>"$STUB/storage.log"
	case $4 in
	cell-workload) printf '@ kernel\n@ stderr\n\n@ out\nhello from %s\n@ exit %s\n' "$disk" "${STUB_FAIL:-0}" && return ;;
	cell-idle) printf '@ kernel\n@ stderr\n\n@ out\n\n@ exit 0\n' && return ;;
	esac
	printf '@ kernel\n@ stderr\n\n@ out\nfio says something first\n{\n"jobs": [{"error": 0, "read": {"total_ios": 100, "io_bytes": 409600, '
	printf '"iops": %s, "runtime": 333, "lat_ns": {"mean": 4000000, "percentile": {"50.000000": 3500000, "99.000000": 9000000}}}, ' "$iops"
	printf '"write": {"total_ios": 0, "io_bytes": 0, "iops": 0}}]\n}\n@ exit 0\n'
}

# testbed_exec DOM -- COMMAND...: what the scripts in harness/guest would answer.
testbed_exec() {
	local dom=$1
	shift 2
	testbed_is_up || return 125
	case $1 in
	cell-disks) if [[ $2 == front ]]; then cat "$STUB/fronts.$dom" 2>/dev/null || true; else cat "$STUB/backs" 2>/dev/null || true; fi ;;
	cell-parameter) stub_parameter "$3" "$4" ;;
	cell-backing) printf '%s: %s\n' "$dom" "${*:2}" >>"$STUB/made" ;;
	cell-prepare) printf 'domid\t%s\nboot\t%s\n' "${#dom}" "${STUB_BOOT:-one}-$dom" ;;
	iddr-snap) : >"$STUB/storage.log" && exec tail -n +1 -f "$STUB/storage.log" ;;
	*cell-cpu) : >"$STUB/cpu.log" && exec tail -n +1 -f "$STUB/cpu.log" ;;
	cell-mode) cat >/dev/null && shift && stub_modes "$@" ;;
	cell-warm | chmod) ;;
	cell-rival) shift && stub_rival "$dom" "$@" ;;
	# Waited for, as what is called in a domain is.
	sh) echo "$dom $BASHPID" >"$STUB/hog" && tail -f /dev/null ;;
	cell-run)
		shift
		if [[ -n ${STUB_DIE:-} ]] && (($(wc -l 2>/dev/null <"$STUB/ran" || echo 0) >= STUB_DIE)); then
			testbed_down
			return 125
		fi
		stub_cell "$@"
		;;
	*) echo "stub: no $1" >&2 && return 127 ;;
	esac
}
