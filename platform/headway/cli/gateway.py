"""``headway gateway``: how is the data plane started?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class OnFull(StrEnum):
    SERVE = "serve"
    REFUSE = "refuse"


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    bundle: Annotated[
        Path | None, typer.Option(help="Bundle file; its envelope beside it is FILE.dsse.json.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Public key the bundle must be signed by.")] = None,
    directory: Annotated[Path | None, typer.Option(help="Directory file: keys and shares.")] = None,
    state: Annotated[
        Path | None, typer.Option(help="State folder, instead of the three above; with them, only for usage.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for clients; 0 takes a free one.")] = 8080,
    region: Annotated[
        str, typer.Option(help="Where it stands; routes may match requests by it (`match.regions`).")
    ] = "local",
    admin_host: Annotated[str, typer.Option(help="Address of the admin port.")] = "127.0.0.1",
    admin_port: Annotated[
        int, typer.Option(help="Port for operators and metrics; 0 takes a free one.")
    ] = 8081,
    server: Annotated[
        str | None,
        typer.Option(help="Follow the console at this URL; --state is the folder it was enrolled into."),
    ] = None,
    on_ledger_full: Annotated[
        OnFull, typer.Option(help="What to do with requests whose usage cannot be recorded.")
    ] = OnFull.SERVE,
    tls_cert: Annotated[
        Path | None, typer.Option(help="Certificate chain (PEM) to speak TLS with; needs --tls-key.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM), unencrypted.")] = None,
    replica_ca: Annotated[
        Path | None,
        typer.Option(help="Authorities (PEM) to believe for https replicas, instead of the system's."),
    ] = None,
    drain_seconds: Annotated[
        float, typer.Option(min=0, help="How long answers may go on after a signal to stop.")
    ] = 2.0,
    workers: Annotated[
        int,
        typer.Option(
            min=1, max=64, help="Processes that share the port. More than one adds one that decides for all."
        ),
    ] = 1,
    record: Annotated[
        Path | None, typer.Option(help="Record traffic here, without prompts, for `headway simulate`.")
    ] = None,
    ready_file: Annotated[Path | None, typer.Option(help="Written as JSON once requests are served.")] = None,
) -> None:
    """Serve an OpenAI-compatible endpoint under a verified policy."""
    if context.invoked_subcommand is not None:
        return
    from gateway.main import run
    from gateway.settings import GatewaySettings

    settings = GatewaySettings(
        bundle=bundle,
        key=key,
        directory=directory,
        state=state,
        server=server,
        host=host,
        port=port,
        region=region,
        admin_host=admin_host,
        admin_port=admin_port,
        tls_cert=tls_cert,
        tls_key=tls_key,
        replica_ca=replica_ca,
        drain_seconds=drain_seconds,
        workers=workers,
        record=record,
        ready_file=ready_file,
        on_ledger_full=on_ledger_full.value,
    )
    raise typer.Exit(run(settings))


@app.command()
def enroll(
    server: Annotated[str, typer.Option(help="URL of the console.")],
    token: Annotated[str, typer.Option(help="Enrolment token, from the console's Gateways page.")],
    root: Annotated[str, typer.Option(help="Digest of the root to trust: sha256:<64 hex>.")],
    state: Annotated[Path, typer.Option(help="Folder to keep this gateway's identity and state in.")],
    name: Annotated[str, typer.Option(help="Name of this gateway in its ring.")] = "gateway",
) -> None:
    """Join an environment: afterwards `headway gateway --server URL --state DIR` follows it."""
    from subscriber.enrolment import EnrolmentRefused
    from subscriber.enrolment import enroll as join

    try:
        made = join(server=server, token=token, root=root, folder=state, name=name)
    except EnrolmentRefused as refused:
        typer.echo(f"headway: {refused}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{made.gateway} joined {made.environment}, ring {made.ring}; identity in {state}")
