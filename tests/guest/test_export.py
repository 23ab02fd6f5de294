# SPDX-License-Identifier: GPL-2.0-or-later
"""An exported machine, imported again, starts its guest: under Secure Boot and with its TPM on generation 2."""

from __future__ import annotations

import shutil
from pathlib import Path

from rig import Guest, Service


def test_what_was_exported_starts_again(service: Service, machine: Guest, root: Path) -> None:
    machine.off()
    folder = root / f"export-{machine.name}"
    service.kiban("export", machine.name, str(folder))
    again = Guest(service.client, f"{machine.name}-again")
    service.kiban("import", str(folder), "--name", again.name)
    shutil.rmtree(folder)
    try:
        again.up()
        assert again.view.nics[0].mac in again.sh("cat /sys/class/net/*/address").split()
        if again.view.generation == 2:
            assert again.efi_variable("SecureBoot") == b"\1"
            state = Path("tpm") / "tpm2-00.permall"
            assert again.view.tpm
            assert again.sh("cat /sys/class/tpm/tpm0/tpm_version_major") == "2"
            assert (Path(again.view.directory) / state).stat().st_size > 0
    finally:
        again.off()
        service.client.remove(again.name)
