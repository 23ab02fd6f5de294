# SPDX-License-Identifier: GPL-2.0-or-later
"""What callers may do: a token has a role, a role has permissions, a command wants one."""

from __future__ import annotations

from typing import Literal

Permission = Literal["read", "operate", "manage"]
Role = Literal["viewer", "operator", "admin"]

RIGHTS: dict[Role, frozenset[Permission]] = {
    "viewer": frozenset({"read"}),
    "operator": frozenset({"read", "operate"}),
    "admin": frozenset({"read", "operate", "manage"}),
}
