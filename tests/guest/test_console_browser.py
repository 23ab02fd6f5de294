# SPDX-License-Identifier: GPL-2.0-or-later
"""A real guest in a real browser: what is typed there arrives, and its screen and COM port answer."""

from __future__ import annotations

from browsers import BETWEEN_KEYS, LONG, chromium, echo
from playwright.sync_api import expect
from rig import SHOTS, WAIT, Guest

expect.set_options(timeout=WAIT * 1000)


def test_the_screen_in_a_browser(guest: Guest) -> None:
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(WAIT * 1000)
        page.goto(guest.client.web().url)
        page.wait_for_selector(".k-name")
        page.get_by_label(f"Connect to {guest.name}").click()
        echo(page, "seen", "/run/browser")
        echo(page, "held", "/run/held", hold=LONG)
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/console-generation{guest.view.generation}.png")
        if guest.view.generation == 1:
            page.get_by_role("link", name="COM 1").click()
            page.locator(".k-terminal .xterm").click()
            expect(page.get_by_text("Connecting.")).to_be_hidden()  # what is typed before goes nowhere
            page.keyboard.type("expr 6000 + 66\n", delay=BETWEEN_KEYS)
            expect(page.locator(".k-terminal .xterm-rows")).to_contain_text("6066")
    for word, file in (("seen", "/run/browser"), ("held", "/run/held")):
        assert guest.sh(f"until [ -s {file} ]; do sleep 0.2; done; cat {file}") == word
