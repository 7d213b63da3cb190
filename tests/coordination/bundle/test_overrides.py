"""Emergency measures: what may be said, by whom, for how long, and what of it counts at an instant."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.bundle import dsse
from coordination.bundle.override_register import Register, deliver, take
from coordination.bundle.overrides import (
    DAY,
    EARLY,
    HOUR,
    KINDS,
    LONGEST,
    MAX_OVERRIDES,
    REST,
    WIDENING,
    Override,
    Statement,
    fault,
    open_override,
    sign_override,
    trusted_by,
)
from coordination.bundle.pointer import open_pointer, sign_pointer
from coordination.bundle.refusals import Refused, RefusedError
from coordination.program.canonical import canonical_bytes
from tests.coordination.bundle import samples
from tests.coordination.bundle.samples import AT, KEY, OTHER_KEY, SECOND, THIRD_KEY, override, raising

replace = msgspec.structs.replace
TRUSTED = {key.key_id: key.public for key in (KEY, OTHER_KEY)}

SUBJECTS = {
    "block_tenant": "umbrella/labs",
    "block_key": "abcdefghij",
    "drain_pool": "llama-fast",
    "drain_replica": "http://10.0.0.1:8000",
    "freeze_releases": "",
    "wake_pool": "llama-fast",
    "raise_limit": "acme:total_tokens:1m",
}


def sample(kind, **options):
    if kind == "raise_limit":
        return raising(**options)
    return override(kind, SUBJECTS[kind], **{"lasts": LONGEST[kind]} | options)


def taken(register, *statements, now=AT):
    for statement in statements:
        found = take(register, statement, now)
        assert isinstance(found, Register), found
        register = found
    return register


def code_of(register, statement, now=AT):
    found = take(register, statement, now)
    return found.code if isinstance(found, Refused) else None


def ids(register, now):
    return [one.id for one in register.in_force(now)]


# -- what may be said ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_may_last_exactly_as_long_as_its_bound(kind):
    longest = LONGEST[kind]
    assert fault(sample(kind, lasts=longest)) is None
    found = fault(sample(kind, lasts=longest + 1))
    assert found is not None
    assert (found.code, found.json_pointer) == ("override_out_of_bounds", "/expires_at")


@pytest.mark.parametrize(
    ("statement", "code", "field"),
    [
        (override("block_tenant", "Acme"), "malformed_override", "/subject"),
        (override("block_tenant", "acme/"), "malformed_override", "/subject"),
        (override("block_key", "hw_abcdefghij"), "malformed_override", "/subject"),
        (override("drain_pool", ""), "malformed_override", "/subject"),
        (override("drain_pool", "a\n"), "malformed_override", "/subject"),
        (override("drain_replica", "10.0.0.1:8000"), "malformed_override", "/subject"),
        (override("freeze_releases", "dev"), "malformed_override", "/subject"),
        (raising("acme"), "malformed_override", "/subject"),
        (raising("acme:total_tokens:1d"), "malformed_override", "/subject"),
        (raising(factor=None), "malformed_override", "/amount_ppm"),
        (override("drain_pool", "p", factor=1_500_000), "malformed_override", "/amount_ppm"),
        (raising(factor=2_000_001), "override_out_of_bounds", "/amount_ppm"),
        (raising(factor=1_000_000), "override_out_of_bounds", "/amount_ppm"),
        (raising(approved_by=None), "second_person_needed", "/approved_by"),
        (raising(approved_by="ada"), "second_person_needed", "/approved_by"),
    ],
)
def test_what_no_signature_can_make_right(statement, code, field):
    found = fault(statement)
    assert found is not None
    assert (found.code, found.json_pointer) == (code, field)


def test_twice_is_the_most_a_limit_is_raised_to():
    assert fault(raising(factor=2_000_000)) is None


# -- signed by hand --------------------------------------------------------------------------------


def statement_of(measure, environment="dev"):
    return Statement(environment=environment, override=measure)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - WIDENING))
def test_one_person_may_narrow(kind):
    said = statement_of(sample(kind))
    assert open_override(sign_override(said, [KEY]), TRUSTED, environment="dev") == said


def test_two_people_must_sign_what_widens():
    said = statement_of(raising())
    alone = sign_override(said, [KEY])
    with pytest.raises(RefusedError) as caught:
        open_override(alone, TRUSTED)
    assert caught.value.refused.code == "threshold_not_met"
    together = dsse.merge([alone, sign_override(said, [OTHER_KEY])])
    assert open_override(together, TRUSTED) == said
    assert open_override(sign_override(statement_of(raising(lasts=0)), [KEY]), TRUSTED), "one may end it"


@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        (sign_override(statement_of(override()), [THIRD_KEY]), "unknown_key"),
        (sign_override(statement_of(override(), "prod"), [KEY]), "wrong_environment"),
        (dsse.sign(b"{}", dsse.OVERRIDE, [KEY]), "malformed_override"),
        (dsse.sign(b"{}", dsse.POINTER, [KEY]), "malformed_envelope"),
        (b"", "malformed_envelope"),
    ],
)
def test_what_is_not_signed_for_us_is_refused_with_a_code(envelope, code):
    with pytest.raises(RefusedError) as caught:
        open_override(envelope, TRUSTED, environment="dev")
    assert caught.value.refused.code == code


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "root_shell"},
        {"id": "x"},
        {"hidden": True},
        {"reason": ""},
        {"by": ""},
        {"expires_at": -1},
        {"amount_ppm": None},  # written although it has its default
    ],
)
def test_a_signed_statement_is_still_held_to_its_form(change):
    fields = msgspec.to_builtins(statement_of(override()))
    fields["override"] |= change
    envelope = dsse.sign(canonical_bytes(fields), dsse.OVERRIDE, [KEY])
    with pytest.raises(RefusedError) as caught:
        open_override(envelope, TRUSTED)
    assert caught.value.refused.code == "malformed_override"


def test_nothing_beyond_the_bounds_is_signed():
    with pytest.raises(RefusedError):
        sign_override(statement_of(raising(lasts=4 * HOUR + 1)), [KEY, OTHER_KEY])


def test_a_root_lets_those_sign_who_sign_bundles_and_the_control_plane():
    root = samples.root()
    assert set(trusted_by(root)) == set(root.roles.bundle.keys) | set(root.roles.pointer.keys)


# -- in a pointer ----------------------------------------------------------------------------------


def in_pointer(*overrides):
    return replace(samples.pointer(samples.bundle(), samples.directory()), overrides=overrides)


def test_a_pointer_carries_what_is_within_bounds():
    wanted = in_pointer(override(), raising(id="ovr_00000002"))
    assert open_pointer(sign_pointer(wanted, [KEY]), TRUSTED) == wanted


@pytest.mark.parametrize(
    ("overrides", "code", "field"),
    [
        ((raising(lasts=5 * HOUR),), "override_out_of_bounds", "/overrides/0/expires_at"),
        ((override(), override(subject="b")), "malformed_pointer", "/overrides"),
        ((raising(approved_by=None),), "second_person_needed", "/overrides/0/approved_by"),
    ],
)
def test_a_pointer_with_more_than_may_be_is_refused_whole(overrides, code, field):
    wanted = in_pointer(*overrides)
    with pytest.raises(RefusedError):
        sign_pointer(wanted, [KEY])
    envelope = dsse.sign(canonical_bytes(msgspec.to_builtins(wanted)), dsse.POINTER, [KEY])
    with pytest.raises(RefusedError) as caught:
        open_pointer(envelope, TRUSTED)
    assert (caught.value.refused.code, caught.value.refused.json_pointer) == (code, field)


# -- what counts now -------------------------------------------------------------------------------


def test_it_ends_at_its_end_and_not_a_microsecond_before():
    register = taken(Register(), override(lasts=HOUR))
    assert ids(register, AT + HOUR - 1) == ["ovr_00000001"]
    assert ids(register, AT + HOUR) == []
    assert register.next_change(AT) == AT + HOUR
    assert register.next_change(AT + HOUR) is None


def test_what_has_ended_is_not_taken():
    assert code_of(Register(), override(lasts=HOUR), AT + HOUR) == "override_expired"


def test_a_clock_a_little_ahead_is_forgiven_and_one_far_ahead_is_not():
    assert code_of(Register(), override(issued_at=AT + EARLY)) is None
    assert code_of(Register(), override(issued_at=AT + EARLY + 1)) == "override_early"


def test_it_is_ended_by_a_later_statement_and_not_brought_back_by_the_first():
    first = override(lasts=HOUR)
    end = replace(first, issued_at=AT + SECOND, expires_at=AT + SECOND)
    register = taken(Register(), first, end, now=AT + SECOND)
    assert ids(register, AT + SECOND) == []
    assert code_of(register, first, AT + 2 * SECOND) == "override_replayed"
    assert code_of(register, end, AT + 2 * SECOND) == "override_replayed"
    assert code_of(register, first, AT + HOUR) == "override_replayed"
    register = taken(register, override(id="ovr_00000009", issued_at=AT + HOUR), now=AT + HOUR)
    assert len(register.by_hand) == 1, "what can no longer be replayed is forgotten"
    assert code_of(register, first, AT + HOUR) == "override_expired"


@pytest.mark.parametrize(
    "change",
    [{"subject": "umbrella"}, {"kind": "drain_pool"}, {"expires_at": AT + 3 * HOUR}],
)
def test_an_id_stands_for_one_measure_that_only_gets_shorter(change):
    register = taken(Register(), override(lasts=HOUR))
    again = replace(override(issued_at=AT + SECOND, lasts=HOUR - SECOND), **change)
    assert code_of(register, again, AT + SECOND) == "override_replayed"


def test_what_a_pointer_carries_is_ended_by_hand_when_nobody_else_can():
    delivered = override(lasts=HOUR)
    register, _ = deliver(Register(), [delivered], (1, AT), AT)
    end = replace(delivered, issued_at=AT + 1, expires_at=AT + 1)
    register = taken(register, end, now=AT + 1)
    assert ids(register, AT + 1) == []
    register, _ = deliver(register, [delivered], (1, AT + 5), AT + 5)
    assert ids(register, AT + 5) == [], "also when the pointer is renewed"


def test_a_newer_pointer_replaces_what_an_older_one_carried_and_not_the_other_way_round():
    register, _ = deliver(Register(), [override()], (2, AT), AT)
    assert deliver(register, [], (1, AT + 9), AT) == (register, ())
    register, _ = deliver(register, [], (2, AT + 1), AT)
    assert ids(register, AT) == []


def test_by_hand_there_may_be_thirty_two():
    many = [override(id=f"ovr_{n:08d}") for n in range(MAX_OVERRIDES)]
    register = taken(Register(), *many)
    assert code_of(register, override(id="ovr_99999999")) == "too_many_overrides"
    assert code_of(register, override(id="ovr_99999999", issued_at=AT + HOUR), AT + HOUR) is None


def test_a_limit_is_not_raised_again_within_a_day_of_the_end():
    register = taken(Register(), raising(lasts=HOUR))
    end = AT + HOUR
    early = raising(id="ovr_00000002", issued_at=end + REST - 1)
    assert code_of(register, early, end + REST - 1) == "override_renewed"
    assert code_of(register, replace(early, issued_at=end + REST), end + REST) is None
    assert code_of(register, raising("other:spend:day", id="ovr_00000003"), AT) is None


def test_a_control_plane_that_widens_again_is_not_obeyed_and_its_other_measures_are():
    register, refused = deliver(Register(), [raising(lasts=HOUR)], (1, AT), AT)
    assert not refused
    later = AT + 2 * HOUR
    again = raising(id="ovr_00000002", issued_at=later)
    block = override(id="ovr_00000003", issued_at=later)
    register, refused = deliver(register, [again, block], (2, later), later)
    assert [(one.id, why.code) for one, why in refused] == [("ovr_00000002", "override_renewed")]
    assert ids(register, later) == ["ovr_00000003"]


def test_a_lift_of_what_was_raised_does_not_begin_its_rest_anew():
    first = raising(lasts=HOUR)
    end = replace(first, issued_at=AT + SECOND, expires_at=AT + SECOND)
    register = taken(Register(), first, end, now=AT + SECOND)
    assert [one.expires_at for one in register.widened] == [AT + HOUR]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["take", "deliver"]),
        st.integers(0, 3),
        st.sampled_from(["block_tenant", "drain_pool", "raise_limit"]),
        st.integers(0, 6 * 3600),  # seconds since the last event
        st.integers(0, 3 * 3600),  # how long it lasts
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(EVENTS)
def test_whatever_happens_what_counts_is_within_its_time_and_no_limit_is_raised_twice_in_a_day(events):
    register, now, order = Register(), AT, 0
    raised: list[Override] = []
    for what, number, kind, later, lasts in events:
        now += later * SECOND
        made = sample(kind, id=f"ovr_{now // SECOND}{number}", issued_at=now, lasts=lasts * SECOND)
        if what == "take":
            found = take(register, made, now)
            register = found if isinstance(found, Register) else register
        else:
            order += 1
            register, _ = deliver(register, [made], (order, now), now)
        for one in register.in_force(now):
            assert now < one.expires_at <= one.issued_at + LONGEST[one.kind]
            if one.kind == "raise_limit" and one not in raised:
                assert all(one.issued_at >= before.expires_at + DAY for before in raised)
                raised.append(one)
        change = register.next_change(now)
        if change is not None:
            assert register.in_force(change) != register.in_force(now)
            assert register.in_force(change - 1) == register.in_force(now)
