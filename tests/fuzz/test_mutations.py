"""A sample of what ``make fuzz`` does for long: damaged policies are answered, never with a traceback."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.mutations import mutated
from tests.fuzz.properties import examine, settles
from tests.fuzz.subjects import subjects

POLICIES = subjects()


@pytest.mark.parametrize("seed", range(20))
def test_twenty_damaged_policies_are_answered(seed: int):
    source = random.Random(seed)
    for _ in range(20):
        examine(mutated(source.choice(POLICIES), source))
    settles(mutated(source.choice(POLICIES), source))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda files: files[-1].name)
def test_the_policies_are_sound_before_they_are_damaged(policy):
    assert examine(policy) == "built"
