# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine's page says."""

WORDS: dict[str, tuple[str, str]] = {
    "sure life.turn_off": (
        "Cut the power? What the guest has not written is lost.",
        "電源を切りますか? ゲストがまだ書き込んでいないデータは失われます。",
    ),
    "sure life.reset": (
        "Press the reset button? What the guest has not written is lost.",
        "リセットしますか? ゲストがまだ書き込んでいないデータは失われます。",
    ),
    "gone": ("There is no such machine any more.", "この仮想マシンはもうありません。"),
    "events": ("Events", "イベント"),
    "empty": ("empty", "空"),
    "dvd": ("DVD drive: {medium}", "DVD ドライブ: {medium}"),
    "boot allowed": ("Secure Boot lets it start", "セキュア ブート: 起動できます"),
    "boot nothing": ("Nothing here starts", "起動できるものがありません"),
    "boot refused": ("Secure Boot refuses it", "セキュア ブート: 拒否されます"),
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
    "hardware floppy": ("Diskette Drive", "フロッピー ドライブ"),
    "secure boot on": ("Secure Boot on, template {template}", "セキュア ブート: 有効、テンプレート {template}"),
    "secure boot off": ("Secure Boot off", "セキュア ブート: 無効"),
    "tpm on": ("TPM 2.0", "TPM 2.0"),
    "tpm off": ("no TPM", "TPM なし"),
    "why no secure boot": (
        "A generation 1 machine has BIOS, so neither Secure Boot nor a TPM. Generation 2 has both.",
        "第 1 世代は BIOS のため、セキュア ブートと TPM はありません。第 2 世代にはあります。",
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
        "A generation 2 machine has none until it is added, for debugging.",
        "第 2 世代では追加するまでありません (デバッグ用)。",
    ),
    "why no floppy": (
        "A generation 2 machine has no floppy drive: give files on an ISO.",
        "第 2 世代にフロッピー ドライブはありません。ファイルは ISO で渡してください。",
    ),
}
