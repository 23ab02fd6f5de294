# SPDX-License-Identifier: GPL-2.0-or-later
"""The web manager over TLS, beside the API: who gets in, as whom, and for how long."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from web_caller import Caller, hear
from web_service import WAIT, Place
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kiban.errors import NotAllowed
from kiban.web import patience

expect.set_options(timeout=WAIT * 1000)


@pytest.fixture
def caller(place: Place) -> Caller:
    return Caller(place.url)


@pytest.fixture
def token(place: Place, request: pytest.FixtureRequest) -> str:
    """That of somebody new, an operator, who is called what the test is called."""
    return place.tokens.create(request.node.name[:60].strip("[]"), "operator")


def test_a_token_lets_in_with_its_role_and_its_name(caller: Caller, token: str) -> None:
    caller.enter(token)
    status, _, body = caller.ask("GET", "/")
    assert status == 200
    assert b"test_a_token_lets_in_with_its_role_and_its_name" in body
    with caller.websocket() as line:
        assert str(line.recv(WAIT)).startswith("0{"), "engine.io greets"


def test_the_cookie_is_for_this_host_over_tls_and_no_script(caller: Caller, token: str) -> None:
    headers = caller.ask("POST", "/login", token)[1]
    name, *said = (part.strip().lower() for part in headers["Set-Cookie"].split(";"))
    assert name.startswith(f"__host-kiban-{caller.port}=")
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= {*said}
    assert not any(part.startswith("domain") for part in said)


def test_neither_the_cookie_nor_the_token_works_at_the_other_door(caller: Caller, token: str) -> None:
    caller.enter(token)
    for path in ("/v1", "/v1/machines", "/v1/../", "/v1/web"):
        assert (caller.ask("GET", path)[0], caller.ask("POST", path)[0]) == (401, 401), path
    for origin, status in ((caller.own, "403"), ("", "401")):
        with pytest.raises(InvalidStatus, match=status):
            caller.websocket("/v1/machines/m1/com/1", Origin=origin)
    caller.cookie = ""
    assert caller.ask("GET", "/", Authorization=f"Bearer {token}")[0] == 404, "the API has no such address"
    assert caller.ask("GET", "/v1/machines", Authorization=f"Bearer {token}")[0] == 200
    for headers in ({}, {"Authorization": f"Bearer {token}"}):
        with pytest.raises(InvalidStatus, match="403"):
            caller.websocket(**headers)


def test_other_names_and_sites_are_refused(caller: Caller, token: str) -> None:
    caller.enter(token)
    for host in ("evil.example", f"evil.example:{caller.port}", "127.0.0.1", f"localhost:{caller.port}x"):
        status, _, body = caller.ask("GET", "/", Host=host)
        assert (status, json.loads(body)["code"]) == (403, "wrong-host"), host
    for origin in (f"http://{caller.host}", "https://evil.example", f"https://localhost:{caller.port}", "null"):
        status, _, body = caller.ask("POST", "/logout", Origin=origin)
        assert (status, json.loads(body)["code"]) == (403, "wrong-origin"), origin
        with pytest.raises(InvalidStatus, match="403"):
            caller.websocket(Origin=origin)
    name = f"localhost:{caller.port}"  # the certificate has it
    assert caller.ask("GET", "/", Host=name, Origin=f"https://{name}")[0] == 200


def test_a_session_ends_when_its_token_is_revoked(caller: Caller, place: Place, token: str) -> None:
    caller.enter(token)
    with caller.websocket() as line:
        line.recv(WAIT)
        place.client.revoke_token("test_a_session_ends_when_its_token_is_revoked")
        assert caller.ask("GET", "/")[0] == 401
        with pytest.raises(ConnectionClosed):
            hear(line)
    assert caller.ask("POST", "/login", token)[0] == 403


def test_a_link_of_a_tokens_is_the_tokens(place: Place, token: str) -> None:
    link = Caller(place.with_token(token).web().url)
    assert link.own == place.url
    link.enter()
    assert b"test_a_link_of_a_tokens_is_the_tokens" in link.ask("GET", "/")[2]
    place.tokens.revoke("test_a_link_of_a_tokens_is_the_tokens")
    assert link.ask("GET", "/")[0] == 401


def test_a_link_has_no_name_that_a_browser_would_be_refused_under(place: Place, token: str) -> None:
    client = place.with_token(token)
    client._transport._host = "other.example:1"
    with pytest.raises(NotAllowed, match=r"does not go by the name other\.example"):
        client.web()
    assert client.web(Caller(place.client.web().url).port).url.startswith("http://kiban-"), "on loopback if asked"


def test_wrong_tokens_are_not_listened_to_for_ever(caller: Caller, place: Place, token: str) -> None:
    caller.source = "127.0.0.2"
    caller.enter(token)
    found = [caller.ask("POST", "/login", "wrong") for _ in range(patience.EACH + 1)]
    assert {status for status, _, _ in found[: patience.EACH - 1]} == {403}
    status, headers, body = found[-1]
    assert (status, json.loads(body)["code"]) == (429, "too-many-tries")
    assert 0 < int(headers["Retry-After"]) <= patience.WINDOW
    assert caller.ask("POST", "/login", token)[0] == 429, "a right one neither, or guessing would go on"
    assert caller.ask("GET", "/")[0] == 200, "who is in stays in"
    assert place.with_token(token).version().api == "v1", "and programs are answered"
    Caller(place.url).enter(token)  # from another address


@pytest.fixture
def remote(enter: Callable[..., Page], place: Place) -> Page:
    """A browser that has nothing but the address."""
    page = enter()
    page.goto(place.url)
    return page


def log_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()


def test_a_person_logs_in_with_a_token(remote: Page, place: Place, token: str) -> None:
    log_in(remote, "wrong")
    expect(remote.get_by_role("status")).to_have_text("This token is not known here. It may have been revoked.")
    expect(remote.get_by_label("Token")).to_have_value("")
    log_in(remote, f" {token} ")
    expect(remote.locator(".k-role")).to_have_text("test_a_person_logs_in_with_a_token · Operator")
    place.client.create("new", generation=1)
    expect(remote.get_by_role("link", name="new", exact=True)).to_be_visible()
    place.client.remove("new")


def test_whoever_is_put_out_is_at_the_door(remote: Page, place: Place, token: str) -> None:
    log_in(remote, token)
    remote.locator(".k-role").wait_for()
    place.client.revoke_token("test_whoever_is_put_out_is_at_the_door")
    expect(remote.get_by_label("Token")).to_be_visible()
    log_in(remote, token)
    expect(remote.get_by_role("status")).to_contain_text("revoked")
