# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# supervise.sh: a storage domain that may die: a backing that outlives it, and the supervisor in dom0.
#
# BACKING=file: the storage domain has, as /dev/xvdb, a disk that is a file of dom0's, served to it by Xen's own pair. The
# file is the same for each storage domain there is, and its data stay.

# The disk in dom0, of the device mapper's on a loop device: its name is known when the domain's configuration is written,
# and it can be made to fail.
FILE_DISK=/dev/mapper/iddr-disk
FILE_IMAGE=/run/iddr-disk.img
FILE_MIB=64
# What a standby adds to the testbed's memory, with room to spare.
# shellcheck disable=SC2034 # others use it
STANDBY_MIB=512

# standby_wanted: true if the testbed is to have a second storage domain, which waits for the first one's end.
standby_wanted() {
	case ${STANDBY:-0} in
	0) return 1 ;;
	1) ;;
	*) usage_error "STANDBY=$STANDBY is not known; use STANDBY=1 or STANDBY=0" ;;
	esac
	[[ ${BACKING:-ram} != ram ]] ||
		usage_error "a standby cannot have the RAM disk of another domain; use BACKING=file or BACKING=nvme with STANDBY=1"
}

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
		modprobe -a loop dm-mod xen-blkback
		[[ ! -b $1 ]] || exit 0
		truncate -s "$3"M "$2"
		loop=$(losetup -f --show "$2")
		# There may be no udev that would say it is done.
		dmsetup create --noudevrules --noudevsync "${1##*/}" --table "0 $(($3 * 2048)) linear $loop 0" ||
			{ losetup -d "$loop"; exit 1; }
		dmsetup mknodes "${1##*/}"' file "$FILE_DISK" "$FILE_IMAGE" "$FILE_MIB" </dev/null >&2 ||
		die "dom0 cannot make the disk $FILE_DISK; has it dmsetup, the module loop, and room in /run?"
}

# file_remove: on a Xen host, give the device and the room back.
file_remove() {
	# shellcheck disable=SC2016 # dom0's shell expands these
	testbed_call dom0 bash -euc '
		[[ ! -b $1 ]] || dmsetup remove --noudevrules --noudevsync "${1##*/}"
		losetup -n -O NAME -j "$2" | while read -r loop; do
			losetup -d "$loop"
		done
		rm -f -- "$2"' file "$FILE_DISK" "$FILE_IMAGE" </dev/null >&2 ||
		warn "dom0 keeps the disk $FILE_DISK, and the file $FILE_IMAGE: see what has it open ('dmsetup info', 'xl block-list')"
}

# supervise_end: end dom0's supervisor, if there is one: it would make a storage domain anew.
supervise_end() {
	# shellcheck disable=SC2016 # dom0's shell expands these
	testbed_call dom0 bash -c '
		read -r pid </run/iddr-supervise.pid && grep -q iddr-supervise "/proc/$pid/cmdline" || exit 0
		kill "$pid"
		for ((i = 0; i < 600; i++)); do
			[[ -e /proc/$pid ]] || exit 0
			sleep 0.1
		done
		echo "the supervisor, process $pid, does not end"; exit 1' end </dev/null >&2 2>/dev/null ||
		die "the supervisor in dom0 does not end; see what it waits for, or kill it"
}

# supervise OPTION...: the supervisor, in dom0, until it gives up or is ended.
supervise() {
	local boot=/boot/iddr
	local -a standby=()
	[[ $(testbed_kind) == qemu ]] || boot=$IDDR_RUN/boot
	! standby_wanted || standby=(--standby "$(domain_name standby)" --standby-config "$boot/standby.cfg")
	! nvme_takes_over || standby+=(--standby-pci "$(nvme_address storage)")
	testbed_exec dom0 "$(dom0_program iddr-supervise)" --config "$boot/storage.cfg" "${standby[@]}" \
		--tools "$(dirname -- "$(dom0_program iddr-agent)")" "$@" </dev/null
}

# help: supervise [--hang SECONDS (10)] [--limit N (5)] [--window SECONDS (600)] [--backoff SECONDS (1)] -- keep the storage domain in service: restart it when it dies or hangs, attach its disks again; a row an incident
cmd_supervise() {
	local option
	for option in "$@"; do
		case $option in
		--hang | --limit | --window | --backoff) ;;
		-*) usage_error "supervise: unknown option '$option'; usage: supervise [--hang SECONDS] [--limit N] [--window SECONDS] [--backoff SECONDS]" ;;
		esac
	done
	((${IDDR_APP_DOMAINS:-1} == 1)) ||
		usage_error "supervise attaches the disks of one application domain again, and there are IDDR_APP_DOMAINS=$IDDR_APP_DOMAINS: those of the others would be lost with the storage domain"
	# shellcheck disable=SC2034 # testbed_call reads it
	TESTBED_CALL='exec'
	supervise "$@"
}
