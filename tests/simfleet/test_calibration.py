"""Does what a replica of a known profile did lead back to that profile?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from coordination.calibration import EvidenceError, Recording, Scrapes, calibrate
from coordination.calibration.coefficients import scaled
from coordination.capacity import PROFILES, Profile, step_time
from tests.support.virtual_engine import Asked, serve, traffic

H100, A100 = PROFILES["llama-3-70b-h100-tp4"], PROFILES["llama-3-70b-a100-tp4"]
ODD = scaled(H100, {"fixed": 1.3, "weights": 1.2, "linear": 0.8, "kv": 1.6, "attention": 1.4}, "odd")
STEPS = [(1, 1000, 0), (4, 2000, 0), (16, 2000, 0), (0, 0, 512), (0, 0, 4000), (0, 0, 8192), (16, 2000, 2000)]
"""(decodes, context of each, prompt tokens) of steps that the traffic is made of."""


def lines(recording: bytes) -> list[tuple[int, str]]:
    return list(enumerate(recording.decode().splitlines(), 1))


def worst(found: Profile, truth: Profile) -> float:
    """Largest relative error over ``STEPS``."""
    errors = []
    for decodes, context, prompt in STEPS:
        held = [
            step_time(
                each, [(prompt, 0)] if prompt else (), decodes=decodes, decode_context=decodes * context
            )
            for each in (found, truth)
        ]
        errors.append(abs(held[0] / held[1] - 1))
    return max(errors)


@pytest.mark.parametrize(
    ("truth", "rate"), [(A100, 0.45), (ODD, 0.9)], ids=["another accelerator", "an odd one"]
)
def test_a_recording_leads_back_to_the_profile_it_was_made_with(truth, rate):
    served = serve(truth, traffic(260, rate))
    found = calibrate(Recording("r", lines(served.recording()), H100), H100, "mine")
    assert worst(H100, truth) > 0.15
    assert worst(found.profile, truth) < 0.05
    assert found.errors["held_out"]["itl"]["after"].median < 0.02
    for by in found.replayed.values():
        recorded, expected = by["p50"]
        assert expected == pytest.approx(recorded, rel=0.1)
    assert {one.name for one in found.coefficients if one.fitted} >= {"weights", "linear", "kv"}


def test_pages_of_metrics_lead_near_it():
    served = serve(A100, traffic(700, 0.3), scrape_every=60.0)
    evidence = Scrapes([[(f"page {n}", page) for n, page in enumerate(served.pages)]])
    found = calibrate(evidence, H100, "mine")
    assert worst(H100, A100) > 0.5
    assert worst(found.profile, A100) < 0.15
    assert evidence.kv_tokens == A100.kv_tokens // 128 * 128


def test_two_replicas_in_one_recording_are_told_apart():
    one = serve(H100, traffic(60, 0.8)).recording(replica="http://one")
    two = serve(H100, traffic(60, 0.8, seed=4)).recording(replica="http://two")
    opening, *rest = one.splitlines(keepends=True)
    mixed = sorted(
        [*rest, *two.splitlines(keepends=True)[1:]],
        key=lambda line: int(line.partition(b'"ended":')[2].split(b",")[0]),
    )
    found = calibrate(Recording("r", lines(opening + b"".join(mixed)), H100), H100, "mine")
    assert worst(found.profile, H100) < 0.05


def test_what_the_traffic_does_not_show_stays_as_it_was_and_is_named():
    alone = [Asked(n * 20.0, one.work) for n, one in enumerate(traffic(60, 1.0, output=40))]
    served = serve(ODD, [replace(one, work=replace(one.work, blocks=())) for one in alone])
    found = calibrate(Recording("r", lines(served.recording()), H100), H100, "mine")
    stayed = {one.name for one in found.coefficients if not one.fitted}
    assert "sequence" in stayed
    assert found.profile.per_sequence == H100.per_sequence
    assert any("sequence" in warning for warning in found.warnings)
    assert any("at most 1 sequences" in warning for warning in found.warnings)


def test_answers_without_a_replicas_times_are_counted_and_not_used():
    recording = serve(H100, traffic(40, 0.8)).recording()
    bare = b'{"at":%d,"ended":%d,"tenant":"a","model":"m","input_tokens":5,"output_tokens":1,"code":"x"}\n'
    last = int(recording.splitlines()[-1].partition(b'"ended":')[2].split(b",")[0])
    evidence = Recording("r", lines(recording + bare % (last, last + 1)), H100)
    assert any("1 of 41 requests" in note for note in evidence.notes)
    with pytest.raises(EvidenceError, match="0 answers"):
        Recording("r", lines(recording.splitlines()[0] + b"\n" + bare % (1, 2)), H100)
