"""Which documents make up a revision, and would they hold together with some of them changed?

A revision never changes, so its policy set is kept by the digest of its tree; a candidate is that set
with the edits put in.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from coordination.bundle.tree import EMPTY, Entry, walk
from coordination.compiler.catalogue import Catalogue
from coordination.compiler.checking import check_catalogue
from coordination.diagnostics import Diagnostic, ObjectRef, in_reading_order
from coordination.program.canonical import parse_canonical
from coordination.spec import Document, PolicySet
from policies import selectors
from policies.mapping.documents import parse
from policies.selectors import Key

KEPT = 8
"""Policy sets held in memory: the environments' current ones, and what is compared with them."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Every document of a revision. ``broken`` are those today's language no longer reads."""

    documents: Mapping[Key, Document]
    broken: Mapping[Key, tuple[Diagnostic, ...]]

    def with_edits(self, edits: Mapping[Key, Document | None]) -> Stored:
        """The set after ``edits``; None takes a document away."""
        documents = {key: value for key, value in self.documents.items() if key not in edits}
        documents.update((key, value) for key, value in edits.items() if value is not None)
        return Stored(documents, {key: found for key, found in self.broken.items() if key not in edits})

    def policy_set(self) -> PolicySet:
        return PolicySet(
            self.documents.values(),
            broken=[ObjectRef(*key) for key in self.broken],
            complete=not self.broken,
            texts={},
        )

    def check(self, environment: str, at: int) -> list[Diagnostic]:
        """Everything wrong with it at an instant (microseconds): in documents, and between them."""
        between = check_catalogue(Catalogue(self.policy_set(), environment, at))
        within = [diagnostic for found in self.broken.values() for diagnostic in found]
        return in_reading_order([*within, *between])


_kept: OrderedDict[str, Stored] = OrderedDict()
_lock = threading.Lock()


def stored_set(root: str) -> Stored:
    """The documents under a root tree."""
    with _lock:
        if root in _kept:
            _kept.move_to_end(root)
            return _kept[root]
    found = _load(entries_of(root))
    keep(root, found)
    return found


def keep(root: str, found: Stored) -> None:
    """Remember the set of a root tree: a merge knows it before anybody asks."""
    with _lock:
        _kept[root] = found
        while len(_kept) > KEPT:
            _kept.popitem(last=False)


def entries_of(root: str) -> list[Entry]:
    """Every document under a root tree; a few queries, not one for each shard."""
    if root == EMPTY:
        return []
    objects = selectors.trees([root])
    level = [root]
    for _ in ("indexes", "shards"):
        level = sorted({child for digest in level for child in parse_canonical(objects[digest]).values()})
        objects |= selectors.trees(level)
    return list(walk(root, objects.__getitem__))


def _load(entries: Iterable[Entry]) -> Stored:
    keys = {(entry.kind, entry.name): entry.digest for entry in entries}
    parsed, unreadable = parse(keys.values())
    return Stored(
        {key: parsed[digest] for key, digest in keys.items() if digest in parsed},
        {(found.kind, found.name): found.diagnostics for found in unreadable},
    )
