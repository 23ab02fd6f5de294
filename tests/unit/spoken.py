# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service says, read from its source: every text in it that reads like words, with holes for what it fills in.

An f-string is a template, a conditional inside of one makes two. Anything that looks like words and is none (a command
line, a pattern, a name that another program gave) is to be named in `test_web_said`, with the reason.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kiban
from kiban import errors

SOURCE = Path(kiban.__file__).parent
LAYERS = ("adapters", "api", "commands", "engine", "model", "web")
"""What a page can show the words of; `errors`, `problem` and `wire` say nothing of their own."""
WORDS = re.compile(r"[A-Za-z]{2,},? [A-Za-z{(\d]|[a-z}],? [a-z]{2,}")
HOLE = re.compile(r"\{(\w*)[^{}]*\}")
MOST = 64
"""Templates of one text; more are not written on purpose."""
_ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
_SILENT = {
    *("compile", "sub", "fullmatch", "match", "search", "split", "findall"),  # patterns
    *("debug", "info", "warning", "error", "exception"),  # the log
    *("Field", "Query", "Path", "Header", "Body", "Param", "FastAPI", "ContextVar"),  # the API's reference
    *("Literal", "cast", "unpack_from", "unpack", "Struct", "getLogger", "import_module"),
}


@dataclass(frozen=True)
class Said:
    """A template of a text, and whether it is an error's message or hint."""

    text: str
    line: int
    is_error: bool

    @property
    def is_sentence(self) -> bool:
        """Whether it is a whole one."""
        return self.text[:1].isupper() and self.text.endswith(".")


def templates(path: Path) -> Iterator[Said]:
    """The templates of a module; of the pages only those of errors, since the rest are words there."""
    tree = ast.parse(path.read_text())
    pages = path.relative_to(SOURCE).parts[0] == "web"
    for text, line, fault in _texts(tree, False):
        if fault or not pages:
            for template in _variants(text):
                if fault or WORDS.search(template):
                    yield Said(template, line, fault)


def same(template: str) -> str:
    """A template without the names of its holes."""
    return HOLE.sub("{}", template)


def _texts(node: ast.AST, fault: bool) -> Iterator[tuple[ast.expr, int, bool]]:
    """The outermost texts below a node, their lines, and whether they are an error's."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.Assert):
        return
    if isinstance(node, ast.expr) and _is_text(node):
        yield node, node.lineno, fault
        return
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in _SILENT:
            return
        if called in _ERRORS or called == "__init__":  # of an error's own kind
            for given in (*node.args[:2], *(each.value for each in node.keywords if each.arg == "hint")):
                yield from _texts(given, True)
            return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child, fault and isinstance(node, ast.IfExp | ast.BoolOp))


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _variants(node: ast.expr) -> list[str]:
    match node:
        case ast.Constant():
            return [str(node.value)]
        case ast.JoinedStr():
            found = list(itertools.islice(itertools.product(*map(_variants, node.values)), MOST))
            return ["".join(parts) for parts in found]
        case ast.FormattedValue(value=ast.IfExp() | ast.JoinedStr() | ast.Constant() | ast.BoolOp()):
            return _variants(node.value)
        case ast.BinOp(op=ast.Add()):
            return [one + other for one in _variants(node.left) for other in _variants(node.right)]
        case ast.BoolOp(op=ast.Or()) | ast.IfExp():
            either = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
            return [variant for value in either for variant in _variants(value)]
    return [f"{{{_name(node)}}}"]


def _name(node: ast.AST) -> str:
    """A word for what is in a hole: the last name of its expression."""
    names = [
        each.attr if isinstance(each, ast.Attribute) else each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute | ast.Name)
    ]
    return names[0] if names else ""


def modules() -> list[Path]:
    """The modules that speak."""
    return sorted(
        path
        for layer in LAYERS
        for path in (SOURCE / layer).rglob("*.py")
        if "words" not in path.relative_to(SOURCE).parts[1:2]
    )
