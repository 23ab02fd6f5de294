# SPDX-License-Identifier: GPL-2.0-or-later
"""tpm show, tpm log: a machine's TPM and its measured boot in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kiban.cli.arguments import Name, Output
from kiban.cli.output import card, print_json, say, table, warn
from kiban.cli.session import connect
from kiban.errors import BadInput

tpm = typer.Typer(help="A machine's TPM and what its boot measured into it.", no_args_is_help=False)


@tpm.command("show")
def show(name: Name, output: Output = "table") -> None:
    """Show a machine's TPM, and whether its registers are what the event log makes.

    \b
    Examples:
      kiban tpm show web
      kiban tpm show web -o json
    """
    found = connect().tpm(name)
    if output == "json":
        print_json(found)
        return
    card(name, _card(found))
    if found.pcrs:
        say("")
        table(("bank", "pcr", "log", "what it stands for"), (_register(pcr) for pcr in found.pcrs if pcr.replayed))


@tpm.command("log")
def log(
    name: Name,
    source: Annotated[
        Literal["auto", "agent", "memory"],
        typer.Option("--source", help="Ask the guest agent, look in the guest's memory, or whichever has it."),
    ] = "auto",
    raw: Annotated[
        str | None, typer.Option("--raw", metavar="FILE", help="Save the log as the TCG defines it, for other tools.")
    ] = None,
    output: Output = "table",
) -> None:
    """Show what the present boot measured into the TPM, event by event, in words.

    \b
    Examples:
      kiban tpm log web
      kiban tpm log web -o json
      kiban tpm log web --raw web.log
    """
    if raw is not None:
        _save(raw, connect().tpm_raw_log(name, source=source))
        return
    found = connect().tpm_log(name, source=source)
    if output == "json":
        print_json(found)
        return
    table(("#", "pcr", "event"), (_event(event) for event in found.events))
    if found.unread:
        warn(f"The last {found.unread} bytes of the log are no event.")


def _event(event: Any) -> tuple[str, str, str]:
    said = "NOT WHAT WAS MEASURED: " if event.proven is False else ""
    return str(event.number), str(event.pcr), said + event.text


def _save(file: str, data: bytes) -> None:
    try:
        Path(file).write_bytes(data)
    except OSError as error:
        raise BadInput(f"Cannot write {file}: {error.strerror}.", "Name a file in a folder of your own.") from None


def _card(found: Any) -> dict[str, list[str]]:
    if not found.present:
        return {"TPM": ["none"], "problem": [found.problem]}
    verdict = {
        True: "equal to the registers 0 to 7 that the guest reads",
        False: "NOT equal to the registers 0 to 7 that the guest reads",
        None: "not compared",
    }
    return {
        "TPM": [found.version],
        "state": [f"{'running' if found.running else 'not running'}, {found.size} bytes"],
        "made": [found.made] if found.made else [],
        "banks": [", ".join(found.banks)] if found.banks else [],
        "event log": [f"{found.events} events, from the guest's {found.source}"] if found.events else [],
        "replayed": [verdict[found.matches]] if found.events else [],
        "problem": [found.problem] if found.problem else [],
    }


def _register(pcr: Any) -> tuple[str, str, str, str]:
    verdict = "not compared" if not pcr.guest else "equal" if pcr.guest == pcr.replayed else _other(pcr.number)
    return pcr.bank, str(pcr.number), verdict, pcr.meaning


def _other(number: int) -> str:
    return "DIFFERS" if number < 8 else "differs; the running system may have measured more"
