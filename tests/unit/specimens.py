# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that real programs made, for tests; none is in this tree.

They are in the source package of dissect.hypervisor on PyPI, which pip downloads once into the user's cache and checks
by its hash. Whoever has no network is told so by the skipped tests; KIBAN_SPECIMENS=required makes that a failure.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path

import platformdirs
import pytest

PACKAGE = "dissect_hypervisor-3.20"
SHA256 = "90f4d46a6d6b81045c6fc123600bb8c12afa58c464ecaa67d5ca9435fcff7957"
REQUIREMENT = f"dissect.hypervisor==3.20 --hash=sha256:{SHA256}\n"


@cache
def specimen(name: str) -> bytes:
    """A file below `tests/_data` of the package, unpacked when it is a .gz; skips the test when it cannot be had."""
    with tarfile.open(_package()) as package:
        member = package.extractfile(f"{PACKAGE}/tests/_data/{name}")
        assert member is not None
        data = member.read()
    return gzip.decompress(data) if name.endswith(".gz") else data


@cache
def _package() -> Path:
    folder = platformdirs.user_cache_path("kiban") / "specimens"
    path = folder / f"{PACKAGE}.tar.gz"
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        said = _download(folder)
        if not path.exists():
            required = os.environ.get("KIBAN_SPECIMENS") == "required"
            (pytest.fail if required else pytest.skip)(f"{PACKAGE} cannot be downloaded: {said}")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
    return path


def _download(folder: Path) -> str:
    """Have pip fetch the package; the last line of what it said. No build isolation: only what is locked may run."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / "requirements.txt"
    wanted.write_text(REQUIREMENT)
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-binary",
    ]
    argv += [":all:", "--no-build-isolation", "--require-hashes", "-r", str(wanted), "-d", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    return (done.stderr.strip().splitlines() or [""])[-1]
