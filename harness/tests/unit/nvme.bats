#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# BACKING=nvme: what is asked of QEMU and of xl, and why a controller cannot be passed through.

bats_require_minimum_version 1.5.0

setup() {
	TOP=$(cd -- "$BATS_TEST_DIRNAME/../../.." && pwd -P)
	export TOP IDDR_BUILD=$BATS_TEST_TMPDIR/build IDDR_CACHE=$BATS_TEST_TMPDIR/cache
	export NVME_SYSFS=$BATS_TEST_TMPDIR/sys STUB=$BATS_TEST_TMPDIR/stub
	unset IDDR_RUN TESTBED IDDR_ACCEL BACKING STANDBY NVME_PCI NVME_PCI_STANDBY IDDR_DOMAIN_TYPE IDDR_NVME_MIB QEMU_MEMORY QEMU_CPUS IDDR_APP_MIB
	export IDDR_RUN=$BATS_TEST_TMPDIR/run
	mkdir -p "$STUB" "$IDDR_RUN"
	# A Xen host with an IOMMU, a network card and an NVMe controller with a disk.
	device 0000:03:00.0 0x020000
	device 0000:04:00.0 0x010802
	mkdir -p "$NVME_SYSFS/bus/pci/devices/0000:04:00.0/nvme/nvme7/nvme7c0n1" "$NVME_SYSFS/block/nvme7n1/nvme7n1p1/holders"
	echo 'virt_caps              : pv hvm hvm_directio pv_directio' >"$STUB/info"
	: >"$STUB/assignable"
}

# device ADDRESS CLASS: a PCI device.
device() {
	mkdir -p "$NVME_SYSFS/bus/pci/devices/$1"
	echo "$2" >"$NVME_SYSFS/bus/pci/devices/$1/class"
}

# lib SCRIPT: run SCRIPT in a bash that has the libraries, in a dom0 whose xl writes down what it is told.
lib() {
	mkdir -p "$STUB/bin"
	cat >"$STUB/bin/xl" <<-'EOX'
		#!/bin/bash
		case $1 in
		info) cat "$STUB/info" ;;
		pci-assignable-list) cat "$STUB/assignable" ;;
		*)
			echo "$*" >>"$STUB/did"
			[[ $* != *remove* || ! -e $STUB/stuck ]]
			;;
		esac
	EOX
	printf '#!/bin/bash\n[[ ! -e $STUB/no-pciback ]]\n' >"$STUB/bin/modprobe"
	chmod +x "$STUB"/bin/*
	PATH=$STUB/bin:$PATH bash -c '
		for l in common packages sysroot image build nvme supervise testbed disks cells doctor; do
			. "$TOP/harness/lib/$l.sh"
		done
		testbed_is_dom0() { [[ ${TESTBED:-} == xen ]]; }
		# What this machine has just now is not the matter.
		doctor_memory() { :; }
		doctor_disk() { :; }
		'"$1" lib "${@:2}"
}

@test "without BACKING=nvme nothing of it is in QEMU's arguments or in xl's configuration" {
	run -0 lib 'XEN_IMAGE=x VMLINUX=v IMAGE=i IDDR_ACCEL=tcg; qemu_arguments S; testbed_config storage; testbed_config app'
	[[ $output != *nvme* && $output != *iommu* && $output != *pci\ =* && $output != *@PCI@* ]]
}

@test "with it QEMU has controller and IOMMU, Xen is told, and the storage domain gets the device" {
	export BACKING=nvme
	run -0 lib 'XEN_IMAGE=x VMLINUX=v IMAGE=i IDDR_ACCEL=tcg; nvme_image; qemu_arguments S'
	[[ $output == *intel-iommu*"serial=$(<"$IDDR_RUN/nvme.serial")"* && $output == *' iommu=force'* ]]
	run -0 lib 'IDDR_ACCEL=tcg; testbed_config storage'
	[[ $output == *'pci = [ "0000:00:10.0" ]'* && $output == *'iommu=soft'*'iddr.nvme=1'* ]]
	run -0 lib 'IDDR_ACCEL=tcg; testbed_config app'
	[[ $output != *pci* && $output != *nvme* ]]
}

@test "the disk and its identity stay, until another size is asked for" {
	local first
	lib nvme_image
	[[ $(stat -c %s "$IDDR_RUN/nvme.img") == 67108864 ]]
	# Sparse.
	(($(stat -c %b "$IDDR_RUN/nvme.img") < 100))
	first=$(<"$IDDR_RUN/nvme.serial")
	echo data | dd of="$IDDR_RUN/nvme.img" conv=notrunc status=none
	lib nvme_image
	[[ $(<"$IDDR_RUN/nvme.serial") == "$first" && $(head -c 4 "$IDDR_RUN/nvme.img") == data ]]
	IDDR_NVME_MIB=32 lib nvme_image
	[[ $(<"$IDDR_RUN/nvme.serial") != "$first" && $(stat -c %s "$IDDR_RUN/nvme.img") == 33554432 ]]
}

@test "an unknown backing and a size that is none are refused" {
	BACKING=nmve run -2 "$TOP/harness/iddr" status
	[[ $output == *"BACKING=nmve is not known; use BACKING=ram, BACKING=nvme or BACKING=file"* ]]
	IDDR_NVME_MIB=1g run -2 "$TOP/harness/iddr" status
	[[ $output == *"IDDR_NVME_MIB=1g is no size in MiB"* ]]
	IDDR_NVME_IOPS=fast run -2 "$TOP/harness/iddr" status
	[[ $output == *"IDDR_NVME_IOPS=fast is no number"* ]]
}

@test "a standby has a controller of its own, with the same namespace; a RAM disk has no standby" {
	local args
	export BACKING=nvme STANDBY=1
	run -0 lib 'testbed_config standby'
	[[ $output == *'name = "iddr-standby"'*"iddr.device=/dev/nvme0n1"*'pci = [ "0000:00:11.0" ]'* ]]
	run -0 lib 'testbed_config storage'
	[[ $output == *'name = "iddr-storage"'*'pci = [ "0000:00:10.0" ]'* ]]
	args=$(lib 'XEN_IMAGE=x VMLINUX=v IMAGE=i IDDR_ACCEL=tcg; nvme_image; qemu_arguments S')
	[[ $args == *"subsys=subsystem,addr=10.0"*"subsys=subsystem,addr=11.0"*"shared=on"* && $args == *$'-m\n2560\n'* ]]
	# Without one it is to take the other over.
	export NVME_PCI_STANDBY=none
	run -0 lib 'testbed_config standby; nvme_addresses'
	[[ $output == *'iddr.nvme=1'*$'\ne820_host = 1\npassthrough = "enabled"\n0000:00:10.0' && $output != *iddr.device* && $output != *pci\ =* ]]
	args=$(lib 'XEN_IMAGE=x VMLINUX=v IMAGE=i IDDR_ACCEL=tcg; nvme_image; qemu_arguments S')
	[[ $args == *addr=10.0* && $args != *subsys* && $args != *addr=11.0* ]]
	unset NVME_PCI_STANDBY
	STANDBY='' run -0 lib testbed_domains
	[[ $output == $'storage\napp' ]]
	STANDBY=yes run -2 "$TOP/harness/iddr" status
	[[ $output == *"use STANDBY=1 or STANDBY=0"* ]]
	BACKING=ram run -2 "$TOP/harness/iddr" status
	[[ $output == *"a standby cannot have the RAM disk of another domain"* ]]
}

@test "on a Xen host the address must be given, and be one" {
	export BACKING=nvme TESTBED=xen
	run -2 lib 'nvme_address storage'
	[[ $output == *"NVME_PCI=0000:04:00.0"*"will be overwritten"* ]]
	NVME_PCI=04:00.0 run -2 lib 'nvme_address storage'
	[[ $output == *"NVME_PCI=04:00.0 is no PCI address"* ]]
	NVME_PCI=0000:04:00.0 STANDBY=1 NVME_PCI_STANDBY=05:00.0 run -2 lib nvme_assign
	[[ $output == *"NVME_PCI_STANDBY=05:00.0 is no PCI address"*"takes the other one over"* ]]
	NVME_PCI=0000:04:00.0 STANDBY=1 run -0 lib nvme_addresses
	[[ $output == 0000:04:00.0 ]]
	NVME_PCI=0000:04:00.0 STANDBY=1 NVME_PCI_STANDBY=0000:05:00.0 run -0 lib nvme_addresses
	[[ $output == $'0000:04:00.0\n0000:05:00.0' ]]
	NVME_PCI=0000:04:00.0 run -0 lib 'testbed_config storage'
	[[ $output == *'pci = [ "0000:04:00.0" ]'* ]]
}

# refused TEXT: BACKING=nvme ends with that text, and xl was told nothing.
refused() {
	run -1 lib nvme_assign
	[[ $output == *"$1"* && ! -e $STUB/did ]]
}

@test "a controller that is not there, is none, or cannot be had is refused before anything is done" {
	export BACKING=nvme TESTBED=xen
	NVME_PCI=0000:05:00.0 refused "there is no PCI device 0000:05:00.0"
	NVME_PCI=0000:03:00.0 refused "no NVMe controller (class 0x020000)"
	export NVME_PCI=0000:04:00.0
	IDDR_DOMAIN_TYPE=pvh refused "only a PV domain"
	: >"$STUB/no-pciback"
	refused "has no xen-pciback"
	rm "$STUB/no-pciback"
	: >"$NVME_SYSFS/block/nvme7n1/nvme7n1p1/holders/dm-0"
	refused "/dev/nvme7n1 of the controller 0000:04:00.0 is in use"
	rm "$NVME_SYSFS/block/nvme7n1/nvme7n1p1/holders/dm-0"
	# A partition, 259:26, that dom0 serves to another domain.
	echo 259:26 >"$NVME_SYSFS/block/nvme7n1/nvme7n1p1/dev"
	printf '#!/bin/sh\necho '"'"'/local/domain/0/backend/vbd/5/51712/physical-device = "103:1a"'"'"'\n' >"$STUB/bin/xenstore-ls"
	chmod +x "$STUB/bin/xenstore-ls"
	refused "/dev/nvme7n1 of the controller 0000:04:00.0, or a partition of it, is the disk of another domain"
	echo 259:27 >"$NVME_SYSFS/block/nvme7n1/nvme7n1p1/dev"
	echo 'virt_caps              : pv hvm' >"$STUB/info"
	refused "Xen uses no IOMMU"
}

@test "a controller is taken from dom0 once, and given back; one that was assignable before stays so" {
	export BACKING=nvme TESTBED=xen NVME_PCI=0000:04:00.0
	lib 'nvme_assign; nvme_return; nvme_return'
	[[ $(<"$STUB/did") == $'pci-assignable-add 0000:04:00.0\npci-assignable-remove -r 0000:04:00.0' ]]
	rm "$STUB/did"
	echo 0000:04:00.0 >"$STUB/assignable"
	lib 'nvme_assign; nvme_return'
	[[ ! -e $STUB/did ]]
	# One that cannot be given back now is not forgotten.
	: >"$STUB/assignable"
	: >"$STUB/stuck"
	lib 'nvme_assign; nvme_return' 2>"$STUB/said"
	grep -q "cannot give the controller 0000:04:00.0 back" "$STUB/said"
	rm "$STUB"/{did,stuck}
	lib 'nvme_return; nvme_return'
	[[ $(<"$STUB/did") == 'pci-assignable-remove -r 0000:04:00.0' ]]
}

@test "what a command in dom0 leaves behind keeps neither our lock nor our pipes" {
	TESTBED=xen run -0 lib 'exec 77>"$STUB/lock"; ls /proc/self/fd; echo in dom0; testbed_call dom0 ls /proc/self/fd'
	[[ ${output%in dom0*} == *77* && ${output#*in dom0} == $'\n0\n1\n2'* && ${output#*in dom0} != *77* ]]
	run -3 env TESTBED=xen bash -c "$(declare -f lib); lib 'testbed_call dom0 bash -c \"exit 3\"'"
}

@test "the doctor says whether there is NVMe passthrough" {
	run -0 lib 'packages_missing() { :; }; kvm_usable() { false; }; qemu-system-x86_64() { echo "name \"nvme\" name \"intel-iommu\""; }; cmd_doctor'
	[[ $output == *'ok    NVMe '* ]]
	run -0 lib 'packages_missing() { :; }; kvm_usable() { false; }; qemu-system-x86_64() { echo "name \"nvme\""; }; cmd_doctor'
	[[ $output == *'no    NVMe '* ]]
	export TESTBED=xen
	run -0 lib 'packages_missing() { :; }; cmd_doctor'
	[[ $output == *'?     NVMe '*'here: 0000:04:00.0'* ]]
	NVME_PCI=0000:04:00.0 run -0 lib 'packages_missing() { :; }; cmd_doctor'
	[[ $output == *'ok    NVMe '* ]]
	NVME_PCI=0000:03:00.0 run -0 lib 'packages_missing() { :; }; cmd_doctor'
	[[ $output == *'no    NVMe '*'is no NVMe controller'* ]]
}
