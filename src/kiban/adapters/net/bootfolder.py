# SPDX-License-Identifier: GPL-2.0-or-later
"""The folder a machine boots from over the network: what PXE (TFTP) and HTTP boot are allowed to hand out.

Checked before the machine starts, because firmware says no more than "file not found", and that on the guest's screen.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

from kiban.errors import BadInput, NotAllowed, NotFound

_LONGEST_NAME = 127  # DHCP's "file" field holds 128 bytes with its end, and QEMU refuses a longer `bootfile`


def check_folder(folder: Path) -> Path:
    """Returns the real, absolute path of a folder that can be listed and read by this user.

    Raises:
        NotFound: there is nothing at that path.
        BadInput: it is not a folder.
        NotAllowed: it cannot be read.
    """
    try:
        real = folder.resolve(strict=True)
        is_folder = real.is_dir()
    except FileNotFoundError:
        raise NotFound(f"The network boot folder {folder} does not exist.", f"ls -ld {folder}") from None
    except PermissionError:
        raise _unreadable(folder) from None
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name too long, a NUL
        raise BadInput(f"The network boot folder {str(folder)!r} is not a usable path.") from None
    if not is_folder:
        raise BadInput(f"{folder} is not a folder.", "Name the folder, and the file with file=NAME")
    if not os.access(real, os.R_OK | os.X_OK):
        raise _unreadable(folder)
    return real


def check_file(folder: Path, name: str) -> Path:
    """Returns the real path of the regular, readable file `name` (relative, with `/`) inside `folder`.

    Raises:
        BadInput: the name is empty, absolute, too long or not printable ASCII, or it is no regular file in the folder.
        NotFound: there is no such file in the folder.
        NotAllowed: it cannot be read.
    """
    folder = check_folder(folder)
    _check_name(name)
    try:
        real = (folder / name).resolve(strict=True)
        mode = real.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{name} is not in the network boot folder {folder}.", f"ls {folder}") from None
    except PermissionError:
        raise NotAllowed(f"{name} in {folder} cannot be read.") from None
    except (OSError, RuntimeError):
        raise BadInput(f"{name} in {folder} is not a usable path.") from None
    if not real.is_relative_to(folder):
        raise BadInput(f"{name} leads out of the network boot folder {folder}.", "Copy the file into the folder")
    if not stat.S_ISREG(mode):
        raise BadInput(f"{name} in {folder} is not a regular file.")
    if not os.access(real, os.R_OK):
        raise NotAllowed(f"{name} in {folder} cannot be read.", f"chmod u+r {real}")
    return real


def _check_name(name: str) -> None:
    if not name or len(name) > _LONGEST_NAME or not name.isascii() or not name.isprintable():
        raise BadInput(
            f"{name[:200]!r} cannot be a boot file's name.", f"Use 1 to {_LONGEST_NAME} printable ASCII characters"
        )
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise BadInput(
            f"The boot file {name} has to lie inside the network boot folder.", "Give its name in the folder"
        )


def _unreadable(folder: Path) -> NotAllowed:
    return NotAllowed(f"The network boot folder {folder} cannot be read.", f"Check its mode: ls -ld {folder}")
