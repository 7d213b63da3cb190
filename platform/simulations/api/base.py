"""What do all of simulation's endpoints share? Who acts, in which environment, what is not there, and how a
body comes in that is no JSON to be parsed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rest_framework.parsers import BaseParser
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from foundation.actors import Actor
from foundation.http import NotFound, Refused
from foundation.http.rest import Idempotent
from policies.services.environments import require_environment
from simulations import selectors
from simulations.models import Simulation, StoredProfile, Trace
from simulations.permissions import require_reader, require_simulator
from tenancy.api.authentication import actor_of

CHUNK = 256 * 1024


class Unread(BaseParser):
    """A body that the view reads itself, piece by piece."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:  # noqa: ARG002
        return stream


def pieces(request: Request) -> Iterator[bytes]:
    """The body of a view whose parser is ``Unread``."""
    stream = request._request
    while piece := stream.read(CHUNK):
        yield piece


def require_body(request: Request, media: Sequence[str]) -> None:
    """Raises ``Refused`` (``unsupported_media_type``) for another type, or one that is compressed."""
    if request.content_type.partition(";")[0].strip().lower() not in media:
        raise Refused("unsupported_media_type", f"Send {', '.join(media)}.", status=415)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused("unsupported_media_type", "Send it as it is: not compressed.", status=415)


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


def the_profile(environment: str, number: str) -> StoredProfile:
    found = selectors.profile(environment, int(number))
    if found is None:
        raise NotFound("not_found", f"`{environment}` has no profile {number}.", kind="Profile", name=number)
    return found


def the_simulation(environment: str, number: str) -> Simulation:
    found = selectors.simulation(environment, int(number))
    if found is None:
        raise NotFound(
            "not_found", f"`{environment}` has no simulation {number}.", kind="Simulation", name=number
        )
    return found
