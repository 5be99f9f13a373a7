#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# What the doctor and the package set-up say of machines of several kinds.

bats_require_minimum_version 1.5.0

setup() {
	TOP=$(cd -- "$BATS_TEST_DIRNAME/../../.." && pwd -P)
	export TOP IDDR_BUILD=$BATS_TEST_TMPDIR/build IDDR_CACHE=$BATS_TEST_TMPDIR/cache
	unset IDDR_RUN TESTBED IDDR_ACCEL
}

# lib SCRIPT: run SCRIPT in a bash that has the libraries.
lib() {
	bash -c '
		for l in common packages sysroot image build nvme supervise testbed disks doctor; do
			. "$TOP/harness/lib/$l.sh"
		done
		# What this machine has just now is not the matter.
		[[ -n ${REAL_MEMORY:-} ]] || doctor_memory() { :; }
		doctor_disk() { :; }
		'"$1" lib "${@:2}"
}

@test "the doctor names the testbed, its label and the reason" {
	run -0 lib 'testbed_is_dom0() { false; }; kvm_usable() { false; }; packages_missing() { :; }; cmd_doctor'
	[[ $output == *'testbed: qemu, results are labelled "tcg"'*'not a Xen dom0'*'KVM does not work'* ]]
}

@test "with working KVM the label is kvm" {
	run -0 lib 'testbed_is_dom0() { false; }; kvm_usable() { true; }; packages_missing() { :; }; cmd_doctor'
	[[ $output == *'results are labelled "kvm"'* ]]
}

@test "on a Xen host the testbed is xen, and TESTBED=qemu still is qemu" {
	run -0 lib 'testbed_is_dom0() { true; }; packages_missing() { :; }; cmd_doctor'
	[[ $output == *'testbed: xen, results are labelled "xen"'* ]]
	TESTBED=qemu run -0 lib 'testbed_is_dom0() { true; }; kvm_usable() { false; }; packages_missing() { :; }; cmd_doctor'
	[[ $output == *'testbed: qemu'*'was asked for'* ]]
}

@test "TESTBED=xen on another machine fails and says why" {
	TESTBED=xen run -1 lib 'testbed_is_dom0() { false; }; packages_missing() { :; }; cmd_doctor'
	[[ $output == *'FAIL  testbed'*'not a Xen dom0'* ]]
}

@test "what KVM said before is not believed by the doctor" {
	mkdir -p "$IDDR_BUILD"
	echo kvm >"$IDDR_BUILD/accel"
	run -0 lib 'testbed_is_dom0() { false; }; kvm_usable() { false; }; packages_missing() { :; }; cmd_doctor'
	[[ $output == *'labelled "tcg"'* ]]
}

@test "too little memory fails with a cure" {
	REAL_MEMORY=1 run -1 lib 'testbed_is_dom0() { false; }; kvm_usable() { false; }; packages_missing() { :; }; QEMU_MEMORY=99999999; cmd_doctor'
	[[ $output == *'FAIL  memory'*'QEMU_MEMORY'* ]]
}

@test "a missing package is found" {
	run -0 lib 'PACKAGES_TESTS=(no-such-package-here bash); packages_missing'
	[[ $output == *no-such-package-here* ]]
	[[ $'\n'$output$'\n' != *$'\n'bash$'\n'* ]]
}

@test "Xen and kernel packages are never among what is installed on the host" {
	run -0 lib packages_wanted
	[[ ! $output =~ (xen-hypervisor|xen-utils|xen-system|linux-image|linux-headers) ]]
}

@test "the browser is for make test-full alone" {
	IDDR_FULL="" run -0 lib packages_wanted
	[[ $output != *chromium* ]]
	IDDR_FULL=1 run -0 lib packages_wanted
	[[ $output == *chromium* ]]
}

@test "without root the missing packages are named, nothing is tried" {
	run -1 lib 'PACKAGES_TESTS=(no-such-package-here); packages_apt() { echo TRIED; }
		eval "$(declare -f packages_install | sed "s/EUID == 0/1 == 0/")"; packages_install'
	[[ $output == *'no-such-package-here'*'as root'* ]]
	[[ $output != *TRIED* ]]
}

@test "a package that apt cannot install is a clear error, with the log" {
	run -1 lib 'PACKAGES_TESTS=(no-such-package-here); apt-get() { echo "E: Unable to locate package"; return 100; }; packages_install'
	[[ $output == *'could not install no-such-package-here'*"$IDDR_BUILD/apt.log"* ]]
}

@test "a directory whose name the build or QEMU would take apart is refused before anything is fetched" {
	local name
	for name in 'a b' 'a,b' 'a:b'; do
		IDDR_CACHE=$BATS_TEST_TMPDIR/$name run -1 lib 'setup_all() { echo TRIED; }; cmd_setup'
		[[ $output == *"/$name' has a blank, a comma or a colon"*IDDR_CACHE* && $output != *TRIED* ]]
	done
	run -0 lib 'setup_all() { echo TRIED; }; cmd_setup'
}

@test "the trial guest ends by itself where guests run, and is refused where they do not" {
	command -v qemu-system-x86_64 || skip "QEMU is not installed"
	run -0 lib 'trial_guest tcg'
	run -1 lib 'trial_guest no-such-accelerator'
}
