# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of disks that are damaged or made to deceive, by those who read them in confined processes."""

SAID: dict[str, str | tuple[str, str]] = {
    "No process can be started to read disks: {strerror}.": (
        "ディスクを読み取るプロセスを開始できません ({strerror:text})。"
    ),
    "Reading {path} took longer than {seconds} s and was stopped.": (
        "{path} の読み取りが {seconds} 秒を超えたため、中止しました。"
    ),
    "The disk may be damaged, or made to take long.": (
        "ディスクが壊れているか、時間がかかるように作られている可能性があります。"
    ),
    "Reading {path} ended without an answer ({why}).": "{path} の読み取りが応答なしで終了しました ({why:text})。",
    "status {status}": "終了状態 {status}",
    "The disk may be damaged; the service's log has the details.": (
        "ディスクが壊れている可能性があります。詳細はサービスのログにあります。"
    ),
    "The reader of {path} answered nonsense.": "{path} を読み取るプロセスが正しくない応答を返しました。",
    "The disk may be made to do that; do not use it.": (
        "そのように作られたディスクの可能性があります。使用しないでください。"
    ),
    "It wants more memory to be read than any real disk does.": (
        "読み取りに必要なメモリが、実在のディスクではありえない量です。"
    ),
    "It needs a parent, and does not say which.": "親ディスクが必要ですが、どのディスクかが記録されていません。",
    "There is no folder {folder}.": "フォルダー {folder} がありません。",
    "{folder} is no folder.": "{folder} はフォルダーではありません。",
    "Name the folder that the parent disks are in.": "親ディスクのあるフォルダーを指定してください。",
    "A server must wait for some seconds.": "サーバーの待ち時間は 1 秒以上必要です。",
    "Give a positive number.": "正の数を指定してください。",
    "'{form}' is no format that has parents like these.": "「{form}」は、このような親を持つ形式ではありません。",
    "Use vhd or vhdx.": "vhd または vhdx を使ってください。",
    "{path} has more than {most_links} files.": "{path} のファイルは {most_links} 個を超えています。",
    "Merge it in Hyper-V.": "Hyper-V で結合してください。",
    "{real} is a parent of itself.": "{real} が自分自身の親になっています。",
    "The chain has no beginning.": "チェーンに始まりがありません。",
    "{shown} was written after {child} was made of it, or was copied without its time.": (
        "{shown} は、{child} を作った後に書き込まれたか、更新日時なしでコピーされています。"
    ),
    "Copy it anew with its time (cp -p, rsync -t, robocopy); what was written to it cannot be undone.": (
        "更新日時を保ってコピーし直してください (cp -p、rsync -t、robocopy)。書き込まれた内容は元に戻せません。"
    ),
    "{shown} is not what {child} was made of: it was changed since, or is another disk ({other} instead of {join}).": (
        "{shown} は {child} の作成元と異なります。変更されたか、別のディスクです ({join} ではなく {other})。"
    ),
    "Restore it as it was, or name the folder that the right one is in.": (
        "元の状態に戻すか、正しいディスクのあるフォルダーを指定してください。"
    ),
    "{child} needs its parent {shown}, which was not found. Looked at: {places}.": (
        "{child} に必要な親ディスク {shown} が見つかりません。探した場所: {places:thing}。"
    ),
    "Copy it beside {name}, or name the folder that it is in; its id is {join}.": (
        "{name} と同じフォルダーにコピーするか、親ディスクのあるフォルダーを指定してください。ID は {join} です。"
    ),
    "Media are not looked at without libseccomp.": "libseccomp がないため、メディアを調べません。",
    "Media are not looked at, because this kernel has no seccomp filters.": (
        "このカーネルに seccomp フィルターがないため、メディアを調べません。"
    ),
    "Use a kernel with CONFIG_SECCOMP_FILTER; QEMU's own sandbox needs it too.": (
        "CONFIG_SECCOMP_FILTER のあるカーネルを使ってください。QEMU のサンドボックスにも必要です。"
    ),
    "A compressed cluster of the image is broken.": "イメージの圧縮されたクラスターが壊れています。",
    "The image is compressed with zstd, which Python reads from version 3.14 on.": (
        "イメージは zstd で圧縮されており、読み取りには Python 3.14 以降が必要です。"
    ),
    "Convert it": "変換してください",
    "The image uses compression method {method}, which is not known.": "イメージの圧縮方式 {method} は不明です。",
    "A compressed cluster of the image is too short.": "イメージの圧縮されたクラスターが短すぎます。",
    "The image leaves data to a parent, which is not there.": "イメージは親のデータを必要としますが、親がありません。",
    "'{form}' is not an image format.": "「{form}」はイメージの形式ではありません。",
    "Use raw, iso, vhd, vhdx or qcow2": "raw、iso、vhd、vhdx、qcow2 のいずれかを使ってください",
    "make it whole where the other file is": "もう一方のファイルがある場所で 1 つの完全なディスクにしてください",
    "It is no qcow2 image of version 2 or 3.": "バージョン 2 または 3 の qcow2 イメージではありません。",
    "Clusters of 2^{bits} bytes do not exist in qcow2.": "qcow2 に 2^{bits} バイトのクラスターはありません。",
    "The image is only the changes to another one, {name}.": (
        "このイメージは別のイメージ {name} との差分だけを含みます。"
    ),
    "The image is encrypted.": "イメージは暗号化されています。",
    "Decrypt it into a new one": "復号して新しいイメージにしてください",
    "The image keeps its data in another file.": "イメージのデータは別のファイルにあります。",
    "The image is marked corrupt.": "イメージに破損のマークが付いています。",
    "extended L2 entries": "拡張 L2 エントリ",
    "the features {incompatible}": "機能 {incompatible}",
    "The image uses {what}, which cannot be looked into here.": (
        "イメージは {what:text} を使っており、ここでは内容を調べられません。"
    ),
    "The image's L1 table is too short for its disk.": "イメージの L1 テーブルが短すぎます。",
    "The image's L1 table lies beyond its end.": "イメージの L1 テーブルがファイルの末尾より後ろにあります。",
    "A table of the image names a place where no cluster can begin.": (
        "イメージのテーブルが、クラスターの始まりではない場所を指しています。"
    ),
    "A cluster of the image lies beyond the end of its file.": (
        "イメージのクラスターがファイルの末尾より後ろにあります。"
    ),
    "Reading it takes more than so many steps that it cannot be a medium to boot from.": (
        "読み取りの手順が多すぎます。起動メディアではありえません。"
    ),
    "Answering this reads more than a boot loader and its files can need.": (
        "読み取る量が、ブート ローダーに必要な量を超えています。"
    ),
    "It names a piece of {length} bytes, which is too large to read at once.": (
        "{length} バイトの部分は、一度に読み取るには大きすぎます。"
    ),
    "It ends at byte {size}, but names bytes {offset} to {offset2}.": (
        "{size} バイトで終わっていますが、{offset} バイト目から {offset2} バイト目までを指しています。"
    ),
    "Byte {offset} cannot be read: {strerror}.": "{offset} バイト目を読み取れません ({strerror:text})。",
    "It ends before byte {offset}, though it was longer when it was opened.": (
        "{offset} バイト目より前で終わっています。開いたときはもっと長いファイルでした。"
    ),
    "It ends at byte {size}, but a part of it is said to end at byte {start}.": (
        "{size} バイトで終わっていますが、{start} バイト目で終わる部分があるとされています。"
    ),
    "There is no VHD of type {kind}.": "種類 {kind} の VHD はありません。",
    "The VHD's header is missing where its footer says that it is.": (
        "フッターの示す場所に VHD のヘッダーがありません。"
    ),
    "It has no VHD footer, so its end was lost or it is no VHD.": (
        "VHD のフッターがありません。末尾が失われたか、VHD ではありません。"
    ),
    "A checksum of the VHD is wrong.": "VHD のチェックサムが正しくありません。",
    "The VHD claims to be a disk of {size} bytes, which is more than a VHD can be.": (
        "VHD のサイズが {size} バイトとされていますが、VHD ではありえない大きさです。"
    ),
    "The VHD is a differencing disk and needs its parent, {name}.": (
        "この VHD は差分ディスクで、親ディスク {name} が必要です。"
    ),
    "The VHD is a differencing disk and needs its parent.": "この VHD は差分ディスクで、親ディスクが必要です。",
    "The VHD cannot have blocks of {block_size} bytes.": "VHD のブロックを {block_size} バイトにはできません。",
    "The VHD's block table is too short for its disk.": "VHD のブロック テーブルが短すぎます。",
    "There is no VHDX of version {version}.": "バージョン {version} の VHDX はありません。",
    "The VHDX was not closed, and its log is of version {log_version}, which is not known.": (
        "VHDX が正常に閉じられておらず、ログのバージョン {log_version} は不明です。"
    ),
    "It is no VHDX image.": "VHDX イメージではありません。",
    "Both headers of the VHDX are damaged.": "VHDX の両方のヘッダーが壊れています。",
    "Both region tables of the VHDX are damaged.": "VHDX の両方のリージョン テーブルが壊れています。",
    "The region table of the VHDX has more entries than it can have.": (
        "VHDX のリージョン テーブルのエントリが多すぎます。"
    ),
    "The region table of the VHDX contradicts itself.": "VHDX のリージョン テーブルに矛盾があります。",
    "The region table of the VHDX lacks a region.": "VHDX のリージョン テーブルにリージョンが足りません。",
    "The VHDX requires a feature that is not known, {uuid}.": "VHDX は不明な機能 {uuid} を必要とします。",
    "Convert it with the program that wrote it": "作成したプログラムで変換してください",
    "The metadata of the VHDX is damaged.": "VHDX のメタデータが壊れています。",
    "The metadata of the VHDX has more entries than it can have.": "VHDX のメタデータのエントリが多すぎます。",
    "The metadata of the VHDX contradicts itself.": "VHDX のメタデータに矛盾があります。",
    "The metadata of the VHDX lacks what every VHDX has.": "VHDX のメタデータに必須の項目がありません。",
    "The VHDX cannot be a disk of {size} bytes in sectors of {sector}.": (
        "VHDX は、{sector} バイト セクターで {size} バイトのディスクにはなりません。"
    ),
    "The VHDX cannot have blocks of {block_size} bytes.": "VHDX のブロックを {block_size} バイトにはできません。",
    "The VHDX is a differencing disk and needs its parent, {name}.": (
        "この VHDX は差分ディスクで、親ディスク {name} が必要です。"
    ),
    "The VHDX is a differencing disk and needs its parent.": "この VHDX は差分ディスクで、親ディスクが必要です。",
    "The block table of the VHDX is too short for its disk.": "VHDX のブロック テーブルが短すぎます。",
    "The block table of the VHDX has an entry of state {state}, which no such disk has.": (
        "VHDX のブロック テーブルに、ありえない状態 {state} のエントリがあります。"
    ),
    "The VHDX lacks the bitmap of a block that is partly in its parent.": (
        "一部が親にあるブロックのビットマップが VHDX にありません。"
    ),
    "The block table of the VHDX places a block in its header.": (
        "VHDX のブロック テーブルが、ブロックをヘッダーの中に置いています。"
    ),
    "The VHDX was not closed properly, and its log is not where a log can be.": (
        "VHDX が正常に閉じられておらず、ログの場所が正しくありません。"
    ),
    "The VHDX was not closed properly, and its log is damaged.": "VHDX が正常に閉じられておらず、ログが壊れています。",
    "Let Hyper-V or qemu-img check -r all look at a copy": (
        "Hyper-V または qemu-img check -r all でコピーを調べてください"
    ),
    "The VHDX was not closed properly, and the end of its file was lost.": (
        "VHDX が正常に閉じられておらず、ファイルの末尾が失われています。"
    ),
    "The VHDX was not closed properly, and its log is too large to be replayed.": (
        "VHDX が正常に閉じられておらず、ログが大きすぎて再生できません。"
    ),
    "The VHDX was not closed properly, and an entry of its log is broken.": (
        "VHDX が正常に閉じられておらず、ログのエントリが壊れています。"
    ),
    "{program} did not show the disk within {seconds} s.": (
        "{program} は {seconds} 秒以内にディスクを公開しませんでした。"
    ),
    "The disk cannot be shown as a file: {why}.": "ディスクをファイルとして公開できません ({why:text})。",
    "This host has no FUSE.": "このホストには FUSE がありません。",
    "Load its module": "モジュールを読み込んでください",
    "Nobody but root can mount without fusermount3.": "fusermount3 がないと、root 以外はマウントできません。",
    "{place} cannot be unmounted: {strerror}.": "{place} のマウントを解除できません ({strerror:text})。",
    "See what is mounted": "マウントの状況を確認してください",
    "Somebody uses {place}.": "{place} は使用中です。",
    "See who: fuser -vm {place}; then do it again": "使用者を確認してから、もう一度お試しください: fuser -vm {place}",
    "It is too small for a FAT file system.": "FAT ファイル システムには小さすぎます。",
    "It holds no FAT file system.": "FAT ファイル システムがありません。",
    "It holds no FAT file system: its boot sector names no kind of medium.": (
        "FAT ファイル システムがありません (ブート セクターにメディアの種類がありません)。"
    ),
    "Its FAT file system has fields in its boot sector that firmware does not accept.": (
        "FAT ファイル システムのブート セクターに、ファームウェアが受け付けない値があります。"
    ),
    "Its FAT file system has no room for files.": "FAT ファイル システムにファイルのための領域がありません。",
    "Its FAT16 file system has {clusters} clusters, with which firmware does not mount it.": (
        "FAT16 ファイル システムのクラスターが {clusters} 個で、ファームウェアはこれをマウントしません。"
    ),
    "Its FAT32 file system has {clusters} clusters, with which firmware does not mount it.": (
        "FAT32 ファイル システムのクラスターが {clusters} 個で、ファームウェアはこれをマウントしません。"
    ),
    "Make the file system anew and let the tool choose the FAT's width": (
        "ファイル システムを作り直し、FAT の種類はツールに選ばせてください"
    ),
    "A folder of its FAT file system is larger than folders can be.": (
        "FAT ファイル システムのフォルダーが大きすぎます。"
    ),
    "A chain of its FAT file system leads to cluster {cluster}, which does not exist.": (
        "FAT ファイル システムのチェーンが、存在しないクラスター {cluster} を指しています。"
    ),
    "A chain of clusters in its FAT file system leads back to itself.": (
        "FAT ファイル システムのクラスター チェーンがループしています。"
    ),
    "A file's chain of clusters in its FAT file system ends before the file does.": (
        "FAT ファイル システムで、ファイルのクラスター チェーンがファイルより先に終わっています。"
    ),
    "It holds no ISO 9660 file system.": "ISO 9660 ファイル システムがありません。",
    "A file of its ISO 9660 file system is in more pieces than files can be.": (
        "ISO 9660 ファイル システムのファイルが細かく分かれすぎています。"
    ),
    "A folder of its ISO 9660 file system is larger than folders can be.": (
        "ISO 9660 ファイル システムのフォルダーが大きすぎます。"
    ),
    "A folder of its ISO 9660 file system has a broken record.": (
        "ISO 9660 ファイル システムのフォルダーに壊れたレコードがあります。"
    ),
    "Its protective MBR promises a GPT partition table, but both copies of that are damaged or missing.": (
        "保護 MBR は GPT パーティション テーブルがあることを示していますが、両方のコピーが壊れているか、ありません。"
    ),
    "Look at the disk with a partitioning tool, for instance sfdisk --verify": (
        "パーティション ツールでディスクを確認してください (例: sfdisk --verify)"
    ),
    "Its GPT has {len} partitions, which is more than a disk to boot from can need.": (
        "GPT に {len} 個のパーティションがあります。起動ディスクには多すぎます。"
    ),
}
