# SPDX-License-Identifier: GPL-2.0-or-later
"""A picture of a generation's board, drawn from its literal: what there is, what it boots from, and as outlines what
only the other generation has.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from kiban.model.generations import Generation
from kiban.web.contract import CHIPSETS
from kiban.web.words import Words

WIDTH, LABEL, ROW, HEIGHT, GAP = 436, 126, 38, 26, 5
"""Of the picture, of the names on its left, of a row and of a slot in it, and between slots."""
Kind = Literal["boots", "there", "asked", "lacks"]


@dataclass(frozen=True)
class Slot:
    """A place for a device, or a part that is there."""

    text: str
    kind: Kind = "there"


@dataclass(frozen=True)
class Part:
    """A row of the picture; without slots the generation has no such part."""

    key: str
    slots: tuple[Slot, ...]


def parts(gen: Generation, words: Words) -> list[Part]:
    """All rows of a generation, the same ones for both."""
    people = (Slot(words("slot keyboard")), Slot(words("slot mouse")))
    usb = gen.keyboard_and_mouse == "usb"
    return [
        Part("firmware", tuple(_firmware(gen, words))),
        Part("ide", _slots(gen.ide_slots, "", "ide" in gen.boot_buses)),
        Part("scsi", _slots(gen.scsi_controllers, f"{gen.scsi_units}", "scsi" in gen.boot_buses)),
        Part("nvme", _slots(gen.nvme_slots, "", "nvme" in gen.boot_buses)),
        Part("usb", (people if usb else ()) + _slots(gen.usb_slots, "DVD", "usb" in gen.boot_buses)),
        Part("floppy", _slots(gen.floppy_drives, "", "floppy" in gen.boot_classes)),
        Part("ps2", () if usb else people),
        Part("com", tuple(_coms(gen))),
        Part("synthetic", _slots(gen.synthetic_adapters, "", gen.pxe_adapter == "synthetic")),
        Part("legacy", _slots(gen.legacy_adapters, "", gen.pxe_adapter == "legacy")),
        Part("display", tuple(Slot(name) for name in gen.video)),
    ]


def _firmware(gen: Generation, words: Words) -> Iterator[Slot]:
    yield Slot(gen.firmware.upper())
    if gen.secure_boot:
        yield Slot(words("secure boot"))
    if gen.tpm:
        yield Slot("TPM 2.0", "asked")


def _coms(gen: Generation) -> Iterator[Slot]:
    for number in range(1, gen.com_ports + 1):
        yield Slot(f"COM {number}", "there" if gen.com_ports_built_in else "asked")


def _slots(count: int, text: str, boots: bool) -> tuple[Slot, ...]:
    return (Slot(text, "boots" if boots else "there"),) * count


def draw(gen: Generation, other: Generation, words: Words) -> str:
    """The picture as SVG."""
    rows = list(zip(parts(gen, words), parts(other, words), strict=True))
    height = ROW * (len(rows) + 1)
    said = html.escape(words("board of", generation=gen.number))
    body = "".join(_row(number, mine, theirs, words) for number, (mine, theirs) in enumerate(rows, 1))
    chip = html.escape(CHIPSETS[gen.machine_family])
    return (
        f'<svg class="k-board" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{said}">'
        f'<rect class="k-chip" x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT}" rx="4"/>'
        f'<text class="k-chipped" x="{WIDTH / 2}" y="18">{chip}</text>'
        f'<path class="k-rail" d="M6 {HEIGHT} V{_middle(len(rows))}"/>{body}</svg>'
    )


def _middle(number: int) -> float:
    return number * ROW + HEIGHT / 2


def _row(number: int, mine: Part, theirs: Part, words: Words) -> str:
    """A row: its slots, and what the other generation has more as outlines."""
    more = theirs.slots[len(mine.slots) :] if mine.key == "firmware" or not mine.slots else ()
    slots = (*mine.slots, *(replace(slot, kind="lacks") for slot in more))
    lacks = "" if mine.slots else " k-faint"
    tick = f'<path class="k-rail" d="M6 {_middle(number)} H14"/>' if mine.slots else ""
    name = html.escape(words(f"part {mine.key}"))
    label = f'<text class="k-name-of{lacks}" x="18" y="{_middle(number) + 4.5}">{name}</text>'
    return tick + label + "".join(_slot(place, slot, len(slots), number) for place, slot in enumerate(slots))


def _slot(place: int, slot: Slot, count: int, number: int) -> str:
    columns = 3 if count == 3 else max(count, 4)
    room = (WIDTH - 1 - LABEL - GAP * (columns - 1)) / columns
    x, y = LABEL + place * (room + GAP), number * ROW
    text = html.escape(slot.text)
    return (
        f'<rect class="k-slot k-{slot.kind}" x="{x:.1f}" y="{y + 0.5}" width="{room:.1f}" height="{HEIGHT}" rx="3"/>'
        f'<text class="k-in k-{slot.kind}" x="{x + room / 2:.1f}" y="{_middle(number) + 4}">{text}</text>'
    )
