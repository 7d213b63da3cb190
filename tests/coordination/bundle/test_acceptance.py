"""One delivery at a time: which state, which effects, which code. (All orders: the model test.)"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from coordination.bundle import dsse
from coordination.bundle.acceptance import FIRST_RETRY, LAST_RETRY, step, subscribe, verify_parts
from coordination.bundle.candidates import Verify
from coordination.bundle.pointer import renew, sign_pointer
from coordination.bundle.refusals import Refused
from coordination.bundle.root import make_root, open_root, sign_root
from coordination.bundle.subscription import (
    Activate,
    Activated,
    BundleReceived,
    DirectoryReceived,
    Effect,
    FetchBundle,
    FetchDirectory,
    FetchFailed,
    Frozen,
    Persist,
    Persisted,
    PersistFailed,
    PointerReceived,
    RootReceived,
    SelfTest,
    SelfTested,
    Started,
    Ticked,
    Verified,
)
from tests.coordination.bundle import samples
from tests.coordination.bundle.samples import AT, KEY, OTHER_KEY, SECOND

ROOT = sign_root(samples.root(), [KEY])
FIRST, SECOND_BUNDLE = samples.bundle(), samples.bundle(output=2)
KEYS = samples.directory()


class Gateway:
    """A subscriber, and what it was told to do last."""

    def __init__(self):
        self.now = subscribe(open_root(ROOT), ROOT, environment="dev", ring="main")
        self.effects: tuple[Effect, ...] = ()

    def __call__(self, event):
        self.now, self.effects = step(self.now, event)
        return self.effects

    @property
    def state(self) -> str:
        return self.now.state

    @property
    def code(self):
        return self.now.error.code if self.now.error else None

    @property
    def serves(self):
        return self.now.applied.candidate.pair if self.now.applied else None

    def receive(self, pointer, *, wall=None, mono=0):
        at = pointer.issued_at if wall is None else wall
        return self(PointerReceived(sign_pointer(pointer, [KEY]), wall=at, mono=mono))

    def settle(self, bundles=(FIRST, SECOND_BUNDLE), directories=(KEYS,), *, until=None):
        """Carry out every effect without a fault; stop before one of type ``until``."""
        todo: list[Any] = list(self.effects)
        by_digest = {made.digest: made for made in bundles}
        names = {found.digest: found for found in directories}
        while todo and not (until and isinstance(todo[0], until)):
            match todo.pop(0):
                case FetchBundle(number, digest):
                    made = by_digest[digest]
                    envelope = dsse.sign(made.manifest, dsse.BUNDLE, [KEY])
                    todo += self(BundleReceived(number, made.tar, envelope))
                case FetchDirectory(number, digest):
                    todo += self(DirectoryReceived(number, names[digest].to_json()))
                case Verify() as work:
                    todo += self(Verified(work.number, verify_parts(work)))
                case SelfTest(number):
                    todo += self(SelfTested(number, []))
                case Persist(number, _, digests):
                    todo += self(Persisted(number, digests))
                case Activate(number):
                    todo += self(Activated(number))
        return todo


def pointer(serial=1, made=FIRST, keys=KEYS, **options):
    return samples.pointer(made, keys, serial=serial, **options)


@pytest.fixture
def active():
    gateway = Gateway()
    gateway.receive(pointer())
    gateway.settle()
    assert gateway.serves == (FIRST.digest, KEYS.digest)
    return gateway


def test_the_way_from_nothing_to_active():
    gateway = Gateway()
    assert gateway.state == "fetching"
    effects = gateway.receive(pointer())
    assert effects == (FetchBundle(1, FIRST.digest), FetchDirectory(1, KEYS.digest))
    assert gateway(DirectoryReceived(1, KEYS.to_json())) == ()
    envelope = dsse.sign(FIRST.manifest, dsse.BUNDLE, [KEY])
    (verify,) = gateway(BundleReceived(1, FIRST.tar, envelope))
    assert gateway.state == "verifying"
    (test,) = gateway(Verified(1, verify_parts(verify)))
    assert gateway.state == "testing"
    assert test.vectors == samples.vectors()
    (persist,) = gateway(SelfTested(1, []))
    assert gateway.state == "activating"
    assert set(persist.files) == {
        "root.json",
        "pointer.dsse.json",
        "bundle.tar",
        "bundle.dsse.json",
        "directory.json",
    }
    assert gateway.serves is None, "nothing serves before it is persisted and swapped in"
    (activate,) = gateway(Persisted(1, persist.digests))
    assert gateway.serves is None
    gateway(Activated(activate.number))
    assert gateway.state == "active"
    assert gateway.serves == (FIRST.digest, KEYS.digest)


def test_status_tells_attempted_and_applied_apart(active):
    active.receive(pointer(2, SECOND_BUNDLE))
    active(FetchFailed(2, "connection reset"))
    status = active.now.status()
    assert status["state"] == "rejected"
    assert status["attempted"]["bundle"] == SECOND_BUNDLE.digest
    assert status["applied"]["bundle"] == FIRST.digest
    assert status["error"]["code"] == "fetch_failed"
    assert status["serial"] == 2


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        pytest.param(
            pointer(1, SECOND_BUNDLE), "replayed_serial", id="the same serial and time, another bundle"
        ),
        pytest.param(pointer(1, issued_at=AT - 1), "replayed_serial", id="an earlier heartbeat"),
        pytest.param(pointer(2, environment="prod"), "wrong_environment", id="another environment"),
        pytest.param(pointer(2, ring="canary"), "wrong_ring", id="another ring"),
    ],
)
def test_a_pointer_is_refused_and_what_serves_is_untouched(active, bad, code):
    assert active.receive(bad) == ()
    assert (active.state, active.code) == ("rejected", code)
    assert active.serves == (FIRST.digest, KEYS.digest)
    assert active.now.desired.serial == 1
    active.receive(pointer(1, issued_at=AT + 5))
    assert (active.state, active.code) == ("active", None), "and the next good one clears it"


def test_order_is_lexicographic_a_new_serial_may_carry_an_older_time(active):
    assert active.receive(pointer(2, SECOND_BUNDLE, issued_at=AT - 100 * SECOND)) != ()


def test_a_replay_does_not_disturb_an_attempt_under_way(active):
    active.receive(pointer(2, SECOND_BUNDLE))
    active.receive(pointer(1, issued_at=AT - 1))
    assert (active.state, active.code) == ("fetching", "replayed_serial")
    active(FetchFailed(2, "x"))
    active(Ticked(FIRST_RETRY))
    active.settle()
    assert active.serves == (SECOND_BUNDLE.digest, KEYS.digest)


def test_a_heartbeat_is_persisted_and_fetches_nothing(active):
    (persist,) = active.receive(pointer(1, issued_at=AT + 300 * SECOND), mono=300 * SECOND)
    assert isinstance(persist, Persist)
    assert set(persist.files) == {"pointer.dsse.json"}
    assert active.now.applied.pointer.issued_at == AT + 300 * SECOND


def test_the_same_pointer_again_does_nothing(active):
    assert active.receive(pointer()) == ()
    assert active.state == "active"


def test_a_heartbeat_does_not_restart_a_download(active):
    active.receive(pointer(2, SECOND_BUNDLE))
    assert active.receive(pointer(2, SECOND_BUNDLE, issued_at=AT + 1)) == ()
    assert active.now.attempt.number == 2


def test_a_newer_release_replaces_one_under_way_whose_answers_are_ignored(active):
    (late,) = active.receive(pointer(2, SECOND_BUNDLE))
    third = samples.bundle(output=3)
    active.receive(pointer(3, third))
    fetches = active.effects
    envelope = dsse.sign(SECOND_BUNDLE.manifest, dsse.BUNDLE, [KEY])
    assert active(BundleReceived(late.number, SECOND_BUNDLE.tar, envelope)) == ()
    active.effects = fetches
    active.settle(bundles=[third])
    assert active.serves == (third.digest, KEYS.digest)


def test_a_pointer_that_comes_during_activation_waits_for_its_end(active):
    active.receive(pointer(2, SECOND_BUNDLE))
    todo = active.settle(until=Persist)
    assert active.receive(pointer(3, FIRST)) == ()
    active.effects = tuple(todo)
    todo = active.settle(until=FetchBundle)
    assert active.serves == (SECOND_BUNDLE.digest, KEYS.digest)
    active.effects = tuple(todo)
    active.settle()
    assert active.serves == (FIRST.digest, KEYS.digest)
    assert active.now.applied.pointer.serial == 3


def test_rollback_to_a_bundle_that_serves_already_downloads_nothing(active):
    (effect,) = active.receive(pointer(2, FIRST))
    assert isinstance(effect, Persist)
    assert active.now.applied.pointer.serial == 2


def test_a_directory_alone_is_fetched_alone_and_the_program_is_not_tested_again(active):
    later = samples.directory(serial=2, revoked=True)
    assert active.receive(pointer(2, FIRST, later)) == (FetchDirectory(2, later.digest),)
    (verify,) = active(DirectoryReceived(2, later.to_json()))
    (persist,) = active(Verified(2, verify_parts(verify)))
    assert set(persist.files) == {"pointer.dsse.json", "directory.json"}


def test_rollback_does_not_revive_a_revoked_key(active):
    later = samples.directory(serial=2, revoked=True)
    active.receive(pointer(2, SECOND_BUNDLE, later))
    active.settle(directories=[later])
    active.receive(pointer(3, FIRST, KEYS))
    active.settle()
    assert (active.state, active.code) == ("rejected", "replayed_serial")
    assert active.serves == (SECOND_BUNDLE.digest, later.digest)
    active.receive(pointer(4, FIRST, later))
    active.settle(directories=[later])
    assert active.serves == (FIRST.digest, later.digest)


def test_content_that_was_refused_is_not_fetched_again_until_something_else_is_asked_for(active):
    active.receive(pointer(2, SECOND_BUNDLE))
    (test,) = active.settle(until=SelfTest)
    active(SelfTested(test.number, ["v failed"]))
    assert (active.state, active.code) == ("rejected", "self_test_failed")
    assert active.receive(pointer(2, SECOND_BUNDLE, issued_at=AT + 9)) == ()
    assert active(Ticked(10**12)) == ()
    assert active.code == "self_test_failed"
    assert active.receive(pointer(3, samples.bundle(output=3))) != ()


def _tampered(data):
    return data[:600] + bytes([data[600] ^ 1]) + data[601:]


@pytest.mark.parametrize(
    ("tar", "envelope", "code"),
    [
        pytest.param(_tampered(SECOND_BUNDLE.tar), None, "digest_mismatch", id="a byte of the tar"),
        pytest.param(SECOND_BUNDLE.tar[:-1], None, "archive_malformed", id="a tar cut short"),
        pytest.param(FIRST.tar, None, "digest_mismatch", id="the old tar"),
        pytest.param(
            FIRST.tar, dsse.sign(FIRST.manifest, dsse.BUNDLE, [KEY]), "digest_mismatch", id="the old bundle"
        ),
        pytest.param(
            SECOND_BUNDLE.tar,
            dsse.sign(SECOND_BUNDLE.manifest, dsse.BUNDLE, [OTHER_KEY]),
            "unknown_key",
            id="another signer",
        ),
        pytest.param(SECOND_BUNDLE.tar, b"{}", "malformed_envelope", id="no envelope"),
    ],
)
def test_a_damaged_transfer_is_refused_and_tried_again(active, tar, envelope, code):
    (fetch,) = active.receive(pointer(2, SECOND_BUNDLE))
    envelope = envelope or dsse.sign(SECOND_BUNDLE.manifest, dsse.BUNDLE, [KEY])
    (verify,) = active(BundleReceived(fetch.number, tar, envelope))
    active(Verified(fetch.number, verify_parts(verify)))
    assert (active.state, active.code) == ("rejected", code)
    assert active.serves == (FIRST.digest, KEYS.digest)
    assert active(Ticked(FIRST_RETRY)) == (FetchBundle(3, SECOND_BUNDLE.digest),)
    active.settle()
    assert active.serves == (SECOND_BUNDLE.digest, KEYS.digest)


def test_waits_double_up_to_a_minute(active):
    active.receive(pointer(2, SECOND_BUNDLE))
    now, waits = 0, []
    for _ in range(9):
        active(FetchFailed(active.now.attempt.number, "x"))
        waits.append(active.now.retry_at - now)
        assert active(Ticked(active.now.retry_at - 1)) == ()
        now = active.now.retry_at
        assert active(Ticked(now)) != ()
    assert waits == [min(FIRST_RETRY << n, LAST_RETRY) for n in range(9)]


def test_a_full_disk_stops_a_new_bundle(active):
    active.receive(pointer(2, SECOND_BUNDLE))
    (persist,) = active.settle(until=Persist)
    assert active(PersistFailed(persist.number, "No space left on device")) == ()
    assert (active.state, active.code) == ("rejected", "persist_failed")
    assert active.serves == (FIRST.digest, KEYS.digest)


def test_a_full_disk_does_not_keep_a_revoked_key_alive(active):
    later = samples.directory(serial=2, revoked=True)
    active.receive(pointer(2, FIRST, later))
    (persist,) = active.settle(directories=[later], until=Persist)
    (activate,) = active(PersistFailed(persist.number, "No space left on device"))
    active(Activated(activate.number))
    assert active.serves == (FIRST.digest, later.digest)
    assert (active.state, active.code) == ("active", "persist_failed"), "and it is reported"
    (heartbeat,) = active.receive(pointer(2, FIRST, later, issued_at=AT + 1))
    assert heartbeat.files["directory.json"] == later.to_json(), "and made up for"


def test_age_runs_on_the_monotonic_clock_from_the_last_contact(active):
    active(Ticked(600 * SECOND - 1))
    assert active.state == "active"
    active(Ticked(600 * SECOND))
    assert (active.state, active.now.status()["stale"]) == ("stale", True)
    assert active.serves == (FIRST.digest, KEYS.digest), "stale still serves"
    active.receive(pointer(1, issued_at=AT + 601 * SECOND), mono=601 * SECOND)
    assert active.state == "active"


def test_a_replayed_pointer_does_not_make_a_gateway_fresh(active):
    active(Ticked(600 * SECOND))
    active.receive(pointer(), mono=601 * SECOND)
    assert active.now.is_stale


def test_a_wall_clock_behind_is_reported_and_changes_nothing():
    gateway = Gateway()
    gateway.receive(pointer(), wall=AT - 86_400 * SECOND)
    assert gateway.now.skew == 86_400 * SECOND
    gateway.settle()
    assert gateway.state == "active"
    other = Gateway()
    other.receive(pointer(), wall=AT - 5 * SECOND)
    assert other.now.skew == 0


def test_a_pointer_that_had_expired_when_it_came_is_followed_but_stale():
    gateway = Gateway()
    gateway.receive(pointer(), wall=AT + 10**12)
    gateway.settle()
    assert gateway.state == "stale"
    assert gateway.serves == (FIRST.digest, KEYS.digest)


def test_a_monotonic_clock_never_goes_back(active):
    active(Ticked(50))
    active(Ticked(20))
    assert active.now.clock == 50


def test_a_restart_verifies_and_tests_the_folder_again():
    gateway = Gateway()
    gateway(Started(samples.state(), wall=AT, mono=7))
    assert gateway.state == "verifying"
    gateway.settle()
    assert gateway.state == "active"
    assert gateway.now.fresh_until == 7 + 600 * SECOND


def test_a_restart_on_an_expired_pointer_is_stale_and_a_clock_behind_is_floored():
    late, early = Gateway(), Gateway()
    late(Started(samples.state(), wall=AT + 10**12, mono=0))
    late.settle()
    assert late.state == "stale"
    early(Started(samples.state(), wall=0, mono=0))
    early.settle()
    assert early.state == "active"
    assert early.now.fresh_until == 600 * SECOND, "no longer than the pointer was ever good for"


def test_a_restart_on_an_empty_folder_waits():
    gateway = Gateway()
    assert gateway(Started({}, wall=AT, mono=0)) == ()
    assert gateway.state == "fetching"


def test_a_damaged_folder_is_healed_by_the_same_pointer_from_the_server():
    files = samples.state()
    gateway = Gateway()
    gateway(Started({**files, "bundle.tar": _tampered(files["bundle.tar"])}, wall=AT, mono=0))
    gateway.settle()
    assert (gateway.state, gateway.code) == ("rejected", "digest_mismatch")
    made, keys = samples.bundle(), samples.directory()
    gateway(PointerReceived(files["pointer.dsse.json"], wall=AT, mono=1))
    gateway.settle(bundles=[made], directories=[keys])
    assert gateway.state == "active"


def test_a_heartbeat_that_comes_while_the_folder_is_read_is_persisted():
    gateway = Gateway()
    gateway(Started(samples.state(), wall=AT, mono=0))
    work = gateway.effects
    gateway.receive(pointer(issued_at=AT + 1))
    gateway.effects = work
    (persist,) = gateway.settle(until=Persist)
    envelope = sign_pointer(pointer(issued_at=AT + 1), [KEY])
    assert persist.files["pointer.dsse.json"] == envelope


def test_a_directory_of_another_environment_is_refused(active):
    foreign = samples.directory(serial=2, environment="prod")
    active.receive(pointer(2, FIRST, foreign))
    active.settle(directories=[foreign])
    assert (active.state, active.code) == ("rejected", "wrong_environment")


def test_an_incomplete_folder_is_refused():
    files = samples.state()
    del files["directory.json"]
    gateway = Gateway()
    gateway(Started(files, wall=AT, mono=0))
    assert (gateway.state, gateway.code) == ("rejected", "missing_file")


def test_a_new_root_takes_over_and_is_persisted_with_the_next_pointer(active):
    second = make_root(
        version=2,
        root=[KEY.public],
        bundle=[OTHER_KEY.public],
        pointer=[OTHER_KEY.public],
    )
    envelope = sign_root(second, [KEY])
    active(RootReceived(envelope))
    assert active.now.root == second
    beat = renew(pointer(), issued_at=AT + 1, lifetime=SECOND)
    active(PointerReceived(sign_pointer(beat, [KEY]), wall=AT, mono=1))
    assert active.code == "unknown_key", "the old key is worth nothing now"
    (persist,) = active(PointerReceived(sign_pointer(beat, [OTHER_KEY]), wall=AT, mono=1))
    assert persist.files["root.json"] == envelope


def test_a_root_nobody_handed_over_to_is_refused(active):
    theirs = make_root(
        version=2, root=[OTHER_KEY.public], bundle=[OTHER_KEY.public], pointer=[OTHER_KEY.public]
    )
    active(RootReceived(sign_root(theirs, [OTHER_KEY])))
    assert active.code == "threshold_not_met"
    assert active.now.root == samples.root()


def test_verification_never_raises_for_what_came():
    gateway = Gateway()
    gateway.receive(pointer())
    gateway(DirectoryReceived(1, b"\xff"))
    (verify,) = gateway(BundleReceived(1, FIRST.tar, dsse.sign(FIRST.manifest, dsse.BUNDLE, [KEY])))
    result = verify_parts(verify)
    assert isinstance(result, Refused)
    assert result.code == "digest_mismatch"


def test_answers_nobody_waits_for_are_ignored(active):
    before = active.now
    for stray in (
        BundleReceived(1, b"", b""),
        DirectoryReceived(99, b""),
        FetchFailed(1, "x"),
        SelfTested(1, ["x"]),
        Activated(1),
    ):
        assert active(stray) == ()
        assert active.now == before


# -- a freeze of releases --------------------------------------------------------------------------


def test_frozen_it_keeps_its_bundle_and_follows_what_was_held_back_when_that_is_over(active):
    active(Frozen(True))
    assert active.receive(pointer(2, SECOND_BUNDLE)) == ()
    assert (active.state, active.code) == ("rejected", "releases_frozen")
    active(Ticked(LAST_RETRY))
    assert active.serves == (FIRST.digest, KEYS.digest)
    active(Frozen(False))
    active.settle()
    assert active.serves == (SECOND_BUNDLE.digest, KEYS.digest)


def test_frozen_it_follows_heartbeats_directories_and_a_way_back(active):
    active(Frozen(True))
    renewed = renew(pointer(), issued_at=AT + SECOND, lifetime=600 * SECOND)
    active.receive(renewed)
    active.settle()
    assert active.now.applied.pointer == renewed
    other_keys = samples.directory(serial=2)
    active.receive(pointer(2, FIRST, other_keys))
    active.settle(directories=(KEYS, other_keys))
    assert active.serves == (FIRST.digest, other_keys.digest)
    back = msgspec.structs.replace(pointer(3, SECOND_BUNDLE, other_keys), rollback_of=1)
    active.receive(back)
    active.settle(directories=(KEYS, other_keys))
    assert active.serves == (SECOND_BUNDLE.digest, other_keys.digest)


@pytest.mark.parametrize("until", [FetchBundle, Verify, SelfTest])
def test_a_freeze_stops_what_is_on_its_way(active, until):
    active.receive(pointer(2, SECOND_BUNDLE))
    active.settle(until=until)
    active(Frozen(True))
    assert (active.state, active.code) == ("rejected", "releases_frozen")
    active(Frozen(False))
    active.settle()
    assert active.serves == (SECOND_BUNDLE.digest, KEYS.digest)
