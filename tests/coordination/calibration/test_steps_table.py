"""Are the coefficients behind timed steps found again, noise and outliers notwithstanding?"""

from __future__ import annotations

import random
from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.calibration import EvidenceError, StepsTable, calibrate
from coordination.calibration.coefficients import MEANS, scaled
from coordination.capacity import PROFILES, step_time

HEADER = "batch,prefill_tokens,context,seconds,prefill_context"
factors = st.fixed_dictionaries({name: st.floats(-0.7, 0.7).map(exp) for name in MEANS})


def timed(truth, *, rows: int, noise: float, seed: int, outliers: float = 0.0) -> list[str]:
    draw = random.Random(seed)
    lines = [HEADER]
    while len(lines) <= rows:
        batch = draw.choice((0, 1, 4, 16, 64, 200))
        context = batch * draw.randint(100, 8000)
        prefill = draw.choice((0, 0, 64, 512, 4000, 8000))
        before = draw.choice((0, 8192, 40_000)) if prefill else 0
        if batch or prefill:
            chunks = [(prefill, before)] if prefill else ()
            seconds = step_time(truth, chunks, decodes=batch, decode_context=context)
            seconds *= draw.lognormvariate(0, noise) * (20 if draw.random() < outliers else 1)
            lines.append(f"{batch},{prefill},{context},{seconds},{before}")
    return lines


@settings(max_examples=8, deadline=None)
@given(factors, st.sampled_from(sorted(PROFILES)), st.integers(0, 1000))
def test_steps_of_any_profile_are_foretold_within_five_per_cent(found, name, seed):
    base = PROFILES[name]
    truth = scaled(base, found, "truth")
    table = StepsTable("t", timed(truth, rows=250, noise=0.03, seed=seed, outliers=0.02))
    fitted = calibrate(table, base, "mine")
    for batch, context, prefill in (
        (1, 1000, 0),
        (64, 2000, 0),
        (200, 4000, 0),
        (0, 0, 8000),
        (32, 2000, 4000),
    ):
        chunks = [(prefill, 0)] if prefill else ()
        held = [
            step_time(each, chunks, decodes=batch, decode_context=batch * context)
            for each in (fitted.profile, truth)
        ]
        assert held[0] == pytest.approx(held[1], rel=0.05)
    assert fitted.errors["held_out"]["step"]["after"].median < 0.05
    for one in fitted.coefficients:
        assert one.fitted or one.factor == 1.0


def test_a_coefficient_that_dominates_is_found_itself():
    base = PROFILES["llama-3-8b-h100-tp1"]
    truth = scaled(base, {"kv": 1.7, "attention": 0.6}, "truth")
    fitted = calibrate(StepsTable("t", timed(truth, rows=400, noise=0.02, seed=5)), base, "mine")
    by_name = {one.name: one for one in fitted.coefficients}
    assert by_name["kv"].factor == pytest.approx(1.7, rel=0.08)
    assert by_name["attention"].factor == pytest.approx(0.6, rel=0.08)
    assert by_name["sequence"].plus_minus is None


def test_what_cannot_be_true_is_warned_of():
    base = PROFILES["llama-3-70b-a100-tp4"]
    truth = scaled(base, {"linear": 0.2, "weights": 0.2, "token": 0.2}, "truth")
    fitted = calibrate(StepsTable("t", timed(truth, rows=200, noise=0.01, seed=5)), base, "mine")
    assert any("flops_efficiency" in warning and "--like" in warning for warning in fitted.warnings)


def test_few_rows_are_said_to_be_few():
    rows = timed(PROFILES["llama-3-8b-h100-tp1"], rows=20, noise=0.01, seed=1)
    fitted = calibrate(StepsTable("t", rows), PROFILES["llama-3-8b-h100-tp1"], "mine")
    assert any("16 times only" in warning for warning in fitted.warnings)


@pytest.mark.parametrize(
    ("rows", "line", "says"),
    [
        ([], 1, "columns must be"),
        (["batch,seconds"], 1, "columns must be"),
        ([HEADER + ",more"], 1, "columns must be"),
        (["batch,batch,prefill_tokens,context,seconds"], 1, "columns must be"),
        ([HEADER, "1,0,5,0.01"], 2, "4 cells under 5"),
        ([HEADER, "1.5,0,5,0.01,0"], 2, "`1.5` is not a whole number"),
        ([HEADER, "-1,0,5,0.01,0"], 2, "not between 0"),
        ([HEADER, "1,0,5,nan,0"], 2, "`nan` is not between"),
        ([HEADER, "1,0,5,0,0"], 2, "`0` is not between"),
        ([HEADER, "1,0,5,soon,0"], 2, "`soon` is not a number"),
        ([HEADER, "0,0,5,0.1,0"], 2, "a step of nothing"),
        ([HEADER, "1,0,5,0.1,0", f"{10**30},0,5,0.1,0"], 3, "not between 0"),
    ],
)
def test_a_damaged_table_is_told_with_its_line(rows, line, says):
    with pytest.raises(EvidenceError, match=f"^t:{line}: .*{says}"):
        StepsTable("t", rows)


def test_too_little_is_refused():
    with pytest.raises(EvidenceError, match="at least"):
        calibrate(StepsTable("t", [HEADER, "1,0,500,0.01,0"]), PROFILES["llama-3-8b-h100-tp1"], "mine")
