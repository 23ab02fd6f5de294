# SPDX-License-Identifier: GPL-2.0-or-later
"""A VNC server for the fake QEMU: a screen of one colour, which is another one after each key, for several viewers.

Speaks as much of RFB 3.8 (RFC 6143) as noVNC needs; what keyboards and mice do is written to a file.
"""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

WIDTH, HEIGHT = 320, 200
FIRST = (0, 96, 0)
"""The colour at the beginning, red, green and blue; after a key it is (its keysym's last byte, 0, 200)."""
FORMAT = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
LENGTHS = {0: 20, 3: 10, 4: 8, 5: 6, 6: 8, 255: 12}


class Screen:
    """What all viewers of one machine see."""

    def __init__(self, hands: str) -> None:
        self.colour = FIRST
        self.viewers: list[Viewer] = []
        self._hands = Path(hands)
        self._lock = threading.Lock()

    def add(self, line: socket.socket) -> None:
        """Serve a viewer until he leaves."""
        viewer = Viewer(self, line)
        self.viewers.append(viewer)
        threading.Thread(target=viewer.serve, daemon=True).start()

    def felt(self, what: str, colour: tuple[int, int, int] | None = None) -> None:
        """Write down what hands did, and show it."""
        with self._lock, self._hands.open("a") as file:
            file.write(what + "\n")
        if colour is not None:
            self.colour = colour
            for viewer in [*self.viewers]:
                viewer.draw(changed=True)


class Viewer:
    """One connection."""

    def __init__(self, screen: Screen, line: socket.socket) -> None:
        self._screen, self._line, self._file = screen, line, line.makefile("rb")
        self._waits = False  # for a change
        self._lock = threading.Lock()

    def serve(self) -> None:
        try:
            self._greet()
            while True:
                self._message(self._take(1)[0])
        except (ConnectionError, EOFError):
            pass
        finally:
            self._screen.viewers.remove(self)
            self._file.close()
            self._line.close()

    def _take(self, number: int) -> bytes:
        data = self._file.read(number)
        if len(data) < number:
            raise EOFError
        return data

    def _greet(self) -> None:
        self._line.sendall(b"RFB 003.008\n")
        assert self._take(12) == b"RFB 003.008\n"
        self._line.sendall(b"\x01\x01")
        assert self._take(1) == b"\x01"
        self._line.sendall(bytes(4))
        self._take(1)
        self._line.sendall(struct.pack(">HH", WIDTH, HEIGHT) + FORMAT + struct.pack(">I", 4) + b"fake")

    def _message(self, kind: int) -> None:
        if kind == 2:
            (number,) = struct.unpack(">xH", self._take(3))
            self._take(4 * number)
            return
        body = self._take(LENGTHS[kind] - 1)
        if kind == 3:
            self._waits = True
            if not body[0]:
                self.draw(changed=False)
        elif kind == 4:
            down, keysym = struct.unpack(">Bxxi", body)
            self._key(keysym, down=bool(down))
        elif kind == 255:
            down, keysym = struct.unpack(">xHII", body)[:2]
            self._key(keysym, down=bool(down))
        elif kind == 5:
            self._screen.felt("pointer {} {} {}".format(*struct.unpack(">BHH", body)))
        elif kind == 6:
            self._screen.felt("clipboard")

    def _key(self, keysym: int, *, down: bool) -> None:
        colour = (keysym & 255, 0, 200) if down else None
        self._screen.felt(f"key {keysym:#x} {'down' if down else 'up'}", colour)

    def draw(self, *, changed: bool) -> None:
        """Send the screen to who waits for it, whole; noVNC has asked for red, green and blue in this order."""
        with self._lock:
            if not self._waits:
                return
            self._waits = False
            # the fourth byte means nothing, but noVNC 1.3 takes it for how opaque a pixel is
            pixels = bytes((*self._screen.colour, 255)) * (WIDTH * HEIGHT)
            head = struct.pack(">BxHHHHHi", 0, 1, 0, 0, WIDTH, HEIGHT, 0)
            try:
                self._line.sendall(head + pixels)
            except OSError:
                assert changed  # another viewer's key; this one's own thread notices that he has left
