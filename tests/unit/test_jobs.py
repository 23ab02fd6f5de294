# SPDX-License-Identifier: GPL-2.0-or-later
"""Jobs: their states, progress and cancel, and that their outcomes outlive the service."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from kiban.adapters.whole import finished, whole
from kiban.engine import jobs
from kiban.engine.events import Bus
from kiban.engine.jobs import Job, Jobs
from kiban.engine.progress import Progress
from kiban.errors import Conflict, HostLacks, NotFound

WAIT = 30.0


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


async def done(progress: Progress) -> dict[str, int]:
    progress(0.5, "halfway")
    return {"answer": 42}


async def forever(_: Progress) -> None:
    await asyncio.Event().wait()


async def fails(_: Progress) -> None:
    raise HostLacks("There is no swtpm.", "apt install swtpm")


def test_a_job_is_done_and_stays_known(tmp_path: Path) -> None:
    async def first() -> Job:
        kept = Jobs(tmp_path / "db", Bus())
        job = kept.run("machines.create", "web", done)
        assert (job.state, job.machine) == ("queued", "web")
        job = await kept.wait(job.id, WAIT)
        await kept.close()
        return job

    async def second() -> list[Job]:
        kept = Jobs(tmp_path / "db", Bus())
        found = kept.list()
        await kept.close()
        return found

    job = run(first())
    assert (job.state, job.progress, job.result, job.error) == ("done", 1.0, {"answer": 42}, None)
    assert job.ended is not None
    assert run(second()) == [job]


def test_a_job_fails_with_its_problem(tmp_path: Path) -> None:
    async def body() -> None:
        kept = Jobs(tmp_path / "db", Bus())
        job = await kept.wait(kept.run("life.start", "web", fails).id, WAIT)
        assert job.state == "failed"
        assert job.error is not None
        assert (job.error["code"], job.error["hint"]) == ("host-lacks", "apt install swtpm")
        await kept.close()

    run(body())


def test_a_result_that_is_not_json_fails_the_job(tmp_path: Path) -> None:
    async def wrong(_: Progress) -> object:
        return object()

    async def body() -> None:
        kept = Jobs(tmp_path / "db", Bus())
        job = await kept.wait(kept.run("x", "", wrong).id, WAIT)
        assert job.state == "failed"
        assert job.error is not None
        assert job.error["code"] == "internal"
        await kept.close()

    run(body())


def test_cancel_stops_the_work_and_lets_it_clean_up(tmp_path: Path) -> None:
    cleaned = []

    async def careful(_: Progress) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    async def body() -> None:
        kept = Jobs(tmp_path / "db", Bus())
        job = kept.run("machines.create", "web", careful)
        await asyncio.sleep(0)
        kept.cancel(job.id)
        over = await kept.wait(job.id, WAIT)
        assert (over.state, cleaned) == ("cancelled", [True])
        assert over.error is not None
        assert over.error["code"] == "cancelled"
        with pytest.raises(Conflict):
            kept.cancel(job.id)
        await kept.close()

    run(body())


def test_work_that_was_never_begun_can_be_cancelled(tmp_path: Path) -> None:
    async def body() -> None:
        kept = Jobs(tmp_path / "db", Bus())
        job = kept.run("x", "", forever)
        kept.cancel(job.id)
        assert (await kept.wait(job.id, WAIT)).state == "cancelled"
        await kept.close()

    run(body())


def cancelled_in(begun: asyncio.Event, work: jobs.Work, tmp_path: Path) -> Job:
    """What becomes of a job that is cancelled once it has `begun` a step."""

    async def body() -> Job:
        kept = Jobs(tmp_path / "db", Bus())
        job = kept.run("disks.clone", "", work)
        await begun.wait()
        kept.cancel(job.id)
        over = await kept.wait(job.id, WAIT)
        await kept.close()
        return over

    found: Job = run(body())
    return found


def test_a_cancel_in_the_last_step_comes_too_late(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def last_step() -> int:
        begun.set()
        await asyncio.sleep(0)
        return 42

    over = cancelled_in(begun, lambda _: finished(last_step()), tmp_path)
    assert (over.state, over.result, over.error) == ("done", 42, None)


def test_a_cancel_in_a_step_that_is_finished_stops_what_comes_after(tmp_path: Path) -> None:
    begun, cleaned = asyncio.Event(), []

    async def step() -> None:
        begun.set()
        await asyncio.sleep(0)
        cleaned.append("step")

    async def work(_: Progress) -> None:
        try:
            await finished(step())
            await asyncio.Event().wait()
        finally:
            await whole(asyncio.sleep(0))
            cleaned.append("work")

    assert cancelled_in(begun, work, tmp_path).state == "cancelled"
    assert cleaned == ["step", "work"]


def test_a_step_that_fails_is_what_a_job_says_that_was_cancelled_meanwhile(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def step() -> None:
        begun.set()
        await asyncio.sleep(0)
        raise HostLacks("There is no space left.", "Free some")

    over = cancelled_in(begun, lambda _: finished(step()), tmp_path)
    assert over.state == "failed"
    assert over.error is not None
    assert over.error["detail"] == "There is no space left."


def test_a_job_of_a_service_that_was_killed_is_lost(tmp_path: Path) -> None:
    async def killed() -> str:
        kept = Jobs(tmp_path / "db", Bus())
        job = kept.run("machines.create", "web", forever)
        await asyncio.sleep(0)
        (tmp_path / "copy").mkdir()
        for file in tmp_path.glob("db*"):  # what is on disk at the moment of the kill
            (tmp_path / "copy" / file.name).write_bytes(file.read_bytes())
        await kept.close()
        return job.id

    async def after(job_id: str) -> None:
        for _ in range(2):  # it is lost once, and stays so
            kept = Jobs(tmp_path / "copy" / "db", Bus())
            job = kept.get(job_id)
            assert job.state == "lost"
            assert job.ended is not None
            assert job.error is not None
            assert job.error["code"] == "lost"
            assert "web" in job.error["hint"]
            assert await kept.wait(job_id, WAIT) == job
            await kept.close()

    run(after(run(killed())))


def test_wait_gives_up_after_its_time(tmp_path: Path) -> None:
    async def body() -> None:
        kept = Jobs(tmp_path / "db", Bus())
        job = kept.run("x", "", forever)
        assert (await kept.wait(job.id, 0.01)).state == "running"
        await kept.close()
        assert kept.get(job.id).state == "cancelled"
        with pytest.raises(Conflict):
            kept.run("x", "", done)

    run(body())


def test_progress_goes_forward_only_from_any_thread(tmp_path: Path) -> None:
    async def body() -> list[tuple[float, str]]:
        bus = Bus()
        kept = Jobs(tmp_path / "db", bus)
        seen: list[tuple[float, str]] = []

        async def listen() -> None:
            async for event in bus.subscribe(bus.id_of()):
                seen.append((event.data["progress"], event.data["text"]))
                if event.kind == "job.ended":
                    return

        async def work(progress: Progress) -> None:
            progress(0.5, "copying")
            progress(0.2, "copying")  # no event: it would go back
            progress(0.501, "copying")  # no event: too small a step
            await asyncio.to_thread(progress, 0.8, "from a thread")
            await asyncio.sleep(0)
            progress(7.0, "too much")

        listener = asyncio.create_task(listen())
        await asyncio.sleep(0)
        kept.run("machines.create", "web", work)
        await listener
        await kept.close()
        return seen

    assert run(body()) == [(0.0, ""), (0.5, "copying"), (0.8, "from a thread"), (1.0, "too much"), (1.0, "too much")]


def test_old_jobs_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "KEPT", 3)

    async def body() -> None:
        kept = Jobs(tmp_path / "db", Bus())
        live = kept.run("live", "", forever)
        made = []
        for _ in range(6):
            made.append(kept.run("x", "", done).id)
            await kept.wait(made[-1], WAIT)
        assert [job.id for job in kept.list()] == [live.id, *made[3:]]
        with pytest.raises(NotFound):
            kept.get(made[0])
        await kept.close()
        rows = sqlite3.connect(tmp_path / "db").execute("SELECT id FROM jobs ORDER BY number").fetchall()
        assert [row[0] for row in rows][-2:] == made[4:]
        assert len(rows) <= 4

    run(body())


def test_large_results_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "RESULTS", 2500)

    async def large(_: Progress) -> str:
        return "x" * 1000

    async def body() -> list[Job]:
        kept = Jobs(tmp_path / "db", Bus())
        for _ in range(4):
            job = await kept.wait(kept.run("secureboot.audit", "", large).id, WAIT)
            assert len(job.result) == 1000, "whoever waits for it gets it"
        found = kept.list()
        await kept.close()
        again = Jobs(tmp_path / "db", Bus())
        assert again.list() == found
        monkeypatch.setattr(jobs, "RESULTS", 500)
        job = await again.wait(again.run("secureboot.audit", "", large).id, WAIT)
        assert len(job.result) == 1000
        assert [job.result for job in again.list()[:-1]] == [None] * 4
        await again.close()
        return found

    found = run(body())
    assert [job.state for job in found] == ["done"] * 4
    assert [len(job.result or "") for job in found] == [0, 0, 1000, 1000]


@pytest.mark.parametrize("content", [b"this is no database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_database_costs_the_history_only(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "service.db").write_bytes(content)

    async def body() -> None:
        kept = Jobs(tmp_path / "service.db", Bus())
        assert kept.list() == []
        assert (await kept.wait(kept.run("x", "", done).id, WAIT)).state == "done"
        await kept.close()

    run(body())
    assert (tmp_path / "service.damaged").read_bytes() == content


def test_a_database_that_cannot_be_opened_does_not_hold_work_up(tmp_path: Path) -> None:
    async def body() -> None:
        kept = Jobs(tmp_path / "missing" / "service.db", Bus())
        assert (await kept.wait(kept.run("x", "", done).id, WAIT)).state == "done"
        await kept.close()

    run(body())
