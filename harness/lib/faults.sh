# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# faults.sh: the fault campaign: let the driver fail under load, isolated and not, and see what is left.
#
#	results/faults/RUN/facts.json          what it was measured on
#	results/faults/RUN/cells/NAME/         raw data of a fault in an arrangement under a load, once
#	results/faults/RUN/{rows,summary}.tsv  a row a cell; a row a fault, arrangement and load
#	results/faults/RUN/timeline.tsv        answers a second around the outage
#
# Arrangements. isolated: the driver is in the storage domain, the application has its disk through our pair, a
# supervisor is at work. standby: likewise, with another storage domain that waits. monolithic: the same driver and device
# in the application domain's own kernel. Loads: see harness/guest/fault-load.

# Every fault: its name, the one of the test module (modules/test/fault) that it is, or - for one of fault-strike's, and where, for
# each backing: "driver" is the function of its driver that each request passes, "irq" its interrupt handler, any other
# a function's name, - where there is none. Where is the module's own: "back" says that the fault is in the back end, which the
# control has not. And none at all, in a full campaign: the load runs for an hour, in which nobody is to do anything.
FAULTS='
panic        panic       driver
null         null        driver
wild-write   wild-write  driver
stack        stack       driver
deadlock     deadlock    driver
loop         loop        driver
stuck        stuck       driver
memory       memory      driver
lost-irq     skip        irq
wild-dma     dma         dma
back-loop    loop        iddr_back_drain
lost-notify  skip        iddr_queue_notify
lost-upcall  skip        iddr_queue_upcall
bad-response response    iddr_back_respond
destroy      -           -
pause        -           -
unbind       -           -
io-error     -           device
silent       -           device
none         -           quiet
'
# Those after which the storage domain is as good as before: nobody is to do anything about them.
FAULTS_PASSING='lost-notify io-error wild-dma'
# How long after them to wait for what comes of them, in seconds.
FAULTS_SETTLE=20
FAULTS_QUIET=3600
# The run that is being measured, empty when it is whole.
FAULTS_DIR=
# The domains are not those of the testbed.
FAULTS_SPOILT=
# What the application domain calls the disk of the present cell.
FAULTS_DISK=

# faults_list: print the names of the faults that there are with the present backing.
faults_list() {
	awk -v backing="$BACKING" 'NF && $3 != "quiet" && ($3 != "dma" || backing == "nvme") && ($3 != "device" || backing == "file") { print $1 }' <<<"$FAULTS"
}

# faults_field FAULT N: print a column of the list.
faults_field() {
	awk -v name="$1" -v n="$2" '$1 == name { print $n }' <<<"$FAULTS"
}

# faults_plan SIZE: print FAULT ARRANGEMENT LOAD REPETITION a line. One arrangement after the other: between them domains are booted.
faults_plan() {
	local list sudden=panic sql=panic reps=1 takeovers=1 controls=1 quiet=0
	list=$(faults_list)
	case $1 in
	smoke) list=$'panic\ndestroy\nloop' ;;
	quick) sudden='panic destroy loop stuck' sql='panic destroy loop' ;;
	full) sudden='panic destroy loop stuck' sql='panic destroy loop' reps=7 takeovers=5 controls=3 quiet=1 ;;
	*) usage_error "there is no size '$1'; use smoke, quick or full" ;;
	esac
	# shellcheck disable=SC2046,SC2086 # lists of words
	{
		faults_cells isolated truth "$reps" $list
		faults_cells isolated sqlite "$controls" $sql
		faults_cells standby truth "$takeovers" $sudden
		faults_cells standby sqlite "$controls" panic
		# What becomes of a kernel by itself varies little, and each time it is booted anew.
		faults_cells monolithic truth "$controls" $(awk 'NF && $3 !~ /^iddr_/ { print $1 }' <<<"$FAULTS" | grep -xF "$list")
		# It takes as long as a hundred of the others, so they come first.
		faults_cells isolated truth "$quiet" none
	}
}

# faults_cells ARRANGEMENT LOAD REPETITIONS FAULT...: lines of the plan.
faults_cells() {
	local rep fault
	for ((rep = 1; rep <= $3; rep++)); do
		for fault in "${@:4}"; do
			printf '%s %s %s %s\n' "$fault" "$1" "$2" "$rep"
		done
	done
}

# faults_at FAULT: the function in which it is, with the present backing.
faults_at() {
	local at
	at=$(faults_field "$1" 3)
	case $BACKING:$at in
	file:driver) at=blkif_queue_rq ;;
	file:irq) at=blkif_interrupt ;;
	nvme:driver) at=nvme_setup_cmd ;;
	nvme:irq) at=nvme_irq ;;
	*:dma) at=dma_map_page_attrs ;;
	esac
	printf '%s\n' "$at"
}

# faults_arm DOM FAULT: load the test module, if the fault is one of its.
faults_arm() {
	[[ $(faults_field "$2" 2) != - ]] || return 0
	in_dom "$1" insmod /iddr/modules/iddr_fault.ko at="$(faults_at "$2")" </dev/null
}

# faults_strike FAULT DOM: let it happen.
faults_strike() {
	local name
	[[ $1 != none ]] || return 0
	name=$(faults_field "$1" 2)
	[[ $name != - ]] || name=$1
	limited 60 in_dom dom0 "$(dom0_program fault-strike)" "$name" "$(domain_name "$2")" "$(dom0_program iddr-agent)" "${FILE_DISK##*/}" </dev/null
}

# faults_domain DOM: print what became of a domain: gone, silent or survived. A dom0 that does not say is an end of it.
faults_domain() {
	local rc=0
	limited 60 domain_exists "$1" 8>&- || rc=$?
	((rc <= 1)) || testbed_lost "when dom0 was asked for the domain $1"
	if ((rc)); then
		printf 'gone\n'
	elif limited 60 in_dom "$1" true </dev/null >/dev/null 2>&1; then
		printf 'survived\n'
	else
		printf 'silent\n'
	fi
}

# faults_kernel DOM BOOT: likewise, and one that has booted since it was BOOT is gone.
faults_kernel() {
	local kernel
	kernel=$(faults_domain "$1")
	[[ $kernel != survived || $(limited 30 in_dom "$1" cat /proc/sys/kernel/random/boot_id </dev/null) == "$2" ]] || kernel=gone
	printf '%s\n' "$kernel"
}

# faults_struck FAULT DOM: where DOM lives, the test module must have done what it was armed for: else nothing has been measured.
faults_struck() {
	local armed
	[[ $1 != none && $(faults_field "$1" 2) != - ]] || return 0
	armed=$(limited 15 in_dom "$2" cat /sys/kernel/debug/iddr_fault/inject </dev/null 2>/dev/null) || return 0
	[[ $armed == none ]] ||
		die "the fault $1 has not struck: the domain $2 has not come to $(faults_at "$1"); the same command runs this cell again"
}

# faults_app_alone: a fresh application domain, which has the device and its driver itself; sets FAULTS_DISK.
faults_app_alone() {
	local cfg=/boot/iddr/app.cfg extra
	FAULTS_SPOILT=1
	domain_destroy app
	# Neither of them must have the device too.
	domain_destroy storage
	domain_destroy standby
	if [[ $BACKING == file ]]; then
		domain_create app 8>&-
		domain_wait app 8>&-
		FAULTS_DISK=xvda
		in_dom dom0 xl block-attach "$(domain_name app)" "$(file_disk "$FAULTS_DISK")" </dev/null >&2 ||
			testbed_lost "when $FAULTS_DISK was to be attached to the application domain itself"
	else
		[[ $(testbed_kind) == qemu ]] || cfg=$IDDR_RUN/boot/app.cfg
		extra=$(testbed_config app | sed -n 's/^extra = "\(.*\)"$/\1/p')
		in_dom dom0 xl create -q "$cfg" "pci=['$(nvme_address storage)']" "extra='$extra $NVME_GUEST_ARGS'" </dev/null >&2 ||
			testbed_lost "when the application domain was to have the controller"
		domain_wait app 8>&-
		# Drivers are bound by hand there.
		in_dom app sh -c 'modprobe xen-pcifront && echo pci-0 >/sys/bus/xen/drivers/pcifront/bind &&
			insmod /iddr/modules/iddr_msix.ko && modprobe nvme poll_queues=1' </dev/null ||
			testbed_lost "when the application domain was to load the controller's driver"
		FAULTS_DISK=nvme0n1
	fi
	# shellcheck disable=SC2016 # the domain's shell expands these
	in_dom app bash -c 'for ((i = 0; i < 300; i++)); do [[ ! -b /dev/$1 ]] || exit 0; sleep 0.1; done; exit 1' wait "$FAULTS_DISK" </dev/null ||
		testbed_lost "while waiting for $FAULTS_DISK in the application domain"
}

# faults_both: the two domains, and a disk from one to the other; sets FAULTS_DISK.
faults_both() {
	local dom
	if [[ -n $FAULTS_SPOILT ]]; then
		for dom in $(testbed_domains); do
			domain_destroy "$dom"
		done
		for dom in $(testbed_domains); do
			domain_create "$dom" 8>&-
		done
		for dom in $(testbed_domains); do
			domain_wait "$dom" 8>&-
		done
		FAULTS_SPOILT=
	fi
	# All of it, if a cell could not be recovered from; which no supervisor is to go on with.
	testbed_up 8>&-
	in_dom dom0 xenstore-rm /tool/iddr/incident </dev/null 2>/dev/null || true
	FAULTS_DISK=xvda
	disk_attach app "$FAULTS_DISK" "$(backing_device "$BACKING")" 8>&-
}

# faults_rows FILE: rows of the supervisor's, without the header.
faults_rows() {
	(($(wc -l <"$1") > 1))
}

# faults_standby_waits: true if there is a standby, and the disk has a spare of it; where it has to take the controller over first, if it is up.
faults_standby_waits() {
	# shellcheck disable=SC2016 # dom0's shell expands these
	local test='[ "$(xenstore-read /tool/iddr/spares)" = "$id made" ]'
	# shellcheck disable=SC2016 # likewise
	! nvme_takes_over || test='xenstore-exists "/local/domain/$id/data/iddr/pulse"'
	# shellcheck disable=SC2016 # likewise
	in_dom dom0 sh -c 'id=$(xl domid "$1") && '"$test" waits "$(domain_name standby)" </dev/null >/dev/null 2>&1
}

# faults_isolated FAULT LOAD [STANDBY]: a cell in the present directory, with a standby if STANDBY is 1.
faults_isolated() {
	local boot pid kernel end spoilt=
	faults_both
	# Until it has ended well.
	FAULTS_SPOILT=1
	boot=$(in_dom app cat /proc/sys/kernel/random/boot_id </dev/null)
	limited 90 in_dom app fault-load start "$2" "$FAULTS_DISK" </dev/null || testbed_lost "while the load was started"
	faults_arm storage "$1" || testbed_lost "while the fault $1 was prepared in the storage domain"
	set -m
	STANDBY=${3:-0} supervise --hang "$FAULTS_HANG" --limit 3 >supervise.tsv 2>supervise.log 8>&- &
	pid=$!
	set +m
	MEASURE_PIDS+=("$pid")
	wait_for 30 "the supervisor" supervise.log test -s supervise.tsv
	[[ -z ${3:-} ]] || wait_for 90 "the disk's spare" supervise.log faults_standby_waits
	faults_strike "$1" storage || testbed_lost "while the fault $1 was to happen"
	if [[ $1 == none ]]; then
		note "the load runs for $((FAULTS_QUIET / 60)) min, and nothing is to happen"
		end=$((SECONDS + FAULTS_QUIET))
		while ((SECONDS < end)); do
			kill -0 "$pid" 2>/dev/null ||
				die "the supervisor has ended by itself; its messages are in $PWD/supervise.log, and the same command runs this cell again"
			sleep 1
		done
	elif [[ " $FAULTS_PASSING " == *" $1 "* ]]; then
		sleep "$FAULTS_SETTLE"
	else
		# Else the row says what was not reached.
		(wait_for $((FAULTS_HANG + 200)) "the recovery" supervise.log faults_rows supervise.tsv) || true
		[[ -z ${3:-} ]] || (wait_for 90 "the next standby" supervise.log faults_standby_waits) || spoilt=1
		sleep 3
	fi
	faults_rows supervise.tsv || faults_struck "$1" storage
	kill -- "-$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	unset 'MEASURE_PIDS[-1]'
	printf 'boot\t%s\n' "${boot:0:8}" >outcome.tsv
	limited 240 in_dom app fault-load end "$2" "$FAULTS_DISK" </dev/null >truth.tsv 2>truth.log || true
	limited 30 in_dom app cat /run/iddr/fault/timeline </dev/null >timeline.tsv 2>/dev/null || true
	limited 30 in_dom app dmesg -c </dev/null >app.log 2>&1 || true
	# One that has struck for good does not go; its domain has.
	limited 10 in_dom storage rmmod iddr_fault </dev/null >/dev/null 2>&1 || true
	# Whatever has become of the application domain, this is the cell: if it is not as it should be, the next one has another.
	kernel=$(faults_kernel app "$boot")
	if [[ $kernel == survived ]] && grep -q '^violations' truth.tsv && disk_detach app "$FAULTS_DISK" 8>&-; then
		FAULTS_SPOILT=$spoilt
		# After which nothing should be left.
		{
			limited 60 in_dom app fault-rest app </dev/null
			limited 60 in_dom dom0 "$(dom0_program fault-rest)" dom0 </dev/null
		} >rest.tsv || true
	else
		note "the application domain and its disk are not as they were: the next cell has new domains"
	fi
	[[ $kernel != survived ]] || kernel=$(faults_kernel app "$boot")
	printf 'application_kernel\t%s\n' "$kernel" >>outcome.tsv
}

# faults_standby FAULT LOAD: likewise.
faults_standby() {
	faults_isolated "$@" 1
}

# faults_monolithic FAULT LOAD: a cell in the present directory.
faults_monolithic() {
	local kernel
	faults_app_alone
	limited 90 in_dom app fault-load start "$2" "$FAULTS_DISK" </dev/null || testbed_lost "while the load was started"
	faults_arm app "$1" || testbed_lost "while the fault $1 was prepared in the application domain"
	faults_strike "$1" app || testbed_lost "while the fault $1 was to happen"
	if [[ " $FAULTS_PASSING " == *" $1 "* ]]; then
		sleep "$FAULTS_SETTLE"
	else
		sleep "$FAULTS_HANG"
	fi
	kernel=$(faults_domain app)
	[[ $kernel != survived ]] || faults_struck "$1" app
	printf 'application_kernel\t%s\n' "$kernel" >outcome.tsv
	: >truth.tsv
	if [[ $kernel == survived ]]; then
		# With the patience that the isolated side has: NVMe's driver gives a device a minute.
		limited 240 in_dom app fault-load end "$2" "$FAULTS_DISK" </dev/null >truth.tsv 2>truth.log || true
		limited 30 in_dom app cat /run/iddr/fault/timeline </dev/null >timeline.tsv 2>/dev/null || true
		limited 30 in_dom app dmesg </dev/null >app.log 2>&1 || true
		# One that has lost a processor in the midst of something may answer for a while.
		kernel=$(faults_domain app)
		printf 'application_kernel\t%s\n' "$kernel" >outcome.tsv
	fi
}

# faults_cell FAULT ARRANGEMENT LOAD REPETITION ORDER: measure one and keep it.
faults_cell() {
	local cell=$FAULTS_DIR/cells/$1-$2-$3-$4
	rm -rf -- "$cell.partial"
	mkdir -p -- "$cell.partial"
	cd -- "$cell.partial" || die "cannot enter $cell.partial"
	"faults_$2" "$1" "$3"
	printf 'fault\t%s\narrangement\t%s\nload\t%s\nrepetition\t%s\nbacking\t%s\norder\t%s\n' "$1" "$2" "$3" "$4" "$BACKING" "$5" >>outcome.tsv
	cd -- "$IDDR_TOP" || die "cannot enter $IDDR_TOP"
	mv -T -- "$cell.partial" "$cell"
}

# faults_derive DIR: make the tables of a run of its cells.
faults_derive() {
	local cells=()
	mapfile -t cells < <(find "$1/cells" -mindepth 1 -maxdepth 1 -type d ! -name '*.partial' | sort)
	((${#cells[@]})) || return 0
	awk -v passing="none $FAULTS_PASSING" -f "$AWK/fault-rows.awk" "${cells[@]/%//outcome.tsv}" >"$1/rows.tsv.tmp"
	mv -- "$1/rows.tsv.tmp" "$1/rows.tsv"
	awk -f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/fault-summary.awk" "$1/rows.tsv" >"$1/summary.tsv.tmp"
	mv -- "$1/summary.tsv.tmp" "$1/summary.tsv"
	awk -f "$AWK/stats.awk" -f "$AWK/table.awk" -f "$AWK/fault-trends.awk" "$1/rows.tsv" >"$1/trends.tsv.tmp"
	mv -- "$1/trends.tsv.tmp" "$1/trends.tsv"
	# Without a fault there is nothing around it.
	mapfile -t cells < <(find "$1/cells" \( -path '*.partial' -o -path '*/none-*' \) -prune -o -name timeline.tsv -size +0 -print | sort)
	awk -f "$AWK/fault-timeline.awk" "${cells[@]:-/dev/null}" >"$1/timeline.tsv.tmp"
	mv -- "$1/timeline.tsv.tmp" "$1/timeline.tsv"
}

# faults_figure DIR: draw the timeline of those faults that a standby took over from.
faults_figure() {
	local out=${PLOTS_OUT:-$IDDR_TOP/plots/out}/faults shown
	shown=$(awk -F '\t' '$2 == "standby" && $3 == "truth" && !seen[$1]++ { printf "%s%s", sep, $1; sep = " " }' "$1/timeline.tsv")
	[[ -n $shown ]] || return 0
	need gnuplot gnuplot-nox
	mkdir -p -- "$out"
	figure_draw faults "$out" "TABLE = '$1/timeline.tsv'; FAULTS = '$shown'; TESTBED = '$(figure_title "$(jq -r .label "$1/facts.json")")'"
	note "figure: $out/faults.svg"
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
	local size=smoke run='' work total n=0 began spent=0 measured=0 left fault arrangement load rep
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
	# A standby is there in every cell; who supervises uses it or not.
	export BACKING=${BACKING:-file} STANDBY=1
	[[ $BACKING != ram ]] || usage_error "faults: a RAM disk dies with its domain, and is another one afterwards; use BACKING=file or BACKING=nvme"
	faults_plan "$size" >"$work/plan"
	total=$(wc -l <"$work/plan")
	results_writable "$RESULTS"
	measure_lock
	measure_up
	defer measure_cleanup
	defer faults_cleanup
	testbed_facts 8>&- >"$work/facts.json" || testbed_lost "while it was asked for its versions"
	[[ -n $run ]] || run=$({
		environment_key "$work/facts.json"
		cat -- "$IDDR_TOP"/harness/guest/{fault-*,iddr-supervise,iddr-hotplug,xenstore.sh,block-stock} "$IDDR_TOP/harness/lib/faults.sh" \
			"$IDDR_TOP"/harness/tools/iddr-{pulse,xenstore,xl}.c "$IDDR_TOP/modules/test/fault/iddr_fault.c"
		printf '%s\n' "$FAULTS_HANG"
		! nvme_takes_over || echo takes-over
	} | text_key)
	FAULTS_DIR=$RESULTS/faults/$run
	results_writable "$FAULTS_DIR"
	mkdir -p -- "$FAULTS_DIR/cells"
	cp -- "$work/facts.json" "$FAULTS_DIR/"
	note "faults, size $size, run $run: $total cells"
	defer faults_unfinished
	while read -r fault arrangement load rep <&7; do
		n=$((n + 1))
		if [[ -d $FAULTS_DIR/cells/$fault-$arrangement-$load-$rep ]]; then
			continue
		fi
		began=$(now_ms)
		faults_cell "$fault" "$arrangement" "$load" "$rep" "$n" 7<&-
		faults_derive "$FAULTS_DIR"
		measured=$((measured + 1)) spent=$((spent + $(now_ms) - began))
		left=$((spent * (total - n) / measured / 60000))
		printf '[%*d/%d] %s %s %s: %s  ~%d min left\n' "${#total}" "$n" "$total" "$fault" "$arrangement" "$load" \
			"$(awk -v cell="$fault $arrangement $load $rep" -f "$AWK/table.awk" -f "$AWK/fault-line.awk" "$FAULTS_DIR/rows.tsv")" \
			"$left" >&2
	done 7<"$work/plan"
	faults_derive "$FAULTS_DIR"
	note "tables: $FAULTS_DIR/{summary,rows,timeline,trends}.tsv"
	faults_figure "$FAULTS_DIR"
	FAULTS_DIR=
}
