# SPDX-License-Identifier: GPL-2.0-or-later
"""What a host offers: acceleration by evidence, and QEMU asked once."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
from pathlib import Path

import pytest

from kiban.adapters.qemu import probe
from kiban.adapters.qemu.probe import Qemu
from kiban.errors import Failed, HostLacks

needs_qemu = pytest.mark.skipif(shutil.which(probe.BINARY) is None, reason="QEMU is not installed")


def ask(cache: Path) -> Qemu:
    return asyncio.run(asyncio.wait_for(probe.qemu(cache), 60))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """An x86_64 host without modules, and a /dev/kvm that opens."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    (tmp_path / "module").mkdir()
    (tmp_path / "kvm").write_text("")
    return tmp_path / "module", tmp_path / "kvm"


@pytest.mark.parametrize("module", ["kvm_intel", "kvm_amd"])
def test_hardware_modules_are_evidence(host: tuple[Path, Path], module: str) -> None:
    (host[0] / "kvm").mkdir()
    (host[0] / module).mkdir()
    assert probe.acceleration(*host).name == "kvm"


@pytest.mark.parametrize("module", ["kvm", "kvm_pvm", "kvm_arm"])
def test_a_device_that_opens_is_no_evidence(host: tuple[Path, Path], module: str) -> None:
    (host[0] / module).mkdir()
    found = probe.acceleration(*host)
    assert found.name == "tcg"
    assert "neither kvm_intel nor kvm_amd" in found.why


def test_a_device_that_does_not_open(host: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    (host[0] / "kvm_intel").mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = probe.acceleration(*host)
    assert (found.name, "group kvm" in found.why) == ("tcg", True)


def test_a_device_that_is_not_there(host: tuple[Path, Path]) -> None:
    (host[0] / "kvm_intel").mkdir()
    host[1].unlink()
    assert probe.acceleration(*host).name == "tcg"


def test_another_architecture(host: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    (host[0] / "kvm_intel").mkdir()
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    found = probe.acceleration(*host)
    assert (found.name, "aarch64" in found.why) == ("tcg", True)


@needs_qemu
def test_the_real_qemu(tmp_path: Path) -> None:
    found = ask(tmp_path / "q.json")
    assert found.newest("pc-q35").startswith("pc-q35-")
    assert found.newest("pc-i440fx").startswith("pc-i440fx-")
    assert {"virtio-scsi-pci", "virtio-net-pci", "tulip", "bochs-display", "tpm-crb"} <= set(found.devices)
    assert found.version[0].isdigit()
    with pytest.raises(HostLacks, match="no pc-x machines"):
        found.newest("pc-x")


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / probe.BINARY
    program.write_text(script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return program


REPLIES = [
    {"QMP": {"version": {"qemu": {"major": 9, "minor": 1, "micro": 2}}}},
    {"return": {}},
    {"event": "RESUME"},
    {"return": [{"name": "pc-q35-9.1", "alias": "q35"}, {"name": "pc-q35-9.0"}, {"name": "isapc"}]},
    {"return": [{"name": "b"}, {"name": "a"}]},
    {"return": {}},
]
WORKS = "#!/bin/sh\necho asked >> {log}\ncat > /dev/null\ncat <<'END'\n{said}\nEND\n"


def test_the_answer_is_kept_until_the_binary_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, cache = tmp_path / "log", tmp_path / "q.json"
    script = WORKS.format(log=log, said="\n".join(json.dumps(r) for r in REPLIES))
    program = fake(tmp_path / "bin", monkeypatch, script)
    first = ask(cache)
    assert first == Qemu(path=str(program), version="9.1.2", machines={"pc-q35": "pc-q35-9.1"}, devices=("a", "b"))
    assert ask(cache) == first
    assert log.read_text() == "asked\n"
    os.utime(program, ns=(1, 1))
    assert ask(cache) == first
    assert log.read_text() == "asked\n" * 2


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b"null", b'{"stamp": 1}', b"\xff", b"[" * 100_000])
def test_a_damaged_answer_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bytes) -> None:
    fake(tmp_path / "bin", monkeypatch, WORKS.format(log="/dev/null", said="\n".join(json.dumps(r) for r in REPLIES)))
    (tmp_path / "q.json").write_bytes(kept)
    assert ask(tmp_path / "q.json").version == "9.1.2"


def test_an_answer_that_cannot_be_kept_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path / "bin", monkeypatch, WORKS.format(log="/dev/null", said="\n".join(json.dumps(r) for r in REPLIES)))
    assert ask(tmp_path / "none" / "q.json").version == "9.1.2"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\necho 'libfoo.so: cannot open' >&2; exit 127\n", "libfoo.so: cannot open"),
        ("#!/bin/sh\necho hello\n", "does not answer as QEMU does"),
        ("#!/bin/sh\nexit 0\n", "does not answer as QEMU does"),
        ("#!/bin/sh\necho '{\"return\": 1}'; echo 7\n", "does not answer as QEMU does"),
        ("not a program", "cannot be run"),
    ],
)
def test_a_qemu_that_does_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str) -> None:
    fake(tmp_path / "bin", monkeypatch, script)
    with pytest.raises(Failed, match=words) as caught:
        ask(tmp_path / "q.json")
    assert caught.value.hint
    assert not (tmp_path / "q.json").exists()


def test_no_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostLacks, match="is not installed") as caught:
        ask(tmp_path / "q.json")
    assert "apt install" in caught.value.hint
