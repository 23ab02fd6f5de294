# SPDX-License-Identifier: GPL-2.0-or-later
"""What was typed into a form, held to the same bounds as what comes by the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from kiban.adapters.disk.formats import READABLE
from kiban.errors import BadInput
from kiban.web.words import Words
from kiban.wire.base import Wire

T = TypeVar("T", bound=Wire)


def readable(words: Words) -> dict[str, str]:
    """What a field of an image's format offers: all that is read, and that the end of its name says it."""
    return {"": words("by its name"), **{name: name for name in READABLE}}


def wanted(kind: type[T], /, **values: object) -> T:
    """What was asked for, as the API takes it: text without the blanks around it, and nothing for what was left empty.

    BadInput for what the API would refuse.
    """
    typed = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
    return checked(kind, {name: value for name, value in typed.items() if value not in (None, "")})


def checked(kind: type[T], values: Mapping[str, object]) -> T:
    """The same as it stands, for who means what is empty."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise BadInput(" ".join(_sentence(fault) for fault in error.errors())) from error


def _sentence(fault: Mapping[str, Any]) -> str:
    """What is wrong with one field, without what was typed there."""
    what = str(fault["msg"])
    if fault["type"] == "missing":
        what = "It is missing."
    elif str(fault.get("ctx", {}).get("pattern", "")).startswith(("^/", "^(/")):
        what = "It takes a path on the host of the machines, from / on."
    return f"{'.'.join(str(step)[:80] for step in fault['loc'])}: {what[:200].rstrip('.')}."
