# SPDX-License-Identifier: GPL-2.0-or-later
"""The door between wire types and the model, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kiban.model.machine import Forward
from kiban.model.requests import (
    Changes,
    ComRequest,
    DiskRequest,
    DvdRequest,
    MachineRequest,
    NetBootRequest,
    NicChanges,
    NicRequest,
)
from kiban.wire import answers, requests


def disk_request(disk: requests.NewDisk) -> DiskRequest:
    """A disk that is asked for."""
    return DiskRequest(
        size=disk.size,
        path=disk.path,
        format=disk.format,
        bus=disk.bus,
        copy=disk.copy_,
        link=disk.link,
        slot=disk.slot,
        sectors=disk.sectors,
    )


def dvd_request(dvd: requests.NewDvd | str) -> DvdRequest:
    """A DVD drive that is asked for; a path is short for a drive with that ISO."""
    return DvdRequest(iso=dvd) if isinstance(dvd, str) else DvdRequest(iso=dvd.iso, bus=dvd.bus, slot=dvd.slot)


def nic_request(nic: requests.NewNic) -> NicRequest:
    """An adapter that is asked for; its MAC in lower case, as the model has it."""
    return NicRequest(
        network=nic.network,
        kind=nic.kind,
        model=nic.model,
        mac=nic.mac and nic.mac.lower(),
        forwards=tuple(_forward(forward) for forward in nic.forwards),
        boot=None if nic.boot is None else _net_boot(nic.boot),
    )


def nic_changes(wanted: requests.NicChanges) -> NicChanges:
    """A change of an adapter that is asked for."""
    return NicChanges(
        network=wanted.network,
        kind=wanted.kind,
        model=wanted.model,
        mac=wanted.mac and wanted.mac.lower(),
        forwards=None if wanted.forwards is None else tuple(_forward(forward) for forward in wanted.forwards),
        boot=_net_boot(wanted.boot) if isinstance(wanted.boot, requests.NewNetBoot) else wanted.boot,
    )


def com_request(com: requests.NewCom) -> ComRequest:
    """A COM port that is asked for."""
    return ComRequest(number=com.number, kind=com.kind, path=com.path)


def machine_request(new: requests.NewMachine) -> MachineRequest:
    """A machine that is asked for."""
    plain = new.model_dump(exclude={"disks", "dvds", "nics", "boot", "coms"})
    return MachineRequest(
        **plain,
        disks=tuple(disk_request(disk) for disk in new.disks),
        dvds=tuple(dvd_request(dvd) for dvd in new.dvds),
        nics=None if new.nics is None else tuple(nic_request(nic) for nic in new.nics),
        boot=new.boot,
        coms=tuple(com_request(com) for com in new.coms),
    )


def changes(wanted: requests.MachineChanges) -> Changes:
    """An edit that is asked for."""
    return Changes(
        **wanted.model_dump(exclude={"boot", "coms"}),
        boot=wanted.boot,
        coms=None if wanted.coms is None else tuple(com_request(com) for com in wanted.coms),
    )


def machine(view: object) -> answers.Machine:
    """A machine to show, from the engine's view of it."""
    return answers.Machine.model_validate(view)


def machine_json(view: object) -> Mapping[str, Any]:
    """The same as plain JSON, which is what a job keeps."""
    return machine(view).model_dump(mode="json")


def _net_boot(boot: requests.NewNetBoot) -> NetBootRequest:
    return NetBootRequest(folder=boot.folder, file=boot.file, protocol=boot.protocol)


def _forward(forward: requests.NewForward) -> Forward:
    return Forward(
        protocol=forward.protocol,
        host_address=forward.host_address,
        host_port=forward.host_port,
        guest_port=forward.guest_port,
    )
