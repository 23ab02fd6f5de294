# SPDX-License-Identifier: GPL-2.0-or-later
"""A service with its web manager as a process of its own, on machines whose QEMU is tests/unit/fake_qemu.py.

Run as a program it is that service: the real one, but for the user that QEMU runs as, and HISTORY_EVERY seconds.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kiban
from kiban.api.server import Listening
from kiban.engine.tokens import Tokens
from kiban.model.roles import Role
from kiban.paths import Paths

WAIT = 60.0
"""Seconds, as a limit."""


class Place:
    """A service that runs: clients of it, each with a role. It can be killed and started again, as systemd would."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self.client = kiban.connect(f"unix://{paths.socket}")
        self.tokens, self.url, self._fingerprint = Tokens(paths.state), "", ""
        self._process: subprocess.Popen[bytes] | None = None

    def as_(self, role: Role) -> kiban.Client:
        """A client with a token of that role."""
        return self.with_token(self.tokens.create(f"{role}-{len(self.tokens.list())}", role))

    def with_token(self, token: str) -> kiban.Client:
        """A client that comes over TLS."""
        return kiban.connect(self.url, token, fingerprint=self._fingerprint)

    def start(self, systemd: Systemd | None = None) -> None:
        """Start the service, where it was before if it was."""
        reader, writer = os.pipe()
        ready = fcntl.fcntl(writer, fcntl.F_DUPFD_CLOEXEC, 10)  # 3 and 4 are for what systemd has kept
        os.close(writer)
        env = os.environ | {"KIBAN_STATE": str(self._paths.state), "KIBAN_RUNTIME": str(self._paths.runtime)}
        env |= {"READY": str(ready), "LISTEN": self.url.removeprefix("https://") or "127.0.0.1:0"}
        kept = systemd.kept() if systemd is not None else []
        if systemd is not None:
            env |= {"NOTIFY_SOCKET": systemd.address, "KEPT": ",".join(map(str, kept))}
        with self._paths.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, __file__], env=env, pass_fds=[ready, *kept], stdout=log, stderr=log
            )
        os.close(ready)
        with open(reader, "rb") as pipe:  # noqa: PTH123  # a descriptor
            told = pipe.readline()
        assert told, self._paths.log.read_text()
        self.url, self._fingerprint = json.loads(told)

    def kill(self) -> None:
        """End the service without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(WAIT)

    def stop(self) -> None:
        """Have the service end."""
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(WAIT) == 0, self._paths.log.read_text()


class Systemd:
    """What systemd does for a unit with FileDescriptorStoreMax: it keeps what it is handed (sd_notify(3))."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(self.address)
        self._kept: list[int] = []

    def kept(self) -> list[int]:
        """The descriptors that the services so far have handed over."""
        while True:
            try:
                said, found, _, _ = socket.recv_fds(self._socket, 4096, 8)
            except BlockingIOError:
                return self._kept
            if said.startswith(b"FDSTOREREMOVE=1\n"):
                self.close()
            if said.startswith(b"FDSTORE=1\n"):
                self._kept += [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 10) for one in found]
            for one in found:
                os.close(one)

    def close(self) -> None:
        """Let go of all of them."""
        while self._kept:
            os.close(self._kept.pop())


@contextmanager
def service(paths: Paths) -> Iterator[Place]:
    """A service that runs meanwhile."""
    place = Place(paths)
    place.start()
    try:
        yield place
    finally:
        place.stop()


def _main() -> None:
    from kiban.adapters.qemu import process
    from kiban.api import systemd
    from kiban.api.server import run
    from kiban.engine import history
    from kiban.web.manager import STORE, Manager

    logging.basicConfig(level=logging.INFO)
    kept = [int(one) for one in os.environ.get("KEPT", "").split(",") if one]
    for number, descriptor in enumerate(kept):
        os.dup2(descriptor, systemd.FIRST + number)
        os.close(descriptor)
    if kept:
        names = ":".join(STORE for _ in kept)
        os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(kept)), "LISTEN_FDNAMES": names}
    history.EVERY = float(os.environ.get("HISTORY_EVERY", history.EVERY))
    own = process.Account("me", os.geteuid(), os.getegid())
    process.account = lambda name="": own
    os.chdir("/")
    run(Paths.default(), listen=os.environ["LISTEN"], web=Manager, ready=_ready, names=())


def _ready(where: Listening) -> None:
    with open(int(os.environ["READY"]), "w") as pipe:  # noqa: PTH123  # a descriptor
        pipe.write(json.dumps([where.url, where.fingerprint]) + "\n")


if __name__ == "__main__":
    _main()
