# SPDX-License-Identifier: GPL-2.0-or-later
"""What the pages say, in English and Japanese, a module per page. What the service says stays as it is."""

from __future__ import annotations

from typing import Literal

from kiban.web.words import (
    common,
    console,
    create,
    disks,
    edits,
    generations,
    hostpage,
    jobs,
    machine,
    machines,
    takeover,
    usage,
    users,
)

Language = Literal["en", "ja"]

PARTS = (common, machine, machines, jobs, edits, usage, console, users, generations, disks, takeover, hostpage, create)
WORDS: dict[str, tuple[str, str]] = {key: both for part in PARTS for key, both in part.WORDS.items()}
"""By key: English, Japanese."""


class Words:
    """The words of one language: `words("log out")`."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """The words for `key`, with the values in their places."""
        return WORDS[key][self.language == "ja"].format(**values)


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
