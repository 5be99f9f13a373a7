# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# doctor.sh: what this machine has, which testbed it would use and why.

# doctor_line STATE WHAT DETAIL: one line of the report.
doctor_line() {
	printf '%-5s %-18s %s\n' "$1" "$2" "$3"
	[[ $1 != FAIL ]] || DOCTOR_FAILED=1
}

# doctor_kvm: say whether KVM can be used, and if not, why.
doctor_kvm() {
	if ! grep -qwE 'vmx|svm' /proc/cpuinfo; then
		if [[ -e /dev/kvm ]]; then
			doctor_line no KVM "the processor shows no vmx or svm; /dev/kvm exists but guests would hang"
		else
			doctor_line no KVM "the processor shows no vmx or svm"
		fi
	elif [[ ! -e /dev/kvm ]]; then
		doctor_line no KVM "/dev/kvm does not exist; load kvm_intel or kvm_amd, or enable nested virtualization"
	elif [[ ! -r /dev/kvm || ! -w /dev/kvm ]]; then
		doctor_line no KVM "/dev/kvm is not ours to open; join the group kvm or run as root"
	elif ! have qemu-system-x86_64; then
		doctor_line '?' KVM "no trial possible before qemu-system-x86 is installed ('harness/iddr setup')"
	elif kvm_usable; then
		doctor_line ok KVM "a trial guest ran and halted by itself"
	else
		doctor_line no KVM "a trial guest did not halt within 4 s"
	fi
}

# doctor_memory: is there memory for QEMU, the builds and the page cache?
doctor_memory() {
	local free
	free=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
	if ((free >= QEMU_MEMORY + 1024)); then
		doctor_line ok memory "$free MiB available (the testbed takes $QEMU_MEMORY)"
	else
		doctor_line FAIL memory "$free MiB available, $((QEMU_MEMORY + 1024)) are needed; end something, or set QEMU_MEMORY lower (1792 at least)"
	fi
}

# doctor_disk DIR MIB WHAT: is there room?
doctor_disk() {
	local free
	free=$(free_mib "$1")
	if ((free >= $2)); then
		doctor_line ok "disk" "$free MiB free for $3 ($1)"
	else
		doctor_line FAIL "disk" "$free MiB free for $3 ($1), $2 are needed"
	fi
}

# doctor_nvme: can the storage domain have an NVMe controller?
doctor_nvme() {
	local why devices
	if [[ $(testbed_kind) == qemu ]]; then
		if ! have qemu-system-x86_64; then
			doctor_line '?' NVMe "not known before qemu-system-x86 is installed ('harness/iddr setup')"
			return
		fi
		devices=$(qemu-system-x86_64 -device help 2>/dev/null)
		if [[ $devices == *'"nvme"'* && $devices == *'"intel-iommu"'* ]]; then
			doctor_line ok NVMe "BACKING=nvme: QEMU's, passed through behind its emulated IOMMU"
		else
			doctor_line no NVMe "this QEMU has no NVMe controller or no IOMMU; BACKING=nvme wants Debian 12's"
		fi
	elif ! testbed_is_dom0; then
		return
	elif [[ -z ${NVME_PCI:-} ]]; then
		doctor_line '?' NVMe "BACKING=nvme wants a controller that may be overwritten, as in NVME_PCI=0000:04:00.0; here: $(nvme_controllers)"
	elif why=$(nvme_trouble "$NVME_PCI") && [[ -z $why ]]; then
		doctor_line ok NVMe "BACKING=nvme: $NVME_PCI can be passed through"
	else
		doctor_line no NVMe "$NVME_PCI cannot be passed through: ${why:-dom0 does not answer}"
	fi
}

# doctor_report: the whole report.
doctor_report() {
	local missing cores kind why
	cores=$(nproc)
	if testbed_is_dom0; then
		doctor_line ok "Xen host" "this machine is a Xen dom0"
	else
		doctor_line no "Xen host" "this machine is not a Xen dom0"
	fi
	doctor_kvm
	if ((cores >= 2)); then
		doctor_line ok cores "$cores"
	else
		doctor_line warn cores "$cores; a spinner and the one it waits for need two, results will mean little"
	fi
	doctor_memory
	doctor_disk "$IDDR_CACHE" 2500 "downloads and images"
	doctor_disk "$IDDR_BUILD" 1000 "builds and logs"
	missing=$(packages_missing | tr '\n' ' ')
	if [[ -z $missing ]]; then
		doctor_line ok packages "all there"
	elif ((EUID == 0)); then
		doctor_line warn packages "missing: $missing('harness/iddr setup' will install them)"
	else
		doctor_line FAIL packages "missing: $missing(run 'harness/iddr setup' as root)"
	fi
	doctor_nvme
	kind=$(testbed_kind)
	case $kind in
	xen)
		if testbed_is_dom0; then
			why="the machine is a Xen dom0"
		else
			why="TESTBED=xen was asked for"
			doctor_line FAIL testbed "TESTBED=xen, but this machine is not a Xen dom0; unset TESTBED to boot one in QEMU"
		fi
		;;
	*)
		if [[ -n ${TESTBED:-} ]]; then
			why="TESTBED=qemu was asked for"
		else
			why="the machine is not a Xen dom0"
		fi
		case $(testbed_accel) in
		kvm) why+=", and KVM works" ;;
		*) why+=", and KVM does not work: emulated time, see the README on what that means" ;;
		esac
		;;
	esac
	printf '\ntestbed: %s, results are labelled "%s": %s\n' "$kind" "$(testbed_label)" "$why"
}

# help: doctor -- what this machine has and which testbed it would use
cmd_doctor() {
	(($# == 0)) || usage_error "doctor takes no arguments"
	DOCTOR_FAILED=
	# What an earlier trial said may be out of date.
	rm -f -- "$IDDR_BUILD/accel"
	doctor_report
	[[ -z $DOCTOR_FAILED ]] || die "the lines marked FAIL stand in the way"
}
