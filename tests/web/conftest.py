# SPDX-License-Identifier: GPL-2.0-or-later
"""One service and one browser for the tests of a file; a context of its own, with its own cookies, for each test."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit"))  # the fake QEMU and what makes machines
from engine_world import World, world
from playwright.sync_api import Browser, Page, sync_playwright
from web_service import WAIT, service

import kiban

FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]


@pytest.fixture(scope="module")
def there() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, world(patch) as made:
        made.paths.machines.mkdir(parents=True)
        yield made


@pytest.fixture(scope="module")
def client(there: World) -> Iterator[kiban.Client]:
    with service(there.paths) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, client: kiban.Client) -> Iterator[Page]:
    """A page that somebody has just come in on; it may have asked no other host for anything."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(WAIT * 1000)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    link = client.web().url
    opened.goto(link)
    opened.wait_for_selector(".k-name")
    yield opened
    own = link.partition("/login")[0]
    context.close()
    assert [url for url in asked if not url.startswith((own, "data:", "blob:"))] == []
    assert complaints == []
