"""Which processes make the whole, and how is each started?"""

from __future__ import annotations

from pathlib import Path

from headway.place import VAR_VARIABLE
from headway.up.answers import all_serve, follows, serves
from headway.up.child import Spec
from headway.up.options import LOOPBACK, REPLICAS, Ports

MODEL = "llama-3-8b"


def fleet(ports: Ports, profile: str) -> Spec:
    """The simulated replicas: one process, one listener each. ``profile``: a built-in one, or a file."""
    return Spec(
        name="simfleet",
        what=f"simulated fleet ({REPLICAS} replicas)",
        module="headway",
        arguments=(
            *("simfleet", "--host", LOOPBACK, "--base-port", str(ports.fleet)),
            *("--replicas", str(REPLICAS), "--model", MODEL, "--profile", profile),
        ),
        answers=all_serve(f"{url}/health" for url in ports.replica_urls),
        address=f"{ports.replica_urls[0]} to {ports.fleet + REPLICAS - 1}",
    )


def web(ports: Ports, var: Path) -> Spec:
    """The console."""
    return Spec(
        name="web",
        what="console",
        module="headway.web",
        arguments=("--host", LOOPBACK, "--port", str(ports.console)),
        answers=all_serve([f"{ports.console_url}/readyz"]),
        address=ports.console_url,
        environment={
            VAR_VARIABLE: str(var),
            "HEADWAY_GATEWAY_URL": ports.gateway_url,
            "HEADWAY_GATEWAY_ADMIN_URL": ports.admin_url,
        },
    )


def gateway(ports: Ports, state: Path, *, serial: int, workers: int = 1) -> Spec:
    """The data plane, following the console from the folder it was enrolled into.

    ``serial``: of the pointer it must follow before it counts as started. Until something is released
    (0) it has no policy to serve, so there is nothing to wait for.
    """
    models, readyz = f"{ports.gateway_url}/v1/models", f"{ports.admin_url}/readyz"
    return Spec(
        name="gateway",
        what="gateway" if serial else "gateway (it waits for a first policy)",
        module="headway",
        arguments=(
            *("gateway", "--server", ports.console_url, "--state", str(state), "--host", LOOPBACK),
            *("--port", str(ports.gateway), "--admin-port", str(ports.admin)),
            *("--record", str(state.parent / "recordings")),
            *(("--workers", str(workers)) if workers > 1 else ()),
        ),
        answers=lambda: not serial or (serves(models) and follows(readyz, serial)),
        address=ports.gateway_url if serial else "",
    )


def demo(ports: Ports, keys: Path) -> Spec:
    """Four tenants' traffic; it has no port, so running is all there is to see."""
    return Spec(
        name="demo",
        what="demo workload",
        module="simfleet.workload",
        arguments=("--keys", str(keys), "--target", ports.gateway_url),
        answers=lambda: True,
    )
