# SPDX-License-Identifier: GPL-2.0-or-later
"""The service's sentences on pages: everything it can say is known in Japanese, and what is strange stays as it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest
import spoken

from kiban.errors import Conflict
from kiban.web.words import WORDS, Words, said, speech

SILENT: dict[str, tuple[str, ...]] = {
    "a program, a pattern, or a name that another program gave or is given": (
        "parent {}",
        "import sys, json; sys.path[:] = json.loads(sys.argv.pop()); "
        "from kiban.adapters.bootcheck.child import main; main()",
        "import sys, json; sys.path[:] = json.loads(sys.argv.pop()); "
        "from kiban.adapters.chains.child import main; main()",
        "type=1,manufacturer=Kiban,product=Virtual Machine,version=Generation {}",
        "rock ridge",
        "Perform MOK management",
        "info network",
        "hostfwd_add {} {}",
        "hostfwd_remove {} {}",
        "Microsoft Windows",
        "Failed to get",
        "Access Denied",
        "Security Violation",
        "Boot Maintenance Manager",
        "Device Manager",
        "No bootable option or device was found",
        "Pause after boot failure",
        "Disk {}",
        "DVD {}",
        "HTTP {}",
        "PXE IPv{} {}",
        "Virtual Machines",
        "Virtual Hard Disks",
        "without an id {}",
        "Which checkpoint was made",
        "-----BEGIN CERTIFICATE-----",
        "-----END CERTIFICATE-----",
        "check of {}'s boot media",
        "look at",
        "type into",
    ),
    "a detail within a sentence, which says it as it is": (
        "machine type {}",
        "The firmware",
        "shim's own dbx",
        "SbatLevel of the machine",
        "SbatLevel built into shim",
        "the boot catalog's entry {}",
        "partition {}",
        "the whole medium",
        "{} of {}",
        "may not be read",
        "cannot be opened",
        "not UEFI",
        "not for {}",
        "not a flash build with a variable store of its own",
        "not a raw image",
        "not a firmware descriptor as QEMU defines it",
        "does not enforce Secure Boot",
        "{} is missing or may not be read",
        "cannot be read as JSON",
        "not a JSON object",
        "(no name)",
        " and {} more",
        " and more",
        " in {} files",
        ", sectors of 4 KiB",
        "(unreadable certificate)",
        "forward=[HOSTADDR:]HOSTPORT:GUESTPORT[/udp], for example forward=2222:22",
    ),
    "facts and figures": ("{} at {}: {}", "{} by {}", "{}, uid {}", "{} to {}"),
    "in a file that is exported": ("A network with access to others by NAT",),
    "said by programs and on the command line only": (
        "generation 1: the PC that runs anything",
        "generation 2: legacy-free, UEFI with Secure Boot",
        "secure boot",
        "Over TLS.",
        "The log.",
        "Events, endlessly.",
        "It goes on; see Location.",
        "That was no WebSocket.",
        "What the guest says and what the caller types follow, as binary messages.",
        "{} of {} machines",
        "the hash {}",
        "an entry of {} bytes",
        "{} events of the log do not say what was measured.",
        "After an update it would not start as it does now: {} Update its loader first.",
        "It would boot after the update.",
        "After the update: {}",
        "It is {}, and the update wants it off.",
        "Secure Boot and its keys are measured into the TPM (PCR 7): a disk whose key the guest has sealed to them, "
        "with BitLocker or systemd-cryptenroll, asks for its recovery key at the next start.",
        "The machine has no TPM, so no guest can have sealed a disk's key to these keys.",
        "{} is in dbx as well, so it stays refused.",
        "Nothing is missing; nothing was changed.",
        "The machine did not start before either: {}",
        "Whether its loader stays allowed could not be told: {}",
        "Taken back: {} of {}.",
        "What the guest has changed in its keys since then was kept.",
    ),
}
"""What reads like words and is nothing that a page has to say in Japanese, by the reason."""
QUIET = {
    "adapters/firmware/devicepath.py": "parts of boot entries, as firmware has them",
    "adapters/firmware/eventwords.py": "the TPM's event log, which is read on the command line",
    "adapters/foreign/names.py": "Hyper-V's names of its devices",
    "api/app.py": "the API's own description",
    "engine/jobs.py": "SQL",
    "engine/keyview.py": "keys in words, which are read on the command line",
    "model/export_hyperv.py": "a PowerShell script",
    "model/export_ovf.py": "an XML file",
}
"""Modules that have other texts than sentences, and why no page shows those."""
JAPANESE, ENGLISH = Words("ja"), Words("en")
OTHERWISE = re.compile(
    "(サーバ|ユーザ|フォルダ|ドライバ|アダプタ|コントローラ|ローダ|ブラウザ|マネージャ|ヘッダ|フッタ|クラスタ|セクタ|"
    "インストーラ|コンピュータ|バッファ)(?!ー)|プロセッサー|メモリー|レガシー|エントリー|セキュアブート|鍵|端末|稼働中|"
    r"固定サイズ|可変サイズ|下さい|出来|全て|既に|[\uff01-\uff5e\u3000]"
)
"""What is spelled, or called, in another way on these pages; see the table in docs/design/web.md."""
LEAST = 9
"""Characters of a template that can have cases."""
KEYS = {spoken.same(key): key for key in (*said.SAID, *said.CLAUSES, *said.TERMS)}


def known(text: str) -> set[str]:
    """Under which keys a template is in the catalogue: as it is, without its command, or as a sentence of its own."""
    body = speech.parted(text)[0]
    forms = (text, body, f"{body[:1].upper()}{body[1:]}.", f"{body}.")
    found = {KEYS[form] for form in map(spoken.same, forms) if form in KEYS}
    if not found and len(pieces := re.split(r"(?<=[.!?]) ", body)) > 1:
        every = [known(piece) for piece in pieces]
        found = set().union(*every) if all(every) else set()
    return found or special(body, said.SAID) or general(body)


def general(text: str) -> set[str]:
    """The key that a template is a case of, if what it has in the holes is a word that is known there."""
    for key, words in said.SAID.items():
        made = speech.template(key, words if isinstance(words, str) else words[1])
        held = made.fits(plain(text)) or {}
        kinds = {name: kind for _, name, kind in made.words}
        filled = {name: value for name, value in held.items() if value != "{x}"}
        if filled and all(kinds[name] in ("word", "text") and value in said.TERMS for name, value in filled.items()):
            return {key}
    return set()


def special(text: str, keys: Iterable[str]) -> set[str]:
    """The keys that are cases of a template: `Cannot turn off {name}: it is {state}.` of `Cannot {what} {name}: …`."""
    if len(spoken.same(text)) < LEAST or re.search("[{}]", spoken.HOLE.sub("", text)):
        return set()
    general = speech.template(plain(text), "")
    return {key for key in keys if general.fits(plain(key))}


def plain(text: str) -> str:
    """A template whose holes hold x."""
    return spoken.HOLE.sub("{x}", text)


def silent(text: str) -> bool:
    """Whether there are no words in it, or none that a page says."""
    body = spoken.same(speech.parted(text)[0])
    return not re.search("[A-Za-z]", body) or any(body in some for some in SILENT.values())


def test_everything_that_the_service_says_is_known_in_japanese() -> None:
    missing = [
        f"{path.relative_to(spoken.SOURCE)}:{found.line}: {found.text}"
        for path in spoken.modules()
        for found in spoken.templates(path)
        if found.is_error or found.is_sentence or str(path.relative_to(spoken.SOURCE)) not in QUIET
        if not known(found.text) and not silent(found.text)
    ]
    assert missing == []


def test_nothing_is_known_that_nobody_says() -> None:
    texts = {found.text for path in spoken.modules() for found in spoken.templates(path)}
    unused = said.SAID.keys() - set().union(*map(known, texts)) - said.OTHERS
    assert unused - set().union(*(special(text, unused) for text in texts)) == set()
    assert {each for some in SILENT.values() for each in some} <= {
        spoken.same(speech.parted(text)[0]) for text in texts
    }


def test_every_text_is_there_once() -> None:
    counted = Counter(spoken.same(key) for key in (*said.SAID, *said.CLAUSES, *said.TERMS))
    assert [key for key, count in counted.items() if count > 1] == []
    assert sum(len(part.SAID) for part in said.PARTS) == len(said.SAID)


def translations() -> Iterator[tuple[str, str]]:
    """Each text and what is said instead in a language."""
    for key, there in (*said.SAID.items(), *said.CLAUSES.items()):
        yield from ((key, words) for words in ((there,) if isinstance(there, str) else there))


def test_a_translation_has_the_same_holes_and_the_same_end() -> None:
    for key, words in translations():
        assert {*re.findall(r"\{(\w+)[:}]", words)} <= {*re.findall(r"\{(\w+)\}", key)}, key
        assert "}{" not in key, f"what stands in two holes side by side cannot be told apart: {key}"
        if isinstance(said.SAID.get(key, ""), str) and not key.endswith("}"):
            assert key.endswith((".", "?")) == words.endswith(("。", "?")), key


def test_a_thing_has_one_name_in_japanese() -> None:
    every = [*(words for _, words in translations()), *said.TERMS.values(), *(words for _, words in WORDS.values())]
    assert [words for words in every if OTHERWISE.search(words)] == []


def test_a_blank_stands_between_a_hole_and_japanese() -> None:
    """What is in a hole may be Latin; where it came out as Japanese, the blank goes."""
    every = [*(words for _, words in translations()), *(words for _, words in WORDS.values())]
    assert [words for words in every if re.search(r"[ぁ-ー一-龠]\{|\}[ぁ-ー一-龠]", words)] == []


def test_a_sentence_is_found_again_whatever_is_in_its_holes() -> None:
    """A file's name may look like anything; what a translation shows as it is, is shown as it is."""
    for key, there in said.SAID.items():
        words = there if isinstance(there, str) else there[1]
        if re.search(":(said|bare)}", words):  # what is in there has to be known, or like a name
            continue
        names = [*dict.fromkeys(re.findall(r"\{(\w+)\}", key))]
        strange = {name: f"<{number}>{{name}}仮\\n%s" for number, name in enumerate(names)}
        expected = re.sub(r"\{(\w+)(:\w+)?\}", lambda hole, held=strange: held[hole[1]], words)  # type: ignore[misc]
        assert JAPANESE.said(key.format(**strange)) == expected


REFUSED = r"The firmware refuses dvd0 (my. own.iso): \EFI\BOOT\BOOTX64.EFI (Linux kernel) is not signed."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            REFUSED,
            r"ファームウェアが dvd0 (my. own.iso) を拒否します。"
            r"\EFI\BOOT\BOOTX64.EFI (Linux カーネル) は署名されていません。",
        ),
        ("disk0 boots. disk1 has no file a.efi. Who?", "disk0 boots. disk1 にファイル a.efi がありません。Who?"),
        (
            "disk0 cannot be read: It holds no FAT file system.",
            "disk0 を読み取れません (FAT ファイル システムがありません)。",
        ),
        ("web is off.", "web はオフです。"),
        ("Cannot remove web: it is running.", "web は実行中のため、削除できません。"),
        ("It has: synthetic.", "選択肢: synthetic。"),
        ("/a is used by disk0 of web, which is running.", "/a は web の disk0 が使用中です (実行中)。"),
        (
            "This medium starts on UEFI, which generation 2 has, with Secure Boot.",
            "このメディアはセキュア ブート対応の UEFI (第 2 世代) で起動します。",
        ),
        (
            "Debian 12 starts on UEFI, which generation 2 has, with Secure Boot.",
            "Debian 12 はセキュア ブート対応の UEFI (第 2 世代) で起動します。",
        ),
        ("The tcp port 80 on 127.0.0.1 is taken.", "127.0.0.1 の tcp ポート 80 は使用中です。"),
        (
            "dvd0 has a loader for 64-bit ARM and RISC-V only.",
            "dvd0 には 64 ビット ARM、RISC-V 用のローダーしかありません。",
        ),
        (
            "/a.vhdx needs its parent b.vhdx, which was not found. Looked at: /b.vhdx (not there); /c (id 1).",
            "/a.vhdx に必要な親ディスク b.vhdx が見つかりません。探した場所: /b.vhdx (ありません); /c (id 1)。",
        ),
        ("SCSI 0:0: a.vhdx, vhdx in 2 files, 4 MiB", "SCSI 0:0: a.vhdx, vhdx (2 個のファイル), 4 MiB"),
        ("legacy tulip, a new address, nat", "レガシ ネットワーク アダプター (tulip)、新しいアドレス、nat"),
        ("off is running.", "off は実行中です。"),
        ("This was never heard of: {name} {0} %s.", "This was never heard of: {name} {0} %s."),
        ("", ""),
    ],
)
def test_sentences_are_said_in_japanese(text: str, expected: str) -> None:
    assert JAPANESE.said(text) == expected
    assert ENGLISH.said(text) == text


def test_what_is_made_to_take_long_stays_as_it_is() -> None:
    hostile = [
        "The firmware refuses x: " * 150 + "is not signed.",
        "a is b. " * 490,
        "is signed by " * 300,
        ". ".join(["x refuses y: z has no file"] * 140),
        "Did you mean " * 300 + "?",
        ": kiban a" * 440 + ".",
        ": kiban a;" * 390,
        "x" * 100_000,
    ]
    assert JAPANESE.said(hostile[-1]) == hostile[-1]
    for text in hostile:
        reading = speech.Reading(japanese=True)
        reading.text(text[: speech.LONGEST])
        assert reading.looks >= 0


@pytest.mark.parametrize(
    ("hint", "english", "japanese"),
    [
        ("Stop it first: kiban stop web", "Shut it down first.", "先にシャットダウンしてください。"),
        (
            "kiban secureboot update web",
            "Command line: kiban secureboot update web",
            "コマンド ライン: kiban secureboot update web",
        ),
        (
            "Look at its owner and mode: ls -l /a b",
            "Look at its owner and mode. Command line: ls -l /a b",
            "所有者とアクセス許可を確認してください。コマンド ライン: ls -l /a b",
        ),
        ("Say --memory 2G, for example.", "Write 2G, for example.", "2G のように指定してください。"),
        ("Nobody knows this one", "Nobody knows this one.", "Nobody knows this one."),
    ],
)
def test_a_hint_is_worded_for_a_page_and_its_command_is_called_one(hint: str, english: str, japanese: str) -> None:
    assert (ENGLISH.advised(hint), JAPANESE.advised(hint)) == (english, japanese)


def test_a_refusal_is_one_line() -> None:
    error = Conflict("Cannot start web: it is running.", "Stop it first: kiban stop web")
    assert ENGLISH.refused(error) == "Cannot start web: it is running. Shut it down first."
    assert JAPANESE.refused(error) == "web は実行中のため、起動はできません。先にシャットダウンしてください。"
