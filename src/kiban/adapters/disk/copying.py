# SPDX-License-Identifier: GPL-2.0-or-later
"""A private copy of an image: by reflink where the file system has them, sparse otherwise (GNU cp knows both)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kiban.adapters.disk.space import require_space
from kiban.errors import Failed


async def copy(source: Path, target: Path) -> None:
    """Copy `source` to the new file `target` (mode 0600); on failure or cancel nothing of it is left.

    Raises HostLacks without the space for what the source takes, Failed with cp's words.
    """
    require_space(target, source.stat().st_blocks * 512)
    process = await asyncio.create_subprocess_exec(
        *("cp", "--reflink=auto", "--sparse=always", "--no-preserve=all", "--", str(source), str(target)),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, complaint = await process.communicate()
        if process.returncode != 0:
            raise Failed(f"{source} could not be copied: {complaint.decode(errors='replace').strip()[-300:]}")
        target.chmod(0o600)
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        target.unlink(missing_ok=True)
        raise
