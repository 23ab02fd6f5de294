# SPDX-License-Identifier: GPL-2.0-or-later
"""What the console says."""

WORDS: dict[str, tuple[str, str]] = {
    "connect": ("Connect", "接続"),
    "connect to": ("Connect to {name}", "{name} に接続"),
    "screen page": ("Screen", "画面"),
    "terminal waits": (
        "The machine does not run. The terminal connects when it starts.",
        "仮想マシンは実行されていません。起動するとターミナルが接続されます。",
    ),
    "terminal keys": (
        "Keys go to the guest while the terminal has the focus. Ctrl-Alt-Left leaves it.",
        "ターミナルを選択している間、キー入力はゲストに送られます。Ctrl+Alt+← で抜けます。",
    ),
    "machine page": ("Settings and events", "設定とイベント"),
    "fit": ("Fit to the window, or as large as it is", "ウィンドウに合わせる / 等倍"),
    "full screen": ("Full screen", "全画面表示"),
    "tool screen.press": ("Press Ctrl-Alt-Delete", "Ctrl+Alt+Del を送信"),
    "tool screen.type_text": ("Type text", "テキストを入力"),
    "tool screen.screenshot": ("Save a picture of the screen", "スクリーンショットを保存"),
    "tool devices.insert": ("Change the DVD", "DVD を入れ替える"),
    "text to type": ("Text to type", "入力するテキスト"),
    "typed as": (
        "It is typed key by key on a US keyboard, as ASCII; a new line is Enter.",
        "US キーボードで 1 文字ずつ入力されます (ASCII のみ)。改行は Enter になります。",
    ),
    "type": ("Type", "入力"),
    "screen of": ("Screen of {name}.", "{name} の画面。"),
    "screen off": ("The machine is off. Press Start.", "仮想マシンはオフです。[起動] を押してください。"),
    "screen saved": (
        "The machine is saved. Press Start, and it goes on where it was.",
        "仮想マシンは保存済みです。[起動] を押すと、続きから再開します。",
    ),
    "screen starting": ("The machine is starting.", "仮想マシンを起動しています。"),
    "screen connecting": ("Connecting.", "接続しています。"),
    "screen lost": ("The connection was lost. Trying again.", "接続が切れました。再接続しています。"),
    "screen session over": (
        "Your session is over. Come in again with the link that kiban web gives.",
        "セッションが終了しました。kiban web のリンクから入り直してください。",
    ),
    "screen keys go": (
        "Keys go to the guest. Ctrl-Alt-Left gives the keyboard back.",
        "キー入力はゲストに送られます。Ctrl+Alt+← でキーボードを解放します。",
    ),
    "screen keys stay": ("Click the screen to type into the guest.", "画面をクリックすると、ゲストに入力できます。"),
    "screen only looking": (
        "You may look; keyboard and mouse do nothing.",
        "閲覧のみ可能です。キーボードとマウスは使えません。",
    ),
}
