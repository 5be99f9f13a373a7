#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# BACKING=nvme: the storage domain drives an NVMe controller that was passed through to it, behind an IOMMU.
#
# The testbed is booted anew for it, and for wide.bats, with what both need: they come last.

load lib

TARGET=/dev/nvme0n1

setup_file() {
	export BACKING=nvme IDDR_APP_VCPUS=2 IDDR_APP_DOMAINS=2
	"$IDDR" up 3>&-
	open_sessions
	attach "$DISK" "$TARGET"
	forget_kernel_logs
}

teardown_file() {
	let_go "$DISK"
	close_sessions
}

teardown() {
	[[ -z ${BATS_TEST_SKIPPED:-} ]] || return 0
	local faults
	# A test that failed may have left no disk, which the next one has not asked for.
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || { "$IDDR" detach "$DISK" --force; attach "$DISK" "$TARGET"; } || true
	set_modes event event
	# What the IOMMU has kept the device from.
	faults=$(dom0 'xl dmesg -c | grep -iE "vt-d.*(fault|error)|dmar.*fault" || true')
	[[ -z $faults ]] || echo "Xen: $faults"
	kernel_logs_clean "${provoked:-}" && [[ -z $faults ]]
}

# interrupts: how many the controller's queues for I/O have raised in the storage domain.
interrupts() {
	storage 'awk "\$NF ~ /^nvme0q[1-9]/ { for (i = 2; \$i ~ /^[0-9]+\$/; i++) n += \$i } END { print n + 0 }" /proc/interrupts'
}

# dom0_interrupts: how many of it dom0 has taken, as it does all legacy ones.
dom0_interrupts() {
	dom0 'awk "/xen-pirq.*pciback/ { n += \$2 } END { print n + 0 }" /proc/interrupts'
}

# events: how many notifications both ends of $DISK have sent and got, in all queues.
events() {
	{
		app 'cat /sys/block/$1/iddr/queue*/notify_{sent,received}' "$DISK"
		storage 'cat /sys/bus/xen-backend/devices/vbd-*-$1/iddr/queue*/notify_{sent,received}' "$DEVID"
	} | awk '{ n += $1 } END { print n }'
}

@test "the controller has MSI-X, a queue that is polled, a volatile cache, and the identity that the host gave it" {
	storage 'grep -q "xen-pirq.*msi-x.*nvme0q1\$" /proc/interrupts || { cat /proc/interrupts; exit 1; }
		 cd /sys/block/nvme0n1
		 [[ $(<queue/io_poll) == 1 && $(<queue/write_cache) == "write back" ]]
		 [[ $(<wwid) == "nvme."*"-$1-"* ]] || { cat wwid; exit 1; }' \
		"$(tr -d "\n" <"${IDDR_RUN:-$IDDR_TOP/build/run}/nvme.serial" | od -An -v -tx1 | tr -d " \n")"
	[[ $(app 'cat /sys/block/$1/size' "$DISK") == $(storage 'cat /sys/block/nvme0n1/size') ]]
}

@test "data is right with each end asleep or spinning, from 512 B to requests that the device splits" {
	local m
	for m in event spin; do
		set_modes "$m" "$m"
		verify_loads "--bs=512 --size=128k --iodepth=8" "--bs=4k --size=1m --iodepth=32" "--bs=1m --size=8m --iodepth=16"
	done
}

@test "a flush reaches the device, after the data" {
	storage 'cd /sys/kernel/tracing
		 echo 0 >tracing_on; echo >trace
		 echo 1 >events/nvme/nvme_setup_cmd/enable; echo 1 >tracing_on'
	app 'dd if=/dev/zero of=/dev/$1 bs=4k count=3 oflag=direct conv=fsync status=none' "$DISK"
	[[ $(storage 'cd /sys/kernel/tracing
		 echo 0 >tracing_on; echo 0 >events/nvme/nvme_setup_cmd/enable
		 grep -o "nvme_cmd_[a-z]*" trace | tr "\n" " "') == "nvme_cmd_write nvme_cmd_write nvme_cmd_write nvme_cmd_flush " ]]
}

@test "asleep, each request takes an interrupt of the device, in the storage domain alone; both ends spinning, requests take none, and no event" {
	local load='dd if=/dev/$1 of=/dev/null bs=4k count=100 iflag=direct status=none' before after in_dom0
	in_dom0=$(dom0_interrupts)
	before=$(interrupts)
	app "$load" "$DISK"
	after=$(interrupts)
	((after - before >= 100))
	[[ $(dom0_interrupts) == "$in_dom0" ]]
	set_modes spin spin
	# A notification may be on its way when they begin.
	app "$load" "$DISK"
	before="$(interrupts) $(events)"
	app "$load" "$DISK"
	after="$(interrupts) $(events)"
	echo "interrupts and events: $before, 100 requests later $after"
	[[ $after == "$before" ]]
}

@test "a disk of the device mapper's that is on it has the name that the device mapper knows" {
	detach "$DISK"
	storage 'modprobe dm-mod
		dmsetup --noudevrules --noudevsync create named --uuid LVM-named --table "0 16384 linear /dev/nvme0n1 0"
		dmsetup mknodes named
		dmesg -C'
	attach "$DISK" /dev/mapper/named
	[[ $(app 'cat /sys/block/$1/iddr/identity' "$DISK") == LVM-named ]]
	detach "$DISK"
	storage 'dmsetup --noudevrules --noudevsync remove named'
	attach "$DISK" "$TARGET"
}

@test "the driver is unbound from the controller under load: no error reaches the application, and the disk goes on when it is attached anew" {
	background_load "$DISK"
	storage 'cd /sys/bus/pci/drivers/nvme; device=$(echo 0000:*); echo "$device" >unbind; echo "$device" >/run/device'
	app 'for ((i = 0; i < 100; i++)); do
		[[ $(</sys/block/$1/iddr/state) != parked ]] || break
		sleep 0.1
	     done
	     [[ $(</sys/block/$1/iddr/state) == parked && ! -e /tmp/load && $(</sys/block/$1/size) != 0 ]]' "$DISK"
	# The back end has nothing to serve, and does not offer it.
	sleep 1
	app '[[ $(</sys/block/$1/iddr/state) == parked ]]' "$DISK"
	# As long as that has it open its name is taken.
	detach "$DISK"
	storage 'echo "$(</run/device)" >/sys/bus/pci/drivers/nvme/bind
		for ((i = 0; i < 100; i++)); do
			[[ ! -b $1 ]] || exit 0
			sleep 0.1
		done
		exit 1' "$TARGET"
	attach "$DISK" "$TARGET"
	load_was_good
	provoked="nvme0n1 has gone|back end of $DISK is gone"
}

@test "DMA to memory that is not the domain's: the IOMMU keeps it out, and Xen says so; of what was read that page is missing, and all goes on" {
	local said wrong
	storage 'insmod /iddr/modules/iddr_fault.ko at=dma_map_page_attrs'
	app 'head -c 65536 /dev/urandom >/tmp/data
		dd if=/tmp/data of=/dev/$1 bs=64k oflag=direct status=none' "$DISK"
	storage 'echo dma >/sys/kernel/debug/iddr_fault/inject'
	# The device does not know: nobody answers a write to memory.
	wrong=$(app '{ dd if=/dev/$1 bs=4k count=16 iflag=direct status=none | cmp -l - /tmp/data || true; } |
		awk "!seen[int((\$1 - 1) / 4096)]++ { n++ } END { print n + 0 }"' "$DISK")
	echo "$wrong pages are wrong"
	((wrong <= 1))
	app 'dd if=/dev/$1 bs=4k count=16 iflag=direct status=none | cmp - /tmp/data' "$DISK"
	[[ $(storage 'cat /sys/kernel/debug/iddr_fault/inject; rmmod iddr_fault') == none ]]
	said=$(dom0 'xl dmesg -c')
	echo "$said"
	[[ $said == *"[DMA Write] Request device ["*"] fault addr a0000"* ]]
}

@test "the storage domain is destroyed and created anew: it is the same disk with the same data" {
	in_full 35
	local sum wwid
	sum=$(app 'head -c 1048576 /dev/urandom >/tmp/data
		dd if=/tmp/data of=/dev/$1 bs=64k seek=3 oflag=direct conv=fsync status=none
		sha256sum </tmp/data' "$DISK")
	wwid=$(storage 'cat /sys/block/nvme0n1/wwid')
	detach "$DISK"
	close_sessions
	dom0 'xl destroy iddr-storage'
	again storage
	# What every boot says, and on a busy machine that it waits for its devices.
	kernel_logs_clean "Grant table initialized|loading out-of-tree module taints|Waiting for devices to initialise"
	[[ $(storage 'cat /sys/block/nvme0n1/wwid') == "$wwid" ]]
	storage 'grep -q "xen-pirq.*msi-x.*nvme0q1\$" /proc/interrupts'
	attach "$DISK" "$TARGET"
	[[ $(app 'dd if=/dev/$1 bs=64k skip=3 count=16 iflag=direct status=none | sha256sum' "$DISK") == "$sum" ]]
	verify_load --bs=4k --size=1m --iodepth=8
}
