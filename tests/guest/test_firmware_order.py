# SPDX-License-Identifier: GPL-2.0-or-later
"""The real firmware, under bare QEMU: it boots what the boot order says, keeps it, and takes the TPM along.

Which device was booted is read from QEMU's own block statistics: a kernel is megabytes, a look at a partition table is
not. Units are spread over SCSI targets with gaps on purpose: OVMF's own scan would miss them.
"""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kiban.adapters.firmware import templates, tpm, varstore
from kiban.adapters.firmware.bootorder import BootDevice, read_order, write_order
from kiban.adapters.firmware.descriptors import FirmwareBuild, find_uefi
from kiban.demo import guest_image
from kiban.errors import HostLacks

WAIT = 300  # seconds; a limit, not an expectation
BOOTED = 6 << 20  # bytes read of a medium once its kernel is loaded; firmware and boot loader read far less
MACHINE = "pc-q35-7.2"
PORT = (2, 0)

EMPTY = BootDevice(id="empty", kind="disk", port=PORT, target=0)
DVD = BootDevice(id="dvd", kind="dvd", port=PORT, target=3)
DISK = BootDevice(id="disk", kind="disk", port=PORT, target=5, lun=2)


class Qemu:
    """One QEMU on a QMP socket, ended with the test."""

    def __init__(self, folder: Path, arguments: Sequence[str]) -> None:
        path = folder / "qmp"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen(1)
            server.settimeout(WAIT)
            qmp = ["-chardev", f"socket,id=qmp,path={path}", "-mon", "chardev=qmp,mode=control"]
            self.process = subprocess.Popen(["qemu-system-x86_64", *arguments, *qmp])
            self.link, _ = server.accept()
        self.link.settimeout(WAIT)
        self.file = self.link.makefile("rw", encoding="utf-8")
        self.file.readline()
        self.ask("qmp_capabilities")

    def ask(self, command: str) -> Any:
        self.file.write(json.dumps({"execute": command}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "event" not in answer:
                return answer["return"]

    def read_bytes(self) -> dict[str, int]:
        """Bytes read so far, by device id."""
        return {block["qdev"].split("/")[-1]: block["stats"]["rd_bytes"] for block in self.ask("query-blockstats")}

    def first_booted(self) -> str:
        """The device that a whole kernel has been read of."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            for device, count in self.read_bytes().items():
                if count > BOOTED:
                    return device
            time.sleep(0.5)
        return f"none: {self.read_bytes()}"

    def quit(self) -> None:
        if self.process.poll() is None:
            self.ask("quit")
            self.process.wait(WAIT)
        self.link.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.link.close()


@pytest.fixture(scope="module")
def build() -> FirmwareBuild:
    try:
        return find_uefi(MACHINE, secure_boot=True)
    except HostLacks as error:
        pytest.skip(str(error))


@pytest.fixture
def store(build: FirmwareBuild, tmp_path: Path) -> Path:
    varstore.create_store(build.vars_template, tmp_path / "nvram", templates.keys_of(templates.DEFAULT))
    return tmp_path / "nvram"


def board(build: FirmwareBuild, store: Path) -> Iterator[str]:
    yield from ("-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg", "-m", "512")
    yield from ("-machine", f"{MACHINE},smm=on,sata=off,i8042=off,vmport=off,hpet=off,pflash0=code,pflash1=vars")
    yield from ("-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1")
    yield from ("-blockdev", f"driver=file,node-name=code,filename={build.code},read-only=on")
    yield from ("-blockdev", f"driver=file,node-name=vars,filename={store}")
    yield from ("-device", "bochs-display,addr=01.0")


def drives(tmp_path: Path) -> Iterator[str]:
    probe = guest_image.ensure("probe")
    with (tmp_path / "empty.raw").open("wb") as file:
        file.truncate(1 << 20)
    yield from ("-device", "pcie-root-port,id=port-scsi,bus=pcie.0,addr=02.0,chassis=1")
    yield from ("-device", "virtio-scsi-pci,id=scsi,bus=port-scsi")
    media = ((EMPTY, "scsi-hd", tmp_path / "empty.raw"), (DVD, "scsi-cd", probe / "probe.iso"))
    for device, driver, file_ in (*media, (DISK, "scsi-hd", shutil.copy(probe / "probe.raw", tmp_path))):
        yield from ("-blockdev", f"driver=raw,node-name={device.id}-node,file.driver=file,file.filename={file_}")
        yield "-device"
        yield f"{driver},id={device.id},drive={device.id}-node,bus=scsi.0,scsi-id={device.target},lun={device.lun}"


def boot(tmp_path: Path, arguments: Sequence[str]) -> str:
    qemu = Qemu(tmp_path, arguments)
    try:
        booted = qemu.first_booted()
        qemu.quit()
    finally:
        qemu.kill()
    return booted


def test_the_firmware_boots_and_keeps_the_order(build: FirmwareBuild, store: Path, tmp_path: Path) -> None:
    arguments = [*board(build, store), *drives(tmp_path)]
    devices = [EMPTY, DVD, DISK]
    write_order(store, devices)
    assert boot(tmp_path, arguments) == "dvd"
    seen = [entry.device for entry in read_order(store, devices)]
    assert [device for device in seen if device] == ["empty", "dvd", "disk"]
    write_order(store, [DISK, DVD])
    assert boot(tmp_path, arguments) == "disk"
    assert [entry.device for entry in read_order(store, devices)][:2] == ["disk", "dvd"]
    assert boot(tmp_path, arguments) == "disk"  # nor does a second start lose it
    assert varstore.describe_store(store).secure_boot


def test_the_tpm_is_qemus_and_ends_with_it(build: FirmwareBuild, store: Path, tmp_path: Path) -> None:
    if shutil.which("swtpm") is None:
        pytest.skip("swtpm is not installed")
    tpm.create_tpm(tmp_path / "tpm")
    process = tpm.start_swtpm(tmp_path / "tpm", tmp_path / "tpm.sock", tmp_path / "tpm.log")
    chip = ["-chardev", f"socket,id=tpm,path={tmp_path / 'tpm.sock'}", "-tpmdev", "emulator,id=tpm0,chardev=tpm"]
    qemu = Qemu(tmp_path, [*board(build, store), *chip, "-device", "tpm-crb,tpmdev=tpm0"])
    try:
        assert qemu.ask("query-tpm")[0]["model"] == "tpm-crb"
        qemu.quit()
        assert process.wait(WAIT) == 0
    finally:
        qemu.kill()
        process.kill()
