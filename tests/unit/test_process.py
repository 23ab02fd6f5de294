# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's process with a stand-in: the lock it inherits, the files it is handed, who it runs as, and its end."""

from __future__ import annotations

import asyncio
import errno
import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiban.adapters import unixsocket
from kiban.adapters.qemu import process
from kiban.adapters.qemu.cmdline import CommandLine
from kiban.errors import BadInput, Conflict, Failed, HostLacks, KibanError, NotAllowed, NotFound

ME = process.Account(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid())
NOBODY = process.Account("nobody", 65534, 65534)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may start programs as somebody else")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder whose path is short enough for sockets, and through which everybody may go."""
    with tempfile.TemporaryDirectory(prefix="kb-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


def shell(script: str) -> CommandLine:
    """`script` under bash, in the place of QEMU."""
    return CommandLine(["bash", "-c", script])


def start(line: CommandLine, place: Path, *, inherit: Any = (), owner: process.Account = ME) -> subprocess.Popen[bytes]:
    return process.spawn(line, inherit=inherit, log=place / "log", owner=owner)


# locks


def test_a_lock_is_held_once(place: Path) -> None:
    lock = place / "lock"
    assert not process.is_locked(lock)
    assert not lock.exists()
    with process.locked(lock):
        assert process.is_locked(lock)
        with pytest.raises(Conflict) as caught, process.locked(lock):
            pass
        assert caught.value.reason == "is-running"
    assert not process.is_locked(lock)


def test_a_lock_in_a_folder_that_is_gone(place: Path) -> None:
    with pytest.raises(NotFound), process.locked(place / "gone" / "lock"):
        pass
    assert not process.is_locked(place / "gone" / "lock")


def test_a_lock_that_is_no_file(place: Path) -> None:
    (place / "lock").mkdir()
    with pytest.raises(HostLacks, match="Is a directory"), process.locked(place / "lock"):
        pass
    with pytest.raises(HostLacks):
        process.is_locked(place / "lock")


def test_the_child_keeps_the_lock_that_we_let_go(place: Path) -> None:
    lock = place / "lock"
    with process.locked(lock) as descriptor:
        child = start(shell("exec sleep 600"), place, inherit=[descriptor])
    try:
        assert process.is_locked(lock)
        assert process.holders([lock, place / "none"]) == {lock: process.Holder(inherited=True, pid=child.pid)}
    finally:
        child.kill()
        child.wait()
    assert not process.is_locked(lock)
    assert process.holders([lock]) == {}


def test_who_only_reads_the_lock_does_not_hold_it(place: Path) -> None:
    lock = place / "lock"
    with process.locked(lock) as descriptor:
        child = start(shell("exec sleep 600"), place, inherit=[descriptor])
    readers = []
    try:
        for _ in range(3):
            with lock.open("rb") as file:
                readers.append(subprocess.Popen(["sleep", "600"], stdin=file))
        assert process.holders([lock]) == {lock: process.Holder(inherited=True, pid=child.pid)}
    finally:
        for one in (child, *readers):
            one.kill()
            one.wait()


# starting


def test_a_child_gets_its_files_and_nothing_else(place: Path) -> None:
    (place / "in,put").write_text("hello")
    line = shell("")
    line.file(place / "in,put", "ro")
    line.file(place / "out", "append")
    with (place / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), False)
        # the arguments say which descriptor is which, as -add-fd does to QEMU
        line.argv = [sys.executable, "-c", _LOOK]
        child = process.spawn(_behind(line, place), inherit=[], log=place / "log", owner=ME)
        assert child.wait(60) == 0, (place / "log").read_text()
    assert (place / "out").read_text() == "hello"
    said = (place / "log").read_text().split("\n")
    assert said[0] == "opaque=in,,put,opaque=out"
    assert said[1] == "open: 5"  # the three standard ones and two files


_LOOK = """
import os, sys
adds = [dict(p.split("=", 1) for p in a.split(",") if p[:2] in ("fd", "se")) for a in sys.argv[1:]]
by_set = {a["set"]: int(a["fd"]) for a in adds}
print(",".join(a[a.index("opaque"):] for a in sorted(sys.argv[1:], key=lambda a: a[a.index("set="):])))
print("open:", len(os.listdir("/proc/self/fd")) - 1)
os.write(by_set["2"], os.read(by_set["1"], 100))
assert os.getsid(0) == os.getpid() and os.getcwd() == "/"
"""


def _behind(line: CommandLine, place: Path) -> CommandLine:
    """spawn puts -add-fd right behind the program; a shim moves it behind the script."""
    python, *rest = line.argv
    shim = f"import sys, os; adds = [a for a in sys.argv[1:] if a.startswith('fd=')]; os.execv({python!r}, "
    shim += f"[{python!r}, *{rest!r}, *adds])"
    program = place / "program"
    program.write_text(f"#!{python}\n{shim}\n")
    program.chmod(0o755)
    line.argv = [str(program)]
    return line


@as_root
def test_another_user_gets_files_that_it_may_not_open_itself(place: Path) -> None:
    (place / "mine").write_text("secret")
    (place / "mine").chmod(0o600)
    with (place / "mine").open("rb") as file:
        script = f"id -u; id -G; cat {place}/mine; cat <&{file.fileno()}"
        child = start(shell(script), place, inherit=[file.fileno()], owner=NOBODY)
        assert child.wait(60) == 0
    said = (place / "log").read_text()
    assert said.startswith("65534\n65534\n")
    assert "Permission denied" in said
    assert said.endswith("secret")
    assert (place / "log").stat().st_uid == os.geteuid()


def test_a_program_that_cannot_be_run(place: Path) -> None:
    with pytest.raises(HostLacks, match="is not installed") as caught:
        start(CommandLine([str(place / "none")]), place)
    assert caught.value.hint
    (place / "text").write_text("not a program")
    (place / "text").chmod(0o755)
    with pytest.raises(Failed, match="cannot be run"):
        start(CommandLine([str(place / "text")]), place)


def test_a_log_that_cannot_be_written(place: Path) -> None:
    with pytest.raises(HostLacks, match="No such file or directory"):
        process.spawn(shell("true"), inherit=[], log=place / "none" / "log", owner=ME)


def test_no_descriptor_is_left_open_when_a_file_is_missing(place: Path) -> None:
    (place / "there").write_text("")
    line = shell("true")
    line.file(place / "there", "rw")
    line.file(place / "gone", "rw")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(NotFound, match="gone does not exist"):
        start(line, place)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# files and sockets


def test_files_that_cannot_be_opened(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "file").write_text("")
    cases: list[tuple[Path, Any, type[KibanError], str]] = [
        (place / "none", "ro", NotFound, "none does not exist"),
        (place / "none" / "append", "append", NotFound, "append does not exist"),
        (place, "rw", Failed, "Is a directory"),
        (place / "file" / "below", "ro", Failed, "Not a directory"),
        (place / ("x" * 300), "ro", Failed, "File name too long"),
        (Path("/with\0nul"), "ro", Failed, "null"),
    ]
    for path, mode, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            process.open_file(path, mode)
        assert caught.value.hint

    def denied(*_: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(NotAllowed, match="You may not write"):
        process.open_file(place / "file", "rw")
    with pytest.raises(NotAllowed, match="You may not read"):
        process.open_file(place / "file", "ro")


def test_a_pipe_does_not_hold_up_a_start(place: Path) -> None:
    os.mkfifo(place / "pipe")
    os.close(process.open_file(place / "pipe", "ro"))


def test_listen_is_private_and_replaces_what_nobody_listens_on(place: Path) -> None:
    path = place / "s"
    unixsocket.listen(path, ME.uid, ME.gid).close()
    assert path.is_socket()
    with unixsocket.listen(path, ME.uid, ME.gid) as server:
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            server.accept()[0].close()
        with pytest.raises(Conflict, match="Somebody listens"):
            unixsocket.listen(path, ME.uid, ME.gid)


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_listen_removes_nothing_but_sockets(place: Path, kind: str) -> None:
    path = place / "s"
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(place / "elsewhere")
    with pytest.raises(Conflict, match="is not a socket"):
        unixsocket.listen(path, ME.uid, ME.gid)
    assert os.path.lexists(path)


@pytest.mark.parametrize("path", ["/no/such/folder/s", "/tmp/" + "x" * 120])
def test_listen_where_one_cannot(path: str) -> None:
    with pytest.raises(BadInput, match=r"Cannot listen on|longer than 107 bytes") as caught:
        unixsocket.listen(Path(path), ME.uid, ME.gid)
    assert caught.value.hint


@as_root
def test_a_socket_belongs_to_the_one_who_runs_qemu(place: Path) -> None:
    with unixsocket.listen(place / "s", NOBODY.uid, NOBODY.gid):
        assert (place / "s").stat().st_uid == NOBODY.uid


# the end


def test_the_end_of_a_child_has_a_status(place: Path) -> None:
    async def go() -> None:
        child = start(shell("exit 3"), place)
        ended = process.Ended(child.pid, child)
        await ended.wait()
        assert (ended.over, ended.status) == (True, 3)
        ended.signal(signal.SIGKILL)  # too late, and harmless
        ended.close()

    run(go())


def test_a_signal_ends_a_child(place: Path) -> None:
    async def go() -> None:
        child = start(shell("exec sleep 600"), place)
        ended = process.Ended(child.pid, child)
        assert not ended.over
        ended.signal(signal.SIGKILL)
        await ended.wait()
        assert ended.status == -signal.SIGKILL

    run(go())


def test_the_end_of_somebody_elses_child_is_seen(place: Path) -> None:
    async def go() -> None:
        with process.locked(place / "lock") as lock:
            parent = start(shell("sleep 600 & exit 0"), place, inherit=[lock])
        parent.wait()
        pid = process.holders([place / "lock"])[place / "lock"].pid
        assert pid != parent.pid
        ended = process.Ended(pid)
        os.kill(pid, signal.SIGTERM)
        await ended.wait()
        assert (ended.over, ended.status) == (True, None)
        assert not process.is_locked(place / "lock")

    run(go())


def test_closing_leaves_the_process_alone(place: Path) -> None:
    async def go() -> None:
        child = start(shell("exec sleep 600"), place)
        ended = process.Ended(child.pid, child)
        ended.close()
        ended.close()
        assert child.poll() is None
        child.kill()
        child.wait()
        with pytest.raises(ProcessLookupError):
            process.Ended(child.pid)

    run(go())


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (b"", ""),
        (b"\n\n", ""),
        (b"2026-01-01T00:00:00Z qemu-system-x86_64: -m: no\n", "-m: no"),
        (b"first\nqemu-system-x86_64: warning: a\nlast\n", "last"),
        (b"\xff\x1b[31mred\x07", "\ufffd?[31mred?"),
        (b"x" * 100_000, "x" * 2000),
    ],
)
def test_last_words(place: Path, log: bytes, words: str) -> None:
    assert process.last_words(place / "log") == ""
    (place / "log").write_bytes(log)
    assert process.last_words(place / "log") == words


# who QEMU runs as


@as_root
def test_root_needs_a_user_for_qemu() -> None:
    assert process.account("nobody") == process.Account("nobody", pwd.getpwnam("nobody").pw_uid, NOBODY.gid)
    with pytest.raises(HostLacks, match="no user nosuchuser") as caught:
        process.account("nosuchuser")
    assert "useradd" in caught.value.hint


def test_anybody_else_runs_qemu_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    monkeypatch.setattr(os, "getegid", lambda: 2)
    assert process.account("nosuchuser") == process.Account(pwd.getpwuid(1).pw_name, 1, 2)


# the log


def test_the_log_of_the_start_before_is_kept(place: Path) -> None:
    for words in ("first", "second", "third"):
        start(shell(f"echo {words}"), place).wait()
    assert (place / "log").read_text() == "third\n"
    assert (place / "log.1").read_text() == "second\n"


def test_a_log_is_shortened_under_the_hands_of_its_writer(place: Path) -> None:
    os.mkfifo(place / "go")
    lines = process.MAX_LOG // 64 + 1
    script = f"seq -f 'line %057g.' {lines}; echo told; read < {place}/go; echo last"
    child = start(shell(script), place)
    log = place / "log"
    while not log.read_bytes().endswith(b"told\n"):
        assert child.poll() is None
    assert log.stat().st_size > process.MAX_LOG
    assert process.shorten_log(log)
    assert not process.shorten_log(log), "it is short now"
    (place / "go").write_text("\n")
    assert child.wait() == 0
    said = log.read_bytes()
    assert len(said) <= process.KEPT_LOG + len(process.CUT) + len(b"last\n")
    first, *kept, told, last = said.splitlines(keepends=True)
    assert (first, told, last) == (process.CUT, b"told\n", b"last\n")
    numbers = [int(line.split()[1].rstrip(b".")) for line in kept]
    assert numbers == list(range(numbers[0], lines + 1))
    assert process.last_words(log) == "last"


def test_a_log_that_is_gone_or_short_is_left_alone(place: Path) -> None:
    assert not process.shorten_log(place / "log")
    (place / "log").write_bytes(b"x" * process.MAX_LOG)
    assert not process.shorten_log(place / "log")
    assert (place / "log").stat().st_size == process.MAX_LOG
