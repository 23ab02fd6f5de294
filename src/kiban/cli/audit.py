# SPDX-License-Identifier: GPL-2.0-or-later
"""secureboot audit: how all machines stand on the way from Microsoft's authorities of 2011 to those of 2023."""

from __future__ import annotations

from typing import Any

import typer

from kiban.cli.arguments import Output
from kiban.cli.output import print_json, say, table
from kiban.cli.progress import Bar
from kiban.cli.session import connect

TO_DO = 13
"""Exit code when something is to be done, beyond those of errors (see kiban.errors) and of explain."""
COLUMNS = ("name", "state", "authorities", "dbx", "boots now", "after update", "TPM", "to do")
_AUTHORITIES = {"2011-only": "2011 only", "2023-ready": "2011 + 2023", "2023-only": "2023 only", "none": "own keys"}
_NO_COMMAND = {"new-loader": "a newer loader", "": "-"}


def audit(output: Output = "table") -> None:
    """Say of every machine whose loaders it trusts, and what it boots now and after an update of its keys.

    The exit code is 0 when nothing is to be done, 13 when something is.

    \b
    Examples:
      kiban secureboot audit
      kiban secureboot audit -o json
    """
    with Bar("Looking at all machines") as bar:
        rows = connect().audit(progress=bar)
    if output == "json":
        print_json(rows)
    else:
        _tell(rows)
    raise typer.Exit(TO_DO if any(row.action for row in rows) else 0)


def _tell(rows: list[Any]) -> None:
    if not rows:
        say("There are no machines.")
        return
    table(COLUMNS, map(_cells, rows))
    say("")
    for sentence, names in _sentences(rows).items():
        say(f"{', '.join(names)}: {sentence}")
    wanting = sum(bool(row.action) for row in rows)
    say(f"Something is to be done for {wanting} of {len(rows)} machines." if wanting else "Nothing is to be done.")


def _sentences(rows: list[Any]) -> dict[str, list[str]]:
    """What there is to say beyond the table, and of which machines."""
    said: dict[str, list[str]] = {}
    for row in rows:
        for sentence in (row.problem, *row.notes):
            if sentence:
                said.setdefault(sentence, []).append(row.machine)
    return said


def _cells(row: Any) -> tuple[str, ...]:
    to_do = row.command or _NO_COMMAND.get(row.action, row.action)
    if row.now is None:
        why = "cannot be read" if row.problem else f"generation {row.generation}: not concerned"
        return (row.machine, row.state, why, "-", "-", "-", "-", to_do)
    return (
        row.machine,
        row.state,
        _authorities(row),
        _revoked(row),
        _boots(row.now, row.secure_boot),
        _boots(row.after, row.secure_boot),
        "yes" if row.tpm else "no",
        to_do,
    )


def _authorities(row: Any) -> str:
    if row.setup_mode and row.authorities == "none":
        return "none (setup mode)"
    found = _AUTHORITIES.get(row.authorities, str(row.authorities))
    return f"{found} (setup mode)" if row.setup_mode else found


def _revoked(row: Any) -> str:
    missing = f"{row.missing} missing" if row.missing else ""
    return ", ".join(part for part in (row.dbx_date, missing) if part) or "-"


def _boots(outlook: Any, secure_boot: bool) -> str:
    if outlook.reason:
        return f"{outlook.verdict}: {outlook.reason}"
    return outlook.verdict if secure_boot else f"{outlook.verdict}: Secure Boot off"
