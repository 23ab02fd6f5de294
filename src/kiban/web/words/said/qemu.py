# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of QEMU, the guest agent, networks, guests by name, and the files of machines."""

SAID: dict[str, str | tuple[str, str]] = {
    "The guest agent's socket cannot be opened: {error}.": "ゲスト エージェントのソケットを開けません ({error:text})。",
    "Is the machine running?": "仮想マシンは実行中ですか?",
    "The guest agent did not answer {name} within {timeout} s.": (
        "ゲスト エージェントは {timeout} 秒以内に {name} に応答しませんでした。"
    ),
    "The guest agent refused {name}: {description}": "ゲスト エージェントが {name} を拒否しました ({description:text})",
    "{path} did not end in the guest within {timeout} s.": (
        "ゲスト内の {path} は {timeout} 秒以内に終了しませんでした。"
    ),
    "{path} did not come from the guest within {timeout} s.": (
        "{timeout} 秒以内にゲストから {path} を受け取れませんでした。"
    ),
    "{path} is longer than {limit} bytes in the guest.": "ゲスト内の {path} は {limit} バイトを超えています。",
    "Is qemu-guest-agent running in the guest, and nobody else connected to its socket?": (
        "ゲストで qemu-guest-agent が動作していますか? ほかにソケットを使っているものはありませんか?"
    ),
    "The guest agent did not answer within {timeout} s.": (
        "ゲスト エージェントは {timeout} 秒以内に応答しませんでした。"
    ),
    "The connection to the guest agent broke.": "ゲスト エージェントとの接続が切れました。",
    "The guest agent sent a line of more than {most} bytes.": (
        "ゲスト エージェントが {most} バイトを超える行を送信しました。"
    ),
    "The guest agent's side hung up.": "ゲスト エージェント側が切断しました。",
    "Is the machine still running?": "仮想マシンはまだ実行中ですか?",
    "The guest agent sent more than {most} bytes.": "ゲスト エージェントが {most} バイトを超えて送信しました。",
    "The guest agent sent something that is not JSON.": "ゲスト エージェントが JSON ではないものを送信しました。",
    "The guest agent sent a reply of an unexpected form.": "ゲスト エージェントの応答の形式が正しくありません。",
    "The guest agent's reply has no number '{key}'.": "ゲスト エージェントの応答に数値「{key}」がありません。",
    "no reason given": "理由は示されていません",
    "{path} printed more in the guest than the agent keeps.": (
        "ゲスト内の {path} の出力は、エージェントの保持量を超えています。"
    ),
    "The guest agent sent output that is not base64.": "ゲスト エージェントの出力が base64 ではありません。",
    "The network boot folder {str} is not a usable path.": "ネットワーク起動用フォルダー {str} のパスは使えません。",
    "{folder} is not a folder.": "{folder} はフォルダーではありません。",
    "Name the folder, and the file with file=NAME": (
        "Name the folder, and the boot file in its own field",
        "フォルダーを指定し、ブート ファイルは別の欄に指定してください",
    ),
    "{name} is not in the network boot folder {folder}.": (
        "{name} がネットワーク起動用フォルダー {folder} にありません。"
    ),
    "{name} in {folder} cannot be read.": "{folder} の {name} を読み取れません。",
    "{name} in {folder} is not a usable path.": "{folder} の {name} のパスは使えません。",
    "{name} leads out of the network boot folder {folder}.": (
        "{name} はネットワーク起動用フォルダー {folder} の外を指しています。"
    ),
    "Copy the file into the folder": "ファイルをフォルダーにコピーしてください",
    "{name} in {folder} is not a regular file.": "{folder} の {name} は通常のファイルではありません。",
    "{name} cannot be a boot file's name.": "{name} はブート ファイルの名前にできません。",
    "Use 1 to {longest_name} printable ASCII characters": (
        "印字可能な ASCII 文字 1 から {longest_name} 文字で指定してください"
    ),
    "The boot file {name} has to lie inside the network boot folder.": (
        "ブート ファイル {name} はネットワーク起動用フォルダーの中に置く必要があります。"
    ),
    "Give its name in the folder": "フォルダー内の名前を指定してください",
    "The network boot folder {folder} cannot be read.": "ネットワーク起動用フォルダー {folder} を読み取れません。",
    "Check its mode": "アクセス許可を確認してください",
    "QEMU does not listen on {socket}: {strerror}.": "QEMU が {socket} で待ち受けていません ({strerror:text})。",
    "The secret of an HTTP boot folder has to be 32 hexadecimal digits.": (
        "HTTP 起動用フォルダーのシークレットは 16 進数 32 桁です。"
    ),
    "Port {port} on 127.0.0.1 is only for root.": "127.0.0.1 のポート {port} を使えるのは root だけです。",
    "Choose a port above 1023": "1024 以上のポートを選んでください",
    "Port {port} on 127.0.0.1 is taken by another program.": "127.0.0.1 のポート {port} は別のプログラムが使用中です。",
    "Choose another port": "別のポートを選んでください",
    "The program {command} is not installed.": "プログラム {command} がインストールされていません。",
    "{command} refused the ROM's source: {strip}": "{command} が ROM のソースを拒否しました ({strip:text})",
    "{text} is not a port forward.": "{text} はポート転送ではありません。",
    "{address} is not an IPv4 address of this host.": "{address} はこのホストの IPv4 アドレスではありません。",
    "A port in {text} is not between 1 and 65535.": "{text} に、1 から 65535 の範囲にないポートがあります。",
    "{protocol} port {host_port} on {host_address}": "{host_address} の {protocol} ポート {host_port}",
    "The {where} is only for root.": "{where:text} を使えるのは root だけです。",
    "Forward a port above 1023": "1024 以上のポートを転送してください",
    "{hostname} is not a host name.": "{hostname} はホスト名ではありません。",
    "Use up to 63 letters, digits and inner hyphens": "63 文字までの英数字とハイフン (途中のみ) を使ってください",
    "The boot file {bootfile} has no folder.": "ブート ファイル {bootfile} のフォルダーがありません。",
    "Write --pxe DIR,file=NAME": ("Name its folder", "フォルダーを指定してください"),
    "The host port {host_port} ({protocol}) is forwarded twice.": (
        "ホストのポート {host_port} ({protocol}) が 2 回転送されています。"
    ),
    "There is no {where}: the address is not one of this host's.": (
        "{where:text} がありません。このホストのアドレスではありません。"
    ),
    "Use 127.0.0.1": "127.0.0.1 を使ってください",
    "The {where} is taken.": "{where:text} は使用中です。",
    "Forward another host port, or stop what listens there": (
        "ホストの別のポートを転送するか、使用中のプログラムを停止してください"
    ),
    "{name} is for {join}, not for x86.": "{name:word} は {join} 用で、x86 用ではありません。",
    "Take its x86_64 edition": "x86_64 版を使ってください",
    "{name} is 32-bit, and generation 2 is 64-bit.": "{name:word} は 32 ビットで、第 2 世代は 64 ビットです。",
    "Use --generation 1, or its 64-bit edition": (
        "Use generation 1, or its 64-bit edition",
        "第 1 世代か、64 ビット版を使ってください",
    ),
    "{name} does not start on UEFI, which generation 2 has instead of a BIOS.": (
        "{name:word} は UEFI で起動しません。第 2 世代は BIOS ではなく UEFI です。"
    ),
    "Use --generation 1": ("Use generation 1", "第 1 世代を使ってください"),
    "The medium offers nothing to UEFI: it boots on generation 1 only.": (
        "このメディアは UEFI に対応しておらず、第 1 世代でのみ起動します。"
    ),
    "The medium offers nothing to a BIOS: it boots on generation 2 only.": (
        "このメディアは BIOS に対応しておらず、第 2 世代でのみ起動します。"
    ),
    "Use --generation 2": ("Use generation 2", "第 2 世代を使ってください"),
    "{name} is made for UEFI and may refuse to install.": (
        "{name:word} は UEFI 用で、インストールできない場合があります。"
    ),
    "The database of guest systems is not installed.": "ゲスト システムのデータベースがインストールされていません。",
    "No guest system '{name}' is known.": "ゲスト システム「{name}」は不明です。",
    "Leave it out, or take the system most like it: ids are those of osinfo-query os": (
        "指定しないか、最も近いシステムを選んでください (ID は osinfo-query os で確認できます)"
    ),
    "{iso} has no ISO 9660 volume.": "{iso} に ISO 9660 ボリュームがありません。",
    "Give the ISO of an installer": "インストーラーの ISO を指定してください",
    "There is no layout {number} of generation {generation} machines.": (
        "第 {generation} 世代の仮想マシンに配置 {number} はありません。"
    ),
    "Use the Kiban that made the machine, or a newer one.": (
        "この仮想マシンを作成した Kiban か、新しい Kiban を使ってください。"
    ),
    "QEMU did not answer within {limit} s.": "QEMU は {limit} 秒以内に応答しませんでした。",
    "QEMU does not answer: {error}.": "QEMU が応答しません ({error:text})。",
    "QEMU did not answer {command} within {answer_seconds} s.": (
        "QEMU は {answer_seconds} 秒以内に {command} に応答しませんでした。"
    ),
    "QEMU refused {command}: {error}.": "QEMU が {command} を拒否しました ({error:text})。",
    "QEMU ended during {command}.": "{command} の途中で QEMU が終了しました。",
    "QEMU ended before it was given a file.": "ファイルを渡す前に QEMU が終了しました。",
    "{path} has no {family} machines.": "{path} に {family} のマシンがありません。",
    "Install Debian's": "Debian のものをインストールしてください",
    "this host is {machine}, the machines are x86_64": "このホストは {machine} で、仮想マシンは x86_64 です",
    "the kernel has neither kvm_intel nor kvm_amd loaded": "カーネルに kvm_intel も kvm_amd も読み込まれていません",
    "{device} cannot be opened: join the group kvm": "{device} を開けません。グループ kvm に参加してください",
    "hardware virtualization is there": "ハードウェア仮想化を使用できます",
    "{binary} is not installed.": "{binary} がインストールされていません。",
    "{path} does not work: {strip}": "{path} が動作しません ({strip:text})",
    "Run it by hand: {path} -version": "手動で実行してください: {path} -version",
    "{path} cannot be run: {strerror}.": "{path} を実行できません ({strerror:text})。",
    "{path} does not answer.": "{path} が応答しません。",
    "There is no user {name} for QEMU to run as.": "QEMU を実行するユーザー {name} がありません。",
    "Make it": "作成してください",
    "The machine is running already.": "仮想マシンはすでに実行中です。",
    "Cannot open {path}: {strerror}.": "{path} を開けません ({strerror:text})。",
    "Look at its folder": "フォルダーを確認してください",
    "Put the file back, or remove the device that uses it.": (
        "ファイルを元に戻すか、それを使うデバイスを取り外してください。"
    ),
    "You may not {what} {path}.": "{path} を {what:word} 権限がありません。",
    "{argv} cannot be run as {name}: {error}.": "{argv} を {name} として実行できません ({error:text})。",
    "it does not begin as RFB 3.8 does": "RFB 3.8 として始まっていません",
    "there is no message {first}": "メッセージ {first} はありません",
    "{number} encodings are too many": "{number} 個のエンコーディングは多すぎます",
    "the clipboard is too long": "クリップボードの内容が長すぎます",
    "there is no message 255.{rest}": "メッセージ 255.{rest} はありません",
    "The viewer of the screen is not understood: {why}.": "画面ビューアーからの通信を解釈できません ({why:text})。",
    "Reload the page.": "ページを再読み込みしてください。",
    "QEMU's picture of the screen is no PPM.": "QEMU の画面の画像が PPM ではありません。",
    "QEMU's picture of the screen is cut off.": "QEMU の画面の画像が途中で切れています。",
    "the firmware waits in its menu": "ファームウェアがメニューで待機しています",
    "{directory} holds the definition of another machine, {id}.": (
        "{directory} に別の仮想マシン {id} の定義があります。"
    ),
    "A copied directory needs an id of its own: give it a new UUID, as its name and in vm.json.": (
        "コピーしたディレクトリには固有の ID が必要です。新しい UUID を名前と vm.json に設定してください。"
    ),
    "Restore {path} from a backup, or look at it: nothing has been changed.": (
        "{path} をバックアップから復元するか、内容を確認してください。何も変更されていません。"
    ),
    "{path} is not JSON: {error}.": "{path} は JSON ではありません ({error})。",
    "{path} is of version {version}; this Kiban reads version {version2}.": (
        "{path} のバージョンは {version} ですが、この Kiban が読み取れるのは {version2} です。"
    ),
    "Use the Kiban that made it, or a newer one.": "作成した Kiban か、新しい Kiban を使ってください。",
    "{path} is damaged at {place}: {first}.": "{path} の {place:word} が壊れています ({first:text})。",
    "{path} is missing.": "{path} がありません。",
    "Restore it from a backup, or remove the directory.": (
        "バックアップから復元するか、ディレクトリを削除してください。"
    ),
    "Look at its owner and mode.": "所有者とアクセス許可を確認してください。",
    "{path} is larger than a definition can be.": "{path} は定義としては大きすぎます。",
    "Restore it from a backup.": "バックアップから復元してください。",
    "It has characters that are none.": "正しくない文字が含まれています。",
    "Use names in UTF-8.": "UTF-8 の名前を使ってください。",
    "Cannot make {directory}: {strerror}.": "{directory} を作成できません ({strerror:text})。",
    "{directory} is gone already.": "{directory} はもうありません。",
    "Cannot remove {directory}: {strerror}.": "{directory} を削除できません ({strerror:text})。",
    "Choose another folder.": "別のフォルダーを選んでください。",
    "Choose another name.": "別の名前を選んでください。",
    "Name a folder that is not there yet.": "まだないフォルダーを指定してください。",
    "{target} is a file system of its own.": "{target} は独立したファイル システムです。",
    "Name a folder in it: {target}/web": "その中のフォルダーを指定してください (例: {target}/web)",
    "{part} is in the way.": "{part} がすでにあります。",
    "Remove it.": "削除してください。",
    "Choose a folder of your own.": "自分のフォルダーを選んでください。",
    "{part} has just got its name.": "{part} の名前はたった今確定しました。",
    "{target} exists by now.": "{target} はすでにあります。",
    "{folder} has {size} bytes, not {size2} as when it was exported.": (
        "{folder} は {size} バイトですが、エクスポート時は {size2} バイトでした。"
    ),
    "Copy the folder again.": "フォルダーをコピーし直してください。",
    "it is not what an export writes": "エクスポートされた内容ではありません",
    "{name} is no file of an export": "{name} はエクスポートのファイルではありません",
    "it names a file twice": "同じファイルが 2 回あります",
    "{path} is not a file: {strerror}.": "{path} はファイルではありません ({strerror:text})。",
    "{path} is not a file.": "{path} はファイルではありません。",
    "it has more than {limit} bytes": "{limit} バイトを超えています",
    "{path} is not what was exported: its SHA-256 is another one.": (
        "{path} はエクスポートしたものと異なります (SHA-256 が一致しません)。"
    ),
    "The socket path {path} is longer than {longest_path} bytes.": (
        "ソケットのパス {path} が {longest_path} バイトを超えています。"
    ),
    "Use a shorter folder.": "もっと短いフォルダーを使ってください。",
    "The socket {path} may not be made.": "ソケット {path} を作成する権限がありません。",
    "Choose another path.": "別のパスを選んでください。",
    "Cannot listen on {path}: {why}.": "{path} で待ち受けられません ({why:text})。",
    "{path} exists and is not a socket.": "{path} はソケットではありません。",
    "Somebody listens on {path} already.": "{path} ではすでに別のプログラムが待ち受けています。",
    "Write {form}": "次の形式で指定してください: {form}",
    "See why: kiban ls": ("Its events say why.", "理由はイベントで確認できます。"),
    "Somebody removed the machine's directory: kiban ls": (
        "Somebody removed the machine's directory.",
        "仮想マシンのディレクトリが削除されました。",
    ),
    "See which one: kiban ls": ("The list of machines shows it.", "仮想マシンの一覧で確認できます。"),
    "See what is there: kiban ls": ("The list of machines shows what is there.", "仮想マシンの一覧で確認できます。"),
    "Wait for that to end: kiban jobs": (
        "Wait for that to end; the jobs say how far it is.",
        "終わるまでお待ちください。進み具合はジョブで確認できます。",
    ),
}
