# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of the host: what doctor says, and what machines have been given."""

from __future__ import annotations

import re
from collections.abc import Callable

import machines
import pytest
from disk_chains import content, make
from engine_world import World
from playwright.sync_api import Page, expect
from web_service import WAIT, Place

import kiban
from kiban.model.units import MiB
from kiban.web.words import Words

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def there(there: World) -> World:
    """Two machines of 2 processors each."""
    for serial in (1, 2):
        there.put(machines.make(1, serial=serial, nics=(), cpus=2))
    return there


def test_a_viewer_sees_what_doctor_says_and_what_machines_have(enter: Enter, place: Place) -> None:
    page = enter(place.as_("viewer"))
    page.get_by_role("link", name="Host", exact=True).click()
    expect(page.get_by_text("2 machines: 4 virtual processors")).to_be_visible()
    place.client.start("m1")
    expect(page.get_by_text("1 of them are on: 2 virtual processors")).to_be_visible()
    place.client.stop("m1", force=True)
    findings = page.locator(".k-finding")
    told = place.client.doctor()
    expect(findings).to_have_count(len(told))
    for number, finding in enumerate(told):
        expect(findings.nth(number)).to_contain_text(f"{finding.name}: {'there' if finding.ok else ''}")
        if finding.hint and not finding.ok:
            advice = Words("en").advice(finding.hint)
            expect(findings.nth(number)).to_contain_text(advice.text)
            expect(findings.nth(number)).to_contain_text(advice.command)


def test_what_takes_room_is_told_and_what_is_promised_twice(enter: Enter, place: Place, there: World) -> None:
    base = make(there.root / "base.qcow2", "qcow2", content())
    linked = kiban.DiskRequest(path=str(base), format="qcow2", link=True)
    place.client.create("linked", generation=1, memory=64 * MiB, disks=[linked])
    large = place.client.create("large", generation=1, memory=64 * MiB, disks=[kiban.DiskRequest(size=2**44)])
    with (there.paths.machines / large.id / "disk0.qcow2").open("ab") as file:
        file.write(bytes(8 * MiB))
    page = enter(place.as_("viewer"))
    page.get_by_role("link", name="Host", exact=True).click()
    rows = page.locator(".k-table tbody tr")
    expect(rows.first).to_contain_text("large")
    expect(rows.first).to_contain_text("16 TiB")
    told = place.client.capacity()  # as of now, or as the page has it
    expect(rows).to_have_count(len(told.holdings))
    expect(rows.filter(has_text=str(base))).to_contain_text("image of 1 machines")
    (room,) = told.file_systems
    expect(page.get_by_role("progressbar", name=room.path, exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile("If all were full, .* would be lacking"))).to_be_visible()
    expect(page.get_by_role("progressbar", name="Processors of running machines")).to_be_visible()
    place.client.remove("large")
    page.get_by_role("button", name="Look again").click()
    expect(rows.filter(has_text="large")).to_have_count(0)
    expect(page.get_by_text("Disks may grow by")).not_to_contain_text("lacking")
    place.client.remove("linked")
