# SPDX-License-Identifier: GPL-2.0-or-later
"""From a machine's adapters to QEMU's network back ends."""

from __future__ import annotations

from pathlib import Path

from kiban.adapters.net import user
from kiban.adapters.net.user import PortForward
from kiban.adapters.qemu.devices import Props, netdev_id
from kiban.model.machine import Forward, Machine, NetBoot, Nic


def of(machine: Machine, nic: Nic, runtime: Path) -> list[Props]:
    """The back ends of an adapter, in the order in which they must be made."""
    return [user.port(netdev_id(nic), _hub(nic)), *network(machine, nic, runtime)]


def network(machine: Machine, nic: Nic, runtime: Path) -> list[Props]:
    """Those that come and go while the adapter stays; none for one that leads nowhere."""
    if nic.network == "none":
        return []
    tftp = nic.boot if nic.boot and nic.boot.protocol == "tftp" else None
    made = user.netdev(
        forwards=[rule(forward) for forward in nic.forwards],
        tftp=Path(tftp.folder) if tftp else None,
        bootfile=tftp.file if tftp else "",
    )
    dhcp6 = dhcp6_socket(nic, runtime) if boots_over_ipv6(machine, nic) else None
    return user.network(made, netdev_id=netdev_id(nic), hub=_hub(nic), dhcp6=dhcp6)


def names(machine: Machine, nic: Nic) -> list[str]:
    """Ids of what `network` returns, also where its folder is gone."""
    dhcp6 = Path() if boots_over_ipv6(machine, nic) else None
    return [made["id"] for made in user.network({}, netdev_id=netdev_id(nic), hub=_hub(nic), dhcp6=dhcp6)]


def _hub(nic: Nic) -> int:
    return int(nic.id.removeprefix("nic"))


def open_ports(nic: Nic) -> tuple[Forward, ...]:
    """The ports of the host that lead through an adapter; none while it leads nowhere itself."""
    return nic.forwards if nic.network != "none" else ()


def boots_over_ipv6(machine: Machine, nic: Nic) -> NetBoot | None:
    """The folder that an adapter boots from by PXE over IPv6, for which its network needs a DHCPv6 server."""
    uefi = machine.uefi
    return nic.boot if uefi and uefi.pxe_protocol == "ipv6" and nic.boot and nic.boot.protocol == "tftp" else None


def dhcp6_socket(nic: Nic, runtime: Path) -> Path:
    """Where QEMU listens for that server."""
    return runtime / f"{nic.id}-dhcp6.sock"


def check_ports(nic: Nic) -> None:
    """Conflict, NotAllowed or BadInput when a port that the adapter forwards cannot be had."""
    for forward in open_ports(nic):
        check_port(forward)


def check_port(forward: Forward) -> None:
    """The same for one forward."""
    user.check_port_free(rule(forward))


def rule(f: Forward) -> PortForward:
    """A forward as QEMU has it."""
    return PortForward(f.host_port, f.guest_port, f.protocol, f.host_address)
