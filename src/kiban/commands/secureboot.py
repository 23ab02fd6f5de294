# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's Secure Boot keys: look at them, trust more, refuse more, bring them up to date, take a change back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from kiban.engine import audit as auditing
from kiban.engine import bootcheck, keyview, secureboot
from kiban.engine.audit import Audited
from kiban.engine.host import Host
from kiban.engine.keyview import KeysView
from kiban.engine.progress import Progress
from kiban.engine.secureboot import Target


async def show(host: Host, name: str) -> KeysView:
    """The keys of one machine, running or not."""
    return await asyncio.to_thread(keyview.describe, host.find(name))


async def enroll(host: Host, name: str, files: Mapping[Target, Iterable[str]]) -> KeysView:
    """Trust the keys in files, by where they go."""
    return await secureboot.enroll(host.find(name), files)


async def revoke(host: Host, name: str, files: Iterable[str], sha256: Iterable[str]) -> KeysView:
    """Refuse certificates, EFI programs and hashes."""
    return await secureboot.revoke(host.find(name), files, sha256)


async def reset(host: Host, name: str, template: str | None) -> KeysView:
    """The keys of a template anew."""
    return await secureboot.reset(host.find(name), template)


async def update(host: Host, name: str) -> KeysView:
    """Add Microsoft's authorities of 2023 and its newest revocations."""
    return await secureboot.update(host.find(name), bootcheck.explain)


async def undo(host: Host, name: str) -> KeysView:
    """Take the last change of keys back."""
    return await secureboot.undo(host.find(name))


async def audit(host: Host, *, progress: Progress) -> list[Audited]:
    """How all machines stand: their authorities, their list, and what they boot now and after an update."""
    return await auditing.audit(host, progress)
