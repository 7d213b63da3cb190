"""What may be decided on a bad night, by whom, how strongly, for how long? The closed list of overrides.

An override stands before the timeline and the bundle (R12), ends by itself, and is written by the control
plane into its pointers, or signed by hand and given to a gateway's admin port when there is no control plane.
Whoever makes one and whoever enforces one holds it to the same bounds, which are here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal, cast, get_args

from msgspec import Meta

from coordination.bundle import dsse
from coordination.bundle.keys import PublicKey, SigningKey
from coordination.bundle.refusals import Code, Refused, refuse
from coordination.bundle.root import Root
from coordination.bundle.values import Instant, Name, Value, check, decode, encode
from coordination.program.records import MILLION, LimitOf, LimitPer, Micros

FILE = "override.dsse.json"
MAX_OVERRIDES: Final = 32
MAX_FACTOR: Final = 2 * MILLION
HOUR: Final[Micros] = 3_600 * MILLION
DAY: Final[Micros] = 24 * HOUR
EARLY: Final[Micros] = 300 * MILLION
"""How far ahead of a gateway's clock the clock of whoever signs by hand may be."""

OverrideKind = Literal[
    "block_tenant",
    "block_key",
    "drain_pool",
    "drain_replica",
    "freeze_releases",
    "wake_pool",
    "raise_limit",
]
KINDS: Final[tuple[OverrideKind, ...]] = get_args(OverrideKind)
WIDENING: Final[frozenset[OverrideKind]] = frozenset({"raise_limit"})
"""These need two people, and rest for ``REST`` before they may come back."""
REST: Final[Micros] = DAY
LONGEST: Final[Mapping[OverrideKind, Micros]] = {
    "block_tenant": 7 * DAY,
    "block_key": 7 * DAY,
    "drain_pool": 7 * DAY,
    "drain_replica": 7 * DAY,
    "freeze_releases": 3 * DAY,
    "wake_pool": HOUR // 2,
    "raise_limit": 4 * HOUR,
}
FEATURES: Final = frozenset(f"override-{kind.replace('_', '-')}" for kind in KINDS)
"""What a gateway that enforces all of them says it can."""

_STEP = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
_SUBJECTS: Final[Mapping[OverrideKind, tuple[re.Pattern[str], str]]] = {
    "block_tenant": (re.compile(rf"{_STEP}(?:/{_STEP})*"), "a tenant's path"),
    "block_key": (re.compile(r"[a-z2-7]{10}"), "a key's id: its ten characters after `hw_`"),
    "drain_pool": (re.compile(_STEP), "a pool's name"),
    "drain_replica": (re.compile(r"https?://[!-~]+"), "a replica's URL, as the pool names it"),
    "freeze_releases": (re.compile(""), "nothing"),
    "wake_pool": (re.compile(_STEP), "a pool's name"),
    "raise_limit": (
        re.compile(
            rf"{_STEP}:(?:requests|input_tokens|output_tokens|total_tokens|spend):(?:1m|1h|day|month)",
        ),
        "a limit, as QUOTA:OF:PER (acme:total_tokens:1m)",
    ),
}

OverrideId = Annotated[str, Meta(pattern=r"^ovr_[0-9a-z]{8,40}\Z")]
Person = Annotated[str, Meta(min_length=1, max_length=150)]


class Override(Value, frozen=True, omit_defaults=True):
    """One measure. The same id issued again, later, may only end it sooner."""

    id: OverrideId
    kind: OverrideKind
    subject: Annotated[str, Meta(max_length=512)]
    """What it is about, by kind: a tenant with all below it, a key, pool, replica or limit, or nothing."""
    issued_at: Instant
    expires_at: Instant
    """The first instant at which it is no longer in force."""
    reason: Annotated[str, Meta(min_length=1, max_length=300)]
    by: Person
    amount_ppm: Annotated[int, Meta(ge=0)] | None = None
    """``raise_limit`` alone: the factor."""
    approved_by: Person | None = None
    """The second person, for what widens."""

    @property
    def ended(self) -> bool:
        """Was it issued only to end what an earlier statement of its id began?"""
        return self.expires_at <= self.issued_at

    @property
    def limit(self) -> tuple[str, LimitOf, LimitPer]:
        """Quota, dimension and period of a ``raise_limit``."""
        quota, of, per = self.subject.split(":")
        return quota, cast(LimitOf, of), cast(LimitPer, per)


class Statement(Value, frozen=True):
    """What is signed by hand: for one environment, so that it means nothing in another."""

    environment: Name
    override: Override


def fault(override: Override) -> Refused | None:
    """Why this cannot be an override, whoever signed it; ``None`` if it can."""
    form, what = _SUBJECTS[override.kind]
    if not form.fullmatch(override.subject):
        return _refused("malformed_override", f"{override.kind} is about {what}", "subject")
    longest, lasts = LONGEST[override.kind], override.expires_at - override.issued_at
    if lasts > longest:
        return _refused(
            "override_out_of_bounds",
            f"{override.kind} lasts at most {longest // MILLION} s, not {lasts // MILLION} s",
            "expires_at",
        )
    if (override.kind == "raise_limit") != (override.amount_ppm is not None):
        return _refused("malformed_override", "a factor is for raise_limit, which has one", "amount_ppm")
    if override.amount_ppm is not None and not MILLION < override.amount_ppm <= MAX_FACTOR:
        return _refused(
            "override_out_of_bounds",
            f"a limit is raised to at most twice what it is, not to {override.amount_ppm} ppm",
            "amount_ppm",
        )
    alone = override.approved_by in (None, override.by)
    if override.kind in WIDENING and alone and not override.ended:
        return _refused("second_person_needed", f"{override.kind} needs a second person", "approved_by")
    return None


def require_sound(override: Override, *, file: str, json_pointer: str = "") -> None:
    """Raises ``RefusedError`` with the ``fault`` and the place of it."""
    found = fault(override)
    if found is not None:
        raise refuse(found.code, found.message, file=file, json_pointer=json_pointer + found.json_pointer)


def sign_override(statement: Statement, keys: Iterable[SigningKey]) -> bytes:
    """The envelope. ``ValueError`` if the statement breaks its own rules, ``RefusedError`` its bounds."""
    checked = check(statement)
    require_sound(checked.override, file=FILE, json_pointer="/override")
    return dsse.sign(encode(checked), dsse.OVERRIDE, keys)


def open_override(
    envelope: bytes, trusted: Mapping[str, PublicKey], *, environment: str | None = None
) -> Statement:
    """The statement of an envelope that enough of ``trusted`` signed: one, or two for what widens.

    Raises ``RefusedError``: those of ``dsse.verify``, ``malformed_override``, ``override_out_of_bounds``,
    ``second_person_needed`` or ``wrong_environment``. Whether it may take effect is for the register to say.
    """
    payload = dsse.verify(envelope, dsse.OVERRIDE, trusted, file=FILE)
    statement = decode(payload, Statement, code="malformed_override", file=FILE)
    override = statement.override
    require_sound(override, file=FILE, json_pointer="/override")
    if override.kind in WIDENING and not override.ended and len(dsse.signers(envelope)) < 2:
        raise refuse(
            "threshold_not_met",
            f"{override.kind} needs the signatures of two people",
            file=FILE,
            json_pointer="/signatures",
        )
    if environment not in (None, statement.environment):
        raise refuse(
            "wrong_environment",
            f"for {statement.environment}, not for {environment}",
            file=FILE,
            json_pointer="/environment",
        )
    return statement


def trusted_by(root: Root) -> dict[str, PublicKey]:
    """Whose signature by hand a root lets count: those who sign bundles, and the control plane's own key."""
    return root.trusted("bundle") | root.trusted("pointer")


def peek_override(envelope: bytes) -> Statement:
    """The statement, NOT verified: for whoever is about to add a signature of their own."""
    payload = dsse.peek(envelope, dsse.OVERRIDE, file=FILE)
    return decode(payload, Statement, code="malformed_override", file=FILE)


def _refused(code: Code, message: str, field: str) -> Refused:
    return Refused(code, message, FILE, f"/{field}")
