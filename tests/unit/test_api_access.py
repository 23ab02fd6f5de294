# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what: over TLS by token and role, over the socket by its file, and never in any other way."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_fakes import VIEW, Service
from test_api_routes import CALLS, Call

import kiban
from kiban import errors
from kiban.commands.registry import COMMANDS
from kiban.engine.tokens import Tokens
from kiban.model.roles import RIGHTS, Role

ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("s"), listen="127.0.0.1:0") as service:
        yield service


@pytest.fixture(scope="module")
def secrets(service: Service) -> dict[Role, str]:
    return {role: Tokens(service.paths.state).create(f"a-{role}", role) for role in ROLES}


def remote(service: Service, token: str | None) -> kiban.Client:
    return kiban.connect(service.where.url, token, fingerprint=service.where.fingerprint)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("call", "expected"), CALLS, ids=[f"{n}-{expected[0]}" for n, (_, expected) in enumerate(CALLS)]
)
def test_each_role_may_do_what_its_permissions_say(
    service: Service, secrets: dict[Role, str], call: Call, expected: tuple[object, ...], role: Role
) -> None:
    service.host.calls.clear()
    if COMMANDS[str(expected[0])].permission in RIGHTS[role]:
        call(remote(service, secrets[role]))
        assert len(service.host.calls) == 1
    else:
        with pytest.raises(errors.NotAllowed, match=f"its role is {role}"):
            call(remote(service, secrets[role]))
        assert service.host.calls == []


@pytest.mark.parametrize("token", [None, "", "wrong", "x" * 5000])
def test_nobody_gets_in_without_a_token(service: Service, token: str | None) -> None:
    service.host.calls.clear()
    for call, expected in CALLS:
        with pytest.raises(errors.NotAllowed):
            call(remote(service, token))
        assert service.host.calls == [], expected


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/version", "/v1/events", "/v1/openapi.json", "/nowhere"])
def test_no_address_answers_without_a_token(service: Service, path: str) -> None:
    with pytest.raises(errors.NotAllowed):
        remote(service, None)._transport.call("GET", path)


def test_a_path_of_another_computer_is_refused(
    service: Service, secrets: dict[Role, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    service.host.calls.clear()
    client = remote(service, secrets["admin"])
    with pytest.raises(errors.BadInput, match=r"a\.iso is a path of this computer, and the service is on another"):
        client.create("new", dvds=["/srv/b.iso", "a.iso"])
    with pytest.raises(errors.BadInput, match="path of this computer"):
        client.convert_disk("web:disk0", "b.vhdx")
    assert service.host.calls == []
    client.create("new", dvds=["/srv/b.iso", ""], floppy="")
    assert len(service.host.calls) == 1


def test_a_link_to_the_web_manager_has_the_callers_role(service: Service, secrets: dict[Role, str]) -> None:
    assert kiban.connect(service.url).web(8080).url == "http://127.0.0.1:8080/login#for-admin---"
    host = service.where.url.removeprefix("https://")
    for role in ROLES:
        assert remote(service, secrets[role]).web().url.endswith(f"#for-{role}-a-{role}-{host}-127.0.0.1")


def test_who_may_cancel_is_who_may_start_it(service: Service, secrets: dict[Role, str]) -> None:
    kiban.connect(service.url).create("new")
    job = kiban.connect(service.url).jobs()[-1].id
    for role in ROLES[:2]:
        with pytest.raises(errors.NotAllowed):
            remote(service, secrets[role]).cancel_job(job)
    with pytest.raises(errors.Conflict):  # it is over: only an admin gets as far as hearing that
        remote(service, secrets["admin"]).cancel_job(job)


def test_a_token_works_at_once_and_until_it_is_revoked(service: Service) -> None:
    tokens = Tokens(service.paths.state)
    client = remote(service, tokens.create("short", "viewer"))
    assert client.machine("web").id == VIEW.id
    tokens.revoke("short")
    with pytest.raises(errors.NotAllowed):
        client.machine("web")


def test_a_revoked_token_hears_no_more_events(service: Service) -> None:
    tokens = Tokens(service.paths.state)
    with remote(service, tokens.create("listener", "viewer")).events() as events:
        service.call(service.host.events.publish, "state")
        assert next(events).kind == "state"
        tokens.revoke("listener")
        service.call(service.host.events.publish, "state")
        assert list(events) == []


def test_tokens_are_kept_as_hashes_for_the_owner_only(tmp_path: Path) -> None:
    secret = Tokens(tmp_path).create("ci", "viewer")
    file = tmp_path / "tokens.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in file.read_text()
    assert json.loads(file.read_text())["tokens"][0]["sha256"] == hashlib.sha256(secret.encode()).hexdigest()
    with pytest.raises(errors.Conflict):
        Tokens(tmp_path).create("ci")
    with pytest.raises(errors.BadInput):
        Tokens(tmp_path).create("../ci")
    with pytest.raises(errors.NotFound):
        Tokens(tmp_path).revoke("other")
    assert [(token.name, token.role) for token in Tokens(tmp_path).list()] == [("ci", "viewer")]


def test_tokens_stay_as_they_are_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(tmp_path)
    secret = tokens.create("ci", "viewer")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(errors.HostLacks, match="No space left"):
        tokens.create("more")
    with pytest.raises(errors.HostLacks):
        tokens.revoke("ci")
    assert tokens.find(secret.encode()).name == "ci"
    assert {path.name for path in tmp_path.iterdir()} == {"tokens.json", "tokens.lock", "tokens-used"}


@pytest.mark.parametrize("text", ["", "[]", '{"tokens": [{"name": "a"}]}', '{"tokens": 1}', '{"tokens": [1]}', "\xff"])
def test_damaged_tokens_let_nobody_in(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokens.json").write_text(text, encoding="latin-1")
    with pytest.raises(errors.Damaged):
        Tokens(tmp_path).find(b"anything")


def test_another_certificate_is_not_spoken_to(service: Service, secrets: dict[Role, str]) -> None:
    with pytest.raises(errors.NotAllowed, match="another certificate"):
        kiban.connect(service.where.url, secrets["admin"], fingerprint="0" * 64).version()
    with pytest.raises(errors.NoService, match="not to be trusted"):
        kiban.connect(service.where.url, secrets["admin"]).version()
    certificate = service.paths.state / "tls" / "cert.pem"
    assert kiban.connect(service.where.url, secrets["admin"], ca=str(certificate)).version().api == "v1"


def test_plain_http_gets_nothing_from_the_tls_port(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", int(service.where.url.rpartition(":")[2])), timeout=60) as connection:
        connection.sendall(b"GET /v1/version HTTP/1.0\r\n\r\n")
        try:
            answer = connection.recv(1000)
        except ConnectionResetError:
            answer = b""
    assert b"HTTP" not in answer


def test_the_socket_and_the_key_are_the_owners_alone(service: Service) -> None:
    assert stat.S_IMODE(service.paths.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(service.paths.runtime.stat().st_mode) == 0o700
    assert stat.S_IMODE((service.paths.state / "tls" / "key.pem").stat().st_mode) == 0o600


SQUATTER = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
os.setuid(65534)
listener.bind(sys.argv[1])
listener.listen()
print("up", flush=True)
print(listener.accept()[0].recv(1000), flush=True)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_service_of_another_user_is_not_spoken_to() -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o777)
        path = f"{directory}/service.sock"
        with subprocess.Popen([sys.executable, "-c", SQUATTER, path], stdout=subprocess.PIPE, text=True) as squatter:
            assert squatter.stdout is not None
            assert squatter.stdout.readline() == "up\n"
            with pytest.raises(errors.NotAllowed, match="belongs to user 65534"):
                kiban.connect(f"unix://{path}").version()
            assert squatter.stdout.readline() == "b''\n", "something was said to it"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80", "https://", "web", "unix://host/x", "https://h/v1", "file:///x"]
)
def test_only_tls_and_the_socket_are_addresses(url: str) -> None:
    with pytest.raises(errors.BadInput):
        kiban.connect(url)


def test_a_pin_that_is_none_is_refused() -> None:
    with pytest.raises(errors.BadInput):
        kiban.connect("https://127.0.0.1:1", fingerprint="abc")
