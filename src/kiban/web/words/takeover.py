# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of importing and exporting machines."""

WORDS: dict[str, tuple[str, str]] = {
    "import": ("Import", "インポート"),
    "import what": (
        "An exported machine of Kiban or Hyper-V, an OVF or OVA, or a disk. It is only read.",
        "Kiban や Hyper-V のエクスポート、OVF、OVA、またはディスクを取り込みます。元のファイルは変更されません。",
    ),
    "import path": ("Folder or file on the host of the machines", "ホスト上のフォルダーまたはファイル"),
    "import name": ("Name, if it is to be another", "名前 (変更する場合)"),
    "import lazy": (
        "Let it start at once from its disks there; they are copied while it runs",
        "元のディスクからすぐに起動できるようにし、実行中にコピーする",
    ),
    "import more": ("More options", "詳細オプション"),
    "import generation": ("Generation", "世代"),
    "import as there": ("as it is there", "元のまま"),
    "import parents": ("Folder of parent disks that lie elsewhere", "別の場所にある親ディスクのフォルダー"),
    "import checkpoint": (
        "Name or id of the checkpoint to import instead",
        "代わりに取り込むチェックポイントの名前または ID",
    ),
    "import plan": ("Show the plan", "計画を表示"),
    "import go": ("Import", "インポート"),
    "import item": ("What", "項目"),
    "import there": ("There", "移行元"),
    "import here": ("Here", "移行先"),
    "import disk": ("{disk}: {format}, {size}", "{disk}: {format}、{size}"),
    "import checkpoints": ("Checkpoints", "チェックポイント"),
    "import taken": ("taken over", "取り込む状態"),
    "import left out": ("Not taken over", "取り込まれないもの"),
    "import advice": ("Good to know", "注意事項"),
    "export": ("Export", "エクスポート"),
    "export off": ("Only a machine that is off can be exported.", "エクスポートできるのはオフの仮想マシンだけです。"),
    "export folder": ("New folder on the host", "ホスト上の新しいフォルダー"),
    "export for kiban": ("for Kiban, to import it again", "Kiban 用 (再インポート)"),
    "export for hyper-v": ("for Hyper-V, with VHDX disks and PowerShell", "Hyper-V 用 (VHDX と PowerShell)"),
    "export for ovf": ("as an OVF package with VMDK disks", "OVF パッケージ (VMDK)"),
}
