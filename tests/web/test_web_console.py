# SPDX-License-Identifier: GPL-2.0-or-later
"""The console: real noVNC in a real browser, through the real service, to the screen of the fake QEMU."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import machines
import pytest
from engine_world import World
from fake_screen import FIRST
from playwright.sync_api import Locator, Page, expect
from web_caller import Caller
from web_service import WAIT, Place
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

import kiban
from kiban.engine import novnc
from kiban.errors import HostLacks
from kiban.model.requests import ComRequest, DvdRequest

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]
ASKED = [b"RFB 003.008\n", b"\x01", b"\x01"]
"""How a viewer of RFB 3.8 begins."""
CONSOLE = (sys.executable, "-c", "import sys; from kiban.cli.main import main; sys.exit(main())", "console", "m1")


@pytest.fixture(scope="module")
def there(there: World) -> Iterator[World]:
    """A machine of each generation, and the list of what is done to their keyboards and mice."""
    try:
        novnc.find()
    except HostLacks as error:
        pytest.skip(f"{error.message} {error.hint}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_QEMU_HANDS", str(there.root / "hands"))
        there.put(
            machines.make(1, serial=1, nics=(), dvds=(DvdRequest(),), coms=(ComRequest(number=1, kind="socket"),))
        )
        there.put(machines.make(2, serial=2))
        yield there


@pytest.fixture
def hands(there: World) -> Path:
    """What was done to keyboards and mice, a line for each."""
    file = there.root / "hands"
    file.write_text("")
    return file


@pytest.fixture(autouse=True)
def running(client: kiban.Client, there: World) -> None:
    if client.machine("m1").state == "off":
        client.start("m1")


def visit(page: Page, place: Place, name: str = "m1") -> Locator:
    page.goto(f"{page.url.rstrip('/')}/console/{place.client.machine(name).id}")
    canvas = page.locator(".k-console canvas")
    expect(canvas).to_be_visible()
    return canvas


def shows(page: Page, colour: tuple[int, int, int]) -> None:
    page.wait_for_function(
        """([r, g, b]) => { const canvas = document.querySelector(".k-console canvas");
        const pixel = canvas?.getContext("2d").getImageData(canvas.width - 9, canvas.height - 9, 1, 1).data;
        return pixel && pixel[0] === r && pixel[1] === g && pixel[2] === b; }""",
        arg=list(colour),
    )


def felt(page: Page, hands: Path, what: str) -> None:
    for _ in range(int(WAIT * 10)):
        if what in hands.read_text().splitlines():
            return
        page.wait_for_timeout(100)
    pytest.fail(f"{what} is not in {hands.read_text()}")


def after(key: str) -> tuple[int, int, int]:
    return ord(key), 0, 200


def test_the_screen_is_shown_and_typed_into(page: Page, place: Place, hands: Path) -> None:
    canvas = visit(page, place)
    shows(page, FIRST)
    canvas.click()
    expect(page.get_by_text("Keys go to the guest.")).to_be_visible()
    page.keyboard.press("a")
    shows(page, after("a"))
    felt(page, hands, "key 0x61 up")
    page.mouse.move(300, 300)
    assert re.search(r"^pointer 1 \d+ \d+$", hands.read_text(), re.M), "the click"


def test_the_keyboard_is_reached_and_left_with_keys(page: Page, place: Place, hands: Path) -> None:
    canvas = visit(page, place)
    canvas.focus()
    page.keyboard.press("Tab")
    felt(page, hands, "key 0xff09 down")
    assert canvas.evaluate("canvas => canvas === document.activeElement"), "a tab is the guest's"
    page.keyboard.press("Control+Alt+ArrowLeft")
    expect(page.get_by_text("Click the screen")).to_be_visible()
    felt(page, hands, "key 0xffe3 up")
    felt(page, hands, "key 0xffe9 up")
    assert page.evaluate("document.activeElement.closest('.k-console-bar') !== null")
    assert "key 0xff51" not in hands.read_text(), "the arrow was not meant for the guest"


def test_two_look_at_the_same_screen(enter: Enter, place: Place) -> None:
    pages = [enter(), enter()]
    for page in pages:
        visit(page, place).click()
    for page, key in zip(pages, "xy", strict=True):
        page.keyboard.press(key)
        for other in pages:
            shows(other, after(key))


def test_a_viewer_looks_and_cannot_touch(enter: Enter, page: Page, place: Place, hands: Path) -> None:
    viewer = enter(place.as_("viewer"))
    visit(viewer, place).click()
    expect(viewer.get_by_text("keyboard and mouse do nothing")).to_be_visible()
    viewer.keyboard.press("v")
    for button in viewer.locator(".k-console-bar button[title='Your role may not do this.']").all():
        expect(button).to_be_disabled()
    visit(page, place).click()
    page.keyboard.press("k")
    shows(viewer, after("k"))
    assert "0x76" not in hands.read_text()


def test_it_says_that_the_machine_is_off_and_connects_by_itself(page: Page, place: Place) -> None:
    place.client.stop("m1", force=True)
    page.goto(f"{page.url.rstrip('/')}/console/{place.client.machine('m1').id}")
    expect(page.get_by_text("The machine is off. Press Start.")).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    shows(page, FIRST)
    place.client.stop("m1", force=True)
    expect(page.get_by_text("The machine is off. Press Start.")).to_be_visible()
    place.client.start("m1")
    shows(page, FIRST)


KEEP = """window.lines = []; window.WebSocket = new Proxy(WebSocket, { construct(kind, how) {
const line = new kind(...how); if (line.url.endsWith("/screen")) window.lines.push(line); return line; } });"""
"""Keeps a page's connections to screens, to be cut."""


def test_a_lost_connection_is_made_again(page: Page, place: Place) -> None:
    page.add_init_script(KEEP)
    visit(page, place)
    page.evaluate("window.lines[0].close()")
    page.wait_for_function("window.lines.length > 1 && window.lines.at(-1).readyState === WebSocket.OPEN")
    expect(page.locator(".k-console-note")).to_have_count(0)


def test_a_session_that_is_over_is_told_of(page: Page, place: Place) -> None:
    page.add_init_script(KEEP)
    visit(page, place)
    page.context.clear_cookies()
    page.evaluate("window.lines[0].close()")
    expect(page.get_by_text("Your session is over.")).to_be_visible()


def test_it_fills_the_window_or_the_whole_display(page: Page, place: Place) -> None:
    canvas = visit(page, place)
    fit = page.get_by_label("Fit to the window")
    expect(fit).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("document.querySelector('.k-console canvas').offsetWidth > 320")
    fit.click()
    expect(fit).to_have_attribute("aria-pressed", "false")
    page.wait_for_function("document.querySelector('.k-console canvas').offsetWidth === 320")
    page.get_by_label("Full screen").click()
    page.wait_for_function("document.fullscreenElement?.classList.contains('k-console')")
    expect(canvas).to_be_focused()  # it is for typing


def test_text_is_typed_or_refused_as_a_whole(page: Page, place: Place) -> None:
    visit(page, place)
    page.get_by_label("Type text").click()
    page.get_by_label("Text to type").fill("über é")
    page.get_by_role("button", name="Type", exact=True).click()
    expect(page.get_by_text("'é', 'ü' cannot be typed on a US keyboard.")).to_be_visible()


def test_a_disc_that_is_not_there_is_refused(page: Page, place: Place, there: World) -> None:
    visit(page, place)
    page.get_by_label("Change the DVD").click()
    page.get_by_text("Disc in dvd0").click()
    form = page.get_by_role("dialog")
    form.get_by_role("textbox").fill(str(there.root / "none.iso"))
    form.get_by_role("button", name="Insert", exact=True).click()
    expect(form).to_contain_text("There is no file")
    disc = there.root / "a.iso"
    disc.write_bytes(bytes(16 * 2048) + b"\x01CD001" + bytes(16 * 2048))
    place.client.insert("m1", "dvd0", str(disc))  # somebody else, meanwhile: the form stays
    place.client.pause("m1")
    expect(page.locator(".k-console-bar .k-state")).to_have_text("Paused")  # so the page knows of the disc, too
    place.client.resume("m1")
    form.get_by_role("button", name="Cancel").click()
    expect(form).to_have_count(0)


def test_the_picture_is_saved(page: Page, place: Place) -> None:
    visit(page, place)
    with page.expect_download() as saving:
        page.get_by_label("Save a picture").click()
    assert re.fullmatch(r"m1-\d{8}-\d{6}\.png", saving.value.suggested_filename)
    assert saving.value.path().read_bytes().startswith(b"\x89PNG")


def test_it_is_led_to_from_the_list_and_the_machine(page: Page) -> None:
    page.get_by_label("Connect to m1").click()
    expect(page.locator(".k-console canvas")).to_be_visible()
    page.get_by_role("link", name="Settings and events").click()
    page.get_by_role("link", name="Connect", exact=True).click()
    expect(page.locator(".k-console canvas")).to_be_visible()


def test_it_fits_a_phone(enter: Enter, place: Place) -> None:
    page = enter(viewport={"width": 390, "height": 800})
    visit(page, place)
    page.wait_for_function("document.documentElement.scrollWidth <= 390")


# a COM port; the fake guest says everything twice


def terminal(page: Page, place: Place) -> Locator:
    page.goto("/".join(page.url.split("/")[:3]) + f"/console/{place.client.machine('m1').id}/com/1")
    return page.locator(".k-terminal .xterm-rows")


def test_a_com_port_is_a_terminal_for_several(enter: Enter, place: Place) -> None:
    pages = [enter(), enter()]
    rows = [terminal(page, place) for page in pages]
    for each in rows:
        expect(each).to_contain_text("ready")
    for page, word in zip(pages, ("ab", "xy"), strict=True):
        page.locator(".k-terminal .xterm").click()
        page.keyboard.insert_text(word)
        for each in rows:
            expect(each).to_contain_text(word * 2)


def test_of_several_browsers_one_answers_the_guest(enter: Enter, place: Place) -> None:
    pages = [enter(), enter()]
    rows = [terminal(page, place) for page in pages]
    for each in rows:
        expect(each).to_contain_text("ready")
    with place.as_("operator").console("m1") as guest:
        guest.write(b"\x1b[5nmark")  # it says everything twice, so it asks two questions
        for each in rows:
            expect(each).to_contain_text("markmark")
        for page, key in zip(pages, "xy", strict=True):  # typed after what the terminal has answered
            page.locator(".k-terminal .xterm").click()
            page.keyboard.insert_text(key)
            for each in rows:
                expect(each).to_contain_text(key * 2)
        said = b""
        while not said.endswith(b"yy"):
            said += guest.read(WAIT)
    assert said.count(b"\x1b[0n") == 2 * 2


def test_a_terminal_is_left_with_keys_and_waits_for_its_machine(page: Page, place: Place) -> None:
    rows = terminal(page, place)
    expect(rows).to_contain_text("ready")
    page.locator(".k-terminal .xterm").click()
    page.keyboard.press("Control+Alt+ArrowLeft")
    assert page.evaluate("document.activeElement.closest('.k-console-bar') !== null")
    place.client.stop("m1", force=True)
    expect(page.get_by_text("The terminal connects when it starts.")).to_be_visible()
    place.client.start("m1")
    expect(page.get_by_text("The terminal connects when it starts.")).to_be_hidden()


def test_a_port_in_use_elsewhere_is_told_of(page: Page, place: Place) -> None:
    page.get_by_label("Connect to m1").click()
    with socket.socket(socket.AF_UNIX) as console:
        console.connect(f"{place.client.machine('m1').runtime}/com1.sock")
        console.recv(100)
        page.get_by_role("link", name="COM 1").click()
        expect(page.get_by_text("Another program is attached to COM1 of m1.")).to_be_visible()
    expect(page.locator(".k-terminal .xterm-rows")).to_contain_text("ready")


def test_a_browser_and_the_command_line_share_a_port(page: Page, place: Place, there: World) -> None:
    rows = terminal(page, place)
    expect(rows).to_contain_text("ready")
    env = os.environ | {"KIBAN_URL": f"unix://{there.paths.socket}"}
    with subprocess.Popen(CONSOLE, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as console:
        assert console.stdin is not None
        assert console.stdout is not None
        assert console.stdout.read(7) == b"ready\r\n", "what was said before"
        console.stdin.write(b"ab")
        console.stdin.flush()
        expect(rows).to_contain_text("abab")
        assert console.stdout.read(4) == b"abab"
        page.locator(".k-terminal .xterm").click()
        page.keyboard.insert_text("xy")
        assert console.stdout.read(4) == b"xyxy"
        with place.as_("operator").console("m1") as elsewhere:
            assert elsewhere.read(WAIT).endswith(b"ababxyxy")
        console.terminate()


def test_a_viewer_gets_no_terminal(enter: Enter, place: Place) -> None:
    page = enter(place.as_("viewer"))
    rows = terminal(page, place)
    expect(page.get_by_text("Your role may not do this.")).to_be_visible()
    expect(rows).not_to_contain_text("ready")


# without a browser


def caller(client: kiban.Client) -> Caller:
    """A session, as a program has it."""
    found = Caller(client.web().url)
    found.enter()
    return found


def screen_of(client: kiban.Client, name: str = "m1") -> str:
    return f"/console/{client.machine(name).id}/screen"


def begin(line: ClientConnection) -> None:
    for said in ASKED:
        line.recv(WAIT)
        line.send(said)
    line.recv(WAIT)


def test_another_sites_page_gets_no_screen(client: kiban.Client) -> None:
    line = caller(client)
    for headers in ({"Origin": "http://evil.example"}, {"Cookie": "kiban-1=x"}):
        with pytest.raises(InvalidStatus, match="403"):
            line.websocket(screen_of(client), **headers)


def test_what_a_viewer_types_past_the_page_is_dropped(place: Place, hands: Path) -> None:
    press = bytes([4, 1, 0, 0, 0, 0, 0, 0x76]) + bytes([255, 0, 0, 1, 0, 0, 0, 0x76, 0, 0, 0, 47])
    point = bytes([5, 1, 0, 9, 0, 9])
    with caller(place.as_("viewer")).websocket(screen_of(place.client)) as line:
        begin(line)
        line.send(press + point + bytes([3, 0]) + bytes(8))
        assert isinstance(line.recv(WAIT), bytes), "what follows is answered"
    assert hands.read_text() == ""
    with caller(place.as_("operator")).websocket(screen_of(place.client)) as line:
        begin(line)
        line.send(press + point + bytes([3, 0]) + bytes(8))
        line.recv(WAIT)
        assert "key 0x76 down" in hands.read_text()


@pytest.mark.parametrize(("said", "why"), [(b"GET / HTTP/1.1\r\n", "Reload the page"), ("text", "for bytes")])
def test_what_is_not_rfb_ends_the_connection(client: kiban.Client, said: bytes | str, why: str) -> None:
    with caller(client).websocket(screen_of(client)) as line:
        line.recv(WAIT)
        line.send(said)
        with pytest.raises(ConnectionClosed, match=why):
            line.recv(WAIT)


def test_a_machine_that_is_off_says_so(client: kiban.Client) -> None:
    with caller(client).websocket(screen_of(client, "m2")) as line, pytest.raises(ConnectionClosed, match="it is off"):
        line.recv(WAIT)


def test_only_novncs_modules_are_given(client: kiban.Client) -> None:
    line = caller(client)
    assert line.ask("GET", "/novnc/core/rfb.js")[0] == 200
    for path in ("core/../vnc.html", "vnc.html", "utils/novnc_proxy", "..%2f..%2fetc/passwd", "/etc/passwd", "core"):
        assert line.ask("GET", f"/novnc/{path}")[0] == 404, path
