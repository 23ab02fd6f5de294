# SPDX-License-Identifier: GPL-2.0-or-later
"""The library in a browser: what its images are, which machines have them, and that those stay."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from boot_media import iso
from engine_world import World
from playwright.sync_api import Locator, Page, Route, expect
from web_service import WAIT, Place

import kiban

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def disc(there: World) -> Path:
    """An ISO, and a floppy, of which the service's library has neither."""
    (there.root / "dos.img").write_bytes(bytes(1474560))
    iso(there.root / "debian.iso", {}, bios=True, more=("-V", "Debian 12.5.0 amd64 1"))
    return there.root / "debian.iso"


def row(page: Page, name: str) -> Locator:
    return page.locator(".k-table tbody tr").filter(has=page.get_by_text(name, exact=True))


def test_images_come_are_told_of_and_go(page: Page, client: kiban.Client, disc: Path) -> None:
    page.get_by_role("link", name="Library", exact=True).click()
    expect(page.get_by_text("There is no image yet")).to_be_visible()
    page.locator("input[type=file]").set_input_files(disc)
    expect(row(page, "debian.iso")).to_contain_text("KiB")
    expect(row(page, "debian.iso")).to_contain_text(re.compile("[Dd]ebian[^.]*12"))  # as osinfo-db calls it
    client.upload(disc.with_name("dos.img"))  # somewhere else
    expect(row(page, "dos.img")).to_contain_text("Floppy image")
    remove = page.get_by_role("button", name="Remove debian.iso")
    expect(remove).to_be_enabled()
    path = next(medium.path for medium in client.media() if medium.name == "debian.iso")
    client.create("has", generation=1, memory=64 << 20, nics=[], dvds=[path])
    expect(row(page, "debian.iso").get_by_role("link", name="has")).to_be_visible()
    expect(remove).to_be_disabled()
    expect(remove).to_have_attribute("title", "It is in a drive of has: take it out there first.")
    client.eject("has", "dvd0")
    remove.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    remove.click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row(page, "debian.iso")).to_have_count(0)
    client.remove_medium("dos.img")
    expect(page.get_by_text("There is no image yet")).to_be_visible()
    assert client.media() == []
    client.remove("has")


def test_what_is_chosen_while_another_is_sent_comes_after_it(page: Page, client: kiban.Client, disc: Path) -> None:
    page.get_by_role("link", name="Library", exact=True).click()
    held: list[Route] = []
    page.route(
        re.compile("/media/debian"),
        lambda route: held.append(route) if route.request.method == "PUT" else route.continue_(),
    )
    for file in (disc, disc.with_name("dos.img")):
        page.locator("input[type=file]").set_input_files(file)
        expect(page.get_by_role("progressbar")).to_be_visible()
    limit = time.monotonic() + WAIT
    while not held:
        assert time.monotonic() < limit
        page.wait_for_timeout(50)  # in which the test hears of it
    held[0].continue_()
    for name in ("debian.iso", "dos.img"):
        expect(row(page, name)).to_be_visible()
        client.remove_medium(name)


def test_what_a_machine_takes_meanwhile_stays(page: Page, client: kiban.Client, disc: Path) -> None:
    path = client.upload(disc).path
    page.get_by_role("link", name="Library", exact=True).click()
    page.get_by_role("button", name="Remove debian.iso").click()
    client.create("quick", generation=1, memory=64 << 20, nics=[], dvds=[path])
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("debian.iso is in a drive of quick.")).to_be_visible()
    assert Path(path).exists()


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_others_look_and_remove_nothing(enter: Enter, place: Place, role: str) -> None:
    page = enter(place.as_(role))  # type: ignore[arg-type]  # one of them
    page.get_by_role("link", name="Library", exact=True).click()
    expect(row(page, "debian.iso")).to_contain_text("quick")
    remove = page.get_by_role("button", name="Remove debian.iso")
    expect(remove).to_be_disabled()
    expect(remove).to_have_attribute("title", "Your role may not do this.")
    expect(page.locator("input[type=file]")).to_be_disabled()
