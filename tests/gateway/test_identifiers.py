"""Are request ids ULIDs: unique, sortable by time, of the right alphabet and length?"""

from __future__ import annotations

import re

from gateway.identifiers import RequestIds


def test_ids_are_ulids_that_sort_by_time_and_do_not_repeat():
    ids = RequestIds()
    made = [ids.make(1_700_000_000_000_000 + 1000 * n) for n in range(3000)]
    assert all(re.fullmatch(r"req_[0-7][0-9A-HJKMNP-TV-Z]{25}", name) for name in made)
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert len({name[14:] for name in made}) == len(made)


def test_the_time_is_the_first_48_bits():
    assert RequestIds().make(1_469_918_176_385_000).startswith("req_01ARYZ6S41")
