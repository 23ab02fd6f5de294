# SPDX-License-Identifier: GPL-2.0-or-later
"""No page has a serious finding of axe: contrast, names, roles; in both themes and languages, and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import machines
import pytest
from axe_playwright_python.sync_playwright import Axe
from engine_world import World
from playwright.sync_api import Page
from web_service import Place

from kiban.web.frame import WAYS

PAGES = {
    "machines": "/",
    "running": "/machine/{m1}",
    "refusing": "/machine/{m2}",
    "users": "/users",
    "gone": "/machine/nowhere",
    "jobs": "/jobs",
    "screen": "/console/{m1}",
    "no screen": "/console/{m2}",
    "generations": "/generations",
    "disks": "/disks",
    "library": "/library",
    "terminal": "/console/{m1}/com/1",
    "import": "/import",
    "create": "/create",
    "host": "/host",
}
"""Each page of the web manager, some more than once; what is in braces is the id of that machine."""
FORMS = [("refusing", "light-en"), ("refusing", "dark-phone")]
"""Pages, and in which looks, whose forms are looked at too."""
LOOKS: dict[str, dict[str, Any]] = {
    "light-en": {"color_scheme": "light", "locale": "en-US"},
    "dark-ja": {"color_scheme": "dark", "locale": "ja-JP"},
    "dark-phone": {"color_scheme": "dark", "locale": "en-US", "viewport": {"width": 390, "height": 800}},
}
STILL = """!document.querySelector("[class*=-enter-active]")
&& document.getAnimations().every(({effect}) => effect.getComputedTiming().endTime === Infinity)"""
"""Nothing fades in, which is faint until then; what turns for as long as something goes on does not count."""
GRAVE = ("serious", "critical")
Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def there(there: World) -> World:
    """A machine of each generation."""
    there.put(machines.make(1, serial=1))
    there.put(machines.make(2, serial=2))
    return there


def findings(page: Page) -> list[str]:
    """What axe finds that keeps people out, each with the element and the reason."""
    found = Axe().run(page).response["violations"]
    return [
        f"{page.url}: {each['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


def of_forms(page: Page) -> list[str]:
    """What is found in the forms that the buttons of a machine's hardware open, one after the other."""
    found = []
    buttons = page.locator(".k-adds button, .k-branch .k-line:first-child > button")
    for button in buttons.all():
        button.click()
        page.locator(".k-edit").wait_for()
        page.wait_for_function(STILL)
        found += findings(page)
        page.keyboard.press("Escape")
        page.locator(".k-edit").wait_for(state="detached")
    return found


def test_every_way_leads_to_a_page_that_is_looked_at() -> None:
    assert set(WAYS.values()) <= set(PAGES.values())


@pytest.mark.parametrize("look", LOOKS)
def test_no_page_keeps_anybody_out(enter: Enter, place: Place, look: str) -> None:
    page = enter(**LOOKS[look])
    if place.client.machine("m1").state == "off":
        place.client.start("m1")
    ids = {machine.name: machine.id for machine in place.client.machines()}
    found = []
    for name, path in PAGES.items():
        page.goto("/".join(page.url.split("/")[:3]) + path.format(**ids))
        page.locator(".k-page > *").first.wait_for()
        found += findings(page)
        if (name, look) in FORMS:
            found += of_forms(page)
    page.get_by_role("button", name="ログアウト" if "ja" in look else "Log out").click()
    page.locator("#said:not(:empty)").wait_for()
    found += findings(page)
    assert not found, "\n".join(found)


def test_what_is_wrong_is_found(page: Page) -> None:
    page.evaluate("document.querySelector('.k-page').innerHTML = '<img src=\"/x\"><p style=\"color: #999\">faint</p>'")
    assert {line.split(": ")[1] for line in findings(page)} == {"image-alt", "color-contrast"}
