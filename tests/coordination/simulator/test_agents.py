"""Do agents that loop leave the people beside them alone? (04, Tiers and agents)"""

from __future__ import annotations

import random
from heapq import merge

from coordination.program.records import GuardsRecord
from coordination.simulator import Arrival, Simulation
from tests.coordination.simulator.policies import arrival, fleet, program, simulated
from tests.support.programs import SECOND

SECONDS = 120


def people() -> list[Arrival]:
    """Five questions a second."""
    draw = random.Random(7)
    at, asked = 0.0, []
    while (at := at + draw.expovariate(5)) < SECONDS:
        prompt = draw.randrange(200, 1500)
        session = draw.randrange(50)
        asked.append(arrival(at, tenant="people", prompt_tokens=prompt, output_tokens=100, session=session))
    return asked


def looping(agent: int) -> list[Arrival]:
    """Four steps a second, each with everything before it and 400 tokens more, for ever."""
    steps = []
    for step in range(4 * SECONDS):
        prompt = 2000 + 400 * step % 30_000
        blocks = tuple(agent * 10**6 + block for block in range(prompt // 512))
        steps.append(
            arrival(
                0.25 * step + 0.01 * agent,
                tenant="agents",
                prompt_tokens=prompt,
                output_tokens=300,
                blocks=blocks,
                session=agent,
                run=f"agent-{agent}",
            )
        )
    return steps


def served(*traffic: list[Arrival], guarded: bool = True) -> Simulation:
    """Guarded, people go first and a run has one step in progress; else all are alike."""
    policy = fleet(2).tier("interactive", band=300, max_wait=5 * SECOND)
    band = 200 if guarded else 300
    policy.tier("agents", band=band, max_wait=20 * SECOND, order="las" if guarded else "fcfs")
    policy.tenant("people", tiers=("interactive",)).tenant("agents", tiers=("agents",))
    if guarded:
        policy.quota("runs", "agents", run=GuardsRecord(branches=1, steps=10_000))
    return simulated(program(policy), merge(*traffic, key=lambda one: one.at_us))


def ttft(simulation: Simulation) -> float:
    sketch = simulation.tally.merged(lambda key: key[0])["people"].ttft
    found = sketch.percentile(95)
    assert found is not None
    return found


def test_three_looping_agents_leave_the_p95_of_people_unmoved():
    alone = ttft(served(people()))
    loops = [looping(agent) for agent in range(3)]
    beside = served(people(), *loops)
    by_tenant = beside.tally.merged(lambda key: key[0])
    assert by_tenant["agents"].completed > 100
    assert by_tenant["agents"].refused["run_budget_exceeded"] > 100  # they would have taken much more
    assert by_tenant["people"].refused == {}
    assert ttft(beside) <= 1.10 * alone
    assert ttft(served(people(), *loops, guarded=False)) >= 10 * alone  # what the guards are for
