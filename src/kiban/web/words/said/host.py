# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of the host, the service, its addresses, jobs and tokens."""

SAID: dict[str, str | tuple[str, str]] = {
    "No token was given.": "トークンが指定されていません。",
    "Set KIBAN_TOKEN; kiban token create makes one.": (
        "Make one on the page of users.",
        "ユーザーのページでトークンを作成してください。",
    ),
    "A request may have {max_body} bytes.": "要求は {max_body} バイトまでです。",
    "The upload was broken off; nothing of it is kept.": "アップロードが中断されました。何も保存されていません。",
    "There is nothing at this address.": "このアドレスには何もありません。",
    "Is the service older than the command? Restart it; machines run on.": (
        "サービスがコマンドより古い可能性があります。サービスを再起動してください (仮想マシンは動き続けます)。"
    ),
    "{method} is not possible here.": "ここで {method} は使えません。",
    "{join}; and {rest} more.": "{join} ほか {rest} 件。",
    "This token may not do that: its role is {role}.": "このトークンではこの操作を行えません。役割は {role:word} です。",
    "It takes a token of role {enough}.": "役割が {enough:word} のトークンが必要です。",
    "Cannot write to {state}: {strerror}.": "{state} に書き込めません ({strerror:text})。",
    "Set KIBAN_STATE to a directory of yours.": "KIBAN_STATE に自分のディレクトリを設定してください。",
    "A service is running on {state} already (pid {pid}).": "{state} ではすでにサービスが実行中です (pid {pid})。",
    "Use that one, or stop it": "それを使うか、停止してください",
    "too long": "長すぎます",
    "Set KIBAN_RUNTIME to a shorter path.": "KIBAN_RUNTIME に短いパスを設定してください。",
    "{address} is no address to listen on.": "{address} は待ち受けに使えるアドレスではありません。",
    "Say HOST:PORT, such as 0.0.0.0:7443.": (
        "Write HOST:PORT, such as 0.0.0.0:7443.",
        "0.0.0.0:7443 のように、ホスト:ポートで指定してください。",
    ),
    "Only root may listen on {address}.": "{address} で待ち受けられるのは root だけです。",
    "Choose a port from 1024 up.": "1024 以上のポートを選んでください。",
    "{address} is not an address of this host.": "{address} はこのホストのアドレスではありません。",
    "Say an address of this host, or 0.0.0.0.": "このホストのアドレスか 0.0.0.0 を指定してください。",
    "Choose another port.": "別のポートを選んでください。",
    "{runtime} can be written to by others than you.": "ほかのユーザーが {runtime} に書き込めます。",
    "Remove it, or set KIBAN_RUNTIME to a directory of your own.": (
        "削除するか、KIBAN_RUNTIME に自分のディレクトリを設定してください。"
    ),
    "{cert} is not a certificate in PEM form: {error}.": "{cert} は PEM 形式の証明書ではありません ({error})。",
    "Name a file that has one.": "PEM 形式のファイルを指定してください。",
    "They have to be a certificate and its key, in PEM form": "PEM 形式の証明書とその秘密キーが必要です",
    "{cert} and {key} cannot be used for TLS: {error}.": "{cert} と {key} を TLS に使えません ({error})。",
    "A certificate and its key belong together.": "証明書と秘密キーは両方必要です。",
    "Say both --cert and --key, or neither.": "証明書と秘密キーを両方指定するか、どちらも指定しないでください。",
    "This service has no web manager.": "このサービスに Web マネージャーはありません。",
    "Start it with kiban serve.": "kiban serve で起動してください。",
    "writing what was not written yet": "まだ書き込まれていない内容を書き込んでいます",
    "QEMU's user": "QEMU のユーザー",
    "TPM's keys": "TPM のキー",
    "legacy adapter's PXE": "レガシ ネットワーク アダプターの PXE",
    "mounting disks": "ディスクのマウント",
    "guest profiles": "ゲスト プロファイル",
    "screens in a browser": "ブラウザーでの画面表示",
    "{path} is missing: generation 1 cannot boot from the network.": (
        "{path} がありません。第 1 世代はネットワークから起動できません。"
    ),
    "noVNC at {find}": "noVNC: {find}",
    "{len} media are recognised": "{len} 個のメディアを認識できます",
    "Machines run, but several times slower. Load kvm_intel or kvm_amd for KVM.": (
        "仮想マシンは動作しますが、数倍遅くなります。KVM を使うには kvm_intel または kvm_amd を読み込んでください。"
    ),
    "{format_size} of {format_size2} are free": "{format_size2} のうち {format_size} が空いています",
    "Make room where the machines are kept.": "仮想マシンの保存先の空き領域を増やしてください。",
    "{format_size} are free in {state}": "{state} に {format_size} の空きがあります",
    "disk space": "ディスクの空き領域",
    "Nobody knows how {command} ended: the service stopped in the middle of it.": (
        "{command} の結果は不明です。途中でサービスが停止しました。"
    ),
    "Look at the machine: kiban info {machine}": ("Look at the machine.", "仮想マシンを確認してください。"),
    "Look at what is there: kiban ls": ("Look at what is there.", "現在の状態を確認してください。"),
    "The service is stopping.": "サービスは終了処理中です。",
    "Try again when it is back.": "サービスが戻ってから、もう一度お試しください。",
    "There is no job {job_id}.": "ジョブ {job_id} はありません。",
    "See all jobs: kiban jobs": ("The page of jobs shows all.", "すべてのジョブはジョブのページで確認できます。"),
    "Job {job_id} is over: it is {state}.": "ジョブ {job_id} はもう終わっています ({state:word})。",
    "{command} was stopped before it was done.": "{command} は完了する前に中止されました。",
    "Something went wrong inside Kiban (reference {reference}).": (
        "Kiban の内部でエラーが発生しました (参照番号 {reference})。"
    ),
    "The service's log has the details: look for {reference}.": (
        "詳細はサービスのログにあります。{reference} を検索してください。"
    ),
    "noVNC is missing: browsers cannot show the screens of machines.": (
        "noVNC がないため、ブラウザーに仮想マシンの画面を表示できません。"
    ),
    "{path} is not a list of tokens.": "{path} はトークンの一覧ではありません。",
    "Remove it and make the tokens anew.": "削除して、トークンを作り直してください。",
    "{name} cannot be a token's name.": "{name} はトークンの名前にできません。",
    "Use letters, digits, '.', '_' and '-'.": "英数字と「.」「_」「-」を使ってください。",
    "There is a token {name} already.": "{name} というトークンはすでにあります。",
    "Revoke it first: kiban token revoke {name}": ("Revoke it first.", "先に取り消してください。"),
    "There is no token {name}.": "トークン {name} はありません。",
    "See all: kiban token list": ("The page of users shows all.", "すべてのトークンはユーザーのページで確認できます。"),
    "This token is not known here.": "このトークンは登録されていません。",
    "It may have been revoked.": "取り消された可能性があります。",
    "This link has been used or is more than a minute old.": (
        "このリンクは使用済みか、発行から 1 分以上経過しています。"
    ),
    "Get a new one": "新しいリンクを取得してください",
    "A port is a number from 1 to 65535.": "ポートは 1 から 65535 までの数です。",
    "{text} is not a whole number.": "{text} は整数ではありません。",
    "Write it in digits: 2": "2 のように数字で指定してください",
    "This is not the address of this web manager.": "この Web マネージャーのアドレスではありません。",
    "Another site's page may not do that.": "別のサイトのページからは操作できません。",
    "That is no link of this web manager.": "この Web マネージャーのリンクではありません。",
    "Get one": "リンクを取得してください",
    "This needs a session.": "セッションが必要です。",
    "Begin one": "セッションを開始してください",
    "The web manager does not go by the name {host}.": "この Web マネージャーに {host} という名前はありません。",
    "The web manager is on port {port} already.": "Web マネージャーはすでにポート {port} で動作しています。",
    "A browser's page may not do that.": "ブラウザーのページからは操作できません。",
    "Use the web manager": "Web マネージャーを使ってください",
    "This address is a WebSocket": "このアドレスは WebSocket です",
    "This connection is for bytes, not for text.": "この接続はテキストではなくバイト列用です。",
    "Send binary messages.": "バイナリ メッセージを送信してください。",
    "See the OpenAPI document: /v1/openapi.json": "OpenAPI 文書を参照してください: /v1/openapi.json",
    "{name}: {why}": "{name:bare}: {why:said}",
    "{disk} of {machine}: {why}": "{machine:bare} の {disk:bare}: {why:said}",
    "({hint})": "({hint:said})",
    "Hint: {hint}.": "ヒント: {hint:said}。",
    "{field}: It is missing.": "{field:bare}: 入力してください。",
    "{field}: It takes a path on the host of the machines, from / on.": (
        "{field:bare}: ホスト上のパスを / から指定してください。"
    ),
    "{field}: Input should be greater than or equal to {least}.": "{field:bare}: {least} 以上にしてください。",
    "{field}: Input should be less than or equal to {most}.": "{field:bare}: {most} 以下にしてください。",
    "{field}: String should have at most {most} characters.": "{field:bare}: {most} 文字以内にしてください。",
    "{field}: String should have at least {least} character.": "{field:bare}: 入力してください。",
    "{field}: String should match pattern {pattern}.": "{field:bare}: 形式が正しくありません。",
    "{field}: Input should be {choices}.": "{field:bare}: 次から選んでください: {choices}。",
    "{field}: Value error, {why}.": "{field:bare}: {why:text}。",
    "Too many wrong tries from your address.": "お使いのアドレスからの失敗が多すぎます。",
    "Wait a minute.": "1 分ほどお待ちください。",
}
