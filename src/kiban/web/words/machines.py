# SPDX-License-Identifier: GPL-2.0-or-later
"""What the list of machines says."""

WORDS: dict[str, tuple[str, str]] = {
    "search": ("Search", "検索"),
    "count": ("{found} of {all}", "{all} 台中 {found} 台"),
    "chosen": ("{chosen} selected", "{chosen} 台を選択"),
    "choose all": ("Select all on this page", "このページのすべてを選択"),
    "none found": ("No machine to show.", "表示する仮想マシンはありません。"),
    "more refused": ("And {more} more that were refused.", "ほかに {more} 台で拒否されました。"),
    "turn off?": (
        "Cut the power of {chosen} machines? What their guests have not written is lost.",
        "{chosen} 台の電源を切りますか? ゲストがまだ書き込んでいないデータは失われます。",
    ),
    "column screen": ("Screen", "画面"),
    "column name": ("Name", "名前"),
    "column state": ("State", "状態"),
    "column generation": ("Generation", "世代"),
    "column cpus": ("Processors", "プロセッサ"),
    "column memory": ("Memory", "メモリ"),
    "column uptime": ("Uptime", "稼働時間"),
    "moments": ("moments", "1 分未満"),
    "minutes": ("{minutes} min", "{minutes} 分"),
    "hours": ("{hours} h {minutes} min", "{hours} 時間 {minutes} 分"),
    "days": ("{days} d {hours} h", "{days} 日 {hours} 時間"),
}
