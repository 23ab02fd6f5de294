# SPDX-License-Identifier: GPL-2.0-or-later
"""top: what running machines use, and how their guests are; live in a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from kiban.cli.arguments import Output, complete_machine
from kiban.cli.output import print_json, say, table, table_of
from kiban.cli.session import connect
from kiban.client import Client
from kiban.model.units import format_size

EVERY = 2.0
"""Seconds between looks, as often as the service measures."""
COLUMNS = ("name", "cpu", "memory", "of", "read/s", "written/s", "received/s", "sent/s", "heartbeat", "address")


def top(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Only these machines.", autocompletion=complete_machine),
    ] = None,
    output: Output = "table",
) -> None:
    """Show what running machines use: processors, memory, disks, network, and whether their guests answer.

    In a terminal it goes on until Ctrl-C; into a file or a pipe, and in JSON, it tells once. Network and heartbeat are
    known where a guest agent runs in the guest.

    \b
    Examples:
      kiban top
      kiban top web db
      kiban top -o json
    """
    client = connect()
    found = _look(client, names or [])
    if output == "json":
        print_json(found)
    elif not found:
        say("No machine runs.")
    elif sys.stdout.isatty():
        _live(client, names or [], found)
    else:
        table(COLUMNS, [_row(usage) for usage in found])


def _look(client: Client, names: Sequence[str]) -> list[Any]:
    return [client.usage(name) for name in names] if names else client.usages()


def _live(client: Client, names: Sequence[str], found: list[Any]) -> None:
    from rich.live import Live

    with Live(table_of(COLUMNS, [_row(usage) for usage in found]), auto_refresh=False, screen=True) as live:
        while True:
            time.sleep(EVERY)
            found = _look(client, names)
            live.update(table_of(COLUMNS, [_row(usage) for usage in found]), refresh=True)


def _row(usage: Any) -> tuple[str, ...]:
    given, heartbeat = format_size(usage.memory), usage.guest.heartbeat or usage.state
    address = usage.guest.addresses[0] if usage.guest.addresses else ""
    if not usage.samples:
        return (usage.machine, "", "", given, "", "", "", "", heartbeat, address)
    now = usage.samples[-1]
    rates = (_rate(value) for value in (now.disk_read, now.disk_written, now.net_received, now.net_sent))
    return (usage.machine, f"{now.cpu:.0f} %", format_size(now.memory), given, *rates, heartbeat, address)


def _rate(value: float | None) -> str:
    return "" if value is None else format_size(round(value))
