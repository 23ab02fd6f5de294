# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's TPM: its state, made with the machine, and its process, which lives as long as QEMU does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from kiban.adapters.firmware.tpm import create_tpm, start_swtpm
from kiban.adapters.qemu.process import Account
from kiban.engine.handle import Handle
from kiban.engine.whole import in_thread

DIRECTORY = "tpm"


async def make(directory: Path, owner: Account) -> None:
    """Make the TPM of a machine in its directory."""
    await in_thread(create_tpm, directory / DIRECTORY, **_identity(owner))


def start(handle: Handle, owner: Account) -> tuple[Path, subprocess.Popen[bytes]]:
    """Start a machine's TPM; returns the socket for QEMU, and the process to end should QEMU not come to be."""
    place = handle.runtime / "tpm.sock"
    process = start_swtpm(
        handle.directory / DIRECTORY, place, handle.directory / DIRECTORY / "swtpm.log", **_identity(owner)
    )
    return place, process


def _identity(owner: Account) -> dict[str, int | None]:
    other = owner.uid != os.geteuid()
    return {"uid": owner.uid if other else None, "gid": owner.gid if other else None}
