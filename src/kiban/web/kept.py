# SPDX-License-Identifier: GPL-2.0-or-later
"""Things in a row of which each is drawn once: what comes and goes does so singly, what stays is the same element."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Generic, Protocol, TypeVar

from nicegui import ui

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
T_contra = TypeVar("T_contra", contravariant=True)


class Part(Protocol[T_contra]):
    """One of them, made in its place when it comes."""

    @property
    def element(self) -> ui.element:
        """All of it."""

    def show(self, content: T_contra, /) -> None:
        """Bring it up to date."""


class Kept(Generic[K, T]):
    """The children of `place`, each known by a key. `make` draws one that has come, and is then shown its content."""

    def __init__(self, place: ui.element, make: Callable[[T], Part[T]]) -> None:
        self._place, self._make = place, make
        self._parts: dict[K, Part[T]] = {}

    def show(self, contents: Mapping[K, T]) -> None:
        """Bring all up to date, in this order."""
        for key in self._parts.keys() - contents.keys():
            self._parts.pop(key).element.delete()
        children = self._place.default_slot.children
        for number, (key, content) in enumerate(contents.items()):
            if key not in self._parts:
                with self._place:
                    self._parts[key] = self._make(content)
            part = self._parts[key]
            if children[number] is not part.element:
                part.element.move(self._place, number)
            part.show(content)
