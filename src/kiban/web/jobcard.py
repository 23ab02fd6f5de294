# SPDX-License-Identifier: GPL-2.0-or-later
"""A job where somebody waits for it: how far it is, a way to stop it, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from nicegui import ui

from kiban.engine.jobs import LIVE, Job
from kiban.errors import KibanError
from kiban.web.frame import Page
from kiban.web.jobwatch import follow, title
from kiban.web.words import Words


def stoppable(page: Page, job: Job) -> bool:
    """Whether the visitor may stop a job: whoever may begin it may."""
    return job.state in LIVE and job.command in page.session.commands and page.may(job.command)


def stop(page: Page, job_id: str) -> None:
    """Ask a job to stop; what stands against it is shown."""
    try:
        page.session.cancel(job_id)
    except KibanError as error:
        page.complain(error)


def outcome(job: Job, words: Words) -> Iterator[str]:
    """What came of a job, in sentences; nothing while it goes on."""
    if job.error is not None:
        yield f"{words.said(job.error['detail'])} {words.advised(job.error['hint'])}".strip()
    elif isinstance(job.result, dict):
        yield from _result(job.command, job.result, words)


def _result(command: str, result: dict[str, Any], words: Words) -> Iterator[str]:
    if command == "disks.check":
        if not result["known"]:
            yield words("check nothing")
        elif not result["errors"] and not result["leaks"]:
            yield words("check good")
        if result["errors"]:
            yield words("check errors", errors=result["errors"])
        if result["leaks"]:
            yield words("check leaks", leaks=result["leaks"])
    elif command == "takeover.export":
        yield words("exported", path=result["path"], files=len(result["files"]))
        yield from map(words.said, result["left_out"])
    elif "path" in result:
        yield words("made", path=result["path"])


class JobCard:
    """Made in the place where it is to be seen. `over` is called once, when the job is over."""

    def __init__(self, page: Page, job: Job, over: Callable[[Job], None] = lambda _: None) -> None:
        self._page, self._words, self._id, self._over = page, page.words, job.id, over
        with ui.column().classes("k-job"):
            with ui.row().classes("k-bar"):
                self._what = ui.label().classes("k-part")
                ui.space()
                self._stop = ui.button(page.words("stop job"), icon="cancel", on_click=lambda: stop(page, job.id))
                self._stop.props("flat dense no-caps")
            self._bar = ui.linear_progress(value=0, show_value=False, size="8px").props("instant-feedback")
            self._bar.props(f'aria-label="{page.words("progress")}"')
            self._text = ui.label().classes("k-soft").props('role="status"')
            self._outcome = ui.column().classes("k-outcome").props('role="status"')
        self._task = follow(page.session, self._show)
        self._show()

    def _show(self) -> None:
        job = self._page.session.host.jobs.get(self._id)
        if self._bar.is_deleted:
            self._task.cancel()
            return
        live = job.state in LIVE
        self._what.set_text(f"{title(job, self._words)}: {self._words(f'job {job.state}')}")
        self._what.classes(replace=f"k-part k-job-{job.state}")
        self._bar.set_value(job.progress)
        self._bar.set_visibility(live)
        self._text.set_text(f"{job.progress:.0%} {self._words.said(job.text)}" if live else "")
        self._stop.set_visibility(live)
        self._stop.set_enabled(stoppable(self._page, job))
        if not live:
            self._task.cancel()
            self._end(job)

    def _end(self, job: Job) -> None:
        with self._outcome:
            for sentence in outcome(job, self._words):
                ui.label(sentence)
            self._over(job)
