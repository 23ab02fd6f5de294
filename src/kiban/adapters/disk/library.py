# SPDX-License-Identifier: GPL-2.0-or-later
"""The library of media: a folder of ISO and floppy images that were sent here, each whole or not there at all.

What arrives is written under a hidden name beside its place (see kiban.adapters.disk.placing), looked at as soon as its
first bytes are there, and never kept in memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from kiban.adapters.disk import media, placing, space
from kiban.adapters.files import sync_directory
from kiban.errors import BadInput, Conflict, Failed, HostLacks, NotFound
from kiban.model.units import MiB, format_size

Kind = Literal["iso", "floppy"]
SUFFIXES: dict[str, Kind] = {".iso": "iso", ".img": "floppy", ".ima": "floppy", ".flp": "floppy", ".vfd": "floppy"}
MOST_NAME = 200
"""Bytes of a name; the hidden one beside it is longer, and a file system has room for 255."""
KEPT_FREE = 64 * MiB
"""Bytes that an upload leaves free: the machines beside it write too."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An image of the library; `size` in bytes, `added` ISO 8601 in UTC."""

    name: str
    path: str
    kind: Kind
    size: int
    added: str


def check_name(name: str) -> tuple[str, Kind]:
    """A name as it is kept (Unicode's form NFC), and what it says the image is; BadInput for what is no plain name."""
    kept = unicodedata.normalize("NFC", name)
    odd = any(unicodedata.category(c)[0] == "C" or unicodedata.category(c) in ("Zl", "Zp") for c in kept)
    if odd or "/" in kept or "\ufffd" in kept or kept != kept.strip() or kept.startswith(".") or not kept:
        raise BadInput(
            f"{name[:80]!a} cannot be the name of an image.",
            "Use a plain name without '/', not beginning with a dot.",
            code="bad-name",
        )
    if len(kept.encode()) > MOST_NAME:
        raise BadInput(f"A name of an image may have {MOST_NAME} bytes.", "Choose a shorter one.", code="bad-name")
    kind = SUFFIXES.get(Path(kept).suffix.lower())
    if kind is None:
        raise BadInput(
            f"{kept} does not say by its name what it is.",
            f"Let it end with one of {', '.join(SUFFIXES)}; a disk is imported: kiban import",
            code="unknown-format",
        )
    return kept, kind


def check_room(folder: Path, size: int) -> None:
    """HostLacks when so many more bytes would leave too little for others."""
    free = space.free_bytes(folder) - KEPT_FREE
    if size > free:
        raise HostLacks(
            f"There is no room for {format_size(size)} in {folder}: {format_size(max(free, 0))} can be taken.",
            f"Remove what is not needed; see df -h {folder}",
            code="no-space",
        )


def place(folder: Path, name: str, size: int | None) -> Path:
    """Where an image of that name and size (bytes, None: not known) is to be; BadInput, Conflict, HostLacks."""
    kept, kind = check_name(name)
    if kind == "floppy" and size is not None:
        media.check_floppy_size(kept, size)
    target = folder / kept
    if target.exists() or target.is_symlink():
        raise Conflict(
            f"{kept} is in the library already.",
            "Choose another name, or remove it first: kiban media remove NAME",
            code="file-exists",
        )
    check_room(folder, size or 0)
    return target


@contextmanager
def arriving(folder: Path, name: str, size: int | None) -> Iterator[Arrival]:
    """An image that is being taken in; whatever ends that before `finish` has, nothing of it is left.

    Raises what `place` does, and Conflict while another of that name arrives.
    """
    target = place(folder, name, size)
    with placing.unfinished(target) as (part, descriptor):
        os.ftruncate(descriptor, 0)
        yield Arrival(target, part, descriptor, size)


class Arrival:
    """Where an image is written to."""

    def __init__(self, target: Path, part: Path, descriptor: int, size: int | None) -> None:
        self._target, self._part, self._size = target, part, size
        self._kind = SUFFIXES[target.suffix.lower()]
        self._written = 0
        self.descriptor = descriptor

    def write(self, piece: bytes) -> None:
        """Add some bytes, the first time at least those by which an ISO is known. It blocks.

        Raises BadInput for what is no image of its kind or longer than was announced, HostLacks, Failed.
        """
        name = self._target.name
        if not self._written and self._kind == "iso":
            media.check_iso_area(name, piece[media.ISO_AREA.start : media.ISO_AREA.stop])
        self._written += len(piece)
        if self._size is not None and self._written > self._size:
            raise BadInput(f"More of {name} came than was announced.", "Send it again.", code="too-long")
        if self._kind == "floppy" and self._written > media.LARGEST_FLOPPY:
            media.check_floppy_size(name, self._written)
        check_room(self._target.parent, len(piece))
        _write(self.descriptor, piece, self._target)

    async def finish(self) -> Stored:
        """Let it appear, whole and durably. Raises BadInput, Conflict, Failed."""
        if self._written == 0 or self._size not in (None, self._written):
            message = f"Only {self._written} bytes of {self._target.name} came."
            raise BadInput(message, "Send it again.", code="cut-short")
        if self._kind == "floppy":
            media.check_floppy_size(self._target.name, self._written)
        await placing.finish(self._part, self._target)
        return _stored(self._target)


def _write(descriptor: int, data: bytes, target: Path) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise placing.no_space(target) from None
        raise Failed(
            f"{target.name} cannot be written: {error.strerror}.", "The host's log may say why: dmesg", code="io-error"
        ) from error


def stored(folder: Path) -> list[Stored]:
    """All images of the library, by name; what is hidden or no file of a kind that is known is none."""
    return sorted(_all(folder), key=lambda image: image.name.casefold())


def _all(folder: Path) -> Iterator[Stored]:
    for path in folder.iterdir():
        if not path.name.startswith(".") and path.suffix.lower() in SUFFIXES and path.is_file():
            with contextlib.suppress(FileNotFoundError):  # it has been removed meanwhile
                yield _stored(path)


def _stored(path: Path) -> Stored:
    found = path.stat()
    added = datetime.fromtimestamp(found.st_mtime, UTC).isoformat(timespec="seconds")
    kind = SUFFIXES[path.suffix.lower()]
    return Stored(name=path.name, path=str(path), kind=kind, size=found.st_size, added=added)


def find(folder: Path, name: str) -> Path:
    """Where the image of that name is; NotFound."""
    kept, _ = check_name(name)
    path = folder / kept
    if not path.is_file():
        raise NotFound(f"There is no {kept} in the library.", "See what is there: kiban media ls", code="no-such-image")
    return path


def remove(path: Path) -> None:
    """Remove an image, durably."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def sweep(folder: Path) -> None:
    """Remove what a killed service was being sent; nobody else works in this folder."""
    for left in folder.glob(".*.part"):
        left.unlink(missing_ok=True)
