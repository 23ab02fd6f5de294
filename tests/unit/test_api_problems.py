# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever goes wrong, the caller gets a problem document, the same error in Python, and never a traceback."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator

import pytest
from api_fakes import Service, busy

import kiban
from kiban import errors
from kiban.problem import from_problem, to_problem


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("s")) as service:
        yield service


@pytest.fixture
def service(running: Service) -> Iterator[Service]:
    yield running
    running.host.failure = None


def raw(service: Service, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; status, headers and body of the answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(service.paths.socket))
        connection.sendall(request)
        answer = connection.makefile("rb").read()
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body


def ask(service: Service, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    head = (
        f"{method} {path} HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return raw(service, head.encode() + body)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nowhere", b"", 404, "no-such-address"),
        ("GET", "/v1/machines/", b"", 404, "no-such-address"),
        ("PUT", "/v1/machines", b"", 405, "method-not-allowed"),
        ("POST", "/v1/machines", b"{", 422, "bad-input"),
        ("POST", "/v1/machines", b"", 422, "bad-input"),
        ("POST", "/v1/machines", b"[" * 100_000, 400, "bad-request"),
        ("POST", "/v1/machines", b'{"name": "a", "colour": "red"}', 422, "bad-input"),
        ("POST", "/v1/machines", b'{"name": "../a"}', 422, "bad-name"),
        ("POST", "/v1/machines", b'{"name": "a\\ud800"}', 422, "bad-name"),
        ("POST", "/v1/machines", b'{"name": "a", "cpus": true}', 422, "bad-input"),
        ("POST", "/v1/machines", b'{"name": "a", "dvds": ["a.iso"]}', 422, "bad-input"),
        ("POST", "/v1/machines", b'{"name": "a", "dvds": ["/a\\u0000.iso"]}', 422, "bad-input"),
        ("POST", "/v1/machines", b'{"name": "a", "memory": ' + b"9" * 5000 + b"}", 400, "bad-request"),
        ("POST", "/v1/machines/web/start?wait=inf", b"", 422, "bad-input"),
        ("POST", "/v1/machines/web/start?wait=nan", b"", 422, "bad-input"),
        ("POST", "/v1/machines/web/stop", b'{"timeout": -1}', 422, "bad-input"),
        ("POST", "/v1/machines/nix/start", b"", 404, "no-such-machine"),
        ("GET", "/v1/machines/%2e%2e%2fetc", b"", 404, "no-such-address"),
        ("GET", "/v1/jobs/0", b"", 404, "not-found"),
        ("DELETE", "/v1/jobs/0", b"", 404, "not-found"),
    ],
)
def test_a_bad_request_gets_a_problem(
    service: Service, method: str, path: str, body: bytes, *, status: int, code: str
) -> None:
    got, headers, text = ask(service, method, path, body)
    problem = json.loads(text)
    assert (got, problem["status"], problem["code"]) == (status, status, code)
    assert headers["content-type"] == "application/problem+json"
    assert problem["detail"].endswith(".")
    assert "colour" in problem["detail"] or b"colour" not in body


def test_405_says_what_is_allowed(service: Service) -> None:
    assert ask(service, "PUT", "/v1/machines")[1]["allow"] == "GET, POST"
    assert ask(service, "OPTIONS", "/v1/machines/web")[1]["allow"] == "DELETE, GET, PATCH"


def test_a_body_over_the_limit_is_not_read(service: Service) -> None:
    # the body never comes: the answer must not wait for it
    status, _, body = raw(service, b"POST /v1/machines HTTP/1.0\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n")
    assert (status, json.loads(body)["status"]) == (413, 413)


def test_a_body_over_the_limit_in_chunks(service: Service) -> None:
    head = b"POST /v1/machines HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    status, _, body = raw(service, head + chunk * 16 + b"1\r\n \r\n")
    assert (status, json.loads(body)["status"]) == (413, 413)


def test_an_error_of_a_command_is_the_same_error_in_python(service: Service) -> None:
    service.host.failure = busy()
    with pytest.raises(errors.Conflict) as direct:
        kiban.connect(service.url).pause("web")
    with pytest.raises(errors.Conflict) as by_job:
        kiban.connect(service.url).start("web")
    for caught in (direct.value, by_job.value):
        assert (caught.message, caught.hint, caught.reason) == (busy().message, busy().hint, "is-running")


def test_a_job_that_fails_within_the_wait_answers_with_its_problem(service: Service) -> None:
    service.host.failure = busy()
    status, _, body = ask(service, "POST", "/v1/machines/web/start?wait=60")
    assert (status, json.loads(body)["code"]) == (409, "is-running")


@pytest.mark.parametrize("method", ["pause", "start"])
def test_a_fault_of_ours_has_a_reference_and_no_traceback(
    service: Service, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    service.host.failure = ZeroDivisionError("secret detail")
    with caplog.at_level(logging.ERROR), pytest.raises(errors.KibanError) as caught:
        getattr(kiban.connect(service.url), method)("web")
    assert caught.value.reason == "internal"
    assert "secret detail" not in caught.value.message + caught.value.hint
    reference = caught.value.message.partition("(reference ")[2].partition(")")[0]
    assert len(reference) == 8
    assert any(reference in record.getMessage() and record.exc_info for record in caplog.records)


def tree(kind: type[errors.KibanError]) -> Iterator[type[errors.KibanError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == kind.__module__:
            yield from tree(below)


@pytest.mark.parametrize("kind", list(tree(errors.KibanError)))
def test_every_error_goes_there_and_back(kind: type[errors.KibanError]) -> None:
    again = from_problem(json.loads(json.dumps(to_problem(kind("What.", "How.", code="x")))))
    assert type(again) is kind
    assert (again.message, again.hint, again.reason) == ("What.", "How.", "x")


def test_a_problem_of_a_newer_service() -> None:
    again = from_problem({"type": "urn:kiban:error:on-fire", "detail": "It burns."})
    assert type(again) is errors.Failed
    assert again.message == "It burns."
