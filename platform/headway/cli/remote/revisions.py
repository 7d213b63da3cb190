"""Which policy is a revision or a release of a console, document by document?"""

from __future__ import annotations

import json
import re
from typing import Any

from coordination.spec import SourceFile
from headway.cli.artefacts import CouldNotRun
from headway.cli.remote.console import Console

PAGE = 1000
ADDRESS = re.compile(r"(revision|release):(current|[0-9]{1,15}|sha256:[0-9a-f]{64})")
"""``revision:12``, ``revision:sha256:...``, ``release:3``; ``current`` is the newest."""
LIKE_ONE = re.compile(r"(revision|release):")


def is_address(text: str) -> bool:
    """Whether a revision or release of a console is meant; ``./revision:1`` would be a file."""
    return bool(LIKE_ONE.match(text))


def documents_of(console: Console, address: str) -> list[SourceFile]:
    """Each document as one file of canonical JSON, named by its object."""
    found = ADDRESS.fullmatch(address)
    if found is None or (found[1] == "release" and found[2].startswith("sha256:")):
        raise CouldNotRun(
            f"{address} names nothing: say revision:12, revision:sha256:..., revision:current, "
            "release:3 or release:current"
        )
    what, name = found[1], found[2]
    revision = name if what == "revision" else _of_release(console, name)
    files: list[SourceFile] = []
    cursor = ""
    while True:
        page = console.get(f"revisions/{revision}/documents?limit={PAGE}{cursor}")
        files += [_file(document) for document in page["items"]]
        if page["next"] is None:
            return files
        cursor = f"&cursor={page['next']}"
        revision = page["revision"]["digest"]  # `current` may be another one by now


def _of_release(console: Console, version: str) -> str:
    """The revision a release was built from; a rollback's is that of the release it brings back."""
    if version == "current":
        newest = console.get("releases?limit=1")["items"]
        if not newest:
            raise CouldNotRun(f"nothing was released to {console.environment} yet")
        release = newest[0]
    else:
        release = console.get(f"releases/{version}")
    while not release["revision"] and release["rollback_of"]:
        release = console.get(f"releases/{release['rollback_of']}")
    if not release["revision"]:
        raise CouldNotRun(
            f"release {release['version']} is of a bundle that came as such: compare that bundle's file"
        )
    return str(release["revision"])


def _file(document: dict[str, Any]) -> SourceFile:
    name = f"{document['kind']}/{document['metadata']['name']}.json"
    return SourceFile(name, json.dumps(document).encode())
