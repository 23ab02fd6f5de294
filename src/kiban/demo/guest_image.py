# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache of ready-made guests: builds one from Debian's packages when it is not there yet, once, whoever asks.

A guest lies in a folder named after it and a hash of its recipe, so that a changed recipe makes a new guest. Folders
appear by rename, complete or not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import platformdirs

from kiban.demo import guest_build, guest_debian, guest_disk, guest_probe
from kiban.demo.guest_build import HOST_PACKAGES, Progress, missing_tools, require_tools, run
from kiban.errors import HostLacks, NotFound

__all__ = ["HOST_PACKAGES", "cache_folder", "ensure", "folder_of", "missing_tools", "to_vhdx"]

_NEEDED_SPACE = {"debian": 6 << 30, "probe": 2 << 30}  # bytes while building; the finished guests are far smaller


@dataclass(frozen=True)
class _Recipe:
    build: Callable[[Path, Progress], None]
    sources: tuple[ModuleType, ...]


_RECIPES = {
    "debian": _Recipe(guest_debian.build, (guest_debian, guest_disk, guest_build)),
    "probe": _Recipe(guest_probe.build, (guest_probe, guest_disk, guest_build)),
}


def cache_folder() -> Path:
    """Return where guests are kept: `kiban/guests` in the user's cache."""
    return platformdirs.user_cache_path("kiban") / "guests"


def folder_of(name: str, cache: Path | None = None) -> Path:
    """Return the folder the guest `name` has or will have.

    Raises:
        NotFound: there is no recipe of that name.
    """
    recipe = _RECIPES.get(name)
    if recipe is None:
        raise NotFound(f"There is no guest called {name!r}.", f"There are: {', '.join(sorted(_RECIPES))}.")
    return (cache or cache_folder()) / f"{name}-{_recipe_hash(name, recipe)}"


def ensure(name: str, say: Progress = lambda _fraction, _text: None, *, cache: Path | None = None) -> Path:
    """Return the folder of the guest `name`, building it first if need be (a minute or so). Blocks.

    `debian` has debian.raw; `probe` has probe.raw, probe.iso and netboot/. Treat them as read-only. Ctrl-C, or an
    exception from `say`, ends the build and leaves nothing.

    Raises:
        NotFound: there is no recipe of that name.
        HostLacks: programs or disk space are missing.
        Failed: a build program failed.
    """
    folder = folder_of(name, cache)
    if folder.is_dir():
        return folder
    require_tools()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder.parent / f"{name}.lock", say):
        if not folder.is_dir():  # nobody else built it while this one waited
            _require_space(folder.parent, _NEEDED_SPACE[name])
            _build(_RECIPES[name], folder, say)
    return folder


def to_vhdx(raw: Path, vhdx: Path) -> Path:
    """Convert a raw disk to a dynamic VHDX, by a temporary file beside it; returns `vhdx`."""
    part = vhdx.with_name(f".{vhdx.name}.part")
    try:
        run(["qemu-img", "convert", "-f", "raw", "-O", "vhdx", "-o", "subformat=dynamic", raw, part])
        part.replace(vhdx)
    finally:
        part.unlink(missing_ok=True)
    return vhdx


def _recipe_hash(name: str, recipe: _Recipe) -> str:
    """Hash the code and the data files a guest is made by: the packages come as they are on the day."""
    digest = hashlib.sha256(name.encode())
    for module in recipe.sources:
        digest.update(Path(module.__file__ or "").read_bytes())
    for data in sorted(guest_build.FILES.glob(f"{name}-*")):
        digest.update(data.name.encode() + b"\0" + data.read_bytes())
    return digest.hexdigest()[:12]


@contextlib.contextmanager
def _lock(path: Path, say: Progress) -> Iterator[None]:
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(0.0, "waiting for another builder of this guest")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(recipe: _Recipe, folder: Path, say: Progress) -> None:
    # A killed builder leaves its folder behind; holding the lock, we know that nobody works in it any more.
    prefix = f".{folder.name.rsplit('-', 1)[0]}."
    for stale in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(stale, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        made = temporary / "guest"
        made.mkdir()
        recipe.build(made, say)
        shutil.rmtree(made / "work", ignore_errors=True)
        made.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _require_space(folder: Path, needed: int) -> None:
    stats = os.statvfs(folder)
    free = stats.f_bavail * stats.f_frsize
    if free < needed:
        raise HostLacks(
            f"Building this guest takes {needed >> 30} GB in {folder}; {free / (1 << 30):.1f} GB are free.",
            "Free some space, or set XDG_CACHE_HOME to a larger file system.",
        )
