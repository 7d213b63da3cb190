"""A fix changes what it speaks of and not one character more, or nothing at all."""

from __future__ import annotations

import difflib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.diagnostics import Diagnostic, Fix, Location
from coordination.spec import SourceFile
from coordination.spec.mending import mend, patched, written
from coordination.spec.plain import Plain
from headway.cli.mending import BOM, mend_files
from tests.support.policies import CASE, diagnose, quickstart_files, world_with

TENANT = "apiVersion: headway/v1\nkind: Tenant\nmetadata: {name: globex}\nspec:\n"
TIER = "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: gold}\nspec:\n  band: 1\n"


def mended(text: str, file: str = CASE) -> str:
    """A file among a sound policy after every safe fix."""
    outcome = mend_files(world_with(text, file=file), diagnose)
    assert outcome.changed <= {file}
    return next(f.text for f in outcome.files if f.name == file).decode()


YAML = {
    "a field misspelt": (TIER + "  queeu: {max_wait: 1s} # why\n", TIER + "  queue: {max_wait: 1s} # why\n"),
    "a quoted field": (TIER + "  'queeu': {max_wait: 1s}\n", TIER + "  'queue': {max_wait: 1s}\n"),
    "a field within a field within a field": (
        TIER + "  queeu: {max_wiat: 1s}\n",
        TIER + "  queue: {max_wait: 1s}\n",
    ),
    "apiVersion in capitals": ("apiVersion: Headway/V1\n" + TIER.partition("\n")[2], TIER),
    "no apiVersion": ("# tiers\n" + TIER.partition("\n")[2], "# tiers\n" + TIER),
    "no apiVersion on one line": (
        "{kind: Tier, metadata: {name: gold}, spec: {band: 1}}\n",
        "{apiVersion: headway/v1, kind: Tier, metadata: {name: gold}, spec: {band: 1}}\n",
    ),
    "a kind in small letters": (TIER.replace("Tier", "tier"), TIER),
    "a tier twice, on a line": (
        TENANT + "  tiers: [priority, standard ,  priority ] # both\n",
        TENANT + "  tiers: [priority, standard ] # both\n",
    ),
    "a tier twice, on lines": (
        TENANT + "  tiers:\n    - priority\n    # the other\n    - standard\n    - priority\n  zone: UTC\n",
        TENANT + "  tiers:\n    - priority\n    # the other\n    - standard\n  zone: UTC\n",
    ),
    "its comment stays": (
        TENANT + "  tiers:\n  - priority\n  - priority  # told twice\n",
        TENANT + "  tiers:\n  - priority\n  # told twice\n",
    ),
    "three times": (TENANT + "  tiers: [priority, priority, priority]\n", TENANT + "  tiers: [priority]\n"),
    "carriage returns": (
        (TENANT + "  tiers:\n  - priority\n  - priority\n").replace("\n", "\r\n"),
        (TENANT + "  tiers:\n  - priority\n").replace("\n", "\r\n"),
    ),
    "one entry without its list": (
        TENANT + "  tiers: priority # only\n",
        TENANT + "  tiers: [priority] # only\n",
    ),
    "in quotes too": (TENANT + "  tiers: 'priority'\n", TENANT + "  tiers: ['priority']\n"),
    "a choice in capitals": (TIER + "  cache_sharing: POOL\n", TIER + "  cache_sharing: pool\n"),
    "letters of two bytes before it": (
        TIER.replace("name: gold", "name: gold, description: Überall 東京 𝄞") + "  queeu: {}\n",
        TIER.replace("name: gold", "name: gold, description: Überall 東京 𝄞") + "  queue: {}\n",
    ),
    "the second document": (TIER + "---\n" + TENANT + "  tiers: priority\n",
                            TIER + "---\n" + TENANT + "  tiers: [priority]\n"),
    "what cannot be read stands beside it": ("{\n---\n" + TENANT + "  tiers: priority\n",
                                             "{\n---\n" + TENANT + "  tiers: [priority]\n"),
}  # fmt: skip


@pytest.mark.parametrize("story", YAML)
def test_yaml_is_mended_to_the_character(story: str):
    text, expected = YAML[story]
    assert mended(text) == expected
    assert mended(expected) == expected


JSON = {
    "a field": ('{"band": 1, "queeu": {}}', '{"band": 1, "queue": {}}'),
    "a list": ('{"band": 1, "service_tier": "gold"}', '{"band": 1, "service_tier": ["gold"]}'),
    "an entry": (
        '{"band": 1, "service_tier": [\n  "gold",\n  "silver",\n  "gold"\n]}',
        '{"band": 1, "service_tier": [\n  "gold",\n  "silver"\n]}',
    ),
}


OTHER = '{"apiVersion": "headway/v1", "kind": "Nothing"}'


@pytest.mark.parametrize("story", JSON)
@pytest.mark.parametrize("whole", ["%s", "[%s]", "[\n%s\n]\n", f"[{OTHER}, %s, {OTHER}]"])
def test_json_is_mended_to_the_character(story: str, whole: str):
    envelope = '{"apiVersion": "headway/v1", "kind": "Tier", "metadata": {"name": "gold"}, "spec": %s}'
    text, expected = (whole % (envelope % spec) for spec in JSON[story])
    assert mended(text, "case.json") == expected
    json.loads(expected)


LEFT_ALONE = {
    "another version": TIER.replace("v1", "v2"),
    "a field that could be two": TENANT + "  tiers: [priority]\n  tier: standard\n",
    "a field whose value makes no sense elsewhere": TIER + "  queeu: 7\n",
    "a unit to guess": "apiVersion: headway/v1\nkind: Reservation\nmetadata: {name: r}\nspec:\n"
    "  tenant: acme\n  pool: chat\n  tier: priority\n  throughput: {input: 100, output: 100}\n",
    "an unknown reference": TENANT + "  tiers: [prioritty]\n",
    "a name": TIER.replace("gold", "Gold"),
    "a key twice": TIER + "  band: 1\n",
    "a field nobody knows": TIER + "  colour: blue\n",
}


@pytest.mark.parametrize("story", LEFT_ALONE)
def test_what_only_the_author_can_know_is_left_to_the_author(story: str):
    assert diagnose(world_with(LEFT_ALONE[story]))
    assert mended(LEFT_ALONE[story]) == LEFT_ALONE[story]


def test_a_byte_order_mark_stays():
    text = BOM + (TENANT + "  tiers: priority\n").encode()
    [file] = [f for f in mend_files(world_with(text), diagnose).files if f.name == CASE]
    assert file.text == BOM + (TENANT + "  tiers: [priority]\n").encode()


def at(line: int) -> Location:
    return Location(CASE, line, 1, line, 2)


def fix(*patch: dict[str, object]) -> Fix:
    return Fix("mend", "safe", patch)


@pytest.mark.parametrize(
    ("text", "operation"),
    [("a: {b: 1}\n", {"op": "replace", "path": "/a", "value": 2}),
     ("a: [{}]\n", {"op": "remove", "path": "/a/0"}),
     ("a: 1\n", {"op": "remove", "path": "/b"}),
     ("a: 1\n", {"op": "move", "from": "/a", "path": "/b/c"}),
     ("a: 1\n", {"op": "test", "path": "/a"}),
     ("a: |\n  text\n", {"op": "replace", "path": "/a", "value": "x"}),
     ("a:\n", {"op": "replace", "path": "/a", "value": 1}),
     ("a: 1\n", {"op": "replace", "path": "/a/b", "value": 1}),
     ("{\n", {"op": "replace", "path": "/a", "value": 1})],
)  # fmt: skip
def test_what_cannot_be_written_surely_is_not_written(text: str, operation: dict[str, object]):
    assert mend(CASE, text, [(at(1), fix(operation))]) == (text, 0)


def test_of_two_fixes_of_one_place_the_first_wins():
    fixes = [(at(1), fix({"op": "replace", "path": "/a", "value": value})) for value in ("x", "y")]
    assert mend(CASE, "a: b\n", fixes) == ("a: x\n", 1)


def test_a_fix_that_cannot_be_proved_does_not_spoil_the_others():
    fixes = [(at(1), fix({"op": "replace", "path": "/a", "value": 1})),
             (at(1), fix({"op": "replace", "path": "/b", "value": 2}))]  # fmt: skip
    assert mend(CASE, "a:\nb: 1\n", fixes) == ("a:\nb: 2\n", 1)


@pytest.mark.parametrize(
    "value", ["plain", "two words", "yes", "true", "1", "1e3", "", "a: b", "#", "ü", "it's", 'q"', "\n"]
)
@pytest.mark.parametrize("before", ["", "x", '"x"', "'x'"])
def test_whatever_is_written_is_read_again(value: str, before: str):
    text, count = mend(
        CASE, f"[{before or 'x'}]\n", [(at(1), fix({"op": "replace", "path": "/0", "value": value}))]
    )
    assert count == 1
    assert text != "[x]\n"
    assert json.loads(written(value, before, is_json=True)) == value


def keys_after(**operation: object) -> list[str]:
    tree: Plain = {"a": 1, "b": 2, "c": [1, 2]}
    after = patched(tree, operation)
    assert isinstance(after, dict)
    return list(after)


def test_patching_keeps_the_order_of_keys():
    assert keys_after(**{"op": "move", "from": "/a", "path": "/z"}) == ["z", "b", "c"]
    assert keys_after(op="add", path="/z", value=0) == ["z", "a", "b", "c"]


TEXTS = {file.name: file.text.decode() for file in quickstart_files()}


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_fixing_settles_keeps_comments_and_never_adds_a_problem(data: st.DataObject):
    name = data.draw(st.sampled_from(sorted(TEXTS)))
    lines = TEXTS[name].split("\n")
    for _ in range(data.draw(st.integers(1, 4))):
        i = data.draw(st.integers(0, len(lines) - 1))
        line = lines[i]
        j = data.draw(st.integers(0, max(0, len(line) - 1)))
        lines[i] = data.draw(
            st.sampled_from(
                [line[:j] + line[j + 1 :], line[:j] + line[j : j + 1] * 2 + line[j + 1 :], line.upper()]
            )
        )
    files = [SourceFile(n, "\n".join(lines).encode() if n == name else t.encode()) for n, t in TEXTS.items()]
    before = diagnose(files)
    outcome = mend_files(files, diagnose)
    after = diagnose(outcome.files)
    assert errors(after) <= errors(before) or outcome.applied == 0 or revealed(before, after)
    again = mend_files(outcome.files, diagnose)
    assert (again.applied, again.changed) == (0, frozenset())
    mended_text = next(f.text.decode() for f in outcome.files if f.name == name)
    assert comments(mended_text) == comments("\n".join(lines))
    removed = [d for d in difflib.ndiff(lines, mended_text.split("\n")) if d[0] in "+-"]
    assert bool(removed) == bool(outcome.applied)


def errors(diagnostics: list[Diagnostic]) -> int:
    return sum(d.severity == "error" for d in diagnostics)


def revealed(before: list[Diagnostic], after: list[Diagnostic]) -> bool:
    """A document that can be read at last may have more to be said about it."""
    return bool({d.code for d in after} - {d.code for d in before})


def comments(text: str) -> list[str]:
    return [line.partition("#")[2].strip() for line in text.split("\n") if "#" in line]
