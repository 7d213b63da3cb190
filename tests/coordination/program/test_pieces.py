"""Put in order a few at a time, it is the same order."""

from hypothesis import given
from hypothesis import strategies as st

from coordination.program.partition import Item, partition
from coordination.program.pieces import RUN, in_order


@given(st.lists(st.tuples(st.integers(0, 50), st.integers()), max_size=4 * RUN))
def test_it_is_the_order_of_sorted_and_equals_keep_theirs(items):
    assert list(in_order(items, lambda one: one[0])) == sorted(items, key=lambda one: one[0])


def test_more_than_a_run_by_far():
    items = [(number * 7919) % 10_007 for number in range(10_007)]
    assert list(in_order(items, lambda one: one)) == list(range(10_007))


def test_shards_do_not_depend_on_the_order_in_which_objects_come():
    items = [Item("Quota", f"q{number}", b'{"name":"q%d"}' % number) for number in range(3000)]
    assert partition(items, folder="f") == partition(reversed(items), folder="f")
