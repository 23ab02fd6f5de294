# SPDX-License-Identifier: GPL-2.0-or-later
"""Serves a disk to a few clients at once, and ends when nobody has been there for a while.

So a server needs no owner: it outlives the service that started it as the machine's QEMU does, and QEMU's end is its
own.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Generator
from contextlib import suppress

from kiban.adapters.chains.channel import Channel, Gone
from kiban.adapters.chains.disk import Disk
from kiban.adapters.chains.session import Session

MOST_CLIENTS = 8


class Server:
    """Clients of one listening socket.

    Args:
        listener: a Unix stream socket that does not block.
        disk: what is served.
        linger: seconds without any client after which `run` returns.
    """

    def __init__(self, listener: socket.socket, disk: Disk, linger: float) -> None:
        self._listener = listener
        self._disk = disk
        self._linger = linger
        self._poll = select.poll()
        self._poll.register(listener, select.POLLIN)
        self._clients: dict[int, tuple[socket.socket, Generator[int, None, None]]] = {}

    def run(self) -> None:
        """Serve until nobody was there for `linger` seconds."""
        while True:
            ready = self._poll.poll(None if self._clients else self._linger * 1000)
            if not ready and not self._clients:
                return
            for descriptor, _ in ready:
                if descriptor in self._clients:
                    self._go_on(descriptor)
                else:
                    self._welcome()

    def _welcome(self) -> None:
        with suppress(OSError):  # it hung up already
            client, _ = self._listener.accept()
            if len(self._clients) == MOST_CLIENTS:
                client.close()
                return
            self._clients[client.fileno()] = (client, Session(Channel(client), self._disk).run())
            self._poll.register(client, select.POLLIN)
            self._go_on(client.fileno())

    def _go_on(self, descriptor: int) -> None:
        client, talk = self._clients[descriptor]
        try:
            self._poll.modify(descriptor, next(talk))
        except (Gone, MemoryError):
            del self._clients[descriptor]
            self._poll.unregister(descriptor)
            client.close()
