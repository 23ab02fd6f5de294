# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's side of the sockets that one program of the host at a time may connect to: COM ports, the guest agent's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kiban.engine.handle import Handle


async def find(handle: Handle, label: str) -> Mapping[str, Any] | None:
    """What QEMU says of one of them; None where the machine has none of that label."""
    found: list[dict[str, Any]] = await handle.live.run("query-chardev")
    return next((device for device in found if device["label"] == label), None)


def is_taken(device: Mapping[str, Any]) -> bool:
    """Whether somebody on the host is connected to it."""
    # how QEMU says that nobody is connected to a socket of its own (chardev/char-socket.c)
    return not str(device["filename"]).startswith("disconnected:")
