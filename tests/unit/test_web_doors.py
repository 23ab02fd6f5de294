# SPDX-License-Identifier: GPL-2.0-or-later
"""The web manager's ways in, without a browser: links, tokens and sessions; names; what becomes of wrong secrets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kiban.engine.tokens import Caller, Tokens
from kiban.errors import NotAllowed
from kiban.web import access, patience
from kiban.web.access import Access
from kiban.web.address import Address, loopback
from kiban.web.patience import Patience, TooMany

LOCAL, VIEWER = Caller("admin"), Caller("viewer")
Clock = Callable[[float], None]


@pytest.fixture
def doors(tmp_path: Path) -> Access:
    return Access(Tokens(tmp_path))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets the time to so many seconds from now."""
    now = time.monotonic()
    return lambda seconds: monkeypatch.setattr(time, "monotonic", lambda: now + seconds)


def test_a_link_is_good_for_a_minute(doors: Access, clock: Clock) -> None:
    async def main() -> None:
        early, late = doors.link(VIEWER), doors.link(VIEWER)
        clock(access.LINK_SECONDS - 1)
        assert (visit := doors.find(doors.begin(early))) is not None
        assert visit.caller == VIEWER
        clock(access.LINK_SECONDS + 1)
        with pytest.raises(NotAllowed):
            doors.begin(late)

    asyncio.run(main())


def test_a_session_ends_by_itself(doors: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SESSION_SECONDS", 0.01)

    async def main() -> None:
        key = doors.begin(doors.link(LOCAL))
        visit = doors.find(key)
        assert visit is not None
        await asyncio.wait_for(visit.over.wait(), 30)
        assert doors.find(key) is None

    asyncio.run(main())


def test_neither_links_nor_sessions_pile_up_and_nobody_pushes_out_another(doors: Access) -> None:
    async def main() -> None:
        other = doors.begin(doors.link(LOCAL))
        waiting = doors.link(LOCAL)
        keys = [doors.begin(doors.link(VIEWER)) for _ in range(access.KEPT)]
        first = doors.find(keys[0])
        assert first is not None
        doors.begin(doors.link(VIEWER))
        assert first.over.is_set()
        assert (doors.find(keys[0]), doors.find(keys[1]) is None) == (None, False)
        assert doors.find(other) is not None
        links = [doors.link(VIEWER) for _ in range(access.KEPT + 1)]
        with pytest.raises(NotAllowed):
            doors.begin(links[0])
        doors.begin(links[1])
        doors.begin(waiting)

    asyncio.run(main())


def test_secrets_are_kept_as_hashes(doors: Access) -> None:
    async def main() -> None:
        link, used = doors.link(LOCAL), doors.link(LOCAL)
        key = doors.begin(used)
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
        by_link, by_token = doors.begin(link), doors.begin_by_token(f" {secret}\n", "192.0.2.7")
        visits = doors.visits()
        assert [(visit.caller, visit.where) for visit in visits] == [(caller, ""), (caller, "192.0.2.7")]
        local = doors.begin(doors.link(LOCAL))
        watching = asyncio.create_task(doors.watch())
        tokens.revoke("anna")
        assert doors.find(by_link) is None, "at once, for whatever is asked"
        await asyncio.wait_for(visits[1].over.wait(), 30)  # and soon for what is open
        watching.cancel()
        assert (doors.find(by_token), doors.find(local) is None) == (None, False)
        for begin, what in ((doors.begin, spare), (doors.begin_by_token, secret)):
            with pytest.raises(NotAllowed):
                begin(what)
        tokens.create("anna", "admin")
        assert doors.find(by_token) is None, "another of that name is another"

    asyncio.run(main())


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
    (first, name), (_, other) = loopback(7480), loopback(7480)
    assert name != other
    assert first.is_own(f"{name}:7480")
    assert not first.is_own(f"{other}:7480")


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
