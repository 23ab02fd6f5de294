# SPDX-License-Identifier: GPL-2.0-or-later
"""What this host's QEMU is, and whether its kernel can accelerate it. Asked of QEMU and the kernel, never guessed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kiban.errors import Failed, HostLacks
from kiban.paths import private

BINARY = "qemu-system-x86_64"
SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Qemu:
    """A QEMU binary. `machines` maps each family's alias to its newest versioned type: pc-q35 to pc-q35-7.2."""

    path: str
    version: str
    machines: dict[str, str]
    devices: tuple[str, ...]

    def newest(self, family: str) -> str:
        """The newest machine type of a family (`pc-q35`); HostLacks in a QEMU that was built without it."""
        if family not in self.machines:
            raise HostLacks(f"{self.path} has no {family} machines.", "Install Debian's: apt install qemu-system-x86")
        return self.machines[family]


@dataclass(frozen=True, kw_only=True)
class Acceleration:
    """The accelerator to use, and the evidence in a sentence."""

    name: str
    why: str


def acceleration(modules: Path = Path("/sys/module"), device: Path = Path("/dev/kvm")) -> Acceleration:
    """KVM when the kernel drives real virtualization hardware and the device opens; TCG otherwise.

    An open /dev/kvm proves nothing: a paravirtual KVM (kvm_pvm) opens too, and then hangs an ordinary guest.
    """
    if platform.machine() not in ("x86_64", "amd64"):
        return Acceleration(name="tcg", why=f"this host is {platform.machine()}, the machines are x86_64")
    if not any((modules / name).is_dir() for name in ("kvm_intel", "kvm_amd")):
        return Acceleration(name="tcg", why="the kernel has neither kvm_intel nor kvm_amd loaded")
    if not os.access(device, os.R_OK | os.W_OK):
        return Acceleration(name="tcg", why=f"{device} cannot be opened: join the group kvm")
    return Acceleration(name="kvm", why="hardware virtualization is there")


async def qemu(cache: Path) -> Qemu:
    """This host's QEMU. Asking it takes a good part of a second, so the answer is kept until the binary changes."""
    path = shutil.which(BINARY)
    if path is None:
        raise HostLacks(f"{BINARY} is not installed.", "apt install qemu-system-x86")
    stat = Path(path).stat()
    stamp = f"{path}:{stat.st_mtime_ns}:{stat.st_size}"
    try:
        kept = json.loads(cache.read_bytes())
        if kept.pop("stamp") == stamp:
            return Qemu(**kept | {"devices": tuple(kept["devices"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # no usable answer was kept: ask again
    found = await _ask(path)
    with contextlib.suppress(OSError):  # a full disk costs the time to ask again, nothing else
        _keep(cache, {"stamp": stamp, **asdict(found)})
    return found


def _keep(cache: Path, answer: dict[str, Any]) -> None:
    with open(cache, "w", opener=private) as file:
        json.dump(answer, file)


async def _ask(path: str) -> Qemu:
    commands: list[dict[str, Any]] = [
        {"execute": "qmp_capabilities"},
        {"execute": "query-machines"},
        {"execute": "qom-list-types", "arguments": {"implements": "device", "abstract": False}},
        {"execute": "quit"},
    ]
    out, err, code = await _run(path, b"".join(json.dumps(c).encode() + b"\n" for c in commands))
    try:
        replies = [json.loads(line) for line in out.splitlines()]
        answers = [r["return"] for r in replies if "return" in r]
        if code == 0:
            version = _version(replies)
            return Qemu(path=path, version=version, machines=_newest(answers[1]), devices=_names(answers[2]))
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration):
        pass  # that is not what a QEMU says
    raise Failed(
        f"{path} does not work: {err.decode(errors='replace').strip()[-300:] or 'it does not answer as QEMU does'}",
        f"Run it by hand: {path} -version",
    )


async def _run(path: str, commands: bytes) -> tuple[bytes, bytes, int | None]:
    hint = f"Run it by hand: {path} -version"
    # all of it is in the pipe before QEMU starts, "quit" included: should the service be killed, QEMU still ends
    reader, writer = os.pipe()
    os.write(writer, commands)
    os.close(writer)
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            *("-machine", "none", "-nodefaults", "-display", "none", "-qmp", "stdio"),
            stdin=reader,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise Failed(f"{path} cannot be run: {error.strerror}.", hint) from error
    finally:
        os.close(reader)
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
    except BaseException as error:
        process.kill()
        if isinstance(error, TimeoutError):
            raise Failed(f"{path} does not answer.", hint) from None
        raise
    return out, err, process.returncode


def _version(replies: list[dict[str, Any]]) -> str:
    number = next(r["QMP"]["version"]["qemu"] for r in replies if "QMP" in r)
    return f"{number['major']}.{number['minor']}.{number['micro']}"


def _newest(machines: list[dict[str, Any]]) -> dict[str, str]:
    # QEMU gives the alias of a family to its newest version: "q35" stands at pc-q35-7.2, "pc" at pc-i440fx-7.2
    return {m["name"].rpartition("-")[0]: m["name"] for m in machines if m.get("alias") in ("pc", "q35")}


def _names(types: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted(t["name"] for t in types))
