"""How does a person read diagnostics? Message, the lines it speaks of with marks, notes, remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from coordination.diagnostics.excerpts import Margin, Painter, Sources, excerpt, printable
from coordination.diagnostics.values import SEVERITIES, Diagnostic, Related, count

MOST_EXCERPTS = 3
"""Related places shown with their lines; further ones take one line each."""
APPLICABILITY = {
    "safe": "`headway check --fix` does it",
    "unsafe": "if that is what is meant",
    "display": "",
}


def render_text(diagnostics: Sequence[Diagnostic], texts: Mapping[str, str], *, colour: bool = False) -> str:
    """Every diagnostic, then a summary. ``texts`` maps file names to what they hold."""
    paint, sources = Painter(colour), Sources(texts)
    parts = ["\n".join(_render(d, sources, paint)) + "\n" for d in diagnostics]
    return "\n".join([*parts, "\n".join(summary(diagnostics, paint))]) + "\n"


def summary(diagnostics: Sequence[Diagnostic], paint: Painter) -> Iterator[str]:
    """How many of each severity, and where to go from here."""
    said = [
        paint(severity, f"{n} {severity if n == 1 or severity == 'info' else severity + 's'}")
        for severity, n in count(diagnostics).items()
        if n
    ]
    if not said:
        yield paint("good", "no problems found")
        return
    safe = sum(1 for d in diagnostics if d.fix is not None and d.fix.applicability == "safe")
    mend = f"; `headway check --fix` mends {safe}" if safe else ""
    yield f"found {', '.join(said)}{mend}"
    gravest = min(diagnostics, key=lambda d: SEVERITIES.index(d.severity))
    yield f"more about a code: headway explain {gravest.code}"


def _render(diagnostic: Diagnostic, sources: Sources, paint: Painter) -> Iterator[str]:
    severity, at = diagnostic.severity, diagnostic.location
    yield paint(severity, f"{severity}[{diagnostic.code}]") + paint(
        "bold", f": {printable(diagnostic.message)}"
    )
    lines = [place.line for place in (at, *(r.location for r in diagnostic.related)) if place]
    margin = Margin(len(str(max(lines, default=0))), paint)
    if at is not None:
        yield margin.arrow("-->", at)
        yield from excerpt(at, sources, margin, mark="^", paint=paint, colour=severity)
    for i, related in enumerate(diagnostic.related):
        yield from _related(related, sources, margin, paint, brief=i >= MOST_EXCERPTS)
    remarks = [("note", note) for note in diagnostic.notes]
    if diagnostic.fix is not None:
        how = APPLICABILITY[diagnostic.fix.applicability]
        remarks.append(("fix", f"{diagnostic.fix.title} ({how})" if how else diagnostic.fix.title))
    if remarks and at is not None:
        yield margin.bar
    for what, text in remarks:
        yield margin.item(what, text)


def _related(
    related: Related, sources: Sources, margin: Margin, paint: Painter, *, brief: bool
) -> Iterator[str]:
    at = related.location
    if brief or sources.line(at.file, at.line) is None:
        yield f"{margin.arrow(':::', at)}: {printable(related.message)}"
        return
    yield margin.arrow(":::", at)
    yield from excerpt(at, sources, margin, mark="-", paint=paint, colour="place", label=related.message)
