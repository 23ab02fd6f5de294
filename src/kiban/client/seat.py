# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person who sits at a machine has: its screen, its keyboard and its serial lines."""

from __future__ import annotations

from kiban.client.paths import path_of
from kiban.client.transport import Transport

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from kiban.client.console import Console


class Seat:
    """The part of a client that is about these."""

    _transport: Transport

    def screenshot(self, name: str) -> bytes:
        """What the guest shows, as a PNG."""
        picture = self._transport.call("GET", path_of(name, "screenshot"))
        return picture if isinstance(picture, bytes) else b""

    def type_text(self, name: str, text: str) -> None:
        """Type text as on a US keyboard."""
        self._transport.call("POST", path_of(name, "text"), {"text": text})

    def console(self, name: str, port: int = 1, *, start: bool = True) -> Console:
        """Attach to a COM port: `read` what the guest says, the last 64 KiB first, and `write` what is typed.

        Several may be attached, by this or in the web manager. Conflict when the machine is off, the port leads into a
        file, or another program has it. `start` as of `connect`.
        """
        from kiban.client.console import Console

        return Console(self._transport, path_of(name, "com", str(port)), start=start)

    def press(self, name: str, keys: str) -> None:
        """Press keys together: `ctrl-alt-delete`."""
        self._transport.call("POST", path_of(name, "keys"), {"keys": keys})
