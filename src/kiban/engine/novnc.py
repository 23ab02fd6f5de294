# SPDX-License-Identifier: GPL-2.0-or-later
"""Where noVNC is, which shows screens in a browser: unpacked by `./dev setup` beside this Python, or Debian's."""

from __future__ import annotations

import sys
from pathlib import Path

from kiban.errors import HostLacks

PLACES = (Path(sys.prefix) / "share" / "novnc", Path("/usr/share/novnc"))
NEEDED = "core/rfb.js"


def find() -> Path:
    """The folder of noVNC; HostLacks when there is none."""
    for place in PLACES:
        if (place / NEEDED).is_file():
            return place
    raise HostLacks("noVNC is missing: browsers cannot show the screens of machines.", "apt install novnc")
