# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest profiles at work: recognise an ISO, refuse what does not suit the generation, and fill in what was not said."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

from kiban.adapters.firmware import templates
from kiban.adapters.osinfo import advice, database, recognise
from kiban.adapters.osinfo.profiles import GuestProfile
from kiban.adapters.osinfo.recognise import Recognised
from kiban.errors import HostLacks, NotInGeneration
from kiban.model.requests import MachineRequest

NO_DRIVERS = (
    "{name} has no driver of its own for generation 2's SCSI controller: give it an image that has the virtio drivers, "
    "or install it on generation 1."
)
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
    warnings = [f"{verdict.reason} Hint: {verdict.hint}."] if verdict.reason else []
    if profile is None:
        return request, warnings
    if request.generation == 2 and advice.defaults(profile, 2).hyperv:
        warnings.append(NO_DRIVERS.format(name=profile.name))
    return _with_defaults(request, profile), warnings


async def _recognise(request: MachineRequest) -> Recognised | None:
    for iso in request.dvds:
        if iso:
            try:
                return await asyncio.to_thread(recognise.recognise, Path(iso))
            except HostLacks as error:
                log.info("ISOs are not recognised: %s", error)
                return None
    return None


def _with_defaults(request: MachineRequest, profile: GuestProfile) -> MachineRequest:
    suggested = advice.defaults(profile, request.generation)
    generation2 = request.generation == 2
    return replace(
        request,
        guest=profile.short_id,
        cpus=suggested.cpus if request.cpus is None else request.cpus,
        memory=suggested.memory if request.memory is None else request.memory,
        tpm=suggested.tpm if request.tpm is None else request.tpm,
        template=_template(suggested.secure_boot_template)
        if generation2 and not request.template
        else request.template,
    )


def _template(title: str) -> str | None:
    return next((name for name, t in templates.templates().items() if t.title == title), None)


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
