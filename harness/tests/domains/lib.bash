# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# lib.bash: what the tests in the domains share. They run on the host, one
# testbed serves all of them, and after each test every domain's kernel log
# must be clean.
#
# shellcheck disable=SC2016 # the domains' shells expand what is in single quotes

bats_require_minimum_version 1.5.0

IDDR=${IDDR_TOP:?}/harness/iddr

# The test's own disk, so that no test depends on another's.
DISK=xvdd
# Its virtual device number: 202 << 8 | disk << 4.
DEVID=$(((202 << 8) + (3 << 4)))
# Its other one: 1 << 28 | disk << 8.
# shellcheck disable=SC2034 # tests use it
TWIN=$(((1 << 28) + (3 << 8)))

# What a kernel logs when the emulator is kept waiting.
NOISE='hrtimer: interrupt took'

# dom DOM COMMAND...: run a command in a domain.
dom() {
	"$IDDR" exec "$1" -- "${@:2}"
}

# aside DOM SCRIPT [ARG...]: run a bash script in a domain beside what the others below do there.
aside() {
	dom "$1" bash -euo pipefail -c "$2" "$1" "${@:3}" </dev/null
}

# open_sessions: a shell in each domain that stays, for the scripts of a file's tests; under
# emulation, starting one for each step would take longer than many a step. Not
# for tests during which a domain ends.
open_sessions() {
	local d
	for d in dom0 storage app; do
		mkfifo "$BATS_FILE_TMPDIR/$d.in" "$BATS_FILE_TMPDIR/$d.out"
		# A domain that has just come up may not take the first call.
		for _ in 1 2 3; do
			# Opened for both, so that it does not end when a test does.
			dom "$d" bash 0<>"$BATS_FILE_TMPDIR/$d.in" 1<>"$BATS_FILE_TMPDIR/$d.out" 2>&1 3>&- &
			echo "$!" >"$BATS_FILE_TMPDIR/$d.pid"
			! ANSWER_S=30 in_session "$d" true || continue 2
			kill "$!" 2>/dev/null || true
		done
		return 1
	done
}

# close_sessions: end them; fails if a disk was not let go.
close_sessions() {
	local d pid i
	for d in dom0 storage app; do
		[[ -s $BATS_FILE_TMPDIR/$d.pid ]] || continue
		pid=$(<"$BATS_FILE_TMPDIR/$d.pid")
		! session_lives "$d" || echo exit >"$BATS_FILE_TMPDIR/$d.in"
		for ((i = 0; i < 100; i++)); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.1
		done
		# One that hangs must not keep the next file waiting.
		kill "$pid" 2>/dev/null || true
		rm -f -- "$BATS_FILE_TMPDIR/$d".{in,out,pid}
	done
	[[ ! -e $BATS_FILE_TMPDIR/held ]]
}

# only_in_full WHY: the test is for make test-full. It is not skipped at once: bats 1.8 may lose the signal that ends a test's countdown
# (BATS_TEST_TIMEOUT) when that has hardly begun, and then waits for the whole of it before it ends itself.
only_in_full() {
	[[ -z ${IDDR_FULL:-} ]] || return 0
	sleep 0.2
	skip "$1: in make test-full"
}

# in_full SECONDS: the test takes that long, and is for make test-full.
in_full() {
	only_in_full "takes $1 s"
}

# in_session DOM SCRIPT [ARG...]: run a script in a domain's session; its output and status. What it says of errors comes in the same
# stream, lest it come after the end.
in_session() {
	local dom=$1 script=$2 line to from mark begun='' before='' rc=125
	shift 2
	mark="of script $RANDOM$RANDOM"
	exec {to}<>"$BATS_FILE_TMPDIR/$dom.in" {from}<>"$BATS_FILE_TMPDIR/$dom.out"
	printf 'echo "begin %s"\n(set -euo pipefail; set -- %s\n%s\n) </dev/null 2>&1\necho "end %s $?"\n' \
		"$mark" "${*@Q}" "$script" "$mark" >&"$to"
	while IFS= read -r -t "${ANSWER_S:-400}" -u "$from" line; do
		# What an earlier test that was cut short has left.
		if [[ -z $begun ]]; then
			[[ $line != *"begin $mark" ]] || begun=1
			before+=$line$'\n'
			continue
		fi
		if [[ $line == *"end $mark "* ]]; then
			# What was before it on its line had no line end.
			[[ $line == "end $mark "* ]] || printf '%s\n' "${line%"end $mark"*}"
			rc=${line##* }
			break
		fi
		printf '%s\n' "$line"
	done
	exec {to}>&- {from}>&-
	((rc != 125)) || echo "no answer from the session in $dom; before: $before"
	return "$rc"
}

# session_lives DOM: true if the file's tests have a session in the domain. It ends with the domain.
session_lives() {
	[[ -s $BATS_FILE_TMPDIR/$1.pid ]] && kill -0 "$(<"$BATS_FILE_TMPDIR/$1.pid")" 2>/dev/null
}

# script_in DOM SCRIPT [ARG...]: run a bash script in a domain, in its session if the file's tests have one.
script_in() {
	if session_lives "$1"; then
		in_session "$@"
	else
		aside "$@"
	fi
}

# app SCRIPT [ARG...]: run a bash script in the application domain.
app() {
	script_in app "$@"
}

# storage SCRIPT [ARG...]: run a bash script in the storage domain.
storage() {
	script_in storage "$@"
}

# dom0 SCRIPT [ARG...]: run a bash script in dom0.
dom0() {
	script_in dom0 "$@"
}

# again DOM: create a domain that was destroyed. (The verb up would boot all of the testbed anew.)
again() {
	bash -c '. "$IDDR_TOP/harness/lib/common.sh"
		for lib in packages sysroot image build nvme supervise testbed; do
			. "$IDDR_TOP/harness/lib/$lib.sh"
		done
		domain_create "$1"
		domain_wait "$1"' again "$1" 3>&-
}

# on_back_end_loss wait|fail: what disks of our front end that appear from now on do when their back end goes.
on_back_end_loss() {
	app 'echo "$1" >/sys/module/iddr_front/parameters/recovery' "$1"
}

# back_end unbind|bind...: do that, in turn, with the back end of $DISK.
back_end() {
	storage 'cd /sys/bus/xen-backend/devices; d=(vbd-*-$1); cd ../drivers/iddr_back
		 for what in "${@:2}"; do echo "$d" >"$what"; done' "$DEVID" "$@"
}

# attach_as DISK TARGET r|w: attach through our pair with an access mode.
attach_as() {
	dom0 'xl block-attach iddr-app \
		"format=raw,vdev=$1,access=$3,backend=iddr-storage,backendtype=phy,script=block-iddr,target=$2"' "$@"
	our_disk_is_there "$1"
}

# our_disk_is_there DISK: wait until our front end has made it (its sysfs directory comes
# after the device node, and mode is the last in that).
our_disk_is_there() {
	app 'for ((i = 0; i < 200; i++)); do [[ ! -e /sys/block/$1/iddr/mode ]] || exit 0; sleep 0.05; done
	     echo "no $1 after 10 s"; exit 1' "$1"
}

# attach DISK TARGET: attach through our pair.
attach() {
	attach_as "$1" "$2" w
}

# detach DISK: detach; fails if it is not there. The storage domain removes its back end's directory when it has closed: an xl that comes to
# look in that moment takes that for an error.
detach() {
	dom0 'back=$(xenstore-read "/libxl/$(xl domid iddr-app)/device/vbd/$2/backend" 2>/dev/null) || back=/
	      xl block-detach iddr-app "$1" || { ! xenstore-exists "$back" && xl block-detach iddr-app "$1"; }' \
		"$1" "$(((202 << 8) + 16 * ($(printf '%d' "'${1: -1}") - 97)))"
}

# let_go DISK: detach it at a file's end, by force if it must be: the next file's tests want it. The file has failed then (close_sessions).
let_go() {
	detach "$1" || {
		touch "$BATS_FILE_TMPDIR/held"
		"$IDDR" detach "$1" --force || true
	}
}

# set_modes FRONT BACK: how the two sides of $DISK wait.
set_modes() {
	app 'echo "$1" >/sys/block/$2/iddr/mode' "$1" "$DISK"
	storage 'echo "$1" >/sys/bus/xen-backend/devices/vbd-*-$2/iddr/mode' "$2" "$DEVID"
}

# verify_load ARGUMENT...: write, read back, compare, as fio's arguments say.
verify_load() {
	verify_loads "$*"
}

# verify_loads ARGUMENTS...: several loads one after the other; starting fio takes longer than some.
verify_loads() {
	local load jobs=()
	for load; do
		# shellcheck disable=SC2206 # words
		jobs+=("--name=verify$((${#jobs[@]}))" --stonewall $load)
	done
	app 'fio --filename=/dev/$1 --allow_file_create=0 --ioengine=libaio --direct=1 --verify=crc32c --verify_fatal=1 \
		--rw=randwrite "${@:2}" >/tmp/fio.out 2>&1 || { cat /tmp/fio.out; exit 1; }' "$DISK" "${jobs[@]}"
}

# background_load DISK [IOPS]: verify load (by $LOAD_ENGINE) in the application domain until /tmp/stop
# exists; its verdict is in /tmp/load. It is one run of fio, with I/O in flight nearly all the
# time: between short ones a fast machine does little else than to start the next.
background_load() {
	app 'rm -f /tmp/stop /tmp/load
	     read -r before </sys/block/$1/iddr/queue0/requests
	     (exec 9</dev/$1	# fio closes it now and then
	      fio --allow_file_create=0 --name=v --filename=/dev/$1 --ioengine=$3 --direct=1 --rw=randwrite --bs=4k --loops=1000000 \
		--offset=8m --size=1m --iodepth=8 ${2:+--rate_iops=$2} --verify=crc32c --verify_fatal=1 >/tmp/load.out 2>&1 &
	      fio=$!
	      until [[ -e /tmp/stop ]] || ! kill -0 $fio; do sleep 0.1; done
	      # Until it has verified what it is at: 256 writes, and as many reads.
	      end=
	      while kill -0 $fio && read -r reads _ _ _ writes _ </sys/block/$1/stat &&
		((reads + writes < ${end:=$((reads + writes + 520))})); do sleep 0.1; done
	      kill $fio || true
	      status=0
	      wait $fio || status=$?
	      # That it was ended by a signal, which may hide an error that came just before.
	      ((status == 128)) && grep -q ": err= 0:" /tmp/load.out && echo good >/tmp/load || echo failed >/tmp/load) </dev/null >/dev/null 2>&1 &
	     # Not before it really does I/O.
	     for ((i = 0; i < 300; i++)); do
		read -r now </sys/block/$1/iddr/queue0/requests
		((now < before + 30)) || exit 0
		sleep 0.1
	     done
	     exit 1' "$1" "${2:-}" "${LOAD_ENGINE:-libaio}"
}

# load_was_good: end the background load and insist on its verdict.
load_was_good() {
	app 'touch /tmp/stop
	     for ((i = 0; i < 600; i++)); do
		[[ ! -s /tmp/load ]] || break
		sleep 0.1
	     done
	     [[ $(cat /tmp/load) == good ]] || { cat /tmp/load.out; exit 1; }'
}

# kernel_log DOM: warnings and worse since the last look, without the noise, and forget them.
kernel_log() {
	local log
	log=$(script_in "$1" 'dmesg -c -l emerg,alert,crit,err,warn') || { printf '%s\n' "$log"; return 1; }
	grep -Ev -- "$NOISE|^$" <<<"$log" || true
}

# forget_kernel_logs: what was logged before is not the tests' fault.
forget_kernel_logs() {
	local d
	for d in dom0 storage app; do
		script_in "$d" 'dmesg -C'
	done
}

# kernel_logs_clean [REGEX]: fail on any warning in any domain that does not
# match REGEX, which a test gives for what it provokes.
kernel_logs_clean() {
	local d log status=0 pids=()
	# Of a test that was skipped there is none.
	[[ -z ${BATS_TEST_SKIPPED:-} ]] || return 0
	for d in dom0 storage app; do
		kernel_log "$d" >"$BATS_TEST_TMPDIR/log.$d" 3>&- &
		pids+=("$!")
	done
	for d in dom0 storage app; do
		wait "${pids[0]}" || status=1
		pids=("${pids[@]:1}")
		log=$(<"$BATS_TEST_TMPDIR/log.$d")
		[[ -z ${1:-} ]] || log=$(grep -Ev -- "$1" <<<"$log") || true
		[[ -z $log ]] || {
			printf 'kernel log of %s:\n%s\n' "$d" "$log"
			status=1
		}
	done
	return "$status"
}

# counter SIDE NAME QUEUE: a counter of one queue of $DISK.
counter() {
	case $1 in
	front) app 'cat /sys/block/$1/iddr/queue$2/$3' "$DISK" "$3" "$2" ;;
	back) storage 'cat /sys/bus/xen-backend/devices/vbd-*-$1/iddr/queue$2/$3' "$DEVID" "$3" "$2" ;;
	esac
}

# back_module ARGS: load the back end anew with module parameters; it serves nobody.
back_module() {
	storage 'rmmod iddr_back && insmod /iddr/modules/iddr_back.ko "$@"' "$@"
}

# null_blk KEY=VALUE...: make /dev/nullb0 in the storage domain: 64 MiB of memory, and what the
# keys (files of null_blk's configfs directory) say.
null_blk() {
	# The directory's name is the disk's in some kernels, its index in others.
	storage 'modprobe -a configfs; modprobe null_blk nr_devices=0
		 mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
		 d=/sys/kernel/config/nullb/nullb0
		 mkdir -p $d
		 echo 64 >$d/size; echo 1 >$d/memory_backed
		 for kv; do echo "${kv#*=}" >"$d/${kv%%=*}"; done
		 echo 1 >$d/power' "$@"
}

# no_null_blk: undo null_blk, if there is one.
no_null_blk() {
	storage '[[ ! -d /sys/kernel/config/nullb/nullb0 ]] || { rmdir /sys/kernel/config/nullb/nullb0; modprobe -r null_blk; }'
}
