"""Which known name did the author probably mean?

Small sets are compared exactly (edit distance with swaps). Large ones (every tenant of a fleet) are
looked up through an index of names with one character left out, so that ten thousand misspelt
references cost ten thousand look-ups and not a hundred million comparisons.
"""

from __future__ import annotations

from collections.abc import Iterable

EXACT_UP_TO = 64
LONGEST = 80


class Nearest:
    """Finds the closest of a fixed set of names."""

    __slots__ = ("_index", "_names")

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(set(names))
        self._index: dict[str, str] | None = None

    def to(self, word: str) -> str | None:
        """The nearest name, or ``None`` when nothing is near enough to be worth saying."""
        if not word or len(word) > LONGEST:
            return None
        if len(self._names) > EXACT_UP_TO:
            return self._look_up(word)
        reach = 1 if len(word) < 4 else 2 if len(word) < 8 else 3
        ranked = [(edits(word.lower(), name.lower(), reach), name) for name in self._names]
        best = min(ranked, default=(reach + 1, ""))
        return best[1] if best[0] <= reach else None

    def surely(self, word: str) -> str | None:
        """The one name that can have been meant: very near, and no other nearly as near."""
        if not 3 <= len(word) <= LONGEST or len(self._names) > EXACT_UP_TO:
            return None
        reach = 1 if len(word) < 6 else 2
        ranked = sorted((edits(word.lower(), name.lower(), reach + 1), name) for name in self._names)
        if not ranked or ranked[0][0] > reach:
            return None
        return ranked[0][1] if len(ranked) == 1 or ranked[1][0] > ranked[0][0] + 1 else None

    def _look_up(self, word: str) -> str | None:
        if self._index is None:
            self._index = {}
            for name in self._names:
                if len(name) <= LONGEST:
                    for variant in _with_one_left_out(name):
                        self._index.setdefault(variant, name)
        index = self._index
        found = [index[variant] for variant in _with_one_left_out(word) if variant in index]
        return min(found, default=None)


def _with_one_left_out(name: str) -> list[str]:
    name = name.lower()
    return [name, *(name[:i] + name[i + 1 :] for i in range(len(name)))]


def edits(a: str, b: str, reach: int) -> int:
    """Insertions, deletions, replacements and swaps of neighbours between two words.

    Counting stops at ``reach``: anything further is reported as ``reach + 1``.
    """
    if abs(len(a) - len(b)) > reach:
        return reach + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, ca in enumerate(a, 1):
        current = [i]
        for j, cb in enumerate(b, 1):
            cost = min(row[j] + 1, current[-1] + 1, row[j - 1] + (ca != cb))
            if i > 1 and j > 1 and ca == b[j - 2] and a[i - 2] == cb:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        before, row = row, current
    return min(row[-1], reach + 1)
