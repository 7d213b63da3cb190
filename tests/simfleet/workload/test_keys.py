"""Is a keys file read as ``headway up`` writes it, and is a useless one refused with its reason?"""

from __future__ import annotations

import json

import pytest

from simfleet.workload.keys import Keys, KeysUnreadable, TenantKey, read_keys

FACTS = {
    "console_url": "http://127.0.0.1:8000",
    "gateway_url": "http://127.0.0.1:8080",
    "operator": {"username": "o", "password": "p"},
    "tenants": [
        {"name": "acme", "username": "u", "password": "p", "api_key": "hw_a"},
        {"name": "globex", "api_key": "hw_g"},
    ],
    "more": [1, 2],
}


def test_the_demo_file_gives_gateway_and_keys_and_its_other_members_are_ignored(tmp_path):
    path = tmp_path / "demo.json"
    path.write_text(json.dumps(FACTS))
    assert read_keys(path) == Keys(
        "http://127.0.0.1:8080", (TenantKey("acme", "hw_a"), TenantKey("globex", "hw_g"))
    )


def test_chosen_tenants_come_in_the_order_asked_for(tmp_path):
    path = tmp_path / "demo.json"
    path.write_text(json.dumps(FACTS))
    keys = read_keys(path)
    assert [tenant.name for tenant in keys.chosen(("globex", "acme")).tenants] == ["globex", "acme"]
    with pytest.raises(KeysUnreadable, match=r"no key for nobody; there are keys for acme, globex"):
        keys.chosen(("acme", "nobody"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file"),
        ("{", "truncated"),
        ('{"tenants": []}', "no tenant"),
        ('{"tenants": [{"name": "acme"}]}', "api_key"),
        ("{}", "tenants"),
    ],
)
def test_a_useless_file_is_refused_with_the_reason(tmp_path, text, says):
    path = tmp_path / "demo.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(KeysUnreadable, match=says):
        read_keys(path)
