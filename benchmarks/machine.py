"""On which machine, with which versions and of which commit was a figure measured?"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import sysconfig
from datetime import UTC, datetime
from pathlib import Path

import compiled

ROOT = Path(__file__).resolve().parents[1]
SHOWN = ("uvloop", "httptools", "orjson", "msgspec", "xxhash")


def banner() -> str:
    """The facts every printed figure stands under."""
    versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in SHOWN)
    return "\n".join(
        (
            f"command   {' '.join(sys.orig_argv)}",
            f"at        {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}",
            f"machine   {processor()}, {len(os.sched_getaffinity(0))} cores, {platform.platform()}",
            f"versions  Python {platform.python_version()} ({build()}) {versions}",
            f"headway   rules, data path and simulator {running()}",
        )
    )


def running() -> str:
    """What a benchmark's process and those it starts run of them."""
    standing = compiled.standing()
    return "interpreted (the sources changed since `make compiled`)" if standing == "outdated" else standing


def build() -> str:
    """How the interpreter was compiled, which is worth a sixth of all it does."""
    with_profile = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    return "profile-guided build" if with_profile else "build without profile"


def commit() -> str:
    """Short name of what is checked out, marked when files differ from it."""
    shown = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout.strip() or "unknown"


def processor() -> str:
    """The processor's own name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def two_cores() -> tuple[set[int], set[int]]:
    """One core for the proxy under test, another for load and upstream; the same one if there is no other."""
    cores = sorted(os.sched_getaffinity(0))
    return {cores[0]}, {cores[-1]}
