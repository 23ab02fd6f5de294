# SPDX-License-Identifier: GPL-2.0-or-later
"""A client without a service, for the tests of the command line: machines in a dict, calls in a list.

It keeps to the client's interface; views are namespaces with the members of `kiban.wire.answers.Machine`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from kiban.errors import NotFound
from kiban.model.states import check

Progress = Callable[[float, str], None]


def view(name: str, **said: Any) -> SimpleNamespace:
    """A generation 2 machine that is off, with one disk, one DVD drive and one adapter."""
    members: dict[str, Any] = {
        "name": name,
        "id": f"id-of-{name}",
        "generation": 2,
        "state": "off",
        "reason": "",
        "accelerator": "tcg",
        "cpus": 2,
        "memory": 2 << 30,
        "guest": "debian12",
        "firmware": "UEFI",
        "secure_boot": True,
        "template": "microsoft-uefi-ca",
        "tpm": False,
        "disks": [SimpleNamespace(id="disk0", path="disk0.qcow2", format="qcow2", bus="scsi", slot=0)],
        "dvds": [SimpleNamespace(id="dvd0", bus="scsi", slot=65, medium="")],
        "floppy": None,
        "nics": [
            SimpleNamespace(
                id="nic0",
                kind="synthetic",
                model="virtio",
                mac="52:54:00:00:00:01",
                network="nat",
                forwards=[SimpleNamespace(protocol="tcp", host_address="::1", host_port=2222, guest_port=22)],
                boot=None,
            )
        ],
        "coms": [],
        "boot_order": ["disk0", "dvd0"],
        "boot_entries": [SimpleNamespace(name="Boot0001", device="disk0", active=True, description="shim\x1b[2J")],
        "boot": SimpleNamespace(state="refused", device="dvd0", sentence="It is not signed.", hint="Sign it."),
        "video": "synthetic",
        "autostart": False,
        "notes": "",
        "pid": None,
        "started": None,
        "created": "2026-01-01T00:00:00+00:00",
        "runtime": f"/run/kiban/m/id-of-{name}",
        "warnings": [],
        "problem": "",
    }
    return SimpleNamespace(**members | said)


class FakeClient:
    """Does to its views what the service does to machines, and notes each call as (method, arguments, keywords)."""

    def __init__(self, *views: SimpleNamespace) -> None:
        self.views = {v.name: v for v in views}
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.interrupt = ""
        self.happenings: list[SimpleNamespace] = []
        self.findings: list[SimpleNamespace] = []
        self.room = SimpleNamespace()

    def machines(self) -> list[SimpleNamespace]:
        return list(self.views.values())

    def machine(self, name: str) -> SimpleNamespace:
        if name not in self.views:
            raise NotFound(f"There is no machine {name}.", "kiban ls", code="no-machine")
        return self.views[name]

    def create(self, *, progress: Progress, **said: Any) -> SimpleNamespace:
        self.calls.append(("create", (), said))
        progress(0.5, "making disk0")
        self.views[said["name"]] = view(said["name"])
        return self.views[said["name"]]

    def start(self, name: str, *, progress: Progress) -> SimpleNamespace:
        if self.interrupt == "early":
            raise KeyboardInterrupt
        progress(0.1, "starting QEMU")
        if self.interrupt:
            raise KeyboardInterrupt
        return self._become(name, "start", "running")

    def stop(self, name: str, *, force: bool, timeout: float, progress: Progress) -> SimpleNamespace:
        self.calls.append(("stop", (name,), {"force": force, "timeout": timeout}))
        return self._become(name, "turn off" if force else "shut down", "off")

    def restart(self, name: str, *, timeout: float, progress: Progress) -> SimpleNamespace:
        return self._become(name, "restart", "running")

    def save(self, name: str, *, progress: Progress) -> SimpleNamespace:
        return self._become(name, "save", "saved")

    def reset(self, name: str) -> SimpleNamespace:
        return self._become(name, "reset", "running")

    def pause(self, name: str) -> SimpleNamespace:
        return self._become(name, "pause", "paused")

    def resume(self, name: str) -> SimpleNamespace:
        return self._become(name, "resume", "running")

    def discard(self, name: str) -> SimpleNamespace:
        return self._become(name, "discard", "off")

    def web(self, port: int) -> SimpleNamespace:
        return SimpleNamespace(url=f"http://127.0.0.1:{port or 7480}/login#secret", seconds=60.0)

    def remove(self, name: str) -> None:
        self.machine(name)
        del self.views[name]

    def rename(self, name: str, new_name: str) -> SimpleNamespace:
        found = self.machine(name)
        found.name = new_name
        return found

    def __getattr__(self, method: str) -> Callable[..., SimpleNamespace]:
        """edit, add_disk, insert and the like: noted, and answered with the machine."""
        if method not in (
            "edit",
            "add_disk",
            "add_nic",
            "change_nic",
            "add_dvd",
            "remove_device",
            "move_drive",
            "insert",
            "eject",
            "press",
            "type_text",
        ):
            raise AttributeError(method)

        def noted(name: str, *arguments: Any, **said: Any) -> SimpleNamespace:
            self.calls.append((method, (name, *arguments), said))
            return self.machine(name)

        return noted

    def screenshot(self, name: str) -> bytes:
        self.machine(name)
        return b"\x89PNG picture"

    def guest(self, name: str) -> SimpleNamespace:
        self.machine(name)
        return SimpleNamespace(heartbeat="ok", addresses=["10.0.2.15"])

    def usage(self, name: str) -> SimpleNamespace:
        found = self.machine(name)
        runs = found.state == "running"
        sample = SimpleNamespace(
            cpu=12.4, memory=1 << 28, disk_read=4096.4, disk_written=0.0, net_received=None, net_sent=None
        )
        guest = self.guest(name) if runs else SimpleNamespace(heartbeat="", addresses=[])
        return SimpleNamespace(
            machine=name, state=found.state, memory=found.memory, guest=guest, samples=[sample] if runs else []
        )

    def usages(self) -> list[SimpleNamespace]:
        return [self.usage(v.name) for v in self.views.values() if v.state == "running"]

    def events(self, machine: str | None = None, *, patience: float = 0) -> Iterator[SimpleNamespace]:
        yield from (event for event in self.happenings if machine in (None, event.machine, event.machine_id))

    def doctor(self) -> list[SimpleNamespace]:
        return self.findings

    def capacity(self) -> SimpleNamespace:
        return self.room

    def _become(self, name: str, operation: str, state: str) -> SimpleNamespace:
        found = self.machine(name)
        check(operation, found.state, name)
        found.state = state
        return found
