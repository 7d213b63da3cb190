"""The audit trail: what is recorded with the deed, and that no alteration goes unseen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from coordination.program.canonical import NotCanonicalError
from foundation import audit, immutability
from foundation.actors import SYSTEM, Automaton
from foundation.audit.chain import GENESIS, Anchor, Link, walk
from foundation.audit.models import AuditEntry, AuditHead
from tenancy.models import User

BOTH = [pytest.param(id="sqlite"), pytest.param(id="postgresql", marks=pytest.mark.postgres)]
on_both = pytest.mark.parametrize((), BOTH)


def record(count=1, actor=SYSTEM, **details):
    for _ in range(count):
        with transaction.atomic():
            entry = audit.record(
                actor=actor,
                action="policies.merged",
                object_kind="Tier",
                object_name="flex",
                environment="dev",
                details=details,
            )
    return entry


def alter(statement):
    """A hand on the database that knows of the triggers."""
    with immutability.suspended(connection), connection.cursor() as cursor:
        cursor.execute(statement)


@on_both
@pytest.mark.django_db
def test_an_honest_trail_holds_and_ends_at_its_head():
    last = record(5, note="ü € \U0001f600", number=7, nested={"a": [1, None, True]})
    proof = audit.verify()
    assert proof.holds
    assert proof.entries == 5
    assert proof.end == Anchor(5, last.digest)


@on_both
@pytest.mark.django_db
def test_deleting_a_user_leaves_the_evidence_with_the_name():
    user = User.objects.create_user("ada")
    record(actor=user)
    user.delete()
    entry = AuditEntry.objects.get()
    assert (entry.actor_id, entry.actor_name) == (None, "ada")
    assert audit.verify().holds


@pytest.mark.django_db
def test_a_token_is_named_and_its_owner_kept():
    user = User.objects.create_user("ada")
    entry = record(actor=Automaton("token:ci", on_behalf=user))
    assert (entry.actor_id, entry.actor_name) == (user.pk, "token:ci")


@pytest.mark.django_db
def test_a_deed_undone_leaves_no_entry_and_no_gap():
    record()
    with transaction.atomic():
        audit.record(actor=SYSTEM, action="policies.merged")
        transaction.set_rollback(True)
    record()
    assert list(AuditEntry.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2]
    assert audit.verify().holds


@pytest.mark.django_db(transaction=True)
def test_an_entry_outside_a_transaction_is_a_bug():
    with pytest.raises(RuntimeError, match="transaction"):
        audit.record(actor=SYSTEM, action="policies.merged")


@pytest.mark.django_db
def test_details_that_have_no_single_spelling_are_refused():
    with pytest.raises(NotCanonicalError):
        record(share=0.1)


ALTERATIONS = {
    "an actor's name": ("UPDATE foundation_auditentry SET actor_name='eve' WHERE seq=3", 3, "contents"),
    "an action": ("UPDATE foundation_auditentry SET action='x' WHERE seq=1", 1, "contents"),
    "details": ("UPDATE foundation_auditentry SET details='{\"n\": 2}' WHERE seq=2", 2, "contents"),
    "details no entry can have": (
        "UPDATE foundation_auditentry SET details='{\"n\": 0.5}' WHERE seq=2",
        2,
        "details",
    ),
    "an entry taken out": ("DELETE FROM foundation_auditentry WHERE seq=3", 4, "entry 3 before it"),
    "two entries taken out": ("DELETE FROM foundation_auditentry WHERE seq IN (2, 3)", 4, "2 to 3"),
    "the newest taken out": ("DELETE FROM foundation_auditentry WHERE seq=5", 5, "ends at 4"),
    "everything taken out": ("DELETE FROM foundation_auditentry", 5, "ends at 0"),
    "a digest": ("UPDATE foundation_auditentry SET digest=previous WHERE seq=4", 5, "does not follow"),
    "an entry put behind the head": (
        "INSERT INTO foundation_auditentry (seq, at, actor_name, action, object_kind, object_name,"
        " environment, details, previous, digest) SELECT 6, at, actor_name, action, object_kind,"
        " object_name, environment, details, previous, digest FROM foundation_auditentry WHERE seq=5",
        6,
        "beyond the head",
    ),
}


@on_both
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ALTERATIONS)
def test_whoever_alters_the_trail_is_found_out(what):
    statement, seq, problem = ALTERATIONS[what]
    record(5, n=1)
    alter(statement)
    assert any(found.seq == seq and problem in found.problem for found in audit.verify().breaks)


@pytest.mark.django_db(transaction=True)
def test_a_chain_rewritten_as_a_whole_is_found_out_by_a_digest_noted_elsewhere():
    noted = record(3, n=1)
    with immutability.suspended(connection):
        AuditEntry.objects.all().delete()
        AuditHead.objects.all().delete()
    record(3, n=2)
    assert audit.verify().holds
    assert not audit.verify([Anchor(noted.seq, noted.digest)]).holds
    assert not audit.verify([Anchor(9, noted.digest)]).holds


@pytest.mark.django_db(transaction=True)
def test_an_entry_added_by_hand_must_find_a_free_number():
    record()
    with pytest.raises(IntegrityError):
        AuditEntry.objects.create(seq=1, at=datetime.now(UTC), actor_name="eve", action="x", digest="d")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_appends_from_many_threads_make_one_chain_without_gaps():
    from concurrent.futures import ThreadPoolExecutor

    def append(number):
        try:
            record(5, number=number)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(4)))
    proof = audit.verify()
    assert proof.holds
    assert proof.entries == 20


def a_chain(texts):
    links, previous = [], GENESIS
    for seq, text in enumerate(texts, 1):
        bare = Link(seq, datetime(2026, 1, 1, tzinfo=UTC), text, "did", "", "", "dev", {"t": text}, previous)
        links.append(replace(bare, digest=bare.computed()))
        previous = links[-1].digest
    return links


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=8), st.data())
def test_leaving_out_swapping_or_doubling_links_breaks_any_chain(texts, data):
    links = a_chain(texts)
    head = Anchor(len(links), links[-1].digest)
    assert walk(links, head=head).holds
    positions = st.integers(0, len(links) - 1)
    kept = data.draw(st.lists(positions, max_size=len(links) + 1))
    assert walk([links[at] for at in kept], head=head).holds == (kept == list(range(len(links))))


@pytest.mark.django_db(transaction=True)
def test_the_command_says_whether_the_trail_holds():
    from headway.cli.parser import app

    noted = record(3)
    held = CliRunner().invoke(app, ["audit", "verify", "--anchor", f"{noted.seq}:{noted.digest}"])
    assert held.exit_code == 0
    assert f"3 entries, unbroken; the newest is 3:{noted.digest}" in held.stdout
    alter("UPDATE foundation_auditentry SET actor_name='eve' WHERE seq=2")
    broken = CliRunner().invoke(app, ["audit", "verify"])
    assert broken.exit_code == 1
    assert "entry 2: its contents were altered" in broken.stdout
    assert CliRunner().invoke(app, ["audit", "verify", "--anchor", "three"]).exit_code == 2
