# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service says of what a machine would boot, and whether Secure Boot lets it."""

SAID: dict[str, str | tuple[str, str]] = {
    "The certificate table has more than {most_entries} entries.": (
        "証明書テーブルのエントリが {most_entries} 個を超えています。"
    ),
    "The certificate table reaches beyond the image.": "証明書テーブルがイメージの外にはみ出しています。",
    "The certificate table ends within an entry.": "証明書テーブルがエントリの途中で終わっています。",
    "An entry of the certificate table has a wrong length.": "証明書テーブルのエントリの長さが正しくありません。",
    "The certificate table is larger than any real one.": "証明書テーブルが異常な大きさです。",
    "A signature is larger than any real one.": "署名が異常な大きさです。",
    "A signature cannot be read.": "署名を読み取れません。",
    "A signature is no PKCS #7 signed data.": "署名が PKCS #7 の署名データではありません。",
    "A signature is no Authenticode.": "署名が Authenticode ではありません。",
    "A certificate cannot be read.": "証明書を読み取れません。",
    "{path} makes boot entries of the lists in \\EFI, and found none.": (
        "{path} は \\EFI 内の一覧からブート エントリを作りますが、一覧が見つかりませんでした。"
    ),
    "The kernel ({missing}) is not on a file system that is looked at here, and was not checked.": (
        "カーネル ({missing}) は、ここで読み取れないファイル システムにあるため、検査されていません。"
    ),
    "The kernel is not on a file system that is looked at here, and was not checked.": (
        "カーネルは、ここで読み取れないファイル システムにあるため、検査されていません。"
    ),
    "The media want more memory to be read than any real medium does.": (
        "メディアを読み取るのに必要なメモリが、実在のメディアではありえない量です。"
    ),
    "The media are nested deeper than any real medium is.": (
        "メディアの入れ子が、実在のメディアではありえない深さです。"
    ),
    "The check of the boot media answered nonsense.": "起動メディアの検査が正しくない応答を返しました。",
    "The service's log has its words.": "サービスのログを確認してください。",
    "The image's sections overlap.": "イメージのセクションが重なっています。",
    "The image ends too early.": "イメージが途中で終わっています。",
    "it has {size} bytes": "サイズは {size} バイトです",
    "its PE header would be beyond its end": "PE ヘッダーがファイルの末尾より後ろにあります",
    "it has no PE header": "PE ヘッダーがありません",
    "It is not an EFI program: {why}.": "EFI プログラムではありません ({why:text})。",
    "its section table would be beyond its end": "セクション テーブルがファイルの末尾より後ろにあります",
    "The certificate table reaches into the sections.": "証明書テーブルがセクションと重なっています。",
    "The firmware refuses {name}: {sentence}": "ファームウェアが {name} を拒否します。{sentence:said}",
    "shim refuses {name}: {sentence}": "shim が {name} を拒否します。{sentence:said}",
    "GRUB refuses {name}: {sentence}": "GRUB が {name} を拒否します。{sentence:said}",
    "systemd-boot refuses {name}: {sentence}": "systemd-boot が {name} を拒否します。{sentence:said}",
    "{name} boots: {way} from {path}, allowed by {allowed}.": (
        "{name} は起動します ({path} から {way:word})。{allowed} によって許可されています。"
    ),
    "{name} boots: {way} from {path}, allowed by {entry} and shim: {vendor}.": (
        "{name} は起動します ({path} から {way:word})。{entry} と shim: {vendor} によって許可されています。"
    ),
    "{name} boots: {way} from {path}.": "{name} は起動します ({path} から {way:word})。",
    "Whether {name} boots is not known: {sentence}": "{name} が起動するかどうかは判定できません。{sentence:said}",
    "There is nothing to boot from.": "起動できるものがありません。",
    "{name} is refused too.": "{name} も拒否されます。",
    "Put a newer file in its place": "新しいファイルに置き換えてください",
    "Put a sound file in its place": "正常なファイルに置き換えてください",
    "Secure Boot is off.": "セキュア ブートは無効です。",
    "With it on: {sentence}": "有効にした場合: {sentence:said}",
    "Looking at {named} took longer than {seconds} s and was stopped.": (
        "{named} の検査が {seconds} 秒を超えたため、中止しました。"
    ),
    "The medium may be damaged, or made to take long; do not boot it.": (
        "メディアが壊れているか、時間がかかるように作られている可能性があります。このメディアから起動しないでください。"
    ),
    "Looking at {named} ended without an answer ({why}).": "{named} の検査が応答なしで終了しました ({why:text})。",
    "The medium may be damaged; the service's log has the details.": (
        "メディアが壊れている可能性があります。詳細はサービスのログにあります。"
    ),
    "it tried what its sandbox forbids": "サンドボックスで禁止されている操作をしようとしました",
    "signal {status}": "シグナル {status}",
    "exit code {status}": "終了コード {status}",
    "No process can be started to look at media: {strerror}.": (
        "メディアを調べるプロセスを開始できません ({strerror:text})。"
    ),
    "{path} does not exist.": "{path} がありません。",
    "{path} cannot be read.": "{path} を読み取れません。",
    "Look at its owner and mode": "所有者とアクセス許可を確認してください",
    "{path} cannot be opened: {why}.": "{path} を開けません ({why:text})。",
    "{path} is neither a file nor a block device.": "{path} はファイルでもブロック デバイスでもありません。",
    "Name an ISO, a disk image or a folder.": "ISO、ディスク イメージ、またはフォルダーを指定してください。",
    "The network boot folder {folder} does not exist.": "ネットワーク起動用フォルダー {folder} がありません。",
    "SBAT data has a line that cannot be read.": "SBAT データに読み取れない行があります。",
    "It is no shim: it has no section for a vendor's certificate.": (
        "shim ではありません (ベンダー証明書のセクションがありません)。"
    ),
    "The shim's vendor section is cut off.": "shim のベンダー セクションが途中で切れています。",
    "Its sections are larger than the file.": "セクションがファイルより大きくなっています。",
    "Its certificate table is not at its end.": "証明書テーブルが末尾にありません。",
    "See what it tried: kiban screenshot {name}": (
        "Its screen shows what it tried.",
        "何を試したかは画面で確認できます。",
    ),
    "Nothing was booted: {words}.": "何も起動しませんでした ({words:text})。",
    "There was nothing to boot: {words}.": "起動できるものがありませんでした ({words:text})。",
    "Secure Boot refused {place}: {words}.": "セキュア ブートが {place:word} を拒否しました ({words:text})。",
    "See why: kiban secureboot explain {name}": (
        "The page of the machine says why.",
        "理由は仮想マシンのページに表示されます。",
    ),
    "{name} is a generation 1 machine: its BIOS asks nobody what it may start.": (
        "{name} は第 1 世代の仮想マシンです。BIOS は起動するものを制限しません。"
    ),
    "{name} is {state}, so what is on its disk may change.": (
        "{name} は {state:word} のため、ディスクの内容が変わる可能性があります。"
    ),
    "{path} is no folder, so it has no boot file to name.": (
        "{path} はフォルダーではないため、ブート ファイルを指定できません。"
    ),
    "Leave --file out, or name a folder.": (
        "Name no boot file, or a folder.",
        "ブート ファイルを指定しないか、フォルダーを指定してください。",
    ),
    "Say --format with one of {known}.": (
        "Choose one of these formats: {known}.",
        "形式は次から選んでください: {known}。",
    ),
    "Which file of {folder} is to be booted?": "{folder} のどのファイルを起動しますか?",
    "Say --file NAME, relative to the folder.": (
        "Name the file, relative to the folder.",
        "フォルダーからの相対パスでファイルを指定してください。",
    ),
    "kiban set {machine} --secure-boot off": (
        "To start it all the same, turn Secure Boot off under Security.",
        "それでも起動するには、[セキュリティ] でセキュア ブートを無効にしてください。",
    ),
    "kiban set {machine} --template {having}": (
        "Choose the template {having} under Security.",
        "[セキュリティ] でテンプレート {having} を選んでください。",
    ),
    "kiban set {machine} --dvd NEWER.iso": (
        "Put a newer ISO in its drive.",
        "新しい ISO をドライブに挿入してください。",
    ),
    "kiban set {machine} --dvd SOUND.iso": (
        "Put a sound ISO in its drive.",
        "正常な ISO をドライブに挿入してください。",
    ),
    "kiban set {machine} --dvd FILE.iso": (
        "Put an ISO that boots in its DVD drive.",
        "起動できる ISO を DVD ドライブに挿入してください。",
    ),
    "kiban set {machine} --boot dvd --dvd NEWER.iso": (
        "Boot from a newer ISO: put it in the DVD drive, and that first in the boot order.",
        "新しい ISO を DVD ドライブに挿入し、起動順序で DVD ドライブを先頭にしてください。",
    ),
    "kiban set {machine} --boot dvd --dvd SOUND.iso": (
        "Boot from a sound ISO: put it in the DVD drive, and that first in the boot order.",
        "正常な ISO を DVD ドライブに挿入し、起動順序で DVD ドライブを先頭にしてください。",
    ),
    "kiban create OTHER --generation 1 --dvd {name}": (
        "Make a generation 1 machine for it.",
        "これには第 1 世代の仮想マシンを作成してください。",
    ),
    "See also: kiban doctor": ("See also the page of the host.", "ホストのページも確認してください。"),
    "Secure Boot is generation 2's: kiban create NAME --generation 2": (
        "Secure Boot is generation 2's.",
        "セキュア ブートは第 2 世代の機能です。",
    ),
}
CLAUSES: dict[str, str] = {
    "cannot be read: {message}": "を読み取れません ({message:text})",
    "is an {what}, and the firmware boots applications only": (
        "は {what:word} ですが、ファームウェアが起動するのはアプリケーションだけです"
    ),
    "cannot be loaded: {words}": "を読み込めません ({words:text})",
    "is missing": "がありません",
    "is for GRUB to judge, which asks shim, and shim was not loaded": (
        "の判定は GRUB が shim に問い合わせて行いますが、shim は読み込まれていません"
    ),
    "is for {architecture} processors, and the machine is x86-64": (
        "は {architecture:word} プロセッサ用で、この仮想マシンは x86-64 です"
    ),
    "may start because Secure Boot is off": "はセキュア ブートが無効のため起動できます",
    "cannot be judged: {clause}": "を判定できません ({clause:text})",
    "cannot be hashed: {clause}": "のハッシュを計算できません ({clause:text})",
    "is not signed, and only firmware made since September 2023 looks at other hashes than SHA-256": (
        "は署名されておらず、SHA-256 以外のハッシュを調べるのは 2023 年 9 月以降のファームウェアだけです"
    ),
    "is revoked": "は失効しています",
    "is not signed, and trusted by its hash": "は署名されていませんが、ハッシュで信頼されています",
    "is not signed": "は署名されていません",
    "is trusted by its hash": "はハッシュで信頼されています",
    "has a damaged certificate table": "の証明書テーブルは壊れています",
    "has a signature that cannot be read": "の署名を読み取れません",
    "is signed with a revoked certificate": "は失効した証明書で署名されています",
    "is signed by {names}": "は {names} によって署名されています",
    "was changed after it was signed": "は署名された後に変更されています",
    "has a signature that does not hold": "の署名は正しくありません",
    "has a certificate table without a signature": "には証明書テーブルがありますが、署名がありません",
    "is signed by {names} with a key that is not RSA, and not all firmware verifies those": (
        "は {names} によって RSA 以外のキーで署名されており、検証できないファームウェアがあります"
    ),
    "is signed by {names} with a key that is not RSA, and not trusted": (
        "は {names} によって RSA 以外のキーで署名されており、信頼されていません"
    ),
    "is signed by {signed_by}, which is not trusted": (
        "は {signed_by} によって署名されていますが、この署名者は信頼されていません"
    ),
    "is signed by {signed_by}, none of which is trusted": (
        "は {signed_by} によって署名されていますが、どの署名者も信頼されていません"
    ),
    "is signed by {one} and {other}, none of which is trusted": (
        "は {one} と {other} によって署名されていますが、どの署名者も信頼されていません"
    ),
    "is no EFI program (subsystem {subsystem})": "は EFI プログラムではありません (サブシステム {subsystem})",
    "has more data directories than there are kinds": "のデータ ディレクトリが多すぎます",
    "has an optional header of a wrong size": "のオプション ヘッダーのサイズが正しくありません",
    "has more sections than fit its size in memory": "のセクションが、メモリ上のサイズに収まりません",
    "has headers of a wrong size": "のヘッダーのサイズが正しくありません",
    "ends within its headers": "はヘッダーの途中で終わっています",
    "ends before its certificate table does": "は証明書テーブルの途中で終わっています",
    "has its section {name} within its headers": "のセクション {name} がヘッダーと重なっています",
    "ends before its section {name} does": "はセクション {name} の途中で終わっています",
    "ends before its debug directory does": "はデバッグ ディレクトリの途中で終わっています",
    "has its section {name} outside of its size in memory": "のセクション {name} がメモリ上のサイズの外にあります",
    "has no relocations, and was not linked for any address": (
        "には再配置情報がなく、任意のアドレスで動くようにもリンクされていません"
    ),
    "has relocations outside of its size in memory": "の再配置情報がメモリ上のサイズの外にあります",
    "has damaged relocations": "の再配置情報は壊れています",
    "has a header that shim does not take": "のヘッダーは shim が受け付けない形式です",
    "has no relocations, and shim needs them": "には、shim が必要とする再配置情報がありません",
    "ends before its certificate table": "は証明書テーブルより前で終わっています",
    "has no place for relocations, and shim needs it": "には、shim が必要とする再配置情報の場所がありません",
    "has an entry point that is not in one section": "のエントリ ポイントが 1 つのセクションの中にありません",
    "has relocations that are not in their section": "の再配置情報がそのセクションの中にありません",
    "has nothing to boot from": "には起動できるものがありません",
    "has no file {path}": "にファイル {path} がありません",
    "has no partition {partition} that the firmware could read": (
        "には、ファームウェアが読み取れるパーティション {partition} がありません"
    ),
    "has no {path}, which a boot entry names": "には、ブート エントリが示す {path} がありません",
    "has no FAT volume with a loader; its UDF file system, where some firmware looks too, was not read": (
        "にはローダーのある FAT ボリュームがありません。一部のファームウェアが参照する UDF ファイル "
        "システムは調べていません"
    ),
    "has a loader for {join} only": "には {join:word} 用のローダーしかありません",
    "has {removable} where the firmware cannot read it, and no El Torito EFI image": (
        "では {removable} がファームウェアから読み取れない場所にあり、El Torito の EFI イメージもありません"
    ),
    "boots by BIOS only, and generation 2 has none": "は BIOS でのみ起動します。第 2 世代に BIOS はありません",
    "has a partition table for sectors of 4096 bytes, and the disk has 512": (
        "には 4096 バイト セクター用のパーティション テーブルがありますが、ディスクのセクターは 512 バイトです"
    ),
    "is empty, or holds no file system that the firmware reads": (
        "は空であるか、ファームウェアが読み取れるファイル システムを含みません"
    ),
    "has no {removable}": "に {removable:bare} がありません",
    "checks nothing about itself": "は自身を検査しません",
    "is not revoked by SBAT": "は SBAT で失効していません",
    "may start because shim's validation is off": "は shim の検証が無効のため起動できます",
    "cannot be verified: {clause}": "を検証できません ({clause:text})",
    "is signed with another hash than SHA-256, the only one that shim looks at": (
        "は SHA-256 以外のハッシュで署名されています。shim が調べるのは SHA-256 だけです"
    ),
    "has SBAT data that shim does not take": "の SBAT データは shim が受け付けない形式です",
    "has no SBAT data, which shim demands of what it loads": (
        "には、shim が読み込むものに必要な SBAT データがありません"
    ),
    "is refused: {clause}": "は拒否されます ({clause:text})",
    "has generation {generation} of {component}, and generation {demanded} is demanded": (
        "の {component} は世代 {generation} ですが、世代 {demanded} が必要です"
    ),
}
"""What is said of a medium, or of a file on it, in front of the clause."""
