# SPDX-License-Identifier: GPL-2.0-or-later
"""The tree of settings that both forms of Hyper-V's configuration hold, VMCX and XML, and typed questions to it.

Names may repeat below one parent (lists are written so), and the order is the source's. A setting of the wrong type is
treated as absent: what matters is then reported by whoever misses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

Value = int | float | str | bytes | bool | None


@dataclass(slots=True)
class Setting:
    """A setting: with a value, or with settings below it (then its value is None)."""

    name: str
    value: Value = None
    children: list[Setting] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Setting]:
        """The settings of this name right below; case does not matter, as on Windows."""
        wanted = name.lower()
        return (child for child in self.children if child.name.lower() == wanted)

    def at(self, path: str) -> Setting | None:
        """The first setting at a path such as `memory/bank/size`."""
        found: Setting | None = self
        for part in path.split("/"):
            if found is None:
                return None
            found = next(found.all(part), None)
        return found

    def below(self, path: str) -> list[Setting]:
        """What is below a path; nothing when it does not exist."""
        found = self.at(path)
        return found.children if found else []

    def text(self, path: str) -> str:
        """A string, without blanks around it; "" when there is none."""
        found = self.at(path)
        return found.value.strip() if found and isinstance(found.value, str) else ""

    def number(self, path: str) -> int | None:
        """A whole number, or None."""
        found = self.at(path)
        value = found.value if found else None
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def flag(self, path: str) -> bool | None:
        """A truth value, or None."""
        found = self.at(path)
        return found.value if found and isinstance(found.value, bool) else None

    def raw(self, path: str) -> bytes | None:
        """Bytes, or None."""
        found = self.at(path)
        return found.value if found and isinstance(found.value, bytes) else None
