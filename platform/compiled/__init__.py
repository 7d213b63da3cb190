"""Do the rules, the data path and the simulator run as machine code? (docs/adr/0110)

``make compiled`` compiles those modules, as they stand, into a *twin* beside the interpreter
(``compiled.build``). A process that lives from their speed calls ``stand_in`` before it imports any of them;
where no twin was made, or the sources have changed since, it runs the sources, which say the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal

SOURCES: Final = Path(__file__).resolve().parents[1]
"""Where the packages lie whose modules may be compiled."""
TWIN: Final = Path(sys.prefix, "compiled")
MANIFEST: Final = "manifest.json"
SUFFIX: Final = sysconfig.get_config_var("EXT_SUFFIX")
"""Of a library that this interpreter loads; it names version, machine and system."""
SWITCH: Final = "HEADWAY_COMPILED"
"""Environment: 0 runs the sources whatever was compiled."""

DEPENDED_ON: Final = ("coordination", "gateway")
NOT_DEPENDED_ON: Final = frozenset({("coordination", "compiler"), ("coordination", "plan")})

Standing = Literal["compiled", "interpreted", "outdated"]


class Finder(MetaPathFinder):
    """Finds the modules of a twin in its folder, and none else."""

    def __init__(self, folder: Path, modules: Iterable[str]) -> None:
        self._files = {name: folder / (name.replace(".", "/") + SUFFIX) for name in modules}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  importlib's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        file = self._files.get(fullname)
        if file is None:
            return None
        return spec_from_file_location(fullname, file, loader=ExtensionFileLoader(fullname, str(file)))


def stand_in() -> Standing:
    """Import the twin's modules from now on, if there is one and it is of these very sources.

    Call it before any of them is imported; those that are stay what they are. Idempotent. Returns what the
    process runs: ``compiled``, ``interpreted`` (no twin, or switched off) or ``outdated`` (the sources run).
    """
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return "compiled"
    said = standing()
    if said == "compiled":
        sys.meta_path.insert(0, Finder(TWIN, _manifest()["modules"]))
    return said


def standing() -> Standing:
    """What ``stand_in`` would say."""
    if os.environ.get(SWITCH) == "0" or not (TWIN / MANIFEST).is_file():
        return "interpreted"
    made = _manifest()
    return "compiled" if made.get("suffix") == SUFFIX and made.get("sources") == digest() else "outdated"


def digest() -> str:
    """Of the sources, by name and content: of all that compiled modules may have taken constants or the
    shapes of classes from, not of themselves alone."""
    content = hashlib.sha256()
    for package in DEPENDED_ON:
        for file in sorted((SOURCES / package).rglob("*.py")):
            path = file.relative_to(SOURCES)
            if path.parts[:2] not in NOT_DEPENDED_ON:
                content.update(b"%s %d\n" % (str(path).encode(), file.stat().st_size))
                content.update(file.read_bytes())
    return content.hexdigest()


def _manifest() -> Mapping[str, Any]:
    """``modules``: names the twin has libraries for; ``sources``: what ``digest`` said of theirs. Empty when
    it cannot be read: what only makes things faster keeps nothing from starting."""
    try:
        read = json.loads((TWIN / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
