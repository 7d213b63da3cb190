"""Many hands at once: every merge lands on top of another or is refused, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from foundation import audit
from foundation.actors import SYSTEM
from foundation.http import Conflict, Refused
from policies import selectors, services
from policies.models import Build, ChangeSet, Head, Revision
from policies.services import merging
from tests.policies.conftest import digest_of, put, text
from tests.support.found import found

HANDS = 4


@pytest.fixture(
    params=[
        pytest.param("sqlite", marks=pytest.mark.django_db(transaction=True)),
        pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.django_db(transaction=True)]),
    ]
)
def shared(request, world_folder):
    """A database several threads can use, with the environment ``dev`` in it."""
    request.getfixturevalue("sqlite_file" if request.param == "sqlite" else "transactional_db")
    assert connection.vendor == request.param
    services.load_folder(actor=SYSTEM, environment="dev", folder=world_folder)


def at_once(work, count=HANDS):
    """``work(number)`` in threads that begin together; what each returned, or was refused with."""
    ready = threading.Barrier(count, timeout=30)

    def hand(number):
        try:
            ready.wait()
            return work(number)
        except Refused as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(hand, range(count)))


def everything_holds():
    assert services.rebuild_head(actor=SYSTEM, environment="dev", check=True).none
    assert audit.verify().holds
    numbers = list(Revision.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.slow
def test_edits_of_different_objects_all_land_one_after_another(shared):
    results = at_once(lambda number: put(f"t{number}", f"spec: {{band: {number + 1}}}"))
    assert sorted(revision.number for revision in results) == [2, 3, 4, 5]
    assert selectors.heads("dev", "Tier").count() == 2 + HANDS
    everything_holds()


@pytest.mark.slow
def test_of_several_edits_of_one_object_one_wins_and_the_others_are_told(shared):
    put("flex", "spec: {band: 100}")
    seen = digest_of("Tier", "flex")
    results = at_once(lambda number: put("flex", f"spec: {{band: {number + 1}}}", base=seen))
    won = [result for result in results if isinstance(result, Revision)]
    lost = [result for result in results if isinstance(result, Conflict)]
    assert (len(won), len(lost)) == (1, HANDS - 1)
    assert {refused.code for refused in lost} == {"stale_edit"}
    assert lost[0].extra["conflicts"][0]["theirs"]["digest"] == digest_of("Tier", "flex")
    everything_holds()


@pytest.mark.slow
def test_a_change_set_merged_by_many_is_merged_once(shared):
    change_set = services.open_change_set(actor=SYSTEM, environment="dev")
    services.put_operation(
        actor=SYSTEM,
        change_set=change_set,
        kind="Tier",
        name="flex",
        body=text("Tier", "flex", "spec: {band: 100}"),
        base_digest=None,
    )
    results = at_once(
        lambda _: services.merge(actor=SYSTEM, change_set=ChangeSet.objects.get(pk=change_set.pk))
    )
    codes = sorted(result.code if isinstance(result, Refused) else "merged" for result in results)
    assert codes.count("merged") >= 1
    assert set(codes) <= {"merged", "change_set_ended", "change_set_moved"}
    assert Revision.objects.count() == 2
    everything_holds()


@pytest.mark.slow
def test_two_reservations_that_fit_alone_but_not_together_do_not_both_land(shared):
    rest = (
        "spec: {tenant: acme, pool: chat, tier: priority, "
        "throughput: {input: 900k tokens/min, output: 0 tokens/min}}"
    )
    results = at_once(lambda number: put(f"r{number}", rest, kind="Reservation"), 2)
    codes = sorted(getattr(result, "code", "landed") for result in results)
    assert codes == ["landed", "unsound_policy"]
    assert Head.objects.filter(kind="Reservation").count() == 1
    everything_holds()


@pytest.mark.slow
def test_a_revision_built_by_many_is_one_build(shared):
    revision = found(selectors.current_revision("dev"))
    bundles = at_once(lambda _: services.build_revision(revision=revision).digest)
    assert len(set(bundles)) == 1
    assert Build.objects.count() == 1
    assert audit.verify().holds


@pytest.mark.slow
def test_whoever_never_gets_a_turn_is_told_to_come_back(shared, monkeypatch):
    monkeypatch.setattr(merging, "_swap", lambda *_: None)
    with pytest.raises(Conflict) as refused:
        put("flex", "spec: {band: 100}")
    assert (refused.value.code, refused.value.retryable, refused.value.retry_after) == ("busy", True, 1)
