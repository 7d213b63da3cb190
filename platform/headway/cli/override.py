"""``headway override``: emergency measures signed by hand, for when there is no control plane to ask."""

from __future__ import annotations

import getpass
import json
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from coordination.bundle import dsse
from coordination.bundle.keys import KeyFormatError, SigningKey
from coordination.bundle.overrides import KINDS, WIDENING, Override, Statement, peek_override, sign_override
from coordination.bundle.refusals import RefusedError
from headway.cli.artefacts import CouldNotRun, iso, read_file, reporting, write_file
from headway.cli.remote.admin import Refusal, ask

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Emergency measures, signed by hand and given to a gateway's admin port.",
)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

Key = Annotated[Path, typer.Option("--key", help="Your private key; one whose public half the root trusts.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Where to write the signed statement.")]
File = Annotated[Path, typer.Argument(help="A signed statement.")]
Admin = Annotated[str, typer.Option("--admin", help="URL of a gateway's admin port.")]
AT = "http://127.0.0.1:8081"


@app.command()
def sign(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")],
    key: Key,
    out: Out,
    environment: Annotated[str, typer.Option("--environment", help="The one environment it is for.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; whoever is refused by it reads this.")],
    subject: Annotated[
        str, typer.Argument(help="Tenant, key id, pool, replica's URL or QUOTA:OF:PER; none for a freeze.")
    ] = "",
    lasts: Annotated[str, typer.Option("--for", help="How long: 90s, 30m, 4h, 2d.")] = "1h",
    factor: Annotated[float | None, typer.Option(help="raise_limit: 1.5 is half as much again.")] = None,
    by: Annotated[str, typer.Option("--by", help="Who decides; by default your user name.")] = "",
    approved_by: Annotated[
        str | None, typer.Option("--approved-by", help="raise_limit: the second person, who signs too.")
    ] = None,
) -> None:
    """Sign one. Exit 0 signed, 1 nothing that may be, 2 could not run. Prints its id."""
    with reporting("override sign"), _refusing("sign"):
        if kind not in KINDS:
            raise CouldNotRun(f"there is no kind `{kind}`; there are {', '.join(KINDS)}")
        signer = _signing_key(key)
        now = time.time_ns() // 1000
        override = Override(
            id=f"ovr_{secrets.token_hex(8)}",
            kind=kind,
            subject=subject,
            issued_at=now,
            expires_at=now + _micros(lasts),
            reason=reason,
            by=by or getpass.getuser(),
            amount_ppm=None if factor is None else round(factor * 1_000_000),
            approved_by=approved_by,
        )
        write_file(out, sign_override(Statement(environment=environment, override=override), [signer]))
    print(f"{override.id} {kind} {subject or environment} until {iso(override.expires_at)}")
    if kind in WIDENING:
        print(f"{approved_by} signs too, before any gateway takes it: headway override cosign {out}")


@app.command()
def cosign(file: File, key: Key) -> None:
    """Add the second person's signature. Exit 0 signed, 1 no such statement, 2 could not run."""
    with reporting("override cosign"), _refusing("cosign"):
        signer = _signing_key(key)
        held = read_file(file)
        statement = peek_override(held)
        merged = dsse.merge([held, sign_override(statement, [signer])])
        write_file(file, merged)
    print(_line(statement.override))
    for key_id in dsse.signers(merged):
        print(f"signed by {key_id}")


@app.command()
def lift(file: File, key: Key, out: Out) -> None:
    """Sign the end of one that was signed before. Exit 0 signed, 1 no such statement, 2 could not run."""
    with reporting("override lift"), _refusing("lift"):
        signer = _signing_key(key)
        statement = peek_override(read_file(file))
        now = max(time.time_ns() // 1000, statement.override.issued_at + 1)
        ended = _shortened(statement.override, now)
        write_file(out, sign_override(Statement(environment=statement.environment, override=ended), [signer]))
    print(f"{ended.id} ends")


@app.command()
def apply(file: File, admin: Admin = AT) -> None:
    """Give one to a gateway. Exit 0 taken, 1 refused, 2 could not run.

    The same by hand: curl -X POST --data-binary @FILE URL/overrides
    """
    with reporting("override apply"), _refusing("apply"):
        told = ask(admin, "/overrides", read_file(file))
    _show(told)


@app.command("list")
def listing(
    admin: Admin = AT,
    as_json: Annotated[bool, typer.Option("--json", help="As the gateway says it.")] = False,
) -> None:
    """What is in force on a gateway. Exit 0, or 2 could not run."""
    with reporting("override list"), _refusing("list"):
        told = ask(admin, "/overrides")
    if as_json:
        print(json.dumps(told, indent=2))
    else:
        _show(told)


def _show(told: dict[str, Any]) -> None:
    found = told["overrides"]
    for one in found:
        factor = f" x{one['amount_ppm'] / 1_000_000:g}" if one["amount_ppm"] else ""
        print(
            f"{one['id']}  {one['kind']} {one['subject']}{factor}  until {iso(one['expires_at'])}"
            f"  {one['from']}, by {one['by']}: {one['reason']}"
        )
    if not found:
        print("no overrides in force")
    if not told["kept"]:
        print("this gateway keeps no state: a restart forgets what was given by hand", file=sys.stderr)


def _line(override: Override) -> str:
    return f"{override.id} {override.kind} {override.subject} until {iso(override.expires_at)}"


def _shortened(override: Override, now: int) -> Override:
    fields = {name: getattr(override, name) for name in override.__struct_fields__}
    return Override(**{**fields, "issued_at": now, "expires_at": min(now, override.expires_at)})


def _micros(text: str) -> int:
    unit = UNITS.get(text[-1:])
    if unit is None or not text[:-1].isdigit():
        raise CouldNotRun(f"--for {text}: not a duration such as 90s, 30m, 4h or 2d")
    return int(text[:-1]) * unit * 1_000_000


def _signing_key(path: Path) -> SigningKey:
    try:
        return SigningKey.from_pem(read_file(path))
    except KeyFormatError as error:
        raise CouldNotRun(f"{path}: {error}") from None


@contextmanager
def _refusing(command: str) -> Iterator[None]:
    """What was looked at and may not be: one line, exit 1."""
    try:
        yield
    except (RefusedError, Refusal) as refused:
        print(f"headway override {command}: {refused}", file=sys.stderr)
        raise typer.Exit(1) from None
    except ValueError as error:
        raise CouldNotRun(str(error)) from None
