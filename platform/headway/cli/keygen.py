"""``headway keygen``: a key pair to sign bundles with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from coordination.bundle.keys import SEED_BYTES, SigningKey
from headway.cli.artefacts import CouldNotRun, reporting, write_file
from headway.cli.words import Option


def command(
    out: Annotated[Path, Option("-o", "--out", help="Private key; its public half goes to KEY.pub.")],
    force: Annotated[bool, Option("--force", help="Replace keys that are there.")] = False,
) -> None:
    """Make an Ed25519 key pair: PEM (PKCS8) readable by you alone, and KEY.pub. Prints the key id."""
    with reporting("keygen"):
        public = out.with_name(f"{out.name}.pub")
        for path in (out, public):
            # A key that is overwritten is lost, and with it whatever only it could sign.
            if not force and (path.exists() or path.is_symlink()):
                raise CouldNotRun(f"{path} exists; --force replaces it")
        key = SigningKey.from_seed(os.urandom(SEED_BYTES))
        write_file(out, key.to_pem(), mode=0o600)
        write_file(public, key.public.to_pem())
    print(key.key_id)
