# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of users: tokens are made, shown once, revoked; sessions are seen and ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect
from web_service import WAIT, Place

from kiban.errors import NotAllowed

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]


@pytest.fixture
def users(page: Page) -> Page:
    page.get_by_role("link", name="Users").click()
    page.get_by_role("heading", name="Users").wait_for()
    return page


def row(page: Page, *texts: str) -> Locator:
    found = page.locator("tbody tr")
    for text in texts:
        found = found.filter(has_text=text)
    return found


def test_a_token_is_made_shown_once_used_and_revoked(users: Page, place: Place, enter: Enter) -> None:
    users.get_by_label("Name").fill("anna")
    users.get_by_label("Role").click()
    users.get_by_role("option", name="Viewer").click()
    users.get_by_role("button", name="Create token").click()
    dialog = users.get_by_role("dialog")
    secret = dialog.get_by_label("Token").input_value()
    users.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    expect(row(users, "anna", "Viewer", "never")).to_have_count(1)
    assert secret not in users.content()
    theirs = enter(place.with_token(secret))
    expect(row(users, "anna", "127.0.0.1")).to_have_count(1)
    expect(row(users, "anna", "never")).to_have_count(0)
    users.get_by_role("button", name="Revoke anna").click()
    users.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row(users, "anna")).to_have_count(0)
    expect(theirs.get_by_label("Token")).to_be_visible()
    with pytest.raises(NotAllowed):
        place.with_token(secret).version()


def test_what_is_wrong_with_a_name_is_said(users: Page, place: Place) -> None:
    place.tokens.create("taken", "viewer")
    expect(row(users, "taken")).to_have_count(1)
    for name, said in (("taken", "There is a token taken already."), ("../x", "cannot be a token's name")):
        users.get_by_label("Name").fill(name)
        users.keyboard.press("Enter")
        expect(users.get_by_text(said)).to_be_visible()
    assert [token.name for token in place.tokens.list()].count("taken") == 1


def test_an_admin_ends_a_session_of_anybody(users: Page, place: Place, enter: Enter) -> None:
    place.tokens.create("guest", "viewer")
    theirs = enter(place.as_("operator"))
    name = place.tokens.list()[-1].name
    row(users, name, "127.0.0.1").get_by_role("button", name="End").click()
    expect(row(users, name, "127.0.0.1")).to_have_count(0)
    expect(theirs.get_by_label("Token")).to_be_visible()
    assert place.tokens.list()[-1].name == name, "the token is another matter"
    row(users, "this browser").get_by_role("button", name="End").click()
    expect(users.get_by_text("To come in")).to_be_visible()


def test_others_see_no_tokens_and_their_own_sessions_alone(enter: Enter, place: Place) -> None:
    enter()
    page = enter(place.as_("operator"))
    page.get_by_role("link", name="Users").click()
    expect(page.get_by_text("Tokens are shown to administrators.")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(row(page, "this browser")).to_have_count(1)
    expect(page.get_by_role("button", name="Create token")).to_have_count(0)
