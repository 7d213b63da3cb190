"""How is a sound policy damaged? Small steps that leave most of it meaningful, drawn from a seeded source."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from coordination.spec import SourceFile

EDGES = (
    "0", "-1", "1", "9007199254740991", "9007199254740992", "1e400", "0.0000001", "99999999999999999999k",
    "100%", "100.0001%", "-0", "0x10", "1_000", ".5", "5.", "NaN", ".inf", "366d", "367d", "0s", "1us",
    "null", "~", "true", "yes", "[]", "{}", "''", "' '", "2026-02-30T00:00:00Z", "2026-12-31T23:59:60Z",
    "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "2026-12-01", "12.50 USD", "0.15 USD/1M tokens",
    "1 tokens/min", "9e15 tokens/min", "FREQ=DAILY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "09:00-18:00",
    "24:00-24:00", "Europe/Berlin",
)  # fmt: skip
"""Values at and over the edges of the language."""
LETTERS = (
    "\u0430", "\u202e", "\u200b", "\ufeff", "\x00", "\x85", "\u2028", "é", "𝄞", "\t", "\r", "%",
    "&a ", "*a", "!x ",
)  # fmt: skip
"""Letters that look like others, or like nothing, and signs with a meaning in YAML."""
NUMBER = re.compile(r"(?<![A-Za-z0-9.-])[0-9]+(?![0-9:.-])")
FIELD = re.compile(r"([a-z_]+): ?([^,{}\[\]\n]+|\[[^\]\n]*\])")
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_%-]*")
Source = random.Random


def mutated(files: list[SourceFile], source: Source) -> list[SourceFile]:
    """The files after one to four steps, each on one of them; half of the time they stay readable, mostly."""
    texts = {file.name: file.text.decode() for file in files}
    steps = GENTLE if source.random() < 0.5 else GENTLE + ROUGH
    for _ in range(source.randint(1, 4)):
        name = source.choice(sorted(texts))
        step = source.choice(steps)
        texts[name] = step(texts[name], source, texts)
    return [SourceFile(name, text.encode("utf-8", "replace")) for name, text in texts.items()]


def _lines(change: Callable[[list[str], int, Source], None]) -> Callable[[str, Source, dict[str, str]], str]:
    def step(text: str, source: Source, _: dict[str, str]) -> str:
        lines = text.split("\n")
        change(lines, source.randrange(len(lines)), source)
        return "\n".join(lines)

    return step


def _drop(lines: list[str], i: int, _: Source) -> None:
    del lines[i]


def _repeat(lines: list[str], i: int, _: Source) -> None:
    lines.insert(i, lines[i])


def _move(lines: list[str], i: int, source: Source) -> None:
    line = lines.pop(i)
    lines.insert(source.randint(0, len(lines)), line)


def _indent(lines: list[str], i: int, source: Source) -> None:
    lines[i] = source.choice(["  " + lines[i], lines[i][1:], lines[i][2:], "\t" + lines[i]])


def _word(text: str, source: Source, texts: dict[str, str]) -> str:
    """A word becomes another of the policy, or a value at an edge."""
    found = list(WORD.finditer(text))
    if not found:
        return text
    chosen = source.choice(found)
    others: list[str] = WORD.findall(texts[source.choice(sorted(texts))])
    put = source.choice([*source.sample(EDGES, 3), source.choice(others or ["x"]), chosen[0] + chosen[0]])
    return text[: chosen.start()] + put + text[chosen.end() :]


def _number(text: str, source: Source, _: dict[str, str]) -> str:
    """A number becomes another one, its unit stays: nearly always readable, often not sound."""
    found = list(NUMBER.finditer(text))
    if not found:
        return text
    chosen = source.choice(found)
    value = int(chosen[0])
    put = source.choice([0, 1, value + 1, value * 2, value * 10, value * 1000, value // 2, value // 10])
    return text[: chosen.start()] + str(put) + text[chosen.end() :]


def _field(text: str, source: Source, texts: dict[str, str]) -> str:
    """A field takes the value that one of its name has elsewhere."""
    found = list(FIELD.finditer(text))
    if not found:
        return text
    chosen = source.choice(found)
    values: list[str] = [m[2] for other in texts.values() for m in FIELD.finditer(other) if m[1] == chosen[1]]
    return text[: chosen.start(2)] + source.choice(values) + text[chosen.end(2) :]


def _letter(text: str, source: Source, _: dict[str, str]) -> str:
    at = source.randint(0, len(text))
    return text[:at] + source.choice(LETTERS) + text[at + source.randint(0, 1) :]


def _cut(text: str, source: Source, _: dict[str, str]) -> str:
    start = source.randint(0, len(text))
    return text[:start] + text[start + source.randint(0, 60) :]


def _document(text: str, source: Source, texts: dict[str, str]) -> str:
    """A document of another file is added, dropped, or takes the place of one."""
    mine, theirs = text.split("\n---\n"), texts[source.choice(sorted(texts))].split("\n---\n")
    mine[source.randrange(len(mine))] = source.choice(theirs)
    return "\n---\n".join(mine)


Step = Callable[[str, Source, dict[str, str]], str]
GENTLE: tuple[Step, ...] = (_number, _field, _document, _lines(_drop))
ROUGH: tuple[Step, ...] = (_lines(_repeat), _lines(_move), _lines(_indent), _word, _letter, _cut)
