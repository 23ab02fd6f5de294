# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest's agent tells of its network interfaces (`guest-network-get-interfaces` of qga/qapi-schema.json).

The guest is not trusted: what is not an address or a counter is left out, and there is an end to how many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

MOST_ADDRESSES = 16
"""Of one interface."""
_LONGEST_ADDRESS = 64
_COUNTERS = 1 << 64


@dataclass(frozen=True)
class Interface:
    """An interface: its MAC in small letters, its addresses, the bytes that it received and sent if it counts them."""

    mac: str
    addresses: tuple[str, ...]
    counted: tuple[int, int] | None


def read(answer: object, macs: Collection[str]) -> list[Interface]:
    """The interfaces of those MACs, one each: what a guest makes of its own, such as bridges, is not the machine's."""
    wanted = {mac.lower() for mac in macs}
    found: dict[str, Interface] = {}
    for each in answer if isinstance(answer, list) else ():
        mac = str(each.get("hardware-address", ""))[:32].lower() if isinstance(each, dict) else ""
        if mac in wanted and mac not in found:
            found[mac] = Interface(mac, tuple(_addresses(each.get("ip-addresses"))), _counted(each.get("statistics")))
    return list(found.values())


def _addresses(told: Any) -> Iterator[str]:
    for each in told[:MOST_ADDRESSES] if isinstance(told, list) else ():
        text = each.get("ip-address") if isinstance(each, dict) else None
        if isinstance(text, str) and len(text) <= _LONGEST_ADDRESS:
            try:
                yield str(ip_address(text.partition("%")[0]))  # behind % is a name that the guest chooses
            except ValueError:
                continue


def _counted(told: Any) -> tuple[int, int] | None:
    if not isinstance(told, dict):
        return None
    received, sent = told.get("rx-bytes"), told.get("tx-bytes")
    if type(received) is not int or type(sent) is not int:
        return None
    return (received, sent) if 0 <= received < _COUNTERS and 0 <= sent < _COUNTERS else None
