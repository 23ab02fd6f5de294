# SPDX-License-Identifier: GPL-2.0-or-later
"""The library of media: what may be its name, that what arrives is whole or not there, and what a machine should be."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from engine_world import World, one, run, world

from kiban.adapters.disk import library, media, space
from kiban.engine import advising
from kiban.engine import media as engine
from kiban.engine.events import Bus
from kiban.engine.host import Host
from kiban.engine.media import Incoming
from kiban.errors import BadInput, Cancelled, Conflict, HostLacks, KibanError, NotFound
from kiban.model.requests import DvdRequest

AREA = b"\x01CD001\x01".ljust(2048, b"\0")
ISO = bytes(16 * 2048) + AREA + bytes(3 << 20)


async def sent(*chunks: bytes, then: BaseException | None = None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    if then is not None:
        raise then


def coming(name: str, *chunks: bytes, size: int | None = None, then: BaseException | None = None) -> Incoming:
    return Incoming(name=name, size=size, chunks=sent(*chunks, then=then))


Try = Callable[[Incoming], engine.MediumView]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "media"
    made.mkdir()
    return made


@pytest.fixture
def upload(folder: Path) -> Try:
    """Sends to a host that has no machines."""
    host = SimpleNamespace(paths=SimpleNamespace(media=folder), handles={}, events=Bus())
    return lambda incoming: run(engine.upload(host, incoming))  # type: ignore[arg-type]


def there(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_arrives_is_there_as_it_was(upload: Try, folder: Path) -> None:
    made = upload(coming("a.iso", ISO[:40000], ISO[40000:100000], ISO[100000:], size=len(ISO)))
    assert (made.name, made.kind, made.size, made.machines) == ("a.iso", "iso", len(ISO), ())
    assert Path(made.path).read_bytes() == ISO
    assert Path(made.path).stat().st_mode & 0o777 == 0o600
    assert there(folder) == ["a.iso"]
    assert upload(coming("b.VFD", bytes(1440 << 10))).kind == "floppy"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".a.iso", "../a.iso", "a/b.iso", "/a.iso", "a\0.iso", "a\n.iso", "a\u202e.iso", "a\u2028.iso",
     " a.iso", "a.iso ", "a\ufffd.iso", "x" * 300 + ".iso", "あ" * 80 + ".iso", "a", "a.exe", "a.iso.part",
     "a.qcow2"],
)  # fmt: skip
def test_what_is_no_plain_name_is_refused(upload: Try, folder: Path, name: str) -> None:
    with pytest.raises(BadInput) as caught:
        upload(coming(name, ISO))
    assert caught.value.hint
    assert there(folder) == []


@pytest.mark.parametrize("name", ["Debian 12.ISO", "ü.iso", "日本語.iso", "a,b.iso", "a'b\".iso", "-rf.iso"])
def test_a_plain_name_is_kept(upload: Try, folder: Path, name: str) -> None:
    assert upload(coming(unicodedata.normalize("NFD", name), ISO)).name == unicodedata.normalize("NFC", name)
    with pytest.raises(Conflict):
        upload(coming(name, ISO))


@pytest.mark.parametrize(
    ("incoming", "code"),
    [
        (coming("a.iso", bytes(len(ISO))), "not-an-iso"),
        (coming("a.iso", b""), "cut-short"),
        (coming("a.iso", ISO[:50000]), "cut-short"),
        (coming("a.iso", ISO, size=len(ISO) + 1), "cut-short"),
        (coming("a.iso", ISO, size=len(ISO) - 1), "too-long"),
        (coming("a.img", bytes(1000)), "not-a-floppy"),
        (coming("a.img", bytes(5 << 20)), "not-a-floppy"),
        (coming("a.img", size=5 << 20), "not-a-floppy"),
        (coming("a.iso", ISO, then=Cancelled("It was broken off.")), "cancelled"),
    ],
)
def test_what_is_refused_or_broken_off_leaves_nothing(upload: Try, folder: Path, incoming: Incoming, code: str) -> None:
    if incoming.size is None and code == "cut-short":  # without a length the end is the end; only nothing is too little
        incoming = coming("a.iso")
    with pytest.raises(KibanError) as caught:
        upload(incoming)
    assert caught.value.reason == code
    assert there(folder) == []


def test_one_that_goes_while_the_library_is_read_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "stays.iso").write_bytes(ISO)
    (folder / "goes.iso").write_bytes(ISO)
    look = Path.is_file

    def is_file(path: Path) -> bool:
        found = look(path)
        if path.name == "goes.iso":
            path.unlink()
        return found

    monkeypatch.setattr(Path, "is_file", is_file)
    assert [image.name for image in library.stored(folder)] == ["stays.iso"]


def test_a_second_one_of_the_name_waits_for_nobody(folder: Path) -> None:
    with library.arriving(folder, "a.iso", None) as first:
        first.write(ISO)
        with pytest.raises(Conflict, match="already"), library.arriving(folder, "a.iso", None):
            pass
        assert asyncio.run(first.finish()).size == len(ISO)
    with pytest.raises(Conflict, match="already"), library.arriving(folder, "a.iso", None):
        pass
    assert (folder / "a.iso").read_bytes() == ISO


def test_one_that_appeared_meanwhile_is_not_written_over(folder: Path) -> None:
    with library.arriving(folder, "a.iso", None) as arrival:
        arrival.write(ISO)
        (folder / "a.iso").write_bytes(b"mine")
        with pytest.raises(Conflict):
            asyncio.run(arrival.finish())
    assert (folder / "a.iso").read_bytes() == b"mine"
    assert there(folder) == ["a.iso"]


def test_room_is_asked_for_before_and_while_it_is_taken(
    upload: Try, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "free_bytes", lambda _: library.KEPT_FREE + len(ISO) - 1)
    with pytest.raises(HostLacks, match="no room"):
        upload(coming("a.iso", ISO, size=len(ISO)))
    free = iter([2 << 20, 2 << 20, 2 << 20, 1, 1])
    monkeypatch.setattr(space, "free_bytes", lambda _: library.KEPT_FREE + next(free))
    with pytest.raises(HostLacks, match="no room"):
        upload(coming("a.iso", *[ISO[: 1 << 20]] * 5))
    assert there(folder) == []


def test_cancelling_in_the_middle_leaves_nothing(folder: Path) -> None:
    host = SimpleNamespace(paths=SimpleNamespace(media=folder), handles={}, events=Bus())

    async def main() -> None:
        begun = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield ISO
            begun.set()
            await asyncio.Event().wait()

        work = engine.upload(host, Incoming(name="a.iso", size=None, chunks=endless()))  # type: ignore[arg-type]
        task = asyncio.create_task(work)
        await begun.wait()
        assert there(folder) == [".a.iso.part"]
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    run(main())
    assert there(folder) == []


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(monkeypatch) as made:
        yield made


def test_what_a_killed_service_was_sent_is_swept_away(place: World) -> None:
    place.paths.media.mkdir(parents=True)
    for name in (".a.iso.part", "a.iso", "odd.txt"):
        (place.paths.media / name).write_bytes(b"x")

    async def main() -> None:
        host = await Host.open(place.paths)
        assert there(place.paths.media) == ["a.iso", "odd.txt"]
        assert [view.name for view in await engine.list_all(host)] == ["a.iso"]
        await host.close()

    run(main())


def test_what_a_machine_has_is_not_removed(place: World) -> None:
    medium = place.paths.media / "a.iso"

    async def main() -> None:
        host, handle = await one(place, 2, dvds=(DvdRequest(iso=str(medium)),))
        medium.write_bytes(ISO)
        assert [view.machines for view in await engine.list_all(host)] == [(handle.name,)]
        with pytest.raises(Conflict, match=f"in a drive of {handle.name}"):
            await engine.remove(host, "a.iso")
        await host.close()
        host.forget(handle)
        await engine.remove(host, "a.iso")
        with pytest.raises(NotFound):
            await engine.remove(host, "a.iso")
        with pytest.raises(BadInput):
            await engine.remove(host, "../vm.json")

    run(main())


def labelled(path: Path, *, label: str, boots: tuple[int, ...]) -> Path:
    """The labels of an ISO and its boot catalog (El Torito), which is all that is read of it."""
    primary = bytearray(AREA)
    primary[40:72] = label.encode().ljust(32)
    boot = bytearray(b"\0CD001\x01EL TORITO SPECIFICATION".ljust(2048, b"\0"))
    boot[71:75] = (20).to_bytes(4, "little")
    end = b"\xffCD001\x01".ljust(2048, b"\0")
    catalog = bytearray(2048)
    catalog[0:2], catalog[30:32], catalog[32] = bytes([1, boots[0]]), b"\x55\xaa", 0x88
    for number, platform in enumerate(boots[1:], 1):
        at = 64 * number
        catalog[at], catalog[at + 1], catalog[at + 32] = 0x91, platform, 0x88
    path.write_bytes(bytes(16 * 2048) + bytes(primary) + bytes(boot) + end + bytes(2048) + bytes(catalog))
    return path


@pytest.mark.parametrize(
    ("label", "boots", "generation", "says"),
    [
        ("Debian 11.0.0 amd64 n", (0, 0xEF), 2, "Debian 11 starts on UEFI"),
        ("TEST", (0xEF,), 2, "starts on UEFI"),
        ("TEST", (0,), 1, "boots on generation 1 only"),
        ("Debian 11.0.0 i386 n", (0,), 1, "32-bit"),
        ("Debian 11.0.0 arm64 n", (0xEF,), 0, "not for x86"),
    ],
)
def test_the_generation_is_suggested_with_the_reason(
    tmp_path: Path, label: str, boots: tuple[int, ...], generation: int, says: str
) -> None:
    advice = run(advising.advise(str(labelled(tmp_path / "a.iso", label=label, boots=boots))))
    assert (advice.generation, advice.label) == (generation, label)
    assert says in advice.reason
    assert [each.generation for each in advice.suggestions] == [1, 2]
    if label.startswith("Debian"):
        assert advice.guest == "debian11"
    if generation:
        chosen = advice.suggestions[generation - 1]
        assert chosen.ok
        assert chosen.memory >= 1 << 30
        assert chosen.disk >= 20 << 30


def test_only_an_iso_is_advised_on(tmp_path: Path) -> None:
    (tmp_path / "a.iso").write_bytes(bytes(100000))
    with pytest.raises(BadInput, match="no ISO 9660"):
        run(advising.advise(str(tmp_path / "a.iso")))
    with pytest.raises(NotFound):
        run(advising.advise(str(tmp_path / "b.iso")))


def test_the_largest_floppy_is_one() -> None:
    media.check_floppy_size("a.img", media.LARGEST_FLOPPY)
