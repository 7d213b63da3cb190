"""Nobody derives from a class of the compiled twin but its own modules, and no struct is made of them there.

An interpreted class cannot inherit from a compiled one, and msgspec cannot look into one: either would be
found only where the twin runs (docs/adr/0110).
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from compiled import SOURCES
from compiled.build import sources

ROOT = Path(__file__).resolve().parents[2]
APART = ("platform", "policies", "telemetry", "benchmarks")
COMPILED = {path.removesuffix(".py").replace("/", ".") for path in sources()}
Places = dict[str, tuple[str, str]]
"""Name in a module -> (module, name there) of what it stands for."""


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def file_of(module: str) -> Path | None:
    path = SOURCES / module.replace(".", "/")
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


@functools.cache
def places(path: Path) -> Places:
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


@functools.cache
def origin(module: str, name: str) -> tuple[str, str]:
    """Where a class is defined that ``module`` has under ``name``, through packages that hand it on."""
    path = file_of(module)
    if path is not None and name not in classes(path) and name in places(path):
        return origin(*places(path)[name])
    return module, name


def classes(path: Path) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)}


def named(expression: ast.expr, path: Path, module: str) -> Iterator[tuple[str, str]]:
    """What the names in an expression stand for, one in a text (an annotation) included."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            node = ast.Name(node.value)
        if isinstance(node, ast.Name):
            yield origin(*places(path).get(node.id, (module, node.id)))
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in places(path):
            of, name = places(path)[ast.unparse(node.value)]
            yield origin(f"{of}.{name}", node.attr)


def is_compiled(of: tuple[str, str]) -> bool:
    module, name = of
    path = file_of(module) if module in COMPILED else None
    return path is not None and name in classes(path)


def apart() -> list[Path]:
    """Python files that are not compiled. Those of tests are left out: their doubles run the sources."""
    files = (file for part in APART for file in sorted((ROOT / part).rglob("*.py")))
    return [file for file in files if module_of(file) not in COMPILED]


def module_of(path: Path) -> str:
    base = SOURCES if path.is_relative_to(SOURCES) else ROOT
    return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


def test_no_class_outside_derives_from_a_compiled_one():
    found = [
        f"{path.relative_to(ROOT)}: {one.name} derives from {base}"
        for path in apart()
        for one in classes(path).values()
        for expression in one.bases
        for base in named(expression, path, module_of(path))
        if is_compiled(base)
    ]
    assert found == []


@pytest.mark.parametrize("module", sorted(COMPILED))
def test_no_struct_of_compiled_classes_is_made_where_they_are_compiled(module):
    path = file_of(module)
    assert path is not None
    found = [
        f"{one.name}: {ast.unparse(member)}"
        for one in classes(path).values()
        if ("msgspec", "Struct") in {each for base in one.bases for each in ancestry(base, path, module)}
        for member in one.body
        if isinstance(member, ast.AnnAssign)
        for of in named(member.annotation, path, module)
        if is_compiled(of)
    ]
    assert found == []


def ancestry(base: ast.expr, path: Path, module: str) -> Iterator[tuple[str, str]]:
    """What a class derives from, as far as its modules are here."""
    if ast.unparse(base) == "msgspec.Struct":
        yield ("msgspec", "Struct")
        return
    for of, name in named(base, path, module):
        yield of, name
        there = file_of(of)
        if there is not None and name in classes(there):
            for further in classes(there)[name].bases:
                yield from ancestry(further, there, of)
