"""What an engine reports, by the five classes of tokens: disjoint, whatever it says."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.scheduling.values import Usage
from gateway.endpoints.responses import read_response_usage
from gateway.usage import read_usage

COUNT = st.none() | st.integers(0, 50)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), COUNT, COUNT, COUNT)
def test_classes_add_up_to_what_was_reported(prompt, generated, cached, written, reasoning):
    told = {
        "prompt_tokens": prompt,
        "completion_tokens": generated,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    usage, _ = read_usage(json.dumps({"choices": [], "usage": told}).encode())
    assert usage is not None
    assert usage.computed + usage.cached_input == prompt
    assert usage.generated == generated
    assert usage.reasoning == min(reasoning or 0, generated)
    assert min(usage.uncached_input, usage.cache_write, usage.output) >= 0
    told["input_tokens"], told["output_tokens"] = told.pop("prompt_tokens"), told.pop("completion_tokens")
    told["input_tokens_details"] = told.pop("prompt_tokens_details")
    told["output_tokens_details"] = told.pop("completion_tokens_details")
    assert read_response_usage(json.dumps({"usage": told}).encode()) == usage


def test_what_some_engines_call_cache_creation_is_cache_write():
    told = {"prompt_tokens": 10, "prompt_tokens_details": {"cache_creation_tokens": 4}}
    assert read_usage(json.dumps({"usage": told}).encode())[0] == Usage(6, 0, 0, 4, 0)
