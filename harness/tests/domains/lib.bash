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

# dom DOM COMMAND...: run a command in a domain.
dom() {
	"$IDDR" exec "$1" -- "${@:2}"
}

# app SCRIPT [ARG...]: run a bash script in the application domain.
app() {
	dom app bash -euo pipefail -c "$1" app "${@:2}" </dev/null
}

# storage SCRIPT [ARG...]: run a bash script in the storage domain.
storage() {
	dom storage bash -euo pipefail -c "$1" storage "${@:2}" </dev/null
}

# attach DISK TARGET: attach through our pair.
attach() {
	"$IDDR" attach "$1" "$2" block-iddr
}

# detach DISK: detach if it is there.
detach() {
	"$IDDR" detach "$1"
}

# set_modes FRONT BACK: how the two sides of $DISK wait.
set_modes() {
	app 'echo "$1" >/sys/block/$2/iddr/mode' "$1" "$DISK"
	storage 'echo "$1" >/sys/bus/xen-backend/devices/vbd-*-$2/iddr/mode' "$2" "$DEVID"
}

# verify_load SECONDS-FREE arguments are fio's: write, read back, compare.
verify_load() {
	app 'fio --name=verify --filename=/dev/$1 --ioengine=libaio --direct=1 \
		--verify=crc32c --verify_fatal=1 --rw=randwrite "${@:2}" >/tmp/fio.out 2>&1 ||
		{ cat /tmp/fio.out; exit 1; }' "$DISK" "$@"
}

# kernel_log DOM: warnings and worse since the last look, and forget them.
kernel_log() {
	dom "$1" sh -c 'dmesg -l emerg,alert,crit,err,warn; dmesg -C' </dev/null
}

# forget_kernel_logs: what was logged before the test is not its fault.
forget_kernel_logs() {
	local d
	for d in dom0 storage app; do
		dom "$d" dmesg -C </dev/null
	done
}

# kernel_logs_clean [REGEX]: fail on any warning in any domain that does not
# match REGEX, which a test gives for what it provokes.
kernel_logs_clean() {
	local d log status=0
	for d in dom0 storage app; do
		log=$(kernel_log "$d") || status=1
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

# attach_as DISK TARGET r|w: attach through our pair with an access mode.
attach_as() {
	dom dom0 xl block-attach iddr-app \
		"format=raw,vdev=$1,access=$3,backend=iddr-storage,backendtype=phy,script=block-iddr,target=$2" </dev/null
	app 'for ((i = 0; i < 200; i++)); do [[ ! -b /dev/$1 ]] || exit 0; sleep 0.05; done; exit 1' "$1"
}
