"""``headway schema``: what a policy document may say, for editors and for readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from coordination.spec import KINDS, read
from coordination.spec.formatting import to_yaml
from coordination.spec.reference import pages
from coordination.spec.schema import schema_of, schema_of_all
from headway.cli import check
from headway.cli.artefacts import CouldNotRun, reporting, write_file
from headway.cli.words import Argument, Option


def command(
    kind: Annotated[
        str | None, Argument(help="One kind, such as Tier; by default all.", among=lambda: KINDS)
    ] = None,
    folder: Annotated[Path | None, Option("--pages", help="Write the reference pages there instead.")] = None,
    examples: Annotated[
        str, Option(help="With --pages: a policy set to take the examples from.")
    ] = "examples/quickstart",
) -> None:
    """Print the JSON Schema of policy documents. Exit 0 printed, 2 could not run."""
    with reporting("schema"):
        if folder is not None:
            _write_pages(folder, examples)
            return
        if kind is not None and kind not in KINDS:
            raise CouldNotRun(f"there is no kind `{kind}`; there are {', '.join(KINDS)}")
        print(json.dumps(schema_of(kind) if kind else schema_of_all(), indent=2, ensure_ascii=False))


def _write_pages(folder: Path, examples: str) -> None:
    try:
        policy_set, _ = read(check.load_files(examples))
    except check.CouldNotRun as problem:
        raise CouldNotRun(str(problem)) from None
    shown: dict[str, str] = {}
    for document in policy_set.documents:
        shown.setdefault(document.kind, to_yaml(document))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(shown).items():
        write_file(folder / name, text.encode())
