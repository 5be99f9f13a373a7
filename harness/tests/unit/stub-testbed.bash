# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# stub-testbed.bash: a testbed for unit tests that answers what the domains' scripts would, out of thin
# air. Its numbers are made up; none of them ever becomes a result.
#
#	STUB        directory of its state
#	STUB_DIE    after that many cells the testbed dies
#	STUB_LOSE   mode (front/back) in which the back end loses a request
#	STUB_BOOT   what makes this boot differ from another

testbed_kind() { echo qemu; }
testbed_label() { echo tcg; }
testbed_is_up() { [[ -e $STUB/up ]]; }
testbed_up() { : >"$STUB/up"; }
testbed_down() { rm -f "$STUB/up"; }
testbed_facts() { echo '{"kernel": "6.1.0", "xen": "4.17", "commit": "'"${STUB_COMMIT:-abc}"'"}'; }
testbed_put() { cp "$1" "$STUB/script"; }
disk_attach() { echo "$2 ${4#block-}" >>"$STUB/disks"; }

# stub_snapshot WHERE DISK DEVID OURS N WHAT: the counters after N requests.
stub_snapshot() {
	local n=$5 lost=0
	[[ -z ${STUB_LOSE_NOW:-} || $6 != end ]] || lost=1
	printf 'time\t1.0\nctxt\t%s\nirq/9/blkif\t%s\n' "$((n * 2))" "$n"
	if [[ $1 == run ]]; then
		printf 'disk/%s/stat\t%s 0 %s 0 0 0 0 0 0 0 0\n' "$2" "$n" "$((n * 8))"
		[[ $4 == stock ]] || printf 'front/%s/queue0/requests\t%s\nfront/%s/queue0/responses\t%s\nfront/%s/queue0/notify_sent\t%s\n' \
			"$2" "$n" "$2" "$n" "$2" "$((n / 2))"
	elif [[ $4 == stock ]]; then
		printf 'back/%s/rd_req\t%s\nback/%s/wr_req\t0\n' "$3" "$n" "$3"
	else
		printf 'back/%s/queue0/requests\t%s\nback/%s/queue0/notify_sent\t%s\n' "$3" "$((n - lost))" "$3" "$((n / 2))"
	fi
}

# stub_cell ID LIMIT DISK MODE COMMAND...: stand in for cell-run: 100 requests of 4 KiB.
stub_cell() {
	local id=$1 front=$4 disk devid pair p n iops job
	if [[ $5 == cell-workload ]]; then
		disk=$6
	else
		job=$(cat)
		disk=$(sed -n 's|^filename=/dev/||p' <<<"$job")
	fi
	case $disk in
	xvda) pair=iddr devid=51712 ;;
	xvdb) pair=stock devid=51728 front=stock ;;
	*) pair=native devid=- front=native ;;
	esac
	printf '%s %s %s\n' "$id" "$front" "$(cat "$STUB/back")" >>"$STUB/ran"
	case $front/$(cat "$STUB/back") in
	native/*) iops=900 ;;
	stock/*) iops=300 ;;
	event/event) iops=310 ;;
	spin/spin) iops=700 ;;
	*) iops=450 ;;
	esac
	STUB_LOSE_NOW=
	[[ ${STUB_LOSE:-} != "$front/$(cat "$STUB/back")" ]] || STUB_LOSE_NOW=1
	for p in prep begin end; do
		n=0
		[[ $p != end ]] || n=100
		printf '@ %s %s\n' "$p" "$id"
		stub_snapshot run "$disk" "$devid" "$pair" "$n" "$p"
		{
			printf '@ %s %s\n' "$p" "$id"
			stub_snapshot storage "$disk" "$devid" "$pair" "$n" "$p"
		} >>"$STUB/storage.log"
		{
			printf '%s.%s\t1\t0\tDomain-0\t%s\n' "$p" "$id" "$((n * 1000000))"
			printf '%s.%s\t1\t1\tiddr-storage\t%s\n' "$p" "$id" "$((n * 2000000))"
			printf '%s.%s\t1\t2\tiddr-app\t%s\n' "$p" "$id" "$((n * 3000000))"
		} >>"$STUB/cpu.log"
	done
	printf '@ kernel\n@ done %s\n' "$id" >>"$STUB/storage.log"
	if [[ $5 == cell-workload ]]; then
		printf '@ kernel\n@ stderr\n\n@ out\nhello from %s\n@ exit %s\n' "$disk" "${STUB_FAIL:-0}"
		return
	fi
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
	cell-disks) [[ ! -e $STUB/disks ]] || cat "$STUB/disks" ;;
	cell-prepare) printf 'domid\t%s\nboot\t%s\n' "${#dom}" "${STUB_BOOT:-one}-$dom" ;;
	iddr-snap) : >"$STUB/storage.log" && exec tail -n +1 -f "$STUB/storage.log" ;;
	cell-cpu) : >"$STUB/cpu.log" && exec tail -n +1 -f "$STUB/cpu.log" ;;
	cell-mode) cat >/dev/null && printf '%s\n' "$4" >"$STUB/$2" ;;
	cell-warm | chmod) ;;
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
