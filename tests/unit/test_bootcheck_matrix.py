# SPDX-License-Identifier: GPL-2.0-or-later
"""All that is predicted in the Secure Boot matrix: each artifact for each kind of machine.

tests/guest/test_boot_matrix.py boots a choice of it, tests/guest/matrix.py all of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from boot_media import BOOT, disk, dvd, fat, folder, iso, look, net, volumes
from matrix_artifacts import Artifact, Workshop
from matrix_table import CELLS, COLUMNS, cell


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("keys"))


def mib(artifact: Artifact) -> int:
    """A size in bytes that a volume with it may have."""
    return (sum(map(len, artifact.files.values())) // (1 << 20) + 4) << 20


@pytest.mark.parametrize("name", CELLS)
def test_what_is_predicted_for_each_machine(name: str, shop: Workshop, tmp_path: Path) -> None:
    artifact = shop.artifacts[name]
    volume = disk(fat(tmp_path / "volume.img", artifact.files, mib(artifact)))
    found = {machine: look(volume, trust=trust) for machine, trust in shop.trusts.items()}
    assert {machine: cell(report) for machine, report in found.items()} == CELLS[name]
    assert all(report.hint for report in found.values() if report.verdict == "refused")


def test_the_table_has_all_artifacts(shop: Workshop) -> None:
    assert list(shop.artifacts) == list(CELLS)
    assert set(shop.trusts) == set(COLUMNS)


@pytest.mark.parametrize("name", ["own", "unsigned", "shim+own", "shim+tampered", "cut", "ia32", "driver"])
def test_the_kind_of_medium_makes_no_difference(name: str, shop: Workshop, tmp_path: Path) -> None:
    artifact, own = shop.artifacts[name], shop.trusts["own"]
    media = [
        dvd(iso(tmp_path / "x.iso", {}, esp=artifact.files, size=mib(artifact))),
        net(folder(tmp_path / "net", artifact.served), "bootx64.efi"),
    ]
    assert [cell(look(medium, trust=own)) for medium in media] == [CELLS[name]["own"]] * 2


def test_what_shim_misses_on_the_network_has_a_name_of_its_own(shop: Workshop, tmp_path: Path) -> None:
    medium = net(folder(tmp_path / "net", shop.artifacts["shim"].served), "bootx64.efi")
    assert look(medium, trust=shop.trusts["own"]).reason == "network-file-missing"


def test_a_volume_whose_loader_is_no_program_is_passed_over(shop: Workshop, tmp_path: Path) -> None:
    """EDK2's boot manager does so before anybody looks at signatures, and takes the next volume of the medium."""
    own, text = shop.artifacts["own"].loader, shop.artifacts["text"].loader
    for order, verdict in (((text, own), "allowed"), ((own, text), "allowed"), ((text, text), "refused")):
        image = volumes(tmp_path / "two.img", *({BOOT: loader} for loader in order))
        assert look(disk(image), trust=shop.trusts["own"]).verdict == verdict
