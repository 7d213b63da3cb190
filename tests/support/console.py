"""A real console and real gateways that follow it, as processes: to be asked, killed and started again."""

from __future__ import annotations

import functools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.commands import headway
from tests.support.policies import ROOT, written
from tests.support.ports import free_port
from tests.support.replica import replica

logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each poll would bury what matters

GUARD = 60.0
"""Seconds, three times and more above anything waited for: turns a hang into a failure."""
ENVIRONMENT = "/api/v1/environments/dev"


def until(true: Callable[[], Any], what: str, *, guard: float = GUARD) -> Any:
    """Poll until ``true`` returns something true; that. Ever less often: whoever is asked has work to do."""
    deadline = time.monotonic() + guard
    pause = 0.01
    while not (found := true()):
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(pause)
        pause = min(1.5 * pause, 0.2)
    return found


class Process:
    """One child of ours, its output in a file."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HEADWAY_")}
        for foreign in ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL"):
            kept.pop(foreign, None)
        self.environment = {**kept, **environment}
        self.log = folder / f"{name}.log"
        self._child: subprocess.Popen[bytes] | None = None

    def spawn(self, *arguments: str) -> None:
        with self.log.open("ab") as out:
            self._child = subprocess.Popen(
                [sys.executable, "-m", *arguments], cwd=ROOT, env=self.environment, stdout=out, stderr=out
            )

    @property
    def child(self) -> subprocess.Popen[bytes]:
        assert self._child is not None
        return self._child

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def signal(self, number: int) -> None:
        self.child.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        self.signal(signal.SIGKILL)
        self.child.wait(GUARD)

    def stop(self) -> None:
        if not self.running:
            return
        self.signal(signal.SIGTERM)
        try:
            self.child.wait(GUARD)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class Console(Process):
    """``python -m headway.web`` with a state folder of its own, and an operator's token for it."""

    def __init__(
        self, folder: Path, environment: dict[str, str], token: str, *, name: str = "console"
    ) -> None:
        super().__init__(name, folder, environment)
        self.token = token
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {self.token}"},
            timeout=GUARD,
            trust_env=False,
        )

    def start(self) -> None:
        """Start it and wait for its first answer."""
        self.spawn("headway.web", "--port", str(self.port))
        until(self._answers, "the console's first answer")

    def _answers(self) -> bool:
        assert self.running, self.said
        try:
            return self.api.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    # -- what an operator does ---------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        return dict(self.get(f"{ENVIRONMENT}/status"))

    def get(self, path: str) -> Any:
        answer = self.api.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        answer = self.api.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def save(self, kind: str, name: str, rest: str) -> Any:
        """Write one document at once, whatever it was before."""
        path = f"{ENVIRONMENT}/documents/{kind}/{name}"
        held = self.api.get(path)
        condition = {"If-Match": held.headers["ETag"]} if held.status_code == 200 else {"If-None-Match": "*"}
        answer = self.api.put(
            path,
            content=written(f"{kind}/{name}", rest).encode(),
            headers={"content-type": "application/yaml", **condition},
        )
        assert answer.is_success, answer.text
        return answer.json()

    def limit_requests(self, per_minute: int) -> Any:
        """Have acme's requests limited."""
        spec = f"spec: {{tenant: acme, limits: [{{of: requests, per: 1m, limit: {per_minute}}}]}}"
        return self.save("Quota", "acme", spec)

    def create_key(self, tenant: str = "acme") -> dict[str, Any]:
        return dict(self.post(f"{ENVIRONMENT}/keys", tenant=tenant, name="test"))

    def revoke_key(self, key_id: str) -> None:
        assert self.api.delete(f"{ENVIRONMENT}/keys/{key_id}").status_code == 200

    def roll_back(self, **body: Any) -> Any:
        return self.post(f"{ENVIRONMENT}/rollback", **body)

    def wait_in_step(self, *, version: int | None = None) -> dict[str, Any]:
        """Every gateway acknowledged what its ring is pointed at (release ``version`` or later)."""

        def there() -> dict[str, Any] | None:
            told = self.status()
            reached = version is None or told["release"]["version"] >= version
            return told if reached and told["in_step"] else None

        return dict(until(there, f"every gateway in step; {self.status()}"))


def set_up(folder: Path, *replica_urls: str, **services: str) -> tuple[dict[str, str], str]:
    """A first day: the environment variables of its consoles and workers, and an operator's token."""
    environment = {"HEADWAY_VAR": str(folder / "var"), **services}
    if services:
        return environment, _first_day(folder, replica_urls, environment)
    kept, token = _kept_first_day(replica_urls)
    shutil.copytree(Path(kept.name) / "var", folder / "var")
    return environment, token


@functools.cache
def _kept_first_day(replica_urls: tuple[str, ...]) -> tuple[tempfile.TemporaryDirectory[str], str]:
    """One with a database in its state folder, to be copied; and its token. Kept as long as this process."""
    kept = tempfile.TemporaryDirectory(prefix="headway_test_day_")
    folder = Path(kept.name)
    return kept, _first_day(folder, replica_urls, {"HEADWAY_VAR": str(folder / "var")})


def _first_day(folder: Path, replica_urls: Sequence[str], environment: dict[str, str]) -> str:
    made = subprocess.run(
        [sys.executable, "-m", "tests.support.console_setup", *replica_urls],
        cwd=ROOT,
        env=Process("setup", folder, environment).environment,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    return str(json.loads(made.stdout)["token"])


class Gateway(Process):
    """``headway gateway``, enrolled into a folder and following a console."""

    def __init__(self, folder: Path, server: str, name: str = "gw-1") -> None:
        super().__init__(name, folder, {"PYTHONUNBUFFERED": "1"})
        self.name = name
        self.server = server
        self.state = folder / f"{name}-state"
        self.ready_file = folder / f"{name}.ready"
        self.port = free_port()
        self.admin_port = free_port()
        self.client = httpx.Client(timeout=GUARD, trust_env=False)

    def enrol(self, console: Console) -> None:
        """As an operator does: a token from the console, the root's digest from the same place."""
        issued = console.post(f"{ENVIRONMENT}/enrolment-tokens")
        done = headway(
            *("gateway", "enroll", "--server", console.url),
            *("--token", issued["token"], "--root", issued["root"]),
            *("--state", str(self.state), "--name", self.name),
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        self.ready_file.unlink(missing_ok=True)
        self.spawn(
            *("headway", "gateway", "--server", self.server, "--state", str(self.state)),
            *("--port", str(self.port), "--admin-port", str(self.admin_port)),
            *("--ready-file", str(self.ready_file)),
        )
        until(self._serves, "a gateway that serves")

    def _serves(self) -> bool:
        assert self.running, self.said
        return self.ready_file.exists()

    def chat(self, secret: str, client: httpx.Client | None = None) -> httpx.Response:
        return (client or self.client).post(
            f"http://127.0.0.1:{self.port}/v1/chat/completions",
            headers={"authorization": f"Bearer {secret}"},
            json={"model": "llama-3-8b", "messages": [{"role": "user", "content": "Say two words."}]},
        )

    def ready(self) -> dict[str, Any]:
        return dict(self.client.get(f"http://127.0.0.1:{self.admin_port}/readyz").json())

    def wait_ready(self, true: Callable[[dict[str, Any]], Any], what: str) -> dict[str, Any]:
        """Until what the gateway says of itself fits."""
        until(lambda: true(self.ready()), what)
        return self.ready()


@contextmanager
def followed_console(folder: Path, *, database: str = "") -> Iterator[tuple[Console, Gateway]]:
    """A console and a gateway in step with it, over one replica."""
    with replica() as url, followed_over(folder, url, database=database) as made:
        yield made


@contextmanager
def followed_over(folder: Path, *replica_urls: str, database: str = "") -> Iterator[tuple[Console, Gateway]]:
    """The same, over replicas of the caller's."""
    environment, token = set_up(folder, *replica_urls, **({"DATABASE_URL": database} if database else {}))
    console = Console(folder, environment, token)
    gateway = Gateway(folder, console.url)
    try:
        console.start()
        gateway.enrol(console)
        gateway.start()
        console.wait_in_step()
        yield console, gateway
    finally:
        gateway.stop()
        console.stop()


class Load:
    """A client that asks again and again, in a thread, and remembers every answer."""

    def __init__(self, gateway: Gateway, secret: str, *, pause: float = 0.01) -> None:
        self._gateway, self._secret, self._pause = gateway, secret, pause
        self.answers: list[int | str] = []
        """Status codes; the name of the exception where there was no answer."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        with httpx.Client(timeout=GUARD, trust_env=False) as client:
            while not self._stopped.wait(self._pause):
                try:
                    self.answers.append(self._gateway.chat(self._secret, client).status_code)
                except httpx.HTTPError as error:
                    self.answers.append(type(error).__name__)

    def wait_for(self, more: int) -> None:
        """Until ``more`` answers than now have come."""
        wanted = len(self.answers) + more
        until(lambda: len(self.answers) >= wanted, f"{more} more answers")

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(GUARD)
