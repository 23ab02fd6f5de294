# SPDX-License-Identifier: GPL-2.0-or-later
"""Who gets to the pages, tried on a real service with plain sockets, WebSockets and a browser."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote

import pytest
from engine_world import World
from playwright.sync_api import Page
from web_caller import SOCKET, Caller, hear
from web_service import WAIT
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

import kiban
from kiban.api.limit import MAX_BODY
from kiban.web import pages
from kiban.web.gate import LOGIN, STATIC


@pytest.fixture
def caller(client: kiban.Client) -> Caller:
    return Caller(client.web().url)


def test_nothing_but_the_login_page_answers_without_a_session(caller: Caller) -> None:
    for path in (
        "/",
        "/kiban.css",
        "/logout",
        "/nowhere",
        "/_nicegui_ws/socket.io/?EIO=4&transport=polling",
        "/v1/web",
    ):
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            status, _, body = caller.ask(method, path)
            assert (status, json.loads(body)["code"]) == (401, "no-session"), (method, path)
    assert caller.ask("GET", "/", Accept="text/html")[0] == 303
    for path in LOGIN:
        assert caller.ask("GET", path)[0] == 200


def test_a_link_works_once(caller: Caller) -> None:
    caller.enter()
    assert caller.ask("GET", "/")[0] == 200
    status, headers, body = caller.ask("POST", "/login", caller.secret)
    assert (status, headers["Set-Cookie"], json.loads(body)["code"]) == (403, None, "wrong-link")


@pytest.mark.parametrize("secret", ["", "wrong", "x" * 5000, "\xff" * 40])
def test_a_wrong_secret_lets_nobody_in(caller: Caller, secret: str) -> None:
    status, headers, _ = caller.ask("POST", "/login", secret)
    assert (status, headers["Set-Cookie"]) == (403, None)


@pytest.mark.parametrize("cookie", ["kiban-{port}=", "kiban-{port}=wrong", "kiban-1={key}", "kiban={key}", "=;="])
def test_a_wrong_cookie_is_none(caller: Caller, cookie: str) -> None:
    caller.enter()
    key = caller.cookie.partition("=")[2]
    caller.cookie = cookie.format(port=caller.port, key=key)
    assert caller.ask("GET", "/")[0] == 401
    with pytest.raises(InvalidStatus, match="403"):
        caller.websocket()


def test_the_cookie_is_for_this_site_and_no_script(caller: Caller) -> None:
    headers = caller.ask("POST", "/login", caller.secret)[1]
    said = {part.strip().lower() for part in headers["Set-Cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= said
    assert not any(part.startswith("domain") for part in said)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "a.localhost:{port}"]
)
def test_another_hosts_name_is_refused(caller: Caller, host: str) -> None:
    """A name that somebody has pointed at 127.0.0.1, in the address of a page that he has made."""
    caller.enter()
    named = host.format(port=caller.port)
    for method in ("GET", "POST"):
        for path in ("/", "/login"):
            status, _, body = caller.ask(method, path, Host=named, Origin=f"http://{named}")
            assert (status, json.loads(body)["code"]) == (403, "wrong-host")
    with pytest.raises(InvalidStatus, match="403"):
        caller.websocket(Host=named, Origin=f"http://{named}")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://{own}", "http://{own}/", ""]
)
def test_another_sites_page_is_refused(caller: Caller, origin: str) -> None:
    caller.enter()
    said = origin.format(own=caller.host)
    for method, path in (("POST", "/login"), ("POST", "/logout"), ("DELETE", "/"), ("OPTIONS", "/")):
        status, headers, body = caller.ask(method, path, Origin=said)
        assert (status, json.loads(body)["code"]) == (403, "wrong-origin"), (method, path)
        assert headers["Access-Control-Allow-Origin"] is None
    if said:
        assert caller.ask("GET", "/", Origin=said)[0] == 403
    with pytest.raises(InvalidStatus, match="403"):
        caller.websocket(Origin=said)
    assert caller.ask("GET", "/")[0] == 200, "the session is not ended by what others try"


def test_a_sessions_sockets_end_with_it(caller: Caller) -> None:
    caller.enter()
    with caller.websocket() as line:
        assert str(line.recv(WAIT)).startswith("0{"), "engine.io greets"
        assert caller.ask("POST", "/logout")[0] == 204
        with pytest.raises(ConnectionClosed):
            hear(line)
    assert caller.ask("GET", "/")[0] == 401


def test_a_page_ends_with_its_session(caller: Caller, client: kiban.Client) -> None:
    """Whoever comes with another session, which may have another role, does not go on with it."""
    caller.enter()
    address = socket_of(caller.ask("GET", "/")[2])
    with caller.websocket(address) as line:
        assert joined(line).startswith("40")
        assert caller.ask("POST", "/logout")[0] == 204
        with pytest.raises(ConnectionClosed):
            hear(line)
    other = Caller(client.web().url)
    other.enter()
    with other.websocket(address) as line:
        assert joined(line).startswith("44"), "refused"


def socket_of(page: bytes) -> str:
    """The WebSocket that a browser opens for a page that it was sent."""
    (client,) = set(re.findall(rb"client_id\W+([0-9a-f-]{36})", page))
    return f"{SOCKET}&client_id={client.decode()}&tab_id=1&document_id=1&next_message_id=0&implicit_handshake=true"


def joined(line: ClientConnection) -> str:
    """What is said to who joins (socket.io's protocol): 40 is yes, 44 no."""
    line.recv(WAIT)
    line.send("40")
    while not (said := str(line.recv(WAIT))).startswith(("40", "44")):
        pass  # a ping, or what the page has to say already
    return said


def test_a_browser_writes_nothing_into_the_log(caller: Caller, there: World) -> None:
    caller.enter()
    address = socket_of(caller.ask("GET", "/")[2])
    who = {"client_id": parse_qs(address)["client_id"][0]}
    with caller.websocket(address) as line:
        assert joined(line).startswith("40")
        line.send(event("log", who | {"level": "error", "message": "disk0 is lost"}))
        line.send(event("ack", who | {"next_message_id": 0}, answer="7"))
        while not str(line.recv(WAIT)).startswith("437"):
            pass
    assert "disk0" not in there.paths.log.read_text()


def test_who_reads_nothing_is_hung_up_on_and_may_come_back(caller: Caller) -> None:
    caller.enter()
    address = socket_of(caller.ask("GET", "/")[2])
    who = {"client_id": parse_qs(address)["client_id"][0]}
    asking = event("ack", who | {"next_message_id": 0}, answer="9" * 100)
    with caller.websocket(address) as line:
        assert joined(line).startswith("40")
        line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # or the kernel reads megabytes for him
        with pytest.raises(ConnectionClosed):
            ask_for_ever(line, asking)
    with caller.websocket(socket_of(caller.ask("GET", "/")[2])) as line:  # his page may have been given up by now
        assert joined(line).startswith("40")


def ask_for_ever(line: ClientConnection, what: str) -> None:
    """Ask, and read none of the answers but the few that the library takes by itself."""
    while True:
        line.send(what)


def event(name: str, what: Mapping[str, object], answer: str = "") -> str:
    """Something that a browser tells (socket.io's protocol), and whether it wants an answer, by that number."""
    return f"42{answer}{json.dumps([name, what])}"


def test_pages_that_are_asked_for_and_not_shown_do_not_pile_up(caller: Caller) -> None:
    caller.enter()
    asked = [caller.ask("GET", path)[2] for path in ("/jobs", "/nowhere") for _ in range(pages.WAITING)]
    for page, answer in ((asked[0], "44"), (asked[pages.WAITING], "40"), (asked[-1], "40")):
        with caller.websocket(socket_of(page)) as line:
            assert joined(line).startswith(answer)


def test_every_answer_says_what_a_browser_may_do_with_it(caller: Caller) -> None:
    caller.enter()
    for path in ("/", "/login", "/nowhere", "/kiban.css", "/login.js"):
        headers = caller.ask("GET", path)[1]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert "http" not in headers["Content-Security-Policy"]
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
    assert caller.ask("GET", "/")[1]["Cache-Control"] == "no-store"


def test_the_tab_has_kibans_own_picture(page: Page, caller: Caller) -> None:
    address = str(page.locator("link[rel*=icon]").get_attribute("href"))
    assert unquote(address.partition(",")[2]) == (STATIC / "kiban.svg").read_text().strip()
    headers, body = caller.ask("GET", "/login.svg")[1:]
    assert (headers["Content-Type"], body) == ("image/svg+xml", (STATIC / "kiban.svg").read_bytes())


def test_large_bodies_are_refused(caller: Caller) -> None:
    caller.enter()
    polling = SOCKET.replace("websocket", "polling")
    answer = caller.ask("GET", polling)[2].decode()
    assert caller.ask("POST", f"{polling}&sid={json.loads(answer[1:])['sid']}", "x" * (MAX_BODY + 1))[0] == 413


def test_the_secret_leaves_the_address(page: Page) -> None:
    assert page.evaluate("location.hash") == ""
    assert page.evaluate("history.length") <= 3
    assert "kiban-" not in page.evaluate("document.cookie"), "no script may read the session"
    page.go_back()
    assert "#" not in page.url


def test_a_used_link_is_explained(page: Page, client: kiban.Client) -> None:
    link = client.web().url
    page.goto(link)
    page.wait_for_selector(".k-name")
    page.context.clear_cookies()
    page.goto(link)
    page.get_by_text("more than a minute old").wait_for()


def test_the_name_is_nobody_elses(page: Page, caller: Caller) -> None:
    """A browser takes it to loopback, and what is on another port of 127.0.0.1 gets no cookie of it."""
    assert page.url == f"http://{caller.host}/"
    assert caller.host.split(":")[0].endswith(".localhost")
    (cookie,) = [one for one in page.context.cookies() if one.get("name", "") == f"kiban-{caller.port}"]
    assert cookie.get("domain") == caller.host.split(":")[0]


def test_where_a_browser_does_not_know_the_name_the_address_does(caller: Caller) -> None:
    caller.host = f"127.0.0.1:{caller.port}"
    caller.own = f"http://{caller.host}"
    caller.enter()
    assert caller.ask("GET", "/")[0] == 200


def test_out_is_out(page: Page) -> None:
    page.get_by_label("Log out").click()
    page.get_by_text("To come in").wait_for()
    page.goto("/".join(page.url.split("/")[:3]) + "/")
    page.get_by_text("To come in").wait_for()
