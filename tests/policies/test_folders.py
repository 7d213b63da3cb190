"""Loading folders: through the one door, once, and never over people's edits."""

from __future__ import annotations

import pytest

from coordination.spec import KINDS
from foundation.actors import SYSTEM
from foundation.http import Invalid
from policies import selectors, services
from policies.models import Head, Revision
from tests.policies.conftest import put, text
from tests.support.policies import QUICKSTART, WORLD

pytestmark = pytest.mark.django_db


def load(folder, **more):
    return services.load_folder(actor=SYSTEM, environment="dev", folder=folder, **more)


def test_the_quickstart_is_loaded_and_the_index_says_what_it_says():
    revision = load(QUICKSTART, reason="the quickstart")
    assert revision.change_set.reason == "the quickstart"
    kinds = set(Head.objects.values_list("kind", flat=True))
    assert kinds == set(KINDS)
    assert services.rebuild_head(actor=SYSTEM, environment="dev", check=True).none


def test_loading_the_same_again_makes_no_revision(dev, world_folder):
    assert load(world_folder) == dev
    assert Revision.objects.count() == 1


def test_a_changed_file_makes_one_revision_and_what_no_file_holds_stays(dev, world_folder):
    put("flex", "spec: {band: 100}")
    (world_folder / "batch.yaml").write_bytes(text("Tier", "batch", "spec: {band: 50}"))
    assert load(world_folder).number == 3
    names = set(selectors.heads("dev", "Tier").values_list("name", flat=True))
    assert names == {"priority", "standard", "flex", "batch"}
    assert load(world_folder, prune=True).number == 4
    assert selectors.head("dev", "Tier", "flex") is None


def test_an_environment_people_have_edited_is_left_alone_when_asked(dev, world_folder):
    edited = put("priority", "spec: {band: 310}", base=...)
    assert load(world_folder, only_when_empty=True) == edited
    assert load(world_folder).number == 3


def test_an_empty_folder_in_an_empty_environment_is_nothing(tmp_path):
    assert load(tmp_path) is None
    assert selectors.environment_exists("dev")


def test_a_folder_with_a_mistake_is_not_loaded_at_all(dev, world_folder):
    (world_folder / "x.yaml").write_bytes(text("Tier", "flex", "spec: {band: 5000}"))
    (world_folder / "batch.yaml").write_bytes(text("Tier", "batch", "spec: {band: 50}"))
    with pytest.raises(Invalid) as refused:
        load(world_folder)
    assert refused.value.problem()["diagnostics"][0]["location"]["file"] == "x.yaml"
    assert Head.objects.count() == len(WORLD)


def test_documents_of_other_environments_are_left_out(dev, world_folder):
    elsewhere = "metadata: {name: batch, environments: [production]}\nspec: {band: 50}"
    (world_folder / "b.yaml").write_text(f"apiVersion: headway/v1\nkind: Tier\n{elsewhere}\n")
    assert load(world_folder) == dev


def test_one_environment_is_created_once(dev):
    services.create_environment(actor=SYSTEM, environment="dev")
    assert selectors.environments() == ["dev"]
    for name in ("", "Dev", "a b", "-", "x" * 64, "a/b", "dev\n"):
        with pytest.raises(Invalid):
            services.create_environment(actor=SYSTEM, environment=name)


def test_hidden_files_and_files_of_other_kinds_are_not_policy(dev, world_folder):
    (world_folder / ".git").mkdir()
    (world_folder / ".git" / "batch.yaml").write_bytes(text("Tier", "batch", "spec: {band: 50}"))
    (world_folder / "README.md").write_text("# policy")
    assert load(world_folder) == dev
