"""Does the table of stages still find every entry point it puts a clock around?"""

from __future__ import annotations

import uvloop

from benchmarks import stages


def test_every_stage_is_found_and_run_and_nothing_stays_wrapped():
    async def tables() -> tuple[set[str], set[str]]:
        with stages.bench(40, 0, record=True) as whole:
            told = stages.table(whole, 20, repeats=1)
        with stages.bench(40, 3, record=True) as streamed:
            told_of_streams = stages.table(streamed, 20, repeats=1)
        assert all(calls >= 1 for _, _, calls in (*told, *told_of_streams))
        return {stage for stage, _, _ in told}, {stage for stage, _, _ in told_of_streams}

    before = [getattr(owner, name) for _, owner, names in stages.ENTRIES for name in names]
    whole, streamed = uvloop.run(tables())
    assert before == [getattr(owner, name) for _, owner, names in stages.ENTRIES for name in names]
    every = {stage for stage, _, _ in stages.ENTRIES}
    assert every - whole == {"put the first byte on record", "edit events"}
    assert every - streamed == {"read usage, set the tier"}
