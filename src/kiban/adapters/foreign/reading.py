# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads what was found as one neutral description, with each drive's file where it lies.

A path in a description is of another host: only its last part counts, and the file is looked for in the source's own
folders (case does not matter, as on Windows). Nothing is opened but descriptions.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from kiban.adapters.foreign import checkpoints, hyperv, hyperv_xml, manifest, names, ova, ovf_hardware, vmcx_keys
from kiban.adapters.foreign.blob import Blob, damaged, open_blob
from kiban.adapters.foreign.finding import DISKS, MACHINES, SNAPSHOTS, Source, listing
from kiban.adapters.foreign.hyperv import SAVED_MEMORY
from kiban.adapters.foreign.names import shown
from kiban.adapters.foreign.settings import Setting
from kiban.errors import BadInput, KibanError
from kiban.model.foreign import Extent, ForeignCheckpoint, ForeignDisk, ForeignMachine, Place

_SUBFOLDERS = {DISKS.lower(), MACHINES.lower(), SNAPSHOTS.lower()}
_VHD_FOOTER = 512
_FIXED_VHD = 2


def read(source: Source) -> ForeignMachine:
    """Describe the machine of a source.

    A drive whose file was not found has no `file`, which the caller reports.

    Raises:
        NotFound, NotAllowed: a description is not there any more, or may not be read.
        BadInput: it is damaged, or holds what cannot be taken over at all.
    """
    if source.kind in ("vmcx", "xml"):
        return _hyperv(source)
    if source.kind == "ovf":
        return _ovf(source)
    return _ova(source) if source.kind == "ova" else _lone_disk(source)


def verify(source: Source, progress: Callable[[float, str], None]) -> tuple[str, ...]:
    """Compare an OVF or OVA with its manifest; the names of files that it does not list, all where there is none.

    Reads every disk, so call it in a thread; raises what `kiban.adapters.foreign.manifest.verify` does.
    """
    if source.kind not in ("ovf", "ova"):
        return ()
    with ExitStack() as stack:
        if source.kind == "ova":
            package = stack.enter_context(open_blob(source.path))
            found = ova.members(package)
            files = {m.name: package.part(m.offset, m.size, f"{source.path}:{m.name}") for m in found.values()}
        else:
            envelope = ovf_hardware.describe(stack.enter_context(open_blob(source.path)))[1]
            wanted = {source.path.name, source.path.with_suffix(".mf").name, *envelope.files.values()}
            beside = [f for f in listing(source.root)[0] if f.name in wanted]
            files = {f.name: stack.enter_context(open_blob(f)) for f in beside}
        lists = [name for name in files if name.lower().endswith(".mf")]
        if len(lists) > 1:
            raise damaged(str(source.path), "it has several manifests")
        digests = manifest.read_manifest(files[lists[0]]) if lists else ()
        missing = manifest.verify(digests, files, progress, str(source.path))
        return tuple(name for name in missing if not name.lower().endswith((".mf", ".cert")))


def _hyperv(source: Source) -> ForeignMachine:
    machine, tree = _configuration(source.path)
    files = _files(source.root)
    trees: dict[Path, tuple[ForeignMachine, Setting]] = {p: _configuration(p) for p in source.snapshots}
    own: dict[Path, tuple[ForeignMachine, Setting]] = {}
    left: list[str] = []
    for path, (snapshot, settings) in trees.items():
        if checkpoints.owner(settings) in ("", machine.id):
            own[path] = (snapshot, settings)
        else:
            left.append(f"The checkpoint {shown(snapshot.name)}, which is another machine's.")
    ids = {_id(path) for path in own}
    found = [
        ForeignCheckpoint(
            id=_id(path),
            parent=checkpoints.parent(settings, ids - {_id(path)}),
            name=snapshot.name,
            created=snapshot.created,
            machine=_located(snapshot, files),
        )
        for path, (snapshot, settings) in own.items()
    ]
    machine = replace(machine, name=machine.name or source.path.stem, left_out=(*machine.left_out, *left))
    machine = _located(_with_saved_memory(machine, source.path), files)
    return checkpoints.with_checkpoints(machine, found, checkpoints.parent(tree, ids))


def _id(path: Path) -> str:
    """A checkpoint's id is its file's name."""
    return names.guid(path.stem) or path.stem.lower()


def _configuration(path: Path) -> tuple[ForeignMachine, Setting]:
    with open_blob(path) as blob:
        if path.suffix.lower() == ".vmcx":
            tree = vmcx_keys.read_settings(blob)
            return hyperv.describe(tree, "vmcx", blob.name), tree
        tree = hyperv_xml.read_settings(blob)
        return hyperv.describe(tree, "xml", blob.name), tree


def _with_saved_memory(machine: ForeignMachine, path: Path) -> ForeignMachine:
    """Say so when the machine's memory was saved: in the .vmrs beside a .vmcx, or in a .vsv of older ones."""
    files, folders = listing(path.parent)
    stem = path.stem.lower()
    older = [f for folder in folders if folder.name.lower() == stem for f in listing(folder)[0]]
    saved = any(f.suffix.lower() == ".vsv" for f in older)
    for file in files:
        if file.stem.lower() == stem and file.suffix.lower() == ".vmrs":
            saved = saved or _has_saved_memory(file)
    if not saved or SAVED_MEMORY in machine.left_out:
        return machine
    return replace(machine, left_out=(*machine.left_out, SAVED_MEMORY))


def _has_saved_memory(file: Path) -> bool:
    """One that cannot be read is of no use to the machine, and no reason to refuse it."""
    try:
        with open_blob(file) as blob:
            state = vmcx_keys.read_settings(blob)
    except KibanError:
        return True
    return bool(state.below("savedstate") or state.below("configuration/savedstate"))


def _files(root: Path) -> dict[str, list[Path]]:
    """The files in a source's folder and in the folders of an export below it, by name in lower case."""
    files, folders = listing(root)
    for folder in folders:
        if folder.name.lower() in _SUBFOLDERS:
            files += listing(folder)[0]
    by_name: dict[str, list[Path]] = {}
    for file in files:
        by_name.setdefault(file.name.lower(), []).append(file)
    return by_name


def _located(machine: ForeignMachine, files: dict[str, list[Path]]) -> ForeignMachine:
    """The machine with the files of its drives."""

    def file(path: str) -> Extent | None:
        found = files.get(names.file_name(path).lower(), [])
        exact = [f for f in found if f.name == names.file_name(path)] or found
        if len(exact) > 1:
            listed = ", ".join(shown(str(f)) for f in exact[:10])
            raise BadInput(
                f"{shown(path)} could be any of these files: {listed}.",
                "Leave one of them in the folder.",
                code="ambiguous-file",
            )
        return Extent(path=str(exact[0]), offset=0, size=exact[0].lstat().st_size) if exact else None

    return _with_files(machine, file)


def _with_files(machine: ForeignMachine, file: Callable[[str], Extent | None]) -> ForeignMachine:
    return replace(
        machine,
        disks=tuple(replace(disk, file=file(disk.path)) for disk in machine.disks),
        dvds=tuple(replace(dvd, file=file(dvd.path) if dvd.path else None) for dvd in machine.dvds),
        floppy=replace(machine.floppy, file=file(machine.floppy.path)) if machine.floppy else None,
    )


def _ovf(source: Source) -> ForeignMachine:
    with open_blob(source.path) as blob:
        machine, _ = ovf_hardware.describe(blob)
    machine = replace(machine, name=machine.name or source.path.stem)
    return _located(machine, _files(source.root))


def _ova(source: Source) -> ForeignMachine:
    with open_blob(source.path) as package:
        found = ova.members(package)
        described = [m for m in found.values() if m.name.lower().endswith(".ovf")]
        if len(described) != 1:
            raise damaged(str(source.path), f"there are {len(described)} .ovf files in it, not one")
        inner = described[0]
        machine, envelope = ovf_hardware.describe(package.part(inner.offset, inner.size, f"{source.path}:{inner.name}"))
    for href, size in envelope.sizes.items():
        if href in found and found[href].size != size:
            raise damaged(str(source.path), f"{shown(href)} in it has another size than the .ovf says")

    def file(path: str) -> Extent | None:
        member = found.get(path)
        return Extent(path=str(source.path), offset=member.offset, size=member.size) if member else None

    return _with_files(replace(machine, name=machine.name or Path(inner.name).stem), file)


def _lone_disk(source: Source) -> ForeignMachine:
    """A machine of which only the disk is known."""
    with open_blob(source.path) as blob:
        size, fixed = blob.size, _is_fixed_vhd(blob)
    path = str(source.path)
    disk = ForeignDisk(
        place=Place(bus="unknown", controller=0, location=0),
        path=path,
        image=names.image_kind(source.path.name),
        capacity=size - _VHD_FOOTER if fixed else None,
        file=Extent(path=path, offset=0, size=size),
    )
    return replace(_NOTHING, name=source.path.stem, disks=(disk,))


def _is_fixed_vhd(blob: Blob) -> bool:
    """Whether a .vhd is a fixed one, as Azure has them: data and a footer behind it, whose disk type is 2."""
    if names.image_kind(blob.name) != "vhd" or blob.size < _VHD_FOOTER:
        return False
    footer = blob.read(blob.size - _VHD_FOOTER, _VHD_FOOTER)
    return footer[:8] == b"conectix" and int.from_bytes(footer[60:64], "big") == _FIXED_VHD


_NOTHING = ForeignMachine(
    origin="disk",
    name="",
    id="",
    version="",
    created="",
    generation=None,
    firmware=None,
    secure_boot=None,
    template_id="",
    tpm=False,
    pause_after_boot_failure=None,
    pxe_protocol=None,
    cpus=None,
    memory=None,
    disks=(),
    dvds=(),
    floppy=None,
    nics=(),
    coms=(),
    boot=(),
    autostart=None,
    notes="",
    integration_services=(),
    checkpoints=(),
    current_checkpoint="",
    left_out=(),
)
