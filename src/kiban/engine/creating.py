# SPDX-License-Identifier: GPL-2.0-or-later
"""Making a machine: everything is checked first, made in a directory that nobody sees, and appears in one step."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

from kiban.adapters.disk import chain, changing, images, media
from kiban.adapters.disk.formats import image_format
from kiban.adapters.firmware import descriptors, keyrecord, templates
from kiban.adapters.firmware.keys import Keys
from kiban.adapters.net import bootfolder, httpboot
from kiban.adapters.store import directory as store
from kiban.adapters.whole import in_thread
from kiban.engine import addresses, diskuse, netboot, nvram, ports, profiles, secureboot, tpm
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.engine.progress import Progress, quiet
from kiban.errors import BadInput
from kiban.model import consistency, contract
from kiban.model.fresh import Fresh
from kiban.model.generations import Generation, generation
from kiban.model.machine import Board, Machine, Nic
from kiban.model.requests import DiskRequest, MachineRequest

LAYOUT = 1  # of new machines


MakeDisks = Callable[[Path, Machine, Progress], Awaitable[Machine]]
"""Makes the images of a machine's disks in its directory; returns the machine, which may say more of them then."""


async def create(
    host: Host, request: MachineRequest, progress: Progress = quiet, make_disks: MakeDisks | None = None
) -> Handle:
    """Make the machine that `request` asks for; on any failure, or Ctrl-C, nothing of it is left.

    `make_disks` makes its disks where they are not to be made, or copied, as the request says.
    """
    contract.check_name(request.name)
    gen = generation(request.generation)
    request, warnings = await profiles.fill_in(request)
    await check_media(host, request if make_disks is None else replace(request, disks=()))
    board, vars_template = await _board(host, gen, request)
    machine = replace(contract.make(request, board, fresh()), hyperv=profiles.is_windows(request.guest))
    machine = with_ports(machine)
    consistency.check(machine)  # before gigabytes are copied
    keys = await _keys(machine, request)

    async def fill(staged: Path) -> Machine:
        await _make_firmware(staged, machine, vars_template, keys)
        made = await (make_disks or partial(_make_disks, host, request))(staged, machine, progress)
        if made.tpm:
            progress(0.9, "making the TPM")
            await tpm.make(staged, host.account())
        return made

    handle = await appear(host, machine, fill)
    progress(1.0, "made")
    handle.warnings = [*warnings, *ports.warnings(host, handle), *addresses.warnings(host, handle)]
    handle.tell("created")
    return handle


async def appear(host: Host, machine: Machine, fill: Callable[[Path], Awaitable[Machine]]) -> Handle:
    """Let a machine appear whole, with what `fill` puts into its directory; on any failure nothing of it is left."""
    with host.taking(machine.name):
        staged = store.stage(host.paths.machines, machine.id)
        try:
            store.save(staged, await fill(staged))
            return host.load(store.publish(staged))
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise


def fresh() -> Fresh:
    """What makes one machine different from the next."""
    return Fresh(
        id=str(uuid4()),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        # QEMU's own prefix, locally administered
        mac=lambda: "52:54:00:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3)),
        secret=httpboot.new_secret,
    )


async def check_media(host: Host, request: MachineRequest) -> None:
    """Every file that the request names is there and is what it is said to be."""
    for dvd in request.dvds:
        if dvd.iso:
            await asyncio.to_thread(media.check_iso, Path(dvd.iso))
    if request.floppy:
        media.check_floppy(Path(request.floppy))
    for disk in request.disks:
        await check_disk(host, disk)
    for nic in request.nics or ():
        if nic.boot:
            bootfolder.check_file(bootfolder.check_folder(Path(nic.boot.folder)), nic.boot.file)


async def check_disk(host: Host, disk: DiskRequest) -> None:
    """An existing image is inspected as the format it is said to have, with all that it is made on."""
    if disk.path is None or disk.format is None:
        return
    if not Path(disk.path).is_absolute():
        raise BadInput(f"{disk.path} is not an absolute path.", "Say where it is from the root on.")
    with chain.opened(Path(disk.path), image_format(disk.format), host.disk_key(), strict=True) as links:
        contract.check_whole_sectors(links[0].facts.virtual_size, disk.sectors)
        if len(links) == 1:
            await images.inspect(Path(disk.path), disk.format)


def with_ports(machine: Machine) -> Machine:
    """Give each HTTP boot folder its port; the firmware's entry will name it, so it is chosen once."""
    return replace(machine, nics=tuple(_with_port(nic) for nic in machine.nics))


def _with_port(nic: Nic) -> Nic:
    if nic.boot is None or nic.boot.protocol != "http" or nic.boot.port:
        return nic
    return replace(nic, boot=replace(nic.boot, port=netboot.choose_port()))


async def _board(host: Host, gen: Generation, request: MachineRequest) -> tuple[Board, Path | None]:
    qemu = await host.qemu()
    machine_type = qemu.newest(gen.machine_family)
    code, digest, descriptor, template = "", "", "", None
    if gen.firmware == "uefi":
        build = await asyncio.to_thread(descriptors.find_uefi, machine_type, secure_boot=True)
        code, digest, descriptor = str(build.code), build.code_sha256, str(build.descriptor)
        template = build.vars_template
    board = Board(
        machine_type=machine_type,
        layout=LAYOUT,
        cpu="",
        video=contract.check_video(gen, request.video),
        firmware_code=code,
        firmware_code_sha256=digest,
        firmware_descriptor=descriptor,
    )
    return board, template


async def _keys(machine: Machine, request: MachineRequest) -> Keys | None:
    """The Secure Boot keys that the machine starts with; None on generation 1."""
    template = machine.uefi.template if machine.uefi else None
    return await asyncio.to_thread(secureboot.read_keys, template, request.keys)


async def _make_firmware(staged: Path, machine: Machine, template: Path | None, keys: Keys | None) -> None:
    if machine.uefi and template and keys:
        await in_thread(nvram.create, staged, machine, machine.uefi, template, keys)
        if machine.uefi.template == templates.CUSTOM:
            await in_thread(keyrecord.save_custom, staged, keys)


async def _make_disks(
    host: Host, request: MachineRequest, staged: Path, machine: Machine, progress: Progress
) -> Machine:
    for number, disk in enumerate(request.disks):
        progress(number / max(len(request.disks), 1), f"making {machine.disks[number].id}")
        await make_disk(host, staged, machine, number, disk)
    return machine


async def make_disk(host: Host, directory: Path, machine: Machine, number: int, request: DiskRequest) -> None:
    """Make the image of a new disk, a private copy of an existing one, or a child of it, in the machine's directory."""
    disk = machine.disks[number]
    if request.size is not None:
        await images.create(directory / disk.path, disk.format, request.size)
    elif request.path and request.format and disk.owned:
        key = host.disk_key()
        with chain.opened(Path(request.path), image_format(request.format), key, strict=True) as links:
            async with diskuse.working(host, f"Making {disk.id} of {machine.name}", links):
                if request.link:
                    await changing.create_child(directory / disk.path, links, key)
                else:
                    await changing.clone(links, directory / disk.path)
