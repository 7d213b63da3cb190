"""A gateway's clock may be wrong; its seconds still fall into ours, each into one, none left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telemetry.series.placing import SECOND, Skews, believable, second_of
from tests.telemetry.batches import T0

DELAYS = st.lists(st.integers(0, 240_000), min_size=1, max_size=60)


@given(st.integers(-3600, 3600).map(lambda tenths: tenths * 100_000), DELAYS, DELAYS)
def test_seconds_of_a_skewed_gateway_stay_seconds_in_a_row(skew, ticks, ways):
    """``skew``: of its clock. It ticks up to 240 ms late, and its shipments travel up to as long."""
    skews, placed = Skews(), []
    for number, (late, way) in enumerate(zip(ticks, ways, strict=False)):
        sent = (T0 + number + 1) * SECOND + late
        correction = skews.correction("gw", sent - skew + way, sent)
        placed.append(second_of(sent, SECOND + late, correction) - number)
    assert len(set(placed)) == 1, "as many seconds as batches, in a row"
    assert abs(placed[0] * SECOND + skew - T0 * SECOND) <= 750_000 + 240_000


def test_a_clock_that_jumps_is_followed():
    skews = Skews()
    assert skews.correction("gw", T0 * SECOND, T0 * SECOND) == 0
    assert skews.correction("gw", T0 * SECOND, (T0 + 90) * SECOND) == -90
    assert skews.correction("gw", T0 * SECOND, (T0 + 90) * SECOND + 700_000) == -90, "not for a wobble"


def test_what_is_very_late_or_of_the_future_is_not_believed():
    assert believable(T0 - 30 * 60, T0)
    assert not believable(T0 - 40 * 60, T0)
    assert not believable(T0 + 10, T0)
