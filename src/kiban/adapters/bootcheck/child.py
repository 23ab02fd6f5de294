# SPDX-License-Identifier: GPL-2.0-or-later
"""The confined child: reads one question, looks at the media it was given as open files, answers, and ends.

It loads all its modules first, locks itself in, and only then reads anything. `kiban.adapters.bootcheck.runner` starts
it; running it by hand is of no use.
"""

from __future__ import annotations

import codecs
import os
import sys
import warnings
from dataclasses import replace

from kiban.adapters import confine
from kiban.adapters.bootcheck import chain, exchange, report
from kiban.adapters.bootcheck.exchange import Asked, Opened
from kiban.adapters.images.source import Budget
from kiban.errors import Damaged, KibanError
from kiban.model.bootcheck import Report
from kiban.model.trust import Trust

_ENCODINGS = ("ascii", "latin-1", "cp437", "utf-16", "utf-16-le", "utf-16-be", "idna")  # loaded when first used
_QUESTION_LIMIT = 16 << 20
_CHUNK = 1 << 16


def main() -> None:
    """Answer on standard output what is asked on standard input; the arguments are user and group to become."""
    warnings.simplefilter("ignore")  # showing one would read source files
    for name in _ENCODINGS:
        codecs.lookup(name)
    uid, gid = int(sys.argv[1]), int(sys.argv[2])
    try:
        os.nice(5)  # a machine that starts at the same time goes first
        confine.enter(uid, gid)
        _tell(_answer(_ask()))
    except KibanError as error:
        _tell(exchange.complaint(error))
    # no tidying up, for which the interpreter would want to ask the kernel for more than it may
    os._exit(0)


def _answer(question: bytes) -> bytes:
    media, trust, asked = exchange.read_question(question)
    try:
        return exchange.answer(_explain(media, trust, asked))
    except MemoryError:
        raise Damaged("The media want more memory to be read than any real medium does.") from None
    except RecursionError:
        raise Damaged("The media are nested deeper than any real medium is.") from None


def _explain(media: list[Opened], trust: Trust, asked: Asked) -> Report:
    budget = Budget()
    found = report.conclude(chain.attempts(media, trust, budget), asked, budget.bytes_read)
    if trust.secure_boot:
        return found
    strict = chain.attempts(media, replace(trust, secure_boot=True), budget)
    return report.with_secure_boot(found, report.conclude(strict, asked, budget.bytes_read))


def _ask() -> bytes:
    text = b""
    while len(text) < _QUESTION_LIMIT and (part := os.read(0, _CHUNK)):
        text += part
    return text


def _tell(text: bytes) -> None:
    while text:
        text = text[os.write(1, text) :]


if __name__ == "__main__":
    main()
