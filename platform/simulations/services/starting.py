"""How does a simulation begin? Compiled and looked at first; then its rows, which workers are told of."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from coordination.capacity.profile_file import read_profile
from foundation import audit
from foundation.actors import Actor, name_of, person_behind
from foundation.http import Conflict, FieldError, Invalid, NotFound, Refused
from foundation.locking import locked
from policies.services import clock
from policies.services.environments import require_environment
from simulations import events, selectors, store
from simulations.mapping.inputs import Ask, fit, promises_of, runs_of
from simulations.mapping.policies import Chosen, choose
from simulations.models import CompiledPolicy, MadeOf, Run, Scenario, Simulation, StoredProfile, Trace
from simulations.permissions import require_simulator
from simulations.services import checks
from simulations.services.traces import adopt_example

MOST_OPEN = 20
"""Simulations of one environment that wait or run."""


def start(*, actor: Actor, environment: str, ask: Ask) -> Simulation:
    """Have it simulated. Raises ``Invalid`` (``invalid_simulation``, ``unsound_policy``, ``unknown_policy``),
    ``NotFound``, ``Conflict`` (``stale_edit``, ``trace_missing``), ``Refused`` (``too_many_simulations``)."""
    require_simulator(actor, environment)
    require_environment(environment)
    if selectors.open_simulations(environment) >= MOST_OPEN:
        raise Refused(
            "too_many_simulations",
            f"{MOST_OPEN} simulations of `{environment}` wait or run: cancel one, or wait.",
            status=429,
            retry_after=10,
        )
    trace = _trace(actor, environment, ask)
    profiles = _profiles(environment, ask)
    at = clock.micros(clock.midnight())
    policy = choose(ask.policy, environment, at, "/policy")
    against = None if ask.against is None else choose(ask.against, environment, at, "/against")
    given = tuple((pool, read_profile(bytes(profiles[number].body))) for pool, number in ask.profiles)
    fitted = fit(ask, policy, against, trace, given)
    now = timezone.now()
    with transaction.atomic():
        _hold(environment, ask)
        scenario = Scenario.objects.create(
            environment=environment,
            policy=_kept(policy),
            policy_source=policy.source,
            policy_label=policy.label,
            policy_revision=policy.revision,
            change_set=policy.change_set,
            head_digest=policy.head_digest,
            against=None if against is None else _kept(against),
            against_source="" if against is None else against.source,
            against_label="" if against is None else against.label,
            against_revision="" if against is None else against.revision,
            promises=promises_of(policy, against),
            trace=trace,
            model=fitted.model,
            mix=[list(each) for each in fitted.mix],
            speed=ask.speed,
            seed=ask.seed,
            seeds=ask.seeds,
            limit=ask.limit,
            host_tokens=ask.host_tokens,
            replicas=dict(ask.replicas),
            knob=ask.knob,
            values=list(ask.values),
        )
        MadeOf.objects.bulk_create(
            MadeOf(scenario=scenario, position=position, pool=pool, profile=profiles[number])
            for position, (pool, number) in enumerate(ask.profiles)
        )
        made = Simulation.objects.create(
            environment=environment,
            scenario=scenario,
            author_id=person_behind(actor),
            author_name=name_of(actor),
            created_at=now,
        )
        runs = runs_of(ask, trace.requests)
        for run in runs:
            run.simulation, run.woken_at = made, now
        Run.objects.bulk_create(runs)
        events.started(made)
        checks.started(made)
        audit.record(
            actor=actor,
            action="simulations.started",
            object_kind="Simulation",
            object_name=str(made.pk),
            environment=environment,
            details={
                "policy": scenario.policy_id,
                "against": scenario.against_id,
                "trace": trace.digest,
                "profiles": [profiles[number].digest for _, number in ask.profiles],
                "change_set": scenario.change_set_id,
                "runs": len(runs),
            },
        )
    return made


def _trace(actor: Actor, environment: str, ask: Ask) -> Trace:
    if ask.trace is None and not ask.example:
        error = FieldError("/trace", "required", "the number of a trace, or the name of an example")
        raise Invalid("invalid_simulation", "Say which trace.", errors=[error])
    if ask.trace is None:
        return adopt_example(actor=actor, environment=environment, name=ask.example)
    found = selectors.trace(environment, ask.trace)
    if found is None:
        name = str(ask.trace)
        raise NotFound("not_found", f"`{environment}` has no trace {name}.", kind="Trace", name=name)
    if not store.path_of(found.digest, found.format).exists():
        raise Conflict(
            "trace_missing",
            f"The file of trace {found.pk} is gone from the folder of traces: upload it again.",
            kind="Trace",
            name=str(found.pk),
        )
    return found


def _profiles(environment: str, ask: Ask) -> dict[int, StoredProfile]:
    """By number, with their files. Raises ``Invalid`` at each that the environment does not keep."""
    wanted = {number for _, number in ask.profiles if number <= selectors.LARGEST_ID}
    rows = StoredProfile.objects.filter(environment=environment, pk__in=wanted, removed_at=None)
    found = {row.pk: row for row in rows}
    errors = [
        FieldError(f"/profiles/{at}/profile", "unknown_profile", f"`{environment}` keeps no profile {number}")
        for at, (_, number) in enumerate(ask.profiles)
        if number not in found
    ]
    if errors:
        raise Invalid("invalid_simulation", f"{errors[0].message}.", errors=errors)
    return found


def _hold(environment: str, ask: Ask) -> None:
    """None of them may be removed from here on; one that just was is not there."""
    if ask.profiles:
        rows = StoredProfile.objects.filter(pk__in={number for _, number in ask.profiles}, removed_at=None)
        held = set(locked(rows.order_by("pk")).values_list("pk", flat=True))
        if any(number not in held for _, number in ask.profiles):
            _profiles(environment, ask)


def _kept(policy: Chosen) -> CompiledPolicy:
    row, _ = CompiledPolicy.objects.get_or_create(
        pk=policy.digest, defaults={"records": policy.body, "created_at": timezone.now()}
    )
    return row
