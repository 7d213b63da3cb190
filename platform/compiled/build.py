"""``python -m compiled.build``: compile the modules that every request passes through (``make compiled``).

Needs a C compiler, Python's headers and mypyc (of the development lock). The twin is put in place whole or
not at all; one that is there and of the same sources is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

from compiled import MANIFEST, SOURCES, SUFFIX, TWIN, digest, standing

VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
PACKAGES: Final = {
    "coordination/capacity": "block_cache chain_lru steps",
    "coordination/program": "resolved",
    "coordination/scheduling": "*",
    "coordination/simulator": "bounds loop replica share_lag tally workload",
    "coordination/sketch": "histogram",
    "coordination/traces": "mooncake reader",
    "gateway": "accounts blocks books clock coordinator data_plane ended errors exchange "
    "explanations genai heads identifiers json_member limit_fields metrics mirrors prompt racing recording "
    "rules sse telling trials usage",
    "gateway/downstream": "connection heads listener reader request strictness",
    "gateway/endpoints": "responses table texts",
    "gateway/telemetry": "meter",
    "gateway/upstream": "answers connection pool",
    "gateway/wal": "journal records segments",
    "gateway/workers": "desk remote",
}
"""Folder -> modules: what every request passes through, and nothing that only starts, reads or reports."""
FLAGS: Final = ("-fvisibility=hidden",)
"""Calls between modules go straight to what they call: nobody outside has a name for it."""
STRUCTS: Final = ("coordination/scheduling/traits.py",)
"""msgspec makes the classes of these, in C already, and cannot make them of compiled ones."""


def main() -> int:
    if standing() == "compiled":
        print(f"headway: the compiled twin in {TWIN} is up to date", file=sys.stderr)
        return 0
    missing = lacking()
    if missing:
        print(
            f"headway: no {missing}; install it and run `make compiled` again. "
            "Until then Headway runs interpreted, at half the speed",
            file=sys.stderr,
        )
        return 1
    print("headway: compiling rules, data path and simulator (about a minute)", file=sys.stderr)
    build(sources())
    print(f"headway: compiled into {TWIN}; HEADWAY_COMPILED=0 runs the sources", file=sys.stderr)
    return 0


def lacking() -> str:
    """What this machine must have to compile and has not; empty when nothing is missing."""
    compiler = os.environ.get("CC", "cc").split()[0]
    if shutil.which(compiler) is None:
        return f"C compiler ({compiler}) on PATH, which a package like gcc brings"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return "header files of Python (Python.h), which a package like python3-dev brings"
    return ""


def sources() -> list[str]:
    """Paths below ``SOURCES``, in order."""
    found: list[str] = []
    for folder, names in PACKAGES.items():
        patterns = [f"{name}.py" for name in names.split()]
        found += (f"{folder}/{one.name}" for pattern in patterns for one in (SOURCES / folder).glob(pattern))
    return sorted(path for path in found if path not in STRUCTS and not path.endswith("__init__.py"))


def build(paths: list[str]) -> None:
    """Compile, then put the twin in place of the one that is there. Raises what the compilers raise."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    read = digest()
    os.chdir(SOURCES)  # mypyc names a module by its path from here
    with tempfile.TemporaryDirectory(prefix="headway_compiled_") as folder:
        options = ["--config-file=", "--ignore-missing-imports", f"--python-version={VERSION}"]
        extensions = mypycify(
            [*options, *paths], opt_level="2", multi_file=True, verbose=False, target_dir=f"{folder}/c"
        )
        for one in extensions:
            one.extra_compile_args = [*one.extra_compile_args, *FLAGS]
        command = Distribution({"name": "headway-compiled", "ext_modules": extensions}).get_command_obj(
            "build_ext"
        )
        command.build_lib = f"{folder}/{TWIN.name}"
        command.build_temp = f"{folder}/objects"
        command.parallel = os.cpu_count()
        command.ensure_finalized()
        command.run()
        manifest = {
            "modules": [one.name for one in extensions],
            "paths": paths,
            "suffix": SUFFIX,
            "sources": read,
        }
        Path(command.build_lib, MANIFEST).write_text(json.dumps(manifest, indent=1))
        fresh = TWIN.with_name(f"{TWIN.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.move(command.build_lib, fresh)
        shutil.rmtree(TWIN, ignore_errors=True)
        fresh.rename(TWIN)


if __name__ == "__main__":
    raise SystemExit(main())
