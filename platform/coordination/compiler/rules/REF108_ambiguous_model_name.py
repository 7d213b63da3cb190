"""REF108: one name that clients send could mean two models."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds import Model

RULE = Rule("REF108", "error", "Ambiguous model name")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    first: dict[str, tuple[Entry[Model], str]] = {}
    for model in catalogue.models.values():
        for name, where in answers_to(model):
            if name not in first:
                first[name] = (model, where)
                continue
            other, place = first[name]
            meaning = "twice" if other is model else f"by `{other.name}` and `{model.name}`"
            yield report(
                RULE,
                model.document,
                where,
                f"the model name `{name}` is claimed {meaning}",
                related=(see(other.document, place, "claimed first here"),),
                notes=(f'A request with "model": "{name}" could be either.',) if other is not model else (),
            )


def answers_to(model: Entry[Model]) -> Iterator[tuple[str, str]]:
    """Each name a client may send for a model, with its place."""
    spec = model.spec
    yield (spec.served_name, "/spec/served_name") if spec.served_name else (model.name, "/metadata/name")
    for i, alias in enumerate(spec.aliases):
        yield alias, f"/spec/aliases/{i}"
    for i, adapter in enumerate(spec.adapters):
        yield adapter, f"/spec/adapters/{i}"
