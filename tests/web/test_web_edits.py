# SPDX-License-Identifier: GPL-2.0-or-later
"""Changing a machine from its page: settings, devices, media, the boot order, its name and its end."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path

import machines
import pytest
from engine_world import World
from playwright.sync_api import Locator, Page, expect
from test_firmware_bootorder import DEBIAN, guest_puts
from web_service import WAIT, Place

import kiban
from kiban.model.requests import DiskRequest, DvdRequest

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]
MIB = 1 << 20


@pytest.fixture(scope="module")
def there(there: World) -> World:
    """A machine of generation 1, with a DVD drive on IDE."""
    there.put(machines.make(1, serial=1, nics=(), dvds=(DvdRequest(),)))
    (there.root / "a.iso").write_bytes(bytes(16 * 2048) + b"\x01CD001" + bytes(16 * 2048))
    return there


@pytest.fixture(scope="module", autouse=True)
def second(place: Place) -> None:
    """A machine of generation 2 as it is made, with its NVRAM."""
    place.client.create("m2", generation=2, memory=128 * MIB, disks=[{"size": 64 * MIB}], dvds=[""])


def visit(page: Page, name: str) -> None:
    page.goto(page.url.partition("/machine")[0])
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def press(page: Page | Locator, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def branch(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


def form(page: Page, button: str) -> Locator:
    press(page, button)
    return page.get_by_role("dialog")


def send(dialog: Locator, button: str = "Save") -> None:
    press(dialog, button)
    expect(dialog).to_have_count(0)


def leave(dialog: Locator) -> None:
    """Cancel, and wait until it is out of sight: the next one is another."""
    send(dialog, "Cancel")


def choose(dialog: Locator, label: str, option: str, *, exact: bool = False) -> None:
    dialog.get_by_label(label, exact=exact).click()
    dialog.page.get_by_role("option", name=option).click()


def test_only_what_was_changed_is_sent(page: Page, client: kiban.Client) -> None:
    visit(page, "m1")
    dialog = form(page, "Change: Memory")
    client.edit("m1", cpus=3)  # somebody else, meanwhile
    dialog.get_by_label("Memory").fill("96M")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(branch(page, "Memory")).to_contain_text("96 MiB")
    expect(branch(page, "Processor")).to_contain_text("3")
    dialog = form(page, "Change: Processor")
    dialog.get_by_label("Virtual processors").fill("2")
    send(dialog)
    expect(branch(page, "Processor")).to_contain_text("2")
    view = client.machine("m1")
    assert (view.cpus, view.memory) == (2, 96 * MIB)
    dialog = form(page, "Change: Management")
    dialog.get_by_label("Notes").fill("The <b>shop</b>")
    dialog.get_by_role("switch", name="Start with the host").click()
    send(dialog)
    expect(branch(page, "Management")).to_contain_text("The <b>shop</b>")
    assert client.machine("m1").autostart


def test_a_refusal_is_shown_at_the_form(page: Page, client: kiban.Client) -> None:
    visit(page, "m1")
    dialog = form(page, "Change: Memory")
    field, told = dialog.get_by_label("Memory"), dialog.get_by_role("alert")
    field.fill("2T")
    press(dialog, "Save")
    expect(told).to_contain_text("A generation 1 machine has 8 MiB to 1 TiB of memory")
    field.fill("much")
    dialog.get_by_role("button", name="Save").press("Enter")
    expect(told).to_contain_text("'much' is not a size. Write a number and a unit")
    expect(dialog.get_by_role("button", name="Save")).to_be_focused()
    field.fill("64M")
    send(dialog)
    assert client.machine("m1").memory == 64 * MIB
    dialog = form(page, "Change: Management")
    dialog.get_by_label("Guest operating system").fill("debain11")
    press(dialog, "Save")
    expect(dialog.get_by_role("alert")).to_contain_text("Did you mean debian11")
    leave(dialog)
    dialog = form(page, "Change: Diskette Drive")
    dialog.get_by_label("Floppy image").fill("no-path.img")
    press(dialog, "Save")
    expect(dialog.get_by_role("alert")).to_contain_text("floppy: It takes a path on the host")
    press(page, "Cancel")
    focus = "document.activeElement.closest('button')?.ariaLabel === 'Change: Diskette Drive'"
    page.wait_for_function(focus)


def test_what_a_running_machine_takes_is_offered_and_the_rest_is_greyed(
    page: Page, client: kiban.Client, there: World
) -> None:
    visit(page, "m1")
    press(page, "Start")
    expect(page.locator(".k-bar .k-state")).to_have_text("Running")
    dialog = form(page, "Change: Processor")
    expect(dialog).to_contain_text("Cannot make this change to m1: it is running. Shut it down first.")
    expect(dialog.get_by_label("Virtual processors")).to_be_disabled()
    expect(dialog.get_by_role("button", name="Save")).to_be_disabled()
    leave(dialog)
    dialog = form(page, "Add DVD drive")
    expect(dialog).to_contain_text("IDE: A DVD drive on IDE cannot be added while m1 is running")
    leave(dialog)
    dialog = form(page, "Add hard disk")
    expect(dialog).to_contain_text("IDE: A disk on IDE cannot be added while m1 is running")
    dialog.get_by_label("Size").fill("8M")
    choose(dialog, "Controller", "SCSI")
    send(dialog, "Add")
    expect(branch(page, "SCSI Controller 0")).to_contain_text("disk0.qcow2 (qcow2)")
    dialog = form(page, "Add network adapter")
    expect(dialog).to_contain_text("A legacy adapter cannot be added while m1 is running")
    press(dialog, "Forward a port of the host")
    dialog.get_by_label("Host port").fill("0")
    dialog.get_by_label("Guest port").fill("22")
    press(dialog, "Add")
    expect(dialog.get_by_role("alert")).to_contain_text("forwards.0.host_port")
    dialog.get_by_label("Host port").fill("7022")
    send(dialog, "Add")
    expect(branch(page, "Network Adapter")).to_contain_text("tcp 7022 → 22")
    assert [(disk.id, disk.bus) for disk in client.machine("m1").disks] == [("disk0", "scsi")]
    dialog = form(page, "Remove disk0")
    expect(dialog).to_contain_text("Its image disk0.qcow2 is kept in the machine's folder")
    send(dialog, "Remove")
    expect(branch(page, "SCSI Controller 0")).to_contain_text("none")
    dialog = form(page, "Remove dvd0")
    expect(dialog).to_contain_text("A DVD drive on IDE cannot be removed while m1 is running")
    expect(dialog.get_by_role("button", name="Remove")).to_be_disabled()


def test_an_adapter_is_changed_in_its_place(page: Page, client: kiban.Client) -> None:
    """Follows on the test before: it runs, and its adapter nic0 has a forward."""
    visit(page, "m1")
    before = client.machine("m1").nics[0]
    with socket.socket() as taken, socket.socket() as free:
        for one in (taken, free):
            one.bind(("127.0.0.1", 0))
        taken.listen()
        busy, port = taken.getsockname()[1], free.getsockname()[1]
        dialog = form(page, "Change nic0")
        expect(dialog).to_contain_text("Only network and forwards of nic0 can be changed while m1 is")
        for label in ("MAC address", "Folder to boot from"):
            expect(dialog.get_by_label(label)).to_be_disabled()
        expect(dialog.get_by_label("Host port")).to_have_value("7022")
        press(dialog, "Forward a port of the host")
        dialog.get_by_label("Host port").nth(1).fill(str(busy))
        dialog.get_by_label("Guest port").nth(1).fill("80")
        press(dialog, "Save")
        expect(dialog.get_by_role("alert")).to_contain_text(f"The tcp port {busy} on 127.0.0.1 is taken.")
        free.close()
        dialog.get_by_label("Host port").nth(1).fill(str(port))
        dialog.get_by_role("button", name="Remove this forward").first.click()
        send(dialog)
    expect(branch(page, "Network Adapter")).to_contain_text(f"tcp {port} → 80")
    expect(branch(page, "Network Adapter")).not_to_contain_text("tcp 7022")
    with socket.create_connection(("127.0.0.1", port)):
        pass  # it is open
    dialog = form(page, "Change nic0")
    choose(dialog, "Network", "not connected", exact=True)
    send(dialog)
    expect(branch(page, "Network Adapter")).to_contain_text("not connected")
    view = client.machine("m1").nics[0]
    assert (view.network, view.mac, len(view.forwards)) == ("none", before.mac, 1)


def test_discs_change_while_it_runs(page: Page, client: kiban.Client, there: World) -> None:
    visit(page, "m1")
    expect(page.locator(".k-bar .k-state")).to_have_text("Running")
    dialog = form(page, "Disc in dvd0")
    dialog.get_by_label("ISO image").fill(str(there.root / "no.iso"))
    press(dialog, "Insert")
    expect(dialog.get_by_role("alert")).to_contain_text("no.iso")
    dialog.get_by_label("ISO image").fill(str(there.root / "a.iso"))
    send(dialog, "Insert")
    expect(branch(page, "IDE Controller 0")).to_contain_text("a.iso")
    press(page, "Eject dvd0")
    expect(branch(page, "IDE Controller 0")).to_contain_text("empty")
    expect(page.get_by_role("button", name="Eject dvd0")).to_have_count(0)
    client.stop("m1", force=True)


def test_an_adapter_becomes_another_while_it_is_off(page: Page, client: kiban.Client) -> None:
    visit(page, "m1")
    dialog = form(page, "Change nic0")
    choose(dialog, "Kind", "Legacy Network Adapter")
    choose(dialog, "Network", "NAT", exact=True)
    dialog.get_by_label("MAC address").fill("52:54:00:AA:BB:CC")
    send(dialog)
    nic = client.machine("m1").nics[0]
    assert (nic.kind, nic.network, nic.mac) == ("legacy", "nat", "52:54:00:aa:bb:cc")


def test_a_drive_is_attached_elsewhere(page: Page, client: kiban.Client) -> None:
    visit(page, "m1")
    dialog = form(page, "Move dvd0")
    location = dialog.get_by_label("Location")
    expect(location).to_have_value("0")
    choose(dialog, "Controller", "IDE Controller 1")
    location.fill("2")
    press(dialog, "Move")
    expect(dialog.get_by_role("alert")).to_contain_text("There is no place 2 on that controller. It has 0 to 1.")
    location.fill("1")
    send(dialog, "Move")
    expect(branch(page, "IDE Controller 1")).to_contain_text("1: dvd0")
    assert client.machine("m1").dvds[0].slot == 3
    client.add_disk("m1", DiskRequest(size=8 * MIB, bus="scsi"))
    dialog = form(page, "Move disk0")
    choose(dialog, "Controller", "IDE Controller 1")
    expect(dialog.get_by_label("Location")).to_have_value("0")  # the first free one
    choose(dialog, "Controller", "SCSI Controller 1")
    send(dialog, "Move")
    assert [(disk.bus, disk.slot) for disk in client.machine("m1").disks] == [("scsi", 64)]
    client.remove_device("m1", "disk0")


def rows(dialog: Locator) -> Locator:
    return dialog.get_by_role("listitem")


def test_the_boot_order_is_moved_by_keyboard(page: Page, client: kiban.Client) -> None:
    visit(page, "m1")
    dialog = form(page, "Change: BIOS")
    expect(rows(dialog)).to_contain_text(["Floppy", "CD", "IDE", "Legacy Network Adapter"])
    up = dialog.get_by_role("button", name="Move up: disk")
    up.focus()
    for place in (2, 1):
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("status")).to_have_text(f"disk is number {place}")
        expect(up).to_be_focused()
    expect(rows(dialog)).to_contain_text(["IDE", "Floppy", "CD", "Legacy Network Adapter"])
    send(dialog)
    assert client.machine("m1").boot_order == ["disk", "floppy", "dvd", "nic"]


def drag(page: Page, grip: Locator, to: Locator) -> None:
    """Drag what has a grip before something. What hears of it comes after the list, and a drag begins by and by."""
    page.wait_for_function("Object.keys(document.querySelector('.k-order')).some(key => key.startsWith('Sortable'))")
    grip.hover()
    page.mouse.down()
    to.hover(position={"x": 60, "y": 8})
    page.locator(".k-order .opacity-50").wait_for()  # NiceGUI's mark of what is dragged
    to.hover(position={"x": 60, "y": 4})
    page.mouse.up()


def test_the_boot_order_is_dragged(page: Page, client: kiban.Client) -> None:
    visit(page, "m2")
    dialog = form(page, "Change: Firmware")
    expect(rows(dialog)).to_contain_text(["disk0", "dvd0", "nic0"])
    drag(page, rows(dialog).nth(2).locator(".k-grip"), rows(dialog).nth(0))
    expect(rows(dialog)).to_contain_text(["nic0", "disk0", "dvd0"])
    dialog.get_by_role("checkbox", name="dvd0").click()
    client.add_dvd("m2")  # somebody else, meanwhile: it stays, behind
    dialog.get_by_role("switch", name="Pause after boot failure").click()
    send(dialog)
    view = client.machine("m2")
    assert (view.boot_order, view.pause_after_boot_failure) == (["nic0", "disk0", "dvd1"], True)
    guest_puts(Path(view.directory, "nvram.fd"), DEBIAN)  # what a guest's installer does
    dialog = form(page, "Change: Firmware")
    expect(dialog.get_by_role("checkbox", name="dvd0")).not_to_be_checked()
    expect(dialog).to_contain_text(re.compile("The guest's own entries.*debian.*x.efi", re.S))


def test_secure_boot_com_ports_and_network_boot(page: Page, client: kiban.Client, there: World) -> None:
    visit(page, "m2")
    dialog = form(page, "Change: Security")
    expect(dialog).to_contain_text("Trusts what Microsoft has signed for others")
    dialog.get_by_role("switch", name="Secure Boot").click()
    choose(dialog, "Template", "microsoft-windows")
    expect(dialog).to_contain_text("Trusts Windows alone.")
    send(dialog)
    expect(branch(page, "Security")).to_contain_text("Secure Boot off")
    view = client.machine("m2")
    assert (view.secure_boot, view.template) == (False, "microsoft-windows")
    dialog = form(page, "Add network adapter")
    dialog.get_by_label("Folder to boot from").fill(str(there.root))
    dialog.get_by_label("File in it").fill("a.iso")
    choose(dialog, "Served over", "HTTP")
    send(dialog, "Add")
    assert [nic.boot and nic.boot.protocol for nic in client.machine("m2").nics] == [None, "http"]
    dialog = form(page, "Change nic1")
    expect(dialog.get_by_label("File in it")).to_have_value("a.iso")
    choose(dialog, "Served over", "TFTP")
    send(dialog)
    assert [nic.boot and nic.boot.protocol for nic in client.machine("m2").nics] == [None, "tftp"]
    dialog = form(page, "Change nic1")
    dialog.get_by_label("Folder to boot from").fill("")
    choose(dialog, "Model", "e1000e")
    send(dialog)
    assert [(nic.boot, nic.model) for nic in client.machine("m2").nics] == [(None, "virtio"), (None, "e1000e")]
    dialog = form(page, "Change: COM 2")
    choose(dialog, "Leads to", "a socket of the host")
    send(dialog)
    expect(branch(page, "COM 2")).to_contain_text("socket")
    expect(branch(page, "COM 1")).to_contain_text("none until it is added")


def test_a_disk_grows_and_an_image_is_linked(page: Page, client: kiban.Client, there: World) -> None:
    visit(page, "m2")
    dialog = form(page, "Resize disk0")
    expect(dialog.get_by_label("Size")).to_have_value("64 MiB")
    dialog.get_by_label("Size").fill("32M")
    press(dialog, "Resize")
    expect(dialog.get_by_role("alert")).to_contain_text("smaller")
    dialog.get_by_label("Size").fill("96M")
    send(dialog, "Resize")
    assert client.disk("m2:disk0").links[0].virtual_size == 96 * MIB
    base = str(there.root / "base.vhdx")
    client.create_disk(base, size=16 * MIB)
    dialog = form(page, "Add hard disk")
    choose(dialog, "Disk", "an image that is there")
    dialog.get_by_label("Path on the host").fill(base)
    press(dialog, "Add")
    expect(dialog.get_by_role("alert")).to_contain_text("is not named, and Kiban does not guess")
    choose(dialog, "Format of the image", "VHDX")
    choose(dialog, "How it is used", "linked")
    send(dialog, "Add")
    expect(branch(page, "SCSI Controller 0")).to_contain_text("disk1.qcow2 (qcow2)")
    assert client.disk("m2:disk1").links[0].path == base


def test_it_gets_another_name_and_is_removed(page: Page, client: kiban.Client, there: World) -> None:
    image = str(there.root / "kept.qcow2")
    client.create_disk(image, size=8 * MIB)
    client.create("web", generation=1, memory=64 * MIB, disks=[{"size": 8 * MIB}, {"path": image, "format": "qcow2"}])
    visit(page, "web")
    dialog = form(page, "Change: Name")
    dialog.get_by_label("Name").fill("m2")
    press(dialog, "Save")
    expect(dialog.get_by_role("alert")).to_contain_text("m2")
    dialog.get_by_label("Name").fill("shop")
    send(dialog)
    expect(page.get_by_role("heading", level=1)).to_have_text("shop")
    expect(page).to_have_title("shop · Kiban")
    dialog = form(page, "Remove")
    expect(dialog).to_contain_text(re.compile("deleted with it:.*disk0: disk0.qcow2.*stay where they are:.*kept", re.S))
    press(dialog, "Remove")
    expect(page.get_by_text("There is no such machine any more.")).to_be_visible()
    assert Path(image).exists()
    assert "shop" not in [machine.name for machine in client.machines()]


def test_a_viewer_and_an_operator_see_it_and_may_not(enter: Enter, place: Place) -> None:
    for role, may in (("viewer", set[str]()), ("operator", {"Disc in dvd0"})):
        page = enter(place.as_(role))  # type: ignore[arg-type]  # one of them
        visit(page, "m1")
        buttons = page.locator(".k-branch button:visible, .k-adds button")
        expect(buttons).not_to_have_count(0)
        enabled = {button.get_attribute("aria-label") for button in buttons.all() if button.is_enabled()}
        assert enabled == may
        change = page.get_by_role("button", name="Change: Memory")
        expect(change).to_have_attribute("title", "Your role may not do this.")


def test_the_generations_are_compared(page: Page) -> None:
    visit(page, "m1")
    page.get_by_role("link", name="Compare generations").click()
    expect(page.get_by_role("img", name="A picture of generation")).to_have_count(2)
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="IDE", exact=True))
    expect(row.get_by_role("cell")).to_have_text(["4 disks or DVD drives", "no"])
    expect(page.get_by_text("IDE cannot be changed while the guest runs")).to_be_visible()


def test_in_japanese_on_a_phone(enter: Enter) -> None:
    page = enter(locale="ja-JP", viewport={"width": 390, "height": 844})
    visit(page, "m2")
    dialog = form(page, "変更: ファームウェア")
    expect(dialog).to_contain_text("ドラッグするか、矢印で並べ替えます")
    page.wait_for_function("document.documentElement.scrollWidth <= 390")
    box = dialog.locator(".k-edit").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
