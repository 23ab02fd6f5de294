# SPDX-License-Identifier: GPL-2.0-or-later
"""web: the web manager in a browser, by an address that works once."""

from __future__ import annotations

import os
import webbrowser
from typing import Annotated

import typer

from kiban.cli.arguments import Output
from kiban.cli.output import print_json, say, warn
from kiban.cli.session import connect
from kiban.paths import Paths, private

PAGE = """<!doctype html><meta charset="utf-8"><title>Kiban</title>
<meta http-equiv="refresh" content="0; url={url}"><a href="{url}">Kiban</a>
"""


def web(
    print_: Annotated[bool, typer.Option("--print", help="Print the address instead of opening a browser.")] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where it is to be on loopback; 7480 if that is free.")
    ] = 0,
    output: Output = "table",
) -> None:
    """Open the web manager, where machines are seen and run from a browser on this host.

    The address lets one browser in, once, and is good for a minute.

    \b
    Examples:
      kiban web
      kiban web --print --port 8080
    """
    link = connect().web(port)
    if output == "json":
        print_json(link)
    elif print_ or not _open(link.url):
        say(link.url)
        warn(f"Open it within {link.seconds:.0f} s; it works once.")


def _open(url: str) -> bool:
    """Whether a browser took it. It gets a file of ours that leads on, as everybody may see its command line."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    page = Paths.default().runtime / "web.html"
    page.unlink(missing_ok=True)
    with open(page, "x", opener=private) as file:
        file.write(PAGE.format(url=url))
    return webbrowser.open(page.as_uri())
