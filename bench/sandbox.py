# SPDX-License-Identifier: GPL-2.0-or-later
"""A Kiban of its own for a benchmark: an empty state directory, its own service, and the command line beside it.

Nothing here reaches into the service; what it costs is read from /proc.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

import psutil

import kiban
from kiban.errors import KibanError

CLI = (sys.executable, "-c", "import sys; from kiban.cli.main import main; sys.exit(main())")
"""What the installed `kiban` script runs."""


class Sandbox:
    """`with Sandbox() as box`: `box.client` is the SDK, `box.cli` the command line. At the end all is removed."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kiban-bench-"))
        self.folder.chmod(0o711)  # under root QEMU is another user, who has to get through to sockets
        self.use()
        self.client = kiban.connect()

    def use(self) -> None:
        """Let the command line and a service that is started from now on be this sandbox's."""
        os.environ["KIBAN_STATE"] = str(self.folder / "state")
        os.environ["KIBAN_RUNTIME"] = str(self.folder / "run")

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.use()
        try:
            for machine in self.client.machines():
                if machine.pid is not None:
                    self.client.stop(machine.name, force=True)
            self.end_service()
        except KibanError as left:
            raise RuntimeError(f"{self.folder} is left behind: {left.message}") from error
        shutil.rmtree(self.folder)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `kiban ARGUMENTS` to its end."""
        return subprocess.run([*CLI, *arguments], capture_output=True, text=True, check=True)

    def service(self) -> psutil.Process:
        """The service's process; started, if none runs."""
        return psutil.Process(self.client.version().pid)

    def end_service(self) -> None:
        """End the service; the machines go on."""
        service = self.service()
        service.terminate()
        service.wait(60)


def memory(process: psutil.Process) -> dict[str, int]:
    """Bytes of a process: resident, and its own, which is what would be free without it."""
    used = process.memory_full_info()
    return {"rss": used.rss, "pss": used.pss, "own": used.uss}
