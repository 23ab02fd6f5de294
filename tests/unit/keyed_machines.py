# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines with Secure Boot keys in real variable stores, for tests; what they would boot is asked or made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keymaker
import machines
import pytest
from api_fakes import STAGE
from cryptography.hazmat.primitives.serialization import Encoding
from engine_world import World, run

from kiban.adapters.firmware import keys, templates, trust, varstore
from kiban.adapters.firmware.descriptors import find_uefi
from kiban.adapters.firmware.keys import Keys
from kiban.engine import nvram
from kiban.engine.handle import Handle
from kiban.engine.host import Host
from kiban.engine.keyview import KeysView
from kiban.engine.prospect import Judge
from kiban.errors import HostLacks
from kiban.model.bootcheck import Report, Verdict
from kiban.model.trust import Trust

for _template in templates.templates():
    templates.keys_of(_template)  # is remembered; tests change what it is made of
LINUX = templates.keys_of("microsoft-uefi-ca")
OLD = keys.make({"PK": LINUX.pk, "KEK": LINUX.kek[:1], "db": LINUX.db[:1], "dbx": LINUX.dbx[:300]})
"""A store as it was made before 2023."""


def machine(there: World, wanted: Keys = LINUX, template: str = "microsoft-uefi-ca", **request: Any) -> Path:
    """A generation 2 machine with these keys, as its creation would have left it; returns its directory."""
    try:
        empty = find_uefi("pc-q35-7.2", secure_boot=True).vars_template
    except HostLacks as error:
        pytest.skip(str(error))
    made = machines.make(2, nics=(), template=template, **request)
    directory = there.put(made)
    varstore.create_store(empty, directory / nvram.FILE, wanted)
    return directory


def act(there: World, what: Any) -> Any:
    """Open the host, do `what` with its one machine, and return the outcome."""

    async def work() -> Any:
        host = await Host.open(there.paths)
        return await what(host, next(iter(host.handles.values())))

    return run(work())


def said(there: World, what: Any) -> KeysView:
    answer = act(there, lambda _host, handle: what(handle))
    assert isinstance(answer, KeysView)
    return answer


def seen(directory: Path, said: str = "microsoft-uefi-ca") -> Trust:
    return trust.read(directory / nvram.FILE, said)


def key_file(folder: Path, name: str) -> str:
    path = folder / f"{name.replace(' ', '-')}.pem"
    path.write_bytes(keymaker.certificate(name, Encoding.PEM))
    return str(path)


def report(verdict: Verdict, device: str = "disk0") -> Report:
    """A report on one loader."""
    stage = replace(STAGE, device=device, verdict=verdict)
    return Report(verdict=verdict, reason="", sentence=f"It is {verdict}.", hint="", stages=(stage,), bytes_read=0)


def judge(now: Verdict, then: Verdict) -> Judge:
    """A judge of a machine whose present trust is OLD's, and of what it would become."""

    async def answer(_handle: Handle, asked: Trust) -> Report:
        return report(now if len(asked.db) == 1 else then)

    return answer


def virt_firmwares_hash(program: Path) -> bytes:
    """The hash of a program that is signed, by an independent reader."""
    import pefile  # type: ignore[import-untyped]
    from virt.peutils.pesign import pe_authenticode_hash

    return bytes(pe_authenticode_hash(pefile.PE(str(program))))
