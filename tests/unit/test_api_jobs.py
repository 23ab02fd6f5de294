# SPDX-License-Identifier: GPL-2.0-or-later
"""Jobs and events over the socket: wait, progress, cancel, Ctrl-C, and streams that end with the service."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_fakes import Service

import kiban
from kiban import errors


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as service:
        yield service


def block(service: Service) -> None:
    """From now on commands wait at the gate."""
    service.host.gate = service.call(asyncio.Event)


def release(service: Service) -> None:
    assert service.host.gate is not None
    service.loop.call_soon_threadsafe(service.host.gate.set)


def test_progress_is_told_while_the_job_goes_on(service: Service) -> None:
    block(service)
    service.host.progress = [(0.25, "copying")]
    seen = []

    def progress(fraction: float, text: str) -> None:
        seen.append((fraction, text))
        release(service)

    assert kiban.connect(service.url).create("web", progress=progress).name == "web"
    assert seen[0] == (0.25, "copying")


def test_a_job_without_wait_is_answered_at_once(service: Service) -> None:
    block(service)
    client = kiban.connect(service.url)
    job = client._transport.call("POST", "/v1/machines/web/start")
    assert job["state"] in ("queued", "running")
    assert client.job(job["id"]).ended is None
    release(service)
    over = client.job(job["id"], wait=60)
    assert (over.state, over.command, over.machine, over.result["name"]) == ("done", "life.start", "web", "web")
    assert [found.id for found in client.jobs()] == [job["id"]]


def test_cancel(service: Service) -> None:
    block(service)
    client = kiban.connect(service.url)
    with client.events() as events:
        caught: list[BaseException] = []
        thread = threading.Thread(target=_start, args=(client, caught))
        thread.start()
        created = next(event for event in events if event.kind == "job.created")
        client.cancel_job(created.data["job"])
        thread.join(60)
    assert isinstance(caught[0], errors.Cancelled)
    assert client.jobs()[0].state == "cancelled"
    with pytest.raises(errors.Conflict):
        client.cancel_job(client.jobs()[0].id)


def _start(client: kiban.Client, caught: list[BaseException]) -> None:
    try:
        client.start("web")
    except errors.KibanError as error:
        caught.append(error)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ZeroDivisionError])
def test_who_stops_waiting_stops_the_job(service: Service, kind: type[BaseException]) -> None:
    block(service)
    client = kiban.connect(service.url)

    def progress(fraction: float, text: str) -> None:
        raise kind

    with pytest.raises(kind):
        client.start("web", progress=progress)
    assert client.job(client.jobs()[0].id, wait=60).state == "cancelled"


@pytest.mark.parametrize("when", ["asked", "answered"])
def test_ctrl_c_at_any_moment_of_the_first_answer_stops_the_job(
    service: Service, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """It comes when the request is on its way, and when the answer is here, but has not been read."""
    block(service)
    client = kiban.connect(service.url)
    real = socket.socket

    class Interrupted(real):  # type: ignore[misc,valid-type]  # a class that is looked up
        def sendall(self, data: bytes) -> None:
            real.sendall(self, data)
            self.interrupt(data.startswith(b"POST ") and when == "asked")

        def recv(self, size: int) -> bytes:
            data = real.recv(self, size)
            self.interrupt(when == "answered")
            return data

        def interrupt(self, now: bool) -> None:
            if now and not interrupted:
                interrupted.append(now)
                signal.raise_signal(signal.SIGINT)

    interrupted: list[bool] = []
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.start("web")
    assert interrupted
    assert client.job(client.jobs()[0].id, wait=60).state == "cancelled"


def test_events_of_one_machine(service: Service) -> None:
    client = kiban.connect(service.url)
    with client.events("web") as events:
        service.call(lambda: service.host.events.publish("state", machine="db", machine_id="1", state="off"))
        service.call(lambda: service.host.events.publish("state", machine="web", machine_id="2", state="running"))
        event = next(events)
    assert (event.kind, event.machine, event.machine_id, event.data) == ("state", "web", "2", {"state": "running"})
    assert event.number == 2


def test_a_listener_that_left_is_forgotten(service: Service) -> None:
    with kiban.connect(service.url).events() as events:
        assert service.call(lambda: len(service.host.events._listeners)) == 1
        service.call(lambda: service.host.events.publish("x"))
        next(events)
    with kiban.connect(service.url).events() as events:  # the first one's end is noticed by then, or soon
        for _ in range(1000):
            service.call(lambda: service.host.events.publish("y"))
            next(events)
            if service.call(lambda: len(service.host.events._listeners)) == 1:
                break
        else:
            pytest.fail("the listener is still there")


def test_when_the_service_stops_streams_end_and_waiters_hear_of_it(service: Service) -> None:
    block(service)
    client = kiban.connect(service.url)
    caught: list[BaseException] = []
    with client.events() as events:
        thread = threading.Thread(target=_start, args=(client, caught))
        thread.start()
        next(event for event in events if event.kind == "job.created")
        service.stop()
        assert [event.kind for event in events if event.kind == "job.ended"] == ["job.ended"]
    thread.join(60)
    assert isinstance(caught[0], errors.Cancelled)


def publish(service: Service, kind: str, **about: str) -> None:
    service.call(lambda: service.host.events.publish(kind, **about))


def hang_up(service: Service) -> None:
    """Break all streams, as a proxy or a network may; the service goes on."""
    assert any(
        service.call(lambda: [task.cancel() for task in asyncio.all_tasks() if "RequestResponseCycle" in repr(task)])
    )


def test_who_comes_back_hears_what_he_missed(service: Service) -> None:
    with kiban.connect(service.url).events(patience=60) as events:
        publish(service, "first")
        assert next(events).kind == "first"
        hang_up(service)
        publish(service, "second")
        publish(service, "third")
        assert [next(events).kind for _ in range(2)] == ["second", "third"]


def test_who_heard_nothing_yet_misses_nothing(service: Service) -> None:
    publish(service, "before")
    with kiban.connect(service.url).events(patience=60) as events:
        hang_up(service)
        publish(service, "first")
        assert next(events).kind == "first"


def test_a_restart_of_the_service_is_survived(tmp_path: Path) -> None:
    with Service(tmp_path) as first:
        events = kiban.connect(first.url).events("web", patience=60)
        publish(first, "first", machine="web")
        assert next(events).kind == "first"
    with Service(tmp_path) as second, events:
        publish(second, "other", machine="db")
        publish(second, "second", machine="web")
        assert [next(events).kind for _ in range(2)] == ["gap", "second"]


def test_a_service_that_stays_away_is_given_up(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        events = kiban.connect(service.url).events(patience=0.5)
    assert list(events) == []


def test_an_id_that_is_none_is_refused(service: Service) -> None:
    with pytest.raises(errors.BadInput):
        kiban.connect(service.url)._transport.open("GET", "/v1/events", headers={"Last-Event-ID": "x" * 100})
