# SPDX-License-Identifier: GPL-2.0-or-later
"""What ls, info and events do, without Typer: `kiban.cli.show` declares them, `kiban.cli.main` calls the first two."""

from __future__ import annotations

from kiban.cli.output import card, clean, print_json, print_json_line, say, table
from kiban.cli.session import connect

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

RESTART = 60.0
"""Seconds that a service may be away without `events` giving it up."""


def ls(output: str) -> None:
    """List the machines as a `table`, `json` or just each `name`."""
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


def info(name: str, output: str) -> None:
    """Show one machine as a card (`table`) or `json`."""
    client = connect()
    machine = client.machine(name)
    if output == "json":
        print_json(machine)
        return
    from kiban.cli.cards import guest_rows, machine_card

    guest = guest_rows(client.guest(name)) if machine.pid else {}
    card(machine.name, machine_card(machine, guest))


def events(name: str | None, output: str) -> None:
    """Show what happens, of one machine or of all, until the service ends for longer than a restart takes."""
    client = connect()
    if name is not None:
        name = client.machine(name).id  # a name that does not exist is an error, not a long wait
    for event in client.events(name, patience=RESTART):
        if output == "json":
            print_json_line(event)
        else:
            print(clean(_line(event)), flush=True)


def _row(machine: Any) -> tuple[str, ...]:
    from kiban.model.units import format_size

    if machine.problem:
        return (machine.name, "?", "damaged", "?", "?", "?", "")
    since = uptime(machine.started) if machine.started else ""
    memory = format_size(machine.memory)
    return (machine.name, str(machine.generation), machine.state, str(machine.cpus), memory, machine.guest, since)


def uptime(started: str, now: datetime | None = None) -> str:
    """The time since `started` (ISO 8601), in its two largest units.

    >>> from datetime import UTC, datetime
    >>> uptime("2026-01-01T00:00:00+00:00", datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    '1 d 3 h'
    """
    from datetime import UTC, datetime

    begin = datetime.fromisoformat(started)
    begin = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
    seconds = max(0, int(((now or datetime.now(UTC)) - begin).total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number) or "0 s"


def _line(event: Any) -> str:
    from datetime import datetime

    clock = datetime.fromisoformat(event.time).astimezone().strftime("%H:%M:%S")
    simple = {key: value for key, value in event.data.items() if isinstance(value, (str, int, float)) and value != ""}
    return f"{clock}  {event.kind:<18}  {event.machine:<16}  {' '.join(f'{k}={v}' for k, v in simple.items())}".rstrip()
