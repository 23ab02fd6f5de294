# SPDX-License-Identifier: GPL-2.0-or-later
"""jobs, job show, job cancel: the long work of the service, what became of it, and how to stop it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kiban.cli.arguments import Output
from kiban.cli.output import card, print_json, say, table
from kiban.cli.session import connect

JobId = Annotated[str, typer.Argument(metavar="ID", help="As kiban jobs shows it.")]

job = typer.Typer(help="Look at one job, or cancel it.", no_args_is_help=False)


def jobs(output: Output = "table") -> None:
    """List the service's jobs, those that are over too.

    \b
    Examples:
      kiban jobs
      kiban jobs -o json
    """
    found = connect().jobs()
    if output == "json":
        print_json(found)
    elif found:
        columns = ("id", "command", "machine", "state", "progress", "created", "text")
        table(columns, (_row(j) for j in found))
    else:
        say("There are no jobs.")


def _row(found: Any) -> tuple[str, ...]:
    text = _error(found) or found.text
    return (found.id, found.command, found.machine, found.state, f"{found.progress:.0%}", found.created[:19], text)


def _error(found: Any) -> str:
    if found.error is None:
        return ""
    return str(found.error["detail"] if isinstance(found.error, dict) else found.error.detail)


@job.command("show")
def show(job_id: JobId, output: Output = "table") -> None:
    """Show a job and its outcome.

    \b
    Example:
      kiban job show 7d2c4f0a9b1e6358
    """
    found = connect().job(job_id)
    if output == "json":
        print_json(found)
        return
    rows = {"command": found.command, "machine": found.machine, "state": found.state, "doing": found.text}
    rows |= {"error": _error(found), "created": found.created, "ended": found.ended or ""}
    card(found.id, {label: [text] for label, text in rows.items() if text})


@job.command("cancel")
def cancel(job_id: JobId, output: Output = "table") -> None:
    """Ask the service to cancel a job.

    \b
    Example:
      kiban job cancel 7d2c4f0a9b1e6358
    """
    found = connect().cancel_job(job_id)
    if output == "json":
        print_json(found)
    else:
        say(f"{job_id}: {found.state}")
