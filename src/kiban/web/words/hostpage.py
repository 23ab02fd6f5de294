# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page of the host says."""

WORDS: dict[str, tuple[str, str]] = {
    "host": ("Host", "ホスト"),
    "host again": ("Look again", "再確認"),
    "host given": ("Capacity", "容量"),
    "host all": (
        "{machines} machines: {cpus} virtual processors on {processors} of the host, {memory} of memory.",
        "仮想マシン {machines} 台: 仮想プロセッサ {cpus} 個 (ホストのプロセッサ {processors} 個)、メモリ {memory}。",
    ),
    "host running": (
        "{machines} of them are on: {cpus} virtual processors on {processors} of the host, {memory} of memory.",
        "うち {machines} 台が稼働中: 仮想プロセッサ {cpus} 個 (ホストのプロセッサ {processors} 個)、メモリ {memory}。",
    ),
    "host findings": ("What this host has and lacks", "このホストの構成と不足"),
    "finding good": ("there", "あり"),
    "finding without": ("runs without it", "なくても動作します"),
    "finding missing": ("missing", "不足"),
}
