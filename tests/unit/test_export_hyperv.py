# SPDX-License-Identifier: GPL-2.0-or-later
"""The PowerShell lines that make a machine on Hyper-V: what they say, and that nobody's words become commands."""

from __future__ import annotations

import re
from dataclasses import replace

import machines
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiban.model import export_hyperv
from kiban.model.export import Portrait
from kiban.model.machine import Forward, Machine
from kiban.model.requests import ComRequest, DiskRequest, DvdRequest, NicRequest

MIB = 1 << 20
QUOTES = "'\u2018\u2019\u201a\u201b"
LITERAL = re.compile(rf"[{QUOTES}]((?:[^{QUOTES}]|[{QUOTES}]{{2}})*)[{QUOTES}]")
"""A literal as PowerShell reads it: any of these quotes ends it, unless another one follows."""
TEMPLATE = "272e7447-90a4-4563-a4b9-8e4ab00526ce"


def literals(script: str) -> list[str]:
    return [re.sub(rf"([{QUOTES}])[{QUOTES}]", r"\1", found) for found in LITERAL.findall(script)]


def code(script: str) -> str:
    """What is left when the literals are taken out: what PowerShell may take for commands."""
    return LITERAL.sub("''", script)


def generation1() -> Machine:
    return machines.make(
        1,
        name="old",
        memory=16 * MIB,
        cpus=2,
        disks=(DiskRequest(size=8 * MIB, format="raw"), DiskRequest(size=8 * MIB, format="vhdx", bus="scsi", slot=130)),
        dvds=(DvdRequest(),),
        nics=(
            NicRequest(kind="legacy", mac="00:15:5d:01:07:dc"),
            NicRequest(kind="synthetic", network="none"),
        ),
        coms=(ComRequest(number=1, kind="socket"),),
        boot=("nic", "disk", "dvd", "floppy"),
        autostart=True,
    )


def generation2() -> Machine:
    return machines.make(
        2,
        name="web",
        memory=513 * MIB,
        disks=(
            DiskRequest(size=8 * MIB, format="qcow2", bus="nvme"),
            DiskRequest(size=8 * MIB, format="qcow2", bus="scsi", slot=0),
        ),
        dvds=(DvdRequest(bus="usb"),),
        nics=(NicRequest(forwards=(Forward(protocol="tcp", host_address="", host_port=8080, guest_port=80),)),),
        tpm=True,
    )


def lines(portrait: Portrait) -> list[str]:
    return [line.strip() for line in export_hyperv.script(portrait).splitlines()]


def test_generation_1() -> None:
    machine = generation1()
    said = lines(Portrait(machine=machine))
    path = "(Join-Path $PSScriptRoot 'disk{}.vhdx')"
    wanted = [
        "$name = 'old'",
        f"$vm = New-VM -Name $name -Generation 1 -MemoryStartupBytes {32 * MIB} -NoVHD",
        "Set-VMProcessor -VM $vm -Count 2",
        "Set-VMMemory -VM $vm -DynamicMemoryEnabled $false",
        "Set-VM -VM $vm -AutomaticStartAction Start -Notes ''",
        "while (@(Get-VMScsiController -VM $vm).Count -lt 3) { Add-VMScsiController -VM $vm }",
        "$disk0 = Add-VMHardDiskDrive -VM $vm -ControllerType IDE -ControllerNumber 0 -ControllerLocation 0"
        f" -Path {path.format(0)} -Passthru",
        "$disk1 = Add-VMHardDiskDrive -VM $vm -ControllerType SCSI -ControllerNumber 2 -ControllerLocation 2"
        f" -Path {path.format(1)} -Passthru",
        f"$dvd0 = Add-VMDvdDrive -VM $vm -ControllerNumber {machine.dvds[0].slot // 2}"
        f" -ControllerLocation {machine.dvds[0].slot % 2} -Passthru",
        "$nic0 = Add-VMNetworkAdapter -VM $vm -Name 'nic0' -IsLegacy $true -StaticMacAddress '00155D0107DC' @connect"
        " -Passthru",
        "$nic1 = Add-VMNetworkAdapter -VM $vm -Name 'nic1' -IsLegacy $false"
        f" -StaticMacAddress '{machine.nics[1].mac.replace(':', '').upper()}' -Passthru",
        "Set-VMComPort -VM $vm -Number 1 -Path '\\\\.\\pipe\\old-com1'",
        "Set-VMBios -VM $vm -StartupOrder @('LegacyNetworkAdapter', 'IDE', 'CD', 'Floppy')",
        "Remove-VM -VM $vm -Force",
    ]
    assert [line for line in said if line in wanted] == wanted
    assert not [line for line in said if "Firmware" in line or "TPM" in line]
    [memory] = export_hyperv.left_out(Portrait(machine=machine))
    assert "32 MiB" in memory


def test_generation_2() -> None:
    portrait = Portrait(
        machine=generation2(), secure_boot=True, template_id=TEMPLATE, order=("dvd0", "disk0", "disk1", "nic0")
    )
    said = lines(portrait)
    wanted = [
        f"$vm = New-VM -Name $name -Generation 2 -MemoryStartupBytes {514 * MIB} -NoVHD",
        "$disk0 = Add-VMHardDiskDrive -VM $vm -ControllerType SCSI -ControllerNumber 0 -ControllerLocation 1"
        " -Path (Join-Path $PSScriptRoot 'disk0.vhdx') -Passthru",
        "$disk1 = Add-VMHardDiskDrive -VM $vm -ControllerType SCSI -ControllerNumber 0 -ControllerLocation 0"
        " -Path (Join-Path $PSScriptRoot 'disk1.vhdx') -Passthru",
        "$dvd0 = Add-VMDvdDrive -VM $vm -ControllerNumber 0 -ControllerLocation 2 -Passthru",
        f"Set-VMFirmware -VM $vm -EnableSecureBoot On -SecureBootTemplateId '{TEMPLATE}'",
        "Set-VMFirmware -VM $vm -PreferredNetworkBootProtocol IPv4 -PauseAfterBootFailure Off",
        "Set-VMFirmware -VM $vm -BootOrder $dvd0, $disk0, $disk1, $nic0",
        "Set-VMKeyProtector -VM $vm -NewLocalKeyProtector",
        "Enable-VMTPM -VM $vm",
    ]
    assert [line for line in said if line in wanted] == wanted
    left = export_hyperv.left_out(portrait)
    assert [word for word in ("NVMe", "USB", "8080", "514 MiB", "TPM") if not any(word in s for s in left)] == []
    readme = export_hyperv.readme(portrait, left)
    assert all(sentence in readme for sentence in left)
    assert "Secure Boot on" in readme


def test_keys_of_ones_own_are_said_and_switch_secure_boot_off() -> None:
    portrait = Portrait(machine=generation2(), secure_boot=True)
    assert "Set-VMFirmware -VM $vm -EnableSecureBoot Off" in lines(portrait)
    assert any("keys of one's own" in sentence for sentence in export_hyperv.left_out(portrait))


@pytest.mark.parametrize("quote", QUOTES)
def test_no_word_of_anybody_becomes_a_command(quote: str) -> None:
    notes = f"it{quote}s\n{quote}; Remove-Item C:\\ -Recurse #\n$(calc) `n \" @' '@ {quote}{quote}"
    script = export_hyperv.script(Portrait(machine=replace(generation2(), notes=notes)))
    assert notes in literals(script)
    assert "Remove-Item" not in code(script)
    assert "calc" not in code(script)


@given(st.text(st.sampled_from(QUOTES + '"`$();#@{}|&<>\\\n\r\t ab\x85\u2028\u201c\ufeff'), max_size=40))
def test_any_text_is_one_literal(text: str) -> None:
    assert LITERAL.fullmatch(export_hyperv.quoted(text))
    assert literals(export_hyperv.quoted(text)) == [text]


@pytest.mark.parametrize("machine", [generation1(), generation2()])
def test_brackets_close_and_every_variable_was_set(machine: Machine) -> None:
    script = code(export_hyperv.script(Portrait(machine=machine, order=tuple(machine.device_ids()))))
    for one, other in ("()", "{}"):
        assert script.count(one) == script.count(other)
    assigned = {"$PSScriptRoot", "$true", "$false", "$SwitchName", *re.findall(r"^ *(\$\w+) = ", script, re.MULTILINE)}
    assert set(re.findall(r"\$\w+", script)) <= assigned | {"$connect", "$ErrorActionPreference"}
