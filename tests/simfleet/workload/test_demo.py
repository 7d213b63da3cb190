"""Do the demo's tenants talk as people do, the same for a seed, patient with refusals, until stopped?"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from simfleet.workload.client import Target
from simfleet.workload.demo import Witnessed, act_out
from simfleet.workload.habits import HABITS, Burst, Chat, Habit
from simfleet.workload.keys import TenantKey

from .scripted_server import Scripted, completion, plain, serving

TENANTS = (TenantKey("acme", "key-a"), TenantKey("umbrella", "key-u"))
QUICK = Chat(
    users=2, service_tier="flex", think_s=0.002, turns=4, system_tokens=20, question_tokens=5, answer_tokens=3
)
HANG_GUARD_S = 60


async def act(server: Scripted, requests: int, habits: tuple[Habit, ...], seed: int = 1) -> Witnessed:
    """Acts until that many requests were seen."""
    stop, seen = asyncio.Event(), Witnessed()

    async def watch() -> None:
        await server.asked_at_least(requests)
        stop.set()

    target = Target.parse(server.url)
    async with asyncio.timeout(HANG_GUARD_S):
        await asyncio.gather(
            watch(), act_out(target, TENANTS, "tiny", seed=seed, stop=stop, seen=seen, habits=habits)
        )
    return seen


def talks(server: Scripted) -> dict[str, list[list[dict[str, str]]]]:
    """The message lists of each session, in order."""
    found: dict[str, list[list[dict[str, str]]]] = {}
    for asked in server.asked:
        found.setdefault(asked.headers["x-session-id"], []).append(asked.json["messages"])
    return found


def opening(server: Scripted) -> dict[str, Any]:
    """What each person asked first: it depends on nothing but the seed."""
    return {session: turns[0] for session, turns in talks(server).items() if session.endswith("-1")}


async def test_a_conversation_repeats_its_history_and_adds_to_it():
    async with serving(lambda _, writer: writer.write(completion("yes ", "sir"))) as server:
        seen = await act(server, 60, (Habit("acme", chats=(QUICK,)),))
    longest = max(talks(server).values(), key=len)
    assert len(longest) >= 3
    for earlier, later in itertools.pairwise(longest):
        assert later[: len(earlier)] == earlier
        assert later[len(earlier)] == {"role": "assistant", "content": "yes sir"}
        assert later[-1]["role"] == "user"
    systems = {turns[0][0]["content"] for name, turns in talks(server).items() if name.startswith("acme")}
    assert len(systems) == 1
    assert {
        asked.json.get("service_tier")
        for asked in server.asked
        if asked.headers["x-session-id"].startswith("acme")
    } == {"flex"}
    assert seen.answered >= 60 - 8
    assert seen.cache_hits == seen.answered


async def test_what_people_ask_follows_from_the_seed():
    runs = []
    for seed in (5, 5, 6):
        async with serving(lambda _, writer: writer.write(completion("a"))) as server:
            await act(server, 40, (Habit("acme", chats=(QUICK,)),), seed)
        runs.append(opening(server))
    shared = runs[0].keys() & runs[1].keys()
    assert len(shared) >= 2
    assert all(runs[0][session] == runs[1][session] for session in shared)
    assert any(runs[0][session] != runs[2][session] for session in shared)


async def test_a_refused_person_asks_the_same_again_after_the_pause():
    def script(asked, writer):
        first = sum(other.body == asked.body for other in server.asked) == 1
        refusal = plain(429, {"error": {"code": "rate_limit_exceeded"}})
        writer.write(refusal if first else completion("a"))

    async with serving(script) as server:
        seen = await act(server, 4, (Habit("acme", chats=(QUICK,)), Habit("umbrella")))
    bodies = [asked.body for asked in server.asked]
    assert any(bodies.count(body) == 2 for body in bodies)
    assert seen.limited >= 2


async def test_a_burst_does_not_wait_for_answers():
    async def script(_asked, writer):
        await asyncio.sleep(0.3)
        writer.write(completion("a", x_headway_queue_ms="12", x_headway_reservation="spilled"))

    burst = Burst(
        first_after_s=0.01,
        every_s=0.5,
        requests=12,
        over_s=0.05,
        service_tier=None,
        prompt_tokens=30,
        shared_tokens=10,
        answer_tokens=4,
    )
    async with serving(script) as server:
        seen = await act(server, 20, (Habit("acme"), Habit("umbrella", bursts=(burst,))))
    assert server.most_open == 12
    assert seen.waited == seen.spilled == seen.answered >= 12
    prompts = [asked.json["messages"][0]["content"] for asked in server.asked]
    assert len({prompt[:40] for prompt in prompts}) == 1
    assert len(set(prompts)) == len(prompts)


async def test_a_gateway_that_is_away_is_met_with_patience():
    def script(_asked, writer):
        if len(server.asked) == 1:
            writer.close()
        else:
            writer.write(completion("a"))

    async with serving(script) as server:
        seen = await act(server, 6, (Habit("acme", chats=(QUICK,)), Habit("umbrella")))
    assert seen.failed >= 1
    assert seen.answered >= 2


def test_every_tenant_of_the_quickstart_has_its_day():
    assert {habit.tenant for habit in HABITS} == {"acme", "globex", "initech", "umbrella"}


async def test_the_module_runs_from_a_keys_file_until_sigterm(tmp_path):
    async with serving(lambda _, writer: writer.write(completion("a"))) as server:
        keys = tmp_path / "demo.json"
        tenants = [{"name": tenant.name, "api_key": tenant.api_key} for tenant in TENANTS]
        keys.write_text(json.dumps({"gateway_url": server.url, "tenants": tenants, "operator": {}}))
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "simfleet.workload", "--keys", str(keys)),
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "platform")},
        )
        try:
            async with asyncio.timeout(HANG_GUARD_S):
                await server.asked_at_least(1)
                running.send_signal(signal.SIGTERM)
                assert await running.wait() == 0
        finally:
            if running.returncode is None:
                running.kill()
    assert server.asked[0].json["model"] == "tiny"
