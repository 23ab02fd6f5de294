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
        "うち {machines} 台が実行中: 仮想プロセッサ {cpus} 個 (ホストのプロセッサ {processors} 個)、メモリ {memory}。",
    ),
    "host processors": ("Processors of running machines", "実行中の仮想マシンのプロセッサ"),
    "host memory": ("Memory of running machines", "実行中の仮想マシンのメモリ"),
    "host share": ("{given} of {has} ({percent} %)", "{given} / {has} ({percent}%)"),
    "storage": ("Storage", "ストレージ"),
    "storage who": ("What takes room", "使用量の内訳"),
    "storage none": ("No machine takes any room yet.", "領域を使用している仮想マシンはまだありません。"),
    "storage room": ("{free} of {size} are free", "空き {free} / {size}"),
    "storage parts": (
        "Machines take {machines}, images that they share {images}, the library {library}.",
        "仮想マシン {machines}、共有イメージ {images}、ライブラリ {library}。",
    ),
    "storage may grow": (
        "Disks may grow by {growth} more; there is room for all of it.",
        "ディスクはあと {growth} 増える可能性があります。空き容量は足りています。",
    ),
    "storage lacking": (
        "Disks may grow by {growth} more. If all were full, {lacking} would be lacking.",
        "ディスクはあと {growth} 増える可能性があります。すべてがいっぱいになると {lacking} 不足します。",
    ),
    "storage shared": ("image of {machines} machines", "仮想マシン {machines} 台が共有するイメージ"),
    "storage name": ("Machine or image", "仮想マシンまたはイメージ"),
    "storage takes": ("Takes", "使用量"),
    "storage saved": ("Saved state", "保存された状態"),
    "storage provisioned": ("Size of its disks", "ディスクの最大サイズ"),
    "storage growth": ("May grow by", "増加の余地"),
    "host findings": ("What this host has and lacks", "このホストの構成と不足"),
    "finding good": ("there", "あり"),
    "finding without": ("runs without it", "なくても動作します"),
    "finding missing": ("missing", "不足"),
}
