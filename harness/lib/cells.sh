# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# cells.sh: measuring one cell, and everything that must be in place for it: disks attached, domains
# prepared, watchers running. A cell costs one exec in the domain where fio runs, and one in
# the storage domain if a back end's mode changes; all else is seen by two watchers that run as long
# as the experiment and react to the phase key which the cell writes to xenstore.

MEASURE_WORK=
# Which boot this is, and what its results are labelled with.
MEASURE_BOOT=
MEASURE_LABEL=
MEASURE_PIDS=()
# Our pair's disks, with how many queues each has beside the polled ones.
declare -A MEASURE_QUEUES=()
# How our front ends (by disk) and back ends (by virtual device number) wait, as far as we know.
# shellcheck disable=SC2034 # by reference
declare -A FRONT_MODES=() BACK_MODES=()
# The disks of our pair in the application domains that are not measured (rivals), and which domain has each.
declare -A RIVAL_DISKS=()
# How many application domains load the storage domain in the present cell; processes and inputs of the loads of all but the first.
CELL_DOMAINS=1
RIVAL_PIDS=() RIVAL_FDS=()

# cell_disk FRONT DATA QUEUES BACKING: the disk that serves a mode: the stock pair has xvdb, ours one for each
# data path and number of queues, native is the device itself. Those of other backings begin elsewhere (disk_backing).
cell_disk() {
	local letters=abcdefghijklmnopqrstuvwxyz n=0 first=
	case $1/$2 in
	native/*) basename -- "$(backing_device "$4")" && return ;;
	stock/*) n=1 ;;
	*/map) n=2 ;;
	*/copy) n=3 ;;
	esac
	[[ $1 == stock ]] || n=$((n + 4 * ($3 - 1)))
	case $4 in
	nvme) n=$((n + 8)) ;;
	null) first=a ;;
	loop) first=b ;;
	esac
	printf 'xvd%s%s\n' "$first" "${letters:n:1}"
}

# rival_disk FRONT K: the disk for a mode in application domain K, from 2 on: ours, or the stock pair's. No two domains have disks of
# one name, since back ends' counters are told apart by it.
rival_disk() {
	local letters=qrstuv n=$(($2 - 2))
	[[ $1 != stock ]] || n=$((n + 3))
	printf 'xvd%s\n' "${letters:n:1}"
}

# disk_backing DISK: what the storage domain serves as a disk of cell_disk's.
disk_backing() {
	case $1 in
	xvd[a-hq-v]) printf 'ram\n' ;;
	xvda?) printf 'null\n' ;;
	xvdb?) printf 'loop\n' ;;
	*) printf 'nvme\n' ;;
	esac
}

# cell_devid DISK: xen's number of a disk, - for one that is not xen's.
cell_devid() {
	case $1 in
	xvd*) disk_vdev_number "$1" ;;
	*) printf -- '-\n' ;;
	esac
}

# plan_disks PLAN: print the disks that a plan needs: DISK stock, or DISK iddr PATH QUEUES.
plan_disks() {
	local front path queues backing
	awk -F '\t' '$11 != "native" && !seen[$11 == "stock", $4, $5, $6]++ { print $11, $4, $5, $6 }' "$1" |
		while read -r front path queues backing; do
			if [[ $front == stock ]]; then
				printf '%s stock\n' "$(cell_disk "$front" - - "$backing")"
			else
				printf '%s iddr %s %s\n' "$(cell_disk "$front" "$path" "$queues" "$backing")" "$path" "$queues"
			fi
		done
}

# rival_disks PLAN K: print the disks that a plan needs in application domain K, as plan_disks does.
rival_disks() {
	local front
	awk -F '\t' -v k="$2" '$14 >= k && !seen[$11 == "stock"]++ { print $11 }' "$1" |
		while read -r front; do
			if [[ $front == stock ]]; then
				printf '%s stock\n' "$(rival_disk stock "$2")"
			else
				printf '%s iddr persistent 1\n' "$(rival_disk ours "$2")"
			fi
		done
}

# plan_backings PLAN: the backings of a plan, one a line.
plan_backings() {
	cut -f 6 "$1" | sort -u
}

# measure_lock_file: print what is locked while somebody measures on this testbed.
measure_lock_file() {
	if [[ $(testbed_kind) == qemu ]]; then
		printf '%s\n' "$IDDR_RUN/measure.lock"
	else
		printf '/run/lock/iddr-measure.lock\n'
	fi
}

# measure_busy FILE: leave, since somebody does.
measure_busy() {
	local owner=
	read -r owner <"$1" || true
	die "another experiment is running on this testbed (process ${owner:-unknown}); wait for its end or stop it"
}

# measure_lock: make sure that nobody else measures on this testbed.
measure_lock() {
	local file
	file=$(measure_lock_file)
	mkdir -p -- "$(dirname -- "$file")"
	exec 8>>"$file"
	flock -n 8 || measure_busy "$file"
	printf '%s\n' "$$" >"$file"
}

# measure_idle: leave if somebody measures on this testbed, which is to be used otherwise.
measure_idle() {
	local file
	file=$(measure_lock_file)
	[[ ! -e $file ]] || (flock -n 8) 8<"$file" || measure_busy "$file"
}

# measure_up: bring the testbed up; take it down again at the end if it was down before.
measure_up() {
	local down=
	testbed_is_up || down=1
	# The lock must not live on in QEMU.
	testbed_up 8>&-
	# Not before: who waited in vain for another's testbed must not end it, and a boot that fails cleans up.
	[[ -z $down || -n ${IDDR_KEEP:-} ]] || defer 'testbed_down 8>&- || true'
}

# in_dom DOM COMMAND...: run a command in a domain without handing the lock down to it.
in_dom() {
	local dom=$1
	shift
	testbed_exec "$dom" -- "$@" 8>&-
}

# measure_present DOM: print the disks that an application domain has, as plan_disks does those that are wanted.
measure_present() {
	local fronts backs disk pair rest devid
	fronts=$(limited 120 in_dom "$1" cell-disks front </dev/null) || return
	backs=$(limited 120 in_dom storage cell-disks back </dev/null) || return
	while read -r disk pair rest; do
		if [[ $pair == iddr ]]; then
			devid=$(disk_vdev_number "$disk")
			rest="$(awk -v d="$devid" '$1 == d { print $3 }' <<<"$backs") $rest"
		fi
		[[ -z $disk ]] || printf '%s\n' "$disk $pair${rest:+ $rest}"
	done <<<"$fronts"
}

# measure_parameter DOM MODULE NAME VALUE: set a parameter that a module reads when a disk connects; print
# what it was.
measure_parameter() {
	limited 120 in_dom "$1" cell-parameter "$2" "$3" "$4" </dev/null || testbed_lost "while setting $2's parameter $3"
}

# measure_attach DOM FILE: attach the disks of an application domain that FILE (of plan_disks) wants and
# that are not there yet.
measure_attach() {
	local dom=$1 have disk pair path queues old_path='' old_queues=''
	have=$(measure_present "$dom") || testbed_lost "while looking at the disks"
	while read -r disk pair path queues <&6; do
		case $'\n'$have$'\n' in
		*$'\n'"$disk $pair${path:+ $path $queues}"$'\n'*) continue ;;
		*$'\n'"$disk "*)
			die "$disk of the domain $dom is there but not as $pair${path:+ with $path, $queues queues}; detach it or run 'harness/iddr down'" ;;
		esac
		note "attaching $disk to $dom ($pair pair${path:+, $path, queues: $queues})"
		if [[ $pair == iddr ]]; then
			path=$(measure_parameter storage iddr_back data_path "$path")
			queues=$(measure_parameter "$dom" iddr_front queues "$queues")
			old_path=${old_path:-$path} old_queues=${old_queues:-$queues}
		fi
		disk_attach "$dom" "$disk" "$(backing_device "$(disk_backing "$disk")")" "block-$pair" 8>&-
	done 6<"$2"
	if [[ -n $old_path ]]; then
		measure_parameter storage iddr_back data_path "$old_path" >/dev/null
		measure_parameter "$dom" iddr_front queues "$old_queues" >/dev/null
	fi
	have=$(measure_present "$dom") || testbed_lost "while looking at the disks"
	while IFS= read -r disk; do
		[[ $'\n'$have$'\n' == *$'\n'$disk$'\n'* ]] ||
			die "wanted '$disk', but there is '$(grep "^${disk%% *} " <<<"$have" || true)'"
	done <"$2"
}

# measure_prepare DIR PLAN: prepare domains, disks and watchers; leaves facts in DIR/*.facts.
measure_prepare() {
	local dir=$1 plan=$2 app storage keys disk path queues backing devices=()
	RIVAL_DISKS=() CELL_DOMAINS=1
	MEASURE_WORK=$dir
	defer measure_cleanup
	plan_disks "$plan" >"$dir/disks"
	while read -r backing; do
		devices+=("$(backing_device "$backing")=$(backing_mib "$backing")")
		[[ $backing != null && $backing != loop ]] ||
			limited 120 in_dom storage cell-backing "$backing" "$(backing_device "$backing")" "$(backing_mib "$backing")" </dev/null ||
			testbed_lost "while the storage domain made the backing $backing"
	done < <(plan_backings "$plan")
	measure_attach app "$dir/disks"
	# shellcheck disable=SC2034 # by reference
	MEASURE_QUEUES=() FRONT_MODES=() BACK_MODES=()
	while read -r disk _ path queues; do
		[[ -z $path ]] || MEASURE_QUEUES[$disk]=$queues
	done <"$dir/disks"
	note "preparing the domains (what is measured on is filled with random data once a boot)"
	limited 120 in_dom storage cell-prepare storage "${devices[@]}" </dev/null >"$dir/storage.facts" || testbed_lost "while preparing the storage domain"
	limited 120 in_dom app cell-prepare app </dev/null >"$dir/app.facts" || testbed_lost "while preparing the application domain"
	MEASURE_BOOT=$(cat -- "$dir/storage.facts" "$dir/app.facts" | awk '$1 == "boot"' | text_key)
	MEASURE_LABEL=$(testbed_label)
	app=$(awk '$1 == "domid" { print $2 }' "$dir/app.facts")
	storage=$(awk '$1 == "domid" { print $2 }' "$dir/storage.facts")
	keys=("/local/domain/$app/data/iddr/phase" "/local/domain/$storage/data/iddr/phase")
	rivals_prepare "$dir" "$plan"
	stream_start storage in_dom storage iddr-snap watch "${keys[@]}"
	stream_start cpu in_dom dom0 "$(dom0_program cell-cpu)" "$(dom0_program iddr-cputime)" "${keys[@]}"
	{ modes_set front - && modes_set back -; } || testbed_lost "while setting modes"
	measure_warm "$plan" "$dir/disks"
}

# rivals_prepare DIR PLAN: prepare the application domains that a plan has beside the first.
rivals_prepare() {
	local dir=$1 k disk pair
	for ((k = 2; k <= ${IDDR_APP_DOMAINS:-1}; k++)); do
		rival_disks "$2" "$k" >"$dir/disks$k"
		measure_attach "app$k" "$dir/disks$k"
		limited 120 in_dom "app$k" cell-prepare rival </dev/null >"$dir/app$k.facts" || testbed_lost "while preparing the domain app$k"
		while read -r disk pair _; do
			[[ $pair == stock ]] || RIVAL_DISKS[$disk]=$k
		done <"$dir/disks$k"
		measure_warm "$2" "$dir/disks$k" "app$k"
	done
}

# rivals_start FRONT JOB...: begin with a load in all application domains of this cell but the first, whose front ends
# wait as FRONT says; JOB... is cell_job's arguments after the disk.
rivals_start() {
	local front=$1 k end disk job fd
	shift
	RIVAL_PIDS=() RIVAL_FDS=()
	set -m
	for ((k = 2; k <= CELL_DOMAINS; k++)); do
		disk=$(rival_disk "$front" "$k")
		# It ends when it is told to; the hooks are the measured load's.
		job=$(cell_job "/dev/$disk" "$@" | grep -v '^exec_')
		mkfifo "rival$k.in"
		in_dom "app$k" cell-rival "$disk" "$front" "$job" <"rival$k.in" >"rival$k.txt" 2>&1 8>&- &
		RIVAL_PIDS+=("$!")
		MEASURE_PIDS+=("$!")
	done
	set +m
	# After all of them are there, so that none holds another's input open; for both, so that it does not wait for a reader.
	for ((k = 2; k <= CELL_DOMAINS; k++)); do
		exec {fd}<>"rival$k.in"
		RIVAL_FDS+=("$fd")
	done
	end=$((SECONDS + 60))
	for ((k = 2; k <= CELL_DOMAINS; k++)); do
		until grep -q '^begun' "rival$k.txt"; do
			if [[ ! -d /proc/${RIVAL_PIDS[k - 2]} ]] || ((SECONDS >= end)); then
				tail -n 5 "rival$k.txt" >&2
				return 1
			fi
			sleep 0.05
		done
		rm -f -- "rival$k.in"
	done
}

# rivals_stop: end these loads, within 30 s.
rivals_stop() {
	local fd pid end=$((SECONDS + 30))
	for fd in ${RIVAL_FDS[@]+"${RIVAL_FDS[@]}"}; do
		exec {fd}>&-
	done
	for pid in ${RIVAL_PIDS[@]+"${RIVAL_PIDS[@]}"}; do
		while [[ -d /proc/$pid ]]; do
			((SECONDS < end)) || return 1
			sleep 0.05
		done
		wait "$pid" 2>/dev/null || true
		unset 'MEASURE_PIDS[-1]'
	done
	RIVAL_PIDS=() RIVAL_FDS=()
}

# measure_warm PLAN DISKS [DOM]: one unmeasured load on each disk: grants and caches get their steady state.
measure_warm() {
	local bs qd poll disk pair polled
	# The point that has most data in flight; at least what a small experiment has.
	read -r bs qd poll < <(awk -F '\t' '
		BEGIN { bs = "64k"; qd = 32; most = 65536 * 32 }
		$11 == "poll" { poll = "poll" }
		$7 != "idle" {
			x = $8 * ($8 ~ /k$/ ? 1024 : $8 ~ /m$/ ? 1048576 : 1) * $9
			if (x > most) { most = x; bs = $8; qd = $9 }
		}
		END { print bs, qd, poll }' "$1")
	while read -r disk pair _ <&6; do
		polled=$poll
		[[ $pair == iddr ]] || polled=
		# shellcheck disable=SC2086 # nothing where there is no poll
		limited 120 in_dom "${3:-app}" cell-warm "$bs" "$qd" "$(backing_mib "$(disk_backing "$disk")")" $polled "$disk" </dev/null || testbed_lost "while warming up $disk"
	done 6<"$2"
}

# stream_start NAME COMMAND...: run COMMAND in the background; its output is in NAME.stream.
stream_start() {
	local name=$1
	shift
	set -m
	"$@" >"$MEASURE_WORK/$name.stream" 2>"$MEASURE_WORK/$name.stream.err" </dev/null 8>&- &
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
	local pid side disk
	for pid in ${MEASURE_PIDS[@]+"${MEASURE_PIDS[@]}"}; do
		kill -- "-$pid" 2>/dev/null || true
	done
	MEASURE_PIDS=()
	for side in back front; do
		MODES_LIMIT=10 modes_set "$side" - 2>/dev/null || true
	done
	# Loads that were not ended in due form have left their front ends as they were.
	((${#RIVAL_PIDS[@]})) || return 0
	for disk in "${!RIVAL_DISKS[@]}"; do
		limited 10 in_dom "app${RIVAL_DISKS[$disk]}" cell-mode front "$disk=event" </dev/null >/dev/null 2>&1 || true
	done
}

# limited SECONDS COMMAND...: run COMMAND with our standard input; status 124 after SECONDS. (Not with wait -n: one
# that has ended before it is called is not always seen.)
limited() {
	local limit=$1 pid clock began rc=0
	shift
	began=$(now_ms)
	# Process groups of their own, so that a kill reaches all that they started.
	set -m
	# Whatever outlives us must not keep the lock.
	"$@" <&0 8>&- &
	pid=$!
	{
		sleep "$limit"
		kill -- "-$pid"
		sleep "${LIMITED_GRACE:-5}"
		kill -KILL -- "-$pid"
	} </dev/null >/dev/null 2>&1 8>&- &
	clock=$!
	set +m
	MEASURE_PIDS+=("$pid" "$clock")
	wait "$pid" 2>/dev/null || rc=$?
	# Not TERM: before it has begun its program a child of a shell with a trap for it loses it.
	kill -KILL -- "-$clock" 2>/dev/null || true
	wait "$clock" 2>/dev/null || true
	if ((rc != 0 && $(now_ms) - began >= limit * 1000)); then
		# What has outlived the command.
		kill -KILL -- "-$pid" 2>/dev/null || true
		rc=124
	fi
	unset 'MEASURE_PIDS[-1]' 'MEASURE_PIDS[-1]'
	return "$rc"
}

# modes_words front|back DISK [MODE]: put into WORDS what cell-mode must be told so that DISK's end waits
# as MODE says and every other disk's is quiet, as far as that is not so already. A mode that is not
# measured must not spin beside the one that is. DISK - is none. MODE of a back end is MODE/POLLMODE. Back ends of the rivals' disks
# wait as DISK's does where they take part in the cell.
modes_words() {
	local disk name want
	local -n now=${1^^}_MODES
	WORDS=()
	for disk in "${!MEASURE_QUEUES[@]}"; do
		if [[ $1 == front ]]; then
			name=$disk want=event
			[[ $disk != "$2" ]] || want=$3
		else
			name=$(cell_devid "$disk") want=event/event
			[[ $disk != "$2" ]] || want=$3
			want=${MEASURE_QUEUES[$disk]}/$want
		fi
		[[ ${now[$name]:-} == "$want" ]] || WORDS+=("$name=$want")
	done
	[[ $1 == back ]] || return 0
	for disk in "${!RIVAL_DISKS[@]}"; do
		name=$(cell_devid "$disk") want=1/event/event
		[[ $2 == - ]] || ((RIVAL_DISKS[$disk] > CELL_DOMAINS)) || want=1/$3
		[[ ${now[$name]:-} == "$want" ]] || WORDS+=("$name=$want")
	done
}

# modes_known front|back WORD...: remember that these words are in force.
modes_known() {
	local word
	local -n now=${1^^}_MODES
	shift
	for word in "$@"; do
		now[${word%%=*}]=${word#*=}
	done
}

# modes_set front|back DISK [MODE]: set modes as modes_words explains, within two minutes (MODES_LIMIT: seconds).
modes_set() {
	local dom=app WORDS
	[[ $1 == front ]] || dom=storage
	modes_words "$@"
	((${#WORDS[@]})) || return 0
	limited "${MODES_LIMIT:-120}" in_dom "$dom" cell-mode "$1" "${WORDS[@]}" </dev/null || return
	modes_known "$1" "${WORDS[@]}"
}

# testbed_lost WHEN: say why the testbed does not answer, and leave.
testbed_lost() {
	if testbed_is_up; then
		die "the testbed failed $1; 'harness/iddr status' and the console logs in $IDDR_RUN say more"
	fi
	die "the testbed is gone (QEMU was killed or a domain died) $1; finished cells are kept, the same command goes on from there"
}

# cell_job DISK RW BS QD JOBS RUNTIME RANDSEED ENGINE BATCH FRONT MIB: print the fio job of a cell.
cell_job() {
	local job engine=$8
	# In mode poll the front end's polled queue is fio's to look at.
	[[ ${10} != poll ]] || engine+=$'\nhipri=1'
	job=$(<"$IDDR_CONFIGS/fio/cell.fio")
	job=${job//@DISK@/$1}
	job=${job//@RW@/$2}
	job=${job//@BS@/$3}
	job=${job//@QD@/$4}
	job=${job//@JOBS@/$5}
	job=${job//@RUNTIME@/$6}
	job=${job//@RANDSEED@/$7}
	job=${job//@ENGINE@/$engine}
	job=${job//@BATCH@/$9}
	job=${job//@MIB@/${11}}
	printf '%s\n' "$job"
}

# cell_measure ID FRONT BACK DISK LIMIT COMMAND...: run COMMAND as a cell, with our standard input; raw
# data goes to the present directory. Status 125 if the testbed does not answer.
cell_measure() {
	local id=$1 front=$2 back=$3/event disk=$4 limit=$5 dom=app rc=0 WORDS=()
	shift 5
	case $front in
	native) dom=storage disk=- ;;
	stock) disk=- ;;
	# The back end serves the polled queue as it is to be measured, the others asleep.
	poll) front=event back=event/${back%/event} ;;
	esac
	modes_set back "$disk" "$back" || return 125
	if [[ $dom == app ]]; then
		modes_words front "$disk" "$front"
	else
		modes_set front - || return 125
	fi
	limited "$((limit + 60))" in_dom "$dom" cell-run "$id" "$limit" "${WORDS[*]}" "$@" >raw 2>raw.err || rc=$?
	modes_known front ${WORDS[@]+"${WORDS[@]}"}
	((rc == 0)) || return 125
	awk -f "$IDDR_TOP/harness/awk/split-cell.awk" raw || return 125
	rm -f raw raw.err
	# A program that failed before its I/O has nothing for the watchers to see.
	grep -q "^@ end " run.txt || return 0
	stream_wait storage "$id" storage.txt || return 125
	stream_wait cpu "$id" cpu.txt || return 125
}

# cell_json KEY BLOCK REP ORDER FRONT BACK DATA QUEUES BACKING RW BS QD JOBS RUNTIME RANDSEED ENGINE BATCH:
# print what a cell is.
cell_json() {
	local disk k rivals=()
	for ((k = 2; k <= CELL_DOMAINS; k++)); do
		rivals+=("$(cell_devid "$(rival_disk "$5" "$k")")")
	done
	disk=$(cell_disk "$5" "$7" "$8" "$9")
	jq -n --arg testbed "$MEASURE_LABEL" --arg boot "$MEASURE_BOOT" --arg key "$1" --arg block "$2" --argjson rep "$3" \
		--argjson order "$4" --arg front "$5" --arg back "$6" --arg data "$7" --arg queues "$8" --arg backing "$9" \
		--arg rw "${10}" --arg bs "${11}" --argjson qd "${12}" --argjson jobs "${13}" --argjson runtime_s "${14}" \
		--argjson randseed "${15}" --arg engine "${16}" --argjson batch "${17}" --arg disk "$disk" --arg devid "$(cell_devid "$disk")" \
		--arg rivals "${rivals[*]}" --arg started "$(date -u +%FT%TZ)" '$ARGS.named'
}
