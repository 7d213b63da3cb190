"""A change set and what was found out about it: simulated, compared with what is released, swept; and one
simulation that is half way."""

from __future__ import annotations

from typing import Any

from foundation.actors import Actor
from policies import selectors, services
from policies.mapping.documents import as_json
from simulations import leases
from simulations import services as simulating
from simulations.job import work
from simulations.mapping.inputs import Ask, job_of
from simulations.mapping.policies import Wanted
from simulations.models import Run, Simulation
from tests.delivery.conftest import drain
from tests.simulations.conftest import calibrated
from tests.support.found import found

ENVIRONMENT = "dev"


def simulate_a_while(actor: Actor) -> None:
    """Simulations 1 (alone), 2 (a change set against what is released, calibrated), 3 (a sweep over
    replicas that are listed), 4 (half way), 5 (a sweep over what routes say)."""
    change_set = services.open_change_set(
        actor=actor, environment=ENVIRONMENT, reason="Interactive traffic goes first", ticket="OPS-41"
    )
    head = found(selectors.head(ENVIRONMENT, "Tier", "priority"))
    body: dict[str, Any] = as_json(head.document)
    body["spec"]["queue"] = {"max_wait": "500ms", "max_depth": 50}
    services.put_operation(
        actor=actor,
        change_set=change_set,
        kind="Tier",
        name="priority",
        body=body,
        base_digest=head.document_id,
    )
    services.report_check(
        actor=actor, change_set=change_set, name="lint", state="passed", summary="Nothing to say."
    )
    drain()
    current, proposed = Wanted("current"), Wanted("change_set", change_set=change_set.pk)
    quick: dict[str, Any] = {"example": "quickstart", "speed": 8.0}
    finish(start(actor, Ask(current, **quick)))
    kept, _ = simulating.upload_profile(actor=actor, environment=ENVIRONMENT, chunks=[calibrated()])
    ours = (("chat-a", kept.pk),)
    finish(start(actor, Ask(proposed, against=Wanted("released"), seeds=2, profiles=ours, **quick)))
    finish(start(actor, Ask(current, knob="replicas", values=(1.0, 2.0, 4.0), **quick)))
    lease = leases.claim(
        start(actor, Ask(current, seeds=2, **quick)).runs.order_by("position")[0].pk, "worker"
    )
    assert leases.renew(found(lease), 60, 30_000_000)
    finish(start(actor, Ask(current, knob="release_after", values=(0.25, 1.0, 4.0), **quick)))


def start(actor: Actor, ask: Ask) -> Simulation:
    return simulating.start(actor=actor, environment=ENVIRONMENT, ask=ask)


def finish(simulation: Simulation) -> None:
    """Every run, in this process."""
    for run in Run.objects.filter(simulation=simulation).order_by("position"):
        lease = found(leases.claim(run.pk, "worker"))
        assert leases.finish(lease, work(job_of(run, simulation.scenario), _nobody), 420_000)
    assert simulating.settle(simulation=simulation.pk)


def _nobody(arrived: int, simulated_us: int) -> None:
    """Nobody asks how far it is."""
