# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of what machines use, and of their guests' heartbeat."""

WORDS: dict[str, tuple[str, str]] = {
    "column cpu": ("CPU", "CPU 使用率"),
    "column heartbeat": ("Heartbeat", "ハートビート"),
    "usage": ("Usage", "使用状況"),
    "usage span": ("last 5 minutes", "過去 5 分間"),
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
    "heartbeat paused": ("Paused", "一時停止"),
    "heartbeat unknown": ("Unknown", "不明"),
    "why no-contact": (
        "No guest agent has answered since the start. Install qemu-guest-agent in the guest.",
        "起動後、ゲスト エージェントからの応答がありません。ゲストに qemu-guest-agent をインストールしてください。",
    ),
}
