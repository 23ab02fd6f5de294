# SPDX-License-Identifier: GPL-2.0-or-later
"""Unpacking a compressed cluster of qcow2, never to more than the cluster's size."""

from __future__ import annotations

import sys
import zlib

from kiban.errors import Damaged

if sys.version_info >= (3, 14):
    from compression import zstd

    def _unzstd(packed: bytes, size: int) -> bytes:
        try:
            return zstd.ZstdDecompressor().decompress(packed, size)
        except zstd.ZstdError as error:
            raise Damaged("A compressed cluster of the image is broken.") from error

else:

    def _unzstd(packed: bytes, size: int) -> bytes:
        raise Damaged(
            "The image is compressed with zstd, which Python reads from version 3.14 on.",
            "Convert it: qemu-img convert -O qcow2 IMAGE PLAIN",
        )


def _inflate(packed: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj(-15).decompress(packed, size)
    except zlib.error as error:
        raise Damaged("A compressed cluster of the image is broken.") from error


def unpack(method: int, packed: bytes, size: int) -> bytes:
    """The `size` bytes of a cluster; method 0 is raw Deflate, 1 Zstandard. What follows in `packed` is ignored.

    Raises:
        Damaged: an unknown method, one that this Python lacks, or data that do not give as much.
    """
    if method not in (0, 1):
        raise Damaged(f"The image uses compression method {method}, which is not known.")
    data = _inflate(packed, size) if method == 0 else _unzstd(packed, size)
    if len(data) != size:
        raise Damaged("A compressed cluster of the image is too short.")
    return data
