# SPDX-License-Identifier: GPL-2.0-or-later
"""A real swtpm: it is reachable at once, answers, ends with its connection, and its state stays."""

import os
import shutil
import socket
import struct
import tempfile
from pathlib import Path

import pytest

from kiban.adapters.firmware import tpm
from kiban.errors import BadInput, Failed, HostLacks

needs_swtpm = pytest.mark.skipif(shutil.which("swtpm") is None, reason="swtpm is not installed")
WAIT = 60  # seconds; a limit, not an expectation


@pytest.fixture
def state(tmp_path: Path) -> Path:
    tpm.create_tpm(tmp_path / "tpm")
    return tmp_path / "tpm"


def attach(path: Path) -> tuple[socket.socket, socket.socket]:
    """Connect as QEMU does: CMD_SET_DATAFD (16) of swtpm's control protocol hands over one end of a socket pair."""
    control = socket.socket(socket.AF_UNIX)
    control.settimeout(WAIT)
    control.connect(os.fspath(path))
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(control, [struct.pack(">L", 16)], [theirs.fileno()])
    assert struct.unpack(">L", control.recv(4)) == (0,)
    return control, ours


@needs_swtpm
def test_it_answers_at_once_and_ends_with_its_connection(state: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in state.iterdir()}
    tpm.create_tpm(state)
    assert {path.name: path.read_bytes() for path in state.iterdir()} == before
    with socket.socket(socket.AF_UNIX) as left:  # by a host that lost power
        left.bind(str(tmp_path / "sock"))
    process = tpm.start_swtpm(state, tmp_path / "sock", tmp_path / "log")
    control, data = attach(tmp_path / "sock")
    assert os.getsid(process.pid) == process.pid
    assert (tmp_path / "sock").stat().st_mode & 0o777 == 0o600
    data.close()
    control.close()
    assert process.wait(WAIT) == 0


@needs_swtpm
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start it as somebody else")
def test_it_runs_as_another_user(tmp_path: Path) -> None:
    nobody = 65534
    run = tmp_path / "run"
    run.mkdir()
    own = Path(tempfile.gettempdir())
    for folder in (run, *(parent for parent in run.parents if parent != own and parent.is_relative_to(own))):
        folder.chmod(0o755)
    os.chown(run, nobody, nobody)
    tpm.create_tpm(run / "tpm", uid=nobody, gid=nobody)
    process = tpm.start_swtpm(run / "tpm", run / "sock", run / "log", uid=nobody, gid=nobody)
    control, data = attach(run / "sock")
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {str(nobody)}
    assert status["Seccomp"].strip() == "2"
    assert (run / "sock").stat().st_uid == nobody
    data.close()
    control.close()
    assert process.wait(WAIT) == 0


@needs_swtpm
def test_a_host_without_swtpm_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostLacks, match="swtpm_setup") as refusal:
        tpm.create_tpm(tmp_path / "tpm")
    assert "apt install swtpm" in refusal.value.hint
    with pytest.raises(HostLacks, match="no swtpm,"):
        tpm.start_swtpm(tmp_path, tmp_path / "sock", tmp_path / "log")
    assert list(tmp_path.iterdir()) == []


@needs_swtpm
def test_a_socket_path_too_long_for_the_kernel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="longer than 107"):
        tpm.start_swtpm(tmp_path, tmp_path / ("x" * 120), tmp_path / "log")


def test_what_swtpm_setup_said_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "swtpm_setup"
    fake.write_text("#!/bin/sh\necho no entropy today\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(Failed, match="no entropy today"):
        tpm.create_tpm(tmp_path / "tpm")
