"""``headway verify``: did the holders of these keys sign this bundle, and is every byte as they signed it?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from coordination.bundle import dsse
from coordination.bundle.keys import KeyFormatError, PublicKey
from coordination.bundle.refusals import RefusedError
from coordination.bundle.verification import Expectations, verify_bundle
from headway.cli.artefacts import CouldNotRun, envelope_of, iso, read_file, reporting
from headway.cli.words import Argument, Option


def command(
    file: Annotated[Path, Argument(help="A bundle, or - for stdin (with --envelope).")],
    key: Annotated[list[Path], Option("--key", help="Public key (KEY.pub); repeat for several.")],
    envelope: Annotated[Path | None, Option(help="Its signatures; by default FILE.dsse.json.")] = None,
    threshold: Annotated[int, Option(min=1, help="How many of the keys must have signed.")] = 1,
) -> None:
    """Verify a bundle's signatures and every byte in it. Exit 0 verified, 1 refused, 2 could not run."""
    with reporting("verify"):
        trusted = {public.key_id: public for public in map(_public_key, key)}
        signatures = envelope or envelope_of(file)
        bundle = read_file(file)
        if not signatures.exists():
            raise CouldNotRun(f"{signatures} does not exist; --envelope names the signatures' file")
        signed = read_file(signatures)
    try:
        accepted = verify_bundle(bundle, signed, trusted, Expectations(threshold=threshold))
    except RefusedError as error:
        print(f"headway verify: {file} is refused: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    print(accepted.digest)
    print(f"verified: {accepted.manifest.environment} at {iso(accepted.manifest.at)}")
    for key_id in dsse.signers(signed):
        print(f"signed by {key_id}")


def _public_key(path: Path) -> PublicKey:
    data = read_file(path)
    try:
        return PublicKey.from_pem(data)
    except KeyFormatError as error:
        hint = "; this is the private half, give KEY.pub" if b"PRIVATE KEY" in data else ""
        raise CouldNotRun(f"{path}: {error}{hint}") from None
