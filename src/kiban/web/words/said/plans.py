# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of plans: what is imported and exported, what becomes of it, what suits a guest."""

SAID: dict[str, str | tuple[str, str]] = {
    "{name} is not known to be bootable; generation 2 is the choice for what is 64-bit.": (
        "{name:word} が起動可能かどうかは不明です。64 ビットのシステムには第 2 世代を選びます。"
    ),
    "{name} starts on UEFI, which generation 2 has, with Secure Boot.": (
        "{name:word} はセキュア ブート対応の UEFI (第 2 世代) で起動します。"
    ),
    "Exporting {name}": "{name} のエクスポート",
    "{path} is larger than it can be.": "{path} は大きすぎます。",
    "copying {id}": "{id} をコピーしています",
    "checking {name}": "{name} を検証しています",
    "reading the description": "記述ファイルを読み取っています",
    "{form} is no format of disks.": "{form} はディスクの形式ではありません。",
    "Use one of {join}.": "次から選んでください: {join}。",
    "The description says which format its disks have.": "ディスクの形式は記述ファイルに書かれています。",
    "Leave out --format.": ("Choose no format.", "形式を指定しないでください。"),
    "{asked} is newer than this host's osinfo-db: it is treated like {name}.": (
        "{asked} はこのホストの osinfo-db より新しいため、{name} として扱います。"
    ),
    "The disc is taken for {name}; if it is {others}, say so: --guest.": (
        "The disc is taken for {name}; if it is {others}, say so under Management.",
        "メディアは {name} と判断されました。{others} の場合は、[管理] でゲストを指定してください。",
    ),
    "{name} has drivers of its own for what it gets: {chosen}.": (
        "{name:word} にはこの構成 ({chosen:word}) のドライバーがあります。"
    ),
    "QEMU cannot save the memory of a machine with NVMe disks: shut it down instead.": (
        "QEMU は NVMe ディスクのある仮想マシンのメモリを保存できません。代わりにシャットダウンしてください。"
    ),
    "{name} has no driver of its own for {missing}: unless its image has one, give it the virtio-win ISO as another DVD and load the driver from there.": (
        "{name:word} には {missing:word} のドライバーがありません。イメージに含まれていない場合は、virtio-win の ISO "
        "を別の DVD として挿入し、そこからドライバーを読み込んでください。"
    ),
    "machine type": "マシンの種類",
    "the same build": "同じビルド",
    "keys and boot order": "キーと起動順序",
    "in nvram.fd": "nvram.fd 内",
    "the same": "同じ",
    "port of {id}": "{id} のポート",
    "the same, with its state": "同じ (状態を含む)",
    "it does not list {definition}": "{definition} が一覧にありません",
    "{folder} holds an exported machine, which is made again as it was.": (
        "{folder} はエクスポートされた仮想マシンで、元のとおりに作成されます。"
    ),
    "Leave out everything but --name; change it afterwards with kiban set": (
        "Leave out everything but the name; change the machine afterwards",
        "名前以外は指定せず、後から変更してください",
    ),
    "{machine_type} is no machine type of that generation": "{machine_type} はその世代のマシンの種類ではありません",
    "its firmware has no checksum": "ファームウェアのチェックサムがありません",
    "it has no Secure Boot template that is known: {template}": "セキュア ブートのテンプレート {template} は不明です",
    "a word in it cannot be shown": "表示できない文字が含まれています",
    "it lists {foreign}, which the machine does not have": "仮想マシンにない {foreign} が一覧にあります",
    "The firmware variables in {folder} have {size} bytes, and this host's firmware keeps {size2}.": (
        "{folder} のファームウェア変数は {size} バイトですが、このホストのファームウェアは {size2} バイトです。"
    ),
    "Install the firmware that it was made with; see firmware in the exported vm.json": (
        "作成時と同じファームウェアをインストールしてください (エクスポートされた vm.json の firmware を参照)"
    ),
    "{name} is built on {wanted}, and this host's QEMU has {get}.": (
        "{name} は {wanted} で構成されていますが、このホストの QEMU は {get} までです。"
    ),
    "Install the QEMU of the host that it comes from, or a newer one.": (
        "移行元と同じかそれより新しい QEMU をインストールしてください。"
    ),
    "its firmware variables or keys cannot be understood": "ファームウェア変数またはキーを解釈できません",
    "{folder} holds no machine that was exported: {what}.": (
        "{folder} にエクスポートされた仮想マシンがありません ({what:text})。"
    ),
    "Export it again.": "エクスポートし直してください。",
    "The ISO in {id}, {medium}: the drive is empty.": "{id} の ISO {medium}。ドライブは空になります。",
    "The network boot folder of {id}, {folder}.": "{id} のネットワーク起動用フォルダー {folder}。",
    "Where COM{number} leads, {path}: it has a socket of its own.": (
        "COM{number} の出力先 {path}。独自のソケットになります。"
    ),
    "The floppy {medium}: the drive is empty.": "フロッピー {medium}。ドライブは空になります。",
    "Sectors of 4096 bytes of {disk}: there they have 512, and its partitions are not found.": (
        "{disk} の 4096 バイトのセクター。移行先では 512 バイトになり、パーティションが見つかりません。"
    ),
    "{id} on {bus_names}: it is on {bus} {number}:{at} there.": (
        "{bus_names} の {id}。移行先では {bus} {number}:{at} に接続されます。"
    ),
    "The forward of {protocol} port {host_port} to port {guest_port} of {id}.": (
        "{id} の {protocol} ポート {host_port} からポート {guest_port} への転送。"
    ),
    "Memory of {format_size}: there it is {format_size2}.": (
        "{format_size} のメモリ。移行先では {format_size2} になります。"
    ),
    "Secure Boot keys of one's own: Hyper-V has its templates only, so Secure Boot is off there.": (
        "独自のセキュア ブートのキー。Hyper-V にはテンプレートしかないため、移行先ではセキュア ブートが無効になります。"
    ),
    "What is in the TPM: there it is new. A disk that is locked by it asks for its recovery key.": (
        "TPM の内容。移行先では新しい TPM になり、TPM で保護されたディスクは回復キーを求めます。"
    ),
    "The boot order: that of the program which reads it.": "起動順序。読み込むプログラムの順序になります。",
    "{id} on USB: it is on SATA there.": "USB の {id}。移行先では SATA に接続されます。",
    "Whose loaders Secure Boot trusts: the keys of the program which reads it.": (
        "セキュア ブートが信頼する署名者。読み込むプログラムのキーになります。"
    ),
    "Boot entries of the guest's own: it needs a loader at \\EFI\\BOOT\\BOOTX64.EFI.": (
        "ゲスト独自のブート エントリ。\\EFI\\BOOT\\BOOTX64.EFI のローダーが必要です。"
    ),
    "Characters of the notes that XML does not have.": "XML で表せないメモの文字。",
    "The firmware's entries are new: it starts the disk's \\EFI\\BOOT\\BOOTX64.EFI. Windows has it; a Linux without it is told by: grub-install --removable, before the export.": (
        "ファームウェアのエントリは新しくなり、ディスクの \\EFI\\BOOT\\BOOTX64.EFI が起動します。Windows にはあります。"
        "ない Linux では、エクスポート前に grub-install --removable を実行してください。"
    ),
    "It starts with this host: see that the original does not run then, both have one address.": (
        "このホストの起動時に自動的に起動します。元の仮想マシンとアドレスが同じため、同時に実行しないでください。"
    ),
    "{who} has no driver for the virtio SCSI and network of this plan; name it (--guest win2k22, for example) and it gets NVMe and e1000e, for which it has.": (
        "{who:word} にはこの計画の virtio SCSI とネットワークのドライバーがありません。ゲストを指定すると (例: --guest "
        "win2k22)、ドライバーのある NVMe と e1000e になります。"
    ),
    "{who} has no driver for the SCSI controller of {join}: install virtio-win's vioscsi, before the export or from its ISO.": (
        "{who:word} には {join} の SCSI コントローラーのドライバーがありません。エクスポート前か ISO から、virtio-win "
        "の vioscsi をインストールしてください。"
    ),
    "{who} has no driver for the virtio adapter: install virtio-win's NetKVM, before the export or from its ISO.": (
        "{who:word} には virtio アダプターのドライバーがありません。エクスポート前か ISO から、virtio-win の NetKVM "
        "をインストールしてください。"
    ),
    "Windows gets NVMe disks and e1000e adapters, for which it has drivers; QEMU cannot save their memory.": (
        "Windows には、ドライバーのある NVMe ディスクと e1000e アダプターを使います。QEMU "
        "はそのメモリを保存できません。"
    ),
    "A Linux calls its interfaces eth0, eth1 on Hyper-V and by their slots here (ens… or enp…). Their addresses ({join}) stay, so configure by those: [Match] MACAddress={macs} and [Link] Name=eth0 in /etc/systemd/network/10-eth0.link keeps the name.": (
        "Linux のインターフェイス名は、Hyper-V では eth0、eth1、ここではスロットに基づく名前 (ens… または enp…) です。"
        "アドレス ({join}) は変わらないため、アドレスで設定してください。/etc/systemd/network/10-eth0.link に [Match] "
        "MACAddress={macs} と [Link] Name=eth0 を書くと、名前が保たれます。"
    ),
    "A Linux whose initramfs was made for Hyper-V alone lacks virtio: have virtio_scsi, virtio_pci (and ata_piix on generation 1) in it before the export; Debian's and Ubuntu's have all of them.": (
        "initramfs が Hyper-V 専用の Linux には virtio がありません。エクスポート前に virtio_scsi、virtio_pci (第 1 "
        "世代では ata_piix も) を含めてください。Debian と Ubuntu にはすべて含まれています。"
    ),
    "Starting at once from disk{number}: a {image} disk is copied first.": (
        "disk{number} からの即時起動。{image} ディスクは先にコピーされます。"
    ),
    "The DVD drive at {where}: there is no room for it.": "{where} の DVD ドライブ。空きがありません。",
    "The DVD {shown} in dvd{number}: put it in by kiban set NAME --dvd dvd{number2}=ISO.": (
        "The DVD {shown} in dvd{number}: put it in again.",
        "dvd{number} の DVD {shown}。もう一度挿入してください。",
    ),
    "{shown} has {len} disks, and a generation {number} machine has no room for all of them.": (
        "{shown} にはディスクが {len} 台あり、第 {number} 世代の仮想マシンには入りきりません。"
    ),
    "Take some out before it is exported.": "エクスポート前にいくつか取り外してください。",
    "{spot}: qcow2, copied while it runs": "{spot}: qcow2、実行中にコピー",
    "no controller said": "コントローラーの指定なし",
    "not said": "指定なし",
    "nat, with a new address": "nat (新しいアドレス)",
    "The adapter {shown} ({mac}): a machine has {most} {kind} ones at most.": (
        "アダプター {shown} ({mac})。{kind:word} アダプターは {most} 個までです。"
    ),
    "switch {shown}": "スイッチ {shown}",
    "no switch": "スイッチなし",
    "not connected": "未接続",
    "The address {shown} of the adapter {shown2}: it gets a new one.": (
        "アダプター {shown2} のアドレス {shown}。新しいアドレスになります。"
    ),
    "There is no checkpoint {checkpoint}.": "チェックポイント {checkpoint} はありません。",
    "There are: {known}.": "選択肢: {known:word}。",
    "{len} checkpoints are called {checkpoint}.": "{checkpoint} というチェックポイントが {len} 個あります。",
    "Say which by its id: {join}": ("Say which by its id: {join}", "ID で指定してください: {join}"),
    "A disk of {shown} cannot be found: {listed}.": "{shown} のディスクが見つかりません: {listed}。",
    "{len} disks of {shown} cannot be found: {listed}.": "{shown} のディスク {len} 台が見つかりません: {listed}。",
    "Copy it beside the description, or into 'Virtual Hard Disks' there.": (
        "記述ファイルと同じ場所か、「Virtual Hard Disks」フォルダーにコピーしてください。"
    ),
    "{path} does not say which generation its machine is of.": "{path} に仮想マシンの世代が記録されていません。",
    "Say --generation 2 if it starts by UEFI, --generation 1 if by a BIOS.": (
        "Choose generation 2 if it starts by UEFI, generation 1 if by a BIOS.",
        "UEFI で起動する場合は第 2 世代、BIOS の場合は第 1 世代を選んでください。",
    ),
    "{shown} is of generation {generation}, and a generation never changes: its guest is installed for that firmware.": (
        "{shown} は第 {generation} 世代です。ゲストはそのファームウェアにインストールされているため、"
        "世代は変更できません。"
    ),
    "Leave out --generation {wanted}.": ("Choose no other generation.", "別の世代を選ばないでください。"),
    "start with the host": "自動開始",
    "{shown} cannot be a machine's name here.": "{shown} はここでは仮想マシンの名前にできません。",
    "Give it one: --name NAME": ("Give it another name", "別の名前を付けてください"),
    "{said}, configuration {version}": "{said:text}、構成バージョン {version}",
    "The Secure Boot template {shown}, which Kiban does not know.": (
        "セキュア ブートのテンプレート {shown} (Kiban にありません)。"
    ),
    "on, {template}": "有効、{template}",
    "{cpus} processors: a generation {number} machine has {max_cpus} at most.": (
        "{cpus} 個のプロセッサ。第 {number} 世代の仮想マシンでは {max_cpus} 個までです。"
    ),
    "Dynamic memory ({least} to {most}): it has the memory of its start, {format_size}; change it by kiban set NAME --memory SIZE.": (
        "Dynamic memory ({least} to {most}): it has the memory of its start, {format_size}; change it afterwards.",
        "動的メモリ ({least} から {most} まで)。起動時のメモリ {format_size} になります。後から変更できます。",
    ),
    "Dynamic memory ({span}): it has the memory of its start, {format_size}; change it by kiban set NAME --memory SIZE.": (
        "Dynamic memory ({span}): it has the memory of its start, {format_size}; change it afterwards.",
        "動的メモリ ({span})。起動時のメモリ {format_size} になります。後から変更できます。",
    ),
    "{startup} bytes of memory, which a generation {number} machine cannot have.": (
        "{startup} バイトのメモリ。第 {number} 世代の仮想マシンでは使えません。"
    ),
    "The floppy {shown}.": "フロッピー {shown}。",
    "a new one": "新規",
    "The TPM, which a generation 1 machine does not have.": "TPM。第 1 世代の仮想マシンにはありません。",
    "a socket of its own": "独自のソケット",
    "COM{number}: a machine has COM1 and COM2.": "COM{number}。仮想マシンにあるのは COM1 と COM2 です。",
    "{len} characters": "{len} 文字",
    "without NULs": "NUL なし",
    "What the notes say after {notes_limit} characters.": "{notes_limit} 文字より後のメモ。",
    "boot order": "起動順序",
    "the state after {shown}": "{shown} の後の状態",
    "the present state": "現在の状態",
    "The {len} checkpoints: {state} is imported; --checkpoint takes another.": (
        "The {len} checkpoints: {state} is imported; another can be chosen.",
        "{len} 個のチェックポイント。{state:text} をインポートします。別のチェックポイントも選べます。",
    ),
    "{memory} at the start, dynamic {least} to {most}": "起動時 {memory}、動的 {least} から {most} まで",
    "{memory} at the start, dynamic {span}": "起動時 {memory}、動的 {span}",
    "Import it alone, with its format named: kiban import DISK --format raw": (
        "Import it alone, and choose its format.",
        "ディスクだけを、形式を選んでインポートしてください。",
    ),
    "{mac}, no address, {where}": "{mac}、アドレスなし、{where:text}",
    "{kind} {model}, a new address, {network}": "{kind:word} アダプター ({model})、新しいアドレス、{network:word}",
    "synthetic {model}, {mac}, {where}": "通常のネットワーク アダプター ({model})、{mac:text}、{where:text}",
    "synthetic, {mac}, {where}": "通常のネットワーク アダプター、{mac:text}、{where:text}",
    "legacy {model}, {mac}, {where}": "レガシ ネットワーク アダプター ({model})、{mac:text}、{where:text}",
    "legacy, {mac}, {where}": "レガシ ネットワーク アダプター、{mac:text}、{where:text}",
    "no controller said: {disk}": "コントローラーの指定なし: {disk:text}",
    "{spot}: empty": "{spot}: 空",
    "{disk}, sectors of 4 KiB": "{disk:text}, 4 KiB のセクター",
    "{disk} in {files} files, {size}": "{disk} ({files:bare} 個のファイル), {size}",
}
