# SPDX-License-Identifier: GPL-2.0-or-later
"""Foreign images: nothing is believed that a hostile header says; some here are made byte by byte."""

import asyncio
import os
import signal
import socket
import struct
import subprocess
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiban.adapters.disk import images
from kiban.adapters.disk.formats import FORMATS, ImageFormat
from kiban.adapters.disk.headers import check_header
from kiban.errors import BadInput, NotFound
from kiban.model.units import GiB, MiB


def qcow2(  # every field that the check looks at, with a harmless default
    *,
    version: int = 3,
    backing: bytes = b"",
    incompatible: int = 0,
    size: int = 1 << 20,
    crypt: int = 0,
    cluster_bits: int = 16,
    backing_size: int | None = None,
) -> bytes:
    """A qcow2 header (docs/interop/qcow2.txt) with its tables left out."""
    at = 512 if backing else 0
    length = len(backing) if backing_size is None else backing_size
    head = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", version, at, length, cluster_bits, size, crypt, 1, 0x30000, 0x10000, 1, 0, 0
    )
    head += struct.pack(">QQQII", incompatible, 0, 0, 4, 104)
    return head.ljust(512, b"\0") + backing.ljust(65536 * 4 - 512, b"\0")


def vhd_footer(*, kind: int, data_offset: int = 512, size: int = 4 << 20) -> bytes:
    """A VHD footer with a right checksum; kind 2 is fixed, 3 dynamic, 4 differencing."""
    body = bytearray(512)
    struct.pack_into(">8sIIQ", body, 0, b"conectix", 2, 0x10000, data_offset)
    struct.pack_into(">QQ", body, 40, size, size)
    struct.pack_into(">I", body, 60, kind)
    struct.pack_into(">I", body, 64, ~sum(body) & 0xFFFFFFFF)
    return bytes(body)


def differencing_vhd(parent: str) -> bytes:
    """Footer copy, dynamic header with the parent's name, footer."""
    header = bytearray(1024)
    header[:8] = b"cxsparse"
    name = parent.encode("utf-16-be")
    header[64 : 64 + len(name)] = name
    footer = vhd_footer(kind=4)
    return footer + bytes(header) + footer


def vhdx(*, has_parent: bool, parent: str = "", entries: int | None = None) -> bytes:
    """File identifier, region table, metadata with file parameters and perhaps a parent locator; nothing else."""
    image = bytearray(3 << 20)
    image[:8] = b"vhdxfile"
    metadata = 2 << 20
    count = 1 if entries is None else entries
    struct.pack_into("<4sIII", image, 192 << 10, b"regi", 0, count, 0)
    region = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
    struct.pack_into("<16sQII", image, (192 << 10) + 16, region, metadata, 1 << 20, 1)
    struct.pack_into("<8sHH", image, metadata, b"metadata", 0, 2)
    parameters = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
    locator = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le
    struct.pack_into("<16sIII", image, metadata + 32, parameters, 65536, 8, 4)
    struct.pack_into("<16sIII", image, metadata + 64, locator, 65536 + 8, 512, 4)
    struct.pack_into("<II", image, metadata + 65536, 1 << 20, 2 if has_parent else 0)
    key, value = "relative_path".encode("utf-16-le"), parent.encode("utf-16-le")
    at = metadata + 65536 + 8
    struct.pack_into("<16sHHIIHH", image, at, bytes(16), 0, 1, 64, 128, len(key), len(value))
    image[at + 64 : at + 64 + len(key)] = key
    image[at + 128 : at + 128 + len(value)] = value
    return bytes(image)


def inspect(path: Path, format: str) -> images.ImageInfo:
    return asyncio.run(images.inspect(path, format))


def refusal(path: Path, format: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        inspect(path, format)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


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


def test_references_to_other_files_and_keys_are_refused_and_never_opened(tmp_path: Path) -> None:
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
    for method in (1, 2):  # AES, LUKS
        path.write_bytes(qcow2(crypt=method))
        assert refusal(path, "qcow2").reason == "encrypted-image"
    path.write_bytes(qcow2(incompatible=4))
    assert refusal(path, "qcow2").reason == "has-data-file"


def test_references_that_qemu_img_made_are_refused(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.write_bytes(bytes(MiB))
    run = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*run, "-b", base, "-F", "raw", tmp_path / "overlay"], check=True)
    subprocess.run([*run, "-o", f"data_file={tmp_path / 'd'}", tmp_path / "outside", "1M"], check=True)
    assert refusal(tmp_path / "overlay", "qcow2").reason == "has-backing-file"
    assert refusal(tmp_path / "outside", "qcow2").reason == "has-data-file"


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
