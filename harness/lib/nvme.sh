# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# nvme.sh: BACKING=nvme: the storage domain gets, besides the RAM disk, an NVMe controller that is passed through to
# it by PCI. In QEMU that is an emulated one behind an emulated IOMMU; its disk is a file in $IDDR_RUN, which keeps what
# is written, whatever becomes of domains and testbed. On a Xen host it is the one at the address NVME_PCI, which dom0 gets
# back when the testbed goes down.
#
#	nvme.img, nvme.serial in QEMU: the disk, and its identity
#	nvme.assigned         on a Xen host: the address of the controller that was taken from dom0

# Where QEMU has it: away from where it puts devices by itself.
NVME_QEMU_PCI=0000:00:10.0
# The standby's: another controller of the same subsystem, with the same namespace.
NVME_QEMU_PCI_STANDBY=0000:00:11.0
# shellcheck disable=SC2034 # others use it
# A PV domain's pages are not contiguous to the device: what must be is bounced. A namespace that another controller has too is
# no reason for a multipath device.
NVME_GUEST_ARGS='iommu=soft swiotlb=4096 nvme_core.multipath=N'

# backing_check: is BACKING a backing, can it have what STANDBY asks for, and are IDDR_NVME_MIB and IDDR_NVME_IOPS numbers?
backing_check() {
	case ${BACKING:-ram} in
	ram | nvme | file) ;;
	*) usage_error "BACKING=$BACKING is not known; use BACKING=ram, BACKING=nvme or BACKING=file" ;;
	esac
	standby_wanted || true
	[[ ${IDDR_NVME_MIB:-64} =~ ^[1-9][0-9]{0,6}$ ]] ||
		usage_error "IDDR_NVME_MIB=$IDDR_NVME_MIB is no size in MiB; use a number of up to seven digits"
	[[ ${IDDR_NVME_IOPS:-1} =~ ^[1-9][0-9]{0,6}$ ]] ||
		usage_error "IDDR_NVME_IOPS=$IDDR_NVME_IOPS is no number of requests a second; use one of up to seven digits"
}

# backing_device BACKING: the storage domain's device for it.
backing_device() {
	case $1 in
	ram) printf '/dev/ram0\n' ;;
	nvme) printf '/dev/nvme0n1\n' ;;
	file) printf '/dev/xvdb\n' ;;
	null) printf '/dev/nullb0\n' ;;
	# The domain's root is loop0.
	loop) printf '/dev/loop7\n' ;;
	*) usage_error "there is no backing '$1'; use ram, null, loop, nvme or file" ;;
	esac
}

# backing_mib BACKING: how much of the device is used: all of a RAM disk or a file, of a disk as much from its beginning.
backing_mib() {
	case $1 in
	ram | null | loop) printf '%s\n' "${IDDR_RAMDISK_MIB:-64}" ;;
	nvme) printf '%s\n' "${IDDR_NVME_MIB:-64}" ;;
	file) printf '%s\n' "$FILE_MIB" ;;
	esac
}

# nvme_wanted: true if the testbed is to have the controller.
nvme_wanted() {
	[[ ${BACKING:-ram} == nvme ]]
}

# nvme_takes_over: true if the standby has no controller of its own, and takes the storage domain's when that is gone.
nvme_takes_over() {
	nvme_wanted && standby_wanted || return 1
	case ${NVME_PCI_STANDBY:-} in
	none) ;;
	'') [[ $(testbed_kind) == xen ]] ;;
	*) return 1 ;;
	esac
}

# nvme_comes_later DOM: true if that domain is created without the controller that it may get.
nvme_comes_later() {
	[[ $1 == standby ]] && nvme_takes_over
}

# nvme_address DOM: the PCI address of the controller that the domain storage or standby has.
nvme_address() {
	local name=NVME_PCI
	[[ $1 == storage ]] || name=NVME_PCI_STANDBY
	if [[ $(testbed_kind) == qemu ]]; then
		name=NVME_QEMU_${name#NVME_}
		printf '%s\n' "${!name}"
	elif [[ -z ${!name:-} ]]; then
		usage_error "BACKING=nvme on a Xen host needs the controller's PCI address, as in NVME_PCI=0000:04:00.0 ('lspci -D' lists them); what is on that disk will be overwritten"
	elif [[ ${!name} =~ ^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$ ]]; then
		printf '%s\n' "${!name}"
	else
		usage_error "$name=${!name} is no PCI address; it looks like 0000:04:00.0$([[ $1 == storage ]] || printf ' (none, or nothing: the standby takes the other one over)')"
	fi
}

# nvme_addresses: print the addresses of all the controllers that the testbed has.
nvme_addresses() {
	nvme_address storage
	if standby_wanted && ! nvme_takes_over; then
		nvme_address standby
	fi
}

# nvme_image: in QEMU, make the disk if there is none of this size. Its identity is made with it.
nvme_image() {
	local image=$IDDR_RUN/nvme.img bytes=$(($(backing_mib nvme) << 20))
	[[ ! -s $IDDR_RUN/nvme.serial || ! -f $image || $(stat -c %s -- "$image") != "$bytes" ]] || return 0
	rm -f -- "$image"
	truncate -s "$bytes" -- "$image"
	# Linux takes no other identity from QEMU's. It has 20 characters.
	tr -d "-" </proc/sys/kernel/random/uuid | cut -c 1-20 >"$IDDR_RUN/nvme.serial"
}

# nvme_qemu_arguments: print QEMU's arguments for the controller, or the two, and the IOMMU, one a line.
nvme_qemu_arguments() {
	local controller drive
	controller="nvme,serial=$(<"$IDDR_RUN/nvme.serial")"
	drive="file=$IDDR_RUN/nvme.img,if=none,id=disk,format=raw${IDDR_NVME_IOPS:+,throttling.iops-total=$IDDR_NVME_IOPS}"
	printf '%s\n' -device intel-iommu,intremap=on
	if standby_wanted && ! nvme_takes_over; then
		printf '%s\n' -drive "$drive" -device nvme-subsys,id=subsystem \
			-device "$controller,id=nvme0,subsys=subsystem,addr=${NVME_QEMU_PCI##*:}" \
			-device "$controller,id=nvme1,subsys=subsystem,addr=${NVME_QEMU_PCI_STANDBY##*:}" \
			-device nvme-ns,drive=disk,bus=nvme0,nsid=1,shared=on
	else
		printf '%s\n' -drive "$drive" -device "$controller,drive=disk,addr=${NVME_QEMU_PCI##*:}"
	fi
}

# What dom0 runs to say why the controller $1 cannot be passed through; it says nothing if it can be. $2: where sysfs is.
# shellcheck disable=SC2016 # dom0's shell expands these
NVME_TROUBLE='
device=$2/bus/pci/devices/$1
if [[ ! -d $device ]]; then
	echo "there is no PCI device $1 in dom0; lspci -D lists them"
	exit
fi
read -r class <"$device/class"
if [[ $class != 0x0108* ]]; then
	echo "the PCI device $1 is no NVMe controller (class $class)"
	exit
fi
if ! xl info | grep -q "^virt_caps.*pv_directio"; then
	echo "Xen uses no IOMMU; switch VT-d or AMD-Vi on in the firmware and boot Xen with iommu=force"
	exit
fi
# What dom0 serves to others, as xen-blkback writes it: major:minor, in hexadecimal. It does not hold it exclusively.
served=$(xenstore-ls -f /local/domain/0/backend 2>/dev/null | sed -n "s/.*\/physical-device = \"\(.*\)\"\$/\1/p")
for disk in "$device"/nvme/nvme*/nvme*n*; do
	[[ -d $disk ]] || continue
	# nvme0c1n1 is a path of nvme0n1.
	name=$(sed "s/c[0-9]*n/n/" <<<"${disk##*/}")
	if grep -qs "^/dev/$name" /proc/mounts /proc/swaps || [[ -n $(find "$2/block/$name/" -maxdepth 3 -path "*/holders/*") ]]; then
		echo "/dev/$name of the controller $1 is in use in dom0; unmount it, or name another controller"
		exit
	fi
	for dev in "$2/block/$name"/dev "$2/block/$name"/*/dev; do
		[[ -r $dev ]] || continue
		IFS=: read -r major minor <"$dev"
		if grep -qx "$(printf "%x:%x" "$major" "$minor")" <<<"$served"; then
			echo "/dev/$name of the controller $1, or a partition of it, is the disk of another domain (xl block-list); detach it, or name another controller"
			exit
		fi
	done
done
modprobe -n xen-pciback 2>/dev/null || echo "the kernel of dom0 has no xen-pciback"
'

# nvme_trouble ADDRESS: print why the controller cannot be passed through, nothing if it can.
nvme_trouble() {
	if [[ ${IDDR_DOMAIN_TYPE:-pv} != pv ]]; then
		printf 'only a PV domain can have it; unset IDDR_DOMAIN_TYPE\n'
		return
	fi
	testbed_call dom0 bash -c "$NVME_TROUBLE" trouble "$1" "${NVME_SYSFS:-/sys}" </dev/null
}

# nvme_controllers: print the addresses of this machine's NVMe controllers, or that there are none.
nvme_controllers() {
	local class found=()
	for class in "${NVME_SYSFS:-/sys}"/bus/pci/devices/*/class; do
		[[ ! -r $class || $(<"$class") != 0x0108* ]] || found+=("$(basename -- "${class%/class}")")
	done
	printf '%s\n' "${found[*]:-none}"
}

# nvme_assign: take the controllers from dom0, so that domains can have them.
nvme_assign() {
	local addresses address
	addresses=$(nvme_addresses)
	for address in $addresses; do
		nvme_take "$address"
	done
}

# nvme_take ADDRESS: take a controller from dom0.
nvme_take() {
	local address=$1 why
	why=$(nvme_trouble "$address") || die "dom0 cannot say whether $address can be passed through; is xl there, and are we root?"
	[[ -z $why ]] || die "no NVMe controller for the storage domain: $why"
	testbed_call dom0 modprobe xen-pciback </dev/null >&2
	# It may have been made assignable before.
	[[ $(testbed_call dom0 xl pci-assignable-list </dev/null) != *"$address"* ]] || return 0
	[[ $(testbed_kind) == qemu ]] || printf '%s\n' "$address" >>"$IDDR_RUN/nvme.assigned"
	testbed_call dom0 xl pci-assignable-add "$address" </dev/null >&2 ||
		die "xl cannot make the PCI device $address assignable; the log is $(domain_log dom0)"
}

# nvme_return: give dom0 its controllers back.
nvme_return() {
	local address kept=()
	[[ -s $IDDR_RUN/nvme.assigned ]] || return 0
	while read -r address <&9; do
		testbed_call dom0 xl pci-assignable-remove -r "$address" </dev/null >&2 || {
			warn "xl cannot give the controller $address back to dom0's driver; the next 'make down' tries again"
			kept+=("$address")
		}
	done 9<"$IDDR_RUN/nvme.assigned"
	if ((${#kept[@]})); then
		printf '%s\n' "${kept[@]}" >"$IDDR_RUN/nvme.assigned.tmp"
		mv -- "$IDDR_RUN/nvme.assigned.tmp" "$IDDR_RUN/nvme.assigned"
	else
		rm -f -- "$IDDR_RUN/nvme.assigned"
	fi
}

# nvme_wait DOM: wait until the domain storage or standby has the controller's disk.
nvme_wait() {
	local device
	device=$(backing_device nvme)
	# shellcheck disable=SC2016 # the domain's shell expands these
	testbed_call "$1" bash -c '
		for ((i = 0; i < 600; i++)); do
			[[ ! -b $1 ]] || exit 0
			sleep 0.1
		done
		dmesg | grep -E "pcifront|nvme|iddr_msix" | tail -n 8
		exit 1' wait "$device" </dev/null >&2 ||
		die "waited 60 s for $device in the domain $1 in vain; the log is $(domain_log "$1")"
}

# nvme_facts: print what results may depend on, for testbed_facts.
nvme_facts() {
	printf 'fact\tnvme\t%s\n' "$(testbed_exec storage cat /sys/class/nvme/nvme0/{model,firmware_rev} </dev/null | xargs)"
	printf 'fact\tnvme_mib\t%s\n' "$(backing_mib nvme)"
}
