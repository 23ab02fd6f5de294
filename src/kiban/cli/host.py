# SPDX-License-Identifier: GPL-2.0-or-later
"""host: what the machines have of the host's processors and memory, and what they take on its file systems."""

from __future__ import annotations

from typing import Any

from kiban.cli.arguments import Output
from kiban.cli.output import card, print_json, say, table
from kiban.cli.session import connect
from kiban.model.units import format_size

ROOMS = ("file system", "size", "free", "machines", "images", "library", "may grow")
HOLDINGS = ("name", "takes", "disks", "saved", "other", "provisioned", "may grow")


def host(output: Output = "table") -> None:
    """Show what machines have of the host: processors, memory and storage, and what each takes, the largest first.

    Files count with what they take on the host. "May grow" is what disks would take besides if all of them were full;
    where that is more than is free, it says so. Images that machines share are listed by their path.

    \b
    Examples:
      kiban host
      kiban host -o json
    """
    found = connect().capacity()
    if output == "json":
        print_json(found)
        return
    card("The host", {"processors": [_processors(found)], "memory": [_memory(found)]})
    say("")
    table(ROOMS, ((room.path, *_sizes(room, "size", "free", *ROOMS[3:6], "growth")) for room in found.file_systems))
    for room in found.file_systems:
        if room.growth > room.free:
            say(
                f"If all disks on {room.path} were full, {format_size(room.growth - room.free)} would be lacking there."
            )
    if found.holdings:
        say("")
        table(HOLDINGS, ((each.name, *_sizes(each, *HOLDINGS[1:6], "growth")) for each in found.holdings))


def _processors(found: Any) -> str:
    return f"{found.processors}; running machines have {found.running.cpus} virtual ones, all {found.all.cpus}"


def _memory(found: Any) -> str:
    there = f"{format_size(found.memory)}, of which {format_size(found.memory_available)} are available"
    return f"{there}; running machines have {format_size(found.running.memory)}, all {format_size(found.all.memory)}"


def _sizes(of: Any, *parts: str) -> list[str]:
    return [format_size(getattr(of, part)) for part in parts]
