# SPDX-License-Identifier: GPL-2.0-or-later
"""kiban tpm: what the engine makes of a log and registers, what goes over the wire, and what people are shown."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engine_world import World, one, run, world
from test_tpm_eventlog import DATA, REGISTERS
from typer.testing import CliRunner

from kiban.cli import app, tpm
from kiban.engine import guesttpm, tpmlog
from kiban.engine.handle import Handle
from kiban.errors import Conflict, KibanError, NotFound, NotInGeneration
from kiban.wire import answers

REAL = {int(n): value.lower() for n, value in map(str.split, REGISTERS.strip().splitlines())}


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Any:
    with world(monkeypatch) as made:
        yield made


def guest(monkeypatch: pytest.MonkeyPatch, *, registers: dict[int, str] | None = None) -> None:
    """Let the guest's agent show the real log, and these registers; None for no such file."""

    async def log(handle: Handle) -> bytes:
        return DATA

    async def pcrs(handle: Handle, banks: Any) -> dict[tuple[str, int], str]:
        if registers is None:
            raise NotFound("No such file.")
        return {("sha256", number): value for number, value in registers.items()}

    monkeypatch.setattr(guesttpm, "log", log)
    monkeypatch.setattr(guesttpm, "pcrs", pcrs)


async def _show(there: World, **more: Any) -> tpmlog.TpmView:
    _, handle = await one(there, 2, tpm=True)
    handle.monitor = object()  # type: ignore[assignment]  # only whether there is one counts here
    return await tpmlog.show(handle)


@pytest.mark.parametrize(
    ("registers", "matches"),
    [
        (REAL, True),
        (REAL | {4: "00" * 32}, False),
        (REAL | {9: "00" * 32, 10: "11" * 32}, True),  # the running system goes on measuring into these
        (None, None),
    ],
)
def test_the_log_is_compared_with_the_registers(
    there: World, monkeypatch: pytest.MonkeyPatch, registers: dict[int, str] | None, matches: bool | None
) -> None:
    guest(monkeypatch, registers=registers)
    view = run(_show(there))
    assert (view.present, view.version, view.matches, view.events, view.source) == (True, "2.0", matches, 53, "agent")
    assert {p.number: p.replayed for p in view.pcrs if p.replayed} == REAL
    assert (view.problem == "No such file.") == (registers is None)
    assert answers.Tpm.model_validate(view).model_dump()["pcrs"][7]["meaning"].startswith("Secure Boot")


def test_the_log_names_the_machines_own_devices(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    guest(monkeypatch)

    async def scenario() -> tpmlog.MeasuredBoot:
        _, handle = await one(there, 2, tpm=True)
        handle.monitor = object()  # type: ignore[assignment]  # as above
        return await tpmlog.measured(handle)

    found = run(scenario())
    sent = answers.MeasuredBoot.model_validate(found).model_dump(mode="json")
    assert sent["source"] == "agent"
    assert sent["events"][3]["text"] == "Secure Boot is on"
    assert sent["events"][3]["digests"] == {
        "sha256": "ccfc4bb32888a345bc8aeadaba552b627d99348c767681ab3141f5b01e40a40e"
    }
    assert [event["number"] for event in sent["events"]] == list(range(1, 54))


@pytest.mark.parametrize(
    ("generation", "request_", "error", "words"),
    [
        (1, {}, NotInGeneration, "a generation 1 machine cannot have one"),
        (2, {}, NotFound, "has no TPM"),
        (2, {"tpm": True}, Conflict, "is off"),
    ],
)
def test_without_a_log_it_says_why_and_what_to_do(
    there: World, generation: int, request_: dict[str, Any], error: type[KibanError], words: str
) -> None:
    async def scenario() -> None:
        _, handle = await one(there, generation, **request_)
        with pytest.raises(error, match=words) as caught:
            await tpmlog.raw(handle)
        assert caught.value.hint
        shown = await tpmlog.show(handle)
        assert words in shown.problem
        assert shown.present == bool(request_)

    asyncio.run(scenario())


# the command line


def view(**more: Any) -> Any:
    pcrs = [
        SimpleNamespace(bank="sha256", number=7, meaning="Secure Boot", replayed="aa", guest="aa"),
        SimpleNamespace(bank="sha256", number=9, meaning="files", replayed="bb", guest="cc"),
    ]
    members = {"present": True, "version": "2.0", "running": True, "made": "2026-01-01T00:00:00+00:00", "size": 4000}
    rest = {"banks": ["sha256"], "source": "memory", "events": 53, "matches": True, "pcrs": pcrs, "problem": ""}
    return SimpleNamespace(**members | rest | more)


class FakeClient:
    """Answers as the service would."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def tpm(self, name: str) -> Any:
        return self.found

    def tpm_log(self, name: str, *, source: str) -> Any:
        event = SimpleNamespace(number=1, pcr=7, text=f"from {source}\x1b[2J", proven=True)
        lie = SimpleNamespace(number=2, pcr=7, text="Secure Boot is on", proven=False)
        return SimpleNamespace(events=[event, lie], unread=5)

    def tpm_raw_log(self, name: str, *, source: str) -> bytes:
        return DATA


def kiban(monkeypatch: pytest.MonkeyPatch, *words: str, found: Any = None) -> Any:
    monkeypatch.setattr(tpm, "connect", lambda: FakeClient(found or view()))
    return CliRunner().invoke(app.build(["tpm"]), ["tpm", *words])


def test_show_says_whether_log_and_registers_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    said = kiban(monkeypatch, "show", "web").stdout
    assert "equal to the registers 0 to 7 that the guest reads" in said
    assert "53 events, from the guest's memory" in said
    assert "differs; the running system may have measured more" in said
    said = kiban(monkeypatch, "show", "web", found=view(matches=False)).stdout
    assert "NOT equal" in said
    said = kiban(monkeypatch, "show", "web", found=view(present=False, pcrs=[], problem="web has no TPM.")).stdout
    assert "web has no TPM." in said
    assert json.loads(kiban(monkeypatch, "show", "web", "-o", "json").stdout)["events"] == 53


def test_log_shows_words_and_saves_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = kiban(monkeypatch, "log", "web", "--source", "memory")
    assert "from memory?[2J" in done.stdout
    assert "NOT WHAT WAS MEASURED: Secure Boot is on" in done.stdout
    assert "The last 5 bytes of the log are no event." in done.stderr
    saved = tmp_path / "boot.log"
    assert kiban(monkeypatch, "log", "web", "--raw", str(saved)).exit_code == 0
    assert saved.read_bytes() == DATA
