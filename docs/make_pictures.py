# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes docs/images/demo.png: what `kiban demo` prints, and the guests' screens that it names: `./dev pictures`.

Any other command can be shown the same way: `make_pictures.py NAME COMMAND...` runs it and writes NAME.png. Needs
what packaging/debian-packages-pictures.txt lists, which `./dev pictures` installs.
"""

from __future__ import annotations

import base64
import os
import re
import struct
import subprocess
import sys
from io import StringIO
from pathlib import Path
from xml.sax.saxutils import quoteattr

from rich.console import Console
from rich.text import Text

IMAGES = Path(__file__).parent / "images"
COLUMNS = 110
MARGIN = 16
CELL = 12.2  # width of a character in Rich's SVG
FONT, SIZE = "DejaVu Sans Mono", 20.264  # the size at which its characters are that wide
INDENTED = re.compile(r'x="([0-9.]+)" (y="[0-9.]+") textLength="([0-9.]+)"([^>]*)>((?:&#160;)+)')
SVG_SIZE = re.compile(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"')


def run(command: list[str]) -> str:
    """What a command prints on a colour terminal, without the frames of its progress bars."""
    look = {"FORCE_COLOR": "1", "TTY_INTERACTIVE": "0", "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    done = subprocess.run(command, env=os.environ | look, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return done.stdout


def terminal(command: str, output: str) -> str:
    """The output in a terminal's window, as SVG."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"$ {command}\n{output.rstrip()}"))
    window = (
        console.export_svg(title="kiban").replace("Fira Code", FONT).replace("font-size: 20px", f"font-size: {SIZE}px")
    )
    return INDENTED.sub(_indented, window)


def _indented(found: re.Match[str]) -> str:
    """A text that begins with spaces, moved to where it begins: rsvg-convert drops them."""
    wide = len(found[5]) // len("&#160;") * CELL
    return f'x="{float(found[1]) + wide}" {found[2]} textLength="{max(float(found[3]) - wide, 0)}"{found[4]}>'


def with_screens(window: str, screens: list[Path]) -> str:
    """The window, with pictures of guests' screens side by side below it."""
    size = SVG_SIZE.search(window)
    if size is None or not screens:
        return window
    width, height = float(size[1]), float(size[2])
    each = (width - MARGIN * (len(screens) - 1)) / len(screens)
    parts, tallest = [], 0.0
    for number, screen in enumerate(screens):
        data = screen.read_bytes()
        across, down = struct.unpack(">II", data[16:24])  # PNG: the IHDR chunk comes first
        tall = each * down / across
        tallest = max(tallest, tall)
        place = f'x="{number * (each + MARGIN)}" y="{height + MARGIN}" width="{each}" height="{tall}"'
        source = quoteattr(f"data:image/png;base64,{base64.b64encode(data).decode()}")
        parts.append(f"<image {place} href={source}/>")
    whole = height + MARGIN + tallest
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {whole}" width="{width}" height="{whole}">'
        f'<svg width="{width}" height="{height}">{window}</svg>{"".join(parts)}</svg>'
    )


def screens_in(output: str) -> list[Path]:
    """The PNG files that an output names, in its order."""
    plain = Text.from_ansi(output).plain
    return [path for name in dict.fromkeys(re.findall(r"\S+\.png", plain)) if (path := Path(name)).is_file()]


def main(arguments: list[str]) -> None:
    """Make one picture."""
    name, command = (arguments[0], arguments[1:]) if arguments else ("demo", ["kiban", "demo"])
    program = Path(sys.executable).with_name(command[0])
    output = run([str(program) if program.exists() else command[0], *command[1:]])
    picture = with_screens(terminal(" ".join(command), output), screens_in(output))
    target = IMAGES / f"{name}.png"
    IMAGES.mkdir(exist_ok=True)
    subprocess.run(["rsvg-convert", "--output", str(target)], input=picture.encode(), check=True)
    print(target)


if __name__ == "__main__":
    main(sys.argv[1:])
