# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest profiles at work: recognise an ISO, refuse what does not suit the generation, and fill in what was not said."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

from kiban.adapters.osinfo import advice, database, recognise
from kiban.adapters.osinfo.advice import Defaults
from kiban.adapters.osinfo.profiles import GuestProfile
from kiban.adapters.osinfo.recognise import Recognised
from kiban.errors import HostLacks, NotFound, NotInGeneration
from kiban.model.machine import Machine
from kiban.model.requests import MachineRequest, NicRequest

log = logging.getLogger(__name__)


async def fill_in(request: MachineRequest) -> tuple[MachineRequest, list[str]]:
    """The request with the guest's defaults where nothing was said, and what is worth a warning.

    An ISO whose system is known decides the guest unless one was named. Without osinfo-db, and without a guest named,
    a machine is made with the plain defaults.
    """
    medium = await _recognise(request)
    profile = await asyncio.to_thread(database.profile, request.guest) if request.guest else None
    if profile is None and medium is not None:
        profile = medium.profile
    verdict = advice.suits(profile, request.generation, medium)
    if not verdict.ok:
        raise NotInGeneration(verdict.reason, verdict.hint, code="guest-does-not-suit")
    warnings = [" ".join((verdict.reason, f"Hint: {verdict.hint}."))] if verdict.reason else []
    if profile is None:
        return request, warnings
    warnings += _about_doubt(profile, medium if not request.guest else None)
    suggested = advice.defaults(profile, request.generation)
    request = _with_defaults(request, profile, suggested)
    return request, [*warnings, *_about_drivers(request, profile.name, suggested)]


async def _recognise(request: MachineRequest) -> Recognised | None:
    for dvd in request.dvds:
        if dvd.iso:
            try:
                return await asyncio.to_thread(recognise.recognise, Path(dvd.iso))
            except HostLacks as error:
                log.info("ISOs are not recognised: %s", error)
                return None
    return None


def _with_defaults(request: MachineRequest, profile: GuestProfile, suggested: Defaults) -> MachineRequest:
    return replace(
        request,
        guest=profile.asked or profile.short_id,
        cpus=suggested.cpus if request.cpus is None else request.cpus,
        memory=suggested.memory if request.memory is None else request.memory,
        tpm=suggested.tpm if request.tpm is None else request.tpm,
        disks=tuple(replace(disk, bus=disk.bus or suggested.disk_bus) for disk in request.disks),
        dvds=tuple(replace(dvd, bus=dvd.bus or suggested.dvd_bus) for dvd in request.dvds),
        nics=_adapters(request, suggested),
        template=request.template or suggested.secure_boot_template or None,
    )


def _adapters(request: MachineRequest, suggested: Defaults) -> tuple[NicRequest, ...]:
    nics = (NicRequest(),) if request.nics is None else request.nics
    if any(name.startswith("nic") for name in request.boot):
        return nics  # the firmware has to drive them, whatever the guest can
    return tuple(adapter(nic, suggested) for nic in nics)


def adapter(nic: NicRequest, suggested: Defaults) -> NicRequest:
    """The adapter that a guest has a driver for, where nothing was said and nothing is to boot from it."""
    if nic.kind or nic.model or nic.boot:
        return nic
    return replace(nic, kind="legacy" if suggested.nic == "tulip" else "synthetic", model=suggested.nic)


def _about_doubt(profile: GuestProfile, medium: Recognised | None) -> list[str]:
    """Where the guest is not known for certain: what it was taken for."""
    warnings = []
    if profile.asked:
        warnings.append(f"{profile.asked} is newer than this host's osinfo-db: it is treated like {profile.name}.")
    if medium and medium.others:
        others = " or ".join(medium.others)
        warnings.append(f"The disc is taken for {profile.name}; if it is {others}, say so: --guest.")
    return warnings


def _about_drivers(request: MachineRequest, name: str, suggested: Defaults) -> list[str]:
    """What was chosen for a Windows because it has drivers for it, and what it has none for."""
    if not suggested.hyperv:
        return []
    nics = request.nics or ()
    buses = {disk.bus for disk in request.disks} | {dvd.bus for dvd in request.dvds}
    has = {"NVMe disks": "nvme" in buses, "DVD drives on USB": "usb" in buses}
    has["an e1000e adapter"] = any(nic.model == "e1000e" for nic in nics)
    lacks = {
        "SCSI": "scsi" in buses,
        "its virtio adapter": any(n.model in (None, "virtio") and n.kind != "legacy" for n in nics),
    }
    warnings = []
    if any(has.values()):
        chosen = ", ".join(what for what, there in has.items() if there)
        warnings.append(f"{name} has drivers of its own for what it gets: {chosen}.")
    if has["NVMe disks"]:
        warnings.append("QEMU cannot save the memory of a machine with NVMe disks: shut it down instead.")
    if any(lacks.values()):
        missing = " and ".join(what for what, there in lacks.items() if there)
        warnings.append(
            f"{name} has no driver of its own for {missing}: unless its image has one, give it the virtio-win ISO as "
            "another DVD and load the driver from there."
        )
    return warnings


async def suggested(machine: Machine) -> Defaults | None:
    """What suits the guest of a machine; None when none is named or nothing is known of it."""
    if not machine.guest:
        return None
    try:
        profile = await asyncio.to_thread(database.profile, machine.guest)
    except (HostLacks, NotFound) as error:
        log.info("nothing is known of %s: %s", machine.guest, error)
        return None
    return advice.defaults(profile, machine.generation)


def is_windows(guest: str | None) -> bool:
    """Whether a guest (a short id) is a Windows that knows Hyper-V's enlightenments."""
    if not guest:
        return False
    return advice.defaults(database.profile(guest), 2).hyperv


async def check_suits(guest: str, generation: int) -> None:
    """NotInGeneration for a guest that a generation cannot run, NotFound for one that nobody knows."""
    verdict = advice.suits(await asyncio.to_thread(database.profile, guest), generation)
    if not verdict.ok:
        raise NotInGeneration(verdict.reason, verdict.hint, code="guest-does-not-suit")
