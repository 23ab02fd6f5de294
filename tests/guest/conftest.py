# SPDX-License-Identifier: GPL-2.0-or-later
"""One service for all tests with real guests, and one machine of each generation that most of them look at.

A boot under emulation takes long, so `guest` hands the same machine on from test to test and boots it only when the
test before left it off. pytest runs all tests of generation 1 first; so no two of these machines run together.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig import MIB, Guest, MakeGuest, Service, serving

from kiban.demo import guest_image
from kiban.model.machine import DiskFormat
from kiban.model.requests import DiskRequest

sys.path.append(str(Path(__file__).parents[1] / "unit"))  # makers of media and programs, which the matrix boots
sys.path.append(str(Path(__file__).parents[1] / "web"))  # a browser

# a shell that runs this in its background has told it to ignore Ctrl-C, which the commands here would inherit
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root() -> Iterator[Path]:
    """A folder with a short name, for sockets, that QEMU's user may pass through."""
    folder = Path(tempfile.mkdtemp(prefix="kg-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def probe(root: Path) -> Path:
    """The probe guest's folder, with its disk in three formats; readable by the user QEMU runs as."""
    made = guest_image.ensure("probe")
    folder = root / "probe"
    shutil.copytree(made, folder)
    guest_image.to_vhdx(folder / "probe.raw", folder / "probe.vhdx")
    convert = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "probe.raw", "probe.qcow2"]
    subprocess.run(convert, check=True, cwd=folder)
    return folder


@pytest.fixture(scope="session")
def service(root: Path) -> Iterator[Service]:
    """The service; whatever a failed test left running is turned off at the end."""
    with serving(root) as service:
        yield service


@pytest.fixture
def make(service: Service) -> Iterator[MakeGuest]:
    """Makes machines that are gone after the test. Sizes in bytes, settings as in MachineRequest."""
    made: list[Guest] = []

    def create(name: str, generation: int, **settings: Any) -> Guest:
        service.client.create(name, generation=generation, memory=512 * MIB, **settings)
        made.append(Guest(service.client, name))
        return made[-1]

    yield create
    for guest in made:
        guest.off()
        guest.client.remove(guest.name)


@pytest.fixture(scope="session", params=[1, 2], ids=["generation1", "generation2"])
def machine(request: pytest.FixtureRequest, service: Service, probe: Path) -> Iterator[Guest]:
    """The machine of a generation, in whatever state: a VHDX and a qcow2 disk, an empty DVD drive, a TPM if it may."""
    generation: int = request.param
    formats: tuple[DiskFormat, DiskFormat] = ("vhdx", "qcow2") if generation == 1 else ("qcow2", "vhdx")
    boot, data = formats
    guest = Guest(service.client, f"gen{generation}")
    service.client.create(
        guest.name,
        generation=generation,
        cpus=2,
        memory=512 * MIB,
        disks=[
            DiskRequest(path=str(probe / f"probe.{boot}"), format=boot, copy=True),
            DiskRequest(size=64 * MIB, format=data, bus="scsi"),
        ],
        dvds=[""],
        boot=["disk", "dvd"],
        tpm=generation == 2,
    )
    yield guest
    guest.off()
    service.client.remove(guest.name)


@pytest.fixture
def guest(machine: Guest) -> Guest:
    """The same machine with its guest up."""
    machine.up()
    return machine
