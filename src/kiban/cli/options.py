# SPDX-License-Identifier: GPL-2.0-or-later
"""Options with a syntax of their own (--disk, --nic, --boot, --pxe, --com1), turned into requests.

The syntax is QEMU's: a value, then `key=value` and flags behind commas, and two commas for one that is meant. What
the generation allows is not decided here but by the contract, in the service. Paths stay as they were typed: the client
knows whether the service is on this host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from kiban.errors import BadInput
from kiban.model.generations import Bus
from kiban.model.machine import ComKind, Forward, Protocol
from kiban.model.requests import ComRequest, DiskRequest, DvdRequest, NetBootRequest, NicRequest
from kiban.model.units import parse_size

FORMATS = ("qcow2", "vhdx", "vhd", "raw")
BUSES = ("ide", "scsi", "nvme", "usb")
KINDS = ("synthetic", "legacy")
MODELS = ("virtio", "e1000e", "tulip")
SECTORS = ("512", "512e", "4k")
NETWORKS = ("nat", "none")
LOOPBACK = "127.0.0.1"
_SCHEME = re.compile("[a-z]+")


@dataclass
class Fields:
    """An option taken apart: the value in front, the keys behind it in the order they were said, the flags."""

    value: str
    keys: list[tuple[str, str]] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)

    def get(self, key: str, option: str, choices: tuple[str, ...] = ()) -> Any:
        """The value of a key that may be said once, or None; BadInput when it is not one of `choices`."""
        values = [value for name, value in self.keys if name == key]
        if len(values) > 1:
            raise BadInput(f"{option} says {key}= more than once.", "Say it once.")
        if values and choices and values[0] not in choices:
            raise BadInput(
                f"{option}: {key}={values[0]} is not known.", f"Say {key}= with one of {', '.join(choices)}."
            )
        return values[0] if values else None


def split(text: str, option: str, keys: tuple[str, ...], flags: tuple[str, ...] = ()) -> Fields:
    """Take `VALUE[,key=value|flag]...` apart; BadInput for keys and flags that the option does not have."""
    first, *rest = (part.replace("\0", ",") for part in text.replace(",,", "\0").split(","))
    fields = Fields(first)
    for part in rest:
        key, equals, value = part.partition("=")
        if equals and key in keys and value:
            fields.keys.append((key, value))
        elif part in flags:
            fields.flags.add(part)
        else:
            known = ", ".join([*(f"{k}=..." for k in keys), *flags])
            raise BadInput(f"{option} does not know {part!r}.", f"It knows {known}; write ',,' for a comma in a name.")
    if not first:
        raise BadInput(f"{option} is empty.", "Say a value after it.")
    return fields


def disk(text: str, option: str = "--disk") -> DiskRequest:
    """`20G[,format=..]`, a new disk, or `PATH,format=..[,copy|,link]`, an existing image; `bus` and `sectors` of both.

    A file that is called like a size is meant with a slash: `./20G`.
    """
    fields = split(text, option, ("format", "bus", "sectors"), ("copy", "link"))
    size = _size(fields)
    if size is not None and fields.flags:
        flag = min(fields.flags)
        raise BadInput(f"{option}: there is nothing to {flag} for a new disk.", f"Leave out ',{flag}'.")
    return DiskRequest(
        size=size,
        path=fields.value if size is None else None,
        format=fields.get("format", option, FORMATS),
        bus=fields.get("bus", option, BUSES),
        copy="copy" in fields.flags,
        link="link" in fields.flags,
        sectors=fields.get("sectors", option, SECTORS) or "512",
    )


def _size(fields: Fields) -> int | None:
    """The size that stands in front, or None when it is a path."""
    if "/" in fields.value:
        return None
    try:
        return parse_size(fields.value)
    except BadInput:
        if fields.value[0].isdigit() and not any(key == "format" for key, _ in fields.keys):
            raise
        return None


def place(text: str, option: str = "--move") -> tuple[str, Bus | None, int | None]:
    """`ID[,bus=..][,slot=N]`: a drive and where it is to be."""
    fields = split(text, option, ("bus", "slot"))
    slot = fields.get("slot", option)
    if slot is not None and not (slot.isascii() and slot.isdigit() and len(slot) < 4):
        raise BadInput(f"{option}: slot={slot} is not a number.", "Say slot=0 for the first.")
    return fields.value, fields.get("bus", option, BUSES), None if slot is None else int(slot)


def nic(text: str, option: str = "--nic") -> NicRequest:
    """`nat|none[,forward=[udp:][ADDRESS:]HOST:GUEST]...[,kind=..][,model=..][,mac=..]`."""
    fields = split(text, option, ("forward", "kind", "model", "mac"))
    if fields.value not in NETWORKS:
        raise BadInput(f"{option}: there is no network {fields.value!r}.", f"Say one of {', '.join(NETWORKS)}.")
    return NicRequest(
        network="nat" if fields.value == "nat" else "none",
        kind=fields.get("kind", option, KINDS),
        model=fields.get("model", option, MODELS),
        mac=fields.get("mac", option),
        forwards=tuple(forward(value) for key, value in fields.keys if key == "forward"),
    )


def forward(text: str) -> Forward:
    """`[tcp:|udp:][ADDRESS:]HOST:GUEST`; an IPv6 address stands in brackets. Without one it is the loopback's."""
    rest, protocol = text, "tcp"
    if text.startswith(("tcp:", "udp:")):
        protocol, _, rest = text.partition(":")
    front, _, guest = rest.rpartition(":")
    address, _, host = front.rpartition(":")
    bare = address.removeprefix("[").removesuffix("]")
    if (":" in bare) != (address != bare):
        raise _bad_forward(text)
    kind: Protocol = "udp" if protocol == "udp" else "tcp"
    return Forward(
        protocol=kind, host_address=bare or LOOPBACK, host_port=_port(host, text), guest_port=_port(guest, text)
    )


def _port(text: str, whole: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise _bad_forward(whole)
    return int(text)


def _bad_forward(text: str) -> BadInput:
    return BadInput(
        f"forward={text} is not a port of the host and one of the guest.",
        "Write forward=2222:22, forward=udp:5353:53 or forward=0.0.0.0:8080:80.",
    )


def boot(text: str | None) -> tuple[str, ...]:
    """`dvd,disk,nic`: classes, or on generation 2 also devices such as disk1; empty when not said."""
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise BadInput(f"--boot {text} has an empty place.", "Say --boot dvd,disk,nic, for example.")
    return names


def pxe(text: str) -> NetBootRequest:
    """`DIR,file=NAME[,protocol=tftp|http]`: a folder to boot from over the network."""
    fields = split(text, "--pxe", ("file", "protocol"))
    file = fields.get("file", "--pxe")
    if file is None:
        raise BadInput(
            "--pxe does not say which file of the folder is to be loaded.",
            f"Say --pxe {fields.value},file=NAME, with NAME relative to the folder.",
        )
    over_http = fields.get("protocol", "--pxe", ("tftp", "http")) == "http"
    return NetBootRequest(folder=fields.value, file=file, protocol="http" if over_http else "tftp")


def nics(texts: list[str], no_nic: bool, pxe_text: str | None) -> tuple[NicRequest, ...] | None:
    """All adapters of a new machine; None when nothing was said about them. The first one boots what --pxe says."""
    if no_nic:
        if texts or pxe_text:
            raise BadInput("--no-nic contradicts --nic and --pxe.", "Leave one of them out.")
        return ()
    requests = [nic(text) for text in texts]
    if pxe_text is None:
        return tuple(requests) or None
    first, *others = requests or [NicRequest()]
    if first.network != "nat":
        raise BadInput("--pxe serves the first adapter, and that has no network.", "Say --nic nat first.")
    return (replace(first, boot=pxe(pxe_text)), *others)


def com(number: Literal[1, 2], text: str) -> ComRequest:
    """`socket` (the machine's own), `socket:PATH`, `file:PATH`, `PATH` (a file), or `none`."""
    kind: ComKind
    if text in ("socket", "none"):
        kind = "socket" if text == "socket" else "none"
        return ComRequest(number=number, kind=kind)
    prefix, _, rest = text.partition(":")
    kind = "socket" if prefix == "socket" else "file"
    path = rest if prefix in ("socket", "file") else text
    if _SCHEME.fullmatch(prefix) and path == text and rest:
        raise BadInput(
            f"--com{number} does not lead to {prefix}: a COM port is a socket or a file of this host.",
            f"Say socket, socket:PATH or file:PATH; for a file of that name, ./{text}.",
        )
    if not path:
        raise BadInput(f"--com{number} does not say where it leads.", f"Say --com{number} socket, or file:PATH.")
    return ComRequest(number=number, kind=kind, path=path)


def coms(com1: str | None, com2: str | None) -> tuple[ComRequest, ...]:
    """The COM ports that were said something about."""
    first = () if com1 is None else (com(1, com1),)
    return first if com2 is None else (*first, com(2, com2))


def dvd(text: str, option: str = "--dvd") -> DvdRequest:
    """`ISO[,bus=..]`, or `none[,bus=..]` for an empty drive."""
    fields = split(text, option, ("bus",))
    return DvdRequest(iso=medium(fields.value), bus=fields.get("bus", option, BUSES))


def medium(text: str) -> str:
    """The path of an ISO or floppy image; `none` is an empty drive."""
    return "" if text == "none" else text
