# SPDX-License-Identifier: GPL-2.0-or-later
"""Tokens, as they are asked for and answered."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kiban.model.roles import Role
from kiban.wire.base import Sent, Wire

TokenName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=63,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Whom or what a token is for.",
        examples=["laptop"],
    ),
]


class TokenRequest(Wire):
    """A token to be made."""

    name: TokenName
    role: Role = "operator"
    """viewer reads, operator runs machines, admin makes and removes them too."""


class Token(Sent):
    """A token, without its secret."""

    name: str
    role: Role
    created: str
    used: str
    """When it was last used, to the minute or so; empty for never."""


class MadeToken(Sent):
    """A new token."""

    name: str
    role: Role
    token: str
    """The secret; it is not kept and cannot be shown again."""
