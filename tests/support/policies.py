"""Policies for tests: a small sound one to vary, and the quickstart as it is shipped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from coordination.compiler import build, check
from coordination.diagnostics import Diagnostic, in_reading_order
from coordination.program.records import Micros, ProgramRecords, Vector
from coordination.spec import PolicySet, SourceFile, read

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "examples" / "quickstart"
NEW_YEAR_2026: Micros = 1_767_225_600_000_000
CASE = "case.yaml"

WORLD = {
    "Model/llama-3-8b": "spec: {context_window: 128k, aliases: [llama]}",
    "Pool/chat": """\
spec:
  model: llama-3-8b
  profile: llama-3-8b-h100-tp1
  replicas: {urls: ["http://chat-1:8000", "http://chat-2:8000"]}
  capacity: {input: 1M tokens/min, output: 100k tokens/min, sequences: 256, kv_tokens: 430k}
  reservable: 50%""",
    "Tier/priority": "spec: {service_tier: [priority, fast], band: 300}",
    "Tier/standard": "spec: {service_tier: [default, standard], band: 200}",
    "Tenant/acme": "spec: {tiers: [priority, standard], default_tier: standard}",
    "Route/everything": "spec: {rank: 100, targets: [{pool: chat}]}",
}
"""A sound policy: kind/name -> the rest of its document. Two replicas: 2M in, 200k out a minute."""


def written(key: str, rest: str) -> str:
    kind, _, name = key.partition("/")
    return f"apiVersion: headway/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n{rest}\n"


def named_in(text: str) -> set[str]:
    """kind/name of the documents in a text, as far as a pattern can tell."""
    found = set()
    for part in re.split(r"^---.*$", text, flags=re.MULTILINE):
        kind, name = re.search(r"kind: (\S+)", part), re.search(r"name: ([^,}\s]+)", part)
        if kind and name:
            found.add(f"{kind[1]}/{name[1]}")
    return found


def world_with(text: str | bytes, *, without: Iterable[str] = (), file: str = CASE) -> list[SourceFile]:
    """The sound policy, with documents added, or put in the place of those of the same name."""
    data = text if isinstance(text, bytes) else text.encode()
    gone = {*without, *named_in(data[:100_000].decode(errors="replace"))}
    kept = [written(key, rest) for key, rest in WORLD.items() if key not in gone]
    return [SourceFile("world.yaml", "---\n".join(kept).encode()), SourceFile(file, data)]


def diagnose(files: Iterable[SourceFile], at: Micros = NEW_YEAR_2026) -> list[Diagnostic]:
    """Everything `headway check` would say."""
    policy_set, diagnostics = read(files)
    return in_reading_order([*diagnostics, *check(policy_set, at)])


def quickstart_files() -> list[SourceFile]:
    return [SourceFile(p.name, p.read_bytes()) for p in sorted(QUICKSTART.glob("*.yaml"))]


def quickstart() -> PolicySet:
    policy_set, diagnostics = read(quickstart_files())
    assert diagnostics == []
    return policy_set


def quickstart_program(at: Micros = NEW_YEAR_2026) -> tuple[ProgramRecords, list[Vector]]:
    """The compiled quickstart with its self-test."""
    records, _, vectors, diagnostics = build(quickstart(), environment="dev", at=at)
    assert records is not None
    assert diagnostics == []
    return records, vectors


@dataclass(frozen=True)
class Case:
    """One line of a rule's table: a policy, and what the rule must say about it (nothing, if sound)."""

    story: str
    given: str | bytes
    finds: tuple[tuple[str, str], ...] = ()
    """("line:column", "part of the message") of each finding in the case's file, in order."""
    also: tuple[str, ...] = ()
    """Codes of other rules that cannot help speaking up."""
    without: tuple[str, ...] = ()
    """Documents of the sound policy to leave out."""
    notes: tuple[str, ...] = ()
    """Parts of the first finding's notes."""
    file: str = CASE
    world: bool = field(default=True)
    """Whether the sound policy surrounds it."""


def run_case(case: Case, code: str) -> None:
    """Asserts that a rule says exactly what a case expects."""
    data = case.given if isinstance(case.given, bytes) else case.given.encode()
    files = (
        world_with(data, without=case.without, file=case.file)
        if case.world
        else [SourceFile(case.file, data)]
    )
    found = diagnose(files)
    mine = [d for d in found if d.code == code]
    places = [f"{d.location.line}:{d.location.column}" for d in mine if d.location]
    assert places == [place for place, _ in case.finds], "\n".join(d.message for d in found)
    for diagnostic, (_, says) in zip(mine, case.finds, strict=True):
        assert says in diagnostic.message
        assert diagnostic.location
        assert diagnostic.location.file == case.file
    for note in case.notes:
        assert any(note in text for text in (*mine[0].notes, *(r.message for r in mine[0].related)))
    others = {d.code for d in found} - {code}
    assert others <= set(case.also), "\n".join(f"{d.code} {d.message}" for d in found)


def load_table(folder: Path, code: str) -> list[Case]:
    """The table of a rule: ``CASES`` of ``<folder>/<code>.py``."""
    namespace: dict[str, object] = {}
    exec(compile((folder / f"{code}.py").read_text(), f"{code}.py", "exec"), namespace)  # noqa: S102
    cases = namespace["CASES"]
    assert isinstance(cases, list)
    return cases
