# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk images as the disk that a guest would see, read on demand: raw, VHD, VHDX and qcow2.

They are read here and not by QEMU because QEMU would follow references to other files, and by no library because none
reads from a descriptor alone, which is all that the confined child process has.
"""

from __future__ import annotations

from kiban.adapters.images.opening import open_image

__all__ = ["open_image"]
