# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# faults.sh: the fault campaign: let the driver fail under load, isolated and not, and see what is left.
#
#	results/faults/RUN/facts.json          what it was measured on
#	results/faults/RUN/cells/NAME/         raw data of a fault in an arrangement, once
#	results/faults/RUN/{rows,summary}.tsv  a row a cell; a row a fault and arrangement
#
# Arrangements. isolated: the driver is in the storage domain, the application has its disk through our pair, a
# supervisor is at work. monolithic: the same driver and device in the application domain's own kernel.

# Those of the test module (modules/test/fault), and those of fault-strike.
FAULTS_MODULE='panic null wild-write stack deadlock loop stuck memory'
FAULTS_OTHER='destroy pause unbind'
# The run that is being measured, empty when it is whole.
FAULTS_DIR=
# The domains are not those of the testbed.
FAULTS_SPOILT=
# What the application domain calls the disk of the present cell.
FAULTS_DISK=

# faults_plan SIZE: print FAULT ARRANGEMENT REPETITION a line.
faults_plan() {
	local list="$FAULTS_MODULE $FAULTS_OTHER" reps=1 rep fault
	case $1 in
	smoke) list='panic destroy loop' ;;
	quick) ;;
	full) reps=10 ;;
	*) usage_error "there is no size '$1'; use smoke, quick or full" ;;
	esac
	for ((rep = 1; rep <= reps; rep++)); do
		for fault in $list; do
			printf '%s isolated %s\n' "$fault" "$rep"
		done
		# What becomes of a kernel by itself varies little, and each time it is booted anew.
		((rep <= 3)) || continue
		for fault in $list; do
			printf '%s monolithic %s\n' "$fault" "$rep"
		done
	done
}

# faults_at: the function of the driver of the present backing that each request passes.
faults_at() {
	case $BACKING in
	file) printf 'blkif_queue_rq\n' ;;
	nvme) printf 'nvme_setup_cmd\n' ;;
	esac
}

# faults_arm DOM FAULT: load the test module, if the fault is one of its.
faults_arm() {
	[[ " $FAULTS_MODULE " == *" $2 "* ]] || return 0
	in_dom "$1" insmod /iddr/modules/iddr_fault.ko at="$(faults_at)" </dev/null
}

# faults_strike FAULT DOM: let it happen.
faults_strike() {
	limited 60 in_dom dom0 "$(dom0_program fault-strike)" "$1" "$(domain_name "$2")" "$(dom0_program iddr-agent)" </dev/null
}

# faults_domain DOM: what became of a domain: gone, silent or survived.
faults_domain() {
	if ! in_dom dom0 xl domid "$(domain_name "$1")" </dev/null >/dev/null 2>&1; then
		printf 'gone\n'
	elif limited 15 in_dom "$1" true </dev/null >/dev/null 2>&1; then
		printf 'survived\n'
	else
		printf 'silent\n'
	fi
}

# faults_app_alone: a fresh application domain, which has the device and its driver itself; sets FAULTS_DISK.
faults_app_alone() {
	local cfg=/boot/iddr/app.cfg extra
	FAULTS_SPOILT=1
	domain_destroy app
	if [[ $BACKING == file ]]; then
		domain_create app 8>&-
		domain_wait app 8>&-
		FAULTS_DISK=xvda
		in_dom dom0 xl block-attach "$(domain_name app)" "$(file_disk "$FAULTS_DISK")" </dev/null >&2 ||
			testbed_lost "when $FAULTS_DISK was to be attached to the application domain itself"
	else
		domain_destroy storage
		[[ $(testbed_kind) == qemu ]] || cfg=$IDDR_RUN/boot/app.cfg
		extra=$(testbed_config app | sed -n 's/^extra = "\(.*\)"$/\1/p')
		in_dom dom0 xl create -q "$cfg" "pci=['$(nvme_address)']" "extra='$extra $NVME_GUEST_ARGS'" </dev/null >&2 ||
			testbed_lost "when the application domain was to have the controller"
		domain_wait app 8>&-
		in_dom app sh -c 'modprobe xen-pcifront && insmod /iddr/modules/iddr_msix.ko && modprobe nvme poll_queues=1' </dev/null
		FAULTS_DISK=nvme0n1
	fi
	# shellcheck disable=SC2016 # the domain's shell expands these
	in_dom app bash -c 'for ((i = 0; i < 300; i++)); do [[ ! -b /dev/$1 ]] || exit 0; sleep 0.1; done; exit 1' wait "$FAULTS_DISK" </dev/null ||
		testbed_lost "while waiting for $FAULTS_DISK in the application domain"
}

# faults_both: the two domains, and a disk from one to the other; sets FAULTS_DISK.
faults_both() {
	if [[ -n $FAULTS_SPOILT ]]; then
		domain_destroy app
		if ! in_dom dom0 xl domid "$(domain_name storage)" </dev/null >/dev/null 2>&1; then
			domain_create storage 8>&-
			domain_wait storage 8>&-
		fi
		domain_create app 8>&-
		domain_wait app 8>&-
		FAULTS_SPOILT=
	fi
	# All of it, if a cell could not be recovered from.
	testbed_up 8>&-
	FAULTS_DISK=xvda
	disk_attach app "$FAULTS_DISK" "$(backing_device "$BACKING")" 8>&-
}

# faults_rows FILE: rows of the supervisor's, without the header.
faults_rows() {
	(($(wc -l <"$1") > 1))
}

# faults_isolated FAULT: a cell in the present directory.
faults_isolated() {
	local boot pid
	faults_both
	boot=$(in_dom app cat /proc/sys/kernel/random/boot_id </dev/null)
	limited 90 in_dom app fault-load start "$FAULTS_DISK" </dev/null || testbed_lost "while the load was started"
	faults_arm storage "$1"
	set -m
	supervise --hang "$FAULTS_HANG" --limit 3 >supervise.tsv 2>supervise.log 8>&- &
	pid=$!
	set +m
	MEASURE_PIDS+=("$pid")
	wait_for 30 "the supervisor" supervise.log test -s supervise.tsv
	faults_strike "$1" storage
	# Else the row says what was not reached.
	(wait_for $((FAULTS_HANG + 200)) "the recovery" supervise.log faults_rows supervise.tsv) || true
	sleep 3
	kill -- "-$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	unset 'MEASURE_PIDS[-1]'
	printf 'application_kernel\t%s\n' "$(faults_domain app)" >outcome.tsv
	[[ $(in_dom app cat /proc/sys/kernel/random/boot_id </dev/null) == "$boot" ]] ||
		printf 'application_kernel\tgone\n' >outcome.tsv
	limited 240 in_dom app fault-load end "$FAULTS_DISK" </dev/null >truth.tsv 2>truth.log || true
	in_dom app cat /run/iddr/fault/timeline </dev/null >timeline.tsv 2>/dev/null || true
	in_dom app dmesg </dev/null >app.log 2>&1 || true
	disk_detach app "$FAULTS_DISK" 8>&- || testbed_lost "when $FAULTS_DISK was to be detached"
}

# faults_monolithic FAULT: a cell in the present directory.
faults_monolithic() {
	local kernel
	faults_app_alone
	limited 90 in_dom app fault-load start "$FAULTS_DISK" </dev/null || testbed_lost "while the load was started"
	faults_arm app "$1"
	faults_strike "$1" app
	sleep "$FAULTS_HANG"
	kernel=$(faults_domain app)
	printf 'application_kernel\t%s\n' "$kernel" >outcome.tsv
	: >truth.tsv
	if [[ $kernel == survived ]]; then
		# What waits for the driver does not end.
		limited 20 in_dom app fault-load end "$FAULTS_DISK" </dev/null >truth.tsv 2>truth.log || true
		in_dom app dmesg </dev/null >app.log 2>&1 || true
	fi
}

# faults_cell FAULT ARRANGEMENT REPETITION: measure one and keep it.
faults_cell() {
	local cell=$FAULTS_DIR/cells/$1-$2-$3
	rm -rf -- "$cell.partial"
	mkdir -p -- "$cell.partial"
	cd -- "$cell.partial" || die "cannot enter $cell.partial"
	"faults_$2" "$1"
	printf 'fault\t%s\narrangement\t%s\nrepetition\t%s\nbacking\t%s\n' "$1" "$2" "$3" "$BACKING" >>outcome.tsv
	cd -- "$IDDR_TOP" || die "cannot enter $IDDR_TOP"
	mv -T -- "$cell.partial" "$cell"
}

# faults_derive DIR: make the tables of a run of its cells.
faults_derive() {
	local cells=()
	mapfile -t cells < <(find "$1/cells" -mindepth 1 -maxdepth 1 -type d ! -name '*.partial' | sort)
	((${#cells[@]})) || return 0
	awk -f "$AWK/fault-rows.awk" "${cells[@]/%//outcome.tsv}" >"$1/rows.tsv.tmp"
	mv -- "$1/rows.tsv.tmp" "$1/rows.tsv"
	awk -f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/fault-summary.awk" "$1/rows.tsv" >"$1/summary.tsv.tmp"
	mv -- "$1/summary.tsv.tmp" "$1/summary.tsv"
}

# faults_cleanup: the testbed goes if its domains are not what it should have.
faults_cleanup() {
	[[ -z $FAULTS_SPOILT ]] || testbed_down 8>&-
}

# faults_unfinished: say what is kept when a campaign ends early.
faults_unfinished() {
	[[ -n $FAULTS_DIR ]] || return 0
	faults_derive "$FAULTS_DIR"
	note "stopped early; what is finished is kept in $FAULTS_DIR, the same command goes on from there"
}

# help: faults [--size smoke|quick|full] [--run RUN] [--hang SECONDS] -- crash the driver under load, isolated and in the application's own kernel, and tabulate what is left
cmd_faults() {
	local size=smoke run='' work total n=0 started fault arrangement rep
	FAULTS_HANG=10
	while (($#)); do
		(($# > 1)) || usage_error "faults: $1 wants a value"
		case $1 in
		--size) size=$2 ;;
		--run) run=$2 ;;
		--hang) FAULTS_HANG=$2 ;;
		*) usage_error "faults: unknown option '$1'; usage: faults [--size smoke|quick|full] [--run RUN] [--hang SECONDS]" ;;
		esac
		shift 2
	done
	[[ -z $run || $run =~ ^[A-Za-z0-9._-]+$ ]] || usage_error "faults: RUN '$run' must be a plain name of letters, digits and . _ -"
	[[ $FAULTS_HANG =~ ^[1-9][0-9]{0,2}$ ]] || usage_error "faults: --hang '$FAULTS_HANG' is not a number of seconds"
	need jq jq
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # the directory of now
	defer "rm -rf -- '$work'"
	faults_plan "$size" >"$work/plan"
	total=$(wc -l <"$work/plan")
	results_writable "$RESULTS"
	export BACKING=${BACKING:-file}
	[[ $BACKING != ram ]] || usage_error "faults: a RAM disk dies with its domain, and is another one afterwards; use BACKING=file or BACKING=nvme"
	measure_lock
	measure_up
	defer measure_cleanup
	defer faults_cleanup
	testbed_facts 8>&- >"$work/facts.json" || testbed_lost "while it was asked for its versions"
	[[ -n $run ]] || run=$({
		environment_key "$work/facts.json"
		cat -- "$IDDR_TOP"/harness/guest/{fault-*,iddr-supervise} "$IDDR_TOP/harness/lib/faults.sh"
		printf '%s\n' "$FAULTS_HANG"
	} | text_key)
	FAULTS_DIR=$RESULTS/faults/$run
	results_writable "$FAULTS_DIR"
	mkdir -p -- "$FAULTS_DIR/cells"
	cp -- "$work/facts.json" "$FAULTS_DIR/"
	note "faults, size $size, run $run: $total cells"
	defer faults_unfinished
	started=$(now_ms)
	while read -r fault arrangement rep <&7; do
		n=$((n + 1))
		if [[ -d $FAULTS_DIR/cells/$fault-$arrangement-$rep ]]; then
			continue
		fi
		started=$(now_ms)
		faults_cell "$fault" "$arrangement" "$rep" 7<&-
		faults_derive "$FAULTS_DIR"
		printf '[%*d/%d] %s %s: %s  (%d s)\n' "${#total}" "$n" "$total" "$fault" "$arrangement" \
			"$(awk -v cell="$fault $arrangement $rep" -f "$AWK/table.awk" -f "$AWK/fault-line.awk" "$FAULTS_DIR/rows.tsv")" \
			"$((($(now_ms) - started) / 1000))" >&2
	done 7<"$work/plan"
	faults_derive "$FAULTS_DIR"
	note "tables: $FAULTS_DIR/{summary,rows}.tsv"
	FAULTS_DIR=
}
