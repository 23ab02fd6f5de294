# SPDX-License-Identifier: GPL-2.0-or-later
"""A service with its web manager as a process of its own, on machines whose QEMU is tests/unit/fake_qemu.py.

Run as a program it is that service: the real one, but for the user that QEMU runs as.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import kiban
from kiban.paths import Paths

WAIT = 60.0
"""Seconds, as a limit."""


@contextmanager
def service(paths: Paths) -> Iterator[kiban.Client]:
    """A client of a service that runs meanwhile."""
    reader, writer = os.pipe()
    env = os.environ | {"KIBAN_STATE": str(paths.state), "KIBAN_RUNTIME": str(paths.runtime), "READY": str(writer)}
    log = paths.log.open("ab")
    with subprocess.Popen([sys.executable, __file__], env=env, pass_fds=[writer], stdout=log, stderr=log) as process:
        os.close(writer)
        try:
            with open(reader, "rb") as pipe:  # noqa: PTH123  # a descriptor
                assert pipe.read(1) == b"1", paths.log.read_text()
            yield kiban.connect(f"unix://{paths.socket}")
        finally:
            process.terminate()
            assert process.wait(WAIT) == 0, paths.log.read_text()


def _main() -> None:
    from kiban.adapters.qemu import process
    from kiban.api.server import run
    from kiban.web.manager import Manager

    logging.basicConfig(level=logging.INFO)
    own = process.Account("me", os.geteuid(), os.getegid())
    process.account = lambda name="": own
    os.chdir("/")
    run(Paths.default(), web=Manager, ready=lambda _: _ready())


def _ready() -> None:
    os.write(int(os.environ["READY"]), b"1")
    os.close(int(os.environ["READY"]))


if __name__ == "__main__":
    _main()
