# SPDX-License-Identifier: GPL-2.0-or-later
"""What a path holds: a machine that Kiban exported, the description of another, or a lone disk. By names and folders
only; contents are not probed.

A Hyper-V export is a folder with `Virtual Machines` (one configuration in it), `Virtual Hard Disks` and `Snapshots`.
Symbolic links inside a folder are passed over: a folder from elsewhere does not choose which of this host's files are
read.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kiban.adapters.foreign import names
from kiban.adapters.foreign.names import shown
from kiban.errors import BadInput, NotAllowed, NotFound
from kiban.model.export import MANIFEST

Kind = Literal["kiban", "vmcx", "xml", "ovf", "ova", "disk"]
MACHINES, DISKS, SNAPSHOTS = "Virtual Machines", "Virtual Hard Disks", "Snapshots"

_ENTRIES_LIMIT = 10_000  # of one folder
_SNAPSHOTS_LIMIT = 500  # Hyper-V allows 50 for each machine
_CHOICES = 10  # as many as a sentence can list
_DESCRIPTIONS: dict[str, Kind] = {".vmcx": "vmcx", ".xml": "xml", ".ovf": "ovf", ".ova": "ova"}
_TITLES: dict[Kind, str] = {
    "kiban": "an exported machine",
    "vmcx": "a Hyper-V machine",
    "xml": "a Hyper-V machine of Windows Server 2012 R2 or older",
    "ovf": "an OVF package",
    "ova": "an OVA package",
    "disk": "a virtual hard disk",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What was found. `path` is the description or the disk; its files are looked for in `root` and below."""

    kind: Kind
    title: str
    path: Path
    root: Path
    snapshots: tuple[Path, ...]


def find(path: Path) -> Source:
    """Say what a file or folder holds.

    Raises:
        NotFound, NotAllowed: it is not there, or may not be looked at.
        BadInput: it holds nothing that can be taken over, or several things, which are listed.
    """
    is_folder = _is_folder(path)
    path = path.absolute()
    if is_folder and (path / MANIFEST).is_file():
        return Source(kind="kiban", title=_TITLES["kiban"], path=path, root=path, snapshots=())
    return _choose(path, _in_folder(path)) if is_folder else _file(path)


def lone_disk(path: Path) -> Source:
    """The file as a disk, whatever its name; raises NotFound, NotAllowed and BadInput as `find`."""
    if _is_folder(path):
        raise BadInput(f"{path} is a folder, no disk.", "Name a file.", code="not-a-file")
    path = path.absolute()
    return Source(kind="disk", title=_TITLES["disk"], path=path, root=path.parent, snapshots=())


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"There is nothing at {path}.", "Check the path.", code="no-file") from None
    except PermissionError:
        raise NotAllowed(
            f"{path} may not be looked at.", f"See who owns it: ls -l {path}", code="unreadable-file"
        ) from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be opened: {error}.", "Name a file or a folder.", code="not-a-file") from None


def _file(path: Path) -> Source:
    kind = _kind(path)
    if kind is None:
        raise BadInput(
            f"{path} is nothing that can be taken over, by its name.",
            "Name a .vmcx, .xml, .ovf, .ova, .vhdx, .vhd, .qcow2, .vmdk, .vdi, .img or .raw file, or a folder.",
            code="unknown-source",
        )
    root = path.parent
    if kind in ("vmcx", "xml") and root.name.lower() in (MACHINES.lower(), SNAPSHOTS.lower()):
        root = root.parent
    snapshots = _snapshots(root, path) if kind in ("vmcx", "xml") else ()
    return Source(kind=kind, title=_TITLES[kind], path=path, root=root, snapshots=snapshots)


def _kind(path: Path) -> Kind | None:
    suffix = path.suffix.lower()
    return _DESCRIPTIONS.get(suffix) or ("disk" if names.image_kind(path.name) != "unknown" else None)


def _in_folder(folder: Path) -> list[Path]:
    """The candidates: descriptions here, in `Virtual Machines`, and one folder further down; else disks."""
    files, folders = listing(folder)
    described = [f for f in files if f.suffix.lower() in _DESCRIPTIONS]
    disks = [f for f in files if _kind(f) == "disk"]
    for below in folders:
        if below.name.lower() == MACHINES.lower():
            described += [f for f in listing(below)[0] if f.suffix.lower() in (".vmcx", ".xml")]
        elif below.name.lower() == DISKS.lower():
            disks += [f for f in listing(below)[0] if _kind(f) == "disk"]
        elif below.name.lower() != SNAPSHOTS.lower():
            # an export's folder is often in another one
            inner = [f for f in listing(below)[1] if f.name.lower() == MACHINES.lower()]
            described += [f for i in inner for f in listing(i)[0] if f.suffix.lower() in (".vmcx", ".xml")]
    return described or disks


def _choose(folder: Path, candidates: list[Path]) -> Source:
    if len(candidates) == 1:
        return _file(candidates[0])
    if not candidates:
        raise BadInput(
            f"{folder} holds no machine: no .vmcx, .xml, .ovf or .ova, and no virtual hard disk.",
            "Name the folder of an export, or a file.",
            code="nothing-to-import",
        )
    listed = ", ".join(shown(str(c.relative_to(folder))) for c in sorted(candidates)[:_CHOICES])
    more = f" and {len(candidates) - _CHOICES} more" if len(candidates) > _CHOICES else ""
    raise BadInput(
        f"{folder} holds several things to take over: {listed}{more}.", "Name one of them.", code="several-machines"
    )


def _snapshots(root: Path, path: Path) -> tuple[Path, ...]:
    """Configurations in `Snapshots` beside a machine's own; none for a configuration that is in there itself."""
    if path.parent.name.lower() == SNAPSHOTS.lower():
        return ()
    folders = [f for f in listing(root)[1] if f.name.lower() == SNAPSHOTS.lower()]
    found = [f for folder in folders for f in listing(folder)[0] if f.suffix.lower() == path.suffix.lower()]
    if len(found) > _SNAPSHOTS_LIMIT:
        raise BadInput(
            f"{root} has {len(found)} checkpoints, more than {_SNAPSHOTS_LIMIT}.",
            "Export the machine into a folder of its own.",
            code="too-large",
        )
    return tuple(found)


def listing(folder: Path) -> tuple[list[Path], list[Path]]:
    """The regular files and the folders of a folder, sorted; links and what else there is are not among them."""
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number == _ENTRIES_LIMIT:
                    raise BadInput(f"{folder} has more than {_ENTRIES_LIMIT} files.", "Name the machine's own folder.")
                if entry.is_file(follow_symlinks=False):
                    files.append(Path(entry.path))
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
    except PermissionError:
        raise NotAllowed(
            f"{folder} may not be looked at.", f"See who owns it: ls -ld {folder}", code="unreadable-file"
        ) from None
    except OSError as error:
        raise BadInput(f"{folder} cannot be read: {error.strerror}.", "Check the disk that it is on.") from None
    return sorted(files), sorted(folders)
