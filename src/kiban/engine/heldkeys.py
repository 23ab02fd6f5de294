# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys that viewers hold down, for a keyboard whose guest repeats them by itself.

A guest repeats a key of a USB keyboard until it hears that it was released; Linux begins after a quarter of a second.
If that word is late, on a slow line or a busy host, one press becomes a row of letters; if it never comes, as from a
Mac for what is pressed along with Cmd, there is no end of them. So a press is passed on together with its release:
QEMU's keyboard keeps both, and the guest reads one after the other. What the viewer's own keyboard repeats is one press
each. QEMU's PS/2 keyboard repeats nothing by itself. Shift, Ctrl and their like stay down until they are released.
"""

from __future__ import annotations

import struct

_KEY_EVENT = struct.Struct(">BB2xI")  # RFC 6143, 7.5.4
_EXTENDED = struct.Struct(">BBHII")  # QEMU's Extended Key Event of the community's rfbproto: 255, 0, down, keysym, key
_MODIFIERS = frozenset({*range(0xFFE1, 0xFFEF), 0xFF7E, 0xFE03, 0xFE11})
"""X11's keysyms from Shift_L to Hyper_R, Mode_switch, ISO_Level3_Shift and ISO_Level5_Shift."""


def pressed(message: bytes) -> bytes:
    """What the keyboard is told for a viewer's key event: perhaps more, perhaps nothing."""
    if message[0] == 4:
        _, down, keysym = _KEY_EVENT.unpack(message)
        release = _KEY_EVENT.pack(4, 0, keysym)
    else:
        _, _, down, keysym, key = _EXTENDED.unpack(message)
        release = _EXTENDED.pack(255, 0, 0, keysym, key)
    if keysym in _MODIFIERS:
        return message
    return message + release if down else b""
