# SPDX-License-Identifier: GPL-2.0-or-later
"""Variable stores as files: templates, Secure Boot, damage, and that virt-firmware reads what we write."""

import struct
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from kiban.adapters.firmware import templates, varstore
from kiban.adapters.firmware.descriptors import find_uefi
from kiban.adapters.firmware.edk2vars import GLOBAL, Variable, VariableStore, peek
from kiban.errors import BadInput, Conflict, Damaged, HostLacks, NotFound

RECORD = 60  # bytes before a variable's name
OTHER = UUID("12345678-1234-1234-1234-123456789abc")


@pytest.fixture
def empty() -> Path:
    """The installed firmware's own empty store."""
    try:
        return find_uefi("pc-q35-7.2", secure_boot=True).vars_template
    except HostLacks as error:
        pytest.skip(str(error))


def switch(path: Path, on: bool) -> None:
    nvram = VariableStore.load(path)
    varstore.set_secure_boot(nvram, on)
    nvram.save(path)


@pytest.fixture
def store(empty: Path, tmp_path: Path) -> Path:
    path = tmp_path / "nvram"
    varstore.create_store(empty, path, templates.keys_of("microsoft-uefi-ca"))
    return path


def test_virt_firmware_reads_the_same_variables(store: Path) -> None:
    from virt.firmware.varstore.edk2 import Edk2VarStore

    theirs = {(str(v.name), v.guid): v.data for v in Edk2VarStore(str(store)).get_varlist().values()}
    ours = {key: variable.data for key, variable in VariableStore.load(store).variables.items()}
    assert ours == theirs
    assert {"PK", "KEK", "db", "dbx", "SecureBootEnable", "CustomMode"} == {name for name, _ in ours}


def test_switching_secure_boot_changes_one_variable(store: Path) -> None:
    guest = Variable("GuestThing", b"x" * 33, OTHER, 7)
    nvram = VariableStore.load(store)
    nvram.put(guest)
    nvram.put(Variable("GuestThing", b"other vendor"))
    nvram.save(store)
    before = VariableStore.load(store).variables
    store.chmod(0o640)
    switch(store, False)
    after = VariableStore.load(store).variables
    assert {key[0] for key in before if before[key] != after[key]} == {"SecureBootEnable"}
    assert before.keys() == after.keys()
    assert not varstore.describe_store(store).secure_boot
    assert store.stat().st_mode & 0o777 == 0o640
    switch(store, True)
    assert VariableStore.load(store).variables == before


def test_secure_boot_needs_a_platform_key(empty: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.write_bytes(empty.read_bytes())
    assert not varstore.describe_store(bare).secure_boot
    with pytest.raises(BadInput, match="platform key"):
        switch(bare, True)


def test_an_existing_store_is_not_overwritten(empty: Path, store: Path) -> None:
    before = store.read_bytes()
    with pytest.raises(Conflict):
        varstore.create_store(empty, store, templates.keys_of("microsoft-windows"))
    assert store.read_bytes() == before


def test_a_half_written_replacement_counts_until_it_is_complete(store: Path) -> None:
    blob = bytearray(store.read_bytes())
    name = "SecureBootEnable".encode("utf-16-le")
    record = blob.index(name) - 60
    assert struct.unpack_from("<H", blob, record) == (0x55AA,)
    blob[record + 2] = 0x3E  # in deleted transition
    key = next(key for key in VariableStore.load(store).variables if key[0] == "SecureBootEnable")
    assert key in VariableStore.parse(bytes(blob), "x").variables
    blob[record + 2] = 0x3C  # deleted
    assert key not in VariableStore.parse(bytes(blob), "x").variables


def test_damage_is_said_and_never_followed(store: Path, tmp_path: Path) -> None:
    blob = store.read_bytes()
    record = blob.index(struct.pack("<H", 0x55AA))
    for length in (struct.pack("<LL", 0xFFFFFFFE, 1), struct.pack("<LL", 3, 1), struct.pack("<LL", 4, 0xFFFFFFFF)):
        with pytest.raises(Damaged):
            VariableStore.parse(blob[: record + 36] + length + blob[record + 44 :], "x")
    for cut in (0, 10, 70, 90, 5000):
        with pytest.raises(Damaged):
            VariableStore.parse(blob[:cut], "x")
    (tmp_path / "text").write_text("no store " * 1000)
    with pytest.raises(Damaged):
        varstore.describe_store(tmp_path / "text")
    with pytest.raises(NotFound):
        varstore.describe_store(tmp_path / "absent")


@pytest.mark.parametrize(
    "junk", [b"\1", b"\0" * 28, bytes(16) + struct.pack("<LLL", 60, 0, 0) + bytes(32), b"\xff" * 80]
)
def test_junk_in_a_key_variable_is_damage(store: Path, junk: bytes) -> None:
    nvram = VariableStore.load(store)
    nvram.put(Variable("KEK", junk))
    nvram.save(store)
    with pytest.raises(Damaged):
        varstore.describe_store(store)


def test_a_store_that_is_full_stays_as_it_was(store: Path) -> None:
    before = store.read_bytes()
    nvram = VariableStore.load(store)
    nvram.put(Variable("Huge", bytes(len(before))))
    with pytest.raises(BadInput, match="room for"):
        nvram.save(store)
    assert store.read_bytes() == before
    assert [path.name for path in store.parent.iterdir()] == ["nvram"]


def test_reading_a_store_does_not_import_cryptography(store: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from kiban.adapters.firmware import trust;"
        f"trust.read(Path({str(store)!r})); sys.exit('cryptography' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_short_look_sees_what_the_whole_store_has(store: Path) -> None:
    nvram = VariableStore.load(store)
    nvram.put(Variable("Large", b"x" * 100_000, OTHER))
    nvram.put(Variable("Behind", b"y" * 9, OTHER))
    nvram.save(store)
    wanted = {("Behind", OTHER), ("PK", GLOBAL), ("Nowhere", OTHER), ("PK", OTHER)}
    whole = VariableStore.load(store).variables
    assert peek(store, wanted) == {key: whole[key] for key in (("PK", GLOBAL), ("Behind", OTHER))}
    assert list(whole)[-1] == ("Behind", OTHER), "the look goes past what its buffer holds"


def test_a_short_look_takes_the_variable_that_counts(store: Path) -> None:
    """As the firmware leaves a store when it is turned off in the middle of a change, or after one."""
    nvram = VariableStore.load(store)
    nvram.put(Variable("Twice", b"before", OTHER))
    nvram.put(Variable("Third", b"-", OTHER))
    blob = nvram.to_bytes()
    at = blob.index("Twice".encode("utf-16-le")) - RECORD + 2
    again = Variable("Twice", b"after!", OTHER).record()
    end = blob.index("Third".encode("utf-16-le")) - RECORD
    for state, added, seen in ((0x3E, b"", b"before"), (0x3E, again, b"after!"), (0x3C, again, b"after!")):
        changed = blob[:at] + bytes([state]) + blob[at + 1 : end] + added
        store.write_bytes(changed.ljust(len(blob), b"\xff"))
        key = "Twice", OTHER
        assert peek(store, {key})[key].data == VariableStore.load(store).variables[key].data == seen


@pytest.mark.parametrize("size", [0, 30, 80, 500, 100_000])
def test_a_short_look_at_a_short_file_is_refused(store: Path, size: int) -> None:
    with store.open("r+b") as file:
        file.truncate(size)
    with pytest.raises(Damaged):
        peek(store, {("PK", GLOBAL)})
    with pytest.raises(NotFound):
        peek(store.with_name("none"), set())


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(17 << 20)
    for look in (VariableStore.load, lambda path: peek(path, set())):
        with pytest.raises(Damaged, match="too large"):
            look(tmp_path / "large")
