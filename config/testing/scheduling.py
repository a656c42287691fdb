"""Order of tests for parallel runs with pytest-xdist's `worksteal`."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TypeVar

T = TypeVar("T")


def split_evenly(count: int, parts: int) -> list[int]:
    """Return the sizes of the contiguous parts into which `worksteal` divides `count` tests at first."""
    sizes = []
    for left in range(parts, 0, -1):
        sizes.append(count // left)
        count -= sizes[-1]
    return sizes


def spread(
    items: Sequence[T], parts: int, *, weigh: Callable[[T], int], module: Callable[[T], str]
) -> list[T]:
    """Order tests so that each process begins with its share of the slow ones.

    Otherwise one process begins with all of them, and the others have nothing left to do at the end. The slow tests of
    a module stay together, because they share its fixtures.

    Args:
        parts: the number of processes.
        weigh: returns the weight of a slow test, and 0 for others.
        module: returns the module of a test.
    """
    slow = [item for item in items if weigh(item)]
    rest = [item for item in items if not weigh(item)]
    groups: list[list[T]] = [list(each) for _, each in groupby(sorted(slow, key=module), key=module)]
    shares: list[list[T]] = [[] for _ in range(parts)]
    weights = [0] * parts
    for group in sorted(groups, key=lambda each: -sum(map(weigh, each))):
        lightest = weights.index(min(weights))
        shares[lightest] += group
        weights[lightest] += sum(map(weigh, group))
    ordered: list[T] = []
    for share, size in zip(shares, split_evenly(len(items), parts), strict=True):
        fill = max(0, size - len(share))
        ordered += share + rest[:fill]
        rest = rest[fill:]
    return ordered + rest
