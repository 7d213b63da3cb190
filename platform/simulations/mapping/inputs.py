"""What is asked for, would it make sense to simulate, and which job is each of its runs?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from coordination.capacity import Profile
from coordination.capacity.profile_file import read_profile
from coordination.program.index import Program, load
from coordination.program.records import ProgramRecords
from coordination.simulator import Client, MadeOfError, Mix, Promise, Study, even_mix, made_of
from coordination.simulator.searching import SearchError, turned
from foundation.http import FieldError, Invalid
from simulations import store
from simulations.job import Job
from simulations.mapping.policies import Chosen, Wanted
from simulations.models import Run, Scenario, Trace

MOST_SEEDS = 20
MOST_VALUES = 64
MOST_CLIENTS = 1000
MOST_PROFILES = 50
MOST_SEED = 2**63 - 1 - MOST_SEEDS
FASTEST, SLOWEST = 1e6, 1e-3

MixEntry = tuple[str, str | None, int]
"""(tenant, service tier, weight)."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question, as somebody puts it. See ``Scenario`` for what each part means."""

    policy: Wanted
    trace: int | None = None
    example: str = ""
    """Name of an example's trace, instead of ``trace``."""
    against: Wanted | None = None
    speed: float = 1.0
    seed: int = 1
    seeds: int = 1
    limit: int | None = None
    mix: tuple[MixEntry, ...] = ()
    model: str = ""
    host_tokens: int = 0
    replicas: Mapping[str, int] = field(default_factory=dict)
    knob: str = ""
    values: tuple[float, ...] = ()
    profiles: tuple[tuple[str, int], ...] = ()
    """(pool, number of a stored profile); an empty pool means those that name it. The last counts."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the ask leaves open, filled in from the policy."""

    model: str
    mix: tuple[MixEntry, ...]


Given = tuple[tuple[str, Profile], ...]
"""(pool, profile) as ``coordination.simulator.made_of`` takes them."""


def fit(ask: Ask, policy: Chosen, against: Chosen | None, trace: Trace, given: Given = ()) -> Fitted:
    """``given`` are the ask's profiles, read. Raises ``Invalid`` with all of the ask that makes no sense."""
    errors = [*_numbers(ask), *_able(policy, given, "/policy", "")]
    if against is not None:
        errors += _able(against, given, "/against", " of the other policy")
    if errors:
        raise _invalid(errors)
    program = load(policy.records)
    errors += _traffic(ask, program)
    if errors:
        raise _invalid(errors)
    even = even_mix(program, ask.model or None)
    mix = ask.mix or tuple((client.tenant, client.service_tier, client.weight) for client in even.clients)
    fitted = Fitted(even.model, mix)
    errors += _turns(ask, policy.records, "", fitted, trace)
    if against is not None:
        errors += _turns(ask, against.records, " of the other policy", fitted, trace)
    if errors:
        raise _invalid(errors)
    return fitted


def _numbers(ask: Ask) -> Iterator[FieldError]:
    if not SLOWEST <= ask.speed <= FASTEST:
        yield FieldError("/speed", "out_of_range", f"from {SLOWEST:g} to {FASTEST:g}")
    if not 0 <= ask.seed <= MOST_SEED:
        yield FieldError("/seed", "out_of_range", f"from 0 to {MOST_SEED}")
    if not 1 <= ask.seeds <= MOST_SEEDS:
        yield FieldError("/seeds", "out_of_range", f"from 1 to {MOST_SEEDS}")
    if ask.limit is not None and not 1 <= ask.limit <= 10**12:
        yield FieldError("/limit", "out_of_range", "one request or more")
    if not 0 <= ask.host_tokens <= 10**12:
        yield FieldError("/host_tokens", "out_of_range", "from 0 to 10^12")
    if len(ask.profiles) > MOST_PROFILES:
        yield FieldError("/profiles", "too_many", f"at most {MOST_PROFILES}")
    if len(ask.mix) > MOST_CLIENTS:
        yield FieldError("/mix", "too_many", f"at most {MOST_CLIENTS} clients")
    if bool(ask.knob) != bool(ask.values) or len(ask.values) > MOST_VALUES:
        yield FieldError("/sweep", "out_of_range", f"a knob, and 1 to {MOST_VALUES} values")
    elif not all(map(isfinite, ask.values)):
        yield FieldError("/sweep", "out_of_range", "values are finite numbers")
    elif ask.knob and (ask.against is not None or ask.seeds > 1):
        yield FieldError("/sweep", "contradiction", "a sweep has one policy and one seed")


def _able(policy: Chosen, given: Given, pointer: str, whose: str) -> Iterator[FieldError]:
    records = policy.records
    if not (records.models and records.tenants and records.pools):
        yield FieldError(pointer, "nothing_to_simulate", "a simulation needs a model, a pool and a tenant")
    try:
        made_of(records, given)
    except MadeOfError as problem:
        if problem.at is None:
            yield FieldError(pointer, problem.code, f"{problem}; choose a stored profile for it")
        elif problem.code == "unknown_pool":
            yield FieldError(f"/profiles/{problem.at}/pool", problem.code, f"{problem}{whose}")
        else:
            says = f"{problem}{whose}: say which pools"
            yield FieldError(f"/profiles/{problem.at}/profile", problem.code, says)


def _traffic(ask: Ask, program: Program) -> Iterator[FieldError]:
    if ask.model and ask.model not in program.models_by_client_name:
        yield FieldError("/model", "unknown_model", f"the policy has no model `{ask.model[:80]}`")
    for at, (tenant, _, weight) in enumerate(ask.mix):
        if tenant not in program.tenants:
            says = f"the policy has no tenant `{tenant[:80]}`"
            yield FieldError(f"/mix/{at}/tenant", "unknown_tenant", says)
        if not 0 <= weight <= 10**6:
            yield FieldError(f"/mix/{at}/weight", "out_of_range", "from 0 to 1000000")
    if ask.mix and not any(weight > 0 for *_, weight in ask.mix):
        yield FieldError("/mix", "out_of_range", "one client needs a weight above 0")


def _turns(
    ask: Ask, records: ProgramRecords, whose: str, fitted: Fitted, trace: Trace
) -> Iterator[FieldError]:
    """Knobs and values there are."""
    clients = tuple(Client(*each) for each in fitted.mix)
    study = Study(records, Path(trace.name), Mix(clients, fitted.model), ask.speed)
    turns = [(f"replicas:{pool}", float(count), "/replicas") for pool, count in ask.replicas.items()]
    turns += [(ask.knob, value, "/sweep") for value in ask.values]
    for knob, value, pointer in turns:
        try:
            turned(study, knob, value)
        except SearchError as error:
            yield FieldError(pointer, "bad_value", f"{error}{whose}")
            return


def _invalid(errors: list[FieldError]) -> Invalid:
    first = errors[0]
    says = f"{first.pointer.removeprefix('/').replace('/', ' ')}: {first.message}"
    return Invalid("invalid_simulation", f"That cannot be simulated: {says}.", errors=errors)


# -- runs -----------------------------------------------------------------------------------------


def runs_of(ask: Ask, requests: int) -> list[Run]:
    """One for each side, seed and value, in the order their reports are shown."""
    count = requests if ask.limit is None else min(requests, ask.limit)
    sides = [Run.Side.POLICY, *([Run.Side.AGAINST] if ask.against else [])]
    made = [
        Run(side=side, seed=ask.seed + turn, value=value, requests=count)
        for side in sides
        for turn in range(ask.seeds)
        for value in (ask.values or (None,))
    ]
    for position, run in enumerate(made):
        run.position = position
    return made


def promises_of(policy: Chosen, against: Chosen | None) -> dict[str, Any]:
    """As a scenario keeps them: a compiled policy carries no gates."""
    sides = [(Run.Side.POLICY, policy), *([(Run.Side.AGAINST, against)] if against else [])]
    return {
        side.value: msgspec.to_builtins({"objectives": one.objectives, "gates": one.gates})
        for side, one in sides
    }


def _promised(scenario: Scenario, side: str, which: str) -> tuple[Promise, ...] | None:
    """None in scenarios from before they were kept."""
    kept = scenario.promises.get(side)
    return None if kept is None else msgspec.convert(kept[which], tuple[Promise, ...])


def job_of(run: Run, scenario: Scenario) -> Job:
    """What a child is to do."""
    of = scenario.policy if run.side == Run.Side.POLICY else scenario.against
    if of is None:
        raise ValueError(f"{run} has no policy")
    records = msgspec.json.decode(bytes(of.records), type=ProgramRecords)
    made = scenario.made_of.select_related("profile").order_by("position")
    return Job(
        policy=records,
        trace=str(store.path_of(scenario.trace.digest, scenario.trace.format)),
        model=scenario.model,
        mix=tuple((tenant, tier, weight) for tenant, tier, weight in scenario.mix),
        speed=scenario.speed,
        seed=run.seed,
        limit=scenario.limit,
        host_tokens=scenario.host_tokens,
        replicas=scenario.replicas,
        objectives=_promised(scenario, run.side, "objectives"),
        gates=_promised(scenario, run.side, "gates") or (),
        profiles=made_of(records, [(one.pool, read_profile(bytes(one.profile.body))) for one in made]),
        knob=scenario.knob,
        value=run.value,
        memory_bytes=settings.HEADWAY_SIMULATION_MB * 1024**2,
    )
