# SPDX-License-Identifier: GPL-2.0-or-later
"""How a command reaches the service: one connection per command, imported when it is needed."""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from kiban.client import Client


def connect(*, start: bool = True) -> Client:
    """A client of the service that KIBAN_URL and KIBAN_TOKEN name, else of this user's own.

    Args:
        start: start this user's service when none runs; otherwise NoService is raised then.
    """
    from kiban import client

    return client.connect(start=start)
