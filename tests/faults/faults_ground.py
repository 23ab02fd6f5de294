# SPDX-License-Identifier: GPL-2.0-or-later
"""A host of its own for tests that break things: private directories, the real service, the real command line.

Whatever was started on it is found by its environment (KIBAN_STATE is inherited by QEMU and swtpm), so nothing is
overlooked by `processes`, and nothing of anybody else is ended by `clear`.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import kiban
from kiban.client import Client
from kiban.errors import KibanError
from kiban.paths import Paths

LIMIT = 60.0  # seconds that anything may take before the test gives up; never an expectation
KIBAN = [sys.executable, "-c", "import sys; from kiban.cli.main import main; sys.exit(main())"]
Tree = dict[str, int | str]


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str


class Ground:
    """Directories, environment and processes of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = Paths(folder / "s", folder / "r")
        source = str(Path(kiban.__file__).parents[1])
        own = {"KIBAN_STATE": str(self.paths.state), "KIBAN_RUNTIME": str(self.paths.runtime), "PYTHONPATH": source}
        self.environment = {**os.environ, **own, "HOME": str(folder), "COLUMNS": "200"}
        self.environment.pop("KIBAN_URL", None)

    # people

    def kiban(self, *arguments: str, env: Mapping[str, str] | None = None) -> Said:
        """Run the command line to its end."""
        done = self.run([*KIBAN, *arguments], env)
        return Said(done.returncode, done.stdout, done.stderr)

    def run(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program to its end in this ground's environment."""
        return subprocess.run(
            command,
            env={**self.environment, **(env or {})},
            cwd=self.folder,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command line and leave it to the caller."""
        return subprocess.Popen(
            [*KIBAN, *arguments],
            env=self.environment,
            cwd=self.folder,
            text=True,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def client(self) -> Client:
        """The SDK, on the service that runs; it starts none."""
        return kiban.connect(f"unix://{self.paths.socket}")

    # the service

    def serve(self, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start the service as a client would, and wait until it answers; AssertionError with its log if it ends."""
        self.paths.state.mkdir(parents=True, exist_ok=True)
        reader, writer = os.pipe()
        with (self.folder / "service.log").open("ab") as log:  # not in the state directory, which may be full
            service = subprocess.Popen(
                [sys.executable, "-m", "kiban.api"],
                env={**self.environment, **(env or {}), "KIBAN_READY_FD": str(writer)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(writer,),
                start_new_session=True,
            )
        os.close(writer)
        with open(reader, "rb") as pipe:  # noqa: PTH123  # a descriptor
            assert select.select([pipe], [], [], LIMIT)[0], "the service neither came up nor ended"
            assert pipe.read(1) == b"1", self.log()
        return service

    def serve_again(self) -> None:
        """See that there is a service after a kill: a command that was just about to ask may have started one."""
        if self.service_pid() is None:
            self.serve()

    def service_pid(self) -> int | None:
        """The service that holds the state directory, whoever started it."""
        return next((pid for pid, words in self.processes().items() if "kiban.api" in words), None)

    def kill_service(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if pid := self.service_pid():
            end(pid)

    def log(self) -> str:
        """What services have logged: those started here, and those that clients started."""
        logs = [self.folder / "service.log", self.paths.log]
        return "".join(log.read_text(errors="replace") for log in logs if log.exists())

    # what there is

    def processes(self) -> dict[int, list[str]]:
        """Every live process of this ground, with its arguments; this one's own children without them too."""
        mark = f"KIBAN_STATE={self.paths.state}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                        found[int(entry.name)] = words
        return found

    def running(self, program: str) -> list[tuple[int, list[str]]]:
        """Processes of a program (a name without its folder)."""
        return [(pid, words) for pid, words in self.processes().items() if Path(words[0]).name == program]

    def qemu(self, machine_id: str) -> list[int]:
        """Every QEMU of a machine; one at most, if all is well."""
        return [pid for pid, words in self.running("qemu-system-x86_64") if machine_id in words]

    def tree(self) -> Tree:
        """What is in the state directory, but for the service's own books."""
        own = {"service.db", "service.db-wal", "service.db-shm", "service.log", "service.lock", "start.lock"}
        own |= {"autostarted", "disks.key"}
        found: Tree = {}
        for path in sorted(self.paths.state.rglob("*")) if self.paths.state.exists() else ():
            name = str(path.relative_to(self.paths.state))
            if name not in own | {"qemu.json", "machines"} and not name.startswith(".autostarted."):
                found[name] = path.read_text() if path.name == "vm.json" else path.stat().st_size * path.is_file()
        return found

    def directory(self, name: str) -> Path:
        """The directory of a machine."""
        return Path(self.client().machine(name).directory)

    def clear(self) -> None:
        """End everything that was started here, and forget it."""
        for _ in range(3):  # the service first: it might start another
            self.kill_service()
            for pid in self.processes():
                end(pid)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def fresh(folder: Path | None = None) -> Iterator[Ground]:
    """A ground under a short path, since a socket's path has room for 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="kf-", dir="/tmp")) if folder is None else folder
    made.chmod(0o711)  # QEMU's user has to get through
    ground = Ground(made)
    try:
        yield ground
    finally:
        ground.clear()


@contextlib.contextmanager
def small_file_system(folder: Path, size: int) -> Iterator[None]:
    """Make a folder a file system of its own, of so many MiB; skips the test where that may not be done."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(folder)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def end(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal and wait until the process is gone, or a zombie for somebody else to reap."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        descriptor = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(descriptor, number)
            assert select.select([descriptor], [], [], LIMIT)[0], f"process {pid} does not end"
        finally:
            os.close(descriptor)


def eventually(what: str, test: Any) -> Any:
    """The first true result of `test`; AssertionError, saying `what`, when there is none in time."""
    limit = time.monotonic() + LIMIT
    while not (result := test()):
        assert time.monotonic() < limit, f"never: {what}"
        time.sleep(0.02)
    return result


def attempt(action: Any, *arguments: Any, **options: Any) -> KibanError | None:
    """What an action was refused with, or None; anything that is not Kiban's own error is a failure of the test."""
    refused: KibanError | None = None
    try:
        action(*arguments, **options)
    except KibanError as error:
        refused = error
    assert refused is None or refused.reason != "internal", refused
    return refused


def last_job(ground: Ground) -> str:
    """How the last job ended."""
    client = ground.client()
    return str(client.job(client.jobs()[-1].id, wait=LIMIT).state)


class Qmp:
    """A machine's monitor without the service, to see what its QEMU has, and to write as its guest would."""

    def __init__(self, path: Path) -> None:
        self.link = socket.socket(socket.AF_UNIX)
        self.link.settimeout(LIMIT)
        self.link.connect(str(path))
        self.stream = self.link.makefile("rwb")
        self.stream.readline()
        self.ask("qmp_capabilities")

    def __enter__(self) -> "Qmp":
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self.link.close()

    def ask(self, command: str, **arguments: Any) -> Any:
        """The answer to a command."""
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline())
            if "event" not in answer:
                return answer["return"]
