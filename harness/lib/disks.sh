# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# disks.sh: attach devices of the storage domain to another domain, by xl's own
# disk syntax. The script's name says which pair of drivers serves the disk:
# block-iddr ours, block-stock xen-blkfront and xen-blkback, block-iddr-front and
# block-iddr-back one end of each, block-hostile-front and block-hostile-back the tests'
# hostile peers (the domains' iddr-hotplug binds them).

# disk_attach FRONTDOM VDEV TARGET [SCRIPT]: attach TARGET of the storage domain
# as /dev/VDEV of FRONTDOM; returns when the disk is there (a hostile front end makes
# none: when that is bound).
disk_attach() {
	local front=$1 vdev=$2 target=$3 script=${4:-block-iddr} there=/dev/$2
	case $script in
	# The device node comes before the driver's directory; mode is the last in that.
	block-iddr | block-iddr-front | block-hostile-back) there=/sys/block/$2/iddr/mode ;;
	block-stock | block-iddr-back) ;;
	block-hostile-front) there=/sys/bus/xen/devices/vbd-$(disk_vdev_number "$vdev")/driver ;;
	*) usage_error "disk script '$script' is not known; use block-iddr, block-stock, block-iddr-front or block-iddr-back" ;;
	esac
	testbed_exec storage test -b "$target" </dev/null || {
		(($? != 125)) || return 125
		printf "iddr: error: the storage domain has no block device %s; 'harness/iddr exec storage lsblk' lists them\n" "$target" >&2
		return 1
	}
	testbed_exec dom0 xl block-attach "$(domain_name "$front")" \
		"format=raw,vdev=$vdev,access=rw,backend=$(domain_name storage),backendtype=phy,script=$script,target=$target" \
		</dev/null >&2 || {
		(($? != 125)) || return 125
		printf 'iddr: error: xl could not attach %s to %s as %s; see the dmesg of both domains\n' \
			"$target" "$front" "$vdev" >&2
		return 1
	}
	# libxl waits for the back end only; the disk itself follows.
	# shellcheck disable=SC2016 # the domain's shell expands these
	testbed_exec "$front" bash -c '
		for ((i = 0; i < 200; i++)); do
			[[ ! -e $1 ]] || exit 0
			sleep 0.05
		done
		exit 1' wait "$there" </dev/null || {
		(($? != 125)) || return 125
		printf 'iddr: error: waited 10 s for %s to appear in %s; see %s and %s\n' \
			"$there" "$front" "$(domain_log "$front")" "$(domain_log storage)" >&2
		return 1
	}
}

# disk_detach FRONTDOM VDEV [--force]: detach a disk.
disk_detach() {
	local number
	number=$(disk_vdev_number "$2")
	# With a supervisor that has had a standby there may be two devices, of which either is the disk's, the other one its spare
	# (iddr-supervise). The disk goes first: a spare would be replaced.
	# shellcheck disable=SC2016 # dom0's shell expands these
	testbed_exec dom0 bash -c '
		dom=$1 force=${6:-} first= others=()
		app=$(xl domid "$dom") || exit
		# detach NUMBER: whoever else is removing what is left of it may be quicker, which xl takes for an error.
		detach() {
			local back
			back=$(xenstore-read "/libxl/$app/device/vbd/$1/backend" 2>/dev/null) || back=/
			for _ in 1 2; do
				! xl block-detach "$dom" "$1" $force || return 0
				! xenstore-exists "$back" || return 1
			done
			! xenstore-exists "/libxl/$app/device/vbd/$1"
		}
		if xenstore-exists /tool/iddr/spares; then
			# The supervisor may be attaching one.
			for ((i = 0; i < 100; i++)); do
				[[ $(xenstore-read /tool/iddr/spares) == *making ]] && pgrep -x iddr-supervise >/dev/null || break
				sleep 0.1
			done
			storage=$(xl domid "$3" 2>/dev/null)
			for n in "$4" "$5"; do
				back=$(xenstore-read "/libxl/$app/device/vbd/$n/backend" 2>/dev/null) || continue
				case $back in
				"/local/domain/$storage/"*) first=$n ;;
				*) others+=("$n") ;;
				esac
			done
		fi
		[[ -n $first$others ]] || first=$4
		for n in $first "${others[@]}"; do
			detach "$n" || exit
		done' \
		detach "$(domain_name "$1")" "$2" "$(domain_name storage)" "$number" "$(disk_twin "$number")" "${3:-}" </dev/null >&2 || {
		(($? != 125)) || return 125
		printf 'iddr: error: xl could not detach %s from %s; if it is in use it closes when its last user has closed it: run this again then\n' "$2" "$1" >&2
		return 1
	}
}

# disk_vdev_number VDEV: the xenstore number of xvdX or xvdXX (X a letter).
disk_vdev_number() {
	local letters=${1#xvd} n
	[[ $1 == xvd[a-z] || $1 == xvd[a-z][a-z] ]] || usage_error "'$1' is no virtual disk name; use xvda to xvdzz"
	n=$(($(printf '%d' "'${letters: -1}") - 97))
	((${#letters} == 1)) || n=$((n + 26 * ($(printf '%d' "'$letters") - 96)))
	# As Xen numbers them (docs/misc/vbd-interface.txt).
	printf '%s\n' "$((n < 16 ? (202 << 8) + 16 * n : (1 << 28) + (n << 8)))"
}

# disk_twin NUMBER: the other number that Xen has for the same disk, or 0.
disk_twin() {
	printf '%s\n' "$(($1 >> 8 == 202 ? 1 << 28 | ($1 >> 4 & 15) << 8 : 0))"
}

# disk_named [DOM:]VDEV: set DISK_DOM and DISK_VDEV from how a user names a disk of an application domain; app, if none is named.
disk_named() {
	DISK_DOM=app DISK_VDEV=$1
	if [[ $1 == *:* ]]; then
		DISK_DOM=${1%%:*} DISK_VDEV=${1#*:}
	fi
	[[ $DISK_DOM == app || $DISK_DOM == app[2-4] ]] || usage_error "'$DISK_DOM' is no application domain; use app, or app2 to app4"
	disk_vdev_number "$DISK_VDEV" >/dev/null
}

# help: attach [DOM:]VDEV TARGET [SCRIPT] -- attach a device of the storage domain to app, or to DOM (app2 to app4)
cmd_attach() {
	(($# == 2 || $# == 3)) || usage_error "attach needs VDEV and TARGET, such as: attach xvda /dev/ram0"
	disk_named "$1"
	disk_attach "$DISK_DOM" "$DISK_VDEV" "${@:2}"
}

# help: detach [DOM:]VDEV [--force] -- detach a disk from app, or from DOM
cmd_detach() {
	(($# == 1 || $# == 2)) || usage_error "detach needs VDEV"
	[[ -z ${2:-} || $2 == --force ]] || usage_error "detach: unknown option '$2'; usage: detach VDEV [--force]"
	disk_named "$1"
	disk_detach "$DISK_DOM" "$DISK_VDEV" "${@:2}"
}
