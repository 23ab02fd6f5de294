# SPDX-License-Identifier: GPL-2.0-or-later
"""The machines of the Secure Boot matrix, one for each column of its table, made of templates, key files, commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bootcheck_images import microsoft
from matrix_artifacts import LEVEL, SHIM_LEVEL, Workshop
from matrix_media import Load, Place, clear, prepare
from matrix_rig import Result, run
from rig import Guest, MakeGuest, Service

from kiban.adapters.firmware import keys, siglist
from kiban.adapters.firmware import trust as firmware_trust
from kiban.adapters.firmware.edk2vars import BOOT_ACCESS, NON_VOLATILE, Variable, VariableStore
from kiban.adapters.firmware.siglist import Entry
from kiban.model.trust import Signature

_KINDS = {kind: guid for guid, kind in siglist.KINDS.items()}
_LEVELS = {"own-level": LEVEL, "own-shim-level": SHIM_LEVEL}


class Park:
    """Makes machines of each kind in `folder`, and has them decide about artifacts."""

    def __init__(self, service: Service, make: MakeGuest, folder: Path) -> None:
        folder.mkdir(mode=0o755, exist_ok=True)
        self._service, self._make, self._folder = service, make, folder
        self.shop = Workshop(folder / "authorities")

    def trial(self, column: str, **wanted: Sequence[str]) -> list[Result]:
        """What a machine of a kind does with artifacts: names by the place they are put in (raw, dvd, pxe …)."""
        artifacts = self.shop.artifacts
        places: list[tuple[str, Place]] = [(name, _place(place)) for place, names in wanted.items() for name in names]
        return self.decide(column, [Load(artifacts[name], place) for name, place in places])

    def decide(self, column: str, loads: Sequence[Load]) -> list[Result]:
        """The same, of loads. The machine is made for it, and keeps nothing in its drives that is still there."""
        media = self._folder / column
        guest, trials = prepare(self._make, f"matrix-{column}", loads, media, **self._settings(column))
        self._finish(guest, column)
        results = run(guest, trials)
        clear(media)
        return results

    def _settings(self, column: str) -> dict[str, Any]:
        if column == "off":
            return {"secure_boot": False}
        if column == "mok":
            return {}
        if column.startswith("uefi-"):
            return {"template": "custom", "keys": str(self._keys(column, [microsoft()[column[5:]]], []))}
        if column.startswith("own"):
            return {"template": "custom", "keys": str(self._keys("own", self.shop.own_db(), self.shop.own_dbx()))}
        return {"template": column}

    def _keys(self, name: str, db: Sequence[Signature], dbx: Sequence[Signature]) -> Path:
        """A folder as `kiban create --keys` takes it."""
        folder = self._folder / f"keys-{name}"
        folder.mkdir(exist_ok=True)
        for database, entries in {
            "PK": [self.shop.mine.entry()],
            "KEK": [self.shop.mine.entry()],
            "db": db,
            "dbx": dbx,
        }.items():
            found = [Entry(_KINDS[one.kind], keys.KIBAN, one.data) for one in entries]
            (folder / f"{database}.esl").write_bytes(siglist.build(found))
        return folder

    def _finish(self, guest: Guest, column: str) -> None:
        if column == "mok":
            self._service.kiban("secureboot", "enroll", guest.name, "--mok", str(self.shop.mine.file))
        if column in _LEVELS:
            path = Path(guest.view.directory) / "nvram.fd"
            store = VariableStore.load(path)
            level = _LEVELS[column].encode()
            store.put(Variable("SbatLevel", level, firmware_trust.SHIM, attributes=NON_VOLATILE | BOOT_ACCESS))
            store.save(path)


def _place(name: str) -> Place:
    assert name in ("raw", "whole", "qcow2", "vhdx", "second", "dvd", "pxe", "http")
    return name  # type: ignore[return-value]  # mypy does not narrow to a Literal by `in`
