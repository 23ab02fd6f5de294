#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# First process of the probe guest: load what the hardware asks for, start the guest agent as early as can be.
export PATH=/sbin:/bin:/usr/sbin:/usr/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /run /tmp
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
mount -t securityfs securityfs /sys/kernel/security
[ -d /sys/firmware/efi ] && modprobe -q efivarfs && mount -t efivarfs efivarfs /sys/firmware/efi/efivars

agent() {
    for port in /sys/class/virtio-ports/*; do
        [ "$(cat "$port/name" 2>/dev/null)" = org.qemu.guest_agent.0 ] || continue
        qemu-ga --daemonize --method=virtio-serial --path="/dev/${port##*/}" --pidfile=/run/qemu-ga.pid
        return
    done
}

# Nothing that can wait stands between the kernel and the agent.
modprobe -abq virtio_pci virtio_console
agent

# Everything else, twice: controllers first, then what appeared behind them.
for pass in 1 2; do
    find /sys/devices -name modalias -print0 | xargs -0 cat | sort -u | xargs modprobe -abq 2>/dev/null
done
modprobe -abq sd_mod sr_mod isofs vfat nls_cp437 nls_ascii evdev button 2>/dev/null
[ -d /sys/bus/usb ] && modprobe -abq usbhid hid_generic usb_storage # USB devices appear when they like
[ -e /run/qemu-ga.pid ] || agent
acpid -f -l /dev/null -c /etc/acpi & # its log would be in /var/log, which is not there
ip link set lo up
for nic in /sys/class/net/*; do
    [ "${nic##*/}" = lo ] && continue
    ip link set "${nic##*/}" up
    udhcpc -b -q -i "${nic##*/}" -s /etc/udhcpc.sh >/dev/null 2>&1 &
done
hostname probe
echo ready >/run/probe-ready

banner="Kiban probe guest, Linux $(uname -r), $([ -d /sys/firmware/efi ] && echo UEFI || echo BIOS)"
shell_on() {
    while :; do
        printf '\n%s\n' "$banner" >"/dev/$1"
        setsid -c sh -l <"/dev/$1" >"/dev/$1" 2>&1 || sleep 5
    done
}
for line in /sys/class/tty/ttyS*; do
    [ "$(cat "$line/type")" = 0 ] || shell_on "${line##*/}" &
done
shell_on tty1 &
while :; do wait; sleep 1; done
