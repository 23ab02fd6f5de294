# SPDX-License-Identifier: GPL-2.0-or-later
"""set --nic: an adapter that a machine has, and what is to be different about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kiban.cli import options
from kiban.errors import BadInput, NotFound
from kiban.model.machine import Forward
from kiban.model.requests import NetBootRequest

if TYPE_CHECKING:
    from kiban.client import Machine

OPTION = "--nic"


@dataclass(frozen=True)
class NicEdit:
    """What was said of one adapter. `closed` are ports of the host as they were written."""

    device: str
    settings: dict[str, Any]
    opened: tuple[Forward, ...]
    closed: tuple[str, ...]

    def changes(self, machine: Machine) -> dict[str, Any]:
        """The same as `Client.change_nic` takes it, of an adapter as it is now."""
        if not (self.opened or self.closed):
            return self.settings
        # of one that is not there the service says so
        kept = [_forward(forward) for nic in machine.nics if nic.id == self.device for forward in nic.forwards]
        for text in self.closed:
            kept = _without(self.device, kept, text)
        return {**self.settings, "forwards": (*kept, *self.opened)}


def change(text: str) -> NicEdit:
    """`ID[,nat|none][,forward=..|,no-forward=[udp:][ADDRESS:]HOST]...[,kind=..][,model=..][,mac=..][,pxe=..]`."""
    keys = ("forward", "no-forward", "kind", "model", "mac", "pxe", "file", "protocol")
    fields = options.split(text, OPTION, keys, options.NETWORKS)
    if len(fields.flags) > 1:
        raise BadInput(f"{OPTION} says both nat and none.", "Say one of them.")
    said = {
        "network": next(iter(fields.flags), None),
        "kind": fields.get("kind", OPTION, options.KINDS),
        "model": fields.get("model", OPTION, options.MODELS),
        "mac": fields.get("mac", OPTION),
        "boot": _boot(fields),
    }
    edit = NicEdit(
        device=fields.value,
        settings={key: value for key, value in said.items() if value is not None},
        opened=tuple(options.forward(value) for key, value in fields.keys if key == "forward"),
        closed=tuple(value for key, value in fields.keys if key == "no-forward"),
    )
    if not (edit.settings or edit.opened or edit.closed):
        raise BadInput(f"{OPTION} {text} does not say what to change.", f"Say {OPTION} {text},none, for example.")
    return edit


def _boot(fields: options.Fields) -> NetBootRequest | str | None:
    folder = fields.get("pxe", OPTION)
    if folder in (None, "none"):
        if fields.get("file", OPTION) or fields.get("protocol", OPTION):
            raise BadInput(f"{OPTION} names a file to boot, but no folder.", "Say pxe=DIR,file=NAME.")
        return folder  # type: ignore[no-any-return]  # one of the two, as was just seen
    more = "".join(f",{key}={value}" for key, value in fields.keys if key in ("file", "protocol"))
    return options.pxe(folder.replace(",", ",,") + more)


def _without(device: str, forwards: list[Forward], text: str) -> list[Forward]:
    """Forwards without those of a port of the host; NotFound when there is none."""
    gone = options.forward(f"{text}:1")  # as one is written, but for the guest's port
    at = f"{gone.host_address}:" in text
    kept = [
        forward
        for forward in forwards
        if (forward.protocol, forward.host_port) != (gone.protocol, gone.host_port)
        or (at and forward.host_address != gone.host_address)
    ]
    if len(kept) == len(forwards):
        known = ", ".join(f"{f.protocol}:{f.host_address}:{f.host_port}" for f in forwards) or "none"
        raise NotFound(f"{device} does not forward {text}.", f"It forwards: {known}.")
    return kept


def _forward(forward: Any) -> Forward:
    return Forward(**{name: getattr(forward, name) for name in Forward.__dataclass_fields__})
