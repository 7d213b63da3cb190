"""From documents to a program: rules between objects, lowering, self-test, source map."""

from coordination.compiler.checking import Checked, checked
from coordination.compiler.pipeline import COMPILER, build, check
from coordination.compiler.windows import HORIZON

__all__ = ["COMPILER", "HORIZON", "Checked", "build", "check", "checked"]
