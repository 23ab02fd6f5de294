# SPDX-License-Identifier: GPL-2.0-or-later
"""User-mode networking: QEMU's `user` netdev, its port forwards and its built-in TFTP server.

One dictionary, in the words of QEMU's schema, serves the command line (as JSON) and QMP's `netdev_add` alike. It never
listens anywhere but where a forward says, and that is loopback unless another address is asked for.
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kiban.adapters.net.bootfolder import check_file, check_folder
from kiban.errors import BadInput, Conflict, NotAllowed

_FORM = "forward=[HOSTADDR:]HOSTPORT:GUESTPORT[/udp], for example forward=2222:22"
_FORWARD = re.compile(
    r"(?:(?P<address>[0-9.]+):)?(?P<host>[0-9]{1,5}):(?P<guest>[0-9]{1,5})(?:/(?P<protocol>tcp|udp))?"
)
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class PortForward:
    """A port of the host that leads to a port of the guest; IPv4, as libslirp's are."""

    host_port: int
    guest_port: int
    protocol: Literal["tcp", "udp"] = "tcp"
    host_address: str = "127.0.0.1"

    def __str__(self) -> str:
        return f"{self.host_address}:{self.host_port}:{self.guest_port}/{self.protocol}"

    @property
    def rule(self) -> str:
        """QEMU's form: tcp:127.0.0.1:2222-:22."""
        return f"{self.place}-:{self.guest_port}"

    @property
    def place(self) -> str:
        """The host's side of it: tcp:127.0.0.1:2222."""
        return f"{self.protocol}:{self.host_address}:{self.host_port}"


def parse_forward(text: str) -> PortForward:
    """Reads `[HOSTADDR:]HOSTPORT:GUESTPORT[/udp]`, the value after `forward=`.

    Raises:
        BadInput: it has another form, an address is no IPv4 address, or a port is not 1 to 65535.
    """
    match = _FORWARD.fullmatch(text)
    if match is None:
        raise BadInput(f"{text[:100]!r} is not a port forward.", f"Write {_FORM}")
    address = match["address"] or "127.0.0.1"
    try:
        ipaddress.IPv4Address(address)
    except ValueError:
        raise BadInput(f"{address[:100]} is not an IPv4 address of this host.", f"Write {_FORM}") from None
    ports = int(match["host"]), int(match["guest"])
    if not all(1 <= port <= 65535 for port in ports):
        raise BadInput(f"A port in {text} is not between 1 and 65535.", f"Write {_FORM}")
    return PortForward(*ports, "udp" if match["protocol"] == "udp" else "tcp", address)


def check_port_free(forward: PortForward) -> None:
    """Binds the host port once and lets it go, so that a busy one has a clear error before QEMU starts.

    Another program may still take it in between; QEMU then fails to start, and says so.

    Raises:
        Conflict: the port is taken.
        NotAllowed: it is a privileged one.
        BadInput: the address is not one of this host's.
    """
    kind = socket.SOCK_STREAM if forward.protocol == "tcp" else socket.SOCK_DGRAM
    where = f"{forward.protocol} port {forward.host_port} on {forward.host_address}"
    with socket.socket(socket.AF_INET, kind) as probe:
        if forward.protocol == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as libslirp does: TIME_WAIT is not "taken"
        try:
            probe.bind((forward.host_address, forward.host_port))
            if forward.protocol == "tcp":
                probe.listen(1)
        except PermissionError:
            raise NotAllowed(f"The {where} is only for root.", "Forward a port above 1023") from None
        except OSError as error:
            raise _explain(error, where) from None


def netdev(
    *,
    restrict: bool = False,
    forwards: Sequence[PortForward] = (),
    hostname: str = "",
    tftp: Path | None = None,
    bootfile: str = "",
) -> dict[str, Any]:
    """Returns the netdev, without its "id", as QMP's `netdev_add` takes it, and as JSON after `-netdev`.

    Args:
        restrict: keep the guest from every network and host service; forwards and TFTP over IPv4
            still work, HTTP boot and TFTP over IPv6 do not.
        forwards: host ports that lead into the guest.
        hostname: what DHCP tells the guest its name is.
        tftp: folder that QEMU serves by TFTP at 10.0.2.2, readable by the user QEMU runs as.
        bootfile: file in that folder which DHCP names.

    Raises:
        BadInput: a name is malformed, a host port is forwarded twice, or there is a boot file without a folder.
        NotFound, NotAllowed: see `bootfolder`.
    """
    made: dict[str, Any] = {"type": "user", "restrict": restrict}
    if hostname:
        if not _HOSTNAME.fullmatch(hostname):
            raise BadInput(f"{hostname[:100]!r} is not a host name.", "Use up to 63 letters, digits and inner hyphens")
        made["hostname"] = hostname
    if forwards:
        _check_distinct(forwards)
        made["hostfwd"] = [{"str": forward.rule} for forward in forwards]
    if bootfile and tftp is None:
        raise BadInput(f"The boot file {bootfile} has no folder.", "Write --pxe DIR,file=NAME")
    if tftp is not None:
        made["tftp"] = str(check_folder(tftp))
        if bootfile:
            check_file(tftp, bootfile)
            made["bootfile"] = bootfile
    return made


def port(netdev_id: str, hub: int) -> dict[str, Any]:
    """Returns the netdev that an adapter is attached to: a port of a hub, so that what it leads to can be changed.

    QEMU has no command to attach an adapter to another netdev, but a hub's other ports come and go as they like. `hub`
    is its number, another one for each adapter of the machine.
    """
    return {"type": "hubport", "id": netdev_id, "hubid": hub}


def user_id(netdev_id: str) -> str:
    """Id of the user-mode network that an adapter's hub leads to."""
    return f"{netdev_id}-user"


def network(made: dict[str, Any], *, netdev_id: str, hub: int, dhcp6: Path | None = None) -> list[dict[str, Any]]:
    """Returns the netdevs, with ids, that are to be on an adapter's hub, each after what it needs.

    Args:
        made: what `netdev` returned.
        netdev_id: id of the netdev of the adapter.
        hub: number of the hub.
        dhcp6: Unix socket that QEMU makes for the DHCPv6 server of `dhcp6`, where there is to be one beside the guest.
            Nothing is lost for the guest while that server is away, and it may come back.
    """
    user = user_id(netdev_id)
    found = [{**made, "id": user}, {**port(f"{user}-port", hub), "netdev": user}]
    if dhcp6 is not None:
        server, address = f"{netdev_id}-dhcp6", {"type": "unix", "path": str(dhcp6)}
        found.append({"type": "stream", "id": server, "server": True, "addr": address})
        found.append({**port(f"{server}-port", hub), "netdev": server})
    return found


def _check_distinct(forwards: Sequence[PortForward]) -> None:
    seen: set[tuple[str, str, int]] = set()
    for forward in forwards:
        key = (forward.protocol, forward.host_address, forward.host_port)
        if key in seen:
            raise BadInput(f"The host port {forward.host_port} ({forward.protocol}) is forwarded twice.")
        seen.add(key)


def _explain(error: OSError, where: str) -> BadInput | Conflict:
    if error.errno == errno.EADDRNOTAVAIL:
        return BadInput(f"There is no {where}: the address is not one of this host's.", "Use 127.0.0.1")
    return Conflict(f"The {where} is taken.", "Forward another host port, or stop what listens there: ss -tulpn")
