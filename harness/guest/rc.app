# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# rc.app: the application domain: the front ends and the agent that binds them.
# shellcheck disable=SC2154 # pairs, segments and ring_order come from rc

if [ "$pairs" = both ]; then
	echo 0 >/sys/bus/xen/drivers_autoprobe
	modprobe xen-blkfront max_indirect_segments="$segments" max_ring_page_order="$ring_order"
fi
load_module iddr_comm
load_module iddr_front max_segments="$segments" ring_page_order="$ring_order"
iddr-hotplug front "$pairs" &
iddr-agent serve --vchan 8 &
