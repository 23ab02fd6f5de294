# SPDX-License-Identifier: GPL-2.0-or-later
"""The NBD server: what QEMU reads through it, what other clients may say, and the cell that it runs in."""

from __future__ import annotations

import os
import random
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from chain_makers import MIB, Made, contents, scribbled, vhdx
from disk_makers import RANDOM, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiban.adapters.chains import cell, runner
from kiban.adapters.chains.server import MOST_CLIENTS
from kiban.errors import BadInput, Conflict, NotFound

OWNER = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
GREETING = struct.Struct(">8sQH")
OPTION = struct.Struct(">QII")
HAVE_OPTION = 0x49484156454F5054
REPLY = struct.Struct(">QIII")
REQUEST = struct.Struct(">IHHQQI")
CHUNK = struct.Struct(">IHHQI")


@contextmanager
def served(path: Path, *, linger: float = 60) -> Iterator[runner.Served]:
    found = runner.serve(path, "vhdx", path.parent / "nbd.sock", uid=OWNER[0], gid=OWNER[1], linger=linger)
    try:
        yield found
    finally:
        if running(found.pid):
            os.kill(found.pid, signal.SIGKILL)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def chain(folder: Path, rng: random.Random) -> tuple[Path, list[Made]]:
    made = [
        scribbled(rng, 9 * MIB, block=2 * MIB),
        scribbled(rng, 8 * MIB, sector=4096),
        scribbled(rng, 12 * MIB, block=4 * MIB),
    ]
    made[0].zeroed[3] = 2
    for number, disk in enumerate(made):
        parent = made[number + 1] if number < 2 else None
        vhdx(
            folder / f"{number}.vhdx",
            disk,
            parent,
            locator={"relative_path": f".\\{number + 1}.vhdx"} if parent else None,
        )
    return folder / "0.vhdx", made


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[runner.Served, bytes]]:
    child, made = chain(tmp_path_factory.mktemp("three"), RANDOM(21))
    with served(child) as server:
        yield server, contents(made)


def uri(server: runner.Served) -> str:
    return f"nbd+unix:///{server.export}?socket={server.socket}"


# QEMU


def test_qemu_reads_every_byte(three: tuple[runner.Served, bytes], tmp_path: Path) -> None:
    server, wanted = three
    (tmp_path / "wanted").write_bytes(wanted)
    assert "identical" in run("qemu-img", "compare", "-f", "raw", "-F", "raw", tmp_path / "wanted", uri(server))
    options = f"driver=raw,file.driver=nbd,file.server.type=unix,file.server.path={server.socket},file.export=disk"
    run("qemu-img", "convert", "--image-opts", "-O", "raw", options, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == wanted


def test_qemu_reads_at_random(three: tuple[runner.Served, bytes], tmp_path: Path) -> None:
    server, wanted = three
    rng = RANDOM(22)
    script, places = "", []
    for _ in range(40):
        at = rng.randrange(0, len(wanted) - 512, 512)
        places.append((at, min(len(wanted) - at, 512 * rng.choice((1, 3, 40, 300, 2049)))))
        script += f"read -v {places[-1][0]} {places[-1][1]}\n"
    text = run("qemu-io", "-r", "-f", "raw", uri(server), text=script)
    rows = [line.split("  ", 1) for line in text.replace("qemu-io> ", "").splitlines() if line[8:11] == ":  "]
    seen = b"".join(bytes.fromhex(row[1][:48].replace(" ", "")) for row in rows)
    assert seen == b"".join(wanted[at : at + length] for at, length in places)


def test_holes_are_told_and_not_copied(tmp_path: Path) -> None:
    """Empty gigabytes take no time, and a copy is as large as what was written."""
    rng = RANDOM(23)
    parent = Made(20 << 30, 32 * MIB, writes=[(12 << 30, rng.randbytes(4096))])
    child = Made(20 << 30, 2 * MIB, writes=[(8 << 30, rng.randbytes(1536))])
    vhdx(tmp_path / "parent.vhdx", parent)
    with served(vhdx(tmp_path / "child.vhdx", child, parent)) as server:
        with Client(server) as client:
            client.go()
            assert client.extents((8 << 30) - MIB, 1 << 31) == [(MIB, 3), (1536, 0), ((2047 << 20) - 1536, 3)]
            assert client.read(12 << 30, 4096) == parent.writes[0][1]
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", uri(server), tmp_path / "copy.qcow2")
        assert (tmp_path / "copy.qcow2").stat().st_size < 40 * MIB  # a whole block of the parent counts as written
        compared = run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", uri(server), tmp_path / "copy.qcow2")
        assert "identical" in compared


# any client


class Client:
    """A client that says what it is told to."""

    def __init__(self, server: runner.Served) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(server.socket))
        self.cookie = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise EOFError(data)
            data += part
        return data

    def greet(self, flags: int = 3) -> None:
        assert GREETING.unpack(self.receive(GREETING.size)) == (b"NBDMAGIC", HAVE_OPTION, 3)
        self.socket.sendall(struct.pack(">I", flags))

    def option(self, number: int, data: bytes = b"") -> list[tuple[int, bytes]]:
        """What it says to an option: kinds and data, up to the last."""
        self.socket.sendall(OPTION.pack(HAVE_OPTION, number, len(data)) + data)
        told: list[tuple[int, bytes]] = []
        while not told or told[-1][0] in (2, 3, 4):
            magic, echoed, kind, length = REPLY.unpack(self.receive(REPLY.size))
            assert (magic, echoed) == (0x0003E889045565A9, number)
            told.append((kind, self.receive(length)))
        return told

    def go(self, name: bytes = b"disk", *, structured: bool = True) -> int:
        """Negotiate all there is; the size."""
        self.greet()
        named = struct.pack(">I", len(name)) + name
        if structured:
            assert self.option(8) == [(1, b"")]
            query = struct.pack(">II", 1, 15) + b"base:allocation"
            assert self.option(10, named + query) == [(4, b"\0\0\0\1base:allocation"), (1, b"")]
        told = self.option(7, named + b"\0\0")
        kind, size, flags = struct.unpack(">HQH", told[0][1])
        assert (kind, flags & 3) == (0, 3), "the export is told to be read-only"
        return int(size)

    def ask(self, command: int, offset: int, length: int, flags: int = 0, payload: bytes = b"") -> None:
        self.cookie += 1
        self.socket.sendall(REQUEST.pack(0x25609513, flags, command, self.cookie, offset, length) + payload)

    def chunk(self) -> tuple[int, int, bytes]:
        """Flags, kind and data of one chunk."""
        magic, flags, kind, cookie, length = CHUNK.unpack(self.receive(CHUNK.size))
        assert (magic, cookie) == (0x668E33EF, self.cookie)
        return flags, kind, self.receive(length)

    def read(self, offset: int, length: int, flags: int = 0) -> bytes:
        self.ask(0, offset, length, flags)
        data, done = bytearray(b"?" * length), 0
        while not done:
            done, kind, body = self.chunk()
            at = int.from_bytes(body[:8], "big") - offset
            piece = body[8:] if kind == 1 else bytes(int.from_bytes(body[8:], "big"))
            assert kind in (1, 2)
            assert not (kind == 2 and flags & 4) or len(piece) == length
            data[at : at + len(piece)] = piece
        return bytes(data)

    def error(self) -> int:
        flags, kind, body = self.chunk()
        assert (flags, kind) == (1, 0x8001)
        return int.from_bytes(body[:4], "big")

    def extents(self, offset: int, length: int, flags: int = 0) -> list[tuple[int, int]]:
        self.ask(7, offset, length, flags)
        _, kind, body = self.chunk()
        assert (kind, body[:4]) == (5, b"\0\0\0\1")
        return [struct.unpack_from(">II", body, at) for at in range(4, len(body), 8)]


def test_reads_of_all_sizes_and_places(three: tuple[runner.Served, bytes]) -> None:
    server, wanted = three
    rng = RANDOM(24)
    with Client(server) as client:
        assert client.go() == len(wanted)
        for most in (1, 700, 70_000, 5 * MIB, len(wanted)):
            for flags in (0, 4):
                at = rng.randrange(len(wanted))
                length = rng.randint(1, min(most, len(wanted) - at))
                assert client.read(at, length, flags) == wanted[at : at + length]


def test_extents_agree_with_the_data(three: tuple[runner.Served, bytes]) -> None:
    server, wanted = three
    with Client(server) as client:
        client.go()
        at = 0
        for length, flags in client.extents(0, len(wanted)):
            assert flags in (0, 3)
            assert flags == 0 or not any(wanted[at : at + length])
            at += length
        assert at == len(wanted)
        assert client.extents(0, len(wanted), 8) == client.extents(0, len(wanted))[:1]
        assert sum(length for length, _ in client.extents(1000, 512)) == 512


def test_a_client_of_the_oldest_kind(three: tuple[runner.Served, bytes]) -> None:
    """It names the export without hearing errors, wants padding, and gets simple replies."""
    server, wanted = three
    with Client(server) as client:
        client.greet(flags=1)
        client.socket.sendall(OPTION.pack(HAVE_OPTION, 1, 0))
        size, _ = struct.unpack(">QH", client.receive(10))
        assert (size, client.receive(124)) == (len(wanted), bytes(124))
        for at, length in ((0, len(wanted)), (5000, 1), (MIB - 3, 2 * MIB)):
            client.ask(0, at, length)
            assert client.receive(16) == struct.pack(">IIQ", 0x67446698, 0, client.cookie)
            assert client.receive(length) == wanted[at : at + length]
        client.ask(7, 0, 512)
        assert client.receive(16) == struct.pack(">IIQ", 0x67446698, 22, client.cookie), "it did not ask to know"


def test_options(three: tuple[runner.Served, bytes]) -> None:
    server, _ = three
    with Client(server) as client:
        client.greet()
        assert client.option(3) == [(2, b"\0\0\0\4disk"), (1, b"")]
        assert client.option(5)[0][0] == 0x80000001, "no TLS"
        assert client.option(99, b"x")[0][0] == 0x80000001
        assert client.option(7, b"\0\0\0\5other\0\0")[0][0] == 0x80000006
        for broken in (b"", b"\0\0\0\xffdisk", b"\0\0\0\4disk\0\1", b"\0\0\0\4disk\0\0more"):
            assert client.option(7, broken)[0][0] == 0x80000003
        assert client.option(10, b"\0\0\0\4disk\0\0\0\0")[0][0] == 0x80000003, "structured replies come first"
        assert client.option(8, b"x")[0][0] == 0x80000003
        assert client.option(6, b"x" * 10_000)[0][0] == 0x80000009
        assert client.option(8) == [(1, b"")]
        assert client.option(9, b"\0\0\0\4disk\0\0\0\0")[0] == (4, b"\0\0\0\0base:allocation")
        assert client.option(10, b"\0\0\0\4disk\0\0\0\1\0\0\0\7other:x") == [(1, b"")]
        assert client.option(2) == [(1, b"")]
        with pytest.raises(EOFError):
            client.receive(1)


def test_nothing_is_written_and_wrong_requests_are_refused(three: tuple[runner.Served, bytes]) -> None:
    server, wanted = three
    before = [link.path.read_bytes() for link in server.chain.links]
    with Client(server) as client:
        client.go()
        for command, payload in ((1, b"x" * 512), (4, b""), (6, b"")):
            client.ask(command, 0, 512, payload=payload)
            assert client.error() == 1
        for offset, length in ((len(wanted), 1), (len(wanted) - 1, 2), (1 << 63, 1), (0, 0), (0, (32 << 20) + 1)):
            client.ask(0, offset, length)
            assert client.error() == 22
        client.ask(99, 0, 1)
        assert client.error() == 22
        client.ask(3, 0, 0)
        assert client.chunk() == (1, 0, b"")
        assert client.read(0, 4096) == wanted[:4096]
        client.ask(2, 0, 0)
        with pytest.raises(EOFError):
            client.receive(1)
    assert [link.path.read_bytes() for link in server.chain.links] == before


def test_clients_do_not_wait_for_each_other(three: tuple[runner.Served, bytes]) -> None:
    server, wanted = three
    with Client(server) as slow, Client(server) as silent, Client(server) as quick:
        slow.go()
        slow.ask(0, 0, len(wanted))  # its answer does not fit into the socket, and is not fetched
        silent.greet()
        quick.go()
        assert quick.read(MIB, MIB) == wanted[MIB : 2 * MIB]
        assert slow.receive(4) == struct.pack(">I", 0x668E33EF)


def test_only_so_many_clients(tmp_path: Path) -> None:
    with served(vhdx(tmp_path / "a.vhdx", Made(MIB))) as server:
        clients = [Client(server) for _ in range(MOST_CLIENTS)]
        for client in clients:
            client.go()
        with Client(server) as one_more, pytest.raises(EOFError):
            one_more.receive(1)
        clients[0].socket.close()
        until(lambda: welcome(server))
        for client in clients:
            client.socket.close()


def welcome(server: runner.Served) -> bool:
    with Client(server) as client:
        try:
            return bool(client.receive(1))
        except EOFError:
            return False


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.booleans())
def test_nonsense_ends_nobody_elses_session(three: tuple[runner.Served, bytes], noise: bytes, ready: bool) -> None:
    server, wanted = three
    with Client(server) as noisy, Client(server) as other:
        if ready:
            noisy.go()
        noisy.socket.sendall(noise)
        noisy.socket.shutdown(socket.SHUT_WR)
        other.go()
        assert other.read(0, 512) == wanted[:512]
        while noisy.socket.recv(1 << 16):
            pass


# files that break, and the cell


def test_a_file_that_shrinks_is_an_error_of_reading(tmp_path: Path) -> None:
    path = vhdx(tmp_path / "a.vhdx", Made(2 * MIB, writes=[(0, b"x" * MIB), (MIB, b"y" * MIB)]))
    with served(path) as server, Client(server) as client:
        client.go()
        os.truncate(path, path.stat().st_size - MIB)
        client.ask(0, MIB, 512)
        assert client.error() == 5
        assert client.read(0, 512) == b"x" * 512


def _ends_when_it_is_left(image: Path) -> bool:
    """False where the host was so slow that it had ended before anybody came."""
    with served(image, linger=1) as server, ExitStack() as stack:
        try:
            client = stack.enter_context(Client(server))
            client.go()
        except (OSError, EOFError):
            return False
        time.sleep(1.5)
        assert client.read(0, 512) == bytes(512), "it waits only when nobody is there"
        stack.close()
        until(lambda: not running(server.pid))
    return True


def test_it_ends_when_nobody_comes_any_more(tmp_path: Path) -> None:
    image = vhdx(tmp_path / "a.vhdx", Made(MIB))
    assert any(_ends_when_it_is_left(image) for _ in range(20)), "it ended each time before anybody came"
    with served(tmp_path / "a.vhdx") as again, Client(again) as client:
        assert client.go() == MIB, "the next one takes the dead socket's place"
        with pytest.raises(Conflict):
            runner.serve(tmp_path / "a.vhdx", "vhdx", again.socket)
    with pytest.raises(BadInput):
        runner.serve(tmp_path / "a.vhdx", "vhdx", tmp_path / "x", linger=0)


def test_a_refusal_leaves_no_socket_and_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = vhdx(tmp_path / "a.vhdx", Made(MIB), Made(MIB), locator={"relative_path": "gone.vhdx"})
    started: list[int] = []
    ask = cell.Cell.ask

    def asked(self: cell.Cell, descriptor: int, path: Path) -> cell.Told | str:
        started.append(self.process.pid)
        return ask(self, descriptor, path)

    monkeypatch.setattr(cell.Cell, "ask", asked)
    with pytest.raises(NotFound):
        runner.serve(child, "vhdx", tmp_path / "nbd.sock")
    assert started
    assert not running(started[0])
    assert not (tmp_path / "nbd.sock").exists()


def test_the_server_is_confined(three: tuple[runner.Served, bytes]) -> None:
    server, _ = three
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    status = {key: text.strip() for key, _, text in (line.partition(":") for line in lines)}
    assert (status["Seccomp"], status["NoNewPrivs"], status["Threads"]) == ("2", "1", "1")
    assert status["Uid"].split() == [str(OWNER[0])] * 4
    assert {status[name] for name in ("CapEff", "CapPrm", "CapAmb")} == {"0" * 16}
    names = [str(entry.readlink()) for entry in Path(f"/proc/{server.pid}/fd").iterdir()]
    files = {name for name in names if name.startswith("/") and name != "/dev/null"}
    assert files == {str(link.path) for link in server.chain.links}
    assert Path(f"/proc/{server.pid}/environ").read_bytes().strip(b"\0") in (b"", b"LC_CTYPE=C.UTF-8")
    facts = server.socket.stat()
    assert (facts.st_mode & 0o777, facts.st_uid) == (0o600, OWNER[0])
