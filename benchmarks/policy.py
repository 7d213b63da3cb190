"""Which policy is measured? The quickstart, over the replicas of a benchmark, as a signed state folder."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.machine import ROOT
from coordination.bundle.apikeys import MINT_BYTES, mint
from coordination.bundle.directory import Directory, new_entry
from coordination.bundle.keys import SigningKey
from coordination.bundle.pack import pack
from coordination.bundle.state_folder import make_embedded_state
from coordination.compiler import build
from coordination.compiler.selftest import self_test
from coordination.program.canonical import sha256_digest
from coordination.program.index import load
from coordination.program.records import PlacementStrategy, PoolRecord, ProgramRecords
from coordination.program.source_map import SourceMap
from coordination.spec import SourceFile, read

QUICKSTART = ROOT / "examples" / "quickstart"
FAR = 2**50
"""A limit that is worked out for every request and never met."""
SIGNER_FILE = "signer.pem"
"""Beside a state folder's own files, for a gateway that is given the bundle as a file."""
HOUR_US = 3_600_000_000


def quickstart() -> ProgramRecords:
    """The example, compiled as it stands."""
    files = [SourceFile(path.name, path.read_bytes()) for path in sorted(QUICKSTART.glob("*.yaml"))]
    policy_set, mistakes = read(files)
    records, _, _, found = build(policy_set, environment="dev", at=time.time_ns() // 1000)
    if records is None:
        raise ValueError("\n".join(f"{each.code} {each.message}" for each in (*mistakes, *found)))
    return records


def over_replicas(records: ProgramRecords, urls: Sequence[str]) -> ProgramRecords:
    """The same policy, its pools' replicas replaced in order by ``urls``."""
    left = list(urls)
    pools: list[PoolRecord] = []
    for pool in records.pools:
        mine = tuple(left[: len(pool.replicas)])
        del left[: len(mine)]
        pools.append(msgspec.structs.replace(pool, replicas=mine))
    return msgspec.structs.replace(records, pools=tuple(pools))


def with_far_limits(records: ProgramRecords) -> ProgramRecords:
    """The same policy with quotas no load can meet: every rule is still worked out."""
    quotas = tuple(
        msgspec.structs.replace(
            quota,
            limits=tuple(msgspec.structs.replace(limit, limit=FAR) for limit in quota.limits),
            concurrency=None if quota.concurrency is None else 1_000_000,
        )
        for quota in records.quotas
    )
    return msgspec.structs.replace(records, quotas=quotas)


def with_placement(records: ProgramRecords, strategy: PlacementStrategy) -> ProgramRecords:
    """The same policy with every route placing by ``strategy``."""
    routes = tuple(
        msgspec.structs.replace(route, placement=msgspec.structs.replace(route.placement, strategy=strategy))
        for route in records.routes
    )
    return msgspec.structs.replace(records, routes=routes)


def write_state(records: ProgramRecords, folder: Path) -> dict[str, str]:
    """Writes a gateway's state folder for this policy; returns a fresh API key for each tenant."""
    now = time.time_ns() // 1000
    minted = {tenant.name: mint(os.urandom(MINT_BYTES)) for tenant in records.tenants}
    bundle = pack(
        records,
        SourceMap.of([]),
        self_test(load(records)),
        root_tree=sha256_digest(b"benchmark"),
        compiler="benchmark",
        tzdata="benchmark",
    )
    signer = SigningKey.from_seed(os.urandom(32))
    files = make_embedded_state(
        bundle=bundle,
        directory=Directory(
            environment=records.environment,
            serial=now,
            # Fixed, so that two gateways route the same requests the same way.
            route_salt="0b" * 16,
            keys={key.key_id: new_entry(key.secret, tenant=tenant) for tenant, key in minted.items()},
            shares={},
        ),
        key=signer,
        ring="0",
        serial=now,
        version=1,
        issued_at=now,
        lifetime=24 * HOUR_US,
    )
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / SIGNER_FILE).write_bytes(signer.public.to_pem())
    return {tenant: key.secret for tenant, key in minted.items()}
