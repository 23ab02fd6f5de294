# SPDX-License-Identifier: GPL-2.0-or-later
"""set, rename, remove: a machine that exists already is changed or taken away."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kiban.cli import nics, options
from kiban.cli.arguments import Name, Names, OnOff, Output, as_bool
from kiban.cli.create import (
    FIRMWARE,
    NETWORK,
    STORAGE,
    Boot,
    BootPause,
    Com1,
    Com2,
    Cpus,
    FloppyImage,
    Guest,
    Keys,
    Memory,
    Notes,
    PxeProtocol,
    SecureBoot,
    Template,
    VideoAdapter,
)
from kiban.cli.output import print_json, say
from kiban.cli.session import connect
from kiban.cli.verbs import each, tell
from kiban.errors import BadInput, Cancelled, NotFound
from kiban.model.requests import ComRequest
from kiban.model.units import parse_size

if TYPE_CHECKING:
    from kiban.client import Client

Texts = list[str] | None


def set_(
    name: Name,
    *,
    cpus: Cpus = None,
    memory: Memory = None,
    boot: Boot = None,
    secure_boot: SecureBoot = None,
    template: Template = None,
    keys: Keys = None,
    pause_after_boot_failure: BootPause = None,
    pxe_protocol: PxeProtocol = None,
    tpm: Annotated[OnOff | None, typer.Option("--tpm", help="Generation 2.", rich_help_panel=FIRMWARE)] = None,
    floppy: FloppyImage = None,
    com1: Com1 = None,
    com2: Com2 = None,
    video: VideoAdapter = None,
    guest: Guest = None,
    autostart: Annotated[
        OnOff | None, typer.Option("--autostart", help="Start it with the host.", rich_help_panel=FIRMWARE)
    ] = None,
    notes: Notes = None,
    add_disk: Annotated[
        Texts, typer.Option("--add-disk", metavar="DISK", help="As --disk of create.", rich_help_panel=STORAGE)
    ] = None,
    add_nic: Annotated[
        Texts, typer.Option("--add-nic", metavar="NIC", help="As --nic of create.", rich_help_panel=NETWORK)
    ] = None,
    nic: Annotated[
        Texts,
        typer.Option(
            "--nic",
            metavar="ID,CHANGE",
            help="Change an adapter: nic0,none unplugs it, nic0,nat plugs it in. Any number of ,forward=8080:80 "
            ",no-forward=8080 ; also ,mac=new ,kind= ,model= ,pxe=DIR,file=NAME ,pxe=none.",
            rich_help_panel=NETWORK,
        ),
    ] = None,
    add_dvd: Annotated[
        Texts, typer.Option("--add-dvd", metavar="DVD", help="As --dvd of create.", rich_help_panel=STORAGE)
    ] = None,
    remove_device: Annotated[
        Texts, typer.Option("--remove-device", metavar="ID", help="Such as disk1, nic0.", rich_help_panel=STORAGE)
    ] = None,
    move: Annotated[
        Texts,
        typer.Option(
            "--move",
            metavar="ID",
            help="Attach a disk or DVD drive elsewhere: disk1,bus=scsi ,slot=3.",
            rich_help_panel=STORAGE,
        ),
    ] = None,
    dvd: Annotated[
        Texts,
        typer.Option(
            "--dvd",
            metavar="ISO|none",
            help="Change the medium; 'none' ejects. With several drives: dvd1=ISO.",
            rich_help_panel=STORAGE,
        ),
    ] = None,
    output: Output = "table",
) -> None:
    """Change a machine. Devices and media may change while it runs; most settings want it off.

    \b
    Examples:
      kiban set web --memory 4G --cpus 2
      kiban set web --add-disk 50G --add-nic nat
      kiban set web --dvd none
      kiban set web --nic nic0,forward=8080:80,no-forward=2222
      kiban set web --remove-device disk1
    """
    said: dict[str, Any] = {
        "cpus": cpus,
        "memory": None if memory is None else parse_size(memory),
        "boot": None if boot is None else options.boot(boot),
        "secure_boot": as_bool(secure_boot),
        "template": template,
        "keys": keys,
        "pause_after_boot_failure": as_bool(pause_after_boot_failure),
        "pxe_protocol": pxe_protocol,
        "tpm": as_bool(tpm),
        "floppy": None if floppy is None else options.medium(floppy),
        "video": video,
        "guest": guest,
        "autostart": as_bool(autostart),
        "notes": notes,
    }
    changes = {key: value for key, value in said.items() if value is not None}
    # everything is understood before anything is sent
    steps: list[tuple[str, Any]] = [
        *(("remove_device", (device,)) for device in remove_device or ()),
        *(("move_drive", options.place(text)) for text in move or ()),
        *(("add_disk", (options.disk(text, "--add-disk"),)) for text in add_disk or ()),
        *(("add_nic", (options.nic(text, "--add-nic"),)) for text in add_nic or ()),
        *(("add_dvd", (dvd.iso, dvd.bus)) for dvd in (options.dvd(text, "--add-dvd") for text in add_dvd or ())),
    ]
    adapters = [nics.change(text) for text in nic or ()]
    coms = options.coms(com1, com2)
    if not (changes or steps or coms or dvd or adapters):
        raise BadInput("Nothing to change was said.", "kiban set --help", code="usage")
    view = _apply(connect(), name, changes=changes, coms=coms, steps=steps, adapters=adapters, media=dvd or [])
    if output == "json":
        print_json(view)
    else:
        tell(view)


def _apply(
    client: Client,
    name: str,
    *,
    changes: dict[str, Any],
    coms: tuple[ComRequest, ...],
    steps: list[tuple[str, Any]],
    adapters: list[nics.NicEdit],
    media: list[str],
) -> Any:
    """Settings first, then devices taken out, added and changed, then media; the first refusal ends it."""
    view = client.machine(name)
    if coms:
        from kiban.model.edit import with_coms

        changes = {**changes, "coms": with_coms(view.generation, view.coms, coms)}
    if changes:
        view = client.edit(name, **changes)
    for method, arguments in steps:
        view = getattr(client, method)(name, *arguments)
    for edit in adapters:
        view = client.change_nic(name, edit.device, **edit.changes(view))
    for text in media:
        drive, medium = _drive(view, text)
        view = client.insert(name, drive, medium) if medium else client.eject(name, drive)
    return view


def _drive(view: Any, text: str) -> tuple[str, str]:
    """The DVD drive and the medium that `ISO`, `none` or `dvd1=ISO` mean."""
    drives = [dvd.id for dvd in view.dvds]
    drive, equals, rest = text.partition("=")
    if equals and drive in drives:
        return drive, options.medium(rest)
    if not drives:
        raise NotFound(f"{view.name} has no DVD drive.", f"Add one: kiban set {view.name} --add-dvd {text}")
    if len(drives) > 1:
        raise BadInput(
            f"{view.name} has {len(drives)} DVD drives: {', '.join(drives)}.", f"Say which: --dvd {drives[0]}={text}"
        )
    return drives[0], options.medium(text)


def rename(
    name: Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
    output: Output = "table",
) -> None:
    """Give a machine another name; its id stays.

    \b
    Example:
      kiban rename web web-old
    """
    view = connect().rename(name, new_name)
    if output == "json":
        print_json(view)
    else:
        tell(view)


def remove(
    names: Names,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: Output = "table",
) -> None:
    """Remove machines, with the disks that were made for them; images that were given by path stay.

    \b
    Examples:
      kiban remove web
      kiban remove --yes web db
    """
    if not yes:
        _ask(names)
    client = connect()
    as_json = output == "json"

    def one(name: str) -> None:
        client.remove(name)
        if not as_json:
            say(f"{name}: removed")

    each(names, one, as_json=as_json)


def _ask(names: list[str]) -> None:
    these = ", ".join(names)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadInput(f"Not removing {these} without being sure.", "Say --yes where nobody can be asked.")
    print(f"Remove {these} and the disks made for it? It cannot be undone. [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Cancelled("Nothing was removed.")
