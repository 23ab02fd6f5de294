# SPDX-License-Identifier: GPL-2.0-or-later
"""The service as clients start it for the user: no options, a log on stderr, a byte on KIBAN_READY_FD once up."""

from __future__ import annotations

import logging
import os
import sys

from kiban.errors import KibanError
from kiban.paths import Paths


def main() -> int:
    """Run the service; the exit code is 0, or that of the error."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    paths = Paths.default()
    os.chdir("/")  # a service must not hold the directory it happened to be started in
    from kiban.api.server import run
    from kiban.web.manager import Manager

    try:
        run(paths, ready=lambda _: _ready(), web=Manager)
    except KibanError as error:
        logging.getLogger("kiban").error("%s %s", error.message, error.hint)
        return error.exit_code
    return 0


def _ready() -> None:
    if pipe := os.environ.pop("KIBAN_READY_FD", ""):
        os.write(int(pipe), b"1")
        os.close(int(pipe))


if __name__ == "__main__":
    sys.exit(main())
