# SPDX-License-Identifier: GPL-2.0-or-later
"""An error as a problem document (RFC 9457) and back.

A job keeps its error in this form, the API answers with it, and the client makes the same exception of it again.
"""

from __future__ import annotations

from kiban.errors import Failed, KibanError

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

PREFIX = "urn:kiban:error:"


def to_problem(error: KibanError, *, status: int | None = None) -> dict[str, Any]:
    """`type` names the class of the error, `code` the case; `status` replaces the class's own where HTTP wants it."""
    return {
        "type": PREFIX + error.code,
        "title": error.code.replace("-", " ").capitalize(),
        "status": error.http_status if status is None else status,
        "detail": error.message,
        "code": error.reason,
        "hint": error.hint,
    }


def from_problem(problem: Mapping[str, Any]) -> KibanError:
    """The exception of a problem document; Failed for a class this version does not know."""
    wanted = str(problem.get("type", "")).removeprefix(PREFIX)
    found = next((kind for kind in _tree(KibanError) if kind.code == wanted), Failed)
    message = str(problem.get("detail") or problem.get("title") or "The service gave no reason.")
    return found(message, str(problem.get("hint", "")), code=str(problem.get("code", "")))


def _tree(root: type[KibanError]) -> Iterator[type[KibanError]]:
    yield root
    for kind in root.__subclasses__():
        if kind.__module__ == root.__module__:  # others are for the inside of some module
            yield from _tree(kind)
