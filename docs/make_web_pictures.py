# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes docs/images/web-*.png: the web manager with the demo's machines, which run: `./dev pictures`.

The machines are those that `kiban demo --keep` leaves; it is run where they are not there. Needs Chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

import kiban
from kiban.demo.machines import GENERATIONS, REFUSED

IMAGES = Path(__file__).parent / "images"
SIZE = (1280, 800)
PATIENCE = 600.0
"""Seconds for all machines to come to where they are shown."""
LOGIN = 20.0
"""Seconds from a guest's agent to its prompt."""
PAGES = {
    "web-machines": "/",
    "web-refused": f"/machine/{{{REFUSED}}}",
    "web-console": f"/console/{{{GENERATIONS[2]}}}",
}


def until(what: str, there: Callable[[], bool]) -> None:
    """Wait for something, or end the program."""
    ends = time.monotonic() + PATIENCE
    while not there():
        if time.monotonic() > ends:
            sys.exit(f"{what}: not within {PATIENCE:.0f} s")
        time.sleep(1)


def run_guests(client: kiban.Client) -> None:
    """Have both guests at their prompts, and the third machine refused: the demo leaves its Secure Boot off."""
    if not client.machine(REFUSED).secure_boot:
        if client.machine(REFUSED).state != "off":
            client.stop(REFUSED, force=True)
        client.edit(REFUSED, secure_boot=True)
    for name in (*GENERATIONS.values(), REFUSED):
        if client.machine(name).state == "off":
            client.start(name)
    guests = GENERATIONS.values()
    until("the guests' heartbeats", lambda: all(client.guest(name).heartbeat == "ok" for name in guests))
    until(f"the refusal of {REFUSED}", lambda: client.machine(REFUSED).boot["state"] == "refused")
    time.sleep(LOGIN)


def take(page: Page, name: str, address: str) -> None:
    """One picture, once what is loaded late has come."""
    page.goto(address)
    page.wait_for_selector(".k-page > *")
    page.wait_for_timeout(8000)  # pictures of screens are made two at a time
    target = IMAGES / f"{name}.png"
    page.screenshot(path=target)
    print(target)


def main() -> None:
    """Make all pictures; the guests are turned off again."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("Chromium is not installed")
    client = kiban.connect()
    if {*GENERATIONS.values(), REFUSED} - {machine.name for machine in client.machines()}:
        subprocess.run([Path(sys.executable).with_name("kiban"), "demo", "--keep"], check=True)
    run_guests(client)
    ids = {machine.name: machine.id for machine in client.machines()}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, locale="en-US", color_scheme="light")
        page.goto(client.web().url)
        page.wait_for_selector(".k-name")
        base = page.url.rstrip("/")
        for name, path in PAGES.items():
            take(page, name, base + path.format(**ids))
        browser.close()
    for name in ids.keys() & {*GENERATIONS.values(), REFUSED}:
        client.stop(name, force=True)


if __name__ == "__main__":
    main()
