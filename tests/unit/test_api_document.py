# SPDX-License-Identifier: GPL-2.0-or-later
"""The API's document, its wire types, the client's records and the package's names agree with each other."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import tomllib
from inspect import get_annotations
from pathlib import Path

import pytest
from api_fakes import names
from pydantic import BaseModel

import kiban
from kiban.adapters.disk.changing import Check
from kiban.api.openapi import document
from kiban.client import records, records_disks, records_media, records_usage
from kiban.engine.advising import Advice, Suggestion
from kiban.engine.audit import Audited
from kiban.engine.diskview import DiskView, LinkView, Use
from kiban.engine.media import MediumView
from kiban.engine.mounts import MountView
from kiban.engine.view import MachineView
from kiban.model import requests as model
from kiban.model.export import Exported, ExportedFile, ExportRequest
from kiban.model.usage import GuestState, Sample, Usage
from kiban.wire import answers, audit, bootcheck, disks, media, requests, takeover, usage

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "docs" / "reference" / "openapi.json"


def test_the_committed_document_is_this_versions() -> None:
    """Rewrite it with: python -m kiban.api.openapi docs/reference/openapi.json"""
    assert COMMITTED.read_text(encoding="utf-8") == document()


def test_every_operation_is_described_and_answers_with_problems() -> None:
    for path, methods in json.loads(COMMITTED.read_text())["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (method, path)
            assert "application/problem+json" in operation["responses"]["default"]["content"], (method, path)
            assert "422" not in operation["responses"], "FastAPI's own error format is not ours"


@pytest.mark.parametrize(
    ("wire", "inside"),
    [
        (requests.NewMachine, model.MachineRequest),
        (requests.MachineChanges, model.Changes),
        (requests.NewDisk, model.DiskRequest),
        (requests.NewNic, model.NicRequest),
        (requests.NewNetBoot, model.NetBootRequest),
        (requests.NewCom, model.ComRequest),
        (answers.Machine, MachineView),
        (audit.Audited, Audited),
        (disks.DiskInfo, DiskView),
        (disks.DiskLink, LinkView),
        (disks.DiskUse, Use),
        (disks.DiskCheck, Check),
        (disks.DiskMount, MountView),
        (media.MediumFile, MediumView),
        (media.Advice, Advice),
        (media.Suggestion, Suggestion),
        (takeover.Export, ExportRequest),
        (takeover.ExportResult, Exported),
        (takeover.ExportFile, ExportedFile),
        (usage.Usage, Usage),
        (usage.Sample, Sample),
        (usage.GuestState, GuestState),
    ],
)
def test_a_wire_type_says_all_that_the_model_does(wire: type[BaseModel], inside: type) -> None:
    assert {field.alias or name for name, field in wire.model_fields.items()} == names(inside)


@pytest.mark.parametrize(
    "kind",
    [
        k
        for module in (records, records_disks, records_media, records_usage)
        for _, k in inspect.getmembers(module, inspect.isclass)
        if k.__module__ == module.__name__ and k is not records.Record
    ],
)
def test_a_record_has_the_members_that_are_sent(kind: type[records.Record]) -> None:
    sent: type[BaseModel] = next(
        getattr(module, kind.__name__)
        for module in (answers, bootcheck, audit, disks, media, takeover, usage)
        if hasattr(module, kind.__name__)
    )
    declared = [name for base in kind.__mro__ for name in get_annotations(base)]
    members = {name for name in declared if not name.startswith("_")}
    assert members == set(sent.model_fields)
    assert not members & set(dir(dict)), "a method of dict would hide it"


def test_the_packages_names() -> None:
    assert all(getattr(kiban, name).__name__ == name for name in kiban.__all__)
    assert set(kiban.__all__) <= set(dir(kiban))
    with pytest.raises(AttributeError):
        _ = kiban.nonsense


def test_the_version_is_the_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project.get("version", kiban.__version__) == kiban.__version__


def test_the_client_is_light_to_import() -> None:
    """Each of these takes longer to import than a machine to start."""
    heavy = "asyncio dataclasses email fastapi http.client inspect pathlib pydantic ssl subprocess urllib.parse uvicorn"
    code = f"import kiban.client, sys; print(*[name for name in {heavy.split()!r} if name in sys.modules])"
    # -S: what site itself imports is not the client's; it also keeps an editable install from being found
    environment = {"PYTHONPATH": str(ROOT / "src")}
    clean = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert clean.stdout.split() == []
