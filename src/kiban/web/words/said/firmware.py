# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of firmware, its variables and keys, and of TPMs."""

SAID: dict[str, str | tuple[str, str]] = {
    "{mac} is not a MAC address.": "{mac} は MAC アドレスではありません。",
    "Write six pairs of hex digits with colons": "2 桁の 16 進数 6 組をコロンで区切ってください",
    "The firmware cannot boot from SCSI target {target}, unit {lun}.": (
        "ファームウェアは SCSI ターゲット {target}、ユニット {lun} から起動できません。"
    ),
    "Put {id} on a target up to {max_target} and a unit up to {max_lun}": (
        "{id} をターゲット {max_target}、ユニット {max_lun} までに接続してください"
    ),
    "The HTTP boot address is not a URI.": "HTTP 起動のアドレスが URI ではありません。",
    "Write http:// or https://, a host and a path": "http:// または https://、ホスト、パスの順に指定してください",
    "The UEFI variable store has no free boot entry.": "UEFI 変数ストアに空きのブート エントリがありません。",
    "there is no firmware descriptor at all": "ファームウェア記述子がありません",
    "This host has no {kind} for {machine_type}: {why}.": (
        "このホストには {machine_type} 用の {kind:word} がありません ({why:text})。"
    ),
    "The machine's firmware {code} cannot be read: {strerror}.": (
        "仮想マシンのファームウェア {code} を読み取れません ({strerror:text})。"
    ),
    "The firmware {code} was replaced since the machine was made (sha256 {code_sha256}, now {now}).": (
        "ファームウェア {code} は、仮想マシンの作成後に置き換えられました (sha256: {code_sha256}、現在: {now})。"
    ),
    "The UEFI variables need {len} bytes and the store has room for {space}.": (
        "UEFI 変数は {len} バイトですが、ストアに入るのは {space} バイトまでです。"
    ),
    "Remove boot entries, or make the store anew from its template": (
        "ブート エントリを削除するか、テンプレートからストアを作り直してください"
    ),
    "There is no UEFI variable store {path}.": "UEFI 変数ストア {path} がありません。",
    "The UEFI variable store {path} may not be read.": "UEFI 変数ストア {path} を読み取る権限がありません。",
    "{path} is too large to be a UEFI variable store.": "{path} は UEFI 変数ストアとしては大きすぎます。",
    "{where} is too short to be a UEFI variable store.": "{where} は UEFI 変数ストアとしては短すぎます。",
    "{where} is not a UEFI variable store.": "{where} は UEFI 変数ストアではありません。",
    "Name a raw OVMF_VARS file": "raw の OVMF_VARS ファイルを指定してください",
    "The UEFI variable store {where} is not formatted with authenticated variables.": (
        "UEFI 変数ストア {where} は認証済み変数の形式ではありません。"
    ),
    "The UEFI variable store {where} is cut short.": "UEFI 変数ストア {where} が途中で切れています。",
    "The UEFI variable store {where} has a variable that runs past its end.": (
        "UEFI 変数ストア {where} に、末尾をはみ出す変数があります。"
    ),
    "That is not the event log of a TPM 2.0.": "TPM 2.0 のイベント ログではありません。",
    "The event log of the TPM is damaged in its first event.": "TPM のイベント ログは最初のイベントが壊れています。",
    "A measured variable is cut short.": "測定された変数が途中で切れています。",
    "A measured partition table is cut short.": "測定されたパーティション テーブルが途中で切れています。",
    "{folder} holds {count} platform keys, and a machine has exactly one.": (
        "{folder} にプラットフォーム キーが {count} 個ありますが、仮想マシンに必要なのは 1 個だけです。"
    ),
    "{folder} holds no platform key, and a machine has exactly one.": (
        "{folder} にプラットフォーム キーがありません。仮想マシンには 1 個必要です。"
    ),
    "Put it there as {folder}; without one Secure Boot cannot be on": (
        "{folder} として置いてください。これがないとセキュア ブートを有効にできません"
    ),
    "These are {len} platform keys, and a machine has one.": (
        "プラットフォーム キーが {len} 個ありますが、仮想マシンには 1 個だけです。"
    ),
    "Name one certificate": "証明書を 1 つ指定してください",
    "Name it with one of {join}": "名前を {join} のいずれかにしてください",
    "Name a folder": "フォルダーを指定してください",
    "{folder} holds more than {max_folder} files, or more than {max_files} keys.": (
        "{folder} のファイルが {max_folder} 個、またはキーが {max_files} 個を超えています。"
    ),
    "Put just the machine's keys into a folder of their own": "仮想マシンのキーだけを専用のフォルダーに入れてください",
    "{path} is larger than {max_file} KiB, which no key is.": (
        "{path} は {max_file} KiB を超えています。キーとしては大きすぎます。"
    ),
    "Is it the file you mean?": "指定したファイルは正しいですか?",
    "{path} holds no certificate that can be read, in PEM or DER.": (
        "{path} に、PEM または DER として読み取れる証明書がありません。"
    ),
    "Look at it": "内容を確認してください",
    "{path} is not a list of signatures: {message}": "{path} は署名リストではありません ({message:text})",
    "Make it with cert-to-efi-sig-list": "cert-to-efi-sig-list で作成してください",
    "{path} is not a signed update of a database.": "{path} は署名されたデータベース更新ではありません。",
    "Make it with sign-efi-sig-list": "sign-efi-sig-list で作成してください",
    "{path} holds a certificate that cannot be read.": "{path} に読み取れない証明書があります。",
    "{path} holds an entry that the firmware has no use for in {database}.": (
        "{path} に、ファームウェアが {database} で使わないエントリがあります。"
    ),
    "PK and KEK take certificates; db and dbx certificates and SHA-2 hashes": (
        "PK と KEK には証明書、db と dbx には証明書と SHA-2 ハッシュを入れます"
    ),
    "{path} cannot be understood.": "{path} を解釈できません。",
    "Restore it from a backup, or give the keys anew with --keys": (
        "Restore it from a backup, or give the keys anew",
        "バックアップから復元するか、キーを設定し直してください",
    ),
    "{database} would have {size} bytes, and the firmware reads no variable of more than {max_variable}.": (
        "{database} が {size} バイトになりますが、ファームウェアが読み取れる変数は {max_variable} バイトまでです。"
    ),
    "Revoke a certificate instead of the hash of each image that it signed": (
        "各イメージのハッシュではなく、署名した証明書を失効させてください"
    ),
    "A UEFI boot entry is too short.": "UEFI ブート エントリが短すぎます。",
    "A UEFI boot entry is cut short.": "UEFI ブート エントリが途中で切れています。",
    "A UEFI device path is cut short.": "UEFI デバイス パスが途中で切れています。",
    "There is no measured-boot log in the guest's memory.": "ゲストのメモリに測定ブートのログがありません。",
    "Wait until the firmware has begun to boot; or install qemu-guest-agent in the guest, which can read it.": (
        "ファームウェアが起動を始めるまで待つか、ログを読み取れる qemu-guest-agent をゲストにインストールしてください。"
    ),
    "A list of Secure Boot signatures is cut short.": "セキュア ブートの署名リストが途中で切れています。",
    "A list of Secure Boot signatures does not hold a whole number of them.": (
        "セキュア ブートの署名リストの個数が正しくありません。"
    ),
    "There is no Secure Boot template {name}.": "セキュア ブートのテンプレート {name} はありません。",
    "Choose one of {join}": "次から選んでください: {join}",
    "The template custom has no keys of its own.": "テンプレート custom には固有のキーがありません。",
    "Say which, --template custom --keys DIR, or take another template": (
        "Name the folder with the keys, or take another template",
        "キーのフォルダーを指定するか、別のテンプレートを選んでください",
    ),
    "swtpm_setup did not finish within {setup_seconds} seconds.": (
        "swtpm_setup が {setup_seconds} 秒以内に終了しませんでした。"
    ),
    "swtpm_setup may not be run as user {uid}.": "swtpm_setup をユーザー {uid} として実行できません。",
    "swtpm_setup could not make a TPM: {join}.": "swtpm_setup は TPM を作成できませんでした ({join:text})。",
    "swtpm may not be run as user {uid}.": "swtpm をユーザー {uid} として実行できません。",
    "This host has no {name}, which a TPM needs.": "このホストには TPM に必要な {name} がありません。",
    "{out} exists and a machine's UEFI variables are not overwritten.": (
        "{out} はすでにあります。仮想マシンの UEFI 変数は上書きされません。"
    ),
    "Without a platform key (PK) the firmware stays in setup mode, and Secure Boot cannot be on.": (
        "プラットフォーム キー (PK) がないと、ファームウェアはセットアップ モードのままで、セキュア "
        "ブートを有効にできません。"
    ),
    "Give a PK, take a template that has one, or switch Secure Boot off": (
        "PK を指定するか、PK のあるテンプレートを選ぶか、セキュア ブートを無効にしてください"
    ),
    "QEMU did not write the memory of {name} where it was asked to.": (
        "QEMU は {name} のメモリを指定の場所に書き込みませんでした。"
    ),
    "The guest of {name} does not show an event log: {message}": (
        "{name} のゲストからイベント ログを取得できません ({message:text})"
    ),
    "Read it in its memory": "メモリから読み取ってください",
    "The guest shows something else than hex digits in a register of its TPM.": (
        "ゲストが TPM のレジスタとして 16 進数以外のものを返しました。"
    ),
    "No guest agent runs in {name}.": "{name} でゲスト エージェントが動作していません。",
    "Install qemu-guest-agent in the guest.": "ゲストに qemu-guest-agent をインストールしてください。",
    "The guest agent of {name} did not show its TPM within {all_seconds} s.": (
        "{name} のゲスト エージェントから {all_seconds} 秒以内に TPM の情報を取得できませんでした。"
    ),
    "{name} is a generation 1 machine and has no Secure Boot: its firmware is a BIOS.": (
        "{name} は第 1 世代の仮想マシンで、セキュア ブートはありません (ファームウェアは BIOS です)。"
    ),
    "Secure Boot wants a generation 2 machine.": "セキュア ブートには第 2 世代の仮想マシンが必要です。",
    "A folder of keys goes with the template custom only.": (
        "キーのフォルダーを使えるのはテンプレート custom だけです。"
    ),
    "Say --template custom --keys {folder}": (
        "Choose the template custom for the keys in {folder}",
        "{folder} のキーを使うにはテンプレート custom を選んでください",
    ),
    "No key was named.": "キーが指定されていません。",
    "Say --db FILE, --kek FILE, --pk FILE or --mok FILE.": "db、kek、pk、mok のいずれかのファイルを指定してください。",
    "Nothing to revoke was named.": "失効させるものが指定されていません。",
    "Name a certificate, an EFI program or a SHA-256.": "証明書、EFI プログラム、または SHA-256 を指定してください。",
    "{path} is no EFI program that could be hashed: {sentence}": (
        "{path} はハッシュを計算できる EFI プログラムではありません ({sentence:text})"
    ),
    "A key's file has one of {join} at the end of its name.": "キーのファイルの拡張子は {join} のいずれかです。",
    "{name} would not start any more: {sentence}": "{name} は起動できなくなります。{sentence:text}",
    "Update the boot loader in the guest first; nothing was changed.": (
        "先にゲスト内のブート ローダーを更新してください。何も変更されていません。"
    ),
    "There is no change of {name}'s keys to take back.": "{name} のキーに、元に戻せる変更はありません。",
    "See them": "確認してください",
    "{text} is no SHA-256.": "{text} は SHA-256 ではありません。",
    "It has 64 hexadecimal digits.": "SHA-256 は 64 桁の 16 進数です。",
    "{name} is {state}, and its event log is in its memory.": (
        "{name} は {state:word} で、イベント ログはメモリの中にあります。"
    ),
    "{name} has no TPM: a generation 1 machine cannot have one.": (
        "{name} に TPM はありません (第 1 世代の仮想マシンには TPM がありません)。"
    ),
    "Make a generation 2 machine.": "第 2 世代の仮想マシンを作成してください。",
    "{name} has no TPM.": "{name} に TPM はありません。",
    "While it is off": "オフのときに追加してください",
}
