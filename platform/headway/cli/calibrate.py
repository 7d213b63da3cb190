"""``headway calibrate``: how fast are these replicas really, and how sure is that?"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from coordination.calibration import (
    Calibration,
    Evidence,
    EvidenceError,
    Recording,
    Scrapes,
    StepsTable,
    calibrate,
)
from coordination.calibration.steps_table import is_header
from coordination.capacity import PROFILES, Profile
from coordination.traces.recorded import is_opening
from headway.cli.artefacts import CouldNotRun, read_file, reporting, write_file
from headway.cli.profiles import NAME, profile_of
from headway.cli.simulate_text import duration, percent, table
from headway.cli.words import Argument, Option


class OutputFormat(enum.StrEnum):
    text = "text"
    json = "json"


def command(
    files: Annotated[
        list[Path],
        Argument(help="A recording, a CSV of timed steps, or scrapes of an engine's /metrics."),
    ],
    like: Annotated[
        str,
        Option(
            help=f"Model and accelerator to start from: {', '.join(PROFILES)}, or a file of an earlier fit."
        ),
    ],
    name: Annotated[str, Option(help="What the profile is called.")] = "calibrated",
    out: Annotated[Path | None, Option("--out", "-o", help="Write the profile here.")] = None,
    model: Annotated[str, Option(help="Of a recording: only what asked for this model.")] = "",
    kv_tokens: Annotated[
        int | None,
        Option(min=512, help="KV tokens a replica holds (default: as it says, or as --like)."),
    ] = None,
    sequences: Annotated[
        int | None,
        Option(min=1, max=8192, help="Sequences a replica runs at once (default: as --like)."),
    ] = None,
    output: Annotated[OutputFormat, Option("--format", help="How to print.")] = OutputFormat.text,
) -> None:
    """Fit a capacity profile to measurements, and tell how well it fits what was held out.

    Each file of scrapes is one engine's, pages one after another; files of one page each are one engine's in
    the order given. Exit code: 0 fitted, 2 could not run.
    """
    with reporting("calibrate"):
        if not NAME.fullmatch(name):
            raise CouldNotRun(f"--name {name}: lower-case letters, digits, dots and dashes")
        base = profile_of(like)
        try:
            evidence = _evidence(files, base, model or None, sequences, kv_tokens)
            told = kv_tokens or (evidence.kv_tokens if isinstance(evidence, Scrapes) else None)
            found = calibrate(evidence, base, name, kv_tokens=told, sequences=sequences)
        except EvidenceError as problem:
            raise CouldNotRun(str(problem)) from None
        if out is not None:
            write_file(out, found.file())
    if output is OutputFormat.json:
        print(
            json.dumps({**json.loads(found.file()), "written": None if out is None else str(out)}, indent=2)
        )
    else:
        print(_text(found, out))


def _evidence(
    files: Sequence[Path], base: Profile, model: str | None, sequences: int | None, kv_tokens: int | None
) -> Evidence:
    """By what the first file begins with."""
    contents = [(str(path), read_file(path)) for path in files]
    file, data = contents[0]
    head = data[:4096].decode("utf-8", errors="replace").lstrip("\ufeff").partition("\n")[0].strip()
    single = is_opening(head) or is_header(head)
    if single and len(files) > 1:
        raise CouldNotRun(f"{files[1]}: one recording or one table at a time")
    if is_opening(head):
        return Recording(
            file, _lines(file, data), base, model=model, sequences=sequences, kv_tokens=kv_tokens
        )
    if is_header(head):
        return StepsTable(file, (line for _, line in _lines(file, data)))
    if b"vllm:" not in data:
        raise CouldNotRun(f"{file}: neither a recording, nor a table of steps, nor a page of vLLM's metrics")
    series = [_pages(*one) for one in contents]
    if all(len(one) == 1 for one in series):
        series = [[page for one in series for page in one]]
    return Scrapes(series)


def _lines(file: str, data: bytes) -> Iterator[tuple[int, str]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise EvidenceError(file, 0, "not UTF-8 text") from None
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, line.strip()


def _pages(file: str, data: bytes) -> list[tuple[str, bytes]]:
    """A file that pages were appended to: each begins as the first does."""
    first = data.partition(b"\n")[0] + b"\n"
    parts = data.split(first)
    pages = [part for part in parts if part.strip()]
    if len(pages) == 1:
        return [(file, data)]
    return [(f"{file} (page {number})", first + part) for number, part in enumerate(pages, 1)]


# How it is told


def _text(found: Calibration, out: Path | None) -> str:
    count = sum(errors["after"].count for by in found.errors.values() for errors in by.values())
    parts = [
        f"{found.profile.name}: {found.base.name}, fitted to {count:,} times of {_SOURCES[found.source]}",
        _coefficients(found),
        _errors(found),
    ]
    if found.replayed:
        parts.append(_replayed(found))
    parts.append(
        "\n".join([*(f"note: {one}" for one in found.notes), *(f"warning: {one}" for one in found.warnings)])
    )
    parts.append(_pool(found))
    if out is not None:
        parts.append(f"written to {out}; headway simulate ... --profile POOL={out}")
    return "\n\n".join(part for part in parts if part)


_SOURCES = {"recording": "a recording", "metrics": "an engine's metrics", "steps": "single steps"}


def _coefficients(found: Calibration) -> str:
    rows = [["coefficient", f"times {found.base.name}", "95 %"]]
    for one in found.coefficients:
        half = "as it was" if one.plus_minus is None else f"± {percent(one.plus_minus)}"
        rows.append([one.name, f"{one.factor:.3f}", half])
    if found.extra is not None:
        rows.append([found.extra[0], f"{found.extra[1]:.4g}", ""])
    return table(rows)


def _errors(found: Calibration) -> str:
    rows = [["relative errors", "count", "median", "p95", "bias", "R2", "median before"]]
    for part, by in found.errors.items():
        for name, both in by.items():
            after = both["after"]
            rows.append(
                [
                    f"{name}, {part.replace('_', ' ')}",
                    f"{after.count:,}",
                    percent(after.median),
                    percent(after.p95),
                    percent(after.bias, "+"),
                    "-" if after.r2 is None else f"{after.r2:.3f}",
                    percent(both["before"].median),
                ]
            )
    return table(rows)


def _replayed(found: Calibration) -> str:
    rows = [["replayed by itself", "recorded", "profile", "off"]]
    for name, by in found.replayed.items():
        for at, (recorded, expected) in by.items():
            off = percent(expected / recorded - 1, "+") if recorded else "-"
            rows.append([f"{name} {at}", duration(recorded), duration(expected), off])
    return table(rows)


def _pool(found: Calibration) -> str:
    """What a Pool document would say of such a replica."""
    says = found.capacity()
    return (
        "a Pool of such replicas:\n"
        f"  profile: {found.profile.name}\n"
        "  capacity:\n"
        f"    input: {says['input']} tokens/min\n"
        f"    output: {says['output']} tokens/min\n"
        f"    sequences: {says['sequences']}\n"
        f"    kv_tokens: {says['kv_tokens']}"
    )
