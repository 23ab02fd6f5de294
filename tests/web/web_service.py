# SPDX-License-Identifier: GPL-2.0-or-later
"""A service with its web manager as a process of its own, on machines whose QEMU is tests/unit/fake_qemu.py.

Run as a program it is that service: the real one, but for the user that QEMU runs as.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import kiban
from kiban.api.server import Listening
from kiban.engine.tokens import Tokens
from kiban.model.roles import Role
from kiban.paths import Paths

WAIT = 60.0
"""Seconds, as a limit."""


class Place:
    """A service that runs: clients of it, each with a role."""

    def __init__(self, paths: Paths, url: str, fingerprint: str) -> None:
        self.client = kiban.connect(f"unix://{paths.socket}")
        self.tokens, self.url, self._fingerprint = Tokens(paths.state), url, fingerprint

    def as_(self, role: Role) -> kiban.Client:
        """A client with a token of that role."""
        return self.with_token(self.tokens.create(f"{role}-{len(self.tokens.list())}", role))

    def with_token(self, token: str) -> kiban.Client:
        """A client that comes over TLS."""
        return kiban.connect(self.url, token, fingerprint=self._fingerprint)


@contextmanager
def service(paths: Paths) -> Iterator[Place]:
    """A service that runs meanwhile."""
    reader, writer = os.pipe()
    env = os.environ | {"KIBAN_STATE": str(paths.state), "KIBAN_RUNTIME": str(paths.runtime), "READY": str(writer)}
    log = paths.log.open("ab")
    with subprocess.Popen([sys.executable, __file__], env=env, pass_fds=[writer], stdout=log, stderr=log) as process:
        os.close(writer)
        try:
            with open(reader, "rb") as pipe:  # noqa: PTH123  # a descriptor
                told = pipe.readline()
            assert told, paths.log.read_text()
            yield Place(paths, *json.loads(told))
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
    run(Paths.default(), listen="127.0.0.1:0", web=Manager, ready=_ready, names=())


def _ready(where: Listening) -> None:
    with open(int(os.environ["READY"]), "w") as pipe:  # noqa: PTH123  # a descriptor
        pipe.write(json.dumps([where.url, where.fingerprint]) + "\n")


if __name__ == "__main__":
    _main()
