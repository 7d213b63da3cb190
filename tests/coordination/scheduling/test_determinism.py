"""The same requests at the same instants make the same decisions: in any process, on any hash seed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

from msgspec import structs

from coordination.program.index import Program
from coordination.program.records import PoolLoad, ReplicaLoad, Vector, VectorExpect, VectorRequest
from coordination.scheduling import answer, evaluate, explain, run_vectors
from tests.support.programs import START, a_policy, limit, one_pool
from tests.support.virtual_fleet import VirtualFleet

ROOT = Path(__file__).parents[3]


def policy() -> Program:
    built = a_policy().model().pool("p", replicas=5).pool("q", replicas=3)
    built.tier("standard", overflow_to="spill", max_wait=3_000_000, max_depth=40).tier("high", band=300)
    built.tenant("a", weight=3).tenant("a/x").tenant("b")
    built.quota("limits", "a", limit("total_tokens", "1m", 400_000), concurrency=40)
    built.reservation("r", "b", tier="standard").prices(("m", 0, 10, 1, 40))
    return built.route("all", ("p", 3), ("q", 1), fallback=("q",)).load()


def story(seed: int) -> str:
    """A digest of every explanation of a busy quarter of a minute."""
    random_ = random.Random(seed)
    fleet = VirtualFleet(policy(), seed=seed, output_of=lambda request: request.max_tokens or 9)
    at = 0
    for _ in range(500):
        at += random_.randint(1, 30_000)
        conversation = random_.randint(1, 30)
        blocks = (1, *(conversation * 1000 + depth for depth in range(random_.randint(0, 30))))
        fleet.request(
            random_.choice(["a", "a/x", "b"]),
            at=at,
            tier=random_.choice(["standard", "standard", "high"]),
            prompt=len(blocks) * 128,
            blocks=blocks,
            max_tokens=random_.randint(1, 400),
            stickiness=f"c{conversation}",
        )
    fleet.run()
    told = [explain(sent) for sent in fleet.sent]
    told += [explain(one.decision) for one in fleet.served.values() if one.refused]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def test_two_runs_tell_the_same_story_and_another_seed_another():
    assert story(1) == story(1)
    assert story(1) != story(2)


def test_the_hash_seed_of_the_process_changes_nothing():
    code = "from tests.coordination.scheduling.test_determinism import story; print(story(1))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "platform:."},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert told == {story(1)}


def vector(tenant: str, service_tier: str, prompt: int = 500) -> VectorRequest:
    return VectorRequest(tenant=tenant, service_tier=service_tier, model="m", prompt_tokens=prompt, at=START)


def test_vectors_are_judged_by_the_admission_that_serves():
    program = policy()
    used = evaluate(program, vector("b", "standard"))
    assert (used.verdict, used.tier, used.route) == ("admit", "standard", "all")
    assert used.reservation == ("used" if used.pool == "p" else "none")
    refused = evaluate(program, vector("b", "standard", prompt=10**6))
    assert (refused.verdict, refused.code, refused.pool) == ("refuse", "context_length_exceeded", None)
    assert evaluate(program, vector("b", "nonsense")).code == "unknown_tier"


def test_a_failed_vector_says_what_was_expected_and_what_was_found():
    program = policy()
    expected = evaluate(program, vector("a", "high"))
    good = Vector(name="good", request=vector("a", "high"), expect=expected)
    wrong = VectorExpect(
        verdict="refuse", code="no_route", tier=None, pool=None, route=None, reservation="none"
    )
    bad = Vector(name="bad", request=vector("a", "high"), expect=wrong)
    assert run_vectors(program, [good]) == []
    (told,) = run_vectors(program.records, [good, bad])
    assert told.startswith("bad: expected")


def test_where_a_request_goes_is_judged_only_where_its_author_said_so():
    program = one_pool("acme").load()
    url = program.pools["p"].replicas[1]
    fleet = PoolLoad(
        pool="p",
        load_ppm=0,
        healthy=True,
        replicas=(ReplicaLoad(url=url, load_ppm=0, healthy=True, backlog=300_000, cached_tokens=60_000),),
    )
    request = structs.replace(vector("acme", "standard", prompt=65_536), fleet=(fleet,))
    found, there = answer(program, request)
    assert found == evaluate(program, request)
    assert there == (url, "prefix", 50_000)

    def told(**more):
        return run_vectors(
            program, [Vector(name="v", request=request, expect=structs.replace(found, **more))]
        )

    assert told() == []
    assert told(wait_at_most=50_000, replica=url, because="prefix") == []
    assert len(told(wait_at_most=49_999)) == 1
    assert len(told(replica=program.pools["p"].replicas[0])) == 1
    assert len(told(because="load")) == 1
