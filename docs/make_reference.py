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
from kiban.model.generations import GEN1, GEN2
from kiban.web.contract import ROWS
from kiban.web.words import Words

REFERENCE = Path(__file__).parent / "reference"

PYTHONS = re.compile(r" <(str|list\[str\])>")
"""Types that a metavar's word tells better."""


def contract_page() -> str:
    """docs/reference/contract.md, from the two literals."""
    words = Words("en")
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
        *(f"| {words(f'row {key}')} | {cell(GEN1, words)} | {cell(GEN2, words)} |" for key, cell in ROWS.items()),
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
