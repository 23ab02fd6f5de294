# SPDX-License-Identifier: GPL-2.0-or-later
"""media: the service's library of ISO and floppy images, and what an ISO is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kiban.cli.arguments import Output
from kiban.cli.output import card, print_json, say, table
from kiban.cli.progress import Bar
from kiban.cli.session import connect
from kiban.model.units import format_size

media = typer.Typer(help="The library of ISO and floppy images on the service's host.", no_args_is_help=False)


@media.command("ls")
def ls(output: Output = "table") -> None:
    """List the images of the library, and which machines have them in a drive.

    \b
    Examples:
      kiban media ls
      kiban media ls -o json
    """
    found = connect().media()
    if output == "json":
        print_json(found)
    elif found:
        rows = ((m.name, m.kind, format_size(m.size), ", ".join(m.machines), m.path) for m in found)
        table(("name", "kind", "size", "machines", "path"), rows)
    else:
        say("The library is empty. Add an image: kiban media add debian.iso")


@media.command("add")
def add(
    file: Annotated[str, typer.Argument(metavar="FILE", help="An image on this computer: .iso, .img …")],
    *,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Instead of the file's own.")] = None,
    output: Output = "table",
) -> None:
    """Send an image to the library, also to that of another host. A name that is taken is refused.

    \b
    Examples:
      kiban media add debian-12.iso
      kiban media add ~/Downloads/en-us_windows_server.iso --name server.iso
    """
    with Bar(f"Sending {Path(file).name}") as bar:
        made = connect().upload(file, name or "", progress=bar)
    if output == "json":
        print_json(made)
    else:
        say(made.path)


@media.command("remove")
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="As kiban media ls shows it.")]) -> None:
    """Remove an image from the library; one that a machine has in a drive is refused.

    \b
    Example:
      kiban media remove debian-12.iso
    """
    connect().remove_medium(name)


@media.command("advise")
def advise(
    iso: Annotated[str, typer.Argument(metavar="ISO", help="An ISO on the service's host.")],
    *,
    output: Output = "table",
) -> None:
    """Say which system an ISO has, which generation suits it and why, and what its machine should have.

    \b
    Examples:
      kiban media advise debian-12.iso
      kiban media advise debian-12.iso -o json
    """
    found = connect().advise(iso)
    if output == "json":
        print_json(found)
        return
    rows = {"label": [found.label], "or": [", ".join(found.others)] if found.others else []}
    rows["generation"] = [f"{found.generation or 'none'}: {found.reason}"]
    rows |= {f"as generation {each.generation}": [_words(each)] for each in found.suggestions}
    card(found.name or "A system that is not known", rows)


def _words(found: Any) -> str:
    if not found.ok:
        return str(found.reason)
    parts = [f"{found.cpus} CPUs", format_size(found.memory), f"disk {format_size(found.disk)}"]
    parts += [f"template {found.template}"] * bool(found.template) + ["TPM"] * found.tpm
    return ", ".join(parts)
