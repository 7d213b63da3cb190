"""Which profile fits what was measured, how well, and where does it only guess?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, sqrt
from typing import Any, Final

from coordination.calibration.coefficients import MEANS, scaled
from coordination.calibration.evidence import Evidence, EvidenceError
from coordination.calibration.fitting import KNOWN, Fit, fit
from coordination.capacity import CHUNK_TOKENS, Profile, step_model, step_time
from coordination.capacity.profile_file import profile_bytes

NOISE_KNOWN: Final = 0.01
"""Relative error below which no measurement is believed."""
FEWEST: Final = 6
MANY: Final = 30
"""Measurements below which a fit is said to rest on few."""


@dataclass(frozen=True, slots=True)
class Errors:
    """How far a profile is off what was measured; relative, but for ``r2``."""

    count: int
    median: float
    p95: float
    bias: float
    """The median with its sign: above zero, the profile is too slow."""
    r2: float | None
    """Of seconds; None where what was measured did not vary."""

    def as_json(self) -> dict[str, Any]:
        shown = {name: getattr(self, name) for name in ("median", "p95", "bias", "r2")}
        return {
            "count": self.count,
            **{name: None if value is None else round(value, 6) for name, value in shown.items()},
        }


@dataclass(frozen=True, slots=True)
class Coefficient:
    name: str
    factor: float
    """Times the profile it started from."""
    plus_minus: float | None
    """Half of the factor's 95 % interval, relative; None: it stayed where it was."""

    @property
    def fitted(self) -> bool:
        return self.plus_minus is not None


@dataclass(frozen=True, slots=True)
class Calibration:
    """A profile, and what is to be known of it."""

    profile: Profile
    base: Profile
    source: str
    coefficients: tuple[Coefficient, ...]
    extra: tuple[str, float] | None
    """The unknown that is no part of the profile, and what it came to."""
    errors: dict[str, dict[str, dict[str, Errors]]]
    """``fitted`` and ``held_out`` -> measure -> ``before`` and ``after``."""
    replayed: dict[str, dict[str, tuple[float, float]]]
    """Measure -> percentile -> seconds as recorded, and of a replay that knows only what was sent."""
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def capacity(self) -> dict[str, int]:
        """What a Pool of such replicas would state: tokens a minute, sequences, KV tokens."""
        profile = self.profile
        sequences = profile.max_sequences
        context = min(2048, profile.kv_tokens // sequences)
        prefill = CHUNK_TOKENS / step_time(profile, [(CHUNK_TOKENS, 0)])
        decode = sequences / step_time(profile, decodes=sequences, decode_context=sequences * context)
        return {
            "input": round(prefill * 60),
            "output": round(decode * 60),
            "sequences": sequences,
            "kv_tokens": profile.kv_tokens,
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "like": self.base.name,
            "coefficients": {
                one.name: {
                    "fitted": one.fitted,
                    "factor": round(one.factor, 6),
                    "plus_minus": None if one.plus_minus is None else round(one.plus_minus, 6),
                }
                for one in self.coefficients
            },
            "beside": {} if self.extra is None else {self.extra[0]: round(self.extra[1], 6)},
            "errors": {
                part: {
                    name: {when: errors.as_json() for when, errors in both.items()}
                    for name, both in by_name.items()
                }
                for part, by_name in self.errors.items()
            },
            "replayed": {
                name: {
                    at: {"recorded": round(recorded, 6), "profile": round(expected, 6)}
                    for at, (recorded, expected) in by.items()
                }
                for name, by in self.replayed.items()
            },
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }

    def file(self) -> bytes:
        """What ``--profile`` reads, with the report of the fit in it."""
        return profile_bytes(self.profile, fit=self.as_json(), capacity=self.capacity())


def calibrate(
    evidence: Evidence,
    base: Profile,
    name: str,
    *,
    kv_tokens: int | None = None,
    sequences: int | None = None,
) -> Calibration:
    """Raises ``EvidenceError`` if too little was measured."""
    kept = [position for position, out in enumerate(evidence.held_out) if not out]
    if len(kept) < FEWEST:
        raise EvidenceError("", 0, f"{len(kept)} measurements to fit, at least {FEWEST} are needed")
    names = list(MEANS)
    parameters = len(names) + (evidence.extra is not None)

    def extra(logarithms: Sequence[float]) -> float:
        return evidence.extra[1] * exp(logarithms[-1]) if evidence.extra is not None else 0.0

    def expect(logarithms: Sequence[float]) -> list[float]:
        factors = {each: exp(value) for each, value in zip(names, logarithms, strict=False)}
        return evidence.expected(step_model(scaled(base, factors, name)), extra(logarithms))

    def of_kept(logarithms: Sequence[float]) -> list[float]:
        whole = expect(logarithms)
        return [whole[position] for position in kept]

    found = fit(
        of_kept,
        [evidence.measured[position] for position in kept],
        parameters,
        common=len(names),
        noise_known=NOISE_KNOWN,
    )
    step_model.cache_clear()
    factors = {each: exp(value) for each, value in zip(names, found.factors, strict=False)}
    profile = replace(
        scaled(base, factors, name),
        kv_tokens=kv_tokens or base.kv_tokens,
        max_sequences=sequences or base.max_sequences,
    )
    before = expect([0.0] * parameters)
    after = expect(found.factors)
    coefficients = tuple(
        Coefficient(each, factors[each], None if spread is None else 1.96 * spread)
        for each, spread in zip(names, found.spread, strict=False)
    )
    return Calibration(
        profile=profile,
        base=base,
        source=evidence.source,
        coefficients=coefficients,
        extra=None if evidence.extra is None else (evidence.extra[0], extra(found.factors)),
        errors=_errors(evidence, before, after),
        replayed={
            name: {f"p{percent}": (_at(a, percent), _at(b, percent)) for percent in (50, 95)}
            for name, (a, b) in evidence.replayed(step_model(profile), extra(found.factors)).items()
        },
        notes=tuple(evidence.notes),
        warnings=tuple(_warnings(evidence, profile, coefficients, found)),
    )


def _errors(
    evidence: Evidence, before: list[float], after: list[float]
) -> dict[str, dict[str, dict[str, Errors]]]:
    told: dict[str, dict[str, dict[str, Errors]]] = {}
    for part, out in (("fitted", False), ("held_out", True)):
        for name in sorted(set(evidence.names)):
            at = [
                position
                for position, each in enumerate(evidence.names)
                if each == name and evidence.held_out[position] is out
            ]
            if at:
                told.setdefault(part, {})[name] = {
                    when: errors_of([evidence.measured[n] for n in at], [expected[n] for n in at])
                    for when, expected in (("before", before), ("after", after))
                }
    return told


def errors_of(measured: Sequence[float], expected: Sequence[float]) -> Errors:
    relative = sorted(e / m - 1.0 for m, e in zip(measured, expected, strict=True))
    sizes = sorted(map(abs, relative))
    count = len(sizes)
    mean = sum(measured) / count
    varied = sum((m - mean) ** 2 for m in measured)
    left = sum((m - e) ** 2 for m, e in zip(measured, expected, strict=True))
    return Errors(
        count,
        sizes[count // 2],
        sizes[min(count - 1, int(count * 0.95))],
        relative[count // 2],
        1.0 - left / varied if sqrt(varied / count) > 1e-9 * mean else None,
    )


def _at(ordered: Sequence[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _warnings(
    evidence: Evidence, profile: Profile, coefficients: Sequence[Coefficient], found: Fit
) -> list[str]:
    seen, told = evidence.seen, []
    if (count := sum(not out for out in evidence.held_out)) < MANY:
        told.append(f"fitted to {count} times only: take the figures as a guess")
    stayed = [one.name for one in coefficients if not one.fitted]
    if stayed:
        told.append(
            f"not to be told from these measurements (to ±{KNOWN * 196:.0f} %), and left as in the profile "
            f"it started from: {', '.join(stayed)}"
        )
    if seen.sequences < profile.max_sequences // 2:
        told.append(
            f"at most {seen.sequences} sequences decoded together; "
            f"a replica takes {profile.max_sequences}: beyond it the profile extrapolates"
        )
    if seen.prefill_tokens < CHUNK_TOKENS // 2:
        told.append(
            f"at most {seen.prefill_tokens} prompt tokens were computed in a step; "
            f"a chunk has {CHUNK_TOKENS}: beyond it the profile extrapolates"
        )
    if seen.context < 8192:
        told.append(f"contexts of at most {seen.context} tokens were seen: longer ones are extrapolated")
    for field in ("weight_efficiency", "flops_efficiency", "attention_efficiency", "kv_efficiency"):
        value = getattr(profile, field)
        if value > 1.0:
            told.append(
                f"{field} {value:.2f} is more than the accelerator can do: is `--like` the right model, "
                "accelerator and precision?"
            )
    if found.sigma > 0.2:
        told.append(f"the fit is poor: half of the errors exceed {found.sigma / 1.4826:.0%}")
    return told
