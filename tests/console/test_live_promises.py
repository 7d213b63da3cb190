"""The live page names each promise that gateways count, with its class, and has no such card without one."""

from __future__ import annotations

import pytest

from tests.console.conftest import ENVIRONMENT, edit

pytestmark = pytest.mark.django_db
PROMISES = [
    {"metric": "ttft", "percentile": 95, "target": "3s"},
    {"metric": "ttft", "percentile": 95, "target": "2500ms", "uncached_input": {"max": "8k"}},
    {"metric": "deadline", "percentile": 99, "target": "60s"},
]


def test_a_promise_stands_there_by_the_key_its_figures_come_under(running, operator):
    address = f"/e/{ENVIRONMENT}/live/"
    assert "data-promise" not in operator.get(address).content.decode()
    edit("Tier", "priority", {"objectives": PROMISES})
    page = operator.get(address).content.decode()
    assert page.count("<tr data-promise=") == 2, "what is said of all requests is in the charts"
    assert 'data-promise="priority ttft 2500000us 0..8000 tokens"' in page
    assert "First token within 2500ms for 95%, up to 8,000 uncached input tokens" in page
    assert 'data-promise="priority deadline 60000000us"' in page
    assert "Done by its deadline (1m where it names none) for 99%" in page
