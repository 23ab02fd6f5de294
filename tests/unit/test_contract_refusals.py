# SPDX-License-Identifier: GPL-2.0-or-later
"""What each generation refuses, and its limits: one sentence and a way out each time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import machines
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiban.errors import BadInput, Conflict, KibanError, NotFound, NotInGeneration
from kiban.model import consistency, contract, edit
from kiban.model.generations import GEN1, GEN2, GENERATIONS, GIB, TIB, Generation, generation
from kiban.model.machine import Machine
from kiban.model.requests import (
    Changes,
    ComRequest,
    DiskRequest,
    DvdRequest,
    MachineRequest,
    NetBootRequest,
    NicRequest,
)

IMAGE = {"path": "/i.img", "format": "raw"}


E1000E_BOOT = NicRequest(model="e1000e", boot=NetBootRequest(folder="/b", file="f"))


def disk(**fields: Any) -> DiskRequest:
    return DiskRequest(**IMAGE | fields)


def refusal_of(work: Callable[[], object]) -> KibanError | None:
    """The error of Kiban's own that `work` raises, if any; any other exception is a failure."""
    try:
        work()
    except KibanError as error:
        return error
    return None


def test_a_generation_has_no_defaults() -> None:
    for field in dataclasses.fields(Generation):
        assert field.default is dataclasses.MISSING, field.name
        assert field.default_factory is dataclasses.MISSING, field.name
    assert {GEN1.number: GEN1, GEN2.number: GEN2} == GENERATIONS


@pytest.mark.parametrize("number", [0, 3, -1])
def test_there_are_two_generations(number: int) -> None:
    with pytest.raises(BadInput, match=f"no generation {number}") as caught:
        generation(number)
    assert "--generation" in caught.value.hint


NOT_IN_GENERATION: list[tuple[int, dict[str, Any], str]] = [
    (1, {"tpm": True}, "no TPM"),
    (1, {"secure_boot": True}, "no Secure Boot"),
    (1, {"template": "microsoft-windows"}, "no Secure Boot template"),
    (1, {"pause_after_boot_failure": True}, "no pause after boot failure"),
    (1, {"pxe_protocol": "ipv6"}, "no PXE over IPv6"),
    (1, {"nics": (NicRequest(boot=NetBootRequest(folder="/b", file="f", protocol="http")),)}, "over HTTP"),
    (1, {"nics": (NicRequest(kind="synthetic", boot=NetBootRequest(folder="/b", file="f")),)}, "legacy adapter"),
    (1, {"boot": ("nic",), "nics": (NicRequest(kind="synthetic"),)}, "only with a legacy adapter"),
    (1, {"boot": ("disk",), "disks": (disk(bus="scsi"),)}, "boots from IDE only"),
    (1, {"disks": (disk(bus="nvme"),)}, "A generation 1 machine has no NVMe: a disk goes on IDE or SCSI"),
    (1, {"dvds": (DvdRequest(bus="usb"),)}, "A generation 1 machine has no USB: a DVD drive goes on IDE"),
    (1, {"nics": (NicRequest(model="e1000e"),)}, "synthetic adapter of a generation 1 machine is virtio, not e1000e"),
    (1, {"nics": (NicRequest(kind="legacy", model="virtio"),)}, "legacy adapter .* is tulip, not virtio"),
    (2, {"disks": (disk(bus="usb"),)}, "a disk goes on SCSI or NVMe, not on USB"),
    (2, {"dvds": (DvdRequest(bus="nvme"),)}, "a DVD drive goes on SCSI or USB, not on NVMe"),
    (2, {"nics": (NicRequest(model="tulip"),)}, "is virtio or e1000e, not tulip"),
    (2, {"nics": (E1000E_BOOT,)}, "firmware has no driver for e1000e"),
    (2, {"nics": (NicRequest(model="e1000e"),), "boot": ("nic",)}, r"only with a synthetic adapter \(virtio\)"),
    (2, {"nics": (NicRequest(model="e1000e"), NicRequest()), "boot": ("nic0",)}, "nic0 of m1 is none"),
    (1, {"boot": ("disk0",), "disks": (disk(),)}, "boots by class"),
    (1, {"board_changes": {}, "boot": ("nic0",)}, "boots by class"),
    (2, {"floppy": "/f.ima"}, "no floppy drive"),
    (2, {"floppy": ""}, "no floppy drive"),
    (2, {"boot": ("floppy",)}, "no floppy to boot from"),
    (2, {"disks": (disk(bus="ide"),)}, "no IDE"),
    (2, {"nics": (NicRequest(kind="legacy"),)}, "no legacy network adapter"),
]


@pytest.mark.parametrize(("number", "request_", "words"), NOT_IN_GENERATION)
def test_what_a_generation_does_not_have(number: int, request_: dict[str, Any], words: str) -> None:
    with pytest.raises(NotInGeneration, match=words) as caught:
        machines.make(number, **request_)
    assert f"generation {number}" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(("number", "video"), [(1, "synthetic"), (2, "std"), (2, "cirrus")])
def test_video_of_the_other_generation(number: int, video: Any) -> None:
    with pytest.raises(NotInGeneration, match=f"no {video} video") as caught:
        contract.check_video(generation(number), video)
    assert generation(number).video[0] in caught.value.hint


@pytest.mark.parametrize("number", [1, 2])
def test_saying_what_a_generation_has_anyway_is_fine(number: int) -> None:
    one = machines.make(1, secure_boot=False, tpm=False, pause_after_boot_failure=False, pxe_protocol="ipv4")
    assert one.uefi is None
    two = machines.make(2, secure_boot=False)
    assert two.uefi is not None
    assert not two.uefi.secure_boot
    assert (machines.make(number).floppy is not None) == (number == 1)


BAD: list[tuple[int, dict[str, Any], str]] = [
    *((n, {"cpus": c}, "virtual processors") for n, c in ((1, 0), (1, 65), (2, 0), (2, 241), (2, -1))),
    *((n, {"memory": m}, "of memory in whole MiB") for n, m in ((1, 0), (2, 64 * 1024**2), (1, GIB + 1), (2, -GIB))),
    (1, {"memory": TIB + 1024**2}, "1 TiB"),
    (2, {"memory": 13 * TIB}, "12 TiB"),
    (2, {"disks": (DiskRequest(),)}, "either a size or a path"),
    (2, {"disks": (disk(size=GIB),)}, "either a size or a path"),
    (1, {"disks": (DiskRequest(path="/i.img"),)}, "format of /i.img is not named"),
    (2, {"boot": ("disk", "disk")}, "names something twice"),
    (1, {"coms": (ComRequest(number=1, kind="none"), ComRequest(number=1, kind="none"))}, "given twice"),
    (1, {"coms": (ComRequest(number=1, kind="file"),)}, "not named"),
    (2, {"coms": (ComRequest(number=2, kind="socket", path="here"),)}, "not an absolute path"),
    *(
        (2, {"nics": (NicRequest(mac=mac),)}, "not a network adapter's address")
        for mac in ("x", "01:00:5e:00:00:01", "52:54:00:12:34", "52:54:00:12:34:5g", "52:54:00:12:34:56\n")
    ),
]


@pytest.mark.parametrize(("number", "request_", "words"), BAD)
def test_what_makes_no_sense(number: int, request_: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        machines.make(number, **request_)
    assert caught.value.hint


FULL: list[tuple[int, dict[str, Any], str]] = [
    (1, {"disks": (disk(),) * 5}, "IDE controllers of m1 are full"),
    (1, {"disks": (disk(),) * 4, "dvds": (DvdRequest(),)}, "IDE controllers of m1 are full"),
    (1, {"disks": (disk(bus="scsi"),) * 257}, "SCSI controllers of m1 are full"),
    (2, {"disks": (disk(bus="nvme"),) * 9}, "NVMe controllers of m1 are full"),
    (2, {"dvds": (DvdRequest(bus="usb"),) * 3}, "USB ports of m1 are full"),
    (2, {"disks": (disk(),) * 200, "dvds": (DvdRequest(),) * 57}, "SCSI controllers of m1 are full"),
    (1, {"nics": (NicRequest(),) * 9}, "8 synthetic adapters"),
    (2, {"nics": (NicRequest(),) * 9}, "8 synthetic adapters"),
    (1, {"nics": (NicRequest(kind="legacy"),) * 5}, "4 legacy adapters"),
    (2, {"nics": (NicRequest(mac="52:54:00:12:34:56"),) * 2}, "an adapter with the address 52:54:00:12:34:56"),
]


@pytest.mark.parametrize(("number", "request_", "words"), FULL)
def test_what_is_one_too_many(number: int, request_: dict[str, Any], words: str) -> None:
    with pytest.raises(Conflict, match=words) as caught:
        machines.make(number, **request_)
    assert caught.value.hint


def test_exactly_full_is_fine() -> None:
    one = machines.make(1, cpus=64, memory=TIB, disks=(disk(),) * 3, dvds=(DvdRequest(),), nics=(NicRequest(),) * 8)
    assert [*(d.slot for d in one.disks), *(d.slot for d in one.dvds)] == [0, 1, 2, 3]
    two = machines.make(2, cpus=240, memory=12 * TIB, disks=(disk(),) * 256)
    assert [d.slot for d in two.disks] == list(range(256))
    assert len({d.id for d in two.disks}) == 256


@given(st.text(max_size=80))
def test_names_that_pass_are_safe(name: str) -> None:
    refusal = refusal_of(lambda: contract.check_name(name))
    if refusal:
        assert refusal.hint
        assert refusal.reason == "bad-name"
    else:
        assert 1 <= len(name) <= 63
        assert name.isascii()
        assert name[0].isalnum()
        assert not set(name) & set("/\\,=: \n\t\0%$\"'`&;|<>*?")


@pytest.mark.parametrize("name", ["", ".", "..", "-rf", "a/b", "a,b", "a=b", "ä", "a\n", "a" * 64, " a", "a\0"])
def test_unsafe_names(name: str) -> None:
    with pytest.raises(BadInput, match="cannot be a machine's name"):
        machines.make(2, name=name)


@pytest.mark.parametrize("name", ["a", "Web-1", "db.example.com", "0", "a" * 63, "x_y"])
def test_safe_names(name: str) -> None:
    assert machines.make(2, name=name).name == name


numbers = st.integers(min_value=-(2**70), max_value=2**70)
words = st.text(max_size=20)
buses = st.sampled_from(["ide", "scsi", "nvme", "usb"])
requests: st.SearchStrategy[MachineRequest] = st.builds(
    MachineRequest,
    name=words | st.just("m"),
    generation=st.sampled_from([1, 2]) | numbers,
    cpus=st.none() | st.integers(0, 300),
    memory=st.none() | numbers | st.just(GIB),
    disks=st.lists(
        st.builds(DiskRequest, size=st.none() | st.just(GIB), path=st.none() | words, bus=st.none() | buses), max_size=6
    ).map(tuple),
    dvds=st.lists(st.builds(DvdRequest, iso=words, bus=st.none() | buses), max_size=5).map(tuple),
    nics=st.none()
    | st.lists(
        st.builds(
            NicRequest,
            kind=st.none() | st.sampled_from(["synthetic", "legacy"]),
            model=st.none() | st.sampled_from(["virtio", "tulip", "e1000e"]),
        ),
        max_size=4,
    ).map(tuple),
    floppy=st.none() | words,
    boot=st.lists(st.sampled_from(["disk", "dvd", "nic", "floppy", "disk0", "nic0"]) | words, max_size=4).map(tuple),
    tpm=st.none() | st.booleans(),
    coms=st.lists(
        st.builds(
            ComRequest,
            number=st.sampled_from([1, 2]),
            kind=st.sampled_from(["none", "file", "socket"]),
            path=words,
        ),
        max_size=3,
    ).map(tuple),
)


@given(requests)
def test_any_request_is_a_consistent_machine_or_a_refusal_with_a_hint(request_: MachineRequest) -> None:
    board = machines.board(request_.generation if request_.generation in GENERATIONS else 2)
    made: list[Machine] = []
    refusal = refusal_of(lambda: made.append(contract.make(request_, board, machines.fresh())))
    if refusal:
        assert refusal.message.endswith(".")
        assert refusal.hint
    else:
        consistency.check(made[0])


# edit.apply


EDITS: list[tuple[int, Changes, str]] = [
    (1, Changes(tpm=True), "no TPM"),
    (1, Changes(secure_boot=True), "no Secure Boot"),
    (1, Changes(pxe_protocol="ipv6"), "no PXE over IPv6"),
    (2, Changes(floppy="/f"), "no floppy"),
    (1, Changes(video="synthetic"), "no synthetic video"),
    (1, Changes(cpus=65), "virtual processors"),
    (2, Changes(memory=1), "whole MiB"),
    (1, Changes(boot=("nic",)), "only with a legacy adapter"),
    (2, Changes(boot=("floppy",)), "no floppy"),
]


@pytest.mark.parametrize(("number", "changes", "words"), EDITS)
def test_edits_meet_the_same_refusals(number: int, changes: Changes, words: str) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        edit.apply(machines.make(number), changes)
    assert caught.value.hint


def test_an_unknown_device_in_the_boot_order() -> None:
    with pytest.raises(NotFound, match="no device 'disk7'") as caught:
        edit.apply(machines.make(2, disks=(disk(),)), Changes(boot=("disk7",)))
    assert caught.value.hint == "It has: disk0, nic0."


@pytest.mark.parametrize("number", [1, 2])
def test_nothing_said_changes_nothing(number: int) -> None:
    machine = machines.make(number, dvds=(DvdRequest(),), notes="n", autostart=True)
    assert edit.apply(machine, Changes()) == machine


def test_every_change_lands() -> None:
    machine: Machine = machines.make(2, disks=(disk(),), dvds=(DvdRequest(),))
    changed = edit.apply(
        machine,
        Changes(
            cpus=3, memory=GIB, secure_boot=False, template="microsoft-windows", pause_after_boot_failure=True,
            pxe_protocol="ipv6", tpm=True, boot=("dvd0", "disk"), coms=(ComRequest(number=2, kind="socket"),),
            guest="debian12", autostart=True, notes="hello",
        ),
    )  # fmt: skip
    uefi = changed.uefi
    assert uefi is not None
    assert (uefi.secure_boot, uefi.template, uefi.pause_after_boot_failure, uefi.pxe_protocol) == (
        False, "microsoft-windows", True, "ipv6"
    )  # fmt: skip
    assert (changed.cpus, changed.memory, changed.tpm, changed.boot) == (3, GIB, True, ("dvd0", "disk0"))
    assert [c.number for c in changed.coms] == [2]
    assert (changed.guest, changed.autostart, changed.notes) == ("debian12", True, "hello")
    assert changed.id == machine.id


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Changes)])
def test_each_change_is_for_a_machine_that_is_off_or_not(name: str) -> None:
    anytime = {"floppy", "guest", "autostart", "notes"}
    said: dict[str, Any] = {name: ""}
    assert edit.wants_off(Changes(**said)) == (name not in anytime)


@pytest.mark.parametrize("number", [1, 2])
def test_sectors_of_4_kib(number: int) -> None:
    def made(size: int) -> Any:
        return machines.make(number, disks=(DiskRequest(size=size, bus="scsi", sectors="4k"),))

    assert made(8 << 20).disks[0].sectors == "4k"
    odd = refusal_of(lambda: made((8 << 20) + 512))
    assert odd is not None
    assert (odd.reason, "4096" in odd.message) == ("bad-size", True)


def test_ide_has_sectors_of_512_bytes() -> None:
    said = refusal_of(lambda: machines.make(1, disks=(DiskRequest(size=8 << 20, bus="ide", sectors="4k"),)))
    assert isinstance(said, NotInGeneration)
    assert "bus=scsi" in said.hint
    allowed = machines.make(1, disks=(DiskRequest(size=8 << 20, bus="ide", sectors="512e"),))
    consistency.check(allowed)
    written = dataclasses.replace(allowed, disks=(dataclasses.replace(allowed.disks[0], sectors="4k"),))
    wrong = refusal_of(lambda: consistency.check(written))
    assert wrong is not None
    assert "no sectors of 4 KiB" in wrong.message
