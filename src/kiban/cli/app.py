# SPDX-License-Identifier: GPL-2.0-or-later
"""The Typer application, put together from the modules of the commands.

A command line that names a command loads that command's module only; help, completion and mistakes load them all.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Annotated

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]  # Typer has it here, not in __all__

import kiban
from kiban.cli.output import say

COMMANDS: dict[str, tuple[str, str, str]] = {
    "create": ("create", "create", "Machines"),
    "import": ("takeover", "import_", "Machines"),
    "export": ("takeover", "export", "Machines"),
    "ls": ("show", "ls", "Machines"),
    "info": ("show", "info", "Machines"),
    "top": ("top", "top", "Machines"),
    "set": ("edit", "set_", "Machines"),
    "rename": ("edit", "rename", "Machines"),
    "remove": ("edit", "remove", "Machines"),
    "start": ("life", "start", "Life of a machine"),
    "stop": ("life", "stop", "Life of a machine"),
    "restart": ("life", "restart", "Life of a machine"),
    "reset": ("life", "reset", "Life of a machine"),
    "pause": ("life", "pause", "Life of a machine"),
    "resume": ("life", "resume", "Life of a machine"),
    "save": ("life", "save", "Life of a machine"),
    "discard": ("life", "discard", "Life of a machine"),
    "secureboot": ("secureboot", "secureboot", "Inside a machine"),
    "console": ("console", "console", "Inside a machine"),
    "screenshot": ("screen", "screenshot", "Inside a machine"),
    "type": ("screen", "type_", "Inside a machine"),
    "key": ("screen", "key", "Inside a machine"),
    "tpm": ("tpm", "tpm", "Inside a machine"),
    "disk": ("disk", "disk", "Disks"),
    "media": ("media", "media", "Disks"),
    "jobs": ("jobs", "jobs", "The service"),
    "job": ("jobs", "job", "The service"),
    "events": ("show", "events", "The service"),
    "web": ("web", "web", "The service"),
    "serve": ("serve", "serve", "The service"),
    "token": ("serve", "token", "The service"),
    "doctor": ("doctor", "doctor", "This host"),
    "host": ("host", "host", "This host"),
    "demo": ("doctor", "demo", "This host"),
    "completion": ("completion", "completion", "This host"),
}
"""Name of each command: its module, the function or group in it, and its place in the help."""

HELP = """Hyper-V's generation 1 and generation 2 machines on QEMU.

\b
Examples:
  kiban create web --disk 20G --dvd debian.iso
  kiban start web
  kiban ls
"""


def build(arguments: list[str]) -> typer.Typer:
    """The application with the one command that `arguments` begin with, or with all of them."""
    if "_KIBAN_COMPLETE" in os.environ:
        completion_init()
    app = typer.Typer(name="kiban", help=HELP, add_completion=False, pretty_exceptions_enable=False)
    app.callback(help=HELP, context_settings={"help_option_names": ["-h", "--help"]})(_root)
    only = arguments[0] if arguments else ""
    for name in [only] if only in COMMANDS else COMMANDS:
        _add(app, name)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        say(f"kiban {kiban.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Makes a group of the application even when it has one command only."""


def _add(app: typer.Typer, name: str) -> None:
    module, attribute, panel = COMMANDS[name]
    command = getattr(import_module(f"kiban.cli.{module}"), attribute)
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name, rich_help_panel=panel)
    else:
        app.command(name, rich_help_panel=panel)(command)
