"""Every rule on a document by itself, by its table."""

from pathlib import Path

import pytest

from coordination.spec.rules import MODULES
from tests.support.policies import Case, load_table, run_case

TABLES = Path(__file__).parent / "rules"
CASES = [(m.RULE.code, case) for m in MODULES for case in load_table(TABLES, m.RULE.code)]


@pytest.mark.parametrize(("code", "case"), CASES, ids=[f"{code}: {case.story}" for code, case in CASES])
def test_the_rule_says_what_its_table_says(code: str, case: Case):
    run_case(case, code)
