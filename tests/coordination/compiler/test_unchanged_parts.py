"""An edit of one object rewrites the shards of that object, and nothing else of a bundle."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.large_policy import as_json, large_policy
from coordination.bundle.pack import unpack
from coordination.compiler.emitting import emit
from coordination.spec import read

AT = 1_796_083_200_000_000
DOCUMENTS = json.dumps(large_policy(tenants=300, reservations=30, routes=40))


def _digests(documents: list[dict[str, Any]]) -> dict[str, str]:
    policy_set, misread = read(as_json(documents))
    assert misread == []
    bundle = emit(policy_set, environment="dev", at=AT, tzdata="test").bundle
    assert bundle is not None
    return {file.path: file.sha256 for file in unpack(bundle.tar).manifest.files}


BEFORE = _digests(json.loads(DOCUMENTS))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 299), st.text("abc xyz", min_size=1, max_size=20))
def test_an_edit_of_one_tenant_changes_its_shard_and_its_origin(number, display_name):
    documents = json.loads(DOCUMENTS)
    tenants = [d for d in documents if d["kind"] == "Tenant"]
    tenants[number]["spec"]["display_name"] = f"{display_name}!"
    after = _digests(documents)
    changed = {path for path in BEFORE.keys() | after.keys() if BEFORE.get(path) != after.get(path)}
    assert sorted(path.split("/")[0] for path in changed) == ["program", "source_map"]
    assert len(BEFORE) > 20


def test_taking_an_object_away_leaves_all_other_shards():
    documents = json.loads(DOCUMENTS)
    route = next(d for d in documents if d["kind"] == "Route" and d["metadata"]["name"].startswith("route-"))
    documents.remove(route)
    after = _digests(documents)
    changed = {path for path in BEFORE.keys() | after.keys() if BEFORE.get(path) != after.get(path)}
    kinds = {path.split("/")[0] for path in changed}
    assert kinds <= {"program", "source_map", "selftest"}
    assert len([path for path in changed if path.startswith("program/")]) <= 2  # its shard, and the counts
