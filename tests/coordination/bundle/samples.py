"""A small policy in compiled form, and everything a gateway is sent about it."""

from __future__ import annotations

from typing import Any

from coordination.bundle import dsse
from coordination.bundle.apikeys import MINT_BYTES, mint
from coordination.bundle.directory import Directory, new_entry
from coordination.bundle.keys import SigningKey
from coordination.bundle.overrides import Override, OverrideKind
from coordination.bundle.pack import PackedBundle, pack
from coordination.bundle.pointer import Pointer, sign_pointer
from coordination.bundle.root import Root, make_root, sign_root
from coordination.bundle.state_folder import make_state
from coordination.program.canonical import sha256_digest
from coordination.program.records import (
    BurnVector,
    CostVector,
    LimitRecord,
    ModelRecord,
    Overflow,
    Placement,
    PoolCapacity,
    PoolRecord,
    PortionRecord,
    PriceBookRecord,
    PriceEntry,
    ProgramRecords,
    QuotaRecord,
    ReservationRecord,
    Retries,
    RouteMatch,
    RouteRecord,
    RouteTarget,
    TenantRecord,
    TierQueue,
    TierRecord,
    Timeouts,
    Vector,
    VectorExpect,
    VectorRequest,
)
from coordination.program.source_map import SourceEntry, SourceMap

SECOND = 1_000_000
AT = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z
KEY, OTHER_KEY, THIRD_KEY = (SigningKey.from_seed(bytes([n]) * 32) for n in (1, 2, 3))
MINTED = mint(bytes(range(MINT_BYTES)))
ROOT_TREE = sha256_digest(b"documents")


def tenant(name: str) -> TenantRecord:
    return TenantRecord(
        name=name,
        display_name=name.title(),
        tiers=("standard",),
        default_tier="standard",
        zone="UTC",
        labels={},
    )


def program(*, tenants: int = 2, output: int = 60_000) -> ProgramRecords:
    """Every kind at least once; ``output`` is the reservation's, to tell two programs apart."""
    return ProgramRecords(
        environment="dev",
        at=AT,
        models=(
            ModelRecord(
                name="llama-3-8b",
                served_name="llama-3-8b",
                aliases=("llama",),
                context_window=8192,
                max_output=4096,
                cost=CostVector(uncached_input_ppm=1_000_000, cached_input_ppm=100_000, output_ppm=4_000_000),
            ),
        ),
        pools=(
            PoolRecord(
                name="chat-a",
                model="llama-3-8b",
                region="eu",
                engine="simulated",
                profile="llama-3-8b-h100-tp1",
                replicas=("http://127.0.0.1:8101",),
                capacity=PoolCapacity(
                    input_tokens_per_minute=700_000,
                    output_tokens_per_minute=130_000,
                    sequences=256,
                    kv_tokens=430_000,
                ),
                reservable_ppm=700_000,
            ),
        ),
        tenants=tuple(sorted((tenant(f"tenant-{n}") for n in range(tenants)), key=lambda t: t.name)),
        tiers=(
            TierRecord(
                name="standard",
                service_tier=("default", "standard"),
                band=200,
                queue=TierQueue(max_wait=2 * SECOND, max_depth=100),
                overflow=Overflow(action="queue", tier=None),
                cache_sharing="tenant",
            ),
        ),
        reservations=(
            ReservationRecord(
                name="first",
                tenant="tenant-0",
                tier="standard",
                portions=(
                    PortionRecord(
                        pool="chat-a", input_tokens_per_minute=100_000, output_tokens_per_minute=output
                    ),
                ),
                burn=BurnVector(uncached_input_ppm=1_000_000, cached_input_ppm=100_000, output_ppm=1_000_000),
                intervals=((AT, None),),
                enforcement_window=10 * SECOND,
                overflow=Overflow(action="spill", tier=None),
            ),
        ),
        quotas=(
            QuotaRecord(
                name="first",
                tenant="tenant-0",
                tiers=(),
                models=(),
                weight_ppm=4_000_000,
                limits=(LimitRecord(of="requests", per="1m", limit=3000),),
                concurrency=None,
            ),
        ),
        price_books=(
            PriceBookRecord(
                name="list-prices",
                currency="USD",
                entries=(
                    PriceEntry(
                        model="llama-3-8b",
                        start=AT,
                        uncached_input_nano=200,
                        cached_input_nano=20,
                        output_nano=800,
                    ),
                ),
                tier_multipliers_ppm={"standard": 1_000_000},
            ),
        ),
        routes=(
            RouteRecord(
                name="all",
                rank=10,
                match=RouteMatch(
                    models=(), tiers=(), tenants=(), prompt_tokens_min=0, prompt_tokens_max=None
                ),
                targets=(RouteTarget(pool="chat-a", weight=1),),
                placement=Placement(strategy="balanced", release_after=SECOND),
                fallback=(),
                timeouts=Timeouts(first_byte=10 * SECOND, total=300 * SECOND),
                retries=Retries(attempts=1, on=("connect",)),
            ),
        ),
    )


def vectors() -> list[Vector]:
    return [
        Vector(
            name="tenant-0/standard/llama-3-8b",
            request=VectorRequest(
                tenant="tenant-0", service_tier="standard", model="llama-3-8b", prompt_tokens=100, at=AT
            ),
            expect=VectorExpect(
                verdict="admit", code=None, tier="standard", pool="chat-a", route="all", reservation="used"
            ),
        )
    ]


def source_map() -> SourceMap:
    return SourceMap.of(
        [
            SourceEntry(
                kind="Quota",
                name="first",
                document=sha256_digest(b"quota"),
                fields={"/weight_ppm": "/spec/weight"},
            )
        ]
    )


def bundle(*, output: int = 60_000, must_understand: tuple[str, ...] = ()) -> PackedBundle:
    return pack(
        program(output=output),
        source_map(),
        vectors(),
        root_tree=ROOT_TREE,
        compiler="headway 0.1.0",
        tzdata="2026a",
        must_understand=must_understand,
    )


def directory(*, serial: int = 1, revoked: bool = False, environment: str = "dev") -> Directory:
    entry = new_entry(MINTED.secret, tenant="tenant-0")
    if revoked:
        entry = type(entry)(
            sha256=entry.sha256,
            tenant=entry.tenant,
            scopes=entry.scopes,
            expires_at=entry.expires_at,
            revoked_at=AT,
        )
    return Directory(
        environment=environment,
        serial=serial,
        route_salt="00" * 16,
        keys={MINTED.key_id: entry},
        shares={"tenant-0/search": 500_000},
    )


def root() -> Root:
    return make_root(version=1, root=[KEY.public], bundle=[KEY.public], pointer=[KEY.public])


def pointer(
    made: PackedBundle,
    keys: Directory,
    *,
    serial: int = 1,
    version: int | None = None,
    issued_at: int = AT,
    lifetime: int = 600 * SECOND,
    environment: str = "dev",
    ring: str = "main",
) -> Pointer:
    return Pointer(
        environment=environment,
        ring=ring,
        serial=serial,
        version=version or serial,
        bundle=made.digest,
        directory=keys.digest,
        overrides=(),
        issued_at=issued_at,
        expires_at=issued_at + lifetime,
    )


def override(
    kind: OverrideKind = "block_tenant",
    subject: str = "acme",
    *,
    id: str = "ovr_00000001",  # noqa: A002 - it is called so in the statement
    issued_at: int = AT,
    lasts: int = 3600 * SECOND,
    factor: int | None = None,
    by: str = "ada",
    approved_by: str | None = None,
) -> Override:
    return Override(
        id=id,
        kind=kind,
        subject=subject,
        issued_at=issued_at,
        expires_at=issued_at + lasts,
        reason="a bad night",
        by=by,
        amount_ppm=factor,
        approved_by=approved_by,
    )


def raising(subject: str = "acme:total_tokens:1m", **options: Any) -> Override:
    """A limit raised to one and a half, by two people."""
    fields: dict[str, Any] = {"factor": 1_500_000, "approved_by": "bob", **options}
    return override("raise_limit", subject, **fields)


def state(*, serial: int = 1, output: int = 60_000) -> dict[str, bytes]:
    """A whole state folder."""
    made, keys = bundle(output=output), directory(serial=serial)
    return make_state(
        bundle=made,
        bundle_envelope=dsse.sign(made.manifest, dsse.BUNDLE, [KEY]),
        directory=keys,
        root_envelope=sign_root(root(), [KEY]),
        pointer_envelope=sign_pointer(pointer(made, keys, serial=serial), [KEY]),
    )
