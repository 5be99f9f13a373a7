#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# A hostile front end against our back end: the attacks of modules/test/hostile/README.md,
# many in one test, since the module says which of them it reports of. Within each, the
# module that attacks sees that every request is answered as it must be, that no byte came
# with a refusal, that the back end lets go of all pages when it closes, and
# that the disk then serves; the test looks after everything else.

load lib
load hostile

setup_file() {
	forget_kernel_logs
	open_sessions
	quiet_consoles
	# 4 KiB blocks, a volatile cache, discard; its last block cannot be read.
	storage 'modprobe -a configfs; modprobe null_blk nr_devices=0
		 mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
		 mkdir /sys/kernel/config/nullb/nullb0; cd /sys/kernel/config/nullb/nullb0
		 echo 64 >size; echo 4096 >blocksize; echo 1 >memory_backed; echo 8 >cache_size; echo 1 >discard
		 echo 1 >power; echo +131064-131071 >badblocks'
	app 'insmod /iddr/modules/hostile_front.ko'
	[[ -n ${IDDR_FULL:-} ]] || app 'cd /sys/kernel/debug/hostile_front; echo 5 >max_values; echo 10 >rounds'
	begin_other_load
	attach_hostile w /dev/nullb0
	back_holds >"$BATS_FILE_TMPDIR/holds"
}

teardown_file() {
	# The last test has done so, unless it failed.
	if app '[[ -e /tmp/other.pid ]]'; then
		detach "$DISK" || true
		end_other_load
	fi
	app 'rmmod hostile_front; dmesg -n 7'
	storage 'rmdir /sys/kernel/config/nullb/nullb0; modprobe -r null_blk; dmesg -n 7'
	close_sessions
}

# back_holds: what the back end holds in the storage domain.
back_holds() {
	storage "$HOLDS"'holds iddr_back'
}

# attach_hostile ACCESS TARGET: a disk for the hostile front end; no attack at all is
# the control. The driver's link in sysfs is there before its probe has run.
attach_hostile() {
	dom dom0 xl block-attach iddr-app \
		"format=raw,vdev=$DISK,access=$1,backend=iddr-storage,backendtype=phy,script=block-hostile-front,target=$2" </dev/null
	app 'cd /sys/kernel/debug/hostile_front
	     for ((i = 0; i < 200; i++)); do
		! echo honest >attack 2>/dev/null || break
		sleep 0.05
	     done
	     cat attack; grep -q ^survived attack'
}

# attack NAME...: run them, one after the other; each must apply and be survived, while the other disk is served, and its
# report is in $reports. No thread and no use of the module is more than before the attacks, and none less.
# The storage domain's log of them is in $log.
attack() {
	app "$OTHER_SERVED"'
		cd /sys/kernel/debug/hostile_front
		n=0
		at=()
		for name in "$@"; do
			# The back end complains of a disk ten times in five seconds, no more: the tenth before this one ended longer ago.
			((n < 10)) || until ((EPOCHSECONDS > at[n % 10] + 5)); do sleep 0.2; done
			other_count
			echo "$name" >attack
			echo "$(<attack)"
			at[n++ % 10]=$EPOCHSECONDS
			other_served 4
		done
		dmesg -c -l emerg,alert,crit,err,warn' "$@" >"$BATS_TEST_TMPDIR/reports" || { cat "$BATS_TEST_TMPDIR/reports"; return 1; }
	reports=$(grep -Ev -- "$NOISE" "$BATS_TEST_TMPDIR/reports")
	printf '%s\n' "$reports"
	# The kernel of the attacker itself is a proper one, and has nothing to say.
	diff <(cut -d ' ' -f 1,2 <<<"$reports") <(printf 'survived %s:\n' "$@")
	log=$(storage "$HOLDS"'
		holds_only iddr_back "$1"
		dmesg -c -l emerg,alert,crit,err,warn' "$(<"$BATS_FILE_TMPDIR/holds")")
	[[ ${log%%$'\n'*} == "$(<"$BATS_FILE_TMPDIR/holds")" ]] || { printf 'the back end holds:\n%s\n' "$log"; return 1; }
	log=$(tail -n +2 <<<"$log" | grep -Ev -- "$NOISE") || true
}

# one_line_each REGEX: run the attacks of a table on standard input, NAME|WHAT. The storage domain's log has a line for
# each, in their order, and no other; what of it is in REGEX's parentheses is WHAT (a pattern).
one_line_each() {
	local i name what names=() wanted=() said
	while IFS='|' read -r name what; do
		names+=("$name") wanted+=("$what")
	done
	attack "${names[@]}"
	mapfile -t said <<<"$log"
	for ((i = 0; i < ${#names[@]}; i++)); do
		[[ ${said[i]:-} =~ $1 && ${BASH_REMATCH[1]} =~ ^(${wanted[i]})$ ]] || {
			printf '%s: not %s, but: %s; of:\n%s\n' "${names[i]}" "${wanted[i]}" "${said[i]:-}" "$log"
			return 1
		}
	done
	((${#said[@]} == ${#names[@]})) || { printf 'more than a line each:\n%s\n' "$log"; return 1; }
}

# survived LOG NAME...: the attacks are (full: each by itself), and the back end has said nothing but lines that match LOG.
survived() {
	local expected=$1 name
	shift
	if [[ -n ${IDDR_FULL:-} ]]; then
		for name; do
			attack "$name"
			log_is storage "$log" "$expected"
		done
	else
		attack "$@"
		log_is storage "$log" "$expected" 0 "$((LOG_LIMIT * $#))"
	fi
}

# wild NAME...: what becomes of it may have been any of these.
wild() {
	survived "vbd-[0-9]+-$DEVID: ([0-9]+ front end in domain|refused request: |[0-9]+ ring with )|callbacks suppressed|I/O error, dev nullb0" "$@"
}

# badly_offered NAME...: the back end says what is wrong with the offer, or connects.
badly_offered() {
	survived "vbd-[0-9]+-$DEVID: [0-9]+ |callbacks suppressed" "$@"
}

@test "what a back end must not do is refused: the answer is an error, no byte comes with it, and the log has the offence, once" {
	one_line_each "vbd-[0-9]+-$DEVID: refused request: (.*) \(operation [0-9]+, id [0-9]+\)$" <<-'EOT'
		op-unknown|unknown operation
		op-reserved|unknown operation
		segs-none-read|no segments
		segs-none-write|no segments
		segs-12|too many segments
		segs-255|too many segments
		segs-255-flush|too many segments
		sect-swapped|segment ends before it begins
		sect-8|segment beyond its page
		sect-255|segment beyond its page
		sector-at-end|beyond the disk's end
		sector-over-end|beyond the disk's end
		sector-over-end-write|beyond the disk's end
		sector-wraps|beyond the disk's end
		sector-wraps-bytes|beyond the disk's end
		sector-sign|beyond the disk's end
		block-offset|begins or ends within a block
		block-length|segment is no whole number of blocks
		block-halves|segment is no whole number of blocks
		gref-zero|bad grant
		gref-huge|bad grant
		gref-not-granted|bad grant
		gref-second-bad|bad grant
		gref-readonly|bad grant
		discard-beyond|beyond the disk's end
		discard-over-end|beyond the disk's end
		discard-wraps|beyond the disk's end
		discard-wraps-start|beyond the disk's end
		discard-wraps-bytes|beyond the disk's end
		indirect-segs-none|no segments
		indirect-segs-over|too many segments
		indirect-segs-65535|too many segments
		indirect-bad-gref|bad grant of descriptors
		indirect-gref-not-granted|bad grant of descriptors
		indirect-nested|indirect request that neither reads nor writes
		indirect-flush|indirect request that neither reads nor writes
		indirect-discard|indirect request that neither reads nor writes
		indirect-op-unknown|indirect request that neither reads nor writes
		indirect-sect-8|segment beyond its page
		indirect-sect-swapped|segment ends before it begins
		indirect-seg-bad-gref|bad grant
		indirect-over-end|beyond the disk's end
		indirect-sector-wraps|beyond the disk's end
	EOT
}

@test "a ring that is not kept to: the disk is closed, and the log has why, once" {
	one_line_each "vbd-[0-9]+-$DEVID: [0-9]+ front end in domain [0-9]+ broke the ring protocol \((.*)\); its disk is closed$" <<-'EOT'
		prod-over-1|producer index out of bounds
		prod-over-2^31|producer index out of bounds|(producer )?index taken back
		prod-back-1|producer index out of bounds|(producer )?index taken back
		prod-back-ring|producer index out of bounds|(producer )?index taken back
		ring-of-ones|producer index out of bounds|(producer )?index taken back
	EOT
}

@test "what is odd, but no offence, is served without a word" {
	attack honest id-all-same id-all-ones handle-wrong flush-with-data barrier-with-data flush-far-away gref-all-same gref-page-many-times gref-flood rsp-prod-scribbled event-indices bell-storm bell-storm-work request-flood
	log_is storage "$log" '^nothing$'
}

@test "pages that are taken back or change while they are used, and rings that do: served, refused, or closed" {
	wild gref-revoked race-gref race-indirect-gref indirect-onto-itself prod-flickers ring-as-data revoke-in-flight ring-revoke
	wild close-with-requests reannounce discard-nothing discard-unaligned discard-secure gref-readonly-write race-nr-segments race-last-sect
	wild race-indirect-last-sect race-indirect-first-sect indirect-max answers-ignored come-again-unclosed
}

@test "device-error" {
	attack device-error
	log_is storage "$log" "I/O error, dev nullb0" 1 2
}

@test "wrong values in xenstore: the back end says what is wrong, or connects" {
	badly_offered xs-ring-ref xs-event-channel xs-protocol xs-feature-persistent xs-ring-page-order xs-num-queues xs-ring-ref1 xs-queue-ring-ref
}

@test "rings and ports that are none, or another's: the back end says what is wrong, or connects" {
	badly_offered ring-readonly ring-revoked ring-page-twice ring-in-use port-closed port-shared greedy
}

@test "states in any order, and front ends that come and go in haste: the back end says what is wrong, or connects" {
	badly_offered states-all states-walk reconnect reconnect-hasty vanish
}

@test "every attack of the catalogue is a test here" {
	local all missing
	all=$(app 'cut -d " " -f 1 /sys/kernel/debug/hostile_front/list' | sort)
	[[ $(wc -l <<<"$all") -gt 30 ]]
	missing=$(comm -23 - <<<"$all" \
		<(grep -oE '^@test "[^" ]+"|^\s+[a-z0-9^-]+\||(take|attack|wild|badly_offered) [a-z].*|for name in .*;' "$BATS_TEST_FILENAME" | tr -s '";| \t' '\n' | sort -u))
	[[ -z $missing ]] || { echo "not tested: $missing"; return 1; }
}

@test "a bell that is rung for nothing is answered ever later" {
	local before after rung upcalls
	before=$(storage 'cat /sys/bus/xen-backend/devices/vbd-*-$1/iddr/queue0/notify_received' "$DEVID")
	attack bell-storm
	after=$(storage 'cat /sys/bus/xen-backend/devices/vbd-*-$1/iddr/queue0/notify_received' "$DEVID")
	[[ $reports =~ rang\ ([0-9]+)\ times ]]
	rung=${BASH_REMATCH[1]} upcalls=$((after - before))
	echo "$rung rings, $upcalls upcalls"
	((rung >= 20 * (upcalls + 1)))
}

# take NAME...: run these attacks in one go; each must apply and be survived, and the attacker's
# kernel has nothing to say.
take() {
	app 'cd /sys/kernel/debug/hostile_front
	     for name in "$@"; do
		echo "$name" >attack
		cat attack
	     done
	     dmesg -c -l emerg,alert,crit,err,warn' "$@" >"$BATS_TEST_TMPDIR/reports"
	cat "$BATS_TEST_TMPDIR/reports"
	diff <(grep -Ev -- "$NOISE" "$BATS_TEST_TMPDIR/reports" | cut -d ' ' -f 1,2) <(printf 'survived %s:\n' "$@")
}

# back_says REGEX MIN MAX: MIN to MAX lines like that are in the storage domain's log, and no other.
back_says() {
	log_is storage "$(storage 'dmesg -c -l emerg,alert,crit,err,warn')" "$@"
}

# attach_instead ACCESS TARGET: another device for the hostile front end.
attach_instead() {
	detach "$DISK"
	attach_hostile "$@"
}

# with DATA_PATH QUEUES RING_ORDER: connect anew.
with() {
	local persistent=0 copies=0
	[[ $1 != persistent ]] || persistent=1
	[[ $1 != copy ]] || copies=1
	storage 'echo "$1" >/sys/module/iddr_back/parameters/data_path' "$1"
	app 'cd /sys/kernel/debug/hostile_front
	     echo "$2" >persistent; echo "$3" >queues; echo "$4" >ring_order; echo "$5" >copies
	     echo "vbd-$1" >/sys/bus/xen/drivers/hostile_front/unbind
	     echo "vbd-$1" >/sys/bus/xen/drivers/hostile_front/bind
	     echo honest >attack
	     grep -q "^survived honest: $3 queues of $((32 << $4)) slots" attack || { cat attack; exit 1; }' \
		"$DEVID" "$persistent" "$2" "$3" "$copies"
	[[ $(storage 'cat /sys/bus/xen-backend/devices/vbd-*-$1/iddr/data_path' "$DEVID") == "$1" ]]
}

# all_survived: every attack on a connection, in one go.
all_survived() {
	local n
	app "$OTHER_SERVED"'
		cd /sys/kernel/debug/hostile_front
		echo 0 >fresh
		while read -r name kind _; do
			[[ $kind == @(refused|answered|either|breach) ]] || continue
			echo "$name" >attack
			cat attack
		done <list
		echo 1 >fresh
		other_count
		other_served 4
		dmesg -c -l emerg,alert,crit,err,warn' >"$BATS_TEST_TMPDIR/reports"
	cat "$BATS_TEST_TMPDIR/reports"
	run ! grep -vE "$NOISE|^survived |^inapplicable [a-z-]+: needs (a read-only disk|no discard|no indirect requests|blocks of 512 bytes)$" "$BATS_TEST_TMPDIR/reports"
	n=$(grep -c ^survived "$BATS_TEST_TMPDIR/reports")
	((n > 70))
	log_is storage "$(storage 'dmesg -c -l emerg,alert,crit,err,warn')" \
		"$SAYS|I/O error, dev nullb0" 5 150
}

@test "data path map: all attacks on a connection" {
	in_full 30
	with map 1 0
	all_survived
}

@test "data path copy, several queues, large rings, spinning: all attacks on a connection" {
	in_full 60
	with copy 3 2
	storage 'echo spin >/sys/bus/xen-backend/devices/vbd-*-$1/iddr/mode' "$DEVID"
	all_survived
	with persistent 1 0
	storage 'echo event >/sys/bus/xen-backend/devices/vbd-*-$1/iddr/mode' "$DEVID"
}

# What the back end may say of an odd front end: why it closes, or what it refuses.
SAYS="vbd-[0-9]+-$DEVID: ([0-9]+ |refused request: )|callbacks suppressed"

@test "a read-only disk is not written to, whatever is asked" {
	local before
	# What the attacks would write is at its beginning.
	before=$(storage 'head -c 8M /dev/nullb0 | sha256sum')
	attach_instead r /dev/nullb0
	take honest write-readonly-disk flush-readonly-disk discard-not-offered
	back_says "vbd-[0-9]+-$DEVID: refused request: (change of a read-only disk|discard, not offered) " 3 3
	[[ $(storage 'head -c 8M /dev/nullb0 | sha256sum') == "$before" ]]
	attach_instead w /dev/nullb0
}


@test "a disk of 512 byte blocks without discard" {
	attach_instead w /dev/ram0
	take honest partial-page discard-not-offered
	back_says "vbd-[0-9]+-$DEVID: refused request: discard, not offered " 1 1
	attach_instead w /dev/nullb0
}

@test "a front end that gives itself up loses its disk and nothing else" {
	local name
	for name in state-unknown state-text; do
		take "$name"
		storage 'for ((i = 0; i < 100; i++)); do
				ls /sys/bus/xen-backend/devices/vbd-*-$1/driver >/dev/null 2>&1 || exit 0
				sleep 0.1
			 done
			 exit 1' "$DEVID"
		app 'echo "vbd-$1" >/sys/bus/xen/drivers/hostile_front/unbind' "$DEVID"
		attach_instead w /dev/nullb0
		take honest
		back_says "vbd-[0-9]+-$DEVID: |callbacks suppressed"
	done
}

@test "a front end that dies with its rings mapped comes back 5 times" {
	app 'cd /sys/bus/xen/drivers/hostile_front
	     for ((i = 0; i < 5; i++)); do
		echo honest >/sys/kernel/debug/hostile_front/attack
		cat /sys/kernel/debug/hostile_front/attack
		echo "vbd-$1" >unbind; echo "vbd-$1" >bind
	     done' "$DEVID"
	take honest
	back_says "vbd-[0-9]+-$DEVID: |callbacks suppressed"
}

@test "at the end Xen has no page of the application domain mapped for the storage domain" {
	# While the other disk is there, it has, or this could not fail.
	(($(pages_mapped) > 0))
	detach "$DISK"
	end_other_load
	(($(pages_mapped) == 0))
	# Nor has any domain said anything that is not looked at above.
	kernel_logs_clean
}

@test "a back end that offers no indirect requests refuses them" {
	storage 'rmmod iddr_back; insmod /iddr/modules/iddr_back.ko max_segments=11'
	attach_hostile w /dev/nullb0
	take honest indirect-not-offered
	back_says "vbd-[0-9]+-$DEVID: refused request: indirect request, not offered " 1 1
	detach "$DISK"
	storage 'rmmod iddr_back; insmod /iddr/modules/iddr_back.ko'
	kernel_logs_clean
}
