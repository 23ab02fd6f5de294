# SPDX-License-Identifier: GPL-2.0-or-later
"""The entry of `kiban`, and the only place that turns errors into exit codes.

Typer defines and documents every command, but importing it (and pydantic, which it loads) costs more than a bare
`kiban start` may cost altogether. So the commands of which scripts are made, in their plain form, go straight to the
function behind the Typer command; everything else, mistakes included, goes through Typer.
"""

from __future__ import annotations

import gc
import itertools
import os
import sys

from kiban.cli.output import ReportedError, report
from kiban.errors import BadInput, KibanError

LIFE = frozenset({"start", "stop", "restart", "reset", "pause", "resume", "save", "discard"})
"""Commands whose plain form is `kiban VERB NAME... [-o json]`; see kiban.cli.verbs."""


def main() -> int:
    """Run the command in `sys.argv` and return its exit code: 0, or that of the error (see kiban.errors)."""
    arguments = sys.argv[1:]
    try:
        code = run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _close_output()
        return 1
    except ReportedError as reported:
        return reported.first.exit_code
    except KibanError as error:
        report(error, as_json=wants_json(arguments))
        return error.exit_code
    return code


def run(arguments: list[str]) -> int:
    """Run one command; raises KibanError, ReportedError, KeyboardInterrupt or BrokenPipeError."""
    gc.disable()  # a plain command makes no garbage worth collecting, and imports are a tenth faster
    try:
        if "_KIBAN_COMPLETE" not in os.environ and run_plain(arguments):
            return 0
    finally:
        gc.enable()
    return _run_typer(arguments)


def run_plain(arguments: list[str]) -> bool:
    """Run a life verb, ls or info in its plain form; False, and nothing done, when it is anything else."""
    command, names, output = _taken_apart(arguments)
    if output not in ("table", "json", "name") or not all(names) or any(name.startswith("-") for name in names):
        return False
    if command in LIFE and names and output != "name":
        from kiban.cli import verbs

        verbs.run(command, names, as_json=output == "json")
    elif command == "ls" and not names:
        from kiban.cli import reads

        reads.ls(output)
    elif command == "info" and len(names) == 1 and output != "name":
        from kiban.cli import reads

        reads.info(names[0], output)
    else:
        return False
    return True


def _taken_apart(arguments: list[str]) -> tuple[str, list[str], str]:
    """The command, what follows it without one `-o OUTPUT`, and that output."""
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if "-o" not in rest[:-1]:
        return command, rest, "table"
    at = rest.index("-o")
    return command, rest[:at] + rest[at + 2 :], rest[at + 1]


def wants_json(arguments: list[str]) -> bool:
    """Whether `-o json` was said. Looked up by hand: errors in the arguments themselves are told in JSON too."""
    if "--" in arguments:
        arguments = arguments[: arguments.index("--")]
    joined = {"-ojson", "--output=json"}
    pairs = itertools.pairwise(arguments)
    return any(a in ("-o", "--output") and b == "json" for a, b in pairs) or not joined.isdisjoint(arguments)


def _run_typer(arguments: list[str]) -> int:
    import typer

    from kiban.cli import app

    try:
        code = app.build(arguments)(arguments or ["--help"], prog_name="kiban", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        raise _usage(error) from None
    except SystemExit as quit_:  # Typer leaves this way when a pipe breaks
        if isinstance(quit_.__context__, OSError):
            raise BrokenPipeError from None
        raise
    return code if isinstance(code, int) else 0


def _usage(error: Exception) -> BadInput:
    """A usage error of Typer's in the words of this project."""
    sentence = (
        " ".join(error.format_message().replace("Value error, ", "").split())
        if hasattr(error, "format_message")
        else str(error)
    )
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "kiban"
    return BadInput(
        sentence if sentence.endswith((".", "?", "!")) else f"{sentence}.", f"{command} --help", code="usage"
    )


def _close_output() -> None:
    """Point standard output at nothing, so that the interpreter's last flush does not complain about the pipe again."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
