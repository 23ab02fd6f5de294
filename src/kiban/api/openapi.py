# SPDX-License-Identifier: GPL-2.0-or-later
"""The OpenAPI document as it is committed.

Rewrite it with `python -m kiban.api.openapi docs/reference/openapi.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kiban.api.app import create_app


def document() -> str:
    """The document of this version, as text."""
    return json.dumps(create_app(None, {}).openapi(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
