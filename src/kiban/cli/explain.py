# SPDX-License-Identifier: GPL-2.0-or-later
"""secureboot explain: what a machine or a medium would boot, image by image, and whether it may."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kiban.cli.arguments import Output, complete_machine
from kiban.cli.output import print_json, say
from kiban.cli.session import connect
from kiban.errors import BadInput, NotFound
from kiban.model.units import format_size

CODES = {"allowed": 0, "refused": 11, "unknown": 12}
"""Exit codes beyond those of errors (see kiban.errors), for scripts."""
ENDS = (".iso", ".vhdx", ".vhd", ".qcow2", ".raw", ".img", ".efi")
LOADERS = {"firmware": "firmware", "shim": "shim", "grub": "GRUB", "systemd-boot": "systemd-boot"}


def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="NAME|ISO|DISK|DIR",
            help="A machine; or a file or folder, by its ending or with a slash.",
            autocompletion=complete_machine,
        ),
    ],
    template: Annotated[str, typer.Option("--template", help="Judge by this Secure Boot template's keys.")] = "",
    form: Annotated[
        Literal["raw", "qcow2", "vhdx", "vhd", "iso", ""], typer.Option("--format", help="Of a disk image.")
    ] = "",
    file: Annotated[
        str, typer.Option("--file", metavar="NAME", help="Boot file of a network boot folder, relative to it.")
    ] = "",
    output: Output = "table",
) -> None:
    """Say what would boot, who signed it, and whether the firmware lets it: exit code 0, 11 if not, 12 if unknown.

    \b
    Examples:
      kiban secureboot explain web
      kiban secureboot explain debian.iso
      kiban secureboot explain disk.vhdx --template microsoft-windows
      kiban secureboot explain ./pxe --file shimx64.efi -o json
    """
    report = _ask(what, template, form, file)
    if output == "json":
        print_json(report)
    else:
        _draw(report)
    raise typer.Exit(CODES.get(report.verdict, CODES["unknown"]))


def _ask(what: str, template: str, form: str, file: str) -> Any:
    client = connect()
    if "/" in what or what.lower().endswith(ENDS) or form or file:
        return client.explain_path(what, template=template, format=form, file=file)
    try:
        return client.explain(what, template=template)
    except NotFound as error:
        if Path(what).exists():
            raise BadInput(error.message, f"Is the file meant? kiban secureboot explain ./{what}") from None
        raise


def _draw(report: Any) -> None:
    """The chain from the firmware down, one image below the one that loads it."""
    marks = _marks()
    device, depth = None, 0
    for stage in report.stages:
        depth = 0 if stage.device != device or stage.loaded_by == "firmware" else depth
        if stage.device != device:
            say(stage.device)
            device = stage.device
        _stage(stage, marks[stage.verdict], depth)
        depth += stage.loaded_by != "grub"
    say(f"{report.verdict}: {report.sentence}")
    if report.hint:
        say(f"hint: {report.hint}")


def _stage(stage: Any, mark: str, depth: int) -> None:
    indent = "  " * (depth + 1)
    about = ", ".join(part for part in (stage.kind, stage.architecture, format_size(stage.size)) if part)
    say(f"{indent}{mark} {LOADERS.get(stage.loaded_by, stage.loaded_by)} loads {stage.path}: {about}")
    for signer in stage.signers:
        say(f"{indent}    signed by   {signer.subject}, issued by {signer.issuer}, until {signer.not_after[:10]}")
    if stage.sbat:
        say(f"{indent}    SBAT        {', '.join(f'{name} {number}' for name, number in stage.sbat.items())}")
    if stage.decided_by:
        say(f"{indent}    decided by  {stage.decided_by}")
    if stage.verdict != "allowed":
        say(f"{indent}    because     {stage.sentence}")


def _marks() -> dict[str, str]:
    """A tick and a cross where the terminal has them."""
    try:
        "✓✗".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return {"allowed": "ok", "refused": "NO", "unknown": "??"}
    return {"allowed": "✓", "refused": "✗", "unknown": "?"}
