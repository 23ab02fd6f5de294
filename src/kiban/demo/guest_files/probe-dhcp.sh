#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# udhcpc calls this with what the DHCP server offered.
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr flush dev "$interface"
ip addr add "$ip/${mask:-24}" dev "$interface"
[ -z "$router" ] || ip route replace default via "${router%% *}" dev "$interface"
[ -z "$dns" ] || printf 'nameserver %s\n' $dns >/etc/resolv.conf
