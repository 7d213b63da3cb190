"""Reservation: throughput of a pool, or of all pools of a model, that is promised to a tenant."""

from typing import Annotated, Any

import msgspec

from coordination.spec.declaration import Block
from coordination.spec.finding import Finding
from coordination.spec.kinds.overflow import Overflow, OverflowNotation
from coordination.spec.kinds.pool import REGION
from coordination.spec.notation import Duration, Factor, Flag, Instant, Items, Rate, Reference
from coordination.spec.plain import Path
from coordination.spec.recurrence import Hours, HoursNotation, Recurrence, needs_start
from coordination.spec.rules import SPEC013_missing_field, SPEC016_contradiction, SPEC017_one_of
from coordination.spec.zones import Zone


class Throughput(Block, frozen=True, kw_only=True):
    """The promised rates."""

    input: Annotated[int, Rate("tokens/min"), "Prompt tokens a minute."]
    output: Annotated[int, Rate("tokens/min"), "Generated tokens a minute."]


class Burn(Block, frozen=True, kw_only=True):
    """How much of the reservation a token of each class uses up (R5)."""

    uncached_input: Annotated[int, Factor(most="100"), "A prompt token that must be computed."] = 1_000_000
    cached_input: Annotated[int, Factor(most="100"), "A prompt token found in the prefix cache."] = 100_000
    cache_write: Annotated[
        int | None,
        Factor(most="100"),
        "A prompt token that an engine charges for keeping in its cache; by default as an uncached one.",
    ] = None
    output: Annotated[int, Factor(most="100"), "A generated token."] = 1_000_000
    reasoning: Annotated[
        int | None, Factor(most="100"), "A token generated out of sight; by default as one of output."
    ] = None


class Window(Block, frozen=True, kw_only=True):
    """When it is in force: from an instant until, not including, another; or, within that, on some days."""

    from_: Annotated[int | None, Instant(), "First instant; open when absent."] = msgspec.field(
        default=None, name="from"
    )
    until: Annotated[int | None, Instant(), "First instant after it; open when absent."] = None
    recurs: Annotated[str | None, Recurrence(), "On which days; on all when absent."] = None
    at: Annotated[Hours | None, HoursNotation(), "Between which hours of these days; all when absent."] = None
    zone: Annotated[str | None, Zone(), "Whose days and hours; UTC when absent."] = None

    @classmethod
    def review(cls, values: dict[str, Any], path: Path, found: list[Finding]) -> None:
        recurs = values.get("recurs")
        if recurs is None:
            for name in ("at", "zone"):
                if values.get(name) is not None:
                    misread = SPEC013_missing_field.missing(
                        "recurs", f"the window has `{name}` but", "Such as `FREQ=DAILY`, for every day."
                    )
                    found.append(Finding(misread, (path, name)))
        elif needs_start(recurs) and values.get("from_") is None:
            doc = "The days of this rule depend on the day it begins."
            found.append(Finding(SPEC013_missing_field.missing("from", "the window", doc), (path, "recurs")))


class Reservation(Block, frozen=True, kw_only=True):
    """Throughput of a pool, or of a model's pools, that is promised to a tenant in a tier."""

    tenant: Annotated[str, Reference("Tenant"), "Who holds it; its descendants draw on it too."]
    pool: Annotated[
        str | None, Reference("Pool"), "Where the capacity is; or `model`, with `regions`, in its place."
    ] = None
    model: Annotated[
        str | None,
        Reference("Model"),
        "Whose capacity it is, wherever it is served: each pool of the model gives the same part of what it "
        "may promise.",
    ] = None
    regions: Annotated[
        tuple[str, ...], Items(REGION, most=100), "With `model`: only its pools in these; in all when empty."
    ] = ()
    tier: Annotated[str, Reference("Tier"), "The tier whose requests it serves."]
    throughput: Annotated[Throughput, "What is promised."]
    burn: Annotated[Burn, "What a token of each class uses up."] = Burn()
    window: Annotated[Window, "When it is in force."] = Window()
    enforcement_window: Annotated[
        int, Duration("1s", "1h"), "Over how long the rates are meant; a burst may take that much at once."
    ] = 10_000_000
    overflow: Annotated[
        Overflow,
        OverflowNotation("refuse", "queue", "spill"),
        "What happens beyond the promise: spill goes on as ordinary traffic.",
    ] = Overflow("spill")
    lend_when_idle: Annotated[bool, Flag(), "Whether others may use it while its holder does not."] = True
    reclaim_within: Annotated[
        int, Duration("10ms", "1h"), "How long the holder may have to wait for what was lent."
    ] = 1_000_000

    @classmethod
    def review(cls, values: dict[str, Any], path: Path, found: list[Finding]) -> None:
        given = [name for name in ("pool", "model") if values.get(name) is not None]
        if len(given) != 1:
            misread = SPEC017_one_of.exactly_one("a reservation", ("pool", "model"), given)
            found.append(Finding(misread, (path, given[1]) if given else path))
        elif given == ["pool"] and values.get("regions"):
            misread = SPEC016_contradiction.between("regions", "pool", "A pool is in one region.")
            found.append(Finding(misread, (path, "regions")))
