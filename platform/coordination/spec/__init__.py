"""The policy language `headway/v1`: its kinds, its notations, and the reader."""

from coordination.spec.document import Document, Metadata, PolicySet, SourceFile
from coordination.spec.kinds import KINDS
from coordination.spec.reader import read

__all__ = ["KINDS", "Document", "Metadata", "PolicySet", "SourceFile", "read"]
