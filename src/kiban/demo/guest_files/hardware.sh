#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Says what the guest sees, from /sys and /proc alone, as "key<TAB>value" lines; a key may come more than once.
# Works with busybox and with a whole Debian.
say() { printf '%s\t%s\n' "$1" "$2"; }
read_line() { head -n 1 "$1" 2>/dev/null | tr -d '\000'; }
driver_of() {
    target=$(readlink "$1/driver" 2>/dev/null) && echo "${target##*/}" || echo none
}
pci_id() { # of a device folder: vendor:device
    vendor=$(read_line "$1/vendor") device=$(read_line "$1/device")
    echo "${vendor#0x}:${device#0x}"
}

if [ -d /sys/firmware/efi ]; then
    say firmware UEFI
    # Four bytes of attributes, then the value; busybox's od knows few options.
    set -- $(od -b /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c 2>/dev/null)
    case "$6" in 001) say secure_boot on ;; 000) say secure_boot off ;; *) say secure_boot none ;; esac
else
    say firmware BIOS
    say secure_boot none
fi
say lockdown "$(sed 's/.*\[\(.*\)\].*/\1/' /sys/kernel/security/lockdown 2>/dev/null)"
say firmware_vendor "$(read_line /sys/class/dmi/id/bios_vendor)"
say board "$(read_line /sys/class/dmi/id/product_name) $(read_line /sys/class/dmi/id/product_version)"
say host_bridge "$(pci_id /sys/bus/pci/devices/0000:00:00.0)"
say kernel "$(uname -r)"
say cpus "$(grep -c '^processor' /proc/cpuinfo)"
say memory_kib "$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)"

for device in /sys/bus/pci/devices/*; do
    class=$(read_line "$device/class")
    what="$(pci_id "$device") $(driver_of "$device")"
    case "$class" in
    0x0101*) say controller "IDE $what" ;;
    0x0106*) say controller "SATA $what" ;;
    0x0108*) say controller "NVMe $what" ;;
    0x01*) say controller "SCSI $what" ;;
    0x02*) say nic "$what" ;;
    0x03*) say video "$what" ;;
    0x0c03*) say usb_controller "$what" ;;
    esac
done

for block in /sys/block/sd* /sys/block/sr* /sys/block/vd* /sys/block/nvme*; do
    [ -e "$block" ] || continue
    case "$(readlink -f "$block/device")" in
    */ata[0-9]*) bus=ATA ;;
    */usb[0-9]*) bus=USB ;;
    */nvme/*) bus=NVMe ;;
    *) bus=SCSI ;;
    esac
    kind=disk
    [ "$(read_line "$block/device/type")" = 5 ] && kind=dvd
    say $kind "$bus $(($(read_line "$block/size") / 2048)) MiB"
done

grep -qs PNP0700 /sys/bus/pnp/devices/*/id && say floppy "controller"
for block in /sys/block/fd*; do
    [ -e "$block" ] && say floppy "drive ${block##*/}"
done
for port in /sys/bus/serio/devices/serio*; do
    [ -e "$port" ] && say ps2 "$(read_line "$port/description")"
done
for device in /sys/bus/usb/devices/*/product; do
    case "$device" in */usb[0-9]*) continue ;; esac
    [ -e "$device" ] && say usb "$(read_line "$device")"
done
sed -n 's/^N: Name="\(.*\)"/input\t\1/p' /proc/bus/input/devices
for line in /sys/class/tty/ttyS*; do
    [ "$(read_line "$line/type")" = 0 ] || say com "${line##*/} $(read_line "$line/port")"
done
[ -e /sys/class/tpm/tpm0 ] && say tpm "$(read_line /sys/class/tpm/tpm0/tpm_version_major)"
exit 0
