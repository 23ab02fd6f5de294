# SPDX-License-Identifier: GPL-2.0-or-later
"""What the contract of the generations, the table of states and the sizes say."""

SAID: dict[str, str | tuple[str, str]] = {
    "The boot order names something twice.": "起動順序に同じものが 2 回あります。",
    "Name each device once: --boot dvd,disk,nic": ("Name each device once.", "各デバイスを 1 回だけ指定してください。"),
    "A generation 2 machine has no floppy to boot from.": (
        "第 2 世代の仮想マシンには、起動に使うフロッピーがありません。"
    ),
    "Say --boot disk,dvd,nic.": ("Choose from disk, dvd and nic.", "disk、dvd、nic から選んでください。"),
    "A generation 1 machine boots by class of device, not from {name}: its BIOS takes the first IDE disk, the first DVD, the floppy, or the legacy adapter.": (
        "第 1 世代の仮想マシンは {name} からではなく、デバイスの種類の順に起動します。BIOS は最初の IDE ディスク、"
        "最初の DVD、フロッピー、レガシ ネットワーク アダプターを使います。"
    ),
    "Say --boot with floppy, dvd, disk and nic in the order you want.": (
        "Put floppy, dvd, disk and nic in the order you want.",
        "floppy、dvd、disk、nic を希望の順に並べてください。",
    ),
    "{name} has no device {name2} to boot from.": "{name} には起動に使うデバイス {name2} がありません。",
    "It has: none.": "選択肢: なし。",
    "It has: {known}.": "選択肢: {known}。",
    "A generation {number} machine boots from {buses} only, and {name} has no disk there.": (
        "第 {number} 世代の仮想マシンは {buses:word} からのみ起動しますが、{name} "
        "にはそこに接続されたディスクがありません。"
    ),
    "Put the disk to boot from on {buses}: bus={boot_buses}.": (
        "Put the disk to boot from on {buses}.",
        "起動ディスクを {buses:word} に接続してください。",
    ),
    "A generation {number} machine boots from the network only with a {pxe_adapter} adapter ({pxe_model}), and {which} has none.": (
        "第 {number} 世代の仮想マシンのネットワーク起動には {pxe_adapter:word} アダプター ({pxe_model}) が必要ですが、"
        "{which} にはありません。"
    ),
    "A generation {number} machine boots from the network only with a {pxe_adapter} adapter ({pxe_model}), and {which} is none.": (
        "第 {number} 世代の仮想マシンのネットワーク起動には {pxe_adapter:word} アダプター ({pxe_model}) が必要ですが、"
        "{which} はそうではありません。"
    ),
    "A generation {number} machine boots from the network only with a {pxe_adapter} adapter ({pxe_model}), and {nic} of {machine} is none.": (
        "第 {number} 世代の仮想マシンのネットワーク起動には {pxe_adapter:word} アダプター ({pxe_model}) が必要ですが、"
        "{machine} の {nic} はそうではありません。"
    ),
    "Give it one: kind={pxe_adapter},model={pxe_model}.": (
        "Add such an adapter.",
        "該当するアダプターを追加してください。",
    ),
    "Compare it with the definition of another machine.": "ほかの仮想マシンの定義と比べてください。",
    "the machine type or the CPU is not a name": "マシンの種類または CPU が名前として正しくありません",
    "UEFI settings are for generation 2, and all of those have them": (
        "UEFI の設定は第 2 世代にだけあり、第 2 世代には必ず必要です"
    ),
    "a floppy drive is for generation 1, and all of those have one": (
        "フロッピー ドライブは第 1 世代にだけあり、第 1 世代には必ず必要です"
    ),
    "{text} cannot be written as text; a file's name must be valid UTF-8": (
        "{text} は文字列として書き込めません。ファイル名は正しい UTF-8 でなければなりません"
    ),
    "{id} is not a device's id": "{id} はデバイスの ID ではありません",
    "two devices have one id": "2 つのデバイスの ID が同じです",
    "{id} is on {bus_names}, where a generation {number} machine does not have it": (
        "{id} は {bus_names} にありますが、第 {number} 世代の仮想マシンではそこに接続できません"
    ),
    "{id} is on a slot of {bus} that a generation {number} machine does not have": (
        "{id} は、第 {number} 世代の仮想マシンにない {bus} のスロットにあります"
    ),
    "{id} is Kiban's own, but not in the machine's directory": (
        "{id} は Kiban のものですが、仮想マシンのディレクトリにありません"
    ),
    "{id} is on IDE, which has no sectors of 4 KiB": "{id} は IDE にありますが、IDE に 4 KiB のセクターはありません",
    "{id} is somebody else's, but its path is not absolute": (
        "{id} は Kiban のものではありませんが、パスが絶対パスではありません"
    ),
    "{id} is said to be copied from somewhere, and cannot be": (
        "{id} はほかからコピー中とされていますが、コピーできないディスクです"
    ),
    "{id} is on a slot that a generation {number} machine does not have": (
        "{id} は、第 {number} 世代の仮想マシンにないスロットにあります"
    ),
    "{id} is an adapter that a generation {number} machine does not have": (
        "{id} は、第 {number} 世代の仮想マシンにないアダプターです"
    ),
    "{id} has no proper address": "{id} のアドレスが正しくありません",
    "{id} forwards what is no port": "{id} の転送ポートが正しくありません",
    "the COM ports are not in order": "COM ポートの順序が正しくありません",
    "COM1 is missing": "COM1 がありません",
    "the boot order names something twice": "起動順序に同じものが 2 回あります",
    "the boot order does not have each class of device": "起動順序にデバイスの種類がそろっていません",
    "the boot order names a device that is not there": "起動順序に、存在しないデバイスがあります",
    "two {whose} have one {what}": "2 つの {whose:word} の {what:word} が同じです",
    "{name} cannot be a machine's name.": "{name} は仮想マシンの名前にできません。",
    "Use letters, digits, '.', '_' and '-', starting with a letter or digit, at most 63.": (
        "英数字と「.」「_」「-」を使い、英数字で始め、63 文字以内にしてください。"
    ),
    "A generation {number} machine has 1 to {max_cpus} virtual processors, not {cpus}.": (
        "第 {number} 世代の仮想マシンの仮想プロセッサは 1 から {max_cpus} までです ({cpus} は指定できません)。"
    ),
    "Say --cpus with a number up to {max_cpus}.": (
        "Write a number up to {max_cpus}.",
        "{max_cpus} までの数を指定してください。",
    ),
    "A generation {number} machine has {format_size} to {format_size2} of memory in whole MiB, not {format_size3}.": (
        "第 {number} 世代の仮想マシンのメモリは {format_size} から {format_size2} まで、1 MiB 単位です ({format_size3} "
        "は指定できません)。"
    ),
    "A generation {number} machine has {format_size} to {format_size2} of memory in whole MiB, not {memory} bytes.": (
        "第 {number} 世代の仮想マシンのメモリは {format_size} から {format_size2} まで、1 MiB 単位です ({memory} "
        "バイトは指定できません)。"
    ),
    "Say --memory 2G, for example.": ("Write 2G, for example.", "2G のように指定してください。"),
    "A generation 1 machine has no TPM: its BIOS cannot use one.": (
        "第 1 世代の仮想マシンに TPM はありません (BIOS では使えません)。"
    ),
    "Use --generation 2, or leave out --tpm.": (
        "Use generation 2, or no TPM.",
        "第 2 世代を使うか、TPM を外してください。",
    ),
    "A generation {number} machine has no {video} video.": (
        "第 {number} 世代の仮想マシンに {video} のビデオ アダプターはありません。"
    ),
    "A generation 1 machine has no Secure Boot template: its firmware is a BIOS.": (
        "第 1 世代の仮想マシンに、セキュア ブートのテンプレートはありません (ファームウェアは BIOS です)。"
    ),
    "A generation 1 machine has no {removeprefix}: its firmware is a BIOS.": (
        "第 1 世代の仮想マシンに、{removeprefix:word} はありません (ファームウェアは BIOS です)。"
    ),
    "Use --generation 2 for it.": ("Use generation 2 for it.", "第 2 世代を使ってください。"),
    "A generation 2 machine has no floppy drive.": "第 2 世代の仮想マシンにフロッピー ドライブはありません。",
    "Use --generation 1, or give the files on an ISO with --dvd.": (
        "Use generation 1, or give the files on an ISO.",
        "第 1 世代を使うか、ファイルを ISO で渡してください。",
    ),
    "A COM port is given twice.": "COM ポートが 2 回指定されています。",
    "Say --com1 and --com2 once each.": ("Name each port once.", "各ポートを 1 回だけ指定してください。"),
    "COM{number} is to lead to a file that is not named.": "COM{number} の出力先のファイルが指定されていません。",
    "Say the file's path.": "ファイルのパスを指定してください。",
    "{name} has no free slot {wanted} on {bus_names}.": "{name} の {bus_names} に空きスロット {wanted} はありません。",
    "Leave the slot out.": "スロットの指定を外してください。",
    "The {bus_names} ports of {name} are full.": "{name} の {bus_names} ポートに空きがありません。",
    "The {bus_names} controllers of {name} are full.": "{name} の {bus_names} コントローラーに空きがありません。",
    "Remove a disk or DVD drive first.": "先にディスクか DVD ドライブを取り外してください。",
    "Put it on SCSI: bus=scsi.": ("Put it on SCSI.", "SCSI に接続してください。"),
    "In a generation {number} machine {what} goes on {allowed}, not on {bus_names}.": (
        "第 {number} 世代の仮想マシンでは、{what:word} は {bus_names} ではなく {allowed:word} に接続します。"
    ),
    "A generation {number} machine has no {bus_names}: {what} goes on {allowed}.": (
        "第 {number} 世代の仮想マシンに {bus_names} はありません。{what:word} は {allowed:word} に接続します。"
    ),
    "Leave out bus={bus}.": ("Choose another bus.", "別のバスを選んでください。"),
    "A disk is either a size or a path.": "ディスクにはサイズかパスのどちらか一方を指定します。",
    "Say --disk 20G, or --disk PATH,format=vhdx.": (
        "Write a size such as 20G, or the path of an image.",
        "20G のようなサイズか、イメージのパスを指定してください。",
    ),
    "The format of {path} is not named, and Kiban does not guess: a guest could fake it.": (
        "{path} の形式が指定されていません。ゲストが偽装できるため、Kiban は形式を推測しません。"
    ),
    "Say --disk {path},format=qcow2 (or vhdx, vhd, raw).": (
        "Choose its format: qcow2, vhdx, vhd or raw.",
        "形式を qcow2、vhdx、vhd、raw から選んでください。",
    ),
    "A linked disk is made on an existing image, and copies nothing.": (
        "差分ディスクは既存のイメージを親として作成します。コピーは行いません。"
    ),
    "Say --disk PATH,format=qcow2,link.": (
        "Name the image that it is made on.",
        "親になるイメージを指定してください。",
    ),
    "A disk on IDE has sectors of 512 bytes, as its firmware and its guests expect.": (
        "IDE のディスクのセクターは 512 バイトです。ファームウェアもゲストもそれを前提にしています。"
    ),
    "Put it on SCSI: bus=scsi. Or say sectors=512e, for one that is 4096 bytes inside.": (
        "Put it on SCSI, or give it sectors of 512e, which are 4096 bytes inside.",
        "SCSI に接続するか、内部が 4096 バイトの 512e セクターを選んでください。",
    ),
    "A disk of {size} bytes does not end with a whole sector of 4096.": (
        "{size} バイトのディスクは、4096 バイトのセクターで割り切れません。"
    ),
    "Say sectors=512.": ("Choose sectors of 512.", "512 バイトのセクターを選んでください。"),
    "A generation 2 machine has no legacy network adapter: it boots from the network with its synthetic one.": (
        "第 2 世代の仮想マシンにレガシ ネットワーク アダプターはありません。通常のネットワーク "
        "アダプターでネットワーク起動できます。"
    ),
    "Leave out kind=legacy.": ("Choose another kind of adapter.", "別の種類のアダプターを選んでください。"),
    "A generation {number} machine boots from the network only with a {pxe_adapter} adapter.": (
        "第 {number} 世代の仮想マシンのネットワーク起動には {pxe_adapter:word} アダプターが必要です。"
    ),
    "Say kind={pxe_adapter}.": ("Choose a {pxe_adapter} adapter.", "{pxe_adapter:word} アダプターを選んでください。"),
    "The firmware has no driver for {model}: a generation {number} machine boots from the network only with {pxe_model}.": (
        "ファームウェアに {model} のドライバーがありません。第 {number} 世代の仮想マシンのネットワーク起動には "
        "{pxe_model} が必要です。"
    ),
    "Leave out model={model}.": ("Choose another model than {model}.", "{model} 以外のモデルを選んでください。"),
    "{name} has {limit} {kind} adapters already, the most there can be.": (
        "{name} には {kind:word} アダプターがすでに上限の {limit} 個あります。"
    ),
    "Remove one first: kiban set {name} --remove-device {first}": (
        "Remove one first.",
        "先に 1 つ取り外してください。",
    ),
    "{name} forwards {protocol} port {host_port} of the host twice.": (
        "{name} がホストの {protocol} ポート {host_port} を 2 回転送しています。"
    ),
    "Leave one of them out, or choose another port of the host.": (
        "どちらかを外すか、ホストの別のポートを選んでください。"
    ),
    "A {kind} adapter of a generation {number} machine is {join}, not {wanted}.": (
        "第 {number} 世代の仮想マシンの {kind:word} アダプターのモデルは {join:word} です ({wanted} は使えません)。"
    ),
    "{wanted} is not a network adapter's address.": "{wanted} はネットワーク アダプターのアドレスではありません。",
    "Say mac=52:54:00:12:34:56, for example.": (
        "Write 52:54:00:12:34:56, for example.",
        "52:54:00:12:34:56 のように指定してください。",
    ),
    "{name} has an adapter with the address {mac} already.": "{name} にはアドレス {mac} のアダプターがすでにあります。",
    "Leave out mac=.": (
        "Write no address, and it gets one of its own.",
        "アドレスを空欄にすると、自動的に割り当てられます。",
    ),
    "A generation 1 machine cannot boot over HTTP.": "第 1 世代の仮想マシンは HTTP で起動できません。",
    "Use --generation 2, or leave out protocol=http.": (
        "Use generation 2, or TFTP.",
        "第 2 世代を使うか、TFTP を選んでください。",
    ),
    "{name} has no device {device_id}.": "{name} にデバイス {device_id} がありません。",
    "Give the files on an ISO with --dvd.": ("Give the files on an ISO.", "ファイルを ISO で渡してください。"),
    "There is no generation {number}.": "第 {number} 世代はありません。",
    "Say --generation 1 or --generation 2.": ("Choose generation 1 or 2.", "第 1 世代か第 2 世代を選んでください。"),
    "It is starting; wait, or turn it off: kiban stop --force {name}": (
        "It is starting; wait, or turn it off.",
        "起動中です。待つか、電源を切ってください。",
    ),
    "Stop it first: kiban stop {name}": ("Shut it down first.", "先にシャットダウンしてください。"),
    "Resume it first: kiban resume {name}": ("Resume it first.", "先に再開してください。"),
    "Start it first: kiban start {name}": ("Start it first.", "先に起動してください。"),
    "Start it to restore its memory (kiban start {name}), or give the memory up: kiban discard {name}": (
        "Start it to restore its memory, or give the memory up: kiban discard {name}",
        "起動してメモリを復元するか、保存済みメモリを破棄してください: kiban discard {name}",
    ),
    "It is shutting down; wait, or turn it off: kiban stop --force {name}": (
        "It is shutting down; wait, or turn it off.",
        "シャットダウン中です。待つか、電源を切ってください。",
    ),
    "There is nothing to be done; why it is off: kiban info {name}": (
        "There is nothing to be done; its events say why it is off.",
        "必要な操作はありません。オフになった理由はイベントで確認できます。",
    ),
    "It does not run; to give its memory up": "実行されていません。保存済みメモリは破棄できます",
    "Cannot {get} {name}: it is {state}.": "{name} は {state:word} のため、{get:word} はできません。",
    "Cannot remove {name}: it is {state}.": "{name} は {state:word} のため、削除できません。",
    "Cannot shut down {name}: it is {state}.": "{name} は {state:word} のため、シャットダウンはできません。",
    "Cannot turn off {name}: it is {state}.": "{name} は {state:word} のため、電源を切れません。",
    "Cannot look at {name}: it is {state}.": "{name} は {state:word} のため、画面を表示できません。",
    "Cannot type into {name}: it is {state}.": "{name} は {state:word} のため、入力できません。",
    "Cannot make this change to {name}: it is {state}.": "{name} は {state:word} のため、この変更はできません。",
    "Cannot discard the saved memory of {name}: it is {state}.": (
        "{name} は {state:word} のため、保存済みメモリを破棄できません。"
    ),
    "Write a number and a unit: 512M, 2G, 1.5T, 20GiB": (
        "Write a number and a unit: 512M, 2G, 1.5T, 20GiB",
        "数と単位で指定してください (例: 512M、2G、1.5T、20GiB)",
    ),
    "'{shown}' is not a size.": "「{shown}」はサイズではありません。",
    "A size of '{shown}' is nothing.": "サイズを 0 (「{shown}」) にはできません。",
    "'{shown}' is more than any machine can have.": "「{shown}」はどの仮想マシンにも大きすぎます。",
    "Add one: kiban set NAME --add-dvd ISO": ("Add one.", "追加してください。"),
}
