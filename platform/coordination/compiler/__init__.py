"""From documents to a program: rules between objects, lowering, self-test, source map."""

from coordination.compiler.pipeline import COMPILER, HORIZON, build, check

__all__ = ["COMPILER", "HORIZON", "build", "check"]
