# SPDX-License-Identifier: GPL-2.0-or-later
"""The service as a process: one per state directory, gone without a trace, and started by its first client."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import kiban
from kiban import errors
from kiban.api.sockets import service_lock, tcp_socket, unix_socket
from kiban.api.tls import given_or_own
from kiban.engine.tokens import Tokens
from kiban.paths import Paths

CLIENT = "import kiban; print(kiban.connect().version().pid)"


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    """Directories for one service; whatever runs on them in the end is stopped."""
    found = Paths(tmp_path / "state", tmp_path / "run")
    monkeypatch.setenv("KIBAN_STATE", str(found.state))
    monkeypatch.setenv("KIBAN_RUNTIME", str(found.runtime))
    monkeypatch.delenv("KIBAN_URL", raising=False)
    yield found
    try:
        pid = kiban.connect(start=False).version().pid
    except errors.KibanError:
        return
    assert stop(pid), found.log.read_text()


def stop(pid: int) -> bool:
    """End a service that is not our child; whether it ended."""
    watch = os.pidfd_open(pid)
    signal.pidfd_send_signal(watch, signal.SIGTERM)
    import select

    ended = bool(select.select([watch], [], [], 60)[0])
    os.close(watch)
    return ended


@contextmanager
def serve(notify: str = "") -> Iterator[subprocess.Popen[str]]:
    """A service in the foreground, up; it does not outlive a test that fails."""
    reader, writer = os.pipe()
    env = os.environ | {"KIBAN_READY_FD": str(writer), "NOTIFY_SOCKET": notify}
    process = subprocess.Popen(
        [sys.executable, "-m", "kiban.api"], env=env, pass_fds=[writer], stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    with open(reader, "rb") as pipe:  # noqa: PTH123  # a descriptor
        assert pipe.read(1) == b"1"
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_it_ends_on_sigterm_with_0_and_leaves_no_socket(paths: Paths) -> None:
    with serve() as service:
        assert kiban.connect(start=False).version().pid == service.pid
        assert stat.S_IMODE(paths.socket.stat().st_mode) == 0o600
        service.send_signal(signal.SIGTERM)
        assert service.wait(60) == 0
    assert not paths.socket.exists()


def test_it_tells_systemd(paths: Paths, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        with serve(str(tmp_path / "notify")) as service:
            assert manager.recv(100) == b"READY=1"
            service.send_signal(signal.SIGINT)
            assert manager.recv(100) == b"STOPPING=1"
            assert service.wait(60) == 0


def test_a_second_one_is_a_conflict_that_names_the_first(paths: Paths) -> None:
    with serve() as service:
        with pytest.raises(errors.Conflict, match=rf"pid {service.pid}"), service_lock(paths):
            pass
        second = subprocess.run([sys.executable, "-m", "kiban.api"], capture_output=True, text=True, check=False)
        assert second.returncode == errors.Conflict.exit_code
        assert f"pid {service.pid}" in second.stderr
        assert "Traceback" not in second.stderr
        assert kiban.connect(start=False).version().pid == service.pid
        service.terminate()


def test_after_a_kill_the_next_client_starts_a_new_one(paths: Paths) -> None:
    first = kiban.connect().version().pid
    watch = os.pidfd_open(first)
    os.kill(first, signal.SIGKILL)
    import select

    assert select.select([watch], [], [], 60)[0]
    os.close(watch)
    while Path(f"/proc/{first}").exists():  # our thread takes note of its end, so it does not stay as a zombie
        os.sched_yield()
    assert paths.socket.exists(), "nobody cleared the dead one's socket away"
    second = kiban.connect().version().pid
    assert second != first


def test_clients_that_come_at_once_start_one_service(paths: Paths) -> None:
    clients = [subprocess.Popen([sys.executable, "-c", CLIENT], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    pids = {client.communicate(timeout=120)[0] for client in clients}
    assert len(pids) == 1
    assert pids.pop().strip().isdecimal()
    assert len(re.findall("listening on", paths.log.read_text())) == 1
    assert "already" not in paths.log.read_text()


def test_a_started_service_is_in_nobodys_way(paths: Paths) -> None:
    pid = kiban.connect().version().pid
    while not paths.autostarted.exists():  # the last thing that it writes by itself
        os.sched_yield()
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    assert os.getsid(pid) == pid
    Tokens(paths.state).create("a")
    kept = {path.name: stat.S_IMODE(path.stat().st_mode) for path in paths.state.iterdir() if path.is_file()}
    assert {"service.db", "service.lock", "service.log", "start.lock", "tokens.json", "tokens.lock"} <= kept.keys()
    assert set(kept.values()) == {0o600}, "others can read it, or hold a lock of Kiban's"


def test_without_leave_to_start_one_there_is_no_service(paths: Paths) -> None:
    with pytest.raises(errors.NoService) as caught:
        kiban.connect(start=False).version()
    assert "kiban serve" in caught.value.hint
    assert not paths.state.exists()


def test_when_it_does_not_start_the_log_is_the_hint(paths: Paths) -> None:
    (paths.state / "service.lock").mkdir(parents=True)
    paths.log.write_text("what an earlier one said\n")
    with pytest.raises(errors.NoService) as caught:
        kiban.connect().version()
    assert str(paths.log) in caught.value.message
    assert "Is a directory" in caught.value.hint
    assert "earlier" not in caught.value.hint


def test_a_service_that_is_just_coming_up_is_not_taken_for_a_failure(paths: Paths) -> None:
    paths.state.mkdir()
    with service_lock(paths), pytest.raises(errors.NoService) as caught:
        kiban.connect().version()
    assert f"holds {paths.state}" in caught.value.message


def test_a_socket_path_that_is_too_long(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIBAN_RUNTIME", str(paths.runtime / ("x" * 100)))
    with pytest.raises(errors.NoService) as caught:
        kiban.connect().version()
    assert "shorter" in caught.value.hint
    with pytest.raises(errors.Failed), unix_socket(Paths.default()):
        pass


def test_a_runtime_directory_that_others_can_write_to_is_not_used(paths: Paths) -> None:
    paths.runtime.mkdir()
    paths.runtime.chmod(0o777)
    with pytest.raises(errors.NotAllowed), unix_socket(paths):
        pass


def test_a_log_does_not_grow_for_ever(paths: Paths) -> None:
    paths.state.mkdir()
    paths.log.write_bytes(b"x" * (1024**2 + 1))
    kiban.connect().version()
    assert paths.log.stat().st_size < 10_000
    assert paths.log.with_suffix(".log.1").stat().st_size == 1024**2 + 1


@pytest.mark.parametrize("address", ["", "7443", ":7443", "127.0.0.1:99999", "::1:80", "[127.0.0.1:80", "a b:c"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(errors.BadInput), tcp_socket(address):
        pass


def test_a_port_that_is_taken() -> None:
    with tcp_socket("127.0.0.1:0") as first:
        port = first.getsockname()[1]
        with pytest.raises(errors.Conflict) as caught, tcp_socket(f"127.0.0.1:{port}"):
            pass
    assert caught.value.reason == "port-busy"


def test_a_port_that_another_begins_to_listen_on_meanwhile_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two services that start at the same moment are both bound to a port, and one of them gets it."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        monkeypatch.setattr("kiban.api.sockets.notice_the_dead", lambda _: other.listen())
        with pytest.raises(errors.Conflict), tcp_socket(f"127.0.0.1:{other.getsockname()[1]}"):
            pass


def test_the_own_certificate_is_made_once(tmp_path: Path) -> None:
    first = given_or_own(None, None, tmp_path).fingerprint()
    assert re.fullmatch("[0-9a-f]{64}", first)
    again = given_or_own(None, None, tmp_path)
    assert again.fingerprint() == first
    again.context()


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "not.pem").write_text("nonsense")
    own = given_or_own(None, None, tmp_path / "a")
    other = given_or_own(None, None, tmp_path / "b")
    with pytest.raises(errors.BadInput):
        given_or_own(own.cert, None, tmp_path)
    for cert, key in ((tmp_path / "not.pem", own.key), (tmp_path / "missing", own.key), (own.cert, other.key)):
        with pytest.raises(errors.BadInput):
            given_or_own(cert, key, tmp_path).context()
    with pytest.raises(errors.BadInput):
        given_or_own(tmp_path / "not.pem", own.key, tmp_path).fingerprint()
