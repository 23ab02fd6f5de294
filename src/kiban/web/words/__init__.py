# SPDX-License-Identifier: GPL-2.0-or-later
"""What the pages say, in English and Japanese, a module per page, and how they say what the service says."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Literal

from kiban.errors import KibanError
from kiban.web.words import (
    common,
    console,
    create,
    disks,
    edits,
    generations,
    hostpage,
    jobs,
    library,
    machine,
    machines,
    said,
    speech,
    takeover,
    usage,
    users,
)

Language = Literal["en", "ja"]

PARTS = (
    common,
    machine,
    machines,
    jobs,
    edits,
    usage,
    console,
    users,
    generations,
    disks,
    takeover,
    hostpage,
    create,
    library,
)
WORDS: dict[str, tuple[str, str]] = {key: both for part in PARTS for key, both in part.WORDS.items()}
"""By key: English, Japanese."""


class Words:
    """The words of one language: `words("log out")`."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """The words for `key`, with the values in their places."""
        return WORDS[key][self.language == "ja"].format(**values)

    def said(self, text: str) -> str:
        """A sentence of the service in this language, in a page's words where it has other ones."""
        return speech.say(text, japanese=self.language == "ja")

    def term(self, word: str) -> str:
        """A word for a thing: a kind of loader, for example."""
        return said.TERMS.get(word) or self.said(word) if self.language == "ja" else word

    def advice(self, hint: str) -> Advice:
        """What the service advises."""
        text, command = speech.parted(self.said(hint))
        stop = "" if not text or text[-1] in ".!?。" else "." if text.isascii() else "。"
        return Advice(text + stop, command)

    def advised(self, hint: str) -> str:
        """The same in a line."""
        advice = self.advice(hint)
        command = f"{self('command line')}: {advice.command}" if advice.command else ""
        return self._line(advice.text, command)

    def refused(self, error: KibanError) -> str:
        """An error in a line: what is wrong, and what to do about it."""
        return self._line(self.said(error.message), self.advised(error.hint))

    def own(self, error: KibanError) -> KibanError:
        """An error as a page's scripts are told it, in these words."""
        told = copy(error)
        told.message, told.hint = self.said(error.message), self.advised(error.hint)
        return told

    def _line(self, first: str, then: str) -> str:
        between = " " if first and then and not first.endswith("。") else ""
        return f"{first}{between}{then}"


@dataclass(frozen=True)
class Advice:
    """What a hint says, and the command that it ends with; either may be empty."""

    text: str
    command: str


def choose(cookie: str, accepted: str) -> Language:
    """The language that was chosen, else the first one of Accept-Language (RFC 9110, 12.5.4) that there is."""
    if cookie in ("en", "ja"):
        return "ja" if cookie == "ja" else "en"
    wanted = [_weighed(part) for part in accepted.split(",")[:20]]
    wanted.sort(key=lambda found: -found[0])
    known = [name for weight, name in wanted if name in ("en", "ja") and weight > 0]
    return "ja" if known[:1] == ["ja"] else "en"


def _weighed(part: str) -> tuple[float, str]:
    name, _, weight = part.partition(";q=")
    try:
        return float(weight or 1), name.strip().partition("-")[0].lower()
    except ValueError:
        return 0, ""
