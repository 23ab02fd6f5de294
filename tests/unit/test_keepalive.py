# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections whose other end is gone are found by the kernel."""

from __future__ import annotations

import socket

from kiban.api.sockets import tcp_socket

MINUTE = 60


def test_the_dead_are_noticed_within_a_minute_by_what_a_listener_accepts() -> None:
    with (
        tcp_socket("127.0.0.1:0") as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as line,
    ):
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, interval, count = (
            line.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + interval * count <= MINUTE
