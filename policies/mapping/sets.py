"""Which documents make up a revision, and would they hold together with some of them changed?

A revision never changes, so its policy set is kept by the digest of its tree, and with it what a check of
it found; a candidate is that set with the edits put in.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import cached_property

from coordination.bundle.tree import EMPTY, Entry, walk
from coordination.compiler import Checked, checked
from coordination.diagnostics import Diagnostic, ObjectRef, in_reading_order
from coordination.program.canonical import parse_canonical
from coordination.spec import Document, PolicySet
from policies import selectors
from policies.mapping.documents import parse
from policies.selectors import Key

KEPT = 8
"""Policy sets held in memory: the environments' current ones, and what is compared with them."""


class Stored:
    """Every document of a revision. ``broken`` are those today's language no longer reads.

    What a check found is kept with it, so that checking it with an edit, as for each keystroke in a form,
    works out only what depends on the edit.
    """

    def __init__(
        self,
        documents: Mapping[Key, Document],
        broken: Mapping[Key, tuple[Diagnostic, ...]],
        made_from: tuple[Stored, Mapping[Key, Document | None]] | None = None,
    ) -> None:
        self.documents, self.broken = documents, broken
        self._made_from = made_from
        """The set it came from and the edits; forgotten once it stands alone."""
        self._checked: Checked | None = None
        """The last check, of whatever environment and day."""
        self._turn = threading.Lock()

    def with_edits(self, edits: Mapping[Key, Document | None]) -> Stored:
        """The set after ``edits``; None takes a document away."""
        documents = {**self.documents, **edits}
        return Stored(
            {key: document for key, document in documents.items() if document is not None},
            {key: found for key, found in self.broken.items() if key not in edits},
            (self, edits),
        )

    def policy_set(self) -> PolicySet:
        return self._policy_set

    @cached_property
    def _policy_set(self) -> PolicySet:
        broken = [ObjectRef(*key) for key in self.broken]
        if self._made_from is not None:
            base, edits = self._made_from
            return base.policy_set().with_edits(edits, broken=broken, complete=not broken)
        return PolicySet(self.documents.values(), broken=broken, complete=not broken, texts={})

    def check(self, environment: str, at: int) -> list[Diagnostic]:
        """Everything wrong with it at an instant (microseconds): in documents, and between them."""
        within = [diagnostic for found in self.broken.values() for diagnostic in found]
        return in_reading_order([*within, *self.checked(environment, at).diagnostics])

    def checked(self, environment: str, at: int) -> Checked:
        """The check of what lies between documents, begun from one of the set this one was made from.

        That set is checked first if it has not been: its next edit needs that too.
        """
        with self._turn:
            earlier = self._checked
            if earlier is not None and earlier.is_of(environment, at):
                return earlier
            if earlier is None and self._made_from is not None:
                earlier = self._made_from[0].checked(environment, at)
            self._checked = checked(self.policy_set(), environment, at, earlier)
        self.stand_alone()
        return self._checked

    def stand_alone(self) -> None:
        """Forget what it was made from: a long history must not be held in memory by its newest set."""
        self.policy_set()
        self._made_from = None


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
    found.stand_alone()
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
