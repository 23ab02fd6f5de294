# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that somebody wants, as the form of the page has it: as a request, and as a command line.

What is as suggested is not said, in neither of them: the service fills in the same.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from kiban.errors import BadInput
from kiban.model.requests import MachineRequest
from kiban.model.units import GiB, KiB, MiB, TiB
from kiban.wire import translate
from kiban.wire.requests import NewMachine

DiskChoice = Literal["new", "use", "copy", "link", "none"]
"""A new disk; an existing image as it is, a copy of it, a differencing disk on it; no disk."""
Network = Literal["nat", "none", "absent"]
"""An adapter on NAT, one that is plugged in nowhere, no adapter."""


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port of the host's loopback that leads into the guest."""

    protocol: Literal["tcp", "udp"]
    host: int
    guest: int


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the form says; None is as suggested. Sizes in bytes."""

    name: str
    generation: int
    medium: str = ""  # path of an ISO; empty for an empty DVD drive
    cpus: int | None = None
    memory: int | None = None
    disk: DiskChoice = "new"
    disk_size: int = 20 * GiB
    disk_path: str = ""
    disk_format: str = "qcow2"
    network: Network = "nat"
    ports: tuple[Port, ...] = ()
    secure_boot: bool = True
    template: str | None = None
    tpm: bool | None = None


def request(wish: Wish) -> MachineRequest:
    """The request, through the same door as the API's; BadInput for what nobody could ask for."""
    body: dict[str, Any] = {
        "name": wish.name,
        "generation": wish.generation,
        "cpus": wish.cpus,
        "memory": wish.memory,
        "disks": _disks(wish),
        "dvds": [wish.medium],
        "nics": _nics(wish),
    }
    if wish.generation == 2:
        off = None if wish.secure_boot else False
        body |= {"secure_boot": off, "template": wish.template, "tpm": wish.tpm}
    try:
        return translate.machine_request(NewMachine.model_validate(body))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise BadInput(f"{where}: {first['msg'].removeprefix('Value error, ')}.", code="bad-input") from None


def _disks(wish: Wish) -> list[dict[str, Any]]:
    if wish.disk == "none":
        return []
    if wish.disk == "new":
        return [{"size": wish.disk_size, "format": None if wish.disk_format == "qcow2" else wish.disk_format}]
    how = {"copy": wish.disk == "copy", "link": wish.disk == "link"}
    return [{"path": wish.disk_path, "format": wish.disk_format, **how}]


def _nics(wish: Wish) -> list[dict[str, Any]] | None:
    if wish.network == "absent":
        return []
    if wish.network == "nat" and not wish.ports:
        return None
    forwards = [{"protocol": port.protocol, "host_port": port.host, "guest_port": port.guest} for port in _ports(wish)]
    return [{"network": wish.network, "forwards": forwards}]


def _ports(wish: Wish) -> tuple[Port, ...]:
    return wish.ports if wish.network == "nat" else ()


def command(wish: Wish) -> str:
    """The command line that makes the same machine."""
    return shlex.join(["kiban", "create", wish.name, *_options(wish)])


def _options(wish: Wish) -> Iterator[str]:
    if wish.generation != 2:
        yield from ("--generation", str(wish.generation))
    if wish.cpus is not None:
        yield from ("--cpus", str(wish.cpus))
    if wish.memory is not None:
        yield from ("--memory", size(wish.memory))
    if wish.disk != "none":
        yield from ("--disk", _disk(wish))
    yield from ("--dvd", _comma(wish.medium) or "none")
    if wish.network == "absent":
        yield "--no-nic"
    elif wish.network == "none" or wish.ports:
        yield from ("--nic", ",".join([wish.network, *(f"forward={_forward(port)}" for port in _ports(wish))]))
    if wish.generation == 2:
        yield from _firmware(wish)


def _firmware(wish: Wish) -> Iterator[str]:
    if not wish.secure_boot:
        yield from ("--secure-boot", "off")
    if wish.template is not None:
        yield from ("--template", wish.template)
    if wish.tpm is not None:
        yield "--tpm" if wish.tpm else "--no-tpm"


def _disk(wish: Wish) -> str:
    if wish.disk == "new":
        return size(wish.disk_size) + ("" if wish.disk_format == "qcow2" else f",format={wish.disk_format}")
    how = "" if wish.disk == "use" else f",{wish.disk}"
    return f"{_comma(wish.disk_path)},format={wish.disk_format}{how}"


def _forward(port: Port) -> str:
    return ("udp:" if port.protocol == "udp" else "") + f"{port.host}:{port.guest}"


def _comma(path: str) -> str:
    return path.replace(",", ",,")


def size(count: int) -> str:
    """Bytes as they are typed, exactly: 20G."""
    for unit, letter in ((TiB, "T"), (GiB, "G"), (MiB, "M"), (KiB, "K")):
        if count and count % unit == 0:
            return f"{count // unit}{letter}"
    return f"{count}B"
