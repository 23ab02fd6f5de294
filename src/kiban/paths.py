# SPDX-License-Identifier: GPL-2.0-or-later
"""Where Kiban keeps what: machines in the state directory, sockets in the runtime directory.

Root has the system's directories, anybody else the ones of the XDG base directory specification. `KIBAN_STATE` and
`KIBAN_RUNTIME` override both. A socket's path may have 107 bytes (unix(7)), so the runtime directory is kept short.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as type checkers understand it
if TYPE_CHECKING:
    from pathlib import Path


# no dataclass, and imports inside functions: the command line reads this before every command, and dataclasses,
# tempfile, typing and platformdirs together would cost it more than its own work
class Paths:
    """The two roots and what is in them."""

    def __init__(self, state: Path, runtime: Path) -> None:
        self.state = state
        self.runtime = runtime

    @property
    def machines(self) -> Path:
        """One directory per machine, named by its id."""
        return self.state / "machines"

    @property
    def database(self) -> Path:
        """What may be lost without losing a machine."""
        return self.state / "service.db"

    @property
    def autostarted(self) -> Path:
        """In which boot of the host its machines were started last."""
        return self.state / "autostarted"

    @property
    def disk_key(self) -> Path:
        """By which a differencing disk is known to have been made here; without it none of them starts."""
        return self.state / "disks.key"

    @property
    def web_sessions(self) -> Path:
        """Who is in the web manager; may be lost."""
        return self.state / "web-sessions.json"

    @property
    def unfinished(self) -> Path:
        """Notes of the images that are being worked on."""
        return self.state / "unfinished"

    @property
    def media(self) -> Path:
        """The library of ISO and floppy images."""
        return self.state / "media"

    @property
    def log(self) -> Path:
        """The service's own log."""
        return self.state / "service.log"

    @property
    def socket(self) -> Path:
        """Where the service listens."""
        return self.runtime / "service.sock"

    @property
    def mounts(self) -> Path:
        """One folder for each disk that is mounted on the host; what is mounted does not outlive the boot either."""
        return self.runtime / "mounts"

    def of_machine(self, machine_id: str) -> Path:
        """Runtime directory of a machine, for its sockets."""
        return self.runtime / "m" / machine_id

    @classmethod
    def default(cls) -> Paths:
        """The directories of whoever runs this process."""
        from pathlib import Path

        state = os.environ.get("KIBAN_STATE") or _default_state()
        return cls(state=Path(state).absolute(), runtime=Path(_runtime()).absolute())


def standard() -> Paths:
    """The directories of whoever runs this process where nobody says otherwise; the units use them."""
    from pathlib import Path

    return Paths(state=Path(_default_state()), runtime=Path(_default_runtime()))


def private(path: str | os.PathLike[str], flags: int) -> int:
    """An opener (see `open`): what it creates is for its owner only.

    Root's directories can be passed through by all, for QEMU's user; what others may open there they may lock.
    """
    return os.open(path, flags, 0o600)


def default_socket() -> str:
    """Where the service of whoever runs this process listens: `Paths.default().socket`, without pathlib."""
    return os.path.join(os.path.abspath(_runtime()), "service.sock")  # noqa: PTH100, PTH118  # 4 ms of a plain command


def _runtime() -> str:
    return os.environ.get("KIBAN_RUNTIME") or _default_runtime()


def _default_state() -> str:
    if os.geteuid() == 0:
        return "/var/lib/kiban"
    from platformdirs import user_state_dir

    return user_state_dir("kiban")


def _default_runtime() -> str:
    if os.geteuid() == 0:
        return "/run/kiban"
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base:
        return f"{base}/kiban"
    import tempfile

    return f"{tempfile.gettempdir()}/kiban-{os.geteuid()}"
