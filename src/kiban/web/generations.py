# SPDX-License-Identifier: GPL-2.0-or-later
"""Both generations side by side: a picture of each board, and their contract row by row with the reasons."""

from __future__ import annotations

from fastapi import Request
from nicegui import ui

from kiban.model.generations import GEN1, GEN2
from kiban.web import board
from kiban.web.base import Site
from kiban.web.contract import ROWS
from kiban.web.frame import frame
from kiban.web.words import WORDS, Words

LEGEND = ("boots", "there", "asked", "lacks")


def add(site: Site) -> None:
    """The page, for whoever wonders which one to take."""

    @ui.page("/generations")
    def generations_page(request: Request) -> None:
        with frame(request, site.session(request)) as page:
            words = page.words
            ui.label(words("both generations")).classes("k-title").props('role="heading" aria-level="1"')
            ui.label(words("which generation")).classes("k-soft")
            with ui.row().classes("k-halves"):
                for gen, other in ((GEN1, GEN2), (GEN2, GEN1)):
                    with ui.column().classes("k-card k-half"):
                        title = ui.label(words(f"generation {gen.number}")).classes("k-part")
                        title.props('role="heading" aria-level="2"')
                        ui.html(board.draw(gen, other, words), sanitize=False).classes("k-figure")
            _legend(words)
            _table(words)


def _legend(words: Words) -> None:
    with ui.row().classes("k-legend"):
        for kind in LEGEND:
            with ui.row().classes("k-said"):
                ui.element("span").classes(f"k-swatch k-{kind}")
                ui.label(words(f"legend {kind}"))


def _table(words: Words) -> None:
    with ui.element("table").classes("k-contract"):
        with ui.element("thead"), ui.element("tr"):
            for text in ("", words("first generation"), words("second generation")):
                with ui.element("th").props('scope="col"' if text else ""):
                    ui.label(text)
        with ui.element("tbody"):
            for key, cell in ROWS.items():
                first, second = cell(GEN1, words), cell(GEN2, words)
                with ui.element("tr").classes("" if first == second else "k-differs"):
                    with ui.element("th").props('scope="row"'):
                        ui.label(words(f"row {key}"))
                    for text in (first, second):
                        with ui.element("td"):
                            ui.label(text)
                if f"because {key}" in WORDS:
                    with ui.element("tr").classes("k-why"), ui.element("td").props("colspan=3"):
                        ui.label(words(f"because {key}")).classes("k-soft")
