# SPDX-License-Identifier: GPL-2.0-or-later
"""Measured Secure Boot databases and their entries in words: which certificates, and how many hashes.

`kiban.adapters.firmware.siglist` reads the lists; what stands in them comes from a guest.
"""

from __future__ import annotations

from kiban.adapters.firmware import certs, siglist

_OWNER = 16
_MAX_NAME = 200


def database(data: bytes) -> str:
    """A whole database: `Microsoft Corporation UEFI CA 2011 and 431 hashes`. Raises Damaged."""
    entries = siglist.parse(data)
    words = [_name(entry.data) for entry in entries if entry.type == siglist.X509]
    hashes = len(entries) - len(words)
    if hashes:
        words.append("1 hash" if hashes == 1 else f"{hashes} hashes")
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:]))) or "nothing"


def entry(data: bytes) -> str:
    """One entry: an owner's GUID with a certificate or a hash, or a certificate alone."""
    for body in (data[_OWNER:], data):
        if body[:1] == b"\x30" and (name := _name(body)) != certs.UNREADABLE:
            return name
    if len(data) == _OWNER + 32:
        return f"the hash {data[_OWNER:].hex()}"
    return f"an entry of {len(data)} bytes"


def _name(der: bytes) -> str:
    return certs.facts(der).name[:_MAX_NAME]
