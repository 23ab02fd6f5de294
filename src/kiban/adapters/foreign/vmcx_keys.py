# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings in a .vmcx: key tables, whose entries name their parents by table and offset.

Sources as for `kiban.adapters.foreign.vmcx`. Every entry's checksum is verified, every entry must hang on the root, and
depth, number and size are bounded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from kiban.adapters.foreign.blob import Blob, damaged
from kiban.adapters.foreign.settings import Setting, Value
from kiban.adapters.foreign.vmcx import FILE_OBJECT, KEY_TABLE, Container, checked

_TABLE = struct.Struct("<HHHI")
_ENTRY = struct.Struct("<BBIHIIIB")
_FREE, _INT, _UINT, _DOUBLE, _STRING, _ARRAY, _BOOL, _NODE = 1, 3, 4, 5, 6, 7, 8, 9
_FIXED = {_INT: 8, _UINT: 8, _DOUBLE: 8, _BOOL: 4, _NODE: 12}
_IN_FILE_OBJECT = 0x01

_KEYS_LIMIT = 64 << 20  # bytes of all key tables; a machine with all it may have takes less than one MiB
_TABLES_LIMIT = 65_536
_ENTRIES_LIMIT = 500_000
_VALUE_LIMIT = 1 << 20  # bytes of a value that lies in an object of its own; saved memory is larger, and not wanted
_VALUES_LIMIT = 64 << 20  # bytes of all of these
_DEPTH_LIMIT = 64

Key = tuple[int, int]
"""Where an entry is: index of its table, and offset in it. Children of the root have (0, 0) as their parent."""


@dataclass(slots=True)
class _Entry:
    parent: Key
    order: int
    setting: Setting
    is_node: bool


def read_settings(blob: Blob) -> Setting:
    """Read a .vmcx or .vmrs as a tree, whose root has no name and one child, `configuration`.

    Values of more than 1 MiB are left None: they are saved memory, which no description has.

    Raises:
        BadInput: it is no such file, is damaged, or larger than any configuration.
    """
    return _Reader(Container(blob)).tree()


class _Reader:
    def __init__(self, container: Container) -> None:
        self.container = container
        self.name = container.blob.name
        self.entries: dict[Key, _Entry] = {}
        self.file_objects: dict[int, int] = {}
        self.value_bytes = 0

    def tree(self) -> Setting:
        for index, table in self._tables().items():
            self._read_table(index, table)
        return self._assemble()

    def _tables(self) -> dict[int, bytes]:
        """The newest key table of each index."""
        tables: dict[int, tuple[int, bytes]] = {}
        total = 0
        for stored in self.container.objects():
            if stored.kind == FILE_OBJECT:
                self.file_objects[stored.offset] = stored.size
            if stored.kind != KEY_TABLE:
                continue
            total += stored.size
            if total > _KEYS_LIMIT or stored.size < _TABLE.size or len(tables) == _TABLES_LIMIT:
                raise damaged(self.name, f"a table of settings has {stored.size} bytes")
            data = self.container.read(stored.offset, stored.size)
            signature, index, sequence, _ = _TABLE.unpack_from(data)
            if signature != 2 or not checked(data[: _TABLE.size], 6):
                raise damaged(self.name, f"there is no table of settings at {stored.offset}")
            if index in tables and tables[index][0] == sequence:
                raise damaged(self.name, f"there are two tables of settings with the number {index}")
            if index not in tables or sequence > tables[index][0]:
                tables[index] = (sequence, data)
        return {index: data for index, (_, data) in tables.items()}

    def _read_table(self, index: int, table: bytes) -> None:
        at = _TABLE.size
        while at + _ENTRY.size < len(table):
            kind, flags, size, parent_table, parent_at, _, order, name_size = _ENTRY.unpack_from(table, at)
            if size < _ENTRY.size or at + size > len(table) or len(self.entries) == _ENTRIES_LIMIT:
                raise damaged(self.name, f"a setting in table {index} has {size} bytes")
            if kind != _FREE:
                setting = self._setting(table[at : at + size], kind, flags, name_size)
                entry = _Entry((parent_table, parent_at), order, setting, kind == _NODE)
                self.entries[index, at] = entry
            at += size

    def _setting(self, entry: bytes, kind: int, flags: int, name_size: int) -> Setting:
        start = _ENTRY.size + name_size
        name = entry[_ENTRY.size : start].split(b"\0")[0].decode(errors="replace")
        length = self._data_size(entry, start, kind, flags)
        if start + length > len(entry) or not checked(entry[: start + length], 12):
            raise damaged(self.name, f"the setting {name[:80]!r} is not valid")
        data = entry[start : start + length]
        if flags & _IN_FILE_OBJECT:
            data = self._file_object(name, data)
        elif kind in (_STRING, _ARRAY):
            data = data[4:]
        return Setting(name, self._value(kind, data))

    def _data_size(self, entry: bytes, start: int, kind: int, flags: int) -> int:
        if flags & _IN_FILE_OBJECT:
            return 12
        if kind in _FIXED:
            return _FIXED[kind]
        if kind not in (_STRING, _ARRAY):
            raise damaged(self.name, f"a setting is of the unknown type {kind}")
        length: int = struct.unpack_from("<I", entry, start)[0] if start + 4 <= len(entry) else len(entry)
        return 4 + length

    def _file_object(self, name: str, pointer: bytes) -> bytes:
        """The value that lies in an object of its own; empty when it is too large to be a setting."""
        size, offset = struct.unpack("<IQ", pointer)
        if size > self.file_objects.get(offset, -1):
            raise damaged(self.name, f"the value of {name[:80]!r} is not where it should be")
        if size > _VALUE_LIMIT:
            return b""
        self.value_bytes += size
        if self.value_bytes > _VALUES_LIMIT:
            raise damaged(self.name, "its values share more bytes than it has")
        return self.container.read(offset, size)

    def _value(self, kind: int, data: bytes) -> Value:
        if kind == _STRING:
            return data.decode("utf-16-le", errors="replace").split("\0")[0]
        if kind == _ARRAY:
            return data
        if kind == _NODE or len(data) < _FIXED[kind]:
            return None
        if kind == _BOOL:
            return any(data[:4])
        form = {_INT: "<q", _UINT: "<Q", _DOUBLE: "<d"}[kind]
        value: int | float = struct.unpack_from(form, data)[0]
        return value

    def _assemble(self) -> Setting:
        below: dict[Key, list[tuple[int, Key]]] = {}
        for key, entry in self.entries.items():
            parent = self.entries.get(entry.parent)
            if entry.parent != (0, 0) and (parent is None or not parent.is_node):
                raise damaged(self.name, f"the setting {entry.setting.name[:80]!r} belongs to nothing")
            below.setdefault(entry.parent, []).append((entry.order, key))
        root, reached = Setting(""), 0
        level: list[tuple[Key, Setting]] = [((0, 0), root)]
        for _ in range(_DEPTH_LIMIT):
            deeper: list[tuple[Key, Setting]] = []
            for key, setting in level:
                for _, child in sorted(below.get(key, [])):
                    setting.children.append(self.entries[child].setting)
                    deeper.append((child, self.entries[child].setting))
            reached += len(deeper)
            level = deeper
        if reached != len(self.entries):
            raise damaged(self.name, "some of its settings form a loop, or are nested too deeply")
        return root
