# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page of disks says, and the forms of what is done with them."""

WORDS: dict[str, tuple[str, str]] = {
    "disks": ("Disks", "ディスク"),
    "no disks": ("No disk to show.", "表示するディスクはありません。"),
    "more disks": ("Show {more} more", "残り {more} 件を表示"),
    "new disk": ("New disk", "新しいディスク"),
    "look at path": ("Path of any image, or machine:disk0", "イメージのパス、または「仮想マシン名:disk0」"),
    "by its name": ("by its name", "ファイル名で判断"),
    "look": ("Inspect", "検査"),
    "look closely": ("Inspect and change", "詳細と操作"),
    "new path": ("Path of the new disk", "新しいディスクのパス"),
    "disk size": ("Size, such as 40G", "サイズ (例: 40G)"),
    "fixed": ("Fixed size: take all the room at once", "容量固定: 領域を最初にすべて確保する"),
    "verify": ("Compare every byte afterwards", "変換後にすべてのバイトを比較する"),
    "shrink": ("Allow a smaller size; what is cut off must be empty", "縮小を許可する (切り落とす部分は空であること)"),
    "create": ("Create", "作成"),
    "kind fixed": ("fixed", "容量固定"),
    "kind dynamic": ("dynamic", "容量可変"),
    "kind differencing": ("differencing", "差分"),
    "facts": ("{format}, {kind}, sectors of {sectors}.", "{format}、{kind}、セクター {sectors}。"),
    "sizes": ("{size}, takes {takes}", "{size}、使用量 {takes}"),
    "dirty": (
        "It was not closed properly; whoever opens it for writing next puts it right.",
        "正常に閉じられていません。次に書き込みで開くときに修復されます。",
    ),
    "snapshots": ("{snapshots} snapshots inside", "内部スナップショット {snapshots} 個"),
    "do child": ("New differencing disk", "差分ディスクを作成"),
    "do convert": ("Convert", "変換"),
    "do clone": ("Copy", "コピー"),
    "do resize": ("Resize", "サイズ変更"),
    "do compact": ("Compact", "最適化"),
    "do check": ("Check", "整合性検査"),
    "do merge": ("Merge", "結合"),
    "what child": (
        "Make a disk that holds only what differs from this one; this one must not change any more.",
        "このディスクとの差分だけを保持するディスクを作ります。以後、このディスクは変更できません。",
    ),
    "what convert": (
        "Make one whole disk of another format, of this and all that it is made on. This one stays.",
        "親ディスクも含めて、別の形式の 1 つのディスクを作ります。元のディスクは残ります。",
    ),
    "what clone": ("Make a copy as it is.", "同じ内容、同じ形式のコピーを作ります。"),
    "what resize": (
        "Give it another size; that of a running machine grows at once.",
        "サイズを変更します。実行中の仮想マシンのディスクはすぐに拡張されます。",
    ),
    "what compact": ("Give back the room of what is zero.", "ゼロの領域を解放して、ファイルを小さくします。"),
    "what check": ("Look whether the image is consistent in itself.", "イメージの整合性を調べます。"),
    "what merge": (
        "Put what differs back into its parent and remove this image. A running machine goes on with the parent.",
        "差分を親ディスクに結合し、このイメージを削除します。実行中の仮想マシンは親ディスクで動き続けます。",
    ),
    "why running": (
        "{machine} is using it: shut it down first.",
        "{machine} が使用中です。先にシャットダウンしてください。",
    ),
    "why saved": (
        "{machine} has a saved state that needs it as it is: start it and shut it down first.",
        "{machine} の保存された状態にこのディスクが必要です。起動してからシャットダウンしてください。",
    ),
    "why children": (
        "Other disks are made on it: merge those first.",
        "差分ディスクの親です。先にそれらを結合してください。",
    ),
    "why siblings": ("Its parent has other children.", "親ディスクにほかの差分ディスクがあります。"),
    "why no parent": ("It is made on no other disk.", "差分ディスクではありません。"),
    "why read only": (
        "A {format} is only read here: convert it first.",
        "{format} は読み取り専用です。先に変換してください。",
    ),
}
