# SPDX-License-Identifier: GPL-2.0-or-later
"""The HTTP boot server, asked over real sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from kiban.adapters.net.httpboot import HttpBoot, new_secret
from kiban.errors import BadInput, Conflict, NotFound

CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "boot"
    (made / "grub").mkdir(parents=True)
    (made / "shimx64.efi").write_bytes(CONTENT)
    (made / "grub" / "grub.cfg").write_bytes(b"boot")
    (tmp_path / "outside").write_bytes(b"outside")
    (made / "link").symlink_to(tmp_path / "outside")
    (made / "up").symlink_to(tmp_path)
    return made


def serving(folder: Path, ask: Callable[[HttpBoot, httpx.AsyncClient], Awaitable[None]]) -> None:
    async def run() -> None:
        server = HttpBoot(folder, secret=new_secret())
        await server.start()
        try:
            base = f"http://127.0.0.1:{server.port}/{server.secret}/"
            async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
                await ask(server, client)
        finally:
            await server.close()

    asyncio.run(run())


def test_get_head_and_range(folder: Path) -> None:
    async def ask(server: HttpBoot, client: httpx.AsyncClient) -> None:
        head = await client.head("shimx64.efi")
        assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(CONTENT)), b"")
        whole = await client.get("shimx64.efi")
        assert (whole.status_code, whole.content) == (200, CONTENT)
        part = await client.get("shimx64.efi", headers={"Range": "bytes=1000-1999"})
        assert (part.status_code, part.content) == (206, CONTENT[1000:2000])
        assert part.headers["content-range"] == f"bytes 1000-1999/{len(CONTENT)}"
        beyond = await client.get("shimx64.efi", headers={"Range": f"bytes={len(CONTENT)}-"})
        assert beyond.status_code == 416
        doubled = await client.get(f"http://127.0.0.1:{server.port}/{server.secret}//grub//grub.cfg")
        assert doubled.content == b"boot", "shim asks with two slashes"

    serving(folder, ask)


def test_nothing_without_the_secret(folder: Path) -> None:
    async def ask(server: HttpBoot, client: httpx.AsyncClient) -> None:
        root = f"http://127.0.0.1:{server.port}"
        for path in ("/", "/shimx64.efi", "//shimx64.efi", f"/{new_secret()}/shimx64.efi", f"/{server.secret[:-1]}/"):
            answer = await client.get(root + path)
            assert answer.status_code == 404, path
            assert server.secret not in answer.text

    serving(folder, ask)


async def raw(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await reader.read()
    except ConnectionResetError:  # it closed with some of the request unread
        return b""
    finally:
        writer.close()


def test_no_listing_no_escape_no_other_method(folder: Path) -> None:
    async def ask(server: HttpBoot, client: httpx.AsyncClient) -> None:
        for path in ("", "grub", "grub/", "link", "up/outside", "missing"):
            answer = await client.get(path)
            assert answer.status_code == 404, path
            assert b"outside" not in answer.content
        for path in ("../outside", "grub/../../outside", "%2e%2e/outside", "..%2foutside", "%00", "/etc/passwd"):
            line = f"GET /{server.secret}/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            got = await raw(server.port, line.encode())
            assert got.split()[1] in (b"404", b"400"), path
            assert b"outside" not in got
        for method in ("POST", "PUT", "DELETE"):
            assert (await client.request(method, "shimx64.efi")).status_code == 405

    serving(folder, ask)


def test_garbage_and_endless_headers_end_the_connection_and_nothing_else(folder: Path) -> None:
    async def ask(server: HttpBoot, client: httpx.AsyncClient) -> None:
        assert (await raw(server.port, b"\x16\x03\x01garbage\r\n\r\n")).split()[1] == b"400"
        endless = b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000
        assert b" 200 " not in await raw(server.port, endless)
        assert (await client.get("shimx64.efi")).content == CONTENT

    serving(folder, ask)


def test_it_comes_back_on_the_same_port_with_the_same_secret(folder: Path) -> None:
    async def run() -> None:
        first = HttpBoot(folder, secret=new_secret())
        await first.start()
        url = first.url("shimx64.efi")
        async with httpx.AsyncClient(trust_env=False) as client:
            reached = url.replace("10.0.2.2", "127.0.0.1")
            assert (await client.get(reached)).status_code == 200
            await first.close()
            with pytest.raises(httpx.ConnectError):
                await client.get(reached)
            second = HttpBoot(folder, secret=first.secret, port=first.port)
            await second.start()
            assert second.url("shimx64.efi") == url
            assert (await client.get(reached)).status_code == 200
            await second.close()
            await second.close()

    asyncio.run(run())


def test_a_port_that_is_taken_is_a_conflict(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=f"Port {port} on 127.0.0.1 is taken"):
            asyncio.run(HttpBoot(folder, secret=new_secret(), port=port).start())


def test_signals_stay_with_the_service(folder: Path) -> None:
    async def ask(server: HttpBoot, client: httpx.AsyncClient) -> None:
        seen = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, seen.set)
        await client.get("shimx64.efi")
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(seen.wait(), 30)
        assert (await client.get("shimx64.efi")).status_code == 200

    serving(folder, ask)


def test_addresses_name_files_that_are_there(folder: Path) -> None:
    (folder / "a b.efi").write_bytes(b"x")
    server = HttpBoot(folder, secret="0" * 32, port=8080)
    assert server.url("grub/grub.cfg") == f"http://10.0.2.2:8080/{'0' * 32}/grub/grub.cfg"
    assert server.url("a b.efi").endswith("/a%20b.efi")
    with pytest.raises(NotFound):
        server.url("missing.efi")


@pytest.mark.parametrize("secret", ["", "short", "0" * 31 + "/", "../" * 10 + "aa", "0" * 31 + "\n", "G" * 32])
def test_a_secret_has_one_form(folder: Path, secret: str) -> None:
    with pytest.raises(BadInput):
        HttpBoot(folder, secret=secret)


def test_secrets_differ_and_suit() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
