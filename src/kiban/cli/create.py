# SPDX-License-Identifier: GPL-2.0-or-later
"""create: one option per thing that a machine may have. What the generation does not have is refused by the service."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from kiban.cli import options
from kiban.cli.arguments import OnOff, Output, as_bool
from kiban.cli.output import print_json
from kiban.cli.progress import Bar
from kiban.cli.session import connect
from kiban.cli.verbs import tell
from kiban.model.units import parse_size

STORAGE, NETWORK, FIRMWARE, OTHER = "Storage", "Network", "Firmware and start-up", "Other"

Cpus = Annotated[int | None, typer.Option("--cpus", min=1, metavar="N", help="Virtual processors.")]
Memory = Annotated[str | None, typer.Option("--memory", metavar="SIZE", help="Such as 2G or 512M.")]
Disks = Annotated[
    list[str] | None,
    typer.Option(
        "--disk",
        metavar="SIZE|PATH,format=F",
        help="A new disk (20G), or an image with its format named: PATH,format=vhdx (or vhd, qcow2, raw). "
        "Also ,bus=ide|scsi|nvme, ,sectors=512|512e|4k and, for an image, ,copy to leave the original alone or ,link "
        "for a differencing disk on it. Repeatable.",
        rich_help_panel=STORAGE,
    ),
]
Dvds = Annotated[
    list[str] | None,
    typer.Option(
        "--dvd",
        metavar="ISO",
        help="A DVD drive with this ISO; 'none' for an empty one. Also ,bus=usb (generation 2). Repeatable.",
        rich_help_panel=STORAGE,
    ),
]
FloppyImage = Annotated[
    str | None,
    typer.Option("--floppy", metavar="IMAGE", help="A floppy (generation 1).", rich_help_panel=STORAGE),
]
Nics = Annotated[
    list[str] | None,
    typer.Option(
        "--nic",
        metavar="nat|none",
        help="An adapter, on the host's address (nat) or plugged in nowhere (none). Also ,forward=2222:22 (repeatable) "
        ",kind=legacy (generation 1) ,model=e1000e (generation 2) ,mac=52:54:00:12:34:56. Without --nic there is one "
        "with nat.",
        rich_help_panel=NETWORK,
    ),
]
NoNic = Annotated[bool, typer.Option("--no-nic", help="No network adapter at all.", rich_help_panel=NETWORK)]
Pxe = Annotated[
    str | None,
    typer.Option(
        "--pxe",
        metavar="DIR,file=NAME",
        help="Let the first adapter boot this file of this folder; ,protocol=http boots over HTTP (generation 2).",
        rich_help_panel=NETWORK,
    ),
]
PxeProtocol = Annotated[
    Literal["ipv4", "ipv6"] | None,
    typer.Option("--pxe-protocol", help="Which to try first (generation 2).", rich_help_panel=NETWORK),
]
Boot = Annotated[
    str | None,
    typer.Option(
        "--boot",
        metavar="dvd,disk,nic",
        help="Boot order: classes, or single devices such as disk1 on generation 2.",
        rich_help_panel=FIRMWARE,
    ),
]
SecureBoot = Annotated[
    OnOff | None, typer.Option("--secure-boot", help="Generation 2; on unless said.", rich_help_panel=FIRMWARE)
]
Template = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="NAME",
        help="Whose loaders Secure Boot trusts: microsoft-uefi-ca, microsoft-windows, open-source, custom.",
        rich_help_panel=FIRMWARE,
    ),
]
Keys = Annotated[
    str | None,
    typer.Option(
        "--keys",
        metavar="DIR",
        help="Keys of --template custom: PK, KEK, db, dbx as .crt, .esl …",
        rich_help_panel=FIRMWARE,
    ),
]
BootPause = Annotated[
    OnOff | None,
    typer.Option(
        "--pause-after-boot-failure", help="Stop when nothing boots (generation 2).", rich_help_panel=FIRMWARE
    ),
]
Tpm = Annotated[bool | None, typer.Option("--tpm/--no-tpm", help="A TPM 2.0 (generation 2).", rich_help_panel=FIRMWARE)]
COM_HELP = "Where COM{} leads: 'socket' (see kiban console), socket:PATH, file:PATH or 'none'."
Com1 = Annotated[str | None, typer.Option("--com1", metavar="WHERE", help=COM_HELP.format(1), rich_help_panel=OTHER)]
Com2 = Annotated[str | None, typer.Option("--com2", metavar="WHERE", help=COM_HELP.format(2), rich_help_panel=OTHER)]
Guest = Annotated[
    str | None,
    typer.Option(
        "--guest", metavar="ID", help="What will run in it, as osinfo calls it: debian12, win11.", rich_help_panel=OTHER
    ),
]
VideoAdapter = Annotated[
    Literal["std", "cirrus", "synthetic"] | None,
    typer.Option("--video", help="The display adapter.", rich_help_panel=OTHER),
]
Notes = Annotated[str | None, typer.Option("--notes", metavar="TEXT", help="For people.", rich_help_panel=OTHER)]


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, '.', '_' and '-'.")],
    *,
    generation: Annotated[int, typer.Option("--generation", metavar="1|2", help="1: BIOS. 2: UEFI.")] = 2,
    cpus: Cpus = None,
    memory: Memory = None,
    disk: Disks = None,
    dvd: Dvds = None,
    floppy: FloppyImage = None,
    nic: Nics = None,
    no_nic: NoNic = False,
    pxe: Pxe = None,
    pxe_protocol: PxeProtocol = None,
    boot: Boot = None,
    secure_boot: SecureBoot = None,
    template: Template = None,
    keys: Keys = None,
    pause_after_boot_failure: BootPause = None,
    tpm: Tpm = None,
    com1: Com1 = None,
    com2: Com2 = None,
    guest: Guest = None,
    video: VideoAdapter = None,
    autostart: Annotated[
        bool, typer.Option("--autostart", help="Start it when the host starts.", rich_help_panel=FIRMWARE)
    ] = False,
    notes: Notes = None,
    output: Output = "table",
) -> None:
    """Create a machine; its generation never changes.

    \b
    Examples:
      kiban create web --disk 20G --dvd debian.iso
      kiban create old --generation 1 --disk win2000.vhd,format=vhd,copy --memory 512M
      kiban create box --disk box.vhdx,format=vhdx --nic nat,forward=2222:22
      kiban create lab1 --disk base.qcow2,format=qcow2,link
      kiban create lab --pxe /srv/tftp,file=shimx64.efi --boot nic,disk --disk 8G
    """
    said: dict[str, Any] = {
        "name": name,
        "generation": generation,
        "cpus": cpus,
        "memory": None if memory is None else parse_size(memory),
        "disks": tuple(options.disk(text) for text in disk or ()),
        "dvds": tuple(options.dvd(text) for text in dvd or ()),
        "floppy": None if floppy is None else options.medium(floppy),
        "nics": options.nics(nic or [], no_nic, pxe),
        "boot": options.boot(boot),
        "pxe_protocol": pxe_protocol,
        "secure_boot": as_bool(secure_boot),
        "template": template,
        "keys": keys,
        "pause_after_boot_failure": as_bool(pause_after_boot_failure),
        "tpm": tpm,
        "coms": options.coms(com1, com2),
        "guest": guest,
        "video": video,
        "autostart": autostart,
        "notes": notes or "",
    }
    with Bar(f"Creating {name}") as bar:
        view = connect().create(**said, progress=bar)
    if output == "json":
        print_json(view)
    else:
        tell(view)
