"""How is everything run on this machine? ``headway up``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from headway.cli.words import Option
from headway.place import var_dir
from headway.up.options import PROFILE, Options


def command(
    port: Annotated[int, Option(min=0, max=65_535, help="Console; 0 = any free port.")] = 8000,
    gateway_port: Annotated[int, Option(min=0, max=65_535, help="Gateway; 0 = any free port.")] = 8080,
    admin_port: Annotated[
        int, Option(min=0, max=65_535, help="Gateway's admin port; 0 = any free port.")
    ] = 8081,
    fleet_port: Annotated[
        int,
        Option(min=0, max=65_528, help="First of the simulated replicas' ports; 0 = any free ones."),
    ] = 8101,
    gateway_workers: Annotated[
        int, Option(min=1, max=64, help="Processes that share the gateway's port.")
    ] = 1,
    profile: Annotated[
        str, Option(help="What simulated replicas are: a profile, or a file of `headway calibrate`.")
    ] = "",
    var: Annotated[Path | None, Option(help="State folder (default: var/ in the checkout).")] = None,
    demo: Annotated[bool, Option("--demo/--no-demo", help="Demo traffic, users and fleet.")] = True,
) -> None:
    """Run everything on this machine: console, gateway, simulated fleet, demo workload."""
    from headway.up.run import up

    options = Options(
        port=port,
        gateway_port=gateway_port,
        admin_port=admin_port,
        fleet_port=fleet_port,
        var=var.resolve() if var else var_dir(),
        demo=demo,
        gateway_workers=gateway_workers,
        profile=_checked(profile, demo) if profile else PROFILE,
    )
    raise SystemExit(up(options))


def _checked(profile: str, demo: bool) -> str:
    """As the fleet's process is told it: a name, or an absolute path. Exits with 2 if it is neither."""
    from coordination.capacity import PROFILES
    from headway.cli.artefacts import CouldNotRun, reporting
    from headway.cli.profiles import profile_of

    with reporting("up"):
        if not demo:
            raise CouldNotRun("--profile says what simulated replicas are, and --no-demo starts none")
        profile_of(profile)
    return profile if profile in PROFILES else str(Path(profile).resolve())
