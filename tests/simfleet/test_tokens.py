"""The fleet's tokeniser: lossless, linear, aligned with replayed traces, and not bytes / 4."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simfleet.tokens import BLOCK_TOKENS, count, split, tokenize

texts = st.one_of(
    st.binary(max_size=400),
    st.text(max_size=200).map(str.encode),
    st.lists(
        st.sampled_from([b"ace ", b"<|user|>", b"<", b"2024 ", b"don't", b"\n\n", b"internationalisation "])
    ).map(b"".join),
)


@settings(max_examples=100)
@given(texts)
def test_the_tokens_joined_are_the_text(text):
    tokens = split(text)
    assert b"".join(tokens) == text
    assert len(tokens) == count(text) == tokenize(text).count
    assert len(tokenize(text).blocks) == count(text) // BLOCK_TOKENS


@settings(max_examples=100)
@given(texts, texts, texts)
def test_blocks_are_shared_exactly_as_far_as_the_tokens_are(common, one, other):
    left, right = split(common + b"<|end|>" + one), split(common + b"<|end|>" + other)
    shared = 0
    while shared < min(len(left), len(right)) and left[shared] == right[shared]:
        shared += 1
    names = zip(
        tokenize(common + b"<|end|>" + one).blocks, tokenize(common + b"<|end|>" + other).blocks, strict=False
    )
    same = [a == b for a, b in names]
    assert same == sorted(same, reverse=True), "once different, for ever different"
    assert sum(same) == shared // BLOCK_TOKENS


def test_a_replayed_block_of_2048_bytes_is_512_tokens_wherever_it_stands():
    block = b"ace act add age " * 128
    assert len(block) == 2048
    assert count(block) == 512
    assert tokenize(block * 3).blocks[:32] == tokenize(block).blocks


def test_equal_blocks_after_different_ones_are_different_blocks():
    one, other, same = b"ace " * 16, b"act " * 16, b"age " * 16
    assert tokenize(one + same).blocks[1] != tokenize(other + same).blocks[1]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (b"", []),
        (b"Hello world", [b"Hello ", b"world"]),
        (b"tokenisation", [b"tokenis", b"ation"]),
        (b"in 2024", [b"in ", b"202", b"4"]),
        (b"end.<|user|>go", [b"end", b".", b"<|user|>", b"go"]),
        ("naïve".encode(), [b"na", "ï".encode(), b"ve"]),
    ],
)
def test_how_text_is_cut(text, tokens):
    assert split(text) == tokens


def test_english_prose_is_not_a_token_every_four_bytes():
    prose = b"The quick brown fox jumps over the lazy dog, and then it rests under the old tree. " * 20
    assert abs(count(prose) - len(prose) / 4) > len(prose) / 4 * 0.05
