# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of disks: made, changed, merged, mounted, and of the files that they are in."""

SAID: dict[str, str | tuple[str, str]] = {
    "{place}, the parent of {path}, is missing.": "{path} の親ディスク {place} がありません。",
    "Put it back where it was": "元の場所に戻してください",
    "{path} is in a chain without an end.": "{path} のチェーンに終わりがありません。",
    "Take it from its source": "元の場所から取得し直してください",
    "{path} is a differencing disk and needs its parent, '{shown}'.": (
        "{path} は差分ディスクで、親ディスク「{shown}」が必要です。"
    ),
    "{path} does not say what format its parent '{shown}' has.": (
        "{path} に親ディスク「{shown}」の形式が記録されていません。"
    ),
    "Say it, if you know": "わかる場合は指定してください",
    "{path} refers to '{name}', and nothing proves that it was made on it here.": (
        "{path} は「{name}」を参照していますが、このホストでその上に作られたという証拠がありません。"
    ),
    "{path} was changed since {path2} was made on it.": "{path2} を作った後に {path} が変更されました。",
    "Put back the parent as it was then, with its time (cp -p)": "当時の親ディスクを更新日時ごと戻してください (cp -p)",
    "The parent's state does not fit into the header of its child.": (
        "親ディスクの状態が子ディスクのヘッダーに収まりません。"
    ),
    "Use a shorter path": "もっと短いパスを使ってください",
    "The path of the parent, {name}…, is too long.": "親ディスクのパス {name}… が長すぎます。",
    "Give it a shorter one": "もっと短いパスにしてください",
    "{path} has snapshots inside, which would be lost.": "{path} の内部スナップショットが失われます。",
    "{path} has sectors of {logical_sector} bytes, which QEMU cannot make.": (
        "{path} のセクターは {logical_sector} バイトですが、QEMU では作れません。"
    ),
    "{path} has {format_size}, so {format_size2} would make it smaller.": (
        "{path} のサイズは {format_size} で、{format_size2} にすると縮小になります。"
    ),
    "If that is meant, say --shrink; nothing is cut off but what is empty": (
        "If that is meant, allow a smaller size; nothing is cut off but what is empty.",
        "意図した操作であれば、縮小を許可してください。切り落とされるのは空の部分だけです。",
    ),
    "{path} has data in what would be cut off, behind {format_size}.": (
        "{path} の {format_size} より後ろの、切り落とされる部分にデータがあります。"
    ),
    "Make its partitions smaller in the guest first; a GPT keeps its second table at the very end of the disk": (
        "先にゲストでパーティションを小さくしてください。GPT はディスクの末尾に 2 つ目のテーブルを持っています"
    ),
    "See kiban doctor": ("The page of the host says what is missing.", "足りないものはホストのページで確認できます。"),
    "{target} did not become what it was to be.": "{target} は予定どおりのディスクになりませんでした。",
    "Try again, and look at the disks": "ディスクを確認して、もう一度お試しください",
    "{target} did not become the same as its source.": "{target} は元のディスクと同じになりませんでした。",
    "{path} was written to meanwhile.": "処理中に {path} が書き込まれました。",
    "See who uses it, then try again": "使用しているものを確認して、もう一度お試しください",
    "{name} could not be made: {strerror}.": "{name} を作成できませんでした ({strerror:text})。",
    "Look at the disks": "ディスクを確認してください",
    "{name} did not become what it is a copy of.": "{name} はコピー元と同じになりませんでした。",
    "Try again when nobody writes to the source": "コピー元への書き込みがないときに、もう一度お試しください",
    "{path} claims to be a disk of {format_size}, which no {name} disk may be.": (
        "{path} のサイズは {format_size} とされていますが、{name} ディスクではありえない大きさです。"
    ),
    "The largest is {format_size}": "最大サイズは {format_size} です",
    "{path} is damaged: its sectors have no size.": "{path} は壊れています (セクターのサイズがありません)。",
    "'{name}' is not a disk format.": "「{name}」はディスクの形式ではありません。",
    "Use one of: {join}": "次から選んでください: {join}",
    "{name} does not say by its name what format it has.": "{name} はファイル名から形式を判断できません。",
    "Say it: --format with one of {join}": ("Choose its format: one of {join}", "形式を次から選んでください: {join}"),
    "A {name} disk of {format_size} is too small.": "{format_size} の {name} ディスクは小さすぎます。",
    "The smallest is {format_size}": "最小サイズは {format_size} です",
    "A {name} disk of {format_size} is too large.": "{format_size} の {name} ディスクは大きすぎます。",
    "the largest is {format_size}; vhdx takes 64 TiB": "最大サイズは {format_size} です。vhdx なら 64 TiB まで可能です",
    "the largest is {format_size}": "最大サイズは {format_size} です",
    "A {name} disk cannot have {size} bytes.": "{name} ディスクを {size} バイトにはできません。",
    "The size is a multiple of {format_size}": "サイズは {format_size} の倍数です",
    "Merge it with its parent into one file first, for instance with Hyper-V's Convert-VHD": (
        "先に親ディスクと結合して 1 つのファイルにしてください (Hyper-V の Convert-VHD など)"
    ),
    "Take the image from its source again": "元のイメージを取得し直してください",
    "{path} is empty.": "{path} は空です。",
    "it seems to be {seems}": "{seems} のようです",
    "it does not begin like one": "先頭の内容が異なります",
    "{path} is not a {name} image: {known}.": "{path} は {name} イメージではありません ({known:text})。",
    "Name the format that it has: format={seems}": (
        "Choose the format that it has: {seems}",
        "実際の形式を選んでください: {seems}",
    ),
    "A disk without a header is format=raw": (
        "The format of a disk without a header is raw",
        "ヘッダーのないディスクの形式は raw です",
    ),
    "{path} is damaged: {what}.": "{path} は壊れています ({what:text})。",
    "its header is cut off": "ヘッダーが途中で切れています",
    "there is no qcow2 of version {version} with such a header": (
        "そのようなヘッダーを持つバージョン {version} の qcow2 はありません"
    ),
    "clusters of 2^{cluster_bits} bytes do not exist": "2^{cluster_bits} バイトのクラスターはありません",
    "{path} is only the changes to another image, '{name}'.": "{path} は別のイメージ「{name}」との差分だけを含みます。",
    "Make it whole where its backing file is": "親イメージのある場所で 1 つの完全なディスクにしてください",
    "{path} keeps its data in another file.": "{path} のデータは別のファイルにあります。",
    "Make it whole where its data file is": "データ ファイルのある場所で 1 つの完全なディスクにしてください",
    "{path} is encrypted.": "{path} は暗号化されています。",
    "Decrypt it into a new image": "復号して新しいイメージにしてください",
    "{path} is marked corrupt.": "{path} に破損のマークが付いています。",
    "Repair a copy": "コピーを修復してください",
    "its tables lie beyond its end": "テーブルがファイルの末尾より後ろにあります",
    "its footer is cut off": "フッターが途中で切れています",
    "there is no VHD of type {kind}": "種類 {kind} の VHD はありません",
    "the checksum of its footer is wrong": "フッターのチェックサムが正しくありません",
    "its footer is missing, so the end of the file was lost": "フッターがないため、ファイルの末尾が失われています",
    "{path} is a differencing disk and needs its parent.": "{path} は差分ディスクで、親ディスクが必要です。",
    "its metadata cannot be found": "メタデータが見つかりません",
    "{path} cannot be opened as {name}: {last_line}.": "{path} を {name} として開けません ({last_line:text})。",
    "Take the image from its source again; a VHDX that was not closed must be opened by Hyper-V once": (
        "元のイメージを取得し直してください。正常に閉じられていない VHDX は、一度 Hyper-V で開く必要があります"
    ),
    "no size": "サイズがありません",
    "{path} has no parent to be merged into.": "{path} には結合先の親ディスクがありません。",
    "{path} is larger than its parent, a {name}, which cannot grow in place.": (
        "{path} は親ディスクより大きく、親の形式 {name} は拡張できません。"
    ),
    "{path} is being merged already.": "{path} はすでに結合中です。",
    "{target} exists already.": "{target} はすでにあります。",
    "Choose another name, or remove it": "別の名前にするか、既存のものを削除してください",
    "{parent} may not be written to.": "{parent} に書き込めません。",
    "Choose another folder": "別のフォルダーを選んでください",
    "{target} cannot be made: {strerror}.": "{target} を作成できません ({strerror:text})。",
    "Choose another name": "別の名前を選んでください",
    "{target} is being made already.": "{target} はすでに作成中です。",
    "{target} was made just now.": "{target} はたった今作成されました。",
    "{part} belongs to another user.": "{part} は別のユーザーのものです。",
    "Choose a folder of your own": "自分のフォルダーを選んでください",
    "Somebody is working with {path}.": "{path} は使用中です。",
    "See who": "使用者を確認してください",
    "{target} was changed meanwhile.": "処理中に {target} が変更されました。",
    "See who else uses it, then try again": "ほかの使用者を確認して、もう一度お試しください",
    "{target} cannot be given its name: {strerror}.": "{target} に名前を付けられません ({strerror:text})。",
    "See the folder": "フォルダーを確認してください",
    "{target} cannot be given its room: {strerror}.": "{target} の領域を確保できません ({strerror:text})。",
    "Make it without fixed": ("Make it without a fixed size", "容量固定にせずに作成してください"),
    "There is no space left for {target}.": "{target} のための空き領域がありません。",
    "Free some, or choose another folder": "空き領域を増やすか、別のフォルダーを選んでください",
    "{path} cannot be read: {strerror}.": "{path} を読み取れません ({strerror:text})。",
    "{path} is not the key that it was.": "{path} は以前のキーと異なります。",
    "Restore it; without it no differencing disk is trusted": (
        "元に戻してください。このキーがないと差分ディスクを信頼できません"
    ),
    "{path} needs {format_size}, but only {format_size2} are free there.": (
        "{path} には {format_size} が必要ですが、空きは {format_size2} です。"
    ),
    "Free some space, choose a smaller size, or another folder": (
        "空き領域を増やすか、小さいサイズか別のフォルダーを選んでください"
    ),
    "Export it again as one file: with ovftool, or qemu-img convert where it comes from.": (
        "元の環境で 1 つのファイルとしてエクスポートし直してください (ovftool または qemu-img convert)。"
    ),
    "{path} is the description of a VMDK whose data is in other files.": (
        "{path} は、データが別のファイルにある VMDK の記述ファイルです。"
    ),
    "{path} is no VMDK of one file.": "{path} は 1 つのファイルの VMDK ではありません。",
    "{path} is a VMDK of several files, or of none.": "{path} は複数ファイルの VMDK か、データのない VMDK です。",
    "{path} needs a parent disk.": "{path} には親ディスクが必要です。",
    "{path} is no VDI 1.1.": "{path} は VDI 1.1 ではありません。",
    "Name the format that it has: --format": ("Name the format that it has.", "実際の形式を指定してください。"),
    "Merge its snapshots in VirtualBox.": "VirtualBox でスナップショットを結合してください。",
    "{path} is damaged.": "{path} は壊れています。",
    "Take the disk from its source again.": "元のディスクを取得し直してください。",
    "In {path} there is a {kind} disk.": "{path} の中には {kind} ディスクがあります。",
    "Unpack it": "展開してください",
    "The program {program} is missing.": "プログラム {program} がありません。",
    "Try again": "もう一度お試しください",
    "Do not trust the image": "このイメージは信頼しないでください",
    "it did not say why": "理由は示されませんでした",
    "{source} is in use by another program.": "{source} は別のプログラムが使用中です。",
    "See which": "使用者を確認してください",
    "See kiban disk check": ("Check the disk.", "ディスクの整合性を検査してください。"),
    "a directory": "フォルダー",
    "a block device": "ブロック デバイス",
    "a character device": "キャラクター デバイス",
    "a pipe": "パイプ",
    "a socket": "ソケット",
    "There is no file {path}.": "ファイル {path} がありません。",
    "Check the path": "パスを確認してください",
    "{path} may not be read.": "{path} を読み取る権限がありません。",
    "See who owns it": "所有者を確認してください",
    "Name a regular file": "通常のファイルを指定してください",
    "something else": "ファイル以外のもの",
    "{path} is not a file but {kind}.": "{path} はファイルではなく {kind:text} です。",
    "{path} may not be replaced.": "{path} を置き換える権限がありません。",
    "See whose it and its folder are": "ファイルとフォルダーの所有者を確認してください",
    "Cannot write {path}: {strerror}.": "{path} に書き込めません ({strerror:text})。",
    "Look at the free space": "空き領域を確認してください",
    "{name} has no disk {disk_id}.": "{name} にディスク {disk_id} がありません。",
    "{id} of {name} is a {format}, which cannot grow while the machine runs.": (
        "{name} の {id} は {format} で、実行中は拡張できません。"
    ),
    "kiban stop {name}, or keep it as qcow2: kiban disk convert": (
        "Shut the machine down first, or keep the disk as qcow2.",
        "先に仮想マシンをシャットダウンするか、ディスクを qcow2 に変換してください。",
    ),
    "{id} of {name} has {format_size} and cannot become smaller while the machine runs.": (
        "{name} の {id} は {format_size} で、実行中は小さくできません。"
    ),
    "kiban stop {name}": ("Shut the machine down first.", "先に仮想マシンをシャットダウンしてください。"),
    "{id} of {name} did not become {format_size}.": "{name} の {id} を {format_size} にできませんでした。",
    "See kiban disk info": ("Look at the disk.", "ディスクを確認してください。"),
    "A new disk needs a size.": "新しいディスクにはサイズが必要です。",
    "Say how large: kiban disk create a.qcow2 20G": (
        "Write how large, such as 20G.",
        "20G のようにサイズを指定してください。",
    ),
    "A differencing disk is a dynamic qcow2 here, not a fixed {form}.": (
        "差分ディスクは容量可変の qcow2 です (容量固定の {form} にはできません)。"
    ),
    "A differencing disk is a dynamic qcow2 here, not a {fixed}.": (
        "差分ディスクは容量可変の qcow2 です ({fixed} にはできません)。"
    ),
    "Its parent may be of any format; name the child .qcow2": (
        "親ディスクの形式は問いません。子ディスクの名前は .qcow2 にしてください"
    ),
    "Making {name}": "{name} の作成",
    "converting to {name}": "{name} に変換しています",
    "Converting {name}": "{name} の変換",
    "Copying {name}": "{name} のコピー",
    "changing its size": "サイズを変更しています",
    "Resizing {name}": "{name} のサイズ変更",
    "Compacting {name}": "{name} の最適化",
    "Checking {name}": "{name} の整合性検査",
    "A {name} is only read here.": "{name} は読み取り専用です。",
    "Convert it first: kiban disk convert": ("Convert it first.", "先に変換してください。"),
    "{what} is going on, which needs that disk.": "このディスクを使う処理 ({what:text}) が進行中です。",
    "See kiban jobs": ("The jobs say how far it is.", "進み具合はジョブで確認できます。"),
    "its rest is still being copied": "残りはまだコピー中です",
    "It is {disk} of {machine}, which is {state}.": "{machine} の {disk} として使用中です ({state:word})。",
    "{path} is used by {disk} of {machine}, which is {state}.": (
        "{path} は {machine} の {disk} が使用中です ({state:word})。"
    ),
    "/{path} is {disk} of {machine}.": "/{path} は {machine:bare} の {disk:bare} です。",
    "kiban stop {machine}; of a saved machine: kiban discard {machine}": (
        "Shut the machine down first; of a saved machine: kiban discard {machine}",
        "先に仮想マシンをシャットダウンしてください。保存済みの場合: kiban discard {machine}",
    ),
    "{path} is the parent of {disk} of {machine}, whose content would be lost by that.": (
        "{path} は {machine} の {disk} の親ディスクで、変更するとその内容が失われます。"
    ),
    "Merge that one first, or make it whole: kiban disk info {path}": (
        "Merge that one first, or convert it into a whole disk.",
        "先に結合するか、1 つの完全なディスクに変換してください。",
    ),
    "{path} was changed just now.": "{path} はたった今変更されました。",
    "Merging {name}": "{name} の結合",
    "merging into {name}": "{name} に結合しています",
    "{path} is a {name}, with which a running machine cannot go on.": (
        "{path} の形式は {name} で、仮想マシンを実行したままこのディスクに切り替えることはできません。"
    ),
    "kiban stop {name}; merging with the machine off works": (
        "Shut the machine down first: merging works while it is off.",
        "先に仮想マシンをシャットダウンしてください。オフであれば結合できます。",
    ),
    "Merging {id} of {name}": "{name} の {id} の結合",
    "it was stopped": "中止されました",
    "There is no space left where the parent of {id} of {name} is.": (
        "{name} の {id} の親ディスクがある場所に空き領域がありません。"
    ),
    "Free some; its content is as it was": "空き領域を増やしてください。ディスクの内容は元のままです",
    "Merging {id} of {name} failed: {why}.": "{name} の {id} を結合できませんでした ({why:text})。",
    "Its content is as it was; look at the disk where the parent is": (
        "ディスクの内容は元のままです。親ディスクがある場所を確認してください"
    ),
    "opening it": "開いています",
    "No disk is mounted at {place}.": "{place} にマウントされたディスクはありません。",
    "{place} cannot be made.": "{place} を作成できません。",
    "Look at the folder": "フォルダーを確認してください",
    "There is something in {place}.": "{place} は空ではありません。",
    "Name a new or an empty folder.": "新しいフォルダーか空のフォルダーを指定してください。",
    "{place} cannot be used: {strerror}.": "{place} を使用できません ({strerror:text})。",
    "Name a folder.": "フォルダーを指定してください。",
    "{path} is only read here.": "{path} は読み取り専用です。",
    "Make a disk of its own of it": "独立したディスクに変換してください",
    "You may not write {path}: {strerror}.": "{path} に書き込む権限がありません ({strerror:text})。",
    "{path} cannot be opened: {words}": "{path} を開けません ({words:text})",
    "A disk is mounted at {directory}.": "{directory} にディスクがマウントされています。",
    "Process {pid} does not end, not even by SIGKILL.": "プロセス {pid} は SIGKILL でも終了しません。",
    "The kernel holds it: look at dmesg.": "カーネルが保持しています。dmesg を確認してください。",
    "What shows the disk ended at once.": "ディスクを公開するプロセスがすぐに終了しました。",
    "{disk} is mounted at {directory} for writing.": "{disk} は {directory} に書き込み用でマウントされています。",
    "{disk} is mounted at {directory}.": "{disk} は {directory} にマウントされています。",
    "See all": "すべて確認できます",
    "qemu-img check said nothing intelligible.": "qemu-img check の応答を解釈できません。",
    "qemu-img info said nothing intelligible.": "qemu-img info の応答を解釈できません。",
    "qemu-img could not make {target}: {reason}.": "qemu-img は {target} を作成できませんでした ({reason:text})。",
    "qemu-img did not do it with {source}: {reason}.": "qemu-img は {source} を処理できませんでした ({reason:text})。",
    "qemu-img said more than can be true.": "qemu-img の出力が多すぎます。",
    "qemu-img {arguments} took over {timeout} s.": "qemu-img {arguments} が {timeout} 秒を超えました。",
    "Make it whole first: kiban disk convert": (
        "Convert it into a whole disk first.",
        "先に 1 つの完全なディスクに変換してください。",
    ),
    "If both are to be trusted, lay them into one folder and make it whole: kiban disk convert": (
        "If both are to be trusted, lay them into one folder and convert it into a whole disk.",
        "両方とも信頼できる場合は、同じフォルダーに置いて 1 つの完全なディスクに変換してください。",
    ),
    "Convert it to a new disk: kiban disk convert": ("Convert it to a new disk.", "新しいディスクに変換してください。"),
    "Make a whole disk of it instead: kiban disk convert": (
        "Convert it into a whole disk instead.",
        "代わりに 1 つの完全なディスクに変換してください。",
    ),
    "Look at it: kiban disk check": ("Check the disk.", "ディスクの整合性を検査してください。"),
    "kiban info {name}": ("Its page says more.", "詳細は仮想マシンのページで確認できます。"),
    "Wait for that to end": "終わるまでお待ちください",
}
