# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of one machine: what can be done to it now, its hardware and what its generation lacks, what happened."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import machines
import pytest
from engine_world import World
from playwright.sync_api import Page, expect
from web_service import WAIT, Place

import kiban

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def there(there: World) -> World:
    """A machine of each generation."""
    there.put(machines.make(1, serial=1, nics=()))
    there.put(machines.make(2, serial=2))
    return there


def visit(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_it_is_run_and_followed(page: Page, place: Place) -> None:
    visit(page, "m1")
    state = page.locator(".k-bar .k-state")
    expect(state).to_have_text("Off")
    for name in ("Shut down", "Pause", "Reset", "Turn off"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_disabled()
    press(page, "Start")
    expect(state).to_have_text("Running")
    expect(page.locator(".k-big img")).to_have_attribute("src", re.compile("^blob:"))
    press(page, "Pause")
    expect(state).to_have_text("Paused")
    press(page, "Resume")
    expect(state).to_have_text("Running")
    press(page, "Turn off")
    press(page, "Cancel")
    expect(page.get_by_role("dialog")).to_have_count(0)
    place.client.pause("m1")  # somewhere else
    expect(state).to_have_text("Paused")
    press(page, "Turn off")
    page.get_by_role("dialog").get_by_role("button", name="Turn off").click()
    expect(state).to_have_text("Off")
    expect(page.locator(".k-events")).to_contain_text(re.compile("state +paused"))
    page.reload()
    expect(page.locator(".k-events")).to_contain_text(re.compile("state +paused"))


def test_what_is_pressed_keeps_the_focus(page: Page, client: kiban.Client) -> None:
    visit(page, "m1")
    start, off = (page.get_by_role("button", name=name, exact=True) for name in ("Start", "Turn off"))
    before = len(client.jobs())
    start.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".k-bar .k-state")).to_have_text("Running")
    expect(start).to_be_disabled()
    expect(start).to_be_focused()
    page.keyboard.press("Enter")  # does nothing
    off.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".k-bar .k-state")).to_have_text("Off")
    expect(dialog).to_have_count(0)
    expect(off).to_be_disabled()
    expect(off).to_be_focused()
    expect(page.locator(".q-notification")).to_have_count(0)
    assert [job.command for job in client.jobs()[before:]] == ["life.start", "life.turn_off"]


def test_what_happened_is_told_by_the_browsers_clock(enter: Enter, client: kiban.Client) -> None:
    client.start("m1")
    client.stop("m1", force=True)
    times = []
    for zone in ("UTC", "Asia/Kolkata"):
        page = enter(timezone_id=zone)
        visit(page, "m1")
        first = page.locator(".k-events *", has_text=re.compile(r"^[0-9:]{8} ")).first
        times.append(datetime.strptime(str(first.text_content())[:8], "%H:%M:%S"))
    assert (times[1] - times[0]) % timedelta(days=1) == timedelta(hours=5, minutes=30)


def branch(page: Page, title: str) -> str:
    return page.locator(".k-branch").filter(has=page.get_by_text(title, exact=True)).inner_text()


@pytest.mark.parametrize("name", ["m1", "m2"])
def test_what_its_generation_lacks_is_there_with_the_reason(page: Page, name: str) -> None:
    visit(page, name)
    lacks = page.locator(".k-branch.k-lacks .k-part")
    if name == "m1":
        expect(lacks).to_have_text(["Security"])
        assert "BIOS" in branch(page, "Security")
        assert "empty" in branch(page, "Diskette Drive")
        return
    expect(lacks).to_have_text(["IDE Controller 0, 1", "Legacy Network Adapter", "COM 1", "COM 2", "Diskette Drive"])
    assert "none until it is added" in branch(page, "COM 1")
    assert "on SCSI" in branch(page, "IDE Controller 0, 1")
    assert "Secure Boot on" in branch(page, "Security")
    assert "52:54:00:00:00:01" in branch(page, "Network Adapter")
    expect(page.locator(".k-verdict")).to_be_visible()


def test_a_change_made_elsewhere_is_seen(page: Page, place: Place) -> None:
    visit(page, "m1")
    place.client.edit("m1", memory=64 << 20)
    expect(page.locator(".k-branch").filter(has_text="Memory")).to_contain_text("64 MiB")


def test_the_focus_stays_where_it_is_when_hardware_comes_and_goes(page: Page, client: kiban.Client) -> None:
    client.create("grows", generation=2, nics=[kiban.NicRequest()])
    visit(page, "grows")
    nic, tree = page.get_by_role("button", name="Remove nic0"), page.locator(".k-branch")
    nic.focus()
    count = tree.count()
    before = [branch.element_handle() for branch in (nic, tree.first, tree.last)]
    client.add_nic("grows", kiban.NicRequest())
    client.add_dvd("grows")
    client.add_disk("grows", kiban.DiskRequest(size=1 << 20, bus="nvme"))
    expect(tree).to_have_count(count + 1)
    expect(page.get_by_role("button", name="Remove nic1")).to_be_visible()
    expect(nic).to_be_focused()
    for part, then in zip((nic, tree.first, tree.last), before, strict=True):
        assert part.evaluate("(now, then) => now === then", then)


def test_the_focus_of_what_is_removed_goes_to_what_is_beside_it(page: Page, client: kiban.Client) -> None:
    client.create("shrinks", generation=2, nics=[kiban.NicRequest(), kiban.NicRequest()])
    visit(page, "shrinks")
    for nic, beside in (("nic0", "Change nic1"), ("nic1", "Change: Firmware")):
        page.get_by_role("button", name=f"Remove {nic}").press("Enter")
        page.get_by_role("dialog").get_by_role("button", name="Remove").press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_role("button", name=f"Remove {nic}")).to_have_count(0)
        expect(page.get_by_role("button", name=beside)).to_be_focused()
    client.remove("shrinks")


def test_a_viewer_sees_and_may_do_nothing(enter: Enter, place: Place) -> None:
    page = enter(place.as_("viewer"))
    visit(page, "m1")
    buttons = page.locator(".k-page > .k-bar button")
    expect(buttons).to_have_count(9)
    for button in buttons.all():
        expect(button).to_be_disabled()
        expect(button).to_have_attribute("title", "Your role may not do this.")


def test_one_that_is_removed_is_said_to_be_gone(page: Page, place: Place) -> None:
    visit(page, "m1")
    place.client.remove("m1")
    expect(page.get_by_text("There is no such machine any more.")).to_be_visible()
    expect(page.get_by_role("button", name="Remove")).to_have_count(0)
    expect(page.locator(".k-bar .k-state")).to_be_hidden()
    page.reload()
    expect(page.get_by_text("There is no such machine any more.")).to_be_visible()


def test_what_has_nothing_to_start_is_not_called_refused_by_secure_boot(page: Page, client: kiban.Client) -> None:
    blank = client.create("blank", disks=[kiban.DiskRequest(size=1 << 20)], nics=[])
    page.goto(f"{page.url}machine/{blank.id}")
    expect(page.locator(".k-verdict")).to_have_text("Nothing here starts")
    client.remove("blank")
