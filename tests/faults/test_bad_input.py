# SPDX-License-Identifier: GPL-2.0-or-later
"""What people get wrong and hosts lack, through the real command line: a sentence, a hint, an exit code, no traces.

Exit codes are those of `kiban.errors`.
"""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults_fork import kiban
from faults_ground import Ground, Said, fresh
from faults_invariants import check

from kiban.model.requests import DiskRequest

MIB = 1 << 20
BAD, MISSING, CONFLICT, LACKS, DAMAGED, FAILED = 2, 3, 4, 6, 7, 8


@pytest.fixture(scope="module")
def shared() -> Iterator[Ground]:
    """One service for all cases, since none of them may change anything."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("QEMU is not installed")
    with fresh() as ground:
        ground.serve()
        client = ground.client()
        client.create("taken", generation=1, memory=16 * MIB, disks=(DiskRequest(size=MIB),))
        client.create("up", generation=1, memory=16 * MIB, disks=(DiskRequest(size=MIB),))
        client.start("up")
        _files(ground.folder)
        yield ground


def _files(folder: Path) -> None:
    (folder / "text.iso").write_text("this is no ISO\n" * 4000)
    (folder / "text.img").write_text("this is no disk\n" * 4000)
    (folder / "short.iso").write_bytes(b"")
    (folder / "floppy.img").write_bytes(bytes(1440 * 1024))
    (folder / "folder.iso").mkdir()
    os.mkfifo(folder / "pipe.iso")
    (folder / "qcow2.img").write_bytes(b"QFI\xfb" + bytes(2000))


def refused(ground: Ground, said: Said, code: int, *words: str) -> None:
    """It said one sentence and a hint, and the code; the machines are as they are checked to be."""
    assert said.code == code, said
    lines = said.err.strip().splitlines()
    assert len(lines) == 2, said.err
    assert lines[0].endswith((".", "?")), lines[0]
    assert lines[1].startswith("hint: "), lines[1]
    assert len(lines[1]) > len("hint: x")
    assert "Traceback" not in said.err + ground.log(), ground.log()
    assert all(word in said.err for word in words), said.err


CASES: dict[str, tuple[int, str, str]] = {
    # what is typed after `kiban`, the exit code, and a word of the sentence
    "no such machine": (MISSING, "start nobody", "nobody"),
    "close to a machine": (MISSING, "start takne", "taken"),
    "name taken": (CONFLICT, "create taken", "taken"),
    "renamed to a taken one": (CONFLICT, "rename up taken", "taken"),
    "unsafe name": (BAD, "create ../../etc/passwd", "passwd"),
    "name that is an option": (BAD, "create -- -rf", "-rf"),
    "name with a space": (BAD, "create |a b|", "a b"),
    "long name": (BAD, f"create {'x' * 64}", "xxx"),
    "rename to an unsafe name": (BAD, "rename taken a/b", "a/b"),
    "no such disk": (MISSING, "create x --disk nothere.vhdx,format=vhdx", "nothere.vhdx"),
    "no such ISO": (MISSING, "create x --dvd nothere.iso", "nothere.iso"),
    "no such floppy": (MISSING, "create x --generation 1 --floppy nothere.img", "nothere.img"),
    "no such boot folder": (MISSING, "create x --pxe nothere,file=a", "nothere"),
    "an ISO that is text": (BAD, "create x --dvd text.iso", "text.iso"),
    "an ISO that is empty": (BAD, "create x --dvd short.iso", "short.iso"),
    "an ISO that is a folder": (BAD, "create x --dvd folder.iso", "folder.iso"),
    "an ISO that is a pipe": (BAD, "create x --dvd pipe.iso", "pipe.iso"),
    "a disk that is a device": (BAD, "create x --disk /dev/null,format=raw", "/dev/null"),
    "wrong format": (BAD, "create x --disk text.img,format=vhdx", "text.img"),
    "wrong format, and a copy": (BAD, "create x --disk text.img,format=qcow2,copy", "text.img"),
    "damaged image": (BAD, "create x --disk qcow2.img,format=qcow2", "qcow2.img"),
    "no format named": (BAD, "create x --disk text.img", "text.img"),
    "unknown format": (BAD, "create x --disk text.img,format=vmdk", "vmdk"),
    "a disk of nothing": (BAD, "create x --disk 0", "0"),
    "a disk of less": (BAD, "create x --disk=-5G", "-5G"),
    "a disk too large": (BAD, "create x --disk 65T,format=vhdx", ""),
    "a disk of odd size": (BAD, "create x --disk 1000001", ""),
    "a size in words": (BAD, "create x --memory lots", "lots"),
    "no memory": (BAD, "create x --memory 0", ""),
    "memory beyond the contract": (BAD, "create x --memory 900T", ""),
    "odd memory": (BAD, "create x --memory 1000001", ""),
    "too many processors": (BAD, "create x --generation 1 --cpus 65", "65"),
    "no processors": (BAD, "create x --cpus 0", "--cpus"),
    "no such generation": (BAD, "create x --generation 3", "3"),
    "a floppy on generation 2": (BAD, "create x --floppy floppy.img", "generation 1"),
    "IDE on generation 2": (BAD, "create x --disk 1G,bus=ide", "IDE"),
    "boot from SCSI on generation 1": (BAD, "create x --generation 1 --disk 1G,bus=scsi --boot disk", "bus=ide"),
    "Secure Boot on generation 1": (BAD, "create x --generation 1 --secure-boot on", "Secure Boot"),
    "a TPM on generation 1": (BAD, "create x --generation 1 --tpm", "TPM"),
    "a second disk that is wrong": (MISSING, "create x --disk 1G --disk nothere,format=raw", "nothere"),
    "edited while running": (CONFLICT, "set up --memory 1G", "running"),
    "removed while running": (CONFLICT, "remove --yes up", "running"),
    "started while running": (CONFLICT, "start up", "running"),
    "stopped while off": (CONFLICT, "stop taken", "off"),
    "saved while off": (CONFLICT, "save taken", "off"),
    "hot-added on IDE": (CONFLICT, "set up --add-disk 1G,bus=ide", "IDE"),
    "no such device": (MISSING, "set taken --remove-device disk7", "disk7"),
    "removed without being sure": (BAD, "remove taken", "taken"),
    "no such command": (BAD, "dance", "dance"),
    "no such option": (BAD, "start --gently taken", "--gently"),
    "bad port": (BAD, "create x --nic nat,forward=99999:22", "99999"),
    "no such job": (MISSING, "job show 1234", "1234"),
    "no such key": (BAD, "key up ctrl-banana", "banana"),
    "an address that is none": (BAD, "ls@KIBAN_URL=ftp://x", "ftp"),
    "nobody at the address": (10, "ls@KIBAN_URL=unix:///tmp/kf-nowhere.sock", "kf-nowhere"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_people_get_wrong(shared: Ground, case: str) -> None:
    code, typed, word = CASES[case]
    typed, _, setting = typed.partition("@")
    name, _, value = setting.partition("=")
    before = shared.tree()
    words = [part for n, piece in enumerate(typed.split("|")) for part in ([piece] if n % 2 else piece.split())]
    refused(shared, kiban(shared, *words, env={name: value} if name else {}), code, word)
    assert shared.tree() == before


def test_nothing_has_changed_after_all_that(shared: Ground) -> None:
    machines = check(shared)
    assert {name: m.state for name, m in machines.items()} == {"taken": "off", "up": "running"}


def test_more_memory_than_there_is(ground: Ground) -> None:
    """Within the contract, so it may be made; but it cannot be started here."""
    assert ground.kiban("create", "m", "--generation", "1", "--memory", "900G").code == 0
    before = ground.tree()
    refused(ground, ground.kiban("start", "m"), LACKS, "900 GiB", "kiban set m --memory")
    assert ground.tree() == {**before, **_status(ground)}
    assert check(ground)["m"].state == "off"
    assert "900 GiB" in check(ground)["m"].reason


def _status(ground: Ground) -> dict[str, int | str]:
    """The reason of a failed start is kept; nothing else may be."""
    return {name: size for name, size in ground.tree().items() if name.endswith("status.json")}


def test_a_busy_port(ground: Ground) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert ground.kiban("create", "m", "--generation", "1", "--nic", f"nat,forward={port}:22").code == 0
        refused(ground, ground.kiban("start", "m"), CONFLICT, str(port))
        assert check(ground)["m"].state == "off"
        refused(ground, ground.kiban("serve", "--listen", f"127.0.0.1:{port}"), CONFLICT)
    assert ground.kiban("start", "m").code == 0
    check(ground)


def test_a_busy_port_of_the_service(ground: Ground) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        said = ground.kiban("serve", "--listen", f"127.0.0.1:{port}")
    refused(ground, said, CONFLICT, str(port))
    assert ground.kiban("ls").code == 0, "the service that could not start is in the way of the next"


def damaged_by(change: Callable[[Path], object], code: int) -> Callable[[Ground], None]:
    def test(ground: Ground) -> None:
        assert ground.kiban("create", "m", "--generation", "1", "--disk", "1M").code == 0
        assert ground.kiban("create", "other", "--generation", "1").code == 0
        machine_id = ground.client().machine("m").id
        ground.kill_service()
        directory = ground.paths.machines / machine_id
        change(directory / "vm.json")
        before = ground.tree()
        for command in (("start",), ("set", "--notes", "x"), ("rename",)):
            more = ["n"] if command == ("rename",) else []
            refused(ground, ground.kiban(command[0], machine_id, *command[1:], *more), code, machine_id)
        after = {name: value for name, value in ground.tree().items() if not name.endswith("status.json")}
        assert after == before, "nothing of a damaged machine may be touched"
        listed = json.loads(ground.kiban("ls", "-o", "json").out)
        assert [m["name"] for m in listed if not m["problem"]] == ["other"]
        [problem] = [m["problem"] for m in listed if m["problem"]]
        assert "vm.json" in problem
        assert machine_id in ground.kiban("ls").out
        assert ground.kiban("info", machine_id).code == 0
        assert ground.kiban("start", "other").code == 0, "one damaged machine must not keep the others from running"
        assert ground.kiban("stop", "--force", "other").code == 0
        removed = ground.kiban("remove", "--yes", machine_id)
        assert removed.code == 0, removed
        assert not directory.exists()
        check(ground)

    return test


def _other_version(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))


test_a_vm_json_that_is_cut_short = damaged_by(lambda path: os.truncate(path, 100), DAMAGED)
test_a_vm_json_that_is_missing = damaged_by(lambda path: path.unlink(), DAMAGED)
test_a_directory_of_another_version = damaged_by(_other_version, DAMAGED)


def without(ground: Ground, *programs: str) -> dict[str, str]:
    """A PATH with everything but some programs."""
    folder = ground.folder / "bin"
    folder.mkdir(exist_ok=True)
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*") if os.access(place, os.R_OK | os.X_OK) else ():
            link = folder / program.name
            if program.name not in programs and not link.is_symlink() and os.access(program, os.X_OK):
                link.symlink_to(program)
    return {"PATH": str(folder)}


GEN1, GEN2 = ("--generation", "1", "--memory", "16M"), ("--memory", "128M")


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("qemu-system-x86_64", GEN1),
        ("qemu-img", (*GEN1, "--disk", "1M")),
        ("swtpm_setup", (*GEN2, "--tpm")),
    ],
)
def test_a_program_that_is_missing_when_a_machine_is_made(
    ground: Ground, program: str, arguments: tuple[str, ...]
) -> None:
    ground.serve(without(ground, program))
    before = ground.tree()
    refused(ground, ground.kiban("create", "m", *arguments), LACKS, program, "apt install")
    assert ground.tree() == before
    assert check(ground) == {}
    doctor = json.loads(ground.kiban("doctor", "-o", "json").out)
    assert [f for f in doctor if not f["ok"] and "apt install" in f["hint"]], doctor


@pytest.mark.parametrize(("program", "arguments"), [("qemu-system-x86_64", GEN1), ("swtpm", (*GEN2, "--tpm"))])
def test_a_program_that_is_missing_when_a_machine_starts(
    ground: Ground, program: str, arguments: tuple[str, ...]
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    assert ground.kiban("create", "m", *arguments).code == 0
    ground.kill_service()
    ground.serve(without(ground, program))
    refused(ground, ground.kiban("start", "m"), LACKS, program, "apt install")
    assert check(ground)["m"].state == "off"
    ground.kill_service()
    assert ground.kiban("start", "m").code == 0, "it does not start with the program back in its place"
    check(ground)


def test_missing_firmware(ground: Ground) -> None:
    """An empty descriptor of the user's own hides the system's of that name (QEMU's firmware.json says so)."""
    hiding = ground.folder / "config" / "qemu" / "firmware"
    hiding.mkdir(parents=True)
    for place in ("/usr/share/qemu/firmware", "/etc/qemu/firmware"):
        for descriptor in Path(place).glob("*.json"):
            (hiding / descriptor.name).touch()
    ground.serve({"XDG_CONFIG_HOME": str(ground.folder / "config")})
    before = ground.tree()
    refused(ground, ground.kiban("create", "m"), LACKS, "firmware", "ovmf")
    assert ground.tree() == before
    assert ground.kiban("create", "old", *GEN1).code == 0, "generation 1 needs none"
    check(ground)


def test_a_state_directory_that_cannot_be_one(ground: Ground) -> None:
    file = ground.folder / "file"
    file.touch()
    said = ground.kiban("ls", env={"KIBAN_STATE": str(file / "s")})
    assert said.code in (5, LACKS), said
    assert len(said.err.strip().splitlines()) == 2, said.err
    assert "Traceback" not in said.err


def test_a_runtime_directory_with_too_long_a_path(ground: Ground) -> None:
    said = ground.kiban("ls", env={"KIBAN_RUNTIME": str(ground.folder / ("x" * 120))})
    assert said.code != 0
    assert len(said.err.strip().splitlines()) == 2, said.err
    assert "KIBAN_RUNTIME" in said.err
    assert "Traceback" not in said.err + ground.log()
