# SPDX-License-Identifier: GPL-2.0-or-later
"""What machines use, in a browser: charts on a machine's page, figures in the list, both only while somebody looks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import machines
import pytest
from engine_world import World
from playwright.sync_api import Locator, Page, expect
from test_web_a11y import findings
from web_service import WAIT, Place

from kiban.model.requests import DvdRequest, NicRequest
from kiban.model.units import KiB, MiB

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]


class Ground:
    """What the machines' drives count, and their guests' agent."""

    def __init__(self, root: Path) -> None:
        self.stats, self.agent = root / "stats", root / "agent"
        self.count(0, 0, 0, 0)

    def count(self, *counters: int) -> None:
        self._write(self.stats, {"dvd0": counters})

    def answer(self, received: int, sent: int) -> None:
        told = [{"ip-address": "10.0.2.15"}, {"ip-address": "<b>x</b>"}]
        counted = {"rx-bytes": received, "tx-bytes": sent}
        interface = {"hardware-address": "52:54:00:00:00:01", "ip-addresses": told, "statistics": counted}
        self._write(self.agent, {"guest-network-get-interfaces": [interface]})

    def _write(self, file: Path, value: Any) -> None:
        part = file.with_suffix(".part")
        part.write_text(json.dumps(value))
        part.replace(file)


@pytest.fixture(scope="module")
def ground(there: World) -> Iterator[Ground]:
    """Two machines, of which m1 runs."""
    with pytest.MonkeyPatch.context() as patch:
        made = Ground(there.root)
        patch.setenv("FAKE_QEMU_STATS", str(made.stats))
        patch.setenv("HISTORY_EVERY", "0.5")
        patch.setenv("FAKE_QEMU_AGENT", str(made.agent))
        for serial in (1, 2):
            there.put(machines.make(1, serial=serial, dvds=(DvdRequest(),), nics=(NicRequest(),)))
        yield made


@pytest.fixture(scope="module")
def place(ground: Ground, place: Place) -> Place:
    """The service, after what its machines count is there."""
    del ground
    place.client.start("m1")
    return place


def chart(page: Page, title: str) -> Locator:
    return page.get_by_role("img", name=re.compile(f"^{title}: "))


def cell(page: Page, name: str, figure: str) -> Locator:
    row = page.locator(".k-table tbody tr").filter(has=page.get_by_text(name, exact=True))
    return row.locator(f"[data-figure={figure}]")


def test_charts_follow_what_it_does(page: Page, ground: Ground) -> None:
    page.get_by_role("link", name="m1", exact=True).click()
    expect(chart(page, "CPU")).to_have_attribute("aria-label", re.compile(r"^CPU: \d+ % of its processor$"))
    expect(chart(page, "Memory")).to_have_attribute(
        "aria-label", re.compile("MiB held on the host; the machine has 8 MiB$")
    )
    expect(chart(page, "Network")).to_have_attribute("aria-label", re.compile("Only the guest counts it"))
    expect(page.get_by_text("Heartbeat: No contact")).to_be_visible()
    expect(page.get_by_text("Install qemu-guest-agent")).to_be_visible()
    expect(chart(page, "CPU").locator("svg path").first).to_be_attached()
    ground.answer(0, 0)
    busy(page, "Disks: Read .*MiB/s, written .*KiB/s", lambda much, little: ground.count(much, little, 0, 0))
    expect(page.get_by_text("Heartbeat: OK")).to_be_visible()
    expect(page.get_by_text("IP addresses: 10.0.2.15", exact=True)).to_be_visible()
    busy(page, "Network: Received .*MiB/s, sent .*KiB/s", ground.answer)
    told = page.evaluate(TOLD)
    assert len(told) == 4
    for label, caption in told:
        assert label.endswith(f": {caption}")


TOLD = """[...document.querySelectorAll(".k-charts figure")].map(
each => [each.querySelector("[role=img]").ariaLabel, each.querySelector("figcaption").innerText])"""
"""What each chart is called, and what stands below it, at one moment."""


def busy(page: Page, told: str, count: Callable[[int, int], None]) -> None:
    """Have counters go up until a chart says so: it tells of the newest sample, and the next one is another."""
    title = told.partition(":")[0]
    for step in range(int(WAIT * 10)):
        if re.match(told, chart(page, title).get_attribute("aria-label") or ""):
            return
        count(step * 10 * MiB, step * 10 * KiB)
        page.wait_for_timeout(100)
    pytest.fail(f"not said: {told}")


def test_the_list_shows_those_that_run(page: Page, ground: Ground, place: Place) -> None:
    ground.answer(0, 0)
    expect(cell(page, "m1", "cpu")).to_have_text(re.compile(r"^\d+ %$"))
    expect(cell(page, "m1", "heartbeat")).to_have_text("OK")
    expect(cell(page, "m2", "cpu")).to_have_count(0)
    place.client.pause("m1")
    expect(cell(page, "m1", "heartbeat")).to_have_text("Paused")
    place.client.resume("m1")
    ground.agent.unlink()
    expect(cell(page, "m1", "heartbeat")).to_have_text("Lost communication")


def test_an_answer_that_breaks_off_is_asked_for_again(page: Page) -> None:
    page.route(re.compile("/usage"), lambda route: route.fulfill(body="{"), times=1)
    for _ in range(2):
        with page.expect_response(re.compile("/usage")):
            pass


HIDE = """hidden => {
    Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_a_tab_that_nobody_sees_asks_for_nothing(page: Page, place: Place) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    expect(cell(page, "m1", "cpu")).not_to_be_empty()
    page.evaluate(HIDE, True)
    page.wait_for_timeout(200)
    asked.clear()
    _measured_anew(page, place)
    assert [url for url in asked if "/usage" in url] == []
    page.evaluate(HIDE, False)
    with page.expect_request(re.compile("/usage")):
        pass
    page.get_by_role("link", name="m1", exact=True).click()
    drawn = chart(page, "CPU").locator("svg")
    expect(drawn).to_be_visible()
    page.evaluate(HIDE, True)
    before = _stays(page, place, drawn)
    page.evaluate(HIDE, False)
    page.wait_for_function("before => document.querySelector('.k-charts svg').innerHTML !== before", arg=before)


def test_a_tab_that_is_opened_behind_others_asks_for_nothing(page: Page, place: Place) -> None:
    page.add_init_script("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.get_by_role("link", name="m1", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("m1")
    _stays(page, place, page.locator(".k-usage"))


def _stays(page: Page, place: Place, part: Locator) -> str:
    """What is drawn, and stays while others measure, once what was under way has arrived."""
    for _ in range(3):
        before = part.inner_html()
        _measured_anew(page, place)
        if part.inner_html() == before:
            return before
    pytest.fail("it goes on")


def _measured_anew(page: Page, place: Place) -> None:
    """Wait for more samples, which somebody else asks for."""
    last = place.client.usage("m1").samples[-1].time
    while len([sample for sample in place.client.usage("m1").samples if sample.time > last]) < 2:
        page.wait_for_timeout(100)


def test_the_last_day_is_there_though_nobody_looked(page: Page, place: Place) -> None:
    page.get_by_role("link", name="m1", exact=True).click()
    page.get_by_role("button", name="24 hours").click()
    expect(page.get_by_text(re.compile(r"every two minutes of the last 0 h \d+ min"))).to_be_visible()
    told = re.compile(r"^CPU: On average \d+ %, \d+ % at the most$")
    expect(chart(page, "CPU")).to_have_attribute("aria-label", told)
    expect(chart(page, "Memory")).to_have_attribute("aria-label", re.compile("at the most; the machine has 8 MiB$"))
    expect(chart(page, "Disks")).to_be_hidden()
    assert len(place.client.usage_history("m1")) > 0
    page.get_by_role("button", name="5 minutes").click()
    expect(chart(page, "Disks")).to_be_visible()
    expect(chart(page, "CPU")).to_have_attribute("aria-label", re.compile(r"of its processor$"))


def test_one_that_is_off_uses_nothing(page: Page, place: Place) -> None:
    page.goto(re.sub(r"(//[^/]*).*", rf"\1/machine/{place.client.machine('m2').id}", page.url))
    expect(page.get_by_role("heading", level=1)).to_have_text("m2")
    expect(page.locator(".k-usage")).to_be_hidden()
    place.client.start("m2")
    expect(page.locator(".k-usage")).to_be_visible()
    place.client.stop("m2", force=True)
    expect(page.locator(".k-usage")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_it_fits_a_phone_and_speaks_japanese(enter: Enter, place: Place, scheme: str) -> None:
    page = enter(viewport={"width": 390, "height": 800}, locale="ja-JP", color_scheme=scheme)
    page.get_by_role("link", name="m1", exact=True).click()
    expect(chart(page, "メモリ")).to_be_visible()
    expect(page.get_by_text("ハートビート")).to_be_visible()
    page.wait_for_function("document.documentElement.scrollWidth <= 390")
    assert findings(page) == []
    expect(page.locator(".k-charts svg path[stroke*=first]").first).to_be_attached()
    colour = "getComputedStyle(document.querySelector('.k-charts svg path[stroke*=first]')).stroke"
    assert page.evaluate(colour) == {"dark": "rgb(122, 167, 255)", "light": "rgb(37, 99, 235)"}[scheme]
    del place


def test_the_figures_are_for_those_who_are_in(page: Page, place: Place) -> None:
    known = place.client.machine("m1").id
    ask = "path => fetch(path).then(async answer => [answer.status, await answer.text()])"
    status, told = page.evaluate(ask, f"/usage?of={known}&of=nobody")
    assert (status, list(json.loads(told))) == (200, [known])
    assert page.evaluate(ask, "/usage?of=../x")[0] == 422
    assert page.evaluate(ask, "/usage?" + "&".join(["of=x"] * 101))[0] == 422
    page.context.clear_cookies()
    assert page.evaluate(ask, f"/usage?of={known}")[0] == 401
