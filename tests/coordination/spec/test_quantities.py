"""Numbers with units: read exactly, refused when they cannot be, written back unchanged."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.spec import quantities as q
from coordination.spec.finding import Misread
from coordination.spec.plain import Plain

MOST = q.LARGEST


@pytest.mark.parametrize(
    ("written", "tokens"),
    [("600k tokens/min", 600_000), ("1.5M tokens/min", 1_500_000), ("60k  tokens/min", 60_000),
     ("0 tokens/min", 0), ("0.001k tokens/min", 1), ("2G tokens/min", 2_000_000_000), ("7 tokens/min", 7)],
)  # fmt: skip
def test_rates_are_whole_numbers_of_their_unit(written: str, tokens: int):
    assert q.read_rate(written, "tokens/min", 0, MOST) == tokens


@pytest.mark.parametrize(
    ("written", "micros"),
    [("400ms", 400_000), ("24h", 86_400_000_000), ("1.5s", 1_500_000), ("10m", 600_000_000), ("7us", 7),
     ("30d", 2_592_000_000_000), ("0s", 0), (0, 0)],
)  # fmt: skip
def test_durations_are_microseconds(written: str | int, micros: int):
    assert q.read_duration(written, 0, MOST) == micros


@pytest.mark.parametrize(
    ("written", "ppm"),
    [("99.9%", 999_000), ("70%", 700_000), (Decimal("0.1"), 100_000), (4, 4_000_000), ("12.5%", 125_000),
     (Decimal("0.000001"), 1)],
)  # fmt: skip
def test_fractions_are_millionths(written: Plain, ppm: int):
    assert q.read_ppm(written, 0, MOST) == ppm


@pytest.mark.parametrize(
    ("written", "nano"),
    [("20000 USD", 20_000 * 10**9), ("12.50 USD", 12_500_000_000), ("2k EUR", 2_000 * 10**9), ("0 JPY", 0)],
)
def test_money_is_nano_units_of_its_currency(written: str, nano: int):
    money = q.read_money(written)
    assert (money.nano, money.currency) == (nano, written[-3:])


@pytest.mark.parametrize(
    ("written", "nano"),
    [("0.15 USD/1M tokens", 150), ("0.001 USD/1M tokens", 1), ("3 EUR / 1M tokens", 3000)],
)
def test_a_price_is_nano_units_a_token(written: str, nano: int):
    assert q.read_price(written).nano == nano


@pytest.mark.parametrize(
    ("written", "micros"),
    [("1970-01-01T00:00:00Z", 0), ("2026-12-01T00:00:00Z", 1_796_083_200_000_000),
     ("2026-12-01T01:00:00+01:00", 1_796_083_200_000_000), ("1970-01-01T00:00:00.000001Z", 1),
     ("1970-01-01 00:00Z", 0)],
)  # fmt: skip
def test_instants_are_microseconds_since_1970(written: str, micros: int):
    assert q.read_instant(written) == micros


NEVER: list[Plain] = [
    "", " ", "k", "tokens/min", "1e3 tokens/min", "1,000 tokens/min", "١٢ tokens/min", "0x10 tokens/min",
    "--1 tokens/min", "1.2.3 tokens/min", "1 k tokens/min extra words", "NaN", "inf", "9" * 400, None, True,
    [], {}, Decimal("1e400"), 10**39, "-1 tokens/min", "1.0005k tokens/min", "1ktokens/min",
    "1k tokens / min",
]  # fmt: skip


@pytest.mark.parametrize("written", NEVER, ids=repr)
def test_what_is_no_rate_is_refused_and_never_raises_anything_else(written: Plain):
    with pytest.raises(Misread):
        q.read_rate(written, "tokens/min", 0, MOST)


READERS: list[Callable[[Plain], int | q.Money]] = [
    lambda v: q.read_rate(v, "tokens/min", 0, MOST),
    lambda v: q.read_count(v, "tokens", 0, MOST),
    lambda v: q.read_duration(v, 0, MOST),
    lambda v: q.read_ppm(v, 0, MOST),
    q.read_money,
    q.read_price,
    q.read_instant,
]
QUANTITY = r"-?[0-9]{0,20}\.?[0-9]{0,20} ?[kMGTsmh%]?( (tokens(/min)?|USD|USD/1M tokens))?"
INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})"
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.decimals(allow_nan=False, allow_infinity=False), st.text(),
    st.from_regex(QUANTITY, fullmatch=True), st.from_regex(INSTANT, fullmatch=True),
)  # fmt: skip


@given(PLAIN)
@settings(max_examples=200, deadline=None)
def test_whatever_is_written_the_answer_is_a_bounded_integer_or_a_misreading(value: Plain):
    for reader in READERS:
        with suppress(Misread):
            read = reader(value)
            number = read.nano if isinstance(read, q.Money) else read
            assert 0 <= number <= MOST


@given(st.integers(0, MOST))
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read_back(n: int):
    assert q.read_count(q.write_count(n), "", 0, MOST) == n
    assert q.read_rate(f"{q.write_count(n)} tokens/min", "tokens/min", 0, MOST) == n
    assert q.read_duration(q.write_duration(n), 0, MOST) == n
    assert q.read_ppm(q.write_ppm(n), 0, MOST) == n
    assert q.read_ppm(q.write_percent(n), 0, MOST) == n
    assert q.read_money(q.write_money(q.Money(n, "USD"))) == q.Money(n, "USD")
    assert q.read_price(q.write_price(q.Money(n, "USD"))) == q.Money(n, "USD")
    instant = n % 4_000_000_000_000_000
    assert q.read_instant(q.write_instant(instant)) == instant
