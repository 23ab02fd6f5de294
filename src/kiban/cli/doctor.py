# SPDX-License-Identifier: GPL-2.0-or-later
"""doctor and demo: what this host has and lacks, and what Kiban can do on it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from kiban.cli.arguments import Output
from kiban.cli.output import ReportedError, print_json, say
from kiban.cli.session import connect
from kiban.errors import HostLacks


def doctor(output: Output = "table") -> None:
    """Say what this host has and lacks for running machines; fails when something needed is missing.

    \b
    Examples:
      kiban doctor
      kiban doctor -o json
    """
    findings = connect().doctor()
    if output == "json":
        print_json(findings)
    else:
        for finding in findings:
            say(f"{_mark(finding.ok, finding.needed)}  {finding.name}: {finding.detail}")
            if finding.hint and not finding.ok:
                say(f"         hint: {finding.hint}")
    lacking = [finding.name for finding in findings if finding.needed and not finding.ok]
    if lacking:
        raise ReportedError(HostLacks(f"This host lacks {', '.join(lacking)}."))


def _mark(ok: bool, needed: bool) -> str:
    return "ok     " if ok else "MISSING" if needed else "without"


def demo(
    guest: Annotated[
        Literal["debian", "probe"], typer.Option("--guest", help="A whole Debian, or a tiny Linux made in seconds.")
    ] = "debian",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the machines there, switched off.")] = False,
    record: Annotated[
        str, typer.Option("--record", metavar="DIR", help="Where the pictures go; kiban/demo in your cache otherwise.")
    ] = "",
    output: Output = "table",
) -> None:
    """Make a Debian guest and run it on both generations; shows what each guest sees, and what Secure Boot refuses.

    \b
    Examples:
      kiban demo
      kiban demo --keep
      kiban demo -o json
    """
    from kiban.demo.run import run

    run(guest=guest, keep=keep, record=record, as_json=output == "json")
