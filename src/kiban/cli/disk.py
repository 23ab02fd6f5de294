# SPDX-License-Identifier: GPL-2.0-or-later
"""disk: disk images as files, and the disks of machines by name (web:disk0)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from kiban.cli.arguments import Output
from kiban.cli.disktree import tree
from kiban.cli.output import ReportedError, print_json, say
from kiban.cli.progress import Bar
from kiban.cli.session import connect
from kiban.errors import Failed
from kiban.model.units import format_size, parse_size

disk = typer.Typer(help="Disk images: make, convert, resize, merge and more.", no_args_is_help=False)

Which = Annotated[
    str, typer.Argument(metavar="DISK", help="An image, or a machine's disk such as web:disk0.", show_default=False)
]
Target = Annotated[str, typer.Argument(metavar="NEW", help="Where the new image is to be; nothing may be there yet.")]
Format = Annotated[
    Literal["qcow2", "vhdx", "vhd", "raw", "vmdk", "vdi"] | None,
    typer.Option("--format", help="Format of the image, where the end of its name does not say it."),
]
NewFormat = Literal["qcow2", "vhdx", "vhd", "raw"] | None
Fixed = Annotated[bool, typer.Option("--fixed", help="Take all the room at once.")]
Folders = Annotated[
    list[str] | None,
    typer.Option("--parents", metavar="DIR", help="Where the parents of a VHD or VHDX lie, if not beside it."),
]


@disk.command("ls")
def list_all(output: Output = "table") -> None:
    """List the disks of all machines, with what they are made on and who uses which.

    \b
    Examples:
      kiban disk ls
      kiban disk ls -o json
    """
    found = connect().disks()
    if output == "json":
        print_json(found)
        return
    for family in found:
        for line in tree(family, mark=False):
            say(line)
    if not found:
        say("No machine has a disk.")


@disk.command("info")
def info(which: Which, form: Format = None, parents: Folders = None, output: Output = "table") -> None:
    """Show a disk, what it is made on, what is made on that, and who uses which of them.

    \b
    Examples:
      kiban disk info web:disk0
      kiban disk info checkpoint.avhdx --parents /srv/parents -o json
    """
    _tell(connect().disk(which, format=form, folders=parents or ()), output)


@disk.command("create")
def create(
    path: Target,
    size: Annotated[
        str | None, typer.Argument(metavar="[SIZE]", help="Such as 20G; a child's is its parent's.")
    ] = None,
    *,
    form: Annotated[NewFormat, typer.Option("--format", help="Where the end of its name does not say it.")] = None,
    fixed: Fixed = False,
    parent: Annotated[
        str | None, typer.Option("--parent", metavar="DISK", help="Make a differencing disk on this one.")
    ] = None,
    parent_format: Annotated[
        NewFormat, typer.Option("--parent-format", help="Where the end of its name does not say it.")
    ] = None,
    output: Output = "table",
) -> None:
    """Make an empty disk, or a differencing one, which holds only what differs from its parent.

    \b
    Examples:
      kiban disk create data.vhdx 40G
      kiban disk create data.raw 8G --fixed
      kiban disk create lab1.qcow2 --parent base.vhdx
    """
    with Bar(f"Creating {path}") as bar:
        made = connect().create_disk(
            path,
            None if size is None else parse_size(size),
            format=form,
            fixed=fixed,
            parent=parent,
            parent_format=parent_format,
            progress=bar,
        )
    _say_made(made, output)


@disk.command("convert")
def convert(
    which: Which,
    path: Target,
    *,
    form: Format = None,
    to: Annotated[NewFormat, typer.Option("--to", help="Format of the new image, if its name does not say it.")] = None,
    fixed: Fixed = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare every byte afterwards.")] = False,
    parents: Folders = None,
    output: Output = "table",
) -> None:
    """Make one whole disk of a disk and all that it is made on. What is zero takes no room.

    \b
    Examples:
      kiban disk convert appliance.vmdk appliance.qcow2
      kiban disk convert checkpoint.avhdx whole.vhdx --verify
    """
    with Bar(f"Converting {which}") as bar:
        made = connect().convert_disk(
            *(which, path),
            format=form,
            to=to,
            fixed=fixed,
            verify=verify,
            folders=parents or (),
            progress=bar,
        )
    _say_made(made, output)


@disk.command("clone")
def clone(which: Which, path: Target, form: Format = None, output: Output = "table") -> None:
    """Copy a disk as it is: at once where the file system can, else without its holes.

    \b
    Examples:
      kiban disk clone base.qcow2 mine.qcow2
      kiban disk clone web:disk0 backup.qcow2
    """
    with Bar(f"Copying {which}") as bar:
        made = connect().clone_disk(which, path, format=form, progress=bar)
    _say_made(made, output)


@disk.command("resize")
def resize(
    which: Which,
    size: Annotated[str, typer.Argument(metavar="SIZE", help="The new size, such as 40G.")],
    *,
    form: Format = None,
    shrink: Annotated[
        bool, typer.Option("--shrink", help="Let it become smaller, if what is cut off is empty.")
    ] = False,
    output: Output = "table",
) -> None:
    """Give a disk another size. One of a running machine (qcow2, raw) grows under its guest's eyes.

    \b
    Examples:
      kiban disk resize web:disk0 40G
      kiban disk resize data.vhdx 10G --shrink
    """
    with Bar(f"Resizing {which}") as bar:
        made = connect().resize_disk(which, parse_size(size), format=form, shrink=shrink, progress=bar)
    _say_made(made, output)


@disk.command("compact")
def compact(which: Which, form: Format = None, output: Output = "table") -> None:
    """Give back the room of what is zero. The image is made anew beside its place.

    \b
    Example:
      kiban disk compact data.vhdx
    """
    with Bar(f"Compacting {which}") as bar:
        made = connect().compact_disk(which, format=form, progress=bar)
    _say_made(made, output)


@disk.command("check")
def check(which: Which, form: Format = None, output: Output = "table") -> None:
    """Look whether an image is consistent in itself; nothing is changed.

    \b
    Example:
      kiban disk check web:disk0
    """
    with Bar(f"Checking {which}") as bar:
        found = connect().check_disk(which, format=form, progress=bar)
    if output == "json":
        print_json(found)
    else:
        say(f"{which}: {_found(found)}")
    if found.errors:
        raise ReportedError(Failed(f"{which} has errors."))


def _found(found: Any) -> str:
    if not found.known:
        return "its format has nothing that could be checked"
    leaks = f"{found.leaks} clusters take room for nothing (kiban disk compact)" if found.leaks else ""
    errors = f"{found.errors} errors; take it from a backup" if found.errors else ""
    return "; ".join(part for part in (errors, leaks) if part) or "no errors"


@disk.command("merge")
def merge(which: Which, form: Format = None, output: Output = "table") -> None:
    """Put a differencing disk back into its parent and remove it. A running machine goes on with the parent.

    \b
    Examples:
      kiban disk merge lab1.qcow2
      kiban disk merge web:disk0
    """
    with Bar(f"Merging {which}") as bar:
        made = connect().merge_disk(which, format=form, progress=bar)
    _say_made(made, output)


@disk.command("mount")
def mount(
    which: Which,
    directory: Annotated[str, typer.Argument(metavar="DIR", help="A folder: a new or an empty one.")],
    *,
    form: Format = None,
    write: Annotated[bool, typer.Option("--write", help="Let it be written to, while nothing else uses it.")] = False,
    parents: Folders = None,
    output: Output = "table",
) -> None:
    """Show a disk of any format as one raw file, DIR/disk.raw, for the tools of the host.

    \b
    Examples:
      kiban disk mount checkpoint.avhdx /mnt/old
      kiban disk mount web:disk0 /mnt/web --write
    """
    with Bar(f"Mounting {which}") as bar:
        found = connect().mount_disk(
            *(which, directory), format=form, writable=write, folders=parents or (), progress=bar
        )
    if output == "json":
        print_json(found)
    else:
        say(_mounted(found))


@disk.command("unmount")
def unmount(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Where it is mounted.")], output: Output = "table"
) -> None:
    """End a mount. Everything that was written to it is in the image when this returns.

    \b
    Example:
      kiban disk unmount /mnt/old
    """
    with Bar(f"Unmounting {directory}") as bar:
        connect().unmount_disk(directory, bar)
    if output == "table":
        say(f"{directory}: unmounted")


@disk.command("mounts")
def mounts(output: Output = "table") -> None:
    """List the disks that are mounted on this host.

    \b
    Example:
      kiban disk mounts
    """
    found = connect().disk_mounts()
    if output == "json":
        print_json(found)
        return
    for one in found:
        say(_mounted(one))
    if not found:
        say("No disk is mounted.")


def _mounted(found: Any) -> str:
    how = "to be written to" if found.writable else "read-only"
    return f"{found.disk}: {how}, at {found.directory}/disk.raw"


def _tell(found: Any, output: str) -> None:
    if output == "json":
        print_json(found)
        return
    for line in tree(found):
        say(line)


def _say_made(made: Any, output: str) -> None:
    if output == "json":
        print_json(made)
        return
    image = next(link for link in made.links if link.path == made.path)
    on = f" on {image.parent}" if image.parent else ""
    say(f"{image.path}: {image.format}, {image.kind}, {format_size(image.virtual_size)}{on}")
