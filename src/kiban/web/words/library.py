# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page of the library says."""

WORDS: dict[str, tuple[str, str]] = {
    "library": ("Library", "ライブラリ"),
    "library is": (
        "ISO and floppy images on the host, for the drives of machines.",
        "仮想マシンのドライブで使う、ホスト上の ISO イメージとフロッピー イメージです。",
    ),
    "library empty": (
        "There is no image yet: drop one above.",
        "イメージはまだありません。上の枠にドロップしてください。",
    ),
    "library column name": ("Name", "名前"),
    "library column system": ("What it is", "内容"),
    "library column size": ("Size", "サイズ"),
    "library column added": ("Added", "追加日"),
    "library column machines": ("In a drive of", "使用中の仮想マシン"),
    "library column remove": ("Remove", "削除"),
    "library more": ("and {more} more", "ほか {more} 台"),
    "library iso": ("ISO image", "ISO イメージ"),
    "library floppy": ("Floppy image", "フロッピー イメージ"),
    "library manage": ("Manage the library", "ライブラリの管理"),
    "in drive of": (
        "It is in a drive of {machines}: take it out there first.",
        "{machines} のドライブに入っています。先に取り出してください。",
    ),
    "remove image": ("Remove {name}", "{name} を削除"),
    "remove image?": (
        "Remove {name} from the library? The file is deleted.",
        "{name} をライブラリから削除しますか? ファイルも削除されます。",
    ),
}
