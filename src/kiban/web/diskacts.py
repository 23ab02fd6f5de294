# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be done with an image now, and why not what cannot: a hint, as the engine decides when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from kiban.engine.diskuse import FORMATS
from kiban.engine.diskview import LinkView, Use
from kiban.model.states import ALIVE
from kiban.web.frame import Page

ACTIONS = ("child", "convert", "clone", "resize", "compact", "check", "merge")
COMMANDS = {"child": "disks.create"}
"""Of those whose command has another name."""
READING = ("child", "convert", "clone", "check")
GROWING = ("qcow2", "raw")
"""Formats that grow while their machine runs, and the first of them is what it can go on with after a merge."""


def command(action: str) -> str:
    """The command that an action is."""
    return COMMANDS.get(action, f"disks.{action}")


@dataclass(frozen=True)
class Image:
    """An image with its relatives."""

    link: LinkView
    family: Sequence[LinkView]

    @property
    def owner(self) -> Use | None:
        """The machine that writes to it."""
        return next((use for use in self.link.uses if use.writes), None)

    @property
    def parent(self) -> LinkView | None:
        """What it is made on, if that is there."""
        return next((link for link in self.family if link.path == self.link.parent), None)

    def children(self, link: LinkView) -> int:
        """How many images of the family are made on one of them."""
        return sum(other.parent == link.path for other in self.family)

    def beside(self, more: str, ending: str = "") -> str:
        """A path for a new image next to it; none in a machine's own folder, which goes with the machine."""
        path = PurePosixPath(self.link.path)
        return "" if self.owner else str(path.with_name(f"{path.stem}{more}{ending or path.suffix}"))


def why_not(page: Page, image: Image, action: str) -> str:
    """Why an action is not possible now; "" when it is."""
    words, owner = page.words, image.owner
    if not page.may(command(action)):
        return words("not allowed")
    if action in READING:
        return words("why running", machine=owner.machine) if owner and owner.state in ALIVE else ""
    if image.link.format not in FORMATS:
        return words("why read only", format=image.link.format)
    if image.children(image.link):
        return words("why children")
    if action == "merge" and (why := _why_no_merge(page, image)):
        return why
    return _why_busy(page, image, action)


def _why_no_merge(page: Page, image: Image) -> str:
    parent = image.parent
    if parent is None:
        return page.words("why no parent")
    return page.words("why siblings") if image.children(parent) > 1 else ""


def _why_busy(page: Page, image: Image, action: str) -> str:
    owner, parent = image.owner, image.parent
    if owner is None or owner.state == "off":
        return ""
    if owner.state == "saved":
        return page.words("why saved", machine=owner.machine)
    form = parent.format if action == "merge" and parent else image.link.format
    usable = GROWING if action == "resize" else GROWING[:1] if action == "merge" else ()
    return "" if form in usable else page.words("why running", machine=owner.machine)
