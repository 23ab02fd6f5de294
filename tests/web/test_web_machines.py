# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of machines in a browser: live, searched, run many at a time, and fine with a thousand."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect
from web_service import WAIT, Place

import kiban

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def count() -> int:
    return 1000


def row(page: Page, name: str) -> Locator:
    return page.locator(".k-table tbody tr").filter(has=page.get_by_text(name, exact=True))


def state(page: Page, name: str) -> Locator:
    return row(page, name).locator(".k-state")


def choose(page: Page, *names: str) -> None:
    for name in names:
        row(page, name).get_by_role("checkbox").click()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_what_happens_elsewhere_is_seen(page: Page, client: kiban.Client) -> None:
    expect(state(page, "m1")).to_have_text("Off")
    client.start("m1")
    expect(state(page, "m1")).to_have_text("Running")
    expect(row(page, "m1")).to_contain_text("moments")
    client.pause("m1")
    expect(state(page, "m1")).to_have_text("Paused")
    client.stop("m1", force=True)
    expect(state(page, "m1")).to_have_text("Off")
    client.rename("m1", "a1")
    expect(state(page, "a1")).to_be_visible()
    client.rename("a1", "m1")
    expect(row(page, "a1")).to_have_count(0)


def test_what_a_visitor_is_at_stays_where_it_is(page: Page, client: kiban.Client) -> None:
    """Changes of its row and of others, and rows that come and go, leave elements, focus, boxes and presses alone."""
    choose(page, "m22")
    link, box = row(page, "m21").locator(".k-machine"), row(page, "m21").get_by_role("checkbox")
    parts = (row(page, "m21"), state(page, "m21"), link, box)
    before = [part.element_handle() for part in parts]
    link.focus()
    for name in ("m20", "m21"):
        client.start(name)
        expect(state(page, name)).to_have_text("Running")
    client.create("a-first")
    expect(row(page, "a-first")).to_be_visible()
    expect(link).to_be_focused()
    box.hover()
    page.mouse.down()
    client.pause("m21")
    expect(state(page, "m21")).to_have_text("Paused")
    page.mouse.up()
    expect(page.get_by_text("2 selected")).to_be_visible()
    client.remove("a-first")
    expect(row(page, "a-first")).to_have_count(0)
    expect(row(page, "m22").get_by_role("checkbox")).to_be_checked()
    for part, then in zip(parts, before, strict=True):
        assert part.evaluate("(now, then) => now === then", then)
    for name in ("m20", "m21"):
        client.stop(name, force=True)


def test_a_row_that_goes_to_another_place_takes_the_focus_along(page: Page, client: kiban.Client) -> None:
    page.get_by_role("columnheader", name="State").click()
    link, rows = row(page, "m23").locator(".k-machine"), page.locator(".k-table tbody tr")
    expect(rows.first).not_to_contain_text("m23")
    link.focus()
    client.start("m23")
    expect(rows.first).to_contain_text("m23")
    expect(link).to_be_focused()
    client.stop("m23", force=True)
    page.get_by_label("Search").click()
    expect(link).not_to_be_focused()


def test_a_machine_that_is_removed_goes_from_the_list(page: Page, client: kiban.Client) -> None:
    choose(page, "m2")
    expect(page.get_by_text("1 selected")).to_be_visible()
    client.remove("m2")
    expect(row(page, "m2")).to_have_count(0)
    expect(page.get_by_text("1 selected")).to_have_count(0)
    expect(page.get_by_text("999 of 999")).to_be_visible()


def test_screens_of_machines_that_run_are_shown_if_they_are_in_view(page: Page, client: kiban.Client) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    client.start("m3")
    client.start("m50")
    expect(row(page, "m3").locator("img")).to_have_attribute("src", re.compile("^blob:"))
    assert row(page, "m3").locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    hidden = row(page, "m50").locator("img")
    expect(hidden).to_have_count(1)
    assert hidden.get_attribute("src") is None
    assert len({url for url in asked if "/screen/" in url}) == 1, "now and then, of one machine"
    hidden.scroll_into_view_if_needed()
    expect(hidden).to_have_attribute("src", re.compile("^blob:"))
    for name in ("m3", "m50"):
        client.stop(name, force=True)


def test_many_are_started_and_stopped_at_once(page: Page, client: kiban.Client) -> None:
    client.start("m4")
    choose(page, "m4", "m5", "m6")
    press(page, "Start")
    expect(page.get_by_text("Done: 2")).to_be_visible()  # for seconds only
    expect(page.get_by_text("Cannot start m4: it is running. Shut it down first.")).to_be_visible()
    for name in ("m5", "m6"):
        expect(state(page, name)).to_have_text("Running")
    press(page, "Turn off")
    press(page, "Cancel")
    expect(page.get_by_role("dialog")).to_have_count(0)
    press(page, "Turn off")
    page.get_by_role("dialog").get_by_role("button", name="Turn off").click()
    for name in ("m4", "m5", "m6"):
        expect(state(page, name)).to_have_text("Off")
    choose(page, "m4", "m5", "m6")
    choose(page, "m7")
    press(page, "Start")
    expect(state(page, "m7")).to_have_text("Running")
    press(page, "Shut down")
    expect(state(page, "m7")).to_have_text("Off")
    assert {machine.state for machine in client.machines()} == {"off"}


def test_a_thousand_are_found_sorted_and_paged(page: Page) -> None:
    rows = page.locator(".k-table tbody tr")
    expect(rows).to_have_count(50)
    names = [text for text in rows.locator(".k-machine").all_inner_texts() if text not in ("m1", "m2")]
    assert names[:3] == ["m3", "m4", "m5"], "in the order of their numbers"
    page.keyboard.press("/")
    page.keyboard.type("m77")
    expect(rows).to_have_count(11)
    expect(page.get_by_text(re.compile("^11 of "))).to_be_visible()
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    expect(rows).to_have_count(50)
    page.get_by_label("Next page").click()
    expect(state(page, "m60")).to_be_visible()
    page.get_by_role("columnheader", name="Name").click()
    expect(rows.first).to_contain_text("m1000")


def test_what_is_searched_for_and_not_there(page: Page) -> None:
    page.get_by_label("Search").fill("<img src=x onerror=alert(1)>")
    expect(page.get_by_text("No machine to show.")).to_be_visible()


def test_a_viewer_looks_and_does_nothing(enter: Enter, place: Place) -> None:
    page = enter(place.as_("viewer"))
    place.client.start("m8")
    expect(state(page, "m8")).to_have_text("Running")
    expect(row(page, "m8").locator("img")).to_have_attribute("src", re.compile("^blob:"))
    choose(page, "m8")
    for name in ("Start", "Shut down", "Turn off"):
        button = page.get_by_role("button", name=name, exact=True)
        expect(button).to_be_disabled()
        expect(button).to_have_attribute("title", "Your role may not do this.")
    place.client.stop("m8", force=True)


def test_an_operator_may_run_machines(enter: Enter, place: Place) -> None:
    page = enter(place.as_("operator"))
    choose(page, "m9")
    press(page, "Start")
    expect(state(page, "m9")).to_have_text("Running")
    place.client.stop("m9", force=True)


def test_in_japanese_and_back(enter: Enter) -> None:
    page = enter(locale="ja-JP")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect(page.get_by_role("columnheader", name="名前")).to_be_visible()
    press(page, "English")
    expect(page.get_by_role("columnheader", name="Name")).to_be_visible()
    page.reload()
    expect(page.get_by_role("columnheader", name="Name")).to_be_visible()


def test_dark_as_the_desktop_is_or_as_chosen(enter: Enter) -> None:
    page = enter(color_scheme="dark")
    expect(page.locator("body")).to_have_class(re.compile("body--dark"))
    page.get_by_label("Light or dark").click()
    expect(page.locator("body")).to_have_class(re.compile("body--light"))
    page.reload()
    page.wait_for_selector(".k-machine")
    expect(page.locator("body")).to_have_class(re.compile("body--light"))


def test_a_phone_shows_what_matters_without_scrolling_sideways(enter: Enter) -> None:
    page = enter(viewport={"width": 390, "height": 800})
    expect(state(page, "m10")).to_be_visible()
    page.wait_for_function("document.documentElement.scrollWidth <= 390")  # once the table has found its widths
    page.wait_for_function(
        "(table => table.querySelector('.q-table__middle').scrollWidth <= table.clientWidth)"
        "(document.querySelector('.k-table'))"
    )


def test_the_keyboard_is_enough(page: Page, client: kiban.Client) -> None:
    page.keyboard.press("/")
    page.keyboard.type("m11")
    expect(page.get_by_text(re.compile("^11 of "))).to_be_visible()
    _tab_to(page, "checkbox", row(page, "m11").get_by_role("checkbox"))
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled()
    _tab_to(page, "Start", page.get_by_role("button", name="Start", exact=True))
    page.keyboard.press("Enter")
    expect(state(page, "m11")).to_have_text("Running")
    client.stop("m11", force=True)


def _tab_to(page: Page, name: str, element: Locator) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if element.evaluate("element => element.contains(document.activeElement)"):
            return
    pytest.fail(f"{name} is not reached by the keyboard")
