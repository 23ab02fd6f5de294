# SPDX-License-Identifier: GPL-2.0-or-later
"""What all pages have around them: title, ways about, language, light or dark, the way out."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from html import escape
from typing import TypeVar

from fastapi import Request
from nicegui import ui
from starlette.requests import HTTPConnection

from kiban.api.session import Session
from kiban.errors import KibanError
from kiban.web.gate import STATIC
from kiban.web.jobwatch import Mark
from kiban.web.words import Language, Words, choose

T = TypeVar("T")
WAYS = {
    "machines": "/",
    "new machine": "/create",
    "import": "/import",
    "disks": "/disks",
    "library": "/library",
    "jobs": "/jobs",
    "host": "/host",
    "users": "/users",
}
"""The pages that every page leads to: word, address."""
THEMES: dict[str, bool] = {"dark": True, "light": False}
LINKS = {
    ".css": '<link rel="stylesheet" href="/{name}">',
    ".js": '<script src="/{name}" defer></script>',
}
LEAVE = "fetch('/logout', {method: 'POST'}).finally(() => location.replace('/login'));"
REMEMBER = "document.cookie = '{name}={value}; Path=/; SameSite=Strict; Max-Age=31536000';"


@dataclass(frozen=True)
class Page:
    """What a page's parts work with."""

    session: Session
    words: Words

    def may(self, command: str) -> bool:
        """Whether the visitor's role is enough for a command."""
        return self.session.may(command)

    async def do(self, work: Awaitable[T]) -> T | None:
        """What `work` comes to; a refusal is shown in its own words, and None."""
        try:
            return await work
        except KibanError as error:
            self.complain(error)
            return None

    def complain(self, error: KibanError) -> None:
        """Show a refusal, and what to do about it."""
        ui.notify(self.words.refused(error), type="warning", multi_line=True, timeout=10000)


def advise(words: Words, hint: str) -> None:
    """What the service advises, in the body of a page: in words, and its command as the command that it is."""
    advice = words.advice(hint)
    if advice.text:
        ui.label(advice.text)
    if advice.command:
        with ui.row().classes("k-advice"):
            ui.label(words("command line") + ":").classes("k-soft")
            ui.label(advice.command).classes("k-code")


def tell(label: ui.label, text: str) -> None:
    """Let a label say something, or not be there."""
    label.set_text(text)
    label.set_visibility(bool(text))


def looks() -> list[str]:
    """The style sheets and scripts of all pages, kiban.css and kiban.js first."""
    names = [file.name for file in STATIC.iterdir() if file.name.endswith((".css", ".js")) and "login" not in file.name]
    return sorted(names, key=lambda name: (not name.startswith("kiban."), name))


def words_of(request: HTTPConnection) -> Words:
    """The words of the visitor's language."""
    return Words(choose(request.cookies.get("kiban-language", ""), request.headers.get("accept-language", "")))


@contextmanager
def frame(request: Request, session: Session) -> Iterator[Page]:
    """A page; what is made inside stands in its middle."""
    words = words_of(request)
    _speak(words.language)
    dark = ui.dark_mode(THEMES.get(request.cookies.get("kiban-theme", "")))
    for about in ("gone", "elsewhere"):
        ui.add_head_html(f'<meta name="k-{about}" content="{escape(words(f"service {about}"))}">')
    for name in looks():
        ui.add_head_html(LINKS[name[name.rindex(".") :]].format(name=name))
    with ui.header().classes("k-head"):
        ui.link("Kiban", "/").classes("k-name")
        with ui.element("nav").classes("k-ways"):
            for word, address in WAYS.items():
                way = ui.link(words(word), address).classes("k-way")
                if request.url.path == address:
                    way.props('aria-current="page"')
        ui.space()
        Mark(session, words)
        who = (request.scope["kiban.visit"].caller.name, words(f"called {session.role}"))
        role = ui.label(" · ".join(part for part in who if part)).classes("k-role")
        role.tooltip(words(f"role {session.role}"))
        _button("contrast", words("theme"), lambda: _switch(dark))
        other = "ja" if words.language == "en" else "en"
        switch = REMEMBER.format(name="kiban-language", value=other) + "location.reload();"
        ui.button(words("other language"), on_click=lambda: ui.run_javascript(switch)).props("flat dense no-caps")
        _button("logout", words("log out"), lambda: ui.run_javascript(LEAVE))
    with ui.column().classes("k-page"):
        yield Page(session, words)


def _speak(language: Language) -> None:
    """Let the browser, and Quasar's own words, know the language; NiceGUI has one for all visitors of a page."""
    client = ui.context.client
    client.page = copy(client.page)
    client.page.language = "ja" if language == "ja" else "en-US"


def _button(icon: str, words: str, do: object) -> None:
    ui.button(icon=icon, on_click=do).props(f'flat dense round aria-label="{words}"').tooltip(words)  # type: ignore[arg-type]


def _switch(dark: ui.dark_mode) -> None:
    """From what the browser shows now to the other, and remember it."""
    ui.run_javascript(
        "const dark = !document.body.classList.contains('body--dark'); Quasar.Dark.set(dark);"
        + REMEMBER.format(name="kiban-theme", value="' + (dark ? 'dark' : 'light') + '")
    )


async def sure(question: str, yes: str, no: str) -> bool:
    """Whether the visitor wants what cannot be taken back."""
    with ui.dialog() as dialog, ui.card():
        ui.label(question)
        with ui.row().classes("k-answers"):
            ui.button(no, on_click=lambda: dialog.submit(False)).props("flat no-caps autofocus")
            ui.button(yes, on_click=lambda: dialog.submit(True)).props("unelevated no-caps color=negative")
    dialog.on("hide", dialog.delete)  # not before: the browser gives the focus back by then
    return bool(await dialog)
