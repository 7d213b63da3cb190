"""Is every request of a trace answered for, through a gateway and replicas, and does placement pay?

The benchmark's own measurement in small, over processes started as a user starts them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

import pytest

from benchmarks.machine import ROOT
from benchmarks.replay import TRACE, TRACES_VARIABLE, endless_share, replayed
from coordination.scheduling.values import Code

EXAMPLE = ROOT / "examples" / "quickstart" / "trace.jsonl"
REQUESTS = 60

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def assert_all_answered_for(summary: dict[str, Any]) -> None:
    told = summary["completed"] + sum(summary["refused"].values()) + sum(summary["interrupted"].values())
    assert summary["lost_because"] == {}
    assert (summary["requests"], told) == (REQUESTS, REQUESTS)
    assert set(summary["refused"]) <= set(get_args(Code))


def test_balanced_placement_reuses_more_of_the_prefixes_than_round_robin():
    balanced = replayed("balanced", EXAMPLE, REQUESTS, 8.0)
    spread = replayed("round_robin", EXAMPLE, REQUESTS, 8.0)
    for summary in (balanced, spread):
        assert_all_answered_for(summary)
        assert summary["refused"] == {}
        assert set(summary["by_tenant"]) == {"acme", "globex", "initech", "umbrella"}
    assert balanced["prompt_tokens"] == spread["prompt_tokens"]
    assert balanced["cached_share"] >= 1.3 * spread["cached_share"]
    assert balanced["cached_share"] <= endless_share(EXAMPLE, REQUESTS) + 0.02  # the chat template's tokens


def test_the_first_requests_of_the_conversation_trace_are_all_answered_for():
    folder = os.environ.get(TRACES_VARIABLE)
    if not folder or not (trace := Path(folder) / TRACE).exists():
        pytest.skip(f"{TRACES_VARIABLE} names no folder with {TRACE}")
    assert_all_answered_for(replayed("balanced", trace, REQUESTS, 4.0))
