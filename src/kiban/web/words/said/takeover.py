# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of what is imported from elsewhere: descriptions of Hyper-V and OVF."""

SAID: dict[str, str | tuple[str, str]] = {
    "Take the file from its source again.": "元のファイルを取得し直してください。",
    "it is shorter than it says": "書かれている長さより短くなっています",
    "something in it points behind its end": "内容がファイルの末尾より後ろを指しています",
    "Check the disk that it is on.": "ファイルのあるディスクを確認してください。",
    "it became shorter while it was read": "読み取り中に短くなりました",
    "{name} has {size} bytes, more than the {limit} that a description may have.": (
        "{name} は {size} バイトあり、記述ファイルの上限 {limit} バイトを超えています。"
    ),
    "Check that it is a description of a machine.": "仮想マシンの記述ファイルか確認してください。",
    "{name} lies behind its end": "{name} は末尾より後ろにあります",
    "Two checkpoints of {shown} have the same id.": "{shown} の 2 つのチェックポイントの ID が同じです。",
    "Export the machine again.": "仮想マシンをエクスポートし直してください。",
    "Which checkpoint was made from which: the chain of the disks says it ({join}).": (
        "チェックポイントの親子関係 (ディスクのチェーンから判断しています: {join})。"
    ),
    "The checkpoints of {shown} are each other's parents.": "{shown} のチェックポイントが互いに親になっています。",
    "an exported machine": "エクスポートされた仮想マシン",
    "a Hyper-V machine of Windows Server 2012 R2 or older": "Windows Server 2012 R2 以前の Hyper-V 仮想マシン",
    "an OVF package": "OVF パッケージ",
    "an OVA package": "OVA パッケージ",
    "a virtual hard disk": "仮想ハード ディスク",
    "{path} is a folder, no disk.": "{path} はフォルダーで、ディスクではありません。",
    "Name a file.": "ファイルを指定してください。",
    "There is nothing at {path}.": "{path} には何もありません。",
    "Check the path.": "パスを確認してください。",
    "{path} may not be looked at.": "{path} を調べる権限がありません。",
    "Name a file or a folder.": "ファイルまたはフォルダーを指定してください。",
    "{path} is nothing that can be taken over, by its name.": "{path} は、名前から見て取り込めるものではありません。",
    "Name a .vmcx, .xml, .ovf, .ova, .vhdx, .vhd, .qcow2, .vmdk, .vdi, .img or .raw file, or a folder.": (
        ".vmcx、.xml、.ovf、.ova、.vhdx、.vhd、.qcow2、.vmdk、.vdi、.img、.raw のファイル、"
        "またはフォルダーを指定してください。"
    ),
    "{folder} holds no machine: no .vmcx, .xml, .ovf or .ova, and no virtual hard disk.": (
        "{folder} に仮想マシン (.vmcx、.xml、.ovf、.ova) も仮想ハード ディスクもありません。"
    ),
    "Name the folder of an export, or a file.": "エクスポートのフォルダーかファイルを指定してください。",
    "{folder} holds several things to take over: {listed}.": "{folder} に取り込めるものが複数あります: {listed}。",
    "{folder} holds several things to take over: {listed} and {more} more.": (
        "{folder} に取り込めるものが複数あります: {listed} ほか {more} 件。"
    ),
    "Name one of them.": "いずれかを指定してください。",
    "{root} has {len} checkpoints, more than {snapshots_limit}.": (
        "{root} にはチェックポイントが {len} 個あり、上限の {snapshots_limit} 個を超えています。"
    ),
    "Export the machine into a folder of its own.": "仮想マシンを専用のフォルダーにエクスポートしてください。",
    "Name the machine's own folder.": "仮想マシン自身のフォルダーを指定してください。",
    "The saved memory: the guest starts as after a power cut.": (
        "保存済みメモリ。ゲストは電源断の後のように起動します。"
    ),
    "it holds no configuration of a machine": "仮想マシンの構成がありません",
    "{file} is of a machine of neither generation 1 nor 2 (subtype {subtype}).": (
        "{file} は第 1 世代でも第 2 世代でもない仮想マシンのものです (サブタイプ {subtype})。"
    ),
    "The buffer of {buffer} % that dynamic memory kept.": "動的メモリの {buffer}% のバッファー。",
    "Starting with the host when it ran before; with Kiban a machine starts with the host or does not.": (
        "「停止前に実行されていた場合に自動的に起動」の設定。Kiban では、ホストの起動時に常に起動するか、"
        "起動しないかのどちらかです。"
    ),
    "The BIOS GUID {guid} and serial number {shown}: the guest sees others.": (
        "BIOS の GUID {guid:word} とシリアル番号 {shown:word}。ゲストからは別の値に見えます。"
    ),
    "NumLock being on when the machine starts.": "起動時に NumLock をオンにする設定。",
    "The boot order and the other variables of the firmware: Hyper-V keeps them in a file of its own.": (
        "起動順序とファームウェアのその他の変数。Hyper-V はこれらを独自のファイルに保存しています。"
    ),
    "What is in the TPM: have the recovery keys of disks ready that the guest encrypted with it.": (
        "TPM の内容。ゲストが TPM で暗号化したディスクの回復キーを用意してください。"
    ),
    "The reservation, limit or weight of the processors.": "プロセッサの予約、制限、または重み。",
    "Nested virtualization.": "入れ子になった仮想化。",
    "Processor compatibility with older systems.": "古いシステムとのプロセッサ互換性。",
    "Processor compatibility for migration.": "移行のためのプロセッサ互換性。",
    "SGX memory.": "SGX メモリ。",
    "A merge of disks that Hyper-V had not finished: the chain may be longer.": (
        "Hyper-V で完了していないディスクの結合。チェーンが長くなる場合があります。"
    ),
    "The settings below {shown}.": "{shown} 以下の設定。",
    "it lists {len} devices": "デバイスが {len} 個あります",
    "two devices are the same, {instance}": "同じデバイスが 2 つあります ({instance})",
    "it lists more than {devices_limit} drives": "ドライブが {devices_limit} 個を超えています",
    "The drive at {where} is {shown} ({shown2}), no virtual hard disk.": (
        "{where} のドライブは {shown:word} ({shown2}) で、仮想ハード ディスクではありません。"
    ),
    "The disk at {where}, {shown}, is neither a VHD nor a VHDX.": (
        "{where} のディスク {shown} は VHD でも VHDX でもありません。"
    ),
    "The disk at {where} was shared with other machines (persistent reservations).": (
        "{where} のディスクは、ほかの仮想マシンと共有されていました (永続的な予約)。"
    ),
    "The quality of service (IOPS) of the disk at {where}.": "{where} のディスクのサービス品質 (IOPS)。",
    "The port settings (such as a VLAN or a bandwidth limit) of the adapter {shown}.": (
        "アダプター {shown} のポート設定 (VLAN や帯域幅制限など)。"
    ),
    "The device {shown} ({kind}).": "デバイス {shown:word} ({kind:word})。",
    "{name} is XML, but no Hyper-V configuration: there is no <configuration> with <properties>.": (
        "{name} は XML ですが、Hyper-V の構成ではありません (<properties> を持つ <configuration> がありません)。"
    ),
    "Name the XML file in the folder Virtual Machines of an export.": (
        "エクスポートの Virtual Machines フォルダーにある XML ファイルを指定してください。"
    ),
    "the {kind} {name} is {text}": "{kind} の {name} は {text} です",
    "the line {shown} is no checksum": "{shown} の行はチェックサムではありません",
    "its manifest lists {shown}, which is not there": "マニフェストにある {shown} がありません",
    "{shown} of {package} is not what the manifest says it is.": "{package} の {shown} はマニフェストと一致しません。",
    "Download or export the package again.": "パッケージをダウンロードまたはエクスポートし直してください。",
    "there are two files {shown} in it": "ファイル {shown} が 2 つあります",
    "there are more than {members_limit} files in it": "ファイルが {members_limit} 個を超えています",
    "there is nothing in it": "中に何もありません",
    "there are too many headers in it": "ヘッダーが多すぎます",
    "the file {shown} in it is longer than the rest of it": "ファイル {shown} が残りの部分より長くなっています",
    "{name} is no OVA: it is not a tar file, or damaged.": (
        "{name} は OVA ではありません (tar ファイルではないか、壊れています)。"
    ),
    "Download or export it again.": "ダウンロードまたはエクスポートし直してください。",
    "a header in it has {size} bytes": "ヘッダーが {size} バイトです",
    "an extended header in it is not valid": "拡張ヘッダーが正しくありません",
    "it has sparse files or links in it": "スパース ファイルまたはリンクがあります",
    "an extended header in it gives a size that is no number": "拡張ヘッダーのサイズが数ではありません",
    "a file in it has a name that is not UTF-8": "UTF-8 ではない名前のファイルがあります",
    "{package} has {shown} in it, which is no plain file.": "{package} に、通常のファイルではない {shown} があります。",
    "An OVA holds plain files only: do not trust this one.": (
        "OVA には通常のファイルしかありません。この OVA は信頼しないでください。"
    ),
    "{package} has a file {shown} in it, whose name leads to another folder.": (
        "{package} に、名前が別のフォルダーを指すファイル {shown} があります。"
    ),
    "An OVA holds its files side by side: do not trust this one.": (
        "OVA のファイルはすべて同じ階層にあるはずです。この OVA は信頼しないでください。"
    ),
    "{name} is XML, but no OVF.": "{name} は XML ですが、OVF ではありません。",
    "Name the .ovf or .ova of a machine.": "仮想マシンの .ovf または .ova を指定してください。",
    "In {name}, the file {shown} is compressed or cut into pieces.": (
        "{name} のファイル {shown} は圧縮または分割されています。"
    ),
    "Write the package anew with ovftool, without compression.": "ovftool で圧縮せずにパッケージを作り直してください。",
    "two files have the id {shown}": "2 つのファイルの ID が {shown} です",
    "{name} names the file {shown}, which is not in its own folder.": (
        "{name} は、同じフォルダーにないファイル {shown} を参照しています。"
    ),
    "Put the package's files beside the .ovf, and correct the references.": (
        "パッケージのファイルを .ovf と同じ場所に置き、参照を直してください。"
    ),
    "In {name}, the disk {shown} is based on another one.": (
        "{name} のディスク {shown} は別のディスクを元にしています。"
    ),
    "Export the machine with its disks merged.": "ディスクを結合してから仮想マシンをエクスポートしてください。",
    "the disk {shown} refers to a file that is not listed": "ディスク {shown} は一覧にないファイルを参照しています",
    "a disk is said to have {shown} units, more than 64 TiB": (
        "ディスクのサイズが {shown} 単位とされ、64 TiB を超えています"
    ),
    "{name} describes no machine.": "{name} に仮想マシンの記述がありません。",
    "Name the .ovf of a machine.": "仮想マシンの .ovf を指定してください。",
    "{name} describes {len} machines: {listed}.": "{name} には {len} 台の仮想マシンがあります: {listed}。",
    "{name} describes {len} machines: {listed} and {more} more.": (
        "{name} には {len} 台の仮想マシンがあります: {listed} ほか {more} 台。"
    ),
    "Export each of them on its own.": "1 台ずつエクスポートしてください。",
    "The deployment options {join}; {get} is taken.": "展開オプション {join}。{get} を取り込みます。",
    "The properties of the product section, which VMware hands to the guest.": (
        "VMware がゲストに渡す、製品セクションのプロパティ。"
    ),
    "The licence text: read it in the .ovf.": "ライセンス文書。.ovf で確認してください。",
    "The boot order.": "起動順序。",
    "its machine has no hardware": "仮想マシンにハードウェアがありません",
    "it lists {len} pieces of hardware": "ハードウェアが {len} 個あります",
    "two pieces of hardware have the id {shown}": "2 つのハードウェアの ID が {shown} です",
    "a drive has {shown}, which the package does not have": "ドライブの {shown} がパッケージにありません",
    "The disk at {where} is an empty one of {capacity} bytes, without a file: add a new disk.": (
        "{where} のディスクはファイルのない {capacity} バイトの空のディスクです。新しいディスクを追加してください。"
    ),
    "The disk at {where} is an empty one, without a file: add a new disk.": (
        "{where} のディスクはファイルのない空のディスクです。新しいディスクを追加してください。"
    ),
    "The hardware {shown} (resource type {kind}).": "ハードウェア {shown:word} (リソースの種類 {kind})。",
    "The section {shown}.": "セクション {shown}。",
    "The file {shown}, which no drive has.": "どのドライブも使わないファイル {shown}。",
    "it has several manifests": "マニフェストが複数あります",
    "The checkpoint {shown}, which is another machine's.": "別の仮想マシンのチェックポイント {shown}。",
    "{shown} could be any of these files: {listed}.": "{shown} に当てはまるファイルが複数あります: {listed}。",
    "Leave one of them in the folder.": "フォルダーに 1 つだけ残してください。",
    "there are {len} .ovf files in it, not one": ".ovf ファイルが 1 つではなく {len} 個あります",
    "{shown} in it has another size than the .ovf says": "{shown} のサイズが .ovf と異なります",
    "it is not XML ({error})": "XML ではありません ({error})",
    "it is in an encoding that nobody knows": "文字コードが不明です",
    "it is empty": "空です",
    "{name} declares a document type, which no description of a machine does.": (
        "{name} は文書型を宣言しています。仮想マシンの記述ファイルではありえません。"
    ),
    "it has more elements, or is nested more deeply, than a description can be": (
        "要素の数または深さが、記述ファイルの限度を超えています"
    ),
    "{name} is no Hyper-V configuration: neither of its headers is valid.": (
        "{name} は Hyper-V の構成ではありません (正しいヘッダーがありません)。"
    ),
    "Name the .vmcx of a machine, or the folder of an export.": (
        "仮想マシンの .vmcx か、エクスポートのフォルダーを指定してください。"
    ),
    "{name} has format {newest}.{newest2}; only 4.0 can be read.": (
        "{name} の形式は {newest}.{newest2} ですが、読み取れるのは 4.0 だけです。"
    ),
    "Update the machine's configuration on a current Hyper-V: Update-VMVersion.": (
        "現行の Hyper-V で仮想マシンの構成を更新してください (Update-VMVersion)。"
    ),
    "the header of its replay log is not valid": "再生ログのヘッダーが正しくありません",
    "its replay log cannot hold {count} entries": "再生ログに {count} 個のエントリは入りません",
    "entry {number} of its replay log is not valid": "再生ログのエントリ {number} が正しくありません",
    "entry {number} of its replay log has other contents than it says": (
        "再生ログのエントリ {number} の内容が異なります"
    ),
    "there is no object table at {at}, or it was there before": (
        "{at} にオブジェクト テーブルがないか、すでに読み取られています"
    ),
    "an entry of its object table is not valid": "オブジェクト テーブルのエントリが正しくありません",
    "a table of settings has {size} bytes": "設定テーブルが {size} バイトです",
    "there is no table of settings at {offset}": "{offset} に設定テーブルがありません",
    "there are two tables of settings with the number {index}": "番号 {index} の設定テーブルが 2 つあります",
    "a setting in table {index} has {size} bytes": "テーブル {index} の設定が {size} バイトです",
    "the setting {name} is not valid": "設定 {name} が正しくありません",
    "a setting is of the unknown type {kind}": "設定の種類 {kind} は不明です",
    "the value of {name} is not where it should be": "{name} の値が正しい場所にありません",
    "its values share more bytes than it has": "値が共有するバイト数が、ファイルより多くなっています",
    "the setting {name} belongs to nothing": "設定 {name} の親がありません",
    "some of its settings form a loop, or are nested too deeply": "設定がループしているか、深すぎます",
    "Take over its disks: kiban import DISK": ("Import its disks alone.", "ディスクだけをインポートしてください。"),
}
