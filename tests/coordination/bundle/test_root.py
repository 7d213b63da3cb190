"""Trust: who may sign what, and how that changes hands."""

from __future__ import annotations

import json

import pytest

from coordination.bundle import dsse
from coordination.bundle.refusals import RefusedError
from coordination.bundle.root import make_root, next_root, open_root, sign_root
from coordination.program.canonical import canonical_bytes, sha256_digest
from tests.coordination.bundle.samples import KEY, OTHER_KEY, THIRD_KEY


def root(version=1, keys=(KEY,), threshold=1, handover=()):
    return make_root(
        version=version,
        root=[key.public for key in keys],
        bundle=[THIRD_KEY.public],
        pointer=[THIRD_KEY.public],
        thresholds={"root": threshold},
        handover=[key.public for key in handover],
    )


def code_of(call, *arguments, **options):
    with pytest.raises(RefusedError) as caught:
        call(*arguments, **options)
    return caught.value.refused.code


def test_a_root_vouches_for_itself_whole():
    made = root()
    assert open_root(sign_root(made, [KEY])) == made
    assert made.trusted("bundle") == {THIRD_KEY.key_id: THIRD_KEY.public}


def test_a_pinned_root_is_the_only_one_taken():
    mine, theirs = sign_root(root(), [KEY]), sign_root(root(keys=[OTHER_KEY]), [OTHER_KEY])
    assert open_root(mine, pinned=sha256_digest(mine)) == root()
    assert code_of(open_root, theirs, pinned=sha256_digest(mine)) == "digest_mismatch"


@pytest.mark.parametrize(
    ("signers", "code"),
    [([KEY], "threshold_not_met"), ([KEY, THIRD_KEY], "unknown_key"), ([], "threshold_not_met")],
)
def test_a_root_needs_its_own_threshold(signers, code):
    two_of_two = root(keys=[KEY, OTHER_KEY], threshold=2)
    assert open_root(sign_root(two_of_two, [KEY, OTHER_KEY])) == two_of_two
    assert code_of(open_root, sign_root(two_of_two, signers)) == code


def test_the_next_root_is_signed_by_the_old_keys_and_the_new():
    first = root()
    second = root(version=2, keys=[OTHER_KEY], handover=[KEY])
    envelope = sign_root(second, [KEY, OTHER_KEY])
    assert next_root(first, envelope) == second
    assert open_root(envelope) == second, "and it can be read from disk without the first"


@pytest.mark.parametrize(
    ("successor", "signers", "code"),
    [
        pytest.param(root(2, [OTHER_KEY]), [OTHER_KEY], "threshold_not_met", id="only the new keys"),
        pytest.param(
            root(2, [OTHER_KEY], handover=[KEY]), [KEY], "threshold_not_met", id="only the old keys"
        ),
        pytest.param(root(1), [KEY], "replayed_serial", id="the same version"),
        pytest.param(root(3), [KEY], "replayed_serial", id="one left out"),
        pytest.param(root(2, [THIRD_KEY]), [THIRD_KEY], "threshold_not_met", id="somebody else's"),
    ],
)
def test_trust_does_not_change_hands_otherwise(successor, signers, code):
    assert code_of(next_root, root(), sign_root(successor, signers)) == code


def test_keys_that_stay_need_no_handover():
    first = root(keys=[KEY, OTHER_KEY])
    second = root(2, keys=[KEY, OTHER_KEY], threshold=2, handover=[KEY])
    assert second.handover == ()
    assert next_root(first, sign_root(second, [KEY, OTHER_KEY])) == second


def _edit(change):
    value = json.loads(canonical_bytes(_plain(root(keys=[KEY, OTHER_KEY]))))
    change(value)
    return dsse.sign(canonical_bytes(value), dsse.ROOT, [KEY])


def _plain(value):
    import msgspec

    return msgspec.to_builtins(value)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda v: v["roles"]["root"].update(threshold=3), id="more than there are keys"),
        pytest.param(lambda v: v["roles"]["root"].update(threshold=0), id="nobody needed"),
        pytest.param(lambda v: v["roles"]["root"]["keys"].reverse(), id="keys out of order"),
        pytest.param(lambda v: v["roles"]["root"].update(keys=[]), id="a role without keys"),
        pytest.param(lambda v: v["keys"].pop(OTHER_KEY.key_id), id="a key not given"),
        pytest.param(lambda v: v["keys"].update({KEY.key_id: OTHER_KEY.public.raw.hex()}), id="a false id"),
        pytest.param(lambda v: v.update(handover=[KEY.key_id]), id="a key both leaving and staying"),
        pytest.param(lambda v: v.update(format_version=2), id="a format to come"),
        pytest.param(lambda v: v.update(more=1), id="a field nobody knows"),
        pytest.param(lambda v: v["roles"].pop("pointer"), id="a role missing"),
    ],
)
def test_a_root_that_cannot_hold_is_refused(change):
    assert code_of(open_root, _edit(change)) == "malformed_root"


def test_a_root_that_cannot_hold_is_not_made():
    with pytest.raises(ValueError, match="3 of 1"):
        root(threshold=3)
