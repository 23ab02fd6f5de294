# SPDX-License-Identifier: GPL-2.0-or-later
"""The events of a measured boot in words: what was measured, for people who do not know the specification.

Layouts: TCG PC Client Platform Firmware Profile 1.05 revision 23, sections 10.2 and 10.4; what GRUB, shim, systemd's
stub and Linux measure is named after their sources. Each text says what the event claims, which only the equality of
replayed and real PCRs makes true.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from uuid import UUID

from kiban.adapters.firmware import devicepath, signaturewords
from kiban.adapters.firmware.eventlog import Event
from kiban.adapters.firmware.loadoption import LoadOption
from kiban.errors import Damaged

PCR_MEANING = {
    0: "firmware code",
    1: "firmware settings and boot entries",
    2: "drivers of option ROMs",
    3: "settings of option ROMs",
    4: "boot loaders and kernels",
    5: "partition tables and the way to the operating system",
    6: "the manufacturer's own",
    7: "Secure Boot: state, keys and who vouched for what was loaded",
    8: "commands of the boot loader",
    9: "files that the boot loader read",
    10: "files that the operating system ran (IMA)",
    11: "unified kernel image",
    12: "kernel command line of a unified kernel image",
    13: "system extensions",
    14: "shim's own keys (MOK)",
    15: "the running system's identity",
}
"""TCG PC Client Platform Firmware Profile, section 3.3.4; 8 and up: the UAPI group's Linux TPM PCR registry."""

Names = Mapping[bytes, str]
"""Device paths and what the machine calls those devices."""

_MAX_TEXT = 600
_FIRMWARE_PROGRAMS = {  # EDK2: ShellPkg/Application/Shell and MdeModulePkg/Application/UiApp
    UUID("7c04a583-9e3e-4f1c-ad65-e05268d0b4d1"): "the firmware's own shell",
    UUID("462caa21-7614-4503-836e-8ab6f4662331"): "the firmware's own menu",
}
_KEYS = {"PK": "Platform key (PK)", "KEK": "Key exchange keys (KEK)", "db": "Allowed (db)", "dbx": "Forbidden (dbx)"}
_BOOT_ENTRY = re.compile(r"Boot[0-9A-F]{4}")
_VARIABLE = struct.Struct("<16sQQ")  # UEFI_VARIABLE_DATA: vendor, characters of the name, bytes of data
_IMAGE = struct.Struct("<QQQQ")  # UEFI_IMAGE_LOAD_EVENT: address, size, link address, size of the device path
_BLOB = struct.Struct("<QQ")
_GPT_HEADER = 92
_GPT_ENTRY = 128
_MAX_PARTITIONS = 128


def describe(event: Event, names: Names | None = None) -> str:
    """One line about an event; what it holds is the guest's own and may say anything.

    Args:
        names: device paths, without end node, and the names of those devices.
    """
    words = _WORDS.get(event.name)
    if words is None:
        return _some(_text(event.data)) or f"{len(event.data)} bytes"
    try:
        return words(event, names or {})[:_MAX_TEXT]
    except (Damaged, struct.error):
        return f"{len(event.data)} bytes that are not what such an event holds"


def _some(text: str) -> str:
    return text[:_MAX_TEXT] if text.isprintable() else ""


def _text(data: bytes) -> str:
    """Text as firmware, GRUB (UTF-8) and systemd (UTF-16) write it; empty where it is none."""
    if len(data) >= 2 and len(data) % 2 == 0 and data[1::2].count(0) >= len(data) // 4:
        return data.decode("utf-16-le", "replace").rstrip("\0")
    try:
        return data.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return ""


def _plain(prefix: str) -> Callable[[Event, Names], str]:
    def words(event: Event, names: Names) -> str:
        text = _some(_text(event.data))
        return f"{prefix}: {text}" if text else f"{prefix} ({len(event.data)} bytes)"

    return words


def _no_action(event: Event, names: Names) -> str:
    if event.data.startswith(b"StartupLocality\0") and len(event.data) == 17:
        return f"The TPM was started from locality {event.data[16]}"
    return f"A note that nothing was measured for ({len(event.data)} bytes)"


def _separator(event: Event, names: Names) -> str:
    (value,) = struct.unpack("<I", event.data)
    if value == 1:
        return "The firmware reports an error"
    return (
        "The firmware's settings of Secure Boot end here" if event.pcr == 7 else "What comes before the boot ends here"
    )


def _firmware(event: Event, names: Names) -> str:
    base, size = _BLOB.unpack_from(event.data)
    return f"Firmware code, {size >> 10} KiB at 0x{base:x}"


def _image(event: Event, names: Names) -> str:
    *_, size = _IMAGE.unpack_from(event.data)
    path = event.data[_IMAGE.size : _IMAGE.size + size]
    what = _firmware_program(path) or devicepath.describe(path, names) or "a program handed over in memory"
    kind = {3: "Loaded", 4: "Loaded as a driver", 5: "Loaded as a runtime driver"}[event.type & 0xF]
    bank = "sha256" if "sha256" in event.digests else next(iter(event.digests))
    return f"{kind}: {what}; Authenticode {bank} {event.digests[bank].hex()}"


def _firmware_program(path: bytes) -> str:
    for guid, name in _FIRMWARE_PROGRAMS.items():
        if guid.bytes_le in path:
            return name
    return ""


def _variable(data: bytes) -> tuple[str, bytes]:
    _, characters, size = _VARIABLE.unpack_from(data)
    end = _VARIABLE.size + 2 * characters
    if end + size > len(data):
        raise Damaged("A measured variable is cut short.")
    return data[_VARIABLE.size : end].decode("utf-16-le", "replace"), data[end : end + size]


def _setting(event: Event, names: Names) -> str:
    name, value = _variable(event.data)
    if name == "SecureBoot":
        return "Secure Boot is on" if value == b"\1" else "Secure Boot is off"
    if name in _KEYS:
        return f"{_KEYS[name]}: {signaturewords.database(value)}"
    return f"Variable {name}: {len(value)} bytes"


def _boot_variable(event: Event, names: Names) -> str:
    name, value = _variable(event.data)
    if name == "BootOrder":
        order = [f"{number:04X}" for (number,) in struct.iter_unpack("<H", value)]
        return f"Boot order: {', '.join(order)}"
    if _BOOT_ENTRY.fullmatch(name):
        option = LoadOption.parse(value)
        return f"Boot entry {name[4:]}: {option.description}: {devicepath.describe(option.path, names)}"
    return f"Variable {name}: {len(value)} bytes"


def _authority(event: Event, names: Names) -> str:
    name, value = _variable(event.data)
    if name == "SbatLevel":
        return f"Revocation levels of shim (SBAT): {' '.join(_text(value).split())}"
    if name in ("MokSBState", "MokDBState", "MokIgnoreDB"):
        return f"shim's setting {name}: {value.hex()}"
    return f"The next program was vouched for by {signaturewords.entry(value)} ({name})"


def _partitions(event: Event, names: Names) -> str:
    (count,) = struct.unpack_from("<Q", event.data, _GPT_HEADER)
    start = _GPT_HEADER + 8
    if count > _MAX_PARTITIONS or start + count * _GPT_ENTRY > len(event.data):
        raise Damaged("A measured partition table is cut short.")
    labels = []
    for n in range(count):
        at = start + n * _GPT_ENTRY
        labels.append(event.data[at + 56 : at + _GPT_ENTRY].decode("utf-16-le", "replace").split("\0", 1)[0] or "-")
    disk = UUID(bytes_le=event.data[56:72])
    return f"Partition table of disk {disk}: {', '.join(labels) or 'no partition'}"


def _ipl(event: Event, names: Names) -> str:
    text = _text(event.data)
    for prefix, words in (("grub_cmd: ", "GRUB ran: "), ("kernel_cmdline: ", "Kernel command line: ")):
        if text.startswith(prefix):
            return _some(words + text.removeprefix(prefix))
    about = {
        9: "GRUB read: ",
        11: "Part of the unified kernel image: ",
        12: "Kernel command line: ",
        14: "shim's list: ",
    }
    return _some(about.get(event.pcr, "") + text) or f"{len(event.data)} bytes of a boot loader"


def _tag(event: Event, names: Names) -> str:
    number, size = struct.unpack_from("<II", event.data)  # TCG_PCClientTaggedEvent
    text = _some(_text(event.data[8 : 8 + size]))
    return f"The operating system's loader: {text or f'tag 0x{number:x}'}"


_WORDS: dict[str, Callable[[Event, Names], str]] = {
    "EV_NO_ACTION": _no_action,
    "EV_SEPARATOR": _separator,
    "EV_ACTION": _plain("Action"),
    "EV_EFI_ACTION": _plain("Action"),
    "EV_POST_CODE": _plain("Firmware code"),
    "EV_EVENT_TAG": _tag,
    "EV_S_CRTM_VERSION": _plain("Firmware version"),
    "EV_IPL": _ipl,
    "EV_EFI_VARIABLE_DRIVER_CONFIG": _setting,
    "EV_EFI_VARIABLE_BOOT": _boot_variable,
    "EV_EFI_VARIABLE_BOOT2": _boot_variable,
    "EV_EFI_VARIABLE_AUTHORITY": _authority,
    "EV_EFI_BOOT_SERVICES_APPLICATION": _image,
    "EV_EFI_BOOT_SERVICES_DRIVER": _image,
    "EV_EFI_RUNTIME_SERVICES_DRIVER": _image,
    "EV_EFI_PLATFORM_FIRMWARE_BLOB": _firmware,
    "EV_EFI_GPT_EVENT": _partitions,
    "EV_EFI_GPT_EVENT2": _partitions,
}
