# SPDX-License-Identifier: GPL-2.0-or-later
"""One service and one browser for the tests of a file; a context of its own, with its own cookies, for each test."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsers import chromium

sys.path.append(str(Path(__file__).parents[1] / "unit"))  # the fake QEMU and what makes machines
import machines
from engine_world import World, world
from playwright.sync_api import Browser, Page
from web_service import WAIT, Place, service

import kiban

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAIAAAA7ljmRAAAAEElEQVR42mMwSJgARww4OQAC9g2Bwt81qgAAAABJRU5ErkJggg=="
)
"""What the machines show."""


@pytest.fixture(scope="module")
def count() -> int:
    """How many machines there are: m1, m2 and so on, of generation 1."""
    return 0


@pytest.fixture(scope="module")
def there(count: int) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, world(patch) as made:
        made.paths.machines.mkdir(parents=True)
        screen = made.root / "screen.png"
        screen.write_bytes(PNG)
        patch.setenv("FAKE_QEMU_SCREEN", str(screen))
        for serial in range(1, count + 1):
            made.put(machines.make(1, serial=serial, nics=()))
        yield made


@pytest.fixture(scope="module")
def place(there: World) -> Iterator[Place]:
    with service(there.paths) as found:
        yield found


@pytest.fixture
def client(place: Place) -> kiban.Client:
    return place.client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


Enter = Callable[..., Page]


@pytest.fixture
def enter(browser: Browser, place: Place) -> Iterator[Enter]:
    """Opens a browser of its own on the web manager; it may ask no other host for anything, and complain of nothing."""
    asked: list[str] = []
    complaints: list[str] = []
    contexts = []
    own = {place.url, "data:", "blob:"}

    def enter(who: kiban.Client = place.client, **how: Any) -> Page:
        look = {"viewport": {"width": 1280, "height": 800}, "ignore_https_errors": True}  # the certificate is our own
        context = browser.new_context(**look | how)
        contexts.append(context)
        context.set_default_timeout(WAIT * 1000)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        link = who.web().url
        own.add(link.partition("/login")[0])
        page.goto(link)
        page.wait_for_selector(".k-name")
        return page

    yield enter
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith((*own,))] == []
    assert complaints == []


@pytest.fixture
def page(enter: Enter) -> Page:
    return enter()
