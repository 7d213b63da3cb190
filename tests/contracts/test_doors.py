"""Few doors: policy, pointers and records change through the functions that may change them alone."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from delivery.pointers import Reason

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("platform", "policies", "telemetry")
WRITES = {
    "create",
    "update",
    "delete",
    "save",
    "bulk_create",
    "bulk_update",
    "get_or_create",
    "update_or_create",
}
SURFACES = {"views", "api", "endpoints", "consumers", "forms", "templatetags", "selectors", "admin", "urls"}

POINTER_CALLERS = {
    # Six reasons to write a pointer. A release is made by publish, rollback or a refreshed timeline.
    ("platform/delivery/releases.py", "_release"): {"publish", "rollback", "refresh"},
    ("platform/delivery/heartbeats.py", "renew_due"): {"heartbeat"},
    ("platform/delivery/directories.py", "refresh"): {"directory"},
    ("platform/delivery/overrides/services.py", "_post"): {"override"},
}


@functools.cache
def modules() -> list[tuple[str, ast.Module]]:
    """Path from the root, and what it holds."""
    return [
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text()))
        for source in SOURCES
        for path in sorted((ROOT / source).rglob("*.py"))
        if "migrations" not in path.parts
    ]


@functools.cache
def calls(tree: ast.Module) -> list[tuple[str, ast.Call]]:
    """Every call, with the innermost function it stands in."""
    return list(called(tree, ""))


def called(tree: ast.AST, function: str) -> Iterator[tuple[str, ast.Call]]:
    for child in ast.iter_child_nodes(tree):
        inside = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if isinstance(child, ast.Call):
            yield inside, child
        yield from called(child, inside)


def dotted(node: ast.expr) -> str:
    """``Pointer.objects.filter(...).update`` -> ``Pointer.objects.filter.update``."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return f"{dotted(node.value)}.{node.attr}"
        case ast.Call():
            return dotted(node.func)
        case ast.Subscript():
            return dotted(node.value)
        case _:
            return "?"


def imports(tree: ast.Module, module: str, name: str) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and node.module == module and any(a.name == name for a in node.names)
        for node in ast.walk(tree)
    )


def test_a_pointer_is_written_for_six_reasons_by_their_callers_alone():
    found = {
        (path, function)
        for path, tree in modules()
        if imports(tree, "delivery.pointers", "advance")
        for function, call in calls(tree)
        if dotted(call.func) == "advance"
    }
    assert found == set(POINTER_CALLERS)
    assert set().union(*POINTER_CALLERS.values()) == set(get_args(Reason))


def test_each_reason_is_given_by_the_caller_it_is_named_for():
    given: dict[tuple[str, str], set[str]] = {}
    for path, tree in modules():
        if path not in {file for file, _ in POINTER_CALLERS}:
            continue
        for function, call in calls(tree):
            for keyword in call.keywords:
                if keyword.arg not in ("reason", "cause"):
                    continue
                target = function if dotted(call.func) == "advance" else dotted(call.func)
                literals = {
                    str(node.value)
                    for node in ast.walk(keyword.value)
                    if isinstance(node, ast.Constant) and node.value in get_args(Reason)
                }
                if (path, target) in POINTER_CALLERS:
                    given.setdefault((path, target), set()).update(literals)
    assert given == POINTER_CALLERS


def writers_of(model: str) -> set[str]:
    """Files that make, change or delete rows of a model, by name."""
    found = set()
    for path, tree in modules():
        for _, call in calls(tree):
            way = dotted(call.func).split(".")
            if way == [model] or (way[0] == model and way[-1] in WRITES):
                found.add(path)
    return found


def test_only_the_one_door_writes_pointers():
    assert {path for path in writers_of("Pointer") if not path.startswith("platform/coordination/")} == {
        "platform/delivery/pointers.py"
    }


def test_only_merging_moves_what_is_current():
    assert writers_of("EnvironmentHead") <= {
        "policies/services/merging.py",
        "policies/services/environments.py",
    }
    # `rebuild_head` makes the index anew from the revision; it moves nothing.
    assert writers_of("Head") <= {
        "policies/store.py",
        "policies/mapping/index.py",
        "policies/services/heads.py",
    }
    stores = {
        path
        for path, tree in modules()
        for _, call in calls(tree)
        if dotted(call.func).endswith("replace_current")
    }
    assert stores == {"policies/services/merging.py"}


def test_no_surface_writes_a_row_itself():
    """Views, endpoints, forms and selectors ask a service; it checks who asks, records and tells."""
    found = []
    for path, tree in modules():
        parts = set(Path(path).with_suffix("").parts)
        if not parts & SURFACES or path.startswith(("platform/coordination", "platform/gateway")):
            continue
        for function, call in calls(tree):
            way = dotted(call.func).split(".")
            if way[-1] in WRITES and ("objects" in way or "_default_manager" in way or way[-1] == "save"):
                found.append(f"{path}:{call.lineno} {function} {'.'.join(way)}")
    assert found == []


NOBODYS_DEED = {
    "platform/foundation/audit/services.py",  # the record itself
    "platform/foundation/outbox/services.py",  # what a recorded deed sets going
    "platform/ledger/services.py",  # what gateways measured
    "platform/tenancy/services.py",  # accounts of one start of the demo
    "telemetry/decisions/services.py",  # what gateways decided
}
"""Services that write what no person did."""


def test_a_service_that_writes_records_who_did_it():
    """One mutation, one audit entry: every module of services that opens a transaction records."""
    silent = []
    for path, tree in modules():
        if "/services/" not in path and not path.endswith("/services.py"):
            continue
        names = {dotted(call.func) for _, call in calls(tree)}
        writes = any(name.split(".")[-1] in WRITES and "objects" in name for name in names)
        records = any(name in ("audit.record", "record", "_record") for name in names)
        if writes and not records:
            silent.append(path)
    assert set(silent) <= NOBODYS_DEED
