#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# A standby without a controller of its own: it gets that of the storage domain when this is gone, and the next standby its, by turns.
# The testbed is booted anew for it.

load ../domains/lib
load ../domains/supervise

setup_file() {
	export BACKING=nvme STANDBY=1 NVME_PCI_STANDBY=none
	"$IDDR" up 3>&-
	attach "$DISK" /dev/nvme0n1
	dom app fault-load start truth "$DISK" </dev/null
	forget_kernel_logs
	supervisor "$IDDR" supervise
}

teardown_file() {
	supervisor_ends
	# The next file needs the usual one.
	unset BACKING STANDBY NVME_PCI_STANDBY
	"$IDDR" up 3>&-
}

setup() {
	rows_known
}

teardown() {
	local status=0
	no_false_alarm || status=1
	kernel_logs_clean "$provoked" || status=1
	return "$status"
}

# standby_waits: wait until it is up.
standby_waits() {
	dom0 'for ((i = 0; i < 600; i++)); do
		! xenstore-exists "/local/domain/$(xl domid iddr-standby 2>/dev/null)/data/iddr/pulse" || exit 0
		sleep 0.1
	      done
	      echo "no standby"; exit 1'
}

# taken_over: that incident is over: the standby has taken the controller, and nothing was booted for it.
taken_over() {
	# Where xl takes the device from a domain that is loaded, before it destroys it, that hangs first.
	recovered death hang
	[[ $(field created) == - && $(field up) == - && $(field controller) != - ]]
	[[ $(dom0 'xl pci-list iddr-storage') == *00:10.0* ]]
}

@test "the storage domain is destroyed: the standby gets its controller and serves the disk" {
	standby_waits
	dom0 'fault-strike destroy iddr-storage iddr-agent'
	taken_over
}

@test "its driver panics: the next standby gets it" {
	storage 'insmod /iddr/modules/iddr_fault.ko at=nvme_setup_cmd'
	standby_waits
	dom0 'fault-strike panic iddr-storage iddr-agent'
	taken_over
}

@test "the load has lost nothing" {
	run dom app fault-load end truth "$DISK" </dev/null
	[[ $output == *$'exit\t0\n'* ]]
	grep -qx $'violations\t0' <<<"$output"
	grep -qx $'writes_failed\t0' <<<"$output"
	"$IDDR" detach "$DISK" 3>&-
	provoked=
}
