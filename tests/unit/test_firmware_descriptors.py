# SPDX-License-Identifier: GPL-2.0-or-later
"""Choosing firmware by descriptors made up here: folders, masking, order, and why a candidate loses."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kiban.adapters.firmware.descriptors import check_build, find_uefi
from kiban.errors import HostLacks

SECURE = ("secure-boot", "requires-smm")


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("share", "etc", "home")]
    for folder in made[:2]:
        folder.mkdir()
    return made


def describe(folder: Path, name: str, features: Sequence[str] = (), **changes: Any) -> Path:
    """A descriptor with its two images; `changes` replace parts of its mapping or, upper level, of itself."""
    code, template = folder / f"{name}.code", folder / f"{name}.vars"
    code.write_text(name)
    template.write_text(name)
    mapping = {
        "device": "flash",
        "executable": {"filename": str(code), "format": "raw"},
        "nvram-template": {"filename": str(template), "format": "raw"},
    }
    content = {
        "interface-types": ["uefi"],
        "mapping": mapping,
        "targets": [{"architecture": "x86_64", "machines": ["pc-q35-*"]}],
        "features": list(features),
    }
    for key, value in changes.items():
        place = mapping if key in mapping or key == "mode" else content
        place[key.replace("_", "-")] = value
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content))
    return path


def chosen(folders: list[Path], *, secure_boot: bool) -> str:
    return find_uefi("pc-q35-7.2", secure_boot=secure_boot, folders=folders).descriptor.name


def test_secure_build_without_keys_wins_whatever_the_setting(folders: list[Path]) -> None:
    describe(folders[0], "10-plain")
    describe(folders[0], "40-enrolled", (*SECURE, "enrolled-keys"))
    describe(folders[0], "50-secure", SECURE)
    describe(folders[0], "60-secure", SECURE)
    assert chosen(folders, secure_boot=True) == chosen(folders, secure_boot=False) == "50-secure.json"


def test_a_build_without_smm_is_enough_only_without_secure_boot(folders: list[Path]) -> None:
    describe(folders[0], "10-plain", ("secure-boot",))
    assert chosen(folders, secure_boot=False) == "10-plain.json"
    with pytest.raises(HostLacks, match=r"10-plain\.json: does not enforce Secure Boot"):
        chosen(folders, secure_boot=True)


def test_the_more_important_folder_replaces_and_masks(folders: list[Path]) -> None:
    describe(folders[0], "50-a", SECURE)
    describe(folders[0], "60-b", SECURE)
    replaced = describe(folders[1], "50-a", SECURE)
    assert find_uefi("pc-q35-7.2", secure_boot=True, folders=folders).descriptor == replaced
    replaced.write_text("")
    assert chosen(folders, secure_boot=True) == "60-b.json"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"interface_types": ["bios"]}, "not UEFI"),
        ({"targets": [{"architecture": "aarch64", "machines": ["pc-q35-*"]}]}, "not for pc-q35-7.2"),
        ({"targets": [{"architecture": "x86_64", "machines": ["pc-i440fx-*"]}]}, "not for pc-q35-7.2"),
        ({"targets": 7}, "not a firmware descriptor"),
        ({"device": "memory"}, "not a flash build"),
        ({"mode": "stateless"}, "not a flash build"),
        ({"executable": {"filename": "/x", "format": "qcow2"}}, "not a raw image"),
        ({"executable": {"filename": "/nonexistent/x", "format": "raw"}}, "/nonexistent/x is missing"),
    ],
)
def test_each_loser_is_named_with_its_reason(folders: list[Path], changes: dict[str, Any], reason: str) -> None:
    path = describe(folders[0], "50-x", SECURE)
    describe(folders[0], "50-x", SECURE, **changes)
    with pytest.raises(HostLacks, match=reason) as refusal:
        chosen(folders, secure_boot=True)
    assert str(path) in str(refusal.value)
    assert "ovmf" in refusal.value.hint


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '{"mapping": 1, "features": []}', "\x00"])
def test_a_broken_descriptor_only_loses(folders: list[Path], text: str) -> None:
    (folders[0] / "10-broken.json").write_text(text)
    describe(folders[0], "50-good", SECURE)
    assert chosen(folders, secure_boot=True) == "50-good.json"


def test_no_descriptor_at_all(folders: list[Path]) -> None:
    with pytest.raises(HostLacks, match="no firmware descriptor at all"):
        chosen(folders, secure_boot=False)


def test_an_upgraded_build_is_a_warning_and_a_missing_one_an_error(folders: list[Path]) -> None:
    describe(folders[0], "50-a", SECURE)
    build = find_uefi("pc-q35-7.2", secure_boot=True, folders=folders)
    assert check_build(build.code, build.code_sha256) == ""
    build.code.write_text("newer")
    assert "was replaced" in check_build(build.code, build.code_sha256)
    build.code.unlink()
    with pytest.raises(HostLacks, match="cannot be read"):
        check_build(build.code, build.code_sha256)
