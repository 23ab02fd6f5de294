# SPDX-License-Identifier: GPL-2.0-or-later
"""Changing a machine's Secure Boot keys while it is off: templates, enrolling, revoking, updating, undoing.

Every change is one replacement of the variable store, after the keys of before and after have been written beside it.
Killed in between, the store is the old one and there is nothing to undo. What the guest put there itself stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from kiban.adapters.bootcheck import runner
from kiban.adapters.files import open_regular
from kiban.adapters.firmware import certs, keyfiles, keyrecord, keys, siglist, templates, trust, varstore
from kiban.adapters.firmware.edk2vars import VariableStore
from kiban.adapters.firmware.keyrecord import Change
from kiban.adapters.firmware.keys import Database, Keys
from kiban.adapters.firmware.siglist import SHA256, Entry
from kiban.adapters.firmware.varstore import StoreInfo
from kiban.adapters.qemu import process
from kiban.adapters.whole import in_thread
from kiban.engine import bootcheck, keyview, nvram, prospect
from kiban.engine.handle import Handle
from kiban.engine.keyview import KeysView
from kiban.engine.prospect import Judge, Prospect
from kiban.errors import BadInput, Conflict
from kiban.model.bootcheck import Medium
from kiban.model.machine import Uefi
from kiban.model.requests import Changes

Target = Literal["PK", "KEK", "db", "mok"]
_ENROLLED: tuple[Database, ...] = ("PK", "KEK", "db")

_UNSEALED = "The machine has no TPM, so no guest can have sealed a disk's key to these keys."


def read_keys(template: str | None, folder: str | None, kept: Keys | None = None) -> Keys | None:
    """The keys that a person asks for by template and folder; None when nothing is asked for.

    `kept` are the machine's own of before, which `custom` means without a folder.
    Raises BadInput, NotFound, NotAllowed.
    """
    if folder is not None and template != templates.CUSTOM:
        raise BadInput(
            "A folder of keys goes with the template custom only.",
            f"Say --template custom --keys {folder}",
            code="usage",
        )
    if template is None:
        return None
    if folder is not None:
        return keyfiles.read_folder(Path(folder))
    if template == templates.CUSTOM and kept is not None:
        return kept
    return templates.keys_of(template)


def settings(directory: Path, uefi: Uefi, changes: Changes) -> tuple[StoreInfo, bool]:
    """Apply an edit of Secure Boot, template and keys to a machine that is off.

    Returns what then stands in NVRAM, and whether a TPM would measure something else than before.

    A template that the machine has already changes nothing, so what was enrolled stays; `reset` is for that. A
    person's own keys go to the machine's directory first: killed before the store is replaced, the machine is as
    before, and `reset` has what was asked for.
    """
    now = nvram.facts(directory, uefi)
    template = changes.template if changes.keys is not None or changes.template != now.template else None
    wanted = read_keys(template, changes.keys, keyrecord.load_custom(directory))
    store = VariableStore.load(directory / nvram.FILE)
    before = keys.read(store)
    if wanted is not None:
        varstore.set_keys(store, wanted)
    if changes.secure_boot is not None:
        varstore.set_secure_boot(store, changes.secure_boot)
    if wanted is not None and changes.keys is not None:
        keyrecord.save_custom(directory, wanted)
    _save(directory, uefi.template, store, before, "template")
    info = nvram.facts(directory, uefi if template is None else replace(uefi, template=template))
    return info, info.secure_boot != now.secure_boot or keys.read(store) != before


async def reset(handle: Handle, template: str | None) -> KeysView:
    """The keys of a template anew, the machine's own by default; what was enrolled and revoked since goes."""
    async with handle.lock:
        said = _off(handle)

        def work() -> None:
            chosen = template or nvram.facts(handle.directory, keyview.uefi(handle)).template or said
            wanted = read_keys(chosen, None, keyrecord.load_custom(handle.directory))
            if wanted is not None:
                _replace(handle.directory, chosen, lambda _present: wanted, "reset")

        await in_thread(work)
        return await _done(handle, [], template)


async def enroll(handle: Handle, files: Mapping[Target, Iterable[str]]) -> KeysView:
    """Trust more: files of keys by where they go. A new PK takes the place of the old one; `mok` is shim's own list."""
    async with handle.lock:
        said = _off(handle)
        notes = await in_thread(_enroll, handle.directory, said, files)
        return await _done(handle, notes)


def _enroll(directory: Path, said: str, files: Mapping[Target, Iterable[str]]) -> list[str]:
    # all files are read before anything is written; MokList holds what db does
    given: dict[str, tuple[Path, ...]] = {target: tuple(map(Path, paths)) for target, paths in files.items()}
    found = keys.make({d: keyfiles.read_files(given.get(d, ()), d) for d in _ENROLLED})
    mok = keyfiles.read_files(given.get("mok", ()), "db")
    if not (mok or any(found.of(d) for d in _ENROLLED)):
        raise BadInput("No key was named.", "Say --db FILE, --kek FILE, --pk FILE or --mok FILE.", code="usage")
    store = VariableStore.load(directory / nvram.FILE)
    own = trust.read_mok(store)
    if more := siglist.missing(mok, own):
        store.put(trust.mok_list([*own, *(replace(entry, owner=trust.SHIM) for entry in more)]))
    barred = {entry.key for entry in keys.read(store).dbx}

    def change(present: Keys) -> Keys:
        return replace(present, pk=found.pk or present.pk).plus({"KEK": found.kek, "db": found.db})

    _replace(directory, said, change, "enroll", store)
    return [f"{_name(e)} is in dbx as well, so it stays refused." for e in (*found.db, *mok) if e.key in barred]


async def revoke(handle: Handle, files: Iterable[str], digests: Iterable[str]) -> KeysView:
    """Refuse certificates, images (by their Authenticode hash) and hashes (64 hex digits) from now on: into dbx."""
    entries = [Entry(SHA256, keys.KIBAN, _digest(text)) for text in digests]
    for file in map(Path, files):
        if keyfiles.is_key_file(file):
            entries += await in_thread(keyfiles.read_file, file, "dbx")
        else:
            entries.append(Entry(SHA256, keys.KIBAN, _digest(await hash_image(file))))
    if not entries:
        raise BadInput("Nothing to revoke was named.", "Name a certificate, an EFI program or a SHA-256.", code="usage")
    async with handle.lock:
        said = _off(handle)
        await in_thread(_replace, handle.directory, said, lambda p: p.plus({"dbx": tuple(entries)}), "revoke")
        return await _done(handle, [])


async def hash_image(path: Path) -> str:
    """The hash of an EFI program that is signed and that dbx lists: Authenticode SHA-256, in hexadecimal.

    The file is read in the confined child. Raises NotFound, NotAllowed, BadInput for what is no EFI program.
    """
    real = await asyncio.to_thread(path.resolve)
    medium = Medium(device=path.name, kind="folder", path=str(real.parent), format="", loader=real.name)
    owner = process.account()
    await asyncio.to_thread(_check_file, real)
    report = await runner.explain([medium], bootcheck.template_trust(templates.DEFAULT), uid=owner.uid, gid=owner.gid)
    first = report.stages[0].sha256 if report.stages else ""
    if not first:
        raise BadInput(
            f"{path} is no EFI program that could be hashed: {report.sentence}",
            f"A key's file has one of {', '.join(keyfiles.EXTENSIONS)} at the end of its name.",
            code="not-an-image",
        )
    return first


def _check_file(path: Path) -> None:
    with open_regular(path):
        pass


async def update(handle: Handle, judge: Judge) -> KeysView:
    """Add the successors of Microsoft's authorities of 2011 and its newest list of revoked loaders.

    Keys that are there stay. Raises Conflict when a loader that may start now could not any more.
    """
    async with handle.lock:
        said = _off(handle)
        found = await in_thread(prospect.of, handle)
        added = keyview.lacks(found.present)
        if not added:
            return await in_thread(keyview.describe, handle, ["Nothing is missing; nothing was changed."])
        notes = await _stays_allowed(handle, found, judge) if found.now.secure_boot else []
        await in_thread(_replace, handle.directory, said, lambda _present: found.wanted, "update")
        return await _done(handle, [f"Added: {'; '.join(added)}.", *notes])


async def _stays_allowed(handle: Handle, found: Prospect, judge: Judge) -> list[str]:
    before, after = await prospect.reports(handle, found, judge)
    if prospect.breaks(before, after):
        raise Conflict(
            f"{handle.name} would not start any more: {after.sentence}",
            "Update the boot loader in the guest first; nothing was changed.",
            code="loader-would-be-refused",
        )
    if after.verdict == "allowed":
        return []
    if before.verdict == "refused":
        return [f"The machine did not start before either: {before.sentence}"]
    return [f"Whether its loader stays allowed could not be told: {after.sentence}"]


async def undo(handle: Handle) -> KeysView:
    """Take the last change of keys back: PK, KEK, db and dbx, and nothing else of the store.

    Keys that the guest has added or removed since stay so. Raises Conflict when there is nothing to take back.
    """
    async with handle.lock:
        _off(handle)
        change, notes = await in_thread(_undo, handle.directory, handle.name)
        return await _done(handle, notes, change.template)


def _undo(directory: Path, name: str) -> tuple[Change, list[str]]:
    change = keyrecord.load_change(directory)
    store = VariableStore.load(directory / nvram.FILE)
    present = keys.read(store)
    if change is None or present == change.before:
        raise Conflict(f"There is no change of {name}'s keys to take back.", f"See them: kiban secureboot show {name}")
    wanted = keys.make({d: _merged(d, change, present) for d in keys.DATABASES})
    varstore.set_keys(store, wanted)
    store.save(directory / nvram.FILE)
    keyrecord.drop_change(directory)
    notes = [f"Taken back: {change.what} of {change.time}."]
    if present != change.after:
        notes.append("What the guest has changed in its keys since then was kept.")
    return change, notes


def _merged(database: Database, change: Change, present: Keys) -> tuple[Entry, ...]:
    """The entries of before, with what came and went since the change."""
    before, after, now = (k.of(database) for k in (change.before, change.after, present))
    if now == after or database == "PK":  # there is one PK: the guest's, if it has set another
        return before if now == after else now
    gone = {entry.key for entry in siglist.missing(after, now)}
    came = siglist.missing(now, after)
    return (*(e for e in before if e.key not in gone), *siglist.missing(came, before))


def _replace(
    directory: Path, said: str, change: Callable[[Keys], Keys], what: str, store: VariableStore | None = None
) -> None:
    """Put the keys that `change` makes of the present ones into the store, with a record of both for `undo`."""
    store = VariableStore.load(directory / nvram.FILE) if store is None else store
    before = keys.read(store)
    wanted = change(before)
    varstore.set_keys(store, wanted)
    _save(directory, said, store, before, what)


def _save(directory: Path, said: str, store: VariableStore, before: Keys, what: str) -> None:
    store.to_bytes()  # says so if the variables do not fit, before anything is written
    after = keys.read(store)
    if after != before:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        record = Change(what=what, time=now, template=said, before=before, after=after)
        keyrecord.save_change(directory, record)
    store.save(directory / nvram.FILE)


def _off(handle: Handle) -> str:
    """The template a machine is said to be of; NotInGeneration on generation 1, Conflict unless it is off."""
    said = keyview.uefi(handle).template
    handle.check("edit offline")
    return said


async def _done(handle: Handle, notes: Iterable[str], template: str | None = None) -> KeysView:
    """Bring the definition in step with the store, and show the keys."""
    before = keyview.uefi(handle)
    said = before if template is None else replace(before, template=template)
    info = await in_thread(nvram.facts, handle.directory, said)
    after = replace(before, secure_boot=info.secure_boot, template=info.template)
    if after != before:
        handle.save(replace(handle.machine, uefi=after))
    else:
        handle.tell("changed")
    notes = [*notes, keyview.SEALED if handle.machine.tpm else _UNSEALED]
    return await in_thread(keyview.describe, handle, notes)


def _name(entry: Entry) -> str:
    return certs.facts(entry.data).name if entry.kind == "x509" else entry.data.hex()


def _digest(text: str) -> bytes:
    plain = text.strip().lower().removeprefix("sha256:")
    if len(plain) != 64 or plain.strip("0123456789abcdef"):
        raise BadInput(f"{text[:80]!r} is no SHA-256.", "It has 64 hexadecimal digits.", code="not-a-hash")
    return bytes.fromhex(plain)
