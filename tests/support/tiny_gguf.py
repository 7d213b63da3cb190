"""A language model of a few kilobytes that llama.cpp loads: one layer, random weights, words of letters.

What it says is nonsense, and always the same nonsense: greedy decoding of fixed weights. It is written in the
GGUF format, version 3: a head, typed pairs, a table of tensors, then their data, each aligned.
"""

from __future__ import annotations

import random
import struct
from array import array
from pathlib import Path

WIDTH, HEADS, INNER, CONTEXT = 32, 2, 64, 512
ALIGNMENT = 32
UINT32, FLOAT32, STRING, ARRAY, INT32 = 4, 6, 8, 9, 5
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
SPACE = "\u2581"
"""How the tokenizer writes a blank."""
WORDS = [first + second for first in "bdfglmnprst" for second in ("a", "e", "i", "o", "u")]
TOKENS = [
    ("<unk>", UNKNOWN),
    ("<s>", CONTROL),
    ("</s>", CONTROL),
    *((f"<0x{byte:02X}>", BYTE) for byte in range(256)),
    (SPACE, NORMAL),
    *((letter, NORMAL) for letter in "abcdefghijklmnopqrstuvwxyz"),
    *((SPACE + word, NORMAL) for word in WORDS),
]


def write(path: Path) -> None:
    """Write the model to ``path``."""
    draw = random.Random(1)

    def noise(*shape: int) -> tuple[tuple[int, ...], array[float]]:
        count = 1
        for length in shape:
            count *= length
        return shape, array("f", (draw.gauss(0, 0.5) for _ in range(count)))

    def ones(length: int) -> tuple[tuple[int, ...], array[float]]:
        return (length,), array("f", [1.0] * length)

    spoken = array("f")  # only whole words are ever the likeliest: what is said is text
    for text, _ in TOKENS:
        spoken.extend(draw.gauss(0, 0.5) if len(text) == 3 and text[0] != "<" else 0.0 for _ in range(WIDTH))
    tensors = {
        "token_embd.weight": noise(WIDTH, len(TOKENS)),
        "output_norm.weight": ones(WIDTH),
        "output.weight": ((WIDTH, len(TOKENS)), spoken),
        "blk.0.attn_norm.weight": ones(WIDTH),
        "blk.0.attn_q.weight": noise(WIDTH, WIDTH),
        "blk.0.attn_k.weight": noise(WIDTH, WIDTH),
        "blk.0.attn_v.weight": noise(WIDTH, WIDTH),
        "blk.0.attn_output.weight": noise(WIDTH, WIDTH),
        "blk.0.ffn_norm.weight": ones(WIDTH),
        "blk.0.ffn_gate.weight": noise(WIDTH, INNER),
        "blk.0.ffn_up.weight": noise(WIDTH, INNER),
        "blk.0.ffn_down.weight": noise(INNER, WIDTH),
    }
    pairs = [
        _pair("general.architecture", _text("llama")),
        _pair("general.name", _text("tiny")),
        _pair("general.alignment", _whole(ALIGNMENT)),
        _pair("llama.context_length", _whole(CONTEXT)),
        _pair("llama.embedding_length", _whole(WIDTH)),
        _pair("llama.block_count", _whole(1)),
        _pair("llama.feed_forward_length", _whole(INNER)),
        _pair("llama.attention.head_count", _whole(HEADS)),
        _pair("llama.attention.head_count_kv", _whole(HEADS)),
        _pair("llama.attention.layer_norm_rms_epsilon", struct.pack("<If", FLOAT32, 1e-5)),
        _pair("llama.rope.dimension_count", _whole(WIDTH // HEADS)),
        _pair("llama.vocab_size", _whole(len(TOKENS))),
        _pair("tokenizer.ggml.model", _text("llama")),
        _pair("tokenizer.ggml.tokens", _list(STRING, [_string(text) for text, _ in TOKENS])),
        _pair("tokenizer.ggml.scores", _list(FLOAT32, [struct.pack("<f", -n) for n in range(len(TOKENS))])),
        _pair("tokenizer.ggml.token_type", _list(INT32, [struct.pack("<i", kind) for _, kind in TOKENS])),
        _pair("tokenizer.ggml.unknown_token_id", _whole(0)),
        _pair("tokenizer.ggml.bos_token_id", _whole(1)),
        _pair("tokenizer.ggml.eos_token_id", _whole(2)),
    ]
    table, data = bytearray(), bytearray()
    for name, (shape, values) in tensors.items():
        table += _string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        table += struct.pack("<IQ", 0, len(data))  # 0: 32-bit floats
        data += values.tobytes()
        data += bytes(-len(data) % ALIGNMENT)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs) + table
    path.write_bytes(head + bytes(-len(head) % ALIGNMENT) + data)


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _pair(key: str, value: bytes) -> bytes:
    return _string(key) + value


def _text(text: str) -> bytes:
    return struct.pack("<I", STRING) + _string(text)


def _whole(number: int) -> bytes:
    return struct.pack("<II", UINT32, number)


def _list(kind: int, items: list[bytes]) -> bytes:
    return struct.pack("<IIQ", ARRAY, kind, len(items)) + b"".join(items)
