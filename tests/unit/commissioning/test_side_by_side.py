"""Computations on all processors at once: results in the order of the tasks, turns, and an end when nobody waits."""

import threading

import pytest

from ert.commissioning.side_by_side import side_by_side
from ert.errors import Cancelled


def counting(name, pieces, log):
    for piece in range(pieces):
        log.append((name, piece))
        yield
    return name


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_stand_in_the_order_of_the_tasks_and_pieces_in_that_of_each(threads):
    log = []
    assert side_by_side([counting(n, pieces, log) for n, pieces in enumerate((5, 1, 0, 3))], None, threads=threads) == [
        0, 1, 2, 3,
    ]  # fmt: skip
    for number, pieces in enumerate((5, 1, 0, 3)):
        assert [piece for name, piece in log if name == number] == list(range(pieces))


def test_tasks_take_turns():
    log = []
    side_by_side([counting(name, 2, log) for name in "abc"], None, threads=1)
    assert sorted(log[:3]) == [("a", 0), ("b", 0), ("c", 0)]
    assert sorted(log[3:]) == [("a", 1), ("b", 1), ("c", 1)]


def test_two_tasks_are_under_way_at_once():
    """Each waits for the other, which one after the other could not."""
    here = threading.Barrier(2, timeout=10.0)

    def meeting():
        here.wait()
        yield

    assert side_by_side([meeting(), meeting()], None, threads=2) == [None, None]


@pytest.mark.parametrize("threads", [1, 2])
def test_cancelling_ends_tasks_where_they_yield(threads):
    log = []

    def endless():
        while True:
            log.append("piece")
            yield

    def check():
        if log:
            raise Cancelled("as asked")

    with pytest.raises(Cancelled):
        side_by_side([endless(), endless()], check, threads=threads)


def test_the_error_of_a_task_is_told_and_ends_the_others():
    def wrong():
        yield
        raise ValueError("this one")

    def endless():
        while True:
            yield

    with pytest.raises(ValueError, match="this one"):
        side_by_side([endless(), wrong()], None, threads=2)
