# SPDX-License-Identifier: GPL-2.0-or-later
"""completion: the script that lets a shell complete commands, options and names of machines."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # Typer has it here, not in __all__

VARIABLE = "_KIBAN_COMPLETE"
"""The shell's script sets it; `kiban` then answers with completions instead of doing anything."""


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="bash|zsh|fish", help="Your shell.")],
) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      kiban completion bash > ~/.local/share/bash-completion/completions/kiban
      kiban completion zsh > ~/.zfunc/_kiban
      kiban completion fish > ~/.config/fish/completions/kiban.fish
    """
    print(get_completion_script(prog_name="kiban", complete_var=VARIABLE, shell=shell))
