"""The policy that compile times are measured with: sound, and one bundle from either notation."""

from __future__ import annotations

from benchmarks.large_policy import as_json, as_yaml, large_policy
from coordination.compiler.emitting import emit
from coordination.spec import SourceFile, read

AT = 1_796_083_200_000_000


def _built(files: list[SourceFile]) -> tuple[str, int]:
    policy_set, misread = read(files)
    emitted = emit(policy_set, environment="dev", at=AT, tzdata="test")
    assert [*misread, *emitted.diagnostics] == []
    assert emitted.bundle is not None
    return emitted.bundle.digest, len(policy_set.documents)


def test_the_measured_policy_is_sound_and_the_same_from_json_and_from_yaml():
    documents = large_policy(tenants=60, reservations=40, routes=30, expectations=20)
    from_json, count = _built(as_json(documents))
    assert count == len(documents)
    assert _built(as_yaml(documents)) == (from_json, count)
    assert _built(as_yaml(documents[::-1])[::-1]) == (from_json, count)
