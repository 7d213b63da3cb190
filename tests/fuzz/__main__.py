"""``make fuzz``: damage the examples for as long as is wanted. ``ARGS="--count 200000 --seed 7"``.

Every damaged policy has its own seed, ``<seed>:<n>``; one that breaks a property is written to the folder
that is named, with the sentence that repeats it.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.fuzz.mutations import mutated
from tests.fuzz.properties import examine, settles
from tests.fuzz.subjects import subjects

FOLDER = Path(__file__).parents[2] / "test-artifacts" / "fuzz"
MENDED_EVERY = 10


def say(text: str) -> None:
    sys.stderr.write(text)


def main() -> int:
    options = argparse.ArgumentParser(prog="make fuzz", description="Damage the examples; see what holds.")
    options.add_argument("--count", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", type=int, help="one damaged policy again, by its number")
    chosen = options.parse_args()
    began, came = time.monotonic(), Counter[str]()
    numbers = range(chosen.count) if chosen.only is None else [chosen.only]
    policies = subjects()
    for n in numbers:
        source = random.Random(f"{chosen.seed}:{n}")
        files = mutated(source.choice(policies), source)
        try:
            came[examine(files)] += 1
            if n % MENDED_EVERY == 0:
                settles(files)
        except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
            traceback.print_exc()
            folder = FOLDER / f"{chosen.seed}-{n}"
            folder.mkdir(parents=True, exist_ok=True)
            for file in files:
                (folder / Path(file.name).name).write_bytes(file.text)
            say(f"broken: {folder}\nagain: make fuzz ARGS='--seed {chosen.seed} --only {n}'\n")
            return 1
        if sys.stderr.isatty() and n % 200 == 0:
            say(f"\r{n:,} of {chosen.count:,}")
    told = ", ".join(f"{count:,} {what}" for what, count in sorted(came.items()))
    seconds = time.monotonic() - began
    sys.stdout.write(f"{sum(came.values()):,} damaged policies in {seconds:.0f} s: {told}; all held\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
