# SPDX-License-Identifier: GPL-2.0-or-later
"""The cell that media are parsed in: what a parser can do there that was taken over, and what if one fails."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from boot_media import BOOT, disk, dvd, fat, gpt, iso, net
from bootcheck_images import GRUB, SHIM, microsoft, real, tiny, trust

import kiban
from kiban.adapters import confine
from kiban.adapters.bootcheck import runner
from kiban.errors import BadInput, Damaged, Failed, HostLacks, NotFound, TimedOut
from kiban.model.bootcheck import Medium, Report
from kiban.model.trust import Trust

SOURCE = str(Path(kiban.__file__).parents[1])
UID = 65534 if os.geteuid() == 0 else os.geteuid()
INSIDE = f"""
import ctypes, os, resource, socket, subprocess, sys, threading
sys.path.insert(0, {SOURCE!r})
from kiban.adapters import confine
libc = ctypes.CDLL(None, use_errno=True)
confine.enter({UID}, {UID})
try:
    result = eval(sys.argv[1])
except OSError as error:
    result = error.errno
os.write(1, repr(result).encode())
os._exit(0)
"""


def inside(expression: str) -> tuple[int, str]:
    """Status and output of a process that locked itself in and then evaluated that."""
    done = subprocess.run([sys.executable, "-c", INSIDE, expression], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout or done.stderr


def explain(*media: Medium, seconds: float = 60, trusted: Trust | None = None) -> Report:
    return asyncio.run(runner.explain(media, trusted or trust(*microsoft().values()), seconds=seconds))


def test_the_cell_lets_pass_what_parsing_needs() -> None:
    assert inside("len(bytes(1 << 20)) + len(os.urandom(4))") == (0, str((1 << 20) + 4))


@pytest.mark.parametrize(
    "forbidden",
    [
        "socket.socket(socket.AF_UNIX)",
        "socket.socket()",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "subprocess.run(['/bin/true'])",
        "threading.Thread(target=print).start()",
        "os.kill(os.getppid(), 0)",
        "os.unlink('/tmp/nothing')",
        "os.mkdir('/tmp/kiban-test-cell')",
        "os.memfd_create('x')",
        "os.dup(1)",
        "os.pipe()",
        "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        "libc.ptrace(0, 0, 0, 0)",
        "libc.mmap(None, 4096, 7, 0x22, -1, 0)",
        "libc.process_vm_readv(os.getppid(), 0, 0, 0, 0, 0)",
        "libc.setuid(0)",
    ],
)
def test_the_kernel_ends_a_parser_that_does_anything_else(forbidden: str) -> None:
    status, output = inside(forbidden)
    assert status == -signal.SIGSYS, output


@pytest.mark.parametrize("looking", ["os.open('/etc/passwd', os.O_RDONLY)", "os.stat('/etc')", "os.listdir('/')"])
def test_no_file_can_be_opened(looking: str) -> None:
    assert inside(looking) == (0, "13")  # EACCES


def test_memory_and_time_are_bounded() -> None:
    status, output = inside("bytearray(2 << 30)")
    assert (status, "MemoryError" in output) == (1, True)
    status, output = inside("[resource.getrlimit(r)[1] for r in (resource.RLIMIT_CPU, resource.RLIMIT_NPROC)]")
    assert status == -signal.SIGSYS, "not even its limits can be asked for"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_it_is_another_user_without_any_right() -> None:
    code = INSIDE.replace("result = eval", "sys.stdin.read(1); result = eval")
    with subprocess.Popen([sys.executable, "-c", code, "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        status = _until(child.pid, "Seccomp", "2")
        assert status["Uid"].split() == [str(UID)] * 4
        assert status["Gid"].split() == [str(UID)] * 4
        assert status["Groups"].split() == []
        assert {status[name] for name in ("CapEff", "CapPrm", "CapAmb")} == {"0" * 16}
        assert status["NoNewPrivs"] == "1"
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        for name, most in (("Max cpu time", confine.CPU_SECONDS), ("Max address space", confine.MEMORY)):
            line = next(line for line in limits.splitlines() if line.startswith(name))
            assert line.removeprefix(name).split()[:2] == [str(most)] * 2
        child.communicate(b"x", timeout=60)


def _until(pid: int, name: str, value: str) -> dict[str, str]:
    """The fields of /proc/PID/status once one of them has that value."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = {key: text.strip() for key, _, text in (line.partition(":") for line in lines)}
        if status[name] == value:
            return status
        time.sleep(0.01)
    raise AssertionError(f"{name} never became {value}")


def test_no_seccomp_library_means_no_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise OSError("not there")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(HostLacks, match="libseccomp"):
        confine.enter(UID, UID)


def test_all_kinds_of_media_through_the_real_child(tmp_path: Path) -> None:
    chain = {BOOT: real(SHIM), "EFI/BOOT/grubx64.efi": real(GRUB)}
    on_disk, on_dvd = gpt(tmp_path / "a.img", chain), iso(tmp_path / "b.iso", {}, esp=chain)
    (tmp_path / "pxe").mkdir()
    for name, data in (("shimx64.efi", chain[BOOT]), ("grubx64.efi", real(GRUB))):
        (tmp_path / "pxe" / name).write_bytes(data)
    for medium in (disk(on_disk), dvd(on_dvd), net(tmp_path / "pxe", "shimx64.efi")):
        found = explain(medium)
        assert (found.verdict, [stage.kind for stage in found.stages]) == ("allowed", ["shim", "GRUB"])
    # one file for two boot entries is opened once
    twice = explain(disk(on_disk, loader="\\nothing"), disk(on_disk))
    assert twice.verdict == "allowed"


def test_media_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nothing\.iso does not exist"):
        explain(dvd(tmp_path / "nothing.iso"))
    with pytest.raises(NotFound, match="folder"):
        explain(net(tmp_path / "nothing", "x.efi"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="neither a file nor a block device"):
        explain(disk(tmp_path / "pipe"))
    with pytest.raises(BadInput, match="neither"):
        explain(disk(tmp_path))


def test_links_do_not_lead_out_of_a_network_folder(tmp_path: Path) -> None:
    root, secret = tmp_path / "root", tmp_path / "secret.efi"
    (root / "deep").mkdir(parents=True)
    secret.write_bytes(tiny())
    (root / "boot.efi").symlink_to(secret)
    (root / "up").symlink_to(tmp_path)
    (root / "real.efi").write_bytes(tiny())
    (root / "deep" / "link.efi").symlink_to("../real.efi")
    for outside in ("boot.efi", "up/secret.efi", "../secret.efi"):
        assert explain(net(root, outside)).reason == "network-file-missing"
    assert explain(net(root, "deep/link.efi")).reason == "unsigned"


def test_a_large_folder_is_not_opened_whole(tmp_path: Path) -> None:
    for number in range(runner.MOST_FILES + 50):
        (tmp_path / f"{number:04}").write_bytes(b"x")
    (tmp_path / "zz").mkdir()
    (tmp_path / "zz" / "boot.efi").write_bytes(tiny())
    assert explain(net(tmp_path, "zz/boot.efi")).reason == "unsigned"


def run_instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let the runner start another program in the child's place."""
    monkeypatch.setattr(runner, "_PROGRAM", program)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"signal 11"),
        ("raise RuntimeError('in here')", "exit code 1"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSYS)", "sandbox forbids"),
        ("pass", "exit code 0"),
        ("print('no JSON')", "nonsense"),
        ("print('[]')", "nonsense"),
        ("""print('{"report": {"verdict": "yes"}}')""", "nonsense"),
        ("print('[' * 100000)", "nonsense"),
        ("print('x' * (4 << 20))", "nonsense"),
    ],
)
def test_a_child_that_fails_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, program: str, words: str
) -> None:
    image = fat(tmp_path / "x.img", {})
    run_instead(monkeypatch, program)
    with pytest.raises(Failed, match=words) as failed:
        explain(disk(image))
    assert "Traceback" not in failed.value.message
    assert ("in here" in caplog.text) == ("in here" in program), "its last words are for the service's log"


def test_a_child_without_an_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[asyncio.subprocess.Process] = []
    real = runner._start

    async def start(descriptors: Sequence[int], owner: tuple[int, int]) -> asyncio.subprocess.Process:
        children.append(await real(descriptors, owner))
        return children[-1]

    monkeypatch.setattr(runner, "_start", start)
    for program in ("while True: pass", "while True: print('x' * (4 << 20))"):
        run_instead(monkeypatch, program)
        with pytest.raises(TimedOut, match="disk0"):
            explain(disk(fat(tmp_path / "x.img", {})), seconds=2)
        assert children.pop().returncode is not None


def test_who_gives_up_ends_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"
    run_instead(monkeypatch, f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)")

    async def give_up() -> None:
        asking = asyncio.create_task(runner.explain([disk(fat(tmp_path / "x.img", {}))], trust()))
        while not pid.exists() or not pid.read_text():
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(asyncio.wait_for(give_up(), 60))
    assert not Path(f"/proc/{pid.read_text()}").exists()


def test_who_gives_up_while_media_are_opened_leaves_none_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    medium, begun, go_on = disk(fat(tmp_path / "x.img", {})), threading.Event(), threading.Event()
    opened = runner.open_medium

    def slowly(path: str) -> int:
        begun.set()
        assert go_on.wait(60)
        return opened(path)

    async def give_up() -> None:
        asking = asyncio.create_task(runner.explain([medium], trust()))
        assert await asyncio.to_thread(begun.wait, 60)
        asking.cancel()
        asyncio.get_running_loop().call_later(0.1, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await asking

    monkeypatch.setattr(runner, "open_medium", slowly)
    asyncio.run(asyncio.wait_for(give_up(), 60))
    there = [link.readlink() for link in Path("/proc/self/fd").iterdir() if os.path.lexists(link)]
    assert Path(medium.path) not in there


def test_the_child_has_no_environment_and_no_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIBAN_TOKEN", "secret")
    told = tmp_path / "told"
    other = os.open("/etc/passwd", os.O_RDONLY)  # as the service has some open
    os.set_inheritable(other, True)
    run_instead(
        monkeypatch,
        "import os, json, sys; files = [os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')"
        " if os.path.lexists(f'/proc/self/fd/{n}')];"
        f"json.dump([dict(os.environ), files, os.getcwd()], open({str(told)!r}, 'w'))",
    )
    with pytest.raises(Failed):
        explain(disk(fat(tmp_path / "x.img", {})))
    os.close(other)
    environment, files, directory = json.loads(told.read_text())
    assert not {name for name in environment if name != "LC_CTYPE"}, "Python itself may set that one"
    assert directory == "/"
    assert str(tmp_path / "x.img") in files
    assert "/etc/passwd" not in files


def test_a_complaint_of_the_child_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_instead(monkeypatch, r"""print(r'{"error": ["It is\u001b[2J broken.", "hint", "code"]}')""")
    with pytest.raises(Damaged) as told:
        explain(disk(fat(tmp_path / "x.img", {})))
    assert (told.value.message, told.value.reason) == ("It is?[2J broken.", "code")
