"""``headway build``: the bundle of a policy set, and its signature."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import tzdata

from coordination.bundle import dsse
from coordination.bundle.keys import KeyFormatError, SigningKey
from coordination.bundle.pack import PackedBundle
from coordination.compiler.emitting import emit
from coordination.diagnostics import Diagnostic, in_reading_order, render_text
from coordination.spec import read
from headway.cli import check
from headway.cli.artefacts import CouldNotRun, envelope_of, iso, read_file, reporting, write_file
from headway.cli.words import Argument, Option
from headway.cli.working import working

ENVIRONMENT = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")


def command(
    path: Annotated[str, Argument(help="A file, a folder of .yaml/.yml/.json files, or - for stdin.")],
    out: Annotated[Path, Option("-o", "--out", help="The bundle to write.")],
    environment: Annotated[str, Option(help="The environment to build for.")] = "dev",
    at: Annotated[str, Option(help="Start of the timeline, RFC 3339; by default today 00:00Z.")] = "",
    sign: Annotated[Path | None, Option(help="Private key; writes FILE.dsse.json beside it.")] = None,
) -> None:
    """Compile a policy set into a bundle and print its digest. Exit 0 built, 1 mistakes, 2 could not run.

    The same documents, environment and instant give the same bytes on every machine.
    """
    with reporting("build"):
        key = _signing_key(sign) if sign is not None else None
        with working("building"):
            bundle, instant = _compile(path, environment, at)
        write_file(out, bundle.tar)
        if key is not None:
            write_file(envelope_of(out), dsse.sign(bundle.manifest, dsse.BUNDLE, [key]))
        else:
            _forget_signature(envelope_of(out))
    print(bundle.digest)
    signed = f", signed by {key.key_id}" if key else ""
    print(f"{out}: {len(bundle.tar)} bytes, {environment} at {iso(instant)}{signed}", file=sys.stderr)


def _compile(path: str, environment: str, at: str) -> tuple[PackedBundle, int]:
    """The bundle; without one, prints why and ends the command."""
    if not ENVIRONMENT.fullmatch(environment):
        raise CouldNotRun(f"--environment {environment}: not a name such as `dev`")
    try:
        instant = check.instant_of(at)
        files = check.load_files(path)
    except check.CouldNotRun as problem:
        raise CouldNotRun(str(problem)) from None
    policy_set, misread = read(files)
    emitted = emit(policy_set, environment=environment, at=instant, tzdata=tzdata.IANA_VERSION)
    diagnostics: list[Diagnostic] = in_reading_order([*misread, *emitted.diagnostics])
    if diagnostics:
        print(render_text(diagnostics, policy_set.texts, colour=False), end="", file=sys.stderr)
    if emitted.bundle is None or not check.is_ok(diagnostics, strict=False):
        raise SystemExit(1)
    return emitted.bundle, instant


def _signing_key(path: Path) -> SigningKey:
    try:
        return SigningKey.from_pem(read_file(path))
    except KeyFormatError as error:
        raise CouldNotRun(f"{path}: {error}") from None


def _forget_signature(envelope: Path) -> None:
    """An envelope left from an earlier build would be of other bytes."""
    if envelope.is_file():
        envelope.unlink()
        print(f"removed {envelope}: it signed an earlier build", file=sys.stderr)
