# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service and the confined child say to each other: a question and an answer, each one JSON text.

The child is not trusted once it has read a medium, so its answer is validated like a stranger's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from kiban.errors import Damaged, Failed, KibanError
from kiban.model.bootcheck import Medium, Report
from kiban.model.trust import Signature, Trust

_LISTS = ("pk", "kek", "db", "dbx", "mok", "mokx")


Descriptor = tuple[int, int]
"""An open file and its size in bytes, which the child cannot ask for."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A medium with its file under the name "" (see also `parent_name`), or the files of its folder by name (relative,
    with `/`).
    """

    medium: Medium
    files: dict[str, Descriptor]


def parent_name(number: int) -> str:
    """Under which name the file of a medium's parent is: of the next one for 1, of that one's for 2, and so on."""
    return f"parent {number}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What hints need to know: the machine's name, and which certificates each template would have it trust."""

    machine: str = "NAME"
    template: str = ""  # what its keys are of
    templates: Mapping[str, Sequence[bytes]] = field(default_factory=dict)  # certificates as DER


def question(media: Sequence[Opened], trust: Trust, asked: Asked) -> bytes:
    """What the child is to find out."""
    plain = {one.name: getattr(trust, one.name) for one in fields(trust)}
    for name in _LISTS:
        plain[name] = [(entry.kind, entry.data.hex(), entry.owner) for entry in plain[name]]
    named = {name: [data.hex() for data in certificates] for name, certificates in asked.templates.items()}
    about = {"machine": asked.machine, "template": asked.template, "templates": named}
    opened = [(asdict(one.medium), one.files) for one in media]
    return json.dumps({"media": opened, "trust": plain, "asked": about}).encode()


def read_question(text: bytes) -> tuple[list[Opened], Trust, Asked]:
    """The same on the other side; it comes from the service and is trusted."""
    told = json.loads(text)
    plain, about = told["trust"], told["asked"]
    for name in _LISTS:
        plain[name] = tuple(Signature(kind, bytes.fromhex(data), owner) for kind, data, owner in plain[name])
    about["templates"] = {name: tuple(map(bytes.fromhex, each)) for name, each in about["templates"].items()}
    media = [
        Opened(_medium(medium), {name: (fd, size) for name, (fd, size) in files.items()})
        for medium, files in told["media"]
    ]
    return media, Trust(**plain), Asked(**about)


def _medium(told: dict[str, Any]) -> Medium:
    return Medium(**{**told, "parents": tuple((path, form) for path, form in told["parents"])})


def answer(report: Report) -> bytes:
    """What the child found."""
    return json.dumps({"report": asdict(report)}).encode()


def complaint(error: KibanError) -> bytes:
    """Why the child found nothing."""
    return json.dumps({"error": [error.message, error.hint, error.reason]}).encode()


def read_answer(text: bytes) -> Report:
    """The child's report. Raises Damaged with the child's own sentence, Failed for nonsense."""
    from pydantic import TypeAdapter, ValidationError  # the child does without

    try:
        told: Any = json.loads(text)
        if isinstance(told, dict) and "error" in told:
            message, hint, code = (printable(str(part)) for part in told["error"])
            raise Damaged(message, hint, code=code)
        report = TypeAdapter(Report).validate_python(told["report"])
    except (ValueError, TypeError, KeyError, RecursionError, ValidationError) as error:
        raise Failed("The check of the boot media answered nonsense.", "The service's log has its words.") from error
    return replace(report, sentence=printable(report.sentence), hint=printable(report.hint))


def printable(text: str, limit: int = 2000) -> str:
    """Text that came from a medium, made fit for a terminal and a log."""
    return "".join(c if c.isprintable() else "?" for c in text[:limit])
