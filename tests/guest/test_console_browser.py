# SPDX-License-Identifier: GPL-2.0-or-later
"""A real guest in a real browser: what is typed there arrives, and its screen changes under one's eyes."""

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
    assert guest.sh("until [ -s /run/browser ]; do sleep 0.2; done; cat /run/browser") == "seen"


def _drawn(canvas: Locator) -> str:
    return str(canvas.evaluate("canvas => canvas.toDataURL()"))
