# SPDX-License-Identifier: GPL-2.0-or-later
"""ls, info, events: what there is and what happens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer

from kiban.cli.arguments import Name, Output, complete_machine
from kiban.cli.cards import machine_card
from kiban.cli.output import card, clean, print_json, print_json_line, say, table
from kiban.cli.session import connect
from kiban.model.units import format_size

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
    machines = sorted(connect().machines(), key=lambda m: m.name)
    if output == "json":
        print_json(machines)
    elif output == "name":
        for machine in machines:
            say(machine.name)
    elif machines:
        columns = ("name", "generation", "state", "cpus", "memory", "guest", "uptime")
        table(columns, (_row(m) for m in machines))
    else:
        say("There are no machines yet. Make one: kiban create NAME --disk 20G --dvd ISO")


def _row(machine: Any) -> tuple[str, ...]:
    if machine.problem:
        return (machine.name, "?", "damaged", "?", "?", "?", "")
    since = uptime(machine.started) if machine.started else ""
    memory = format_size(machine.memory)
    return (machine.name, str(machine.generation), machine.state, str(machine.cpus), memory, machine.guest, since)


def uptime(started: str, now: datetime | None = None) -> str:
    """The time since `started` (ISO 8601), in its two largest units.

    >>> uptime("2026-01-01T00:00:00+00:00", datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    '1 d 3 h'
    """
    begin = datetime.fromisoformat(started)
    begin = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
    seconds = max(0, int(((now or datetime.now(UTC)) - begin).total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number) or "0 s"


def info(name: Name, output: Output = "table") -> None:
    """Show a machine: its state, its hardware, and what its generation does not have.

    \b
    Examples:
      kiban info web
      kiban info web -o json
    """
    machine = connect().machine(name)
    if output == "json":
        print_json(machine)
    else:
        card(machine.name, machine_card(machine))


def events(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Of this machine only.", autocompletion=complete_machine),
    ] = None,
    output: Output = "table",
) -> None:
    """Show what happens from now on, until Ctrl-C.

    \b
    Examples:
      kiban events
      kiban events web -o json
    """
    client = connect()
    if name is not None:
        name = client.machine(name).id  # a name that does not exist is an error, not a long wait
    for event in client.events(name):
        if output == "json":
            print_json_line(event)
        else:
            print(clean(_line(event)), flush=True)


def _line(event: Any) -> str:
    clock = datetime.fromisoformat(event.time).astimezone().strftime("%H:%M:%S")
    simple = {key: value for key, value in event.data.items() if isinstance(value, (str, int, float)) and value != ""}
    return f"{clock}  {event.kind:<18}  {event.machine:<16}  {' '.join(f'{k}={v}' for k, v in simple.items())}".rstrip()
