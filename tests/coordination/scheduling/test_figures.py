"""How do the figures of a decision read?"""

from __future__ import annotations

import string

import pytest

from coordination.scheduling import reasons
from coordination.scheduling.figures import duration, figure, named, percent
from coordination.scheduling.reasons import Reason, render


@pytest.mark.parametrize(
    ("micros", "reads"),
    [
        (0, "0 µs"),
        (999, "999 µs"),
        (1000, "1.0 ms"),
        (12_350, "12.3 ms"),
        (1_250_000, "1.25 s"),
        (-1500, "-1.5 ms"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(micros, reads):
    assert duration(micros) == reads


@pytest.mark.parametrize(
    ("part", "reads"), [(1, "0.0001 %"), (125_000, "12.5 %"), (1_000_000, "100 %"), (0, "0 %")]
)
def test_a_part_has_no_digit_that_says_nothing(part, reads):
    assert percent(part) == reads


@pytest.mark.parametrize(
    ("name", "value", "reads"),
    [
        ("queue_us", 2500, "2.5 ms"),
        ("left_ppm", 500_000, "50 %"),
        ("spend_nano", 1_200_000, "0.0012"),
        ("end", None, "open"),
        ("max_tokens", None, "none"),
        ("expires", 1_764_236_105_000_000, "27 Nov 2025, 09:35:05 UTC"),
        ("cost", 1_234_567_890, "1,234 tokens"),
        ("remaining", [1000, 20], "1,000, 20"),
        ("arms", (2**63, 2**64), "50 %, 100 %"),
        ("quota", "gold", "gold"),
        ("streamed", True, "True"),
    ],
)
def test_a_figure_reads_by_the_ending_of_its_name(name, value, reads):
    assert figure(name, value) == reads


def test_a_name_is_told_without_its_unit():
    assert [named(name) for name in ("wait_us", "others_ppm", "spend_nano", "cost_ahead")] == [
        "wait",
        "others",
        "spend",
        "cost ahead",
    ]


def test_every_line_reads_with_its_figures_and_none_writes_a_unit_twice():
    lines = [one for one in vars(reasons).values() if isinstance(one, Reason)]
    assert len(lines) > 50
    for reason in lines:
        used = {name for _, name, _, _ in string.Formatter().parse(reason.says) if name}
        assert used <= set(reason.names), reason
        assert " us" not in reason.says.replace(" use", ""), reason
        assert "ppm}" not in reason.says.replace("_ppm}", ""), reason
        step = render((reason, *(7 for _ in reason.names)))
        assert "{" not in step.says
        assert step.facts == dict.fromkeys(reason.names, 7)
