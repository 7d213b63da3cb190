"""Does the demo show, under the example's own policy, everything a newcomer is promised to see?"""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import policy, stack
from simfleet.workload.client import Target
from simfleet.workload.demo import Witnessed, act_out
from simfleet.workload.keys import TenantKey

HANG_GUARD_S = 180


@pytest.mark.slow
@pytest.mark.timeout(2 * HANG_GUARD_S)
async def test_a_wait_a_429_a_spill_and_a_cache_hit_come_about(tmp_path):
    with stack.fleet(8, tmp_path) as replicas:
        records = policy.over_replicas(policy.quickstart(), replicas.urls)
        keys = policy.write_state(records, tmp_path / "state")
        with stack.gateway(tmp_path / "state", tmp_path) as served:
            seen, stop = Witnessed(), asyncio.Event()
            tenants = tuple(TenantKey(name, key) for name, key in keys.items())
            acting = asyncio.create_task(
                act_out(Target.parse(served.url), tenants, "llama-3-8b", seed=1, stop=stop, seen=seen)
            )
            async with asyncio.timeout(HANG_GUARD_S):
                # The demo keeps counts, not events.
                while not all((seen.waited, seen.limited, seen.spilled, seen.cache_hits)):  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
            stop.set()
            await acting
    assert seen.failed == 0
    assert seen.cache_hits > seen.answered / 2
