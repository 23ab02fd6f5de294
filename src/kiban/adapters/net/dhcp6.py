# SPDX-License-Identifier: GPL-2.0-or-later
"""The DHCPv6 server that PXE over IPv6 needs on a user-mode network.

libslirp only answers DHCPv6 Information-Requests, but a UEFI firmware asks for an address (Solicit, Request) and takes
the boot file's URL from that answer; the file itself then comes from libslirp's TFTP server. This one listens on a port
of QEMU's hub: a Unix socket on which each Ethernet frame follows its length (32 bits, big-endian).

Formats: RFC 8415 (DHCPv6), RFC 5970 (boot file URL, option 59), RFC 8200 and 768 (IPv6, UDP).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from urllib.parse import quote

from kiban.errors import Failed

TFTP_SERVER = IPv6Address("fec0::2")  # libslirp's own address in its default prefix
GUEST_ADDRESS = IPv6Address("fec0::64")  # within that prefix; outside what guests derive from their MAC address

_OUR_MAC = bytes.fromhex("525600000006")  # locally administered, next to libslirp's 52:56:00:00:00:02
_OUR_ADDRESS = IPv6Address("fe80::5056:ff:fe00:6").packed
_SERVERS = IPv6Address("ff02::1:2").packed
_DUID = struct.pack(">HH", 3, 1) + _OUR_MAC
_SOLICIT, _ADVERTISE, _REQUEST, _RENEW, _REBIND, _REPLY, _RELEASE = 1, 2, 3, 5, 6, 7, 8
_ANSWERS = {_SOLICIT: _ADVERTISE, _REQUEST: _REPLY, _RENEW: _REPLY, _REBIND: _REPLY, _RELEASE: _REPLY}
_CLIENT_ID, _SERVER_ID, _IA_NA, _IA_ADDRESS, _STATUS, _BOOT_FILE = 1, 2, 3, 5, 13, 59
_HOUR = 3600
_LONGEST_FRAME = 65536 + 18


@dataclass
class Dhcp6:
    """One server for one machine's network; `connect` to start it, `close` to end it.

    Args:
        socket: where QEMU listens for `-netdev stream`.
        bootfile: name in the folder that the network serves by TFTP.
    """

    socket: Path
    bootfile: str
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    async def start(self) -> None:
        """Connects and answers from then on, until QEMU or `close` ends it.

        Raises:
            Failed: QEMU does not listen there.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(self.socket)
        except OSError as error:
            raise Failed(f"QEMU does not listen on {self.socket}: {error.strerror}.") from None
        self._task = asyncio.create_task(self._serve(reader, writer), name=f"dhcp6:{self.socket}")

    async def close(self) -> None:
        """Ends the server; safe to call twice."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        url = f"tftp://[{TFTP_SERVER}]/{quote(self.bootfile)}"
        try:
            while True:
                (length,) = struct.unpack(">I", await reader.readexactly(4))
                if length > _LONGEST_FRAME:
                    return
                reply = answer(await reader.readexactly(length), url)
                if reply is not None:
                    writer.write(struct.pack(">I", len(reply)) + reply)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # QEMU is gone
        finally:
            writer.close()


def answer(frame: bytes, url: str) -> bytes | None:
    """Returns the Ethernet frame that answers `frame`, or None where it is not a DHCPv6 request to us.

    `url` is the boot file's. The frame comes from the guest, so nothing in it is believed.
    """
    request = _dhcp6(frame)
    if request is None:
        return None
    options = _options(request[4:])
    client = options.get(_CLIENT_ID)
    if request[0] not in _ANSWERS or not client or options.get(_SERVER_ID, _DUID) != _DUID:
        return None
    body = bytes([_ANSWERS[request[0]]]) + request[1:4]
    body += _option(_CLIENT_ID, client) + _option(_SERVER_ID, _DUID)
    if request[0] == _RELEASE:
        body += _option(_STATUS, struct.pack(">H", 0))
    else:
        body += _lease(options.get(_IA_NA, b"")) + _option(_BOOT_FILE, url.encode())
    return _frame(body, to_mac=frame[6:12], to=frame[22:38])


def _lease(identity: bytes) -> bytes:
    """The address, for the interface identity of the client's IA_NA; nothing where it asked for none."""
    if len(identity) < 12:
        return b""
    address = _option(_IA_ADDRESS, GUEST_ADDRESS.packed + struct.pack(">II", _HOUR, 2 * _HOUR))
    return _option(_IA_NA, identity[:4] + struct.pack(">II", _HOUR // 2, _HOUR) + address)


def _dhcp6(frame: bytes) -> bytes | None:
    """The DHCPv6 message in an Ethernet frame to the servers' multicast address; checksums are QEMU's business."""
    if len(frame) < 66 or frame[12:14] != b"\x86\xdd" or frame[20] != 17 or frame[38:54] != _SERVERS:
        return None
    source, destination, length = struct.unpack_from(">HHH", frame, 54)
    if (source, destination) != (546, 547) or not 12 <= length <= len(frame) - 54:
        return None
    return frame[62 : 54 + length]


def _options(data: bytes) -> dict[int, bytes]:
    """The options by number, the first of each; what is cut short is left out."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        number, length = struct.unpack_from(">HH", data, at)
        if at + 4 + length > len(data):
            break
        found.setdefault(number, data[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def _option(number: int, value: bytes) -> bytes:
    return struct.pack(">HH", number, len(value)) + value


def _frame(body: bytes, *, to_mac: bytes, to: bytes) -> bytes:
    length = 8 + len(body)
    pseudo = _OUR_ADDRESS + to + struct.pack(">II", length, 17)
    udp = struct.pack(">HHHH", 547, 546, length, 0) + body
    udp = udp[:6] + struct.pack(">H", checksum(pseudo + udp) or 0xFFFF) + udp[8:]
    header = struct.pack(">IHBB", 6 << 28, length, 17, 255) + _OUR_ADDRESS + to
    return to_mac + _OUR_MAC + b"\x86\xdd" + header + udp


def checksum(data: bytes) -> int:
    """The Internet checksum of RFC 1071; 0 for data that already carries its own."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
