# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts the tables of `results/*.json` into docs/reference/performance.md, each between its two markers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from measure import RESULTS, table

PAGE = Path(__file__).parents[1] / "docs/reference/performance.md"


def main() -> None:
    page = PAGE.read_text()
    for path in sorted(RESULTS.glob("*.json")):
        start, end = f"<!-- {path.stem} -->\n", "<!-- end -->"
        above, found, rest = page.partition(start)
        if not found:
            raise SystemExit(f"{PAGE.name} has no place for {path.stem}: {start.strip()} ... {end}")
        below = rest.partition(end)[2]
        page = above + start + told(json.loads(path.read_text())) + end + below
    PAGE.write_text(page)


def told(result: dict[str, Any]) -> str:
    """The table, and what it was measured with and on."""
    host = result["host"]
    before, after = host["load before and after"]
    busy = before > host["processors"] / 2
    lines = [
        *table(result["table"]),
        "",
        f"`{result['command']}`, {result['date']}: {host['processors']} processors, {host['memory']}, "
        f"QEMU {host['qemu']}, Python {host['python']}, Kiban {host['kiban']}; "
        f"load average {before} before, {after} after.",
        *(["", "**Taken beside other work on the host, so the times are to be measured again.**"] if busy else []),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
