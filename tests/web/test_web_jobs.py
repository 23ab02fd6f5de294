# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of jobs: what goes on is followed and cancelled, what became of the rest is told, on every page a mark."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import machines
import pytest
from engine_world import World
from playwright.sync_api import Locator, Page, expect
from web_service import WAIT, Place

import kiban

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def there(there: World) -> Iterator[World]:
    """Two machines whose guests do not listen to the power button, so that a shutdown goes on until it is cancelled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_QEMU", "deaf")
        for serial in (1, 2):
            there.put(machines.make(1, serial=serial, nics=()))
        yield there


@pytest.fixture
def shutting_down(client: kiban.Client) -> Iterator[Future[Any]]:
    """A shutdown of m1 that goes on."""
    client.start("m1")
    with ThreadPoolExecutor(1) as threads:
        stopping = threads.submit(client.stop, "m1", timeout=600)
        while not [job for job in client.jobs() if job.state == "running"] and not stopping.done():
            time.sleep(0.05)
        yield stopping
        client.stop("m1", force=True)


def row(page: Page, *texts: str) -> Locator:
    found = page.locator(".k-jobs tbody tr")
    for text in texts:
        found = found.filter(has_text=text)
    return found.first


def visit(page: Page) -> None:
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")


def test_one_is_followed_from_any_page_and_cancelled(
    page: Page, client: kiban.Client, shutting_down: Future[Any]
) -> None:
    page.get_by_role("link", name="1 running").click()
    going = row(page, "Shut down", "m1")
    expect(going).to_contain_text("Running")
    expect(going.get_by_role("progressbar")).to_be_visible()
    cancel = going.get_by_role("button", name="Cancel job")
    cancel.focus()
    client.start("m2")  # its row goes above
    client.stop("m2", force=True)
    expect(row(page, "Start", "m2")).to_contain_text("Done")
    expect(cancel).to_be_focused()
    page.keyboard.press("Enter")
    expect(going).to_contain_text("Cancelled")
    expect(going).to_contain_text("was stopped before it was done")
    expect(page.locator(".k-mark")).to_be_hidden()
    with pytest.raises(kiban.Cancelled):
        shutting_down.result(WAIT)
    going.get_by_role("link", name="m1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("m1")


def test_the_newest_is_first_and_tells_what_became_of_it(page: Page, client: kiban.Client) -> None:
    visit(page)
    with pytest.raises(kiban.NotFound):
        client.clone_disk("/nonexistent/a.qcow2", "/nonexistent/b.qcow2")
    failed = page.locator(".k-jobs tbody tr").first
    expect(failed).to_contain_text("Copy disk")
    expect(failed).to_contain_text("There is no file /nonexistent/a.qcow2.")
    client.start("m2")
    client.stop("m2", force=True)
    started = row(page, "Start", "m2")
    expect(started).to_contain_text("Done")
    started.get_by_role("button", name="Start").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("life.start m2")
    expect(dialog).to_contain_text(re.compile(r"Ended: 20\d\d-"))
    dialog.get_by_text("Result").click()
    expect(dialog).to_contain_text('"state": "running"')
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)


def test_what_is_sought_is_found_in_japanese_too(enter: Enter, client: kiban.Client) -> None:
    page = enter(locale="ja-JP")
    client.start("m2")
    client.stop("m2", force=True)
    page.get_by_role("link", name="ジョブ", exact=True).click()
    page.get_by_label("検索").fill("起動 m2")
    expect(row(page, "起動", "m2")).to_contain_text("完了")
    expect(page.locator(".k-jobs tbody tr").filter(has_not_text="起動")).to_have_count(0)


def test_a_viewer_sees_it_and_may_not_cancel(enter: Enter, place: Place, shutting_down: Future[Any]) -> None:
    assert not shutting_down.done()
    page = enter(place.as_("viewer"))
    visit(page)
    button = row(page, "Shut down", "Running").get_by_role("button", name="Cancel job")
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", "Your role may not do this.")
