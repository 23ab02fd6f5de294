# SPDX-License-Identifier: GPL-2.0-or-later
"""From text and names of keys to QEMU's key codes (QKeyCode in QAPI's ui.json), on a US keyboard."""

from __future__ import annotations

import string

from kiban.errors import BadInput

MAX_TEXT = 4096
MAX_KEYS = 10
MAX_NAMED = 10
"""Characters that cannot be typed and are told of."""

PLAIN = {
    " ": "spc", "\n": "ret", "\t": "tab", "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right",
    "\\": "backslash", ";": "semicolon", "'": "apostrophe", "`": "grave_accent", ",": "comma", ".": "dot", "/": "slash",
}  # fmt: skip
SHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./", strict=True))
NAMES = {
    "control": "ctrl", "enter": "ret", "return": "ret", "del": "delete", "ins": "insert", "escape": "esc",
    "space": "spc", "win": "meta_l", "meta": "meta_l", "super": "meta_l", "page-up": "pgup", "page-down": "pgdn",
    "pageup": "pgup", "pagedown": "pgdn", "altgr": "alt_r",
}  # fmt: skip
KNOWN = {
    *string.ascii_lowercase, *string.digits, *PLAIN.values(), *(f"f{n}" for n in range(1, 13)),
    "shift", "shift_r", "ctrl", "ctrl_r", "alt", "alt_r", "meta_l", "meta_r", "menu", "esc", "backspace", "caps_lock",
    "num_lock", "scroll_lock", "insert", "delete", "home", "end", "pgup", "pgdn", "up", "down", "left", "right",
    "sysrq", "print", "pause", "ret",
}  # fmt: skip


def chord(keys: str) -> list[str]:
    """Key codes of keys pressed together; names are joined by `-` or `+`: ctrl-alt-delete, f10, shift-a."""
    said = keys.lower().replace("+", "-")
    for name in ("page-up", "page-down"):
        said = said.replace(name, NAMES[name])
    parts = [NAMES.get(part, PLAIN.get(part, part)) for part in said.split("-")]
    if len(parts) > MAX_KEYS:
        raise BadInput(f"{len(parts)} keys cannot be pressed at once.", f"Press up to {MAX_KEYS} together.")
    for part in parts:
        if part not in KNOWN:
            raise BadInput(
                f"There is no key {part[:20]!r} on a PC keyboard.",
                "Write keys as in ctrl-alt-delete, f10, shift-tab, page-up.",
            )
    return parts


def strokes(text: str) -> list[list[str]]:
    """Key codes that type `text`; BadInput for a character that a US keyboard does not have."""
    if len(text) > MAX_TEXT:
        raise BadInput(f"That is more than {MAX_TEXT} characters to type.", "Type it in parts, or use an ISO.")
    missing = sorted({character for character in text if not _stroke(character)})
    if missing:
        named = ", ".join(map(repr, missing[:MAX_NAMED])) + (" and more" if missing[MAX_NAMED:] else "")
        raise BadInput(f"{named} cannot be typed on a US keyboard.", "Only ASCII can be typed.")
    return [_stroke(character) for character in text]


def _stroke(character: str) -> list[str]:
    """Keys that make a character; none for one that the keyboard does not have."""
    if character in PLAIN:
        return [PLAIN[character]]
    if character in SHIFTED:
        return ["shift", *_stroke(SHIFTED[character])]
    if character in string.ascii_lowercase + string.digits:
        return [character]
    if character in string.ascii_uppercase:
        return ["shift", character.lower()]
    return []
