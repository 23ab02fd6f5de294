# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's devices, which come, go and change. A part of the client."""

from __future__ import annotations

from kiban.client.paths import absolute, path_of
from kiban.client.records import Machine
from kiban.client.transport import Transport

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from typing import Any

    from kiban.model.generations import Bus
    from kiban.model.requests import DiskRequest, NicRequest


class Devices:
    """What a client asks about devices."""

    _transport: Transport
    _local: bool

    def add_disk(self, name: str, disk: DiskRequest) -> Machine:
        """Add a disk; to a running machine on SCSI."""
        return self._post(name, "disks", self._absolute(disk))

    def add_nic(self, name: str, nic: NicRequest) -> Machine:
        """Add a network adapter."""
        return self._post(name, "nics", self._absolute(nic))

    def change_nic(self, name: str, device: str, **changes: Any) -> Machine:
        """Change a network adapter in its place. `changes` are those of `kiban.model.requests.NicChanges`."""
        return Machine(self._transport.call("PATCH", path_of(name, "nics", device), self._absolute(changes)))

    def add_dvd(self, name: str, iso: str = "", bus: Bus | None = None) -> Machine:
        """Add a DVD drive, with an ISO in it or empty."""
        return self._post(name, "dvds", self._absolute({"iso": iso, "bus": bus}))

    def move_drive(self, name: str, device: str, bus: Bus | None = None, slot: int | None = None) -> Machine:
        """Attach a disk or DVD drive elsewhere, while it is off; on its bus, in the first free slot, unless said."""
        body = {"bus": bus, "slot": slot}
        return Machine(self._transport.call("PUT", path_of(name, "drives", device, "place"), body))

    def remove_device(self, name: str, device: str) -> Machine:
        """Take a disk, DVD drive or adapter away."""
        return Machine(self._transport.call("DELETE", path_of(name, "devices", device)))

    def insert(self, name: str, device: str, iso: str) -> Machine:
        """Put an ISO into a DVD drive, in place of what is in it."""
        return Machine(
            self._transport.call("PUT", path_of(name, "dvds", device, "medium"), self._absolute({"iso": iso}))
        )

    def eject(self, name: str, device: str) -> Machine:
        """Take the medium out of a DVD drive."""
        return Machine(self._transport.call("DELETE", path_of(name, "dvds", device, "medium")))

    def _post(self, name: str, verb: str, body: Any = None) -> Machine:
        return Machine(self._transport.call("POST", path_of(name, verb), body))

    def _absolute(self, body: Any) -> Any:
        """`body` with its paths made absolute: they are relative to the caller's directory, not the service's."""
        return absolute(body, local=self._local)
