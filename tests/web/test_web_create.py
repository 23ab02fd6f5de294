# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine is made in the browser: an ISO is sent, recognised and judged, and what is refused is explained."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from boot_media import BOOT, iso
from bootcheck_images import GRUB, SHIM, real, tiny
from engine_world import World
from playwright.sync_api import Locator, Page, expect
from web_caller import Caller
from web_service import WAIT, Place

import kiban

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]
GOOD, BAD = "good.iso", "bad.iso"


@pytest.fixture(scope="module")
def media(there: World) -> Path:
    """An ISO whose loader is signed for microsoft-uefi-ca, and one whose loader is not; both are for BIOS too."""
    folder = there.root / "iso"
    folder.mkdir()
    iso(folder / GOOD, {}, esp={BOOT: real(SHIM), "EFI/BOOT/grubx64.efi": real(GRUB)}, bios=True, size=8 << 20)
    iso(folder / BAD, {}, esp={BOOT: tiny()}, bios=True, size=8 << 20)
    return folder


@pytest.fixture
def page(page: Page) -> Page:
    page.get_by_role("link", name="New machine").first.click()
    expect(page.get_by_label("Name", exact=True)).not_to_have_value("")
    expect(line(page)).to_have_text(re.compile("^kiban create "))  # the last that the service says by itself
    return page


def send(page: Page, *files: Path) -> None:
    page.locator("input[type=file]").set_input_files(list(files))


def said(page: Page) -> Locator:
    return page.locator(".k-said")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def line(page: Page) -> Locator:
    return page.locator(".k-code")


def test_an_iso_is_sent_judged_and_becomes_a_machine_that_runs(page: Page, media: Path, place: Place) -> None:
    send(page, media / GOOD)
    expect(said(page)).to_have_text("In the library: good.iso")
    expect(page.get_by_label("Image (ISO)")).to_have_value(re.compile("good.iso"))
    expect(page.get_by_label("Name", exact=True)).to_have_value("good")
    expect(page.get_by_text("starts on UEFI, which generation 2 has")).to_be_visible()
    expect(page.locator(".k-verdict")).to_have_text("Secure Boot lets it start")
    page.get_by_label("Memory").fill("256M")
    path = place.client.media()[0].path
    assert Path(path).read_bytes() == (media / GOOD).read_bytes()
    expect(line(page)).to_have_text(f"kiban create good --memory 256M --disk 20G --dvd {path}")
    press(page, "Create and start")
    expect(page.get_by_role("heading", level=1)).to_have_text("good")
    expect(page.locator(".k-bar .k-state")).to_have_text("Running")
    machine = place.client.machine("good")
    assert (machine.generation, machine.memory, machine.dvds[0].medium) == (2, 256 << 20, path)
    assert (machine.disks[0].format, machine.secure_boot, machine.nics[0].network) == ("qcow2", True, "nat")
    assert place.client.media()[0].machines == ["good"]


def test_a_refused_iso_is_explained_with_ways_out(page: Page, media: Path) -> None:
    send(page, media / BAD)
    expect(page.locator(".k-verdict")).to_have_text("Secure Boot refuses it")
    expect(page.get_by_text("is not signed")).to_be_visible()
    press(page, "Turn Secure Boot off")
    expect(page.locator(".k-verdict")).to_have_count(0)
    expect(line(page)).to_contain_text("--secure-boot off")
    page.get_by_role("switch", name="Secure Boot").click()
    expect(page.locator(".k-verdict")).to_have_text("Secure Boot refuses it")
    press(page, "Make it generation 1")
    expect(page.get_by_text("A generation 1 machine has a BIOS")).to_be_visible()
    expect(line(page)).to_contain_text("kiban create bad --generation 1 ")


def test_another_template_that_lets_it_start_is_offered(page: Page, media: Path) -> None:
    page.get_by_label("Template").click()
    page.get_by_role("option", name="microsoft-windows").click()
    page.get_by_label("Image (ISO)").click()
    page.get_by_role("option", name="Another one on the host").click()
    page.get_by_label("Path of the ISO").fill(str(media / GOOD))
    expect(page.locator(".k-verdict")).to_have_text("Secure Boot refuses it")
    press(page, "Use the template microsoft-uefi-ca")
    expect(page.locator(".k-verdict")).to_have_text("Secure Boot lets it start")
    expect(line(page)).to_contain_text(f"--disk 20G --dvd {media / GOOD}")
    expect(line(page)).not_to_contain_text("--template")


def test_what_is_wrong_is_said_at_its_field(page: Page, media: Path, place: Place) -> None:
    if "taken" not in {machine.name for machine in place.client.machines()}:
        place.client.create("taken", generation=1)
    for label, wrong, reason in (
        ("Name", "a b", "cannot be a machine's name"),
        ("Name", "taken", "There is a machine taken already"),
        ("Virtual processors", "0", "has 1 to"),
        ("Memory", "much", "is not a size"),
        ("Size", "-1G", "is not a size"),
    ):
        field = page.get_by_label(label, exact=True)
        right = field.input_value()
        field.fill(wrong)
        expect(page.get_by_role("alert").filter(has_text=reason)).to_be_visible()  # and, later, instead of the command
        press(page, "Create")
        field.fill(right)
        expect(page.get_by_text(reason)).to_have_count(0)
    page.get_by_label("Image (ISO)").click()
    page.get_by_role("option", name="Another one on the host").click()
    page.get_by_label("Path of the ISO").fill(str(media / "nowhere.iso"))
    expect(page.get_by_role("alert").filter(has_text="There is no file")).to_be_visible()  # and where the verdict is
    press(page, "Create")
    expect(page.locator(".k-job")).to_contain_text("Failed")
    expect(page.get_by_role("button", name="Create", exact=True)).to_be_enabled()
    assert "nowhere" not in {machine.name for machine in place.client.machines()}


def test_ports_disks_and_generation_1(page: Page, place: Place, there: World) -> None:
    disk = there.root / "old,1.vhd"
    place.client.create_disk(str(disk), 1 << 30)
    page.get_by_label("Name", exact=True).fill("old")
    page.get_by_text("Generation 1: BIOS").click()
    page.get_by_label("Disk", exact=True).click()
    page.get_by_role("option", name="A copy of an existing image").click()
    page.get_by_label("Path of the image").fill(str(disk))
    page.get_by_label("Format").click()
    page.get_by_role("option", name="vhd", exact=True).click()
    press(page, "Lead a port of the host into the guest")
    page.get_by_label("Port of the host").fill("2222")
    page.get_by_label("Port of the guest").fill("22")
    escaped = str(disk).replace(",", ",,")
    expect(line(page)).to_have_text(
        f"kiban create old --generation 1 --disk {escaped},format=vhd,copy --dvd none --nic nat,forward=2222:22"
    )
    press(page, "Create")
    expect(page.get_by_role("heading", level=1)).to_have_text("old")
    machine = place.client.machine("old")
    assert (machine.generation, machine.disks[0].format, machine.state) == (1, "vhd", "off")
    assert [(port.host_port, port.guest_port) for port in machine.nics[0].forwards] == [(2222, 22)]


def test_what_is_not_an_iso_or_there_already_is_refused_in_words(page: Page, media: Path, place: Place) -> None:
    wrong = media / "wrong.iso"
    with wrong.open("wb") as file:
        file.truncate(50 << 20)
    send(page, wrong)
    expect(said(page)).to_contain_text("wrong.iso is not an ISO image")
    send(page, media / GOOD)
    expect(said(page)).to_contain_text("good.iso is in the library already")
    assert "wrong.iso" not in {image.name for image in place.client.media()}


def parts(there: World) -> list[str]:
    return [path.name for path in there.paths.media.iterdir() if path.name.startswith(".")]


def test_an_upload_is_seen_and_cancelled(page: Page, media: Path, place: Place, there: World) -> None:
    large = media / "large.iso"
    with large.open("wb") as file:
        file.write((media / BAD).read_bytes())
        file.truncate(600 << 20)
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 4 << 20},
    )
    send(page, large)
    expect(said(page)).to_contain_text(re.compile(r"Sending large\.iso: [1-9]\d* %"))
    _until(lambda: parts(there) == [".large.iso.part"])  # the service may be behind what the browser has sent
    page.locator(".k-sending").get_by_role("button", name="Cancel").click()
    expect(said(page)).to_contain_text("was cancelled")
    _until(lambda: parts(there) == [])
    assert "large.iso" not in {image.name for image in place.client.media()}


def _until(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_a_viewer_sees_and_may_do_nothing(enter: Enter, place: Place) -> None:
    page = enter(place.as_("operator"))
    page.get_by_role("link", name="New machine").first.click()
    expect(page.locator(".k-page").get_by_text("Your role may not do this.").first).to_be_visible()
    for name in ("Create", "Create and start"):
        button = page.get_by_role("button", name=name, exact=True)
        expect(button).to_be_disabled()
        expect(button).to_have_attribute("title", "Your role may not do this.")
    expect(page.locator("input[type=file]")).to_be_disabled()
    expect(page.get_by_label("Name", exact=True)).to_be_disabled()


def test_it_fits_a_phone(enter: Enter) -> None:
    page = enter(viewport={"width": 390, "height": 800}, locale="ja-JP", color_scheme="dark")
    page.goto(page.url + "create")
    expect(page.get_by_label("名前", exact=True)).not_to_have_value("")
    page.wait_for_function("document.documentElement.scrollWidth <= 390")


# what others than the page's own script may try


@pytest.fixture
def caller(client: kiban.Client) -> Caller:
    made = Caller(client.web().url)
    made.enter()
    return made


def announced(
    caller: Caller, method: str, path: str, *, size: int, body: bytes = b"", **headers: str
) -> tuple[int, str]:
    """A request that announces `size` bytes and may send fewer; status and code of the answer."""
    line = http.client.HTTPConnection("127.0.0.1", caller.port, timeout=WAIT)
    line.sock = caller.dial()
    line.putrequest(method, path, skip_host=True)
    said = {"Host": caller.host, "Cookie": caller.cookie, "Origin": caller.own, "Content-Length": str(size)}
    for key, value in (said | headers).items():
        if value:
            line.putheader(key, value)
    line.endheaders(body)
    answer = line.getresponse()
    found = answer.status, json.loads(answer.read() or b"{}").get("code", "")
    line.close()
    return found


def put(caller: Caller, name: str, *, size: int, body: bytes = b"", **headers: str) -> tuple[int, str]:
    return announced(caller, "PUT", f"/media/{name}", size=size, body=body, **headers)


def images(there: World) -> set[Path]:
    """Images and parts of them, wherever they are; machines that run have files that come and go."""
    return {path for path in there.paths.state.rglob("*") if {".iso", ".exe"} & {*path.suffixes}}


@pytest.mark.parametrize("name", ["..%2fx.iso", "%2e%2e/x.iso", "a%00.iso", "a/x.iso", ".x.iso", "x.exe", "%ff.iso"])
def test_tricks_in_names(caller: Caller, there: World, name: str) -> None:
    before = images(there)
    assert put(caller, name, size=3, body=b"abc") == (422, "unknown-format" if name == "x.exe" else "bad-name")
    assert images(there) == before


def test_a_huge_upload_is_refused_before_it_comes(caller: Caller) -> None:
    assert put(caller, "huge.iso", size=1 << 59) == (503, "no-space")
    assert caller.ask("GET", f"/media/huge.iso?size={1 << 59}")[0] == 503


def test_who_may_not_is_refused_before_anything_is_read(caller: Caller, place: Place) -> None:
    assert put(caller, "x.iso", size=1 << 30, Cookie="") == (401, "no-session")
    assert put(caller, "x.iso", size=1 << 30, Origin="http://evil.example") == (403, "wrong-origin")
    assert put(caller, "x.iso", size=1 << 30, Origin="") == (403, "wrong-origin")
    for role in ("viewer", "operator"):
        other = Caller(place.as_(role).web().url)
        other.enter()
        assert put(other, "x.iso", size=1 << 30) == (403, "not-allowed")
        assert other.ask("GET", "/media/x.iso?size=5")[0] == 403


def test_nothing_else_may_be_long(caller: Caller) -> None:
    for method, path in (("POST", "/media/x.iso"), ("PUT", "/create"), ("PUT", "/media"), ("PUT", "/")):
        assert announced(caller, method, path, size=2 << 20)[0] == 413, (method, path)
