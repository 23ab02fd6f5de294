# SPDX-License-Identifier: GPL-2.0-or-later
"""XML from strangers: no document type, so no entities and nothing from outside; size, depth and number are bounded.

The standard library's expat is used directly: refusing each document type is one handler, and depth and number have to
be bounded here in any case, which no library does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from kiban.adapters.foreign.blob import Blob, damaged
from kiban.errors import BadInput

LIMIT = 16 << 20  # bytes of a file; exports of large machines have some hundred KiB
_DEPTH_LIMIT = 64
_ELEMENTS_LIMIT = 200_000


@dataclass(slots=True)
class Element:
    """An element: `name` and the keys of `attributes` are without their namespaces, which are in `space`."""

    name: str
    space: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Element]:
        """The elements of that name right below."""
        return (child for child in self.children if child.name == name)

    def first(self, *path: str) -> Element | None:
        """The first element at a path of names."""
        found: Element | None = self
        for name in path:
            if found is None:
                return None
            found = next(found.all(name), None)
        return found

    def words(self, *path: str) -> str:
        """The text at a path of names, without blanks around it; "" when there is none."""
        found = self.first(*path)
        return found.text.strip() if found else ""

    def everything(self) -> Iterator[Element]:
        """This element and all below it, from the top down."""
        waiting = [self]
        while waiting:
            found = waiting.pop()
            yield found
            waiting.extend(reversed(found.children))


def parse(blob: Blob) -> Element:
    """Parse a file of UTF-8, UTF-16 or what else it declares.

    Raises:
        BadInput: it is no XML, has a document type, or is larger or deeper than any description of a machine.
    """
    data = blob.whole(LIMIT)
    builder = _Builder(blob.name)
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise damaged(blob.name, f"it is not XML ({error})") from None
    except (LookupError, UnicodeError, ValueError):
        raise damaged(blob.name, "it is in an encoding that nobody knows") from None
    if builder.root is None:
        raise damaged(blob.name, "it is empty")
    return builder.root


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.root: Element | None = None
        self.open: list[Element] = []
        self.texts: list[list[str]] = []
        self.count = 0
        self.parser = expat.ParserCreate(namespace_separator="\n")  # a character that no namespace can have
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self.refuse_doctype
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters

    def refuse_doctype(self, *_: object) -> None:
        raise BadInput(
            f"{self.name} declares a document type, which no description of a machine does.",
            "Export the machine again.",
            code="xml-doctype",
        )

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > _ELEMENTS_LIMIT or len(self.open) == _DEPTH_LIMIT:
            raise damaged(self.name, "it has more elements, or is nested more deeply, than a description can be")
        space, _, local = name.rpartition("\n")
        plain = {key.rpartition("\n")[2]: value for key, value in attributes.items()}
        element = Element(local, space, plain)
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)
        self.texts.append([])

    def end(self, _: str) -> None:
        self.open.pop().text = "".join(self.texts.pop())

    def characters(self, text: str) -> None:
        self.texts[-1].append(text)
