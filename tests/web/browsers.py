# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's Chromium, as the tests of pages and of guests run it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]


BETWEEN_KEYS = 60
"""Milliseconds; PS/2 keeps 16 bytes, and guests are emulated."""
LONG = 700
"""Milliseconds; a guest would repeat a key that is held that long."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that runs meanwhile; the test is skipped where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


def echo(page: Page, word: str, file: str, hold: float = BETWEEN_KEYS) -> None:
    """Have the shell on a guest's screen write a word into a file; its page shows a console, which shows that.

    Each key is held for `hold` milliseconds.
    """
    canvas = page.locator(".k-console canvas")
    canvas.click()
    expect(page.get_by_text("Keys go to the guest.")).to_be_visible()
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    page.keyboard.type(f"echo {word} ", delay=hold)
    page.keyboard.press("Shift+Period", delay=hold)
    page.keyboard.type(f"{file}\n", delay=hold)
    page.wait_for_function("before => document.querySelector('.k-console canvas').toDataURL() !== before", arg=before)
