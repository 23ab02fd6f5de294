# SPDX-License-Identifier: GPL-2.0-or-later
"""Long work: asyncio tasks with progress, cancel, and an outcome that outlives the service.

The jobs of this process are in memory and written through to SQLite when they begin and end. The table may be lost
without losing a machine, so a database that cannot be written is a warning in the log and holds no work up.

    queued ─► running ─► done | failed | cancelled          lost: the service ended before the job did
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from kiban.engine.events import Bus
from kiban.engine.progress import Progress
from kiban.errors import Cancelled, Conflict, Failed, KibanError, NotFound
from kiban.paths import private
from kiban.problem import to_problem

JobState = Literal["queued", "running", "done", "failed", "cancelled", "lost"]
Work = Callable[[Progress], Coroutine[Any, Any, Any]]
"""What a job does. It may call its Progress from any thread."""

KEPT = 1000
"""Jobs that are over are forgotten, oldest first, beyond this many."""
RESULTS = 8 << 20
"""Bytes of results, as JSON, that are kept: what an audit of a thousand machines found is large, and soon of no use.
Beyond this jobs are kept without theirs, oldest first; one that has just ended has its own always."""
LIVE: frozenset[JobState] = frozenset({"queued", "running"})
_STEP = 0.01  # progress events are at least this far apart
_log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, command TEXT NOT NULL, machine TEXT NOT NULL,
    state TEXT NOT NULL, progress REAL NOT NULL, text TEXT NOT NULL, result TEXT, error TEXT,
    created TEXT NOT NULL, ended TEXT)
"""
_SAVE = """
INSERT INTO jobs (id, command, machine, state, progress, text, result, error, created, ended)
VALUES (:id, :command, :machine, :state, :progress, :text, :result, :error, :created, :ended)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, progress = excluded.progress, text = excluded.text,
    result = excluded.result, error = excluded.error, ended = excluded.ended
"""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One piece of long work. `progress` is 0 to 1, times are ISO 8601 in UTC, `result` is JSON, `error` a problem."""

    id: str
    command: str
    machine: str
    state: JobState
    progress: float = 0.0
    text: str = ""
    result: Any = None
    error: dict[str, Any] | None = None
    created: str
    ended: str | None = None


_COLUMNS = tuple(field.name for field in fields(Job))


@dataclass
class _Live:
    task: asyncio.Task[None]
    over: asyncio.Event
    done: bool = False  # with this result; its task may be cancelled in the moment after
    result: Any = None


class Jobs:
    """The jobs of one service. Make it inside the running event loop; `close` it there too."""

    def __init__(self, database: Path, bus: Bus) -> None:
        self._bus = bus
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._live: dict[str, _Live] = {}
        self._stopping = False
        self._database, kept = _open(database)
        self._jobs = {job.id: job for job in kept}
        self._sizes = {job.id: len(json.dumps(job.result)) for job in kept}  # of their results
        for job in [job for job in self._jobs.values() if job.state in LIVE]:
            lost = Failed(
                f"Nobody knows how {job.command} ended: the service stopped in the middle of it.",
                f"Look at the machine: kiban info {job.machine}" if job.machine else "Look at what is there: kiban ls",
                code="lost",
            )
            self._keep(replace(job, state="lost", error=to_problem(lost), ended=_now()))

    def run(self, command: str, machine: str, work: Work) -> Job:
        """Start `work`, which gets a Progress and returns a JSON value; `machine` is the name it is about, or "".

        Conflict when the service is stopping.
        """
        if self._stopping:
            raise Conflict("The service is stopping.", "Try again when it is back.", code="stopping")
        job = Job(id=secrets.token_hex(8), command=command, machine=machine, state="queued", created=_now())
        self._keep(job)
        self._announce("job.created", job)
        task = self._loop.create_task(self._begin(job.id, work), name=f"{command} {machine}")
        self._live[job.id] = _Live(task, asyncio.Event())
        task.add_done_callback(partial(self._end, job.id))
        return job

    def list(self) -> list[Job]:
        """All jobs that are kept, oldest first."""
        return [*self._jobs.values()]

    def get(self, job_id: str) -> Job:
        """The job as it stands now, or NotFound."""
        if job_id not in self._jobs:
            raise NotFound(f"There is no job {job_id[:80]!r}.", "See all jobs: kiban jobs")
        return self._jobs[job_id]

    async def wait(self, job_id: str, timeout: float) -> Job:
        """The job when it is over, or as it stands after `timeout` seconds."""
        self.get(job_id)
        if (live := self._live.get(job_id)) is not None:
            waiter = asyncio.ensure_future(live.over.wait())
            await asyncio.wait({waiter}, timeout=timeout)
            waiter.cancel()
        return self.get(job_id)

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop; Conflict when it is over. It has stopped when its state says so."""
        job = self.get(job_id)
        if (live := self._live.get(job_id)) is None:
            raise Conflict(f"Job {job_id} is over: it is {job.state}.", code="job-is-over")
        live.task.cancel()
        return job

    async def stop(self) -> None:
        """Take no more work and stop what is left; returns when all of it has ended."""
        self._stopping = True
        for live in self._live.values():
            live.task.cancel()
        if waiters := [asyncio.ensure_future(live.over.wait()) for live in self._live.values()]:
            await asyncio.wait(waiters)

    async def close(self) -> None:
        """Stop, and close the database."""
        await self.stop()
        self._database.close()

    async def _begin(self, job_id: str, work: Work) -> None:
        self._jobs[job_id] = replace(self._jobs[job_id], state="running")
        result = await work(partial(self._progress, job_id))
        json.dumps(result)  # a result that is not JSON is a fault of the command, and shown as one
        live = self._live[job_id]
        live.done, live.result = True, result

    def _progress(self, job_id: str, fraction: float, text: str) -> None:
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._progress, job_id, fraction, text)
            return
        job = self._jobs.get(job_id)
        if job is None or job.state != "running":
            return
        fraction = min(max(fraction, job.progress), 1.0)
        if text != job.text or fraction - job.progress >= _STEP:
            self._jobs[job_id] = replace(job, progress=fraction, text=text)
            self._announce("job.progress", self._jobs[job_id])

    def _end(self, job_id: str, task: asyncio.Task[None]) -> None:
        job, live = replace(self._jobs[job_id], ended=_now()), self._live.pop(job_id)
        if live.done:
            job = replace(job, state="done", progress=1.0, result=live.result)
        elif task.cancelled():
            error = Cancelled(f"{job.command} was stopped before it was done.")
            job = replace(job, state="cancelled", error=to_problem(error))
        elif (failure := task.exception()) is not None:
            job = replace(job, state="failed", error=to_problem(explain(failure)))
        self._keep(job)
        live.over.set()
        self._announce("job.ended", job)
        self._forget(job_id)

    def _announce(self, kind: str, job: Job) -> None:
        data: dict[str, Any] = {
            "job": job.id,
            "command": job.command,
            "state": job.state,
            "progress": job.progress,
            "text": job.text,
        }
        self._bus.publish(kind, machine=job.machine, **data, error=job.error)

    def _keep(self, job: Job) -> None:
        self._jobs[job.id] = job
        row = asdict(job)
        for key in ("result", "error"):
            row[key] = None if row[key] is None else json.dumps(row[key])
        self._sizes[job.id] = len(row["result"] or "")
        self._write(_SAVE, row)

    def _forget(self, ended: str) -> None:
        over = [job.id for job in self._jobs.values() if job.state not in LIVE]
        for job_id in over[: max(len(over) - KEPT, 0)]:
            del self._jobs[job_id], self._sizes[job_id]
            self._write("DELETE FROM jobs WHERE id = :id", {"id": job_id})
        excess = sum(self._sizes.values()) - RESULTS
        for job in [*self._jobs.values()]:
            if excess > 0 and job.result is not None and job.id != ended:
                excess -= self._sizes[job.id]
                self._keep(replace(job, result=None))

    def _write(self, statement: str, values: dict[str, Any]) -> None:
        try:
            self._database.execute(statement, values)
        except sqlite3.Error as error:
            _log.warning("the history of jobs cannot be written: %s", error)


def explain(failure: BaseException) -> KibanError:
    """The failure itself if Kiban raised it on purpose; else it goes to the log under a reference, which is told."""
    if isinstance(failure, KibanError):
        return failure
    reference = secrets.token_hex(4)
    _log.error("reference %s", reference, exc_info=failure)
    return KibanError(
        f"Something went wrong inside Kiban (reference {reference}).",
        f"The service's log has the details: look for {reference}.",
        code="internal",
    )


def _open(path: Path) -> tuple[sqlite3.Connection, list[Job]]:
    with contextlib.suppress(OSError):  # SQLite says it better
        os.close(private(path, os.O_RDWR | os.O_CREAT))  # and it gives its other files the mode of this one
    try:
        return _connect(str(path))
    except sqlite3.OperationalError as error:
        _log.warning("%s cannot be used (%s): the history of jobs ends with this service", path, error)
        return _connect(":memory:")
    except (sqlite3.DatabaseError, ValueError, TypeError) as error:
        aside = path.with_suffix(".damaged")
        _log.warning("%s is unreadable (%s); it is now %s and the history of jobs starts anew", path, error, aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.replace(aside)
        return _open(path)


def _connect(path: str) -> tuple[sqlite3.Connection, list[Job]]:
    connection = sqlite3.connect(path, isolation_level=None, timeout=1.0)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last outcomes, never the file
        connection.execute(_SCHEMA)
        return connection, _load(connection)
    except (sqlite3.DatabaseError, ValueError, TypeError):
        connection.close()
        raise


def _load(connection: sqlite3.Connection) -> list[Job]:
    cursor = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM jobs ORDER BY number")  # noqa: S608  # constants
    jobs = []
    for row in cursor:
        values = dict(zip(_COLUMNS, row, strict=True))
        for key in ("result", "error"):
            values[key] = None if values[key] is None else json.loads(values[key])
        jobs.append(Job(**values))
    return jobs


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
