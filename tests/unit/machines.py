# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines for tests: made by the contract from a request, with everything that is random made countable."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

from kiban.model import contract
from kiban.model.fresh import Fresh
from kiban.model.generations import generation
from kiban.model.machine import Board, Machine
from kiban.model.requests import MachineRequest

MIB = 1024**2


def fresh(number: int = 1) -> Fresh:
    """The id of machine `number`, and addresses and secrets that count up."""
    count = itertools.count(1)
    return Fresh(
        id=str(UUID(int=number)),
        created="2026-01-01T00:00:00+00:00",
        mac=lambda: f"52:54:00:00:00:{next(count):02x}",
        secret=lambda: f"secret-{next(count)}",
    )


def board(number: int, **changes: Any) -> Board:
    """The board of a generation as Debian 12 has it."""
    uefi = number == 2
    fields: dict[str, Any] = {
        "machine_type": "pc-q35-7.2" if uefi else "pc-i440fx-7.2",
        "layout": 1,
        "cpu": "",
        "video": generation(number).video[0],
        "firmware_code": "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd" if uefi else "",
        "firmware_code_sha256": "",
        "firmware_descriptor": "",
    }
    return Board(**fields | changes)


def make(number: int, *, serial: int = 1, board_changes: dict[str, Any] | None = None, **request: Any) -> Machine:
    """The machine of a request, with 64 or 128 MiB unless it says otherwise."""
    said: dict[str, Any] = {"name": f"m{serial}", "memory": generation(number).min_memory}
    asked = MachineRequest(generation=number, **said | request)
    return contract.make(asked, board(number, **board_changes or {}), fresh(serial))
