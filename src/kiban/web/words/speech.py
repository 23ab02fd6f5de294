# SPDX-License-Identifier: GPL-2.0-or-later
"""The service's own sentences in a visitor's language: found again among templates, their holes filled with what came.

The service speaks English, to programs and on the command line. `said/` has its sentences as templates; what a hole
holds (a path, a name that a guest chose) comes out as it went in, but where a translation says otherwise: `{kind:word}`
is one of TERMS, or several, or stays as it is, as `{file:thing}` with one behind it in brackets; `{why:text}` is said
like a text of its own. `{why:said}` has to be known, and `{field:bare}` without blanks, or the template does not fit.

Translations have a blank between a hole and Japanese. Where Japanese came into the hole there is none in the end, but
between words of katakana.

A text can be anybody's: matching looks for each literal part once, from left to right, and the number of looks has a
bound. What is not found stays English.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from string import Formatter

from kiban.web.words import said

LONGEST = 4000
"""Characters of a text that is looked up; the service's own have a few hundred."""
LOOKS = 400
"""Looks among the templates for one text; five sentences with clauses take some thirty."""
TOGETHER = 3
"""Sentences that one template has at most."""
DEPTH = 5
"""Clauses in clauses."""
_TOUCHING = re.compile(r"(?![ァ-ー]{2})[ぁ-ー一-龠]{2}")
"""Two characters that stand side by side in Japanese."""
_SENTENCE = re.compile(r"(?<=[.!?]) (?=\S)")
_AND = re.compile(", | and ")
_COMMAND = re.compile(rf"(?:^|: )((?:{'|'.join(said.PROGRAMS)})(?: [^;]+)?)$")


@dataclass(frozen=True)
class Template:
    """A sentence with holes: what stands between them, their names, and what is said instead."""

    literals: tuple[str, ...]
    holes: tuple[str, ...]
    words: tuple[tuple[str, str, str], ...]  # text, then name and kind of the hole behind it
    is_part: bool  # of a sentence, so that it holds no whole one
    sentences: int

    @property
    def size(self) -> int:
        """Characters of its own."""
        return sum(map(len, self.literals))

    def fits(self, text: str) -> dict[str, str] | None:
        """What its holes hold in `text`, at least a character each; None if it is another sentence."""
        first, *rest = self.literals
        if not text.startswith(first) or not text.endswith(self.literals[-1]) or (self.is_part and text[-1:] == "."):
            return None
        place, held = len(first), []
        for number, literal in enumerate(rest, start=1):
            last = number == len(rest)
            found = len(text) - len(literal) if last else text.find(literal, place + 1)
            if found <= place:
                return None
            held.append(text[place:found])
            place = found + len(literal)
        return dict(zip(self.holes, held, strict=True))


class _Catalogue:
    """The templates of one language; those without holes and the others by their first word."""

    def __init__(self, japanese: bool) -> None:
        self.whole: dict[str, Template] = {}
        self.by_word: dict[str, list[Template]] = defaultdict(list)
        for english, words in _pairs(japanese):
            made = template(english, words)
            if made.holes:
                self.by_word[_first_word(made.literals[0])].append(made)
            else:
                self.whole[english] = made

    def fitting(self, text: str, sentences: int) -> list[tuple[Template, dict[str, str]]]:
        """The templates of so many sentences that fit, and what is in their holes, the most telling first.

        That is who begins with the most words of his own, then who comes to them first: in "disk0 cannot be read: It
        has no end." the disk speaks, and not who "has no end".
        """
        whole = self.whole.get(text)
        if whole is not None and whole.sentences == sentences:
            return [(whole, {})]
        some = (*self.by_word.get(text.partition(" ")[0], ()), *self.by_word.get("", ()))
        found = [(each, each.fits(text)) for each in some if each.sentences == sentences]
        fitting = [(each, held) for each, held in found if held is not None]
        return sorted(fitting, key=lambda fit: (-len(fit[0].literals[0]), len(fit[1][fit[0].holes[0]]), -fit[0].size))


def _pairs(japanese: bool) -> Iterator[tuple[str, str]]:
    for english, words in said.SAID.items():
        if japanese:
            yield english, words if isinstance(words, str) else words[1]
        elif not isinstance(words, str):
            yield english, words[0]
    for clause, words in said.CLAUSES.items() if japanese else ():
        yield f"{{_}} {clause}.", f"{{_:thing}} {words}。"


def template(english: str, words: str) -> Template:
    """A sentence with holes and what is said instead."""
    parts = [*Formatter().parse(english)]
    literals = [text for text, *_ in parts]
    holes = [name for _, name, *_ in parts if name is not None]
    if not parts or parts[-1][1] is not None:
        literals.append("")
    instead = tuple((text, name or "", kind or "") for text, name, kind, _ in Formatter().parse(words))
    kinds = {name: kind for _, name, kind in instead}
    open_end = bool(holes) and not literals[-1] and kinds.get(holes[-1], "") not in ("said", "text")
    return Template(tuple(literals), tuple(holes), instead, open_end, len(_SENTENCE.split(english)))


def _first_word(literal: str) -> str:
    word, space, _ = literal.partition(" ")
    return word if space else ""


@cache
def _catalogue(japanese: bool) -> _Catalogue:
    return _Catalogue(japanese)


class Reading:
    """One text that is being looked up; `looks` is how often it may still be."""

    def __init__(self, japanese: bool) -> None:
        self._japanese = japanese
        self._there = _catalogue(japanese)
        self.looks = LOOKS

    def text(self, text: str, depth: int = 0) -> tuple[str, bool]:
        """All sentences of a text, and whether all of them were found."""
        pieces, found, every = _SENTENCE.split(text), "", True
        while pieces:
            count, sentence = self._next(pieces, depth)
            if sentence is None:
                count = 1 if self.looks > 0 else len(pieces)
                sentence, every = " ".join(pieces[:count]), False
            pieces = pieces[count:]
            found += ("" if not found or found.endswith("。") else " ") + sentence
        return found, every

    def _next(self, pieces: list[str], depth: int) -> tuple[int, str | None]:
        """A template of so many sentences, else one for a sentence in whose holes there may be what looks like ends."""
        counts = range(min(TOGETHER, len(pieces)), 0, -1)
        for count, sentences in (*zip(counts, counts, strict=True), *((count, 1) for count in reversed(counts))):
            found = self._sentence(" ".join(pieces[:count]), depth, sentences)
            if found is not None:
                return count, found
        return 0, None

    def _sentence(self, text: str, depth: int, sentences: int) -> str | None:
        if self.looks <= 0 or depth > DEPTH:
            return None
        self.looks -= 1
        words, command = parted(text)
        for fit, held in self._there.fitting(text, sentences):
            if words and command and not fit.literals[0]:
                break  # it may have the words without the command, which say more than one that begins with anything
            found = self._filled(fit, held, depth)
            if found is not None:
                return found
        if words and command:
            before = self._sentence(words, depth + 1, sentences)
            return None if before is None else f"{before}: {command}"
        if text.endswith(".") and self._japanese:  # a clause that stands alone
            clauses = (text[:1].lower() + text[1:-1], text[:-1])
            clause = next(filter(None, (self._sentence(each, depth + 1, sentences) for each in clauses)), None)
            return None if clause is None else f"{clause}。"
        return None

    def _filled(self, chosen: Template, held: Mapping[str, str], depth: int) -> str | None:
        found, sentence, translated = "", False, False
        for text, name, kind in chosen.words:
            if sentence and text[:1] in (")", "。"):
                found = found.removesuffix("。")
            value = self._said(held[name], kind, depth) if name else ""
            if value is None:
                return None
            found = _joined(found, text) if translated else found + text
            sentence, translated = kind in ("said", "text"), bool(name) and value != held[name]
            found = _joined(found, value) if translated else found + value
        return found

    def _said(self, value: str, kind: str, depth: int) -> str | None:
        if not self._japanese or not kind:
            return value
        if kind == "word":
            return _words(value)
        if kind == "thing":
            return "; ".join(map(_thing, value.split("; ")))
        if kind == "bare":
            return None if " " in value else value
        if kind == "text" and value in said.TERMS:
            return said.TERMS[value]
        found, every = self.text(value, depth + 1)
        if not every:  # an error's sentence as part of another one
            whole, every = self.text(f"{value[:1].upper()}{value[1:]}.", depth + 1)
            found = whole.removesuffix("。") if every else found
        return found if every or kind == "text" else None


def _joined(before: str, after: str) -> str:
    """Two pieces of a sentence, one of which was translated: without the blank between them if both are Japanese."""
    first, second = (before[:-1], after) if before.endswith(" ") else (before, after.removeprefix(" "))
    return first + second if _TOUCHING.fullmatch(first[-1:] + second[:1]) else before + after


def _thing(value: str) -> str:
    thing, bracket, what = value.rpartition(" (")
    return f"{thing} ({said.TERMS[what[:-1]]})" if bracket and what[:-1] in said.TERMS else value


def _words(value: str) -> str:
    """One of TERMS, or several of them; anything else as it is."""
    if value in said.TERMS or " → " in value:  # what loads what
        return " → ".join(said.TERMS.get(part, part) for part in value.split(" → "))
    parts = [said.TERMS.get(part, "") for part in _AND.split(value)]
    return "、".join(parts) if all(parts) else value


@lru_cache(maxsize=2048)
def say(text: str, *, japanese: bool) -> str:
    """A text of the service; what is not known of it as it came."""
    if not text or len(text) > LONGEST:
        return text
    return Reading(japanese).text(text)[0]


def parted(hint: str) -> tuple[str, str]:
    """A hint, and the command that it ends with; either may be empty."""
    found = None if len(hint) > LONGEST or hint.endswith((".", ";")) else _COMMAND.search(hint)
    return (hint[: found.start()], found[1]) if found else (hint, "")
