"""Which proxies would a user pick instead, and how is each run? ``python -m benchmarks.peers`` installs them.

Each gets a virtual environment of its own under ``.peers/``, from the package index configured on the
machine; nothing of them is part of this project.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.machine import ROOT
from benchmarks.processes import DidNotStart, last_words, running
from benchmarks.stack import LOOPBACK, Served
from benchmarks.upstream import MODEL

HOME = ROOT / ".peers"
PATIENCE_S = 120.0
KEY = "sk-benchmark"


@dataclass(frozen=True, slots=True)
class Peer:
    """A proxy from PyPI."""

    name: str
    packages: tuple[str, ...]
    shown: str
    """Distribution whose version is printed."""

    @property
    def environment(self) -> Path:
        return HOME / self.name

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def version(self) -> str:
        """Version installed, or the empty string."""
        if not self.python.exists():
            return ""
        asked = f"import importlib.metadata as m; print(m.version({self.shown!r}))"
        shown = subprocess.run([str(self.python), "-c", asked], capture_output=True, text=True, check=False)
        return shown.stdout.strip()


SGLANG = Peer("sglang-router", ("sglang-router",), "sglang-router")
LITELLM = Peer("litellm", ("litellm[proxy]",), "litellm")
PEERS = (SGLANG, LITELLM)


def add_option(parser: argparse.ArgumentParser) -> None:
    """``--peers [NAME...]``, for ``asked_for``."""
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=[peer.name for peer in PEERS],
        help="measure these proxies as well; all that are known if none is named",
    )


def asked_for(names: Sequence[str] | None) -> list[Peer]:
    """None without the option, all if it names none."""
    return [peer for peer in PEERS if names is not None and peer.name in (names or peer.name)]


def install(peer: Peer) -> None:
    """Creates the environment and installs the newest release, unless that was done before."""
    if peer.version:
        return
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    shutil.rmtree(peer.environment, ignore_errors=True)
    if uv:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(peer.environment)], check=True)
        command = [uv, "pip", "install", "--quiet", "--python", str(peer.python)]
    else:
        subprocess.run([sys.executable, "-m", "venv", str(peer.environment)], check=True)
        command = [str(peer.python), "-m", "pip", "install", "--quiet"]
    subprocess.run([*command, *peer.packages], check=True)


@contextmanager
def serving(peer: Peer, upstreams: Sequence[str], folder: Path, cores: set[int] | None) -> Iterator[Served]:
    """The proxy over ``upstreams`` on a free port, answering completions when the block begins."""
    port = _free_port()
    command, environment = _command(peer, port, upstreams, folder)
    log = folder / f"{peer.name}.log"
    with running(command, log=log, cores=cores, environment=environment) as process:
        served = Served(process, f"http://{LOOPBACK}:{port}")
        _wait_until_it_completes(served, log)
        yield served


def _command(
    peer: Peer, port: int, upstreams: Sequence[str], folder: Path
) -> tuple[list[str], dict[str, str]]:
    """How each is started, as its own documentation says, with logging turned down."""
    if peer is SGLANG:
        router = [str(peer.python), "-m", "sglang_router.launch_router", "--policy", "cache_aware"]
        router += ["--host", LOOPBACK, "--port", str(port), "--log-level", "error"]
        return [*router, "--prometheus-port", str(_free_port()), "--worker-urls", *upstreams], {}
    models = [
        {
            "model_name": MODEL,
            "litellm_params": {"model": f"openai/{MODEL}", "api_base": f"{url}/v1", "api_key": "none"},
        }
        for url in upstreams
    ]
    config = folder / "litellm.yaml"
    config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": KEY}}))
    proxy = [str(peer.environment / "bin" / "litellm"), "--config", str(config)]
    proxy += ["--host", LOOPBACK, "--port", str(port), "--num_workers", "1"]
    quiet = {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_TELEMETRY": "False"}
    return proxy, {**quiet, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # else it fetches one at start


def _wait_until_it_completes(served: Served, log: Path) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "ready?"}]}
    headers = {"authorization": f"Bearer {KEY}"}
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and served.process.poll() is None:
        try:
            answer = httpx.post(f"{served.url}/v1/chat/completions", json=body, headers=headers, timeout=10)
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code == 200:
            return
        time.sleep(0.2)
    raise DidNotStart(last_words(log))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Installs every peer and prints what is there."""
    for peer in PEERS:
        install(peer)
        print(f"{peer.name} {peer.version} in {peer.environment.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
