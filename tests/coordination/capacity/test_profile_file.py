"""Does a profile survive being written and read, and is what is none refused?"""

from __future__ import annotations

import json

import pytest

from coordination.capacity import PROFILES
from coordination.capacity.profile_file import (
    ProfileFileError,
    profile_bytes,
    profile_digest,
    read_profile,
)

PROFILE = PROFILES["qwen3-32b-h100-tp2"]


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_what_was_written_is_read(name):
    assert read_profile(profile_bytes(PROFILES[name], fit={"any": "thing"})) == PROFILES[name]


def changed(**fields: object) -> bytes:
    whole = json.loads(profile_bytes(PROFILE))
    whole["profile"] |= fields
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a profile"),
        (b"[]", "not a profile"),
        (b'{"headway": "recording/1"}', "not a profile"),
        (profile_bytes(PROFILE).replace(b"profile/1", b"profile/9"), "this version reads profile/1"),
        (changed(linear_params=0), "linear_params"),
        (changed(weight_efficiency=-1), "weight_efficiency"),
        (changed(step_overhead=1e300), "step_overhead"),
        (changed(layers="many"), "layers"),
        (changed(name="../etc"), "name"),
        (changed(unheard_of=1), "unheard_of"),
        (changed(kv_tokens=10**15), "kv_tokens"),
        (changed(accelerator="h100\0"), "accelerator"),
        (b'{"a":' * 100_000, "recursion"),
        (profile_bytes(PROFILE)[:-3] + b',"fit":"\xff"}', "UTF-8|utf-8"),
        (b" " * (1 << 21), "not a profile"),
    ],
)
def test_what_is_none_is_refused_with_the_reason(data, says):
    with pytest.raises(ProfileFileError, match=says):
        read_profile(data)


def faults_of(data):
    with pytest.raises(ProfileFileError) as refused:
        read_profile(data)
    return [(fault.pointer, fault.code) for fault in refused.value.faults]


def test_every_fault_is_told_with_its_place_and_its_code():
    whole = json.loads(changed(layers=32.5, heads=0, name="../etc", **{"a/b": 1}, blend=None))
    del whole["profile"]["width"]
    data = json.dumps(whole).encode()
    assert faults_of(data) == [
        ("/profile/name", "malformed"),
        ("/profile/layers", "malformed"),
        ("/profile/heads", "out_of_range"),
        ("/profile/width", "required"),
        ("/profile/blend", "malformed"),
        ("/profile/a~1b", "unknown_field"),
    ]
    with pytest.raises(ProfileFileError, match="and 3 more"):
        read_profile(data)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b" " * (1 << 21), ("", "too_large")),
        (b"{", ("", "malformed")),
        (b'{"headway": 1}', ("", "malformed")),
        (b'{"headway": "recording/1"}', ("/headway", "other_version")),
        (b'{"headway": "profile/1"}', ("/profile", "required")),
        (b'{"headway": "profile/1", "profile": 5}', ("/profile", "malformed")),
    ],
)
def test_what_is_no_file_of_one_is_told_as_a_whole(data, fault):
    assert faults_of(data) == [fault]


@pytest.mark.parametrize(
    "absurd",
    [
        {"peak_flops": 1e-300, "flops_efficiency": 1e-300},
        {"linear_params": 1e18, "weight_efficiency": 1e-18, "blend": 16.0},
        {"linear_params": 1e18, "memory_bandwidth": 1.0},
        {"linear_params": 1e-18, "step_overhead": 0, "layer_launch": 0, "reduce_latency": 0, "per_token": 0}
        | {"per_sequence": 0, "layers": 1, "kv_heads": 1, "reduce_bandwidth": 1e18},
    ],
    ids=["no quotient", "no power", "years a step", "no time at all"],
)
def test_numbers_whose_quotients_are_absurd_are_no_profile(absurd):
    """Each alone is in bounds; a simulation would divide by nought, never end or stand still."""
    assert faults_of(changed(**absurd)) == [("/profile", "out_of_range")]


def test_a_digest_is_of_the_profile_alone():
    beside = read_profile(profile_bytes(PROFILE, fit={"how": "well"}))
    assert profile_digest(beside) == profile_digest(PROFILE)
    assert profile_digest(read_profile(changed(layers=63))) != profile_digest(PROFILE)
