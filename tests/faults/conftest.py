# SPDX-License-Identifier: GPL-2.0-or-later
"""One ground per test."""

import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit"))  # what makes disks, and finds ports
from faults_ground import Ground, fresh

# a shell that runs this in its background has told it to ignore Ctrl-C, which the commands here would inherit
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def ground() -> Iterator[Ground]:
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("QEMU is not installed")
    with fresh() as made:
        yield made
