"""What may an operator on this machine ask? Explanations, levels, health, readiness, metrics, replicas."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from coordination.bundle.refusals import Refused
from gateway.downstream.connection import ClientConnection
from gateway.downstream.request import HttpRequest
from gateway.errors import Problem
from gateway.metrics import CONTENT_TYPE
from gateway.trials import canaries

if TYPE_CHECKING:
    from gateway.process import GatewayProcess

JSON = b"application/json"
STATUS = {"malformed_envelope": 400, "malformed_override": 400, "too_large": 400, "persist_failed": 507} | {
    **dict.fromkeys(("override_replayed", "override_renewed", "too_many_overrides"), 409),
    **dict.fromkeys(("override_out_of_bounds", "override_expired", "override_early"), 422),
}
"""Of an override that is refused; whatever else is wrong is a matter of whose signature counts."""
DECISIONS = b"/decisions/"
LEVELS = b"/levels/"
OVERRIDES = b"/overrides"


class AdminPlane:
    """The ``Service`` of the admin port: loopback by default, no key asked. It only reads, but for overrides:
    those carry their own signature."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway

    def vet(self, request: HttpRequest) -> Problem | None:
        request.path = request.path.partition(b"?")[0]
        if request.method == "POST" and request.path == OVERRIDES:
            return None
        if request.method not in ("GET", "HEAD"):
            return Problem("method_not_allowed", "The admin port answers GET only, but for overrides.")
        return None

    def serve(self, request: HttpRequest, connection: ClientConnection) -> None:
        if request.problem is not None:
            return _refuse(connection, request.problem)
        path = request.path
        if path == b"/healthz":
            return _json(connection, 200, {"status": "ok"})
        if path == b"/readyz":
            ready = self._gateway.readiness()
            return _json(connection, 200 if ready["ready"] else 503, ready)
        if path == OVERRIDES:
            return self._overrides(request, connection)
        if path == b"/replicas":
            gateway = self._gateway
            names = gateway.name_states()
            return _json(connection, 200, {"replicas": gateway.replica_states(), "names": names})
        if path == b"/canaries":
            gateway = self._gateway
            return _json(connection, 200, {"canaries": canaries(gateway.coordinator, gateway.clock.now())})
        if path == b"/metrics":
            fields = b"content-type: %b\r\n" % CONTENT_TYPE
            return connection.respond(200, fields, self._gateway.metrics_page())
        if path.startswith(LEVELS):
            tenant = path[len(LEVELS) :].decode("latin-1")
            return _json(connection, 200, asdict(self._gateway.coordinator.levels(tenant)))
        if path.startswith(DECISIONS):
            request_id = path[len(DECISIONS) :].decode("latin-1")
            explanation = self._gateway.plane.explanations.get(request_id)
            if explanation is not None:
                return _json(connection, 200, explanation.as_json())
            return _refuse(connection, Problem("unknown_url", "No such request is remembered here."))
        return _refuse(connection, Problem("unknown_url", "Unknown admin URL."))

    def _overrides(self, request: HttpRequest, connection: ClientConnection) -> None:
        overrides = self._gateway.overrides
        if request.method == "POST":
            taken = overrides.take(request.body)
            if isinstance(taken, Refused):
                status = STATUS.get(taken.code, 403)
                where = f" ({taken.json_pointer})" if taken.json_pointer else ""
                said = {"code": taken.code, "message": f"{taken.message}{where}"}
                return _json(connection, status, {"error": said})
        return _json(connection, 200, overrides.as_json())


def _json(connection: ClientConnection, status: int, value: dict[str, Any]) -> None:
    fields = b"content-type: %b\r\ncache-control: no-store\r\n" % JSON
    # Not orjson: the arms of a route (R4) reach 2**64, which it refuses.
    connection.respond(status, fields, json.dumps(value, indent=2).encode())


def _refuse(connection: ClientConnection, problem: Problem) -> None:
    connection.respond(problem.status, b"content-type: %b\r\n" % JSON, problem.body())
