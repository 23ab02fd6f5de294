# SPDX-License-Identifier: GPL-2.0-or-later
"""What is booted in the Secure Boot matrix, and what the machines of it trust.

Programs of Debian's, as they are, stripped of a signature, changed or cut; and programs of our own, which write who
they are and hand the machine back to the firmware, so that one start of a machine can try them one after another.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from bootcheck_images import (
    GRUB,
    IPXE,
    KERNEL,
    MEMTEST,
    MEMTEST32,
    SHIM,
    Authority,
    authority,
    hash_entry,
    microsoft,
    real,
    sign,
    tiny,
    trust,
)

from kiban.adapters.bootcheck import authenticode, pe
from kiban.adapters.firmware import templates
from kiban.engine.bootcheck import template_trust
from kiban.model.trust import Signature, Trust

SHIM_UNSIGNED = Path("/usr/lib/shim/shimx64.efi")  # Debian package shim-unsigned
SBAT = b"sbat,1,SBAT Version,sbat,1,https://example.org\nmatrix,2,Matrix,matrix,1,https://example.org\n"
LEVEL = "sbat,1,2099010100\nmatrix,3\ngrub,99\n"
"""A revocation level newer than any shim's own, which revokes our programs and every GRUB, but no shim."""
SHIM_LEVEL = "sbat,1,2099010100\nshim,99\n"

BOOT, SECOND, MENU = "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grubx64.efi", "EFI/debian/grub.cfg"
RUNS = "MATRIX RUNS "
STOPS = "MATRIX STOPS "
_ABORTED = 0x8000000000000015  # EFI_ABORTED (UEFI 2.10, appendix D): the firmware then tries the next boot entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A loader and what it goes on to, with paths on a volume.

    `says` is what is on the console once all that has to start has started; "" where it says nothing there.
    """

    name: str
    words: str
    loader: bytes
    second: bytes | None = None
    more: Mapping[str, bytes] = field(default_factory=dict)
    says: str = ""
    comes_back: bool = True  # to the firmware, once it runs

    @property
    def loaders(self) -> dict[str, bytes]:
        """What firmware and shim load, as it stands on a volume."""
        return {BOOT: self.loader} | ({} if self.second is None else {SECOND: self.second})

    @property
    def files(self) -> dict[str, bytes]:
        """All of it."""
        return self.loaders | dict(self.more)

    @property
    def served(self) -> dict[str, bytes]:
        """As a folder serves them over the network, the boot file first."""
        return {"bootx64.efi": self.loader} | ({} if self.second is None else {"grubx64.efi": self.second})


def program(name: str, *, sbat: bytes | None = SBAT, subsystem: int = pe.APPLICATION) -> bytes:
    """An x86-64 EFI program that writes RUNS and its name on the console and returns EFI_ABORTED.

    By the UEFI calling convention rdx holds the system table, whose ConOut is at 64, and OutputString at 8 of that
    (UEFI 2.10, 2.3.4.2, 4.3 and 12.4).
    """
    text = f"{RUNS}{name}\r\n".encode("utf-16-le") + b"\0\0"
    end = b"\xff\x51\x08"  # call [rcx + 8]
    end += b"\x48\xb8" + struct.pack("<Q", _ABORTED)  # mov rax, EFI_ABORTED
    end += b"\x48\x83\xc4\x28\xc3"  # add rsp, 40; ret
    start = b"\x48\x83\xec\x28\x48\x8b\x4a\x40"  # sub rsp, 40; mov rcx, [rdx + 64]
    start += b"\x48\x8d\x15" + struct.pack("<i", len(end))  # lea rdx, [the text, behind the code]
    return tiny(sbat=sbat, subsystem=subsystem, code=start + end + text)


def keep_signatures(data: bytes, *signers: str) -> bytes:
    """The image with only those of its signatures that have a certificate of such a name in them; maybe with none."""
    entries, whole = authenticode.firmware_table(pe.from_bytes(data))
    assert whole
    kept = [
        one.data for one in entries if any(link.subject in signers for link in authenticode.read(one.data).certificates)
    ]
    assert len(kept) == len(signers)
    start, _ = pe.from_bytes(data).certificate_table
    table = b"".join(_padded(struct.pack("<IHH", len(one) + 8, 0x200, 2) + one) for one in kept)
    changed = bytearray(data[:start] + table)
    place = struct.unpack_from("<I", data, 0x3C)[0] + 24 + 112 + 4 * 8  # the fifth data directory of a PE32+ image
    struct.pack_into("<II", changed, place, start if table else 0, len(table))
    return bytes(changed)


def _padded(entry: bytes) -> bytes:
    return entry + bytes(-len(entry) % 8)


def changed(data: bytes, at: int) -> bytes:
    """The same with one bit of one byte turned."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def menu(name: str, *commands: str) -> bytes:
    """A menu of GRUB's: says whether the last command worked, and stays at GRUB's prompt."""
    lines = [*commands, 'if [ "$?" = "0" ]; then', f"  echo {RUNS}{name}", "else", f"  echo {STOPS}{name}", "fi"]
    return "\n".join([*lines, ""]).encode()


class Workshop:
    """Keys of our own, and all artifacts; programs are made once. `folder` is for keys."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.mine, self.second, self.lost, self.body, self.strange = (
            authority(folder, f"Matrix {name}") for name in ("One", "Two", "Lost", "Body", "Stranger")
        )
        self.leaf = authority(folder, "Matrix Leaf", self.mine, ca=False)

    @cached_property
    def artifacts(self) -> dict[str, Artifact]:
        """By name. The test is skipped where Debian's programs are not installed."""
        made = [*self._own(), *self._damaged(), *self._debian(), *self._chains(), *self._grub()]
        return {one.name: one for one in made}

    def _signed(self, name: str, words: str, *by: Authority, sbat: bytes | None = SBAT) -> Artifact:
        data = program(name, sbat=sbat)
        for one in by:
            data = sign(data, one, self.mine) if one is self.leaf else sign(data, one)
        return Artifact(name=name, words=words, loader=data, says=RUNS + name)

    def _own(self) -> list[Artifact]:
        return [
            self._signed("unsigned", "our program, unsigned"),
            self._signed("by-hash", "unsigned, its hash in the own db"),
            self._signed("own", "signed with our key", self.mine),
            self._signed("own-leaf", "signed with a key that ours issued", self.leaf),
            self._signed("dual", "signed with both our keys", self.mine, self.second),
            self._signed("half", "signed by a stranger and by us", self.strange, self.mine),
            self._signed("stranger", "signed with a key that nobody knows", self.strange),
            self._signed("lost", "signed with a key whose certificate is in the own db and dbx", self.lost),
            self._signed("body", "signed with a key whose certificate's hash is in the own dbx", self.body),
            self._signed("dual-lost", "signed with our key and the revoked one", self.mine, self.lost),
            self._signed("revoked", "signed with our key, its hash in the own dbx", self.mine),
        ]

    def _damaged(self) -> list[Artifact]:
        own = self._signed("tampered", "signed with our key, then a byte of its code changed", self.mine)
        data = own.loader
        table, _ = pe.from_bytes(data).certificate_table
        named = replace(own, words="")
        return [
            replace(own, loader=changed(data, 0x400 + 0x60)),
            replace(named, name="bad-signature", words="the signature changed", loader=changed(data, len(data) - 40)),
            replace(named, name="cut-signature", words="cut within its signature", loader=data[: table + 200]),
            replace(named, name="cut", words="cut within its sections", loader=data[: 0x400 + 100]),
            replace(named, name="cut-headers", words="cut within its headers", loader=data[:100]),
            replace(named, name="text", words="a text file in the loader's place", loader=b"#!/bin/sh\nexit 0\n" * 99),
            replace(
                named, name="driver", words="an EFI driver", loader=sign(program("driver", subsystem=11), self.mine)
            ),
            replace(named, name="ia32", words="Memtest86+ for 32-bit PCs", loader=real(MEMTEST32)),
        ]

    def _debian(self) -> list[Artifact]:
        shim = real(SHIM)
        first, second = "Microsoft Corporation UEFI CA 2011", "Microsoft UEFI CA 2023"
        alone = Artifact(name="shim", words="Debian's shim with its two signatures, alone", loader=shim)
        grub = Artifact(name="grub", words="Debian's signed GRUB in shim's place", loader=real(GRUB))
        return [
            alone,
            replace(alone, name="shim-2011", words="the same, signed 2011 only", loader=keep_signatures(shim, first)),
            replace(alone, name="shim-2023", words="the same, signed 2023 only", loader=keep_signatures(shim, second)),
            replace(alone, name="shim-stripped", words="without its signatures", loader=keep_signatures(shim)),
            replace(alone, name="shim-unsigned", words="Debian's unsigned shim", loader=real(SHIM_UNSIGNED)),
            replace(alone, name="shim-tampered", words="shim with a byte changed", loader=changed(shim, 0x5000)),
            replace(alone, name="shim-cut", words="the first half of shim", loader=shim[: len(shim) // 2]),
            self._menued(grub),
            self._menued(replace(grub, name="grub-stripped", words="without signature", loader=_stripped(GRUB))),
            # it may hang a machine that has adapters, so nothing is tried behind it
            Artifact(name="ipxe", words="Debian's iPXE", loader=real(IPXE), says="iPXE 1.", comes_back=False),
            Artifact(name="memtest", words="Debian's Memtest86+", loader=real(MEMTEST), comes_back=False),
            Artifact(name="kernel", words="Debian's kernel", loader=real(KERNEL), comes_back=False),
        ]

    def _menued(self, artifact: Artifact, *commands: str, **more: bytes) -> Artifact:
        files = {MENU: menu(artifact.name, *(commands or ("true",)))} | more
        return replace(artifact, more=files, says=RUNS + artifact.name, comes_back=False)

    def _chains(self) -> list[Artifact]:
        """Debian's shim, and what it is to load."""
        parts = [
            self._signed("shim+unsigned", "our program, unsigned"),
            self._signed("shim+own", "our program", self.mine),
            self._signed("shim+stranger", "signed with a key that nobody knows", self.strange),
            self._signed("shim+lost", "signed with the revoked key", self.lost),
            self._signed("shim+dual-lost", "signed with our key and the revoked one", self.mine, self.lost),
            self._signed("shim+revoked", "signed with our key, its hash revoked", self.mine),
            self._signed("shim+no-sbat", "our program without SBAT data", self.mine, sbat=None),
        ]
        tampered = self._signed("shim+tampered", "signed with our key, then changed", self.mine)
        parts.append(replace(tampered, loader=changed(tampered.loader, 0x400 + 0x60)))
        return [replace(one, loader=real(SHIM), second=one.loader) for one in parts]

    def _grub(self) -> list[Artifact]:
        grub, kernel = real(GRUB), real(KERNEL)
        chain = Artifact(name="shim+grub", words="Debian's shim and GRUB", loader=real(SHIM), second=grub)
        linux = replace(chain, name="shim+kernel", words="Debian's shim, GRUB and kernel")
        odd = replace(chain, name="shim+tampered-kernel", words="the same with a byte of the kernel changed")
        return [
            self._menued(chain),
            self._menued(replace(chain, name="shim+grub-stripped", words="GRUB unsigned", second=_stripped(GRUB))),
            self._menued(
                replace(chain, name="shim+grub-tampered", words="a byte of GRUB changed", second=changed(grub, 0x5000))
            ),
            self._menued(linux, "linux /vmlinuz", vmlinuz=kernel),
            self._menued(odd, "linux /vmlinuz", vmlinuz=changed(kernel, 0x100000)),
        ]

    def own_db(self) -> tuple[Signature, ...]:
        """The db of the machines with keys of our own: with Microsoft's, too, so that shim starts."""
        ours = [one.entry() for one in (self.mine, self.second, self.lost, self.body)]
        return (*ours, *microsoft().values(), hash_entry(self.artifacts["by-hash"].loader))

    def own_dbx(self) -> tuple[Signature, ...]:
        """What they revoke: two programs by their hashes, a certificate, and one by its body's hash."""
        programs = (self.artifacts["revoked"].loader, self.artifacts["shim+revoked"].second or b"")
        return (*map(hash_entry, programs), self.lost.entry(), self.body.body_entry())

    @cached_property
    def trusts(self) -> dict[str, Trust]:
        """What the machines trust, by their names in the matrix."""
        own = trust(*self.own_db(), dbx=self.own_dbx())
        third_party = template_trust("microsoft-uefi-ca")
        return {
            **{name: template_trust(name) for name in templates.templates() if name != "custom"},
            "uefi-2011": trust(microsoft()["2011"]),
            "uefi-2023": trust(microsoft()["2023"]),
            "own": own,
            "own-level": replace(own, sbat_level=LEVEL),
            "own-shim-level": replace(own, sbat_level=SHIM_LEVEL),
            "mok": replace(third_party, mok=(self.mine.entry(),)),
            "off": replace(third_party, secure_boot=False),
        }


def _stripped(path: Path) -> bytes:
    return keep_signatures(real(path))
