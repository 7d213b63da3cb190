"""One rule, one module, one page, one table: do they agree, and is every code its own?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coordination.compiler import rules as compiler_rules
from coordination.spec import rules as spec_rules
from tests.support.policies import ROOT, diagnose, load_table, world_with

PAGES = ROOT / "docs" / "diagnostics"
TABLES = ROOT / "tests" / "coordination"
MODULES = [("spec", m) for m in spec_rules.MODULES] + [("compiler", m) for m in compiler_rules.MODULES]
RULES = [m.RULE for _, m in MODULES]
EXAMPLES = re.compile(r"## (Wrong|Right)\n\n```yaml\n(.*?)```", re.DOTALL)


def module_names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def example(code: str, which: str) -> str:
    """A page's policy; ``<U+202E>`` stands for a character that cannot be shown."""
    found = dict(EXAMPLES.findall((PAGES / f"{code}.md").read_text(encoding="utf-8")))[which]
    return re.sub(r"<U\+([0-9A-F]{4})>", lambda m: chr(int(m[1], 16)), found)


def test_no_code_is_used_twice():
    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("package", [spec_rules, compiler_rules])
def test_every_module_is_registered_and_named_by_its_code(package):
    folder = Path(package.__file__).parent
    registered = [Path(module.__file__).stem for module in package.MODULES]
    assert registered == module_names(folder)
    for module in package.MODULES:
        assert Path(module.__file__).stem.startswith(module.RULE.code + "_")
        assert (module.__doc__ or "").startswith(f"{module.RULE.code}: ")


def test_there_is_a_page_for_every_rule_and_no_other():
    assert sorted(p.stem for p in PAGES.glob("*[0-9].md")) == sorted(rule.code for rule in RULES)
    listed = re.findall(r"\[([A-Z]+\d+)\]\(\1\.md\) \| (\w+) \| (.+) \|", (PAGES / "README.md").read_text())
    assert sorted(listed) == sorted((rule.code, rule.severity, rule.title) for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=[r.code for r in RULES])
def test_the_page_says_what_the_rule_is(rule):
    page = (PAGES / f"{rule.code}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {rule.code}: {rule.title}\n\nSeverity: {rule.severity}\n\n")
    assert rule.help_url == f"docs/diagnostics/{rule.code}.md"


@pytest.mark.parametrize("rule", RULES, ids=[r.code for r in RULES])
def test_the_wrong_policy_of_the_page_is_found_and_the_right_one_is_sound(rule):
    wrong = {d.code for d in diagnose(world_with(example(rule.code, "Wrong")))}
    assert rule.code in wrong
    right = diagnose(world_with(example(rule.code, "Right")))
    assert [f"{d.code} {d.message}" for d in right if d.code != "REF106"] == []


@pytest.mark.parametrize(("layer", "module"), MODULES, ids=[m.RULE.code for _, m in MODULES])
def test_the_table_shows_when_the_rule_speaks_and_when_it_is_silent(layer, module):
    cases = load_table(TABLES / layer / "rules", module.RULE.code)
    assert any(case.finds for case in cases)
    assert any(not case.finds for case in cases)


@pytest.mark.parametrize("layer", ["spec", "compiler"])
def test_there_is_no_table_without_a_rule(layer):
    codes = sorted(module.RULE.code for where, module in MODULES if where == layer)
    assert module_names(TABLES / layer / "rules") == codes


def test_the_severity_found_is_the_rules_own():
    severity = {rule.code: rule.severity for rule in RULES}
    for rule in RULES:
        for diagnostic in diagnose(world_with(example(rule.code, "Wrong"))):
            assert diagnostic.severity == severity[diagnostic.code]
