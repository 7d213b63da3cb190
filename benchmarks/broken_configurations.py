"""Which broken configurations does a validator refuse, and how long does it take? Ours beside LiteLLM's.

Eight mistakes people make, each written into both languages: into the quickstart for ``headway check``
and into a small proxy configuration for ``litellm --validate_config``. Both are first given the sound
configuration, which they must accept.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import ROOT
from benchmarks.peers import LITELLM, install

QUICKSTART = ROOT / "examples" / "quickstart"
SOUND = """\
model_list:
  - model_name: llama-3-8b
    litellm_params: {model: openai/llama-3-8b, api_base: "http://127.0.0.1:8101/v1", api_key: none, rpm: 60}
  - model_name: llama-3-70b
    litellm_params: {model: openai/llama-3-70b, api_base: "http://127.0.0.1:8102/v1", api_key: none}
router_settings:
  routing_strategy: simple-shuffle
  fallbacks: [{llama-3-8b: [llama-3-70b]}]
litellm_settings:
  priority_reservation: {priority: 0.6, standard: 0.4}
general_settings:
  master_key: sk-benchmark
  max_parallel_requests: 100
"""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in both languages: what is replaced by what, ours in a file of the quickstart."""

    what: str
    file: str
    ours: tuple[str, str]
    theirs: tuple[str, str]


MISTAKES = (
    Mistake(
        "a section's name misspelled",
        "routes.yaml",
        ("spec:", "spce:"),
        ("router_settings", "router_setings"),
    ),
    Mistake("a field's name misspelled", "quotas.yaml", ("concurrency:", "concurency:"), ("rpm:", "rmp:")),
    Mistake(
        "600 % of the capacity reserved",
        "reservations.yaml",
        ("240k tokens/min", "53M tokens/min"),
        ("priority: 0.6", "priority: 6.0"),
    ),
    Mistake(
        "a fallback that does not exist",
        "routes.yaml",
        ("fallback: [chat-b]", "fallback: [chat-c]"),
        ("[llama-3-70b]}", "[llama-4-70b]}"),
    ),
    Mistake(
        "a concurrency below zero",
        "quotas.yaml",
        ("concurrency: 400", "concurrency: -5"),
        ("max_parallel_requests: 100", "max_parallel_requests: -5"),
    ),
    Mistake("a rate limit below zero", "quotas.yaml", ("limit: 60}", "limit: -60}"), ("rpm: 60", "rpm: -60")),
    Mistake(
        "a section twice",
        "reservations.yaml",
        ("  tier: priority", "  tier: priority\n  tier: standard"),
        ("litellm_settings:", "router_settings: {}\nlitellm_settings:"),
    ),
    Mistake(
        "a strategy that does not exist",
        "routes.yaml",
        ("strategy: balanced", "strategy: quickest"),
        ("simple-shuffle", "quickest"),
    ),
)


def compare() -> None:
    """Prints, mistake by mistake, who refused it; then the counts and the time of one validation."""
    install(LITELLM)
    ours, theirs = [_ours(None)], [_theirs(None)]
    if ours[0][0] or theirs[0][0]:
        raise SystemExit("a validator refuses the sound configuration")
    for mistake in MISTAKES:
        ours.append(_ours(mistake))
        theirs.append(_theirs(mistake))
        print(f"  {mistake.what:<32} headway {_said(ours[-1][0])}  litellm {_said(theirs[-1][0])}")
    for name, made in (("headway", ours), (f"litellm {LITELLM.version}", theirs)):
        refused = sum(refused for refused, _ in made[1:])
        middle = statistics.median(seconds for _, seconds in made)
        print(f"validate  {name}: {refused} of {len(MISTAKES)} refused, median {middle:.2f} s a run")


def _said(refused: bool) -> str:
    return "refused " if refused else "accepted"


def _ours(mistake: Mistake | None) -> tuple[bool, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "policy"
        shutil.copytree(QUICKSTART, folder)
        if mistake is not None:
            _edit(folder / mistake.file, *mistake.ours)
        return _run([sys.executable, "-m", "headway", "check", str(folder)], {})


def _theirs(mistake: Mistake | None) -> tuple[bool, float]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "config.yaml"
        path.write_text(SOUND)
        if mistake is not None:
            _edit(path, *mistake.theirs)
        command = [str(LITELLM.environment / "bin" / "litellm"), "--config", str(path), "--validate_config"]
        # Else it fetches a price list from the network first.
        return _run(command, {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"})


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if old not in text:
        raise SystemExit(f"{path.name} does not hold {old!r}")
    path.write_text(text.replace(old, new, 1))


def _run(command: list[str], environment: dict[str, str]) -> tuple[bool, float]:
    """Whether it exits with something else than 0, and the seconds it took."""
    began = time.perf_counter()
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=300,
    )
    return ended.returncode != 0, time.perf_counter() - began
