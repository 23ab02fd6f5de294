# SPDX-License-Identifier: GPL-2.0-or-later
"""The web manager's parts that need no browser: the catalogue of words, pictures, rows."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from api_fakes import VIEW

from kiban.api.session import Session
from kiban.commands.registry import COMMANDS
from kiban.engine.diskview import DiskView, LinkView, Use
from kiban.engine.events import Bus
from kiban.engine.jobs import Job, Jobs
from kiban.engine.progress import Progress
from kiban.errors import NotAllowed, NotFound
from kiban.model.generations import GEN1, GEN2, Generation
from kiban.model.outcome import Boot
from kiban.model.roles import Role
from kiban.web import board, bulk, contract, disktrees, frame, hardware, jobwatch, pictures, rows, search, words
from kiban.web.edits import order
from kiban.web.pictures import Pictures
from kiban.web.roster import Roster

SCREENSHOT = COMMANDS["screen.screenshot"]
PAGES = sorted(Path(bulk.__file__).parent.rglob("*.py"))


def test_every_word_is_in_both_languages_and_used() -> None:
    assert all(english and japanese for english, japanese in words.WORDS.values())
    asked = {key for page in PAGES for key in re.findall(r'words\(\s*f?"([^"]+)"', page.read_text())}
    asked |= {*bulk.COMMANDS, *frame.WAYS, *(COMMANDS.keys() & words.WORDS.keys())}
    patterns = [re.escape(key).replace("\\{", "{").replace("\\}", "}") for key in asked]
    patterns = [re.sub(r"{[^}]*}", ".+", pattern) for pattern in patterns]
    unused = {key for key in words.WORDS if not any(re.fullmatch(pattern, key) for pattern in patterns)}
    unknown = {key for key in asked if "{" not in key and key not in words.WORDS}
    assert (unused, unknown) == (set(), set())
    assert sum(len(part.WORDS) for part in words.PARTS) == len(words.WORDS)


@pytest.mark.parametrize("key", sorted(words.WORDS))
def test_both_languages_have_the_same_places(key: str) -> None:
    english, japanese = (set(re.findall(r"{(\w+)}", text)) for text in words.WORDS[key])
    assert english == japanese


@pytest.mark.parametrize(
    ("cookie", "accepted", "expected"),
    [
        ("", "ja,en-US;q=0.9", "ja"),
        ("", "ja-JP", "ja"),
        ("", "en;q=0.5, ja;q=0.6", "ja"),
        ("", "fr, ja;q=0, en;q=0.1", "en"),
        ("", "fr", "en"),
        ("", "ja;q=x,,;", "en"),
        ("en", "ja", "en"),
        ("ja", "en", "ja"),
        ("<script>", "ja", "ja"),
    ],
)
def test_the_language_is_the_chosen_or_the_browsers(cookie: str, accepted: str, expected: str) -> None:
    assert words.choose(cookie, accepted) == expected


def test_a_service_does_not_load_the_pages_before_they_are_asked_for() -> None:
    code = "import sys, kiban.api.server, kiban.web.manager; print([n for n in sys.modules if n.startswith('nicegui')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


class Lookable:
    """A session whose screens are counted; the picture is made when `ready` is set."""

    def __init__(self, role: Role) -> None:
        self.made = 0
        self.ready = asyncio.Event()
        self.session = Session(cast("Any", self), {"screen.screenshot": replace(SCREENSHOT, function=self.take)}, role)

    async def take(self, _: object, machine_id: str) -> bytes:
        self.made += 1
        await self.ready.wait()
        return machine_id.encode()


def test_many_lookers_get_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        there, kept = Lookable("viewer"), Pictures()
        lookers = [asyncio.create_task(kept.get(there.session, "a")) for _ in range(50)]
        lookers[0].cancel()  # one who goes away takes nobody's picture with him
        await asyncio.sleep(0)
        there.ready.set()
        assert await asyncio.gather(*lookers[1:]) == [b"a"] * 49
        assert (await kept.get(there.session, "a"), there.made) == (b"a", 1)
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + pictures.FRESH + 1)
        assert (await kept.get(there.session, "a"), there.made) == (b"a", 2)

    asyncio.run(asyncio.wait_for(main(), 60))


def test_only_a_few_pictures_are_made_at_a_time() -> None:
    async def main() -> None:
        there, kept = Lookable("viewer"), Pictures()
        lookers = [asyncio.create_task(kept.get(there.session, f"m{n}")) for n in range(10)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert there.made == pictures.AT_ONCE
        there.ready.set()
        assert len(await asyncio.gather(*lookers)) == 10

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_picture_that_is_there_is_not_for_everybody() -> None:
    async def main() -> None:
        there, kept = Lookable("viewer"), Pictures()
        there.ready.set()
        await kept.get(there.session, "a")
        with pytest.raises(NotAllowed):
            await kept.get(replace(there.session, role=None), "a")

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize(
    ("text", "names"),
    [("", ["web2", "web10", "Web-a"]), ("web 10 deb", ["web10"]), ("OFF", ["web2", "Web-a"]), ("debian -a", ["Web-a"])],
)
def test_machines_are_found_by_all_words(text: str, names: list[str]) -> None:
    there = [
        replace(VIEW, id="10", name="web10"),
        replace(VIEW, id="x", name="Web-a", state="off"),
        replace(VIEW, id="y", name="web2", state="off"),
    ]
    found = rows.find(there, rows.Query(text, page=7), words.Words("en"))
    assert [row["name"] for row in found.rows] == names
    assert (found.total, found.page) == (len(names), 1)


def test_no_more_is_sought_than_somebody_types() -> None:
    assert [search.sought(text) for text in (None, "", " Web  a", 7)] == [[], [], ["web", "a"], ["7"]]
    endless = "web " * 200_000 + "nowhere"
    assert rows.find([VIEW], rows.Query(endless), words.Words("en")).total == 1
    assert len(disktrees.find([DiskView(path="/web", links=(), problem="")], endless, 50)[0]) == 1


def test_a_row_says_what_is_wrong_with_a_machine() -> None:
    refused = Boot(state="refused", device="dvd0", sentence="It is not signed.")
    english = words.Words("en")
    assert rows.row(replace(VIEW, boot=refused), english)["note"] == "It is not signed."
    broken = rows.row(replace(VIEW, problem="It cannot be read.", started=None), english)
    assert (broken["note"], broken["memory"], broken["uptime"]) == ("It cannot be read.", "", "")


@pytest.mark.parametrize(
    ("seconds", "said"), [(1, "moments"), (60, "1 min"), (3660, "1 h 1 min"), (90000, "1 d 1 h"), (-50, "moments")]
)
def test_an_uptime_is_short(seconds: int, said: str) -> None:
    started = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    assert rows.row(replace(VIEW, started=started), words.Words("en"))["uptime"] == said


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ("disk floppy dvd nic", "disk"),  # what was only pushed down is not asked for
        ("floppy dvd disk nic", ""),
        ("floppy dvd nic disk", "floppy dvd nic"),
        ("nic dvd disk floppy", "nic dvd disk"),
    ],
)
def test_a_boot_order_of_classes_names_those_that_were_moved(wanted: str, named: str) -> None:
    first = replace(VIEW, generation=1)
    assert order.merged(wanted.split(), wanted.split(), first) == named.split()


def test_a_boot_order_of_devices_goes_with_what_came_and_went_meanwhile() -> None:
    now = replace(VIEW, boot_order=("dvd0", "disk0", "nic0"))
    assert order.merged(["disk1", "nic0", "disk0"], ["disk0", "disk1", "nic0"], now) == ["nic0", "disk0", "dvd0"]


@pytest.mark.parametrize("gen", [GEN1, GEN2])
def test_a_board_shows_what_its_generation_has_and_what_the_other_has(gen: Generation) -> None:
    other, english = GEN2 if gen is GEN1 else GEN1, words.Words("en")
    drawn = ElementTree.fromstring(board.draw(gen, other, english))  # noqa: S314  # its own picture
    kinds = Counter(str(each.get("class")) for each in drawn.iter("rect"))
    mine, theirs = board.parts(gen, english), board.parts(other, english)
    assert kinds["k-slot k-boots"] == {1: 4 + 1 + 4, 2: 4 + 8 + 2 + 8}[gen.number]
    assert kinds["k-slot k-asked"] == {1: 0, 2: 3}[gen.number]
    lacked = sum(len(b.slots) for a, b in zip(mine, theirs, strict=True) if not a.slots)
    assert kinds["k-slot k-lacks"] == lacked + (2 if gen is GEN1 else 0)  # Secure Boot and the TPM
    text = [each.text for each in drawn.iter("text")]
    assert {"NVMe", "Floppy", "PS/2", "Secure Boot", "TPM 2.0"} <= {*text}


def test_reasons_are_given_for_what_differs() -> None:
    english = words.Words("en")
    differs = {key for key, cell in contract.ROWS.items() if cell(GEN1, english) != cell(GEN2, english)}
    reasons = {key.removeprefix("because ") for key in words.WORDS if key.startswith("because ")}
    assert reasons <= differs


def test_hardware_stands_where_it_is() -> None:
    english = words.Words("en")
    first = replace(
        VIEW,
        generation=1,
        secure_boot=None,
        disks=(replace(VIEW.disks[0], bus="ide", slot=2), replace(VIEW.disks[0], id="disk1", slot=64)),
        dvds=(replace(VIEW.dvds[0], bus="ide", slot=1),),
    )
    found = {branch.title: branch for branch in hardware.tree(first, english)}
    assert found["IDE Controller 0"].lines == ("1: dvd0, DVD drive: empty",)
    assert found["IDE Controller 0"].devices == ("dvd0",)
    assert found["IDE Controller 1"].lines == ("0: disk0, disk0.qcow2 (qcow2)",)
    assert found["SCSI Controller 1"].lines == ("0: disk1, disk0.qcow2 (qcow2)",)
    assert found["COM 1"].lines == ("socket",)
    assert found["Diskette Drive"].lines == ("/a.img",)
    assert {title for title, branch in found.items() if branch.reason} == {"Security"}
    second = {branch.title: branch for branch in hardware.tree(replace(VIEW, floppy=None, coms=()), english)}
    assert found.keys() - second.keys() == {"BIOS", "IDE Controller 0", "IDE Controller 1", "SCSI Controller 1"}
    assert {title for title, branch in second.items() if branch.reason} == {
        "IDE Controller 0, 1",
        "Legacy Network Adapter",
        "COM 1",
        "COM 2",
        "Diskette Drive",
    }


class Machines:
    """A session that knows one machine, by its id and by its name."""

    def __init__(self) -> None:
        self.host = SimpleNamespace(events=Bus())

    async def run(self, command: str, name: str = "") -> Any:
        if command == "machines.list":
            return [VIEW]
        assert command == "machines.info"
        if name not in (VIEW.id, VIEW.name):
            raise NotFound("There is no such machine.", "kiban ls")
        return VIEW


def test_a_machine_that_has_just_come_is_known_before_its_event_was_heard() -> None:
    async def main() -> None:
        roster = Roster(cast("Session", Machines()))
        assert not await roster.knows("nobody")
        assert not await roster.knows("")
        assert await roster.knows(VIEW.id)
        assert not await roster.knows(VIEW.name)
        assert roster.machines == {VIEW.id: VIEW}

    asyncio.run(main())


def test_a_page_that_fails_keeps_no_other_from_following() -> None:
    async def main() -> None:
        there, told = Machines(), asyncio.Queue[str]()
        roster = Roster(cast("Session", there))
        keeping = await roster.load()

        def fails() -> None:
            told.put_nowait("fails")
            raise KeyError("id")

        for watcher in (fails, lambda: told.put_nowait("is told")):
            roster.watch(watcher)
        for _ in range(2):
            there.host.events.publish("machine.state", machine_id=VIEW.id)
            assert {await told.get(), await told.get()} == {"fails", "is told"}
        keeping.cancel()

    asyncio.run(asyncio.wait_for(main(), 60))


def _link(path: str, parent: str = "", machine: str = "") -> LinkView:
    uses = (Use(machine=machine, disk="disk0", state="off", writes=True),) if machine else ()
    return LinkView(
        path=path,
        parent=parent,
        uses=uses,
        format="qcow2",
        kind="dynamic",
        virtual_size=1,
        actual_size=1,
        logical_sector=512,
        physical_sector=512,
        dirty=False,
        snapshots=0,
    )


def test_only_so_many_images_are_drawn_and_no_child_without_its_parent() -> None:
    clones = [_link(f"/m{number}.qcow2", "/base.qcow2", f"m{number}") for number in range(1000)]
    views = [
        DiskView(path="/base.qcow2", links=(_link("/base.qcow2"), *clones), problem=""),
        DiskView(path="/gone.qcow2", links=(), problem="disk0 of lost: There is no file."),
        DiskView(path="/own.vhdx", links=(_link("/own.vhdx", machine="own"),), problem=""),
    ]

    def found(text: str, most: int = 50) -> tuple[list[list[str]], int]:
        families, more = disktrees.find(views, text, most)
        return [[link.path for link in family.shown] for family in families], more

    first = ["/base.qcow2", *(f"/m{number}.qcow2" for number in range(49))]
    assert found("") == ([first], 1003 - 50)
    assert found("", 2000) == ([[link.path for link in views[0].links], [], ["/own.vhdx"]], 0)
    assert found("M777") == ([["/base.qcow2", "/m777.qcow2"]], 0)
    assert found("base") == ([first], 951), "and what is made on it"
    assert found("lost") == ([[]], 0)
    assert found("own.vhdx raw") == ([], 0)


def test_who_waits_for_a_job_hears_of_it_by_events(tmp_path: Path) -> None:
    async def run() -> None:
        bus = Bus()
        jobs = Jobs(tmp_path / "jobs.db", bus)
        session = cast("Session", SimpleNamespace(host=SimpleNamespace(events=bus, jobs=jobs)))
        half, done = asyncio.Event(), asyncio.Event()
        heard: list[tuple[str, float]] = []

        async def work(progress: Progress) -> str:
            await half.wait()
            progress(0.5, "copying")
            await done.wait()
            return "made"

        def show(job: Job) -> None:
            heard.append((job.text, job.progress))
            (done if job.progress else half).set()  # the next step is taken once this one was shown

        ended = await asyncio.wait_for(jobwatch.over(session, jobs.run("disks.resize", "m1", work), show), 60)
        assert (ended.state, ended.result, heard) == ("done", "made", [("", 0.0), ("copying", 0.5)])
        assert await jobwatch.over(session, ended, show) == ended, "one that is over already"
        await jobs.close()

    asyncio.run(run())
