# SPDX-License-Identifier: GPL-2.0-or-later
"""What a viewer of a screen says, in whole messages: RFB 3.8 (RFC 6143) from the client's side, without authentication.

A browser's bytes go through this before QEMU gets them. Only what viewers need is understood, and nothing is kept but
the beginning of one message; everything else is refused, so QEMU's own parser never sees it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kiban.errors import BadInput

Kind = Literal["greeting", "drawing", "key", "pointer", "clipboard"]

GREETING = b"RFB 003.008\n"
NO_AUTHENTICATION = 1
MAX_ENCODINGS = 256
MAX_CLIPBOARD = 1024**2
# of RFC 6143, 7.5, and of QEMU's extension 255: type to kind and length of its fixed part
PLAIN: dict[int, tuple[Kind, int]] = {
    0: ("drawing", 20),  # SetPixelFormat
    2: ("drawing", 4),  # SetEncodings, and a number of them
    3: ("drawing", 10),  # FramebufferUpdateRequest
    4: ("key", 8),  # KeyEvent
    5: ("pointer", 6),  # PointerEvent
    6: ("clipboard", 8),  # ClientCutText, and a text
    255: ("key", 12),  # of QEMU: ExtendedKeyEvent, whose subtype is 0
}


@dataclass(frozen=True)
class Message:
    """One message, as it came; of the clipboard there is no content."""

    kind: Kind
    data: bytes


class Reader:
    """The messages in a stream of bytes."""

    def __init__(self) -> None:
        self._rest = b""
        self._at = 0  # where in it the first message begins that was not handed out
        self._greetings = [GREETING, bytes([NO_AUTHENTICATION])]
        self._shared = False  # whether ClientInit has come, the last of the greeting
        self._skip = 0  # bytes of a clipboard that are still to come

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are whole now; BadInput for what is none, after which nothing more may be fed."""
        self._rest += data
        while self._left and (length := self._length()):
            message = self._rest[self._at : self._at + length]
            self._at += length
            kind = self._kind(message)
            if kind is not None:
                yield Message(kind, message)
        self._rest, self._at = self._rest[self._at :], 0  # once: a chunk may be a hundred thousand small messages

    @property
    def _left(self) -> int:
        """Bytes that were not handed out yet."""
        return len(self._rest) - self._at

    def _length(self) -> int:
        """Length of the first message, or of what is to be skipped; 0 when it is not all there."""
        if self._skip:
            return min(self._skip, self._left)
        wanted = self._greeting() if not self._shared else self._plain()
        return wanted if self._left >= wanted else 0

    def _greeting(self) -> int:
        wanted = self._greetings[0] if self._greetings else b""
        if not self._rest.startswith(wanted[: self._left], self._at):
            raise _refused("it does not begin as RFB 3.8 does")
        return len(wanted) or 1

    def _plain(self) -> int:
        first = self._rest[self._at]
        if first not in PLAIN:
            raise _refused(f"there is no message {first}")
        _, length = PLAIN[first]
        if self._left < length:
            return length
        if first == 2:
            (number,) = struct.unpack_from(">H", self._rest, self._at + 2)
            if number > MAX_ENCODINGS:
                raise _refused(f"{number} encodings are too many")
            length += 4 * number
        elif first == 6:
            # below zero it is the extended clipboard's, whose length it is then, negated
            (said,) = struct.unpack_from(">i", self._rest, self._at + 4)
            if abs(said) > MAX_CLIPBOARD:
                raise _refused("the clipboard is too long")
        elif first == 255 and self._rest[self._at + 1] != 0:
            raise _refused(f"there is no message 255.{self._rest[self._at + 1]}")
        return length

    def _kind(self, message: bytes) -> Kind | None:
        """What a whole message is; None for a piece of a clipboard's content."""
        if self._skip:
            self._skip -= len(message)
            return None
        if not self._shared:
            self._shared = not self._greetings
            self._greetings = self._greetings[1:]
            return "greeting"
        if message[0] == 6:
            self._skip = abs(struct.unpack_from(">i", message, 4)[0])
        return PLAIN[message[0]][0]


def _refused(why: str) -> BadInput:
    return BadInput(f"The viewer of the screen is not understood: {why}.", "Reload the page.", code="not-rfb")
