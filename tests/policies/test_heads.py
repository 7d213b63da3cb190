"""The index of what is current: always what replaying the revisions gives, and rebuilt when it is not."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run

from foundation import audit
from foundation.actors import SYSTEM
from foundation.audit.models import AuditEntry
from foundation.http import Conflict, Invalid
from policies import selectors, services
from policies.mapping import sets
from policies.models import ChangeSet, Head, Reference, Revision
from tests.policies.conftest import digest_of, text
from tests.support.found import found

pytestmark = pytest.mark.django_db

DAMAGES = {
    "a head is gone": lambda: Head.objects.filter(kind="Tier", name="priority").delete(),
    "a head points elsewhere": lambda: Head.objects.filter(kind="Tier", name="priority").update(
        document_id=digest_of("Tier", "standard")
    ),
    "a rank is wrong": lambda: Head.objects.filter(kind="Route").update(rank=7),
    "labels are wrong": lambda: Head.objects.filter(kind="Pool").update(labels={"a": "b"}),
    "a head too many": lambda: Head.objects.create(
        environment="dev", kind="Tier", name="ghost", document_id=digest_of("Tier", "standard")
    ),
    "a reference is gone": lambda: Reference.objects.filter(to_kind="Pool").delete(),
    "a reference is there twice": lambda: Reference.objects.create(
        **found(
            Reference.objects.values("environment", "kind", "name", "to_kind", "to_name", "pointer").first()
        )
    ),
}


def rebuild(**options):
    out = io.StringIO()
    call_command("rebuild_head", "dev", stdout=out, **options)
    return out.getvalue()


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_index_is_seen_and_mended(dev, what):
    assert "says what the revision says" in rebuild(check=True)
    DAMAGES[what]()
    with pytest.raises(CommandError, match="differs from the revision"):
        rebuild(check=True)
    assert "made anew" in rebuild()
    assert "says what the revision says" in rebuild(check=True)
    assert AuditEntry.objects.latest("seq").action == "policies.head_rebuilt"
    assert rebuild().count("\n") == 1


def test_rebuilding_the_index_of_an_unknown_environment_is_refused(db):
    with pytest.raises(CommandError, match="no environment"):
        rebuild(check=True)


NAMES = st.sampled_from(["flex", "batch", "spare"])
BANDS = st.sampled_from([50, 60, 70])


class Operators(RuleBasedStateMachine):
    """Two operators with change sets and direct saves, some of them stale."""

    def __init__(self):
        super().__init__()
        self.expected = {}
        self.seen = {}
        self.open = []
        services.create_environment(actor=SYSTEM, environment="dev")

    def _now(self):
        return {name: digest_of("Tier", name) for name in ("flex", "batch", "spare")}

    @rule(name=NAMES)
    def look(self, name):
        self.seen[name] = digest_of("Tier", name)

    @rule(name=NAMES, band=BANDS)
    def save(self, name, band):
        self._save(name, text("Tier", name, f"spec: {{band: {band}}}"), band)

    @rule(name=NAMES)
    def delete(self, name):
        self._save(name, None, None)

    def _save(self, name, body, band):
        current, base = digest_of("Tier", name), self.seen.get(name)
        wanted = self.expected.get(name) == band
        try:
            services.save_document(
                actor=SYSTEM, environment="dev", kind="Tier", name=name, body=body, base_digest=base
            )
        except Conflict:
            assert base != current
            assert not wanted
            return
        except Invalid as invalid:
            if invalid.code != "nothing_to_merge" or Revision.objects.exists():
                raise
            return
        assert base == current or wanted
        self._expect(name, band)

    def _expect(self, name, band):
        if band is None:
            self.expected.pop(name, None)
        else:
            self.expected[name] = band

    @rule(name=NAMES, band=BANDS)
    def propose(self, name, band):
        change_set = services.open_change_set(actor=SYSTEM, environment="dev")
        services.put_operation(
            actor=SYSTEM,
            change_set=change_set,
            kind="Tier",
            name=name,
            body=text("Tier", name, f"spec: {{band: {band}}}"),
            base_digest=digest_of("Tier", name),
        )
        self.open.append((change_set, name, band, digest_of("Tier", name)))

    @rule()
    def merge_the_oldest(self):
        if not self.open:
            return
        change_set, name, band, base = self.open.pop(0)
        try:
            services.merge(actor=SYSTEM, change_set=change_set)
        except Conflict:
            assert digest_of("Tier", name) != base
            assert ChangeSet.objects.get(pk=change_set.pk).state == "open"
        else:
            self.expected[name] = band

    @invariant()
    def the_index_is_what_was_saved(self):
        held = {
            row.name: sets.stored_set(revision.root_tree_id).documents["Tier", row.name].spec.band
            for revision in [selectors.current_revision("dev")]
            if revision
            for row in selectors.heads("dev", "Tier")
        }
        assert held == self.expected

    @invariant()
    def the_index_is_what_the_revisions_replay_to(self):
        assert services.rebuild_head(actor=SYSTEM, environment="dev", check=True).none
        numbers = list(Revision.objects.order_by("number").values_list("number", flat=True))
        assert numbers == list(range(1, len(numbers) + 1))
        replayed = {}
        for revision in Revision.objects.order_by("number").select_related("change_set"):
            for row in revision.change_set.operations.all():
                replayed[row.name] = row.new_document_id
        assert {name: digest for name, digest in replayed.items() if digest} == {
            row.name: row.document_id for row in selectors.heads("dev", "Tier")
        }

    def teardown(self):
        assert audit.verify().holds


@pytest.mark.slow
def test_whatever_operators_do_the_index_is_the_replay_of_the_revisions(db):
    from django.db import transaction

    class InOneTransaction(Operators):
        """Each example begins on an empty database."""

        def __init__(self):
            self.savepoint = transaction.savepoint()
            super().__init__()

        def teardown(self):
            super().teardown()
            transaction.savepoint_rollback(self.savepoint)

    checked = settings(
        max_examples=25,
        stateful_step_count=12,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run(InOneTransaction, settings=checked)
