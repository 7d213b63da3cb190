"""Gateway and simulator reach the same decisions: the same functions of one package, and none beside it."""

from __future__ import annotations

import ast
from pathlib import Path

from coordination import scheduling

PLATFORM = Path(__file__).resolve().parents[2] / "platform"
GATEWAY = PLATFORM / "gateway" / "coordinator.py"
SIMULATOR = PLATFORM / "coordination" / "simulator" / "loop.py"

DECIDING = {"new_state", "classify", "admit", "dispatch", "first_byte", "progress"} | {
    *("settle", "fail", "expire", "next_expiry", "watch", "hedge", "lose", "fared"),
}
ONLY_IN_A_GATEWAY = {
    "Switch": "a simulation has one policy from beginning to end",
    "activate": "as a switch, all at once",
    "block_hashes": "a trace has hash ids instead of text",
    "mirror": "a copy changes nothing for the request it is of; the report says that there are none",
    "copied": "as mirror",
    "copy_began": "as mirror",
    "busy": "no replica leaves",
    "follow": "replicas stay where they are",
    "cancel": "no client of a trace leaves",
    "headroom": "for response headers",
    "levels": "for the console's live screens",
    "credit": "an operator's hand, which no trace records",
    "observe": "replicas are exactly known",
    "recount": "a simulation begins with every limit unused",
    "remember": "nothing restarts",
    "restore": "nothing restarts",
    "run_left": "for response headers",
    "salt": "hash ids are set apart by tenant instead",
    "drain": "nobody drains",
    "move_on": "nobody drains",
    "raise_limits": "nobody overrides a policy under trial",
    "set_health": "nobody cordons",
    "standing": "for whoever operates a gateway",
    "wake": "every replica is there from the beginning",
}


def called(path: Path) -> set[str]:
    """Functions that a module calls as ``scheduling.<name>``."""
    return {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "scheduling"
    }


def test_both_call_every_function_that_decides():
    assert called(SIMULATOR) == DECIDING
    assert called(GATEWAY) - set(ONLY_IN_A_GATEWAY) == DECIDING
    assert all(callable(getattr(scheduling, name)) for name in DECIDING | set(ONLY_IN_A_GATEWAY))


def test_the_simulator_has_no_rule_of_its_own():
    """It takes values from scheduling, units, and codes that break a promise; no module that decides."""
    taken = {
        (node.module, name.name)
        for path in (PLATFORM / "coordination" / "simulator").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("coordination.scheduling")
        for name in node.names
    }
    assert {name for module, name in taken if module == "coordination.scheduling"} <= {
        *(
            "Charge",
            "Classified",
            "Decision",
            "Dispatch",
            "Lost",
            "Refusal",
            "Request",
            "Task",
            "Usage",
            "explain",
        ),
    }
    assert {one for one in taken if one[0] != "coordination.scheduling"} == {
        ("coordination.scheduling.prefix_index", "TOKENS_PER_BLOCK"),
        ("coordination.scheduling.fairness", "Node"),  # the share lag reads tags
        ("coordination.scheduling.fairness", "LOCALITY_SLACK"),
        ("coordination.scheduling.attainment", "BROKEN"),
    }
