"""What would a change do? Differences of meaning, what kind each is, and whom they reach."""

from coordination.plan.difference import Change, Difference, diff
from coordination.plan.programs import Compiled, diff_programs
from coordination.plan.rendering import render_text

__all__ = ["Change", "Compiled", "Difference", "diff", "diff_programs", "render_text"]
