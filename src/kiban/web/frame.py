# SPDX-License-Identifier: GPL-2.0-or-later
"""What all pages have around them: title, ways about, language, light or dark, the way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import Request
from nicegui import ui

from kiban.api.session import Session
from kiban.web.words import Words, choose

THEMES: dict[str, bool] = {"dark": True, "light": False}
REMEMBER = "document.cookie = '{name}={value}; Path=/; SameSite=Strict; Max-Age=31536000';"


@dataclass(frozen=True)
class Page:
    """What a page's parts work with."""

    session: Session
    words: Words


@contextmanager
def frame(request: Request, session: Session) -> Iterator[Page]:
    """A page; what is made inside stands in its middle."""
    words = Words(choose(request.cookies.get("kiban-language", ""), request.headers.get("accept-language", "")))
    dark = ui.dark_mode(THEMES.get(request.cookies.get("kiban-theme", "")))
    ui.add_head_html(f'<link rel="stylesheet" href="/kiban.css"><meta name="language" content="{words.language}">')
    with ui.header().classes("k-head"):
        ui.link("Kiban", "/").classes("k-name")
        ui.link(words("machines"), "/").classes("k-way")
        ui.space()
        role = ui.label(str(session.role)).classes("k-role")
        role.tooltip(words(f"role {session.role}"))
        _button("contrast", words("theme"), lambda: _switch(dark))
        other = "ja" if words.language == "en" else "en"
        switch = REMEMBER.format(name="kiban-language", value=other) + "location.reload();"
        ui.button(words("other language"), on_click=lambda: ui.run_javascript(switch)).props("flat dense no-caps")
        leave = "fetch('/logout', {method: 'POST'}).finally(() => location.replace('/login'));"
        _button("logout", words("log out"), lambda: ui.run_javascript(leave))
    with ui.column().classes("k-page"):
        yield Page(session, words)


def _button(icon: str, words: str, do: object) -> None:
    ui.button(icon=icon, on_click=do).props(f'flat dense round aria-label="{words}"').tooltip(words)  # type: ignore[arg-type]


def _switch(dark: ui.dark_mode) -> None:
    """From what the browser shows now to the other, and remember it."""
    ui.run_javascript(
        "const dark = !document.body.classList.contains('body--dark'); Quasar.Dark.set(dark);"
        + REMEMBER.format(name="kiban-theme", value="' + (dark ? 'dark' : 'light') + '")
    )
