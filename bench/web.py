# SPDX-License-Identifier: GPL-2.0-or-later
"""How soon the web manager's lists are there and show what happens, with few machines and many, and what it costs.

A headless Chromium on the same host looks at a service of its own. Ten machines run, whose guests halt; the others are
off. Times are the browser's own: rows are "there" in the frame after the one in which they came into the document.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from kiban import DiskRequest
from measure import Result, Spread, ratios, say
from memory_per_machine import HALT
from sandbox import Sandbox, memory

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
RUNNING = 10
MIB = 2**20
WATCH = """
new MutationObserver((_, observer) => {
  if (!document.querySelector(".k-machine")) return;
  observer.disconnect();
  requestAnimationFrame(() => { window.there = performance.now(); });
}).observe(document, { childList: true, subtree: true });
"""
"""When the first machine was on the screen, in milliseconds since the navigation began."""
AWAIT = """wanted => new Promise(done => {
  const look = () => {
    const row = [...document.querySelectorAll("tr")].find(row => row.innerText.includes("a-00"));
    if (row?.querySelector(".k-state")?.classList.contains("k-" + wanted)) done(Date.now());
    else requestAnimationFrame(look);
  };
  look();
})"""
"""When the state of the first machine was seen (milliseconds of the wall clock)."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--machines", type=int, default=1000)
    options.add_argument("--runs", type=int, default=9)
    options.add_argument("--seconds", type=float, default=20.0, help="for which processor time is counted")
    wanted = options.parse_args()
    command = f"bench/web.py --machines {wanted.machines} --runs {wanted.runs} --seconds {wanted.seconds:g}"
    samples: dict[str, dict[str, list[float]]] = {}
    result = Result("web", command, samples)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for count in (RUNNING, wanted.machines):
            with Sandbox() as box:
                create(box, count)
                samples[str(count)] = measured(box, browser, wanted.runs, wanted.seconds)
            say(f"{count} machines: there in {Spread.of(samples[str(count)]['first']).text('ms', digits=0)}")
        browser.close()
    fill(result, *samples.values(), machines=wanted.machines)
    result.write()


def create(box: Sandbox, count: int) -> None:
    for number in range(count):
        name = f"{'a' if number < RUNNING else 'machine'}-{number:02}"
        if number >= RUNNING:
            box.client.create(name, generation=1 + number % 2, disks=[DiskRequest(size=MIB)], dvds=[""])
            continue
        disk = box.folder / f"{number}.raw"
        disk.write_bytes(HALT + bytes(MIB - 512))
        box.client.create(name, generation=1, memory=32 * MIB, disks=[DiskRequest(path=str(disk), format="raw")])
        box.client.start(name)


def measured(box: Sandbox, browser: Browser, runs: int, seconds: float) -> dict[str, list[float]]:
    box.end_service()
    service = box.service()
    took: dict[str, list[float]] = {"first": [], "again": [], "disks": [], "seen": []}
    box.client.machines()
    took |= {f"{kind} without": [value / MIB] for kind, value in memory(service).items()}
    took["cpu without"] = [busy(service, seconds)]
    with visitor(box, browser) as known:
        for _ in range(runs):
            look(browser, known, took)
        page = known.pages[0]
        took["seen"] = [seen(box, page, state) for state in ("paused", "running") * runs]
        took["cpu list"] = [busy(service, seconds, page)]
        page.get_by_role("link", name="a-00", exact=True).click()
        page.wait_for_selector(".k-charts svg")
        took["cpu machine"] = [busy(service, seconds, page)]
        took |= {f"{kind} with": [value / MIB] for kind, value in memory(service).items()}
    return took


@contextmanager
def visitor(box: Sandbox, browser: Browser) -> Iterator[BrowserContext]:
    """Somebody who is logged in, with the pages in his browser's cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(box.client.web().url)
    page.wait_for_selector(".k-machine")
    yield context
    context.close()


def look(browser: Browser, known: BrowserContext, took: dict[str, list[float]]) -> None:
    """Open the list twice, and the disks, in a browser that has never seen them but is let in."""
    list_of_machines = known.pages[0].url
    context = browser.new_context(storage_state=known.storage_state(), viewport={"width": 1280, "height": 900})
    context.add_init_script(WATCH)
    for kind, address in (("first", ""), ("again", ""), ("disks", "disks")):
        page = context.new_page()
        page.goto(f"{list_of_machines}{address}")
        took[kind].append(float(page.wait_for_function("window.there").json_value()))
        page.close()
    context.close()


def seen(box: Sandbox, page: Page, state: str) -> float:
    """Milliseconds from the request that changes a machine's state until the list shows it."""
    page.evaluate("wanted => { window.change = (" + AWAIT + ")(wanted); }", state)
    begun = time.time()
    (box.client.pause if state == "paused" else box.client.resume)("a-00")
    return float(page.evaluate("window.change")) - begun * 1000


def busy(service: psutil.Process, seconds: float, page: Page | None = None) -> float:
    """Percent of one processor that the service takes for some seconds."""
    before, begun = service.cpu_times(), time.monotonic()
    if page is None:
        time.sleep(seconds)
    else:
        page.wait_for_timeout(seconds * 1000)
    after = service.cpu_times()
    return 100 * (after.user + after.system - before.user - before.system) / (time.monotonic() - begun)


def fill(result: Result, few: dict[str, list[float]], many: dict[str, list[float]], *, machines: int) -> None:
    result.row("A browser on the same host", f"{RUNNING} machines", f"{machines}", "ratio")
    rows = {
        "first": ("the list is there, in a browser that never had it, ms", 0),
        "again": ("the same once it is in the browser's cache, ms", 0),
        "disks": ("the disks of all are there, ms", 0),
        "seen": ("a pause or resume is seen in the list, ms", 0),
        "rss without": ("resident memory of the service, before the web manager is asked for, MiB", 1),
        "rss with": ("the same with it, and a browser that looks, MiB", 1),
        "cpu without": (f"processor time of the service, {RUNNING} machines run and nobody looks, %", 1),
        "cpu list": ("the same while a browser shows them in the list, %", 1),
        "cpu machine": ("the same while it shows the charts of one, %", 1),
    }
    for name, (title, digits) in rows.items():
        one, thousand = (Spread.of(samples[name]).text(digits=digits) for samples in (few, many))
        ratio = "" if name.startswith("cpu") else Spread.of(ratios(many[name], few[name])).text(digits=2)
        result.row(title, one, thousand, ratio)


if __name__ == "__main__":
    main()
