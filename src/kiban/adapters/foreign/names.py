# SPDX-License-Identifier: GPL-2.0-or-later
"""What names in descriptions mean: kinds of image by extension, Hyper-V's virtual devices, MAC addresses, times.

The device ids are those of real configurations, each beside the name that the configuration itself gives it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import PureWindowsPath

from kiban.model.foreign import ImageKind

IDE = "83f8638b-8dca-4152-9eda-2ca8b33039b4"
SCSI = "d422512d-2bf2-4752-809d-7b82b5fcb1b4"
ETHERNET = "2fc216b0-d2e2-4967-9b6d-b8a5c9ca2778"
FIRMWARE = "ac6b8dc1-3257-4a70-b1b2-a9c9215659ad"  # "Microsoft Virtual BIOS", on both generations
SERIAL = "8e3a359f-559a-4b6a-98a9-1690a6100ed7"
FLOPPY = "8f0d2762-0b00-4e04-af4f-19010527cb93"
TPM = "736e6aa9-a3f8-49c0-9550-a963214d259a"
WINDOWS_TEMPLATE = "1734c6e8-3154-4dda-ba5f-a874cc483422"  # the only one there was before templates could be chosen

SERVICES = {
    "6c09bb55-d683-4da0-8931-c9bf705f6480": "Guest Service Interface",
    "84eaae65-2f2e-45f5-9bb5-0e857dc8eb47": "Heartbeat",
    "2a34b1c2-fd73-4043-8a5b-dd2159bc743f": "Key-Value Pair Exchange",
    "9f8233ac-be49-4c79-8ee3-e7e1985b2077": "Shutdown",
    "2497f4de-e9fa-4204-80e4-4b75c46419c0": "Time Synchronization",
    "5ced1297-4598-4915-a5fc-ad21bb4d02a4": "VSS",
}

_BOARD = {  # what each machine of a generation has, or what only Hyper-V's own connection to the guest needs
    "d41a1872-3740-41ce-a1ee-4522ab82f991": "Microsoft VmBus",
    "9edd1639-9bca-40dc-b3a2-07c828da60b5": "Microsoft Emulated PIC",
    "72682fc4-040a-430a-be0b-224574b953fe": "Microsoft Emulated IoAPIC",
    "84535fad-4d98-4a6a-bdcd-21d5720dc430": "Microsoft Emulated PCI Bus",
    "4d42d9f7-6531-4f6c-9e46-1f0477876104": "Microsoft Emulated ISA Bus",
    "db8b9818-b4bb-4725-b99d-b4612716b6b4": "Microsoft Emulated Power Management Device",
    "e51b7ef6-4a7f-4780-aaae-d4b291aacd2e": "Microsoft Emulated Real Time Clock",
    "de6cdc86-e1fb-4940-801b-c3c1a26c4da4": "Microsoft Input Management Device",
    "9cb98db1-4d09-4538-a192-2d3d8c0b6cdb": "Microsoft Rdp Encoder",
    "ba8735ef-e3a9-4f1b-badd-dbf3a5909915": "Microsoft Video Monitor",
    "e3c82929-edb4-475e-85a4-29aaa2a30c2d": "Microsoft Dynamic Memory Controller",
    "4d46d139-7821-4dc4-98a3-01e98a586a44": "Microsoft Emulated Speaker Device",
    "35b0b12f-a0d7-482f-80a0-f52f1ab3da2e": "Microsoft Emulated SuperIo Device",
    "a28e4d02-3323-4148-9569-565930a5cb39": "Microsoft Emulated PIT",
    "655bc5c5-a784-46b7-81bc-e26328f7eb0e": "Microsoft Emulated I8042 Controller",
    "87045ce9-5323-438f-93bb-1e83dcbce18e": "Microsoft Emulated DMA Controller",
    "7d80d3db-61ee-4879-8879-5609f1100ad0": "Microsoft Emulated Video S3",
    "deaeeed3-4119-4b44-95cf-a73604b76971": "Microsoft Synthetic Debug Device",
    "9ed5fd4b-40c3-4de3-8597-98ecd17035da": "Microsoft Synthetic Rdp Device",
    "917bd8cb-3bb6-4124-9383-b7d21ac07f79": "Microsoft Guest Runtime State",
    "58f75a6d-d949-4320-99e1-a2a2576d581c": "Microsoft Synthetic Mouse",
    "197f74e3-b84b-46de-8ae6-82f1cd181cdc": "Microsoft Synthetic Keyboard",
    "f3cf6965-e8d3-44a9-9b7d-a04245ea7525": "Microsoft Synthetic Video",
    "bc12c717-8898-4688-8ee4-2cd14894f8ea": "Microsoft Hyper-V Activation Component",
    "6c5addb9-a11a-4e8e-84cb-e6208201db63": "Microsoft RDV Component",
}
SILENT = frozenset((*_BOARD, *SERVICES, IDE, SCSI, ETHERNET, FIRMWARE, SERIAL, FLOPPY, TPM))

_IMAGES: dict[str, ImageKind] = {
    ".vhdx": "vhdx",
    ".avhdx": "vhdx",
    ".vhd": "vhd",
    ".avhd": "vhd",
    ".qcow2": "qcow2",
    ".raw": "raw",
    ".img": "raw",
    ".vmdk": "vmdk",
    ".vdi": "vdi",
}
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_GUID = re.compile(r"\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?", re.IGNORECASE)


def image_kind(path: str) -> ImageKind:
    """The kind of image that a path ends in, "unknown" for any other."""
    return _IMAGES.get(PureWindowsPath(path).suffix.lower(), "unknown")


def file_name(path: str) -> str:
    """The last part of a path of Windows or Unix; "" when it has none that could name a file."""
    name = re.split(r"[/\\]", path)[-1]
    return "" if name in (".", "..") or "\0" in name else name


def guid(text: str) -> str:
    """A GUID in lower case without braces; "" when the text is none, or when it is all zeros."""
    found = _GUID.fullmatch(text.strip())
    plain = found[1].lower() if found else ""
    return "" if not plain.strip("0-") else plain


def mac(text: str) -> str:
    """A MAC address in lower case with colons; "" when the text is none, or when it is all zeros."""
    digits = re.sub(r"[-:. ]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{12}", digits) or not digits.strip("0"):
        return ""
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def filetime(data: bytes | None) -> str:
    """A Windows FILETIME, 8 bytes of 100 ns since 1601, as ISO 8601 in UTC; "" when it is none of this age."""
    if data is None or len(data) != 8:
        return ""
    ticks = int.from_bytes(data, "little")
    try:
        moment = _EPOCH + timedelta(microseconds=ticks // 10)
    except OverflowError:
        return ""
    return moment.isoformat(timespec="seconds") if 1990 <= moment.year <= 2200 else ""


def shown(text: str, limit: int = 120) -> str:
    """Text of a stranger's for a sentence: one line, printable, of bounded length."""
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
