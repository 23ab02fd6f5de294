#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs once inside the new Debian tree: login, network, and no service that a guest for looking at does not need.
set -e
echo kiban >/etc/hostname
echo '127.0.0.1 localhost kiban' >/etc/hosts
echo 'LABEL=kiban-root / ext4 errors=remount-ro 0 0' >/etc/fstab
echo 'Kiban: Debian on a machine of its own. Root is logged in; nothing listens on the network.' >/etc/issue
: >/etc/machine-id # each copy of the disk gives itself one
passwd -q -d root

for unit in getty@tty1 serial-getty@ttyS0; do
    mkdir -p "/etc/systemd/system/$unit.service.d"
    cat >"/etc/systemd/system/$unit.service.d/autologin.conf" <<'UNIT'
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200,9600 %I $TERM
UNIT
done

cat >/etc/systemd/network/80-dhcp.network <<'UNIT'
[Match]
Name=e*
[Network]
DHCP=yes
LinkLocalAddressing=ipv6
UNIT
echo 'nameserver 10.0.2.3' >/etc/resolv.conf # QEMU's user network

systemctl -q enable systemd-networkd.service
systemctl -q disable systemd-networkd-wait-online.service
systemctl -q set-default multi-user.target
systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer
rm -rf /var/log/*.log /var/log/apt/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/*
