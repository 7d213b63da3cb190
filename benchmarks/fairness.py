"""Are shares, minimum shares and reservations kept, and who feels whom? In virtual time, the gateway's rules.

    python -m benchmarks.fairness [--seeds N] [--trees N] [--seconds N]

Five tables, each with its bar of the scheduling design; exit code 1 if one is missed. F1 is tried on random
trees; the rest runs a fleet whose replicas prefill one request after the other at the stated rate.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator

from benchmarks.machine import banner
from coordination.program.records import MILLION
from coordination.scheduling import Request
from coordination.scheduling.fairness import LOCALITY_SLACK
from coordination.scheduling.replicas import GATE_US
from tests.support.programs import SECOND, START, PolicyBuilder, a_policy
from tests.support.trees import always_waiting
from tests.support.virtual_fleet import Served, VirtualFleet

REPLICAS = 4
PER_SECOND = REPLICAS * 10_000
"""Prompt tokens the fleet of these tables computes a second."""
WEIGHTS = (1, 2, 3, 4)
PROMPT = (500, 1500)
RATE = 300_000
"""Input tokens a minute that are reserved: an eighth of the pool."""


def main() -> None:
    """Exit code 1 if a bar is missed."""
    options = argparse.ArgumentParser(prog="python -m benchmarks fairness")
    options.add_argument("--seeds", type=int, default=2)
    options.add_argument("--trees", type=int, default=150)
    options.add_argument("--seconds", type=int, default=120, help="of virtual time, but for the shares")
    chosen = options.parse_args()
    print(banner())
    missed = 0
    for table in (trees(chosen.trees), *(part(chosen.seeds, chosen.seconds) for part in PARTS)):
        for held, says in table:
            print(f"  {'holds ' if held else 'MISSED'} {says}", flush=True)
            missed += not held
    if missed:
        raise SystemExit(1)


Lines = Iterator[tuple[bool, str]]


def trees(count: int) -> Lines:
    print(f"\nF1 on {count} random trees of up to three levels, 2,000 dispatches each")
    strict = max(always_waiting(seed, 2000, locality=False) for seed in range(count))
    yield strict <= 1, f"strict order: worst drift {strict:.4f} of c_f/phi_f + c_g/phi_g"
    local = max(always_waiting(seed, 2000, locality=True) for seed in range(count))
    yield local <= 1, f"within Q for locality: worst drift {local:.4f} of the same + 2 Q"


def shares(seeds: int, _: int) -> Lines:
    largest = (PROMPT[1] + 4 * 64) * MILLION
    total = sum(WEIGHTS)
    bound = largest + largest // 2 + 2 * LOCALITY_SLACK
    enough = bound * total * 50  # / 0.02
    strict = (largest + largest // 2) * total * 50
    print(
        f"\nOverload 3x, weights 1:2:3:4: 2 % from S = {enough // MILLION:,} tokens of cost on"
        f" (bound {bound // MILLION:,} x sum phi {total} / 0.02; without locality {strict // MILLION:,})"
    )
    for seed in range(1, seeds + 1):
        policy = one_pool(max_wait=10_000 * SECOND)
        for weight in WEIGHTS:
            policy.tenant(f"t{weight}", weight=weight)
        fleet = VirtualFleet(policy.load(), seed=seed, output_of=one_token)
        random_ = random.Random(seed)
        names = [f"t{weight}" for weight in WEIGHTS]
        offer(fleet, names, 3.0, 0, 20 * SECOND, random_)
        fleet.run(until=20 * SECOND)
        before, at = cost_of(fleet, names), 20 * SECOND
        while True:
            offer(fleet, names, 3.0, at, at + 20 * SECOND, random_)
            at += 20 * SECOND
            fleet.run(until=at)
            now = cost_of(fleet, names)
            gained = {name: now[name] - before[name] for name in names}
            served = sum(gained.values())
            if served >= enough:
                break
        part = {weight: gained[f"t{weight}"] / served * total / weight for weight in WEIGHTS}
        worst = max(abs(one - 1) for one in part.values())
        jain = sum(part.values()) ** 2 / (len(part) * sum(one * one for one in part.values()))
        yield (
            worst < 0.02 and jain >= 0.99,
            f"seed {seed}: after {served // MILLION:,} of cost the worst share is off by {worst:.3%},"
            f" Jain {jain:.6f}",
        )


def minimum(seeds: int, seconds: int) -> Lines:
    objective = SECOND
    print("\nA minimum share of 10 % under a higher band; the higher one's objective is ttft p95 <= 1 s")
    for demand in (0.5, 0.7, 0.8, 3.0):
        for seed in range(1, seeds + 1):
            policy = (
                a_policy()
                .model()
                .pool(replicas=REPLICAS)
                .tier("priority", band=300, max_wait=10_000 * SECOND)
            )
            policy.tier("flex", band=100, max_wait=10_000 * SECOND, minimum_share=0.1, max_depth=5000)
            policy.tenant("acme").tenant("globex").route()
            fleet = VirtualFleet(policy.load(), seed=seed, output_of=one_token)
            random_ = random.Random(seed)
            offer(fleet, ["acme"], demand, 0, seconds * SECOND, random_, tier="priority")
            offer(fleet, ["globex"], 1.0, 0, seconds * SECOND, random_, tier="flex")
            fleet.run(until=seconds * SECOND)
            cost = {"priority": 0, "flex": 0}
            for sent in fleet.sent:
                if sent.sent_at >= START + 5 * SECOND:
                    cost[sent.request.tier] += sent.ticket.charged_cost
            share = cost["flex"] / sum(cost.values())
            first = p95([one for one in fleet.served.values() if one.decision.tier == "priority"])
            held = share >= 0.099 and (demand > 0.9 or first <= objective)
            yield (
                held,
                f"priority asks for {demand:.0%} (seed {seed}): flex gets {share:.1%},"
                f" priority's p95 {first / SECOND:.2f} s",
            )


def reservation(seeds: int, seconds: int) -> Lines:
    objective, within = 2 * SECOND, SECOND
    print("\nA reservation of an eighth, others at 5x: conforming requests within ttft <= 2 s")
    for seed in range(1, seeds + 1):
        policy = a_policy().model().pool(replicas=REPLICAS, sequences=40, kv_tokens=150_000)
        policy.tier(max_wait=20 * SECOND, max_depth=200).tenant("acme")
        others = [f"t{number}" for number in range(5)]
        for name in others:
            policy.tenant(name, weight=10)
        policy.reservation("r", "acme", input_per_minute=RATE, output_per_minute=RATE // 10).route()
        fleet = VirtualFleet(policy.load(), seed=seed, output_of=lambda request: request.max_tokens or 1)
        random_ = random.Random(seed)
        offer(fleet, others, 5.0, 0, seconds * SECOND, random_, tokens=(1, 400))
        sigma = RATE * (objective - 200_000 - within) // (60 * MILLION)
        for at, prompt in conforming(sigma, RATE, seconds * SECOND, random_):
            fleet.request("acme", at=at, prompt=prompt, max_tokens=20)
        fleet.run(until=(seconds + 10) * SECOND)
        promised = of(fleet, "acme")
        used = sum(one.decision.reservation == "used" for one in promised)
        kept = sum(one.first_byte is not None and one.ttft <= objective for one in promised)
        yield (
            kept >= 0.999 * len(promised) and used == len(promised),
            f"seed {seed}: {kept:,} of {len(promised):,} in time, p95 {p95(promised) / SECOND:.2f} s;"
            f" of {len(of(fleet, *others)):,} others"
            f" {sum(one.refused is not None for one in of(fleet, *others)):,} were refused",
        )


def isolation(seeds: int, seconds: int) -> Lines:
    print("\nA victim that asks for a tenth of its pool, neighbours at 5x beside it")
    for seed in range(1, seeds + 1):
        alone = victim(seed, seconds, own=False, neighbours=0.0)
        own = victim(seed, seconds, own=True, neighbours=5.0)
        moved = own / victim(seed, seconds, own=True, neighbours=0.0) - 1
        yield abs(moved) < 0.10, f"seed {seed}: reserved_only pool: ttft p95 {moved:+.1%} (10 %)"
        shared = victim(seed, seconds, own=False, neighbours=5.0)
        added = shared - alone
        opening = GATE_US + PROMPT[1] * 100  # G, and one prompt until the next opening
        yield (
            added <= opening,
            f"seed {seed}: shared pool: ttft p95 {alone / SECOND:.2f} -> {shared / SECOND:.2f} s,"
            f" added {added / SECOND:.2f} s (G + one opening: {opening / SECOND:.2f} s)",
        )


def victim(seed: int, seconds: int, *, own: bool, neighbours: float) -> int:
    """ttft p95 of a tenant whose requests fit its reservation, in microseconds."""
    policy = a_policy().model().pool(replicas=REPLICAS).pool("own", replicas=1, isolation="reserved_only")
    policy.tier(max_wait=20 * SECOND, max_depth=200).tenant("acme").tenant("crowd")
    pool = "own" if own else "p"
    policy.reservation("r", "acme", pool=pool, input_per_minute=RATE, output_per_minute=RATE // 10)
    policy.route("mine", pool, rank=1, tenants=("acme",)).route("all", "own" if own else "p", fallback=("p",))
    fleet = VirtualFleet(policy.load(), seed=seed, output_of=one_token)
    for at, prompt in conforming(3000, RATE * 8 // 10, seconds * SECOND, random.Random(seed)):
        fleet.request("acme", at=at, prompt=prompt, max_tokens=1)
    if neighbours:
        offer(fleet, ["crowd"], neighbours, 0, seconds * SECOND, random.Random(seed + 100))
    fleet.run(until=(seconds + 10) * SECOND)
    return p95(of(fleet, "acme"))


PARTS: tuple[Callable[[int, int], Lines], ...] = (shares, minimum, reservation, isolation)


def one_pool(*, max_wait: int) -> PolicyBuilder:
    return a_policy().model().pool(replicas=REPLICAS).tier(max_wait=max_wait).route()


def offer(
    fleet: VirtualFleet,
    tenants: list[str],
    load: float,
    since: int,
    until: int,
    random_: random.Random,
    *,
    tier: str = "standard",
    tokens: tuple[int, ...] = (1,),
) -> None:
    """Poisson arrivals of ``load`` times what the fleet prefills, evenly from the tenants."""
    mean = sum(PROMPT) / 2 / (PER_SECOND * load) * len(tenants) * SECOND
    for name in tenants:
        at = since + int(random_.expovariate(1 / mean))
        while at < until:
            prompt = random_.randint(*PROMPT)
            fleet.request(name, at=at, prompt=prompt, tier=tier, max_tokens=random_.choice(tokens))
            at += 1 + int(random_.expovariate(1 / mean))


def conforming(sigma: int, rate: int, until: int, random_: random.Random) -> Iterator[tuple[int, int]]:
    """(instant, prompt tokens) as a bucket of ``sigma`` tokens and ``rate`` a minute lets them go: bursts as
    large as it allows, then at its pace, then a pause that fills it again."""
    level, at, paced = sigma * MILLION, 0, 0
    full = sigma * 60 * MILLION // rate
    while at < until:
        prompt = random_.randint(*PROMPT)
        while level < prompt * MILLION:
            paced += 1
            wait = full if paced % 6 == 0 else (prompt * MILLION - level) * 60 // rate + 1
            at += wait
            level = min(sigma * MILLION, level + wait * rate // 60)
        level -= prompt * MILLION
        yield at, prompt


def one_token(_: Request) -> int:
    return 1


def of(fleet: VirtualFleet, *tenants: str) -> list[Served]:
    return [one for one in fleet.served.values() if one.decision.request.tenant in tenants]


def cost_of(fleet: VirtualFleet, tenants: list[str]) -> dict[str, int]:
    found = dict.fromkeys(tenants, 0)
    for sent in fleet.sent:
        found[sent.request.tenant] += sent.ticket.charged_cost
    return found


def p95(served: list[Served]) -> int:
    """Of the times to first byte, in microseconds; who got none in time counts as the worst."""
    waits = sorted(one.ttft for one in served if one.first_byte is not None)
    waits += [waits[-1] if waits else 0] * (len(served) - len(waits))
    return waits[len(waits) * 95 // 100]


if __name__ == "__main__":
    main()
