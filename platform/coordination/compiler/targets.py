"""What of the language can the gateway of this version not do yet, and what happens instead?

The language is complete, its gateway is not: a field may be written before it is enforced. This table
is the one place that knows which; the TARGET rules read it, so nobody takes a written promise for one
that is kept. Whoever teaches the gateway a field takes its line out, and the warnings are gone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

from coordination.compiler.catalogue import Catalogue
from coordination.spec import KINDS, Document
from coordination.spec.declaration import Block, fields_of
from coordination.spec.plain import Path

TARGET = "gateway"


class Gap(NamedTuple):
    """A field that has no effect, or that a gateway could not do without."""

    kind: str
    field: str
    """Steps from ``spec``: ``replicas.inference_pool``."""
    instead: str
    """What happens instead, as a sentence."""
    stops: bool = False
    """Whether the policy would do something else than it says, so that it must not be built."""


GAPS: tuple[Gap, ...] = (
    Gap("Pool", "replicas.inference_pool", "A gateway reaches replicas by `urls` or `dns` only.", stops=True),
    Gap("Tier", "escalate_to", "A batch stays in its tier until its deadline."),
)  # fmt: skip


class Written(NamedTuple):
    """A place where a field of the table is written."""

    document: Document
    path: Path


def written(catalogue: Catalogue, *, stops: bool) -> Iterator[tuple[Gap, list[Written]]]:
    """Each line of the table that a policy runs into, with every place, by kind and name."""
    for gap in GAPS:
        if gap.stops == stops and (found := catalogue.ask(_written, gap)):
            yield gap, found


def _written(catalogue: Catalogue, gap: Gap) -> list[Written]:
    """A question for each line, so that an edit has the documents of its own kind looked through again."""
    steps = tuple(gap.field.split("."))
    first = steps[0]
    default = _defaults(KINDS[gap.kind])[first]
    return [
        Written(entry.document, path)
        for entry in catalogue.of_kind(gap.kind).values()
        if getattr(entry.spec, first) != default
        for path in _places(entry.spec, steps, (None, "spec"))
    ]


def _places(spec: Block, steps: tuple[str, ...], path: Path) -> Iterator[Path]:
    """Where a field below a block differs from its default."""
    name, *rest = steps
    held = getattr(spec, name)
    if held == _defaults(type(spec))[name]:
        return
    if not rest:
        yield (path, name)
    elif held is not None:
        yield from _places(held, tuple(rest), (path, name))


@functools.cache
def _defaults(block: type[Block]) -> dict[str, Any]:
    """What each field of a block holds unless it is written."""
    return {field.name: field.default for field in fields_of(block)}
