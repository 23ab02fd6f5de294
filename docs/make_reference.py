# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the pages of docs/reference that are made from the code: `./dev docs`.

tests/unit/test_project.py fails when a committed page is not what this program would write.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_COLOR", "1")

import typer

from kiban.cli import app
from kiban.errors import KibanError
from kiban.model.generations import BUS_NAMES, GEN1, GEN2, Bus, Generation
from kiban.model.units import format_size

REFERENCE = Path(__file__).parent / "reference"

PYTHONS = re.compile(r" <(str|list\[str\])>")
"""Types that a metavar's word tells better."""
Row = tuple[str, Callable[[Generation], str]]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


CONTRACT: tuple[Row, ...] = (
    ("board", lambda g: {"pc-i440fx": "Intel 440FX/PIIX (`pc-i440fx`)", "pc-q35": "Q35 (`pc-q35`)"}[g.machine_family]),
    ("firmware", lambda g: {"bios": "BIOS (SeaBIOS)", "uefi": "UEFI (OVMF)"}[g.firmware]),
    ("Secure Boot", lambda g: "on unless switched off" if g.secure_boot else "no"),
    ("TPM 2.0", lambda g: "when asked for" if g.tpm else "no"),
    ("guests", lambda g: ", ".join(f"{bits}-bit" for bits in g.guest_bits)),
    ("virtual processors", lambda g: f"1 to {g.max_cpus}"),
    ("memory", lambda g: f"{format_size(g.min_memory)} to {format_size(g.max_memory)}"),
    ("IDE", lambda g: f"{g.ide_slots} disks or DVD drives" if g.ide_slots else "no"),
    ("SCSI", lambda g: f"{g.scsi_controllers} controllers of {g.scsi_units}"),
    ("NVMe", lambda g: f"{g.nvme_slots} disks" if g.nvme_slots else "no"),
    ("USB", lambda g: f"{g.usb_slots} DVD drives, beside keyboard and mouse" if g.usb_slots else "no"),
    ("disks go on", lambda g: _buses(g.disk_buses)),
    ("DVD drives go on", lambda g: _buses(g.dvd_buses)),
    ("disks and DVDs boot from", lambda g: _buses(g.boot_buses)),
    ("floppy drive", lambda g: str(g.floppy_drives) if g.floppy_drives else "no"),
    ("keyboard and mouse", lambda g: {"ps2": "PS/2", "usb": "USB"}[g.keyboard_and_mouse]),
    ("display", lambda g: ", ".join(g.video)),
    ("COM ports", lambda g: f"{g.com_ports}, {'built in' if g.com_ports_built_in else 'when asked for'}"),
    (
        "synthetic network adapters",
        lambda g: f"up to {g.synthetic_adapters}, each {' or '.join(g.synthetic_models)}",
    ),
    ("legacy network adapters", lambda g: f"up to {g.legacy_adapters}" if g.legacy_adapters else "no"),
    ("network boot", lambda g: f"{g.pxe_adapter} adapter ({g.pxe_model}), PXE over {_protocols(g)}"),
    ("HTTP boot", lambda g: _yes(g.http_boot)),
    ("boot order", lambda g: {"by-class": "classes of devices", "by-device": "single devices, in NVRAM"}[g.boot_order]),
    ("boot order unless asked", lambda g: ", ".join(g.boot_classes)),
    ("pause after boot failure", lambda g: "when asked for" if g.pause_after_boot_failure else "no"),
)


def _protocols(generation: Generation) -> str:
    return " and ".join({"ipv4": "IPv4", "ipv6": "IPv6"}[name] for name in generation.pxe_protocols)


def _buses(buses: tuple[Bus, ...]) -> str:
    return ", ".join(BUS_NAMES[bus] for bus in buses)


def contract_page() -> str:
    """docs/reference/contract.md, from the two literals."""
    lines = [
        "# The generation contract",
        "",
        "Written by `./dev docs` from `GEN1` and `GEN2` in src/kiban/model/generations.py; do not edit.",
        "",
        "A machine keeps its generation for life. What a generation does not have is refused, with a sentence that",
        "says what to do instead.",
        "",
        "| | generation 1 | generation 2 |",
        "|---|---|---|",
        *(f"| {name} | {cell(GEN1)} | {cell(GEN2)} |" for name, cell in CONTRACT),
    ]
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """docs/reference/cli.md, from the commands themselves."""
    root: Any = typer.main.get_command(app.build([]))
    lines = [
        "# The command line",
        "",
        "Written by `./dev docs` from the commands; do not edit. `kiban COMMAND --help` says the same.",
        "",
    ]
    panel = ""
    for name, command in root.commands.items():
        if command.rich_help_panel != panel:
            panel = command.rich_help_panel
            lines += [f"## {panel}", ""]
        lines += _command(f"kiban {name}", command)
    return "\n".join([*lines, *_exit_codes()]) + "\n"


def _command(path: str, command: Any) -> Iterator[str]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _command(f"{path} {name}", inner)
        return
    context = command.context_class(command, info_name=path)
    pieces = [piece.replace("{", "").replace("}", "") for piece in command.collect_usage_pieces(context)]
    yield from (f"### {path}", "", f"    {path} {' '.join(pieces)}", "")
    yield from _help(command.help or "")
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and "--help" not in record[0]:
            yield f"- `{PYTHONS.sub('', record[0])}`: {record[1]}"
    yield ""


def _help(text: str) -> Iterator[str]:
    """Its sentences as they are, its examples (behind click's mark for kept lines) as code."""
    words, _, examples = text.partition("\b\n")
    yield from (" ".join(words.split()), "")
    if examples:
        yield from (*(f"    {line.strip()}" for line in examples.splitlines()[1:] if line.strip()), "")


def _exit_codes() -> Iterator[str]:
    yield from (
        "## Exit codes",
        "",
        "0 is success; 130 also follows Ctrl-C.",
        "Some commands that judge have codes of their own, from 11 on, which their help names.",
        "",
        "| code | when |",
        "|---|---|",
    )
    for error in sorted(_direct(KibanError), key=lambda e: e.exit_code):
        yield f"| {error.exit_code} | {' '.join((error.__doc__ or '').split())} |"


def _direct(base: type[KibanError]) -> list[type[KibanError]]:
    return [error for error in base.__subclasses__() if error.__module__ == KibanError.__module__]


def api_document() -> str:
    """docs/reference/openapi.json, from the service's routes."""
    from kiban.api.openapi import document

    return document()


PAGES: dict[str, Callable[[], str]] = {
    "contract.md": contract_page,
    "cli.md": cli_page,
    "openapi.json": api_document,
}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (REFERENCE / page).write_text(write(), encoding="utf-8")
        print(REFERENCE / page)
