# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a guest suits a generation, and what a machine made for it should have to begin with.

Refused is only what is known not to work; what nobody can know is allowed. The rules for Windows are Microsoft's
("Should I create a generation 1 or 2 virtual machine in Hyper-V?"), the rest follows from 64-bit UEFI.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from kiban.adapters.osinfo.profiles import GuestProfile
from kiban.adapters.osinfo.recognise import Recognised
from kiban.model.generations import AdapterModel, Bus
from kiban.model.units import GiB, MiB

_BITS_32 = frozenset({"i386", "i486", "i586", "i686"})
_X86 = _BITS_32 | {"x86_64"}
_NO_UEFI = frozenset({"msdos", "win16", "win9x", "netware"})
_NO_UEFI_DISTROS = frozenset({"freedos"})
_OLD = date(2006, 1, 1)  # systems that were content with what a PC of their time had, and may not like more


@dataclass(frozen=True, slots=True)
class Verdict:
    """Does it suit? Where `ok`, a `reason` is a warning; otherwise it is one sentence, and `hint` what to do."""

    ok: bool
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a machine for a guest has to begin with.

    Attributes:
        cpus, memory: count, bytes.
        disk_bus, dvd_bus, nic: what its drives sit on, and its network adapter.
        hyperv: it is a Windows that Hyper-V's enlightenments make faster on KVM.
        tpm: it will not install without a TPM 2.0.
        secure_boot_template: the template that trusts its loader; "" where it has no signed one.
    """

    cpus: int
    memory: int
    disk_bus: Bus
    dvd_bus: Bus
    nic: AdapterModel
    hyperv: bool
    tpm: bool
    secure_boot_template: str


def suits(profile: GuestProfile | None, generation: int, medium: Recognised | None = None) -> Verdict:
    """Whether a guest, and the ISO it comes from, suit a machine of that generation.

    `profile` defaults to that of the medium; without either there is nothing to object to.
    """
    profile = profile or (medium.profile if medium else None)
    name = profile.name if profile else "This medium"
    architectures = {medium.architecture} if medium and medium.architecture else set[str]()
    architectures = architectures or (set(profile.architectures) if profile else set())
    if architectures and not architectures & _X86:
        return Verdict(
            False, f"{name} is for {' and '.join(sorted(architectures))}, not for x86.", "Take its x86_64 edition"
        )
    if generation == 1:
        return _suits_bios(profile, medium, name)
    if architectures and "x86_64" not in architectures:
        return Verdict(
            False, f"{name} is 32-bit, and generation 2 is 64-bit.", "Use --generation 1, or its 64-bit edition"
        )
    if profile and _without_uefi(profile):
        return Verdict(
            False, f"{name} does not start on UEFI, which generation 2 has instead of a BIOS.", "Use --generation 1"
        )
    if medium and medium.label.boots_on == {"bios"}:
        return Verdict(True, "The medium offers nothing to UEFI: it boots on generation 1 only.", "Use --generation 1")
    return Verdict(True)


def _suits_bios(profile: GuestProfile | None, medium: Recognised | None, name: str) -> Verdict:
    if medium and medium.label.boots_on == {"efi"}:
        return Verdict(
            True, "The medium offers nothing to a BIOS: it boots on generation 2 only.", "Use --generation 2"
        )
    if profile and profile.bios is False:
        return Verdict(True, f"{name} is made for UEFI and may refuse to install.", "Use --generation 2")
    return Verdict(True)


def _without_uefi(profile: GuestProfile) -> bool:
    if profile.efi is not None:
        return not profile.efi
    if profile.family == "winnt":
        return _nt(profile) < (6, 2)  # Windows 8 and Server 2012 are the first with 64-bit UEFI and Secure Boot
    return profile.family in _NO_UEFI or profile.distro in _NO_UEFI_DISTROS


def _nt(profile: GuestProfile) -> tuple[int, int]:
    """The version of NT; (0, 0) if the database's is no number."""
    major, _, minor = profile.version.partition(".")
    return (int(major), int(minor or 0)) if major.isdecimal() and (minor or "0").isdecimal() else (0, 0)


def defaults(profile: GuestProfile, generation: int) -> Defaults:
    """What a new machine of that generation should have for that guest."""
    windows = profile.family == "winnt"
    return Defaults(
        cpus=max(profile.recommended.cpus or 0, profile.minimum.cpus or 0, 1),
        memory=max(profile.recommended.memory or 0, profile.minimum.memory or 0, _least_memory(profile)),
        disk_bus=_disk_bus(profile) if generation == 2 else "ide",
        # setup of Windows must see its own DVD before it can load a driver from another
        dvd_bus=("usb" if windows else "scsi") if generation == 2 else "ide",
        nic=_nic(profile, generation),
        hyperv=windows and _nt(profile) >= (6, 0),
        tpm=generation == 2 and profile.short_id == "win11",
        secure_boot_template=_template(profile) if generation == 2 else "",
    )


def _disk_bus(profile: GuestProfile) -> Bus:
    """NVMe for a Windows that has a driver for it: stornvme, since 8.1 and Server 2012 R2.

    Of QEMU's SCSI controllers some have one too (mptsas1068, pvscsi), but Debian's OVMF has none for those, and edk2's
    default by now is the same (OvmfOptHwDefines.dsc.inc): found by trying to boot from each.
    """
    nvme = _nt(profile) >= (6, 3) and profile.short_id != "win2k12"  # osinfo-db calls 2012 6.3
    return "nvme" if profile.family == "winnt" and nvme else "scsi"


def _nic(profile: GuestProfile, generation: int) -> AdapterModel:
    """The one the guest has a driver for. No Windows ever had virtio's; from 7 on it has e1000e's (82574L).

    The 21143's went out with Vista: on generation 1 such a Windows has a driver for neither.
    """
    windows = profile.family == "winnt"
    if generation == 2:
        return "e1000e" if windows else "virtio"
    if not windows:
        return "virtio" if "virtio-net" in profile.devices else "tulip"
    return "virtio" if _nt(profile) >= (6, 0) else "tulip"


def _template(profile: GuestProfile) -> str:
    return {"winnt": "microsoft-windows", "linux": "microsoft-uefi-ca"}.get(profile.family, "")


def _least_memory(profile: GuestProfile) -> int:
    """Memory below which a default makes no sense, since osinfo-db has the vendors' bare minimums or nothing."""
    old = profile.released is not None and profile.released < _OLD
    if old or profile.family in _NO_UEFI or profile.distro in _NO_UEFI_DISTROS:
        return 64 * MiB
    return 2 * GiB if profile.family == "winnt" else GiB
