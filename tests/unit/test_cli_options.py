# SPDX-License-Identifier: GPL-2.0-or-later
"""The options with a syntax of their own: what they mean, and that nothing but BadInput comes of nonsense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiban.cli import options
from kiban.errors import BadInput
from kiban.model.machine import Forward
from kiban.model.requests import ComRequest, DiskRequest, NetBootRequest, NicRequest

GIB = 1 << 30


def test_a_size_is_a_new_disk() -> None:
    assert options.disk("20G") == DiskRequest(size=20 * GIB)
    assert options.disk("8G,format=vhdx,bus=scsi") == DiskRequest(size=8 * GIB, format="vhdx", bus="scsi")


def test_a_path_is_an_image() -> None:
    assert options.disk("web.vhdx,format=vhdx,copy") == DiskRequest(path="web.vhdx", format="vhdx", copy=True)
    assert options.disk("./20G").path == "./20G"
    assert options.disk("20th.img,format=raw").path == "20th.img"


@pytest.mark.parametrize("text", ["tcp:2323", "telnet::23", "unix:/tmp/x"])
def test_a_com_port_leads_to_a_socket_or_a_file(text: str) -> None:
    with pytest.raises(BadInput, match="a COM port is a socket or a file"):
        options.com(1, text)
    assert options.com(1, f"./{text}").kind == "file"


def test_two_commas_are_one_in_a_name() -> None:
    assert options.disk("/a,,b.img,format=raw").path == "/a,b.img"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("20X", "20X"),
        ("20G,copy", "copy"),
        ("20G,bus=sata", "bus=sata"),
        ("20G,fromat=vhdx", "fromat"),
        ("20G,format=vhdx,format=raw", "more than once"),
        ("20G,format=", "format="),
        (",format=raw", "empty"),
    ],
)
def test_a_disk_that_makes_no_sense_is_named(text: str, word: str) -> None:
    with pytest.raises(BadInput, match=word) as caught:
        options.disk(text)
    assert caught.value.hint


def test_nic_with_everything() -> None:
    request = options.nic("nat,forward=2222:22,forward=udp:192.0.2.1:5353:53,kind=legacy,mac=52:54:00:12:34:56")
    assert request == NicRequest(
        network="nat",
        kind="legacy",
        mac="52:54:00:12:34:56",
        forwards=(
            Forward(protocol="tcp", host_address="127.0.0.1", host_port=2222, guest_port=22),
            Forward(protocol="udp", host_address="192.0.2.1", host_port=5353, guest_port=53),
        ),
    )


def test_forward_from_an_ipv6_address() -> None:
    wanted = Forward(protocol="tcp", host_address="::1", host_port=8080, guest_port=80)
    assert options.forward("[::1]:8080:80") == wanted


@pytest.mark.parametrize("text", ["22", "0:22", "22:65536", "::1:8080:80", "a:22", "22:b", "[1.2.3.4]:1:2", "²:22", ""])
def test_forward_that_is_none(text: str) -> None:
    with pytest.raises(BadInput, match="forward="):
        options.forward(text)


ports = st.integers(min_value=1, max_value=65535)
addresses = st.ip_addresses()


@given(st.sampled_from(["tcp", "udp"]), addresses, ports, ports)
def test_every_forward_can_be_written(protocol: str, address: Any, host: int, guest: int) -> None:
    shown = f"[{address}]" if address.version == 6 else str(address)
    read = options.forward(f"{protocol}:{shown}:{host}:{guest}")
    assert (read.protocol, read.host_address, read.host_port, read.guest_port) == (protocol, str(address), host, guest)


PARSERS: list[Callable[[str], Any]] = [
    options.disk,
    options.nic,
    options.forward,
    options.boot,
    options.pxe,
    lambda text: options.com(1, text),
]


@given(
    st.sampled_from(PARSERS), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
)
def test_nonsense_is_read_or_refused_with_a_hint(parse: Callable[[str], Any], text: str) -> None:
    refused: BadInput | None = None
    try:
        parse(text)
    except BadInput as error:
        refused = error
    assert refused is None or (refused.message and refused.hint)


@given(st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_every_file_name_can_be_written(name: str) -> None:
    escaped = "/images/" + name.replace(",", ",,")
    assert options.disk(f"{escaped},format=raw").path == "/images/" + name


def test_pxe_goes_to_the_first_adapter() -> None:
    boot = NetBootRequest(folder="/srv/tftp", file="shimx64.efi", protocol="http")
    text = "/srv/tftp,file=shimx64.efi,protocol=http"
    assert options.nics([], False, text) == (NicRequest(boot=boot),)
    assert options.nics(["nat,kind=legacy", "none"], False, text) == (
        NicRequest(kind="legacy", boot=boot),
        NicRequest(network="none"),
    )


def test_adapters_not_said_are_the_services_choice() -> None:
    assert options.nics([], False, None) is None
    assert options.nics([], True, None) == ()


@pytest.mark.parametrize(
    ("texts", "no_nic", "pxe"),
    [(["nat"], True, None), ([], True, "/x,file=y"), (["none"], False, "/x,file=y"), ([], False, "/x")],
)
def test_adapters_that_contradict(texts: list[str], no_nic: bool, pxe: str | None) -> None:
    with pytest.raises(BadInput):
        options.nics(texts, no_nic, pxe)


def test_com_ports() -> None:
    assert options.com(1, "socket") == ComRequest(number=1, kind="socket")
    assert options.com(2, "socket:/run/c.sock") == ComRequest(number=2, kind="socket", path="/run/c.sock")
    assert options.com(1, "file:/tmp/c.log") == ComRequest(number=1, kind="file", path="/tmp/c.log")
    assert options.com(1, "/tmp/a:b.log") == ComRequest(number=1, kind="file", path="/tmp/a:b.log")
    assert options.com(1, "none") == ComRequest(number=1, kind="none")


def test_boot_order() -> None:
    assert options.boot("dvd, disk,nic") == ("dvd", "disk", "nic")
    assert options.boot(None) == ()
    with pytest.raises(BadInput, match="empty place"):
        options.boot("dvd,,disk")
