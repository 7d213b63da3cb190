"""From documents to a program: rules between objects, lowering, self-test, source map."""

from coordination.compiler.pipeline import COMPILER, HORIZON, build, check
from coordination.compiler.source_map import SourceMap

__all__ = ["COMPILER", "HORIZON", "SourceMap", "build", "check"]
