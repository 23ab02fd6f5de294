# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of the library of media."""

SAID: dict[str, str | tuple[str, str]] = {
    "{name} cannot be the name of an image.": "{name} はイメージの名前にできません。",
    "Use a plain name without '/', not beginning with a dot.": "「/」を含まず、ドットで始まらない名前にしてください。",
    "A name of an image may have {most_name} bytes.": "イメージの名前は {most_name} バイトまでです。",
    "Choose a shorter one.": "もっと短い名前を選んでください。",
    "{kept} does not say by its name what it is.": "{kept} はファイル名から種類を判断できません。",
    "There is no room for {format_size} in {folder}: {format_size2} can be taken.": (
        "{folder} に {format_size} の空きがありません (残り {format_size2})。"
    ),
    "Remove what is not needed; see df -h {folder}": ("Remove what is not needed.", "不要なものを削除してください。"),
    "{kept} is in the library already.": "{kept} はすでにライブラリにあります。",
    "More of {name} came than was announced.": "{name} の受信データが、申告されたサイズを超えました。",
    "Send it again.": "もう一度送信してください。",
    "Only {written} bytes of {name} came.": "{name} は {written} バイトしか届きませんでした。",
    "{name} cannot be written: {strerror}.": "{name} を書き込めません ({strerror:text})。",
    "The host's log may say why": "ホストのログに理由がある可能性があります",
    "There is no {kept} in the library.": "ライブラリに {kept} はありません。",
    "{name} is not an ISO image: no ISO 9660 or UDF volume begins at 32 KiB.": (
        "{name} は ISO イメージではありません (32 KiB の位置に ISO 9660 または UDF のボリュームがありません)。"
    ),
    "A hard disk image goes to --disk, a floppy image to --floppy": (
        "Attach a hard disk image as a disk, and a floppy image in the floppy drive",
        "ハード ディスク イメージはディスクとして、フロッピー イメージはフロッピー ドライブで使ってください",
    ),
    "{name} is not a floppy image: no floppy has {format_size} ({size} bytes).": (
        "{name} はフロッピー イメージではありません ({format_size}、{size} バイトのフロッピーはありません)。"
    ),
    "Sizes of floppies: {join}": "フロッピーのサイズ: {join}",
    "{name} is in a drive of {join}.": "{name} は {join} のドライブで使用中です。",
    "Take it out first: kiban set {machines} --dvd none": ("Eject it there first.", "先に取り出してください。"),
    "Choose another name, or remove it first: kiban media remove NAME": (
        "Choose another name, or remove it first.",
        "別の名前にするか、先に削除してください。",
    ),
    "See what is there: kiban media ls": ("The library shows what is there.", "ライブラリの内容を確認してください。"),
    "Let it end with one of {join}; a disk is imported: kiban import": (
        "Let it end with one of {join}; a disk is imported.",
        "名前の末尾を次のいずれかにしてください: {join}。ディスクはインポートします。",
    ),
}
