"""What people and programs see of a diagnostic, to the character."""

from __future__ import annotations

import json

import pytest

from coordination.diagnostics import (
    Diagnostic,
    Fix,
    Location,
    Nearest,
    ObjectRef,
    Related,
    in_reading_order,
    render_json,
    render_text,
)
from coordination.diagnostics.nearest import edits

TEXT = "kind: Quota\nmetadata: {name: acme}\nspec:\n  weigth: 4\n"


def found(**changes: object) -> Diagnostic:
    values: dict[str, object] = {
        "code": "SPEC005", "severity": "error",
        "message": "Quota has no field `weigth`; did you mean `weight`?",
        "location": Location("quotas.yaml", 4, 3, 4, 9), "object": ObjectRef("Quota", "acme"),
        "json_pointer": "/spec/weigth", "related": (), "notes": (), "fix": None,
        "help_url": "docs/diagnostics/SPEC005.md",
    }  # fmt: skip
    return Diagnostic(**{**values, **changes})  # type: ignore[arg-type]


def test_a_person_sees_the_line_the_caret_and_the_remedy():
    diagnostic = found(
        fix=Fix(
            "rename it to `weight`",
            "unsafe",
            ({"op": "move", "from": "/spec/weigth", "path": "/spec/weight"},),
        ),
        notes=("Shares are relative.",),
        related=(Related("the tenant", Location("tenants.yaml", 2, 1, 2, 5)),),
    )
    assert (
        render_text([diagnostic], {"quotas.yaml": TEXT})
        == """\
error[SPEC005]: Quota has no field `weigth`; did you mean `weight`?
 --> quotas.yaml:4:3
  |
4 |   weigth: 4
  |   ^^^^^^
  ::: tenants.yaml:2:1: the tenant
  |
  = note: Shares are relative.
  = fix: rename it to `weight` (if that is what is meant)

found 1 error
more about a code: headway explain SPEC005
"""
    )


def test_related_lines_are_shown_and_the_margin_is_as_wide_as_the_longest_number():
    related = tuple(Related(f"told {i}", Location("tenants.yaml", 12, 1, 12, 5)) for i in range(4))
    shown = render_text(
        [found(related=related)], {"quotas.yaml": TEXT, "tenants.yaml": "\n" * 11 + "name: acme\n"}
    )
    assert (
        shown.partition("\n\nfound")[0]
        == """\
error[SPEC005]: Quota has no field `weigth`; did you mean `weight`?
  --> quotas.yaml:4:3
   |
 4 |   weigth: 4
   |   ^^^^^^
"""
        + "".join(f"   ::: tenants.yaml:12:1\n   |\n12 | name: acme\n   | ---- told {i}\n" for i in range(3))
        + "   ::: tenants.yaml:12:1: told 3"
    )


@pytest.mark.parametrize(
    ("applicability", "said"),
    [("safe", "= fix: mend (`headway check --fix` does it)"),
     ("unsafe", "= fix: mend (if that is what is meant)"),
     ("display", "= fix: mend\n")],
)  # fmt: skip
def test_a_remedy_says_who_may_apply_it(applicability, said):
    diagnostic = found(fix=Fix("mend", applicability))
    shown = render_text([diagnostic, found(severity="warning", code="X1")], {"quotas.yaml": TEXT})
    assert said in shown
    mends = "; `headway check --fix` mends 1" if applicability == "safe" else ""
    assert f"found 1 error, 1 warning{mends}\n" in shown
    assert shown.endswith("more about a code: headway explain SPEC005\n")


def test_the_json_is_the_one_other_tools_rely_on():
    diagnostic = found(
        fix=Fix("rename it", "unsafe", ({"op": "move", "from": "/spec/weigth", "path": "/spec/weight"},)),
        related=(Related("the tenant", Location("tenants.yaml", 2, 1, 2, 5), ObjectRef("Tenant", "acme")),),
    )
    assert json.loads(render_json([diagnostic], ok=False)) == {
        "ok": False,
        "diagnostics": [
            {
                "code": "SPEC005",
                "severity": "error",
                "message": "Quota has no field `weigth`; did you mean `weight`?",
                "location": {"file": "quotas.yaml", "line": 4, "column": 3, "end_line": 4, "end_column": 9},
                "object": {"kind": "Quota", "name": "acme"},
                "json_pointer": "/spec/weigth",
                "related": [
                    {
                        "message": "the tenant",
                        "location": {
                            "file": "tenants.yaml",
                            "line": 2,
                            "column": 1,
                            "end_line": 2,
                            "end_column": 5,
                        },
                        "object": {"kind": "Tenant", "name": "acme"},
                    }
                ],
                "notes": [],
                "fix": {
                    "title": "rename it",
                    "applicability": "unsafe",
                    "patch": [{"op": "move", "from": "/spec/weigth", "path": "/spec/weight"}],
                },
                "help_url": "docs/diagnostics/SPEC005.md",
            }
        ],
        "summary": {"error": 1, "warning": 0, "info": 0},
    }


def test_nothing_found_is_said():
    assert render_text([], {}) == "no problems found\n"
    assert json.loads(render_json([], ok=True)) == {
        "ok": True, "diagnostics": [], "summary": {"error": 0, "warning": 0, "info": 0}
    }  # fmt: skip


def test_colour_is_for_terminals_only():
    assert "\x1b[" not in render_text([found()], {"quotas.yaml": TEXT})
    assert "\x1b[1;31merror[SPEC005]" in render_text([found()], {"quotas.yaml": TEXT}, colour=True)


def excerpt(line: str, column: int, end: int) -> list[str]:
    place = Location("f", 1, column, 1, end)
    return render_text([found(location=place)], {"f": line}).split("\n")[3:5]


@pytest.mark.parametrize(
    ("line", "column", "end", "shown", "caret"),
    [("\tband: 1", 2, 6, "\tband: 1", "\t^^^^"), ("東京: 1", 5, 6, "東京: 1", "      ^"),
     ("a\u0301b: 1", 3, 4, "a\u0301b: 1", " ^"),
     ("ab", 3, 4, "ab", "  ^"),
     ("a\x1b[2Jb", 1, 2, "a\ufffd[2Jb", "^"), ("a\u202eb", 2, 3, "a\ufffdb", " ^")],
)  # fmt: skip
def test_the_caret_stands_under_what_is_meant(line: str, column: int, end: int, shown: str, caret: str):
    text, marks = excerpt(line, column, end)
    assert text == f"1 | {shown}"
    assert marks == f"  | {caret}"


def test_a_line_of_a_megabyte_is_shown_in_part():
    line = "x" * 500_000 + "HERE" + "y" * 500_000
    text, marks = excerpt(line, 500_001, 500_005)
    assert len(text) < 200
    assert text[marks.index("^") : marks.rindex("^") + 1] == "HERE"


def test_a_file_that_was_not_kept_is_named_without_an_excerpt():
    assert "--> gone.yaml:1:1\n" in render_text([found(location=Location("gone.yaml", 1, 1, 1, 2))], {})


def test_diagnostics_come_as_a_reader_meets_them():
    places = [("b", 1, 1), ("a", 10, 2), ("a", 2, 9), ("a", 2, 1)]
    shuffled = [found(location=Location(f, line, column, line, column + 1)) for f, line, column in places]
    ordered = [d.location for d in in_reading_order([*shuffled, found(location=None)])]
    assert [(at.file, at.line, at.column) if at else None for at in ordered] == [None, *sorted(places)]


@pytest.mark.parametrize(
    ("word", "near"),
    [("weigth", "weight"), ("limts", "limits"), ("Weight", "weight"), ("tenent", "tenant"), ("xyzzy", None),
     ("", None),
     ("w", None), ("x" * 1000, None)],
)  # fmt: skip
def test_the_nearest_name_is_suggested_only_when_it_is_near(word: str, near: str | None):
    assert Nearest(["tenant", "scope", "weight", "limits", "concurrency"]).to(word) == near


def test_among_thousands_of_names_one_slip_is_still_found():
    names = Nearest(f"tenant-{i:05}" for i in range(10_000))
    assert names.to("tennat-01234") in {"tenant-01234", None}
    assert names.to("tenant-0123") in {f"tenant-0123{i}" for i in range(10)} | {
        f"tenant-{i}0123" for i in range(10)
    }
    assert names.to("tenamt-09999") == "tenant-09999"
    assert names.to("globex") is None


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "abcd", 1), ("abc", "xbc", 1), ("abc", "", 3),
     ("kitten", "sitting", 3)],
)  # fmt: skip
def test_edits_are_counted(a: str, b: str, distance: int):
    assert edits(a, b, 10) == edits(b, a, 10) == distance
