"""What do the rules and the simulator say of drawn loads? A line of JSON for each, to be compared.

Run in a process of its own, by what was compiled or by the sources; ``coming_from`` tells which it was.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import compiled
from coordination.compiler import build
from coordination.program.index import load
from coordination.scheduling import answer
from coordination.spec import SourceFile, read
from tests.compiled import loads
from tests.support.stories import Story

EXAMPLES = Path(__file__).parents[2] / "examples"
INSTANTS = (1_796_083_200_000_000, 1_815_868_800_000_000)
"""Midnights of a winter and of a summer."""
STORIES = 16
SIMULATIONS = 24
FLEETS = 5


def subjects() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Name, and what tells of it."""
    for seed in range(STORIES):
        yield f"story {seed}", partial(Story(seed).run, 300)
    for seed in range(SIMULATIONS):
        yield f"simulation {seed}", partial(loads.simulated, seed)
    for strategy in loads.STRATEGIES:
        for seed in range(FLEETS):
            yield f"fleet {strategy} {seed}", partial(loads.placed, seed, strategy)
    for folder in sorted(EXAMPLES.iterdir()):
        for at in INSTANTS:
            yield f"self-test {folder.name} {at}", partial(self_tests, folder, at)


def self_tests(folder: Path, at: int) -> list[Any]:
    """What an example's bundle answers its own self-test."""
    files = [SourceFile(file.name, file.read_bytes()) for file in sorted(folder.glob("*.yaml"))]
    records, _, vectors, found = build(read(files)[0], environment="dev", at=at)
    assert records is not None, found
    program = load(records)
    return [[vector.name, str(answer(program, vector.request))] for vector in vectors]


def coming_from() -> dict[str, list[str]]:
    """The modules that can be compiled, by whether they were imported as such."""
    found: dict[str, list[str]] = {"compiled": [], "sources": []}
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.endswith(compiled.SUFFIX) and name.startswith("coordination."):
            found["compiled"].append(name)
        elif file.endswith(".py") and name.startswith(
            ("coordination.scheduling.", "coordination.simulator.")
        ):
            found["sources"].append(name)
    return found


def main() -> None:
    for name, tell in subjects():
        print(json.dumps([name, tell()], sort_keys=True))
    print(json.dumps(["coming from", coming_from()]))
