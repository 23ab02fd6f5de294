# SPDX-License-Identifier: GPL-2.0-or-later
"""An image by the name of its format. It is never guessed: a guest could write another format's header on its disk."""

from __future__ import annotations

from collections.abc import Callable

from kiban.adapters.images.qcow2 import open_qcow2
from kiban.adapters.images.source import Source
from kiban.adapters.images.vhd import open_vhd
from kiban.adapters.images.vhdx import open_vhdx
from kiban.errors import BadInput


def open_image(source: Source, form: str, parent: Source | None = None) -> Source:
    """The disk that a guest would see.

    Args:
        source: the image file.
        form: raw, iso, vhd, vhdx or qcow2.
        parent: the disk that a qcow2 holds only the changes to.

    Raises:
        BadInput: an unknown format; an image that refers to another file (has-backing-file, has-data-file,
            needs-parent), is encrypted (encrypted-image) or uses a feature that is not read here (unknown-feature).
        Damaged: the image's own tables are broken, or lie beyond its end.
    """
    if form in ("raw", "iso"):
        return source
    if form == "qcow2":
        return open_qcow2(source, parent)
    openers: dict[str, Callable[[Source], Source]] = {"vhd": open_vhd, "vhdx": open_vhdx}
    if form in openers:
        return openers[form](source)
    raise BadInput(f"'{form[:40]}' is not an image format.", "Use raw, iso, vhd, vhdx or qcow2", code="unknown-format")
