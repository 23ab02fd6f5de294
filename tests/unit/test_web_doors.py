# SPDX-License-Identifier: GPL-2.0-or-later
"""The web manager's ways in, without a browser: links, tokens and sessions; names; what becomes of wrong secrets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.types import Message, Receive, Scope, Send

from kiban.engine.tokens import Caller, Tokens
from kiban.errors import HostLacks, NotAllowed
from kiban.web import access, patience, sessions
from kiban.web.access import Access
from kiban.web.address import Address, loopback, secret_name
from kiban.web.gate import Gate
from kiban.web.manager import Manager
from kiban.web.patience import Patience, TooMany
from kiban.web.sessions import Door, SessionFile

LOCAL, VIEWER = Caller("admin"), Caller("viewer")
Clock = Callable[[float], None]


@pytest.fixture
def doors(tmp_path: Path) -> Access:
    return opened(tmp_path)


def opened(state: Path) -> Access:
    tokens = Tokens(state)
    return Access(tokens, SessionFile(file_of(state), tokens))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets the time to so many seconds from now."""
    now = time.monotonic()
    return lambda seconds: monkeypatch.setattr(time, "monotonic", lambda: now + seconds)


def test_a_link_is_good_for_a_minute(doors: Access, clock: Clock) -> None:
    async def main() -> None:
        early, late = doors.link(VIEWER), doors.link(VIEWER)
        clock(access.LINK_SECONDS - 1)
        assert (visit := doors.find(doors.begin(early, "tls"), "tls")) is not None
        assert visit.caller == VIEWER
        clock(access.LINK_SECONDS + 1)
        with pytest.raises(NotAllowed):
            doors.begin(late, "tls")

    asyncio.run(main())


def test_a_session_ends_by_itself(doors: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SESSION_SECONDS", 0.01)

    async def main() -> None:
        key = doors.begin(doors.link(LOCAL), "tls")
        visit = doors.find(key, "tls")
        assert visit is not None
        await asyncio.wait_for(visit.over.wait(), 30)
        assert doors.find(key, "tls") is None

    asyncio.run(main())


def test_neither_links_nor_sessions_pile_up_and_nobody_pushes_out_another(doors: Access) -> None:
    async def main() -> None:
        other = doors.begin(doors.link(LOCAL), "tls")
        waiting = doors.link(LOCAL)
        keys = [doors.begin(doors.link(VIEWER), "tls") for _ in range(access.KEPT)]
        first = doors.find(keys[0], "tls")
        assert first is not None
        doors.begin(doors.link(VIEWER), "tls")
        assert first.over.is_set()
        assert (doors.find(keys[0], "tls"), doors.find(keys[1], "tls") is None) == (None, False)
        assert doors.find(other, "tls") is not None
        links = [doors.link(VIEWER) for _ in range(access.KEPT + 1)]
        with pytest.raises(NotAllowed):
            doors.begin(links[0], "tls")
        doors.begin(links[1], "tls")
        doors.begin(waiting, "tls")

    asyncio.run(main())


def test_a_link_is_for_the_address_that_was_called(tmp_path: Path) -> None:
    paths = SimpleNamespace(state=tmp_path, web_sessions=file_of(tmp_path))
    manager = Manager(cast("Any", SimpleNamespace(paths=paths)), {})
    manager.over_tls(7443, ["localhost"])

    async def main() -> None:
        for host, connected in (("localhost:7443", "127.0.0.1"), ("192.0.2.1:7443", "192.0.2.1")):
            link = await manager.link(LOCAL, 0, host, connected)
            assert link.url.startswith(f"https://{host}/login#"), "no name, and nobody can point it elsewhere"
        for host, name in (("192.0.2.2:7443", "192.0.2.2"), ("[2001:db8::1]:7443", "2001:db8::1"), ("vms", "vms")):
            with pytest.raises(NotAllowed) as refused:
                await manager.link(LOCAL, 0, host, "192.0.2.1")
            assert refused.value.hint == f"kiban serve --name {name}"

    asyncio.run(main())


def test_secrets_are_kept_as_hashes(doors: Access) -> None:
    async def main() -> None:
        link, used = doors.link(LOCAL), doors.link(LOCAL)
        key = doors.begin(used, "tls")
        kept = repr(vars(doors))
        assert not any(secret in kept for secret in (link, used, key))

    asyncio.run(main())


def test_what_a_token_began_ends_with_it(doors: Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "LOOK", 0.01)
    tokens = Tokens(tmp_path)
    secret = tokens.create("anna", "operator")
    tokens.create("other", "admin")

    async def main() -> None:
        caller = Caller("operator", tokens.find(secret.encode()))
        link, spare = doors.link(caller), doors.link(caller)
        by_link, by_token = doors.begin(link, "tls"), doors.begin_by_token(f" {secret}\n", "192.0.2.7")
        visits = doors.visits()
        assert [(visit.caller, visit.where) for visit in visits] == [(caller, ""), (caller, "192.0.2.7")]
        local = doors.begin(doors.link(LOCAL), "tls")
        watching = asyncio.create_task(doors.watch())
        tokens.revoke("anna")
        assert doors.find(by_link, "tls") is None, "at once, for whatever is asked"
        await asyncio.wait_for(visits[1].over.wait(), 30)  # and soon for what is open
        watching.cancel()
        assert (doors.find(by_token, "tls"), doors.find(local, "tls") is None) == (None, False)
        with pytest.raises(NotAllowed):
            doors.begin(spare, "tls")
        with pytest.raises(NotAllowed):
            doors.begin_by_token(secret)
        tokens.create("anna", "admin")
        assert doors.find(by_token, "tls") is None, "another of that name is another"

    asyncio.run(main())


def test_sessions_go_on_in_the_next_service(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    secret = tokens.create("anna", "operator")
    tokens.create("ben", "viewer")
    gone = Caller("viewer", tokens.list()[1])

    async def main() -> None:
        doors = opened(tmp_path)
        doors.rename("kiban-1.localhost")
        by_token, local = doors.begin_by_token(secret, "192.0.2.7"), doors.begin(doors.link(LOCAL), "loopback")
        revoked, left = doors.begin(doors.link(gone), "tls"), doors.begin(doors.link(LOCAL), "loopback")
        ended = doors.find(left, "loopback")
        assert ended is not None
        doors.end(ended)
        tokens.revoke("ben")
        link = doors.link(LOCAL)
        assert not any(one in file_of(tmp_path).read_text() for one in (by_token, local, revoked, left, secret, link))

        later = opened(tmp_path)
        later.restore(("tls", "loopback"))
        assert later.name == "kiban-1.localhost"
        assert [*map(seen, later.visits())] == [*map(seen, doors.visits()[:2])]
        assert later.find(by_token, "tls") is not None
        assert later.find(local, "loopback") is not None
        assert later.find(local, "tls") is None, "another door"
        assert [later.find(key, door) for key in (revoked, left) for door in DOORS] == [None] * 4
        with pytest.raises(NotAllowed):
            later.begin(link, "loopback")

        elsewhere = opened(tmp_path)
        elsewhere.restore(DOORS[:1])
        elsewhere.rename("kiban-2.localhost")
        last = opened(tmp_path)
        last.restore(DOORS)
        assert [visit.door for visit in last.visits()] == ["tls"], "who was left behind once stays so"

    asyncio.run(main())


DOORS: tuple[Door, ...] = ("tls", "loopback")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": 2}',
        '{"version": 1, "name": "x", "sessions": [{}]}',
        "\0" * 100,
        "[" * 100000,
    ],
)
def test_what_cannot_be_understood_lets_nobody_in(tmp_path: Path, text: str) -> None:
    file_of(tmp_path).write_text(text)
    doors = opened(tmp_path)
    doors.restore(DOORS)
    assert (doors.visits(), doors.name) == ([], "")


@pytest.mark.parametrize(
    ("key", "value"),
    [("role", "root"), ("door", "back"), ("until", "soon"), ("until", "2020-01-01T00:00:00+00:00"), ("token", "0" * 64),
     ("until", "2020-01-01"), ("began", "9999-01-01T00:00:00+00:00"), ("hash", None), ("where", [])],
)  # fmt: skip
def test_a_session_that_is_over_or_makes_no_sense_is_none(tmp_path: Path, key: str, value: object) -> None:
    async def main() -> None:
        begun = opened(tmp_path)
        secret = begun.begin(begun.link(LOCAL), "tls")
        found = json.loads(file_of(tmp_path).read_text())
        found["sessions"][0][key] = value
        file_of(tmp_path).write_text(json.dumps(found))
        doors = opened(tmp_path)
        doors.restore(DOORS)
        assert (doors.find(secret, "tls"), doors.visits()) == (None, [])

    asyncio.run(main())


def test_who_is_sent_away_does_not_come_back_though_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise HostLacks(f"Cannot write {path}: No space left on device.")

    async def main() -> None:
        doors = opened(tmp_path)
        key = doors.begin(doors.link(LOCAL), "tls")
        assert file_of(tmp_path).exists()
        monkeypatch.setattr(sessions, "replace_file", full)
        visit = doors.find(key, "tls")
        assert visit is not None
        doors.end(visit)
        assert not file_of(tmp_path).exists()
        assert doors.find(doors.begin(doors.link(LOCAL), "tls"), "tls") is not None, "until the service ends"

    asyncio.run(main())


def file_of(state: Path) -> Path:
    return state / "web-sessions.json"


def seen(visit: access.Visit) -> tuple[object, ...]:
    return visit.caller, visit.door, visit.where, visit.id, visit.began


def test_nothing_more_is_heard_of_an_upload_whose_session_is_over(doors: Access) -> None:
    heard: list[str] = []
    address = Address("https", 7443, frozenset({"localhost"}))

    async def main() -> None:
        key = doors.begin(doors.link(LOCAL), address.door)
        visit = doors.find(key, address.door)
        assert visit is not None

        async def receive() -> Message:
            if len(heard) == 1:
                doors.end(visit)
            return {"type": "http.request", "body": b"x", "more_body": True}

        async def send(message: Message) -> None:
            pass

        async def upload(scope: Scope, receive: Receive, send: Send) -> None:
            while "http.disconnect" not in heard and len(heard) < 5:
                heard.append((await receive())["type"])

        host = "localhost:7443"
        headers = {"host": host, "origin": f"https://{host}", "cookie": f"{address.cookie}={key}"}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "PUT", "path": "/media/a.iso", "query_string": b"", "headers": raw}
        await Gate(upload, doors, address)(scope | {"scheme": "https", "server": ("127.0.0.1", 7443)}, receive, send)

    asyncio.run(main())
    assert heard == ["http.request", "http.disconnect"]


def test_when_a_token_was_used_is_told(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    secret = tokens.create("anna")
    assert tokens.shown()[0].used == ""
    tokens.find(secret.encode())
    assert Tokens(tmp_path).shown()[0].used.startswith("20")
    tokens.revoke("anna")
    tokens.create("anna")
    assert tokens.shown()[0].used == "", "that was another"


NAMES = {"vms.example.org", "*.lab.example.org", "localhost", "[::1]", "10.0.0.5", "front.example.org:443"}


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("vms.example.org:8443", True),
        ("vms.example.org", False),
        ("vms.example.org:443", False),
        ("front.example.org", True),
        ("front.example.org:8443", False),
        ("a.lab.example.org:8443", True),
        ("a.b.lab.example.org:8443", False),
        ("lab.example.org:8443", False),
        ("*.lab.example.org:8443", False),
        ("[::1]:8443", True),
        ("[fe80::2]:8443", False),
        ("10.0.0.5:8443", True),
        ("192.0.2.1:8443", True),
        ("192.0.2.2:8443", False),
        ("evil.example:8443", False),
        ("vms.example.org.:8443", False),
        ("vms.example.org:8443:8443", False),
        ("vms.example.org:8443@evil.example", False),
        ("", False),
        ("x" * 100000, False),
    ],
)
def test_a_name_is_own_or_it_is_not(host: str, own: bool) -> None:
    assert Address("https", 8443, NAMES).is_own(host, "192.0.2.1") is own


def test_an_address_stands_as_browsers_write_it() -> None:
    address = Address("https", 443, ())
    assert address.is_own("192.0.2.1", "::ffff:192.0.2.1")
    assert address.is_own("[2001:db8::1]:443", "2001:0db8:0:0::1")
    assert not address.is_own("", "")


def test_only_the_hosts_own_way_over_tls_is_made_its_only_one() -> None:
    assert [Address(*how, ()).site for how in (("https", 443), ("https", 8443), ("http", 443))] == [True, False, False]


def test_a_name_on_loopback_is_new_each_time() -> None:
    name, other = secret_name(), secret_name()
    assert name != other
    assert loopback(7480, name).is_own(f"{name}:7480")
    assert not loopback(7480, name).is_own(f"{other}:7480")


def test_wrong_secrets_are_held_against_their_address_for_a_while(clock: Clock) -> None:
    door = Patience()
    for _ in range(patience.EACH):
        door.check("192.0.2.1")
        door.wrong("192.0.2.1")
    with pytest.raises(TooMany) as caught:
        door.check("192.0.2.1")
    assert 0 < caught.value.wait <= patience.WINDOW
    door.check("192.0.2.2")
    clock(patience.WINDOW + 1)
    door.check("192.0.2.1")


def test_a_flood_from_everywhere_locks_out_nobody_who_was_not_wrong() -> None:
    door = Patience()
    for number in range(5000):
        door.wrong(f"2001:db8:{number % 1000:x}::{number:x}")
    with pytest.raises(TooMany):
        door.check("2001:db8:3e7::99")  # the same /64 as one of them
    door.check("2001:db8:ffff::1")
    door.check("192.0.2.1")
    assert len(door._wrong) <= 10 * patience.ALL
