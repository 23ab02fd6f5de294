# SPDX-License-Identifier: GPL-2.0-or-later
"""One ground per test."""

import shutil
from collections.abc import Iterator

import pytest
from faults_ground import Ground, fresh


@pytest.fixture
def ground() -> Iterator[Ground]:
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("QEMU is not installed")
    with fresh() as made:
        yield made
