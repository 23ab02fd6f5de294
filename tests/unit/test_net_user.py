# SPDX-License-Identifier: GPL-2.0-or-later
"""Port forwards and the user-mode netdev."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from kiban.adapters.net.user import PortForward, check_port_free, netdev, network, parse_forward, port, user_id
from kiban.errors import BadInput, Conflict, NotFound


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("2222:22", "tcp:127.0.0.1:2222-:22"),
        ("2222:22/tcp", "tcp:127.0.0.1:2222-:22"),
        ("5353:53/udp", "udp:127.0.0.1:5353-:53"),
        ("0.0.0.0:8080:80", "tcp:0.0.0.0:8080-:80"),
        ("1:65535", "tcp:127.0.0.1:1-:65535"),
    ],
)
def test_forward_becomes_qemus_rule(text: str, rule: str) -> None:
    forward = parse_forward(text)
    assert forward.rule == rule
    assert parse_forward(str(forward)) == forward


@pytest.mark.parametrize(
    "text",
    [
        *("", "22", "2222:", ":22", "0:22", "22:0", "65536:22", "123456:22", "-1:22", "2222:22/sctp", "2222:22\n"),
        *("1.2.3:1:2", "256.0.0.1:1:2", "1.1.1.1.1:1:2", "::1:1:2", "host:1:2", "2222:22,restrict=off", "²:22", "٢:22"),
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_forward(text)
    assert "forward=" in caught.value.hint


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_busy_port_is_a_conflict_and_a_free_one_is_not(protocol: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=f"{protocol} port {port} on 127.0.0.1 is taken"):
            check_port_free(parse_forward(f"{port}:22/{protocol}"))
    check_port_free(parse_forward(f"{port}:22/{protocol}"))


def test_an_address_of_another_host_is_bad_input() -> None:
    with pytest.raises(BadInput, match="not one of this host's"):
        check_port_free(parse_forward("192.0.2.1:2222:22"))


def test_netdev_has_only_what_was_asked_for() -> None:
    assert netdev() == {"type": "user", "restrict": False}


def test_netdev_in_full(tmp_path: Path) -> None:
    (tmp_path / "shimx64.efi").write_bytes(b"x")
    forwards = [PortForward(2222, 22), PortForward(2222, 53, "udp")]
    assert netdev(restrict=True, forwards=forwards, hostname="web-1", tftp=tmp_path, bootfile="shimx64.efi") == {
        "type": "user",
        "restrict": True,
        "hostname": "web-1",
        "hostfwd": [{"str": "tcp:127.0.0.1:2222-:22"}, {"str": "udp:127.0.0.1:2222-:53"}],
        "tftp": str(tmp_path.resolve()),
        "bootfile": "shimx64.efi",
    }


@pytest.mark.parametrize("name", ["a b", "-a", "a-", "a" * 64, "a,b", "ä"])
def test_bad_host_names_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match="not a host name"):
        netdev(hostname=name)


def test_a_port_forwarded_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="twice"):
        netdev(forwards=[PortForward(2222, 22), PortForward(2222, 80)])


def test_a_boot_file_needs_a_folder_and_has_to_be_in_it(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no folder"):
        netdev(bootfile="a")
    with pytest.raises(NotFound, match="a is not in"):
        netdev(tftp=tmp_path, bootfile="a")


def test_the_hub_joins_the_network_and_the_dhcp6_server() -> None:
    made = network(netdev(), netdev_id="net-nic0", hub=3, dhcp6=Path("/run/m/dhcp6"))
    by_id = {each["id"]: each for each in made}
    assert len(by_id) == len(made) == 4
    ports = [each for each in made if each["type"] == "hubport"]
    assert {each["hubid"] for each in ports} == {3} == {port("net-nic0", 3)["hubid"]}
    assert [by_id[each["netdev"]]["type"] for each in ports] == ["user", "stream"]
    assert made[0]["id"] == user_id("net-nic0")
