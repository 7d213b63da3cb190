"""What does this machine's one environment run, and how does its gateway come to follow it?

Everything here goes through the doors the console uses: documents are merged, keys are created, the
gateway is enrolled. Needs Django (``accounts.prepare``).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headway.place import EXAMPLES
from headway.up.options import LOOPBACK, REPLICAS, Ports
from headway.up.trouble import CannotStart

if TYPE_CHECKING:
    from fleet.models import Ring

ENVIRONMENT = "dev"
QUICKSTART = EXAMPLES / "quickstart"
FIRST_EXAMPLE_PORT = 8101
GATEWAY = "gateway"
KEY_NAME = "demo"
_REPLICA = re.compile(rb"http://127\.0\.0\.1:(\d{2,5})\b")


def install(ports: Ports, *, demo: bool) -> list[str]:
    """Root of trust, environment and (for the demo) the quickstart policy; the tenants' paths.

    A policy that is there stays as people left it, except that the pools of the simulated fleet are
    given the addresses this run's fleet has. ``CannotStart`` with the reason.
    """
    from delivery.trust import NoTrust, ensure_embedded_root
    from fleet.services import ensure_environment
    from foundation.actors import SYSTEM
    from foundation.http import Refused
    from policies import selectors
    from policies.services import create_environment

    try:
        ensure_embedded_root()
        ensure_environment(actor=SYSTEM, name=ENVIRONMENT)
        create_environment(actor=SYSTEM, environment=ENVIRONMENT)
        if demo and selectors.current_revision(ENVIRONMENT) is None:
            _load_quickstart(ports)
        elif demo:
            _readdress(ports)
    except NoTrust as trouble:
        raise CannotStart(str(trouble)) from trouble
    except Refused as refused:
        told = [f"  {error.pointer}: {error.message}" for error in refused.errors]
        raise CannotStart("\n".join([f"the policy cannot be loaded: {refused.detail}", *told])) from refused
    return list(selectors.heads(ENVIRONMENT, "Tenant").order_by("name").values_list("name", flat=True))


def _load_quickstart(ports: Ports) -> None:
    from coordination.spec import SourceFile
    from foundation.actors import SYSTEM
    from policies.services import apply, plan

    def here(match: re.Match[bytes]) -> bytes:
        return f"http://{LOOPBACK}:{int(match[1]) - FIRST_EXAMPLE_PORT + ports.fleet}".encode()

    files = [
        SourceFile(path.name, _REPLICA.sub(here, path.read_bytes()))
        for path in sorted(QUICKSTART.glob("*.yaml"))
    ]
    planned = plan(actor=SYSTEM, environment=ENVIRONMENT, files=files)
    apply(
        actor=SYSTEM,
        environment=ENVIRONMENT,
        files=files,
        plan_digest=planned.digest,
        reason="the quickstart example",
    )


def _readdress(ports: Ports) -> None:
    """Move the simulated pools to this run's ports, if they are elsewhere and wholly on this machine."""
    from foundation.actors import SYSTEM
    from policies import selectors
    from policies.services import save_document

    pools = selectors.heads(ENVIRONMENT, "Pool").select_related("document")
    simulated = {
        head: bytes(head.document.body)
        for head in pools
        if b'"engine":"simulated"' in bytes(head.document.body)
    }
    used = [int(port) for body in simulated.values() for port in _REPLICA.findall(body)]
    if not used or min(used) == ports.fleet or max(used) - min(used) >= REPLICAS:
        return
    shift = ports.fleet - min(used)

    def moved(match: re.Match[bytes]) -> bytes:
        return f"http://{LOOPBACK}:{int(match[1]) + shift}".encode()

    for head, body in simulated.items():
        if _REPLICA.search(body) is None:
            continue
        save_document(
            actor=SYSTEM,
            environment=ENVIRONMENT,
            kind=head.kind,
            name=head.name,
            body=_REPLICA.sub(moved, body),
            base_digest=head.document_id,
            reason="the simulated fleet listens on other ports",
        )


def give_keys(tenants: Sequence[str]) -> dict[str, str]:
    """A fresh API key for each tenant, by its path; those of earlier starts stop working."""
    from django.db import transaction

    from foundation.actors import SYSTEM
    from tenancy.credentials import create_key, revoke_key
    from tenancy.models import ApiKey

    with transaction.atomic():
        for key in ApiKey.objects.filter(environment=ENVIRONMENT, name=KEY_NAME, revoked_at=None):
            revoke_key(actor=SYSTEM, key=key)
        return {
            tenant: create_key(actor=SYSTEM, environment=ENVIRONMENT, tenant=tenant, name=KEY_NAME).secret
            for tenant in tenants
        }


def release() -> int:
    """Build, sign and release what is current, as its events ask; the pointer's serial, 0 without one."""
    from delivery.models import Pointer
    from foundation import outbox

    while outbox.drain().done:
        pass
    pointer = Pointer.objects.filter(ring__environment=ENVIRONMENT).order_by("ring__position").first()
    return pointer.serial if pointer else 0


def enrol(folder: Path, console_url: str) -> None:
    """Make the gateway of ``folder`` a member of the first ring, unless it is one already."""
    from fleet.models import Ring
    from fleet.selectors import identities as enrolled
    from subscriber import identity as identities

    try:
        identity = identities.load(folder)
        if identities.credential_digest(identity) in enrolled():
            return
    except identities.NoIdentity:
        pass
    shutil.rmtree(folder, ignore_errors=True)
    _join(Ring.objects.filter(environment=ENVIRONMENT).order_by("position")[0], folder, console_url)


def _join(ring: Ring, folder: Path, console_url: str) -> None:
    from coordination.bundle import root as roots
    from coordination.bundle.keys import SEED_BYTES, SigningKey
    from delivery.models import TrustRoot
    from fleet.models import Gateway
    from fleet.services import enroll_gateway, issue_enrolment_token, retire_gateway
    from foundation.actors import SYSTEM
    from subscriber import identity as identities

    for former in Gateway.objects.filter(ring=ring, name=GATEWAY, retired_at=None):
        retire_gateway(actor=SYSTEM, gateway=former)
    key = SigningKey.from_seed(os.urandom(SEED_BYTES))
    token = issue_enrolment_token(actor=SYSTEM, ring=ring)
    made = enroll_gateway(token=token, name=GATEWAY, public_key=key.public.raw.hex())
    root = TrustRoot.objects.earliest("version")
    folder.mkdir(mode=0o700, parents=True)
    (folder / roots.FILE).write_bytes(bytes(root.envelope))
    identities.save(
        folder,
        identities.Identity(
            server=console_url,
            gateway=made.gateway.id,
            name=GATEWAY,
            environment=ring.environment.name,
            ring=ring.name,
            credential=made.credential,
            root=root.digest,
            key=key.to_pem().decode(),
        ),
    )
