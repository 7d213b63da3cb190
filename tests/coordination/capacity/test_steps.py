"""The step model says what its sources say, and behaves as a machine must."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.capacity import PROFILES, decode_run, prefill_floor, step_time

profiles = st.sampled_from(sorted(PROFILES)).map(PROFILES.__getitem__)


@pytest.mark.parametrize(
    ("name", "prefill_ms", "decode_ms"),
    [
        ("llama-3-8b-h100-tp1", 224, (6.0, 10.5, 24.7)),
        ("qwen3-32b-h100-tp2", 511, (15.2, 20.0, 36.0)),
        ("llama-3-70b-h100-tp4", 626, (17.1, 20.9, 33.6)),
    ],
)
def test_published_figures_of_the_model_are_reproduced(name, prefill_ms, decode_ms):
    profile = PROFILES[name]
    assert step_time(profile, [(8192, 0)]) * 1e3 == pytest.approx(prefill_ms, rel=0.005)
    for (batch, context), expected in zip([(1, 1000), (32, 2000), (128, 2000)], decode_ms, strict=True):
        found = step_time(profile, decodes=batch, decode_context=batch * context) * 1e3
        assert found == pytest.approx(expected, rel=0.01)


def test_qwen_prefill_rate_is_within_two_per_cent_of_the_rate_measured_elsewhere():
    rate = 8192 / step_time(PROFILES["qwen3-32b-h100-tp2"], [(8192, 0)])
    assert rate == pytest.approx(15_928, rel=0.02)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("llama-3-8b-h100-tp1", 131_072),
        ("qwen3-32b-h100-tp2", 262_144),
        ("llama-3-70b-h100-tp4", 327_680),
        ("llama-3-70b-a100-tp4", 327_680),
    ],
)
def test_kv_bytes_follow_from_the_shape_of_the_model(name, expected):
    assert PROFILES[name].kv_bytes_per_token == expected
    assert PROFILES[name].name == name


def test_the_slower_accelerator_is_slower_at_everything():
    fast, slow = PROFILES["llama-3-70b-h100-tp4"], PROFILES["llama-3-70b-a100-tp4"]
    assert step_time(slow, [(4096, 0)]) > 2 * step_time(fast, [(4096, 0)])
    assert step_time(slow, decodes=8, decode_context=8000) > step_time(fast, decodes=8, decode_context=8000)


@settings(max_examples=60)
@given(profiles, st.integers(1, 255), st.integers(0, 400_000), st.integers(1, 8192), st.integers(0, 100_000))
def test_more_work_never_takes_less_time(profile, decodes, context, new, before):
    base = step_time(profile, [(new, before)], decodes=decodes, decode_context=context)
    assert step_time(profile, [(new + 1, before)], decodes=decodes, decode_context=context) > base
    assert step_time(profile, [(new, before + 1)], decodes=decodes, decode_context=context) > base
    assert step_time(profile, [(new, before)], decodes=decodes + 1, decode_context=context + 1) > base


@settings(max_examples=60)
@given(profiles, st.integers(0, 400), st.integers(1, 256), st.integers(0, 4000))
def test_a_run_of_decodes_is_the_sum_of_its_steps(profile, steps, decodes, context):
    one_by_one = sum(
        step_time(profile, decodes=decodes, decode_context=decodes * (context + i)) for i in range(steps)
    )
    jumped = decode_run(profile, steps=steps, decodes=decodes, decode_context=decodes * context)
    assert jumped == pytest.approx(one_by_one, rel=1e-9)


@settings(max_examples=60)
@given(profiles, st.integers(1, 60_000), st.integers(0, 60_000), st.sampled_from([512, 2048, 8192]))
def test_the_prefill_floor_is_the_sum_of_its_chunks(profile, uncached, cached, chunk):
    total, done = 0.0, 0
    while done < uncached:
        new = min(chunk, uncached - done)
        total += step_time(profile, [(new, cached + done)])
        done += new
    assert prefill_floor(profile, uncached, cached_tokens=cached, chunk=chunk) == pytest.approx(total)


def test_a_fully_cached_prompt_still_costs_a_step():
    profile = PROFILES["llama-3-8b-h100-tp1"]
    assert prefill_floor(profile, 0) == prefill_floor(profile, 1) > 0
