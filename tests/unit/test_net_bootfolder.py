# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders and files that network boot may hand out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiban.adapters.net.bootfolder import check_file, check_folder
from kiban.errors import BadInput, NotAllowed, NotFound

needs_no_root = pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "boot"
    (made / "grub").mkdir(parents=True)
    (made / "shimx64.efi").write_bytes(b"shim")
    (made / "grub" / "grub.cfg").write_bytes(b"boot")
    (tmp_path / "secret").write_bytes(b"secret")
    return made


def test_files_inside_are_found(folder: Path) -> None:
    assert check_file(folder, "shimx64.efi") == folder / "shimx64.efi"
    assert check_file(folder, "grub/grub.cfg") == folder / "grub" / "grub.cfg"


def test_a_link_that_stays_inside_is_followed(folder: Path) -> None:
    (folder / "bootx64.efi").symlink_to("shimx64.efi")
    assert check_file(folder, "bootx64.efi") == folder / "shimx64.efi"


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert check_folder(tmp_path / "link") == folder
    assert check_file(tmp_path / "link", "shimx64.efi") == folder / "shimx64.efi"


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../secret", "grub/../../secret", "a\nb", "a\0b", "é", "a" * 128])
def test_names_that_cannot_be_are_refused(folder: Path, name: str) -> None:
    with pytest.raises(BadInput):
        check_file(folder, name)


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    for name in ("out", "up/secret"):
        with pytest.raises(BadInput, match="leads out of"):
            check_file(folder, name)


def test_a_loop_of_links_is_refused(folder: Path) -> None:
    (folder / "loop").symlink_to("loop")
    with pytest.raises(BadInput):
        check_file(folder, "loop")
    with pytest.raises(BadInput):
        check_folder(folder / "loop")


def test_what_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(NotFound, match=r"grubx64.efi is not in the network boot folder .*/boot"):
        check_file(folder, "grubx64.efi")
    with pytest.raises(NotFound, match=r"shimx64.efi/x is not in"):
        check_file(folder, "shimx64.efi/x")
    with pytest.raises(NotFound, match=r"/nowhere does not exist"):
        check_folder(folder / "nowhere")


def test_only_regular_files_and_real_folders(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for name in ("grub", "pipe"):
        with pytest.raises(BadInput, match="not a regular file"):
            check_file(folder, name)
    with pytest.raises(BadInput, match="is not a folder"):
        check_folder(folder / "shimx64.efi")


@needs_no_root
def test_unreadable_things_are_not_allowed(folder: Path) -> None:
    (folder / "shimx64.efi").chmod(0)
    with pytest.raises(NotAllowed):
        check_file(folder, "shimx64.efi")
    folder.chmod(0)
    with pytest.raises(NotAllowed):
        check_folder(folder)
    folder.chmod(0o700)
