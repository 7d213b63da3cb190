"""What happens to one request: is it admitted, when does it go, where, and what does it cost?

``admit(program, state, request, now) -> Decision`` · ``dispatch(program, state, pool, now) -> [Dispatch]``
· ``first_byte``, ``progress`` · ``settle -> Charge`` or ``fail``. ``state`` belongs to the caller and is
changed in place; there is no clock, no I/O and no randomness inside. Rule numbers (R1 to R27) are those
of the scheduling design.
"""

from coordination.scheduling.admission import admit
from coordination.scheduling.classification import block_hashes, classify, salt
from coordination.scheduling.credits import credit
from coordination.scheduling.decisions import Decision, Dispatch
from coordination.scheduling.dispatching import dispatch
from coordination.scheduling.explain import explain
from coordination.scheduling.headroom import headroom, run_left
from coordination.scheduling.hedging import Declined, Hedges, Lost, hedge, lose, watch
from coordination.scheduling.lasting import Remembered, Used, recount, remember, restore
from coordination.scheduling.levels import Levels, levels
from coordination.scheduling.mirroring import Copies, Copy, Ended, copied, copy_began, mirror
from coordination.scheduling.observing import Standing, busy, follow, observe, set_health, standing, wake
from coordination.scheduling.overriding import drain, move_on, raise_limits
from coordination.scheduling.placed import Placed
from coordination.scheduling.settlement import (
    PROGRESS_TOKENS,
    cancel,
    expire,
    fail,
    first_byte,
    next_expiry,
    progress,
    settle,
)
from coordination.scheduling.state import State, new_state
from coordination.scheduling.switching import Switch, activate
from coordination.scheduling.traits import Run, Task
from coordination.scheduling.trials import Trial, Trials, Verdict, fared
from coordination.scheduling.values import (
    Charge,
    Classified,
    Code,
    Headroom,
    Hold,
    Lane,
    LimitView,
    Refusal,
    ReplicaReport,
    Request,
    Step,
    Usage,
)
from coordination.scheduling.vectors import answer, decide, evaluate, run_vectors

__all__ = [
    "PROGRESS_TOKENS",
    "Charge",
    "Classified",
    "Code",
    "Copies",
    "Copy",
    "Decision",
    "Declined",
    "Dispatch",
    "Ended",
    "Headroom",
    "Hedges",
    "Hold",
    "Lane",
    "Levels",
    "LimitView",
    "Lost",
    "Placed",
    "Refusal",
    "Remembered",
    "ReplicaReport",
    "Request",
    "Run",
    "Standing",
    "State",
    "Step",
    "Switch",
    "Task",
    "Trial",
    "Trials",
    "Usage",
    "Used",
    "Verdict",
    "activate",
    "admit",
    "answer",
    "block_hashes",
    "busy",
    "cancel",
    "classify",
    "copied",
    "copy_began",
    "credit",
    "decide",
    "dispatch",
    "drain",
    "evaluate",
    "expire",
    "explain",
    "fail",
    "fared",
    "first_byte",
    "follow",
    "headroom",
    "hedge",
    "levels",
    "lose",
    "mirror",
    "move_on",
    "new_state",
    "next_expiry",
    "observe",
    "progress",
    "raise_limits",
    "recount",
    "remember",
    "restore",
    "run_left",
    "run_vectors",
    "salt",
    "set_health",
    "settle",
    "standing",
    "wake",
    "watch",
]
