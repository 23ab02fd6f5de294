# SPDX-License-Identifier: GPL-2.0-or-later
"""import: a machine from elsewhere, or only the plan of it. export: one that goes elsewhere."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from kiban.cli.arguments import Name, Output
from kiban.cli.output import print_json, say, table
from kiban.cli.progress import Bar
from kiban.cli.session import connect
from kiban.cli.verbs import tell
from kiban.model.units import format_size

PathArgument = Annotated[
    str,
    typer.Argument(
        metavar="PATH",
        help="An exported machine's folder; a .vmcx, .xml, .ovf or .ova; or a disk: .vhdx, .vhd, .qcow2 …",
    ),
]


def import_(
    path: PathArgument,
    *,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Instead of the source's own.")] = None,
    generation: Annotated[
        int | None, typer.Option("--generation", metavar="1|2", help="Where the source does not say it.")
    ] = None,
    form: Annotated[
        Literal["qcow2", "vhdx", "vhd", "raw", "vmdk", "vdi"] | None,
        typer.Option("--format", help="Of a lone disk whose name does not say it."),
    ] = None,
    parents: Annotated[
        list[str] | None,
        typer.Option("--parents", metavar="DIR", help="Where parent disks may lie besides the source. Repeatable."),
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", metavar="NAME|ID", help="Import this one's state, not the present.")
    ] = None,
    guest: Annotated[
        str | None, typer.Option("--guest", metavar="ID", help="What runs in it, as osinfo calls it: win2k22.")
    ] = None,
    lazy: Annotated[
        bool, typer.Option("--lazy", help="Let it start at once from Hyper-V's disks; they are copied while it runs.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and do nothing.")] = False,
    output: Output = "table",
) -> None:
    """Import an exported machine, a machine of Hyper-V, an OVF or OVA, or a disk. The source is never written to.

    \b
    Examples:
      kiban import /mnt/export/web --dry-run
      kiban import /mnt/export/web
      kiban import /mnt/export/web --lazy && kiban start web
      kiban import appliance.ova --name mail
      kiban import disk.vhdx --generation 2
      kiban import cloud.img --format qcow2 --generation 2 --name cloud
    """
    said: dict[str, Any] = {"name": name, "generation": generation, "format": form, "parents": parents or []}
    said |= {"checkpoint": checkpoint, "guest": guest, "lazy": lazy}
    client = connect()
    if dry_run:
        plan = client.plan_import(path, **said)
        if output == "json":
            print_json(plan)
        else:
            _show(plan)
        return
    with Bar(f"Importing {path}") as bar:
        view = client.import_machine(path, progress=bar, **said)
    if output == "json":
        print_json(view)
    else:
        tell(view)


def export(
    name: Name,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A folder that is not there yet, or empty.")],
    *,
    kind: Annotated[
        Literal["kiban", "hyper-v", "ovf"],
        typer.Option("--for", help="Who is to read it: kiban import, Hyper-V, or whoever reads OVF packages."),
    ] = "kiban",
    output: Output = "table",
) -> None:
    """Export a machine that is off into a folder of its own, which can be copied, moved and imported again.

    \b
    Examples:
      kiban export web /backup/web
      kiban import /backup/web --name web2
      kiban export web /mnt/windows/web --for hyper-v
      kiban export web /srv/packages/web --for ovf
    """
    with Bar(f"Exporting {name}") as bar:
        made = connect().export_machine(name, folder, kind=kind, progress=bar)
    if output == "json":
        print_json(made)
        return
    say(f"{made.path}: {len(made.files)} files, {format_size(sum(file['size'] for file in made.files))}")
    _list("Not in it:", made.left_out)


def _show(plan: Any) -> None:
    say(f"{plan.path}: {plan.title}")
    table(("what", "there", "here"), ((row.what, row.there, row.here) for row in plan.rows))
    for checkpoint in plan.checkpoints:
        mark = "*" if checkpoint.taken else "-"
        say(
            f"checkpoint {'  ' * checkpoint.depth}{mark} {checkpoint.name}, {checkpoint.created[:19]} ({checkpoint.id})"
        )
    _list("Not taken over:", plan.left_out)
    _list("Good to know:", plan.advice)


def _list(title: str, sentences: list[str]) -> None:
    if sentences:
        say("")
        say(title)
        for sentence in sentences:
            say(f"- {sentence}")
