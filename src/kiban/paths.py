# SPDX-License-Identifier: GPL-2.0-or-later
"""Where Kiban keeps what: machines in the state directory, sockets in the runtime directory.

Root has the system's directories, anybody else the ones of the XDG base directory specification. `KIBAN_STATE` and
`KIBAN_RUNTIME` override both. A socket's path may have 107 bytes (unix(7)), so the runtime directory is kept short.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


# a NamedTuple, and imports inside functions: the command line reads this before every command, and dataclasses,
# tempfile and platformdirs together cost it 15 ms
class Paths(NamedTuple):
    """The two roots and what is in them."""

    state: Path
    runtime: Path

    @property
    def machines(self) -> Path:
        """One directory per machine, named by its id."""
        return self.state / "machines"

    @property
    def database(self) -> Path:
        """What may be lost without losing a machine."""
        return self.state / "service.db"

    @property
    def log(self) -> Path:
        """The service's own log."""
        return self.state / "service.log"

    @property
    def socket(self) -> Path:
        """Where the service listens."""
        return self.runtime / "service.sock"

    def of_machine(self, machine_id: str) -> Path:
        """Runtime directory of a machine, for its sockets."""
        return self.runtime / "m" / machine_id

    @classmethod
    def default(cls) -> Paths:
        """The directories of whoever runs this process."""
        state, runtime = os.environ.get("KIBAN_STATE"), os.environ.get("KIBAN_RUNTIME")
        return cls(
            state=Path(state).absolute() if state else _default_state(),
            runtime=Path(runtime).absolute() if runtime else _default_runtime(),
        )


def _default_state() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/kiban")
    from platformdirs import user_state_path

    return user_state_path("kiban")


def _default_runtime() -> Path:
    if os.geteuid() == 0:
        return Path("/run/kiban")
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base:
        return Path(base) / "kiban"
    import tempfile

    return Path(tempfile.gettempdir()) / f"kiban-{os.geteuid()}"
