# SPDX-License-Identifier: GPL-2.0-or-later
"""The web manager's parts that need no browser: links and sessions, the catalogue of words."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kiban.errors import NotAllowed
from kiban.web import access, words
from kiban.web.access import Access

PAGES = sorted(Path(words.__file__).parent.glob("*.py"))


def test_a_link_is_good_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        doors = Access()
        early, late = doors.link("viewer"), doors.link("viewer")
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + access.LINK_SECONDS - 1)
        assert (visit := doors.find(doors.begin(early))) is not None
        assert visit.role == "viewer"
        monkeypatch.setattr(time, "monotonic", lambda: now + access.LINK_SECONDS + 1)
        with pytest.raises(NotAllowed):
            doors.begin(late)

    asyncio.run(main())


def test_a_session_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SESSION_SECONDS", 0.01)

    async def main() -> None:
        doors = Access()
        key = doors.begin(doors.link("admin"))
        visit = doors.find(key)
        assert visit is not None
        await asyncio.wait_for(visit.over.wait(), 30)
        assert doors.find(key) is None

    asyncio.run(main())


def test_neither_links_nor_sessions_pile_up() -> None:
    async def main() -> None:
        doors = Access()
        keys = [doors.begin(doors.link("viewer")) for _ in range(access.KEPT)]
        first = doors.find(keys[0])
        assert first is not None
        doors.begin(doors.link("viewer"))
        assert first.over.is_set()
        assert (doors.find(keys[0]), doors.find(keys[1]) is None) == (None, False)
        links = [doors.link("viewer") for _ in range(access.KEPT + 1)]
        with pytest.raises(NotAllowed):
            doors.begin(links[0])
        doors.begin(links[1])

    asyncio.run(main())


def test_secrets_are_kept_as_hashes() -> None:
    async def main() -> None:
        doors = Access()
        link, used = doors.link("admin"), doors.link("admin")
        key = doors.begin(used)
        kept = repr(vars(doors))
        assert not any(secret in kept for secret in (link, used, key))

    asyncio.run(main())


def test_every_word_is_in_both_languages_and_used() -> None:
    assert all(english and japanese for english, japanese in words.WORDS.values())
    asked = {key for page in PAGES for key in re.findall(r'\bwords\(\s*f?"([^"]+)"', page.read_text())}
    patterns = [re.escape(key).replace("\\{", "{").replace("\\}", "}") for key in asked]
    patterns = [re.sub(r"{[^}]*}", ".+", pattern) for pattern in patterns]
    unused = {key for key in words.WORDS if not any(re.fullmatch(pattern, key) for pattern in patterns)}
    unknown = {key for key in asked if "{" not in key and key not in words.WORDS}
    assert (unused, unknown) == (set(), set())


@pytest.mark.parametrize("key", sorted(words.WORDS))
def test_both_languages_have_the_same_places(key: str) -> None:
    english, japanese = (set(re.findall(r"{(\w+)}", text)) for text in words.WORDS[key])
    assert english == japanese


@pytest.mark.parametrize(
    ("cookie", "accepted", "expected"),
    [
        ("", "ja,en-US;q=0.9", "ja"),
        ("", "ja-JP", "ja"),
        ("", "en;q=0.5, ja;q=0.6", "ja"),
        ("", "fr, ja;q=0, en;q=0.1", "en"),
        ("", "fr", "en"),
        ("", "ja;q=x,,;", "en"),
        ("en", "ja", "en"),
        ("ja", "en", "ja"),
        ("<script>", "ja", "ja"),
    ],
)
def test_the_language_is_the_chosen_or_the_browsers(cookie: str, accepted: str, expected: str) -> None:
    assert words.choose(cookie, accepted) == expected


def test_a_service_does_not_load_the_pages_before_they_are_asked_for() -> None:
    code = "import sys, kiban.api.server, kiban.web.manager; print([n for n in sys.modules if n.startswith('nicegui')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
