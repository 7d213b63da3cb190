"""How is a profile written to a file, and read back by whoever did not write it?

A file is one JSON object: ``"headway": "profile/1"``, the fields of ``Profile`` under ``"profile"``, and
whatever else its writer wants to be known (``headway calibrate`` puts there how good the fit was).
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from coordination.capacity.profiles import Profile

FORMAT: Final = "profile/1"
LARGEST: Final = 1 << 20
"""Bytes of a file that could be one."""

_Positive = Annotated[float, msgspec.Meta(gt=0, le=1e18)]
_Coefficient = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,99}$")]


class ProfileFileError(ValueError):
    """Not a profile; the message says why."""


class _Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``Profile``, with the bounds a stranger's numbers must keep."""

    name: _Name
    model: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    accelerator: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    tensor_parallel: _Count
    linear_params: _Positive
    layers: _Count
    heads: _Count
    kv_heads: _Count
    head_dim: _Count
    width: _Count
    peak_flops: _Positive
    memory_bandwidth: _Positive
    weight_efficiency: _Positive
    flops_efficiency: _Positive
    per_token: _Coefficient
    kv_tokens: Annotated[int, msgspec.Meta(ge=512, le=10**12)]
    max_sequences: Annotated[int, msgspec.Meta(ge=1, le=8192)]
    bytes_per_param: _Positive
    bytes_per_kv_value: _Positive
    blend: Annotated[float, msgspec.Meta(ge=1, le=16)]
    attention_efficiency: _Positive
    kv_efficiency: _Positive
    step_overhead: _Coefficient
    layer_launch: _Coefficient
    per_sequence: _Coefficient
    reduce_latency: _Coefficient
    reduce_bandwidth: _Positive


class _File(msgspec.Struct, frozen=True):
    headway: str
    profile: _Shape


def profile_bytes(profile: Profile, **beside: Any) -> bytes:
    """The file's content; ``beside`` are further members."""
    whole = {"headway": FORMAT, "profile": _fields(profile), **beside}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def read_profile(data: bytes) -> Profile:
    """Raises ``ProfileFileError``."""
    if len(data) > LARGEST:
        raise ProfileFileError(f"more than {LARGEST} bytes: not a profile")
    try:
        file = msgspec.json.decode(data, type=_File)
    except msgspec.DecodeError as problem:
        raise ProfileFileError(f"not a profile: {problem}") from None
    if file.headway != FORMAT:
        raise ProfileFileError(f"a {file.headway[:40]}; this version reads {FORMAT}")
    return Profile(**{name: getattr(file.profile, name) for name in _Shape.__struct_fields__})


def _fields(profile: Profile) -> dict[str, Any]:
    return {name: getattr(profile, name) for name in _Shape.__struct_fields__}
