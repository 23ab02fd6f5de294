# SPDX-License-Identifier: GPL-2.0-or-later
"""The bytes of an EDK2 variable store: a flash volume that holds a log of UEFI variables.

Everything that reads or changes a machine's NVRAM goes through here. Whole records are kept as they are, so a change
of one variable cannot disturb another, not even one this program has never heard of. The guest can write anything
into its variables, so each length is checked before it is followed.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Container
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Self
from uuid import UUID

from kiban.adapters.files import replace_file
from kiban.errors import BadInput, Damaged, NotAllowed, NotFound

GLOBAL = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
"""EFI_GLOBAL_VARIABLE: the vendor of Boot####, BootOrder, PK, KEK."""

NON_VOLATILE = 0x01
BOOT_ACCESS = 0x02
RUNTIME_ACCESS = 0x04
TIME_AUTHENTICATED = 0x20

_NVDATA_VOLUME = UUID("fff12b8d-7696-4c8b-a985-2747075b4f50")
_AUTHENTICATED_STORE = UUID("aaf32c78-947b-439a-a180-2e144ec37792")
_MAX_FILE = 16 << 20  # the largest flash build there is has 528 KiB of variables
_BUFFER = 64 << 10  # as much as most stores have written of it

# Layouts: EDK2 MdePkg/Include/Pi/PiFirmwareVolume.h and MdeModulePkg/Include/Guid/VariableFormat.h.
_VOLUME = struct.Struct("<16x16sQ4sLHHHBB")  # zero vector, guid, length, "_FVH", attributes, header length, ...
_STORE = struct.Struct("<16sLBB6x")  # guid, size, format, state
_RECORD = struct.Struct("<HBxLQ16sLLL16s")  # start, state, attributes, count, time, key, name size, data size, guid
_HEADERS = 4096  # both headers together have about a hundred bytes
_RECORD_START = 0x55AA
_ADDED = 0x3F
_IN_DELETED_TRANSITION = 0x3E  # a replacement was being written; counts unless that replacement is there

Key = tuple[str, UUID]


@dataclass(frozen=True, slots=True)
class Variable:
    """One UEFI variable; `time` is the EFI_TIME of a time-authenticated one, as 16 bytes."""

    name: str
    data: bytes
    guid: UUID = GLOBAL
    attributes: int = NON_VOLATILE | BOOT_ACCESS | RUNTIME_ACCESS
    time: bytes = bytes(16)
    count: int = 0
    key_index: int = 0

    def record(self) -> bytes:
        """The variable as the firmware writes it, padded to 4 bytes."""
        name = self.name.encode("utf-16-le", "surrogatepass") + b"\0\0"
        head = _RECORD.pack(
            _RECORD_START,
            _ADDED,
            self.attributes,
            self.count,
            self.time,
            self.key_index,
            len(name),
            len(self.data),
            self.guid.bytes_le,
        )
        body = head + name + self.data
        return body + b"\xff" * (-len(body) % 4)


@dataclass(slots=True)
class VariableStore:
    """The variables of one store in the order they were written, and the flash around them."""

    variables: dict[Key, Variable]
    _before: bytes = field(repr=False)
    _space: int
    _after: bytes = field(repr=False)

    @classmethod
    def parse(cls, blob: bytes, where: str) -> Self:
        """Read a whole flash image; `where` names it in errors. Raises Damaged."""
        start, end = _bounds(blob, len(blob), where)
        return cls(_read_records(io.BytesIO(blob), start, end, where), blob[:start], end - start, blob[end:])

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the store in a raw file. Raises NotFound, NotAllowed, Damaged."""
        with _open(path) as file:
            blob = file.read(_MAX_FILE)
        return cls.parse(blob, str(path))

    def get(self, name: str, guid: UUID = GLOBAL) -> bytes | None:
        """The variable's data, or None where it does not exist."""
        variable = self.variables.get((name, guid))
        return None if variable is None else variable.data

    def put(self, variable: Variable) -> None:
        """Add or replace a variable."""
        self.variables[variable.name, variable.guid] = variable

    def drop(self, name: str, guid: UUID = GLOBAL) -> None:
        """Remove a variable; one that is not there is already gone."""
        self.variables.pop((name, guid), None)

    def to_bytes(self) -> bytes:
        """The whole flash image, of the size it was read with. Raises BadInput when the variables do not fit."""
        log = b"".join(variable.record() for variable in self.variables.values())
        if len(log) > self._space:
            raise BadInput(
                f"The UEFI variables need {len(log)} bytes and the store has room for {self._space}.",
                "Remove boot entries, or make the store anew from its template",
            )
        return self._before + log.ljust(self._space, b"\xff") + self._after

    def save(self, path: Path) -> None:
        """Replace the file at once or not at all, keeping its owner and mode where it exists."""
        replace_file(path, self.to_bytes())


def peek(path: Path, wanted: Container[Key]) -> dict[Key, Variable]:
    """Those of the wanted variables that are in the store in a raw file; no more is read of it than leads to them.

    Raises NotFound, NotAllowed, Damaged.
    """
    with _open(path) as file:
        size = os.fstat(file.fileno()).st_size
        start, end = _bounds(file.read(_HEADERS), size, str(path))
        return _read_records(file, start, end, str(path), wanted)


def _open(path: Path) -> BinaryIO:
    try:
        file = path.open("rb", buffering=_BUFFER)
    except FileNotFoundError as error:
        raise NotFound(f"There is no UEFI variable store {path}.") from error
    except PermissionError as error:
        raise NotAllowed(f"The UEFI variable store {path} may not be read.") from error
    if os.fstat(file.fileno()).st_size > _MAX_FILE:
        file.close()
        raise Damaged(f"{path} is too large to be a UEFI variable store.")
    return file


def _bounds(blob: bytes, total: int, where: str) -> tuple[int, int]:
    """First and last byte of the log of variables in a file of `total` bytes that begins with `blob`."""
    try:
        guid, length, signature, _, header, *_ = _VOLUME.unpack_from(blob)
        store_guid, size, layout, state = _STORE.unpack_from(blob, header)
    except struct.error as error:
        raise Damaged(f"{where} is too short to be a UEFI variable store.") from error
    if signature != b"_FVH" or UUID(bytes_le=guid) != _NVDATA_VOLUME:
        raise Damaged(f"{where} is not a UEFI variable store.", "Name a raw OVMF_VARS file")
    if UUID(bytes_le=store_guid) != _AUTHENTICATED_STORE or (layout, state) != (0x5A, 0xFE):
        raise Damaged(f"The UEFI variable store {where} is not formatted with authenticated variables.")
    if length > total or size < _STORE.size or header + size > length:
        raise Damaged(f"The UEFI variable store {where} is cut short.")
    return header + _STORE.size, header + size


def _read_records(
    source: BinaryIO, start: int, end: int, where: str, wanted: Container[Key] | None = None
) -> dict[Key, Variable]:
    """The variables that count, or those of them that are wanted."""
    found: dict[Key, Variable] = {}
    superseded: dict[Key, Variable] = {}
    position = start
    while position + _RECORD.size <= end:
        source.seek(position)
        head = _exactly(source, _RECORD.size, where)
        first, state, attributes, count, time, key_index, name_size, data_size, guid = _RECORD.unpack(head)
        if first != _RECORD_START:
            break  # erased flash: the end of the log
        body = position + _RECORD.size
        if name_size % 2 or body + name_size + data_size > end:
            raise Damaged(f"The UEFI variable store {where} has a variable that runs past its end.")
        if state in {_ADDED, _IN_DELETED_TRANSITION}:
            text = _exactly(source, name_size, where).decode("utf-16-le", "surrogatepass")
            key = text.split("\0", 1)[0], _vendor(guid)
            if wanted is None or key in wanted:
                data = _exactly(source, data_size, where)
                group = found if state == _ADDED else superseded
                group[key] = Variable(key[0], data, key[1], attributes, time, count, key_index)
        position = body + name_size + data_size
        position += -position % 4
    return superseded | found


@lru_cache(maxsize=256)
def _vendor(guid: bytes) -> UUID:
    """A store names the same few again and again, and making one takes as long as reading a variable."""
    return UUID(bytes_le=guid)


def _exactly(source: BinaryIO, size: int, where: str) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise Damaged(f"The UEFI variable store {where} is cut short.")
    return data
