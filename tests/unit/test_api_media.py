# SPDX-License-Identifier: GPL-2.0-or-later
"""Uploads through the API's own socket: who may, what is too much, and that what is broken off is forgotten."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_fakes import FAKES, Service
from test_media_library import ISO

import kiban
from kiban import errors
from kiban.adapters.disk import library, space
from kiban.api.limit import MAX_BODY
from kiban.cli import app, main
from kiban.commands import media
from kiban.commands.registry import COMMANDS
from kiban.engine.tokens import Tokens

HEAD = b"PUT /v1/media/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With the real library."""
    with pytest.MonkeyPatch.context() as patch:
        for verb in ("list", "upload", "remove"):
            patch.setitem(FAKES, f"media.{verb}", COMMANDS[f"media.{verb}"])
        with Service(tmp_path_factory.mktemp("s"), listen="127.0.0.1:0") as made:
            made.paths.media.mkdir()
            made.host.handles = {}  # type: ignore[attr-defined]  # no machines
            yield made


@pytest.fixture
def iso(tmp_path: Path) -> Path:
    path = tmp_path / "debian 12.iso"
    path.write_bytes(ISO)
    return path


def there(service: Service) -> list[str]:
    return sorted(path.name for path in service.paths.media.iterdir())


def raw(service: Service, *parts: bytes) -> tuple[int, str]:
    """Send what can be sent; status and code of the answer."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(60)
        line.connect(str(service.paths.socket))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                line.sendall(part)
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # for it has not read all
            while data := line.recv(65536):
                answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body or b"{}").get("code", "")


def test_an_image_is_sent_listed_and_removed(service: Service, iso: Path) -> None:
    client = kiban.connect(service.url)
    steps: list[float] = []
    made = client.upload(iso, progress=lambda fraction, _: steps.append(fraction))
    assert len(ISO) > MAX_BODY
    assert Path(made.path).read_bytes() == ISO
    assert steps[-1] == 1
    assert steps == sorted(steps)
    assert len(steps) > 2
    with pytest.raises(errors.Conflict, match="in the library already"):
        client.upload(iso)
    assert [(image.name, image.size) for image in client.media()] == [("debian 12.iso", len(ISO))]
    client.remove_medium("debian 12.iso")
    assert client.media() == []


def test_over_tls_by_admins_only(service: Service, iso: Path) -> None:
    def remote(role: str) -> kiban.Client:
        secret = Tokens(service.paths.state).create(role, role)  # type: ignore[arg-type]
        return kiban.connect(service.where.url, secret, fingerprint=service.where.fingerprint)

    for role in ("viewer", "operator"):
        with pytest.raises(errors.NotAllowed):
            remote(role).upload(iso)
        assert there(service) == []
    admin = remote("admin")
    assert admin.upload(iso, "tls.iso").size == len(ISO)
    admin.remove_medium("tls.iso")


@pytest.mark.parametrize("name", ["..%2fa.iso", "%2e%2e/a.iso", "a%00.iso", "a/b.iso", "%ff.iso", ".a.iso", "a.exe"])
def test_tricks_in_a_name(service: Service, name: str) -> None:
    before = sorted(service.paths.state.iterdir())
    assert raw(service, HEAD % name.encode() + b"Content-Length: 5\r\n\r\nabcde")[0] == 422
    assert sorted(service.paths.state.iterdir()) == before
    assert there(service) == []


def test_what_there_is_no_room_for_is_refused_before_it_comes(service: Service) -> None:
    assert raw(service, HEAD % b"a.iso" + b"Content-Length: %d\r\n\r\n" % (1 << 60)) == (503, "no-space")
    assert there(service) == []


def test_what_comes_without_a_length_is_taken_while_there_is_room(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk = b"%x\r\n%s\r\n" % (len(ISO), ISO)
    head = HEAD % b"a.iso" + b"Transfer-Encoding: chunked\r\n\r\n"
    assert raw(service, head, chunk, b"0\r\n\r\n") == (201, "")
    free = iter([len(ISO)] * 3 + [0] * 100)
    monkeypatch.setattr(space, "free_bytes", lambda _: library.KEPT_FREE + next(free))
    assert raw(service, head.replace(b"a.iso", b"b.iso"), *[chunk] * 20) == (503, "no-space")
    assert there(service) == ["a.iso"]
    kiban.connect(service.url).remove_medium("a.iso")


def test_no_other_request_may_be_long(service: Service) -> None:
    for line in (b"POST /v1/media/advise", b"POST /v1/media/a.iso", b"PUT /v1/machines", b"DELETE /v1/media/a.iso"):
        status, _ = raw(service, line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9999999\r\n\r\n")
        assert status in (405, 413) or line.startswith(b"DELETE"), line  # which reads no body


def test_what_its_sender_gives_up_is_forgotten(service: Service, iso: Path) -> None:
    def interrupted(fraction: float, _: str) -> None:
        if fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kiban.connect(service.url).upload(iso, progress=interrupted)
    limit = time.monotonic() + 60
    while there(service) and time.monotonic() < limit:
        time.sleep(0.01)
    assert there(service) == []
    client = kiban.connect(service.url)
    client.upload(iso)
    client.remove_medium(iso.name)


@pytest.mark.parametrize("file", ["nowhere.iso", "."])
def test_what_cannot_be_read_here_is_not_sent(service: Service, tmp_path: Path, file: str) -> None:
    with pytest.raises((errors.NotFound, errors.BadInput)):
        kiban.connect(service.url).upload(tmp_path / file)


def test_the_command_line_says_where_it_is(
    service: Service, iso: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KIBAN_URL", service.url)

    def kiban_(*said: str) -> tuple[int, str]:
        app.build([])
        monkeypatch.setattr("sys.argv", ["kiban", "media", *said])
        return main.main(), "".join(capsys.readouterr())

    assert "is empty" in kiban_("ls")[1]
    assert kiban_("add", str(iso), "--name", "x.iso") == (0, f"{service.paths.media}/x.iso\n")
    assert "x.iso" in kiban_("ls")[1]
    assert kiban_("add", str(iso), "--name", "x.iso")[0] == 4
    assert kiban_("remove", "x.iso") == (0, "")
    assert kiban_("remove", "x.iso")[0] == 3


def test_the_commands_are_the_real_ones() -> None:
    assert COMMANDS["media.upload"].function is media.upload
