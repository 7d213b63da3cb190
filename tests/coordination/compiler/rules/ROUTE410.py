"""Placements that see no load."""

from tests.support.policies import Case

ROUTE = """\
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec: {rank: 100, targets: [%s]%s}
"""
CASES = [
    Case(
        "by strategy",
        ROUTE % ("{pool: chat}", ", placement: {strategy: cache_first}"),
        (("4:56", "looks for what is cached and at no load"),),
        also=("TARGET701",),
    ),
    Case(
        "by scorers",
        ROUTE % ("{pool: chat}", ", placement: {scorers: {cache: 1, locality: 0.5, prefill: 0}}"),
        (("4:56", "looks for what is cached"),),
        also=("TARGET701",),
    ),
    Case(
        "bounded",
        ROUTE % ("{pool: chat}", ", placement: {strategy: cache_first, max_imbalance: 2}"),
        (),
        also=("TARGET701",),
    ),
    Case(
        "against what waits",
        ROUTE % ("{pool: chat}", ", placement: {scorers: {cache: 1, prefill: 1}}"),
        (),
        also=("TARGET701",),
    ),
    Case(
        "balanced",
        ROUTE % ("{pool: chat}", ", placement: {strategy: balanced}"),
        (),
    ),
]
