# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest agent's client against a fake agent on a Unix socket, well-behaved and hostile."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kiban.adapters.guest import agent as agent_module
from kiban.adapters.guest.agent import Agent, Outcome
from kiban.errors import Failed, TimedOut

Answer = Callable[[dict[str, Any]], bytes]


def sync_reply(request: dict[str, Any]) -> bytes:
    return b"\xff" + json.dumps({"return": request["arguments"]["id"]}).encode() + b"\n"


def reply(request: dict[str, Any], value: object) -> bytes:
    return json.dumps({"return": value, "id": request["id"]}).encode() + b"\n"


@asynccontextmanager
async def fake_agent(folder: Path, answer: Answer, *, on_sync: Answer = sync_reply) -> AsyncIterator[Path]:
    """Serve `answer` (request to raw bytes; b"" says nothing, b"bye" hangs up) on a socket in `folder`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            request = json.loads(line.lstrip(b"\xff"))
            out = (on_sync if request["execute"] == "guest-sync-delimited" else answer)(request)
            if out == b"bye":
                break
            writer.write(out)
            await writer.drain()
        writer.close()

    path = folder / "ga"
    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield path


def test_ping_and_command_with_arguments(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> bytes:
        seen.append(request)
        return reply(request, {"version": "7.2"})

    async def main() -> object:
        async with fake_agent(tmp_path, answer) as path, Agent.connect(path) as agent:
            await agent.ping()
            return await agent.command("guest-file-open", path="/x", some_thing=1)

    assert asyncio.run(main()) == {"version": "7.2"}
    assert [r["execute"] for r in seen] == ["guest-ping", "guest-file-open"]
    assert seen[1]["arguments"] == {"path": "/x", "some-thing": 1}


def test_run_waits_for_the_end_and_decodes_output(tmp_path: Path) -> None:
    polls = 0

    def answer(request: dict[str, Any]) -> bytes:
        nonlocal polls
        if request["execute"] == "guest-exec":
            assert request["arguments"]["path"] == "/bin/cat"
            assert request["arguments"]["arg"] == ["-"]
            assert base64.b64decode(request["arguments"]["input-data"]) == b"hello"
            return reply(request, {"pid": 42})
        assert request["arguments"] == {"pid": 42}
        polls += 1
        if polls < 3:
            return reply(request, {"exited": False})
        out = base64.b64encode(b"a\x00b\xff").decode()
        return reply(request, {"exited": True, "exitcode": 3, "out-data": out})

    async def main() -> Outcome:
        async with fake_agent(tmp_path, answer) as path, Agent.connect(path) as agent:
            return await agent.run(["/bin/cat", "-"], stdin=b"hello")

    assert asyncio.run(main()) == Outcome(3, b"a\x00b\xff", b"")
    assert polls == 3


def test_a_program_ended_by_a_signal_has_the_shells_code(tmp_path: Path) -> None:
    def answer(request: dict[str, Any]) -> bytes:
        return reply(request, {"pid": 1} if request["execute"] == "guest-exec" else {"exited": True, "signal": 9})

    async def main() -> Outcome:
        async with fake_agent(tmp_path, answer) as path, Agent.connect(path) as agent:
            return await agent.run(["/bin/x"])

    assert asyncio.run(main()).exit == 137


def test_a_program_that_does_not_end_times_out(tmp_path: Path) -> None:
    def answer(request: dict[str, Any]) -> bytes:
        return reply(request, {"pid": 1} if request["execute"] == "guest-exec" else {"exited": False})

    async def main() -> None:
        async with fake_agent(tmp_path, answer) as path, Agent.connect(path) as agent:
            await agent.run(["/bin/sleep", "9"], timeout=0.2)

    with pytest.raises(TimedOut, match="/bin/sleep did not end"):
        asyncio.run(main())


def test_leftovers_before_the_handshake_are_dropped(tmp_path: Path) -> None:
    def leftovers(request: dict[str, Any]) -> bytes:
        return b'{"return": {"old": 1}}\n{"retu\xff{"return": 1}\n' + sync_reply(request)

    async def main() -> object:
        answer: Answer = lambda request: reply(request, "mine")  # noqa: E731 - a one-line fake reads best in place
        async with fake_agent(tmp_path, answer, on_sync=leftovers) as path, Agent.connect(path) as agent:
            return await agent.command("guest-info")

    assert asyncio.run(main()) == "mine"


def test_a_late_reply_is_not_taken_for_the_next_one(tmp_path: Path) -> None:
    late: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> bytes:
        if not late:
            late.append(request)
            return b""
        return reply(late[0], "late") + b'\xff{"return": 7}\n' + reply(request, "right")

    async def main() -> object:
        async with fake_agent(tmp_path, answer) as path, Agent.connect(path) as agent:
            with pytest.raises(TimedOut, match="guest-slow"):
                await agent.command("guest-slow", timeout=0.1)
            return await agent.command("guest-info")

    assert asyncio.run(main()) == "right"


def test_an_agent_that_echoes_no_id_is_understood(tmp_path: Path) -> None:
    async def main() -> object:
        async with fake_agent(tmp_path, lambda _: b'{"return": 5}\n') as path, Agent.connect(path) as agent:
            return await agent.command("guest-info")

    assert asyncio.run(main()) == 5


def test_a_refusal_names_the_reason(tmp_path: Path) -> None:
    refusal = b'{"error": {"class": "GenericError", "desc": "No such file"}}\n'

    async def main() -> None:
        async with fake_agent(tmp_path, lambda _: refusal) as path, Agent.connect(path) as agent:
            await agent.run(["/nowhere"])

    with pytest.raises(Failed, match="refused guest-exec: No such file"):
        asyncio.run(main())


def test_no_socket_is_one_clear_error(tmp_path: Path) -> None:
    async def main() -> None:
        async with Agent.connect(tmp_path / "none"):
            pass

    with pytest.raises(Failed, match="socket cannot be opened"):
        asyncio.run(main())


def test_a_silent_guest_times_out(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            fake_agent(tmp_path, lambda _: b"", on_sync=lambda _: b"") as path,
            Agent.connect(path, timeout=0.1),
        ):
            pass

    with pytest.raises(TimedOut, match=r"did not answer within 0\.1 s"):
        asyncio.run(main())


def test_handshakes_kept_while_the_guest_started_are_all_answered_before_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "_RESYNC", 0.05)
    asked: list[dict[str, Any]] = []
    stray = b'{"error": {"class": "GenericError", "desc": "JSON parse error, stray"}}\n'

    def starting(request: dict[str, Any]) -> bytes:
        asked.append(request)
        if len(asked) < 3:
            return b""
        waiting = asked if len(asked) == 3 else asked[-1:]
        return b"".join(stray + sync_reply(r) for r in waiting)

    async def main() -> object:
        answer: Answer = lambda request: reply(request, "mine")  # noqa: E731 - a one-line fake reads best in place
        async with fake_agent(tmp_path, answer, on_sync=starting) as path, Agent.connect(path, timeout=30) as agent:
            return await agent.command("guest-info")

    assert asyncio.run(main()) == "mine"
    assert len(asked) > 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"not json\n", "not JSON"),
        (b"[" * 200_000 + b"\n", "not JSON"),
        (b"[1]\n", "unexpected form"),
        (b'{"return": ' + b"9" * 5000 + b"}\n", "not JSON"),
        (b'{"return": {"pid": "1"}}\n', "no number 'pid'"),
        (b'{"return": {"pid": true}}\n', "no number 'pid'"),
        (b'{"return": 1}\n', "unexpected form"),
        (b"x" * 5000, "more than 4096 bytes"),
        (b"bye", "hung up"),
    ],
)
def test_nonsense_from_the_guest_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes, message: str
) -> None:
    monkeypatch.setattr(agent_module, "MAX_REPLY", 4096 if line.startswith(b"x") else 1 << 20)

    async def main() -> None:
        async with fake_agent(tmp_path, lambda _: line) as path, Agent.connect(path) as agent:
            await agent.run(["/bin/true"])

    with pytest.raises(Failed, match=message):
        asyncio.run(main())


@pytest.mark.parametrize("answer", [b"", b"bye"])
def test_shutdown_takes_silence_for_consent(tmp_path: Path, answer: bytes) -> None:
    asked: list[dict[str, Any]] = []

    def note(request: dict[str, Any]) -> bytes:
        asked.append(request)
        return answer

    async def main() -> None:
        async with fake_agent(tmp_path, note) as path, Agent.connect(path) as agent:
            await agent.shutdown(timeout=0.1)

    asyncio.run(main())
    assert asked[0]["execute"] == "guest-shutdown"
    assert asked[0]["arguments"] == {"mode": "powerdown"}


def test_shutdown_reports_a_refusal(tmp_path: Path) -> None:
    refusal = b'{"error": {"desc": "not allowed"}}\n'

    async def main() -> None:
        async with fake_agent(tmp_path, lambda _: refusal) as path, Agent.connect(path) as agent:
            await agent.shutdown()

    with pytest.raises(Failed, match="not allowed"):
        asyncio.run(main())


def read_file(folder: Path, pieces: list[dict[str, Any]], *, limit: int = 100) -> tuple[bytes, list[str]]:
    """Read a file whose pieces a fake agent answers with, the last one again and again; and what it was asked."""
    asked: list[str] = []

    def answer(request: dict[str, Any]) -> bytes:
        asked.append(request["execute"])
        if request["execute"] == "guest-file-read":
            return reply(request, pieces.pop(0) if len(pieces) > 1 else pieces[0])
        return reply(request, 7 if request["execute"] == "guest-file-open" else {})

    async def main() -> bytes:
        async with fake_agent(folder, answer) as path, Agent.connect(path) as agent:
            return await agent.read_file("/sys/x", limit=limit, timeout=5)

    return asyncio.run(main()), asked


def piece(data: bytes, *, eof: bool = False) -> dict[str, Any]:
    return {"count": len(data), "buf-b64": base64.b64encode(data).decode(), "eof": eof}


def test_a_file_is_read_to_its_end_and_closed(tmp_path: Path) -> None:
    data, asked = read_file(tmp_path, [piece(b"a" * 60), piece(b"b" * 40), piece(b"", eof=True)])
    assert data == b"a" * 60 + b"b" * 40
    assert asked == ["guest-file-open", *["guest-file-read"] * 3, "guest-file-close"]


@pytest.mark.parametrize("more", [piece(b"x"), piece(b"x" * 500, eof=True)])
def test_a_file_without_end_is_given_up(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(Failed, match="longer than 100 bytes"):
        read_file(tmp_path, [more])
