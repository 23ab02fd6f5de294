# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots the whole Secure Boot matrix: every artifact on every kind of machine, kinds of media taking turns.

Takes about half an hour of emulation and writes docs/reference/secure-boot-matrix.md, where a machine that is not
booted this time keeps its column; ends with an error when a prediction and what happened disagree. Run as:
PYTHONPATH=src:tests/unit:tests/guest python tests/guest/matrix.py --full
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matrix_artifacts import Artifact
from matrix_machines import Park
from matrix_media import Load, Place
from matrix_rig import Result
from matrix_table import CELLS, COLUMNS
from rig import MIB, Guest, Service

PAGE = Path(__file__).parents[2] / "docs/reference/secure-boot-matrix.md"
TURNS: tuple[Place, ...] = ("raw", "dvd", "qcow2", "pxe", "vhdx", "dvd", "second", "http", "whole")
NETWORKED = ("microsoft-uefi-ca", "open-source", "own", "off")
"""Machines that have adapters, and how many: each is tried in a start of its own."""
MOST_ADAPTERS = 4
PACKAGES = ("ovmf", "qemu-system-x86", "shim-signed", "grub-efi-amd64-signed", "memtest86+", "ipxe")
PACKAGES_TOO = ("debian-installer-12-netboot-amd64",)

HEAD = """<!-- Written by tests/guest/matrix.py; do not edit. -->
# Secure Boot: predicted, and what happened

Each cell is a program on a medium of a machine. `kiban secureboot explain` predicted what would become of it; then the
machine was started, and what its firmware, shim and GRUB did was read from its console.
`tests/unit/test_bootcheck_matrix.py` checks all predictions with each change, `tests/guest/test_boot_matrix.py` boots a
choice of this table.

`+` runs. **F** the firmware, **S** shim, **G** GRUB refuses, because: `u` unsigned, `t` signer not trusted, `h` hash
revoked, `c` certificate revoked, `b` revoked by SBAT, `s` signature does not hold, `i` damaged image, `a` wrong
architecture, `n` no loader found. After it stands the medium; `second` is a disk on whose first volume a text file is
in the loader's place, `whole` one without a partition table. A `≠` would mark a disagreement, `·` what was not started.

"""
MACHINES = {
    "microsoft-uefi-ca": "the template, Secure Boot on, as all but the last",
    "microsoft-windows": "the template",
    "open-source": "the template",
    "uefi-2011": "own keys; db holds Microsoft's authority for third parties of 2011 only",
    "uefi-2023": "the same with that of 2023",
    "own": "own keys; db: four of ours, both of Microsoft's, a hash; dbx: two hashes, a certificate, the hash of one",
    "own-level": "the same, and a stored SBAT level that revokes our programs and every GRUB",
    "own-shim-level": "the same, and a stored SBAT level that revokes every shim: it switches the machine off",
    "mok": "microsoft-uefi-ca with our certificate in shim's MokList",
    "off": "microsoft-uefi-ca with Secure Boot off",
}
FINDINGS = """
## What was learned from disagreements

Each of these was a disagreement once; the rule was corrected, or what is said of it here.

* EDK2's boot manager passes over a file that is no EFI application, a driver too, as if it were not there, and goes on
  to the next volume of the same medium (`BmIsLoadOptionPeHeaderValid`). So `text`, `cut-headers` and `driver` are not
  found rather than refused.
* A program for 32-bit PCs is loaded by 64-bit firmware when Secure Boot is off, and fails only to start
  (`CoreStartImage`); with Secure Boot on an unsigned one is refused before. Both are a refusal.
* GRUB takes a whole DVD for its volume, not the El Torito image that the firmware loaded it from; so its menu is looked
  for on the ISO's own file system. On a disk its volume is the partition that it came from.
"""


def main() -> None:
    """Run what is asked for, writing the page after each machine."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--full", action="store_true", help="boot it all and write the page")
    options.add_argument("--machines", default=",".join(COLUMNS), help="which machines, separated by commas")
    asked = options.parse_args()
    if not asked.full:
        options.error("say --full; the choice that is quick is tests/guest/test_boot_matrix.py")
    root = Path(tempfile.mkdtemp(prefix="kg-", dir="/tmp"))
    root.chmod(0o711)
    service = Service(root)
    service.start()
    try:
        results = _boot(service, root, asked.machines.split(","))
    finally:
        for machine in service.client.machines():
            Guest(service.client, machine.name).off()
        service.stop()
        shutil.rmtree(root)
    wrong = [one for ones in results.values() for one in ones if not one.agrees]
    sys.exit("\n".join(one.line for one in wrong))


def _boot(service: Service, root: Path, machines: Sequence[str]) -> dict[str, list[Result]]:
    def make(name: str, generation: int, **settings: Any) -> Guest:
        service.client.create(name, generation=generation, memory=512 * MIB, **settings)
        return Guest(service.client, name)

    park = Park(service, make, root / "matrix")
    results: dict[str, list[Result]] = {}
    for machine in machines:
        results[machine] = park.decide(machine, list(loads(machine, park.shop.artifacts)))
        service.client.remove(f"matrix-{machine}")
        sys.stdout.write(f"{machine}\n" + "\n".join(one.line for one in results[machine]) + "\n")
        sys.stdout.flush()
        PAGE.write_text(page(results, park.shop.artifacts))
    return results


def loads(machine: str, artifacts: dict[str, Artifact]) -> Iterator[Load]:
    """All artifacts, each on a kind of medium that another machine has another artifact on."""
    adapters = 0
    for number, artifact in enumerate(artifacts.values()):
        place = TURNS[(number + 2 * COLUMNS.index(machine)) % len(TURNS)]
        if place in ("pxe", "http"):
            stays = CELLS[artifact.name][machine] == "+" and not artifact.comes_back
            if machine not in NETWORKED or artifact.more or stays or adapters == MOST_ADAPTERS:
                place = "dvd"
            else:
                adapters += 1
        yield Load(artifact, place)


def page(results: dict[str, list[Result]], artifacts: dict[str, Artifact]) -> str:
    """The page with the results so far."""
    cells = kept(PAGE.read_text() if PAGE.exists() else "")
    found = {(machine, one.trial.artifact.name): one for machine, ones in results.items() for one in ones}
    cells |= {(machine, name): _cell(CELLS[name][machine], one) for (machine, name), one in found.items()}
    lines = [HEAD, _versions(), "", "| | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name in artifacts:
        row = [cells.get((machine, name), f"`{CELLS[name][machine]}` ·") for machine in COLUMNS]
        lines.append(f"| {name} | " + " | ".join(row) + " |")
    started = [cell for cell in cells.values() if not cell.endswith("·")]
    lines += ["", f"{len(started)} started, {sum(cell.startswith('≠') for cell in started)} disagreements."]
    lines += [one.line for one in found.values() if not one.agrees]
    lines += ["", "## Machines", "", *(f"* **{name}**: {words}" for name, words in MACHINES.items())]
    lines += ["", "## Programs", "", *(f"* **{one.name}**: {one.words}" for one in artifacts.values())]
    return "\n".join(lines) + "\n" + FINDINGS


def kept(text: str) -> dict[tuple[str, str], str]:
    """The cells of an earlier page by machine and program, unless what is predicted has changed since."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    return {
        (machine, row[0]): cell
        for row in rows
        for machine, cell in zip(COLUMNS, row[1:], strict=True)
        if row[0] in CELLS and f"`{CELLS[row[0]][machine]}`" in cell
    }


def _cell(predicted: str, result: Result) -> str:
    return f"{'' if result.agrees else '≠ '}`{predicted}` {result.trial.place}"


def _versions() -> str:
    show = ["dpkg-query", "-W", "-f=${Package} ${Version}, ", *PACKAGES, *PACKAGES_TOO]
    done = subprocess.run(show, capture_output=True, text=True, check=False)
    return f"Debian's {done.stdout.rstrip(', ')}."


if __name__ == "__main__":
    main()
