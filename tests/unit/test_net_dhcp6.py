# SPDX-License-Identifier: GPL-2.0-or-later
"""The DHCPv6 answers that PXE over IPv6 lives on; the Solicit is the one OVMF sends."""

from __future__ import annotations

import asyncio
import random
import struct
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from kiban.adapters.net.dhcp6 import GUEST_ADDRESS, Dhcp6, answer, checksum
from kiban.errors import Failed

URL = "tftp://[fec0::2]/shimx64.efi"
CLIENT = IPv6Address("fe80::5054:ff:fe12:3456").packed
SERVERS = IPv6Address("ff02::1:2").packed
CLIENT_ID = bytes.fromhex("0001000e0001000131dcb1b2525400123456")
SERVER_ID = bytes.fromhex("0002000a00030001525600000006")
IA_NA = bytes.fromhex("0003000c574b577fffffffffffffffff")
WANTED = bytes.fromhex("00060008003b003c00170018")


def request(kind: int, *options: bytes, port: int = 547, to: bytes = SERVERS) -> bytes:
    message = bytes([kind]) + b"\x0d\xc9\x84" + b"".join(options)
    udp = struct.pack(">HHHH", 546, port, 8 + len(message), 0) + message
    header = struct.pack(">IHBB", 6 << 28, len(udp), 17, 255) + CLIENT + to
    return bytes.fromhex("333300010002525400123456 86dd") + header + udp


def options(frame: bytes) -> dict[int, bytes]:
    data, found = frame[66:], {}
    while data:
        number, length = struct.unpack_from(">HH", data)
        found[number] = data[4 : 4 + length]
        data = data[4 + length :]
    return found


@pytest.mark.parametrize(("kind", "expected"), [(1, 2), (3, 7), (5, 7), (6, 7)])
def test_an_address_and_the_boot_file_are_offered(kind: int, expected: int) -> None:
    reply = answer(request(kind, CLIENT_ID, IA_NA, WANTED), URL)
    assert reply is not None
    assert reply[62:66] == bytes([expected]) + b"\x0d\xc9\x84"
    found = options(reply)
    assert found[1] == CLIENT_ID[4:]
    assert found[59] == URL.encode()
    assert found[3][:4] == IA_NA[4:8]
    assert found[3][16:32] == GUEST_ADDRESS.packed


def test_the_frame_is_well_formed_and_addressed_to_the_client() -> None:
    reply = answer(request(1, CLIENT_ID, IA_NA), URL)
    assert reply is not None
    assert reply[:6] == bytes.fromhex("525400123456")
    assert reply[38:54] == CLIENT
    udp = reply[54:]
    assert struct.unpack_from(">H", reply, 18)[0] == len(udp) == struct.unpack_from(">H", udp, 4)[0]
    assert struct.unpack_from(">HH", udp) == (547, 546)
    assert checksum(reply[22:54] + struct.pack(">II", len(udp), 17) + udp) == 0


def test_a_release_is_confirmed_without_an_address() -> None:
    reply = answer(request(8, CLIENT_ID, SERVER_ID, IA_NA), URL)
    assert reply is not None
    assert options(reply)[13] == b"\0\0"
    assert 3 not in options(reply)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        request(1),  # no client id
        request(11, CLIENT_ID),  # Information-Request: libslirp's
        request(2, CLIENT_ID),  # what a server says
        request(3, CLIENT_ID, bytes.fromhex("0002000a00030001525600000007"), IA_NA),  # another server was chosen
        request(1, CLIENT_ID, port=69),
        request(1, CLIENT_ID, to=IPv6Address("ff02::2").packed),
        request(1, CLIENT_ID)[:70],
    ],
)
def test_what_is_not_for_us_gets_no_answer(frame: bytes) -> None:
    assert answer(frame, URL) is None


def test_hostile_frames_neither_crash_it_nor_grow_the_answer() -> None:
    dice = random.Random(1)  # noqa: S311  repeatable input, not a secret
    whole = request(1, CLIENT_ID, IA_NA, WANTED)
    for _ in range(20_000):
        frame = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            frame[dice.randrange(len(frame))] = dice.randrange(256)
        reply = answer(bytes(frame[: dice.randrange(len(frame) + 1)]), URL)
        assert reply is None or len(reply) < 66 + 200 + len(whole)


def test_frames_are_answered_over_the_socket_qemu_listens_on(tmp_path: Path) -> None:
    async def run() -> None:
        connected: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await connected.put((reader, writer))

        qemu = await asyncio.start_unix_server(accept, tmp_path / "net")
        server = Dhcp6(tmp_path / "net", "a b.efi")
        await server.start()
        reader, writer = await connected.get()
        for frame in (b"\0" * 60, request(1, CLIENT_ID, IA_NA)):
            writer.write(struct.pack(">I", len(frame)) + frame)
        (length,) = struct.unpack(">I", await asyncio.wait_for(reader.readexactly(4), 30))
        assert options(await reader.readexactly(length))[59] == b"tftp://[fec0::2]/a%20b.efi"
        writer.write(b"\xff" * 4)  # a frame no network has: the server hangs up
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()
        await server.close()
        await server.close()
        qemu.close()

    asyncio.run(run())


def test_a_qemu_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="does not listen"):
        asyncio.run(Dhcp6(tmp_path / "none", "a").start())
