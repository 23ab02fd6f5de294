# SPDX-License-Identifier: GPL-2.0-or-later
"""How both ends of a connection find out that the other one has gone without a word."""

from __future__ import annotations

import socket


def notice_the_dead(end: socket.socket) -> None:
    """Have the kernel end a TCP connection within a minute of that; those that a listener accepts inherit it."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3)):
        end.setsockopt(socket.IPPROTO_TCP, option, value)
