# SPDX-License-Identifier: GPL-2.0-or-later
"""What the pages say, in English and Japanese. What the service says (errors, events) stays as it is."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "ja"]

WORDS: dict[str, tuple[str, str]] = {
    "machines": ("Machines", "仮想マシン"),
    "search": ("Search", "検索"),
    "count": ("{found} of {all}", "{all} 台中 {found} 台"),
    "chosen": ("{chosen} selected", "{chosen} 台を選択"),
    "none found": ("No machine to show.", "表示する仮想マシンはありません。"),
    "not allowed": ("Your role may not do this.", "この操作を行う権限がありません。"),
    "done": ("Done: {done}", "完了: {done} 台"),
    "more refused": ("And {more} more that were refused.", "ほかに {more} 台で拒否されました。"),
    "turn off?": (
        "Cut the power of {chosen} machines? What their guests have not written is lost.",
        "{chosen} 台の電源を切りますか? ゲストが書き込んでいないデータは失われます。",
    ),
    "cancel": ("Cancel", "キャンセル"),
    "life.start": ("Start", "起動"),
    "life.shut_down": ("Shut down", "シャットダウン"),
    "life.turn_off": ("Turn off", "電源を切る"),
    "life.restart": ("Restart", "再起動"),
    "life.save": ("Save", "状態を保存"),
    "life.pause": ("Pause", "一時停止"),
    "life.resume": ("Resume", "再開"),
    "life.reset": ("Reset", "リセット"),
    "sure life.turn_off": (
        "Cut the power? What the guest has not written is lost.",
        "電源を切りますか? ゲストが書き込んでいないデータは失われます。",
    ),
    "sure life.reset": (
        "Press the reset button? What the guest has not written is lost.",
        "リセットしますか? ゲストが書き込んでいないデータは失われます。",
    ),
    "gone": ("There is no such machine any more.", "この仮想マシンはもうありません。"),
    "events": ("Events", "イベント"),
    "none": ("none", "なし"),
    "empty": ("empty", "空"),
    "dvd": ("DVD drive: {medium}", "DVD ドライブ: {medium}"),
    "boot allowed": ("Secure Boot lets it start", "セキュアブート: 起動できます"),
    "boot refused": ("Secure Boot refuses it", "セキュアブート: 拒否されます"),
    "boot unknown": ("What it would boot is not known", "起動するものを判定できません"),
    "hardware bios": ("BIOS", "BIOS"),
    "hardware uefi": ("Firmware", "ファームウェア"),
    "hardware security": ("Security", "セキュリティ"),
    "hardware memory": ("Memory", "メモリ"),
    "hardware processor": ("Processor", "プロセッサ"),
    "hardware ide": ("IDE Controller {number}", "IDE コントローラー {number}"),
    "hardware scsi": ("SCSI Controller {number}", "SCSI コントローラー {number}"),
    "hardware nic": ("Network Adapter", "ネットワーク アダプター"),
    "hardware legacy nic": ("Legacy Network Adapter", "レガシ ネットワーク アダプター"),
    "hardware floppy": ("Diskette Drive", "フロッピー ディスク ドライブ"),
    "secure boot on": ("Secure Boot on, template {template}", "セキュアブート: 有効、テンプレート {template}"),
    "secure boot off": ("Secure Boot off", "セキュアブート: 無効"),
    "tpm on": ("TPM 2.0", "TPM 2.0"),
    "tpm off": ("no TPM", "TPM なし"),
    "why no secure boot": (
        "A generation 1 machine has BIOS, so neither Secure Boot nor a TPM. Generation 2 has both.",
        "第 1 世代は BIOS のため、セキュアブートと TPM はありません。第 2 世代にはあります。",
    ),
    "why no ide": (
        "A generation 2 machine has no IDE: disks and DVD drives are on SCSI, and boot from there.",
        "第 2 世代に IDE はありません。ディスクと DVD は SCSI に接続し、そこから起動します。",
    ),
    "why no legacy nic": (
        "A generation 2 machine has none: it boots from the network with its network adapter.",
        "第 2 世代にはありません。通常のネットワーク アダプターでネットワーク起動できます。",
    ),
    "why no com": (
        "A generation 2 machine has none until asked for: kiban set {name} --com{number} socket",
        "第 2 世代では追加するまでありません: kiban set {name} --com{number} socket",
    ),
    "why no floppy": (
        "A generation 2 machine has no floppy drive: give files on an ISO.",
        "第 2 世代にフロッピー ドライブはありません。ファイルは ISO で渡してください。",
    ),
    "column screen": ("Screen", "画面"),
    "column name": ("Name", "名前"),
    "column state": ("State", "状態"),
    "column generation": ("Generation", "世代"),
    "column cpus": ("Processors", "プロセッサ"),
    "column memory": ("Memory", "メモリ"),
    "column uptime": ("Uptime", "稼働時間"),
    "state off": ("Off", "オフ"),
    "state starting": ("Starting", "起動中"),
    "state running": ("Running", "実行中"),
    "state paused": ("Paused", "一時停止"),
    "state saved": ("Saved", "保存済み"),
    "state stopping": ("Stopping", "停止中"),
    "moments": ("moments", "1 分未満"),
    "minutes": ("{minutes} min", "{minutes} 分"),
    "hours": ("{hours} h {minutes} min", "{hours} 時間 {minutes} 分"),
    "days": ("{days} d {hours} h", "{days} 日 {hours} 時間"),
    "log out": ("Log out", "ログアウト"),
    "theme": ("Light or dark", "明暗の切り替え"),
    "other language": ("日本語", "English"),
    "role viewer": ("You may look.", "閲覧のみ可能です。"),
    "role operator": ("You may look and run machines.", "閲覧と仮想マシンの操作が可能です。"),
    "role admin": ("You may do everything.", "すべての操作が可能です。"),
}
"""By key: English, Japanese."""


class Words:
    """The words of one language: `words("log out")`."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """The words for `key`, with the values in their places."""
        return WORDS[key][self.language == "ja"].format(**values)


def choose(cookie: str, accepted: str) -> Language:
    """The language that was chosen, else the first one of Accept-Language (RFC 9110, 12.5.4) that there is."""
    if cookie in ("en", "ja"):
        return "ja" if cookie == "ja" else "en"
    wanted = [_weighed(part) for part in accepted.split(",")[:20]]
    wanted.sort(key=lambda found: -found[0])
    known = [name for weight, name in wanted if name in ("en", "ja") and weight > 0]
    return "ja" if known[:1] == ["ja"] else "en"


def _weighed(part: str) -> tuple[float, str]:
    name, _, weight = part.partition(";q=")
    try:
        return float(weight or 1), name.strip().partition("-")[0].lower()
    except ValueError:
        return 0, ""
