# SPDX-License-Identifier: GPL-2.0-or-later
"""The service as systemd's unit: where it is enabled, systemd starts the service, and nobody else does.

A second way to start it would take the state directory from the unit, which then fails until somebody looks.
"""

from __future__ import annotations

import os
from pathlib import Path

from kiban.errors import NoService
from kiban.paths import Paths, standard

UNIT = "kiban.service"
BOOTED = Path("/run/systemd/system")
"""Is there where systemd is the host's init (sd_booted(3))."""


def start(paths: Paths, patience: float) -> bool:
    """Have systemd start the service of `paths`; False when no unit that is enabled is in charge of it.

    Waits up to `patience` seconds; NoService when it does not come up.
    """
    import subprocess

    usual = standard()
    if not BOOTED.is_dir() or (paths.state, paths.runtime) != (usual.state, usual.runtime):
        return False
    whose = [] if os.geteuid() == 0 else ["--user"]
    try:
        if not _said(["systemctl", *whose, "is-enabled", UNIT], patience):
            return False
        if _said(["systemctl", *whose, "start", UNIT], patience):
            return True
    except (FileNotFoundError, PermissionError):  # the latter when a folder of PATH is closed to this user
        return False
    except subprocess.TimeoutExpired:
        pass  # its log says more than that
    raise NoService(f"systemd could not start {UNIT}.", " ".join(["Its log: journalctl", *whose, "-u", UNIT]))


def _said(command: list[str], patience: float) -> bool:
    import subprocess

    return subprocess.run(command, capture_output=True, timeout=patience, check=False).returncode == 0
