"""``headway gateway``: how is the data plane started?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    bundle: Annotated[
        Path | None, typer.Option(help="Bundle file; its envelope beside it is FILE.dsse.json.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Public key the bundle must be signed by.")] = None,
    directory: Annotated[Path | None, typer.Option(help="Directory file: keys and shares.")] = None,
    state: Annotated[Path | None, typer.Option(help="State folder, instead of the three above.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for clients; 0 takes a free one.")] = 8080,
    admin_host: Annotated[str, typer.Option(help="Address of the admin port.")] = "127.0.0.1",
    admin_port: Annotated[
        int, typer.Option(help="Port for operators and metrics; 0 takes a free one.")
    ] = 8081,
    ready_file: Annotated[Path | None, typer.Option(help="Written as JSON once requests are served.")] = None,
) -> None:
    """Serve an OpenAI-compatible endpoint under a verified policy."""
    from gateway.main import run
    from gateway.settings import GatewaySettings

    settings = GatewaySettings(
        bundle=bundle,
        key=key,
        directory=directory,
        state=state,
        host=host,
        port=port,
        admin_host=admin_host,
        admin_port=admin_port,
        ready_file=ready_file,
    )
    raise typer.Exit(run(settings))
