# SPDX-License-Identifier: GPL-2.0-or-later
"""Uvicorn's WebSockets, able to be shut down while the other side hangs up; loaded when the first one comes."""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState


class WebSocket(WebSocketsSansIOProtocol):
    """One connection."""

    def shutdown(self) -> None:
        """Say that the server goes, and hang up."""
        try:
            super().shutdown()
        except InvalidState:  # the other side has just said so itself, and uvicorn (0.54) does not expect that
            self.transport.close()
