# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# testbed.sh: a Xen host with a storage and an application domain, and ways to
# run commands in them. Where the machine is itself a Xen dom0 (TESTBED=xen)
# dom0's commands run here; elsewhere (TESTBED=qemu) Xen and a dom0 are booted
# in QEMU first, and dom0's commands go through an agent. All else is the same.
#
# State of a running testbed, in $IDDR_RUN:
#   qemu.pid              QEMU's process
#   sockets               the directory of the agent's sockets (paths must be short)
#   key                   what it was booted from
#   log/                  QEMU's and all consoles' logs
#   boot/                 kernel, initramfs and domain configurations as booted

# Memory of each application domain.
IDDR_APP_MIB=${IDDR_APP_MIB:-448}
# Commands at a time in a testbed of one application domain.
TESTBED_PORTS=4
TESTBED_UP_LIMIT=${TESTBED_UP_LIMIT:-150}
QEMU_MEMORY=${QEMU_MEMORY:-2048}

# testbed_is_dom0: true if this machine is the control domain of a Xen host.
testbed_is_dom0() {
	[[ -r /proc/xen/capabilities && $(</proc/xen/capabilities) == *control_d* ]]
}

# testbed_kind: print qemu or xen.
testbed_kind() {
	case ${TESTBED:-} in
	qemu | xen) printf '%s\n' "$TESTBED" ;;
	'') if testbed_is_dom0; then printf 'xen\n'; else printf 'qemu\n'; fi ;;
	*) usage_error "TESTBED=$TESTBED is not known; use TESTBED=qemu or TESTBED=xen" ;;
	esac
}

# testbed_check: an end if a setting of the testbed's is none.
testbed_check() {
	local name
	testbed_kind >/dev/null
	for name in IDDR_APP_MIB IDDR_RAMDISK_MIB IDDR_APP_VCPUS QEMU_MEMORY QEMU_CPUS TESTBED_UP_LIMIT; do
		[[ ${!name:-1} =~ ^[1-9][0-9]{0,6}$ ]] || usage_error "$name=${!name} is not a number from 1 on"
	done
	for name in IDDR_CPU_APP IDDR_CPU_STORAGE; do
		[[ ${!name:-0} =~ ^(0|[1-9][0-9]{0,3})$ ]] || usage_error "$name=${!name} is not the number of a CPU"
	done
	[[ ${IDDR_ACCEL:-tcg} =~ ^(tcg|kvm)$ ]] || usage_error "IDDR_ACCEL=$IDDR_ACCEL is not known; use IDDR_ACCEL=tcg or IDDR_ACCEL=kvm"
	[[ ${IDDR_DOMAIN_TYPE:-pv} =~ ^(pv|pvh)$ ]] || usage_error "IDDR_DOMAIN_TYPE=$IDDR_DOMAIN_TYPE is not known; use IDDR_DOMAIN_TYPE=pv or IDDR_DOMAIN_TYPE=pvh"
	[[ ${IDDR_PAIRS:-both} =~ ^(both|iddr)$ ]] || usage_error "IDDR_PAIRS=$IDDR_PAIRS is not known; use IDDR_PAIRS=both or IDDR_PAIRS=iddr"
}

# testbed_accel: print kvm if this machine's KVM really runs guests, else tcg.
testbed_accel() {
	local cache=$IDDR_BUILD/accel
	if [[ -n ${IDDR_ACCEL:-} ]]; then
		printf '%s\n' "$IDDR_ACCEL"
		return
	fi
	if [[ ! -s $cache ]]; then
		mkdir -p -- "$IDDR_BUILD"
		if kvm_usable; then echo kvm; else echo tcg; fi >"$cache.partial"
		mv -- "$cache.partial" "$cache"
	fi
	cat -- "$cache"
}

# testbed_label: print what results are labelled with: tcg, kvm or xen.
testbed_label() {
	if [[ $(testbed_kind) == xen ]]; then
		printf 'xen\n'
	else
		testbed_accel
	fi
}

# kvm_usable: true if the processor has virtualization and a trial guest halts
# by itself. /dev/kvm may exist, open, and still hang every guest in its BIOS.
kvm_usable() {
	grep -qwE 'vmx|svm' /proc/cpuinfo || return 1
	[[ -r /dev/kvm && -w /dev/kvm ]] || return 1
	have qemu-system-x86_64 || return 1
	trial_guest kvm
}

# trial_guest ACCEL: true if a guest of a few instructions runs and ends QEMU by itself, in a few seconds: one that
# hangs is no rare case with KVM; emulated it only takes longer on a busy machine.
trial_guest() {
	local dir rc=0 limit=4
	dir=$(mktemp -d)
	# A boot sector that writes 0x21 to QEMU's exit port: mov al,0x21; out 0xf4,al; hlt.
	printf '\xb0\x21\xe6\xf4\xf4' >"$dir/boot"
	head -c 505 /dev/zero >>"$dir/boot"
	printf '\x55\xaa' >>"$dir/boot"
	[[ $1 != tcg ]] || limit=60
	timeout -k 1 "$limit" qemu-system-x86_64 -accel "$1" -m 16 -nodefaults -display none -no-reboot \
		-device isa-debug-exit,iobase=0xf4,iosize=1 \
		-drive "file=$dir/boot,format=raw,if=ide,snapshot=on" \
		</dev/null >/dev/null 2>&1 || rc=$?
	rm -rf -- "$dir"
	# The device exits with (value << 1) | 1; QEMU's own failures are 1.
	((rc == 67))
}

# domain_name DOM: the xl name of a domain.
domain_name() {
	case $1 in
	dom0) printf 'Domain-0\n' ;;
	storage | standby | app | app[2-4]) printf 'iddr-%s\n' "$1" ;;
	*) usage_error "there is no domain '$1'; use dom0, storage, app (app2 to app4 with IDDR_APP_DOMAINS) or, with STANDBY=1, standby" ;;
	esac
}

# qemu_pids: print the processes of this testbed's QEMU. A process id in a file
# may since belong to another; the console log's path is in no other command line.
qemu_pids() {
	local file
	grep -lzFx -- "file:$IDDR_RUN/log/console.log" /proc/[0-9]*/cmdline 2>/dev/null |
		while IFS=/ read -r _ _ file _; do
			printf '%s\n' "$file"
		done
}

# qemu_alive: true if the QEMU that we started still runs.
qemu_alive() {
	local pid
	[[ -s $IDDR_RUN/qemu.pid ]] || return 1
	pid=$(<"$IDDR_RUN/qemu.pid")
	grep -qzFx -- "file:$IDDR_RUN/log/console.log" "/proc/$pid/cmdline" 2>/dev/null
}

# qemu_kill: end our QEMU and wait until it is gone.
qemu_kill() {
	local pid i
	for pid in $(qemu_pids); do
		kill -TERM "$pid" 2>/dev/null || true
		for ((i = 0; i < 50; i++)); do
			grep -q . "/proc/$pid/cmdline" 2>/dev/null || break
			((i != 30)) || kill -KILL "$pid" 2>/dev/null || true
			sleep 0.1
		done
		((i < 50)) || die "QEMU (process $pid) does not end; kill it by hand"
	done
	if [[ -s $IDDR_RUN/sockets && $(<"$IDDR_RUN/sockets") == */iddr.?????? ]]; then
		rm -rf -- "$(<"$IDDR_RUN/sockets")"
	fi
	rm -f -- "$IDDR_RUN"/{qemu.pid,sockets,key}
}

# app_domains: print the application domains: app, and app2 to app4 as far as IDDR_APP_DOMAINS goes.
app_domains() {
	local n=${IDDR_APP_DOMAINS:-1} k
	[[ $n == [1-4] ]] || usage_error "IDDR_APP_DOMAINS=$n is not a number from 1 to 4"
	printf 'app\n'
	for ((k = 2; k <= n; k++)); do
		printf 'app%d\n' "$k"
	done
}

# testbed_ports: print how many commands the agent in QEMU's dom0 runs at a time: each further application domain has one of its own.
testbed_ports() {
	printf '%d\n' "$((TESTBED_PORTS + ${IDDR_APP_DOMAINS:-1} - 1))"
}

# testbed_domains: print the domains that the testbed has beside dom0.
testbed_domains() {
	printf 'storage\n'
	app_domains
	! standby_wanted || printf 'standby\n'
}

# testbed_is_up: true if the testbed runs and its domains answer.
testbed_is_up() {
	if [[ $(testbed_kind) == qemu ]]; then
		qemu_alive || return 1
	fi
	local dom
	for dom in $(app_domains) storage; do
		testbed_answers "$dom" || return 1
	done
}

# testbed_answers DOM: true if the domain's agent runs a command.
testbed_answers() {
	testbed_call "$1" true </dev/null >"$IDDR_RUN/log/answer.log" 2>&1
}

# alone CMD...: go on as CMD, which inherits nothing but standard input, output and error: neither our lock nor a pipe whose reader waits
# for its end.
alone() {
	local fd
	for fd in /proc/self/fd/*; do
		fd=${fd##*/}
		((fd <= 2)) || exec {fd}>&-
	done
	exec "$@"
}

# exec: the command of testbed_call comes in place of this shell, so that what is sent to its process number arrives.
TESTBED_CALL=

# testbed_call DOM CMD...: run CMD in DOM; no checks beyond the transport's.
testbed_call() {
	local dom=$1 dir i ports
	shift
	if [[ $(testbed_kind) == xen ]]; then
		if [[ $dom == dom0 ]]; then
			# What xl leaves behind for each domain lives as long as that.
			[[ -z $TESTBED_CALL ]] || alone "$@"
			(alone "$@")
		else
			$TESTBED_CALL "$IDDR_BUILD/tools/domain/iddr-agent" call --vchan "$(domain_name "$dom")" -- "$@"
		fi
		return
	fi
	dir=$(<"$IDDR_RUN/sockets")
	local -a args=()
	ports=$(testbed_ports)
	for ((i = 0; i < ports; i++)); do
		args+=(--unix "$dir/$i")
	done
	[[ $dom == dom0 ]] || args+=(--domain "$(domain_name "$dom")")
	$TESTBED_CALL "$IDDR_BUILD/tools/iddr-agent" call "${args[@]}" -- "$@"
}

# testbed_exec DOM [--] CMD...: run CMD in DOM exactly as given, passing input,
# output and exit status; 125 if the domain cannot be reached.
testbed_exec() {
	local dom=${1:?domain}
	shift
	[[ ${1:-} != -- ]] || shift
	(($#)) || usage_error "exec needs a command after the domain"
	domain_name "$dom" >/dev/null
	if [[ $(testbed_kind) == qemu ]] && ! qemu_alive; then
		if [[ -e $IDDR_RUN/qemu.pid ]]; then
			printf 'iddr: error: QEMU has died; see %s and run "harness/iddr up"\n' "$IDDR_RUN/log/qemu.log" >&2
		else
			printf 'iddr: error: the testbed is not up; run "harness/iddr up"\n' >&2
		fi
		return 125
	fi
	testbed_call "$dom" "$@"
}

# testbed_put FILE DOM:PATH: copy a file (or '-', standard input) into a domain.
testbed_put() {
	local file=$1 dom=${2%%:*} path=${2#*:} mode=644
	[[ $2 == *:?* ]] || usage_error "put needs DOMAIN:PATH, not '$2'"
	# shellcheck disable=SC2016 # the domain's shell expands these
	local script='t=$1.partial.$$ && cat >"$t" && chmod "$2" "$t" && mv -- "$t" "$1"'
	[[ $path != */ ]] || path+=$(basename -- "$file")
	if [[ $file == - ]]; then
		testbed_exec "$dom" sh -c "$script" put "$path" "$mode"
	else
		[[ -f $file && -r $file ]] || die "cannot read the file $file"
		[[ ! -x $file ]] || mode=755
		testbed_exec "$dom" sh -c "$script" put "$path" "$mode" <"$file"
	fi
}

# testbed_get DOM:PATH [FILE]: copy a file out of a domain, to standard output if
# no FILE is given.
testbed_get() {
	local dom=${1%%:*} path=${1#*:} file=${2:--}
	[[ $1 == *:?* ]] || usage_error "get needs DOMAIN:PATH, not '$1'"
	if [[ $file == - ]]; then
		testbed_exec "$dom" cat -- "$path" </dev/null
		return
	fi
	[[ ! -d $file ]] || file=$file/$(basename -- "$path")
	if ! testbed_exec "$dom" cat -- "$path" </dev/null >"$file.partial"; then
		rm -f -- "$file.partial"
		return 1
	fi
	mv -- "$file.partial" "$file"
}

# testbed_clock_args: kernel arguments that keep a domain on Xen's clock under TCG: its TSC drifts until
# the watchdog notices, which would change the cost of time in the midst of a run.
testbed_clock_args() {
	[[ $(testbed_accel) != tcg ]] || printf 'tsc=unstable'
}

# testbed_cpus: print how many CPUs QEMU's machine has. With a standby there is one more, the application domain's: while dom0 ends the dead
# domain, on its own, the application's kernel connects to the standby.
testbed_cpus() {
	local cpus=2
	! standby_wanted || cpus=3
	printf '%s\n' "${QEMU_CPUS:-$cpus}"
}

# testbed_cpu_app: print the CPU of an application domain.
testbed_cpu_app() {
	if [[ -z ${IDDR_CPU_APP:-} && $(testbed_kind) == qemu ]] && standby_wanted && (($(testbed_cpus) > 2)); then
		echo 2
	else
		printf '%s\n' "${IDDR_CPU_APP:-0}"
	fi
}

# testbed_config DOM: print the xl configuration of a domain, filled in.
testbed_config() {
	local boot extra disk=/@DISK@/d pci=/@PCI@/d type=${IDDR_DOMAIN_TYPE:-pv} file=$1 memory=448
	# What it needs beside the RAM disk: a standby serves when Xen has all pages of the dead domain back.
	! standby_wanted || memory=$((224 + ${IDDR_RAMDISK_MIB:-64}))
	[[ $1 != standby ]] || file=storage
	[[ $1 != app? ]] || file=app
	if [[ $(testbed_kind) == qemu ]]; then
		boot=/boot/iddr
		extra="iddr.ramdisk_mib=${IDDR_RAMDISK_MIB:-64} iddr.pairs=${IDDR_PAIRS:-both} $(testbed_clock_args)"
	else
		boot=$IDDR_RUN/boot
		extra="iddr.ramdisk_mib=${IDDR_RAMDISK_MIB:-64} iddr.pairs=${IDDR_PAIRS:-both}"
	fi
	extra+=" ${IDDR_GUEST_ARGS:-}"
	if [[ $file == storage ]] && nvme_wanted; then
		extra+=" $NVME_GUEST_ARGS iddr.nvme=1"
		if nvme_comes_later "$1"; then
			# What a domain that gets a device later needs from its beginning.
			pci='s|@PCI@|e820_host = 1\npassthrough = "enabled"|'
		else
			pci="s|@PCI@|pci = [ \"$(nvme_address "$1")\" ]|"
		fi
	fi
	if [[ $file == storage ]] && file_wanted; then
		disk="s|@DISK@|disk = [ \"$(file_disk xvdb)\" ]|"
	fi
	if [[ $file == storage && ${BACKING:-ram} != ram ]] && ! nvme_comes_later "$1"; then
		extra+=" iddr.device=$(backing_device "$BACKING")"
	fi
	sed -e "s|@NAME@|$(domain_name "$1")|" -e "s|@TYPE@|$type|; s|@KERNEL@|$boot/vmlinux|; s|@RAMDISK@|$boot/domain.cpio|" \
		-e "s|@EXTRA@|$extra|; s|@CPU_STORAGE@|${IDDR_CPU_STORAGE:-1}|; s|@CPU_APP@|$(testbed_cpu_app)|" \
		-e "s|@VCPUS_APP@|${IDDR_APP_VCPUS:-1}|; s|@MEMORY_APP@|$IDDR_APP_MIB|; s|@MEMORY_STORAGE@|$memory|" -e "$pci" -e "$disk" \
		"$IDDR_CONFIGS/domains/$file.cfg"
}

# testbed_cpio OUT: archive our modules, guest scripts and tools for the domains.
testbed_cpio() {
	local tree m
	tree=$(mktemp -d)
	mkdir -p -- "$tree"/iddr/{bin,guest,modules}
	cp -- "$IDDR_BUILD"/tools/domain/iddr-* "$tree/iddr/bin/"
	for m in "$IDDR_TOP"/harness/guest/*; do
		[[ -f $m ]] || continue
		case ${m##*/} in
		init) ;;
		rc*) cp -- "$m" "$tree/iddr/guest/" ;;
		*) cp -- "$m" "$tree/iddr/bin/" ;;
		esac
	done
	chmod 755 -- "$tree"/iddr/bin/* "$tree"/iddr/guest/*
	for m in "${BUILD_MODULES[@]}" "${BUILD_TEST_MODULES[@]}"; do
		[[ ! -f $BUILD_MODULES_DIR/$m.ko ]] || cp -- "$BUILD_MODULES_DIR/$m.ko" "$tree/iddr/modules/"
	done
	(
		cd -- "$tree" || exit 1
		# Same contents, same archive: the testbed restarts only when it must.
		find . -exec touch -h -d @0 {} +
		find . | sort | cpio -o -H newc --quiet -R 0:0 --reproducible
	) >"$1"
	rm -rf -- "$tree"
}

# qemu_arguments: print QEMU's arguments, one a line.
qemu_arguments() {
	local accel sockets=$1 i ports memory=$QEMU_MEMORY
	accel=$(testbed_accel)
	! standby_wanted || memory=$((memory + STANDBY_MIB))
	# One application domain of the usual size is in it.
	memory=$((memory + ${IDDR_APP_DOMAINS:-1} * (IDDR_APP_MIB + 64) - 512))
	ports=$(testbed_ports)
	local xen='console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=warning noreboot=0'
	xen+=' dom0_mem=512M,max:512M dom0_max_vcpus=1 dom0_vcpus_pin bootscrub=0'
	local cpu=host
	if [[ $accel == tcg ]]; then
		# With SMAP on, dom0 dies at once. With XSAVE, domains that share a CPU see
		# each other's vector registers: files that were copied had 64 bad bytes
		# here and there. The rest only costs time here.
		xen+=' smap=0 smep=0 spec-ctrl=no xpti=0 pcid=0'
		cpu=max,xsave=off
		accel=tcg,thread=multi,tb-size=512
	fi
	! nvme_wanted || xen+=' iommu=force'
	xen+=" ${IDDR_XEN_ARGS:-}"
	local linux
	linux="console=hvc0 iddr.role=dom0 $(testbed_clock_args) ${IDDR_DOM0_ARGS:-}"
	# Xen takes a dead domain's memory back page by page, in a hypercall of dom0's: its only processor would do nothing else meanwhile.
	! standby_wanted || linux+=' preempt=full'
	# It remaps interrupts, which KVM must leave to QEMU then.
	if nvme_wanted && [[ $accel == kvm ]]; then
		accel+=,kernel-irqchip=split
	fi
	printf '%s\n' -name iddr-testbed -machine q35 -accel "$accel" -cpu "$cpu" \
		-smp "$(testbed_cpus)" -m "$memory" -nodefaults -display none -no-reboot \
		-no-user-config -serial "file:$IDDR_RUN/log/console.log" \
		-kernel "$XEN_IMAGE" -append "$xen" \
		-initrd "$VMLINUX $linux,$IDDR_RUN/boot/dom0.cpio" \
		-drive "file=$IMAGE/root.sqsh,if=none,id=root,format=raw,readonly=on" \
		-device virtio-blk-pci,drive=root \
		-virtfs "local,path=$IDDR_RUN/boot,mount_tag=boot,security_model=none,readonly=on" \
		-virtfs "local,path=$IDDR_RUN/log,mount_tag=log,security_model=none" \
		-device virtio-serial-pci
	! nvme_wanted || nvme_qemu_arguments
	for ((i = 0; i < ports; i++)); do
		printf '%s\n' -chardev "socket,id=agent$i,path=$sockets/$i,server=on,wait=off" \
			-device "virtserialport,chardev=agent$i,name=iddr.$i"
	done
}

# testbed_key: a key of everything that the running testbed was made from.
testbed_key() {
	local dom
	{
		testbed_kind
		if [[ $(testbed_kind) == qemu ]]; then
			printf '%s\n' "$IMAGE_KEY"
			qemu_arguments SOCKETS
		fi
		for dom in $(testbed_domains); do
			testbed_config "$dom"
		done
		sha256sum <"$1"
	} | text_key
}

# qemu_start: boot Xen and dom0 in QEMU and wait for dom0's agent.
qemu_start() {
	local sockets line end
	local -a args=()
	need qemu-system-x86_64 qemu-system-x86
	need_space "$IDDR_RUN" 300 "the testbed's boot files"
	sockets=$(mktemp -d "${XDG_RUNTIME_DIR:-/tmp}/iddr.XXXXXX")
	printf '%s\n' "$sockets" >"$IDDR_RUN/sockets"
	while IFS= read -r line; do
		args+=("$line")
	done < <(qemu_arguments "$sockets")
	if ! (alone qemu-system-x86_64 "${args[@]}" -daemonize -pidfile "$IDDR_RUN/qemu.pid") </dev/null >"$IDDR_RUN/log/qemu.log" 2>&1; then
		tail -n 5 -- "$IDDR_RUN/log/qemu.log" >&2
		die "QEMU did not start; the log is $IDDR_RUN/log/qemu.log"
	fi
	end=$((SECONDS + TESTBED_UP_LIMIT))
	until testbed_answers dom0; do
		testbed_waiting dom0 "$end" "$IDDR_RUN/log/console.log"
	done
}

# testbed_waiting DOM END LOG: one turn of waiting for a domain's agent.
testbed_waiting() {
	if [[ $(testbed_kind) == qemu ]] && ! qemu_alive; then
		tail -n 12 -- "$3" >&2 || true
		die "QEMU ended while waiting for $1; the logs are in $IDDR_RUN/log"
	fi
	if ((SECONDS >= $2)); then
		tail -n 12 -- "$3" >&2 || true
		tail -n 1 -- "$IDDR_RUN/log/answer.log" >&2
		die "waited $TESTBED_UP_LIMIT s for the agent in $1 in vain; the log is $3"
	fi
	sleep 0.2
}

# domain_log DOM: where a domain's console is logged.
domain_log() {
	case $1 in
	dom0) printf '%s\n' "$IDDR_RUN/log/console.log" ;;
	*)
		if [[ $(testbed_kind) == qemu ]]; then
			printf '%s\n' "$IDDR_RUN/log/guest-$(domain_name "$1").log"
		else
			printf '/var/log/xen/console/guest-%s.log\n' "$(domain_name "$1")"
		fi
		;;
	esac
}

# domain_create DOM: create a domain from its configuration.
domain_create() {
	local cfg=$IDDR_RUN/boot/$1.cfg
	local -a own=()
	[[ $(testbed_kind) == xen ]] || cfg=/boot/iddr/$1.cfg
	# xl leaves a process behind that removes a domain when it has died, in the way of the supervisor that is to do so.
	[[ $1 == app* ]] || ! standby_wanted || own=(-e)
	testbed_call dom0 xl create -q "${own[@]}" "$cfg" </dev/null >&2 ||
		die "xl create of the domain $1 failed; its configuration is $IDDR_RUN/boot/$1.cfg, the log $(domain_log dom0)"
}

# domain_wait DOM: wait until a domain's agent answers and its devices are there.
domain_wait() {
	local end=$((SECONDS + TESTBED_UP_LIMIT))
	until testbed_answers "$1"; do
		testbed_waiting "$1" "$end" "$(domain_log "$1")"
	done
	if [[ $1 != app* ]] && nvme_wanted && ! nvme_comes_later "$1"; then
		nvme_wait "$1"
	fi
}

# domain_exists DOM: true if there is such a domain; status 1 if there is none, another if dom0 does not answer.
domain_exists() {
	testbed_call dom0 xl domid "$(domain_name "$1")" </dev/null >/dev/null 2>&1
}

# domain_destroy DOM: destroy a domain if it exists. (One that dies by itself meanwhile is as good.)
domain_destroy() {
	local rc=0
	domain_exists "$1" || rc=$?
	if ((rc == 0)) && ! testbed_call dom0 xl destroy "$(domain_name "$1")" </dev/null >&2; then
		domain_exists "$1" || rc=$?
		((rc == 1)) || die "xl could not destroy $(domain_name "$1"); see 'xl list' and xl's message in dom0"
	fi
	((rc <= 1)) || die "dom0 does not answer, so it is not known whether there is a domain $(domain_name "$1"); see $IDDR_RUN/log"
}

# testbed_prepare: write the boot files; sets TESTBED_KEY.
testbed_prepare() {
	local dom
	mkdir -p -- "$IDDR_RUN"/{log,boot,next}
	testbed_cpio "$IDDR_RUN/next/iddr.cpio"
	if nvme_wanted && [[ $(testbed_kind) == qemu ]]; then
		nvme_image
	fi
	TESTBED_KEY=$(testbed_key "$IDDR_RUN/next/iddr.cpio")
}

# testbed_boot_files: put the prepared files where the testbed boots from.
testbed_boot_files() {
	local boot=$IDDR_RUN/boot dom
	cat -- "$IMAGE/base.cpio" "$IDDR_RUN/next/iddr.cpio" >"$boot/dom0.cpio"
	cat -- "$IMAGE/base.cpio" "$IMAGE/root.cpio" "$IDDR_RUN/next/iddr.cpio" >"$boot/domain.cpio"
	ln -f -- "$VMLINUX" "$boot/vmlinux" 2>/dev/null || cp -- "$VMLINUX" "$boot/vmlinux"
	for dom in $(testbed_domains); do
		testbed_config "$dom" >"$boot/$dom.cfg"
	done
}

# testbed_up: boot the testbed unless it is up, healthy and current.
testbed_up() {
	# Before anything that asks for it in a subshell, which could not stop us.
	app_domains >/dev/null
	with_lock "$IDDR_BUILD/.lock" testbed_up_locked
}

# testbed_up_locked: testbed_up's work.
testbed_up_locked() {
	local start dom
	mkdir -p -- "$IDDR_RUN"
	sysroot_make
	build_tools
	build_modules
	image_make
	testbed_prepare
	if [[ -s $IDDR_RUN/key ]]; then
		if [[ $(<"$IDDR_RUN/key") != "$TESTBED_KEY" ]]; then
			note "modules, tools or configuration changed since the testbed was booted: restarting it"
		elif testbed_is_up; then
			return 0
		else
			note "the testbed has died or does not answer: restarting it (its logs are kept in $IDDR_RUN/log.old)"
		fi
	elif [[ -e $IDDR_RUN/qemu.pid ]]; then
		note "a testbed was left half started: restarting it"
	fi
	testbed_down_locked
	start=$(now_ms)
	rm -rf -- "$IDDR_RUN/log.old"
	[[ ! -d $IDDR_RUN/log ]] || mv -- "$IDDR_RUN/log" "$IDDR_RUN/log.old"
	mkdir -p -- "$IDDR_RUN/log"
	# shellcheck disable=SC2034 # read by the deferred command
	TESTBED_STARTING=1
	# shellcheck disable=SC2016 # expanded when it runs
	defer '[[ -z ${TESTBED_STARTING:-} || -n ${IDDR_KEEP_FAILED:-} ]] || testbed_down_locked'
	testbed_boot_files
	if [[ $(testbed_kind) == qemu ]]; then
		note "booting Xen in QEMU ($(testbed_accel))"
		qemu_start
		note "dom0 is up after $((($(now_ms) - start + 500) / 1000)) s"
	else
		testbed_is_dom0 || die "TESTBED=xen, but this machine is not a Xen dom0"
		need xl xen-utils-4.17
	fi
	! file_wanted || file_make
	! nvme_wanted || nvme_assign
	for dom in $(testbed_domains); do
		domain_create "$dom"
	done
	for dom in $(testbed_domains); do
		domain_wait "$dom"
	done
	printf '%s\n' "$TESTBED_KEY" >"$IDDR_RUN/key"
	# shellcheck disable=SC2034
	TESTBED_STARTING=
	note "the testbed is up after $((($(now_ms) - start + 500) / 1000)) s"
}

# testbed_down: stop the testbed; nothing of it keeps running.
testbed_down() {
	with_lock "$IDDR_BUILD/.lock" testbed_down_locked
}

# testbed_down_locked: testbed_down's work.
testbed_down_locked() {
	local dom
	if [[ $(testbed_kind) == qemu ]]; then
		qemu_kill
	elif testbed_is_dom0; then
		supervise_end
		for dom in app app2 app3 app4 storage standby; do
			domain_destroy "$dom"
		done
		file_remove
		nvme_return
		rm -f -- "$IDDR_RUN/key"
	fi
}

# help: up -- boot the testbed (nothing if it is up and current)
cmd_up() {
	(($# == 0)) || usage_error "up takes no arguments"
	measure_idle
	testbed_up
}

# help: down -- stop the testbed
cmd_down() {
	(($# == 0)) || usage_error "down takes no arguments"
	measure_idle
	testbed_down
	# One that was booted with TESTBED=qemu, on a Xen host.
	[[ $(testbed_kind) == qemu ]] || TESTBED=qemu "$0" down
}

# help: exec DOM [--] COMMAND... -- run a command in dom0, storage, app (app2 to app4) or standby
cmd_exec() {
	(($# >= 2)) || usage_error "exec needs a domain (dom0, storage or app) and a command"
	TESTBED_CALL='exec'
	testbed_exec "$@"
}

# help: put FILE DOM:PATH -- copy a file into a domain
cmd_put() {
	(($# == 2)) || usage_error "put needs FILE and DOMAIN:PATH"
	testbed_put "$@"
}

# help: get DOM:PATH [FILE] -- copy a file out of a domain
cmd_get() {
	(($# == 1 || $# == 2)) || usage_error "get needs DOMAIN:PATH and perhaps FILE"
	testbed_get "$@"
}

# help: shell DOM -- an interactive shell in dom0, storage, app (app2 to app4) or standby
cmd_shell() {
	(($# == 1)) || usage_error "shell needs a domain: dom0, storage or app"
	local size saved rc=0
	if [[ ! -t 0 ]]; then
		testbed_exec "$1" bash -l
		return
	fi
	size=$(stty size)
	saved=$(stty -g)
	defer "stty '$saved'"
	stty raw -echo
	# shellcheck disable=SC2016 # nothing here is to be expanded
	testbed_exec "$1" script -qefc \
		"stty rows ${size% *} cols ${size#* }; TERM=${TERM:-vt100} exec bash -il" /dev/null || rc=$?
	stty "$saved"
	return "$rc"
}

# testbed_health DOM: print the lines of a domain's kernel log that mean trouble.
testbed_health() {
	if [[ $1 == dom0 && $(testbed_kind) == xen ]]; then
		# The host's log holds more than our business.
		return 0
	fi
	testbed_exec "$1" iddr-report health </dev/null
}

# help: status -- domains, disks with modes and counters, health
cmd_status() {
	(($# == 0)) || usage_error "status takes no arguments"
	local dom problems bad=
	if [[ $(testbed_kind) == qemu ]] && ! qemu_alive; then
		if [[ -e $IDDR_RUN/qemu.pid ]]; then
			die "QEMU has died; see $IDDR_RUN/log/qemu.log and run 'harness/iddr up'"
		fi
		die "the testbed is not up; run 'harness/iddr up'"
	fi
	printf 'testbed: %s\n\n' "$(testbed_label)"
	testbed_exec dom0 xl list </dev/null || bad=1
	printf '\n'
	for dom in $(app_domains) storage; do
		testbed_exec "$dom" iddr-report </dev/null || bad=1
	done | awk -f "$IDDR_TOP/harness/awk/status.awk"
	printf '\n'
	for dom in dom0 $(app_domains) storage; do
		if ! problems=$(testbed_health "$dom"); then
			printf '%-8s does not answer; its log is %s\n' "$dom" "$(domain_log "$dom")"
			bad=1
		elif [[ -n $problems ]]; then
			printf '%-8s %d suspicious lines in the kernel log, the last:\n' "$dom" "$(wc -l <<<"$problems")"
			tail -n 3 <<<"$problems" | sed 's/^/         /'
			bad=1
		else
			printf '%-8s healthy\n' "$dom"
		fi
	done
	[[ -z $bad ]] || die "not all is well"
}

# image_package NAME: the version of a package in the root image.
image_package() {
	local v=
	[[ ! -r $IMAGE/iddr-packages ]] ||
		v=$(awk -v name="$1" '{ sub(/:.*/, "", $1) } $1 == name { print $2 }' "$IMAGE/iddr-packages")
	[[ -n $v ]] || v=$(package_version "$1")
	printf '%s\n' "$v"
}

# testbed_facts: print a JSON object of all that results may depend on.
testbed_facts() {
	local info sched m dom qemu=none dirty=false commit
	sysroot_make
	image_paths
	build_modules
	info=$(testbed_exec dom0 xl info </dev/null)
	sched=$(testbed_exec dom0 sh -c 'xl sched-credit2 -s 2>/dev/null || xl sched-credit -s 2>/dev/null' </dev/null || true)
	[[ $(testbed_kind) == xen ]] || qemu=$(qemu-system-x86_64 --version | awk 'NR == 1 { sub(/^.*version /, ""); print }')
	commit=$(git -C "$IDDR_TOP" rev-parse HEAD 2>/dev/null || printf 'unknown')
	[[ -z $(git -C "$IDDR_TOP" status --porcelain 2>/dev/null) ]] || dirty=true
	{
		for m in "${BUILD_MODULES[@]}"; do
			printf 'module\t%s\t%s\n' "${m##*/}" "$(modinfo -F srcversion "$BUILD_MODULES_DIR/$m.ko")"
		done
		for dom in app storage; do
			printf 'config\t%s\t%s\n' "$dom" "$(testbed_config "$dom" | jq -Rs .)"
			printf 'config_sha256\t%s\t%s\n' "$dom" "$(testbed_config "$dom" | sha256sum | cut -c 1-64)"
		done
		printf 'fact\ttestbed\t%s\n' "$(testbed_kind)"
		printf 'fact\tlabel\t%s\n' "$(testbed_label)"
		printf 'fact\tqemu\t%s\n' "$qemu"
		printf 'fact\txen\t%s\n' "$(awk -F ': *' '/^xen_version/ { print $2 }' <<<"$info")"
		printf 'fact\txen_package\t%s\n' "$(package_version xen-hypervisor-4.17-amd64)"
		printf 'fact\txen_commandline\t%s\n' "$(awk -F ': *' '/^xen_commandline/ { sub(/^[^:]*: */, ""); print }' <<<"$info")"
		printf 'fact\txen_cpus\t%s\n' "$(awk -F ': *' '/^nr_cpus/ { print $2 }' <<<"$info")"
		printf 'fact\txen_scheduler\t%s\n' "$(awk -F ': *' '/^xen_scheduler/ { print $2 }' <<<"$info")"
		printf 'fact\txen_scheduler_parameters\t%s\n' "$(head -n 1 <<<"$sched")"
		printf 'fact\tkernel\t%s\n' "$(testbed_exec app uname -rv </dev/null)"
		printf 'fact\tkernel_package\t%s\n' "$(package_version "linux-image-$KERNEL_ABI")"
		printf 'fact\tfio\t%s\n' "$(image_package fio)"
		printf 'fact\tperf\t%s\n' "$(image_package linux-perf)"
		printf 'fact\timage\t%s\n' "$IMAGE_KEY"
		! nvme_wanted || nvme_facts
		printf 'fact\thost_cpu\t%s\n' "$(awk -F ': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)"
		printf 'fact\thost_kernel\t%s\n' "$(uname -r)"
		printf 'fact\thost_cores\t%s\n' "$(nproc)"
		printf 'fact\tcommit\t%s\n' "$commit"
		printf 'fact\tcommit_dirty\t%s\n' "$dirty"
	} | jq -Rn -f "$IDDR_TOP/harness/jq/facts.jq"
}

# help: facts -- print, as JSON, all that results may depend on
cmd_facts() {
	(($# == 0)) || usage_error "facts takes no arguments"
	testbed_facts
}
