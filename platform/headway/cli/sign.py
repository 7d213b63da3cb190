"""``headway sign``: one more signature for a bundle, beside those it has: how t people sign on t machines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from coordination.bundle import dsse
from coordination.bundle.keys import KeyFormatError, SigningKey
from coordination.bundle.pack import unpack
from coordination.bundle.refusals import RefusedError
from headway.cli.artefacts import CouldNotRun, envelope_of, read_file, reporting, write_file
from headway.cli.words import Argument, Option


def command(
    file: Annotated[Path, Argument(help="A bundle.")],
    key: Annotated[Path, Option("--key", help="Your private key.")],
    envelope: Annotated[Path | None, Option(help="Its signatures; by default FILE.dsse.json.")] = None,
) -> None:
    """Add your signature to a bundle's. Exit 0 signed, 1 not a sound bundle, 2 could not run.

    The bundle is read through first: what is signed is what its files are. Its bytes stay as they are.
    """
    with reporting("sign"):
        signer = _signing_key(key)
        bundle = read_file(file)
        signatures = envelope or envelope_of(file)
        held = [read_file(signatures)] if signatures.exists() else []
        try:
            contents = unpack(bundle)
            made = dsse.sign(contents.manifest_bytes, dsse.BUNDLE, [signer])
            merged = dsse.merge([*held, made])
        except RefusedError as error:
            print(f"headway sign: {file}, {signatures}: {error}", file=sys.stderr)
            raise SystemExit(1) from None
        write_file(signatures, merged)
    print(contents.digest)
    for key_id in dsse.signers(merged):
        print(f"signed by {key_id}")


def _signing_key(path: Path) -> SigningKey:
    data = read_file(path)
    try:
        return SigningKey.from_pem(data)
    except KeyFormatError as error:
        hint = "; this is the public half" if b"PUBLIC KEY" in data else ""
        raise CouldNotRun(f"{path}: {error}{hint}") from None
