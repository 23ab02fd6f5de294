# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines that come from elsewhere, and that go there."""

from __future__ import annotations

from dataclasses import replace

from kiban.engine import addresses, exporting, importing, view
from kiban.engine.host import Host
from kiban.engine.progress import Progress
from kiban.engine.view import MachineView
from kiban.model.export import Exported, ExportRequest
from kiban.model.takeover import ImportRequest, Plan


async def plan(host: Host, request: ImportRequest) -> Plan:
    """What an import would make; nothing is written."""
    found = await importing.plan(request)
    return replace(found, advice=(*found.advice, *addresses.shared(host, found.macs)))


async def import_machine(host: Host, request: ImportRequest, *, progress: Progress) -> MachineView:
    """Import a machine."""
    return view.of(await importing.import_machine(host, request, progress))


async def export(host: Host, name: str, request: ExportRequest, *, progress: Progress) -> Exported:
    """Export a machine that is off."""
    return await exporting.export(host, host.find(name), request, progress)
