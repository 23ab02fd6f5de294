# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes of a machine's Secure Boot keys. All but looking want the machine off."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from kiban.api.session import Api
from kiban.wire import answers, requests
from kiban.wire.base import MachineRef

router = APIRouter(prefix="/v1/machines/{name}/secureboot", tags=["secureboot"])
Name = Annotated[MachineRef, Path()]


@router.get("")
async def show_keys(api: Api, name: Name) -> answers.SecureBoot:
    """Whose loaders the machine trusts, what it refuses, and how current that is."""
    return await _keys(api, "show", name)


@router.post("/enroll")
async def enroll_keys(api: Api, name: Name, wanted: requests.Enroll) -> answers.SecureBoot:
    """Trust the keys in files of the host."""
    files = {"PK": wanted.pk, "KEK": wanted.kek, "db": wanted.db, "mok": wanted.mok}
    return await _keys(api, "enroll", name, files)


@router.post("/revoke")
async def revoke_keys(api: Api, name: Name, wanted: requests.Revoke) -> answers.SecureBoot:
    """Refuse certificates, EFI programs and hashes of such."""
    return await _keys(api, "revoke", name, wanted.files, wanted.sha256)


@router.post("/reset")
async def reset_keys(api: Api, name: Name, wanted: requests.ResetKeys | None = None) -> answers.SecureBoot:
    """Put the keys of a template anew; what was enrolled and revoked since goes."""
    return await _keys(api, "reset", name, wanted.template if wanted else None)


@router.post("/update")
async def update_keys(api: Api, name: Name) -> answers.SecureBoot:
    """Add Microsoft's authorities of 2023 and its newest revocations, unless the machine would not start then."""
    return await _keys(api, "update", name)


@router.post("/undo")
async def undo_keys(api: Api, name: Name) -> answers.SecureBoot:
    """Take the last change of keys back."""
    return await _keys(api, "undo", name)


async def _keys(api: Api, command: str, *arguments: Any) -> answers.SecureBoot:
    return answers.SecureBoot.model_validate(await api.run(f"secureboot.{command}", *arguments))
