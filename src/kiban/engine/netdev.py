# SPDX-License-Identifier: GPL-2.0-or-later
"""From a machine's adapters to QEMU's network back ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kiban.adapters.net import user
from kiban.adapters.net.user import PortForward
from kiban.model.machine import Nic


def of(nic: Nic) -> dict[str, Any]:
    """The back end of an adapter, without its id; empty for an adapter that leads nowhere."""
    if nic.network == "none":
        return {}
    tftp = nic.boot if nic.boot and nic.boot.protocol == "tftp" else None
    return user.netdev(
        forwards=_forwards(nic),
        tftp=Path(tftp.folder) if tftp else None,
        bootfile=tftp.file if tftp else "",
    )


def check_ports(nic: Nic) -> None:
    """Conflict, NotAllowed or BadInput when a port that the adapter forwards cannot be had."""
    for forward in _forwards(nic):
        user.check_port_free(forward)


def _forwards(nic: Nic) -> list[PortForward]:
    return [PortForward(f.host_port, f.guest_port, f.protocol, f.host_address) for f in nic.forwards]
