# SPDX-License-Identifier: GPL-2.0-or-later
"""Tokens: who may come over the network, with which role. A thread waits for whoever else changes them."""

from __future__ import annotations

import asyncio

from kiban.engine.host import Host
from kiban.engine.tokens import Tokens, TokenView
from kiban.model.roles import Role


async def list_all(host: Host) -> list[TokenView]:
    """All tokens, oldest first; never the secrets."""
    return Tokens(host.paths.state).shown()


async def create(host: Host, name: str, role: Role) -> str:
    """Make a token and return it; it is not kept and cannot be shown again."""
    return await asyncio.to_thread(Tokens(host.paths.state).create, name, role)


async def revoke(host: Host, name: str) -> None:
    """Make a token worthless, at once; what it has begun goes on."""
    await asyncio.to_thread(Tokens(host.paths.state).revoke, name)
