# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole way in one browser: from an ISO dropped on a page to a guest in use, over a crash of the service."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from boot_media import BOOT, iso
from bootcheck_images import tiny
from browsers import chromium, echo
from free_ports import free_port
from playwright.sync_api import Locator, Page, expect
from rig import SHOTS, WAIT, Guest, Service, serving

expect.set_options(timeout=WAIT * 1000)
T = TypeVar("T")


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def remote(root: Path, port: int) -> Iterator[Service]:
    """A service with pages over TLS, where sessions outlive it; nothing of it is left afterwards."""
    folder = root / "web"
    folder.mkdir(mode=0o711)
    with serving(folder, "--listen", f"127.0.0.1:{port}", "--web") as service:
        yield service


@pytest.fixture
def page(remote: Service, port: int) -> Iterator[Page]:
    """A browser that has logged in with a token."""
    token = remote.kiban("token", "create", "anna", "--role", "admin").stdout.strip()
    with chromium() as browser:
        page = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(WAIT * 1000)
        page.goto(f"https://127.0.0.1:{port}/login")
        page.get_by_label("Token").fill(token)
        _press(page, "Log in")
        page.wait_for_selector(".k-name")
        yield page


def test_from_an_iso_to_a_guest_that_is_used(page: Page, remote: Service, probe: Path, root: Path) -> None:
    guest = Guest(remote.client, "probe")
    _create(page, probe, iso(root / "unsigned.iso", {}, esp={BOOT: tiny()}, size=8 << 20))
    _type(page, guest, "one")
    remote.kill()
    expect(page.locator("#popup")).to_contain_text("Connection lost.")
    with page.expect_event("load"):
        remote.start()
    _type(page, guest, "two")
    boot = _apart(guest.boot_id)
    page.get_by_role("link", name="Settings and events").click()
    _press(page, "Change: Management")
    page.get_by_role("dialog").get_by_label("Notes").fill("made in a browser")
    _press(page.get_by_role("dialog"), "Save")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("region", name="Management")).to_contain_text("made in a browser")
    _press(page, "Save")
    page.get_by_role("link", name="Jobs", exact=True).click()
    saving = page.locator(".k-jobs tbody tr").first
    expect(saving).to_contain_text(re.compile("Save.*probe.*Done", re.DOTALL))
    saving.get_by_role("link", name="probe").click()
    expect(page.locator(".k-bar .k-state")).to_have_text("Saved")
    _press(page, "Start")
    expect(page.locator(".k-bar .k-state")).to_have_text("Running")
    assert (_apart(guest.boot_id), guest.view.notes) == (boot, "made in a browser")


def _create(page: Page, probe: Path, unsigned: Path) -> None:
    """An ISO that Secure Boot refuses, whose page says so; then one that it lets start, which is started."""
    page.get_by_role("link", name="New machine").first.click()
    expect(page.locator(".k-code")).to_have_text(re.compile("^kiban create "))
    files = page.locator("input[type=file]")
    files.set_input_files(unsigned)
    expect(page.locator(".k-verdict")).to_have_text("Secure Boot refuses it")
    expect(page.get_by_text("is not signed")).to_be_visible()
    _shot(page, "refused")
    files.set_input_files(probe / "probe.iso")
    expect(page.locator(".k-verdict")).to_have_text("Secure Boot lets it start")
    page.get_by_label("Name", exact=True).fill("probe")
    page.get_by_label("Memory").fill("512M")
    expect(page.locator(".k-code")).to_have_text(re.compile("kiban create probe --memory 512M "))
    _press(page, "Create and start")
    expect(page.locator(".k-bar .k-state")).to_have_text("Running")
    page.get_by_role("link", name="Connect").click()


def _type(page: Page, guest: Guest, word: str) -> None:
    """What is typed on the guest's screen is drawn there, and arrives."""
    expect(page.locator(".k-console canvas")).to_be_visible()
    _apart(guest.ready)
    echo(page, word, f"/run/{word}")
    _shot(page, f"console-{word}")
    look = f"until [ -s /run/{word} ]; do sleep 0.2; done; cat /run/{word}"
    assert _apart(lambda: guest.sh(look)) == word


def _apart(ask: Callable[[], T]) -> T:
    """Ask a guest in a thread of its own: Playwright has the event loop of this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(ask).result()


def _press(place: Page | Locator, name: str) -> None:
    place.get_by_role("button", name=name, exact=True).click()


def _shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/web-{name}.png")
