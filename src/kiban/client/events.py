# SPDX-License-Identifier: GPL-2.0-or-later
"""The event stream, as an iterator that ends when the service does, or goes on when that comes back in time."""

from __future__ import annotations

import json
import time

from kiban.client.records import Event
from kiban.errors import NoService

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from kiban.client.transport import Answer

SILENCE = 60.0
"""Seconds without even a heartbeat after which the line is dead."""
PAUSE = 0.2
"""Seconds between attempts to reach a service that is away."""


class Events:
    """Iterate over it, or leave its `with` block. Nothing that happens after it was made is missed.

    Args:
        open_: opens the stream; is given the id of the last event, which is empty the first time.
        patience: seconds to wait for a service that went away. Events that were missed meanwhile come after all; where
            they cannot, which is so when another service answers, an event of the kind `gap` comes in their place.
    """

    def __init__(self, open_: Callable[[str], Answer], patience: float = 0) -> None:
        self._open = open_
        self._patience = patience
        self._closed = False
        self._last = ""
        self._begin()

    def _begin(self) -> None:
        self._answer = self._open(self._last)
        while (line := self._line().rstrip(b"\r\n")) and not self._field(line):
            pass  # the service's word that it is listening on our behalf, and from where on

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> Event:
        while True:
            while line := self._line():
                if data := self._field(line.rstrip(b"\r\n")):
                    return Event(json.loads(data))
            if not self._again():
                self.close()
                raise StopIteration

    def _field(self, line: bytes) -> bytes:
        """Take note of a line of the stream; the event, if it is one."""
        name, _, value = line.partition(b": ")
        if name == b"id":
            self._last = value.decode("ascii", "replace")
        return value if name == b"data" else b""

    def _again(self) -> bool:
        limit = time.monotonic() + self._patience
        while not self._closed and time.monotonic() < limit:
            time.sleep(PAUSE)
            try:
                self._begin()
            except NoService:
                continue
            return True
        return False

    def close(self) -> None:
        """Stop listening."""
        self._closed = True
        self._answer.close()

    def __enter__(self) -> Events:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _line(self) -> bytes:
        try:
            return self._answer.stream.readline(16 * 1024**2)
        except TimeoutError as error:
            if self._patience:
                return b""
            raise NoService("The service fell silent.", "Look at its log, or restart it.") from error
        except (OSError, ValueError):  # it broke, or was closed
            return b""
