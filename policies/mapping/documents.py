"""How does a stored document become a value, and what somebody sent a document?

Documents are immutable and named by their digest, so a parsed one is kept and shared.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from coordination.diagnostics import Diagnostic, has_errors
from coordination.program.canonical import sha256_digest
from coordination.spec import Document, SourceFile, read
from coordination.spec.formatting import to_yaml
from foundation.http import FieldError, Invalid
from policies import models, selectors
from policies.mapping import findings

KEPT = 50_000
"""Parsed documents held in memory; a few kilobytes each."""
Body = bytes | Mapping[str, Any]
"""What somebody sent: YAML or JSON text, or the JSON object already taken apart."""


@dataclass(frozen=True, slots=True)
class Written:
    """A document with the name its bytes give it."""

    digest: str
    body: bytes
    value: Document

    @classmethod
    def of(cls, value: Document) -> Written:
        body = value.canonical()
        return cls(sha256_digest(body), body, value)

    def row(self) -> models.Document:
        return models.Document(
            digest=self.digest,
            kind=self.value.kind,
            name=self.value.name,
            body=self.body,
            size=len(self.body),
        )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stored document that the language of today no longer accepts."""

    kind: str
    name: str
    diagnostics: tuple[Diagnostic, ...]


class _Shelf:
    """Parsed documents by digest, the least used dropped first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[str, Document] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, digests: Iterable[str]) -> dict[str, Document]:
        with self._lock:
            found = {digest: self._held[digest] for digest in digests if digest in self._held}
            for digest in found:
                self._held.move_to_end(digest)
        return found

    def put(self, digest: str, document: Document) -> None:
        with self._lock:
            self._held[digest] = document
            while len(self._held) > self._most:
                self._held.popitem(last=False)


_shelf = _Shelf(KEPT)


def read_body(body: Body, *, source: str) -> Written:
    """The one document in ``body``; ``Invalid`` with an error at each field that will not do.

    ``source`` names the text in positions, such as ``Tier/flex``.
    """
    if isinstance(body, Mapping):
        text, suffix = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"), ".json"
    else:
        text, suffix = body, ".json" if body.lstrip()[:1] == b"{" else ".yaml"
    policy_set, diagnostics = read([SourceFile(source + suffix, text)])
    if has_errors(diagnostics):
        raise findings.unreadable(diagnostics)
    if len(policy_set.documents) != 1:
        count = len(policy_set.documents)
        error = FieldError("", "one_document", f"one document is expected here, not {count}")
        raise Invalid("invalid_document", error.message.capitalize() + ".", errors=[error])
    return Written.of(policy_set.documents[0])


def parse(digests: Iterable[str]) -> tuple[dict[str, Document], list[Unreadable]]:
    """Stored documents as values, by digest; each is read at most once in this process."""
    wanted = set(digests)
    found = _shelf.take(wanted)
    broken: list[Unreadable] = []
    for row in selectors.documents(wanted - found.keys()):
        source = f"{row.kind}/{row.name}.json"
        policy_set, diagnostics = read([SourceFile(source, bytes(row.body))])
        if policy_set.documents:
            found[row.digest] = policy_set.documents[0]
            _shelf.put(row.digest, policy_set.documents[0])
        else:
            broken.append(Unreadable(row.kind, row.name, tuple(diagnostics)))
    return found, broken


def as_json(row: models.Document) -> dict[str, Any]:
    """The document as JSON."""
    value: dict[str, Any] = json.loads(bytes(row.body))
    return value


def as_yaml(row: models.Document) -> str:
    """The document as YAML for people. One that can no longer be read is shown as it is stored."""
    found, _ = parse([row.digest])
    document = found.get(row.digest)
    return to_yaml(document) if document else json.dumps(as_json(row), indent=2, ensure_ascii=False) + "\n"
