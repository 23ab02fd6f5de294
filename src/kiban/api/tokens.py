# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes of tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from kiban.api.session import Api
from kiban.wire import tokens

router = APIRouter(prefix="/v1/tokens", tags=["service"])


@router.get("")
async def list_tokens(api: Api) -> list[tokens.Token]:
    """All tokens, oldest first; never the secrets."""
    return [tokens.Token.model_validate(token) for token in await api.run("tokens.list")]


@router.post("", status_code=201)
async def create_token(api: Api, wanted: tokens.TokenRequest) -> tokens.MadeToken:
    """Make a token. Its secret is in this answer and nowhere else."""
    secret = await api.run("tokens.create", wanted.name, wanted.role)
    return tokens.MadeToken(name=wanted.name, role=wanted.role, token=secret)


@router.delete("/{token}", status_code=204)
async def revoke_token(api: Api, token: Annotated[tokens.TokenName, Path()]) -> None:
    """Make a token worthless, at once; sessions in the web manager that were begun with it end."""
    await api.run("tokens.revoke", token)
