#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# A guest with the stock front end keeps its disk on our back end when it is saved: one that goes on
# after a checkpoint, and one that is restored as another domain.

load ../domains/lib

# Dom0 has no room for a domain's image; this directory is the host's.
IMAGE_FILE=/var/log/xen/iddr-app.save

setup_file() {
	# The image holds all of the domain's memory.
	(($(df -Pm "$IDDR_TOP" | awk 'NR == 2 { print $4 }') > 1000))
}

teardown_file() {
	dom dom0 rm -f "$IMAGE_FILE" </dev/null
	# The next file needs the domain, whatever became of it.
	"$IDDR" up 3>&-
}

setup() {
	forget_kernel_logs
	"$IDDR" attach "$DISK" /dev/ram0 block-iddr-back
}

# load_begin: verified writes to a file system on $DISK until /tmp/stop is there; the verdict is in /tmp/load.
load_begin() {
	app 'mkfs.ext4 -q -b 4096 /dev/$1 32m
	     mkdir -p /mnt/t && mount /dev/$1 /mnt/t
	     head -c 4194304 /dev/urandom >/mnt/t/data && sync
	     sha256sum </mnt/t/data >/tmp/data.sum
	     rm -f /tmp/stop /tmp/load /tmp/rounds
	     (n=0
	      until [[ -e /tmp/stop ]]; do
		fio --name=v --directory=/mnt/t --ioengine=libaio --direct=1 --rw=randwrite --bs=4k --size=4m \
			--iodepth=8 --verify=crc32c --verify_fatal=1 >/tmp/load.out 2>&1 || { echo failed >/tmp/load; exit 0; }
		echo $((n += 1)) >/tmp/rounds
	      done
	      echo good >/tmp/load) </dev/null >/dev/null 2>&1 &
	     for ((i = 0; i < 600; i++)); do
		[[ ! -e /tmp/rounds ]] || exit 0
		sleep 0.1
	     done
	     cat /tmp/load.out; exit 1' "$DISK"
}

# load_was_good: the load went on after what happened, all it read was right, and so is what was there before.
load_was_good() {
	app 'before=$(</tmp/rounds)
	     for ((i = 0; i < 900; i++)); do
		[[ -e /tmp/load || $(</tmp/rounds) -gt $((before + 1)) ]] && break
		sleep 0.1
	     done
	     touch /tmp/stop
	     for ((i = 0; i < 900; i++)); do
		[[ ! -e /tmp/load ]] || break
		sleep 0.1
	     done
	     [[ $(</tmp/load) == good ]] || { cat /tmp/load.out; exit 1; }
	     (($(</tmp/rounds) > before)) || { echo "the load did not go on"; exit 1; }
	     echo 3 >/proc/sys/vm/drop_caches
	     [[ $(sha256sum </mnt/t/data) == "$(</tmp/data.sum)" ]]
	     umount /mnt/t
	     fsck.ext4 -fn /dev/$1 >/dev/null' "$DISK"
}

# save [OPTION]: save the application domain. Its pages are foreign mappings, which 9p does not take (EFAULT):
# a pipe does.
save() {
	dom dom0 bash -c 'xl save "${@:2}" iddr-app >(cat >"$1"); rc=$?; wait $!; exit $rc' save "$IMAGE_FILE" "$@" </dev/null
}

# domid: the application domain's number.
domid() {
	dom dom0 xl domid iddr-app </dev/null
}

@test "checkpoint under load: the domain goes on with its disk" {
	local before
	before=$(domid)
	load_begin
	save -c
	load_was_good
	[[ $(domid) == "$before" ]]
	detach "$DISK"
	kernel_logs_clean
}

@test "save and restore under load: the domain comes back as another with its disk and the data" {
	local before after i
	before=$(domid)
	load_begin
	# What reaches the domain from outside, its agent's channel, does not outlive it: another agent, once
	# the domain has its new number.
	app '(old=$(xenstore-read domid)
	      until now=$(xenstore-read domid 2>/dev/null) && [[ $now != "$old" ]]; do sleep 0.5; done
	      exec iddr-agent serve --vchan 8) </dev/null >/dev/null 2>&1 &'
	save
	run ! domid
	[[ $(storage 'ls -d /sys/bus/xen-backend/devices/vbd-* 2>/dev/null | wc -l') == 0 ]]
	dom dom0 xl restore "$IMAGE_FILE" </dev/null
	after=$(domid)
	[[ $after != "$before" ]]
	for ((i = 0; i < 60; i++)); do
		if app true; then break; fi
		sleep 1
	done
	((i < 60))
	load_was_good
	[[ $(storage 'basename "$(readlink /sys/bus/xen-backend/devices/vbd-*-$1/driver)"' "$DEVID") == iddr_back ]]
	detach "$DISK"
	kernel_logs_clean
}
