"""Are request ids ULIDs: unique, sortable by time, of the right alphabet and length?"""

from __future__ import annotations

import re
import uuid

from gateway.identifiers import ALPHABET, RequestIds, as_uuid


def test_ids_are_ulids_that_sort_by_time_and_do_not_repeat():
    ids = RequestIds()
    made = [ids.make(1_700_000_000_000_000 + 1000 * n) for n in range(3000)]
    assert all(re.fullmatch(r"req_[0-7][0-9A-HJKMNP-TV-Z]{25}", name) for name in made)
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert len({name[14:] for name in made}) == len(made)


def test_the_same_bits_make_a_uuid_and_the_uuid_makes_the_name_again():
    name = RequestIds().make(1_700_000_000_000_000)
    bits = uuid.UUID(as_uuid(name)).int
    assert "req_" + "".join(ALPHABET[bits >> shift & 31] for shift in range(125, -5, -5)) == name


def test_the_time_is_the_first_48_bits():
    assert RequestIds().make(1_469_918_176_385_000).startswith("req_01ARYZ6S41")
