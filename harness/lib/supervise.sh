# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# supervise.sh: a storage domain that may die: a backing that outlives it, and the supervisor in dom0.
#
# BACKING=file: the storage domain has, as /dev/xvdb, a disk that is a file of dom0's, served to it by Xen's own pair. The
# file is the same for each storage domain there is, and its data stay.

# The disk in dom0: a loop device's, whose name is not known when the domain's configuration is written.
FILE_DISK=/run/iddr-disk
FILE_MIB=64

# file_wanted: true if the storage domain is to have it.
file_wanted() {
	[[ ${BACKING:-ram} == file ]]
}

# dom0_program NAME: where dom0 has one of our guest programs.
dom0_program() {
	if [[ $(testbed_kind) == qemu ]]; then
		printf '/iddr/bin/%s\n' "$1"
	elif [[ -x $IDDR_BUILD/tools/domain/$1 ]]; then
		printf '%s\n' "$IDDR_BUILD/tools/domain/$1"
	else
		printf '%s\n' "$IDDR_TOP/harness/guest/$1"
	fi
}

# file_disk VDEV: print it as xl writes a disk, for either domain. Its script is Xen's name for whose drivers serve it.
file_disk() {
	printf 'format=raw,vdev=%s,access=rw,backendtype=phy,script=%s,target=%s\n' "$1" "$(dom0_program block-stock)" "$FILE_DISK"
}

# file_make: make the file, if there is none, and its device.
file_make() {
	# shellcheck disable=SC2016 # dom0's shell expands these
	testbed_call dom0 bash -euc '
		modprobe -a loop xen-blkback
		[[ ! -b $1 ]] || exit 0
		truncate -s "$2"M "$1.img"
		ln -sfn "$(losetup -f --show "$1.img")" "$1"' file "$FILE_DISK" "$FILE_MIB" </dev/null >&2 ||
		die "dom0 cannot make the disk $FILE_DISK; has it the module loop, and room in /run?"
}

# file_remove: on a Xen host, give the device and the room back.
file_remove() {
	# shellcheck disable=SC2016 # dom0's shell expands these
	testbed_call dom0 bash -c '
		[[ ! -b $1 ]] || losetup -d "$(readlink "$1")"
		rm -f -- "$1" "$1.img"' file "$FILE_DISK" </dev/null >&2
}

# supervise OPTION...: the supervisor, in dom0, until it gives up or is ended.
supervise() {
	local config=/boot/iddr/storage.cfg
	[[ $(testbed_kind) == qemu ]] || config=$IDDR_RUN/boot/storage.cfg
	testbed_exec dom0 "$(dom0_program iddr-supervise)" --config "$config" --agent "$(dom0_program iddr-agent)" "$@" </dev/null
}

# help: supervise [--hang SECONDS] [--limit N] [--window SECONDS] [--backoff SECONDS] -- keep the storage domain in service: restart it when it dies or hangs, attach its disks again; a row an incident
cmd_supervise() {
	local option
	for option in "$@"; do
		case $option in
		--hang | --limit | --window | --backoff) ;;
		-*) usage_error "supervise: unknown option '$option'; usage: supervise [--hang SECONDS] [--limit N] [--window SECONDS] [--backoff SECONDS]" ;;
		esac
	done
	supervise "$@"
}
