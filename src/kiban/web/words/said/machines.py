# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of a machine's life: starting and stopping it, its ports, its screen, what is added while it runs."""

SAID: dict[str, str | tuple[str, str]] = {
    "{owners} has an adapter with the address {mac} too: never put both on one network.": (
        "{owners} にもアドレス {mac} のアダプターがあります。同じネットワークに接続しないでください。"
    ),
    "it ended while the service was not running": "サービスの停止中に終了しました",
    "Its QEMU does not answer: it hangs, or somebody else has its monitor.": (
        "QEMU が応答しません。ハングしているか、モニターがほかで使用されています。"
    ),
    "Whether it runs cannot be seen: {error}": "実行中かどうか確認できません ({error:text})。",
    "It runs as process {pid}, but its QEMU cannot be reached: {error}": (
        "プロセス {pid} として実行中ですが、QEMU に接続できません ({error:text})。"
    ),
    "It stands still until its merge can be ended, by resuming it: {error}": (
        "ディスクの結合が完了するまで止まっています。再開すると完了できます ({error:text})。"
    ),
    "COM{number} of {name} does not answer: {strerror}.": "{name} の COM{number} が応答しません ({strerror:text})。",
    "Another program is attached to COM{number} of {name}.": "{name} の COM{number} は別のプログラムが使用中です。",
    "The guest of {name} does not read its COM{number}.": "{name} のゲストが COM{number} を読み取りません。",
    "Wait.": "お待ちください。",
    "{name} has no COM{number}.": "{name} に COM{number} はありません。",
    "kiban set {name} --com{number} socket": (
        "Give it that port in the settings of the machine, leading to a socket.",
        "仮想マシンの設定で、このポートの接続先をソケットにしてください。",
    ),
    "COM{number} of {name} goes into a file.": "{name} の COM{number} の出力先はファイルです。",
    "making the TPM": "TPM を作成しています",
    "{path} is not an absolute path.": "{path} は絶対パスではありません。",
    "Say where it is from the root on.": "ルートからのパスを指定してください。",
    "making {id}": "{id} を作成しています",
    "Making {id} of {name}": "{name} の {id} の作成",
    "{name} was started by an older Kiban, so its screen can only be seen in pictures.": (
        "{name} は古い Kiban で起動されたため、画面は静止画でしか表示できません。"
    ),
    "Start it anew when it suits: kiban restart {name}": (
        "Restart it when it suits.",
        "都合のよいときに再起動してください。",
    ),
    "{there} look at {name} already.": "{name} の画面はすでに {there} か所で表示されています。",
    "Close the console somewhere else.": "ほかのコンソールを閉じてください。",
    "QEMU of {name} does not answer.": "{name} の QEMU が応答しません。",
    "Wait, or turn it off: kiban stop --force {name}": ("Wait, or turn it off.", "待つか、電源を切ってください。"),
    "{name} is off.": "{name} はオフです。",
    "{name} is starting.": "{name} は起動中です。",
    "{name} is running.": "{name} は実行中です。",
    "{name} is paused.": "{name} は一時停止中です。",
    "{name} is saved.": "{name} は保存済みです。",
    "{name} is stopping.": "{name} はシャットダウン中です。",
    "There is no machine {name}.": "仮想マシン {name} はありません。",
    "See all: kiban ls": ("The list of machines shows all.", "すべての仮想マシンは一覧で確認できます。"),
    "There is a machine {name} already.": "{name} という仮想マシンはすでにあります。",
    "Did you mean {close}?": "{close} のことですか?",
    "Machines run without KVM here, several times slower: {why}.": (
        "KVM を使用できないため、仮想マシンの動作は数倍遅くなります ({why:text})。"
    ),
    "Cannot keep machines in {directory}: {strerror}.": "{directory} に仮想マシンを保存できません ({strerror:text})。",
    "Set KIBAN_STATE and KIBAN_RUNTIME to directories of your own.": (
        "KIBAN_STATE と KIBAN_RUNTIME に自分のディレクトリを設定してください。"
    ),
    "The guest of {name} did not let go of {device_id} within {unplug_seconds} s.": (
        "{name} のゲストは {unplug_seconds} 秒以内に {device_id} を解放しませんでした。"
    ),
    "Stop the machine and remove the device then: kiban stop {name}": (
        "Shut the machine down and remove the device then.",
        "仮想マシンをシャットダウンしてから取り外してください。",
    ),
    "{name} has no DVD drive {device_id}.": "{name} に DVD ドライブ {device_id} がありません。",
    "{which} cannot be {what} while {name} is {state}: {why}.": (
        "{name} は {state:word} のため、{which:said} の {what:word} はできません ({why:said})。"
    ),
    "{which} cannot be {what} while {name} is {state}.": (
        "{name} は {state:word} のため、{which:said} の {what:word} はできません。"
    ),
    "{said}: firmware and guest have found the adapter as it is.": (
        "{said:said} (ファームウェアとゲストが認識済みのアダプターです)。"
    ),
    "The {what} of {nic} cannot be changed while {name} is {state}": (
        "{name} は {state:word} のため、{nic} の {what:word} は変更できません"
    ),
    "Only network and forwards of {nic} can be changed while {name} is {state}": (
        "{name} は {state:word} のため、{nic} で変更できるのはネットワークとポートの転送だけです"
    ),
    "What {nic} leads to cannot be changed while {name} is {state}: an older Kiban has started it.": (
        "{name} は古い Kiban で起動されたため、{state:word} の間は {nic} の接続先を変更できません。"
    ),
    "{name} has no disk or DVD drive {drive}.": "{name} にディスクまたは DVD ドライブ {drive} はありません。",
    "There is no place {location} on that controller.": "そのコントローラーに場所 {location} はありません。",
    "It has 0 to {most}.": "場所は 0 から {most} までです。",
    "{name} has no network adapter {nic}.": "{name} にネットワーク アダプター {nic} はありません。",
    "QEMU refused {command}: {said}": "QEMU が {command} を拒否しました: {said}",
    "The {protocol} port {port} on {address} is taken.": "{address} の {protocol} ポート {port} は使用中です。",
    "Forward another host port, or stop what listens there: ss -tulpn": (
        "Forward another host port, or stop what listens there.",
        "ホストの別のポートを転送するか、使用しているプログラムを停止してください。",
    ),
    "Stop the machine first: kiban stop {name}": (
        "Shut the machine down first.",
        "先に仮想マシンをシャットダウンしてください。",
    ),
    "A legacy adapter": "レガシ ネットワーク アダプター",
    "Adapter number {slot}": "アダプター {slot}",
    "the first {hotplug_ports} can come and go": "最初の {hotplug_ports} 個は実行中に追加と取り外しができます",
    "A disk on {bus}": "{bus} のディスク",
    "A DVD drive on {bus}": "{bus} の DVD ドライブ",
    "{bus} has no hot-plug, SCSI has (bus=scsi)": (
        "{bus} has no hot-plug, SCSI has",
        "{bus} はホット プラグに対応していません。SCSI は対応しています",
    ),
    "The only drive of SCSI controller {number}": "SCSI コントローラー {number} の唯一のドライブ",
    "the controller comes and goes with it": "コントローラーも一緒に追加または取り外しされるためです",
    "{len} keys cannot be pressed at once.": "{len} 個のキーを同時に押すことはできません。",
    "Press up to {max_keys} together.": "同時に押せるのは {max_keys} 個までです。",
    "There is no key {part} on a PC keyboard.": "PC のキーボードに {part} というキーはありません。",
    "Write keys as in ctrl-alt-delete, f10, shift-tab, page-up.": (
        "ctrl-alt-delete、f10、shift-tab、page-up のように指定してください。"
    ),
    "That is more than {max_text} characters to type.": "入力できるのは {max_text} 文字までです。",
    "Type it in parts, or use an ISO.": "分けて入力するか、ISO を使ってください。",
    "{named} cannot be typed on a US keyboard.": "{named} は US キーボードで入力できません。",
    "{named} and more cannot be typed on a US keyboard.": "{named} などは US キーボードで入力できません。",
    "Only ASCII can be typed.": "入力できるのは ASCII だけです。",
    "{name} is running already, started by somebody else.": (
        "{name} はすでに実行中です (別のところから起動されています)。"
    ),
    "It cannot boot from the network: iPXE is not installed (apt install ipxe).": (
        "It cannot boot from the network: iPXE is not installed: apt install ipxe",
        "ネットワークから起動できません。iPXE がインストールされていません: apt install ipxe",
    ),
    "The firmware of {name}, {code}, is gone.": "{name} のファームウェア {code} がなくなっています。",
    "Install it again": "もう一度インストールしてください",
    "{name} wants {format_size} of memory and {format_size2} are free.": (
        "{name} には {format_size} のメモリが必要ですが、空きは {format_size2} です。"
    ),
    "Stop another machine, or give it less: kiban set {name} --memory 512M": (
        "Stop another machine, or give it less memory.",
        "ほかの仮想マシンを停止するか、メモリを減らしてください。",
    ),
    "{name} cannot be {what} yet: {names} of it is still being copied.": (
        "{names} はまだコピー中のため、{name} の {what:text} はできません。"
    ),
    "{name} cannot be saved yet: {names} of it is still being copied.": (
        "{names} はまだコピー中のため、{name} の状態を保存できません。"
    ),
    "{name} cannot be exported yet: {names} of it is still being copied.": (
        "{names} はまだコピー中のため、{name} をエクスポートできません。"
    ),
    "parted from its {device_id}": "{device_id} の取り外し",
    "It is copied while the machine runs: kiban jobs": (
        "It is copied while the machine runs; the jobs say how far it is.",
        "仮想マシンの実行中にコピーされます。進み具合はジョブで確認できます。",
    ),
    "It is copied while the machine runs: kiban start {name}": (
        "It is copied while the machine runs: start it.",
        "仮想マシンの実行中にコピーされます。起動してください。",
    ),
    "{path} was changed since.": "{path} はその後に変更されています。",
    "{id} of {name} has not been copied wholly, and its source cannot be read: {error}": (
        "{name} の {id} はまだすべてコピーされていませんが、コピー元を読み取れません ({error:text})。"
    ),
    "{id} of {name} could not be copied: QEMU could not read its source, or write the copy.": (
        "{name} の {id} をコピーできませんでした。QEMU がコピー元を読み取れないか、コピー先に書き込めません。"
    ),
    "it did not start: {message}": "起動できませんでした ({message:text})",
    "waiting for the guest to shut down": "ゲストのシャットダウンを待っています",
    "{name} did not shut down within {timeout} s.": "{name} は {timeout} 秒以内にシャットダウンしませんでした。",
    "Its guest may not listen to the power button. Turn it off: kiban stop --force {name}": (
        "Its guest may not listen to the power button: turn it off.",
        "ゲストが電源ボタンに反応しない可能性があります。電源を切ってください。",
    ),
    "QEMU runs as {name}, who may not read {file}.": (
        "QEMU は {name} として動作していますが、{name} は {file} を読み取れません。"
    ),
    "Let others read it and pass through the folders above it": (
        "ほかのユーザーに、読み取りと上位フォルダーの通過を許可してください"
    ),
    "It cannot boot from the network: {message}": "ネットワークから起動できません ({message:text})",
    "{name} forwards {protocol} port {host_port} too: only one of them can run at a time.": (
        "{name} もホストの {protocol} ポート {host_port} を転送しています。同時に実行できるのは一方だけです。"
    ),
    "the guest shut down": "ゲストがシャットダウンしました",
    "the guest reset": "ゲストがリセットしました",
    "the guest panicked": "ゲストがパニックを起こしました",
    "turned off": "電源が切られました",
    "ended by a signal from the host": "ホストからのシグナルで終了しました",
    "stopped by an error of the host": "ホストのエラーで停止しました",
    "stopped by a reset of a part": "サブシステムのリセットによって停止しました",
    "turned off; its QEMU did not answer and was killed": (
        "電源が切られました。QEMU が応答しなかったため、強制終了しました"
    ),
    "QEMU did not start {name}: {words}": "QEMU は {name} を起動できませんでした ({words:text})",
    "QEMU of {name} cannot be talked to: {exception}": "{name} の QEMU と通信できません ({exception:text})",
    "Turn it off: kiban stop --force {name}": ("Turn it off.", "電源を切ってください。"),
    "QEMU was ended by {name}": "QEMU は {name} によって終了しました",
    "QEMU failed: {words}": "QEMU が失敗しました ({words:text})",
    "QEMU ended without a word": "QEMU は何も出力せずに終了しました",
    "QEMU {pid} does not end, not even by SIGKILL.": "QEMU {pid} は SIGKILL でも終了しません。",
    "its NVMe disks ({join})": "NVMe ディスク ({join})",
    "{name} cannot be saved: this QEMU cannot keep the state of {what}.": (
        "{name} の状態を保存できません。この QEMU は {what:text} の状態を保存できません。"
    ),
    "Shut it down instead: kiban stop {name}": ("Shut it down instead.", "代わりにシャットダウンしてください。"),
    "{name} cannot be saved: {id} is made on a {forms}, which QEMU cannot let go.": (
        "{name} の状態を保存できません。{id} は {forms} の親ディスクの上に作られており、QEMU がそれを切り離せません。"
    ),
    "Shut it down instead: kiban stop {name}; a qcow2 as parent can be saved with": (
        "Shut it down instead; a qcow2 as parent can be saved with.",
        "代わりにシャットダウンしてください。親が qcow2 なら保存できます。",
    ),
    "{name} cannot be saved while one of its disks is being merged.": (
        "ディスクの結合中は {name} の状態を保存できません。"
    ),
    "There is not enough space in {directory} for the memory of {name}.": (
        "{directory} に {name} のメモリを保存する空き領域がありません。"
    ),
    "Make room, or shut the machine down instead: kiban stop {name}": (
        "Make room, or shut the machine down instead.",
        "空き領域を増やすか、代わりにシャットダウンしてください。",
    ),
    "saving memory": "メモリを保存しています",
    "The memory cannot be written: {strerror}.": "メモリを書き込めません ({strerror:text})。",
    "Look at the disk": "ディスクを確認してください",
    "{capitalize} of {name} failed: {words}.": "{name} の {capitalize:word} に失敗しました ({words:text})。",
    "The memory of {name} could not be kept: {strerror}.": "{name} のメモリを保存できませんでした ({strerror:text})。",
    "restoring memory": "メモリを復元しています",
    "its saved memory was given up": "保存済みメモリは破棄されました",
    "{name} does not start while that is so.": "そのままでは {name} は起動できません。",
    "End it there: it is connected to QEMU's own socket.": (
        "そちらを終了してください (QEMU のソケットに直接接続しています)。"
    ),
    "A service with the same state directory started it: kiban ls": (
        "A service with the same state directory started it.",
        "同じ状態ディレクトリを使う別のサービスが、この仮想マシンを起動しました。",
    ),
    "Bring {parent} back as it was when it was imported, then: kiban start {name}": (
        "Bring {parent} back as it was when it was imported, then start it.",
        "{parent} をインポート時の状態に戻してから起動してください。",
    ),
    "See why: kiban info. It is tried again at the next start.": (
        "It is tried again at the next start.",
        "次回の起動時に再試行されます。",
    ),
}
