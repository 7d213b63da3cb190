"""Does a profile survive being written and read, and is what is none refused?"""

from __future__ import annotations

import json

import pytest

from coordination.capacity import PROFILES
from coordination.capacity.profile_file import ProfileFileError, profile_bytes, read_profile

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
        (b" " * (1 << 21), "not a profile"),
    ],
)
def test_what_is_none_is_refused_with_the_reason(data, says):
    with pytest.raises(ProfileFileError, match=says):
        read_profile(data)
