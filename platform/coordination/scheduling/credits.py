"""How is more of a limit given, or all of it again, for the period in which somebody decides so?"""

from __future__ import annotations

from coordination.program.records import Micros
from coordination.scheduling.lending import KEPT, POOL, meter_key
from coordination.scheduling.limits import Gcra, MeterKey, QuotaMeter, quota_key, quota_meter
from coordination.scheduling.state import State


def credit(
    state: State,
    quota: str,
    of: str,
    per: str,
    amount: int | None,
    made_at: Micros,
    now: Micros,
) -> bool:
    """Let ``amount`` units more pass in this period; None: all that was used is as if it had not been.

    False when the policy has no such limit, or the period of ``made_at`` is over. What a tenant is
    guaranteed of a limit that is shared (R9) rises with it.
    """
    held, segment = state.program.quotas.get(quota), state.at(now)
    limits = segment.limits_of(held) if held is not None else ()
    limit = next((one for one in limits if (one.of, one.per) == (of, per)), None)
    if held is None or limit is None:
        return False
    key = quota_key(quota, limit.of, limit.per)
    meter = state.meters.get(key)
    if meter is None:
        meter = state.meters[key] = quota_meter(key, limit.per, limit.ceiling, held.zone, now)
    if not _give(meter, amount, made_at, now):
        return False
    state.credited[key] = meter
    pledge = segment.pledges.get((quota, limit.of, limit.per))
    for kind in (POOL, KEPT) if pledge is not None else ():
        part: MeterKey = meter_key(kind, pledge)  # type: ignore[arg-type]
        shared = state.shares.get(part)
        if shared is not None and _give(shared, amount, made_at, now):
            state.credited[part] = shared
    return True


def _give(meter: QuotaMeter, amount: int | None, made_at: Micros, now: Micros) -> bool:
    if isinstance(meter, Gcra):
        if now - made_at >= meter.period:
            return False
        meter.give(amount, now)
        return True
    meter.remaining(now)  # a period that is over ends here
    if not meter.start <= made_at < meter.end:
        return False
    meter.give(amount)
    return True
