"""What holds of every policy, whoever wrote it and whatever befell it?"""

from __future__ import annotations

from coordination.compiler import build, check
from coordination.diagnostics import has_errors, in_reading_order, render_json, render_text
from coordination.program.shards import decode, encode
from coordination.scheduling import run_vectors
from coordination.spec import SourceFile, read
from coordination.spec.source.yaml_text import BREAK
from headway.cli.mending import mend_files
from tests.support.policies import NEW_YEAR_2026, diagnose


def examine(files: list[SourceFile]) -> str:
    """Raises when something that must hold does not. Says how far the policy came."""
    policy_set, misread = read(files)
    between = check(policy_set, NEW_YEAR_2026)
    diagnostics = in_reading_order([*misread, *between])
    for diagnostic in diagnostics:
        at = diagnostic.location
        if at is not None:
            lines = len(BREAK.findall(policy_set.texts[at.file])) + 2  # what is missing stands after the last
            assert 1 <= at.line <= at.end_line <= lines, diagnostic
            assert at.column >= 1, diagnostic
    render_text(diagnostics, policy_set.texts).encode()
    render_json(diagnostics, ok=False).encode()
    if has_errors(misread):
        return "unread"
    for document in policy_set.documents:
        again, found = read([SourceFile("again.json", document.canonical())])
        assert found == []
        assert again.documents[0].canonical() == document.canonical()
    if has_errors(between):
        return "refused"
    for environment in policy_set.environments or ("dev",):
        records, _, vectors, _ = build(policy_set, environment=environment, at=NEW_YEAR_2026)
        assert records is not None
        assert decode(encode(records)) == records
        assert run_vectors(records, vectors) == []
    return "built"


def settles(files: list[SourceFile]) -> None:
    """Fixing comes to an end, and what it leaves is not worse."""
    outcome = mend_files(files, diagnose)
    again = mend_files(outcome.files, diagnose)
    assert (again.applied, again.changed) == (0, frozenset())
