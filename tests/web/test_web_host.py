# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of the host: what doctor says, and what machines have been given."""

from __future__ import annotations

from collections.abc import Callable

import machines
import pytest
from engine_world import World
from playwright.sync_api import Page, expect
from web_service import WAIT, Place

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
