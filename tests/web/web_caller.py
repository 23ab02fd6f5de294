# SPDX-License-Identifier: GPL-2.0-or-later
"""Whoever speaks HTTP to the web manager, as a browser would or otherwise: plain sockets and WebSockets."""

from __future__ import annotations

import http.client
import socket
import ssl
from urllib.parse import urlsplit

from web_service import WAIT
from websockets.sync.client import ClientConnection, connect

SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"


class Caller:
    """One who has an address of the web manager; what it is called is not looked up."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.scheme, self.host, self.own = parts.scheme, parts.netloc, f"{parts.scheme}://{parts.netloc}"
        self.secret, self.port = parts.fragment, int(parts.port or 0)
        self.cookie = ""
        self.source = "127.0.0.1"

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        line.sock = self.dial()
        said = {"Host": self.host, "Cookie": self.cookie} | ({"Origin": self.own} if method != "GET" else {})
        line.request(method, path, body, {k: v for k, v in (said | headers).items() if v})
        answer = line.getresponse()
        found = answer.status, answer.headers, answer.read()
        line.close()
        return found

    def enter(self, secret: str = "") -> None:
        status, headers, body = self.ask("POST", "/login", secret or self.secret)
        assert status == 204, body
        self.cookie = headers["Set-Cookie"].partition(";")[0]

    def websocket(self, path: str = SOCKET, **headers: str) -> ClientConnection:
        said = {"Cookie": self.cookie, "Origin": self.own} | headers
        address = f"ws://{said.pop('Host', self.host)}{path}"  # what is below it is of no concern to the client
        kept = {name: value for name, value in said.items() if value}
        return connect(address, additional_headers=kept, sock=self.dial(), proxy=None)

    def dial(self) -> socket.socket:
        """A connection; over TLS where the address says so."""
        line = socket.create_connection(("127.0.0.1", self.port), WAIT, (self.source, 0))
        if self.scheme == "http":
            return line
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the certificate is the service's own
        return context.wrap_socket(line)


def hear(line: ClientConnection) -> None:
    """Listen until the other side hangs up, which raises ConnectionClosed."""
    while True:
        line.recv(WAIT)
