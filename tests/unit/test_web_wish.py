# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line that the page of a new machine shows asks for the same machine as the page itself."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest
from cli_fakes import FakeClient

from kiban.cli import app, create, main
from kiban.errors import BadInput
from kiban.model.requests import MachineRequest
from kiban.web.wish import Port, Wish, command, request, size

PORTS = (Port(protocol="tcp", host=2222, guest=22), Port(protocol="udp", host=5353, guest=53))
WISHES = [
    Wish(name="a", generation=2),
    Wish(name="a", generation=1, medium='/m/it\'s, "a" $HOME.iso', cpus=2, memory=1536 << 20, disk="none"),
    Wish(name="a", generation=2, disk_format="vhdx", disk_size=(20 << 30) + 512, network="absent"),
    Wish(name="a", generation=2, disk="use", disk_path="/d/a,b.vhd", disk_format="vhd", network="none", ports=PORTS),
    Wish(name="a", generation=1, disk="copy", disk_path="/d/20G", disk_format="raw", ports=PORTS),
    Wish(name="a", generation=2, disk="link", disk_path="/d/a b.qcow2", secure_boot=False, tpm=True),
    Wish(name="a", generation=2, template="microsoft-windows", tpm=False),
    Wish(name="a", generation=1, secure_boot=False, template="microsoft-windows", tpm=True),
]


@pytest.mark.parametrize("wish", WISHES)
def test_the_command_line_asks_for_the_same(wish: Wish, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    client = FakeClient()
    app.build([])
    monkeypatch.setattr(create, "connect", lambda: client)
    monkeypatch.setattr("sys.argv", shlex.split(command(wish)))
    assert main.main() == 0, capsys.readouterr()
    asked, wanted = MachineRequest(**client.calls[0][2]), request(wish)
    assert vars(asked) == vars(wanted)


@pytest.mark.parametrize("changes", [{"name": "../a"}, {"medium": "a.iso"}, {"disk": "use", "disk_path": "relative"}])
def test_what_the_api_would_refuse_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        request(replace(WISHES[0], **changes))


@pytest.mark.parametrize(("count", "text"), [(20 << 30, "20G"), (1536 << 20, "1536M"), (2 << 40, "2T"), (1, "1B")])
def test_a_size_is_exact(count: int, text: str) -> None:
    assert size(count) == text
