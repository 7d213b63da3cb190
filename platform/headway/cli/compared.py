"""What can be compared: a folder or file of policy, a bundle, a revision or release of a console?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coordination.bundle.pack import unpack
from coordination.bundle.refusals import RefusedError
from coordination.compiler import build
from coordination.diagnostics import Diagnostic, has_errors, render_text
from coordination.plan import Compiled
from coordination.program.shards import PROGRAM, MalformedProgramError, decode
from coordination.program.source_map import FOLDER, decode_source_map
from coordination.spec import PolicySet, SourceFile, read
from headway.cli import check
from headway.cli.artefacts import CouldNotRun, read_file

if TYPE_CHECKING:
    from headway.cli.remote.console import Console

TAR_MAGIC = (257, b"ustar")


@dataclass(frozen=True, slots=True)
class Written:
    """A policy as its documents say it."""

    name: str
    policy_set: PolicySet

    def compiled(self, environment: str, at: int) -> Compiled:
        """As a bundle would hold it; a policy with errors ends the command."""
        records, source_map, _, found = build(self.policy_set, environment=environment, at=at)
        if records is None:
            _show([d for d in found if d.severity == "error"], self.policy_set)
            raise CouldNotRun(f"{self.name} has errors, so no bundle could be made of it to compare")
        return Compiled(records, source_map)


Side = Written | Compiled


def side_of(address: str, console: Console | None) -> Side:
    """What an address names. Raises ``CouldNotRun`` for what cannot be compared."""
    if console is not None and is_remote(address):
        from headway.cli.remote.revisions import documents_of  # only who asks a console waits for httpx

        return _written(address, documents_of(console, address))
    if _is_bundle(address):
        return _bundle(Path(address))
    try:
        return _written(address, check.load_files(address))
    except check.CouldNotRun as problem:
        raise CouldNotRun(str(problem)) from None


def is_remote(address: str) -> bool:
    """Whether a console must be asked for it."""
    return address.startswith(("revision:", "release:"))


@contextmanager
def console_for(
    addresses: tuple[str, ...], command: str, server: str, token: str, environment: str
) -> Iterator[Console | None]:
    """A console for the length of a block, if one of the addresses needs it."""
    if not any(map(is_remote, addresses)):
        yield None
        return
    from headway.cli.remote.console import asking  # likewise

    with asking(command, server, token, environment) as console:
        if not environment:
            raise CouldNotRun("--environment is not given: whose revision or release is meant?")
        yield console


def _written(name: str, files: list[SourceFile]) -> Written:
    policy_set, misread = read(files)
    if has_errors(misread):
        _show(misread, policy_set)
        raise CouldNotRun(f"{name} cannot be read as policy")
    return Written(name, policy_set)


def _show(found: list[Diagnostic], policy_set: PolicySet) -> None:
    print(render_text(found, policy_set.texts, colour=False), end="", file=sys.stderr)


def _is_bundle(address: str) -> bool:
    place = Path(address)
    offset, magic = TAR_MAGIC
    if not place.is_file():
        return False
    with place.open("rb") as file:
        file.seek(offset)
        return file.read(len(magic)) == magic


def _bundle(path: Path) -> Compiled:
    try:
        contents = unpack(read_file(path))
        return Compiled(
            decode(contents.under(PROGRAM)),
            decode_source_map(contents.under(FOLDER)),
        )
    except (RefusedError, MalformedProgramError) as error:
        raise CouldNotRun(f"{path} is not a sound bundle: {error}") from None
