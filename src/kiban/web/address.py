# SPDX-License-Identifier: GPL-2.0-or-later
"""What the web manager is called: the names that a browser may have reached it by, and what follows from its scheme."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Literal

from kiban.web.sessions import Door

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
DEFAULT = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Address:
    """Where a server of pages is.

    Args:
        scheme: https over TLS.
        port: that it listens on.
        names: lower case, IPv6 in brackets; `*.example.org` stands for one label more, `name:port` for another port
            that leads to this one.
    """

    scheme: Literal["http", "https"]
    port: int
    names: Collection[str]

    def is_own(self, host: str, connected: str = "") -> bool:
        """Whether a `Host` is this server's.

        `connected` is the address of this host that the browser is connected to: in a Host it is always right, as
        nobody can point an address elsewhere.
        """
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name, port = found["name"], int(found["port"] or DEFAULT[self.scheme])
        if f"{name}:{port}" in self.names:
            return True
        wild = f"*.{name.partition('.')[2]}"
        return port == self.port and (name in self.names or wild in self.names or name == _literal(connected))

    def origin(self, host: str) -> str:
        """What a browser calls a page of this server."""
        return f"{self.scheme}://{host}"

    @property
    def secure(self) -> bool:
        """Whether it is over TLS."""
        return self.scheme == "https"

    @property
    def door(self) -> Door:
        """Which sessions count here."""
        return "tls" if self.secure else "loopback"

    @property
    def cookie(self) -> str:
        """Name of the session's cookie. Cookies do not tell ports apart; `__Host-` lets no other host set it."""
        return f"{'__Host-' if self.secure else ''}kiban-{self.port}"

    @property
    def site(self) -> bool:
        """Whether this is the host's only way over TLS, so that browsers may be told to use no other (HSTS)."""
        return self.secure and self.port == DEFAULT["https"]


def secret_name() -> str:
    """A new name on loopback.

    Browsers take all names below `localhost` to loopback. This one is a new secret whenever others could have had the
    port meanwhile: a browser sends the cookie to it alone, and not to what another user serves on 127.0.0.1, or under
    a name that he knows.
    """
    return f"kiban-{secrets.token_hex(8)}.localhost"


def loopback(port: int, name: str) -> Address:
    """The address on loopback, under that name and those that every browser knows."""
    return Address("http", port, frozenset({name, "127.0.0.1", "localhost"}))


def name_in(host: str) -> str:
    """The name in a `Host`, without its port and the brackets of IPv6."""
    found = _HOST.fullmatch(host)
    return found["name"].strip("[]") if found is not None else host


def _literal(address: str) -> str:
    """An address as it stands in a URL."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped) if found.ipv4_mapped else f"[{found}]"
    return str(found)
