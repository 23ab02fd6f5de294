# SPDX-License-Identifier: GPL-2.0-or-later
"""The service's own sentences on pages: in Japanese, worded for a page, a refusal once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import screens
from boot_media import BOOT, iso
from bootcheck_images import tiny
from engine_world import World
from playwright.sync_api import Page, expect
from web_service import WAIT, Place

expect.set_options(timeout=WAIT * 1000)
Enter = Callable[..., Page]
DENIED = 'BdsDxe: failed to load Boot0000 "DVD dvd0" from PciRoot(0x0)/Pci(0x2,0x0): Access Denied'
SHOWN = "document.querySelector('.k-page').innerText.replace(document.querySelector('.k-events').innerText, '')"
"""All of a page but its events, of which more may come at any time."""
LOADER = r"\EFI\BOOT\BOOTX64.EFI"


@pytest.fixture
def machine(there: World, place: Place) -> Iterator[str]:
    """A machine with a DVD that nobody has signed."""
    image = iso(there.root / "my own.iso", {}, esp={BOOT: tiny()}, size=8 << 20)
    yield place.client.create("web", dvds=[str(image)], disks=[], nics=[]).id
    if place.client.machine("web").state != "off":
        place.client.stop("web", force=True)
    place.client.remove("web")


def test_secure_boot_is_explained_in_japanese_and_then_the_refusal_once(
    enter: Enter, place: Place, there: World, machine: str
) -> None:
    page = enter(locale="ja-JP")
    page.goto(f"{page.url}machine/{machine}")
    card = page.locator(".k-card").filter(has=page.locator(".k-verdict"))
    said = rf"ファームウェアが dvd0 (my own.iso) を拒否します。{LOADER} (EFI プログラム) は署名されていません。"
    expect(card).to_contain_text(said)
    expect(card).to_contain_text("[セキュリティ] でセキュア ブートを無効にしてください。")
    expect(card).not_to_contain_text("kiban")
    (there.root / "screen.png").write_bytes(screens.drawn((DENIED,), size=(1280, 800)))
    place.client.start("web")
    expect(page.locator(".k-urgent")).to_contain_text(said)
    shown = page.evaluate(SHOWN)
    assert shown.count(said) == 1
    page.goto(page.url.partition("machine")[0])
    expect(page.locator(".k-table .k-note")).to_have_text(said)


def test_a_refusal_and_what_to_do_is_in_the_words_of_a_page(enter: Enter, machine: str) -> None:
    page = enter(locale="ja-JP")
    page.goto(f"{page.url}machine/{machine}")
    page.get_by_role("button", name="変更: メモリ").click()
    form = page.get_by_role("dialog")
    form.get_by_label("メモリ").fill("20T")
    form.get_by_role("button", name="保存").click()
    expect(form.get_by_role("alert")).to_have_text(
        "第 2 世代の仮想マシンのメモリは 128 MiB から 12 TiB まで、1 MiB 単位です (20 TiB は指定できません)。"
        "2G のように指定してください。"
    )
