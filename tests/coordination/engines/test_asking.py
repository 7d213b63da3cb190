"""What is a replica asked, and what is made of its answers, whatever serves there?"""

from __future__ import annotations

import json

import pytest

from coordination.engines import Answer, Asking
from coordination.engines.asking import LISTED_EVERY, PAGE_AGAIN_AFTER
from coordination.program.records import MILLION

PAGE = b"vllm:num_requests_running 2\n"
NOT_OURS = b"python_gc_objects_collected_total 5\n"
MODELS = json.dumps({"data": [{"id": "m"}, {"id": "sql", "parent": "m"}]}).encode()
SERVERS = {
    "vllm": {"/metrics": (200, PAGE), "/health": (200, b""), "/v1/models": (200, MODELS)},
    "page of somebody else": {"/metrics": (200, NOT_OURS), "/health": (200, b"")},
    "trtllm-serve": {
        "/metrics": (200, b"[]"),
        "/prometheus/metrics": (200, b"trtllm_num_requests_running 1\n"),
    },
    "health only": {"/health": (200, b"OK")},
    "models only": {"/v1/models": (200, MODELS)},
    "nothing but answers": {},
    "still loading": {"/health": (503, b'{"error": "loading"}')},
    "metrics broken": {"/metrics": (500, b"oops"), "/health": (200, b"")},
    "no GET at all": dict.fromkeys(("/metrics", "/health", "/v1/models"), (405, b"")),
    "another key": {"/health": (404, b""), "/v1/models": (401, b"{}")},
}


def ask(asking: Asking, server: str, now: int = 0, *, adapters: bool = False) -> tuple[list[str], Answer]:
    """Until it is known how it is: the paths that took, and the last answer."""
    paths: list[str] = []
    while len(paths) < 10:
        paths.append(asking.next(now, adapters=adapters))
        answer = asking.answered(*SERVERS[server].get(paths[-1], (404, b"")))
        if answer.alive is not None:
            return paths, answer
    raise AssertionError(f"it never knows: {paths}")


@pytest.mark.parametrize(
    ("server", "engine", "paths", "alive", "source"),
    [
        ("vllm", "vllm", ["/metrics"], True, "metrics"),
        ("vllm", "openai", ["/metrics"], True, "metrics"),
        ("trtllm-serve", "trtllm", ["/prometheus/metrics"], True, "metrics"),
        ("vllm", "trtllm", ["/prometheus/metrics", "/metrics"], True, "metrics"),
        ("page of somebody else", "openai", ["/metrics", "/health"], True, "health"),
        ("health only", "openai", ["/metrics", "/health"], True, "health"),
        ("models only", "openai", ["/metrics", "/health", "/v1/models"], True, "models"),
        ("nothing but answers", "openai", ["/metrics", "/health", "/v1/models"], True, "requests"),
        ("no GET at all", "openai", ["/metrics", "/health", "/v1/models"], True, "requests"),
        ("metrics broken", "vllm", ["/metrics", "/health"], True, "health"),
        ("still loading", "openai", ["/metrics", "/health"], False, "health"),
        ("another key", "openai", ["/metrics", "/health", "/v1/models"], False, "models"),
    ],
)  # fmt: skip
def test_how_it_is_known_how_a_replica_is(server, engine, paths, alive, source):
    asking = Asking(engine)
    asked, answer = ask(asking, server)
    assert (asked, answer.alive, asking.source) == (paths, alive, source)
    again, later = ask(asking, server, MILLION)
    assert (again, later.alive) == (paths[-1:], alive), "what was learned is kept"
    assert (answer.problem is None) == bool(alive)
    assert (answer.reading is not None) == (source == "metrics")


def test_a_replica_without_a_page_is_asked_for_one_again_after_a_minute():
    asking = Asking("openai")
    ask(asking, "health only")
    assert asking.next(PAGE_AGAIN_AFTER - 1) == "/health"
    assert ask(asking, "vllm", PAGE_AGAIN_AFTER)[0] == ["/metrics"]
    assert asking.source == "metrics"


def test_a_replica_that_was_lost_may_come_back_as_another_engine():
    asking = Asking("openai")
    ask(asking, "models only")
    asking.lost()
    assert ask(asking, "vllm", MILLION)[0] == ["/metrics"]


def test_where_adapters_are_served_the_list_of_models_is_read_now_and_then():
    asking = Asking("vllm")
    assert ask(asking, "vllm", adapters=True)[0] == ["/v1/models", "/metrics"]
    assert asking.listing is not None
    assert asking.listing.adapters == {"sql"}
    assert ask(asking, "vllm", LISTED_EVERY - 1, adapters=True)[0] == ["/metrics"]
    assert ask(asking, "vllm", LISTED_EVERY, adapters=True)[0] == ["/v1/models", "/metrics"]


def test_a_list_of_models_that_fails_says_nothing_of_who_has_a_page():
    asking = Asking("vllm")
    asking.next(0, adapters=True)
    assert asking.answered(503, b"").alive is None
    assert asking.source == "metrics"


def test_where_nobody_asks_for_adapters_no_list_is_read():
    asking = Asking("vllm")
    assert {asking.next(second * MILLION) for second in range(60)} == {"/metrics"}
