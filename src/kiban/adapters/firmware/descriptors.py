# SPDX-License-Identifier: GPL-2.0-or-later
"""Which UEFI build a machine gets, chosen by QEMU's firmware descriptors and never by a path we happen to know.

The format and the order of the folders are those of QEMU's docs/interop/firmware.json. A machine keeps the build it was
made with; `check_build` says when the distribution has replaced it since.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from kiban.errors import HostLacks, KibanError

_ARCHITECTURE = "x86_64"
_MAX_DESCRIPTOR = 256 << 10
_HINT = "apt install ovmf, or dnf install edk2-ovmf"


@dataclass(frozen=True, slots=True)
class FirmwareBuild:
    """A UEFI build as files of the host; `code_sha256` is hexadecimal."""

    code: Path
    vars_template: Path
    features: tuple[str, ...]
    descriptor: Path
    code_sha256: str

    @property
    def needs_smm(self) -> bool:
        return "requires-smm" in self.features


@dataclass(frozen=True, slots=True)
class _Candidate:
    descriptor: Path
    code: Path
    template: Path
    features: tuple[str, ...]

    def rank(self) -> tuple[bool, bool]:
        """Lower is better. A build that can do Secure Boot serves a machine that has it switched off as well, so
        switching needs no other firmware; a store without keys is better because the keys are ours to choose."""
        secure = {"secure-boot", "requires-smm"} <= set(self.features)
        return (not secure, "enrolled-keys" in self.features)


def search_path() -> list[Path]:
    """The folders of descriptors, least important first."""
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return [Path(base) / "qemu/firmware" for base in ("/usr/share", "/etc", config)]


def find_uefi(machine_type: str, *, secure_boot: bool, folders: Sequence[Path] | None = None) -> FirmwareBuild:
    """The build for a machine type such as `pc-q35-7.2`.

    With `secure_boot` only a build that enforces it (SMM) will do; without it such a build is still preferred.
    Raises HostLacks, naming each candidate and why it lost.
    """
    fitting: list[_Candidate] = []
    lost: list[str] = []
    for descriptor in _descriptors(search_path() if folders is None else folders):
        try:
            fitting.append(_judge(descriptor, machine_type, secure_boot))
        except _UnfitError as reason:
            lost.append(f"{descriptor}: {reason}")
    if not fitting:
        kind = "UEFI firmware with Secure Boot" if secure_boot else "UEFI firmware"
        why = "; ".join(lost) if lost else "there is no firmware descriptor at all"
        raise HostLacks(f"This host has no {kind} for {machine_type}: {why}.", _HINT)
    best = min(fitting, key=_Candidate.rank)  # min keeps the order of the file names among equals
    return FirmwareBuild(best.code, best.template, best.features, best.descriptor, _sha256(best.code))


def check_build(code: Path, code_sha256: str) -> str:
    """A warning where a machine's firmware is no longer the build it was made with, else nothing.

    An upgraded build is no reason to refuse a start: it is how firmware gets its fixes. Raises HostLacks
    when it is gone.
    """
    try:
        now = _sha256(code)
    except OSError as error:
        raise HostLacks(f"The machine's firmware {code} cannot be read: {error.strerror}.", _HINT) from error
    if now == code_sha256:
        return ""
    return f"The firmware {code} was replaced since the machine was made (sha256 {code_sha256[:12]}, now {now[:12]})."


class _UnfitError(KibanError):
    """Why one descriptor does not fit; never leaves this module."""


def _descriptors(folders: Sequence[Path]) -> Iterator[Path]:
    """By file name; of equal names the most important folder's counts, and an empty file hides the name."""
    chosen: dict[str, Path] = {}
    for folder in folders:
        if folder.is_dir():
            chosen |= {path.name: path for path in folder.iterdir() if path.suffix == ".json"}
    for _, path in sorted(chosen.items()):
        try:
            masked = path.stat().st_size == 0
        except OSError:
            masked = False  # unreadable: _judge says so
        if not masked:
            yield path


def _judge(descriptor: Path, machine_type: str, secure_boot: bool) -> _Candidate:
    """The candidate in a descriptor. Raises _UnfitError."""
    content = _read(descriptor)
    try:
        features = tuple(str(feature) for feature in content["features"])
        mapping = content["mapping"]
        if "uefi" not in content["interface-types"]:
            raise _UnfitError("not UEFI")
        if not _has_target(content["targets"], machine_type):
            raise _UnfitError(f"not for {machine_type}")
        if mapping["device"] != "flash" or mapping.get("mode", "split") != "split":
            raise _UnfitError("not a flash build with a variable store of its own")
        parts = (mapping["executable"], mapping["nvram-template"])
        if any(part["format"] != "raw" for part in parts):
            raise _UnfitError("not a raw image")
        code, template = (Path(part["filename"]) for part in parts)
    except (KeyError, TypeError, AttributeError) as error:
        raise _UnfitError("not a firmware descriptor as QEMU defines it") from error
    if secure_boot and not {"secure-boot", "requires-smm"} <= set(features):
        raise _UnfitError("does not enforce Secure Boot")
    for file in (code, template):
        if not (file.is_file() and os.access(file, os.R_OK)):
            raise _UnfitError(f"{file} is missing or may not be read")
    return _Candidate(descriptor, code, template, features)


def _read(descriptor: Path) -> dict[str, Any]:
    try:
        with descriptor.open("rb") as file:
            content = json.loads(file.read(_MAX_DESCRIPTOR))
    except (OSError, ValueError, RecursionError) as error:
        raise _UnfitError("cannot be read as JSON") from error
    if not isinstance(content, dict):
        raise _UnfitError("not a JSON object")
    return content


def _has_target(targets: Sequence[dict[str, Any]], machine_type: str) -> bool:
    return any(
        target["architecture"] == _ARCHITECTURE
        and any(fnmatchcase(machine_type, pattern) for pattern in target["machines"])
        for target in targets
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
