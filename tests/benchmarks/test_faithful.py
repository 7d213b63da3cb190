"""Is what is simulated what happens? Sixty recorded requests at their own pace, and a simulation of them.

The bars (p50 within 10 %, p95 within 20 %) are ``make bench``'s, over 500 requests on a machine that does
nothing else; here they are twice as wide, because the other core is running other tests.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.faithful import BARS, deviation, in_real_time, simulated

TRACE = Path(os.environ.get("HEADWAY_TRACES", "")) / "mooncake_conversation_trace.jsonl"
REQUESTS = 60


@pytest.mark.slow
@pytest.mark.skipif(not TRACE.exists(), reason="HEADWAY_TRACES names no folder with the Mooncake trace")
def test_the_time_to_first_token_is_what_the_simulation_says():
    real, compiled = in_real_time(TRACE, REQUESTS)
    told = simulated(compiled, TRACE, REQUESTS)
    assert (real["completed"], real["lost"], told["completed"]) == (REQUESTS, 0, REQUESTS)
    assert told["cache"]["token_hit"] == pytest.approx(real["cached_share"], abs=0.02)
    for name, bar in BARS.items():
        assert abs(deviation(real, told, name)) < 2 * bar, name
