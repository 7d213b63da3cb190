"""How does a new gateway join an environment? With a short-lived token, and the root's digest."""

from __future__ import annotations

import os
from base64 import b64decode
from pathlib import Path

import httpx

from coordination.bundle import root as roots
from coordination.bundle.keys import SigningKey
from coordination.bundle.refusals import RefusedError
from coordination.bundle.root import open_root
from subscriber import identity as identities
from subscriber.identity import Identity
from subscriber.transport import require_safe

TIMEOUT = 20.0


class EnrolmentRefused(Exception):
    """Says why, and what to do."""


def enroll(*, server: str, token: str, root: str, folder: Path, name: str) -> Identity:
    """Join, and write ``identity.json`` and ``root.json`` into ``folder``.

    ``root`` is the digest (``sha256:...``) of the root to trust, from somewhere other than ``server``.
    A new key is made here; only its public half is sent. Raises ``EnrolmentRefused``.
    """
    try:
        base = require_safe(server)
    except ValueError as error:
        raise EnrolmentRefused(str(error)) from None
    if (folder / identities.FILE).exists():
        raise EnrolmentRefused(f"{folder} is enrolled already; give another --state folder, or remove it")
    key = SigningKey.from_seed(os.urandom(32))
    asked = {"token": token, "name": name, "public_key": key.public.raw.hex()}
    try:
        response = httpx.post(f"{base}/api/v1/gateways/enroll", json=asked, timeout=TIMEOUT, trust_env=False)
        said = response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise EnrolmentRefused(f"{base} did not answer as a console does: {error}") from None
    if not response.is_success:
        raise EnrolmentRefused(f"{said.get('code', response.status_code)}: {said.get('detail', '')}")
    envelope = b64decode(said["root"])
    try:
        open_root(envelope, pinned=root)
    except RefusedError as error:
        raise EnrolmentRefused(
            f"the console's root is not the one given with --root ({error.refused}); "
            "compare the digest that the console's Settings page shows"
        ) from None
    made = Identity(
        server=base,
        gateway=said["gateway"],
        name=name,
        environment=said["environment"],
        ring=said["ring"],
        credential=said["credential"],
        root=root,
        key=key.to_pem().decode(),
    )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / roots.FILE).write_bytes(envelope)
    identities.save(folder, made)
    return made
