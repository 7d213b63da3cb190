"""What do all of simulation's endpoints share? Who acts, in which environment, and what is not there."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from foundation.actors import Actor
from foundation.http import NotFound
from foundation.http.rest import Idempotent
from policies.services.environments import require_environment
from simulations import selectors
from simulations.models import Simulation, Trace
from simulations.permissions import require_reader, require_simulator
from tenancy.api.authentication import actor_of


class SimulationView(Idempotent):
    """The caller's right is looked at before the environment is."""

    @property
    def actor(self) -> Actor:
        return actor_of(self.request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in SAFE_METHODS:
            require_reader(self.actor)
        else:
            require_simulator(self.actor, kwargs["environment"])
        require_environment(kwargs["environment"])


def the_trace(environment: str, number: str) -> Trace:
    found = selectors.trace(environment, int(number))
    if found is None:
        raise NotFound("not_found", f"`{environment}` has no trace {number}.", kind="Trace", name=number)
    return found


def the_simulation(environment: str, number: str) -> Simulation:
    found = selectors.simulation(environment, int(number))
    if found is None:
        raise NotFound(
            "not_found", f"`{environment}` has no simulation {number}.", kind="Simulation", name=number
        )
    return found
