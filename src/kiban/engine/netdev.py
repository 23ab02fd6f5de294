# SPDX-License-Identifier: GPL-2.0-or-later
"""From a machine's adapters to QEMU's network back ends."""

from __future__ import annotations

from typing import Any

from kiban.model.machine import Nic


def of(nic: Nic) -> dict[str, Any]:
    """The back end of an adapter, without its id; empty for an adapter that leads nowhere."""
    if nic.network == "none":
        return {}
    props: dict[str, Any] = {"type": "user"}
    if nic.forwards:
        props["hostfwd"] = [
            {"str": f"{f.protocol}:{f.host_address}:{f.host_port}-:{f.guest_port}"} for f in nic.forwards
        ]
    if nic.boot and nic.boot.protocol == "tftp":
        props |= {"tftp": nic.boot.folder, "bootfile": nic.boot.file}
    return props


def check_ports(nic: Nic) -> None:
    pass
