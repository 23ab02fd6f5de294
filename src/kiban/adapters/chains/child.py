# SPDX-License-Identifier: GPL-2.0-or-later
"""The confined process: takes the files of a chain one by one, says what parent it misses, then serves the disk.

It is told nothing but open files, over a socket from `kiban.adapters.chains.runner`; each message is one JSON object,
with the descriptor beside it. It loads all its modules first, locks itself in, and only then reads anything.
"""

from __future__ import annotations

import codecs
import json
import os
import socket
import sys
import warnings
from dataclasses import asdict
from typing import Any

from kiban.adapters import confine
from kiban.adapters.chains.disk import Disk
from kiban.adapters.chains.server import MOST_CLIENTS, Server
from kiban.adapters.images.layers import Layer, Parent
from kiban.adapters.images.source import Budget, FileSource
from kiban.adapters.images.vhd import open_vhd_layer, vhd_ids, vhd_time
from kiban.adapters.images.vhdx import open_vhdx_layer, vhdx_ids
from kiban.errors import BadInput, Damaged, KibanError

MOST_LINKS = 64
"""Files of a chain."""
MESSAGE_LIMIT = 1 << 16
_ENCODINGS = ("ascii", "latin-1", "utf-16-le", "utf-16-be", "idna")  # loaded when first used
_TIME_STEPS = 2  # seconds; FAT and ZIP keep no finer times, so copies by way of them differ by as much
_NEEDS = confine.Needs(
    calls=(
        *("recvmsg", "recvfrom", "sendmsg", "sendto", "accept4", "poll", "ppoll", "preadv", "preadv2"),
        *("getsockname", "getsockopt", "fcntl", "ioctl"),  # what Python does with a descriptor to make a socket of it
    ),
    files=4 + MOST_LINKS + 2 + MOST_CLIENTS,
    cpu_seconds=None,
)


def main() -> None:
    """Serve the socket on standard input; the arguments are user and group to become, and vhd or vhdx."""
    warnings.simplefilter("ignore")  # showing one would read source files
    for name in _ENCODINGS:
        codecs.lookup(name)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=0)
    try:
        confine.enter(int(sys.argv[1]), int(sys.argv[2]), _NEEDS)
        _Chain(control, sys.argv[3]).converse()
    except KibanError as error:
        _tell(control, {"error": [error.message, error.hint, error.reason]})
    # no tidying up, for which the interpreter would want to ask the kernel for more than it may
    os._exit(0)


def _tell(control: socket.socket, message: dict[str, Any]) -> None:
    control.send(json.dumps(message).encode())


class _Chain:
    def __init__(self, control: socket.socket, form: str) -> None:
        self._control = control
        self._form = form
        self._budget = Budget()
        self._files: list[FileSource] = []
        self._layers: list[Layer] = []

    def converse(self) -> None:
        """Answer until the other side hangs up or wants the disk served."""
        while True:
            text, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_LIMIT, 1)
            if not text or not descriptors:
                return
            message, descriptor = json.loads(text), descriptors[0]
            if "linger" in message:
                self._serve(descriptor, message["linger"])
                return
            _tell(self._control, self._judge(descriptor, message["size"], message["modified"]))

    def _judge(self, descriptor: int, size: int, modified: int) -> dict[str, Any]:
        """Add the file to the chain if it belongs there, and say what it is."""
        source = FileSource(descriptor, size, self._budget)
        try:
            layer = self._opened(source, modified)
        except MemoryError:
            raise Damaged("It wants more memory to be read than any real disk does.") from None
        if isinstance(layer, str):
            os.close(descriptor)
            return {"refused": layer}
        self._files.append(source)
        self._layers.append(layer)
        parent = asdict(layer.parent) if layer.parent else None
        return {"link": {"size": layer.size, "id": layer.ids[0], "sectors": layer.sectors, "parent": parent}}

    def _opened(self, source: FileSource, modified: int) -> Layer | str:
        """The layer in the file, or why it is not the one that the last one needs."""
        if self._layers:
            expected = self._layers[-1].parent
            assert expected is not None  # noqa: S101  # nobody asks for the parent of a disk that has none
            try:
                why = self._stranger(source, modified, expected)
            except KibanError as error:
                return error.message
            if why:
                return why
        layer = open_vhdx_layer(source) if self._form == "vhdx" else open_vhd_layer(source)
        if layer.parent and not layer.parent.ids:
            raise BadInput("It needs a parent, and does not say which.", "", code="no-parent-id")
        return layer

    def _stranger(self, source: FileSource, modified: int, expected: Parent) -> str:
        """Why the file is not the parent that is expected; "" if it is."""
        ids = vhdx_ids(source) if self._form == "vhdx" else vhd_ids(source)
        if not set(ids) & set(expected.ids):
            return f"id {ids[0]}"
        times = (modified, vhd_time(source)) if expected.time is not None else ()
        if times and all(abs(time - (expected.time or 0)) > _TIME_STEPS for time in times):
            return "time"
        return ""

    def _serve(self, descriptor: int, linger: float) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=descriptor)
        for file in self._files:  # what a disk may cost to open is bounded, what it serves in its life is not
            file.budget = Budget(1 << 80, 1 << 80)
        _tell(self._control, {"serving": True})
        self._control.close()
        Server(listener, Disk(self._layers), linger).run()


if __name__ == "__main__":
    main()
