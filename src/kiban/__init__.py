# SPDX-License-Identifier: GPL-2.0-or-later
"""Kiban: Hyper-V's generation 1 and generation 2 machines on QEMU/KVM.

    import kiban
    with kiban.connect() as host:
        host.create("web", disks=[kiban.DiskRequest(size=20 * 2**30)])
        host.start("web")

Everything here is imported when it is first used, so that `import kiban` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers understand it, without the import of typing
if TYPE_CHECKING:
    from kiban.client import Client, connect
    from kiban.errors import (
        BadInput,
        Cancelled,
        Conflict,
        Damaged,
        Failed,
        HostLacks,
        KibanError,
        NoService,
        NotAllowed,
        NotFound,
        NotInGeneration,
        TimedOut,
    )
    from kiban.model.machine import Forward
    from kiban.model.requests import ComRequest, DiskRequest, NetBootRequest, NicRequest

__version__ = "0.1.0"

__all__ = [
    "BadInput",
    "Cancelled",
    "Client",
    "ComRequest",
    "Conflict",
    "Damaged",
    "DiskRequest",
    "Failed",
    "Forward",
    "HostLacks",
    "KibanError",
    "NetBootRequest",
    "NicRequest",
    "NoService",
    "NotAllowed",
    "NotFound",
    "NotInGeneration",
    "TimedOut",
    "connect",
]

_HOMES = {
    "Client": "kiban.client",
    "connect": "kiban.client",
    "Forward": "kiban.model.machine",
    "ComRequest": "kiban.model.requests",
    "DiskRequest": "kiban.model.requests",
    "NetBootRequest": "kiban.model.requests",
    "NicRequest": "kiban.model.requests",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "kiban.errors")), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
