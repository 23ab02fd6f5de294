# SPDX-License-Identifier: GPL-2.0-or-later
"""A stand-in for QEMU that speaks enough QMP for the engine: started for real, with real descriptors and a real lock.

Run as a program. FAKE_QEMU says what goes wrong: `die` (before it answers), `slow` (never answers), `deaf` (ignores the
power button), `die-on-cont` (ends when told to go on), `no-save` (cannot write its memory), `no-plug` (takes no
device), `no-net` (takes no network), `no-forward` (opens no port). It writes its arguments to FAKE_QEMU_STARTS/PID, and
shows the picture in the file FAKE_QEMU_SCREEN.
FAKE_QEMU_STATS is a file of what its drives count. As long as there is the file FAKE_QEMU_AGENT, a guest agent listens:
in it are its answers by command, and what else it says before each (`noise`). Viewers get the screen of fake_screen.py,
which writes what their hands do to the file FAKE_QEMU_HANDS; `no-vnc` has none, like a QEMU of an older Kiban.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent))
from fake_net import Net, RefusedError  # this runs as a program, from anywhere
from fake_screen import Screen

MODE = os.environ.get("FAKE_QEMU", "")
BLACK = b"P6\n8 19\n255\n" + bytes(3 * 8 * 19)
MEMORY = b"what the guest had in mind"
MACHINES = [
    {"name": "pc-q35-7.2", "alias": "q35"},
    {"name": "pc-q35-7.1"},
    {"name": "pc-i440fx-7.2", "alias": "pc"},
    {"name": "none"},
]
GREETING = {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 9}, "package": ""}, "capabilities": []}}


class Agent(threading.Thread):
    """A guest agent, and the channel to it: one client at a time."""

    def __init__(self, server: socket.socket) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.taken = False
        self.file = Path(os.environ.get("FAKE_QEMU_AGENT", "/nowhere"))

    @property
    def listens(self) -> bool:
        return self.file.exists()

    def run(self) -> None:
        while True:
            client, _ = self.server.accept()
            self.taken = True
            with client, contextlib.suppress(OSError):  # who asked has heard enough
                for asked in client.makefile("rb"):
                    client.sendall(self.answer(json.loads(asked.lstrip(b"\xff"))))
            self.taken = False

    def answer(self, asked: dict[str, Any]) -> bytes:
        if not self.listens:
            return b""
        answers = json.loads(self.file.read_text())
        reply, mark = {"error": {"desc": "not allowed"}, "id": asked.get("id")}, b""
        if asked["execute"] == "guest-sync-delimited":
            reply, mark = {"return": asked["arguments"]["id"]}, b"\xff"
        elif asked["execute"] in answers:
            reply = {"return": answers[asked["execute"]], "id": asked["id"]}
        return str(answers.get("noise", "")).encode() + mark + json.dumps(reply).encode() + b"\n"


class Fake:
    """One client at a time, as QEMU's monitor has it."""

    def __init__(self, server: socket.socket, agent: Agent, *, incoming: bool) -> None:
        self.server = server
        self.agent = agent
        self.status = "inmigrate" if incoming else "running"
        self.migration = "none"
        self.files: list[int] = []
        self.named: dict[str, int] = {}
        self.sets: dict[int, int] = {}  # of files, by number
        self.nodes: list[str] = []  # that came while it ran
        self.plugged: list[str] = []  # likewise
        self.client = server
        self.last = ""  # why it ends
        self.net = Net(sys.argv)
        self.screen = Screen(os.environ.get("FAKE_QEMU_HANDS", os.devnull))

    def serve(self) -> None:
        while True:
            self.client, _ = self.server.accept()
            try:
                self.send(GREETING)
                self.converse()
            except (ConnectionError, BrokenPipeError):
                continue

    def converse(self) -> None:
        rest = ""
        while True:
            data, descriptors, _, _ = socket.recv_fds(self.client, 65536, 4)
            self.files += descriptors
            if not data:
                return
            rest = (rest + data.decode()).lstrip()
            # QMP has no line ends of its own: a whole object is a whole command, and several may come at once
            while rest and (whole := _whole(rest)):
                self.command(json.loads(rest[:whole]))
                rest = rest[whole:].lstrip()

    def send(self, message: dict[str, Any]) -> None:
        self.client.sendall(json.dumps(message).encode() + b"\r\n")

    def event(self, name: str, **data: Any) -> None:
        self.send({"event": name, "data": data, "timestamp": {"seconds": 1, "microseconds": 1}})

    def command(self, message: dict[str, Any]) -> None:
        name, arguments = message["execute"], message.get("arguments") or {}
        refused = MODE == "no-plug" and name == "device_add"
        method = None if refused else getattr(self, "do_" + name.replace("-", "_"), None)
        if method is None:
            self.send({"error": {"class": "CommandNotFound", "desc": f"no {name}"}, "id": message.get("id")})
            return
        try:
            answer = method(**arguments)
        except RefusedError as error:
            self.send({"error": {"class": "GenericError", "desc": str(error)}, "id": message.get("id")})
            return
        self.send({"return": {} if answer is None else answer, "id": message.get("id")})
        if self.last:
            self.event("SHUTDOWN", guest=self.last.startswith("guest"), reason=self.last)
            sys.exit(0)

    def do_qmp_capabilities(self, **_: Any) -> None:
        pass

    def do_query_status(self) -> dict[str, Any]:
        return {"status": self.status, "running": self.status == "running"}

    def do_query_jobs(self) -> list[Any]:
        return []

    def do_query_block_jobs(self) -> list[Any]:
        return []

    def do_query_kvm(self) -> dict[str, Any]:
        return {"enabled": False, "present": False}

    def do_stop(self) -> None:
        self.status = "paused"
        self.event("STOP")

    def do_cont(self) -> None:
        if MODE == "die-on-cont":
            os.kill(os.getpid(), signal.SIGKILL)
        self.status = "running"
        self.event("RESUME")

    def do_system_reset(self) -> None:
        self.event("RESET", guest=False, reason="host-qmp-system-reset")

    def do_system_powerdown(self) -> None:
        if MODE != "deaf":
            self.last = "guest-shutdown"

    def do_quit(self) -> None:
        self.last = "host-qmp-quit"

    def do_add_fd(self, **_: Any) -> dict[str, Any]:
        descriptor = self.files.pop(0)
        self.sets[descriptor] = descriptor
        return {"fdset-id": descriptor, "fd": descriptor}

    def do_screendump(self, filename: str, **_: Any) -> None:
        shown = os.environ.get("FAKE_QEMU_SCREEN")
        os.write(self.sets[int(filename.rpartition("/")[2])], Path(shown).read_bytes() if shown else BLACK)

    def do_remove_fd(self, **which: Any) -> None:
        os.close(self.sets.pop(which["fdset-id"]))

    def do_blockdev_add(self, **node: Any) -> None:
        self.nodes.append(node["node-name"])

    def do_blockdev_del(self, **node: Any) -> None:
        self.nodes.remove(node["node-name"])

    def do_device_add(self, **device: Any) -> None:
        self.plugged.append(device["id"])
        self.net.attach(device)

    def do_device_del(self, **device: Any) -> None:
        self.plugged.remove(device["id"])
        self.net.attached.pop(device["id"], None)
        self.event("DEVICE_DELETED", device=device["id"])

    def do_qom_list(self, **_: Any) -> list[Any]:
        return [{"name": device} for device in self.plugged]

    def _nothing(self, **_: Any) -> None:
        pass

    def do_netdev_add(self, **made: Any) -> None:
        if MODE == "no-net":
            raise RefusedError("no more networks")
        self.net.add(**made)

    def do_netdev_del(self, **which: Any) -> None:
        self.net.remove(which["id"])

    def do_set_link(self, name: str, *, up: bool) -> None:
        self.net.set_link(name, up=up)

    def do_human_monitor_command(self, **said: Any) -> str:
        return self.net.human(said["command-line"], deaf=MODE == "no-forward")

    def do_x_net(self) -> dict[str, Any]:
        """Not QEMU's: what a test wants to see of it."""
        return self.net.told()

    do_blockdev_open_tray = do_blockdev_close_tray = _nothing
    do_blockdev_insert_medium = do_blockdev_remove_medium = _nothing

    def do_query_blockstats(self) -> list[Any]:
        file = os.environ.get("FAKE_QEMU_STATS")
        counted = json.loads(Path(file).read_text()) if file else {}
        names = ("rd_bytes", "wr_bytes", "rd_operations", "wr_operations")
        return [{"qdev": qdev, "stats": dict(zip(names, each, strict=True))} for qdev, each in counted.items()]

    def do_query_chardev(self) -> list[Any]:
        place = "unix:agent.sock,server=on" if self.agent.taken else "disconnected:unix:agent.sock,server=on"
        agent = {"label": "agent", "frontend-open": self.agent.listens, "filename": place}
        return [agent, *(com.told() for com in COMS)]

    def do_getfd(self, fdname: str) -> None:
        self.named[fdname] = self.files.pop(0)

    def do_query_vnc_servers(self) -> list[Any]:
        return [] if MODE == "no-vnc" else [{"id": "default", "clients": [{}] * len(self.screen.viewers)}]

    def do_add_client(self, protocol: str, fdname: str, *, skipauth: bool) -> None:
        assert (protocol, skipauth) == ("vnc", True)
        self.screen.add(socket.socket(fileno=self.named.pop(fdname)))

    def do_migrate_set_parameters(self, **_: Any) -> None:
        pass

    def do_migrate_cancel(self) -> None:
        self.migration = "cancelled"

    def do_query_migrate(self) -> dict[str, Any]:
        return {"status": self.migration}

    def do_migrate(self, uri: str) -> None:
        if MODE == "no-save":
            self.migration = "failed"
            return
        os.write(self.named[uri.removeprefix("fd:")], MEMORY)
        self.migration, self.status = "completed", "postmigrate"

    def do_migrate_incoming(self, uri: str) -> None:
        whole = os.read(self.named[uri.removeprefix("fd:")], 4096) == MEMORY
        self.migration, self.status = ("completed", "paused") if whole else ("failed", "inmigrate")

    def do_block_stream(self, **_: Any) -> None:
        pass

    def do_query_named_block_nodes(self, **_: Any) -> list[Any]:
        return [{"node-name": node} for node in self.nodes]


class Com:
    """A COM port whose guest says `ready` to whoever comes, and everything twice; one client at a time."""

    def __init__(self, name: str, server: socket.socket) -> None:
        self.name, self.server, self.taken = name, server, False
        threading.Thread(target=self.serve, daemon=True).start()

    def told(self) -> dict[str, Any]:
        return {"label": f"{self.name}c", "filename": "unix:com" if self.taken else "disconnected:unix:com"}

    def serve(self) -> None:
        while True:
            client, _ = self.server.accept()
            self.taken = True
            with client, contextlib.suppress(ConnectionError):
                client.sendall(b"ready\r\n")
                while data := client.recv(4096):
                    client.sendall(data + data)
            self.taken = False


COMS: list[Com] = []


def _whole(text: str) -> int:
    """Length of the JSON object that `text` begins with; 0 when it is not all there."""
    try:
        return json.JSONDecoder().raw_decode(text)[1]
    except json.JSONDecodeError:
        return 0


def probed() -> None:
    """Answer what the probe asks over standard input."""
    replies: dict[str, Any] = {"query-machines": MACHINES, "qom-list-types": [{"name": "e1000e"}, {"name": "VGA"}]}
    sys.stdout.write(json.dumps(GREETING) + "\n")
    for line in sys.stdin:
        sys.stdout.write(json.dumps({"return": replies.get(json.loads(line)["execute"], {})}) + "\n")


def main() -> None:
    """Be a QEMU."""
    if "stdio" in sys.argv:
        probed()
        return
    if sys.argv[sys.argv.index("-machine") + 1] == "none":  # it serves an image
        os.execv("/usr/bin/qemu-system-x86_64", ["qemu-system-x86_64", *sys.argv[1:]])  # noqa: S606  # the real one
    Path(os.environ["FAKE_QEMU_STARTS"], str(os.getpid())).write_text("\n".join(sys.argv[1:]))
    if MODE == "die":
        sys.exit("2026-01-01T00:00:00.000000Z qemu-system-x86_64: -m: cannot allocate\x1b[2J memory")
    if MODE == "slow":
        time.sleep(600)
    agent = Agent(_socket("agent"))
    agent.start()
    led = [name for name in ("com1", "com2") if f"socket,id={name}c," in " ".join(sys.argv)]
    COMS.extend(Com(name, _socket(f"{name}c")) for name in led)
    Fake(_socket("qmp"), agent, incoming="-incoming" in sys.argv).serve()


def _socket(name: str) -> socket.socket:
    pattern = rf"socket,id={name},fd=(\d+),.*"
    return socket.socket(fileno=next(int(m[1]) for a in sys.argv if (m := re.fullmatch(pattern, a))))


if __name__ == "__main__":
    main()
