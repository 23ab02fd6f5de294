# SPDX-License-Identifier: GPL-2.0-or-later
"""The real service in a process that kills itself, by SIGKILL, at the n-th thing it does to the world.

Things are what Python's audit hooks see (files opened for writing, renames, removals, directories, sockets, children),
what is written and flushed through the functions below, and each command to QEMU, before it is sent and after it was
answered. Nothing of this is in the product. The service is
forked from a server that has imported everything, so that a run takes a tenth of a second instead of one.
"""

import mmap
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults_fork import CONTEXT
from faults_ground import LIMIT, Ground, attempt, end

from kiban.errors import NoService

_EVENTS = frozenset({"subprocess.Popen", "socket.bind"}) | {
    f"os.{name}" for name in ("rename", "remove", "mkdir", "rmdir", "chmod", "chown", "link", "truncate")
}

_CALLS = ("fsync", "pwrite", "copy_file_range", "posix_fallocate")
"""Of the module os, which audit hooks do not see."""


class Dying:
    """A service that can be told to die."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.control = ground.folder / "control"
        self.control.write_bytes(bytes(256))
        with self.control.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 256)
        reader, writer = CONTEXT.Pipe(duplex=False)
        arguments = (str(ground.paths.state), str(ground.paths.runtime), str(self.control), writer)
        self.process = CONTEXT.Process(target=_service, args=arguments, daemon=True)
        self.process.start()
        writer.close()
        try:
            assert reader.poll(LIMIT), "the service neither came up nor ended"
            reader.recv()
        except EOFError:
            raise AssertionError(f"the service did not come up: {ground.log()}") from None

    def arm(self, count: int) -> None:
        """Let it die before the `count`-th thing from now on; 0 lets it live."""
        self._page[:4] = count.to_bytes(4, "little")

    @property
    def dead(self) -> str:
        """What it was about to do when it died; empty while it lives."""
        if not self._page[4:5].strip(b"\0"):
            return ""
        self.process.join(LIMIT)
        return bytes(self._page[4:]).rstrip(b"\0").decode(errors="replace")

    def interrupt(self, count: int, act: Callable[..., Any], *arguments: Any) -> str:
        """Do something while the service dies at its `count`-th thing; what that was, and "" when it got through."""
        self.arm(count)
        refused = attempt(act, *arguments)
        self.arm(0)
        if not self.dead:
            assert refused is None, refused
            return ""
        assert refused is None or isinstance(refused, NoService), refused
        return self.dead

    def kill(self) -> None:
        """SIGKILL from outside, and wait until it is gone."""
        if self.process.pid is not None and self.process.exitcode is None:
            end(self.process.pid)
        self.process.join(LIMIT)


def _service(state: str, runtime: str, control: str, ready: Any) -> None:
    os.environ.update(KIBAN_STATE=state, KIBAN_RUNTIME=runtime)
    log = os.open(f"{state}/service.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.setsid()
    _watch(Path(control))
    from kiban.api import __main__ as api

    def told() -> None:
        ready.send(1)
        ready.close()

    api._ready = told  # the byte on the pipe, without an exec to inherit it
    os._exit(api.main())


def _watch(control: Path) -> None:
    """Count down in the shared page with each thing that is done, and die at the end of the count."""
    from kiban.adapters.disk import placing
    from kiban.adapters.qemu import process
    from kiban.adapters.qemu.monitor import Monitor

    with control.open("r+b") as file:
        page = mmap.mmap(file.fileno(), 256)

    def count(what: str) -> None:
        left = int.from_bytes(page[:4], "little")
        if left == 0:
            return
        page[:4] = (left - 1).to_bytes(4, "little")
        if left == 1:
            page[4:] = what.encode()[:252].ljust(252, b"\0")
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in _EVENTS or writes:
            count(f"{event} {arguments[0]}")

    def counted_call(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def function(*arguments: Any) -> Any:
            count(f"os.{name}")
            return call(*arguments)

        return function

    def renamed(part: Path, target: Path) -> None:
        count(f"renameat2 {target}")
        rename(part, target)

    rename = placing._rename_noreplace
    run, connect, spawn = Monitor.run, Monitor.connect.__func__, process.spawn  # type: ignore[attr-defined]

    async def counted(monitor: Monitor, command: str, arguments: Any = None) -> Any:
        count(f"before {command}")
        answer = await run(monitor, command, arguments)
        count(f"after {command}")
        return answer

    async def connected(*arguments: Any) -> Any:
        monitor = await connect(*arguments)
        count("after QEMU answered")
        return monitor

    def spawned(*arguments: Any, **options: Any) -> Any:
        child = spawn(*arguments, **options)
        count("after QEMU was started")
        return child

    # this process is a test's own
    Monitor.run = counted  # type: ignore[method-assign,assignment]
    Monitor.connect = classmethod(connected)  # type: ignore[method-assign,assignment]
    process.spawn = spawned
    placing._rename_noreplace = renamed
    for name in _CALLS:
        setattr(os, name, counted_call(name, getattr(os, name)))
    sys.addaudithook(hook)
