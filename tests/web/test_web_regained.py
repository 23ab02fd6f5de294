# SPDX-License-Identifier: GPL-2.0-or-later
"""The service goes away and comes back, under pages that are open."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from free_ports import free_port
from playwright.sync_api import Page, expect
from web_caller import Caller
from web_service import WAIT, Place, Systemd

import kiban

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def count() -> int:
    return 1


@pytest.fixture(autouse=True)
def off(client: kiban.Client) -> Iterator[None]:
    """The machine is off before a test, and after it."""
    yield
    if client.machine("m1").state != "off":
        client.stop("m1", force=True)


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    found = Systemd(tmp_path)
    yield found
    found.close()


def test_over_tls_pages_go_on_where_they_were(place: Place, enter: Enter) -> None:
    page = enter(place.as_("operator"))
    _machine_page(page)
    place.kill()
    expect(page.locator("#popup")).to_be_visible()
    expect(page.locator("#popup")).to_contain_text("Trying to reconnect")
    with page.expect_event("load"):
        place.start()
    _goes_on(page, place.client)


def test_on_loopback_they_go_on_where_systemd_keeps_the_port(place: Place, enter: Enter, systemd: Systemd) -> None:
    place.stop()
    place.start(systemd)
    page = enter()
    before = page.url
    _machine_page(page)
    place.kill()
    assert len(systemd.kept()) in (1, 2), "a loopback or two"
    with page.expect_event("load"):
        place.start(systemd)
    _goes_on(page, place.client)
    assert urlsplit(place.client.web().url).netloc == urlsplit(before).netloc
    page.get_by_label("Log out").click()
    page.get_by_text("To come in").wait_for()
    place.stop()
    place.start(systemd)
    assert systemd.kept() == [], "without a session there is nothing to keep a port for"


def test_on_loopback_without_it_a_new_address_is_asked_for(place: Place, enter: Enter) -> None:
    place.stop()
    place.start()
    port = free_port()
    caller = Caller(place.client.web(port).url)
    page = enter(locale="ja-JP")
    caller.enter()
    place.kill()
    expect(page.locator("#popup")).to_contain_text(re.compile("再接続しています.*kiban web"))
    place.start()
    place.client.web(port)
    expect(page.locator("#popup")).to_contain_text("アドレスが変わりました")
    for host in (caller.host, f"127.0.0.1:{port}"):
        assert caller.ask("GET", "/", Host=host)[0] in (401, 403), "the session of before lets nobody in"


def _machine_page(page: Page) -> None:
    page.get_by_role("link", name="m1", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("m1")
    expect(page.get_by_text("Off", exact=True).first).to_be_visible()
    page.wait_for_function("window.did_handshake")  # who has not been connected loses no connection


def _goes_on(page: Page, client: kiban.Client) -> None:
    """Nobody has to log in again, and the page follows and does things as before."""
    expect(page.locator("#popup")).to_be_hidden()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("Running", exact=True).first).to_be_visible()
    assert page.url.rpartition("/")[2] in (client.machine("m1").id, "m1")
