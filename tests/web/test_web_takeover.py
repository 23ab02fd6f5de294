# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine imported with its plan, and exported from its page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import foreign_makers
import pytest
from disk_makers import MIB, convert, patterned
from engine_world import World
from playwright.sync_api import Page, expect
from web_service import WAIT, Place

import kiban

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def appliance(there: World) -> Path:
    """An OVA of VMware's kind, with a disk."""
    raw = patterned(there.root / "disk1.raw", 4 * MIB)
    vmdk = convert(raw, there.root / "disk1.vmdk", "vmdk", "-o", "subformat=streamOptimized")
    files = (
        '<References><File ovf:id="f1" ovf:href="disk1.vmdk"/></References><DiskSection><Info/>'
        '<Disk ovf:diskId="d1" ovf:fileRef="f1" ovf:capacity="4194304"/></DiskSection>'
    )
    hardware = (
        foreign_makers.item(3, 1, VirtualQuantity=1)
        + foreign_makers.item(4, 2, VirtualQuantity=256, AllocationUnits="byte * 2^20")
        + foreign_makers.item(6, 3, ResourceSubType="VirtualSCSI")
        + foreign_makers.item(17, 5, Parent=3, AddressOnParent=0, HostResource="ovf:/disk/d1")
        + foreign_makers.item(35, 9, ElementName="sound")
    )
    package = there.root / "appliance.ova"
    ovf = foreign_makers.ovf(hardware, files=files)
    package.write_bytes(foreign_makers.ova(("vm.ovf", ovf), ("disk1.vmdk", vmdk.read_bytes())))
    return package


def visit(page: Page) -> None:
    page.get_by_role("link", name="Import", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Import")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_machine_is_planned_imported_and_exported(page: Page, client: kiban.Client, appliance: Path) -> None:
    visit(page)
    page.get_by_label("Folder or file").fill("appliance.ova")
    press(page, "Show the plan")
    expect(page.get_by_role("alert").filter(has_text="It takes a path on the host")).to_be_visible()
    page.get_by_label("Folder or file").fill(str(appliance))
    page.get_by_label("Name, if").fill("mail")
    press(page, "Show the plan")
    plan = page.locator(".k-plan")
    expect(plan.locator("tbody tr").filter(has_text="memory")).to_contain_text("256 MiB")
    expect(page.get_by_text("disk0: vmdk, 4 MiB")).to_be_visible()
    expect(page.locator(".k-card").filter(has_text="Not taken over")).to_contain_text("sound")
    assert client.machines() == []
    press(page, "Import")
    expect(page).to_have_url(re.compile("/machine/"))
    expect(page.get_by_role("heading", level=1)).to_have_text("mail")

    folder = appliance.with_name("export")
    press(page, "Export")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("New folder").fill(str(folder))
    dialog.get_by_text("for Hyper-V").click()
    dialog.get_by_role("button", name="Export", exact=True).click()
    expect(dialog).to_contain_text("Export machine: Done")
    expect(dialog).to_contain_text(f"{folder}: ")
    assert list(folder.rglob("*.vhdx"))


def test_what_stands_against_a_plan_is_told(page: Page, there: World) -> None:
    visit(page)
    page.get_by_label("Folder or file").fill(str(there.root / "nothing.ova"))
    press(page, "Show the plan")
    expect(page.get_by_role("alert").filter(has_text="nothing.ova")).to_be_visible()
    expect(page.locator(".k-plan")).to_have_count(0)


def test_a_viewer_imports_and_exports_nothing(enter: Enter, place: Place, there: World) -> None:
    if not [machine for machine in place.client.machines() if machine.name == "bare"]:
        place.client.create("bare", generation=1, disks=[], nics=())
    page = enter(place.as_("viewer"), locale="ja-JP")
    # not by the list, whose rows are drawn anew when a machine has just come, and a click under way is lost
    page.goto(f"{page.url}machine/{place.client.machine('bare').id}")
    expect(page.get_by_role("button", name="エクスポート")).to_be_disabled()
    page.get_by_role("link", name="インポート", exact=True).click()
    expect(page.get_by_role("button", name="計画を表示")).to_be_disabled()
