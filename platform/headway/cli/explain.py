"""``headway explain``: what does a diagnostic's code mean, and what does its author do about it?"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

from coordination.diagnostics import Nearest
from headway.cli.markdown import render
from headway.cli.terminal import wants_colour
from headway.cli.words import Argument

COULD_NOT_RUN = 2
PAGES = (
    Path(__file__).parents[3] / "docs" / "diagnostics",  # the checkout
    Path(__file__).parents[1] / "pages" / "diagnostics",  # an installed wheel
)
CODE = re.compile(r"[A-Z]+[0-9]+")


def codes_of(folder: Path | None) -> list[str]:
    """Every code with a page; none where there are no pages."""
    return sorted(page.stem for page in folder.glob("*.md") if CODE.fullmatch(page.stem)) if folder else []


def pages() -> Path | None:
    """The folder of the pages, if they are installed."""
    return next((folder for folder in PAGES if folder.is_dir()), None)


def command(
    code: Annotated[
        str,
        Argument(help="A code such as CAP201; without one, all are listed.", among=lambda: codes_of(pages())),
    ] = "",
) -> None:
    """Explain a diagnostic's code: what is wrong, an example, and what to do. Exit 0, or 2 without a page."""
    folder = pages()
    if folder is None:
        print("headway explain: the pages are not installed", file=sys.stderr)
        raise SystemExit(COULD_NOT_RUN)
    codes = codes_of(folder)
    wanted = code.strip().upper()
    if wanted and wanted not in codes:
        near = Nearest(codes).to(wanted)
        hint = f"; did you mean {near}?" if near else "; `headway explain` lists them all"
        print(f"headway explain: there is no code {code!r}{hint}", file=sys.stderr)
        raise SystemExit(COULD_NOT_RUN)
    page = (folder / f"{wanted or 'README'}.md").read_text(encoding="utf-8")
    print(render(page, colour=wants_colour()), end="")
