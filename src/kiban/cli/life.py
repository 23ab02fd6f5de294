# SPDX-License-Identifier: GPL-2.0-or-later
"""start, stop, restart, reset, pause, resume, save, discard: the Typer side of `kiban.cli.verbs`."""

from __future__ import annotations

from typing import Annotated

import typer

from kiban.cli.arguments import Names, Output
from kiban.cli.verbs import TIMEOUT, run

Timeout = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long the guest may take to shut down.")]


def start(names: Names, output: Output = "table") -> None:
    """Start machines, or restore saved ones.

    \b
    Examples:
      kiban start web
      kiban start web db
    """
    run("start", names, as_json=output == "json")


def stop(
    names: Names,
    force: Annotated[bool, typer.Option("--force", help="Turn the machine off, as if by its power cord.")] = False,
    timeout: Timeout = TIMEOUT,
    output: Output = "table",
) -> None:
    """Ask guests to shut down (ACPI), and wait until they have.

    \b
    Examples:
      kiban stop web
      kiban stop --timeout 300 db
      kiban stop --force web
    """
    run("stop", names, as_json=output == "json", force=force, timeout=timeout)


def restart(names: Names, timeout: Timeout = TIMEOUT, output: Output = "table") -> None:
    """Shut guests down and start their machines again.

    \b
    Example:
      kiban restart web
    """
    run("restart", names, as_json=output == "json", timeout=timeout)


def reset(names: Names, output: Output = "table") -> None:
    """Press the reset button: the guest is not asked.

    \b
    Example:
      kiban reset web
    """
    run("reset", names, as_json=output == "json")


def pause(names: Names, output: Output = "table") -> None:
    """Stop the processors; the memory stays where it is.

    \b
    Example:
      kiban pause web
    """
    run("pause", names, as_json=output == "json")


def resume(names: Names, output: Output = "table") -> None:
    """Let paused machines go on.

    \b
    Example:
      kiban resume web
    """
    run("resume", names, as_json=output == "json")


def save(names: Names, output: Output = "table") -> None:
    """Write the memory of machines to disk and turn them off; start restores it.

    \b
    Example:
      kiban save web
      kiban start web
    """
    run("save", names, as_json=output == "json")


def discard(names: Names, output: Output = "table") -> None:
    """Give up the saved memory of machines; they are off then.

    \b
    Example:
      kiban discard web
    """
    run("discard", names, as_json=output == "json")
