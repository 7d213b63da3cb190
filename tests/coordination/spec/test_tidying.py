"""Canonical files: fields in order, comments where they belong, the same documents, and once is enough."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.spec import SourceFile, read
from coordination.spec.formatting import WIDTH
from coordination.spec.tidying import NotFormattableError, tidy
from tests.support.policies import QUICKSTART


def tidied(text: str, name: str = "given.yaml") -> str:
    written = tidy(SourceFile(name, text.encode()))
    assert tidy(SourceFile(name, written)) == written, "formatting again changes it"
    return written.decode()


def meaning(text: str, name: str = "given.yaml") -> list[bytes]:
    policy_set, diagnostics = read([SourceFile(name, text.encode())])
    assert diagnostics == []
    return [document.canonical() for document in policy_set.documents]


def test_fields_come_in_the_order_of_the_language_and_comments_move_with_them():
    given = """\
        # What the file is for.

        kind: Pool   # a pool
        apiVersion: headway/v1
        spec:
           reservable: 70%       # of the whole

           # Measured in May.
           capacity: {output: 300k tokens/min, input: 2.2M tokens/min, kv_tokens: 430k, sequences: 256}
           # New ones are not in yet.
           replicas:
             urls:
               # the old machines
               - 'http://a:8000' # to be replaced
               -   # rented
                 "http://b:8000"
               # none further
           profile: "llama-3-8b-h100-tp1"
           model: llama
           # The end.
        metadata: {description: "Two replicas: one old", name: chat}
        """
    assert (
        tidied(dedent(given))
        == """\
# What the file is for.

apiVersion: headway/v1
kind: Pool  # a pool
metadata: {name: chat, description: "Two replicas: one old"}
spec:
  model: llama
  profile: llama-3-8b-h100-tp1
  # New ones are not in yet.
  replicas:
    urls:
      # the old machines
      - http://a:8000  # to be replaced
      # rented
      - http://b:8000
      # none further

  # Measured in May.
  capacity: {input: 2.2M tokens/min, output: 300k tokens/min, sequences: 256, kv_tokens: 430k}
  reservable: 70%  # of the whole
  # The end.
"""
    )


def test_what_no_longer_fits_on_a_line_is_opened_up():
    long = ", ".join(f"some-model-{i}" for i in range(8))
    written = tidied(f"apiVersion: headway/v1\nkind: Route\nspec: {{rank: 1, match: {{models: [{long}]}}}}\n")
    assert "\n  rank: 1\n  match:\n    models:\n      - some-model-0\n" in written
    assert max(map(len, written.splitlines())) <= WIDTH


def test_a_comment_inside_a_line_opens_it_up_rather_than_moving_away():
    written = tidied("kind: Quota\nspec: {limits: [{of: spend, # money\n per: day}, {of: requests}]} # all\n")
    assert (
        written
        == dedent("""
        kind: Quota
        spec:  # all
          limits:
            - of: spend  # money
              per: day
            - {of: requests}
        """).lstrip()
    )


def test_texts_on_several_lines_stay_as_they_are_written():
    text = "kind: Tier\nmetadata:\n   description: >-\n      one\n      two\n\n        three\n   name: x\n"
    assert tidied(text) == (
        "kind: Tier\nmetadata:\n  name: x\n  description: >-\n    one\n    two\n\n      three\n"
    )


def test_documents_keep_their_comments_and_blank_ones_disappear():
    text = "# a\n---\n\n---\nkind: Tier # b\n---\n# c\n--- # d\nkind: Model\n# e\n"
    assert tidied(text) == "# a\n---\nkind: Tier  # b\n---\n# c\n---\n# d\nkind: Model\n# e\n"


def test_unknown_fields_stay_and_come_last():
    assert tidied("kind: Tier\nspec: {zebra: 1, band: 3, ant: 2}\n") == (
        "kind: Tier\nspec:\n  band: 3\n  zebra: 1\n  ant: 2\n"
    )


def test_json_is_put_in_order_with_every_digit_kept():
    given = '[{"spec": {"weight": 0.10, "tenant": "acme"}, "kind": "Quota", "apiVersion": "headway/v1"}]'
    written = tidied(given, "given.json")
    assert list(json.loads(written)[0]) == ["apiVersion", "kind", "spec"]
    assert '"tenant": "acme"' in written.splitlines()[4]
    assert '"weight": 0.10' in written


@pytest.mark.parametrize(
    "text",
    ["a: [", "a: 1\na: 2\n", "a: &x 1\n", "a: *x\n", "a: !t 1\n", "%YAML 1.2\n---\na: 1\n", "a: \x00\n"],
)
def test_what_cannot_be_read_is_left_alone(text: str):
    with pytest.raises(NotFormattableError):
        tidy(SourceFile("given.yaml", text.encode()))


@pytest.mark.parametrize("path", sorted(QUICKSTART.glob("*.yaml")), ids=lambda path: path.name)
def test_the_quickstart_is_in_canonical_form(path):
    assert tidy(SourceFile(path.name, path.read_bytes())) == path.read_bytes()


KEYS = st.sampled_from(["apiVersion", "kind", "metadata", "spec", "name", "band", "queue", "x y", "1", "a#b"])
SCALARS = st.one_of(
    st.sampled_from(
        ["plain", "'it''s'", '"a\\nb"', "600k tokens/min", "''", "~", "no", "0.10", "'1'", "a: b".join("''"),
         "http://x:1/#y", "'# no'", "a#b", '"  "']
    )
)  # fmt: skip
NOTES = st.sampled_from(["", "", "", " # note", "   #", " # a: b"])
LINES = st.sampled_from(
    ["", "", "", "\n", "# alone\n", "\n# one\n\n# two\n", "      # deep\n", "  # two in\n"]
)


@st.composite
def blocks(draw: st.DrawFn, depth: int = 0) -> str:
    """A mapping or list in block style, strewn with comments."""
    indent = "  " * depth
    lines: list[str] = []
    keys = draw(st.lists(KEYS, min_size=1, max_size=4, unique=True))
    listed = depth > 0 and draw(st.booleans())
    for key in keys:
        lines.append(draw(LINES))
        head = f"{indent}-" if listed else f"{indent}{key}:"
        shape = draw(st.sampled_from(["scalar", "scalar", "flow", "block", "literal"]))
        if shape == "block" and depth < 3:
            lines.append(f"{head}{draw(NOTES)}\n{draw(blocks(depth + 1))}")
        elif shape == "literal":
            lines.append(f"{head} |{draw(NOTES)}\n{indent}    text\n\n{indent}      # more\n")
        elif shape == "flow":
            inner = ", ".join(f"{k}: {draw(SCALARS)}" for k in draw(st.lists(KEYS, max_size=3, unique=True)))
            lines.append(f"{head} {{{inner}}}{draw(NOTES)}\n")
        else:
            lines.append(f"{head} {draw(SCALARS)}{draw(NOTES)}\n")
    return "".join(lines)


def readable(text: str) -> bool:
    _, diagnostics = read([SourceFile("given.yaml", text.encode())])
    return not {d.code for d in diagnostics} & {"SPEC001", "SPEC002", "SPEC003", "SPEC004"}


def comments(text: str) -> int:
    return text.count("# note") + text.count("# a: b") + text.count("# alone") + text.count("# two in")


@settings(max_examples=150, deadline=None)
@given(st.lists(blocks(), min_size=1, max_size=2))
def test_nothing_is_lost_however_it_is_written(texts: list[str]):
    """``tidy`` itself refuses to change the meaning; so it must always manage, and keep every comment."""
    text = "---\n".join(texts)
    if not readable(text):
        return
    written = tidied(text)
    assert comments(written) == comments(text), written
    assert not any(line != line.rstrip() for line in written.splitlines())


def test_the_quickstart_means_the_same_after_it_was_scrambled_and_formatted():
    for path in sorted(QUICKSTART.glob("*.yaml")):
        text = path.read_text()
        policy_set, _ = read([SourceFile(path.name, text.encode())])
        scrambled = "---\n".join(
            json.dumps(dict(reversed(document.plain().items()))) + "\n" for document in policy_set.documents
        )
        assert meaning(tidied(scrambled)) == meaning(text)
