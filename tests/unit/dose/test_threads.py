"""Threads keep to processors of their own while a dose is computed, and are free afterwards."""

import os
import threading
from collections.abc import Iterator

import pytest

from ert.dose.threads import kernel_threads, own_processors

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not tell")


@pytest.fixture
def threads() -> Iterator[list[int]]:
    """As many waiting threads as there are processors."""
    done, ready = threading.Event(), threading.Barrier(len(os.sched_getaffinity(0)) + 1)
    found: list[int] = []

    def wait() -> None:
        found.append(threading.get_native_id())
        ready.wait(10.0)
        done.wait(10.0)

    running = [threading.Thread(target=wait) for _ in os.sched_getaffinity(0)]
    for thread in running:
        thread.start()
    ready.wait(10.0)
    yield found
    done.set()
    for thread in running:
        thread.join()


def test_each_thread_has_one_processor_inside_and_all_outside(threads: list[int]) -> None:
    allowed = os.sched_getaffinity(0)
    with own_processors(threads):
        inside = [os.sched_getaffinity(thread) for thread in threads]
        assert os.sched_getaffinity(0) == allowed  # of the caller nothing changes
    assert all(len(processors) == 1 for processors in inside)
    assert set.union(*inside) == allowed
    assert all(os.sched_getaffinity(thread) == allowed for thread in threads)


def test_threads_are_free_after_an_error(threads: list[int]) -> None:
    allowed = os.sched_getaffinity(0)
    with pytest.raises(ValueError, match="stop"), own_processors(threads):
        raise ValueError("stop")
    assert all(os.sched_getaffinity(thread) == allowed for thread in threads)


def test_other_numbers_of_threads_stay_free(threads: list[int]) -> None:
    allowed = os.sched_getaffinity(0)
    more = [*threads, threading.get_native_id()]
    with own_processors(more):
        assert all(os.sched_getaffinity(thread) == allowed for thread in more)


def test_a_system_that_forbids_it_computes_all_the_same(threads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(_thread: int, _processors: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbid)
    with own_processors(threads):
        reached = True
    assert reached


def test_kernel_threads_are_of_this_process_and_never_the_caller() -> None:
    found = kernel_threads()
    assert threading.get_native_id() not in found
    assert all(os.sched_getaffinity(thread) for thread in found)
