# SPDX-License-Identifier: GPL-2.0-or-later
"""The library of media, and what an ISO is, on the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kiban.wire.base import HostPath, Sent, Wire


class Iso(Wire):
    """An ISO to look at."""

    path: HostPath


class MediumFile(Sent):
    """An image of the library."""

    name: str = Field(examples=["debian-12.iso"])
    path: str
    """On the host of the service: what a machine is given."""
    kind: Literal["iso", "floppy"]
    size: int
    """Bytes."""
    added: str
    """ISO 8601, in UTC."""
    machines: list[str]
    """Names of the machines that have it in a drive."""


class Suggestion(Sent):
    """A machine of one generation for the system of an ISO."""

    generation: int
    ok: bool
    """Whether the generation suits the system."""
    reason: str
    """Why not; where it does suit, what is to be warned of, or empty."""
    hint: str
    cpus: int
    memory: int
    """Bytes."""
    disk: int
    """Bytes."""
    tpm: bool
    template: str
    """Secure Boot template; empty on generation 1."""


class Advice(Sent):
    """What is known of an ISO."""

    path: str
    label: str
    """Of its volume."""
    guest: str = Field(examples=["debian12"])
    """osinfo's short id; empty for a disc that nobody described."""
    name: str
    others: list[str]
    """Short ids of further systems whose discs bear the same labels."""
    generation: int
    """The better one; 0 where neither suits."""
    reason: str
    suggestions: list[Suggestion]
    """Of generation 1, then of 2."""
