"""The order of tests in parallel runs."""

from config.testing.scheduling import split_evenly, spread

WEIGHTS = {"slow": 1, "fuzz": 4, "fast": 0}


def order(items, parts):
    return spread(items, parts, weigh=lambda item: WEIGHTS[item[0]], module=lambda item: item[1])


def test_each_process_begins_with_its_share_of_slow_tests():
    slow = [("slow", module, number) for module in "abc" for number in range(2)] + [("fuzz", "z", 0)]
    fast = [("fast", "f", number) for number in range(13)]
    found = order([*fast, *slow], 3)
    sizes = split_evenly(20, 3)
    assert (sizes, sorted(found)) == ([6, 7, 7], sorted([*fast, *slow]))
    starts = [0, 6, 13]
    assert found[starts[0]] == ("fuzz", "z", 0)
    heads = [[item[1] for item in found[start : start + 4]] for start in starts[1:]]
    assert heads == [["a", "a", "c", "c"], ["b", "b", "f", "f"]]
    assert [item for item in found if item[0] == "fast"] == fast


def test_few_tests_of_many_processes_keep_all():
    items = [("slow", "a", 0), ("slow", "b", 0)]
    assert sorted(order(items, 4)) == items
