"""Whatever the language can say, a form can show and give back: drawn by its templates, sent as it stands."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Annotated

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string
from hypothesis import given, settings

from console.forms.nodes import Drawing, fits, inputs_of, nearest
from console.forms.reading import arranged, read_form
from console.mapping import drafts
from console.mapping.entries import escaped, plain, said_twice
from console.mapping.shapes import FieldShape, Group, _shape, whole
from coordination.spec import KINDS, SourceFile, read
from coordination.spec.declaration import Block, notation_of
from coordination.spec.document import Metadata
from coordination.spec.kinds import NOTATIONS
from coordination.spec.kinds.overflow import Overflow, OverflowNotation
from coordination.spec.notation import Factor, Flag, Items, Notation, Reference, Table, Text
from coordination.spec.plain import Path, Plain
from tests.support import written
from tests.support.forms import Form

EXPECTATION = whole("Expectation")
BUSY = {"tenant": "acme", "model": "llama", "fleet": {"chat-a": {"load": "95%"}, "chat-b": {}}}


def page_of(nodes):
    """The fields as the page has them."""
    drawn = render_to_string("console/policies/_fields.html", {"nodes": nodes, "is_new": True})
    return f'<form id="editor" action="/">{drawn}</form>'


def drawn(shape, tree):
    nodes = Drawing({}, {}).draw(shape, tree)
    return nodes, page_of(nodes)


def sent(page, **changes):
    """What a browser sends of a page with some inputs changed."""
    fields = Form(SimpleNamespace(content=page.encode())).filled(**changes)
    posted = QueryDict(mutable=True)
    for name, values in fields.items():
        posted.setlist(name, values)
    return posted


def places(value, pointer=""):
    """JSON pointer of everything that somebody would have typed."""
    if isinstance(value, dict):
        return {at for key, inner in value.items() for at in places(inner, f"{pointer}/{escaped(key)}")}
    if isinstance(value, list):
        return {at for i, inner in enumerate(value) for at in places(inner, f"{pointer}/{i}")}
    return {pointer}


def canonical(document):
    policy_set, diagnostics = read([SourceFile("t.json", json.dumps(document).encode())])
    assert [each.message for each in diagnostics] == []
    return policy_set.documents[0].canonical()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_field_of_every_kind_has_a_labelled_input_on_its_form(kind):
    """Drawn from the declarations: a field added there needs no work here, whatever its shape."""
    tree = {"metadata": written.whole(notation_of(Metadata)), "spec": written.whole(NOTATIONS[kind])}
    del tree["metadata"]["name"]
    assert fits(whole(kind), tree)
    nodes, page = drawn(whole(kind), tree)
    again = plain(read_form(whole(kind), sent(page)).tree)
    assert places(again) == places(tree)
    is_everywhere_placed(tree, nodes, page)


def is_everywhere_placed(tree, nodes, page):
    """Each input has a name for those who do not see it, and each value a place to say what is wrong."""
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    labels = set(re.findall(r'<label for="([^"]+)"', page))
    for tag in re.findall(r'<(?:input|select|textarea) class="field__input"[^>]*>', page):
        (element,) = re.findall(r' id="([^"]+)"', tag)
        assert element in labels or "aria-label" in tag
    known = inputs_of(nodes)
    for pointer in places(tree):
        assert f"{nearest(known, pointer)}--errors" in ids, pointer


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_document_that_is_drawn_and_sent_untouched_says_the_same(kind):
    @settings(max_examples=4, deadline=None)
    @given(written.documents(kind))
    def holds(document):
        tree = drafts.without_name(document)
        _, page = drawn(whole(kind), tree)
        again = plain(read_form(whole(kind), sent(page)).tree)
        assert canonical(drafts.envelope(kind, document["metadata"]["name"], again)) == canonical(document)

    holds()


class Odd(Block, frozen=True, kw_only=True):
    """A block within a block within a table."""

    size: Annotated[int, Factor(), "How much."] = 0
    names: Annotated[tuple[str, ...], Items(Text(20)), "Which."] = ()


class Shapes(Block, frozen=True, kw_only=True):
    """Shapes that no kind has yet."""

    lists: Annotated[dict[str, tuple[str, ...]], Table(Text(20), Items(Reference("Pool"))), "Table of lists."]
    tables: Annotated[tuple[dict[str, str], ...], Items(Table(Text(20), Text(20))), "List of tables."]
    blocks: Annotated[dict[str, Odd], Table(Text(20), notation_of(Odd)), "Table of blocks with lists."]
    nested: Annotated[dict[str, dict[str, bool]], Table(Text(20), Table(Text(20), Flag())), "Of tables."]
    rows: Annotated[tuple[tuple[str, ...], ...], Items(Items(Text(20))), "List of lists."]
    words: Annotated[tuple[Overflow, ...], Items(OverflowNotation("spill", "queue")), "List of unions."]
    named: Annotated[dict[str, Overflow], Table(Text(20), OverflowNotation("spill")), "Table of unions."]
    maybe: Annotated[Odd | None, "There or not."] = None


ODD = _shape(notation_of(Shapes))
ODDLY = Group(
    (
        FieldShape("metadata", "", "", True, None, Group(())),
        FieldShape("spec", "", "", True, None, ODD),
    )
)


def test_shapes_within_shapes_are_drawn_and_read_back():
    tree = {"spec": written.whole(notation_of(Shapes))}
    nodes, page = drawn(ODDLY, tree)
    again = plain(read_form(ODDLY, sent(page)).tree)
    assert places(again) == places(tree)
    is_everywhere_placed(tree, nodes, page)


@pytest.mark.parametrize(
    ("wish", "then"),
    [
        ("add spec/blocks", "spec/blocks/0/value/size"),
        ("add spec/lists", "spec/lists/0/key"),
        ("add spec/words", "spec/words/0"),
        ("add spec/nested", "spec/nested/0/key"),
        ("add spec/tables", "spec/tables/0"),
        ("add spec/rows", "spec/rows/0"),
    ],
)
def test_a_row_can_be_added_to_every_list_and_table(wish, then):
    """An empty row of a list of lists has nothing to type yet, but can be added to."""
    page = page_of(Drawing({}, {}).draw(ODDLY, arranged(ODDLY, {}, wish)))
    assert f'name="{then}"' in page or f'data-arrange="add {then}"' in page
    assert plain(read_form(ODDLY, sent(page)).tree) == {}, "and is no row until something is filled in"


def test_rows_are_added_and_dropped_inside_the_entries_of_a_table():
    tree = {"spec": {"blocks": {"a": {"names": ["x"]}, "b": {}}, "nested": {"c": {"d": True}}}}
    tree = arranged(ODDLY, tree, "add spec/blocks/1/value/names")
    tree = arranged(ODDLY, tree, "add spec/blocks/0/value/names")
    tree = arranged(ODDLY, tree, "up spec/blocks/0/value/names/1")
    tree = arranged(ODDLY, tree, "drop spec/blocks/0/value/names/1")
    tree = arranged(ODDLY, tree, "add spec/nested/0/value")
    assert plain(tree) == {
        "spec": {
            "blocks": {"a": {"names": [None]}, "b": {"names": [None]}},
            "nested": {"c": {"d": True, "": ""}},
        }
    }


def test_a_list_whose_last_row_is_dropped_is_left_out_and_nothing_else_is_said_to_be_empty():
    quota = whole("Quota")
    _, page = drawn(quota, {"spec": {"tenant": "acme", "limits": [{"of": "requests"}]}})
    tree = read_form(quota, sent(page), keep_blank=True).tree
    assert tree == {"spec": {"tenant": "acme", "limits": [{"of": "requests"}]}}
    assert arranged(quota, tree, "drop spec/limits/0") == {"spec": {"tenant": "acme"}}
    route = whole("Route")
    retries = {"spec": {"retries": {"on": ["connect"]}}}
    assert arranged(route, retries, "drop spec/retries/on/0") == {"spec": {"retries": {"on": []}}}


def test_a_notation_that_no_input_can_hold_is_refused_and_not_drawn_blank():
    class Pair(Notation):
        """Two at once."""

        def parse(self, value: Plain) -> Plain:
            return value

        def schema(self):
            return {"type": "array"}

        def says(self):
            return "a pair"

    with pytest.raises(TypeError, match="a pair"):
        _shape(Table(Text(20), Pair()))


# -- a table whose values are blocks ------------------------------------------------------------------


def test_an_entry_of_a_table_of_blocks_is_a_name_and_the_fields_of_the_block():
    _, page = drawn(EXPECTATION, {"spec": {"given": BUSY}})
    form = Form(SimpleNamespace(content=page.encode()))
    assert form["spec/given/fleet/0/key"] == "chat-a"
    assert form["spec/given/fleet/0/value/load"] == "95"
    assert form["spec/given/fleet/1/value/healthy"] == ""
    assert plain(read_form(EXPECTATION, sent(page)).tree)["spec"]["given"] == BUSY


def test_an_entry_is_added_named_filled_and_removed():
    tree = arranged(EXPECTATION, {"spec": {"given": BUSY}}, "add spec/given/fleet")
    _, page = drawn(EXPECTATION, tree)
    posted = sent(page, spec__given__fleet__2__value__healthy="false")
    assert plain(read_form(EXPECTATION, posted).tree)["spec"]["given"]["fleet"][""] == {"healthy": False}
    posted["spec/given/fleet/2/key"] = "chat-c"
    filled = read_form(EXPECTATION, posted).tree
    assert list(plain(filled)["spec"]["given"]["fleet"].items())[2] == ("chat-c", {"healthy": False})
    left = plain(arranged(EXPECTATION, filled, "drop spec/given/fleet/0"))["spec"]["given"]["fleet"]
    assert left == {"chat-b": {}, "chat-c": {"healthy": False}}


def test_two_entries_of_one_name_are_both_kept_on_the_form_and_told_at_the_second():
    _, page = drawn(EXPECTATION, {"spec": {"given": BUSY}})
    posted = sent(page, spec__given__fleet__1__key="chat-a", spec__given__fleet__1__value__load="5")
    filled = read_form(EXPECTATION, posted)
    (slip,) = said_twice(filled.tree)
    assert filled.inputs[slip.pointer] == "spec/given/fleet/1/key"
    nodes = Drawing({}, {slip.pointer: [slip]}).draw(EXPECTATION, filled.tree)
    again = Form(SimpleNamespace(content=page_of(nodes).encode()))
    assert (again["spec/given/fleet/1/key"], again["spec/given/fleet/1/value/load"]) == ("chat-a", "5")
    assert again.invalid == {"spec/given/fleet/1/key"}


@pytest.mark.parametrize(
    ("tree", "shown"),
    [({"chat-a": None}, False), ({"chat-a": {"lod": 1}}, False), ({"chat-a": "busy"}, False), ({}, True)],
)
def test_what_an_entry_cannot_show_stays_on_the_yaml_side(tree, shown):
    assert fits(EXPECTATION, {"spec": {"given": {"fleet": tree}}}) is shown


def test_no_factor_of_a_table_is_shown_blank():
    """Nought is a multiplier, too."""
    book = whole("PriceBook")
    _, page = drawn(book, {"spec": {"tier_multipliers": {"batch": 0, "flex": 0.5}}})
    assert plain(read_form(book, sent(page)).tree)["spec"]["tier_multipliers"] == {
        "batch": "0",
        "flex": "0.5",
    }


# -- what is there with nothing in it ------------------------------------------------------------------


def test_a_block_that_holds_with_all_its_defaults_can_be_set_and_taken_away():
    route = whole("Route")
    targets = [{"pool": "chat", "canary": True, "guard": {}}]
    _, page = drawn(route, {"spec": {"rank": "1", "targets": targets}})
    posted = sent(page)
    read_back = plain(read_form(route, posted).tree)["spec"]["targets"]
    assert read_back == [{"pool": "chat", "canary": True, "guard": {}}]
    del posted["spec/targets/0/guard"]
    assert "guard" not in plain(read_form(route, posted).tree)["spec"]["targets"][0]


def test_a_text_with_a_line_break_comes_through_an_input_of_one_line():
    tenant = whole("Tenant")
    _, page = drawn(tenant, {"metadata": {"labels": {"note": "one\ntwo"}}})
    labels = plain(read_form(tenant, sent(page)).tree)["metadata"]["labels"]
    assert labels == {"note": "one\ntwo"}
    assert not any("\n" in each for each in re.findall(r'<input[^>]* value="([^"]*)"', page))


# -- units ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "block", "decided_by", "inputs", "cases"),
    [
        (
            "Quota", "limits", "of", ("limit", "guaranteed", "borrow", "lend"),
            {"requests": "requests", "input_tokens": "tokens", "total_tokens": "tokens", "spend": "money"},
        ),
        ("Tier", "objectives", "metric", ("target",), {"ttft": "time", "availability": "%"}),
    ],
)  # fmt: skip
def test_the_unit_beside_an_input_is_the_one_that_the_field_beside_it_decides(
    kind, block, decided_by, inputs, cases
):
    for chosen, unit in cases.items():
        _, page = drawn(whole(kind), {"spec": {block: [{decided_by: chosen}]}})
        for name in inputs:
            assert f'id="f-spec-{block}-0-{name}--unit">{unit}<' in page
        assert f'name="spec/{block}/0/{decided_by}" data-alters' in page


def test_a_share_is_typed_without_its_sign_where_the_unit_says_it():
    tier = whole("Tier")
    objective = {"metric": "availability", "target": "99.9%"}
    _, page = drawn(tier, {"spec": {"objectives": [objective]}})
    assert Form(SimpleNamespace(content=page.encode()))["spec/objectives/0/target"] == "99.9"
    assert plain(read_form(tier, sent(page)).tree)["spec"]["objectives"] == [objective]


def test_every_case_of_a_value_is_one_of_the_field_that_decides():
    def decided(notation: Notation, path: Path) -> None:
        fields = getattr(notation, "fields", {})
        for field in fields.values():
            if field.notation.by in fields:  # a block without it takes any of them
                assert set(field.notation.cases) == set(fields[field.notation.by].notation.choices), path
            decided(field.notation, (path, field.name))
        if isinstance(notation, (Items, Table)):
            decided(notation.of, path)

    for kind, notation in NOTATIONS.items():
        decided(notation, (None, kind))
