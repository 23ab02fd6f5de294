# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine's TPM 2.0: one swtpm process per machine, living exactly as long as its QEMU.

The socket is bound here and handed over, already listening. A swtpm that binds by itself can only be waited for by
polling, and QEMU does not retry; this way QEMU may connect at once and is answered as soon as swtpm is up.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from kiban.adapters import unixsocket
from kiban.errors import Failed, HostLacks, NotAllowed, TimedOut

_HINT = "apt install swtpm swtpm-tools, or dnf install swtpm swtpm-tools"
_STATE_FILE = "tpm2-00.permall"
_SETUP_SECONDS = 120


def create_tpm(state: Path, *, uid: int | None = None, gid: int | None = None) -> None:
    """Make a TPM with its endorsement keys in the folder `state`; one that is there already stays as it is.

    Blocks for up to some seconds, so call it in a thread. With `uid` and `gid` (as root) the folder becomes that
    user's. Raises HostLacks without swtpm_setup, Failed with its last words, TimedOut.
    """
    program = _program("swtpm_setup")
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (state / _STATE_FILE).exists():
        return
    if uid is not None and gid is not None:
        os.chown(state, uid, gid)
    command = [program, "--tpm2", "--tpmstate", str(state), "--createek", "--pcr-banks", "sha256", "--not-overwrite"]
    try:
        done = subprocess.run(
            command,
            check=False,
            timeout=_SETUP_SECONDS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=uid,
            group=gid,
            extra_groups=[] if uid is not None else None,
        )
    except subprocess.TimeoutExpired as error:
        raise TimedOut(f"swtpm_setup did not finish within {_SETUP_SECONDS} seconds.") from error
    except PermissionError as error:
        raise NotAllowed(f"swtpm_setup may not be run as user {uid}.") from error
    if done.returncode != 0:
        words = done.stdout.decode(errors="replace").strip().splitlines()[-3:]
        raise Failed(f"swtpm_setup could not make a TPM: {' / '.join(words) or 'it said nothing'}.")


def start_swtpm(
    state: Path,
    socket_path: Path,
    log: Path,
    *,
    uid: int | None = None,
    gid: int | None = None,
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start the TPM whose state is in `state`, listening on `socket_path`, which QEMU can connect to at once.

    It ends by itself when QEMU's connection does, and it outlives this process. Whoever starts it ends it when QEMU
    does not come to be. `keep` are descriptors that it inherits.

    Raises HostLacks without swtpm, BadInput for a socket path too long for the kernel, NotAllowed.
    """
    program = _program("swtpm")
    with unixsocket.listen(socket_path, *_owner(uid, gid)) as server:
        command = [
            program,
            "socket",
            "--tpm2",
            "--tpmstate",
            f"dir={state},mode=0600",
            "--ctrl",
            f"type=unixio,fd={server.fileno()}",
            "--log",
            f"file={log},level=1",
            "--seccomp",
            "action=kill",
            "--terminate",
        ]
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(server.fileno(), *keep),
                start_new_session=True,
                user=uid,
                group=gid,
                extra_groups=[] if uid is not None else None,
                umask=0o077,
            )
        except PermissionError as error:
            socket_path.unlink(missing_ok=True)
            raise NotAllowed(f"swtpm may not be run as user {uid}.") from error


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise HostLacks(f"This host has no {name}, which a TPM needs.", _HINT)
    return found


def _owner(uid: int | None, gid: int | None) -> tuple[int, int]:
    return os.geteuid() if uid is None else uid, os.getegid() if gid is None else gid
