# SPDX-License-Identifier: GPL-2.0-or-later
"""The event stream, as an iterator that ends when the service does."""

from __future__ import annotations

import json

from kiban.client.records import Event
from kiban.errors import NoService

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from types import TracebackType

    from kiban.client.transport import Answer

SILENCE = 60.0
"""Seconds without even a heartbeat after which the line is dead."""


class Events:
    """Iterate over it, or leave its `with` block. Nothing that happens after it was made is missed."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._line()  # the service's word that it is listening on our behalf

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> Event:
        while line := self._line():
            name, _, value = line.rstrip(b"\r\n").partition(b": ")
            if name == b"data":
                return Event(json.loads(value))
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Stop listening."""
        self._answer.close()

    def __enter__(self) -> Events:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _line(self) -> bytes:
        try:
            return self._answer.stream.readline(16 * 1024**2)
        except TimeoutError as error:
            raise NoService("The service fell silent.", "Look at its log, or restart it.") from error
        except (OSError, ValueError):  # it broke, or was closed
            return b""
