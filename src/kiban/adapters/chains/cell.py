# SPDX-License-Identifier: GPL-2.0-or-later
"""The service's end of the confined process: starts it, hands it files, reads what it says as a stranger's words."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiban.adapters.chains.child import MESSAGE_LIMIT
from kiban.errors import BadInput, Damaged, Failed, HostLacks, TimedOut
from kiban.model.machine import SECTOR_BYTES, Sectors

_log = logging.getLogger(__name__)
_WORDS_LIMIT = 4000
_SECTORS: dict[str, Sectors] = {name: name for name in SECTOR_BYTES}

# `-I -S` keeps the environment, the working directory and everybody's site hooks out of the process; the service's own
# import path, which it needs instead, is its last argument.
_PROGRAM = (
    "import sys, json; sys.path[:] = json.loads(sys.argv.pop()); from kiban.adapters.chains.child import main; main()"
)


@dataclass(frozen=True, slots=True)
class Told:
    """What the cell says about a file that belongs to the chain; `relative` and `names` are its parent's paths."""

    size: int
    id: str
    sectors: Sectors
    needs_parent: bool
    relative: str = ""
    names: tuple[str, ...] = ()
    parent_ids: tuple[str, ...] = ()


class Cell:
    """A confined process for one chain; `close` ends it unless it serves.

    Args:
        form: vhd or vhdx.
        uid, gid: who it becomes when the service is root's.
        seconds: after which `ask` and `serve` give up, counted from here.
    """

    def __init__(self, form: str, uid: int, gid: int, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._seconds = seconds
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        package = str(Path(__file__).parents[3])
        path = json.dumps([package, *(entry for entry in sys.path if os.path.isabs(entry))])  # noqa: PTH117  # strings
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-c", _PROGRAM, str(uid), str(gid), form, path],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            self._control.close()
            why = f"No process can be started to read disks: {error.strerror}."
            raise HostLacks(why, "See also: kiban doctor") from error
        finally:
            theirs.close()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self._process

    def ask(self, descriptor: int, path: Path) -> Told | str:
        """Offer a file for the chain: what it is, or why it is not the one that is needed.

        Raises Damaged or BadInput naming the path when it belongs there but cannot be read; Failed, TimedOut.
        """
        facts = os.fstat(descriptor)
        answer = self._exchange({"size": facts.st_size, "modified": int(facts.st_mtime)}, descriptor, path)
        try:
            if "refused" in answer:
                return _printable(str(answer["refused"]))
            link = answer["link"]
            parent = link["parent"] or {}
            return Told(
                size=_size(link["size"]),
                id=_printable(str(link["id"])),
                sectors=_SECTORS[link["sectors"]],
                needs_parent=bool(link["parent"]),
                relative=str(parent.get("relative", "")),
                names=tuple(str(name) for name in parent.get("names", ())),
                parent_ids=tuple(_printable(str(each)) for each in parent.get("ids", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._nonsense(path) from error

    def serve(self, listener: socket.socket, linger: float, path: Path) -> None:
        """Let it serve the chain on a listening socket; from then on it lives on its own."""
        listener.setblocking(False)
        if self._exchange({"linger": linger}, listener.fileno(), path) != {"serving": True}:
            raise self._nonsense(path)
        self._control.close()
        assert self._process.stderr is not None  # noqa: S101  # it was asked for
        self._process.stderr.close()

    def close(self) -> None:
        """End the process, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._control.close()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _exchange(self, message: dict[str, Any], descriptor: int, path: Path) -> dict[str, Any]:
        try:
            self._control.settimeout(max(0.001, self._end - time.monotonic()))
            socket.send_fds(self._control, [json.dumps(message).encode()], [descriptor])
            text = self._control.recv(MESSAGE_LIMIT)
        except TimeoutError:
            raise TimedOut(
                f"Reading {path} took longer than {self._seconds:.0f} s and was stopped.",
                "The disk may be damaged, or made to take long.",
            ) from None
        except OSError:
            text = b""
        if not text:
            raise self._ended(path)
        return self._understood(text, path)

    def _understood(self, text: bytes, path: Path) -> dict[str, Any]:
        try:
            answer = json.loads(text)
            if not isinstance(answer, dict):
                raise TypeError
            if "error" not in answer:
                return answer
            message, hint, code = (_printable(str(part)) for part in answer["error"])
        except (ValueError, TypeError, RecursionError) as error:
            raise self._nonsense(path) from error
        kind = BadInput if code in ("unknown-feature", "no-parent-id") else Damaged
        if code == HostLacks.code:
            raise HostLacks(message, hint)
        raise kind(f"{path}: {message}", hint, code=code)

    def _ended(self, path: Path) -> Failed:
        self._process.kill()  # it ended by itself, or closed its socket and must not go on
        status = self._process.wait()
        words = self._process.stderr.read(_WORDS_LIMIT) if self._process.stderr else b""
        _log.warning("the reader of %s ended with %s: %s", path, status, words.decode(errors="replace"))
        why = "it tried what its sandbox forbids" if status == -31 else f"status {status}"  # 31: SIGSYS
        return Failed(
            f"Reading {path} ended without an answer ({why}).",
            "The disk may be damaged; the service's log has the details.",
        )

    def _nonsense(self, path: Path) -> Failed:
        return Failed(f"The reader of {path} answered nonsense.", "The disk may be made to do that; do not use it.")


def _size(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 64 << 40:
        raise ValueError(value)
    return value


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:2000])
