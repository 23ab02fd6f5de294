# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of disks: chains as trees, what is done with an image and followed in its place, what is refused and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from disk_chains import content, make, read
from engine_world import World
from playwright.sync_api import Locator, Page, expect
from web_service import WAIT, Place

import kiban
from kiban.model.units import MiB

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def folder(place: Place, there: World) -> Path:
    """Machines one and two on differencing disks of one base, and solo on a disk of its own."""
    folder = there.root / "disks"
    folder.mkdir()
    base = make(folder / "base.vhdx", "vhdx", content())
    for name in ("one", "two"):
        linked = kiban.DiskRequest(path=str(base), format="vhdx", link=True)
        place.client.create(name, generation=1, memory=64 * MiB, disks=[linked])
    place.client.create("solo", generation=1, memory=64 * MiB, disks=[kiban.DiskRequest(size=8 * MiB)])
    return folder


@pytest.fixture
def page(enter: Enter, folder: Path) -> Page:
    page = enter()
    page.get_by_role("link", name="Disks", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Disks")
    expect(tree(page, "base.vhdx")).to_be_visible()
    return page


def tree(page: Page, text: str) -> Locator:
    return page.locator("section").filter(has_text=text)


def inspect(page: Page, image: Locator) -> Locator:
    image.get_by_role("button").first.click()
    return page.get_by_role("dialog")


def press(where: Locator | Page, name: str) -> None:
    where.get_by_role("button", name=name, exact=True).click()


def leave(dialog: Locator) -> None:
    """Close it, and wait until it is out of sight: until then it keeps the focus from what is beneath."""
    press(dialog, "Close")
    expect(dialog).to_have_count(0)


def why(dialog: Locator, action: str) -> Locator:
    """What is said beside an action that is greyed."""
    offer = dialog.locator(".k-offer").filter(has=dialog.page.get_by_role("button", name=action, exact=True))
    expect(offer.get_by_role("button")).to_be_disabled()
    return offer


def test_chains_are_trees_with_who_uses_what(page: Page, client: kiban.Client) -> None:
    family = tree(page, "base.vhdx")
    expect(family.locator(".k-chain > li")).to_have_count(1)
    children = family.locator(".k-chain > li > ul > li")
    expect(children).to_have_count(2)
    assert {children.nth(n).locator("a").inner_text() for n in (0, 1)} == {"one", "two"}
    expect(children.first).to_contain_text("qcow2, differencing. 12 MiB")
    client.start("solo")
    expect(tree(page, "solo")).to_contain_text("Running")
    page.get_by_label("Search").fill("solo")
    expect(page.locator("section")).to_have_count(1)
    client.stop("solo", force=True)
    expect(tree(page, "solo")).to_contain_text("Off")


def test_the_focus_stays_where_it_is_while_others_come_and_go(page: Page, client: kiban.Client) -> None:
    image = tree(page, "solo").get_by_role("button")
    image.focus()
    before = image.element_handle()
    client.create("aside", generation=1, memory=64 * MiB, disks=[kiban.DiskRequest(size=8 * MiB)])
    expect(tree(page, "aside")).to_be_visible()
    client.start("solo")
    expect(tree(page, "solo")).to_contain_text("Running")
    client.remove("aside")
    expect(tree(page, "aside")).to_have_count(0)
    expect(image).to_be_focused()
    assert image.evaluate("(now, then) => now === then", before)
    client.stop("solo", force=True)


def test_what_is_not_possible_now_is_greyed_with_the_reason(page: Page, client: kiban.Client) -> None:
    dialog = inspect(page, tree(page, "base.vhdx"))
    expect(why(dialog, "Compact")).to_contain_text("Other disks are made on it")
    expect(why(dialog, "Merge")).to_contain_text("Other disks are made on it")
    leave(dialog)
    client.start("solo")
    expect(tree(page, "solo")).to_contain_text("Running")
    dialog = inspect(page, tree(page, "solo"))
    expect(why(dialog, "Convert")).to_contain_text("solo is using it")
    expect(why(dialog, "Merge")).to_contain_text("It is made on no other disk.")
    expect(dialog.get_by_role("button", name="Resize")).to_be_enabled()
    leave(dialog)
    client.stop("solo", force=True)


def test_one_is_made_resized_and_converted_with_progress(page: Page, folder: Path) -> None:
    press(page, "New disk")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Path of the new disk").fill("data.qcow2")
    dialog.get_by_label("Size").fill("16M")
    press(dialog, "Create")
    expect(dialog.get_by_role("alert")).to_contain_text("path: It takes a path on the host")
    dialog.get_by_label("Path of the new disk").fill(str(folder / "data.qcow2"))
    press(dialog, "Create")
    expect(dialog).to_contain_text("Create disk: Done")
    leave(dialog)

    page.get_by_label("Path of any image").fill(str(folder / "data.qcow2"))
    press(page, "Inspect")
    found = page.locator(".k-card").filter(has_text="data.qcow2")
    expect(found).to_contain_text("qcow2, dynamic. 16 MiB")
    dialog = inspect(page, found)
    press(dialog, "Resize")
    dialog.get_by_label("Size").fill("much")
    press(dialog, "Resize")
    expect(dialog.get_by_role("alert")).to_contain_text("'much' is not a size.")
    dialog.get_by_label("Size").fill("24M")
    press(dialog, "Resize")
    expect(dialog).to_contain_text("Resize disk: Done")
    leave(dialog)

    dialog = inspect(page, found)
    press(dialog, "Convert")
    expect(dialog.get_by_label("Path of the new disk")).to_have_value(str(folder / "data.vhdx"))
    press(dialog, "Convert")
    expect(dialog).to_contain_text("Convert disk: Done")
    expect(dialog).to_contain_text(f"It is {folder / 'data.vhdx'} now.")
    assert read(folder / "data.vhdx", "vhdx") == bytes(24 * MiB)


def test_a_refusal_is_told_in_the_services_words(page: Page, folder: Path) -> None:
    dialog = inspect(page, tree(page, "base.vhdx"))
    press(dialog, "Copy")
    dialog.get_by_label("Path of the new disk").fill(str(folder / "base.vhdx"))
    press(dialog, "Copy")
    expect(dialog).to_contain_text("Copy disk: Failed")
    expect(dialog).to_contain_text("exists already")
    leave(dialog)
    page.get_by_label("Path of any image").fill("/nonexistent/x.vhdx")
    press(page, "Inspect")
    expect(page.get_by_text("There is no file /nonexistent/x.vhdx.")).to_be_visible()


HOSTILE = 'x" :y="window.hostile = 1" z="<img src onerror=hostile=1> {{ hostile }} \\.qcow2'
"""An image's name that would be properties of an element, a tag and a template."""


def test_a_name_is_nothing_but_a_name(page: Page, client: kiban.Client, folder: Path) -> None:
    client.create_disk(str(folder / HOSTILE), MiB)
    client.create("odd", generation=1, disks=[kiban.DiskRequest(path=str(folder / HOSTILE), format="qcow2")])
    dialog = inspect(page, tree(page, "odd"))
    expect(dialog.get_by_role("heading")).to_have_text(HOSTILE)
    expect(page.locator(".q-dialog[aria-label]")).to_have_attribute("aria-label", HOSTILE)
    leave(dialog)
    client.remove("odd")
    assert page.evaluate("'hostile' in window") is False


def test_one_is_merged_and_the_tree_is_what_it_is_then(page: Page, client: kiban.Client, folder: Path) -> None:
    client.remove("two")
    family = tree(page, "base.vhdx")
    expect(family.locator("li")).to_have_count(2)
    dialog = inspect(page, family.locator(".k-chain > li > ul > li"))
    press(dialog, "Merge")
    expect(dialog.locator(".k-offer")).to_have_count(0)  # the next button of that name is the form's
    press(dialog, "Merge")
    expect(dialog).to_contain_text("Merge disk: Done")
    leave(dialog)
    expect(family.locator("li")).to_have_count(1)
    expect(family.get_by_role("link", name="one")).to_be_visible()
    assert client.machine("one").disks[0].path == str(folder / "base.vhdx")


def test_a_viewer_looks_and_changes_nothing(enter: Enter, place: Place, folder: Path) -> None:
    page = enter(place.as_("viewer"), locale="ja-JP")
    page.get_by_role("link", name="ディスク", exact=True).click()
    for name in ("新しいディスク", "検査"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_disabled()
    dialog = inspect(page, tree(page, "base.vhdx"))
    offers = dialog.locator(".k-offer")
    expect(offers).to_have_count(7)
    for offer in offers.all():
        expect(offer.get_by_role("button")).to_be_disabled()
        expect(offer).to_contain_text("この操作を行う権限がありません。")


def test_with_the_last_machine_its_disks_go(page: Page, client: kiban.Client) -> None:
    for machine in client.machines():
        client.remove(machine.name)
    expect(page.get_by_text("No disk to show.")).to_be_visible()
    expect(page.locator("section")).to_have_count(0)
