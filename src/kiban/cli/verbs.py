# SPDX-License-Identifier: GPL-2.0-or-later
"""What the life verbs do, without Typer: `kiban.cli.life` declares them, `kiban.cli.main` calls them directly.

Several machines are taken one after the other; every one is tried, and the first error decides the exit code.
"""

from __future__ import annotations

from kiban.cli.output import ReportedError, print_json, report, say, warn
from kiban.cli.progress import Bar
from kiban.cli.session import connect
from kiban.errors import KibanError

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from kiban.client import Client

TIMEOUT = 60.0
"""Seconds a guest has to shut down in."""


def run(
    verb: str, names: Sequence[str], *, as_json: bool = False, force: bool = False, timeout: float = TIMEOUT
) -> None:
    """Do `verb` (a key of ACTIONS) to each machine, and say what became of it.

    Args:
        force: stop turns the machine off instead of asking the guest to shut down.
        timeout: seconds the guest has to shut down in, for stop and restart.

    Raises:
        ReportedError: one of them failed. KibanError: the service cannot be reached.
    """
    client = connect()
    options = {"force": force, "timeout": timeout}
    views = each(names, lambda name: ACTIONS[verb](client, name, options), as_json=as_json)
    if as_json:
        print_json(views)


def each(names: Sequence[str], action: Callable[[str], Any], *, as_json: bool = False) -> list[Any]:
    """Do `action` to every name, telling about errors as they come; the results of those that went well.

    A view of a machine among the results is told about in a line, unless the caller prints JSON.
    """
    results: list[Any] = []
    first: KibanError | None = None
    for name in names:
        try:
            result = action(name)
        except KibanError as error:
            report(error, as_json=as_json)
            first = first or error
            continue
        results.append(result)
        if not as_json and result is not None:
            tell(result)
    if first is not None:
        if as_json:
            print_json(results)
        raise ReportedError(first)
    return results


def tell(view: Any) -> None:
    """One line about a machine: what it is now, and what people should know about it."""
    say(f"{view.name}: {view.state}")
    for warning in view.warnings:
        warn(f"{view.name}: {warning}")


def _start(client: Client, name: str, options: dict[str, Any]) -> Any:
    with Bar(f"Starting {name}") as bar:
        return client.start(name, progress=bar)


def _stop(client: Client, name: str, options: dict[str, Any]) -> Any:
    with Bar(f"Shutting down {name}") as bar:
        return client.stop(name, force=options["force"], timeout=options["timeout"], progress=bar)


def _restart(client: Client, name: str, options: dict[str, Any]) -> Any:
    with Bar(f"Restarting {name}") as bar:
        return client.restart(name, timeout=options["timeout"], progress=bar)


def _save(client: Client, name: str, options: dict[str, Any]) -> Any:
    with Bar(f"Saving {name}") as bar:
        return client.save(name, progress=bar)


ACTIONS: dict[str, Callable[[Client, str, dict[str, Any]], Any]] = {
    "start": _start,
    "stop": _stop,
    "restart": _restart,
    "save": _save,
    "reset": lambda client, name, _: client.reset(name),
    "pause": lambda client, name, _: client.pause(name),
    "resume": lambda client, name, _: client.resume(name),
    "discard": lambda client, name, _: client.discard(name),
}
