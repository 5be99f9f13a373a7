#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# A hostile back end against our front end: one test an attack, whose name is
# the test's (modules/test/hostile/README.md). The module that attacks says
# whether the front end went on or closed as it must, and looks into every page
# that it is granted for data that is not the disk's; the test does the I/O, and
# looks after everything else.

load lib
load hostile

# All that is ever stored on the hostile disk, so that anything else in a granted page is foreign.
TAG=IDDRDATA

setup_file() {
	forget_kernel_logs
	open_sessions
	quiet_consoles
	storage 'insmod /iddr/modules/hostile_back.ko'
	[[ -n ${IDDR_FULL:-} ]] || storage 'cd /sys/kernel/debug/hostile_back; echo 3 >max_steps; echo 5 >rounds'
	# A disk that waits for a better back end: recovery.bats.
	on_back_end_loss fail
	begin_other_load
	app 'head -c 2097152 < <(yes "$1" | tr -d "\n") >/tmp/tag' "$TAG"
	# The target is not used, but there must be one.
	"$IDDR" attach "$DISK" /dev/ram0 block-hostile-back
	app "$APP"'reads_tag' "$DISK" "$DEVID"
	front_holds >"$BATS_FILE_TMPDIR/holds"
}

teardown_file() {
	# The last test has done so, unless it failed.
	if app '[[ -e /tmp/other.pid ]]'; then
		detach "$DISK" || true
		end_other_load
	fi
	storage 'rmmod hostile_back; dmesg -n 7'
	app 'dmesg -n 7'
	on_back_end_loss wait
	close_sessions
}

teardown() {
	# A test that failed leaves the front end closed, or attacked, and logs that are its own.
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || {
		arm honest
		app "$APP"'rebind' "$DISK" "$DEVID"
		forget_kernel_logs
	} || true
}

# front_holds: what the front end holds in the application domain.
front_holds() {
	app "$HOLDS"'holds_now iddr_front'
}

# What is logged of I/O that fails.
IO_ERRORS="back end of $DISK is gone|error, dev $DISK|Buffer I/O error on dev $DISK|Dev $DISK: unable to read|callbacks suppressed"

# What the application domain does to the hostile disk. Arguments: DISK DEVID.
APP='
	disk=$1 devid=$2

	# The verdict is in /tmp/io: works, fails, or that wrong data was read.
	read_disk() {
		if ! dd if=/dev/$disk of=/tmp/got bs=1M count=2 iflag=direct status=none 2>/dev/null; then
			echo fails
		elif cmp -s /tmp/got /tmp/tag; then
			echo works
		elif [[ $(tr -d "\0" </tmp/got | sed "s/IDDRDATA//g" | wc -c) == 0 ]]; then
			echo zeroes
		else
			echo foreign data
		fi >/tmp/io.new
		mv /tmp/io.new /tmp/io
	}
	start_io() {
		rm -f /tmp/io
		read_disk </dev/null >/dev/null 2>&1 9>&- &
	}
	wait_io() {
		local i
		for ((i = 0; i < 400; i++)); do
			[[ ! -e /tmp/io ]] || return 0
			sleep 0.05
		done
		echo "I/O hangs"
		return 1
	}
	# Memory that is freed is soon used again.
	use_memory() {
		local n=/tmp/noise
		[[ -e $n ]] || head -c 4194304 /dev/urandom >$n
		cat $n $n $n $n $n $n $n $n >/dev/shm/noise
		rm /dev/shm/noise
	}
	reads_tag() {
		dd if=/dev/$disk bs=64k count=2 iflag=direct status=none | cmp -n 131072 - /tmp/tag
	}
	settled() {
		local i state
		for ((i = 0; i < 200; i++)); do
			state=$(xenstore-read device/vbd/$devid/state)
			case $state in
			4) [[ ! -e /sys/block/$disk/iddr/mode ]] || return 0 ;;
			5 | 6) return 0 ;;
			esac
			sleep 0.05
		done
		echo "the front end stays in state $state"
		return 1
	}
	rebind() {
		echo vbd-$devid >/sys/bus/xen/drivers/iddr_front/unbind
		echo vbd-$devid >/sys/bus/xen/drivers/iddr_front/bind
		settled
	}
'

# arm NAME
arm() {
	storage 'echo "$1" >/sys/kernel/debug/hostile_back/attack' "$1"
}

# report NAME: it is survived, and no page held anything foreign.
report() {
	observe storage 'cd /sys/kernel/debug/hostile_back; cat attack
		echo "$(<scanned_pages) pages, $(<foreign_words) foreign words"
		dmesg -c -l emerg,alert,crit,err,warn'
	printf '%s\n' "$output"
	((status == 0))
	[[ ${lines[0]} == "survived $1: "* ]]
	[[ ${lines[1]} == [1-9]*" pages, 0 foreign words" ]]
	# The attacker's own kernel has nothing to say.
	((${#lines[@]} == 2))
}

# recover LOG MIN MAX: a proper back end is served, with a new connection if the old one is
# gone; the front end's domain holds no more than before, and has logged MIN to MAX lines
# that match LOG.
recover() {
	observe app "$APP$HOLDS"'
		if [[ ! -e /sys/block/$disk/iddr/mode ]] || ! reads_tag 2>/dev/null; then
			rebind
			reads_tag
		fi
		holds_only iddr_front "$3"
		dmesg -c -l emerg,alert,crit,err,warn' "$DISK" "$DEVID" "$(<"$BATS_FILE_TMPDIR/holds")"
	((status == 0)) || { printf '%s\n' "$output"; return 1; }
	[[ ${lines[0]} == "$(<"$BATS_FILE_TMPDIR/holds")" ]] || { printf '%s\n' "$output"; return 1; }
	log=$(tail -n +2 <<<"$output")
	log_is app "$log" "$@"
}

# attack NAME IO [LOG MIN MAX]: I/O goes on all the while and ends in one of IO (a pattern).
attack() {
	arm "$1"
	observe app "$APP$OTHER_SERVED"'
		other_count
		start_io
		wait_io
		other_served 4
		cat /tmp/io' "$DISK" "$DEVID"
	printf '%s\n' "$output"
	((status == 0))
	[[ $output =~ ^($2)$ ]]
	report "$1"
	recover "${3:-^nothing$}" "${4:-0}" "${5:-$LOG_LIMIT}"
}

# breaks_ring REASON [NAME]: the front end says so, and why, once; I/O fails.
breaks_ring() {
	local broke="vbd-$DEVID: [0-9]+ back end in domain [0-9]+ broke the ring protocol \(($1)\); its disk fails"
	attack "${2:-$BATS_TEST_DESCRIPTION}" fails "$broke|$IO_ERRORS" 1
	[[ $(grep -Ec "$broke" <<<"$log") == 1 ]]
}

# serves IO [LOG]
serves() {
	attack "$BATS_TEST_DESCRIPTION" "$@"
}

# wild: whatever is not a hang, a leak or a lie.
wild() {
	# One that closes with pages still mapped is not followed by another until it has unmapped them.
	attack "$BATS_TEST_DESCRIPTION" 'works|fails' "vbd-$DEVID: |iddr_front: $DISK: waits until domain|$IO_ERRORS"
}

# variant: the attack differs from the one before in a number alone.
variant() {
	only_in_full "differs from another attack in a number alone"
}

# connections: one for each of the attack's values, most of which are wrong.
connections() {
	local steps
	steps=$(storage 'cd /sys/kernel/debug/hostile_back; echo "$1" >attack; cat steps' "$BATS_TEST_DESCRIPTION")
	((steps >= 3))
	observe app "$APP$OTHER_SERVED"'
		other_count
		for ((i = 0; i < $3; i++)); do
			rebind
			# If there is a disk it may be odd; it must not hang.
			[[ -b /dev/$disk ]] || continue
			for command in "dd if=/dev/$disk of=/dev/null bs=4k count=4 iflag=direct" "blkdiscard -o 1048576 -l 1048576 /dev/$disk"; do
				timeout 20 $command >/dev/null 2>&1 || (($? != 124)) || { echo "connection $i: $command hangs"; exit 1; }
			done
		done
		other_served 4' "$DISK" "$DEVID" "$steps"
	printf '%s\n' "$output"
	((status == 0))
	report "$BATS_TEST_DESCRIPTION"
	app "$APP"rebind "$DISK" "$DEVID"
	recover "vbd-$DEVID: |$DISK: partition table beyond EOD|$IO_ERRORS" 0 "$((4 * steps))"
}

@test "id-slots" { breaks_ring "response id out of range|response to no request"; }
@test "id-high" { variant; breaks_ring "response id out of range|response to no request"; }
@test "id-ones" { variant; breaks_ring "response id out of range|response to no request"; }
@test "id-twice" { breaks_ring "response to no request"; }
@test "answer-twice" { in_full 5; breaks_ring "response to no request|producer index out of bounds"; }
@test "op-other" { breaks_ring "response of another operation"; }
@test "op-unknown" { variant; breaks_ring "response of another operation"; }
@test "status-7" { breaks_ring "impossible status"; }
@test "status-min" { variant; breaks_ring "impossible status"; }
@test "prod-over" { breaks_ring "producer index out of bounds"; }
@test "prod-back" { in_full 5; breaks_ring "producer index out of bounds|(producer )?index taken back"; }
@test "unsolicited" { breaks_ring "producer index out of bounds"; }
@test "prod-2^31" { variant; breaks_ring "producer index out of bounds|(producer )?index taken back"; }
@test "ring-of-ones" { in_full 6; breaks_ring "producer index out of bounds|(producer )?index taken back"; }
@test "honest" { serves works; }
@test "answer-error" { serves fails "$IO_ERRORS"; }
@test "answer-notsupp" { in_full 5; serves fails "$IO_ERRORS"; }
@test "answer-late" { in_full 6; serves works; }
@test "bell-storm-work" { in_full 6; serves works; }
@test "bell-storm" { in_full 7; serves works; }
@test "unfilled" { serves "works|zeroes"; }
@test "slots-scribbled" { in_full 5; serves works; }
@test "req-prod-scribbled" { in_full 6; serves works; }
@test "event-indices" { serves works; }
@test "reconnect" { serves "works|fails" "$IO_ERRORS" 1; }
@test "prod-flickers" { wild; }
@test "race-id" { wild; }
@test "race-status" { in_full 5; wild; }
@test "states-walk" { wild; }
@test "keep-mapped" { in_full 6; wild; }
@test "states-all" { in_full 30; connections; }
@test "xs-sectors" { connections; }
@test "xs-sector-size" { in_full 9; connections; }
@test "xs-info" { in_full 9; connections; }
@test "xs-physical-sector-size" { in_full 12; connections; }
@test "xs-feature-flush-cache" { in_full 12; connections; }
@test "xs-feature-persistent" { in_full 12; connections; }
@test "xs-feature-max-indirect-segments" { connections; }
@test "xs-feature-discard" { in_full 12; connections; }
@test "xs-discard-granularity" { in_full 10; connections; }
@test "xs-discard-alignment" { in_full 12; connections; }
@test "xs-max-ring-page-order" { in_full 12; connections; }
@test "xs-multi-queue-max-queues" { in_full 12; connections; }

@test "never" {
	arm never
	app "$APP"start_io "$DISK" "$DEVID"
	report never
	# The back end has closed and come again: what it owed has failed, no more.
	app "$APP"'wait_io; [[ $(</tmp/io) == fails ]]' "$DISK" "$DEVID"
	recover "$IO_ERRORS" 1
}

@test "keep-on-close" {
	in_full 11
	arm keep-on-close
	# Everything of the first connection stays mapped, over the second one.
	app "$APP"'start_io; wait_io; rebind; use_memory; start_io; wait_io' "$DISK" "$DEVID"
	report keep-on-close
	recover "vbd-$DEVID: |$IO_ERRORS"
}

@test "every attack of the catalogue is a test here" {
	local all missing
	all=$(storage 'cut -d " " -f 1 /sys/kernel/debug/hostile_back/list' | sort)
	[[ $(wc -l <<<"$all") -gt 30 ]]
	missing=$(comm -23 - <<<"$all" \
		<(grep -oE '^@test "[^" ]+"' "$BATS_TEST_FILENAME" | tr '"' '\n' | sort))
	[[ -z $missing ]] || { echo "not tested: $missing"; return 1; }
}

@test "a bell that is rung for nothing is answered ever later" {
	local before after rung upcalls
	before=$(app 'cat /sys/block/$1/iddr/queue0/notify_received' "$DISK")
	arm bell-storm
	report bell-storm
	after=$(app 'cat /sys/block/$1/iddr/queue0/notify_received' "$DISK")
	[[ $output =~ rang\ ([0-9]+)\ times ]]
	rung=${BASH_REMATCH[1]} upcalls=$((after - before))
	echo "$rung rings, $upcalls upcalls"
	((rung >= 20 * (upcalls + 1)))
}

# with SETTING=VALUE...: connect anew with these settings of the hostile back end.
with() {
	storage 'cd /sys/kernel/debug/hostile_back; for s in "$@"; do echo "${s#*=}" >"${s%=*}"; done' "$@"
	app "$APP"'rebind; reads_tag' "$DISK" "$DEVID"
	front_holds >"$BATS_FILE_TMPDIR/holds"
}

@test "breaches are seen with several queues, large rings and indirect requests (full: five, else one)" {
	with queues=4 ring_order=2 indirect=64
	(($(app 'ls -d /sys/block/$1/iddr/queue* | wc -l' "$DISK") > 1))
	breaks_ring "response id out of range|response to no request" id-slots
	if [[ -n ${IDDR_FULL:-} ]]; then
		breaks_ring "producer index out of bounds" unsolicited
		breaks_ring "response to no request" id-twice
		breaks_ring "response of another operation" op-other
		breaks_ring "producer index out of bounds" prod-over
	fi
	with queues=1 ring_order=0 indirect=0
}

# quarantined: how many pages the front end keeps from a back end that may still reach them.
quarantined() {
	app 'cat /sys/module/iddr_comm/parameters/quarantined_pages'
}

# none_quarantined: soon it keeps none any more.
none_quarantined() {
	app 'for ((i = 0; i < 300; i++)); do
		(($(</sys/module/iddr_comm/parameters/quarantined_pages))) || exit 0
		sleep 0.1
	     done
	     echo "$(</sys/module/iddr_comm/parameters/quarantined_pages) pages are still kept"; exit 1'
}

@test "memory beside what is read or written is not shown" {
	local persistent
	for persistent in 1 0; do
		with persistent="$persistent"
		# fio's buffers are 512 bytes each, side by side in pages full of something else.
		app 'head -c 65536 < <(yes SECRETS! | tr -d "\n") >/dev/shm/secret
		     fio --allow_file_create=0 --name=s --filename=/dev/$1 --ioengine=libaio --direct=1 --rw=randread \
			--bs=512 --size=32k --iodepth=8 --iomem=mmap:/dev/shm/secret >/tmp/s.out 2>&1 || { cat /tmp/s.out; exit 1; }
		     # That memory was there to be seen.
		     grep -q "SECRETS!" /dev/shm/secret
		     rm /dev/shm/secret' "$DISK"
		arm honest
		app "$APP"'start_io; wait_io' "$DISK" "$DEVID"
		report honest
	done
	with persistent=1
}

@test "without persistent grants: pages that stay mapped are not used again, and are counted (full: breaches are seen)" {
	local name n most=0
	with persistent=0
	[[ $(app 'cat /sys/block/$1/iddr/data_path' "$DISK") == grant ]]
	# Of the breaches before.
	none_quarantined
	# A page that is still mapped when its request is answered: the front end closes,
	# and the page is not given out again while we see it.
	for name in keep-mapped keep-on-close; do
		arm "$name"
		app "$APP"'start_io; wait_io; use_memory; [[ $(</tmp/io) == fails ]]' "$DISK" "$DEVID"
		# Never more than its 32 requests of 11 pages and its ring.
		most=$((most + 32 * 11 + 1))
		n=$(quarantined)
		echo "$name: $n pages are kept"
		((n > 0 && n <= most))
		report "$name"
		recover "vbd-$DEVID: |$IO_ERRORS"
		[[ $(grep -c "broke the ring protocol (page still mapped after the answer); its disk fails" <<<"$log") == 1 ]]
	done
	if [[ -n ${IDDR_FULL:-} ]]; then
		breaks_ring "response id out of range|response to no request" id-slots
		breaks_ring "response to no request" id-twice
		breaks_ring "producer index out of bounds" unsolicited
	fi
	attack unfilled '.*'
	with persistent=1
}

@test "what is written is seen, or the tests above could not fail" {
	app 'dd if=/dev/urandom of=/dev/$1 bs=4k count=1 oflag=direct status=none' "$DISK"
	[[ $(storage 'cat /sys/kernel/debug/hostile_back/foreign_words') == 5[01][0-9] ]]
	app 'dd if=/tmp/tag of=/dev/$1 bs=4k count=1 oflag=direct status=none' "$DISK"
	storage 'echo 0 >/sys/kernel/debug/hostile_back/foreign_words'
}

@test "a back end that dies with everything mapped comes back (full: 3 times); the pages do when it has unmapped them" {
	local i rounds=1
	[[ -z ${IDDR_FULL:-} ]] || rounds=3
	for ((i = 0; i < rounds; i++)); do
		# Data pages stay mapped from their requests on.
		arm keep-on-close
		app "$APP"'start_io; wait_io' "$DISK" "$DEVID"
		storage 'cd /sys/bus/xen-backend/drivers/hostile_back; d=(vbd-*-$1); echo "$d" >unbind; echo "$d" >bind' "$DEVID"
		# It is not offered new rings before.
		recover "vbd-$DEVID: |$DISK: waits until domain|$IO_ERRORS"
		(($(quarantined) > 0))
	done
	none_quarantined
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
