# SPDX-License-Identifier: GPL-2.0-or-later
"""Images: exact sizes, nothing half made, and nothing believed that a hostile header says."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from disk_specimens import differencing_vhd, qcow2, vhd_footer, vhdx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiban.adapters.disk import images, space
from kiban.adapters.disk.formats import FORMATS, ImageFormat
from kiban.adapters.disk.headers import check_header
from kiban.adapters.disk.tool import Outcome, qemu_img
from kiban.errors import BadInput, Conflict, HostLacks, NotAllowed, NotFound
from kiban.model.units import GiB, MiB, TiB


def inspect(path: Path, format: str) -> images.ImageInfo:
    return asyncio.run(images.inspect(path, format))


def refusal(path: Path, format: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        inspect(path, format)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("fixed", [False, True])
def test_a_new_image_has_exactly_the_size_asked_for(tmp_path: Path, format: str, fixed: bool) -> None:
    path = tmp_path / f"disk,x=y:{format}"  # commas and colons mean something in QEMU's own syntax
    asyncio.run(images.create(path, format, 37 * MiB, fixed=fixed))
    info = inspect(path, format)
    assert (info.virtual_size, info.format) == (37 * MiB, format)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600
    if fixed:
        assert info.actual_size >= 37 * MiB
    else:
        assert info.actual_size < 20 * MiB


@pytest.mark.parametrize(("format", "size"), [("vhd", 2040 * GiB), ("vhdx", 64 * TiB), ("qcow2", 64 * TiB)])
def test_the_largest_disk_of_a_format_is_exact_too(tmp_path: Path, format: str, size: int) -> None:
    asyncio.run(images.create(tmp_path / "big", format, size))
    assert inspect(tmp_path / "big", format).virtual_size == size


@pytest.mark.parametrize(
    ("format", "size"),
    [("vhd", 2041 * GiB), ("vhdx", 65 * TiB), ("raw", 1000), ("vhd", 5 * MiB + 512), ("vhdx", MiB), ("qcow2", 0),
     ("raw", -512), ("qcow2", 64 * TiB + 512), ("vmdk", GiB), ("vpc", GiB)],
)  # fmt: skip
def test_sizes_that_no_such_disk_has_are_refused(tmp_path: Path, format: str, size: int) -> None:
    with pytest.raises(BadInput):
        asyncio.run(images.create(tmp_path / "disk", format, size))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_text("precious")
    with pytest.raises(Conflict):
        asyncio.run(images.create(path, "qcow2", GiB))
    assert path.read_text() == "precious"


def test_a_file_that_appears_while_the_image_is_made_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "disk"

    async def slower(*arguments: str, keep: tuple[int, ...]) -> Outcome:
        path.write_text("precious")
        return Outcome(0, "", "")

    monkeypatch.setattr(images, "qemu_img", slower)
    with pytest.raises(Conflict):
        asyncio.run(images.create(path, "qcow2", GiB))
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_two_creations_of_one_image_make_one(tmp_path: Path) -> None:
    async def both() -> list[BaseException | None]:
        tasks = [images.create(tmp_path / "disk", "qcow2", GiB) for _ in range(2)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(both())
    assert results.count(None) == 1
    assert [type(r) for r in results if r is not None] == [Conflict]
    assert inspect(tmp_path / "disk", "qcow2").virtual_size == GiB


def test_missing_folder_and_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        asyncio.run(images.create(tmp_path / "no" / "disk", "qcow2", GiB))
    if os.geteuid() == 0:
        return  # root writes everywhere
    tmp_path.chmod(0o500)
    with pytest.raises(NotAllowed):
        asyncio.run(images.create(tmp_path / "disk", "qcow2", GiB))


def test_a_fixed_disk_needs_its_space_first(tmp_path: Path) -> None:
    size = (space.free_bytes(tmp_path) // GiB + 1) * GiB
    if size > 60 * TiB:
        pytest.skip("a disk this large cannot be filled by a format's largest image")
    with pytest.raises(HostLacks) as caught:
        asyncio.run(images.create(tmp_path / "disk", "raw", size, fixed=True))
    assert "free" in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*arguments: str, keep: tuple[int, ...]) -> Outcome:
        (tmp_path / ".disk.part").write_bytes(b"half")
        return Outcome(1, "", f"qemu-img: {arguments[-2]}: No space left on device")

    monkeypatch.setattr(images, "qemu_img", full)
    with pytest.raises(HostLacks):
        asyncio.run(images.create(tmp_path / "disk", "raw", MiB))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_creation_left_is_used_again(tmp_path: Path) -> None:
    program = (
        "import asyncio, os, signal, sys; from pathlib import Path; from kiban.adapters.disk import images\n"
        "images._finish = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(images.create(Path(sys.argv[1]), 'qcow2', 1 << 30))\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path / "disk")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [p.name for p in tmp_path.iterdir()] == [".disk.part"]
    asyncio.run(images.create(tmp_path / "disk", "vhdx", GiB))
    assert [p.name for p in tmp_path.iterdir()] == ["disk"]
    assert inspect(tmp_path / "disk", "vhdx").virtual_size == GiB


def test_cancelling_a_creation_leaves_nothing(tmp_path: Path) -> None:
    async def cancelled() -> None:
        task = asyncio.create_task(images.create(tmp_path / "disk", "vhdx", 64 * MiB, fixed=True))
        while not os.listdir(tmp_path):  # noqa: PTH208  (asynchronous code may not use Path)
            assert not task.done()
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert list(tmp_path.iterdir()) == []


def test_things_that_are_not_files(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        inspect(tmp_path / "none", "qcow2")
    assert "directory" in refusal(tmp_path, "raw").message
    os.mkfifo(tmp_path / "pipe")
    assert "pipe" in refusal(tmp_path / "pipe", "raw").message
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        refusal(tmp_path / "sock", "raw")
    assert "character device" in refusal(Path("/dev/null"), "raw").message
    (tmp_path / "empty").touch()
    assert "empty" in refusal(tmp_path / "empty", "raw").message


@pytest.mark.parametrize("real", FORMATS)
@pytest.mark.parametrize("named", FORMATS)
def test_the_wrong_format_is_refused_naming_the_right_one(tmp_path: Path, real: str, named: str) -> None:
    path = tmp_path / "disk"
    asyncio.run(images.create(path, real, 4 * MiB))
    if real == named:
        assert inspect(path, named).virtual_size == 4 * MiB
        return
    error = refusal(path, named)
    assert error.reason == "wrong-format"
    assert f"format={real}" in error.hint


def test_references_to_other_files_are_refused_and_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    for backing in (b"/etc/passwd", b'json:{"driver":"raw"}', b"nbd:127.0.0.1:9", b"\x1b[31m\xff"):
        path.write_bytes(qcow2(backing=backing))
        error = refusal(path, "qcow2")
        assert error.reason == "has-backing-file"
        assert "\x1b" not in error.message
    path.write_bytes(qcow2(backing=b"/etc/shadow", version=2))
    assert refusal(path, "qcow2").reason == "has-backing-file"
    path.write_bytes(qcow2(backing=b"x", backing_size=0))
    assert refusal(path, "qcow2").reason == "has-backing-file"
    path.write_bytes(qcow2(incompatible=4))
    assert refusal(path, "qcow2").reason == "has-data-file"


def test_references_that_qemu_img_made_are_refused(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.write_bytes(bytes(MiB))
    run = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*run, "-b", base, "-F", "raw", tmp_path / "overlay"], check=True)
    subprocess.run([*run, "-o", f"data_file={tmp_path / 'd'}", tmp_path / "outside", "1M"], check=True)
    secret = ["--object", "secret,id=s,data=x", "-o", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10"]
    subprocess.run([*run, *secret, tmp_path / "secret", "1M"], check=True, stdout=subprocess.DEVNULL)
    assert refusal(tmp_path / "overlay", "qcow2").reason == "has-backing-file"
    assert refusal(tmp_path / "outside", "qcow2").reason == "has-data-file"
    assert refusal(tmp_path / "secret", "qcow2").reason == "encrypted-image"


def test_a_differencing_disk_is_refused_naming_its_parent(tmp_path: Path) -> None:
    (tmp_path / "a.vhd").write_bytes(differencing_vhd("base.vhd"))
    (tmp_path / "b.vhdx").write_bytes(vhdx(has_parent=True, parent="..\\base.vhdx"))
    for name, format, parent in (("a.vhd", "vhd", "base.vhd"), ("b.vhdx", "vhdx", "..\\base.vhdx")):
        error = refusal(tmp_path / name, format)
        assert error.reason == "needs-parent"
        assert parent in error.message
    # the footer copy at the start says dynamic, the one at the end says differencing
    (tmp_path / "c.vhd").write_bytes(vhd_footer(kind=3) + bytes(2048) + vhd_footer(kind=4))
    assert refusal(tmp_path / "c.vhd", "vhd").reason == "needs-parent"


def test_lying_and_truncated_headers(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    lies = {
        "qcow2": [qcow2(size=1 << 62), qcow2(size=0xFFFFFFFFFFFFFE00), qcow2(size=0), qcow2(cluster_bits=40),
                  qcow2(version=9), qcow2(incompatible=1 << 40), qcow2(incompatible=2), qcow2()[:60], qcow2()[:4096]],
        "vhd": [vhd_footer(kind=2, size=1 << 60) * 2, vhd_footer(kind=7) * 2, vhd_footer(kind=3)[:-1] + b"x",
                vhd_footer(kind=3) + bytes(4096), b"conectix"],
        "vhdx": [vhdx(has_parent=False), vhdx(has_parent=False, entries=0xFFFFFFFF), b"vhdxfile"],
    }  # fmt: skip
    path.write_bytes(qcow2())
    assert (
        inspect(path, "qcow2").virtual_size == 1 << 20
    )  # the specimen itself is sound, so each lie below is what counts
    for format, specimens in lies.items():
        for specimen in specimens:
            path.write_bytes(specimen)
            assert refusal(path, format).reason == "damaged-image", specimen[:128]


@pytest.mark.parametrize("format", ["qcow2", "vhd", "vhdx"])
def test_a_real_image_cut_short_is_refused(tmp_path: Path, format: str) -> None:
    path = tmp_path / "disk"
    asyncio.run(images.create(path, format, 64 * MiB))
    whole = path.read_bytes()
    for length in (4, 100, 513, len(whole) // 3):
        path.write_bytes(whole[:length])
        assert refusal(path, format).reason in {"damaged-image", "wrong-format"}


def test_a_running_machines_disk_can_be_looked_at(tmp_path: Path) -> None:
    """qemu-nbd --read-only=off holds the same lock as a running machine does."""
    path, pid_file = tmp_path / "disk", tmp_path / "pid"
    asyncio.run(images.create(path, "qcow2", GiB))
    sock = tmp_path / "nbd"
    holder = ["qemu-nbd", "-f", "qcow2", "-k", str(sock), "--persistent", "--fork", f"--pid-file={pid_file}", str(path)]
    subprocess.run(holder, check=True)
    try:
        plain = subprocess.run(["qemu-img", "info", "-f", "qcow2", path], check=False, capture_output=True)
        assert b"lock" in plain.stderr  # otherwise this test shows nothing
        assert inspect(path, "qcow2").virtual_size == GiB
    finally:
        os.kill(int(pid_file.read_text()), signal.SIGTERM)


def test_no_parser_runs_away_with_memory(tmp_path: Path) -> None:
    """prlimit's limits reach the child: a qemu-img that wants more than it may have fails instead of growing."""
    outcome = asyncio.run(qemu_img("info", "/dev/null", limits=("--as=1000000",)))
    assert outcome.status != 0
    assert json.loads(asyncio.run(qemu_img("info", "--output=json", "-f", "raw", __file__)).output)


def test_without_qemu_img_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostLacks) as caught:
        asyncio.run(images.create(tmp_path / "disk", "qcow2", GiB))
    assert "qemu-utils" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


SEEDS = [qcow2()[:2048], qcow2(backing=b"/etc/passwd")[:2048], vhd_footer(kind=3) * 2, differencing_vhd("p")]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    form=st.sampled_from(list(FORMATS.values())),
    seed=st.sampled_from([*SEEDS, b""]),
    changes=st.lists(st.tuples(st.integers(0, 2047), st.binary(min_size=1, max_size=16)), max_size=6),
)
def test_the_header_check_only_ever_raises_bad_input(
    tmp_path: Path, form: ImageFormat, seed: bytes, changes: list[tuple[int, bytes]]
) -> None:
    data = bytearray(seed)
    for at, change in changes:
        data[at : at + len(change)] = change
    check_bytes(tmp_path / "fuzz", bytes(data), form)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(
        st.tuples(st.sampled_from([192 << 10, 2 << 20, (2 << 20) + 65536]), st.integers(0, 96), st.binary(min_size=1)),
        max_size=6,
    )
)
def test_the_vhdx_check_only_ever_raises_bad_input(tmp_path: Path, changes: list[tuple[int, int, bytes]]) -> None:
    data = bytearray(vhdx(has_parent=True, parent="p"))
    for base, at, change in changes:
        data[base + at : base + at + len(change)] = change
    check_bytes(tmp_path / "fuzz", bytes(data), FORMATS["vhdx"])


def check_bytes(path: Path, data: bytes, form: ImageFormat) -> None:
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        check_header(descriptor, path, form)
    except BadInput:
        pass  # any other exception fails the test
    finally:
        os.close(descriptor)
