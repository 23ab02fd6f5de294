# SPDX-License-Identifier: GPL-2.0-or-later
"""A real guest in a real browser: what is typed there arrives, and its screen and COM port answer."""

from __future__ import annotations

from browsers import chromium
from playwright.sync_api import Locator, expect
from rig import SHOTS, WAIT, Guest

expect.set_options(timeout=WAIT * 1000)
BETWEEN_KEYS = 60
"""Milliseconds; PS/2 keeps 16 bytes, and the guest is emulated."""


def test_the_screen_in_a_browser(guest: Guest) -> None:
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(WAIT * 1000)
        page.goto(guest.client.web().url)
        page.wait_for_selector(".k-name")
        page.get_by_label(f"Connect to {guest.name}").click()
        canvas = page.locator(".k-console canvas")
        canvas.click()
        expect(page.get_by_text("Keys go to the guest.")).to_be_visible()
        before = _drawn(canvas)
        page.keyboard.type("echo seen ", delay=BETWEEN_KEYS)
        page.keyboard.press("Shift+Period", delay=BETWEEN_KEYS)
        page.keyboard.type("/run/browser\n", delay=BETWEEN_KEYS)
        page.wait_for_function(
            "before => document.querySelector('.k-console canvas').toDataURL() !== before", arg=before
        )
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/console-generation{guest.view.generation}.png")
        if guest.view.generation == 1:
            page.get_by_role("link", name="COM 1").click()
            expect(page.get_by_text("Connecting.")).to_be_hidden()
            page.locator(".k-terminal .xterm").click()
            page.keyboard.type("expr 6000 + 66\n", delay=BETWEEN_KEYS)
            expect(page.locator(".k-terminal .xterm-rows")).to_contain_text("6066")
    assert guest.sh("until [ -s /run/browser ]; do sleep 0.2; done; cat /run/browser") == "seen"


def _drawn(canvas: Locator) -> str:
    return str(canvas.evaluate("canvas => canvas.toDataURL()"))
