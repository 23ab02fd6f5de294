# SPDX-License-Identifier: GPL-2.0-or-later
"""Families of disks as trees, drawn once: what changes is changed in place, and only so many images are drawn."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nicegui import ui

from kiban.engine.diskview import DiskView, LinkView, Use
from kiban.engine.view import MachineView
from kiban.model.units import format_size
from kiban.web.diskacts import Image
from kiban.web.frame import Page, tell
from kiban.web.kept import Kept
from kiban.web.search import sought


@dataclass(frozen=True)
class Family:
    """A family, and which of its images are shown: a child never without its parent."""

    view: DiskView
    shown: Sequence[LinkView]


def find(views: Sequence[DiskView], text: str, most: int) -> tuple[list[Family], int]:
    """What to show of all families: `most` images that `text` finds, and how many it finds besides."""
    found, left, more = [], most, 0
    for family in _found(views, sought(text)):
        size = max(len(family.shown), 1)
        if left > 0:
            found.append(Family(family.view, family.shown[:left]))
        more += max(size - max(left, 0), 0)
        left -= size
    return found, more


def _found(views: Sequence[DiskView], wanted: Sequence[str]) -> Iterator[Family]:
    """Images in which all words are, with what they are made on and what is made on them."""
    for view in views:
        ways = _ways(view.links)
        hits = {link.path for link in view.links if all(word in _said(link) for word in wanted)}
        near = set[str]().union(*(ways[hit] for hit in hits))
        shown = [link for link in view.links if link.path in near or hits & {*ways[link.path]}]
        if shown or all(word in _all_said(view) for word in wanted):
            yield Family(view, shown or view.links)


def _ways(links: Sequence[LinkView]) -> dict[str, list[str]]:
    """Each image's path with those of all that it is made on."""
    ways: dict[str, list[str]] = {}
    for link in links:  # parents come first
        ways[link.path] = [link.path, *ways.get(link.parent, ())]
    return ways


def _said(link: LinkView) -> str:
    return " ".join([link.path, link.format, *(use.machine for use in link.uses if use.writes)]).casefold()


def _all_said(view: DiskView) -> str:
    return " ".join([view.path, view.problem, *map(_said, view.links)]).casefold()


class Trees:
    """The trees in their place on a page; `inspect` is called with the image that somebody wants to look at."""

    def __init__(self, page: Page, inspect: Callable[[Image], None]) -> None:
        self.words, self._inspect = page.words, inspect
        self.known: Mapping[str, MachineView] = {}
        self._families = Kept[str, Family](ui.column().classes("k-wholly"), lambda _: _FamilyPart(self))

    def open(self, image: Image) -> None:
        """Look at an image, with its machines' states as they are now."""
        uses = tuple(replace(use, state=self.state(use)) for use in image.link.uses)
        self._inspect(replace(image, link=replace(image.link, uses=uses)))

    def state(self, use: Use) -> str:
        """Of the machine, now."""
        return self.known[use.machine].state if use.machine in self.known else use.state

    def show(self, families: Sequence[Family], machines: Mapping[str, MachineView]) -> None:
        """Bring them up to date; `machines` by their names."""
        self.known = machines
        self._families.show({family.view.path: family for family in families})


class _FamilyPart:
    def __init__(self, trees: Trees) -> None:
        self._words = trees.words
        with ui.element("section").classes("k-card") as self.element:
            self._missing = ui.label().classes("k-part")
            self._tree = ui.element("ul").classes("k-chain")
            self._problem = ui.label().classes("k-note").props('role="status"')
        self._roots = _images(self._tree, trees)

    def show(self, family: Family) -> None:
        view = family.view
        tell(self._missing, "" if view.links else view.path)
        tell(self._problem, self._words.said(view.problem))
        self._tree.set_visibility(bool(view.links))
        self._roots.show({branch.image.link.path: branch for branch in _branches(family)})


@dataclass(frozen=True)
class _Branch:
    image: Image
    children: list[_Branch]


def _branches(family: Family) -> list[_Branch]:
    """The images that are made on none of the others, with those that are made on them."""
    roots, made = list[_Branch](), dict[str, _Branch]()
    for link in family.shown:
        branch = made[link.path] = _Branch(Image(link, family.view.links), [])
        (made[link.parent].children if link.parent in made else roots).append(branch)
    return roots


def _images(place: ui.element, trees: Trees) -> Kept[str, _Branch]:
    return Kept(place, lambda branch: _ImagePart(trees, branch.image))


class _ImagePart:
    """An image, with its own tree beneath."""

    def __init__(self, trees: Trees, image: Image) -> None:
        self._words, self._image = trees.words, image
        with ui.element("li") as self.element:
            with ui.element("div").classes("k-image"):
                name = ui.button(image.link.path.rpartition("/")[2], on_click=lambda: trees.open(self._image))
                title = html.escape(self._words("look closely"))
                name.props(f'flat dense no-caps icon="save" title="{title}"').classes("k-disk")
                self._facts = ui.label().classes("k-soft")
                self._users = Kept[tuple[str, str], Use](ui.element("div").classes("k-users"), lambda _: _User(trees))
                self._dirty = ui.label().classes("k-note")
                self._snapshots = ui.label().classes("k-soft")
                ui.label(image.link.path).classes("k-soft k-where")
            self._below = ui.element("ul")
        self._children = _images(self._below, trees)

    def show(self, branch: _Branch) -> None:
        self._image, words, link = branch.image, self._words, branch.image.link
        sizes = words("sizes", size=format_size(link.virtual_size), takes=format_size(link.actual_size))
        self._facts.set_text(f"{link.format}, {words(f'kind {link.kind}')}. {sizes}")
        self._users.show({(use.machine, use.disk): use for use in link.uses if use.writes})
        tell(self._dirty, words("dirty") if link.dirty else "")
        tell(self._snapshots, words("snapshots", snapshots=link.snapshots) if link.snapshots else "")
        self._below.set_visibility(bool(branch.children))
        self._children.show({child.image.link.path: child for child in branch.children})


class _User:
    """A machine that writes to an image, with its state now."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        with ui.row().classes("k-user") as self.element:
            self._disk = ui.label()
            self._machine = ui.link().classes("k-machine")
            self._state = ui.label()

    def show(self, use: Use) -> None:
        machine, state = self._trees.known.get(use.machine), self._trees.state(use)
        self._disk.set_text(use.disk)
        self._machine.set_text(use.machine)
        self._machine.props["href"] = f"/machine/{machine.id if machine else use.machine}"
        self._state.set_text(self._trees.words(f"state {state}"))
        self._state.classes(replace=f"k-state k-{state}")
