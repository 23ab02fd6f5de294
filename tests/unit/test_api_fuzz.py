# SPDX-License-Identifier: GPL-2.0-or-later
"""Generated requests against the whole stack, TLS and token included: the document is true, and nothing crashes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from api_fakes import Service
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok

from kiban.api.app import create_app
from kiban.engine.tokens import Tokens

# without the phase that tries each limit of each member: hundreds of requests for the largest bodies, most of the time
quick = SchemathesisConfig.from_dict({"phases": {"coverage": {"enabled": False}}})
document = create_app(None, {}).openapi()
schema = schemathesis.openapi.from_dict(document, config=quick).exclude(
    path=["/v1/events", "/v1/machines/{name}/com/{number}"]  # it never ends, and is no plain HTTP
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("s"), listen="127.0.0.1:0") as service:
        yield service


@pytest.fixture(scope="module")
def session(service: Service) -> Iterator[requests.Session]:
    """One connection for all requests: a new one takes longer than what is tested."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {Tokens(service.paths.state).create('fuzz', 'admin')}"
        yield session


def the_document_is_true(method: str, path: str) -> Any:
    """The test of one operation. Its id is its name: all that schemathesis makes of one function have the same."""

    @schema.include(method=method, path=path).parametrize()
    @settings(
        max_examples=10,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def test(case: schemathesis.Case[Any], service: Service, session: requests.Session) -> None:
        certificate = str(service.paths.state / "tls" / "cert.pem")
        case.call_and_validate(base_url=service.where.url, session=session, verify=certificate, timeout=60)

    return test


OPERATIONS = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
globals().update({f"test_{each.label}": the_document_is_true(each.method, each.path) for each in OPERATIONS})


def test_all_of_it_is_tested() -> None:
    assert len(OPERATIONS) > 60
