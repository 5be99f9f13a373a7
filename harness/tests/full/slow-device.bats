#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# A device that is slower than the back end that polls it, so that some request always waits there: an NVMe controller behind a limit of QEMU's.

load ../domains/lib

setup_file() {
	export BACKING=nvme IDDR_NVME_IOPS=100
	"$IDDR" up 3>&-
	attach "$DISK" /dev/nvme0n1
	forget_kernel_logs
}

teardown_file() {
	detach "$DISK"
	# The next file needs the usual one.
	unset BACKING IDDR_NVME_IOPS
	"$IDDR" up 3>&-
}

teardown() {
	kernel_logs_clean
}

@test "a request that the device splits is not passed by for as long as there are others that it is polled for" {
	storage 'echo spin >/sys/bus/xen-backend/devices/vbd-*-$1/iddr/mode' "$DEVID"
	# The load ends when that request has been answered, or when its own time is up, long after.
	app 'fio --name=v --filename=/dev/$1 --allow_file_create=0 --ioengine=libaio --direct=1 --rw=randread --bs=4k --iodepth=16 \
		--time_based --runtime=120 >/tmp/fio.out 2>&1 &
	     load=$!
	     for ((i = 0; i < 100; i++)); do
		(($(awk "{ print \$1 }" "/sys/block/$1/stat") < 100)) || break
		sleep 0.1
	     done
	     (($(awk "{ print \$1 }" "/sys/block/$1/stat") >= 100)) || { cat /tmp/fio.out; exit 1; }
	     # More than a request of it holds.
	     (($2 < 1024))
	     dd if=/dev/$1 of=/dev/null bs=1M count=1 iflag=direct status=none
	     kill -0 "$load" || { echo "it was answered when the load was over"; exit 1; }
	     kill "$load"
	     wait "$load" || true' "$DISK" "$(storage 'cat /sys/block/nvme0n1/queue/max_hw_sectors_kb')"
}
