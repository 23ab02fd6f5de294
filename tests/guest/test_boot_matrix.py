# SPDX-License-Identifier: GPL-2.0-or-later
"""Predictions against real firmware, shim and GRUB: a choice of the Secure Boot matrix in which each artifact, each
kind of machine, each kind of medium and each reason is.

Which is predicted is in tests/unit/matrix_table.py; what comes of the whole matrix, in
docs/reference/secure-boot-matrix.md, which tests/guest/matrix.py writes.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from matrix_machines import Park
from matrix_rig import Result
from matrix_table import CELLS, cell
from rig import MakeGuest, Service

CHOICE: dict[str, dict[str, list[str]]] = {
    "microsoft-uefi-ca": {
        "raw": ["memtest", "text", "shim-2023", "shim+stranger", "shim+tampered-kernel"],
        "qcow2": ["own", "shim-cut", "shim+unsigned"],
        "vhdx": ["grub", "shim-unsigned"],
        "whole": ["shim-tampered", "kernel"],
        "dvd": ["ipxe", "ia32", "shim+grub-tampered", "shim+kernel"],
    },
    "microsoft-windows": {"vhdx": ["shim"], "dvd": ["shim+grub"], "pxe": ["own"]},
    "open-source": {"qcow2": ["shim"], "dvd": ["grub-stripped"], "vhdx": ["grub"]},
    "uefi-2011": {"raw": ["shim-2023"], "dvd": ["shim-2011"], "vhdx": ["shim"]},
    "uefi-2023": {"raw": ["shim-2011"], "dvd": ["shim-2023"], "qcow2": ["shim"]},
    "own": {
        "raw": ["unsigned", "by-hash", "own-leaf", "cut", "cut-headers", "driver", "shim+own", "shim+tampered"],
        "second": ["half"],
        "qcow2": ["own", "stranger", "lost", "cut-signature", "shim+lost"],
        "vhdx": ["dual", "revoked", "bad-signature", "shim+revoked"],
        "dvd": ["own", "body", "dual-lost", "tampered", "shim+dual-lost", "shim+no-sbat"],
        "pxe": ["shim+own", "revoked"],
        "http": ["own"],
    },
    "own-level": {"raw": ["own", "shim+own"], "dvd": ["shim+grub"]},
    "own-shim-level": {"dvd": ["shim"]},
    "mok": {"vhdx": ["own"], "raw": ["shim+own"], "dvd": ["shim+grub-stripped"]},
    "off": {
        "raw": ["unsigned", "shim-stripped", "shim+tampered"],
        "qcow2": ["cut", "revoked"],
        "dvd": ["ia32", "tampered", "ipxe", "memtest"],
    },
}


@pytest.mark.parametrize("machine", CHOICE)
def test_what_is_predicted_happens(machine: str, service: Service, make: MakeGuest, root: Path) -> None:
    results = Park(service, make, root / "matrix").trial(machine, **CHOICE[machine])
    lines = "\n".join(result.line for result in results)
    print(lines)  # noqa: T201  # shown when the test fails
    assert all(result.agrees for result in results), lines
    assert {_cell(result) for result in results} == {CELLS[result.trial.artifact.name][machine] for result in results}


def _cell(result: Result) -> str:
    return "Sn" if result.report.reason == "network-file-missing" else cell(result.report)


def test_the_choice_has_everything() -> None:
    assert set(CHOICE) == {machine for cells in CELLS.values() for machine in cells}
    chosen = {name for places in CHOICE.values() for names in places.values() for name in names}
    assert chosen == set(CELLS)
    seen = {CELLS[name][machine] for machine, places in CHOICE.items() for names in places.values() for name in names}
    assert seen == {code for cells in CELLS.values() for code in cells.values()}
