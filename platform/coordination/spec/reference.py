"""What does the reference page of a kind say? Written from the declarations, so it cannot be out of date."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from coordination.spec.declaration import Block, Field, Fields
from coordination.spec.finding import Unset
from coordination.spec.formatting import Bare
from coordination.spec.kinds import NOTATIONS
from coordination.spec.notation import Factor, Items, Notation, Share, Table
from coordination.spec.plain import Plain

NOTICE = "<!-- Written by `headway schema --pages`; change platform/coordination/spec/kinds instead. -->"


def pages(examples: dict[str, str]) -> dict[str, str]:
    """File name -> Markdown, one page a kind and an index. ``examples``: kind -> a document of it."""
    found = {f"{kind}.md": _page(kind, examples.get(kind, "")) for kind in NOTATIONS}
    return {"README.md": _index(), **found}


def _index() -> str:
    lines = [NOTICE, "# Kinds of policy object", "", "| kind | what it is |", "|---|---|"]
    lines += [f"| [{kind}]({kind}.md) | {_about(fields.block)} |" for kind, fields in NOTATIONS.items()]
    return "\n".join(lines) + "\n"


def _page(kind: str, example: str) -> str:
    fields = NOTATIONS[kind]
    lines = [NOTICE, f"# {kind}", "", _about(fields.block), ""]
    if example:
        lines += ["```yaml", example.rstrip("\n"), "```", ""]
    lines += ["## spec", "", *_table(fields)]
    for inner in _inner(fields, {}):
        lines += ["", f"## {inner.title}", "", _about(inner.block), "", *_table(inner)]
    return "\n".join(lines) + "\n"


def _inner(fields: Fields, seen: dict[type[Block], None]) -> Iterator[Fields]:
    """The blocks below, each once, in the order they are met."""
    for field in fields.fields.values():
        for block in _blocks(field.notation):
            if block.block not in seen:
                seen[block.block] = None
                yield from chain([block], _inner(block, seen))


def _blocks(notation: Notation) -> Iterator[Fields]:
    if isinstance(notation, Fields):
        yield notation
    elif isinstance(notation, Items | Table):
        yield from _blocks(notation.of)


def _table(fields: Fields) -> Iterator[str]:
    yield "| field | value | by default | what it says |"
    yield "|---|---|---|---|"
    for field in fields.fields.values():
        doc = field.doc or (_about(field.notation.block) if isinstance(field.notation, Fields) else "")
        yield f"| `{field.name}` | {_cell(field.notation.says())} | {_cell(_default(field))} | {_cell(doc)} |"


def _default(field: Field) -> str:
    if isinstance(field.default, Unset):
        return "**required**"
    if field.default is None or isinstance(field.default, Block):
        return ""
    written = field.notation.write(field.default)
    return f"`{_shown(written, field.notation)}`" if written not in ([], {}, "") else ""


def _shown(value: Plain, notation: Notation) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    bare = isinstance(notation, Factor) and not isinstance(notation, Share)
    return Bare(value) if bare else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _about(block: type[Block]) -> str:
    return (block.__doc__ or "").strip()
