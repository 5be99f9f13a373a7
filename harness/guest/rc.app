# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# rc.app: the application domain: the front ends and the agent that binds them.
# shellcheck disable=SC2154 # pairs comes from rc

if [ "$pairs" = both ]; then
	echo 0 >/sys/bus/xen/drivers_autoprobe
	modprobe xen-blkfront
fi
load_modules iddr_comm iddr_front
iddr-hotplug front "$pairs" &
iddr-agent serve --vchan 8 &
