"""How is a number with its unit read, exactly, into an integer; and how is it written back?

``600k tokens/min``, ``400ms``, ``99.9%``, ``20000 USD``, ``0.15 USD/1M tokens``. Decimals stay decimals
until they are whole numbers of the field's smallest step; nothing passes through a float. Readers
raise ``Misread``. Writers give the form the readers take back unchanged.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from coordination.spec.plain import Plain, describe
from coordination.spec.rules import (
    SPEC006_wrong_type,
    SPEC007_unit,
    SPEC008_out_of_range,
)

LARGEST = 2**53 - 1
"""Largest integer of the compiled form: every JSON reader in the world keeps it exactly."""

MILLION = 1_000_000
NANO = 1_000_000_000
SCALES = {"": 1, "k": 1_000, "M": MILLION, "G": NANO, "T": 1_000 * NANO}
DURATIONS = {"us": 1, "ms": 1_000, "s": MILLION, "m": 60 * MILLION, "h": 3600 * MILLION, "d": 86400 * MILLION}

NUMBER = re.compile(r"([+-]?[0-9]{1,24}(?:\.[0-9]{1,18})?)\s*(.*)", re.DOTALL)
SCALED = re.compile(r"([kMGT]?)(?:\s+(\S.*))?|(\S.*)", re.DOTALL)
INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)?")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Money(msgspec.Struct, frozen=True, order=True):
    """An amount in nano-units of a currency."""

    nano: int
    currency: str


NO_CURRENCY = "XXX"
"""ISO 4217's code for none, where no price book and no limit names one."""


def number_and_rest(value: Plain, what: str) -> tuple[Decimal, str]:
    """Split a value into an exact number and the text after it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value), ""
    if isinstance(value, Decimal):
        return value, ""
    if isinstance(value, str):
        match = NUMBER.fullmatch(value.strip())
        if match:
            if match[2][:1].isdigit() and match.end(1) == match.start(2):
                raise SPEC008_out_of_range.too_long(value)
            return Decimal(match[1]), match[2].strip()
    raise SPEC006_wrong_type.expected(what, value)


def scale_and_unit(rest: str) -> tuple[int, str]:
    """``"k tokens/min"`` -> (1000, "tokens/min"); ``"USD"`` -> (1, "USD")."""
    match = SCALED.fullmatch(rest)
    if match is None or match[3] is not None:
        return 1, rest
    return SCALES[match[1] or ""], match[2] or ""


def whole(number: Decimal, written: Plain, least: int, most: int, grain: str) -> int:
    """An exact decimal as an integer within bounds. ``grain`` names the smallest step."""
    if number.adjusted() > 30:
        raise SPEC008_out_of_range.above(text_of(written), f"{most:,}")
    if number != number.to_integral_value():
        raise SPEC008_out_of_range.too_fine(text_of(written), grain)
    result = int(number)
    if result < least:
        raise SPEC008_out_of_range.below(text_of(written), f"{least:,}")
    if result > most:
        raise SPEC008_out_of_range.above(text_of(written), f"{most:,}")
    return result


def text_of(value: Plain) -> str:
    return value if isinstance(value, str) else describe(value).removeprefix("the number ").strip("`")


def read_count(value: Plain, unit: str, least: int, most: int) -> int:
    """A bare count: ``8192``, ``8k``, ``8k tokens``."""
    what = f"a whole number of {unit}, such as `8k`" if unit else "a whole number"
    number, rest = number_and_rest(value, what)
    scale, word = scale_and_unit(rest)
    if word and word != unit:
        if not unit:
            raise SPEC006_wrong_type.expected(what, value)
        raise SPEC007_unit.wrong(text_of(value), unit, f"8k {unit}")
    return whole(number * scale, value, least, most, f"1 {unit}".strip())


def read_rate(value: Plain, unit: str, least: int, most: int) -> int:
    """A count with its unit written out: ``600k tokens/min``."""
    example = f"600k {unit}"
    number, rest = number_and_rest(value, f"a rate such as `{example}`")
    scale, word = scale_and_unit(rest)
    if not word:
        written = text_of(value)
        raise SPEC007_unit.missing(written, unit, example, mended=f"{written.strip()} {unit}")
    if word != unit:
        raise SPEC007_unit.wrong(text_of(value), unit, example)
    return whole(number * scale, value, least, most, f"1 {unit}")


def read_duration(value: Plain, least: int, most: int) -> int:
    """``400ms``, ``1.5s``, ``24h`` in microseconds."""
    number, unit = number_and_rest(value, "a duration such as `400ms`, `10s` or `24h`")
    if not unit:
        if number == 0 and least == 0:
            return 0
        written = text_of(value)
        raise SPEC007_unit.missing(written, "us, ms, s, m, h or d", "400ms", mended=f"{written.strip()}s")
    if unit not in DURATIONS:
        raise SPEC007_unit.wrong(text_of(value), "us, ms, s, m, h or d", "400ms")
    exact = number * DURATIONS[unit]
    if exact < least:
        raise SPEC008_out_of_range.below(text_of(value), write_duration(least))
    if exact > most:
        raise SPEC008_out_of_range.above(text_of(value), write_duration(most))
    return whole(exact, value, least, most, "1us")


def read_ppm(value: Plain, least: int, most: int) -> int:
    """A fraction or factor, ``0.1`` or ``10%``, in parts per million."""
    number, unit = number_and_rest(value, "a number such as `0.1` or `10%`")
    if unit not in ("", "%"):
        raise SPEC007_unit.wrong(text_of(value), "a plain number or %", "10%")
    exact = number * (10_000 if unit else MILLION)
    write = write_percent if unit else write_ppm
    if exact < least:
        raise SPEC008_out_of_range.below(text_of(value), write(least))
    if exact > most:
        raise SPEC008_out_of_range.above(text_of(value), write(most))
    return whole(exact, value, least, most, write(1))


def read_money(value: Plain) -> Money:
    """``20000 USD``, ``12.50 EUR``; never negative."""
    number, rest = number_and_rest(value, "an amount of money such as `20000 USD`")
    scale, currency = scale_and_unit(rest)
    if not currency:
        written = text_of(value)
        raise SPEC007_unit.missing(written, "a currency", "20000 USD", mended=f"{written.strip()} USD")
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise SPEC007_unit.wrong(text_of(value), "a currency of three capitals", "20000 USD")
    exact = number * scale
    if exact * NANO > LARGEST:
        raise SPEC008_out_of_range.above(text_of(value), f"{LARGEST // NANO:,} {currency}")
    if exact < 0:
        raise SPEC008_out_of_range.below(text_of(value), f"0 {currency}")
    return Money(whole(exact * NANO, value, 0, LARGEST, f"0.000000001 {currency}"), currency)


def read_price(value: Plain) -> Money:
    """``0.15 USD/1M tokens``: the price of one token, in nano-units."""
    example = "0.15 USD/1M tokens"
    number, rest = number_and_rest(value, f"a price such as `{example}`")
    match = re.fullmatch(r"([A-Z]{3})\s*/\s*1M tokens", rest)
    if match is None:
        if not rest or re.fullmatch(r"[A-Z]{3}", rest):
            written = text_of(value).strip()
            mended = f"{written}{'' if rest else ' USD'}/1M tokens"
            raise SPEC007_unit.missing(written, "money per 1M tokens", example, mended=mended)
        raise SPEC007_unit.wrong(text_of(value), "money per 1M tokens", example)
    grain = f"0.001 {match[1]}/1M tokens"
    return Money(whole(number * NANO / MILLION, value, 0, LARGEST, grain), match[1])


def read_instant(value: Plain) -> int:
    """RFC 3339 with its zone, ``2026-12-01T00:00:00Z``, in microseconds since 1970."""
    what = "an instant such as `2026-12-01T00:00:00Z`"
    if not isinstance(value, str):
        raise SPEC006_wrong_type.expected(what, value)
    match = INSTANT.fullmatch(value.strip())
    if match is None:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value.strip()):
            mended = f"{value.strip()}T00:00:00Z"
            raise SPEC007_unit.missing(value, "a time of day and zone", "2026-12-01T00:00:00Z", mended=mended)
        raise SPEC006_wrong_type.expected(what, value)
    if match[1] is None:
        mended = value.strip() + "Z"
        raise SPEC007_unit.missing(value, "Z or an offset", "2026-12-01T00:00:00Z", mended=mended)
    try:
        moment = datetime.fromisoformat(value.strip().upper().replace(" ", "T"))
        since = moment - EPOCH
    except (ValueError, OverflowError):
        raise SPEC006_wrong_type.expected(f"{what} that exists", value) from None
    micros = since // timedelta(microseconds=1)
    if micros < 0:
        raise SPEC008_out_of_range.below(value, write_instant(0))
    if micros > LARGEST:
        raise SPEC008_out_of_range.above(value, write_instant(LARGEST))
    return micros


def write_count(n: int) -> str | int:
    """The shortest exact form: 600000 -> ``600k``, 1500000 -> ``1.5M``, 8192 -> 8192."""
    for suffix in ("T", "G", "M", "k"):
        scale = SCALES[suffix]
        if n >= scale and (n * 10) % scale == 0:
            return f"{plain_decimal(Decimal(n) / scale)}{suffix}"
    return n


def write_duration(micros: int) -> str:
    for unit in ("d", "h", "m", "s", "ms"):
        if micros and micros % DURATIONS[unit] == 0:
            return f"{micros // DURATIONS[unit]}{unit}"
    return f"{micros}us" if micros else "0s"


def write_ppm(ppm: int) -> str:
    return plain_decimal(Decimal(ppm) / MILLION)


def write_percent(ppm: int) -> str:
    return plain_decimal(Decimal(ppm) / 10_000) + "%"


def write_money(money: Money) -> str:
    return f"{plain_decimal(Decimal(money.nano) / NANO)} {money.currency}"


def write_price(money: Money) -> str:
    return f"{plain_decimal(Decimal(money.nano) * MILLION / NANO)} {money.currency}/1M tokens"


def write_instant(micros: int) -> str:
    moment = EPOCH + timedelta(microseconds=micros)
    return moment.isoformat(timespec="microseconds" if micros % MILLION else "seconds").replace("+00:00", "Z")


def plain_decimal(number: Decimal) -> str:
    """Without exponent, without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
