# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes forked from a server that has imported everything: the same code, started in a twentieth of a second.

For tests with hundreds of starts; the others use `Ground.kiban` and `Ground.serve`.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from faults_ground import LIMIT, Ground, Said

CONTEXT = multiprocessing.get_context("forkserver")
# the server of Python 3.11 does not know this process's path, but it finds kiban
_SERVICE = ("api.__main__", "api.server", "engine.host", "engine.creating", "commands.registry")
_COMMANDS = ("cli.main", "cli.app", "cli.create", "cli.edit", "cli.life", "cli.verbs", "cli.reads", "client.client")
CONTEXT.set_forkserver_preload([f"kiban.{name}" for name in (*_SERVICE, *_COMMANDS)])


def kiban(ground: Ground, *arguments: str, env: Mapping[str, str] | None = None) -> Said:
    """What `Ground.kiban` does, in a forked process."""
    out, err = ground.folder / "out", ground.folder / "err"
    more = (list(arguments), {**ground.environment, **(env or {})}, str(ground.folder), str(out), str(err))
    process = CONTEXT.Process(target=_main, args=more, daemon=True)
    process.start()
    process.join(LIMIT)
    assert process.exitcode is not None, f"{arguments} does not end"
    return Said(process.exitcode, out.read_text(), err.read_text())


def _main(arguments: list[str], environment: dict[str, str], folder: str, out: str, err: str) -> None:
    from kiban.cli.main import main

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, out), (2, err)):
        file = Path(path).open("w")  # noqa: SIM115  # it stays open as long as the process lives
        os.dup2(file.fileno(), number)
    sys.argv = ["kiban", *arguments]
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
