"""Do equal hash ids give equal text, of exactly the length the trace states?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.traces import BLOCK_TOKENS, TraceRequest, tenant_index
from simfleet.traces import BLOCK_BYTES, prompt_text


def request(tokens: int, *blocks: int, line: int = 1) -> TraceRequest:
    return TraceRequest(line, 0, tokens, 1, blocks)


def shared_length(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    return next(
        (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )


def needed(tokens: int) -> int:
    return -(-tokens // BLOCK_TOKENS)


@st.composite
def requests(draw):
    tokens = draw(st.integers(1, 6 * BLOCK_TOKENS))
    ids = draw(st.lists(st.integers(0, 2**63), min_size=needed(tokens), max_size=needed(tokens)))
    return request(tokens, *draw(st.sampled_from([ids, []])), line=draw(st.integers(1, 10**6)))


@settings(max_examples=60)
@given(requests())
def test_a_prompt_has_exactly_its_tokens_however_they_are_counted(asked):
    text = prompt_text(asked)
    assert len(text) == 4 * asked.input_tokens
    assert len(text.split()) == asked.input_tokens
    assert text.isascii()
    # It can stand in a JSON string as it is.
    assert not set(text) & set(b'"\\\n\t')


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
)
def test_prompts_share_bytes_exactly_as_far_as_they_share_leading_blocks(left, right):
    shared = shared_length(left, right)
    texts = [prompt_text(request(BLOCK_TOKENS * len(ids), *ids)) for ids in (left, right)]
    assert shared_length(*texts) // BLOCK_BYTES == shared


def test_a_partial_last_block_is_the_head_of_the_whole_one():
    whole = prompt_text(request(2 * BLOCK_TOKENS, 4, 9))
    assert whole.startswith(prompt_text(request(BLOCK_TOKENS + 1, 4, 9)))


def test_prompts_without_blocks_share_nothing():
    one, other = (prompt_text(request(BLOCK_TOKENS, line=line)) for line in (1, 2))
    assert shared_length(one, other) < 40


def test_the_text_is_the_same_in_every_process_and_hash_seed():
    script = (
        "import hashlib; from simfleet.traces import *; from coordination.traces import *;"
        "print(hashlib.sha256(prompt_text(TraceRequest(1, 0, 1300, 1, (0, 77, 10**12)))).hexdigest())"
    )
    source = str(Path(__file__).parents[3] / "platform")
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": source, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_every_turn_of_a_conversation_belongs_to_one_tenant():
    turns = [request(BLOCK_TOKENS * n, *[0, 41, *range(100, 98 + n)]) for n in range(2, 9)]
    assert len({tenant_index(turn, 4) for turn in turns}) == 1


def test_conversations_spread_evenly_though_all_share_the_first_block():
    counts = [0] * 4
    for conversation in range(4000):
        counts[tenant_index(request(BLOCK_TOKENS * 2, 0, conversation), 4)] += 1
    assert all(850 < count < 1150 for count in counts)


def test_a_prompt_of_one_block_and_one_without_blocks_have_a_tenant_too():
    singles = {tenant_index(request(5, block), 4) for block in range(64)}
    unknown = {tenant_index(request(5, line=line), 4) for line in range(1, 65)}
    assert singles == unknown == {0, 1, 2, 3}
