# SPDX-License-Identifier: GPL-2.0-or-later
"""Generated requests against the whole stack, TLS and token included: the document is true, and nothing crashes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from api_fakes import Service
from hypothesis import HealthCheck, Phase, settings

from kiban.api.app import create_app
from kiban.api.tokens import Tokens

schema = schemathesis.openapi.from_dict(create_app(None, {}).openapi()).exclude(path="/v1/events")  # it never ends


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("s"), listen="127.0.0.1:0") as service:
        yield service


@pytest.fixture(scope="module")
def token(service: Service) -> str:
    return Tokens(service.paths.state).create("fuzz", "admin")


@pytest.fixture(scope="module")
def certificate(service: Service) -> Path:
    return service.paths.state / "tls" / "cert.pem"


@schema.parametrize()
@settings(
    max_examples=5,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_document_is_true(case: schemathesis.Case[Any], service: Service, token: str, certificate: Path) -> None:
    case.call_and_validate(
        base_url=service.where.url, headers={"Authorization": f"Bearer {token}"}, verify=str(certificate), timeout=60
    )
