# SPDX-License-Identifier: GPL-2.0-or-later
"""ls, info, events: the Typer side of `kiban.cli.reads`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from kiban.cli import reads
from kiban.cli.arguments import Name, Output, complete_machine

Listing = Annotated[
    Literal["table", "json", "name"],
    typer.Option("-o", "--output", help="For people, JSON for programs (errors too), or bare names for the shell."),
]


def ls(output: Listing = "table") -> None:
    """List the machines.

    \b
    Examples:
      kiban ls
      kiban ls -o json
      kiban stop $(kiban ls -o name)
    """
    reads.ls(output)


def info(name: Name, output: Output = "table") -> None:
    """Show a machine: its state, its hardware, and what its generation does not have.

    \b
    Examples:
      kiban info web
      kiban info web -o json
    """
    reads.info(name, output)


def events(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Of this machine only.", autocompletion=complete_machine),
    ] = None,
    output: Output = "table",
) -> None:
    """Show what happens from now on, until Ctrl-C; a restart of the service is survived.

    \b
    Examples:
      kiban events
      kiban events web -o json
    """
    reads.events(name, output)
