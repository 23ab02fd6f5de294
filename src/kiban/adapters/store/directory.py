# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's directory: vm.json, and appearing and disappearing in one step.

<machines>/<id>/vm.json       the definition; replaced by rename, after fsync
                status.json   what is worth keeping about the last run
                lock          held by the machine's QEMU for as long as that runs
                tpm.lock      the same of its swtpm
                nvram.fd, keys.json, keys.undo.json, tpm/, diskN.*, memory.saved
                .*           being written; nobody's any more when a service starts
<machines>/.new-<id>/         a machine being made; renamed to <id> when whole
<machines>/.gone-<id>/        a machine being removed
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from kiban.adapters.files import replace_file, sync_directory
from kiban.errors import BadInput, Conflict, Damaged, Failed, HostLacks, NotFound
from kiban.model import consistency
from kiban.model.machine import VERSION, Machine

NEW, GONE = ".new-", ".gone-"
MAX_BYTES = 1024 * 1024
_adapter: TypeAdapter[Machine] = TypeAdapter(Machine)


def load(directory: Path) -> Machine:
    """Read a machine's definition; Damaged, with the place and a hint, when it cannot be understood."""
    machine = parse(_read(directory / "vm.json"), directory / "vm.json")
    if machine.id != directory.name.removeprefix(NEW):
        raise Damaged(
            f"{directory} holds the definition of another machine, {machine.id}.",
            "A copied directory needs an id of its own: give it a new UUID, as its name and in vm.json.",
            code="copied-machine",
        )
    return machine


def parse(text: bytes, path: Path) -> Machine:
    """The machine that a definition describes; Damaged, with the place in `path`, when it cannot be understood."""
    hint = f"Restore {path} from a backup, or look at it: nothing has been changed."
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path} is not JSON: {error}.", hint) from None
    version = data.get("version") if isinstance(data, dict) else None
    if version != VERSION:
        raise Damaged(
            f"{path} is of version {version!r}; this Kiban reads version {VERSION}.",
            "Use the Kiban that made it, or a newer one.",
            code="other-version",
        )
    try:
        machine = _adapter.validate_python(data)
        dump(machine)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top"
        raise Damaged(f"{path} is damaged at {place}: {first['msg']}.", hint) from None
    except BadInput as error:
        raise Damaged(f"{path} is damaged: {error.message.rstrip('.')}.", hint) from None
    return machine


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Damaged(f"{path} is missing.", "Restore it from a backup, or remove the directory.") from None
    except OSError as error:
        raise Damaged(f"{path} cannot be read: {error.strerror}.", "Look at its owner and mode.") from None
    if len(text) > MAX_BYTES:
        raise Damaged(f"{path} is larger than a definition can be.", "Restore it from a backup.")
    return text


def save(directory: Path, machine: Machine) -> None:
    """Write a machine's definition: the old one or the new one is there at any moment, even after a power cut.

    Raises BadInput for what could not be read again, HostLacks or NotAllowed when it cannot be written.
    """
    replace_file(directory / "vm.json", dump(machine))


def dump(machine: Machine) -> bytes:
    """A definition as it is written; BadInput for what could not be read again."""
    consistency.check(machine)
    try:
        return _adapter.dump_json(machine, indent=2) + b"\n"
    except PydanticSerializationError:  # half a character, such as a name in Latin-1 becomes in Python
        raise BadInput("It has characters that are none.", "Use names in UTF-8.", code="not-text") from None


def read_status(directory: Path) -> dict[str, Any]:
    """What was kept about the last run; empty when there is nothing usable."""
    try:
        status = json.loads(_read(directory / "status.json"))
    except (Damaged, ValueError, RecursionError):
        return {}
    return status if isinstance(status, dict) else {}


def write_status(directory: Path, status: dict[str, Any]) -> None:
    """Keep something about the last run."""
    replace_file(directory / "status.json", json.dumps(status).encode())


def scan(machines: Path) -> Iterator[Path]:
    """The directories of all machines."""
    for entry in sorted(machines.iterdir()) if machines.is_dir() else ():
        if entry.is_dir() and _is_id(entry.name):
            yield entry


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def stage(machines: Path, machine_id: str) -> Path:
    """A directory in which to make a machine that nobody sees yet."""
    directory = machines / f"{NEW}{machine_id}"
    try:
        directory.mkdir()
        directory.chmod(machines.stat().st_mode & 0o711)
    except OSError as error:
        raise HostLacks(f"Cannot make {directory}: {error.strerror}.", "Look at the free space: df -h") from error
    return directory


def publish(staged: Path) -> Path:
    """Let a finished machine appear."""
    final = staged.with_name(staged.name.removeprefix(NEW))
    if final.exists():
        raise Conflict(f"{final} exists already.", "See what is there: kiban ls")
    staged.rename(final)
    sync_directory(final.parent)
    return final


def remove(directory: Path) -> None:
    """Make a machine disappear in one step, then delete what is in its directory."""
    gone = directory.with_name(f"{GONE}{directory.name}")
    try:
        directory.rename(gone)
    except FileNotFoundError:
        raise NotFound(f"{directory} is gone already.", "See what is there: kiban ls") from None
    except OSError as error:
        raise Failed(
            f"Cannot remove {directory}: {error.strerror}.", f"Look at it: ls -la {directory.parent}"
        ) from error
    sync_directory(gone.parent)
    shutil.rmtree(gone, ignore_errors=True)


def sweep(machines: Path) -> list[Path]:
    """Delete what a killed service left half made, half removed or half written; returns it."""
    left = [e for e in machines.iterdir() if e.name.startswith((NEW, GONE))] if machines.is_dir() else []
    for entry in left:
        shutil.rmtree(entry, ignore_errors=True)
    files = [file for directory in scan(machines) for file in _hidden(directory)]
    for file in files:
        with contextlib.suppress(OSError):
            file.unlink()
    return [*left, *files]


def _hidden(directory: Path) -> list[Path]:
    try:
        return [e for e in directory.iterdir() if e.name.startswith(".") and not e.is_dir()]
    except OSError:
        return []  # whoever loads the machine says what is wrong with its directory
