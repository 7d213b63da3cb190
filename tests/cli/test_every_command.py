"""One table over the commands that need no console: what each answers, and what none of them may load.

Every line is run in a child of one process that has imported the command line alone, where Django cannot be
found: so a command that needs it, or loads more than its line allows, says so here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from headway.cli import working
from headway.cli.main import COMMANDS
from headway.cli.parser import app
from tests.support.policies import ROOT, written

HEAVY = {
    *(
        "django",
        "celery",
        "channels",
        "httpx",
        "rich",
        "plotly",
        "uvloop",
        "typer",
        "pydantic",
        "cryptography",
    ),
    *("asyncio", "ruamel"),
}
NEED_MORE = {
    "up",
    "plan",
    "apply",
    "status",
    "rollback",
    "credit",
    "gateway",
    "simfleet",
    "replay",
    "audit",
    "ledger",
    "reset",
}
"""Commands that talk to a console, a gateway or a database, or run one."""


@dataclass(frozen=True)
class Line:
    words: str
    """As typed after ``headway``; ``{}`` is a folder of the test's own."""
    code: int = 0
    says: str = ""
    """A pattern of stdout; of stderr for what could not run."""
    stdin: str = ""
    loads: frozenset[str] = field(default=frozenset())
    """What of ``HEAVY`` it may load."""
    silent: bool = True
    """Whether it says nothing on stderr."""


SIGNS = frozenset({"cryptography"})
TYPER = frozenset({"typer", "pydantic", "rich", "asyncio"})
"""A command line that is not plain is read by Typer, which takes its time."""
OVERRIDES = SIGNS | TYPER
QUICK = "examples/quickstart"
AT = "--at 2026-11-20T00:00:00Z"
TIER = written("Tier/t", "spec: {band: 7}")
UNTIDY = "{kind: Tier, apiVersion: headway/v1, metadata: {name: t}, spec: {band: 7}}"
ASKED = written("Expectation/e", "spec: {given: {tenant: a, model: m}, expect: {verdict: admit}}")
MISSPELT = "chekc"
NOT_RUN: dict[str, Any] = {"code": 2, "silent": False}

LINES = [
    Line(f"check {QUICK}", says=r"^\d+ objects in 9 files$"),
    Line(f"check {QUICK} --format json {AT}", says=r'"ok": ?true'),
    Line(f"check {QUICK} --format=sarif", says=r'"version": ?"2\.1\.0"'),
    Line("check {}/broken --format github", 1, r"^::error .*SPEC005"),
    Line("check {}/broken", 1, r"^error\[SPEC005\]"),
    Line("check -", stdin=TIER, says=r"REF106"),
    Line("check -", says="^0 objects in 1 file$"),
    Line(f"{MISSPELT} x", says="Did you mean 'check'", loads=TYPER, **NOT_RUN),
    Line("check - --strict", 1, r"REF106", stdin=TIER),
    Line("check {}/nowhere", says="no such file", **NOT_RUN),
    Line(f"check {QUICK} --at noon", says="--at noon", **NOT_RUN),
    Line(f"check {QUICK} --format xml", says="xml", loads=TYPER, **NOT_RUN),
    Line(f"test {QUICK}", says=r"holds .*umbrella-has-no-priority"),
    Line(f"test {QUICK} --format json {AT}", says=r'"fails": 0'),
    Line("test -", stdin=TIER, says="^no expectations$"),
    Line("test {}/fails", 1, r"^FAILS  acme-has-priority"),
    Line("test -", stdin=ASKED, says="errors", **NOT_RUN),
    Line(f"diff {QUICK} {QUICK}", says="^no difference$"),
    Line(f"diff {QUICK} - --format json {AT}", 1, r'"action": "delete"', stdin=TIER),
    Line(f"diff {QUICK} {{}}/bundle.tar", says="^no difference$"),
    Line(f"diff {QUICK} {{}}/nowhere", says="no such file", **NOT_RUN),
    Line(f"fmt --check {QUICK}", silent=False),
    Line("fmt -", stdin=UNTIDY,
         says="^apiVersion: headway/v1"),
    Line("fmt - --check", 1, stdin=UNTIDY,
         says="would format"),
    Line("fmt -", 1, stdin="a: [", silent=False),
    Line("fmt {}/nowhere", says="no such file", **NOT_RUN),
    Line("schema", says=r'"\$defs"'),
    Line("schema Tier", says='"headway/v1 Tier"'),
    Line("schema Teir", says="there is no kind `Teir`", **NOT_RUN),
    Line(f"build {QUICK} -o {{}}/again.tar {AT}", says=r"^sha256:[0-9a-f]{64}$", silent=False, loads=SIGNS),
    Line("build - -o {}/in.tar", stdin=TIER, says=r"^sha256:", silent=False, loads=SIGNS),
    Line("build {}/broken -o {}/b.tar", 1, silent=False, loads=SIGNS),
    Line("build {}/nowhere -o {}/b.tar", says="no such file", loads=SIGNS, **NOT_RUN),
    Line("keygen -o {}/new", says=r"^\S+$", loads=SIGNS),
    Line("keygen -o {}/key", says="--force replaces it", loads=SIGNS, **NOT_RUN),
    Line("sign {}/bundle.tar --key {}/other --envelope {}/more.dsse", says=r"^signed by ", loads=SIGNS),
    Line("sign {}/nowhere --key {}/other", says="no such file", loads=SIGNS, **NOT_RUN),
    Line("override sign drain_pool llama --key {}/key --environment dev --reason flood --for 30m -o {}/ovr",
         says=r"^ovr_[0-9a-z]+ drain_pool llama until ", loads=OVERRIDES),
    Line("override sign drain_pool llama --key {}/key --environment dev --reason flood --for 30d -o {}/no", 1,
         loads=OVERRIDES, silent=False),
    Line("override sign drain_pool llama --key {}/key --environment dev --reason flood --for long -o {}/no",
         says="not a duration", loads=OVERRIDES, **NOT_RUN),
    Line("override cosign {}/ovr --key {}/other", says="^signed by ", loads=OVERRIDES),
    Line("override cosign {}/nowhere --key {}/other", says="no such file", loads=OVERRIDES, **NOT_RUN),
    Line("override lift {}/ovr --key {}/key -o {}/end", says=r"^ovr_[0-9a-z]+ ends$", loads=OVERRIDES),
    Line("override lift {}/key.pub --key {}/key -o {}/end", 1, loads=OVERRIDES, silent=False),
    Line("override apply {}/ovr --admin http://127.0.0.1:1", says="does not answer", loads=OVERRIDES,
         **NOT_RUN),
    Line("override list --admin ftp://x", says="not an http URL", loads=OVERRIDES, **NOT_RUN),
    Line("inspect {}/bundle.tar", says=r"^digest +sha256:"),
    Line("inspect {}/bundle.tar --format json", says='"selftests"'),
    Line("inspect -", 1, stdin="no bundle", silent=False),
    Line("inspect {}/nowhere", says="no such file", **NOT_RUN),
    Line("verify {}/bundle.tar --key {}/key.pub", says="^verified: dev at", loads=SIGNS | TYPER),
    Line("verify {}/bundle.tar --key {}/other.pub", 1, silent=False, loads=SIGNS | TYPER),
    Line("verify {}/nowhere --key {}/key.pub", says="no such file", loads=SIGNS | TYPER, **NOT_RUN),
    Line("explain CAP201", says="Oversold pool"),
    Line("explain CAP999", says="there is no code", **NOT_RUN),
    Line(f"simulate {QUICK} --trace {QUICK}/trace.jsonl --limit 20 --format json", says='"tenants"',
         loads=TYPER),
    Line("calibrate {}/steps.csv --like llama-3-8b-h100-tp1 -o {}/mine.of",
         says="^calibrated: ", loads=TYPER),
    Line("calibrate {}/nowhere --like llama-3-8b-h100-tp1", says="no such file", loads=TYPER, **NOT_RUN),
    Line("calibrate {}/steps.csv --like llama-9", says="neither a profile", loads=TYPER, **NOT_RUN),
    Line(f"simulate {QUICK} --trace {{}}/nowhere", says="No such file", **NOT_RUN),
]  # fmt: skip

PROBE = textwrap.dedent("""
    import json, os, sys
    sys.modules["django"] = None
    from headway.cli.main import main
    folder, lines = sys.argv[1], json.load(sys.stdin)
    for i, (words, stdin) in enumerate(lines):
        names = [f"{folder}/run-{i}.{end}" for end in ("in", "out", "err", "told")]
        open(names[0], "w").write(stdin)
        if child := os.fork():
            os.waitpid(child, 0)
            continue
        for fd, name in enumerate(names[:3]):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT if fd else os.O_RDONLY, 0o600), fd)
        sys.argv = ["headway", *words]
        code = 99
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException as error:
            print("Traceback", repr(error), file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        loaded = sorted({name.partition(".")[0] for name, module in sys.modules.items() if module})
        open(names[3], "w").write(json.dumps({"code": code, "loaded": loaded}))
        os._exit(0)
""")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[Line, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("every")
    for name, text in (
        ("broken", written("Tier/t", "spec: {bnad: 7}")),
        ("fails", FAILS),
    ):
        (folder / name).mkdir()
        (folder / name / "policy.yaml").write_text(text)
    rows = (f"{n % 9},{n * 50},{n % 9 * 900},{0.006 + n * 0.0014},0" for n in range(1, 60))
    header = "batch,prefill_tokens,context,seconds,prefill_context"
    (folder / "steps.csv").write_text("\n".join((header, *rows)))
    headway = [sys.executable, "-m", "headway"]
    for words in (f"keygen -o {folder}/key", f"keygen -o {folder}/other",
                  f"build {QUICK} -o {folder}/bundle.tar --sign {folder}/key"):  # fmt: skip
        subprocess.run([*headway, *words.split()], cwd=ROOT, check=True, capture_output=True, timeout=60)
    asked = [(line.words.replace("{}", str(folder)).split(), line.stdin) for line in LINES]
    ran = subprocess.run(
        [sys.executable, "-c", PROBE, str(folder)],
        input=json.dumps(asked),
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stderr
    return {line: _told(folder, i) for i, line in enumerate(LINES)}


FAILS = "---\n".join(
    [
        written("Model/m", "spec: {context_window: 8k}"),
        written("Tier/t", "spec: {band: 7}"),
        written("Tenant/acme", "spec: {tiers: [t]}"),
        written(
            "Pool/p",
            "spec: {model: m, profile: llama-3-8b-h100-tp1, replicas: {urls: ['http://p:1']}, "
            "capacity: {input: 1M tokens/min, output: 1M tokens/min, sequences: 9, kv_tokens: 1M}}",
        ),
        written("Route/r", "spec: {rank: 1, targets: [{pool: p}]}"),
        written(
            "Expectation/acme-has-priority",
            "spec: {given: {tenant: acme, model: m}, expect: {verdict: refuse, reason: no_route}}",
        ),
    ]
)


def _told(folder: Path, i: int) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / f"run-{i}.told").read_text())
    return {**told, **{end: (folder / f"run-{i}.{end}").read_text() for end in ("out", "err")}}


@pytest.mark.parametrize("line", LINES, ids=[line.words for line in LINES])
def test_every_command_answers_as_the_table_says(runs, line):
    ran = runs[line]
    assert ran["code"] == line.code, ran["err"]
    assert "Traceback" not in ran["err"]
    assert "\x1b" not in ran["out"] + ran["err"], "no colour and no progress but on terminals"
    where = ran["err"] if line.code == 2 else ran["out"]
    assert re.search(line.says, where, re.MULTILINE), where[:2000]
    if line.silent:
        assert ran["err"] == ""
    if line.code == 2:
        assert ran["out"] == "", "an answer is on stdout, and there is none"
    assert HEAVY & set(ran["loaded"]) <= line.loads
    if "json" in line.words or "sarif" in line.words:
        json.loads(ran["out"])


def test_the_table_leaves_no_command_out():
    assert {line.words.split()[0] for line in LINES} | NEED_MORE == {*COMMANDS, MISSPELT}


def test_each_offline_command_is_seen_to_succeed_and_to_be_unable_to_run():
    for name in set(COMMANDS) - NEED_MORE:
        codes = {line.code for line in LINES if line.words.split()[0] == name}
        assert codes >= {0, 2}, name


@pytest.mark.parametrize(
    ("variables", "shown"), [({}, True), ({"CI": "true"}, False), ({"TERM": "dumb"}, False)]
)
def test_progress_is_for_people_at_terminals(monkeypatch, capsys, variables, shown):
    for name in ("CI", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(working, "PATIENCE", 0)
    monkeypatch.setattr(working, "PAUSE", 0.001)
    with working.working("counting"):
        time.sleep(0.02)
    told = capsys.readouterr()
    assert told.out == ""
    assert ("counting, 0 s" in told.err) is shown
    assert not told.err or told.err.endswith("\r\033[K"), "nothing is left of it"


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - NEED_MORE))
def test_completion_knows_the_options_of_every_command(name):
    command = get_command(app).get_command(None, name)  # type: ignore[attr-defined]
    options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
    if not options:
        return
    context = command.make_context(name, [], resilient_parsing=True)
    offered = {item.value for item in command.shell_complete(context, "--")}
    assert offered >= set(options)
