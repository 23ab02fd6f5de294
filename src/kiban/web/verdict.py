# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether Secure Boot will let a medium start, before there is a machine: why, and what would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from nicegui import ui

from kiban.adapters.firmware import templates
from kiban.errors import KibanError
from kiban.model.bootcheck import Reason, Report
from kiban.web.frame import Page
from kiban.web.words import Words

KEYS: frozenset[Reason] = frozenset(
    ("damaged-signature", "unsigned", "signer-not-trusted", "hash-revoked", "certificate-revoked", "sbat-revoked")
)
"""What Secure Boot refuses; any other reason would keep a machine from starting without it, too."""


def heading(report: Report, words: Words) -> None:
    """The answer in one line."""
    ours = report.verdict != "refused" or report.reason in KEYS
    ui.label(words(f"boot {report.verdict}") if ours else words("boot nothing")).classes(
        f"k-part k-verdict k-{report.verdict}"
    )


@dataclass(frozen=True)
class Subject:
    """What would boot: an ISO, or a disk image of that format; by a generation 2 machine of that template."""

    path: str
    form: str
    template: str
    secure_boot: bool


@dataclass(frozen=True)
class Ways:
    """What a visitor can do about a refusal, each by one click; without `bios` there is no generation 1 to go to."""

    template: Callable[[str], object]
    off: Callable[[], object]
    bios: Callable[[], object] | None


class Verdict:
    """Made in the place where it is to be seen; empty until it is asked."""

    def __init__(self, page: Page) -> None:
        self._page, self._words = page, page.words
        self._asked: Subject | None = None
        self._place = ui.column().classes("k-making-full k-verdict-place").props('role="status"')

    def clear(self) -> None:
        """Say nothing: nothing would boot, or no firmware asks."""
        self._asked = None
        self._place.clear()

    async def ask(self, subject: Subject, ways: Ways) -> None:
        """Find out and say it; what was asked before is forgotten, also if its answer comes later."""
        if subject == self._asked:
            return
        self.clear()
        self._asked = subject
        with self._place:
            if not subject.secure_boot:
                ui.label(self._words("make secure boot is off")).classes("k-soft")
                return
            ui.spinner(size="1.4em")
        report = await self._explain(subject, subject.template)
        others = [] if report.verdict != "refused" else await self._others(subject)
        if self._asked != subject or self._place.is_deleted:
            return
        self._place.clear()
        with self._place:
            self._show(report)
            if report.verdict == "refused":
                self._offer(others, ways)

    async def _explain(self, subject: Subject, template: str) -> Report:
        try:
            found: Report = await self._page.session.run(
                "bootcheck.explain_path", subject.path, template, subject.form, ""
            )
        except KibanError as error:
            return Report(
                verdict="unknown", reason="", sentence=error.message, hint=error.hint, stages=(), bytes_read=0
            )
        return found

    async def _others(self, subject: Subject) -> list[str]:
        """The templates with which it would start."""
        names = [name for name in templates.templates() if name != subject.template]
        return [name for name in names if (await self._explain(subject, name)).verdict == "allowed"]

    def _show(self, report: Report) -> None:
        heading(report, self._words)
        for stage in report.stages:
            with ui.row().classes("k-stage"):
                ui.icon({"allowed": "check", "refused": "block"}.get(stage.verdict, "help")).props('aria-hidden="true"')
                signers = ", ".join(signer.subject for signer in stage.signers)
                ui.label(f"{self._words.term(stage.kind)}  {stage.path}" + (f"  ({signers})" if signers else ""))
        ui.label(self._words.said(report.sentence))

    def _offer(self, others: list[str], ways: Ways) -> None:
        with ui.row().classes("k-bar"):
            for name in others:
                self._way(self._words("make use template", template=name), partial(ways.template, name))
            self._way(self._words("make turn secure boot off"), ways.off)
            if ways.bios is not None:
                self._way(self._words("make use generation 1"), ways.bios)

    def _way(self, label: str, do: Callable[[], object]) -> None:
        ui.button(label, on_click=do).props("outline no-caps dense")
