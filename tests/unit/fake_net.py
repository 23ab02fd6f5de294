# SPDX-License-Identifier: GPL-2.0-or-later
"""The networks of the stand-in for QEMU: netdevs, hubs, cables and forwards, refused as QEMU 7.2 refuses them."""

from __future__ import annotations

import json
import re
import socket
from itertools import pairwise
from typing import Any

RULE = re.compile(r"(tcp|udp):([0-9.]*):(\d+)-:(\d+)")


class RefusedError(Exception):
    """In QEMU's words."""


class Net:
    """What QEMU has of its adapters' networks. A port that `hostfwd_add` opens is one of the host's for real."""

    def __init__(self, arguments: list[str]) -> None:
        self.netdevs: dict[str, dict[str, Any]] = {}
        self.attached: dict[str, str] = {}  # an adapter's netdev, by the adapter
        self.down: set[str] = set()
        self.forwards: dict[tuple[str, str], socket.socket | None] = {}  # by netdev and host's side
        for option, value in pairwise(arguments):
            if option == "-netdev":
                self.add(**json.loads(value))
            elif option == "-device" and value.startswith("{"):
                self.attach(json.loads(value))

    def told(self) -> dict[str, Any]:
        """All of it, for tests."""
        led = {m["netdev"] for m in self.netdevs.values() if m["type"] == "hubport" and "netdev" in m}
        return {
            "netdevs": sorted(self.netdevs),
            "on a hub": sorted(led),
            "down": sorted(self.down),
            "forwards": sorted(f"{netdev} {place}" for netdev, place in self.forwards),
        }

    def attach(self, device: dict[str, Any]) -> None:
        if "netdev" in device:
            self.attached[device["id"]] = device["netdev"]

    def add(self, **made: Any) -> None:
        name = made["id"]
        if name in self.netdevs:
            raise RefusedError(f"Duplicate ID '{name}'")
        if made["type"] == "hubport" and "netdev" in made and made["netdev"] not in self.netdevs:
            raise RefusedError(f"netdev '{made['netdev']}' not found")
        self.netdevs[name] = made
        for forward in made.get("hostfwd", ()):
            self.forwards[name, forward["str"].partition("-")[0]] = None

    def remove(self, name: str) -> None:
        if name not in self.netdevs:
            raise RefusedError(f"Device '{name}' not found")
        del self.netdevs[name]
        for key in [key for key in self.forwards if key[0] == name]:
            self._close(key)

    def _close(self, key: tuple[str, str]) -> None:
        if link := self.forwards.pop(key):
            link.close()

    def set_link(self, name: str, *, up: bool) -> None:
        if name not in self.attached:
            raise RefusedError(f"Device '{name}' not found")
        (self.down.discard if up else self.down.add)(name)

    def human(self, line: str, *, deaf: bool) -> str:
        """What the human monitor answers; `deaf`: no port can be opened."""
        command, netdev, rule = (*line.split(" "), "", "")[:3]
        if line == "info network":
            return "".join(f" \\ {net}: {nic}: index=0,type=nic\r\n" for nic, net in self.attached.items())
        if self.netdevs.get(netdev, {}).get("type") != "user":
            return f"unrecognized netdev id '{netdev}'\r\n"
        if command == "hostfwd_remove":
            if (netdev, rule) not in self.forwards:
                return f"host forwarding rule for {rule} not found\r\n"
            self._close((netdev, rule))
            return f"host forwarding rule for {rule} removed\r\n"
        assert command == "hostfwd_add", line
        found = RULE.fullmatch(rule)
        assert found, rule
        try:
            link = None if deaf else self._listen(found[1], found[2], int(found[3]))
        except OSError:
            deaf = True
        place = rule.partition("-")[0]
        if deaf or any(place == has for _, has in self.forwards):
            return f"Could not set up host forwarding rule '{rule}'\r\n"
        self.forwards[netdev, place] = link
        return ""

    @staticmethod
    def _listen(protocol: str, address: str, port: int) -> socket.socket:
        link = socket.socket(type=socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, protocol == "tcp")
        try:
            link.bind((address, port))
            if protocol == "tcp":
                link.listen()
        except OSError:
            link.close()
            raise
        return link
