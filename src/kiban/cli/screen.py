# SPDX-License-Identifier: GPL-2.0-or-later
"""screenshot, type, key: the guest's screen and keyboard, without a console port."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kiban.cli.arguments import Name, Output
from kiban.cli.session import connect
from kiban.errors import BadInput


def screenshot(
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE.png", help="Where the picture goes; '-' is stdout.")],
    output: Output = "table",
) -> None:
    """Save a picture of what the guest shows.

    \b
    Example:
      kiban screenshot web web.png
    """
    png = connect().screenshot(name)
    if file == "-":
        sys.stdout.buffer.write(png)
        sys.stdout.buffer.flush()
        return
    try:
        Path(file).write_bytes(png)
    except OSError as error:
        raise BadInput(f"Cannot write {file}: {error.strerror}.", "Name a file in a folder of your own.") from None


def type_(
    name: Name,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Typed as on a US keyboard; '-' reads stdin.")],
    enter: Annotated[bool, typer.Option("--enter", help="Press Enter after it.")] = False,
    output: Output = "table",
) -> None:
    """Type text on the guest's keyboard.

    \b
    Examples:
      kiban type web root --enter
      kiban type web - < commands.txt
    """
    typed = (sys.stdin.read() if text == "-" else text) + ("\n" if enter else "")
    if not typed:
        raise BadInput("There is nothing to type.", "Say a text, or --enter for the key alone.")
    connect().type_text(name, typed)


def key(
    name: Name,
    keys: Annotated[
        list[str], typer.Argument(metavar="KEYS", help="Keys pressed together, one group after the other.")
    ],
    output: Output = "table",
) -> None:
    """Press keys on the guest's keyboard.

    \b
    Examples:
      kiban key web ctrl-alt-delete
      kiban key web down down ret
    """
    client = connect()
    for group in keys:
        client.press(name, group)
