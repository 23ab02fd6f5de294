# SPDX-License-Identifier: GPL-2.0-or-later
"""What would boot, and whether Secure Boot lets it: of a machine, or of a medium that a new one would boot."""

from __future__ import annotations

from kiban.engine import bootcheck
from kiban.engine.host import Host
from kiban.model.bootcheck import Report


async def explain(host: Host, name: str, template: str = "") -> Report:
    """Of a machine, with its own keys or with those of a template."""
    return await bootcheck.explain(host.find(name), bootcheck.template_trust(template) if template else None)


async def explain_path(host: Host, path: str, template: str = "", form: str = "", file: str = "") -> Report:
    """Of an ISO, disk image, network boot folder or EFI program on this host."""
    return await bootcheck.explain_path(path, template=template, form=form, file=file)
