# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands against a client without a service: what they send, what they print, and how they end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from api_fakes import Service
from cli_fakes import FakeClient, view

from kiban import __version__
from kiban.cli import app, arguments, cards, main, reads, verbs
from kiban.cli.disk import disk
from kiban.cli.media import media
from kiban.cli.secureboot import secureboot
from kiban.engine.tokens import Tokens
from kiban.errors import NoService
from kiban.model.generations import GEN1, GEN2
from kiban.model.machine import Forward
from kiban.model.requests import ComRequest, DiskRequest, DvdRequest, NetBootRequest


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


Kiban = Callable[..., Outcome]


@pytest.fixture
def client() -> FakeClient:
    return FakeClient(view("web"), view("db", state="running", pid=7, started="2026-01-01T00:00:00+00:00"))


@pytest.fixture
def kiban(client: FakeClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kiban:
    """Runs a command line; every module of a command gets the fake client."""

    def run(*said: str) -> Outcome:
        app.build([])
        for name, module in list(sys.modules.items()):
            if name.startswith("kiban.cli.") and hasattr(module, "connect"):
                monkeypatch.setattr(module, "connect", lambda start=True: client)
        monkeypatch.setattr(sys, "argv", ["kiban", *said])
        code = main.main()
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


def test_every_command_has_help_with_an_example(kiban: Kiban) -> None:
    lines = [[name] for name in app.COMMANDS if name not in ("disk", "job", "media", "secureboot", "token", "tpm")]
    for line in [
        *lines,
        ["job", "show"],
        ["job", "cancel"],
        *(["secureboot", command.name or ""] for command in secureboot.registered_commands),
        *(["disk", command.name or ""] for command in disk.registered_commands),
        *(["media", command.name or ""] for command in media.registered_commands),
        ["tpm", "show"],
        ["tpm", "log"],
        ["token", "create"],
        ["token", "list"],
        ["token", "revoke"],
    ]:
        outcome = kiban(*line, "--help")
        assert outcome.code == 0
        assert f"kiban {' '.join(line)}" in outcome.out.split("Example")[1], line


def test_no_command_shows_the_help(kiban: Kiban) -> None:
    outcome = kiban()
    assert outcome.code == 0
    assert all(name in outcome.out for name in app.COMMANDS)


PLAIN = ["start web", "stop db", "ls", "ls -o json", "ls -o name", "info web", "info -o json web", "pause db -o json"]


@pytest.mark.parametrize("said", PLAIN)
def test_plain_forms_do_without_typer(kiban: Kiban, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr(main, "_run_typer", lambda _: pytest.fail("went through Typer"))
    assert kiban(*said.split()).code == 0


@pytest.mark.parametrize("said", PLAIN)
def test_plain_forms_say_the_same_through_typer(kiban: Kiban, client: FakeClient, monkeypatch: Any, said: str) -> None:
    before = {name: machine.state for name, machine in client.views.items()}
    plain = kiban(*said.split())
    for name, state in before.items():
        client.views[name].state = state
    monkeypatch.setattr(main, "run_plain", lambda _: False)
    assert kiban(*said.split()) == plain


@pytest.mark.parametrize(
    "said",
    ["", "start", "ls web", "info", "info a b", "start -o", "start -o name web", "ls -o x", "info -o name web",
     "start -- web", "start --help", "ls -o json -o name", "stop --force web", "create web"],
)  # fmt: skip
def test_everything_else_is_left_to_typer(client: FakeClient, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    for module in (verbs, reads):
        monkeypatch.setattr(module, "connect", lambda: pytest.fail("did something"))
    assert main.run_plain(said.split()) is False


def test_the_plain_path_imports_little() -> None:
    """Neither Typer, Rich nor pydantic: each would cost a plain start more than Kiban may cost altogether."""
    code = "import sys; from kiban.cli import main, verbs, reads; import kiban.client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint({"typer", "click", "rich", "pydantic", "dataclasses", "http", "asyncio"})


@pytest.mark.parametrize("said", [["start", "web"], ["start", "--", "web"], ["start", "-o", "table", "web"]])
def test_start(kiban: Kiban, said: list[str]) -> None:
    assert kiban(*said) == Outcome(0, "web: running\n", "")


def test_every_name_is_tried_and_the_first_error_counts(kiban: Kiban, client: FakeClient) -> None:
    outcome = kiban("start", "nobody", "db", "web")
    assert outcome.code == 3
    assert outcome.out == "web: running\n"
    assert outcome.err.splitlines() == [
        "There is no machine nobody.",
        "hint: kiban ls",
        "Cannot start db: it is running.",
        "hint: Stop it first: kiban stop db",
    ]


def test_errors_and_results_in_json(kiban: Kiban) -> None:
    outcome = kiban("start", "db", "web", "-o", "json")
    problem = json.loads(outcome.err)
    assert outcome.code == 4
    assert (problem["code"], problem["status"]) == ("is-running", 409)
    assert problem["hint"] == "Stop it first: kiban stop db"
    assert [m["state"] for m in json.loads(outcome.out)] == ["running"]


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [
        ("stop", "running", "off"),
        ("restart", "running", "running"),
        ("reset", "paused", "running"),
        ("pause", "running", "paused"),
        ("resume", "paused", "running"),
        ("save", "running", "saved"),
        ("discard", "saved", "off"),
    ],
)
def test_life(kiban: Kiban, client: FakeClient, verb: str, before: str, after: str) -> None:
    client.views["web"].state = before
    assert kiban(verb, "web") == Outcome(0, f"web: {after}\n", "")
    client.views["web"].state = before
    assert json.loads(kiban(verb, "web", "-o", "json").out)[0]["state"] == after


def test_stop_sends_force_and_timeout(kiban: Kiban, client: FakeClient) -> None:
    kiban("stop", "db", "--timeout", "5")
    client.views["db"].state = "running"
    kiban("stop", "--force", "db")
    assert client.calls == [
        ("stop", ("db",), {"force": False, "timeout": 5.0}),
        ("stop", ("db",), {"force": True, "timeout": 60.0}),
    ]


@pytest.mark.parametrize("said", [["start", "web"], ["start", "--", "web"]])
def test_ctrl_c_during_a_job_says_that_it_is_cancelled(kiban: Kiban, client: FakeClient, said: list[str]) -> None:
    client.interrupt = "late"
    outcome = kiban(*said)
    assert outcome.code == 130
    assert "asked to cancel" in outcome.err
    client.interrupt = "early"
    outcome = kiban(*said)
    assert outcome.code == 130
    assert "may go on" in outcome.err


@pytest.mark.parametrize(
    "said",
    [
        ["strat", "web"],
        ["start"],
        ["start", "--nonsense", "web"],
        ["create", "a", "--secure-boot", "maybe"],
        ["job"],
        ["set", "web"],
        ["info", "a", "b"],
    ],
)
def test_usage_errors_are_a_sentence_and_a_hint(kiban: Kiban, said: list[str]) -> None:
    outcome = kiban(*said)
    assert outcome.code == 2
    sentence, hint = outcome.err.splitlines()
    assert sentence.endswith((".", "?"))
    assert hint.startswith("hint: kiban ")
    assert "Value error" not in sentence
    problem = json.loads(kiban(*said, "-o", "json").err)
    assert (problem["status"], problem["code"]) == (422, "usage")


def test_a_service_that_does_not_answer(kiban: Kiban, monkeypatch: pytest.MonkeyPatch, client: FakeClient) -> None:
    def machines() -> list[Any]:
        raise NoService("The service does not answer.", "kiban serve")

    monkeypatch.setattr(client, "machines", machines)
    assert kiban("ls") == Outcome(10, "", "The service does not answer.\nhint: kiban serve\n")


def test_a_broken_pipe_is_quiet(kiban: Kiban, monkeypatch: pytest.MonkeyPatch, client: FakeClient) -> None:
    def machines() -> list[Any]:
        raise BrokenPipeError

    monkeypatch.setattr(client, "machines", machines)
    monkeypatch.setattr(main, "_close_output", lambda: None)
    assert kiban("ls") == Outcome(1, "", "")


def test_create_sends_what_was_said(kiban: Kiban, client: FakeClient) -> None:
    options = "--generation 1 --memory 512M --disk 1G --disk a.vhd,format=vhd,copy --dvd x.iso --floppy f.img"
    more = "--boot dvd,disk --secure-boot off --tpm --com2 file:log --pause-after-boot-failure on --autostart"
    outcome = kiban("create", "old", *options.split(), *more.split())
    assert outcome == Outcome(0, "old: off\n", "")
    said = client.calls[0][2]
    assert (said["name"], said["generation"], said["memory"], said["cpus"]) == ("old", 1, 512 << 20, None)
    image = DiskRequest(path="a.vhd", format="vhd", copy=True)
    assert said["disks"] == (DiskRequest(size=1 << 30), image)
    assert (said["dvds"], said["floppy"]) == ((DvdRequest(iso="x.iso"),), "f.img")
    assert (said["boot"], said["secure_boot"], said["tpm"], said["nics"]) == (("dvd", "disk"), False, True, None)
    assert said["coms"] == (ComRequest(number=2, kind="file", path="log"),)
    assert (said["pause_after_boot_failure"], said["autostart"]) == (True, True)


def test_create_can_say_every_member_of_the_request(kiban: Kiban, client: FakeClient) -> None:
    from dataclasses import fields

    from kiban.model.requests import MachineRequest

    kiban("create", "new")
    assert set(client.calls[0][2]) == {field.name for field in fields(MachineRequest)}


def test_set_changes_settings_then_devices_then_media(kiban: Kiban, client: FakeClient) -> None:
    devices = "--remove-device disk0 --move disk1,bus=scsi,slot=3 --move dvd0 --add-disk 5G --add-dvd none --dvd /x.iso"
    outcome = kiban("set", "web", "--cpus", "4", "--autostart", "off", *devices.split())
    assert outcome == Outcome(0, "web: off\n", "")
    assert client.calls == [
        ("edit", ("web",), {"cpus": 4, "autostart": False}),
        ("remove_device", ("web", "disk0"), {}),
        ("move_drive", ("web", "disk1", "scsi", 3), {}),
        ("move_drive", ("web", "dvd0", None, None), {}),
        ("add_disk", ("web", DiskRequest(size=5 << 30)), {}),
        ("add_dvd", ("web", "", None), {}),
        ("insert", ("web", "dvd0", "/x.iso"), {}),
    ]


def test_set_sends_nothing_when_a_part_makes_no_sense(kiban: Kiban, client: FakeClient) -> None:
    assert kiban("set", "web", "--cpus", "4", "--add-disk", "5X").code == 2
    assert kiban("set", "web", "--move", "disk1,slot=x").code == 2
    assert client.calls == []


def test_set_can_say_every_member_of_the_changes(kiban: Kiban, client: FakeClient) -> None:
    from dataclasses import fields

    from kiban.model.requests import Changes

    every = "--cpus 1 --memory 1G --secure-boot on --template custom --keys k --pause-after-boot-failure on "
    more = "--pxe-protocol ipv6 --tpm off --boot disk --com1 socket --floppy none --video std --guest g"
    kiban("set", "web", *every.split(), *more.split(), "--autostart", "on", "--notes", "n")
    assert set(client.calls[0][2]) == {field.name for field in fields(Changes)}


def test_an_adapter_is_changed_in_its_place(kiban: Kiban, client: FakeClient) -> None:
    ssh, dns = (Forward(protocol=p, host_address="127.0.0.1", host_port=n, guest_port=n) for p, n in FORWARDED)  # type: ignore[arg-type]
    client.views["web"].nics = [SimpleNamespace(id="nic0", forwards=[ssh, dns])]
    web = Forward(protocol="tcp", host_address="10.0.0.1", host_port=8080, guest_port=80)
    more = ("--nic", "nic0,none,mac=new,model=e1000e,pxe=/srv,file=a.efi", "--nic", "nic0,nat,pxe=none")
    assert kiban("set", "web", "--nic", "nic0,no-forward=udp:53,forward=10.0.0.1:8080:80", *more).code == 0
    boot = NetBootRequest(folder="/srv", file="a.efi")
    assert client.calls == [
        ("change_nic", ("web", "nic0"), {"forwards": (ssh, web)}),
        ("change_nic", ("web", "nic0"), {"network": "none", "mac": "new", "model": "e1000e", "boot": boot}),
        ("change_nic", ("web", "nic0"), {"network": "nat", "boot": "none"}),
    ]
    outcome = kiban("set", "web", "--nic", "nic0,no-forward=0.0.0.0:2222")
    assert (outcome.code, len(client.calls)) == (3, 3)
    assert "It forwards: tcp:127.0.0.1:2222, udp:127.0.0.1:53" in outcome.err
    for nonsense in ("nic0", "nic0,nat,none", "nic0,file=a", "nic0,mac", "nic0,no-forward=x", "nic0,kind=fast"):
        assert kiban("set", "web", "--nic", nonsense).code == 2, nonsense
    assert len(client.calls) == 3


FORWARDED = (("tcp", 2222), ("udp", 53))


def test_dvd_none_ejects_and_two_drives_want_a_name(kiban: Kiban, client: FakeClient) -> None:
    assert kiban("set", "web", "--dvd", "none").code == 0
    assert client.calls == [("eject", ("web", "dvd0"), {})]
    client.views["web"].dvds.append(SimpleNamespace(id="dvd1", bus="scsi", slot=2, medium=""))
    outcome = kiban("set", "web", "--dvd", "/x.iso")
    assert outcome.code == 2
    assert "--dvd dvd0=/x.iso" in outcome.err
    kiban("set", "web", "--dvd", "dvd1=/x.iso")
    assert client.calls[-1] == ("insert", ("web", "dvd1", "/x.iso"), {})
    client.views["web"].dvds.clear()
    assert kiban("set", "web", "--dvd", "/x.iso").code == 3


def test_one_com_port_changes_and_the_other_stays(kiban: Kiban, client: FakeClient) -> None:
    client.views["web"].coms = [SimpleNamespace(number=1, kind="file", path="/log")]
    kiban("set", "web", "--com2", "socket")
    kept, new = ComRequest(number=1, kind="file", path="/log"), ComRequest(number=2, kind="socket")
    assert client.calls[-1][2] == {"coms": (kept, new)}
    kiban("set", "web", "--com1", "none")
    assert client.calls[-1][2] == {"coms": ()}


def test_rename(kiban: Kiban) -> None:
    assert kiban("rename", "web", "web2") == Outcome(0, "web2: off\n", "")


def test_remove_asks_and_refuses_where_nobody_can_answer(kiban: Kiban, client: FakeClient, monkeypatch: Any) -> None:
    assert kiban("remove", "web").code == 2
    answers = iter(["n\n", "yes\n"])
    terminal = SimpleNamespace(isatty=lambda: True, readline=lambda: next(answers))
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert kiban("remove", "web").code == 130
    assert "web" in client.views
    assert kiban("remove", "web").out == "web: removed\n"
    assert list(client.views) == ["db"]
    assert kiban("remove", "--yes", "web", "db").code == 3
    assert client.views == {}


def test_ls(kiban: Kiban, client: FakeClient) -> None:
    client.views["x"] = view("x", problem="vm.json is damaged")
    heading, db, web, x = kiban("ls").out.splitlines()
    assert heading.split() == ["NAME", "GENERATION", "STATE", "CPUS", "MEMORY", "GUEST", "UPTIME"]
    assert db.split()[:7] == ["db", "2", "running", "2", "2", "GiB", "debian12"]
    assert web.split() == ["web", "2", "off", "2", "2", "GiB", "debian12"]
    assert x.split()[2] == "damaged"
    assert kiban("ls", "-o", "name").out == "db\nweb\nx\n"
    assert [m["name"] for m in json.loads(kiban("ls", "-o", "json").out)] == ["db", "web", "x"]


def test_ls_without_machines_says_what_to_do(kiban: Kiban, client: FakeClient) -> None:
    client.views.clear()
    assert "kiban create" in kiban("ls").out
    assert json.loads(kiban("ls", "-o", "json").out) == []


def test_info_shows_the_hardware_and_what_is_missing(kiban: Kiban) -> None:
    text = kiban("info", "web").out
    assert "SCSI 0:0" in text
    assert "SCSI 1:1" in text
    assert "[::1]:2222" in text
    assert "Secure Boot on" in text
    assert "refused (dvd0): It is not signed." in text
    assert "does not have" in text
    assert "\x1b" not in text
    assert json.loads(kiban("info", "web", "-o", "json").out)["disks"][0]["id"] == "disk0"


def test_info_of_one_that_runs_tells_how_its_guest_is(kiban: Kiban) -> None:
    text = kiban("info", "db").out
    assert re.search("heartbeat +OK", text)
    assert "10.0.2.15" in text
    assert "heartbeat" not in kiban("info", "web").out


def test_top_tells_once_where_nobody_watches(kiban: Kiban, client: FakeClient) -> None:
    heading, db = kiban("top").out.splitlines()
    assert heading.split()[:4] == ["NAME", "CPU", "MEMORY", "OF"]
    assert " ".join(db.split()) == "db 12 % 256 MiB 2 GiB 4 KiB 0 B ok 10.0.2.15"
    assert kiban("top", "web").out.splitlines()[1].split() == ["web", "2", "GiB", "off"]
    (told,) = json.loads(kiban("top", "-o", "json").out)
    assert told["samples"][0]["cpu"] == 12.4
    assert kiban("top", "nobody").code == 3
    client.views.clear()
    assert "No machine runs." in kiban("top").out


def test_what_a_generation_lacks_comes_from_its_literal() -> None:
    assert cards.absent(GEN1) == ["UEFI", "Secure Boot", "TPM", "boot from SCSI", "HTTP boot"]
    assert cards.absent(GEN2) == ["IDE", "floppy", "PS/2", "COM ports until asked for", "legacy network adapters"]


def test_uptime() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    begins = {0: "0 s", 59: "59 s", 60: "1 min", 3700: "1 h 1 min", 86400 * 3 + 7200: "3 d 2 h"}
    for seconds, text in begins.items():
        assert reads.uptime((now - timedelta(seconds=seconds)).isoformat(), now) == text


def test_events_of_one_machine(kiban: Kiban, client: FakeClient) -> None:
    for name in ("web", "db"):
        event = {"number": 1, "time": "2026-01-01T00:00:00.000+00:00", "kind": "machine.state", "machine": name}
        client.happenings.append(SimpleNamespace(**event, machine_id=f"id-of-{name}", data={"state": "a\x1b[2J"}))
    assert [json.loads(line)["machine"] for line in kiban("events", "-o", "json").out.splitlines()] == ["web", "db"]
    assert kiban("events", "nobody").code == 3
    (line,) = kiban("events", "web").out.splitlines()
    assert "machine.state" in line
    assert "\x1b" not in line


def test_host_tells_what_takes_most_and_what_is_promised_twice(kiban: Kiban, client: FakeClient) -> None:
    given = SimpleNamespace(machines=2, cpus=4, memory=2 << 30)
    room = SimpleNamespace(path="/srv", size=9 << 30, free=2 << 30, machines=5, images=0, library=0, growth=3 << 30)
    parts = {"disks": 4 << 30, "saved": 1 << 30, "other": 0, "provisioned": 7 << 30, "growth": 3 << 30}
    client.room = SimpleNamespace(
        processors=2,
        memory=8 << 30,
        memory_available=4 << 30,
        all=given,
        running=given,
        file_systems=[room],
        holdings=[SimpleNamespace(name="web", id="1", takes=5 << 30, users=[], **parts)],
    )
    lines = kiban("host").out.splitlines()
    assert "2; running machines have 4 virtual ones, all 4" in lines[1]
    assert "If all disks on /srv were full, 1 GiB would be lacking there." in lines
    assert " ".join(lines[-1].split()) == "web 5 GiB 4 GiB 1 GiB 0 B 7 GiB 3 GiB"
    assert json.loads(kiban("host", "-o", "json").out)["holdings"][0]["takes"] == 5 << 30


def test_doctor_fails_only_for_what_is_needed(kiban: Kiban, client: FakeClient) -> None:
    swtpm = SimpleNamespace(name="swtpm", ok=False, detail="not found", hint="apt install swtpm", needed=False)
    client.findings = [swtpm]
    assert kiban("doctor").code == 0
    swtpm.needed = True
    outcome = kiban("doctor")
    assert outcome.code == 6
    assert "MISSING  swtpm: not found" in outcome.out
    assert "hint: apt install swtpm" in outcome.out
    assert json.loads(kiban("doctor", "-o", "json").out)[0]["ok"] is False


def test_screen_and_keyboard(kiban: Kiban, client: FakeClient, tmp_path: Path) -> None:
    assert kiban("screenshot", "web", str(tmp_path / "a.png")).code == 0
    assert (tmp_path / "a.png").read_bytes() == b"\x89PNG picture"
    outcome = kiban("screenshot", "web", str(tmp_path / "no" / "a.png"))
    assert outcome.code == 2
    assert "Cannot write" in outcome.err
    kiban("type", "web", "root", "--enter")
    kiban("key", "web", "ctrl-alt-delete", "ret")
    assert "nothing to type" in kiban("type", "web", "").err
    assert client.calls == [
        ("type_text", ("web", "root\n"), {}),
        ("press", ("web", "ctrl-alt-delete"), {}),
        ("press", ("web", "ret"), {}),
    ]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KIBAN_STATE", str(tmp_path))
    return tmp_path


def test_tokens_are_made_listed_and_revoked_without_a_service(kiban: Kiban, state: Path) -> None:
    secret = kiban("token", "create", "backup", "--role", "viewer").out.strip()
    assert len(secret) > 30
    assert Tokens(state).find(secret.encode()).role == "viewer"
    assert kiban("token", "list").out.splitlines()[1].split()[:2] == ["backup", "viewer"]
    (shown,) = json.loads(kiban("token", "list", "-o", "json").out)
    assert set(shown) == {"name", "role", "created", "used"}
    assert kiban("token", "create", "backup").code == 4
    assert kiban("token", "revoke", "backup") == Outcome(0, "backup: revoked\n", "")
    assert kiban("token", "revoke", "backup").code == 3


def test_tokens_of_a_service_that_is_named_are_its_own(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Service(state) as service:
        monkeypatch.setenv("KIBAN_URL", service.url)
        monkeypatch.setenv("KIBAN_STATE", str(state / "another"))
        for line in ("list -o json", "create ci --role viewer", "revoke ci"):
            assert main.run(["token", *line.split()]) == 0
        assert [call[0] for call in service.host.calls] == ["tokens.list", "tokens.create", "tokens.revoke"]
    assert not (state / "another").exists()
    out = capsys.readouterr().out
    assert json.loads(out[: out.index("]") + 1])[0]["name"] == "ci"
    assert out.endswith("secret\nci: revoked\n")


@pytest.mark.parametrize("said", [["--cert", "c.pem"], ["--listen", "127.0.0.1:0", "--key", "k.pem"]])
def test_serve_wants_a_certificate_and_its_key(kiban: Kiban, state: Path, said: list[str]) -> None:
    outcome = kiban("serve", *said)
    assert outcome.code == 2
    assert "--cert and --key" in outcome.err


def test_version(kiban: Kiban) -> None:
    assert kiban("--version") == Outcome(0, f"kiban {__version__}\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_ask_kiban(kiban: Kiban, shell: str) -> None:
    script = kiban("completion", shell).out
    assert "_KIBAN_COMPLETE" in script
    assert f"complete_{shell}" in script


def test_completion_of_names(kiban: Kiban, client: FakeClient, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("_KIBAN_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "kiban start w")
    monkeypatch.setenv("COMP_CWORD", "2")
    with pytest.raises(SystemExit) as caught:
        kiban()
    assert caught.value.code == 0
    assert capsys.readouterr().out.split() == ["web"]


def test_completion_never_starts_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def connect(*, start: bool = True) -> FakeClient:
        asked.append(start)
        raise NoService("The service does not run.")

    monkeypatch.setattr(arguments, "connect", connect)
    assert arguments.complete_machine("w") == []
    assert asked == [False]


@pytest.mark.parametrize(
    ("said", "json_wanted"),
    [
        (["ls", "-o", "json"], True),
        (["ls", "--output=json"], True),
        (["ls", "-ojson"], True),
        (["ls", "-o", "table"], False),
        (["ls", "json"], False),
        (["type", "web", "--", "-o", "json"], False),
    ],
)
def test_json_is_recognised_before_the_arguments_are(said: list[str], json_wanted: bool) -> None:
    assert main.wants_json(said) is json_wanted
