# SPDX-License-Identifier: GPL-2.0-or-later
"""The tree itself: its lists of packages agree, files stay short, and the documents are true of what is there."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
import typer

from kiban import errors
from kiban.adapters.qemu import process
from kiban.cli import app
from kiban.demo.guest_build import HOST_PACKAGES
from kiban.model.generations import GEN1, GEN2, Generation
from kiban.web.contract import ROWS
from kiban.web.words import Words

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
UNITS = sorted((ROOT / "packaging" / "systemd").rglob("*.service"))
LOCKS = ["requirements.lock", "requirements-dev.lock"]
MAX_LINES, MAX_BODY = 500, 60
ERRORS = {name for name, found in vars(errors).items() if isinstance(found, type) and issubclass(found, Exception)}
PROGRAMS = {"apt", "chmod", "kiban", "ls", "mkdir", "tail"}
"""Those that hints of errors begin with."""


def host_packages(*lists: str) -> set[str]:
    lines = [line for name in lists for line in (ROOT / "packaging" / name).read_text().splitlines()]
    return {line for line in lines if line and not line.startswith("#")}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


# packages


def test_the_host_gets_every_program_that_the_guest_builders_run() -> None:
    assert set(HOST_PACKAGES.values()) <= host_packages("debian-packages.txt")


def test_the_host_gets_every_package_that_a_hint_names() -> None:
    known = host_packages("debian-packages.txt", "debian-packages-test.txt", "debian-packages-unpacked.txt")
    for source in [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]:
        for packages in re.findall(r"apt install ([a-z0-9 +.-]+)", source.read_text()):
            assert set(packages.split()) <= known, relative(source)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_hashes_and_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "index-url" not in text
    entries = text.replace("\\\n", " ").splitlines()
    assert entries
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    runtime = _names([*project["project"]["dependencies"], *groups["build"]])
    locked, locked_dev = (set(_pins(ROOT / lock)) for lock in LOCKS)
    assert runtime <= {name for name, _ in locked}
    assert _names(groups["dev"]) <= {name for name, _ in locked_dev}
    assert locked <= locked_dev, "the checks would run against other versions than the product"


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~ ;\[]", line)[0].lower().replace(".", "-").replace("_", "-") for line in requirements}


def _pins(lock: Path) -> list[tuple[str, str]]:
    return re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(), re.MULTILINE)


# what is shipped


@pytest.mark.parametrize("unit", UNITS, ids=relative)
def test_a_unit_leaves_machines_running_and_waits_for_the_service(unit: Path) -> None:
    parser = ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # as ConfigParser documents it
    parser.read(unit)
    service = parser["Service"]
    assert service["KillMode"] == "process"
    assert service["Type"] == "notify"
    assert service["ExecStart"] == "/usr/bin/kiban serve"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=relative)
def test_systemd_understands_a_unit(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / "kiban.service"
    copy.write_text(unit.read_text().replace("/usr/bin/kiban", "/bin/true"))  # it has to exist
    argv = ["systemd-analyze", "verify", "--man=no", str(copy)]
    found = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_everybody_means_the_same_user() -> None:
    name = process.account.__defaults__[0]  # type: ignore[index]  # it has one
    assert re.search(rf"^u {name} ", (ROOT / "packaging/sysusers.d/kiban.conf").read_text(), re.MULTILINE)
    assert re.search(rf"useradd .* {name}$", (ROOT / "dev").read_text(), re.MULTILINE)


# short files


def test_files_and_functions_stay_short() -> None:
    for source in SOURCES:
        text = source.read_text()
        assert len(text.splitlines()) <= MAX_LINES, relative(source)
        assert [name for name, lines in _bodies(text) if lines > MAX_BODY] == [], relative(source)


def _bodies(text: str) -> Iterator[tuple[str, int]]:
    """Each function and the lines of its body: a signature that mirrors a command's options is no body."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body:
                yield node.name, (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_a_hint_is_a_sentence_or_a_command() -> None:
    """The first begins with a capital, the second with a program as it is written."""
    for path in SOURCES:
        for hint in _hints(path.read_text()):
            word = hint.split()[0]
            assert word in PROGRAMS or not word[0].islower(), f"{relative(path)}: {hint}"
            assert word.lower() not in PROGRAMS - {word}, f"{relative(path)}: {hint}"


def _hints(text: str) -> Iterator[str]:
    """The second arguments of the errors that are raised, as far as they are written there."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
            parts = [part for hint in node.args[1:2] for part in getattr(hint, "values", [hint])][:1]
            yield from (str(part.value) for part in parts if isinstance(part, ast.Constant) and part.value)


def test_every_source_names_its_licence() -> None:
    for source in SOURCES:
        assert source.read_text().startswith("# SPDX-License-Identifier: GPL-2.0-or-later\n"), relative(source)


# documents


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["contract.md", "cli.md"])
def test_a_generated_page_is_this_versions(reference: ModuleType, page: str) -> None:
    """Write it anew with: ./dev docs"""
    assert (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8") == reference.PAGES[page]()


class Watched:
    """A generation that notes which of its fields are looked at."""

    def __init__(self, generation: Any) -> None:
        self._generation = generation
        self.seen: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.seen.add(name)
        return getattr(self._generation, name)


@pytest.mark.parametrize("generation", [GEN1, GEN2])
def test_the_contracts_table_shows_every_field(generation: Any) -> None:
    watched = Watched(generation)
    for cell in ROWS.values():
        assert cell(cast("Generation", watched), Words("en"))
    assert {field.name for field in fields(generation)} - watched.seen == {"number", "title"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_a_command_in_a_document_is_one(document: Path) -> None:
    for line in re.findall(r"^    (?:\$ )?(kiban .*)$", document.read_text(), re.MULTILINE):
        command = re.split(r" {2,}| [<>] ", line)[0]  # without the remark beside it, or the file it reads or writes
        for part in re.sub(r"\$\(.*\)", "NAME", command).split(" && "):
            words = shlex.split(part)
            if "[OPTIONS]" not in words:  # the reference's line of usage
                _parse(words[1:])


def _parse(words: list[str]) -> None:
    """Read arguments as the command line does, without running the command; raises what a person would be told."""
    found: Any = typer.main.get_command(app.build(words))
    name, rest = found.commands[words[0]], words[1:]
    if hasattr(name, "commands"):
        name, rest = name.commands[rest[0]], rest[1:]
    name.make_context(words[0], rest)


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_a_document_links_to_what_exists(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_a_document_names_tests_and_modules_that_exist(document: Path) -> None:
    for path, name in re.findall(r"`((?:src|tests|packaging|docs|bench)/[\w./-]+)(?:::(\w+))?`", document.read_text()):
        assert (ROOT / path).exists(), path
        assert not name or f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"


@pytest.mark.parametrize("document", sorted((ROOT / "docs" / "design").glob("*.md")), ids=relative)
def test_a_design_says_how_far_it_is(document: Path) -> None:
    assert re.match(r"# .+\n\nStatus: \S", document.read_text())
