# SPDX-License-Identifier: GPL-2.0-or-later
"""Arguments and options that several commands share, and the completion of machine names.

Completion asks the service only when one runs: pressing Tab must never start anything.
"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from kiban.cli.session import connect
from kiban.errors import KibanError

OnOff = Literal["on", "off"]


def complete_machine(incomplete: str) -> list[str]:
    """Names of machines that begin with `incomplete`; none without a service."""
    try:
        return [m.name for m in connect(start=False).machines() if m.name.startswith(incomplete)]
    except (KibanError, OSError):
        return []


def as_bool(value: OnOff | None) -> bool | None:
    """on, off or not said."""
    return None if value is None else value == "on"


Name = Annotated[str, typer.Argument(metavar="NAME", help="A machine, by name or id.", autocompletion=complete_machine)]
Names = Annotated[
    list[str], typer.Argument(metavar="NAME", help="Machines, by name or id.", autocompletion=complete_machine)
]
Output = Annotated[
    Literal["table", "json"],
    typer.Option("-o", "--output", help="For people, or JSON for programs (errors too)."),
]
