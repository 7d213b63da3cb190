"""What code scanners and pull requests are told: SARIF by its standard, workflow commands by the runner's."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest

from coordination.compiler import rules as compiler_rules
from coordination.diagnostics import (
    Diagnostic,
    Fix,
    Location,
    ObjectRef,
    Related,
    Rule,
    render_github,
    render_sarif,
)
from coordination.spec import rules as spec_rules
from tests.support.policies import diagnose, world_with
from tests.support.sarif import LOG

RULES = [m.RULE for m in spec_rules.MODULES] + [m.RULE for m in compiler_rules.MODULES]
WRONG = """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: acme-all}
spec: {tenant: acme, pool: chat, tier: priority, throughput: {input: 2M tokens/min, output: 200k tokens/min}}
---
apiVersion: headway/v1
kind: Quota
metadata: {name: acme}
spec: {tenant: acme, weigth: 4}
"""


def found(**changes: object) -> Diagnostic:
    values: dict[str, object] = {
        "code": "SPEC005", "severity": "error", "message": "Quota has no field `weigth`",
        "location": Location("policy set/quotas.yaml", 4, 3, 4, 9), "object": ObjectRef("Quota", "acme"),
        "json_pointer": "/spec/weigth", "related": (), "notes": (), "fix": None,
        "help_url": "docs/diagnostics/SPEC005.md",
    }  # fmt: skip
    return Diagnostic(**{**values, **changes})  # type: ignore[arg-type]


def sarif_of(diagnostics: list[Diagnostic], rules: list[Rule] = RULES) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(render_sarif(diagnostics, rules, version="0.1.0"))
    jsonschema.Draft202012Validator(LOG).validate(log)
    return log


def test_a_log_holds_every_finding_with_its_place_and_its_story():
    diagnostics = diagnose(world_with(WRONG))
    [run] = sarif_of(diagnostics)["runs"]
    assert [r["ruleId"] for r in run["results"]] == [d.code for d in diagnostics] == ["CAP201", "SPEC005"]
    oversold, unknown = run["results"]
    at = diagnostics[0].location
    assert at is not None
    assert oversold["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "case.yaml"},
        "region": {
            "startLine": at.line, "startColumn": at.column, "endLine": at.end_line, "endColumn": at.end_column
        },
    }  # fmt: skip
    assert oversold["relatedLocations"][0]["message"]["text"] == "`chat` may promise 50 %"
    assert "prefill and decode share the machine" in oversold["message"]["text"]
    assert unknown["properties"]["fix"]["patch"] == [
        {"op": "move", "from": "/spec/weigth", "path": "/spec/weight"}
    ]


def test_a_result_points_at_its_rule():
    [run] = sarif_of([found(), found(code="TIME602", severity="warning")])["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(rules) == len(RULES)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert [r["level"] for r in run["results"]] == ["error", "warning"]


def test_a_finding_without_a_place_and_one_of_an_unknown_rule_are_still_valid():
    [run] = sarif_of([found(location=None, object=None, severity="info", code="NEW999")])["runs"]
    [result] = run["results"]
    assert result["level"] == "note"
    assert not {"locations", "ruleIndex"} & set(result)


def test_nothing_found_is_a_log_too():
    assert sarif_of([])["runs"][0]["results"] == []


def test_a_file_name_becomes_a_uri():
    [run] = sarif_of([found(location=Location("policy set/ü#1.yaml", 1, 1, 1, 2))])["runs"]
    place = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place["uri"] == "policy%20set/%C3%BC%231.yaml"


def test_a_finding_that_moves_down_stays_the_same_finding():
    def fingerprint(**changes: object) -> str:
        [run] = sarif_of([found(**changes)])["runs"]
        return str(run["results"][0]["partialFingerprints"]["headway/v1"])

    assert fingerprint() == fingerprint(location=Location("moved.yaml", 90, 3, 90, 9))
    assert len({fingerprint(), fingerprint(json_pointer="/spec/x"), fingerprint(code="SPEC006"),
                fingerprint(object=ObjectRef("Quota", "globex")), fingerprint(object=None)}) == 5  # fmt: skip


@pytest.mark.parametrize("wrong", [{"version": "2.0.0"}, {"runs": [{}]}, {"extra": 1}])
def test_the_schema_can_say_no(wrong: dict[str, Any]):
    log = {**sarif_of([found()]), **wrong}
    assert not jsonschema.Draft202012Validator(LOG).is_valid(log)


COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """As the runner reads them: properties split, then unescaped."""

    def unescaped(value: str) -> str:
        for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            value = value.replace(code, character)
        return value

    read = []
    for line in text.splitlines():
        match = COMMAND.fullmatch(line)
        if match:
            properties = dict(pair.split("=", 1) for pair in match[2].split(","))
            read.append((match[1], {k: unescaped(v) for k, v in properties.items()}, unescaped(match[3])))
    return read


def test_an_annotation_stands_at_its_line():
    text = render_github([found(fix=Fix("rename it to `weight`", "safe"), notes=("100 % sure.",))])
    assert text.splitlines()[0] == (
        "::error file=policy set/quotas.yaml,line=4,col=3,endColumn=8,endLine=4,title=SPEC005::"
        "Quota has no field `weigth`%0A100 %25 sure.%0AFix: rename it to `weight`."
    )
    assert "found 1 error" in text


def test_the_gravest_come_first_because_only_ten_are_shown():
    text = render_github([found(severity="info"), found(severity="warning"), found()])
    assert [command for command, _, _ in commands(text)] == ["error", "warning", "notice"]


def test_an_annotation_over_several_lines_has_no_columns():
    [(_, properties, _)] = commands(render_github([found(location=Location("f", 2, 5, 4, 1))]))
    assert properties == {"file": "f", "line": "2", "endLine": "4", "title": "SPEC005"}


@pytest.mark.parametrize(
    "text", ["a\n::error::pwned", "a\r\n::set-output name=x::y", "%0A::error::x", "a\x1b[2J"]
)
def test_a_message_cannot_give_commands(text: str):
    said = render_github([found(message=text, location=Location("a,b:c\n::debug::", 1, 1, 1, 2))])
    assert sum(line.startswith("::") for line in said.splitlines()) == 1
    [(_, properties, message)] = commands(said)
    assert "\x1b" not in said
    assert message == text.replace("\x1b", "\ufffd").replace("\r", "\ufffd")
    assert properties["file"] == "a,b:c\n::debug::"


def test_related_places_are_not_lost_on_a_scanner():
    related = tuple(Related(f"r{i}", Location("f", i + 1, 1, i + 1, 2)) for i in range(3))
    [run] = sarif_of([found(related=related)])["runs"]
    assert [r["id"] for r in run["results"][0]["relatedLocations"]] == [0, 1, 2]
