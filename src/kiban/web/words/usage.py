# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of what machines use, and of their guests' heartbeat."""

WORDS: dict[str, tuple[str, str]] = {
    "column cpu": ("CPU", "CPU 使用率"),
    "column heartbeat": ("Heartbeat", "ハートビート"),
    "usage": ("Usage", "使用状況"),
    "usage span": ("Period of the charts", "グラフの期間"),
    "usage now": ("5 minutes", "5 分"),
    "usage day": ("24 hours", "24 時間"),
    "usage past": (
        "Processor and memory every two minutes of the last {time}. Other figures are known only while somebody looks.",
        "CPU とメモリは 2 分ごとの値 (過去 {time})。その他の値は、表示している間だけ計測されます。",
    ),
    "usage no past": (
        "Nothing is kept of this machine yet: come back in four minutes.",
        "この仮想マシンの記録はまだありません。4 分後にもう一度ご覧ください。",
    ),
    "says past cpu": ("On average {percent} %, {most} % at the most", "平均 {percent}%、最大 {most}%"),
    "says past memory": (
        "{held} held on the host at the most; the machine has {given}",
        "ホスト上の最大使用量 {held}、割り当て {given}",
    ),
    "usage cpu": ("CPU", "CPU"),
    "usage memory": ("Memory", "メモリ"),
    "usage disk": ("Disks", "ディスク"),
    "usage network": ("Network", "ネットワーク"),
    "percent": ("{percent} %", "{percent}%"),
    "a second": ("{size}/s", "{size}/秒"),
    "says cpu": ("{percent} % of {cpus} processors", "{cpus} 個のプロセッサの {percent}%"),
    "says cpu of one": ("{percent} % of its processor", "プロセッサの {percent}%"),
    "says memory": (
        "{held} held on the host; the machine has {given}",
        "ホスト上の使用量 {held}、割り当て {given}",
    ),
    "says disk": (
        "Read {read}/s, written {written}/s (dashed); {operations} operations/s",
        "読み取り {read}/秒、書き込み {written}/秒 (破線)、{operations} 回/秒",
    ),
    "says disk unknown": ("QEMU does not answer.", "QEMU が応答しません。"),
    "says network": (
        "Received {received}/s, sent {sent}/s (dashed), as the guest counts",
        "受信 {received}/秒、送信 {sent}/秒 (破線)、ゲストの計測値",
    ),
    "says network unknown": (
        "Only the guest counts it, and its agent (qemu-guest-agent) does not tell.",
        "計測できるのはゲストのみで、ゲスト エージェント (qemu-guest-agent) から情報がありません。",
    ),
    "heartbeat": ("Heartbeat: {heartbeat}", "ハートビート: {heartbeat}"),
    "addresses": ("IP addresses: {addresses}", "IP アドレス: {addresses}"),
    "heartbeat ok": ("OK", "OK"),
    "heartbeat no-contact": ("No contact", "接続なし"),
    "heartbeat lost": ("Lost communication", "通信が切断されました"),
    "heartbeat paused": ("Paused", "一時停止中"),
    "heartbeat unknown": ("Unknown", "不明"),
    "why no-contact": (
        "No guest agent has answered since the start. Install qemu-guest-agent in the guest.",
        "起動後、ゲスト エージェントからの応答がありません。ゲストに qemu-guest-agent をインストールしてください。",
    ),
}
