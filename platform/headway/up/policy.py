"""Which policy does the gateway of this machine start with, and in what folder does it find it?"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import tzdata

from coordination.bundle.directory import Directory, new_entry
from coordination.bundle.keys import SigningKey
from coordination.bundle.pack import PackedBundle
from coordination.bundle.state_folder import make_embedded_state
from coordination.compiler.emitting import emit
from coordination.diagnostics import in_reading_order, render_text
from coordination.spec import SourceFile, read
from headway.place import EXAMPLES
from headway.up.demo import Cast
from headway.up.folder import replace_folder
from headway.up.options import LOOPBACK, Ports
from headway.up.trouble import CannotStart

ENVIRONMENT = "dev"
RING = "0"
QUICKSTART = EXAMPLES / "quickstart"
EXAMPLE_REPLICA = re.compile(rb"http://127\.0\.0\.1:810([1-8])\b")
"""The addresses the example names; the fleet's own are put in their place."""
MICROS = 1_000_000
POINTER_LIFETIME = 30 * 24 * 3600 * MICROS


@dataclass(frozen=True, slots=True)
class Compiled:
    bundle: PackedBundle
    tenants: tuple[str, ...]
    """Every tenant's path."""


def compile_quickstart(ports: Ports) -> Compiled:
    """The quickstart example, its pools made of the replicas this run starts."""

    def here(match: re.Match[bytes]) -> bytes:
        return f"http://{LOOPBACK}:{ports.fleet + int(match[1]) - 1}".encode()

    files = sorted(QUICKSTART.glob("*.yaml"))
    return _compile([SourceFile(path.name, EXAMPLE_REPLICA.sub(here, path.read_bytes())) for path in files])


def compile_empty() -> Compiled:
    """No policy yet: a gateway that knows nobody and serves nothing, until it is given one."""
    return _compile([])


def _compile(files: Sequence[SourceFile]) -> Compiled:
    """``CannotStart`` with every mistake if the files do not make a policy."""
    policy_set, misread = read(files)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    emitted = emit(
        policy_set,
        environment=ENVIRONMENT,
        at=int(midnight.timestamp()) * MICROS,
        tzdata=tzdata.IANA_VERSION,
    )
    if emitted.bundle is None:
        mistakes = in_reading_order([*misread, *emitted.diagnostics])
        shown = render_text(mistakes, policy_set.texts, colour=False)
        raise CannotStart(f"the policy in {QUICKSTART} does not compile:\n{shown}")
    tenants = sorted(document.name for document in policy_set.documents if document.kind == "Tenant")
    return Compiled(emitted.bundle, tuple(tenants))


def install(compiled: Compiled, folder: Path, *, cast: Cast | None, key: SigningKey, route_salt: str) -> None:
    """Sign ``compiled`` and the demo's API keys into the gateway's state ``folder``, replacing it whole."""
    now = time.time_ns() // 1_000
    directory = Directory(
        environment=ENVIRONMENT,
        serial=now,  # grows with every start, so a gateway never takes it for an older one
        route_salt=route_salt,
        keys={
            tenant.key.key_id: new_entry(tenant.key.secret, tenant=tenant.name)
            for tenant in (cast.tenants if cast else ())
        },
        shares={},
    )
    files = make_embedded_state(
        bundle=compiled.bundle,
        directory=directory,
        key=key,
        ring=RING,
        serial=now,
        version=1,
        issued_at=now,
        lifetime=POINTER_LIFETIME,
    )
    replace_folder(folder, files)
