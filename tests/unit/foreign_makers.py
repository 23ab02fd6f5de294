# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes descriptions of machines as other programs do: .vmcx, XML of 2012 R2, OVF and OVA. For the tests of importing.

The .vmcx encoder is written after Microsoft's "HyperV Storage File Format", apart from the reader.
"""

from __future__ import annotations

import base64
import io
import struct
import tarfile
import zlib
from typing import Any
from xml.sax.saxutils import escape

PAGE = 4096
LOG_AT, LOG_SIZE = 3 * PAGE, 8 * PAGE
TABLES_AT = LOG_AT + LOG_SIZE
GEN2_ID = "11111111-2222-3333-4444-555555555555"
UEFI_CA = "272e7447-90a4-4563-a4b9-8e4ab00526ce"


def sealed(data: bytes, at: int) -> bytes:
    """The same with its CRC-32 written at `at`."""
    plain = data[:at] + bytes(4) + data[at + 4 :]
    return plain[:at] + struct.pack("<I", zlib.crc32(plain)) + plain[at + 4 :]


class Vmcx:
    """Builds a .vmcx; a value that is a list of pairs is a node, an int of a bool is a bool."""

    def __init__(self, tree: Any) -> None:
        self.tables: list[bytearray] = []
        self.blobs: list[bytes] = []
        self.sequence = (7, 6)
        self.log: list[tuple[int, bytes]] = []
        self._new_table()
        for order, (name, value) in enumerate(pairs(tree), 1):
            self._add(name, value, (0, 0), order)

    def _new_table(self) -> None:
        header = struct.pack("<HHHI", 2, len(self.tables) + 1, 1, 0)
        self.tables.append(bytearray(sealed(header, 6)))

    def _add(self, name: str, value: Any, parent: tuple[int, int], order: int) -> None:
        kind, flags, data = self._encode(value)
        key = name.encode() + b"\0"
        size = 21 + len(key) + len(data)
        if len(self.tables[-1]) + size + 22 > PAGE:
            self._new_table()
        table = self.tables[-1]
        where = (len(self.tables), len(table))
        header = struct.pack("<BBIHIIIB", kind, flags, size, *parent, 0, order, len(key))
        table += sealed(header + key + data, 12)
        if kind == 9:
            for number, (child, inner) in enumerate(pairs(value), 1):
                self._add(child, inner, where, number)

    def _encode(self, value: Any) -> tuple[int, int, bytes]:
        if isinstance(value, bool):
            return 8, 0, struct.pack("<i", value)
        if isinstance(value, int):
            return 3, 0, struct.pack("<q", value)
        if isinstance(value, float):
            return 5, 0, struct.pack("<d", value)
        if isinstance(value, dict | list):
            return 9, 0, struct.pack("<QI", 0, len(value) + 1)
        kind, data = (7, value) if isinstance(value, bytes) else (6, value.encode("utf-16-le") + b"\0\0")
        if len(data) < 2048:
            return kind, 0, struct.pack("<I", len(data)) + data
        self.blobs.append(data)  # where it lies is known when all tables are; see `done`
        return kind, 1, struct.pack("<IQ", len(data), len(self.blobs))

    def done(self) -> bytes:
        """The file."""
        ends = TABLES_AT + len(self.tables) * PAGE
        places = []
        for blob in self.blobs:
            places.append(ends)
            ends += -(-len(blob) // PAGE) * PAGE
        self._place_blobs(places)
        objects = [(2, TABLES_AT + n * PAGE, PAGE) for n in range(len(self.tables))]
        objects += [(3, at, -(-len(b) // PAGE) * PAGE) for at, b in zip(places, self.blobs, strict=True)]
        objects += [(6, LOG_AT, LOG_SIZE)]
        image = bytearray(ends)
        for number, sequence in enumerate(self.sequence):
            image[number * PAGE : number * PAGE + 46] = header(sequence)
        image[2 * PAGE : 3 * PAGE] = object_table(objects).ljust(PAGE, b"\0")
        image[LOG_AT : LOG_AT + LOG_SIZE] = log(self.log)
        for number, table in enumerate(self.tables):
            image[TABLES_AT + number * PAGE : TABLES_AT + (number + 1) * PAGE] = filled(bytes(table))
        for at, blob in zip(places, self.blobs, strict=True):
            image[at : at + len(blob)] = blob
        return bytes(image)

    def _place_blobs(self, places: list[int]) -> None:
        for table in self.tables if places else ():
            at = 10
            while at < len(table):
                _, flags, size, *_, name = struct.unpack_from("<BBIHIIIB", table, at)
                if flags & 1:
                    start = at + 21 + name
                    (number,) = struct.unpack_from("<Q", table, start + 4)
                    struct.pack_into("<Q", table, start + 4, places[number - 1])
                    table[at : at + size] = sealed(bytes(table[at : at + size]), 12)
                at += size


def pairs(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else value


def header(sequence: int, version: int = 0x400, log_at: int = LOG_AT, log_size: int = LOG_SIZE) -> bytes:
    raw = struct.pack("<IIHIIIIQQI", 0x01282014, 0, sequence, version, 0, 0, PAGE, log_at, log_size, PAGE)
    return sealed(raw, 4)


def object_table(objects: list[tuple[int, int, int]]) -> bytes:
    entries = [sealed(struct.pack("<BIQIB", kind, 0, at, size, 1), 1) for kind, at, size in objects]
    entries += [sealed(struct.pack("<BIQIB", 0, 0, 0, 0, 0), 1)] * 2
    return struct.pack("<II", 0x01110001, len(entries)) + b"".join(entries)


def filled(table: bytes) -> bytes:
    """A key table with its rest as one free entry."""
    rest = PAGE - len(table)
    return bytes(table) + struct.pack("<BBI", 1, 0, rest) + bytes(rest - 6)


def log(entries: list[tuple[int, bytes]], most: int = 145) -> bytes:
    """A replay log that still has to write these."""
    head = sealed(struct.pack("<IIIBI17x", 0x01110003, 0, len(entries), 0, most), 4)
    data, at = b"", PAGE
    for target, what in entries:
        head += sealed(struct.pack("<QIQII", target, len(what), at, 0, zlib.crc32(what)), 20)
        data, at = data + what, at + len(what)
    return (head.ljust(PAGE, b"\0") + data).ljust(LOG_SIZE, b"\0")


def vmcx(tree: Any) -> bytes:
    return Vmcx({"configuration": tree}).done()


def xml(tree: Any, *, encoding: str = "utf-16") -> bytes:
    """The same tree as Windows Server 2012 R2 writes it."""
    text = f'<?xml version="1.0" encoding="{encoding.upper()}" standalone="yes"?>\r\n'
    return (text + "".join(_element("configuration", tree))).encode(encoding)


def _element(name: str, value: Any) -> list[str]:
    if isinstance(value, dict | list):
        return [f"<{name}>", *(part for pair in pairs(value) for part in _element(*pair)), f"</{name}>"]
    kinds = {bool: "bool", int: "integer", str: "string", bytes: "bytes", float: "double"}
    text = base64.b64encode(value).decode() if isinstance(value, bytes) else escape(str(value))
    return [f'<{name} type="{kinds[type(value)]}">{text}</{name}>']


def device(number: int, kind: str, name: str, instance: str = "") -> tuple[str, Any]:
    return f"vdev{number:03}", {"device": kind, "instance": (instance or kind).upper(), "name": name, "flags": 1}


IDE, SCSI = "83f8638b-8dca-4152-9eda-2ca8b33039b4", "d422512d-2bf2-4752-809d-7b82b5fcb1b4"
ETHERNET, BIOS = "2fc216b0-d2e2-4967-9b6d-b8a5c9ca2778", "ac6b8dc1-3257-4a70-b1b2-a9c9215659ad"
SERIAL, TPM = "8e3a359f-559a-4b6a-98a9-1690a6100ed7", "736e6aa9-a3f8-49c0-9550-a963214d259a"
A, B, C, D = (f"{letter * 8}-0000-4000-8000-{letter * 12}" for letter in "abcd")


def drive(kind: str, path: str) -> dict[str, Any]:
    return {"pathname": path, "type": kind}


def generation2(name: str = "Web Server", disk: str = r"D:\VMs\web\Virtual Hard Disks\web.vhdx") -> dict[str, Any]:
    """A machine of generation 2 with nearly all that one may have."""
    return {
        "manifest": dict(
            [
                ("size", 8),
                device(10, SCSI, "Synthetic SCSI Controller", B),
                device(2, SCSI, "Synthetic SCSI Controller", A),
                device(3, ETHERNET, "Synthetic Ethernet Port", C),
                device(4, BIOS, "Microsoft Virtual BIOS"),
                device(5, SERIAL, "Microsoft Emulated Serial Controller"),
                device(6, TPM, "Microsoft Virtual TPM Device"),
                device(7, "84eaae65-2f2e-45f5-9bb5-0e857dc8eb47", "Microsoft Heartbeat Component"),
                device(8, "99dcd00c-fbd6-42d3-9dfd-1b5ad7058f61", "GPU Partition", D),
            ]
        ),
        f"_{A}_": {"controller0": {"drive1": drive("ISO", r"C:\iso\debian.iso"), "drive0": drive("VHD", disk)}},
        f"_{B}_": {"controller0": {"drive5": drive("VHD", r"E:\data\data.vhdx"), "drive6": drive("PHYSICAL", "3")}},
        f"_{C}_": {
            "FriendlyName": "LAN",
            "MacAddress": "00-15-5D-01-07-DC",
            "MacAddressIsStatic": True,
            "IsConnected": True,
            "Connection": {
                "AltSwitchName": "External",
                f"Feature_{D}": {"Setting_952c5004-4465-451c-8cb8-fa9ab382b773": {"Data": b"\1\0"}},
            },
        },
        f"_{BIOS}_": {
            "secure_boot_enabled": True,
            "secure_boot_template_id": UEFI_CA.upper(),
            "pause_after_boot_failure": True,
            "pxe_preferred_protocol": 6,
            "bios_guid": "{" + D.upper() + "}",
            "bios_serial_number": "1234-5678",
        },
        f"_{SERIAL}_": {"port0": {"connection": r"\\.\pipe\web"}, "port1": {"connection": ""}},
        "properties": {
            "name": name,
            "global_id": GEN2_ID.upper(),
            "subtype": 1,
            "version": 0x900,
            "notes": "Größe\nzwei",
            "creation_time": bytes.fromhex("a76e45669e97d701"),
        },
        "settings": {
            "global": {"logical_id": GEN2_ID.upper()},
            "processors": {"count": 4, "limit": 50_000, "nested_virtualization": {"enabled": True}},
            "memory": {
                "bank": {"size": 2048, "reservation": 512, "limit": 8192, "dynamic_memory_enabled": True},
            },
        },
        "global_settings": {"power": {"host_startup": {"action": 2}}},
    }


def ova(*members: tuple[str, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    """A tar file with these in it, in this order."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as package:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            package.addfile(info, io.BytesIO(data))
    return file.getvalue()


ENVELOPE = (
    '<?xml version="1.0"?><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/{v}"'
    ' xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/{v}" xmlns:vmw="http://www.vmware.com/schema/ovf"'
    ' xmlns:vbox="http://www.virtualbox.org/ovf/machine" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/'
    'cim-schema/2/CIM_ResourceAllocationSettingData">{body}</Envelope>'
)
FILES = (
    '<References><File ovf:id="f1" ovf:href="disk1.vmdk" ovf:size="4"/><File ovf:id="f2" ovf:href="cd.iso"/>'
    '<File ovf:id="f3" ovf:href="vm.nvram"/></References><DiskSection><Info/>'
    '<Disk ovf:diskId="d1" ovf:fileRef="f1" ovf:capacity="16" ovf:capacityAllocationUnits="byte * 2^30"'
    ' ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>'
    '<Disk ovf:diskId="d2" ovf:capacity="1024"/></DiskSection>'
)


def item(kind: int, number: int | str, **values: object) -> str:
    """An item of hardware; `attributes` is put into its tag."""
    attributes = values.pop("attributes", "")
    inner = "".join(f"<rasd:{key}>{value}</rasd:{key}>" for key, value in values.items())
    return (
        f"<Item {attributes}><rasd:InstanceID>{number}</rasd:InstanceID>"
        f"<rasd:ResourceType>{kind}</rasd:ResourceType>{inner}</Item>"
    )


HARDWARE = (
    item(3, 1, VirtualQuantity=2)
    + item(4, 2, VirtualQuantity=4, AllocationUnits="byte * 2^30")
    + item(6, 3, ResourceSubType="VirtualSCSI")
    + item(20, 4, ResourceSubType="vmware.sata.ahci")
    + item(17, 5, Parent=3, AddressOnParent=1, HostResource="ovf:/disk/d1")
    + item(17, 6, Parent=3, AddressOnParent=2, HostResource="/disk/d2")
    + item(15, 7, Parent=4, AddressOnParent=0, HostResource="ovf:/file/f2")
    + item(10, 8, ElementName="Network adapter 1", Connection="VM Network", ResourceSubType="VmxNet3")
    + item(35, 9, ElementName="sound")
    + item(21, 10, ElementName="Serial 1")
)


def ovf(hardware: str = HARDWARE, *, more: str = "", files: str = FILES, version: int = 1, config: str = "") -> bytes:
    """An OVF with one machine."""
    system = (
        f'<VirtualSystem ovf:id="vm"><Info/><Name>appliance</Name><VirtualHardwareSection><Info/>{hardware}'
        f"{config}</VirtualHardwareSection>{more}</VirtualSystem>"
    )
    return ENVELOPE.format(v=version, body=files + system).encode()
