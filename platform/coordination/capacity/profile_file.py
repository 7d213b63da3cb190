"""How is a profile written to a file, and read back by whoever did not write it?

A file is one JSON object: ``"headway": "profile/1"``, the fields of ``Profile`` under ``"profile"``, and
whatever else its writer wants to be known (``headway calibrate`` puts there how good the fit was).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from coordination.capacity.profiles import Profile
from coordination.capacity.steps import CHUNK_TOKENS, step_time

FORMAT: Final = "profile/1"
LARGEST: Final = 1 << 20
"""Bytes of a file that could be one."""

_Positive = Annotated[float, msgspec.Meta(gt=0, le=1e18, description="a number above 0, at most 1e18")]
_Coefficient = Annotated[float, msgspec.Meta(ge=0, le=1e6, description="a number from 0 to 1,000,000")]
_Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000, description="a whole number from 1 to 1,000,000")]
_Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9][a-z0-9.-]{0,99}$",
        description="1 to 100 lower-case letters, digits, dots and dashes, no dot or dash first",
    ),
]
_Words = Annotated[
    str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]{1,200}$", description="1 to 200 printable characters")
]
_CONTEXT: Final = 131_072
_QUICKEST, _SLOWEST = 1e-6, 3600.0
"""Seconds of a step that are believed: outside, a simulation would stand still or never end."""
_SAID: Final = 3


class Fault(NamedTuple):
    """What is wrong at one place. ``pointer`` is a JSON pointer into the file; empty is all of it."""

    pointer: str
    code: str
    """``malformed``, ``required``, ``unknown_field``, ``out_of_range``, ``too_large``, ``other_version``."""
    message: str


class ProfileFileError(ValueError):
    """Not a profile; the message says why, ``faults`` each place."""

    def __init__(self, *faults: Fault) -> None:
        said = [f"{one.pointer.removeprefix('/profile/')}: {one.message}" for one in faults[:_SAID]]
        more = f"; and {len(faults) - _SAID} more" if len(faults) > _SAID else ""
        super().__init__(f"not a profile: {'; '.join(said).removeprefix(': ')}{more}")
        self.faults = faults


class _Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``Profile``, with the bounds a stranger's numbers must keep."""

    name: _Name
    model: _Words
    accelerator: _Words
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
    kv_tokens: Annotated[int, msgspec.Meta(ge=512, le=10**12, description="a whole number from 512 to 10^12")]
    max_sequences: Annotated[int, msgspec.Meta(ge=1, le=8192, description="a whole number from 1 to 8,192")]
    bytes_per_param: _Positive
    bytes_per_kv_value: _Positive
    blend: Annotated[float, msgspec.Meta(ge=1, le=16, description="a number from 1 to 16")]
    attention_efficiency: _Positive
    kv_efficiency: _Positive
    step_overhead: _Coefficient
    layer_launch: _Coefficient
    per_sequence: _Coefficient
    reduce_latency: _Coefficient
    reduce_bandwidth: _Positive


def profile_bytes(profile: Profile, **beside: Any) -> bytes:
    """The file's content; ``beside`` are further members."""
    whole = {"headway": FORMAT, "profile": _fields(profile), **beside}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def profile_digest(profile: Profile) -> str:
    """By which reports name it: of the profile alone, whatever stood beside it in its file."""
    return f"sha256:{hashlib.sha256(profile_bytes(profile)).hexdigest()}"


def read_profile(data: bytes) -> Profile:
    """Raises ``ProfileFileError`` with every fault there is."""
    if len(data) > LARGEST:
        raise ProfileFileError(Fault("", "too_large", f"more than {LARGEST:,} bytes"))
    try:
        whole = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
        raise ProfileFileError(Fault("", "malformed", str(problem))) from None
    if not isinstance(whole, dict) or not isinstance(version := whole.get("headway"), str):
        says = f'not a JSON object with "headway": "{FORMAT}"'
        raise ProfileFileError(Fault("", "malformed", says))
    if version != FORMAT:
        says = f"a {version[:40]}; this version reads {FORMAT}"
        raise ProfileFileError(Fault("/headway", "other_version", says))
    given = whole.get("profile")
    if not isinstance(given, dict):
        code = "malformed" if "profile" in whole else "required"
        raise ProfileFileError(Fault("/profile", code, "an object with the fields of a profile"))
    if faults := tuple(_faults(given)):
        raise ProfileFileError(*faults)
    shape = msgspec.convert(given, _Shape)
    profile = Profile(**{name: getattr(shape, name) for name in _Shape.__struct_fields__})
    _believe(profile)
    return profile


def _faults(given: dict[str, Any]) -> Iterator[Fault]:
    """Of each field, in the order they are written; then what there is no field for."""
    fields = {field.name: field.type for field in msgspec.structs.fields(_Shape)}
    for name, wanted in fields.items():
        if name not in given:
            yield Fault(f"/profile/{name}", "required", "is missing")
            continue
        try:
            msgspec.convert(given[name], wanted)
        except msgspec.ValidationError:
            says = f"must be {wanted.__metadata__[0].description}"
            yield Fault(f"/profile/{name}", _code(given[name], wanted), says)
    for name in given:
        if name not in fields:
            pointer = name[:100].replace("~", "~0").replace("/", "~1")
            yield Fault(f"/profile/{pointer}", "unknown_field", "there is no such field")


def _code(value: object, wanted: Any) -> str:
    """Whether it is the bounds that a value breaks, or what it is at all."""
    plain = wanted.__origin__
    try:
        msgspec.convert(value, plain)
    except msgspec.ValidationError:
        return "malformed"
    return "malformed" if plain is str else "out_of_range"


def _believe(profile: Profile) -> None:
    """Each number may be in bounds and their quotients absurd. Raises ``ProfileFileError``."""
    try:
        shortest = step_time(profile, decodes=1)
        longest = step_time(
            profile,
            [(CHUNK_TOKENS, _CONTEXT)],
            decodes=profile.max_sequences,
            decode_context=profile.max_sequences * _CONTEXT,
        )
        told = f"a step of one token would take {shortest:.3g} s, of a full batch {longest:.3g} s"
        believed = _QUICKEST <= shortest <= longest <= _SLOWEST
    except ArithmeticError:
        told, believed = "a step's time is no number", False
    if not believed:
        says = f"{told}; from {_QUICKEST:g} to {_SLOWEST:g} s are believed"
        raise ProfileFileError(Fault("/profile", "out_of_range", says))


def _fields(profile: Profile) -> dict[str, Any]:
    return {name: getattr(profile, name) for name in _Shape.__struct_fields__}
