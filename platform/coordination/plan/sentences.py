"""How is a change said, so that an operator reads the contract and not its keys?

``acme: priority output 60k -> 90k tokens/min from 1 Dec 2026``
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from coordination.plan.comparing import Spot
from coordination.program.records import Micros
from coordination.spec import Document
from coordination.spec.declaration import Fields, notation_of
from coordination.spec.kinds.quota import Amount
from coordination.spec.kinds.reservation import Window
from coordination.spec.notation import Items, Notation, Rate
from coordination.spec.plain import Plain
from coordination.spec.quantities import EPOCH

WORDS = {
    "limits": "",
    "objectives": "objective",
    "limit": "",
    "throughput": "",
    "targets": "share of",
    "weight": "",
    "entries": "price of",
    "tier_multipliers": "price in tier",
    "queue": "",
    "capacity": "a replica's",
    "replicas": "",
    "urls": "replicas",
    "match": "matched",
    "window": "",
    "tokens": "tokens",
}
"""What a field is called in a sentence, where its own name does not read well."""
PERIODS = {"1m": "a minute", "1h": "an hour", "day": "a day", "month": "a month"}
NAMING = ("of", "per", "pool", "model", "from", "metric", "percentile", "uncached_input")
"""Fields that an entry's name says."""
NOTHING = "none"
LONGEST = 120


def of_object(document: Document, at: Micros, *, added: bool) -> str:
    """An object that comes or goes."""
    return f"{_subject(document)}: {_what(document)} {'added' if added else 'removed'}{_since(document, at)}"


def of_spot(after: Document, spot: Spot, at: Micros) -> str:
    """One place of an object that changes."""
    label = _label(after, spot)
    head = f"{_subject(after)}: {label}"
    if spot.how == "added":
        return f"{head} added{_entry(spot.notation, spot.after)}"
    if spot.how == "removed":
        return f"{head} removed{_entry(spot.notation, spot.before)}"
    if spot.shape.endswith("/scheduled"):
        return f"{head} {_times(spot.before)} -> {_times(spot.after)}"
    if isinstance(spot.notation, Items) and not isinstance(spot.notation.of, Fields):
        return f"{head} {_sets(spot)}"
    unit = f" {spot.notation.unit}" if isinstance(spot.notation, Rate) else ""
    shown = [_shown(spot.notation, value, unit) for value in (spot.before, spot.after)]
    since = _since(after, at) if after.kind == "Reservation" and not spot.shape.startswith("window") else ""
    return f"{head} {shown[0]} -> {shown[1]}{unit}{since}"


def _times(changes: Any) -> str:
    """``3M from 2026-12-01T00:00:00Z until ...``, for each change of a limit."""
    said = []
    for change in changes or ():
        window = [
            f"{'on' if field.name == 'recurs' else field.name} {field.notation.write(held)}"
            for field in notation_of(Window).fields.values()
            if (held := getattr(change.window, field.attribute)) is not None
        ]
        said.append(" ".join([str(Amount().write(change.limit)), *window]))
    return _cut(", ".join(said) or NOTHING)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _subject(document: Document) -> str:
    """Whom or what the object is about: a quota and a reservation are their tenant's."""
    if document.kind in ("Quota", "Reservation"):
        return str(document.spec.tenant)
    return document.name


def _what(document: Document) -> str:
    """An object as one phrase."""
    spec: Any = document.spec
    match document.kind:
        case "Reservation":
            inputs, outputs = (_rate(spec.throughput.input), _rate(spec.throughput.output))
            return f"reservation {document.name} of {inputs} in, {outputs} out tokens/min in tier {spec.tier}"
        case "Quota":
            return f"quota {document.name}"
        case kind:
            return kind.lower() if kind != "PriceBook" else "price book"


def _rate(value: int) -> str:
    return str(Rate("tokens/min").write(value)).removesuffix(" tokens/min")


def _label(document: Document, spot: Spot) -> str:
    """What the place is called."""
    kind, steps = document.kind, spot.steps
    if kind == "Reservation" and steps[0] == "throughput":
        return f"{document.spec.tier} {steps[-1]}"
    if kind == "Quota" and steps[0] == "limits" and len(steps) > 1:
        of, _, per = steps[1].partition(" ")
        rest = f" {steps[2]}" if len(steps) > 2 and steps[2] != "limit" else ""
        return f"{of.replace('_', ' ')} {PERIODS.get(per, per)}{rest}"
    if kind == "Quota" and steps[0] == "delegation":
        return " of ".join(steps)
    words: list[str] = []
    for step in steps:
        said = WORDS.get(step)
        words.append(step.replace("_", " ") if said is None else said)
    label = " ".join(word for word in words if word)
    return label or steps[-1].replace("_", " ")


def _entry(notation: Notation, value: Any) -> str:
    """The entry of a list in few words, after its name: the values its name does not say."""
    written = notation.write(value)
    if isinstance(written, dict):
        rest = {k: v for k, v in written.items() if k not in NAMING}
        words = [f"{key.replace('_', ' ')} {_plain(each)}" for key, each in rest.items()]
        return f" ({', '.join(words)})" if words else ""
    return f" ({_plain(written)})"


def _sets(spot: Spot) -> str:
    """What a list of names gains and loses."""
    before, after = list(spot.before or ()), list(spot.after or ())
    gains = [str(each) for each in after if each not in before]
    losses = [str(each) for each in before if each not in after]
    if not gains and not losses:
        return f"in another order: {', '.join(map(str, after))}"
    if not before or not after:
        nothing = "any" if spot.shape.startswith(("match/", "scope/", "regions")) else NOTHING
        return " -> ".join(_listed(list(map(str, side))) or nothing for side in (before, after))
    parts = [f"gains {_listed(gains)}"] if gains else []
    parts += [f"loses {_listed(losses)}"] if losses else []
    return " and ".join(parts)


def _listed(names: list[str], most: int = 6) -> str:
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _shown(notation: Notation, value: Any, unit: str) -> str:
    if value is None:
        return NOTHING
    return _plain(notation.write(value)).removesuffix(unit)


def _plain(value: Plain) -> str:
    match value:
        case dict():
            text = ", ".join(f"{key} {_plain(each)}" for key, each in value.items()) or NOTHING
        case list():
            text = ", ".join(map(_plain, value)) or NOTHING
        case bool():
            text = "yes" if value else "no"
        case _:
            text = str(value)
    return _cut(text)


def _since(document: Document, at: Micros) -> str:
    """When it begins, where that is still to come."""
    window = getattr(document.spec, "window", None)
    if window is None or window.from_ is None or window.from_ <= at:
        return ""
    moment = EPOCH + timedelta(microseconds=window.from_)
    clock = f" {moment:%H:%M} UTC" if (moment.hour or moment.minute) else ""
    return f" from {moment.day} {moment:%b %Y}{clock}"
