# SPDX-License-Identifier: GPL-2.0-or-later
"""Manifests of OVF packages: the checksums of their files, which are compared when somebody asks for it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from kiban.adapters.foreign.blob import Blob, damaged
from kiban.adapters.foreign.names import shown
from kiban.errors import BadInput

_LIMIT = 4 << 20
_CHUNK = 1 << 20
_LINE = re.compile(r"(SHA1|SHA256|SHA512)\s*\((.{1,1024})\)\s*=\s*([0-9a-fA-F]{40,128})", re.ASCII | re.IGNORECASE)
_DIGITS = {"sha1": 40, "sha256": 64, "sha512": 128}


@dataclass(frozen=True, slots=True)
class Digest:
    """A checksum of a file: the algorithm as `hashlib` names it, and its hexadecimal digits."""

    file: str
    algorithm: str
    digits: str


def read_manifest(blob: Blob) -> tuple[Digest, ...]:
    """Parse a .mf, as DSP0243 describes it; BadInput when a line of it is something else."""
    digests = []
    for line in blob.whole(_LIMIT).decode(errors="replace").splitlines():
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        algorithm = found[1].lower() if found else ""
        if found is None or len(found[3]) != _DIGITS[algorithm]:
            raise damaged(blob.name, f"the line {shown(line)!r} is no checksum")
        digests.append(Digest(found[2], algorithm, found[3].lower()))
    return tuple(digests)


def verify(
    digests: tuple[Digest, ...], files: dict[str, Blob], progress: Callable[[float, str], None], package: str
) -> tuple[str, ...]:
    """Compare the checksums of all files; reads all of them, so call it in a thread.

    Args:
        digests: the manifest.
        files: the package's files, by name.
        progress: called with the fraction done and the name of the file; raising ends the work.
        package: its name for errors.

    Returns:
        The names of files that the manifest does not have.

    Raises:
        BadInput: a file has other contents than the manifest says, or is not there.
    """
    missing = [digest.file for digest in digests if digest.file not in files]
    if missing:
        raise damaged(package, f"its manifest lists {shown(missing[0])}, which is not there")
    total, done = sum(files[digest.file].size for digest in digests) or 1, 0
    for digest in digests:
        blob, running = files[digest.file], hashlib.new(digest.algorithm, usedforsecurity=False)
        for start in range(0, blob.size, _CHUNK):
            part = blob.read(start, min(_CHUNK, blob.size - start))
            running.update(part)
            done += len(part)
            progress(done / total, digest.file)
        if running.hexdigest() != digest.digits:
            raise BadInput(
                f"{shown(digest.file)} of {package} is not what the manifest says it is.",
                "Download or export the package again.",
                code="wrong-checksum",
            )
    listed = {digest.file for digest in digests}
    return tuple(name for name in files if name not in listed)
