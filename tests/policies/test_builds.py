"""From a revision to its bundle: once, in step with the folder's own build, and told to the others."""

from __future__ import annotations

from datetime import timedelta

import pytest
import tzdata
from django.utils import timezone

from coordination.bundle.pack import unpack
from coordination.compiler import COMPILER
from coordination.compiler.emitting import emit, emit_bodies
from coordination.spec import SourceFile, read
from foundation import outbox
from foundation.actors import SYSTEM
from foundation.audit.models import AuditEntry
from foundation.offload import OFFLOAD
from foundation.outbox import registry
from foundation.outbox.models import OutboxEvent
from policies import selectors, services, tasks
from policies.mapping import bundles
from policies.models import Build, Bundle, BundleFile
from policies.services import builds, clock
from tests.policies.conftest import put, text
from tests.support.found import found
from tests.support.policies import QUICKSTART

pytestmark = pytest.mark.django_db


def events(topic):
    return list(OutboxEvent.objects.filter(topic=topic).order_by("id").values_list("payload", flat=True))


def test_the_server_builds_what_the_folder_builds_byte_for_byte():
    revision = found(services.load_folder(actor=SYSTEM, environment="dev", folder=QUICKSTART))
    bundle = services.build_revision(revision=revision)
    files = [SourceFile(path.name, path.read_bytes()) for path in QUICKSTART.glob("*.yaml")]
    midnight = clock.micros(clock.midnight())
    offline = emit(read(files)[0], environment="dev", at=midnight, tzdata=tzdata.IANA_VERSION)
    packed = found(offline.bundle)
    assert bundle.digest == packed.digest
    assert bundles.bundle_tar(bundle.digest) == packed.tar


def test_a_revision_is_built_once_and_told_once(dev):
    first = services.build_revision(revision=dev)
    again = services.build_revision(revision=dev)
    assert (first, Build.objects.count()) == (again, 1)
    assert events("policies.built") == [
        {"environment": "dev", "revision": dev.digest, "bundle": first.digest, "refresh": False}
    ]
    assert AuditEntry.objects.filter(action="policies.built").count() == 1


def test_the_next_day_is_another_build_of_the_same_revision(dev):
    services.build_revision(revision=dev)
    tomorrow = clock.midnight() + timedelta(days=1)
    services.build_revision(revision=dev, at=tomorrow)
    assert Build.objects.count() == 2
    assert [event["refresh"] for event in events("policies.built")] == [False, True]


def test_an_edit_adds_only_the_files_that_changed(dev, world_folder):
    for number in range(120):
        rest = f"spec: {{tiers: [standard], labels: {{note: {'x' * 190}}}}}"
        (world_folder / f"{number}.yaml").write_bytes(text("Tenant", f"t{number}", rest))
    services.build_revision(
        revision=found(services.load_folder(actor=SYSTEM, environment="dev", folder=world_folder))
    )
    before = BundleFile.objects.count()
    edited = services.build_revision(revision=put("flex", "spec: {band: 100}"))
    listed = unpack(found(bundles.bundle_tar(edited.digest))).manifest.files
    assert BundleFile.objects.count() <= before + len(listed) // 2


def test_taking_an_edit_back_is_the_first_bundle_again(dev):
    first = services.build_revision(revision=dev)
    put("flex", "spec: {band: 100}")
    back = services.build_revision(revision=put("flex", None, base=...))
    assert back == first
    assert Bundle.objects.count() == 1
    assert len(events("policies.built")) == 2


def test_a_file_is_found_in_the_bundles_that_hold_it_only(dev):
    bundle = services.build_revision(revision=dev)
    other = services.build_revision(revision=put("flex", "spec: {band: 100}"))
    mine = {entry.sha256 for entry in unpack(found(bundles.bundle_tar(bundle.digest))).manifest.files}
    theirs = {entry.sha256 for entry in unpack(found(bundles.bundle_tar(other.digest))).manifest.files}
    only_theirs = sorted(theirs - mine)[0]
    assert bundles.bundle_file(other.digest, only_theirs)
    assert bundles.bundle_file(bundle.digest, only_theirs) is None
    assert bundles.bundle_file("sha256:" + "0" * 64, only_theirs) is None
    assert bundles.bundle_tar("sha256:" + "0" * 64) is None


def test_of_several_merges_only_what_is_current_is_built(dev, monkeypatch):
    monkeypatch.setitem(registry._handlers, "policies.built", [])  # what delivery does is not ours
    put("flex", "spec: {band: 100}")
    last = put("batch", "spec: {band: 50}")
    assert outbox.drain().failed == 0
    assert list(Build.objects.values_list("revision_id", flat=True)) == [last.digest]
    assert [event["revision"] for event in events("policies.built")] == [last.digest]


def test_a_merge_whose_event_was_lost_is_found_by_the_sweep(dev):
    OutboxEvent.objects.all().delete()
    tasks.build_missing()
    assert selectors.build_of(dev, at=clock.midnight(), compiler=COMPILER) is not None


def test_a_large_policy_is_built_elsewhere_and_comes_out_the_same(dev, monkeypatch):
    here = services.build_revision(revision=dev)
    asked = []

    def elsewhere(function, *arguments):
        asked.append(function)
        return function(*arguments)

    monkeypatch.setattr(builds, "IN_PROCESS", 3)
    monkeypatch.setattr(OFFLOAD, "run", elsewhere)
    tomorrow = clock.midnight() + timedelta(days=1)
    there = services.build_revision(revision=dev, at=tomorrow)
    assert asked == [emit_bodies]
    assert unpack(found(bundles.bundle_tar(there.digest))).manifest.root_tree == dev.root_tree_id
    assert here.digest != there.digest


def test_a_build_begins_at_midnight(dev):
    build_at = services.build_revision(revision=dev).builds.get().at
    assert build_at == timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
