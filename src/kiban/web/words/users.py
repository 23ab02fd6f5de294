# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page of users says."""

WORDS: dict[str, tuple[str, str]] = {
    "tokens": ("Tokens", "トークン"),
    "token": ("Token", "トークン"),
    "what tokens are": (
        "A token is for one person or program, who comes in with its role over TLS, here and at the API.",
        "トークンは利用者またはプログラムごとに発行します。TLS 経由で、その役割でこの Web マネージャーと API "
        "を利用できます。",
    ),
    "tokens not shown": (
        "Tokens are shown to administrators.",
        "トークンの一覧は管理者だけに表示されます。",
    ),
    "no tokens": ("There are no tokens.", "トークンはありません。"),
    "token name": ("Name", "名前"),
    "column role": ("Role", "役割"),
    "column created": ("Made", "作成日時"),
    "column used": ("Last used", "最終使用日時"),
    "column where": ("From", "接続元"),
    "column began": ("Since", "開始日時"),
    "column end": ("Action", "操作"),
    "never": ("never", "未使用"),
    "create token": ("Create token", "トークンを作成"),
    "revoke": ("Revoke", "取り消す"),
    "sure revoke": (
        "Revoke {name}? It is worthless at once, and sessions that were begun with it end.",
        "{name} を取り消しますか? トークンは直ちに無効になり、そのトークンで開始したセッションも終了します。",
    ),
    "new token": ("Token for {name}", "{name} のトークン"),
    "shown once": (
        "Copy it now: it is not kept and cannot be shown again.",
        "今すぐコピーしてください。保存されないため、再表示できません。",
    ),
    "copy": ("Copy", "コピー"),
    "sessions": ("Sessions", "セッション"),
    "by socket": ("this host", "このホスト"),
    "this session": ("{name} (this browser)", "{name} (このブラウザー)"),
    "end session": ("End", "終了"),
}
