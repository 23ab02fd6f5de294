# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways in: tokens, and links to the web manager. A part of the client."""

from __future__ import annotations

from kiban.client.records import Record, WebLink
from kiban.client.transport import Transport, quote

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from kiban.model.roles import Role


class Token(Record):
    """A token, without its secret. `used` is when it was last used, to the minute or so; empty for never."""

    name: str
    role: str
    created: str
    used: str


class Ways:
    """What a client asks about who else may come in."""

    _transport: Transport

    def tokens(self) -> list[Token]:
        """All tokens, oldest first."""
        return [Token(item) for item in self._transport.call("GET", "/v1/tokens")]

    def create_token(self, name: str, role: Role = "operator") -> str:
        """Make a token and return its secret, which cannot be had again."""
        made = self._transport.call("POST", "/v1/tokens", {"name": name, "role": role})
        return str(made["token"])

    def revoke_token(self, name: str) -> None:
        """Make a token worthless, at once."""
        self._transport.call("DELETE", f"/v1/tokens/{quote(name)}")

    def web(self, port: int = 0) -> WebLink:
        """Start the web manager, if it is not up, and get an address that lets a browser in, once.

        Over TLS it is the service's own address, if it has pages there. Otherwise, and with a `port`, it is on loopback
        of the service's host.
        """
        return WebLink(self._transport.call("POST", "/v1/web", {"port": port}))
