# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# hostile.bash: what the tests against hostile peers share: a disk for the
# attacks, another one that is to be served all the while, and what must be so
# after attacks. The attacks and what they do are in modules/test/hostile.
#
# shellcheck disable=SC2016,SC2034 # the domains' shells expand what is in single quotes; tests use the variables

# The disk with the hostile end, and the honest one beside it.
DISK=xvdf
DEVID=$(((202 << 8) + (5 << 4)))
OTHER=xvde

# Lines that a domain may log in answer to one attack: a peer must not be able to fill the log. What the block layer
# logs of failed I/O is limited by the block layer, to some 30 lines in five seconds, however long an attack takes.
LOG_LIMIT=60
BLOCK_LAYER='I/O error, dev|Buffer I/O error on dev|unable to read|callbacks suppressed'

# quiet_consoles: printing every refusal on an emulated console takes longer than the attack.
quiet_consoles() {
	app 'dmesg -n 1'
	storage 'dmesg -n 1'
}

# begin_other_load: verified load on $OTHER until end_other_load.
begin_other_load() {
	attach "$OTHER" /dev/ram0
	app 'fio --allow_file_create=0 --name=other --filename=/dev/$1 --ioengine=libaio --direct=1 --rw=randwrite \
		--bs=4k --offset=8m --size=256k --iodepth=4 --thinktime=100ms --thinktime_blocks=4 --loops=1000000 --verify=crc32c --verify_fatal=1 \
		</dev/null >/tmp/other.out 2>&1 9>&- &
	     echo $! >/tmp/other.pid' "$OTHER"
}

# end_other_load: it has done verified I/O to its end, and found no error.
end_other_load() {
	app 'kill -INT "$(</tmp/other.pid)"
	     for ((i = 0; i < 300; i++)); do
		[[ -e /proc/$(</tmp/other.pid) ]] || break
		sleep 0.1
	     done
	     cat /tmp/other.out
	     rm /tmp/other.pid
	     grep -q "err= 0" /tmp/other.out' || return
	detach "$OTHER"
}

# pages_mapped: how many pages of the application domain Xen has mapped for the storage domain.
pages_mapped() {
	dom0 'xl dmesg -c >/dev/null; xl debug-keys g; xl domid iddr-app; xl domid iddr-storage; xl dmesg' |
		awk 'NR == 1 { app = $1; next }
			NR == 2 { storage = $1; next }
			/grant-table for remote d/ {
				sub(/.*remote d/, "")
				owner = $1 + 0
			}
			# [ref] domain frame pin ...
			/\[0x[0-9a-f]+\] / && owner == app {
				sub(/.*\] */, "")
				n += $1 == storage
			}
			END { print n + 0 }'
}

# A script for the application domain: other_served N is true once $OTHER has
# answered N requests more than when other_count was called.
OTHER_SERVED='
	responses() {
		local f n
		sum=0
		for f in /sys/block/'$OTHER'/iddr/queue*/responses; do
			read -r n <"$f"
			sum=$((sum + n))
		done
	}
	other_count() {
		responses
		other_before=$sum
	}
	other_served() {
		local i
		for ((i = 0; i < 200; i++)); do
			[[ -e /proc/$(</tmp/other.pid) ]] || { echo "the load on the other disk has failed:"; cat /tmp/other.out; return 1; }
			responses
			((sum < other_before + $1)) || return 0
			sleep 0.05
		done
		echo "the other disk is not served"
		return 1
	}'

# A script for either domain: holds MODULE prints how many threads of our queues there
# are, and how many users the module has.
HOLDS='
	holds() {
		local f comm n=0
		for f in /proc/[0-9]*/comm; do
			# Of one that has just ended.
			{ read -r comm <"$f"; } 2>/dev/null || comm=
			[[ $comm != iddr[bf]/* ]] || n=$((n + 1))
		done
		echo "$n threads, $(</sys/module/$1/refcnt) users"
	}
	# holds_only MODULE WHAT: the same, once it is WHAT; what is about to end gets 5 s.
	holds_only() {
		local i now
		for ((i = 0; i < 50; i++)); do
			now=$(holds "$1")
			[[ $now != "$2" ]] || break
			sleep 0.1
		done
		echo "$now"
	}
	# holds_now MODULE: the same, as it is twice in a row: fio closes its disk now and then, and opens it again.
	holds_now() {
		local i now before=
		for ((i = 0; i < 50; i++)); do
			now=$(holds "$1")
			[[ $now != "$before" ]] || break
			before=$now
			sleep 0.1
		done
		echo "$now"
	}
'

# What the attacker says of itself is no offence.
NOISE+="|hostile_back vbd-"

# observe DOM SCRIPT [ARG...]: as run, without the noise.
observe() {
	run "$@"
	output=$(grep -Ev -- "$NOISE" <<<"$output") || true
	mapfile -t lines <<<"$output"
}

# log_is WHERE LOG EXPECTED [MIN [MAX]]: at least MIN lines of LOG match EXPECTED, at most MAX of them are
# not the block layer's, and no other is there.
log_is() {
	local n ours foreign min=${4:-0} max=${5:-$LOG_LIMIT}
	foreign=$(grep -Ev -- "$3|$NOISE" <<<"$2" | grep -v '^$') || true
	[[ -z $foreign ]] || {
		printf 'kernel log of %s has:\n%s\n' "$1" "$foreign"
		return 1
	}
	n=$(grep -Ec -- "$3" <<<"$2") || true
	ours=$(grep -E -- "$3" <<<"$2" | grep -Evc -- "$BLOCK_LAYER") || true
	((n >= min && ours <= max)) || {
		printf 'kernel log of %s has %d lines (at least %d are wanted), %d of them not of the block layer (at most %d), that match %s:\n%s\n' \
			"$1" "$n" "$min" "$ours" "$max" "$3" "$2"
		return 1
	}
}
