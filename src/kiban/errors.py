# SPDX-License-Identifier: GPL-2.0-or-later
"""Every error Kiban raises on purpose, as one tree.

    KibanError
    ├── BadInput           what was asked for makes no sense               exit 2   HTTP 422
    │   └── NotInGeneration   the generation contract does not have it    exit 2   HTTP 422
    ├── NotFound           no such machine, disk, job, file                exit 3   HTTP 404
    ├── Conflict           the name is taken, the state does not allow it  exit 4   HTTP 409
    ├── NotAllowed         no or a wrong token, a file of somebody else    exit 5   HTTP 403
    ├── HostLacks          a program, firmware, memory, disk space         exit 6   HTTP 503
    ├── Damaged            a file of Kiban's own is unreadable             exit 7   HTTP 500
    ├── Failed             QEMU, swtpm or a tool did not do it             exit 8   HTTP 500
    ├── TimedOut           it did not happen within the time given         exit 9   HTTP 504
    ├── Cancelled          the user stopped it                             exit 130 HTTP 409
    └── NoService          the service does not answer                     exit 10  (client side only)

Adapters and the engine raise; only the command line turns an error into an exit code and only the API into a status.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers understand it; importing typing takes a tenth of a plain command's time
if TYPE_CHECKING:
    from typing import ClassVar


class KibanError(Exception):
    """Base of the tree.

    Args:
        message: one sentence, what is wrong, naming the thing it is about.
        hint: what to do instead, as a command where there is one; may be empty.
        code: a stable word for programs, in kebab-case; the class's own where none is given.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.reason = code or self.code

    def __str__(self) -> str:
        return self.message


class BadInput(KibanError):
    """What was asked for makes no sense, whatever the state of things."""

    code = "bad-input"
    exit_code = 2
    http_status = 422


class NotInGeneration(BadInput):
    """The generation contract does not have what was asked for."""

    code = "not-in-generation"


class NotFound(KibanError):
    """Nothing of that name exists."""

    code = "not-found"
    exit_code = 3
    http_status = 404


class Conflict(KibanError):
    """It makes sense, but not in the present state."""

    code = "conflict"
    exit_code = 4
    http_status = 409


class NotAllowed(KibanError):
    """The caller, or the user QEMU runs as, may not do this."""

    code = "not-allowed"
    exit_code = 5
    http_status = 403


class HostLacks(KibanError):
    """The host has no such program, firmware, memory or disk space."""

    code = "host-lacks"
    exit_code = 6
    http_status = 503


class Damaged(KibanError):
    """A file that belongs to a machine cannot be understood."""

    code = "damaged"
    exit_code = 7
    http_status = 500


class Failed(KibanError):
    """A program that Kiban runs did not do what was asked of it."""

    code = "failed"
    exit_code = 8
    http_status = 500


class TimedOut(KibanError):
    """It did not happen within the time given."""

    code = "timed-out"
    exit_code = 9
    http_status = 504


class Cancelled(KibanError):
    """The user stopped it."""

    code = "cancelled"
    exit_code = 130
    http_status = 409


class NoService(KibanError):
    """The service does not answer; raised by the client only."""

    code = "no-service"
    exit_code = 10
    http_status = 503
