# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of the host its machines have and take, as it is sent."""

from __future__ import annotations

from pydantic import Field

from kiban.wire.base import Sent


class Given(Sent):
    """How many machines, and what they have been given together."""

    machines: int
    cpus: int
    memory: int
    """Bytes."""


class FileSystem(Sent):
    """A file system that machines are on; all in bytes."""

    path: str = Field(examples=["/var"])
    """Where it is mounted."""
    size: int
    free: int
    machines: int
    """What the files of machines take there, the images aside that no machine writes to."""
    images: int
    """What those images take that disks of machines are made on."""
    library: int
    """What the library of media takes."""
    growth: int
    """What the disks of machines would take besides if all were full."""


class Holding(Sent):
    """What a machine takes, or an image that disks of machines are made on and none writes to; in bytes."""

    name: str
    """Of the machine, or the path of the image."""
    id: str
    """Of the machine; empty for an image."""
    takes: int
    """All of the following three."""
    disks: int
    saved: int
    """Of its saved memory."""
    other: int
    """NVRAM, TPM, logs and the like."""
    provisioned: int
    """How large its disks are for its guest."""
    growth: int
    """What its disks may take besides."""
    users: list[str]
    """Of an image: the machines whose disks are made on it."""


class Capacity(Sent):
    """The host and what its machines have of it. Files count with what the host has allocated for them."""

    processors: int
    memory: int
    """Bytes."""
    memory_available: int
    """Bytes that could be had without swapping."""
    all: Given
    running: Given
    file_systems: list[FileSystem]
    holdings: list[Holding]
    """Those that take most first."""
