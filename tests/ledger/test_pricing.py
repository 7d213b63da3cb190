"""What an attempt costs, when it is too late, and in which month it is charged."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import periods
from ledger.pricing import FREE, Book, Cost, PriceList, Rate, Tokens

CHEAP, DEAR = Rate(0, 100, 10, 400), Rate(1000, 200, 20, 800)
LIST = PriceList(
    [
        Book("b-later", "EUR", {"m": (Rate(0, 1, 1, 1),), "other": (Rate(0, 7, 7, 7),)}),
        Book("a-first", "USD", {"m": (CHEAP, DEAR)}, {"priority": 1_750_000, "third": 333_333}),
    ]
)
COSTS = [
    ("an uncached token", Tokens(uncached_input=3), "standard", 0, Cost(300, 0, "USD")),
    ("a cached one saves the difference", Tokens(cached_input=3), "standard", 0, Cost(30, 270, "USD")),
    ("a token written to a cache was computed", Tokens(cache_write=3), "standard", 0, Cost(300, 0, "USD")),
    ("reasoning is output", Tokens(output=1, reasoning=2), "standard", 0, Cost(1200, 0, "USD")),
    ("before the change", Tokens(output=1), "standard", 999, Cost(400, 0, "USD")),
    ("from the change on", Tokens(output=1), "standard", 1000, Cost(800, 0, "USD")),
    ("by the tier served", Tokens(output=1), "priority", 0, Cost(700, 0, "USD")),
    ("rounded down, once", Tokens(uncached_input=1), "third", 0, Cost(33, 0, "USD")),
]


@pytest.mark.parametrize(("story", "tokens", "tier", "at", "cost"), COSTS)
def test_prices(story, tokens, tier, at, cost):
    assert LIST.cost("m", tier, tokens, at) == cost, story


def test_of_several_books_that_name_a_model_the_first_by_name_holds():
    assert LIST.cost("m", "standard", Tokens(output=1), 0).currency == "USD"
    assert LIST.cost("other", "standard", Tokens(output=1), 0) == Cost(7, 0, "EUR")


def test_what_no_book_names_is_free_and_says_so_by_having_no_currency():
    assert LIST.cost("unknown", "standard", Tokens(output=10), 0) == FREE


def test_before_its_first_price_a_model_has_none():
    assert PriceList([Book("b", "USD", {"m": (DEAR,)})]).cost("m", "x", Tokens(output=1), 999) == FREE


COUNT = st.integers(0, 10**7)


@given(COUNT, COUNT, COUNT, COUNT, COUNT, st.sampled_from(["standard", "priority", "third"]))
def test_caching_never_costs_more_and_saved_is_the_difference(a, b, c, d, e, tier):
    cost = LIST.cost("m", tier, Tokens(a, b, c, d, e), 0)
    uncached = LIST.cost("m", tier, Tokens(a + b, 0, c, d, e), 0)
    assert 0 <= cost.nano <= uncached.nano == cost.nano + cost.saved_nano


# -- time -------------------------------------------------------------------------------------------

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
BOUNDS = [
    ("just now", timedelta(0), None),
    ("five minutes ahead", timedelta(minutes=5), None),
    ("further ahead", timedelta(minutes=5, microseconds=1), "ahead"),
    ("thirty-five days old", -timedelta(days=35), None),
    ("older", -timedelta(days=35, microseconds=1), "too_old"),
]


@pytest.mark.parametrize(("story", "ended", "reason"), BOUNDS)
def test_bounds(story, ended, reason):
    assert periods.out_of_bounds(periods.micros(AT + ended), periods.micros(AT)) == reason, story


MONTHS = [
    ("in its own month", (2026, 11, 25), (2026, 11, 25), date(2026, 11, 1)),
    ("in the grace after it", (2026, 10, 31), (2026, 11, 3), date(2026, 10, 1)),
    ("after the grace: in the present month", (2026, 10, 31), (2026, 11, 4), date(2026, 11, 1)),
    ("over the end of a year", (2026, 12, 31), (2027, 1, 4), date(2027, 1, 1)),
    ("ahead, over a month's end", (2026, 12, 1), (2026, 11, 30), date(2026, 12, 1)),
]


@pytest.mark.parametrize(("story", "ended", "received", "first_day"), MONTHS)
def test_statement(story, ended, received, first_day):
    at = [periods.micros(datetime(year, month, day, tzinfo=UTC)) for year, month, day in (ended, received)]
    assert periods.statement_of(*at) == first_day, story


@given(st.integers(0, 40 * 86_400_000_000), st.integers(0, 10**15))
def test_a_closed_month_takes_nothing_more(age, at):
    received = at + 10**15
    month = periods.statement_of(received - age, received)
    assert periods.instant(received) < periods.closes(month)


def test_clocks_that_differ_by_less_than_a_message_takes_are_equal():
    assert periods.skew(4_000_000, 0) == 0
    assert periods.skew(90_000_000, 0) == 90_000_000
    assert periods.skew(0, 90_000_000) == -90_000_000


def test_cache_writes_and_reasoning_have_prices_of_their_own_where_stated():
    tokens = Tokens(uncached_input=10, cached_input=20, cache_write=5, output=3, reasoning=7)
    own = PriceList([Book("a", "EUR", {"m": (Rate(0, 100, 10, 400, 125, 0),)})])
    assert own.cost("m", "standard", tokens, 0).nano == 10 * 100 + 20 * 10 + 5 * 125 + 3 * 400
    plain = PriceList([Book("a", "EUR", {"m": (CHEAP,)})])
    assert plain.cost("m", "standard", tokens, 0).nano == 15 * 100 + 20 * 10 + 10 * 400
