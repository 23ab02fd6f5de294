# SPDX-License-Identifier: GPL-2.0-or-later
"""A Hyper-V configuration, of either form, as a neutral description.

The settings' names are those of real configurations (docs/design/import.md says which). Memory is in MiB there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from kiban.adapters.foreign import hyperv_devices, names
from kiban.adapters.foreign.blob import damaged
from kiban.adapters.foreign.names import shown
from kiban.adapters.foreign.settings import Setting
from kiban.errors import BadInput
from kiban.model.foreign import ForeignBootClass, ForeignMachine, ForeignMemory

MIB = 1 << 20
SAVED_MEMORY = "The saved memory: the guest starts as after a power cut."
_BLOCKS = {"manifest", "properties", "settings", "global_settings"}
_BOOT: dict[str, ForeignBootClass] = {"optical": "dvd", "harddrive": "disk", "network": "nic", "floppy": "floppy"}


def describe(tree: Setting, origin: Literal["vmcx", "xml"], file: str) -> ForeignMachine:
    """Describe the machine of a tree of settings; `file` is its name for errors.

    Paths of disks are not looked up, and checkpoints are files of their own: `kiban.adapters.foreign.folder`.

    Raises:
        BadInput: it is not the configuration of a machine.
    """
    configuration = tree.at("configuration")
    if configuration is None or configuration.at("properties") is None:
        raise damaged(file, "it holds no configuration of a machine")
    left: list[str] = []
    generation = _generation(configuration, file)
    devices = hyperv_devices.devices(configuration, file)
    firmware = next((d.settings for d in devices if d.kind == names.FIRMWARE), None) or _block(configuration)
    drives = hyperv_devices.drives(devices, left, file)
    secure_boot = firmware.flag("secure_boot_enabled") if generation == 2 else None
    version = configuration.number("properties/version") or 0
    machine = ForeignMachine(
        origin=origin,
        name=configuration.text("properties/name"),
        id=names.guid(configuration.text("properties/global_id")),
        version=f"{version >> 8}.{version & 255}",
        created=names.filetime(configuration.raw("properties/creation_time")),
        generation=generation,
        firmware="uefi" if generation == 2 else "bios",
        secure_boot=secure_boot,
        template_id=_template(firmware, origin) if secure_boot else "",
        tpm=hyperv_devices.has_tpm(devices),
        pause_after_boot_failure=firmware.flag("pause_after_boot_failure") if generation == 2 else None,
        pxe_protocol=_pxe(firmware) if generation == 2 else None,
        cpus=configuration.number("settings/processors/count"),
        memory=_memory(configuration, left),
        disks=drives.disks,
        dvds=drives.dvds,
        floppy=drives.floppy,
        nics=hyperv_devices.nics(devices, left),
        coms=hyperv_devices.coms(devices),
        boot=_boot(firmware) if generation == 1 else (),
        autostart=_autostart(configuration, left),
        notes=configuration.text("properties/notes"),
        integration_services=hyperv_devices.services(devices),
        checkpoints=(),
        current_checkpoint="",
        left_out=(),
    )
    hyperv_devices.unknown(devices, left)
    _firmware_left(firmware, machine, left)
    _settings_left(configuration, left)
    return replace(machine, left_out=tuple(left))


def _block(configuration: Setting) -> Setting:
    return configuration.at(f"_{names.FIRMWARE}_") or Setting("")


def _generation(configuration: Setting, file: str) -> Literal[1, 2]:
    """Before Windows Server 2012 R2 there was one generation only, and nothing said which."""
    subtype = configuration.number("properties/subtype")
    if subtype in (None, 0):
        return 1
    if subtype == 1:
        return 2
    raise BadInput(
        f"{file} is of a machine of neither generation 1 nor 2 (subtype {subtype}).",
        "Take over its disks: kiban import DISK",
        code="unknown-generation",
    )


def _template(firmware: Setting, origin: str) -> str:
    written = names.guid(firmware.text("secure_boot_template_id"))
    return written or (names.WINDOWS_TEMPLATE if origin == "xml" else "")


def _pxe(firmware: Setting) -> Literal["ipv4", "ipv6"] | None:
    protocols: dict[int | None, Literal["ipv4", "ipv6"]] = {4: "ipv4", 6: "ipv6"}
    return protocols.get(firmware.number("pxe_preferred_protocol"))


def _memory(configuration: Setting, left: list[str]) -> ForeignMemory | None:
    bank = configuration.at("settings/memory/bank")
    size = bank.number("size") if bank else None
    if bank is None or not size or size < 0:
        return None
    if not bank.flag("dynamic_memory_enabled"):
        return ForeignMemory(startup=size * MIB, minimum=None, maximum=None)
    buffer = bank.number("target_memory_buffer")
    if buffer is not None:
        left.append(f"The buffer of {buffer} % that dynamic memory kept.")
    low, high = bank.number("reservation") or size, bank.number("limit") or size
    return ForeignMemory(startup=size * MIB, minimum=low * MIB, maximum=high * MIB)


def _boot(firmware: Setting) -> tuple[ForeignBootClass, ...]:
    """Generation 1's order of classes, from `boot/device0` on."""
    order: list[ForeignBootClass] = []
    for number in range(4):
        found = _BOOT.get(firmware.text(f"boot/device{number}").lower())
        if found and found not in order:
            order.append(found)
    return tuple(order)


def _autostart(configuration: Setting, left: list[str]) -> bool | None:
    action = configuration.number("global_settings/power/host_startup/action")
    if action == 1:
        left.append("Starting with the host when it ran before; with Kiban a machine starts with the host or does not.")
    return None if action is None else action == 2


def _firmware_left(firmware: Setting, machine: ForeignMachine, left: list[str]) -> None:
    guid, serial = names.guid(firmware.text("bios_guid")), firmware.text("bios_serial_number")
    if guid or serial:
        left.append(
            f"The BIOS GUID {guid or '(none)'} and serial number {shown(serial) or '(none)'}: the guest sees others."
        )
    if firmware.flag("num_lock"):
        left.append("NumLock being on when the machine starts.")
    if machine.generation == 2:
        left.append("The boot order and the other variables of the firmware: Hyper-V keeps them in a file of its own.")
    if machine.tpm:
        left.append("What is in the TPM: have the recovery keys of disks ready that the guest encrypted with it.")


def _settings_left(configuration: Setting, left: list[str]) -> None:
    cpus = configuration.at("settings/processors") or Setting("")
    if (
        cpus.number("reservation")
        or cpus.number("limit") not in (None, 100_000)
        or cpus.number("weight") not in (None, 100)
    ):
        left.append("The reservation, limit or weight of the processors.")
    said = (
        ("settings/processors/nested_virtualization/enabled", "Nested virtualization."),
        ("settings/processors/limit_cpuid", "Processor compatibility with older systems."),
        ("settings/processors/features/limit", "Processor compatibility for migration."),
        ("settings/memory/sgx/enabled", "SGX memory."),
        (
            "global_settings/disk_merge_pending",
            "A merge of disks that Hyper-V had not finished: the chain may be longer.",
        ),
    )
    left.extend(sentence for path, sentence in said if configuration.flag(path))
    for block in configuration.children:
        if block.name == "savedstate" and block.children:
            left.append(SAVED_MEMORY)
        elif block.children and block.name not in _BLOCKS and not block.name.startswith("_"):
            left.append(f"The settings below {shown(block.name)}.")
